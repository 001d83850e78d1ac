"""Plans as files: written by `plan --out`, and applied by `apply FILE` as they are.

Invariant: what is applied is what the file says, less what is already so. If one of its objects has become a
third thing since — neither as it was nor as it shall be —, or intent does not ask any more for what is left
of the plan, nothing at all is applied.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from compiler.graph import Graph
from compiler.passes import compile_intent
from intent import documents
from intent.diagnostics import Report, as_text
from intent.files import Folder
from intent.kinds.project import ProjectSpec
from intent.repository import PROJECT_FILE, Repository, open_repository
from intent.source import Source
from intentc.cache import remembering
from intentc.files import replace_file
from intentc.review.rows import plain
from reconciler.bound import (
    HEAD_BYTES,
    Bound,
    Moved,
    Revision,
    as_json,
    moved,
    other_targets,
    read,
    recognise,
    takes_away,
    write,
)
from reconciler.drivers.base import DriverError
from reconciler.git import GitError, open_commit
from reconciler.plan import Action, Observation
from reconciler.prepare import Work, otherwise, take_up
from reconciler.said import state
from renderers.causes import lines_of
from renderers.changes import ABSENT, compare
from renderers.resource import Resource

_NAMED: Final = 20
"""So many objects that moved are named …"""
_FIELDS: Final = 3
"""… and so many fields of each."""
_WIDTH: Final = 60
MAX_BYTES: Final = 512 * 1024 * 1024
"""A larger file is no plan of ours."""
_PRINTED: Final = '\n"diagnostics": '
"""Where a line begins so, it is not the plan alone: the command has said more beside it."""
_EMPTY: Final = "IC1033"
"""Code of: no file matches the patterns."""


class Opened(NamedTuple):
    """A saved plan that can be applied here."""

    project: ProjectSpec
    bound: Bound
    work: Work
    """What is left of it."""


def save(bound: Bound, path: Path) -> None:
    """Write a plan, as a whole or not at all; raises OSError."""
    replace_file(path, write(as_json(bound)))


def revision(root: Path, repository: Repository) -> Revision:
    """Return the commit that is checked out, and whether what was read differs from it."""
    spec = repository.spec
    try:
        commit = open_commit(root, "HEAD")
        found = [commit.read(PROJECT_FILE), commit.read(spec.ledger)]
        found += commit.match((*spec.intent, *spec.facts))
    except GitError:
        return Revision()
    shown = Folder(root, Path.cwd()).shown
    there = {shown(entry.file): entry.text for entry in found if isinstance(entry, Source)}
    here = {name: said for name, said in repository.texts.items() if said or name in there}
    return Revision(commit.revision, here != there)


def open_saved(path: Path, root: Path) -> Opened | None:
    """Return what is left to do of a saved plan; None, with the reason told, where it cannot be applied.

    Where all of intent is what it was, nothing is compiled; else it is compiled for comparison only.
    """
    bound = load(path)
    if bound is None:
        return None
    report = Report()
    with remembering(root, "intent", documents) as memory:
        repository, texts = open_repository(Folder(root, Path.cwd()), report, memory)
    if repository is None:
        sys.stderr.write(as_text(report.sorted(), texts))
        return None
    spec = repository.spec
    if wrong := _elsewhere(bound, repository):
        _refuse(f"{path}: {wrong}")
        return None
    try:
        work, other = take_up(bound.plan, spec.targets, root)
        if other:
            _tell_targets(other, work)
        elif _intent_holds(bound, work, repository, report):
            return Opened(spec, bound, work)
    except DriverError as error:
        _refuse(str(error))
    return None


def load(path: Path) -> Bound | None:
    """Return the plan in a file; None, with the reason told, where there is none."""
    raw = ""
    try:
        # Non-blocking, so that a FIFO cannot hang the run.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
                _refuse(f"{path} is {'too large for a plan' if status.st_size > MAX_BYTES else 'no file'}")
                return None
            recognise(stream.read(HEAD_BYTES))
            stream.seek(0)
            raw = stream.read(MAX_BYTES).decode()
            return read(raw)
    except OSError as error:
        _refuse(f"cannot read {path}: {error.strerror}")
    except ValueError as error:
        why = "this is no plan" if isinstance(error, UnicodeError) else str(error)
        if _PRINTED in raw:
            why = f"this is what plan --format json prints; save a plan with `intentc plan --out {path}`"
        _refuse(f"{path}: {why}")
    return None


def _elsewhere(bound: Bound, repository: Repository) -> str:
    """Say why a plan does not belong here, if it does not."""
    if bound.project != repository.project.name:
        return f"this is a plan of project {bound.project!r}, and here is {repository.project.name!r}"
    known = {target.name for target in repository.spec.targets}
    if unknown := {action.target for action in bound.plan.actions} - known:
        return f"{PROJECT_FILE} has no target {', '.join(sorted(unknown))}"
    words = [f"target {name} is another now ({span})" for name, span in other_targets(bound, repository)]
    return f"since it was made, {', '.join(words)}; plan again" if words else ""


def _intent_holds(bound: Bound, work: Work, repository: Repository, report: Report) -> bool:
    """Say whether intent still asks for what is left; tell what moved."""
    left = work.plan.actions
    if not left:
        return True
    if not repository.intents and {entry.code for entry in report.sorted()} == {_EMPTY}:
        _say("there is no intent here to compare with: going by the plan, and by what the targets show")
        return True
    if not report.failed and bound.state == state(repository):
        return True
    found = moved(bound, left, repository)
    graph = _compiled(repository, report)
    if graph is None:
        return _holds_without(left, found, repository, report)
    other = list(otherwise(work, repository, graph))
    if not other:
        return True  # what moved has no part in what the plan does
    changed = {action.id for action, _ in other}
    if behind := tuple(entry for entry in found if entry.action.id in changed):
        _tell_intent(behind, bound)
    else:
        _tell_other(other, bound)
    return False


def _holds_without(
    left: tuple[Action, ...], found: tuple[Moved, ...], repository: Repository, report: Report
) -> bool:
    """Say whether what is left can be done though intent does not compile; tell why not."""
    taking = any(map(takes_away, left))
    if taking or found:
        why = (
            "the plan takes away what it may ask for"
            if taking
            else "what is behind the plan moved or is lost"
        )
        sys.stderr.write(as_text(report.sorted(), repository.texts))
        _refuse(f"nothing was applied, because this intent does not compile, and {why}")
    return not (taking or found)


def _compiled(repository: Repository, report: Report) -> Graph | None:
    """Return what intent says now; None where it does not compile."""
    if report.failed:
        return None
    said = repository.project, repository.intents, repository.facts, repository.ledger
    return compile_intent(*said, report).graph


def _tell_other(other: list[tuple[Action, Resource | None]], bound: Bound) -> None:
    """Name the objects that intent asks for otherwise by now, with its lines."""
    _refuse(f"nothing was applied, because intent asks for something else by now{_made(bound)}")
    for action, now in other[:_NAMED]:
        places = ", ".join(lines_of(now or action.resource))
        _say(f"  moved: {action.target}: {action.key}{f'   ({places})' if places else ''}")
        if now is None:
            _say("    it is not asked for any more")
        elif action.after is None:
            _say("    it would be deleted, and is asked for again")
        else:
            for change in list(compare(action.after.spec, now.spec))[:_FIELDS]:
                _say(f"    {change.path}: planned {_short(change.before)}, now {_short(change.after)}")
    _rest(len(other))


def _made(bound: Bound) -> str:
    return f" (the plan was made at commit {bound.revision.commit[:12]})" if bound.revision.commit else ""


def _tell_intent(found: tuple[Moved, ...], bound: Bound) -> None:
    """Name what moved in intent, once for each place, with the objects that it concerns."""
    places: dict[tuple[str, str], list[Action]] = {}
    for entry in found:
        places.setdefault((str(entry.span), entry.what), []).append(entry.action)
    _refuse(f"nothing was applied, because intent moved since the plan was made{_made(bound)}")
    for (place, what), actions in list(places.items())[:_NAMED]:
        more = f" and {len(actions) - 1:,} more" if len(actions) > 1 else ""
        _say(f"  {place}: {what}")
        _say(f"    moved: {actions[0].target}: {actions[0].key}{more}")
    _rest(len(places))


def _tell_targets(other: tuple[Action, ...], work: Work) -> None:
    """Name what changed at the targets since the plan was made, with the lines of intent behind it."""
    _refuse("nothing was applied, because the targets moved since the plan was made")
    for action in other[:_NAMED]:
        places = lines_of(action.resource)
        because = f"   (planned for {', '.join(places)})" if places else ""
        _say(f"  moved: {action.target}: {action.key}{because}")
        for line in _differences(action, work.observed[action.target]):
            _say(f"    {line}")
    _rest(len(other))


def _differences(action: Action, seen: Observation) -> Iterator[str]:
    """Yield how an object differs from what the plan found, and what the plan would make of it."""
    now = seen.resources.get(action.key)
    if now is None:
        yield "it is gone" if seen.complete else f"it cannot be seen now: {seen.why}"
        return
    if action.before is None:
        yield "it was not there, and somebody else has made it with other values"
    planned = {change.path: f", planned {_short(change.after)}" for change in action.changes}
    changed = list(compare(action.before.spec if action.before else ABSENT, now.spec))
    for change in changed[:_FIELDS]:
        moved_so = f"was {_short(change.before)}, is {_short(change.after)}"
        yield f"{change.path}: {moved_so}{planned.get(change.path, '') if action.after else ''}"
    if not changed:
        yield f"it is {'now' if now.protected else 'no longer'} protected"
    elif len(changed) > _FIELDS:
        yield f"and {len(changed) - _FIELDS:,} fields more"


def _short(said: Any) -> str:
    words = "absent" if said is ABSENT else str(said)
    return words if len(words) <= _WIDTH else f"{words[: _WIDTH - 1]}…"


def _rest(count: int) -> None:
    if count > _NAMED:
        _say(f"  … and {count - _NAMED:,} more")
    _say("  hint: plan again, and have the new plan approved")


def _say(line: str) -> None:
    sys.stderr.write(f"{plain(line)}\n")


def _refuse(message: str) -> None:
    _say(f"intentc: {message}")
