"""Actions of a plan as plain values, for JSON: to be saved, reviewed, hashed, and applied later.

What is read was perhaps written by somebody else: its types are checked here, once, and whatever does not
fit is a ValueError. Origins keep their places (file:line:col), so that a saved plan still names the lines of
intent when something fails; the documents themselves are not in it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from intent.model import Intent, Metadata, Origin
from intent.source import Document, FieldPath, Span
from reconciler.plan import Action
from renderers.changes import ABSENT, Change
from renderers.resource import Key, Resource
from renderers.rules import Impact, Level, Operation

Digest = Annotated[str, Field(max_length=64)]
Count = Annotated[int, Field(ge=0)]


class Place(NamedTuple):
    """A value in intent, with its document."""

    intent: Intent
    path: FieldPath


class Form(BaseModel):
    """A part of a file that is read: strict types, nothing unknown, and no values in messages."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)


class KeyForm(Form):
    """A key of an object."""

    family: str
    scope: str
    type: str
    name: str


class StateForm(Form):
    """An object as it was, or as it shall be."""

    digest: Digest
    subject: str
    needs: list[Annotated[list[str], Field(min_length=4, max_length=4)]]
    protected: bool
    spec: dict[str, Any]


class ImpactForm(Form):
    """What an action does to traffic."""

    level: Level
    reason: str


OriginForm = Annotated[tuple[str, str, Count], Field(strict=False)]  # JSON has lists only
"""A line of intent behind a field: the field, the rule, and the number of the value in the table."""


class ActionForm(Form):
    """One action."""

    target: str
    operation: Operation
    phase: Count
    key: KeyForm
    subject: str
    view: bool
    reason: str
    impact: ImpactForm
    changes: list[Any]
    before: StateForm | None
    after: StateForm | None
    origins: list[OriginForm]


_SIDES: Final[Mapping[Operation, tuple[bool, bool]]] = {
    "create": (False, True),
    "update": (True, True),
    "replace": (True, True),
    "delete": (True, False),
}
"""Whether an operation has a before, and an after."""


def write_action(action: Action, number: Callable[[Origin], int]) -> dict[str, Any]:
    """Return an action as plain values; `number` is that of an origin's value in the table of values."""
    changed = action.before is not None and action.after is not None
    return {
        "target": action.target,
        "operation": action.operation,
        "phase": action.phase,
        "key": action.key._asdict(),
        "subject": action.subject,
        "view": action.view,
        "reason": action.reason,
        "impact": action.impact._asdict(),
        # What is made or taken away stands there as a whole.
        "changes": [_change(change) for change in action.changes] if changed else [],
        "before": _state(action.before),
        "after": _state(action.after),
        "origins": [[origin.field, origin.rule, number(origin)] for origin in action.resource.origins],
    }


def read_action(form: ActionForm, places: Sequence[Place]) -> Action:
    """Return the action that was written; what contradicts itself is a ValueError."""
    key = Key(form.key.family, form.key.scope, form.key.type, form.key.name)
    if (form.before is not None, form.after is not None) != _SIDES[form.operation]:
        raise ValueError(f"{form.operation} of {key} does not say what it needs")
    if any(number >= len(places) for _, _, number in form.origins):
        raise ValueError(f"{key} names a line of intent that is not there")
    origins = tuple(
        Origin(field, places[number].intent, places[number].path, rule)
        for field, rule, number in form.origins
    )
    before = _resource(key, form.before, () if form.after else origins, view=form.view)
    after = _resource(key, form.after, origins, view=form.view)
    impact = Impact(form.impact.level, form.impact.reason)
    return Action(form.target, form.operation, form.phase, before, after, form.reason, impact)


def read_place(subject: str, path: FieldPath, at: str) -> Place:
    """Return a value of intent as its origins need it: of the document only its name and this one place."""
    kind, _, uid = subject.partition("/")
    span = _span(at)
    document = Document(span.file, None, array("i", (span.line - 1, span.column - 1)))
    return Place(Intent(kind, uid, _named(uid), None, document), path)


@lru_cache(maxsize=4096)
def _named(uid: str) -> Metadata:
    """Return metadata of a document; the values of one share it, since a plan may have 100,000 of them."""
    return Metadata.model_construct(name=uid)


def _change(change: Change) -> dict[str, Any]:
    """Write a change; the side that does not have the field is left out."""
    sides = {"before": change.before, "after": change.after}
    return {"path": change.path, **{side: value for side, value in sides.items() if value is not ABSENT}}


def _state(resource: Resource | None) -> dict[str, Any] | None:
    if resource is None:
        return None
    return {
        "digest": resource.digest,
        "subject": resource.subject,
        "needs": [list(need) for need in resource.needs],
        "protected": resource.protected,
        "spec": dict(resource.spec),
    }


def _resource(
    key: Key, form: StateForm | None, origins: tuple[Origin, ...], *, view: bool
) -> Resource | None:
    if form is None:
        return None
    needs = tuple(Key(*need) for need in form.needs)
    return Resource(key, form.spec, form.subject, needs, origins, view=view, protected=form.protected)


def _span(text: str) -> Span:
    file, *numbers = text.rsplit(":", 2)
    if len(numbers) == 2 and all(number.isdecimal() and len(number) < 9 for number in numbers):  # noqa: PLR2004 -- line and column
        return Span(file, int(numbers[0]), int(numbers[1]))
    return Span(text)
