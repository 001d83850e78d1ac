"""Show what would change on the targets.

Exit code 0: nothing, 1: an error, or nothing where a target was not read completely, 2: there are changes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from intent.diagnostics import as_json as found_as_json
from intent.kinds.project import ProjectSpec
from intentc.review.sheet import sheet_of_plan, text
from intentc.session import Session, begin, tell
from intentc.terminal import show
from intentc.work import Work, prepare
from reconciler.brake import Refusal, check, limits_of, read_approval

if TYPE_CHECKING:
    from reconciler.bound import Bound


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--format",
        choices=("text", "json", "markdown"),
        default="text",
        help="text for people, json for machines, markdown for a comment",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="save the plan, for `intentc apply FILE`")
    parser.add_argument("--full", action="store_true", help="leave nothing out: every object, every document")
    add_approvals(parser)


def add_approvals(parser: argparse.ArgumentParser) -> None:
    """Add `--allow-delete TYPE=N`."""
    parser.add_argument(
        "--allow-delete",
        action="append",
        default=[],
        metavar="TYPE=N",
        type=_approval,
        help="approve the deletion of up to N objects of a type, where the deletion brake asks for it",
    )


def _approval(text: str) -> tuple[str, int]:
    try:
        return read_approval(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    session = begin(options.root)
    if session.compiled.graph is None or options.format == "text":
        tell(session, "json" if options.format == "json" else "text")
    if session.compiled.graph is None or session.repository is None:
        return 1
    work = prepare(session)
    if work is None:
        return 1
    approvals = dict(options.allow_delete)
    refusals = braked(session.repository.spec, work, approvals)
    bound = None
    if options.out or options.format == "json":
        from intentc.saved import revision
        from reconciler.bound import bind

        bound = bind(work.plan, session.repository, revision(session.root, session.repository), approvals)
    # Before it is shown: a reader that goes away (`plan --out F | head`) must not cost the file.
    if bound and options.out and not _saved(bound, options.out):
        return 1
    if bound and options.format == "json":
        _print_json(session, work, bound, refusals)
    elif options.format == "markdown":
        from intentc.review.markdown import markdown

        sys.stdout.write(markdown(sheet_of_plan(session, work, refusals)))
    else:
        present(session, work, refusals, full=options.full)
    if bound and options.out:
        _tell_saved(bound, options.out)
    return 2 if work.plan.actions else 1 if work.incomplete else 0


def braked(project: ProjectSpec, work: Work, approvals: Mapping[str, int]) -> tuple[Refusal, ...]:
    """Return what the deletion brake of the project refuses."""
    return check(work.plan, work.observed, approvals, limits_of(project))


def _print_json(session: Session, work: Work, bound: Bound, refusals: tuple[Refusal, ...]) -> None:
    from reconciler.bound import as_json, write

    beside = {
        "brake": [
            {"message": refusal.message, "approve": f"{refusal.type}={refusal.approval}"}
            for refusal in refusals
        ],
        "incomplete": work.incomplete,
        "untaken": work.untaken,
        "diagnostics": found_as_json(session.report.sorted()),
    }
    sys.stdout.writelines(write({**as_json(bound), **beside}))


def _saved(bound: Bound, path: Path) -> bool:
    from intentc.saved import save

    try:
        save(bound, path)
    except OSError as error:
        sys.stderr.write(f"intentc: cannot write {path}: {error.strerror}\n")
        return False
    return True


def _tell_saved(bound: Bound, path: Path) -> None:
    commit, dirty = bound.revision
    made = f", of commit {commit[:12]}{' and what is not committed' if dirty else ''}" if commit else ""
    sys.stderr.write(f"saved as {path} (plan {bound.id[:12]}{made})\n")
    sys.stderr.write(f"`intentc apply {path}` does exactly this, or refuses\n")


def present(session: Session, work: Work, refusals: tuple[Refusal, ...] = (), *, full: bool) -> None:
    """Print a plan for people."""
    show(text(sheet_of_plan(session, work, refusals), full=full))
