"""Lowering of SR policies that travel by BGP (SAFI 73): what the injector of a cluster announces.

Calico-VPP nodes announce their default paths themselves; there we announce what SRv6Policies change, ending
in the SIDs that the egress node announced (facts), at most one policy per node and family: its NLRI stays the
same whatever policy leads there, so that one takes the place of the other. Towards nodes that are ours we
announce every policy, since their agents have no other source of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from compiler.allocated import PODS, Allocated, Family
from compiler.derived.announcements import BEHAVIORS, FAMILY_COLORS, PREFERENCE, PRIORITY, distinguisher
from compiler.derived.memo import remembered
from compiler.derived.overlay import SID_FACT, owns_sids, steered
from compiler.derived.reasons import Origins, identity, memberships, zone_origins
from compiler.derived.tunnels import Exit, tunnels
from compiler.derived.ways import Way, bsid_origins, endpoint_origins, segment_lists, towards
from compiler.elements.overlay import Hop, Policy, PolicyInjection, SegmentList
from compiler.graph import Element
from compiler.resolved import Cluster, Resolved, Server
from intent.kinds.facts import NodeSids
from intent.model import Intent, Origin


def announced(allocated: Allocated, name: str) -> Iterator[Element]:
    """Yield what one cluster announces."""
    found = allocated.resolved.clusters[name]
    if found.spec.srv6 is None or found.spec.control_plane != "bgp" or found.spec.bgp.injector is None:
        return
    if owns_sids(found):
        for item in tunnels(allocated).exits[name]:
            for which, policy in item.policies.items():
                yield _ours(found, item, which, policy, allocated)
    else:
        yield from _calico(found, allocated)


def _calico(found: Cluster, allocated: Allocated) -> Iterator[Element]:
    """Yield the policies that SRv6Policies put in the place of the nodes' own."""
    resolved = allocated.resolved
    for name, targets in _engineered(resolved).items():
        intent = resolved.of("SRv6Policy")[name]
        for node, family in targets:
            way = towards(name, node, resolved)
            server, sids = resolved.servers[node], resolved.facts.nodes.get(node)
            sid = getattr(sids, SID_FACT[family]) if sids else None
            if not (way and sids and sid and server.cluster in found.mesh):
                continue
            lists = segment_lists(way, str(sid), intent, resolved)
            # Without a SID on the way it is what the node announces of itself.
            if [len(item.sids) for item in lists] != [1]:
                aim = _Aim(server, family, sids, lists, way)
                yield _towards_calico(found, aim, intent, allocated)


@remembered
def _engineered(resolved: Resolved) -> Mapping[str, tuple[tuple[str, Family], ...]]:
    """Return the endpoints and families that each SRv6Policy engineers in Calico clusters under BGP."""
    found = {}
    for name, intent in resolved.of("SRv6Policy").items():
        rows = []
        for node, zone, family, _ in steered(intent, resolved):
            spec = resolved.clusters[resolved.servers[node].cluster or ""].spec
            if (
                zone == PODS
                and spec.dataplane == "calico-vpp"
                and spec.control_plane == "bgp"
                and family in intent.spec.steer.pods
            ):
                rows.append((node, family))
        found[name] = tuple(rows)
    return found


@dataclass(frozen=True, slots=True)
class _Aim:
    """Where a policy towards a Calico-VPP node leads: endpoint, family, what it announced, and the way."""

    server: Server
    family: Family
    facts: NodeSids
    lists: tuple[SegmentList, ...]
    way: Way


def _towards_calico(found: Cluster, aim: _Aim, intent: Intent, allocated: Allocated) -> PolicyInjection:
    """Return what the injector of a cluster announces for one endpoint and family."""
    candidate = aim.way.choice.candidate
    resolved, node, family = allocated.resolved, aim.server.name, aim.family
    fact = resolved.facts.origins[f"node/{node}"]
    cluster = resolved.clusters[aim.server.cluster or ""]
    targets, targets_origins = _route_targets(found, node, resolved)
    where = ("spec", "candidatePaths", candidate.index)
    return PolicyInjection(
        subject=f"{intent.subject}/{aim.server.intent.uid}/{family}",
        origins=(
            *_plane(found),
            *endpoint_origins(intent, aim.server, PODS, resolved),
            *memberships(resolved)[node],
            *zone_origins(cluster, PODS, family, resolved),
            Origin("color", intent, ("spec", "steer", "pods"), f"says the family: {family}"),
            Origin("endpoint", fact.intent, (*fact.path, "address"), "announced by the node"),
            *bsid_origins(intent, aim.server, cluster),
            Origin("preference", intent, (*where, "preference")),
            *aim.way.places,
            Origin("lists", fact.intent, (*fact.path, SID_FACT[family]), "service SID of the node"),
            *targets_origins,
        ),
        distinguisher=distinguisher(found.name, FAMILY_COLORS[family]),
        color=FAMILY_COLORS[family],
        endpoint=str(aim.facts.address),
        bsid=str(allocated.bsid[node, PODS, family, intent.name]),
        preference=candidate.path.preference,
        priority=PRIORITY,
        next_hop=str(found.spec.bgp.injector),
        route_targets=targets,
        lists=_hops(aim.lists, family),
    )


def _ours(found: Cluster, item: Exit, which: str, policy: Policy, allocated: Allocated) -> PolicyInjection:
    """Return the announcement of one policy towards a node that is ours; `which` is its SRv6Policy."""
    resolved, server = allocated.resolved, allocated.resolved.servers[item.node]
    preference, color = PREFERENCE, FAMILY_COLORS[item.family]
    said: Origins = ()
    way = towards(which, item.node, resolved) if which else None
    if way:
        intent, candidate = resolved.of("SRv6Policy")[which], way.choice.candidate
        preference, color = candidate.path.preference, intent.spec.color
        where = ("spec", "candidatePaths", candidate.index, "preference")
        said = (Origin("color", intent, ("spec", "color")), Origin("preference", intent, where))
    targets, targets_origins = _route_targets(found, item.node, resolved)
    function = Origin("distinguisher", resolved.project, ("spec", "pools", "sidFunction"), "leased")
    return PolicyInjection(
        subject=policy.subject,
        origins=(
            *policy.origins,
            *_plane(found),
            Origin("endpoint", server.intent, ("spec", "ipv6")),
            function,
            *said,
            *targets_origins,
        ),
        distinguisher=distinguisher(found.name, allocated.function[found.name, item.zone, item.family]),
        color=color,
        endpoint=str(server.ipv6),
        bsid=policy.bsid,
        preference=preference,
        priority=PRIORITY,
        next_hop=str(found.spec.bgp.injector),
        route_targets=targets,
        lists=_hops(policy.lists, item.family),
        egress=policy.egress,
    )


def _hops(lists: tuple[SegmentList, ...], family: Family) -> tuple[tuple[int, tuple[Hop, ...]], ...]:
    """Return lists whose last SID says what it does."""
    return tuple(
        (item.weight, (*(Hop(sid) for sid in item.sids[:-1]), Hop(item.sids[-1], BEHAVIORS[family])))
        for item in lists
    )


def _plane(found: Cluster) -> Origins:
    """Return what makes a cluster announce policies at all."""
    intent = found.intent
    return (
        Origin("", intent, ("spec", "dataplane"), "who announces what"),
        Origin("", intent, ("spec", "controlPlane"), "policies travel by BGP"),
        Origin("next_hop", intent, ("spec", "bgp", "injector")),
        *(Origin(field, intent, ("spec", "bgp", "injection")) for field in ("no_advertise", "route_targets")),
        *(origin._replace(field="distinguisher") for origin in identity(intent, "marks what is announced")),
    )


def _route_targets(found: Cluster, endpoint: str, resolved: Resolved) -> tuple[tuple[str, ...], Origins]:
    """Return the BGP identifiers of all headends, where a reflector stands between; and why."""
    if found.spec.bgp.injection != "reflected":
        return (), ()
    rows = [row for row in _headends(resolved)[found.name] if row[0] != endpoint]
    return tuple(row[1] for row in rows), tuple(origin for row in rows for origin in row[2])


@remembered
def _headends(resolved: Resolved) -> Mapping[str, tuple[tuple[str, str, Origins], ...]]:
    """Return all nodes that take part in the mesh of each cluster: name, BGP identifier, and why."""
    found = {}
    for cluster in resolved.clusters.values():
        names = sorted(name for other in cluster.mesh for name in resolved.clusters[other].servers)
        found[cluster.name] = tuple(
            (
                name,
                str(resolved.servers[name].ipv4),
                (
                    Origin("route_targets", resolved.servers[name].intent, ("spec", "ipv4"), "a headend"),
                    *(origin._replace(field="route_targets") for origin in memberships(resolved)[name]),
                ),
            )
            for name in names
            if resolved.servers[name].ipv4
        )
    return found
