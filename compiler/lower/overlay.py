"""Lowering of the SRv6 overlay that is ours: the slice of a node, and the static routes of an access router.

A node gets tables per VRF and family, underlay routes, the ranges of SIDs that are ours, its encapsulation
source, its service SIDs, one policy per (remote node, family, VRF), and steering of each remote block to it —
in this order, which is safe to create.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from compiler.allocated import MAIN, PODS, Allocated, Family
from compiler.derived.memo import remembered
from compiler.derived.overlay import families, zones_of
from compiler.derived.reasons import imported, memberships, sid_block_origins, table_origins, zone_origins
from compiler.derived.tunnels import Exit, Tunnels, chosen_by, tunnels
from compiler.elements.overlay import (
    BEHAVIOR,
    EncapSource,
    Localsid,
    Policy,
    Route,
    Steering,
    Table,
)
from compiler.graph import Element
from compiler.lower.host_links import links
from compiler.resolved import Cluster, Resolved, Server
from intent.model import Origin


def node(allocated: Allocated, name: str) -> Iterator[Element]:
    """Yield the overlay of one node (CLUSTER/NODE) of a data plane that is ours."""
    cluster_name, _, server_name = name.partition("/")
    resolved = allocated.resolved
    cluster, server = resolved.clusters[cluster_name], resolved.servers[server_name]
    if cluster.spec.srv6 is None or cluster.spec.dataplane == "calico-vpp":
        return
    known = tunnels(allocated)
    own = {(item.zone, item.family): item for item in known.exits[cluster_name] if item.node == server_name}
    yield from _tables(cluster, allocated)
    yield from links(cluster, server, allocated)
    yield from _underlay_routes(cluster, server, allocated)
    yield from _owned_ranges(cluster, server, allocated)
    yield from _local_routes(cluster, own, allocated)
    yield from _source(cluster, server)
    for item in own.values():
        yield _localsid(item, allocated)
    yield from _tunnels(cluster, server_name, known, allocated)


def _tables(cluster: Cluster, allocated: Allocated) -> Iterator[Element]:
    for zone, several in _zones(allocated)[cluster.name].items():
        if (cluster.name, zone) not in allocated.table:
            continue  # the main one
        about = allocated.resolved.vrfs[zone].intent if zone else cluster.intent
        origins = table_origins("number", zone, allocated.resolved)
        for family in several:
            yield Table(
                subject=f"{about.subject}/overlay/table",
                origins=(*origins, *zone_origins(cluster, zone, family, allocated.resolved)),
                number=allocated.table_of(cluster.name, zone),
                family=family,
                # A zone may be renamed; a table cannot without being taken from under SIDs and steering.
                name="intentc/zone" if zone else "intentc/pods",
            )


@remembered
def _zones(allocated: Allocated) -> Mapping[str, Mapping[str, tuple[Family, ...]]]:
    """Return the zones of each cluster and their families, that of the pods first."""
    resolved = allocated.resolved
    return {
        cluster.name: {
            zone: families(cluster, zone, resolved) for zone in (PODS, *zones_of(cluster, resolved))
        }
        for cluster in resolved.clusters.values()
    }


@remembered
def _importers(allocated: Allocated) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Return the zones whose tables lead to a zone, itself first, by cluster and zone."""
    vrfs = allocated.resolved.vrfs
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for cluster, zones in _zones(allocated).items():
        rows: defaultdict[str, list[str]] = defaultdict(list)
        for zone in zones:
            rows[zone].insert(0, zone)
            for other in vrfs[zone].imports if zone else ():
                rows[other].append(zone)
        found[cluster] = {zone: tuple(several) for zone, several in rows.items()}
    return found


def _underlay_routes(cluster: Cluster, server: Server, allocated: Allocated) -> Iterator[Element]:
    """Route the locators of routers and the localsid supernets of the mesh over the uplink."""
    resolved, uplink = allocated.resolved, server.uplink
    if uplink is None:
        return
    via = (
        Origin("next_hop", server.intent, ("spec", "uplink", "nextHop")),
        Origin("interface", server.intent, ("spec", "uplink", "interface")),
    )
    targets: dict[str, tuple[str, Origin]] = {}
    for name in cluster.mesh:
        other = resolved.clusters[name]
        if other.spec.srv6:
            place = Origin("prefix", other.intent, ("spec", "srv6", "localsids"))
            targets.setdefault(
                str(other.spec.srv6.localsids), (f"{other.intent.subject}/overlay/localsids", place)
            )
    for name, router in resolved.underlay.routers.items():
        intent, path = resolved.underlay.router_origin[name]
        place = Origin("prefix", intent, (*path, "locator"))
        targets.setdefault(str(router.locator), (f"{intent.subject}/{name}/locator", place))
    # A supernet that is the block of this node alone leads nowhere else.
    targets.pop(str(allocated.localsids[server.name,]), None)
    for prefix, (subject, place) in targets.items():
        yield Route(
            subject=subject,
            origins=(place, *via),
            table=MAIN,
            prefix=prefix,
            next_hop=str(uplink.next_hop),
            interface=uplink.interface,
        )


def _owned_ranges(cluster: Cluster, server: Server, allocated: Allocated) -> Iterator[Element]:
    """Discard what is sent to SIDs of the node and to BSIDs that are not there: so they cannot loop.

    These aggregates are also what tells our SIDs and policies from those of others on the data plane.
    """
    block = str(allocated.localsids[server.name,])
    origins = sid_block_origins("prefix", server, cluster, f"block of {server.name}")
    ranges = {block: (f"{server.intent.subject}/overlay/localsids", origins)}
    for name in cluster.mesh:
        other = allocated.resolved.clusters[name]
        if other.spec.srv6:
            place = Origin("prefix", other.intent, ("spec", "srv6", "policies"))
            ranges.setdefault(
                str(other.spec.srv6.policies), (f"{other.intent.subject}/overlay/bsids", (place,))
            )
    for prefix, (subject, places) in ranges.items():
        yield Route(subject=subject, origins=places, table=MAIN, prefix=prefix, drop=True)


def _local_routes(
    cluster: Cluster, own: Mapping[tuple[str, Family], Exit], allocated: Allocated
) -> Iterator[Element]:
    """Lead from the table of an importing zone to the node's own blocks of the exporting zone."""
    zones = _zones(allocated)[cluster.name]
    for (zone, family), item in own.items():
        for other in _importers(allocated)[cluster.name].get(zone, ()):
            if other == zone or family not in zones[other]:
                continue
            causes = (
                *imported(allocated.resolved.vrfs[other], (zone,), "", allocated.resolved),
                *table_origins("table", other, allocated.resolved),
                *table_origins("lookup", zone, allocated.resolved),
                *zone_origins(cluster, other, family, allocated.resolved),
            )
            for block in item.blocks:
                yield Route(
                    subject=f"{item.subject}/from/{other}",
                    origins=(*block.origins, *causes),
                    table=allocated.table_of(cluster.name, other),
                    prefix=block.prefix,
                    lookup=allocated.table_of(cluster.name, zone),
                )


def _source(cluster: Cluster, server: Server) -> Iterator[Element]:
    overlay = cluster.spec.srv6
    if server.ipv6 is None or overlay is None:
        return
    yield EncapSource(
        subject=f"{server.intent.subject}/overlay/source",
        origins=(
            Origin("address", server.intent, ("spec", "ipv6")),
            Origin("hop_limit", cluster.intent, ("spec", "srv6", "hopLimit")),
        ),
        address=str(server.ipv6),
        hop_limit=overlay.hop_limit,
    )


def _localsid(item: Exit, allocated: Allocated) -> Localsid:
    return Localsid(
        subject=item.subject,
        origins=(*item.sid_origins, *table_origins("table", item.zone, allocated.resolved)),
        sid=item.sid,
        behavior=BEHAVIOR[item.family],
        table=allocated.table_of(item.cluster, item.zone),
    )


def _tunnels(cluster: Cluster, headend: str, known: Tunnels, allocated: Allocated) -> Iterator[Element]:
    """Yield policies to all other nodes of the mesh, then the steering onto them."""
    importers, zones = _importers(allocated)[cluster.name], _zones(allocated)[cluster.name]
    policies: dict[str, Policy] = {}
    steerings: list[Steering] = []
    for name in cluster.mesh:
        for item in known.exits.get(name, ()):
            tables = [zone for zone in importers.get(item.zone, ()) if item.family in zones[zone]]
            if item.node == headend or not tables:
                continue
            for way in item.ways(headend):
                policies[way[0].bsid] = way[0]
                for zone in tables:
                    steerings += known.steerings(cluster, zone, way, allocated)
    for heads, item, which, prefix, origin in known.prefixes:
        if (
            headend not in heads
            or item.node == headend
            or item.cluster not in cluster.mesh
            or item.family not in zones[PODS]
        ):
            continue
        policy = item.policies[which]
        policies[policy.bsid] = policy
        steerings.append(
            Steering(
                subject=policy.subject,
                origins=(origin, *table_origins("table", PODS, allocated.resolved), *chosen_by(policy)),
                table=allocated.table_of(cluster.name, PODS),
                family=item.family,
                prefix=prefix,
                bsid=policy.bsid,
            )
        )
    # By BGP policies come to the node by themselves, and it knows by their BSID which of them it needs.
    if cluster.spec.control_plane != "bgp":
        yield from policies.values()
    yield from steerings


def access_routes(allocated: Allocated, router: str) -> Iterator[Element]:
    """Yield the static routes of an access router to the localsid block of each node that hangs off it."""
    for cluster, server in _attached(allocated).get(router, ()):
        uplink = server.uplink
        hop = uplink.address or server.ipv6 if uplink else None
        if uplink is None or hop is None:
            continue
        said: tuple[str | int, ...] = ("spec", "uplink", "address") if uplink.address else ("spec", "ipv6")
        interface = _towards(router, server.name, allocated.resolved)
        yield Route(
            subject=f"{allocated.resolved.underlay.router_origin[router][0].subject}/{router}/static-routes",
            origins=(
                *sid_block_origins("prefix", server, cluster, f"block of {server.name}"),
                *memberships(allocated.resolved)[server.name],
                Origin("next_hop", server.intent, said),
                Origin("", server.intent, ("spec", "uplink", "router")),
                *((interface[1],) if interface else ()),
            ),
            table=MAIN,
            prefix=str(allocated.localsids[server.name,]),
            next_hop=str(hop),
            interface=interface[0] if interface else None,
        )


@remembered
def _attached(allocated: Allocated) -> Mapping[str, list[tuple[Cluster, Server]]]:
    """Return the nodes with an overlay by their access router."""
    found: defaultdict[str, list[tuple[Cluster, Server]]] = defaultdict(list)
    for cluster in allocated.resolved.clusters.values():
        for name in cluster.servers if cluster.spec.srv6 else ():
            server = allocated.resolved.servers[name]
            if server.uplink:
                found[server.uplink.router].append((cluster, server))
    return found


def _towards(router: str, server: str, resolved: Resolved) -> tuple[str, Origin] | None:
    """Return the router's interface towards a node, where a link says it."""
    return _node_links(resolved).get((router, server))


@remembered
def _node_links(resolved: Resolved) -> Mapping[tuple[str, str], tuple[str, Origin]]:
    found = {}
    for name, link in resolved.underlay.links.items():
        intent, path = resolved.underlay.link_origin[name]
        for index, end in enumerate(link.ends):
            if end.at in resolved.underlay.routers and end.interface:
                place = Origin("interface", intent, (*path, "ends", index, "interface"))
                found[end.at, link.ends[1 - index].at] = (end.interface, place)
    return found
