"""Show what on the targets is not as intent says. Exit code 0: nothing, 1: error, 2: something drifted."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Final

from intent.diagnostics import as_json as found_as_json
from intentc import plan_text
from intentc.session import add_format, begin, tell
from intentc.terminal import show
from intentc.work import Work, prepare
from reconciler.drift import Drift, as_json, drift

_SHOWN: Final = 200
"""So many objects are named, unless all are asked for."""
_STYLES: Final = {"missing": "red", "misconfigured": "yellow", "dangling": "magenta"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_format(parser)
    parser.add_argument("--full", action="store_true", help="name every object")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    session = begin(options.root)
    if session.compiled.graph is None or options.format == "text":
        tell(session, options.format)
    if session.compiled.graph is None:
        return 1
    work = prepare(session)
    if work is None:
        return 1
    found = drift(work.plan, work.incomplete)
    if options.format == "json":
        content = {
            "drift": [as_json(entry) for entry in found],
            "incomplete": work.incomplete,
            "diagnostics": found_as_json(session.report.sorted()),
        }
        json.dump(content, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        _present(found, work, full=options.full)
    if work.incomplete:
        return 1
    return 2 if found else 0


def _present(found: Sequence[Drift], work: Work, *, full: bool) -> None:
    show(plan_text.incomplete(work.incomplete))
    shown = found if full else found[:_SHOWN]
    show([plan_text.Line(str(entry), _STYLES[entry.kind]) for entry in shown])
    if len(found) > len(shown):
        show([plan_text.Line(f"… and {len(found) - len(shown):,} more (--full shows all)", "dim")])
    counts = [
        f"{sum(entry.kind == kind for entry in found):,} {kind}"
        for kind in _STYLES
        if any(entry.kind == kind for entry in found)
    ]
    nothing = "nothing drifted, as far as was read" if work.incomplete else "nothing drifted"
    show([plan_text.Line(", ".join(counts) or nothing, "bold")])
