"""Check all intent, and say everything that is wrong with it."""

from __future__ import annotations

import argparse
import sys

from intentc.session import add_format, begin, tell


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_format(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    session = begin(options.root)
    tell(session, options.format)
    if session.repository is None or session.compiled.graph is None:
        return 1
    if options.format == "text":
        documents, scopes = len(session.repository.intents), len(session.compiled.graph.scopes)
        sys.stdout.write(f"valid: {documents} documents, {scopes} scopes\n")
    return 0
