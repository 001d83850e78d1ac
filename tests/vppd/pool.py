"""VPP's pool: slots by index, of which the one freed last is taken first.

A freed slot keeps what lay in it until it is taken again, and VPP reads it through an index that somebody
kept: that is how steering comes to name a policy that is gone, and a SID another table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Generic, TypeVar

T = TypeVar("T")

NONE: Final = 0xFFFFFFFF
"""An index that stands for nothing."""


class Segfault(Exception):  # noqa: N818 -- the name of what happens to VPP
    """VPP has read where nothing is, and dies."""


class Pool(Generic[T]):
    """Objects by index."""

    def __init__(self) -> None:
        self._slots: list[T] = []
        self._free: list[int] = []
        self._used: set[int] = set()

    def put(self, item: T) -> int:
        """Keep an object, and return its index."""
        if self._free:
            index = self._free.pop()
            self._slots[index] = item
        else:
            index = len(self._slots)
            self._slots.append(item)
        self._used.add(index)
        return index

    def stale(self) -> T | None:
        """Return what lies in the slot that is taken next."""
        return self._slots[self._free[-1]] if self._free else None

    def free(self, index: int) -> None:
        """Let a slot be taken again."""
        self._used.remove(index)
        self._free.append(index)

    def holds(self, index: int) -> bool:
        """Say whether a slot is in use."""
        return index in self._used

    def read(self, index: int) -> T:
        """Return what lies in a slot, in use or not; beyond the last one VPP dies."""
        if index >= len(self._slots):
            raise Segfault
        return self._slots[index]

    def items(self) -> Iterator[tuple[int, T]]:
        """Yield what is in use, by index."""
        return ((index, self._slots[index]) for index in sorted(self._used))

    def values(self) -> Iterator[T]:
        """Yield what is in use."""
        return (item for _, item in self.items())

    def __len__(self) -> int:
        return len(self._used)
