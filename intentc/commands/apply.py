"""Make the changes of the plan, phase by phase, and read them back.

Exit code 1: something was not done, or a target was not read completely, so more may be left to do.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from intentc import plan_text
from intentc.commands.plan import add_approvals, braked, present
from intentc.plan_text import Line
from intentc.review.rows import plain
from intentc.saved import open_saved, revision
from intentc.session import begin, tell
from intentc.terminal import Display, show
from intentc.work import Work, applier, prepare
from reconciler.apply import Result
from reconciler.bound import Bound, bind
from reconciler.brake import Refusal
from reconciler.drivers.base import DriverError
from reconciler.execute import execute
from reconciler.journal import Unwritable, latest
from reconciler.lease import Held
from reconciler.review import review
from renderers.causes import lines_of

_SHOWN: Final = 20
"""Objects that an apply names when it could not do them; there may be a hundred thousand."""


class Task(NamedTuple):
    """What is to be applied."""

    bound: Bound
    work: Work
    refusals: tuple[Refusal, ...]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("plan", nargs="?", type=Path, help="a plan saved by `plan --out`: do exactly that")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--full", action="store_true", help="show every object of the plan")
    add_approvals(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    task = _saved(options) if options.plan else _fresh(options)
    if task is None:
        return 1
    # A saved plan is done when what it says is done; else there may be more that nobody could see.
    unseen = bool(task.work.incomplete) and not options.plan
    if not task.work.plan.actions:
        return 1 if unseen else 0
    for refusal in task.refusals:
        _say(f"refused: {refusal.message}")
    if task.refusals:
        again = f"plan --out {options.plan}" if options.plan else "apply"
        approvals = {**task.bound.approvals, **{found.type: found.approval for found in task.refusals}}
        words = " ".join(f"--allow-delete {name}={number}" for name, number in sorted(approvals.items()))
        _say(f"  hint: if that is meant, `intentc {again} {words}`")
    if task.refusals or not (options.yes or _confirmed()):
        return 1
    result = _execute(task, options.root)
    if result is None:
        return 1
    _report(result, task.work)
    return 1 if result.failed or unseen else 0


def _fresh(options: argparse.Namespace) -> Task | None:
    """Compile and plan now."""
    session = begin(options.root)
    tell(session)
    repository = session.repository
    if session.compiled.graph is None or repository is None:
        return None
    work = prepare(session)
    if work is None:
        return None
    present(session, work, full=options.full)
    approvals = dict(options.allow_delete)
    bound = bind(work.plan, repository, revision(session.root, repository), approvals)
    return Task(bound, work, braked(repository.spec, work, approvals))


def _saved(options: argparse.Namespace) -> Task | None:
    """Take what is left of a saved plan, as the file says it."""
    if options.allow_delete:
        words = " ".join(f"--allow-delete {kind}={number}" for kind, number in options.allow_delete)
        _say("intentc: a saved plan holds its own approvals, so that they are reviewed with it")
        _say(f"  hint: `intentc plan --out {options.plan} {words}`")
        return None
    opened = open_saved(options.plan, options.root)
    if opened is None:
        return None
    bound, work = opened.bound, opened.work
    show([Line(f"what is left of the saved plan {options.plan} ({bound.id[:12]})", "bold"), Line()])
    with suppress(Unwritable):  # said where something is to be written
        run_before = latest(applier(options.root, work).folder)
        if run_before and run_before.plan == bound.id and run_before.summary:
            _say(run_before.summary)
    show(plan_text.incomplete(work.incomplete))
    left = review(work.plan)
    show(plan_text.lines(left, full=options.full))
    show([Line(plan_text.summary(left), "bold")])
    return Task(bound, work, braked(opened.project, work, bound.approvals))


def _execute(task: Task, root: Path) -> Result | None:
    """Apply as the only one; None, with the reason told, where that cannot begin."""
    work = task.work
    try:
        with Display(work.plan) as display:
            return execute(work.plan, task.bound.id, work.drivers, applier(root, work), display)
    except (Held, Unwritable, DriverError) as error:
        _say(f"intentc: nothing was applied: {error}")
        return None


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
        action = outcome.action
        _say(f"{outcome.status}: {action.target}: {action.key}: {outcome.message}")
        if places := lines_of(action.resource):
            _say(f"  because of {', '.join(places)}")
    if len(undone) > _SHOWN:
        _say(f"… and {len(undone) - _SHOWN:,} more that were not done")
    done = len(result.outcomes) - len(undone)
    sys.stdout.write(f"applied {done:,} of {len(work.plan.actions):,}")
    sys.stdout.write("\n`intentc plan` shows what is left\n" if undone else "; read back and verified\n")


def _say(line: str) -> None:
    sys.stderr.write(f"{plain(line)}\n")
