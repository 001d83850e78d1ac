"""The shortest list that forces a path, under shortest-path routing that uses all ways of equal cost.

A SID brings a packet along the shortest ways to its router. So a piece of a path needs no SID of its own
while it is the only shortest way between its two ends; where that ends stands the End SID of the router
reached so far, or the End.X SID of the link that must follow. All ways to cut the path into such pieces are
weighed. Length counts in addresses, so that a list of more SIDs wins where these fit into fewer carriers; of
equally long lists the one with fewer SIDs is taken, and then with fewer End.X SIDs, since End SIDs survive
more failures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from compiler.te.limits import Headend, Tails, before, ends, no_worse
from compiler.te.topology import ENDLESS, Arc, Path, Sid, Topology

ANY: Final = Headend()
"""Headends that push whatever there is, each SID in an address."""


def forceable(arc: Arc, net: Topology) -> bool:
    """Say whether some list can force an arc: by its End.X SID, or because the IGP takes it anyway.

    A path can be forced if and only if each of its arcs can: a part of an only shortest way is one too.
    """
    return end_x(arc, net) or net.only(arc.start, arc.end) is arc


def end_x(arc: Arc, net: Topology) -> bool:
    """Say whether an arc has an End.X SID that may be used."""
    return arc.sid is not None and arc.start not in net.drained


def _reaches(path: Path, net: Topology) -> list[int]:
    """Return how far a path, from each of its routers on, is the only shortest way."""
    far = len(path)
    found = [far] * (len(path) + 1)
    for at in range(len(path) - 1, -1, -1):
        # From the next router on it is until `far`, so one step is left to look at.
        while far > at and net.only(path[at].start, path[far - 1].end) is not path[at]:
            far -= 1
        found[at] = far
    return found


class _Rest(NamedTuple):
    """A list for the rest of a path."""

    tails: Tails
    size: tuple[int, int]
    """SIDs, and how many of them are End.X SIDs."""
    sids: tuple[Sid, ...]


def encode(path: Path, net: Topology, headend: Headend = ANY) -> tuple[Sid, ...] | None:
    """Return the shortest list that forces a path, the service SID left out; None where there is none."""
    reaches = _reaches(path, net)
    empty = [_Rest(ends(headend), (0, 0), ())]
    rests: list[list[_Rest]] = [*([] for _ in path), empty]
    for at in range(len(path) - 1, -1, -1):
        far = reaches[at]
        if far == len(path) and net.least_pop == ENDLESS:
            rests[at] = empty
            continue
        options = list(empty) if far == len(path) else []
        # Of equals the first: the piece that reaches farthest.
        for mid in range(far, at - 1, -1):
            router = path[mid].start if mid < len(path) else path[-1].end
            if mid > at and router not in net.drained:
                options += _in_front(Sid(router), rests[mid], headend, net)
            if mid < len(path) and end_x(path[mid], net):
                options += _in_front(Sid(router, path[mid].link), rests[mid + 1], headend, net)
        rests[at] = _best(options, net)
    found = min(rests[0], key=_length, default=None)
    return found.sids if found else None


def _in_front(sid: Sid, rests: list[_Rest], headend: Headend, net: Topology) -> Iterator[_Rest]:
    for rest in rests:
        count, forced = rest.size
        tails = before(sid, rest.tails, headend, net) if count < headend.sids else None
        if tails:
            yield _Rest(tails, (count + 1, forced + bool(sid.link)), (sid, *rest.sids))


def _best(options: list[_Rest], net: Topology) -> list[_Rest]:
    """Return the lists that no other one is as good as, whatever comes in front of them."""
    if len(options) < 2:  # noqa: PLR2004 -- one alone
        return options
    kept: list[_Rest] = []
    for one in sorted(options, key=_length):
        if not any(two.size <= one.size and no_worse(two.tails, one.tails, net) for two in kept):
            kept.append(one)
    return kept


def _length(rest: _Rest) -> tuple[int, int, int]:
    return max(tail.fill.addresses for tail in rest.tails), *rest.size


def follow(start: str, sids: tuple[Sid, ...], end: str, net: Topology) -> tuple[tuple[Arc, ...], ...] | None:
    """Return every arc that packets with a list may use, leg by leg; None where a leg has no way."""
    legs, at = [], start
    for sid in (*sids, Sid(end)):
        if sid.router != at and not net.nexts(at, sid.router):
            return None
        legs.append(net.legs(at, sid.router) if sid.router != at else ())
        at = sid.router
        if sid.link:
            forced = next((arc for arc in net.out[at] if arc.link == sid.link), None)
            if forced is None:
                return None
            legs.append((forced,))
            at = forced.end
    return tuple(legs)
