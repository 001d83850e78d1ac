"""What is asked of the ledger: every id that must be unique, with who asks, from which space, and what was pinned.

The rest of the compiler never draws an id itself: it asks here, and reads the answer from `Allocated`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from itertools import product
from typing import Protocol

from intent.model import Intent
from intent.scalars import IPNetwork, Ranges
from intent.source import FieldPath

Value = int | IPv4Address | IPv6Address | IPv4Network | IPv6Network


class Space(Protocol):
    """The values that a pool can hand out."""

    @property
    def size(self) -> int:
        """How many values there are."""

    def at(self, index: int) -> Value:
        """Return one of them."""

    def read(self, text: str) -> Value | None:
        """Return the value that a text stands for; None where it lies outside."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Numbers from ranges."""

    ranges: Ranges

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return len(self.ranges)

    def at(self, index: int) -> int:
        """Return one of them."""
        return self.ranges.at(index)

    def read(self, text: str) -> int | None:
        """Return the number, if it lies in the ranges."""
        return int(text) if text.isdigit() and int(text) in self.ranges else None

    def __str__(self) -> str:
        """Write the space."""
        return str(self.ranges)


@dataclass(frozen=True, slots=True)
class Blocks:
    """Prefixes of one length inside a prefix; the first `skip` are left out."""

    prefix: IPNetwork
    length: int
    skip: int = 0

    @property
    def size(self) -> int:
        """How many blocks there are."""
        return max(0, (1 << (self.length - self.prefix.prefixlen)) - self.skip)

    def at(self, index: int) -> IPNetwork:
        """Return one of them."""
        start = int(self.prefix.network_address) + ((index + self.skip) << (self.prefix.max_prefixlen - self.length))
        return type(self.prefix)((start, self.length))

    def read(self, text: str) -> IPNetwork | None:
        """Return the block, if it lies in the prefix and has the length."""
        try:
            block = type(self.prefix)(text)
        except ValueError:
            return None
        inside = block.prefixlen == self.length and block.subnet_of(self.prefix)  # type: ignore[arg-type] # same family: both were made by type(self.prefix)
        return block if inside else None

    def __str__(self) -> str:
        """Write the space."""
        return f"/{self.length} blocks of {self.prefix}"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Addresses of an IPv6 prefix but its first (the subnet-router anycast address)."""

    prefix: IPv6Network

    @property
    def size(self) -> int:
        """How many addresses there are."""
        return self.prefix.num_addresses - 1

    def at(self, index: int) -> IPv6Address:
        """Return one of them."""
        return self.prefix.network_address + (index + 1)

    def read(self, text: str) -> IPv6Address | None:
        """Return the address, if it lies in the prefix."""
        try:
            address = IPv6Address(text)
        except ValueError:
            return None
        return address if address in self.prefix else None

    def __str__(self) -> str:
        """Write the space."""
        return f"addresses of {self.prefix}"


@dataclass(frozen=True, slots=True)
class Request:
    """One id that somebody needs."""

    slot: str
    """Which table of `Allocated` it goes to."""
    key: tuple[str, ...]
    """Its place in that table."""
    owner: str
    """Stable subject that holds the lease."""
    formerly: tuple[str, ...]
    """Owners under earlier names, from `moved`."""
    pool: str
    domains: tuple[str, ...]
    """Fabrics or clusters in each of which the value must be free; one empty name where it is free everywhere."""
    space: Space
    pinned: Value | None
    intent: Intent
    path: FieldPath

    @property
    def pools(self) -> tuple[str, ...]:
        """Names of the pool in the ledger, one for each domain."""
        return tuple(f"{self.pool}@{domain}" if domain else self.pool for domain in self.domains)

    def start(self) -> int:
        """Return where to begin to look for a free value: branches that add different things rarely meet.

        In very large spaces only the first million values are aimed at, so that ids stay short to read.
        """
        mark = hashlib.sha256(f"{self.owner} {self.pool}".encode()).digest()
        return int.from_bytes(mark[:8]) % min(self.space.size, 1 << 20) if self.space.size else 0


def owner(*parts: Intent | str) -> tuple[str, tuple[str, ...]]:
    """Return the stable name that parts make together, and the names it had before (from `moved`).

    A part is a document (its kind and uid) or a word. `moved` of a document names the document's earlier names,
    and as `part/old=new` the earlier names of words inside it.
    """
    choices = [_names(part) for part in parts]
    words = dict(_renamed_words(part for part in parts if isinstance(part, Intent)))
    for choice, part in zip(choices, parts, strict=True):
        if isinstance(part, str) and part in words:
            choice.append(words[part])
    first, *rest = ("/".join(names) for names in product(*choices))
    return first, tuple(rest)


def _names(part: Intent | str) -> list[str]:
    if isinstance(part, str):
        return [part]
    return [part.subject, *(f"{part.kind}/{old}" for old in part.meta.moved if "=" not in old)]


def _renamed_words(intents: Iterable[Intent]) -> Iterator[tuple[str, str]]:
    for intent in intents:
        for entry in intent.meta.moved:
            before, equals, after = entry.partition("=")
            if equals:
                kind, _, old = before.rpartition("/")
                yield (f"{kind}/{after}" if kind else after), before
