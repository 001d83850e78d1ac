"""Words for tooltips: what a thing is, where it was said, and what has no room in its box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from intent.model import Intent
from intent.source import FieldPath

LISTED: Final = 12
"""Names that a tooltip gives before it only counts."""
_MILLISECOND: Final = 1000


def place(intent: Intent, path: FieldPath = ()) -> str:
    """Return where something was said, as file:line."""
    span = intent.span(*path)
    return f"{span.file}:{span.line}"


def words(*lines: str | None) -> str:
    """Join the lines of a tooltip, without those that say nothing."""
    return "\n".join(line for line in lines if line)


def listed(names: Sequence[str]) -> str:
    """Write names, the first of them where they are many."""
    more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def count(many: int, what: str) -> str:
    """Write how many there are of something whose plural ends in s."""
    return f"{many:,} {what}{'' if many == 1 else 's'}"


def latency(microseconds: int) -> str:
    """Write a latency as people do."""
    if microseconds >= _MILLISECOND:
        return f"{microseconds / _MILLISECOND:g} ms"
    return f"{microseconds} µs"


def ways(there: int, back: int) -> str:
    """Write a metric: once where both directions are equal."""
    return str(there) if there == back else f"{there}/{back}"
