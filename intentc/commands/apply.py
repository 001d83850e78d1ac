"""Make the changes of the plan, phase by phase, and read them back (exit code 1: something was not done)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from intent.kinds.project import ProjectSpec
from intentc import plan_text
from intentc.commands.plan import present
from intentc.saved import open_saved
from intentc.session import begin, tell
from intentc.terminal import Display, show
from intentc.work import Work, prepare
from reconciler.apply import Result, apply
from reconciler.brake import Limits, check

_SHOWN: Final = 20
"""Objects that an apply names when it could not do them; there may be a hundred thousand."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("plan", nargs="?", type=Path, help="a plan saved by `plan --out`: do exactly that")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--full", action="store_true", help="show every object of the plan")
    parser.add_argument(
        "--allow-delete",
        action="append",
        default=[],
        metavar="TYPE=N",
        type=_approval,
        help="approve the deletion of up to N objects of a type, where the deletion brake asks for it",
    )


def _approval(text: str) -> tuple[str, int]:
    kind, equals, number = text.partition("=")
    if not equals or not kind or not number.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not TYPE=N, for example SriovNetwork=12")
    return kind, int(number)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    found = _saved(options) if options.plan else _fresh(options)
    if found is None:
        return 1
    project, work = found
    if not work.plan.actions:
        return 0
    brake = project.gates.deletion_brake
    refusals = check(work.plan, work.observed, dict(options.allow_delete), Limits(brake.percent, brake.few))
    for refusal in refusals:
        sys.stderr.write(f"refused: {refusal.message}\n  hint: {refusal.hint} (--allow-delete)\n")
    if refusals or not (options.yes or _confirmed()):
        return 1
    with Display(work.plan) as display:
        result = apply(work.plan, work.drivers, display)
    _report(result, work)
    return 1 if result.failed else 0


def _fresh(options: argparse.Namespace) -> tuple[ProjectSpec, Work] | None:
    """Compile and plan now."""
    session = begin(options.root)
    tell(session)
    if session.compiled.graph is None or session.repository is None:
        return None
    work = prepare(session)
    if work is None:
        return None
    present(session, work, full=options.full)
    return session.repository.spec, work


def _saved(options: argparse.Namespace) -> tuple[ProjectSpec, Work] | None:
    """Take what is left of a saved plan; nothing is compiled."""
    found = open_saved(options.plan, options.root)
    if found is not None:
        _, work = found
        show([plan_text.Line(f"what is left of the saved plan {options.plan}", "bold"), plan_text.Line()])
        show(plan_text.lines(work.plan, full=options.full))
        show([plan_text.Line(plan_text.summary(work.plan), "bold")])
    return found


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        sys.stderr.write("nothing was applied: no terminal to ask on\n  hint: apply --yes\n")
        return False
    sys.stderr.write("apply this? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    sys.stderr.write("nothing was applied\n")
    return False


def _report(result: Result, work: Work) -> None:
    # What failed is the cause, and what was skipped only follows from it.
    undone = sorted(result.failed, key=lambda outcome: outcome.status != "failed")
    for outcome in undone[:_SHOWN]:
        places = sorted({str(origin.span) for origin in outcome.action.resource.origins})
        where = f"  because of {', '.join(places[:3])}\n" if places else ""
        sys.stderr.write(
            f"{outcome.status}: {outcome.action.target}: {outcome.action.key}: {outcome.message}\n{where}"
        )
    if len(undone) > _SHOWN:
        sys.stderr.write(f"… and {len(undone) - _SHOWN:,} more that were not done\n")
    done = len(result.outcomes) - len(undone)
    sys.stdout.write(f"applied {done:,} of {len(work.plan.actions):,}")
    sys.stdout.write("\n`intentc plan` shows what is left\n" if undone else "; read back and verified\n")
