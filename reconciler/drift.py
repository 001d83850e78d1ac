"""Drift in the words of intent: what was removed, added or changed behind our back, and what declares it.

It is read from a plan that leads from what a target shows to what was applied to it last. A commit that is
still to be applied is no drift, so such a plan must never be made from a newer one.

Invariant: pure; views are not looked at, since they are other forms of the same objects.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from reconciler.plan import Action, Plan
from renderers.causes import foremost
from renderers.changes import ABSENT, Change
from renderers.resource import Key
from renderers.rules import Operation

Kind = Literal["missing", "dangling", "misconfigured"]

_KINDS: Final[dict[Operation, Kind]] = {
    "create": "missing",
    "delete": "dangling",
    "update": "misconfigured",
    "replace": "misconfigured",
}
_WORDS: Final[dict[Kind, str]] = {"missing": "removed", "dangling": "added", "misconfigured": "changed"}
_WIDTH: Final = 60


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object that is not as it was applied."""

    path: str
    what: str
    """What it is now, and what it should be."""
    place: str
    """The line of intent behind it; empty where none is known."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One object of a target that is not as it was applied."""

    kind: Kind
    target: str
    key: Key
    subject: str
    """What it is about, in words of intent: Kind/uid and a path."""
    fields: tuple[Field, ...]
    """What differs, of an object that is misconfigured."""
    place: str
    """The line of intent that declares it; empty for what nothing declares."""

    def __str__(self) -> str:
        """Say it on one line."""
        what = f"{self.key.family} {self.key.type} {self.key.name} of {self.key.scope}"
        about = f" ({self.subject})" if self.subject else ""
        line = f"{_WORDS[self.kind]}: {what}{about} on target {self.target}"
        if self.kind == "dangling":
            return f"{line}, which nothing declares"
        details = "; ".join(
            f"{field.path} {field.what}{f' at {field.place}' if field.place else ''}" for field in self.fields
        )
        if details:
            return f"{line}: {details}"
        return f"{line}, declared at {self.place}" if self.place else line


def drift(plan: Plan, unread: Container[str] = ()) -> tuple[Drift, ...]:
    """Return what a plan would put right, in the order of targets and objects.

    What was not seen on a target that could not be read completely (`unread`) may well be there.
    """
    found = (
        action
        for action in plan.actions
        if not action.view and not (action.before is None and action.target in unread)
    )
    return tuple(_drift(action) for action in sorted(found, key=lambda action: action.id))


def as_json(entry: Drift) -> dict[str, Any]:
    """Return one object that drifted as plain values."""
    return {
        "kind": entry.kind,
        "target": entry.target,
        "object": entry.key._asdict(),
        "subject": entry.subject or None,
        "place": entry.place or None,
        "fields": [
            {"path": field.path, "what": field.what, "place": field.place or None} for field in entry.fields
        ],
        "text": str(entry),
    }


def _drift(action: Action) -> Drift:
    kind = _KINDS[action.operation]
    fields = tuple(_fields(action)) if kind == "misconfigured" else ()
    return Drift(kind, action.target, action.key, action.subject, fields, _place(action))


def _fields(action: Action) -> Iterator[Field]:
    for change in action.changes:
        yield Field(change.path, _what(change), _place(action, change.path))


def _place(action: Action, path: str = "") -> str:
    """Return the line that declares an object, or a field of it."""
    origin = foremost([action.after], path) if action.after is not None else None
    return str(origin.span) if origin else ""


def _what(change: Change) -> str:
    """Say what a field is, and what was declared; long values are not repeated."""
    is_now, declared = _value(change.before), _value(change.after)
    if not (is_now and declared):
        return "is not as declared"
    if change.after is ABSENT:
        return f"is {is_now}, and nothing declares it"
    return f"is {is_now}, declared as {declared}"


def _value(value: Any) -> str:
    if value is ABSENT:
        return "absent"
    text = value if isinstance(value, str) else json.dumps(value)
    if isinstance(value, dict | list) or len(text) > _WIDTH or not text.isprintable():
        return ""
    return text or "empty"
