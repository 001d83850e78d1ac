"""Prefixes of one address space, found by overlap.

Prefixes of one length are equal or apart, so their text decides. Where lengths differ, the longer one is cut
to the shorter; only then anything is parsed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Final, Generic, TypeVar

_DIGITS: Final = 3
"""No prefix is longer than 128 bits; a ledger may say anything."""
Held = TypeVar("Held")


@dataclass(slots=True)
class Prefixes(Generic[Held]):
    """Who holds which prefix."""

    texts: dict[str, dict[str, Held]] = field(default_factory=dict)
    """Holders by length and text."""
    cuts: dict[tuple[str, int], dict[str, list[Held]]] = field(default_factory=dict)
    """Holders of the prefixes of one length, by their first bits; made when they are asked for."""

    def add(self, text: str, held: Held) -> None:
        """Enter a prefix; text that is none overlaps nothing."""
        length = _length(text)
        if not length:
            return
        self.texts.setdefault(length, {})[text] = held
        for (other, size), cut in self.cuts.items():
            if other == length:
                cut[_bits(text)[:size]].append(held)

    def remove(self, text: str) -> None:
        """Take a prefix out, if it is there."""
        self.texts.get(_length(text), {}).pop(text, None)
        self.cuts.clear()

    def over(self, text: str) -> Iterable[Held]:
        """Yield what holds a prefix that overlaps this one; text that is no prefix overlaps nothing."""
        length = _length(text)
        for other, entries in self.texts.items():
            if other == length:
                if text in entries:
                    yield entries[text]
            elif bits := _bits(text):
                size = min(len(bits), int(other) + 1)
                yield from self._cut(other, size).get(bits[:size], ())

    def _cut(self, length: str, size: int) -> dict[str, list[Held]]:
        cut = self.cuts.get((length, size))
        if cut is None:
            cut = self.cuts[length, size] = defaultdict(list)
            for text, held in self.texts[length].items():
                cut[_bits(text)[:size]].append(held)
        return cut


def _length(text: str) -> str:
    """Return what stands behind the slash, if it can be the length of a prefix; else nothing."""
    length = text.rpartition("/")[2]
    return length if len(length) <= _DIGITS and length.isascii() and length.isdecimal() else ""


def _bits(text: str) -> str:
    """Return the version of a prefix and its bits; nothing for text that is no prefix."""
    try:
        network = ip_network(text)
    except ValueError:
        return ""
    return f"{network.version}{int(network.network_address):0{network.max_prefixlen}b}"[
        : network.prefixlen + 1
    ]
