"""Print JSON Schema for editors: of one kind, or of every kind as a union."""

from __future__ import annotations

import argparse
import json
import sys

from intent.kinds import KINDS
from intentc.schema import schema


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("kind", nargs="?", choices=KINDS, metavar="KIND", help=f"one of: {', '.join(KINDS)}")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    json.dump(schema(options.kind), sys.stdout, indent=2)
    sys.stdout.write("\n")
    return 0
