"""The best path that keeps to constraints: by its cost alone, and where SIDs are limited, within the limit.

Costs are whole numbers: the metric, and one per link below it, so that of equal metrics the path with fewer
links wins, and then the one whose links come first by name. Without a limit the path is found first and
encoded afterwards. With one, lists are grown from the end of the path, cheapest first; a list at a router
gives way to one that is no dearer, no longer and no more limited, so each router is visited once per length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from typing import Final, Literal, NamedTuple

from compiler.te.encode import Sid, encode, end_x
from compiler.te.topology import SLOWEST, Arc, Distances, Path, Topology

Objective = Literal["igp", "te", "latency"]
LINK: Final = 1
"""What a link adds to its metric …"""
METRIC: Final = 4096
"""… which counts so much."""
MOST_LABELS: Final = 20_000
"""Lists that are looked at for one path, where they remember their routers, before it is given up."""


def metric(arc: Arc, objective: Objective) -> int:
    """Return what an arc adds to an objective; 0 for a latency that nobody said."""
    if objective == "latency":
        return min(arc.latency or 0, SLOWEST)
    return arc.te if objective == "te" else arc.igp


@dataclass(frozen=True, slots=True)
class Plane:
    """The arcs that a path may use, and what they cost."""

    net: Topology
    objective: Objective
    arcs: tuple[Arc, ...]
    costs: Distances
    usable: frozenset[int]
    """Ranks of the arcs …"""
    avoided: frozenset[int] = frozenset()
    """… without these."""
    _feeders: dict[str, tuple[tuple[str, int, Path], ...]] = field(default_factory=dict, compare=False)

    def has(self, arc: Arc) -> bool:
        """Say whether a path may use an arc."""
        return arc.rank in self.usable and arc.rank not in self.avoided

    def without(self, ranks: frozenset[int]) -> Plane:
        """Return the plane without some more arcs."""
        return replace(self, avoided=self.avoided | ranks, _feeders={})

    def cost(self, path: Path) -> int:
        """Return the cost of a path."""
        return sum(metric(arc, self.objective) * METRIC + LINK for arc in path)

    def feeders(self, end: str) -> tuple[tuple[str, int, Path], ...]:
        """Return the routers whose only shortest way to `end` may be used, itself first: cost and way."""
        known = self._feeders.get(end)
        if known is None:
            rows: list[tuple[str, int, Path]] = [(end, 0, ())]
            for router, cost, way in rows:
                rows.extend(
                    (arc.start, cost + self.cost((arc,)), (arc, *way))
                    for arc in self.net.into[router]
                    if self.has(arc) and self.net.only(arc.start, end) is arc
                )
            known = self._feeders[end] = tuple(rows)
        return known


def plane(net: Topology, objective: Objective, arcs: tuple[Arc, ...]) -> Plane:
    """Return the plane of some arcs."""
    priced = tuple((arc, metric(arc, objective) * METRIC + LINK) for arc in arcs)
    costs = Distances(net.igp.routers, priced)
    return Plane(net, objective, arcs, costs, frozenset(arc.rank for arc in arcs))


class Found(NamedTuple):
    """A path and the list that forces it."""

    path: Path
    sids: tuple[Sid, ...]


def shortest(on: Plane, start: str, end: str) -> Path | None:
    """Return the cheapest path; of equals the one with fewer links, then with the first ones by name."""
    costs, at, path = on.costs.to(end), start, []
    if start not in costs:
        return None
    if on.avoided:
        return _around(on, start, end)
    while at != end:
        arc = next(
            arc
            for arc in on.net.out[at]
            if on.has(arc) and arc.end in costs and costs[arc.end] + on.cost((arc,)) == costs[at]
        )
        path.append(arc)
        at = arc.end
    return tuple(path)


def _around(on: Plane, start: str, end: str) -> Path | None:
    """Return the cheapest path around what is avoided; costs without that lead the search (A*)."""
    left = on.costs.to(end)
    heap: list[tuple[int, tuple[int, ...], str, Path]] = [(left[start], (), start, ())]
    done: set[str] = set()
    while heap:
        _, order, at, path = heappop(heap)
        if at == end:
            return path
        if at in done:
            continue
        done.add(at)
        spent = on.cost(path)
        for arc in on.net.out[at]:
            if on.has(arc) and arc.end in left and arc.end not in done:
                least = spent + on.cost((arc,)) + left[arc.end]
                heappush(heap, (least, (*order, arc.rank), arc.end, (*path, arc)))
    return None


def fits(sids: tuple[Sid, ...], most: int, net: Topology) -> bool:
    """Say whether a list keeps to what the headend pushes and routers on the way take (RFC 9352 §4)."""
    if len(sids) > most:
        return False
    for at, sid in enumerate(sids):
        bounds, left = net.routers[sid.router].max_sids, len(sids) - at
        if bounds.segments_left is not None and left > bounds.segments_left:
            return False
        if left == 1 and bounds.end_pop is not None and len(sids) + 1 > bounds.end_pop:
            return False
    return True


def best(on: Plane, start: str, end: str, most: int) -> Found | None:
    """Return the cheapest path that a list of at most so many SIDs forces, the service SID left out."""
    path = shortest(on, start, end)
    sids = encode(path, on.net) if path is not None else None
    if path is None or (sids is not None and fits(sids, most, on.net)):
        return Found(path, sids) if path is not None and sids is not None else None
    found = _limited(on, start, end, most, simple=False)
    if found and _loops(found.path):
        # Only where a detour through one router twice saves SIDs: then lists remember where they were.
        return _limited(on, start, end, most, simple=True)
    return found


def _loops(path: Path) -> bool:
    return len({arc.start for arc in path} | {arc.end for arc in path[-1:]}) < len(path) + bool(path)


class _Label(NamedTuple):
    """A list that leads from a router to the end."""

    cost: int
    length: int
    order: tuple[int, ...]
    """Ranks of its arcs: decides between equals."""
    router: str
    most: int
    """Longest list that it may become a part of."""
    path: Path
    sids: tuple[Sid, ...]


def _limited(on: Plane, start: str, end: str, most: int, *, simple: bool) -> Found | None:
    heap = [
        _Label(cost, 0, tuple(arc.rank for arc in way), router, most, way, ())
        for router, cost, way in on.feeders(end)
    ]
    heap.sort()
    known = _Known({}, {}, simple)
    looked = 0
    while heap and not (simple and looked == MOST_LABELS):
        label = heappop(heap)
        looked += 1
        if label.router == start:
            return Found(label.path, label.sids)
        rows = known.done.setdefault(label.router, [])
        if any(_beats(row, label, simple=simple) for row in rows):
            continue
        rows.append(label)
        for longer in _longer(on, label, known):
            heappush(heap, longer)
    return None


class _Known(NamedTuple):
    """What was found so far; it keeps the heap short, so that large underlays are searched to the end."""

    done: dict[str, list[_Label]]
    """Lists that nothing beats, by router."""
    least: dict[tuple[str, int, int], int]
    """Least cost of the lists that wait, by router, length, and what they may become a part of."""
    simple: bool

    def hopeless(self, router: str, cost: int, length: int, most: int) -> bool:
        """Say whether a list need not wait; where lists remember their routers, that is not known yet."""
        if self.simple:
            return False
        key = (router, length, most)
        if self.least.get(key, cost) < cost:
            return True
        self.least[key] = cost
        return any(row.length <= length and row.most >= most for row in self.done.get(router, ()))


def _beats(one: _Label, two: _Label, *, simple: bool) -> bool:
    if one.length > two.length or one.most < two.most:
        return False
    return not simple or {arc.start for arc in one.path} <= {arc.start for arc in two.path}


def _longer(on: Plane, label: _Label, known: _Known) -> Iterator[_Label]:
    """Yield the lists with one SID more in front."""
    if label.length + 1 > label.most:
        return
    for sid, prefix in _sids(on, label.router):
        most = _most(on.net, sid, label)
        if label.length + 1 > most:
            continue
        after = (*prefix, *label.path)
        spent = label.cost + on.cost(prefix)
        for router, cost, way in on.feeders(sid.router):
            if router == label.router or known.hopeless(router, spent + cost, label.length + 1, most):
                continue
            path = (*way, *after)
            if known.simple and _loops(path):
                continue
            order = tuple(arc.rank for arc in path)
            yield _Label(spent + cost, label.length + 1, order, router, most, path, (sid, *label.sids))


def _sids(on: Plane, router: str) -> Iterator[tuple[Sid, Path]]:
    """Yield the SIDs that bring a packet to a router, and the arc that each forces in front of it."""
    if router not in on.net.drained:
        yield Sid(router), ()
    for arc in on.net.into[router]:
        if on.has(arc) and end_x(arc, on.net):
            yield Sid(arc.start, arc.link), (arc,)


def _most(net: Topology, sid: Sid, label: _Label) -> int:
    """Return how long a list may become with a SID in front of it; 0 where the router takes no such list."""
    bounds, left = net.routers[sid.router].max_sids, label.length + 1
    if bounds.segments_left is not None and left > bounds.segments_left:
        return 0
    pops = left == 1 and bounds.end_pop is not None
    return min(label.most, (bounds.end_pop or 0) - 1) if pops else label.most
