"""Remember what was built from one value: indexes over `Resolved` and `Allocated` that many scopes ask for.

Only the last value is remembered, and it is told by identity: the nouns are frozen, so the answer cannot go
stale, and a second compile in the same process simply takes its place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Given = TypeVar("Given")
Built = TypeVar("Built")


def remembered(build: Callable[[Given], Built]) -> Callable[[Given], Built]:
    """Return the function, which now builds once for each new value."""
    last: list[tuple[Given, Built]] = []

    def ask(given: Given) -> Built:
        kept = last[0] if last else None
        if kept is None or kept[0] is not given:
            kept = (given, build(given))
            last[:] = [kept]
        return kept[1]

    ask.__doc__ = build.__doc__
    return ask
