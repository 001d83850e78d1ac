"""The underlay as a graph of routers, and its IGP: which ways packets take between two routers.

The IGP is modelled as it forwards now: links that are down by facts are gone, drained routers still pass
packets on (what leads around them holds with and without them). All ways of equal cost are in use at once
(ECMP). Names are sorted wherever order matters, so that the same intent gives the same answer everywhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from compiler.derived.memo import remembered
from compiler.resolved import Resolved
from intent.kinds.underlay import Router

SLOWEST = 2**24 - 1
"""Largest latency in µs that an IGP can carry (RFC 8570 §4.1); more counts as this."""
ENDLESS = 1 << 30
"""In the place of a limit that nobody said."""


class Arc(NamedTuple):
    """One link between two routers in one direction."""

    rank: int
    """Place by the name of the link and its direction; decides between equals."""
    link: str
    start: str
    end: str
    igp: int
    te: int
    latency: int | None
    """In µs; None where nothing is said."""
    sid: str | None
    """End.X SID at its start that forces it."""
    affinities: frozenset[str]
    srlgs: frozenset[str]


Path = tuple[Arc, ...]


class Sid(NamedTuple):
    """One SID of a list: of a router (End), or of a link at it (End.X)."""

    router: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class Distances:
    """Least costs between routers, worked out for one of them when they are first asked for."""

    routers: tuple[str, ...]
    arcs: tuple[tuple[Arc, int], ...]
    """Arcs with their costs: whole numbers with sums below 2**53."""
    _known: dict[tuple[str, bool], Mapping[str, int]] = field(default_factory=dict, compare=False)
    _graphs: dict[bool, Any] = field(default_factory=dict, compare=False)

    def to(self, end: str) -> Mapping[str, int]:
        """Return the least cost from each router that has a way to `end`."""
        return self._of(end, back=True)

    def since(self, start: str) -> Mapping[str, int]:
        """Return the least cost to each router that is reached from `start`."""
        return self._of(start, back=False)

    def _of(self, router: str, *, back: bool) -> Mapping[str, int]:
        known = self._known.get((router, back))
        if known is None:
            known = self._known[router, back] = self._measured(router, back=back)
        return known

    def _measured(self, router: str, *, back: bool) -> Mapping[str, int]:
        import rustworkx

        index = {name: at for at, name in enumerate(self.routers)}
        if back not in self._graphs:
            graph = self._graphs[back] = rustworkx.PyDiGraph(multigraph=True)
            graph.add_nodes_from(self.routers)
            rows = [(index[arc.start], index[arc.end], cost) for arc, cost in self.arcs]
            # Turned round, one run from an end gives the cost from everywhere.
            graph.add_edges_from([(two, one, cost) for one, two, cost in rows] if back else rows)
        found = rustworkx.dijkstra_shortest_path_lengths(self._graphs[back], index[router], float)
        return {self.routers[at]: int(cost) for at, cost in found.items()} | {router: 0}


@dataclass(frozen=True, slots=True)
class Topology:
    """Routers, the links between them that are up, and the IGP over these."""

    routers: Mapping[str, Router]
    arcs: tuple[Arc, ...]
    """By rank."""
    out: Mapping[str, tuple[Arc, ...]]
    into: Mapping[str, tuple[Arc, ...]]
    by_link: Mapping[str, tuple[int, ...]]
    """Ranks of arcs by their link …"""
    by_srlg: Mapping[str, tuple[int, ...]]
    """… and by their shared-risk group."""
    drained: frozenset[str]
    least_pop: int
    """What the weakest router can pop (RFC 9352 §4.2); ENDLESS where none says it."""
    igp: Distances
    _only: dict[tuple[str, str], Arc | None] = field(default_factory=dict, compare=False)

    def nexts(self, start: str, end: str) -> tuple[Arc, ...]:
        """Return the arcs that packets to `end` leave `start` by; several where ways cost the same."""
        known = self.igp.to(end)
        here = known.get(start)
        if here is None:
            return ()
        return tuple(arc for arc in self.out[start] if arc.end in known and arc.igp + known[arc.end] == here)

    def only(self, start: str, end: str) -> Arc | None:
        """Return the arc by which all packets to `end` leave `start`; None where several or none are."""
        key = (start, end)
        if key not in self._only:
            several = self.nexts(start, end)
            self._only[key] = several[0] if len(several) == 1 else None
        return self._only[key]

    def legs(self, start: str, end: str) -> tuple[Arc, ...]:
        """Return every arc that some shortest way from `start` to `end` uses, those near `start` first."""
        found: dict[Arc, None] = {}
        edge, seen = [start], {start}
        while edge:
            later: dict[str, None] = {}
            for at in edge:
                for arc in self.nexts(at, end):
                    found[arc] = None
                    later[arc.end] = None
            edge = [name for name in later if name not in seen]
            seen.update(edge)
        return tuple(found)


@remembered
def topology(resolved: Resolved) -> Topology:
    """Return the underlay as its routers forward now."""
    return build(resolved.underlay.routers, arcs_of(resolved, resolved.facts.down))


def arcs_of(resolved: Resolved, down: frozenset[str] = frozenset()) -> tuple[Arc, ...]:
    """Return the links between routers in both directions, without those that are down."""
    routers = resolved.underlay.routers
    found: list[Arc] = []
    for name, link in sorted(resolved.underlay.links.items()):
        for one, two in (link.ends, link.ends[::-1]):
            if one.at not in routers or two.at not in routers or name in down:
                continue
            igp = link.igp_metric if one.igp_metric is None else one.igp_metric
            te = one.te_metric or link.te_metric or igp
            latency = link.latency if one.latency is None else one.latency
            sid = str(one.end_x_sid) if one.end_x_sid else None
            colours = frozenset(link.affinities), frozenset(link.srlgs)
            found.append(Arc(len(found), name, one.at, two.at, igp, te, latency, sid, *colours))
    return tuple(found)


def build(routers: Mapping[str, Router], arcs: tuple[Arc, ...]) -> Topology:
    """Return the topology of some routers and arcs."""
    out: defaultdict[str, list[Arc]] = defaultdict(list)
    into: defaultdict[str, list[Arc]] = defaultdict(list)
    by_link: defaultdict[str, list[int]] = defaultdict(list)
    by_srlg: defaultdict[str, list[int]] = defaultdict(list)
    for arc in arcs:
        out[arc.start].append(arc)
        into[arc.end].append(arc)
        by_link[arc.link].append(arc.rank)
        for group in arc.srlgs:
            by_srlg[group].append(arc.rank)
    return Topology(
        routers,
        arcs,
        {name: tuple(out[name]) for name in routers},
        {name: tuple(into[name]) for name in routers},
        {name: tuple(ranks) for name, ranks in by_link.items()},
        {name: tuple(ranks) for name, ranks in by_srlg.items()},
        frozenset(name for name, router in routers.items() if router.state == "drain"),
        min((router.max_sids.end_pop or ENDLESS for router in routers.values()), default=ENDLESS),
        Distances(tuple(sorted(routers)), tuple((arc, arc.igp) for arc in arcs)),
    )
