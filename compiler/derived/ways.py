"""What headends use towards an endpoint: the lists, packed where headends do so, and all that decides them.

Headends whose lists are the same share one way, so that a policy of a mesh has as many elements as there are
different lists, and not one per headend.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from compiler.derived.access import Pair, access, access_of, heads_at, pairs, tails_at
from compiler.derived.candidate import Choice, PathList
from compiler.derived.memo import remembered
from compiler.derived.packing import packed, packs
from compiler.derived.policy import active, candidates, references
from compiler.derived.reasons import NAME, Origins, labels, site
from compiler.derived.segments import link_of, locator_of
from compiler.elements.overlay import SegmentList
from compiler.resolved import Cluster, Resolved, Server
from compiler.te.encode import follow
from compiler.te.topology import topology
from intent.kinds.srv6_policy import Segment, SRv6PolicySpec
from intent.model import Intent, Origin

MOST_LINKS = 24
"""Links of paths that are named one by one; more are named as the whole that they are chosen from."""


_Mesh = tuple[str, ...]
_End = tuple[str, _Mesh]
"""An access router, and the clusters that tunnels to the endpoints there come from."""
_Used = tuple[Pair, Choice, frozenset[str]]
"""What headends between two routers use, and these headends."""


@dataclass(frozen=True, slots=True)
class Way:
    """What some headends of a policy use towards an access router, all the same."""

    key: str
    """Name of the policy; with a router behind it where headends use different lists."""
    heads: frozenset[str]
    choice: Choice
    """The best one, where headends with the same lists use different candidates."""
    rows: tuple[tuple[int, PathList], ...]
    """Weight and steps of each list, in the order of their SIDs; lists with the same SIDs are one."""
    places: Origins = field(compare=False)
    """Where each list was said, or what it was computed from."""


def ways(name: str, node: str, resolved: Resolved) -> tuple[Way, ...]:
    """Return what the headends of a policy use towards a node; those in none use the default path."""
    mesh = resolved.clusters[resolved.servers[node].cluster or ""].mesh
    return _ways(resolved)[name].get((access(resolved)[node], mesh), ())


def towards(name: str, node: str, resolved: Resolved) -> Way | None:
    """Return what all headends use towards a node, where they use the same: BGP tells it to all of them."""
    return next(iter(ways(name, node, resolved)), None)


@remembered
def _ways(resolved: Resolved) -> Mapping[str, Mapping[_End, tuple[Way, ...]]]:
    found = {}
    for name, choices in active(resolved).items():
        intent = resolved.of("SRv6Policy")[name]
        heads, tails = (
            _by_mesh(heads_at(intent, resolved), resolved),
            _by_mesh(tails_at(intent, resolved), resolved),
        )
        meshes: defaultdict[str, list[_Mesh]] = defaultdict(list)
        for router, mesh in tails:
            meshes[router].append(mesh)
        by_end: defaultdict[_End, dict[tuple[object, ...], list[_Used]]] = defaultdict(dict)
        for pair, choice in choices.items():
            lists = tuple((sids, sum(item.weight for item in items)) for sids, items in _lists(choice))
            for mesh in meshes[pair.end]:
                some, ends = heads.get((pair.start, mesh)), tails[pair.end, mesh]
                # A node needs no way to itself.
                if some and (len(some) > 1 or some != ends):
                    by_end[pair.end, mesh].setdefault(lists, []).append((pair, choice, some))
        found[name] = {
            end: tuple(_way(intent, several, len(groups) == 1, resolved) for several in groups.values())
            for end, groups in by_end.items()
        }
    return found


def _by_mesh(nodes: Mapping[str, frozenset[str]], resolved: Resolved) -> Mapping[_End, frozenset[str]]:
    """Return nodes at routers by their mesh, too: no tunnel leads from one to another."""
    found: defaultdict[_End, set[str]] = defaultdict(set)
    for router, names in nodes.items():
        for name in sorted(names):
            found[router, resolved.clusters[resolved.servers[name].cluster or ""].mesh].add(name)
    return {end: frozenset(names) for end, names in found.items()}


def _lists(choice: Choice) -> list[tuple[tuple[str, ...], list[PathList]]]:
    """Return lists with the same SIDs together, in the order of these."""
    found: defaultdict[tuple[str, ...], list[PathList]] = defaultdict(list)
    for item in choice.lists:
        found[tuple(step.sid for step in item.steps)].append(item)
    return sorted(found.items())


def _way(intent: Intent, several: list[_Used], alone: bool, resolved: Resolved) -> Way:  # noqa: FBT001 -- one of two names
    # Of candidates with the same lists, the best one gives its preference.
    choice = max((choice for _, choice, _ in several), key=lambda one: one.candidate.rank)
    rows = tuple((sum(item.weight for item in items), items[0]) for _, items in _lists(choice))
    by_candidate: defaultdict[int, list[tuple[Pair, Choice]]] = defaultdict(list)
    for pair, used, _ in several:
        by_candidate[used.candidate.index].append((pair, used))
    places: list[Origin] = []
    for same in by_candidate.values():
        for at, (_, items) in enumerate(_lists(same[0][1])):
            for item in items:
                places += _said(at, item, (intent, same[0][1]), [pair for pair, _ in same], resolved)
    key = intent.name if alone else f"{intent.name}@{several[0][0].start}"
    starts = frozenset[str]().union(*(heads for _, _, heads in several))
    return Way(key, starts, choice, rows, tuple(dict.fromkeys(places)))


def segment_lists(way: Way, sid: str, intent: Intent, resolved: Resolved) -> tuple[SegmentList, ...]:
    """Return the lists of a way with the service SID at their end, as headends write them."""
    if not packs(intent, resolved):
        return tuple(
            SegmentList(weight, (*(step.sid for step in item.steps), sid)) for weight, item in way.rows
        )
    return tuple(SegmentList(weight, packed(item.steps, sid, resolved)) for weight, item in way.rows)


def _said(
    at: int, item: PathList, what: tuple[Intent, Choice], where: list[Pair], resolved: Resolved
) -> Iterator[Origin]:
    """Yield what one list comes from."""
    intent, choice = what
    path, field_ = ("spec", "candidatePaths", choice.candidate.index), f"lists.{at}"
    rule = f"active candidate {choice.candidate.path.name}"
    if item.path is None:
        yield Origin(field_, intent, (*path, "explicit", item.index), rule)
    else:
        yield Origin(field_, intent, (*path, "dynamic"), rule)
    for step in item.steps:
        if step.place:
            yield Origin(field_, *step.place, f"SID of router {step.router}")
    if item.path is None:
        return
    every = {pair: active(resolved)[intent.name][pair].lists[0].path or () for pair in where}
    links = dict.fromkeys(arc.link for way in every.values() for arc in way)
    for name in links if len(links) <= MOST_LINKS else ():
        place = resolved.underlay.link_origin[name]
        yield Origin(field_, *place, "link of the computed path")
    yield from _computed_from(intent, where[0], resolved)


def _computed_from(intent: Intent, at: Pair, resolved: Resolved) -> Iterator[Origin]:
    """Yield what a computed path made room for, and what limits its list."""
    for other in _referring(resolved).get(intent.name, ()):
        for part in ("headends", "endpoints", "candidatePaths"):
            yield Origin("lists", other, ("spec", part), "made room for it")
    for name in sorted(heads_at(intent, resolved).get(at.start, ())):
        server = resolved.servers[name]
        for place in filter(None, (server.intent, server.profile)):
            if place.spec.max_sids is not None:
                yield Origin("lists", place, ("spec", "maxSids"), "most SIDs of a list")


@remembered
def _referring(resolved: Resolved) -> Mapping[str, list[Intent]]:
    """Return the policies that must share nothing with a policy."""
    found: defaultdict[str, list[Intent]] = defaultdict(list)
    for other in resolved.of("SRv6Policy").values():
        for name in references(other):
            found[name].append(other)
    return found


def endpoint_origins(intent: Intent, server: Server, zone: str, resolved: Resolved) -> Origins:
    """Return why an SRv6Policy leads to an endpoint: what it selects and steers, and what makes it usable."""
    spec: SRv6PolicySpec = intent.spec
    ends = spec.endpoints
    computed = any(path.dynamic for path in spec.candidate_paths)
    return (
        Origin("", intent, ("spec", "endpoints")),
        Origin("", intent, ("spec", "steer", "networks") if zone else ("spec", "steer")),
        *(site(server, "chosen as endpoint") if ends.sites else ()),
        *labels(server, ends.nodes, "chosen as endpoint"),
        # Without a valid candidate the default path is taken, and steering has another BSID.
        Origin("", intent, ("spec", "candidatePaths"), "the best usable candidate"),
        *(_decides(intent, server, resolved) if computed else ()),
        *usable(resolved)[intent.name],
    )


def _decides(intent: Intent, server: Server, resolved: Resolved) -> Iterator[Origin]:
    """Yield what can leave a computed policy without a path, beside its candidates and the underlay."""
    yield access_of(server, resolved, "where the path ends")._replace(field="")
    for name in references(intent):
        for part in ("headends", "endpoints", "candidatePaths"):
            yield Origin("", resolved.of("SRv6Policy")[name], ("spec", part), "shares nothing with it")


def bsid_origins(intent: Intent, server: Server, cluster: Cluster) -> Origins:
    """Return why a policy towards an endpoint has its BSID: pinned, or leased by the policy."""
    if server.name in intent.spec.bsids:
        return (Origin("bsid", intent, ("spec", "bsids", server.name), "pinned"),)
    pool = Origin("bsid", cluster.intent, ("spec", "srv6", "policies"), "leased")
    return (Origin("bsid", intent, NAME, "leased"), pool)


@remembered
def usable(resolved: Resolved) -> Mapping[str, Origins]:
    """Return what decides which lists of each policy are in use: the paths, and what their steps stand on."""
    found = {}
    for name, paths in candidates(resolved).items():
        intent = resolved.of("SRv6Policy")[name]
        where, choices = pairs(intent, resolved), active(resolved)[name]
        ranks = [choices[pair].candidate.rank if pair in choices else (0, 0) for pair in where]
        least = min(ranks, default=(0, 0))
        rows = {Origin("lists", intent, ("spec", "candidatePaths"), "the best usable candidate"): None}
        usable_lists, computed = [], False
        for path in paths:
            for item in path.lists:
                segments = (path.path.explicit or ())[item.index].segments
                watched = [place for segment in segments for place in _watched(segment, resolved)]
                watched += _bridges_under(item, where, resolved)
                if item.valid:
                    usable_lists.append(set(watched))
                if path.rank >= least:
                    rows |= dict.fromkeys(watched)
            if path.path.dynamic:
                computed |= bool(path.ways)
                rows |= dict.fromkeys(underlay_origins(resolved) if path.rank >= least else ())
        # Without what all of them stand on, the policy gives way to the default path; a computed path may
        # stand on anything, so what the lists beside it stand on counts, or else the whole underlay.
        whole = set(underlay_origins(resolved) if computed else ())
        needed = set.intersection(*usable_lists) if usable_lists else whole
        kept = [row for row in rows if row not in needed]
        found[name] = (
            *kept,
            *(row._replace(field="") for row in rows | dict.fromkeys(needed) if row in needed),
        )
    return found


@remembered
def underlay_origins(resolved: Resolved) -> Origins:
    """Return what every computed path was weighed against: links, routers, and facts about links."""
    rows = [
        Origin("lists", intent, ("spec", part), "chosen over all other ways")
        for intent in resolved.of("Underlay").values()
        for part in ("links", "routers")
    ]
    facts = resolved.facts.origins.items()
    rows += [place._replace(field="lists") for name, place in facts if name.startswith("link/")]
    return tuple(rows)


def _watched(segment: Segment, resolved: Resolved) -> Iterator[Origin]:
    """Yield what can take a segment out of use: routers that are drained, links that are down."""
    own = locator_of(segment.sid, resolved) if segment.sid else segment.router
    names = [own or ""]
    link = resolved.underlay.links.get(segment.link or "")
    if segment.sid:
        link = link_of(segment.sid, resolved)
    if link:
        names += [end.at for end in link.ends if end.at != own]
    for name in names:
        if name in resolved.underlay.routers:
            intent, path = resolved.underlay.router_origin[name]
            yield Origin("lists", intent, (*path, "state"), "drained or not")
    if link and f"link/{link.name}" in resolved.facts.origins:
        yield resolved.facts.origins[f"link/{link.name}"]._replace(field="lists")


def _bridges_under(item: PathList, where: tuple[Pair, ...], resolved: Resolved) -> list[Origin]:
    """Return the links that a list stands on since nothing leads around them, and what facts say of them."""
    known, net = _bridges(resolved), topology(resolved)
    found: dict[str, None] = {}
    for pair in where if known and item.valid else ():
        if pair.start and pair.end:
            legs = follow(pair.start, tuple(step.name for step in item.steps), pair.end, net)
            found |= dict.fromkeys(arc.link for leg in legs or () for arc in leg if arc.link in known)
    rows = []
    for name in found:
        rows.append(Origin("lists", *resolved.underlay.link_origin[name], "nothing leads around it"))
        if f"link/{name}" in resolved.facts.origins:
            rows.append(resolved.facts.origins[f"link/{name}"]._replace(field="lists"))
    return rows


@remembered
def _bridges(resolved: Resolved) -> frozenset[str]:
    """Return the links without which routers are cut off from each other."""
    import rustworkx

    several: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for arc in topology(resolved).arcs:
        one, two = sorted((arc.start, arc.end))
        several[one, two].add(arc.link)
    names = sorted(resolved.underlay.routers)
    index = {name: at for at, name in enumerate(names)}
    graph: rustworkx.PyGraph[str, None] = rustworkx.PyGraph()
    graph.add_nodes_from(names)
    graph.add_edges_from([(index[one], index[two], None) for one, two in several])
    cut: Any = rustworkx.bridges(graph)
    ends = (sorted((names[one], names[two])) for one, two in cut)
    return frozenset(name for one, two in ends if len(several[one, two]) == 1 for name in several[one, two])
