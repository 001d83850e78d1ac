"""What differs between two plain values, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final


class Absent(Enum):
    """The value of a field that is not there, which is not the same as null."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT

_PARTED: Final = (Mapping, list)
"""Values that have parts."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs; `ABSENT` stands on the side that does not have it."""

    path: str
    """Dotted path in the spec, with list indexes; empty for the spec as a whole."""
    before: Any
    after: Any


def compare(before: Any, after: Any, path: str = "") -> Iterator[Change]:
    """Yield the fields in which two plain values differ."""
    if before == after:
        return
    old, new = _parts(before, after), _parts(after, before)
    if old is None or new is None or not (old or new):
        yield Change(path, before, after)
        return
    for step in sorted({**old, **new}, key=lambda step: (isinstance(step, str), step)):
        below = f"{path}.{step}" if path else str(step)
        yield from compare(old.get(step, ABSENT), new.get(step, ABSENT), below)


def touches(change: Change, field: str) -> bool:
    """Say whether a change lies in a field, or turns what may hold the field into something else."""
    inside = f"{change.path}.".startswith(f"{field}.")
    around = field.startswith(f"{change.path}.")
    return inside or (around and any(isinstance(side, _PARTED) for side in (change.before, change.after)))


def value(spec: Any, path: str) -> Any:
    """Return what stands at a dotted path of a spec, or `ABSENT`."""
    for step in path.split("."):
        if not isinstance(spec, Mapping) or step not in spec:
            return ABSENT
        spec = spec[step]
    return spec


def _parts(value: Any, other: Any) -> dict[Any, Any] | None:
    """Return the parts of a value by step; what is absent beside something with parts has none."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list):
        return dict(enumerate(value))
    return {} if value is ABSENT and isinstance(other, _PARTED) else None
