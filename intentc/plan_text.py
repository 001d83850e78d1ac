"""A plan for people: what is destroyed first, then document by document what changes, and why.

Lines carry their colour as a word (`Line.style`), so that the same text serves terminals, files and tests.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from intent.model import Origin
from reconciler.plan import Action, Plan
from renderers.changes import ABSENT
from renderers.resource import Resource
from renderers.rules import Operation

SIGNS: Final[dict[Operation, str]] = {"create": "+", "update": "~", "replace": "±", "delete": "-"}
WORDS: Final[dict[Operation, str]] = {
    "create": "to create",
    "update": "to change",
    "replace": "to replace",
    "delete": "to delete",
}
STYLES: Final[dict[Operation, str]] = {
    "create": "green",
    "update": "yellow",
    "replace": "magenta",
    "delete": "red",
}
_FEW: Final = 3
_GROUPS: Final = 40
_DESTROYED: Final = 60
_WIDTH: Final = 110


@dataclass(frozen=True, slots=True)
class Line:
    """One line of output and its colour."""

    text: str = ""
    style: str = ""


def summary(plan: Plan) -> str:
    """Return the counts on one line."""
    counts = [f"{plan.counts[name]:,} {word}" for name, word in WORDS.items() if plan.counts[name]]
    parts = [", ".join(counts) or "nothing to change", f"{plan.unchanged:,} unchanged"]
    if plan.views:
        parts.append(f"{number(plan.views, 'view')} to write")
    return "; ".join(parts)


def number(count: int, noun: str) -> str:
    """Write a count and its noun: 1 view, 2,000 views."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def lines(plan: Plan, *, full: bool = False, places: Mapping[str, str] | None = None) -> Iterator[Line]:
    """Yield the text of a plan; `full` leaves nothing out, `places` says where each document stands."""
    real = [action for action in plan.actions if not action.view]
    if real:
        yield from _destroyed(
            [action for action in real if action.operation in ("delete", "replace")], full=full
        )
        kept = [action for action in real if action.operation != "delete"]
        yield from _documents(kept, places or {}, full=full)
    views = [action for action in plan.actions if action.view]
    if full and views:
        yield Line("views (other forms of the same, for people)", "bold")
        yield from (
            Line(f"  {SIGNS[view.operation]} {_name([view])}", STYLES[view.operation]) for view in views
        )
        yield Line()


def _destroyed(actions: list[Action], *, full: bool) -> Iterator[Line]:
    if not actions:
        return
    yield Line("destroyed", "bold")
    alike = _alike(actions, lambda action: (f"{action.subject}: {action.reason}",))
    shown = alike if full else alike[:_DESTROYED]
    for group, (why,) in shown:
        word = "replace" if group[0].operation == "replace" else "delete"
        yield Line(
            f"  {SIGNS[group[0].operation]} {word:7} {_name(group)}   {why}", STYLES[group[0].operation]
        )
    yield from _rest(len(alike) - len(shown), "kinds of objects")
    yield Line()


def _documents(actions: list[Action], places: Mapping[str, str], *, full: bool) -> Iterator[Line]:
    groups = [(name, list(group)) for name, group in groupby(sorted(actions, key=_document), key=_document)]
    # What changes says more than what is new, so it must not drown in it.
    groups.sort(key=lambda entry: (all(action.operation == "create" for action in entry[1]), entry[0]))
    shown = groups if full else groups[:_GROUPS]
    for name, group in shown:
        place = places.get(name, "")
        yield Line(f"{name}{'   ' + place if place else ''}", "bold")
        for alike, body in _alike(
            [action for action in group if full or action.operation != "create"], _changes
        ):
            operation = alike[0].operation
            yield Line(f"  {SIGNS[operation]} {_name(alike)}", STYLES[operation])
            yield from (Line(f"      {row}") for row in body)
        if not full:
            yield from _created([action for action in group if action.operation == "create"])
        yield Line()
    yield from _rest(len(groups) - len(shown), "documents")


def _created(actions: list[Action]) -> Iterator[Line]:
    """Say what is new, a few by name, many by number."""

    def kind(action: Action) -> tuple[str, str]:
        return action.key.family, action.key.type

    for (family, name), group in groupby(
        sorted(actions, key=lambda action: (kind(action), action.key)), key=kind
    ):
        keys = [action.key for action in group]
        scopes = sorted({key.scope for key in keys})
        where = scopes[0] if len(scopes) == 1 else f"{len(scopes)} scopes"
        what = (
            ", ".join(key.name for key in keys)
            if len(keys) <= _FEW and len(scopes) == 1
            else f"× {len(keys):,}"
        )
        yield Line(f"  + {family:10} {where:24} {name} {what}", STYLES["create"])


def _alike(
    actions: Iterable[Action], body: Callable[[Action], Iterable[str]]
) -> list[tuple[list[Action], tuple[str, ...]]]:
    """Put together what happens alike to objects of one name in several scopes, with what to say of it."""
    groups: dict[tuple[Any, ...], list[Action]] = {}
    for action in actions:
        key = action.key
        groups.setdefault((action.operation, key.family, key.type, key.name, tuple(body(action))), []).append(
            action
        )
    return [(group, place[-1]) for place, group in groups.items()]


def _changes(action: Action) -> Iterator[str]:
    """Yield what differs, each with the line of intent behind it; a new object says nothing more."""
    if action.before is None or action.after is None:
        return
    for path, old, new in _differences("", action.before.spec, action.after.spec):
        place = _why(action.after, path)
        for row in _rows(path, old, new):
            yield f"{row}{'   ' + place if place else ''}"
            place = ""


def _differences(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the fields that differ; a list is one field, since its items have no names."""
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        yield path, old, new
        return
    for name in sorted({*old, *new}):
        before, after = old.get(name, ABSENT), new.get(name, ABSENT)
        if before != after:
            yield from _differences(f"{path}.{name}" if path else name, before, after)


def _rows(path: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, list) and isinstance(new, list):
        before, after = [_value(item) for item in old], [_value(item) for item in new]
        yield from (f"{path}: - {text}" for text in before if text not in after)
        yield from (f"{path}: + {text}" for text in after if text not in before)
        if sorted(before) == sorted(after):
            yield f"{path}: another order"
    elif isinstance(old, str) and isinstance(new, str) and "\n" in old + new:
        yield f"{path}:"
        yield from (
            "  " + row
            for row in list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=1))[2:]
        )
    elif old is ABSENT:
        yield f"{path}: + {_value(new)}"
    elif new is ABSENT:
        yield f"{path}: - {_value(old)}"
    else:
        yield f"{path}: {_value(old)} → {_value(new)}"


def _value(value: Any) -> str:
    """Write a value on one line, as YAML would in flow form."""
    if isinstance(value, Mapping):
        text = "{" + ", ".join(f"{name}: {_value(item)}" for name, item in sorted(value.items())) + "}"
    elif isinstance(value, list):
        text = "[" + ", ".join(map(_value, value)) + "]"
    else:
        text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def _name(actions: list[Action]) -> str:
    """Name objects that are alike: family, where, type, name."""
    key = actions[0].key
    where = key.scope if len(actions) == 1 else f"{len(actions)} × {key.scope.partition('/')[0]}"
    return f"{key.family:10} {where:24} {key.type} {key.name}"


def _document(action: Action) -> str:
    """Return the document that an action belongs to: kind and uid at the head of its subject."""
    return "/".join(action.subject.split("/")[:2]) or "(unknown)"


def _why(resource: Resource, path: str) -> str:
    """Return the line of intent behind a field: of the closest field around it, the own document first."""
    own = "/".join(resource.subject.split("/")[:2])

    def rank(origin: Origin) -> tuple[int, bool]:
        return min(len(origin.field), len(path)), origin.intent.subject == own

    near = [origin for origin in resource.origins if _meet(origin.field, path)]
    if not near:
        return ""
    best = max(near, key=rank)
    return f"{best.span}{' (' + best.rule + ')' if best.rule else ''}"


def _meet(field: str, path: str) -> bool:
    """Say whether one of two fields holds the other."""
    return not field or f"{path}.".startswith(f"{field}.") or field.startswith(f"{path}.")


def _rest(count: int, what: str) -> Iterator[Line]:
    if count > 0:
        yield Line(f"… and {count:,} more {what} (--full shows all)", "dim")


def incomplete(targets: Mapping[str, str]) -> Iterator[Line]:
    """Warn of targets that were not read completely."""
    for name, why in targets.items():
        yield Line(f"target {name} was not read completely, so nothing is deleted there: {why}", "red")
        yield Line("  hint: repair or remove what cannot be read, and plan again")
