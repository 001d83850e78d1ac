"""What differs in one object, as rows of plain text, each with the line of intent behind it.

Invariant: a row holds no character that moves a cursor, changes a colour or turns the direction of writing;
whatever stands in intent or was read from a target, it is shown and never obeyed.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from intent.diagnostics import Report
from intent.documents import parse
from intent.model import Origin
from intent.source import Source, dotted
from reconciler.manifest import emit
from reconciler.review import Step
from renderers.causes import foremost, meet
from renderers.changes import ABSENT, compare
from renderers.resource import Resource

_WIDTH: Final = 110
"""Longest value that is written out on one line."""

_JSON: Final = " (JSON)"
"""Behind the name of a field whose text is a JSON object."""

Edited = Mapping[str, tuple[str, ...]]
"""The fields that differ between the two sides of a diff, by the subject of their document."""
NOTHING: Final[Edited] = {}
Row = tuple[str, str, str]
"""Sign (+, - or space), text, and the place of intent behind it."""


def plain(text: str) -> str:
    """Return text with everything that is not printable as an escape, as Python and JSON write it."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def changes(step: Step, edited: Edited = NOTHING) -> Iterator[str]:
    """Yield what differs, with the line of intent behind each field; a new object says nothing more."""
    if step.before is None or step.after is None:
        return
    for path, old, new in _differences("", step.before.spec, step.after.spec):
        said = ""
        for row, at, gone in _placed(path, old, new):
            sides = (step.before, step.after) if gone else (step.after, step.before)
            place = why(sides, at, edited)
            yield f"{row}{'   ' + place if place not in ('', said) else ''}"
            said = place
    if step.before.spec == step.after.spec and step.word == "update":
        yield step.reason


def why(sides: Iterable[Resource | None], path: str = "", edited: Edited = NOTHING) -> str:
    """Return the line of intent behind a field of an object (as it shall be, as it was), best one edited.

    That an object is there at all is not said of what only decides on a field of it, unless that was edited.
    """
    there = [side for side in sides if side is not None]
    best = foremost(there, path, lambda origin: _edited(origin, edited))
    if best is None or (best.field and not path and not _edited(best, edited)):
        return ""
    return f"{best.span}{' (' + best.rule + ')' if best.rule else ''}"


def _changed(path: str, old: Any, new: Any) -> str:
    """Return the field in a list of which all that differs has the name; else the path of the list."""
    found = [change.path for change in compare(old, new, path)]
    names = {field.rpartition(".")[2] for field in found}
    return found[0] if len(names) == 1 else path


def _edited(origin: Origin, edited: Edited) -> int:
    """Say how surely an edit is behind an origin: 2 where its field was edited, 1 where a part of it was."""
    path = dotted(origin.path)
    changed = edited.get(origin.subject, ())
    if any(not other or f"{path}.".startswith(f"{other}.") for other in changed):
        return 2
    return int(any(meet(path, other) for other in changed))


def unified(step: Step, edited: Edited = NOTHING) -> Iterator[Row]:
    """Yield an object as a diff line by line; what is left out between changes is a row of dots."""
    old, new = _written(step.before), _written(step.after)
    before, after = ([text for text, _ in side] for side in (old, new))
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    last = 0
    for group in matcher.get_grouped_opcodes():
        if group[0][1] > last:
            yield " ", "…", ""
        last = group[-1][2]
        for tag, old_start, old_end, new_start, new_end in group:
            if tag != "equal":
                yield from (
                    ("-", text, why((step.before,), path, edited)) for text, path in old[old_start:old_end]
                )
            sign, because = (" ", NOTHING) if tag == "equal" else ("+", edited)
            yield from (
                (sign, text, why((step.after,), path, because)) for text, path in new[new_start:new_end]
            )
    if last and last < len(old):
        yield " ", "…", ""


def _written(resource: Resource | None) -> list[tuple[str, str]]:
    """Return the lines of an object, each with the field that it begins."""
    if resource is None:
        return []
    if resource.spec.keys() == {"text"}:
        return [(plain(line), "text") for line in str(resource.spec["text"]).removesuffix("\n").split("\n")]
    spec = _opened(resource.spec)
    try:
        text = emit(spec)
    except ValueError:  # what YAML cannot say
        text = json.dumps(spec, indent=2, sort_keys=True)
    paths = _paths(text)
    return [
        (plain(line), paths.get(number, ""))
        for number, line in enumerate(text.removesuffix("\n").split("\n"), 1)
    ]


def _paths(text: str) -> dict[int, str]:
    """Return the field that each line of a manifest begins, as a dotted path."""
    found: dict[int, str] = {}
    for document in parse(Source("", text), Report()):
        for path, span in document.places():
            found[span.line] = ".".join(str(step).removesuffix(_JSON) for step in path)
    return found


def _opened(value: Any) -> Any:
    """Return a value in which text that is a JSON object stands open, so that its fields can be compared."""
    if isinstance(value, Mapping):
        return {
            key if (inner := _json(child)) is None else f"{key}{_JSON}": _opened(
                child if inner is None else inner
            )
            for key, child in value.items()
        }
    return [_opened(item) for item in value] if isinstance(value, list) else value


def _json(value: Any) -> dict[str, Any] | None:
    """Return the JSON object that a text is, as Kubernetes and CNI like to nest it."""
    if not (isinstance(value, str) and value.startswith("{")):
        return None
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


def _differences(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the fields that differ; a list is one field, unless its items are too long to be read."""
    inside = _json(old), _json(new)
    old, new = inside if None not in inside and inside[0] != inside[1] else (old, new)
    steps = _steps(old, new)
    if steps is None:
        yield path, old, new
        return
    for step, before, after in steps:
        if before != after:
            yield from _differences(f"{path}.{step}" if path else step, before, after)


def _steps(old: Any, new: Any) -> list[tuple[str, Any, Any]] | None:
    """Return the parts of two values by name or number; None where they are compared as a whole."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = sorted({*old, *new})
        return [(name, old.get(name, ABSENT), new.get(name, ABSENT)) for name in names]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = [(before, after) for before, after in zip(old, new, strict=True) if before != after]
        if any(len(_written_out(item)) > _WIDTH for pair in pairs for item in pair):
            return [(str(at), *pair) for at, pair in enumerate(zip(old, new, strict=True))]
    return None


def _placed(path: str, old: Any, new: Any) -> Iterator[tuple[str, str, bool]]:
    """Yield rows with the field that each is about, and whether that is one of before.

    An item that left a list is looked up where it stood: its number means another item by now.
    """
    if isinstance(old, list) and isinstance(new, list) and len(old) != len(new):
        for sign, items, others in (("-", old, new), ("+", new, old)):
            for at, item in _beyond(items, others):
                yield f"{path}: {sign} {_value(item)}", f"{path}.{at}", sign == "-"
        return
    for row in _rows(path, old, new):
        yield row, _changed(path, old, new), False


def _beyond(items: list[Any], others: list[Any]) -> Iterator[tuple[int, Any]]:
    """Yield the items that another list does not have, or not as often, with their numbers."""
    left = list(others)
    for at, item in enumerate(items):
        if item in left:
            left.remove(item)
        else:
            yield at, item


def _rows(path: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, list) and isinstance(new, list):
        gone, come = list(_beyond(old, new)), list(_beyond(new, old))
        yield from (f"{path}: - {_value(item)}" for _, item in gone)
        yield from (f"{path}: + {_value(item)}" for _, item in come)
        if not (gone or come):
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
    """Write a value on one line, cut where it is too long."""
    text = _written_out(value)
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def _written_out(value: Any) -> str:
    """Write a value as YAML would in flow form."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_written_out(item)}" for name, item in sorted(value.items())) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written_out, value)) + "]"
    return value if isinstance(value, str) else json.dumps(value)
