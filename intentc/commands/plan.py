"""Show what would change on the targets. Exit code 0: nothing, 1: error, 2: there are changes."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from intent.diagnostics import as_json as found_as_json
from intentc import plan_text
from intentc.saved import save
from intentc.session import Session, add_format, begin, tell
from intentc.terminal import show
from intentc.work import Work, prepare
from reconciler.codec import as_json
from reconciler.plan import Plan


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_format(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="save the plan, for `intentc apply FILE`")
    parser.add_argument("--full", action="store_true", help="leave nothing out: every object, every document")


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
    if options.format == "json":
        beside = {
            "incomplete": work.incomplete,
            "untaken": work.untaken,
            "diagnostics": found_as_json(session.report.sorted()),
        }
        json.dump({**as_json(work.plan), **beside}, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        present(session, work, full=options.full)
    return _saved(work.plan, options.out) if options.out else _code(work.plan)


def _saved(plan: Plan, path: Path) -> int:
    try:
        save(plan, path)
    except OSError as error:
        sys.stderr.write(f"intentc: cannot write {path}: {error.strerror}\n")
        return 1
    sys.stderr.write(f"saved as {path}: `intentc apply {path}` does exactly this, or refuses\n")
    return _code(plan)


def _code(plan: Plan) -> int:
    return 2 if plan.actions else 0


def present(session: Session, work: Work, *, full: bool) -> None:
    """Print a plan for people."""
    name = session.repository.project.name if session.repository else ""
    show(
        [
            plan_text.Line(f"plan of project {name} against {', '.join(work.drivers)}", "bold"),
            plan_text.Line(),
        ]
    )
    show(plan_text.incomplete(work.incomplete))
    documents = session.repository.intents if session.repository else ()
    places = {intent.subject: str(intent.span()) for intent in documents}
    show(plan_text.lines(work.plan, full=full, places=places))
    if work.untaken:
        show(
            [
                plan_text.Line(
                    f"{work.untaken:,} objects go to no target: see `targets` in intentc.yaml", "yellow"
                )
            ]
        )
    show([plan_text.Line(plan_text.summary(work.plan), "bold")])
