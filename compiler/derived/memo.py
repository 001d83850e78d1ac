"""Remember what was built from a noun: indexes over `Resolved` and `Allocated` that many scopes ask for.

They are kept in the noun itself and go with it. The nouns are frozen, so the answer cannot go stale; and a
comparison of two compiles may ask of one and the other by turns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar


class Noun(Protocol):
    """What keeps what was built from it."""

    @property
    def built(self) -> dict[Any, Any]:
        """What was built, by the function that did."""


Given = TypeVar("Given", bound=Noun)
Built = TypeVar("Built")


def remembered(build: Callable[[Given], Built]) -> Callable[[Given], Built]:
    """Return the function, which now builds once for each noun."""

    def ask(given: Given) -> Built:
        kept = given.built
        if build not in kept:
            kept[build] = build(given)
        made: Built = kept[build]
        return made

    ask.__doc__ = build.__doc__
    return ask
