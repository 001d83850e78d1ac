"""The objects of all nodes of a cluster, written so that what nodes share is written once.

Rows that are held by nearly the same nodes form a group. A group lies in slices, each row with the few
members that do not hold it; a node names the groups that it belongs to, and holds the rest itself. Slices
are named by what they hold and never change: a node goes from one whole state to the next by one write of
its own object, and what was before can be read until nobody names it.

A group is cut at the bits of a hash, as often as its parts are too large, so that a row that comes or goes
changes one slice, whatever came before. Invariants: pure; decode(encode(x)) == x; no part of a node, and no
slice of more than one row, is larger than `LIMIT`.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final, NamedTuple

from reconciler.overlay.rows import NodeId, Row, digest_of
from renderers.resource import digest

LIMIT: Final = 32 * 1024
"""Bytes of rows in one object. A change at one peer costs each node one slice and the index above it: with
smaller slices the index grows, with larger ones the slice."""
MOST_PARTS: Final = 512
"""Names in one index, some 25 KiB of them."""
_REFERENCE: Final = 48
"""Bytes that a node spends on naming a group."""
_OBJECT: Final = 800
"""Bytes that an object has besides its rows."""
_BITS: Final = 128
_FEW: Final = 64
"""Sets of so many nodes at the most are looked up by their rarest ones; in larger sets hardly any is rare."""


class Missing(Exception):  # noqa: N818 -- a state of the objects: some are not there yet, or no more
    """A slice that is named is not there."""


@dataclass(frozen=True, slots=True)
class Part:
    """What the object of one node says of its state."""

    digest: str
    """Of all its objects (`slice_digest`), its own and those that it shares."""
    shared: tuple[str, ...] = ()
    """Slices with what it has in common with others."""
    rows: tuple[Row, ...] = ()
    """What is its own, by identity."""


class Some(NamedTuple):
    """Rows that all members of a group hold, but for some."""

    besides: tuple[str, ...]
    """Names of the nodes that do not hold them."""
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """One slice of a cluster: rows, or the names of the slices that it is made of."""

    cluster: str
    sets: tuple[Some, ...] = ()
    parts: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name, which says what is in it."""
        sets = [[[*one.besides], [row.text for row in one.rows]] for one in self.sets]
        return f"slice-{digest([self.cluster, sets, [*self.parts]])}"


@dataclass(frozen=True, slots=True)
class Encoded:
    """The nodes of clusters, and the slices that they name."""

    nodes: Mapping[NodeId, Part]
    slices: Mapping[str, Piece]


def encode(held: Mapping[NodeId, Iterable[Row]]) -> Encoded:
    """Write down what nodes hold, one row per identity."""
    clusters: defaultdict[str, dict[NodeId, Sequence[Row]]] = defaultdict(dict)
    for node in sorted(held):
        clusters[node.cluster][node] = tuple(held[node])
    nodes: dict[NodeId, Part] = {}
    slices: dict[str, Piece] = {}
    for members in clusters.values():
        _encode(members, nodes, slices)
    return Encoded(nodes, slices)


def decode(node: NodeId, part: Part, slices: Mapping[str, Piece]) -> tuple[Row, ...]:
    """Return the rows of a node; Missing where a slice is not there, ValueError where the digest differs."""
    rows = [
        *part.rows,
        *(row for one in walk(part.shared, slices) if node.node not in one.besides for row in one.rows),
    ]
    if digest_of(node, rows) != part.digest:
        words = f"what is written for node {node.node} does not have the digest {part.digest}"
        raise ValueError(f"{words}: somebody changed it, or CRDs, controller and agent are of other versions")
    return tuple(rows)


def walk(names: Iterable[str], slices: Mapping[str, Piece]) -> Iterator[Some]:
    """Yield the rows below some slices; Missing where one is not there."""
    for name in names:
        piece = slices.get(name)
        if piece is None:
            raise Missing(name)
        yield from piece.sets
        yield from walk(piece.parts, slices)


def named(names: Iterable[str], slices: Mapping[str, Piece]) -> Iterator[str]:
    """Yield slices and all that they are made of, as far as they are there."""
    for name in names:
        yield name
        if name in slices:
            yield from named(slices[name].parts, slices)


@dataclass(frozen=True, slots=True)
class _Group:
    """Rows that nearly the same nodes hold; nodes are bits."""

    members: int
    rows: Mapping[int, Sequence[Row]]
    """Rows by the nodes that hold them."""

    def pays(self) -> bool:
        """Say whether it takes less room than the same rows at each node."""
        size = self.members.bit_count()
        own = shared = 0
        for mask, rows in self.rows.items():
            length = sum(len(row.text) for row in rows)
            own += length * mask.bit_count()
            shared += length + 16 * (self.members & ~mask).bit_count()
        return size > 1 and shared + size * _REFERENCE + _OBJECT < own


def _encode(
    members: Mapping[NodeId, Sequence[Row]], nodes: dict[NodeId, Part], slices: dict[str, Piece]
) -> None:
    """Write down one cluster."""
    order, cluster = tuple(members), next(iter(members)).cluster
    groups, own = _groups(list(members.values()))
    for at, rows in enumerate(own):
        if sum(len(row.text) for row in rows) > LIMIT:
            groups.append(_Group(1 << at, {1 << at: rows}))
            own[at] = []
    shared: list[list[str]] = [[] for _ in order]
    for group in groups:
        top = _index(cluster, _leaves(group, order, cluster), slices)
        for at in _bits(group.members):
            shared[at] += top
    for node, rows, names in zip(order, own, shared, strict=True):
        mine = tuple(sorted(rows, key=_identity))
        nodes[node] = Part(digest_of(node, members[node]), _few(cluster, sorted(names), slices), mine)


def _groups(held: Sequence[Sequence[Row]]) -> tuple[list[_Group], list[list[Row]]]:
    """Return the groups that pay, and the rows that remain with each node."""
    masks: dict[Row, int] = {}
    for at, rows in enumerate(held):
        bit = 1 << at
        for row in rows:
            masks[row] = masks.get(row, 0) | bit
    by_mask: defaultdict[int, list[Row]] = defaultdict(list)
    for row, mask in masks.items():
        by_mask[mask].append(row)
    shared = [mask for mask in by_mask if mask.bit_count() > 1]
    shared.sort(key=lambda mask: (-mask.bit_count(), mask))
    found = (_Group(reduce(or_, masks), {mask: by_mask[mask] for mask in masks}) for masks in _alike(shared))
    kept = [group for group in found if group.pays()]
    taken = {mask for group in kept for mask in group.rows}
    own: list[list[Row]] = [[] for _ in held]
    for mask, several in by_mask.items():
        if mask not in taken:
            for at in _bits(mask):
                own[at] += several
    return kept, own


def _alike(masks: Sequence[int]) -> list[list[int]]:
    """Put sets of nodes, the largest first, each to the first one that it differs little from."""
    found: list[list[int]] = []
    firsts: list[tuple[int, int]] = []
    rare = _Rare(masks)
    start = 0
    for mask in masks:
        size = mask.bit_count()
        # What is too large for this set is too large for all that come after it.
        while start < len(firsts) and firsts[start][0].bit_count() - firsts[start][1] > size:
            start += 1
        places = rare.near(mask) if size <= _FEW else range(start, len(firsts))
        at = next((at for at in places if (firsts[at][0] ^ mask).bit_count() <= firsts[at][1]), None)
        if at is None:
            rare.add(mask, len(found))
            found.append([mask])
            firsts.append((mask, _little(size)))
        else:
            found[at].append(mask)
    return found


def _little(size: int) -> int:
    """Return in how many nodes another set may differ from one of this size."""
    return max(2, size // 8)


class _Rare:
    """Where small sets stand, by their rarest nodes.

    Sets that differ little share one of their rarest nodes. If they did not, those of the set whose rarest
    nodes end first would all be missing in the other, and these are more than may be.
    """

    def __init__(self, masks: Iterable[int]) -> None:
        self.often = Counter(at for mask in masks if self.takes(mask) for at in _bits(mask))
        self.places: defaultdict[int, list[int]] = defaultdict(list)

    def takes(self, mask: int) -> bool:
        """Say whether a small set may differ little from this one."""
        size = mask.bit_count()
        return size - _little(size) <= _FEW

    def rarest(self, mask: int) -> list[int]:
        order = sorted(_bits(mask), key=lambda at: (self.often[at], at))
        return order[: _little(len(order)) + 1]

    def near(self, mask: int) -> list[int]:
        """Return the places of all that a small set may differ little from, and of some others."""
        return sorted({place for at in self.rarest(mask) for place in self.places[at]})

    def add(self, mask: int, place: int) -> None:
        if self.takes(mask):
            for at in self.rarest(mask):
                self.places[at].append(place)


class _Place(NamedTuple):
    """A row of a group, in the order in which groups are cut."""

    bits: int
    row: Row
    besides: tuple[str, ...]


def _leaves(group: _Group, order: Sequence[NodeId], cluster: str) -> Iterator[Piece]:
    """Yield the slices of a group."""
    places = []
    for mask, rows in group.rows.items():
        besides = tuple(order[at].node for at in _bits(group.members & ~mask))
        places += [_Place(_path(besides, row), row, besides) for row in rows]
    places.sort(key=lambda place: (place.bits, place.row.text))
    pending = [(places, _BITS)]
    while pending:
        part, bit = pending.pop()
        if bit == 0 or len(part) == 1 or _size(part) <= LIMIT:
            yield _piece(cluster, part)
            continue
        half = bisect_left(part, 1, key=lambda place: place.bits >> (bit - 1) & 1)
        pending += [(side, bit - 1) for side in (part[:half], part[half:]) if side]


def _path(besides: tuple[str, ...], row: Row) -> int:
    """Return the hash of a row: those that the same nodes lack lie together, as do those about one thing."""
    parts = ("\n".join(besides), row.values.get("subject", ""), row.text)
    return int.from_bytes(
        b"".join(
            hashlib.sha256(part.encode()).digest()[:size] for part, size in zip(parts, (4, 4, 8), strict=True)
        )
    )


def _size(part: Iterable[_Place]) -> int:
    """Return the bytes of rows, each set of nodes that lack some counted once."""
    sets = {place.besides for place in part}
    return sum(len(place.row.text) for place in part) + sum(len(name) + 3 for names in sets for name in names)


def _piece(cluster: str, part: Iterable[_Place]) -> Piece:
    sets: defaultdict[tuple[str, ...], list[Row]] = defaultdict(list)
    for place in part:
        sets[place.besides].append(place.row)
    return Piece(
        cluster, tuple(Some(besides, tuple(sorted(sets[besides], key=_identity))) for besides in sorted(sets))
    )


def _index(cluster: str, pieces: Iterable[Piece], slices: dict[str, Piece]) -> tuple[str, ...]:
    """Keep slices, and return the name of what holds all of them."""
    kept = {piece.name: piece for piece in pieces}
    slices |= kept
    return _few(cluster, sorted(kept), slices, 1)


def _few(
    cluster: str, names: Sequence[str], slices: dict[str, Piece], most: int = MOST_PARTS
) -> tuple[str, ...]:
    """Return names as they are, or where these are too many, those of slices that are made of them."""
    while len(names) > most:
        chunks = (names[at : at + MOST_PARTS] for at in range(0, len(names), MOST_PARTS))
        index = {piece.name: piece for piece in (Piece(cluster, parts=tuple(chunk)) for chunk in chunks)}
        slices |= index
        names = sorted(index)
    return tuple(names)


def _bits(mask: int) -> Iterator[int]:
    """Yield the places of the bits that are set."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _identity(row: Row) -> tuple[str, ...]:
    return row.identity
