"""A plan and what it is bound to: approved once, and then done exactly, or refused with what moved.

Bound are the objects (as observed and as desired), the targets that hold them, and the intent behind each
object: the value at every place that caused it, and the leases of its documents. So a commit that has nothing
to do with an object is no reason to refuse, and one that has is named with its line.

Invariant: `id` is the hash of all that the plan says. A file is what `write` makes of a plan, to the byte,
or it is refused; so nothing in it can contradict anything else in it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json

from compiler.facts import gather
from intent.diagnostics import Report
from intent.kinds import KINDS
from intent.model import Intent, Origin
from intent.repository import Repository
from intent.source import FieldPath, Span, dotted
from reconciler.codec import ActionForm, Count, Digest, Form, read_action, read_place, write_action
from reconciler.plan import Action, Plan, in_order
from reconciler.said import Value, digest_at, documents_of, leases_of, state
from renderers.changes import ABSENT, Change
from renderers.resource import canonical, digest, document_of
from renderers.rules import Operation

FORMAT: Final = "intentc-plan/1"
_AGAIN: Final = "make it anew with intentc plan"
_RESTS_ON: Final[Mapping[Operation, FieldPath]] = {"delete": (), "replace": ("metadata", "protect")}
"""What operations that take something away rest on in the document that it belongs to."""
_LONGEST: Final = 300
"""So much is said of what is wrong with a file."""
HEAD_BYTES: Final = 100
"""So many first bytes of a file tell whether it may be a plan."""
_HEAD: Final = re.compile(r"\s*\{\s*\"format\":\s*\"([^\"]*)\"")
_LINES: Final = frozenset({"intent", "actions"})
"""Parts of the file that have one line for each entry."""


class Revision(NamedTuple):
    """Where intent was read from: the commit (empty outside git), and whether the files differ from it."""

    commit: str = ""
    dirty: bool = False


@dataclass(frozen=True, slots=True)
class Bound:
    """A plan with what it was made from, and what was approved with it."""

    plan: Plan
    project: str
    revision: Revision
    facts: str
    """Digest of the facts."""
    approvals: Mapping[str, int]
    """How many objects of a type may be deleted."""
    values: Mapping[Value, Said] = field(repr=False)
    """Each value of intent that caused something, as it was when the plan was made."""
    leases: Mapping[str, str] = field(repr=False)
    """The id behind each lease (`OWNER POOL`) of the documents that caused something."""
    targets: Mapping[str, str] = field(repr=False)
    """Digest of what the project says of each target: where it is, and what it takes."""
    state: str = ""
    """Digest of all intent, facts and leases: while it is the same, nothing can have moved."""
    id: str = ""
    """Hash over all of it."""


class Said(NamedTuple):
    """A value of intent."""

    digest: str
    at: str
    """Where it stands: file:line:col."""


class Moved(NamedTuple):
    """Intent behind an action that is not any more what it was when the plan was made."""

    action: Action
    span: Span
    what: str


def bind(plan: Plan, repository: Repository, revision: Revision, approvals: Mapping[str, int]) -> Bound:
    """Bind a plan to the repository that it was made from."""
    documents = documents_of(repository)
    values: dict[Value, Said] = {}
    heads: set[str] = set()
    for action in plan.actions:
        for value, intent in _causes(action, documents).items():
            if value not in values:
                at = str(intent.doc.span(value[1])) if intent else ""
                values[value] = Said(digest_at(documents, value), at)
                heads.add(value[0])
        heads.add(action.resource.document)
    held = leases_of(repository)
    leases = {name: lease.value for name, lease in held.items() if document_of(lease.owner) in heads}
    facts = gather(repository.facts, Report()).digest
    approved = dict(sorted(approvals.items()))
    targets = _targets(repository, plan)
    name = repository.project.name
    bound = Bound(plan, name, revision, facts, approved, values, leases, targets, state(repository))
    return replace(bound, id=_hash(_content(bound)))


def other_targets(bound: Bound, repository: Repository) -> tuple[tuple[str, Span], ...]:
    """Return the targets that are another place now, or take something else, and where that is said."""
    now = _targets(repository, bound.plan)
    index = {target.name: number for number, target in enumerate(repository.spec.targets)}
    return tuple(
        (name, repository.project.doc.span(("spec", "targets", index[name])))
        for name, said in now.items()
        if said != bound.targets.get(name)
    )


def moved(bound: Bound, actions: Iterable[Action], repository: Repository) -> tuple[Moved, ...]:
    """Return what moved in intent behind some of the actions since the plan was made; views do not count."""
    documents = documents_of(repository)
    other = {value for value, said in bound.values.items() if said.digest != digest_at(documents, value)}
    held = leases_of(repository)
    changed: dict[str, list[tuple[Span, str]]] = {}
    for name, value in bound.leases.items():
        lease = held.get(name)
        if lease is None or lease.value != value:
            owner, _, pool = name.partition(" ")
            span = Span(repository.ledger.file, lease.line if lease else 0, 1 if lease else 0)
            what = f"{owner} held {value} of {pool}, and now {lease.value if lease else 'nothing'}"
            changed.setdefault(document_of(owner), []).append((span, what))
    if not (other or changed):
        return ()
    return tuple(
        Moved(action, *found)
        for action in actions
        if not action.view
        for found in _behind(action, other, documents, changed)
    )


def takes_away(action: Action) -> bool:
    """Say whether an action takes something away: an object, a field of it, or an entry of a list or text."""
    if action.view or action.before is None:
        return False
    return action.operation != "update" or any(map(_loses, action.changes))


def _loses(change: Change) -> bool:
    """Say whether a change may lose what stood there: only a number in a field of its own surely does not."""
    if change.before is ABSENT:
        return False
    listed = any(step.isdecimal() for step in change.path.split("."))
    return listed or change.after is ABSENT or not isinstance(change.before, int | float | None)


def _behind(
    action: Action,
    other: set[Value],
    documents: Mapping[str, Intent],
    leases: Mapping[str, list[tuple[Span, str]]],
) -> Iterator[tuple[Span, str]]:
    """Yield the places of what moved behind one action, and what it is."""
    causes = _causes(action, {})
    back = "" if action.after else "has come back, or "
    for value, before in causes.items():
        subject, path = value
        now = documents.get(subject)
        if value in other and now is not None:
            yield now.doc.span(path), f"{_name(value)} {back}is not what it was"
        elif value in other:
            yield before.doc.span(path) if before else Span(subject), f"{subject} is gone"
    for head in sorted({action.resource.document, *(subject for subject, _ in causes)} & leases.keys()):
        yield from leases[head]


def _name(value: Value) -> str:
    subject, path = value
    return f"{subject} {dotted(path)}".rstrip()


def _causes(action: Action, documents: Mapping[str, Intent]) -> dict[Value, Intent | None]:
    """Return the values of intent behind an action, with their documents.

    What shall go rests on the document that it belonged to; what is replaced, on not being protected by it.
    """
    places = dict.fromkeys((origin.intent, origin.path) for origin in action.resource.origins)
    found: dict[Value, Intent | None] = {(intent.subject, path): intent for intent, path in places}
    document = action.resource.document
    if action.operation in _RESTS_ON and document.partition("/")[0] in KINDS:
        found.setdefault((document, _RESTS_ON[action.operation]), documents.get(document))
    return found


def _targets(repository: Repository, plan: Plan) -> dict[str, str]:
    """Return a digest of what the project says of each target of a plan."""
    named = {action.target for action in plan.actions}
    said = {target.name: target for target in repository.spec.targets if target.name in named}
    return {
        name: digest(said[name].model_dump(mode="json", exclude_defaults=True))[:16] for name in sorted(said)
    }


class BoundForm(Form):
    """The file of a plan, but for its summary, which follows from the rest."""

    format: str
    id: Digest
    project: str
    commit: Digest
    dirty: bool
    facts: Digest
    state: Digest
    approvals: dict[str, Count]
    summary: dict[str, Any]
    leases: dict[str, str]
    targets: dict[str, Digest]
    intent: list[ValueForm]
    actions: Iterable[ActionForm]
    """Read one by one: together they take as much room as the plan."""


class ValueForm(Form):
    """One value of intent."""

    subject: str
    path: list[str | int]
    at: str
    digest: Digest


def recognise(head: bytes) -> None:
    """Look at the first bytes of a file; one that is no plan is a ValueError before all of it is read."""
    found = _HEAD.match(head.decode("utf-8", "replace"))
    if found is None:
        raise ValueError("this is no plan; make one with intentc plan --out FILE")
    if found[1] != FORMAT:
        said = repr(found[1])[:40]
        raise ValueError(f"this is no plan of the format {FORMAT} (found {said}); {_AGAIN}")


def as_json(bound: Bound) -> dict[str, Any]:
    """Return all of it as plain values; the parts of many lines are iterators, since they may be large."""
    return {"format": FORMAT, "id": bound.id, **_content(bound)}


def write(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield plain values as JSON, piece by piece: a line for each action and each value of intent."""
    before = "{"
    for name, part in data.items():
        yield f"{before}{_row(name)}: "
        yield from _joined(map(_row, part), "[\n", ",\n", "\n]") if name in _LINES else (_row(part),)
        before = ",\n"
    yield "}\n"


def read(raw: str) -> Bound:
    """Read a file that `write` made of a plan; any other byte is a ValueError that says what to do."""
    recognise(raw[:HEAD_BYTES].encode("utf-8", "replace"))
    try:
        data = from_json(raw)
    except ValueError as error:
        raise ValueError("this is no plan; make one with intentc plan --out FILE") from error
    try:
        bound = _read(data)
        genuine = _hash(_content(bound)) == bound.id and _says(raw, bound)
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(f"this plan is damaged{_where(error)}; {_AGAIN}") from error
    if not genuine:
        raise ValueError(f"this plan was changed by hand, or by accident; {_AGAIN}")
    return bound


def _says(raw: str, bound: Bound) -> bool:
    """Say whether a file is what is written of a plan, without writing all of it at once."""
    at = 0
    for piece in write(as_json(bound)):
        if not raw.startswith(piece, at):
            return False
        at += len(piece)
    return at == len(raw)


def _content(bound: Bound) -> dict[str, Any]:
    """Return what the id is the hash of; `_LINES` as iterators."""
    numbers = {value: number for number, value in enumerate(bound.values)}
    known: dict[tuple[Intent, FieldPath], int] = {}

    def number(origin: Origin) -> int:
        place = origin.intent, origin.path
        if place not in known:
            known[place] = numbers[origin.subject, origin.path]
        return known[place]

    plan = bound.plan
    return {
        "project": bound.project,
        "commit": bound.revision.commit,
        "dirty": bound.revision.dirty,
        "facts": bound.facts,
        "state": bound.state,
        "approvals": dict(bound.approvals),
        "summary": {
            **plan.counts,
            "impacts": plan.impacts,
            "views": plan.views,
            "unchanged": plan.unchanged,
        },
        "leases": dict(bound.leases),
        "targets": dict(bound.targets),
        "intent": (
            {"subject": subject, "path": list(path), "at": said.at, "digest": said.digest}
            for (subject, path), said in bound.values.items()
        ),
        "actions": (write_action(action, number) for action in plan.actions),
    }


def _read(data: dict[str, Any]) -> Bound:
    form = BoundForm.model_validate(data)
    values = {(value.subject, tuple(value.path)): Said(value.digest, value.at) for value in form.intent}
    places = [read_place(value.subject, tuple(value.path), value.at) for value in form.intent]
    actions = tuple(read_action(action, places) for action in form.actions)
    if len({action.id for action in actions}) < len(actions) or actions != in_order(actions):
        raise ValueError("its actions are not in order, or twice there")
    taking = [action for action in actions if action.operation in _RESTS_ON]
    if any(value not in values for action in taking for value in _causes(action, {})):
        raise ValueError("it does not say what its actions rest on")
    plan = Plan(actions, form.summary.get("unchanged", 0))
    revision = Revision(form.commit, form.dirty)
    bound_to = form.approvals, values, form.leases, form.targets
    return Bound(plan, form.project, revision, form.facts, *bound_to, form.state, form.id)


def _hash(content: Mapping[str, Any]) -> str:
    """Return the hash of what `canonical` makes of it, without holding that as a whole."""
    found = hashlib.sha256()
    before = "{"
    for name, part in sorted(content.items()):
        found.update(f"{before}{canonical(name)}:".encode())
        several = _joined(map(canonical, part), "[", ",", "]") if name in _LINES else (canonical(part),)
        for piece in several:
            found.update(piece.encode())
        before = ","
    found.update(b"}")
    return found.hexdigest()


def _joined(rows: Iterable[str], start: str, between: str, end: str) -> Iterator[str]:
    """Yield a list of rows; one without any is `[]`."""
    before = start
    for row in rows:
        yield f"{before}{row}"
        before = between
    yield "[]" if before == start else end


def _row(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


def _where(error: Exception) -> str:
    """Say what is not as it should be; words of a damaged file never reach a terminal as they are."""
    said = str(error) if type(error) is ValueError else ""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        # What is read one by one does not know the name of the part that it is in.
        place = first["loc"] if isinstance(first["loc"][0], str) else ("actions", *first["loc"])
        said = f"{'.'.join(map(str, place))}: {first['msg']}"
    said = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in said[:_LONGEST])
    return f" ({said})" if said else ""
