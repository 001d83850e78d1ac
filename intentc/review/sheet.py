"""Everything that a reviewer is shown of a plan or a diff; written here as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from intent.model import Intent
from intentc.plan_text import UNREAD, Line, lines, number, summary, unread
from intentc.review.rows import Edited, plain, why
from intentc.session import Session
from intentc.work import Work
from reconciler.brake import DEFAULT, TRAILER, Limits, Refusal, check, limits_of
from reconciler.difference import State, difference
from reconciler.radius import Reach, reach
from reconciler.review import Review, Step, disappearing, renames, review
from renderers.changes import ABSENT, Change, compare
from renderers.resource import Resource

if TYPE_CHECKING:
    from intentc.review.sides import Side, Sides


@dataclass(frozen=True, slots=True)
class Note:
    """Something to know before reading on."""

    text: str
    more: tuple[str, ...] = ()
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a reviewer is shown."""

    title: str
    review: Review
    notes: tuple[Note, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    """What the deletion brake asks an approval for."""
    places: Mapping[str, str] = field(default_factory=dict)
    """Where each document stands, by its subject."""
    edited: Edited = field(default_factory=dict)
    """The fields of documents that differ between both sides of a diff."""
    command: str = "intentc plan"
    """What shows all of it."""

    @property
    def approvals(self) -> tuple[Note, ...]:
        """What the deletion brake asks for; the last one says how to approve all of it."""
        if not self.refusals:
            return ()
        asked = dict.fromkeys(f"{entry.type}={entry.approval}" for entry in self.refusals)
        flags = " ".join(f"--allow-delete {one}" for one in asked)
        trailers = " and ".join(f"'{TRAILER}: {one}'" for one in asked)
        hint = f"if that is meant: plan with {flags}, or end the commit message with {trailers}"
        notes = [Note(f"the deletion brake will refuse this: {entry.message}") for entry in self.refusals]
        return (*notes[:-1], replace(notes[-1], hint=hint))


def sheet_of_plan(session: Session, work: Work, refusals: tuple[Refusal, ...]) -> Sheet:
    """Return what is shown of a plan against the targets, and of what the deletion brake refuses of it."""
    documents = _intents(session)
    found = review(work.plan, renames(documents, disappearing(work.plan, documents)), _reach(session))
    notes = [Note(unread(name, why), hint=UNREAD) for name, why in work.incomplete.items()]
    title = f"plan of project {_project(session)} against {', '.join(work.drivers) or 'no target'}"
    return Sheet(title, found, (*notes, *_untaken(work.untaken)), refusals, _places(documents))


def sheet_of_diff(sides: Sides) -> Sheet:
    """Return what is shown of the difference of two states that compiled."""
    old, new = _state(sides.old), _state(sides.new)
    if new is None or sides.new.session is None:
        raise ValueError("a state that did not compile cannot be compared")
    found = difference(old, new)
    before, now = _intents(sides.old.session), _intents(sides.new.session)
    renamed = renames(now, {intent.subject: intent.name for intent in before})
    known = _reach(sides.old.session) | _reach(sides.new.session)
    return Sheet(
        f"diff of project {_project(sides.new.session)}: {sides.old.title} → {sides.new.title}",
        review(found.plan, renamed, known),
        (*_notes(sides, found.left), *_untaken(found.untaken)),
        check(found.plan, found.observed, {}, _limits(sides.new.session)),
        {**_places(before), **_places(now)},
        _edited((*before, *_facts(sides.old.session)), (*now, *_facts(sides.new.session))),
        sides.command,
    )


def text(sheet: Sheet, *, full: bool) -> Iterator[Line]:
    """Yield a sheet as text."""
    yield Line(plain(sheet.title), "bold")
    yield Line()
    for note in sheet.notes:
        yield from _note(note)
        yield Line()
    yield from lines(sheet.review, sheet.edited, full=full, places=sheet.places)
    for note in sheet.approvals:
        yield from _note(note)
    if sheet.refusals:
        yield Line()
    yield Line(summary(sheet.review), "bold")


def _note(note: Note) -> Iterator[Line]:
    yield Line(plain(note.text), "yellow")
    yield from (Line(f"    {plain(row)}") for row in note.more)
    if note.hint:
        yield Line(f"  hint: {plain(note.hint)}")


def as_json(sheet: Sheet) -> dict[str, Any]:
    """Return a sheet as plain values."""
    found = sheet.review
    return {
        "format": "intentc-review/1",
        "title": sheet.title,
        "notes": [{"text": note.text, "more": list(note.more), "hint": note.hint} for note in sheet.notes],
        "summary": {**found.counts, "views": found.plan.views, "unchanged": found.plan.unchanged},
        "classes": found.classes,
        "radius": {thing: dict(names) for thing, names in found.radius.items()},
        "renamed": [
            {"kind": entry.kind, "before": entry.before, "after": entry.after} for entry in found.renamed
        ],
        "approvals": [
            {"type": entry.type, "number": entry.approval, "target": entry.target, "message": entry.message}
            for entry in sheet.refusals
        ],
        "steps": [_step(step, sheet.edited) for step in found.steps],
    }


def _step(step: Step, edited: Edited) -> dict[str, Any]:
    return {
        "word": step.word,
        "target": step.target,
        "key": step.key._asdict(),
        "document": step.resource.document,
        "impact": step.impact._asdict(),
        "reason": step.reason,
        "changes": [
            _change(change, why((step.after, step.before), change.path, edited)) for change in step.changes
        ],
        "before": _object(step.before, whole=step.after is None),
        "after": _object(step.after, whole=step.before is None),
    }


def _change(change: Change, at: str) -> dict[str, Any]:
    """Write a change; the side that does not have the field is left out."""
    sides = {"before": change.before, "after": change.after}
    said = {name: value for name, value in sides.items() if value is not ABSENT}
    return {"path": change.path, "at": at, **said}


def _object(resource: Resource | None, *, whole: bool) -> dict[str, Any] | None:
    if resource is None:
        return None
    spec = {"spec": dict(resource.spec)} if whole else {}
    return {"name": resource.key.name, "digest": resource.digest, "at": why((resource,)), **spec}


def _state(side: Side) -> State | None:
    session = side.session
    if session is None or session.repository is None or session.compiled.graph is None:
        return None
    return State(session.repository, session.compiled.graph)


def _notes(sides: Sides, left: Iterable[str]) -> Iterator[Note]:
    if sides.old.session is None:
        yield Note(f"{sides.old.title} has no repository yet: everything is new")
    if stale := sides.stale:
        here = sides.new.name if sides.new.commit else "HEAD"
        what = "a commit" if stale.count == 1 else f"{stale.count:,} commits"
        rest = stale.count - len(stale.newest)
        yield Note(
            f"stale base: {sides.old.name} has {what} that {here} does not have; what they changed appears "
            "below as being undone",
            (*stale.newest, *([f"… and {rest:,} more"] if rest else ())),
            f"merge {sides.old.name} first, or say --merge-base to compare from where both parted",
        )
    for name in left:
        yield Note(f"intentc.yaml does not name target {name} any more: what is there stays there")


def _untaken(count: int) -> Iterator[Note]:
    if count:
        goes = "goes" if count == 1 else "go"
        yield Note(f"{number(count, 'object')} {goes} to no target: see `targets` in intentc.yaml")


def _intents(session: Session | None) -> tuple[Intent, ...]:
    return session.repository.intents if session and session.repository else ()


def _facts(session: Session | None) -> tuple[Intent, ...]:
    return session.repository.facts if session and session.repository else ()


def _limits(session: Session) -> Limits:
    return limits_of(session.repository.spec) if session.repository else DEFAULT


def _edited(before: Iterable[Intent], now: Iterable[Intent]) -> Edited:
    """Return the fields that differ; of a document that one side does not have, all of it."""
    old, new = ({intent.subject: intent for intent in side} for side in (before, now))
    found: dict[str, tuple[str, ...]] = {}
    for subject in {**old, **new}:
        if subject not in old or subject not in new:
            found[subject] = ("",)
        elif old[subject].doc.data != new[subject].doc.data:
            changes = compare(old[subject].doc.data, new[subject].doc.data)
            found[subject] = tuple(change.path for change in changes)
    return found


def _project(session: Session) -> str:
    return session.repository.project.name if session.repository else ""


def _reach(session: Session | None) -> Reach:
    return reach(session.compiled.resolved) if session and session.compiled.resolved else Reach()


def _places(documents: Iterable[Intent]) -> dict[str, str]:
    return {intent.subject: str(intent.span()) for intent in documents}
