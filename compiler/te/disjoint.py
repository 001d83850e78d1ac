"""Two paths that share nothing: links, routers, or shared-risk groups.

Between the same two routers and over the same links, two paths without a common link (or router between
their ends) are a flow of two units, which is found whenever there is one, with the least total cost
(Suurballe 1974, as successive shortest paths). Everything else - shared-risk groups, ends or constraints
that differ - is NP-hard in general: there the first path is moved away from what stands in the way, cheapest
first, and given up after a bounded number of tries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush
from typing import Final, Literal

from compiler.te.search import Found, Plane
from compiler.te.topology import Arc, Path, Topology

Disjointness = Literal["link", "node", "srlg"]
TRIES: Final = 200
"""Places that the first path is moved to, before a pair is given up."""

Vertex = tuple[str, str]
Edge = tuple[Vertex, Vertex, int, Arc | None]
"""From, to, cost, and the arc that it stands for."""


def shared(net: Topology, taken: Iterable[Arc], kind: Disjointness, ends: Iterable[str]) -> frozenset[int]:
    """Return the ranks of all arcs that share something with some; the ends of a path may be shared."""
    arcs = tuple(taken)
    found = {rank for arc in arcs for rank in net.by_link[arc.link]}
    if kind == "srlg":
        found |= {rank for arc in arcs for group in arc.srlgs for rank in net.by_srlg[group]}
    if kind == "node":
        routers = {name for arc in arcs for name in (arc.start, arc.end)}.difference(ends)
        found |= {arc.rank for name in routers for arc in (*net.out[name], *net.into[name])}
    return frozenset(found)


def pair(on: Plane, start: str, end: str, kind: Disjointness) -> tuple[Path, Path] | None:
    """Return the two paths of least total cost that share no link (or no router between), cheaper first."""
    edges = list(_edges(on, (start, end), nodes=kind == "node"))
    used: dict[int, None] = {}
    for _ in range(2):
        if not _augment(edges, used, (start, "out"), (end, "in")):
            return None
    leaving: defaultdict[Vertex, list[int]] = defaultdict(list)
    for number in sorted(used):
        leaving[edges[number][0]].append(number)
    paths = []
    for _ in range(2):
        at, path = (start, "out"), []
        while at != (end, "in"):
            _, at, _, arc = edges[leaving[at].pop(0)]
            path += [arc] if arc else []
        paths.append(tuple(path))
    one, two = sorted(paths, key=lambda path: (on.cost(path), [arc.rank for arc in path]))
    return one, two


def _edges(on: Plane, ends: tuple[str, str], *, nodes: bool) -> Iterator[Edge]:
    """Yield the arcs, and the step through each router: once where it is not shared."""
    for name in sorted(on.net.routers):
        if name not in ends:
            yield from [((name, "in"), (name, "out"), 0, None)] * (1 if nodes else 2)
    for arc in on.arcs:
        if arc.end != ends[0] and arc.start != ends[1]:
            yield (arc.start, "out"), (arc.end, "in"), on.cost((arc,)), arc


def _augment(edges: list[Edge], used: dict[int, None], start: Vertex, end: Vertex) -> bool:
    """Send one unit more the cheapest way, which may take back what was sent; say whether there is one."""
    leaving: defaultdict[Vertex, list[tuple[Vertex, int, int]]] = defaultdict(list)
    for number, (one, two, cost, _) in enumerate(edges):
        if number in used:
            leaving[two].append((one, -cost, number))
        else:
            leaving[one].append((two, cost, number))
    spent: dict[Vertex, int] = {start: 0}
    back: dict[Vertex, tuple[Vertex, int]] = {}
    queue: dict[Vertex, None] = {start: None}
    while queue:
        at = next(iter(queue))
        del queue[at]
        for other, cost, number in leaving[at]:
            if other not in spent or spent[at] + cost < spent[other]:
                spent[other], back[other] = spent[at] + cost, (at, number)
                queue[other] = None
    if end not in spent:
        return False
    at = end
    while at != start:
        at, number = back[at]
        if number in used:
            del used[number]
        else:
            used[number] = None
    return True


def move(
    on: Plane, place: Callable[[Plane], Found | None], other: Callable[[Path], Found | None]
) -> tuple[Found, Found] | None:
    """Return the cheapest place for a path that leaves room for another one; None after so many tries.

    A path that is not the one found lacks one of its links, so taking each out by turns misses none.
    """
    heap: list[tuple[int, tuple[int, ...], int, frozenset[str], Found]] = []
    seen: set[frozenset[str]] = set()

    def push(without: frozenset[str]) -> None:
        if without in seen:
            return
        seen.add(without)
        less = on.without(frozenset(rank for link in without for rank in on.net.by_link[link]))
        found = place(less)
        if found:
            order = tuple(arc.rank for arc in found.path)
            heappush(heap, (on.cost(found.path), order, len(seen), without, found))

    push(frozenset())
    tried: set[Path] = set()
    while heap and len(seen) < TRIES:
        *_, without, found = heappop(heap)
        if found.path not in tried:
            tried.add(found.path)
            second = other(found.path)
            if second:
                return found, second
        for arc in found.path:
            push(without | {arc.link})
    return None
