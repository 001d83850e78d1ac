"""Assertions about paths, latency and failures, judged by the topology and the lists in use.

What is judged is the traffic to the pods of the destination: over the lists of the SRv6Policies that take it,
or over the default path, and then over every way of equal cost. Of failures only the underlay between the
access routers counts: a policy that breaks gives way to the default path with the next compile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from compiler.allocated import PODS
from compiler.derived.access import access
from compiler.derived.memo import remembered
from compiler.derived.overlay import families
from compiler.derived.tunnels import Claim, claims
from compiler.resolved import Resolved
from compiler.te.cuts import NOTHING, Cuts
from compiler.te.encode import follow
from compiler.te.measure import Legs, passes, spread
from compiler.te.topology import Arc, Sid, arcs_of, topology
from intent.diagnostics import Report, did_you_mean
from intent.kinds.assertion import LatencyClaim, Pair, PathClaim, Place, SurvivalClaim
from intent.model import Intent

_SHOWN: Final = 3


class Flow(NamedTuple):
    """Traffic that takes the same ways, with one of the pairs of nodes that have it."""

    source: str
    target: str
    start: str
    end: str
    sids: tuple[Sid, ...]
    policy: str
    """SRv6Policy that takes it; empty for the default path."""

    def __str__(self) -> str:
        """Write it for people."""
        over = f"by policy {self.policy!r}" if self.policy else "by the default path"
        return f"from {self.source!r} to {self.target!r} {over}"


def check_path(intent: Intent, claim: PathClaim, resolved: Resolved, report: Report) -> None:
    """Check which routers all ways pass, and which none does."""
    known = resolved.underlay.routers
    unknown = False
    for field, names in (("through", claim.through), ("avoids", claim.avoids)):
        for at, name in enumerate(names):
            if name not in known:
                unknown = True
                text = f"assertion {intent.name!r} names {name!r}, which is no router of an underlay"
                report.error(
                    "IC2386", intent.span("spec", "path", field, at), text, did_you_mean(name, known)
                )
    found = flows(intent, "path", claim, resolved, report)
    if found is None or unknown:
        return
    wrong = []
    for flow, legs in found:
        if legs is None:
            wrong.append(f"{flow} nothing leads there")
            continue
        seen = {name: passes(legs, flow.start, name) for name in (*claim.through, *claim.avoids)}
        wrong += [f"{flow} some traffic does not pass {name}" for name in claim.through if not seen[name][1]]
        wrong += [f"{flow} some traffic passes {name}" for name in claim.avoids if seen[name][0]]
    _tell("IC2383", intent, "path", wrong, report)


def check_latency(intent: Intent, claim: LatencyClaim, resolved: Resolved, report: Report) -> None:
    """Check that the slowest way is fast enough."""
    found = flows(intent, "latency", claim, resolved, report)
    wrong = []
    for flow, legs in found or ():
        slowest = spread(legs or (), lambda arc: arc.latency)
        if legs is None:
            wrong.append(f"{flow} nothing leads there")
            continue
        if isinstance(slowest, Arc):
            wrong.append(f"{flow} the latency of link {slowest.link!r} is not said")
            continue
        most = slowest.most + sum(_of_nodes(flow, resolved))
        if most > claim.at_most:
            wrong.append(f"{flow} it may take {most:,} µs, more than {claim.at_most:,}")
    _tell("IC2384", intent, "latency", wrong, report)


def check_survival(intent: Intent, claim: SurvivalClaim, resolved: Resolved, report: Report) -> None:
    """Check that no failure of so many links and routers parts the places."""
    found = flows(intent, "survives", claim, resolved, report)
    cuts, wrong, seen = _cuts(resolved), [], set()
    for flow, _ in found or ():
        ends = flow.start, flow.end
        if ends not in seen and (failure := cuts.parts(*ends, claim.links, claim.routers)):
            what = f"without {failure}" if failure != NOTHING else "even now"
            wrong.append(f"nothing leads from {flow.source!r} to {flow.target!r} {what}")
        seen.add(ends)
    _tell("IC2385", intent, "survives", wrong, report)


def _tell(code: str, intent: Intent, field: str, wrong: list[str], report: Report) -> None:
    if wrong:
        rest = f", and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        text = f"assertion {intent.name!r} fails: {'; '.join(wrong[:_SHOWN])}{rest}"
        reason = intent.spec.description
        report.error(
            code, intent.span("spec", field), text, f"it was made because: {reason}" if reason else ""
        )


@remembered
def _cuts(resolved: Resolved) -> Cuts:
    return Cuts(topology(resolved))


def _of_nodes(flow: Flow, resolved: Resolved) -> tuple[int, int]:
    """Return the latency of the slowest links between the nodes and their routers; 0 where none is said."""
    known = _uplinks(resolved)
    return known.get((flow.source, flow.start), 0), known.get((flow.end, flow.target), 0)


@remembered
def _uplinks(resolved: Resolved) -> Mapping[tuple[str, str], int]:
    """Return the latency of the slowest link of each node and its router, in each direction."""
    found: dict[tuple[str, str], int] = {}
    for link in resolved.underlay.links.values():
        for here, there in (link.ends, link.ends[::-1]):
            if {here.at, there.at} & resolved.servers.keys():
                said = (link.latency if here.latency is None else here.latency) or 0
                found[here.at, there.at] = max(said, found.get((here.at, there.at), 0))
    return found


def flows(
    intent: Intent, field: str, pair: Pair, resolved: Resolved, report: Report
) -> tuple[tuple[Flow, Legs | None], ...] | None:
    """Return the traffic that is claimed, and its ways (None: it has none); None where none can be judged."""
    sides = [_nodes(place, resolved) for place in (pair.source, pair.destination)]
    why = next((side for side in sides if isinstance(side, str)), "")
    doors = access(resolved)
    if not why and not arcs_of(resolved):
        why = "no underlay describes links"
    nodes = [side for side in sides if not isinstance(side, str)]
    if not why:
        lost = next((name for side in nodes for name in side if not doors[name]), "")
        why = f"node {lost!r} says no access router" if lost else ""
    if why:
        text = f"assertion {intent.name!r} is not checked: {why}"
        report.note("IC2382", intent.span("spec", field, key=True), text)
        return None
    network = pair.destination.network or PODS
    found: dict[tuple[object, ...], Flow] = {}
    sources = _Sources(nodes[0], {})
    for target in nodes[1]:
        for flow in _towards(sources, target, network, resolved):
            found.setdefault((*flow[2:], *_of_nodes(flow, resolved)), flow)
    if not found:
        text = f"assertion {intent.name!r} is not checked: no tunnel leads from one place to the other"
        report.note("IC2382", intent.span("spec", field, key=True), text)
        return None
    net = topology(resolved)
    return tuple((flow, follow(flow.start, flow.sids, flow.end, net)) for flow in found.values())


def _nodes(place: Place, resolved: Resolved) -> tuple[str, ...] | str:
    """Return the nodes of a place, or why it has none in the overlay."""
    if place.external:
        return f"external connection {place.external!r} is no place of the overlay"
    if place.network:
        clusters: Iterable[str] = resolved.networks[place.network].overlay_clusters
        what = f"network {place.network!r} is on no overlay"
    elif place.node:
        cluster = resolved.servers[place.node].cluster
        taken = cluster and resolved.clusters[cluster].spec.srv6
        return (place.node,) if taken else f"node {place.node!r} takes part in no SRv6 overlay"
    else:
        clusters, what = (place.cluster or "",), f"cluster {place.cluster!r} has no SRv6 overlay"
    found = tuple(
        name
        for cluster in clusters
        if resolved.clusters[cluster].spec.srv6
        for name in resolved.clusters[cluster].servers
    )
    return found or what


class _Sources(NamedTuple):
    """Nodes that traffic comes from, so that not each of them has to be asked about each target."""

    names: tuple[str, ...]
    known: dict[tuple[frozenset[str], ...], tuple[str, ...]]

    def unlike(self, several: list[Claim], resolved: Resolved) -> tuple[str, ...]:
        """Return two nodes (one may be the target) of all that some claims cannot tell apart."""
        key = tuple(claim.headends for claim in several)
        if key not in self.known:
            groups: defaultdict[tuple[object, ...], list[str]] = defaultdict(list)
            doors, uplinks = access(resolved), _uplinks(resolved)
            for name in self.names:
                claim = next((at for at, heads in enumerate(key) if name in heads), None)
                latency = uplinks.get((name, doors[name]), 0)
                groups[doors[name], resolved.servers[name].cluster, latency, claim].append(name)
            self.known[key] = tuple(name for names in groups.values() for name in names[:2])
        return self.known[key]


def _towards(sources: _Sources, target: str, network: str, resolved: Resolved) -> Iterator[Flow]:
    """Yield the traffic from some nodes to one, family by family."""
    doors, zone = access(resolved), PODS
    cluster = resolved.clusters[resolved.servers[target].cluster or ""]
    if network:
        zone = resolved.networks[network].vrf or PODS
    for family in families(cluster, zone, resolved):
        several = [
            one for one in _claims(resolved).get((target, zone, family), ()) if network in one.networks
        ]
        for source in sources.unlike(several, resolved):
            here = resolved.clusters[resolved.servers[source].cluster or ""]
            if source == target or here.name not in cluster.mesh:
                continue
            if not network and family not in families(here, PODS, resolved):
                continue
            one = next((one for one in several if source in one.headends), None)
            lists = one.way.choice.lists if one else ()
            ways = [tuple(step.name for step in item.steps) for item in lists] or [()]
            for sids in ways:
                yield Flow(source, target, doors[source], doors[target], sids, one.policy if one else "")


@remembered
def _claims(resolved: Resolved) -> Mapping[tuple[str, str, str], list[Claim]]:
    return claims(resolved)
