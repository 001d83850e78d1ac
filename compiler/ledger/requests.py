"""What is asked of the ledger: every id that must be unique, with who asks, from which space, and its pin.

The rest of the compiler never draws an id itself: it asks here, and reads the answer from `Allocated`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from itertools import product
from typing import NamedTuple, Protocol

from intent.model import Intent
from intent.scalars import IPNetwork, Ranges
from intent.source import FieldPath

Value = int | IPv4Address | IPv6Address | IPv4Network | IPv6Network

_NUMBER = re.compile("0|[1-9][0-9]{0,18}")
_FIRST = 1 << 20
"""In very large spaces only so many values are aimed at, so that ids stay short to read."""


class Space(Protocol):
    """The values that a pool can hand out."""

    @property
    def size(self) -> int:
        """How many values there are."""

    def at(self, index: int) -> Value:
        """Return one of them."""

    def read(self, text: str) -> Value | None:
        """Return the value that a text stands for; None where it lies outside, or is not in our spelling."""


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
        # One value must have one spelling, since leases are compared as text: 0100 is no VLAN.
        if not _NUMBER.fullmatch(text):
            return None
        number = int(text)
        return number if number in self.ranges else None

    def __str__(self) -> str:
        """Write the space."""
        return str(self.ranges) or "no number (its ranges have none in common)"


@dataclass(frozen=True, slots=True)
class Blocks:
    """Prefixes of one length inside a prefix; the first `skip` are left out."""

    prefix: IPNetwork
    length: int
    skip: int = 0
    elastic: bool = False
    """Blocks of other lengths that were drawn earlier stay good."""

    @property
    def size(self) -> int:
        """How many blocks there are; none where a block is larger than the prefix."""
        spare = self.length - self.prefix.prefixlen
        return max(0, (1 << spare) - self.skip) if spare >= 0 else 0

    def at(self, index: int) -> IPNetwork:
        """Return one of them."""
        start = int(self.prefix.network_address)
        start += (index + self.skip) << (self.prefix.max_prefixlen - self.length)
        return type(self.prefix)((start, self.length))

    def read(self, text: str) -> IPNetwork | None:
        """Return the block, if it lies in the prefix and has the length."""
        try:
            block = type(self.prefix)(text)
        except ValueError:
            return None
        if str(block) != text or not (self.elastic or block.prefixlen == self.length):
            return None
        first, last = int(self.prefix.network_address), int(self.prefix.broadcast_address)
        return block if first <= int(block.network_address) <= int(block.broadcast_address) <= last else None

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
        """Return the address, if it lies in the prefix and is not its first."""
        try:
            address = IPv6Address(text)
        except ValueError:
            return None
        inside = address in self.prefix and address != self.prefix.network_address
        return address if inside and str(address) == text else None

    def __str__(self) -> str:
        """Write the space."""
        return f"addresses of {self.prefix}"


class Request(NamedTuple):
    """One id that somebody needs. Owner and pool together name it."""

    owner: str
    """Stable subject that holds the lease."""
    pool: str
    pools: tuple[str, ...]
    """The pool in each domain (fabric, cluster, subnet) where the value must be free: vlan@dc1, vlan@dc2."""
    formerly: tuple[str, ...]
    """Owners under earlier names, from `moved`."""
    space: Space
    pinned: Value | None
    slot: str
    """Which table of `Allocated` it goes to."""
    key: tuple[str, ...]
    """Its place in that table."""
    intent: Intent
    path: FieldPath

    def start(self) -> int:
        """Return where to begin to look for a free value: branches that add different things rarely meet."""
        mark = hashlib.sha256(f"{self.owner} {self.pool}".encode()).digest()
        return int.from_bytes(mark[:8]) % min(self.space.size, _FIRST) if self.space.size else 0


Part = Intent | str | tuple[str, ...]
"""A part of an owner's name: a document (its kind and uid), a word, or a word with what it was before."""


def owner(*parts: Part) -> tuple[str, tuple[str, ...]]:
    """Return the stable name that parts make together, and the names it had before (from `moved`).

    `moved` of a document names the document's earlier names, and as `part/old=new` the earlier names of words
    beside it.
    """
    if len(parts) == 1 and isinstance(parts[0], Intent) and not former(parts[0]):
        return parts[0].subject, ()
    renames = tuple(pair for part in parts if isinstance(part, Intent) for pair in renamed_words(part))
    choices = [_names(part, renames) for part in parts]
    if all(len(choice) == 1 for choice in choices):
        return "/".join(choice[0] for choice in choices), ()
    first, *rest = ("/".join(names) for names in product(*choices))
    return first, tuple(rest)


def former(intent: Intent) -> tuple[str, ...]:
    """Return the identities that a document had before: its name until it got a uid, and its `moved`."""
    meta = intent.meta
    own = (intent.name,) if meta.uid and meta.uid != intent.name else ()
    return (*own, *(old for old in meta.moved if "=" not in old)) if meta.moved else own


def renamed_words(intent: Intent) -> Iterator[tuple[str, str]]:
    """Yield (earlier, present) for each `part/old=new` that a document says."""
    for entry in intent.meta.moved:
        before, equals, after = entry.partition("=")
        if equals:
            kind, slash, _ = before.rpartition("/")
            yield before, f"{kind}{slash}{after}"


def earlier(word: str, renames: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return a word and all that it was before, the latest first; renames may follow on each other."""
    known = tuple(renames)
    found = [word]
    for name in found:
        found += [old for old, new in known if new == name and old not in found]
    return tuple(found)


def _names(part: Part, renames: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    if isinstance(part, Intent):
        return (part.subject, *(f"{part.kind}/{old}" for old in former(part)))
    if isinstance(part, tuple):
        return part
    return earlier(part, renames) if renames else (part,)
