"""A plan for people: what is destroyed first, then document by document what changes, and why.

Lines carry their colour as a word (`Line.style`), so that the same text serves terminals, files and tests.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from intent.model import Origin
from reconciler.plan import ABSENT, Action, Change, Operation, Plan
from renderers.resource import Resource

SIGNS: Final[dict[Operation, str]] = {"create": "+", "update": "~", "replace": "±", "delete": "-"}
STYLES: Final[dict[Operation, str]] = {"create": "green", "update": "yellow", "replace": "magenta", "delete": "red"}
_FEW: Final = 3
_GROUPS: Final = 40
_DESTROYED: Final = 60
_WIDTH: Final = 100


@dataclass(frozen=True, slots=True)
class Line:
    """One line of output and its colour."""

    text: str = ""
    style: str = ""


def summary(plan: Plan) -> str:
    """Return the counts on one line."""
    words = {"create": "to create", "update": "to change", "replace": "to replace", "delete": "to delete"}
    counts = [f"{plan.counts[operation]:,} {word}" for operation, word in words.items() if plan.counts[operation]]
    parts = [", ".join(counts) or "nothing to change", f"{plan.unchanged:,} unchanged"]
    if plan.views:
        parts.append(f"{plan.views:,} views to write")
    return "; ".join(parts)


def lines(plan: Plan, *, full: bool = False) -> Iterator[Line]:
    """Yield the text of a plan; `full` leaves nothing out."""
    real = [action for action in plan.actions if not action.view]
    if real:
        yield from _destroyed([action for action in real if action.operation in ("delete", "replace")], full=full)
        yield from _documents([action for action in real if action.operation != "delete"], full=full)
    views = [action for action in plan.actions if action.view]
    if full and views:
        yield Line("views (other forms of the same, for people)", "bold")
        yield from (Line(f"  {SIGNS[view.operation]} {_name(view.resource)}", STYLES[view.operation]) for view in views)
        yield Line()


def _destroyed(actions: list[Action], *, full: bool) -> Iterator[Line]:
    if not actions:
        return
    yield Line("destroyed", "bold")
    shown = actions if full else actions[:_DESTROYED]
    for action in shown:
        word = "replace" if action.operation == "replace" else "delete"
        yield Line(f"  {SIGNS[action.operation]} {word:7} {_name(action.resource)}   {action.subject}: {action.reason}", STYLES[action.operation])
    yield from _rest(len(actions) - len(shown), "objects")
    yield Line()


def _documents(actions: list[Action], *, full: bool) -> Iterator[Line]:
    groups = [(name, list(group)) for name, group in groupby(sorted(actions, key=_document), key=_document)]
    # What changes says more than what is new, so it must not drown in it.
    groups.sort(key=lambda entry: (all(action.operation == "create" for action in entry[1]), entry[0]))
    shown = groups if full else groups[:_GROUPS]
    for name, group in shown:
        place = _place(group)
        yield Line(f"{name}{'   ' + place if place else ''}", "bold")
        for action in group:
            if action.operation != "create" or full:
                yield Line(f"  {SIGNS[action.operation]} {_name(action.resource)}", STYLES[action.operation])
                if action.operation != "create":
                    yield from _changes(action)
        if not full:
            yield from _created([action for action in group if action.operation == "create"])
        yield Line()
    yield from _rest(len(groups) - len(shown), "documents")


def _created(actions: list[Action]) -> Iterator[Line]:
    """Say what is new, a few by name, many by number."""
    def kind(action: Action) -> tuple[str, str]:
        return action.key.family, action.key.type

    for (family, name), group in groupby(sorted(actions, key=lambda action: (kind(action), action.key)), key=kind):
        keys = [action.key for action in group]
        scopes = sorted({key.scope for key in keys})
        where = scopes[0] if len(scopes) == 1 else f"{len(scopes)} scopes"
        what = ", ".join(key.name for key in keys) if len(keys) <= _FEW and len(scopes) == 1 else f"× {len(keys):,}"
        yield Line(f"  + {family:10} {where:24} {name} {what}", STYLES["create"])


def _changes(action: Action) -> Iterator[Line]:
    for change in action.changes:
        place = _why(action.after, change.path)
        if isinstance(change.before, str) and isinstance(change.after, str) and "\n" in change.before + change.after:
            yield Line(f"      {change.path}:")
            diff = difflib.unified_diff(change.before.splitlines(), change.after.splitlines(), lineterm="", n=1)
            yield from (Line(f"        {row}", "green" if row[0] == "+" else "red" if row[0] == "-" else "") for row in list(diff)[2:])
        else:
            yield Line(f"      {change.path}: {_change(change)}{'   ' + place if place else ''}")


def _change(change: Change) -> str:
    if change.before is ABSENT:
        return f"+ {_value(change.after)}"
    if change.after is ABSENT:
        return f"- {_value(change.before)}"
    return f"{_value(change.before)} → {_value(change.after)}"


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def _name(resource: Resource) -> str:
    key = resource.key
    return f"{key.family:10} {key.scope:24} {key.type} {key.name}"


def _document(action: Action) -> str:
    """Return the document that an action belongs to: kind and uid at the head of its subject."""
    return "/".join(action.subject.split("/")[:2]) or "(unknown)"


def _place(actions: Iterable[Action]) -> str:
    """Return where the document of a group was written."""
    for action in actions:
        for origin in action.resource.origins:
            if origin.intent.subject == _document(action):
                return str(origin.intent.span())
    return ""


def _why(resource: Resource | None, path: str) -> str:
    """Return the line of intent behind one field: that of the longest field that holds it."""
    best: Origin | None = None
    for origin in resource.origins if resource else ():
        holds = not origin.field or path == origin.field or path.startswith(f"{origin.field}.")
        if holds and (best is None or len(origin.field) > len(best.field)):
            best = origin
    return f"{best.span}{' (' + best.rule + ')' if best.rule else ''}" if best else ""


def _rest(number: int, what: str) -> Iterator[Line]:
    if number > 0:
        yield Line(f"… and {number:,} more {what} (--full shows all)", "dim")


def incomplete(targets: Mapping[str, str]) -> Iterator[Line]:
    """Warn of targets that were not read completely."""
    for name, why in targets.items():
        yield Line(f"target {name} was not read completely, so nothing is deleted there: {why}", "red")
