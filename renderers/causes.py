"""Why a rendered thing is as it is, and what a line of intent causes: origins read in both directions.

Forward, a field of an object leads to the origins of the closest field around it. Lines of text have no
fields, so a line is explained by trying: an element without which the line would not be there caused it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final

from compiler.graph import Element, Scope
from intent.model import Origin
from intent.source import Document, FieldPath
from renderers.resource import Key, Resource

_WORD: Final = re.compile(r"[\w.:/-]+")

_PART: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+")
"""One word of the name of a field: `nextHop` and `next_hop` have the same two."""

_LINES: Final = 3
"""So many lines are named where an object as a whole is explained."""

Render = Callable[[Scope, tuple[Element, ...]], Iterable[Resource]]


@dataclass(frozen=True, slots=True)
class Trace:
    """One object, and those of its origins that were asked for."""

    resource: Resource
    origins: Sequence[Origin]


def behind(resource: Resource, path: str = "") -> Sequence[Origin]:
    """Return the origins of a field (dotted path), of what lies in it, or of the closest field around it.

    A field that no origin speaks of is there because the object is.
    """
    if not path:
        return resource.origins
    closest = max((_nearness(origin.field, path) for origin in resource.origins), default=0)
    return tuple(origin for origin in resource.origins if _nearness(origin.field, path) == closest)


def foremost(
    sides: Iterable[Resource], path: str = "", weigh: Callable[[Origin], int] = lambda _: 0
) -> Origin | None:
    """Return the origin of a field to name where there is room for one; None where no origin speaks of it.

    Of all sides (an object as it shall be, and as it was): one that weighs anything, else one that does not;
    of these the closest to the field; then the one that weighs most; then the one whose own name stands in
    that of the field (`mtu` for `l3_mtu`), or, where all was asked for, that speaks of the whole object; then
    one of the object's own document; then the first.
    """
    words = frozenset(_parts(path))

    def rank(found: tuple[Resource, Origin]) -> tuple[bool, int, int, float, bool]:
        resource, origin = found
        near, weight = _nearness(origin.field, path), weigh(origin)
        like = _likeness(origin, words) if path else float(not origin.field)
        return weight > 0, near, weight, like, origin.subject == resource.document

    found = [(side, origin) for side in sides for origin in side.origins if meet(origin.field, path)]
    return max(found, key=rank)[1] if found else None


def lines_of(resource: Resource) -> list[str]:
    """Return some lines of intent behind an object, its own document first."""
    origins = sorted(resource.origins, key=lambda origin: (origin.subject != resource.document, origin.span))
    return list(dict.fromkeys(str(origin.span) for origin in origins))[:_LINES]


def meet(field: str, path: str) -> bool:
    """Say whether one of two fields holds the other, or is it."""
    return not field or not path or _within(path, field) or _within(field, path)


def written_at(document: Document, line: int) -> tuple[FieldPath, ...]:
    """Return the fields that a line (counted from 1) of a document says, or the field that it continues."""
    last: FieldPath = ()
    found: list[FieldPath] = []
    for path, span in document.places():
        if span.line == line:
            found.append(path)
        elif span.line < line:
            last = path
    # What is said below a field on the same line says no more than the field.
    return tuple(path for path in found if path and not _any_prefix(path, found)) or (last,)


def caused(
    resources: Iterable[Resource], document: Document, paths: Sequence[FieldPath]
) -> Iterator[tuple[Trace, bool]]:
    """Yield what paths in a document cause; True where only something around them is named."""
    for resource in resources:
        origins, around = naming(resource.origins, document, paths)
        if origins:
            yield Trace(resource, origins), around


def naming(
    origins: Iterable[Origin], document: Document, paths: Sequence[FieldPath]
) -> tuple[tuple[Origin, ...], bool]:
    """Return the origins that name a path in a document; True where only something around it is named."""
    own = [origin for origin in origins if origin.intent.doc is document]
    exact = tuple(origin for origin in own if any(origin.path[: len(path)] == path for path in paths))
    if exact:
        return exact, False
    return tuple(o for o in own if any(path[: len(o.path)] == o.path for path in paths)), True


def caused_by_line(
    scope: Scope, elements: tuple[Element, ...], render: Render, key: Key, line: str
) -> tuple[Element, ...]:
    """Return the elements of a scope without which a line of a text would not be there.

    By halves: a half that the line can do without holds none of them. Where nothing can be rendered without
    an element (the switch; a policy that traffic is steered to), it counts only if nothing else does, and if
    no other such element says more of the line. Two that are each enough for the line are both left out.
    """

    def without(start: int, end: int) -> str | None:
        kept = elements[:start] + elements[end:]
        try:
            return next((found.spec["text"] for found in render(scope, kept) if found.key == key), None)
        except (LookupError, ValueError, TypeError, AttributeError, StopIteration):
            return None  # nothing can be rendered without them

    def search(start: int, end: int) -> Iterator[tuple[Element, bool]]:
        text = without(start, end)
        if text is not None and line in text.split("\n"):
            return
        if end - start == 1:
            yield elements[start], text is None
            return
        middle = (start + end) // 2
        yield from search(start, middle)
        yield from search(middle, end)

    if line not in (without(0, 0) or "").split("\n"):
        return ()
    found = list(search(0, len(elements)))
    parts = tuple(element for element, whole in found if not whole)
    words = frozenset(_WORD.findall(line))
    most = max((len(_said(element) & words) for element, _ in found), default=0)
    return parts or tuple(element for element, _ in found if most and len(_said(element) & words) == most)


def speaking(element: Element, line: str) -> Sequence[Origin]:
    """Return the origins of those fields of an element whose value stands in a line; all, where none does."""
    words = frozenset(_WORD.findall(line))
    said = [
        origin
        for origin in element.origins
        if origin.field and not words.isdisjoint(_texts(_value(element, origin.field)))
    ]
    return tuple(said) or element.origins


def _said(element: Element) -> frozenset[str]:
    names = [field.name for field in fields(element) if field.name not in ("subject", "origins")]
    return frozenset(text for name in names for text in _texts(getattr(element, name)))


def _value(element: Element, field: str) -> Any:
    value: Any = element
    for step in field.split("."):
        if isinstance(value, tuple | list):
            value = value[int(step)] if step.isdecimal() and int(step) < len(value) else None
        else:
            value = getattr(value, step, None)
    return value


def _texts(value: Any) -> Iterator[str]:
    """Yield every value that lies in a value, as it would be written; flags have words of their own."""
    if isinstance(value, tuple | list | frozenset):
        for item in value:
            yield from _texts(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _texts(getattr(value, field.name))
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _nearness(field: str, path: str) -> int:
    """Say how close what a field says is to another: -1 where it says nothing of it."""
    return min(len(field), len(path)) if meet(field, path) else -1


def _parts(name: str) -> list[str]:
    return [part.lower() for part in _PART.findall(name)]


def _likeness(origin: Origin, words: frozenset[str]) -> float:
    """Return the share of the words of a field of intent that stand in the name of a rendered field."""
    own = _parts(next((step for step in reversed(origin.path) if isinstance(step, str)), ""))
    return sum(part in words for part in own) / len(own) if own else 0


def _within(path: str, field: str) -> bool:
    return f"{path}.".startswith(f"{field}.")


def _any_prefix(path: FieldPath, others: Iterable[FieldPath]) -> bool:
    return any(other != path and other and path[: len(other)] == other for other in others)
