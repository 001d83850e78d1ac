"""The best path that keeps to constraints: by its cost alone, and where SIDs are limited, within the limit.

Costs are whole numbers: the metric, and one per link below it, so that of equal metrics the path with fewer
links wins, and then the one whose links come first by name. The path is found first and encoded afterwards.
Where no list for it is short enough, lists are grown from the end of the path, first those whose path would
be the cheapest at best (A*); a list at a router gives way to one that is no dearer and can be the end of
whatever it can, so each router is visited once per length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from typing import Final, Literal, NamedTuple

from compiler.te.encode import encode, end_x
from compiler.te.limits import Headend, Tails, before, ends, no_worse
from compiler.te.topology import ENDLESS, SLOWEST, Arc, Distances, Path, Sid, Topology

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


def best(on: Plane, start: str, end: str, headend: Headend) -> Found | None:
    """Return the cheapest path that some list forces which its headend and routers take, and that list."""
    path = shortest(on, start, end)
    if path is None:
        return None
    sids = encode(path, on.net, headend)
    if sids is None:
        path = _limited(on, start, end, headend, simple=False)
        if path and _loops(path):
            # Only where a detour through one router twice saves SIDs: then lists remember where they were.
            path = _limited(on, start, end, headend, simple=True)
        sids = encode(path, on.net, headend) if path is not None else None
    return Found(path, sids) if path is not None and sids is not None else None


def _loops(path: Path) -> bool:
    return len({arc.start for arc in path} | {arc.end for arc in path[-1:]}) < len(path) + bool(path)


class _Label(NamedTuple):
    """A list that leads from a router to the end."""

    least: int
    """What a path over it costs at least: leads the search (A*) …"""
    cost: int
    """… and what it costs by itself; a shorter one comes first, so that none is found too late."""
    order: tuple[int, ...]
    """Ranks of its arcs: decides between equals."""
    length: int
    """SIDs, where their number is limited."""
    router: str
    tails: Tails
    path: Path


def _limited(on: Plane, start: str, end: str, headend: Headend, *, simple: bool) -> Path | None:
    empty, since = ends(headend), on.costs.since(start)
    heap = [
        _Label(since[router] + cost, cost, tuple(arc.rank for arc in way), 0, router, empty, way)
        for router, cost, way in on.feeders(end)
        if router in since
    ]
    heap.sort()
    known = _Known(on.net, since, {}, {}, simple)
    looked = 0
    while heap and not (simple and looked == MOST_LABELS):
        label = heappop(heap)
        looked += 1
        if label.router == start:
            return label.path
        rows = known.done.setdefault(label.router, [])
        if any(known.beats(row, label) for row in rows):
            continue
        rows.append(label)
        for longer in _longer(on, label, headend, known):
            heappush(heap, longer)
    return None


class _Known(NamedTuple):
    """What was found so far; it keeps the heap short, so that large underlays are searched to the end."""

    net: Topology
    since: Mapping[str, int]
    """Least cost from where the path begins."""
    done: dict[str, list[_Label]]
    """Lists that nothing beats, by router."""
    least: dict[tuple[str, int, Tails], int]
    """Least cost of the lists that wait, by router, SIDs, and what they are the end of."""
    simple: bool

    def beats(self, one: _Label, two: _Label) -> bool:
        """Say whether a list does for all that another, which is no cheaper, does for."""
        if one.length > two.length or not no_worse(one.tails, two.tails, self.net):
            return False
        return not self.simple or {arc.start for arc in one.path} <= {arc.start for arc in two.path}

    def hopeless(self, router: str, cost: int, length: int, tails: Tails) -> bool:
        """Say whether a list need not wait; where lists remember their routers, that is not known yet."""
        if self.simple:
            return False
        key = (router, length, tails)
        if self.least.get(key, cost) < cost:
            return True
        self.least[key] = cost
        rows = self.done.get(router, ())
        return any(row.length <= length and no_worse(row.tails, tails, self.net) for row in rows)


def _longer(on: Plane, label: _Label, headend: Headend, known: _Known) -> Iterator[_Label]:
    """Yield the lists with one SID more in front."""
    if label.length == headend.sids:
        return
    length = label.length + (headend.sids < ENDLESS)
    for sid, prefix in _sids(on, label.router):
        tails = before(sid, label.tails, headend, on.net)
        if tails is None:
            continue
        after = (*prefix, *label.path)
        spent = label.cost + on.cost(prefix)
        for router, cost, way in on.feeders(sid.router):
            if router == label.router or router not in known.since:
                continue
            if known.hopeless(router, spent + cost, length, tails):
                continue
            path = (*way, *after)
            if known.simple and _loops(path):
                continue
            order = tuple(arc.rank for arc in path)
            least = known.since[router] + spent + cost
            yield _Label(least, spent + cost, order, length, router, tails, path)


def _sids(on: Plane, router: str) -> Iterator[tuple[Sid, Path]]:
    """Yield the SIDs that bring a packet to a router, and the arc that each forces in front of it."""
    if router not in on.net.drained:
        yield Sid(router), ()
    for arc in on.net.into[router]:
        if on.has(arc) and end_x(arc, on.net):
            yield Sid(arc.start, arc.link), (arc,)
