"""The fewest SIDs that force a path, under shortest-path routing that uses all ways of equal cost.

A SID brings a packet along the shortest ways to its router. So a piece of a path needs no SID of its own
while it is the only shortest way between its two ends; where that ends stands the End SID of the router
reached so far, or the End.X SID of the link that must follow. All ways to cut the path into such pieces are
weighed; of equally short lists the one with fewer End.X SIDs is taken, since End SIDs survive more failures.
"""

from __future__ import annotations

from typing import NamedTuple

from compiler.te.topology import Arc, Path, Topology


class Sid(NamedTuple):
    """One SID of a list: of a router (End), or of a link at it (End.X)."""

    router: str
    link: str = ""


def forceable(arc: Arc, net: Topology) -> bool:
    """Say whether some list can force an arc: by its End.X SID, or because the IGP takes it anyway.

    A path can be forced if and only if each of its arcs can: a part of an only shortest way is one too.
    """
    return end_x(arc, net) or net.only(arc.start, arc.end) is arc


def end_x(arc: Arc, net: Topology) -> bool:
    """Say whether an arc has an End.X SID that may be used."""
    return arc.sid is not None and arc.start not in net.drained


def reach(path: Path, start: int, net: Topology) -> int:
    """Return how far a path, from its router number `start` on, is the only shortest way."""
    at = start
    while at < len(path):
        end = path[at].end
        if any(net.only(arc.start, end) is not arc for arc in path[start : at + 1]):
            break
        at += 1
    return at


def encode(path: Path, net: Topology) -> tuple[Sid, ...] | None:
    """Return the shortest list that forces a path, the service SID left out; None where there is none."""
    best: list[tuple[int, int, tuple[Sid, ...]] | None] = [None] * (len(path) + 1)
    best[len(path)] = (0, 0, ())
    for at in range(len(path) - 1, -1, -1):
        far = reach(path, at, net)
        if far == len(path):
            best[at] = (0, 0, ())
            continue
        options = []
        for mid in range(far, at - 1, -1):
            router, after, beyond = path[mid].start, best[mid], best[mid + 1]
            if mid > at and after and router not in net.drained:
                options.append((after[0] + 1, after[1], (Sid(router), *after[2])))
            if beyond and end_x(path[mid], net):
                options.append((beyond[0] + 1, beyond[1] + 1, (Sid(router, path[mid].link), *beyond[2])))
        # Of equals the first: the piece that reaches farthest.
        best[at] = min(options, key=lambda option: option[:2], default=None)
    found = best[0]
    return found[2] if found else None


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
