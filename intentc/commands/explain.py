"""Explain a diagnostic code: what it means, and what to do."""

from __future__ import annotations

import argparse
import sys

from intent.diagnostics import did_you_mean
from intentc.codes import explanations


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("code", help="code of a diagnostic, for example IC2001")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    known = explanations()
    code = options.code.upper()
    if code not in known:
        hint = did_you_mean(code, known)
        sys.stderr.write(f"intentc: no diagnostic is called {options.code!r}{'; ' + hint if hint else ''}\n")
        return 1
    sys.stdout.write(known[code])
    return 0
