"""The way that each SRv6Policy takes through the underlay, hop by hop, for drawing.

Which candidate path is in force, and with which segments, the compiler decides; between two segments packets
follow the IGP, and where several ways cost the same, the first by name is drawn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import NamedTuple

from compiler.derived.access import Pair
from compiler.derived.candidate import Choice, PathList
from compiler.derived.overlay import chosen
from compiler.derived.policy import active
from compiler.resolved import Resolved, Server
from intent.kinds.underlay import End, Link
from intent.model import Intent
from renderers.picture.text import natural


class Hop(NamedTuple):
    """One link in one direction; an empty link is the uplink of a server."""

    start: str
    end: str
    link: str


@dataclass(frozen=True, slots=True)
class Trace:
    """One segment list of one policy."""

    policy: Intent
    index: int
    """Which list of its candidate path."""
    share: float
    """Part of the traffic, up to 1."""
    words: str
    """Segments as people say them."""
    hops: tuple[Hop, ...]
    heads: tuple[str, ...]
    """Servers at which it starts."""
    tails: tuple[str, ...]
    """Servers at which it ends."""


Edges = Mapping[str, tuple[tuple[str, Link, End], ...]]
"""Links that are up, by the end that they leave: other end, link, and the end that holds the metrics."""


def traces(resolved: Resolved, policy: Intent, edges: Edges) -> tuple[Trace, ...]:
    """Return the ways of the candidate paths in force; none where the default path is used."""
    groups: dict[tuple[object, ...], dict[Pair, Choice]] = {}
    for pair, choice in active(resolved)[policy.name].items():
        sids = tuple(tuple(step.sid for step in item.steps) for item in choice.lists)
        groups.setdefault((choice.candidate.index, sids), {})[pair] = choice
    return tuple(trace for group in groups.values() for trace in _lists(resolved, policy, edges, group))


def edges_of(resolved: Resolved) -> Edges:
    """Return the links that are up, by the end that they leave."""
    edges: defaultdict[str, list[tuple[str, Link, End]]] = defaultdict(list)
    for name, link in sorted(resolved.underlay.links.items()):
        if name not in resolved.facts.down:
            one, two = link.ends
            edges[one.at].append((two.at, link, one))
            edges[two.at].append((one.at, link, two))
    return {at: tuple(found) for at, found in edges.items()}


def access(resolved: Resolved, server: Server, edges: Edges) -> str:
    """Return the router at which a server enters the underlay: that of its uplink, else of its first link."""
    if server.uplink:
        return server.uplink.router
    doors = (other for other, _, _ in edges.get(server.name, ()) if other in resolved.underlay.routers)
    return next(doors, "")


def _lists(resolved: Resolved, policy: Intent, edges: Edges, group: Mapping[Pair, Choice]) -> Iterator[Trace]:
    """Yield the lists of headends and endpoints that use the same ones."""
    sides = [chosen(which, resolved) for which in (policy.spec.headends, policy.spec.endpoints)]
    doors = {name: access(resolved, resolved.servers[name], edges) for side in sides for name in side}
    starts, stops = {pair.start for pair in group}, {pair.end for pair in group}
    heads, tails = (
        tuple(sorted((name for name in side if not doors[name] or doors[name] in there), key=natural))
        for side, there in zip(sides, (starts, stops), strict=True)
    )
    lists = next(iter(group.values())).lists
    total = sum(item.weight for item in lists)
    for item in lists:
        steps = [(step.router, step.link) for step in item.steps]
        ways = (
            _through(edges, start, steps, stop)
            for start in sorted({doors[name] for name in heads} - {""})
            for stop in sorted({doors[name] for name in tails} - {""})
        )
        hops = tuple(dict.fromkeys(hop for way in ways for hop in way))
        if hops:
            yield Trace(policy, item.index, item.weight / total, _say(item, steps), hops, heads, tails)


def _say(item: PathList, steps: Iterable[tuple[str, str]]) -> str:
    names = (f"{router} ({link})" if link else router for router, link in steps)
    said = " → ".join(name or step.sid for name, step in zip(names, item.steps, strict=True))
    return said or "as the IGP routes"


def _through(edges: Edges, start: str, steps: Iterable[tuple[str, str]], stop: str) -> tuple[Hop, ...]:
    """Return the hops over all steps; nothing where one of them cannot be reached."""
    hops: list[Hop] = []
    at = start
    for router, link in (*steps, (stop, "")):
        if router != at:
            way = walk(edges, at, router)
            if not way:
                return ()
            hops += way
            at = router
        for other, found, _ in edges.get(at, ()):
            if found.name == link:
                hops.append(Hop(at, other, link))
                at = other
                break
    return tuple(hops)


def walk(edges: Edges, start: str, stop: str) -> tuple[Hop, ...]:
    """Return the way with the lowest IGP metric between two routers; nothing where there is none."""
    heap: list[tuple[int, tuple[Hop, ...], str]] = [(0, (), start)]
    done: set[str] = set()
    while heap:
        spent, way, at = heappop(heap)
        if at == stop:
            return way
        if at in done:
            continue
        done.add(at)
        for other, link, end in edges.get(at, ()):
            if other not in done:
                price = link.igp_metric if end.igp_metric is None else end.igp_metric
                heappush(heap, (spent + price, (*way, Hop(at, other, link.name)), other))
    return ()
