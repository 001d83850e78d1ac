"""Why things are there: the lines of intent that decide whether a node, a zone or a policy exists at all.

A value names the field that it comes from where it is made. Here is what lies behind whole objects: which
nodes are in which cluster, which network gives a zone its families, which pool an id was leased from. Each
tuple is built once and shared by all that it explains, so it costs a mesh of n nodes n tuples and not n².
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from compiler.allocated import PODS, Family
from compiler.derived.memo import remembered
from compiler.resolve.routing import zone_of
from compiler.resolved import Cluster, Network, Resolved, Server, Vrf
from intent.kinds.virtual_network import OverlayAttachment
from intent.model import Intent, Origin, Selector
from intent.source import FieldPath

Origins = tuple[Origin, ...]
NAME: FieldPath = ("metadata", "name")
"""Stands for the identity of a document: leases and names are made of it."""


def identity(intent: Intent, rule: str = "") -> Origins:
    """Return what a document is called, and its range where it stands for many."""
    found = (Origin("", intent, NAME, rule),)
    return (*found, Origin("", intent, ("spec", "range"), "one of many")) if intent.words else found


def labels(server: Server, selector: Selector | None, rule: str) -> Origins:
    """Return where those labels of a node are said that a selector reads."""
    if selector is None:
        return ()
    keys = dict.fromkeys((*selector.match_labels, *(one.key for one in selector.match_expressions)))
    return tuple(origin for key in keys for origin in _merged(server, ("labels", key), rule))


def site(server: Server, rule: str) -> Origins:
    """Return where the site of a node is said."""
    return _merged(server, ("site",), rule)


def _merged(server: Server, path: tuple[str, ...], rule: str) -> Origins:
    """Return where a node, and its profile below it, say something."""
    own = Origin("", server.intent, ("spec", *path), rule)
    if server.profile is None or (path[0] == "labels" and path[1] in server.intent.spec.labels):
        return (own,)
    place = Origin("", server.intent, ("spec", "profile"), rule)
    return (own, place, Origin("", server.profile, ("spec", *path), rule))


@remembered
def memberships(resolved: Resolved) -> Mapping[str, Origins]:
    """Return why each node is in its cluster, by node."""
    found: dict[str, Origins] = {}
    for cluster in resolved.clusters.values():
        selector: Selector = cluster.spec.nodes
        chosen = Origin("", cluster.intent, ("spec", "nodes"), f"nodes of cluster {cluster.name}")
        for name in cluster.servers:
            server = resolved.servers[name]
            found[name] = (
                *identity(server.intent, f"node of cluster {cluster.name}"),
                chosen,
                *labels(server, selector, "chosen by label"),
                Origin("", server.intent, ("spec", "role"), "nodes of Kubernetes only"),
            )
    return found


@remembered
def clusters(resolved: Resolved) -> Mapping[str, Origins]:
    """Return why the nodes of each cluster have tunnels to others, by cluster."""
    found: dict[str, Origins] = {}
    for cluster in resolved.clusters.values():
        found[cluster.name] = identity(cluster.intent)
        if cluster.spec.srv6 and cluster.spec.srv6.mesh:
            found[cluster.name] += (Origin("", cluster.intent, ("spec", "srv6", "mesh"), "meshed clusters"),)
    return found


def why(kind: str, name: str, resolved: Resolved) -> Origins:
    """Return why a scope is there, and what holds for all in it."""
    if kind == "node":
        return _node(name, resolved)
    if kind == "cluster":
        return identity(resolved.clusters[name].intent)
    if kind == "fabric":
        intent = resolved.fabrics[name]
        return (*identity(intent), Origin("", intent, ("spec", "provider")))
    intent, path = resolved.underlay.router_origin[name]
    return (Origin("", intent, (*path, "name")),)


def _node(name: str, resolved: Resolved) -> Origins:
    cluster_name, _, node = name.partition("/")
    cluster, server = resolved.clusters[cluster_name], resolved.servers[node]
    found = [*memberships(resolved)[node], *clusters(resolved)[cluster_name]]
    found.append(Origin("", cluster.intent, ("spec", "dataplane")))
    if cluster.spec.srv6:
        # A field that every overlay says stands for the overlay as a whole.
        found.append(Origin("", cluster.intent, ("spec", "srv6", "localsids"), "nodes of an overlay"))
        found.append(Origin("", cluster.intent, ("spec", "controlPlane"), "how policies reach nodes"))
    if len(cluster.mesh) > 1:
        found.append(Origin("", cluster.intent, ("spec", "podCidrs"), "families that others are reached in"))
    heads = [intent.spec.headends for intent in resolved.of("SRv6Policy").values()]
    if any(head.sites for head in heads):
        found += site(server, "chooses the policies of the node")
    for head in heads:
        found += labels(server, head.nodes, "chooses the policies of the node")
    if server.uplink and any(
        path.dynamic for one in resolved.of("SRv6Policy").values() for path in one.spec.candidate_paths
    ):
        found.append(Origin("", server.intent, ("spec", "uplink"), "where computed paths begin"))
    return tuple(dict.fromkeys(found))


def zone_place(network: Intent) -> FieldPath:
    """Return where a network says its zone: in its zone, or by its own name."""
    return ("spec", "zone") if network.spec.zone else NAME


@remembered
def _providers(resolved: Resolved) -> Mapping[tuple[str, str, str], Origins]:
    """Return what gives a zone a family in a cluster: a network with a subnet of it, and pods there."""
    found: dict[tuple[str, str, str], Origins] = {}
    for vrf in resolved.vrfs.values():
        for name in vrf.networks:
            network = resolved.networks[name]
            if not network.overlay_clusters:
                continue
            where = {
                cluster: index
                for index, attachment in enumerate(network.spec.attachments)
                if isinstance(attachment, OverlayAttachment)
                for cluster in attachment.clusters
            }
            for number, subnet in enumerate(network.spec.subnets):
                for cluster, index in where.items():
                    key = (cluster, vrf.name, f"ipv{subnet.cidr.version}")
                    if key not in found:
                        found[key] = (
                            Origin("", network.intent, zone_place(network.intent), "zone of the overlay"),
                            Origin("", network.intent, ("spec", "subnets", number, "cidr"), key[2]),
                            Origin("", network.intent, ("spec", "attachments", index), "pods take part"),
                        )
    return found


def zone_origins(cluster: Cluster, zone: str, family: Family, resolved: Resolved) -> Origins:
    """Return why a zone (or the pods' default network) has a family in a cluster."""
    if zone == PODS:
        return (Origin("", cluster.intent, ("spec", "podCidrs", family), f"pods have {family}"),)
    return _providers(resolved)[cluster.name, zone, family]


def sid_block_origins(field: str, server: Server, cluster: Cluster, rule: str) -> Origins:
    """Return why a node has its block of service SIDs: pinned, or leased."""
    if server.pins.localsids:
        return (
            Origin(field, server.intent, ("spec", "pins", "localsids"), f"{rule}, pinned"),
            Origin("", cluster.intent, ("spec", "srv6"), "its nodes have SIDs"),
        )
    parts = ("localsids", "localsidBlockSize")
    return tuple(Origin(field, cluster.intent, ("spec", "srv6", part), f"{rule}, leased") for part in parts)


def pod_block_origins(field: str, server: Server, cluster: Cluster, family: Family) -> Origins:
    """Return why a node has its block of pod addresses: pinned, or leased."""
    pinned = server.pins.pods_ipv4 if family == "ipv4" else server.pins.pods_ipv6
    if pinned:
        place: FieldPath = ("spec", "pins", f"pods{family.capitalize()}")
        return (Origin(field, server.intent, place, "pinned block"),)
    rule, parts = f"block leased to {server.name}", ("podCidrs", "blockSizes")
    return tuple(Origin(field, cluster.intent, ("spec", part, family), rule) for part in parts)


def block_origins(field: str, network: Network, number: int, cluster: Cluster, rule: str) -> Origins:
    """Return why a node has its block of a subnet."""
    intent = network.intent
    index = next(
        index
        for index, attachment in enumerate(network.spec.attachments)
        if isinstance(attachment, OverlayAttachment) and cluster.name in attachment.clusters
    )
    paths: tuple[FieldPath, ...] = (
        NAME,
        ("spec", "subnets", number),
        ("spec", "ipam", "perNodeBlockSize"),
        ("spec", "attachments", index),
    )
    return tuple(Origin(field, intent, path, rule) for path in paths)


def table_origins(field: str, zone: str, resolved: Resolved) -> Origins:
    """Return why a table has its number: leased by the zone."""
    pool = Origin(field, resolved.project, ("spec", "pools", "tableId"), f"leased for {zone or 'pods'}")
    if not zone:
        return (pool,)
    first = resolved.vrfs[zone].intent
    return (pool, Origin(field, first, zone_place(first), f"leased for zone {zone}"))


@remembered
def _joined(resolved: Resolved) -> Mapping[str, Mapping[str, Origins]]:
    """Return, by router and zone, why the router chooses the zone."""
    found: dict[str, dict[str, Origins]] = {}
    networks = resolved.of("VirtualNetwork")
    for router in resolved.of("VirtualNetworkRouter").values():
        selector: Selector = router.spec.networks
        rows: dict[str, Origins] = {}
        for name in sorted(networks.keys() & set(selector.names)) if selector.names else networks:
            network = networks[name]
            zone = zone_of(network)
            if zone and zone not in rows and selector.chooses(name, network.meta.labels):
                keys = (*selector.match_labels, *(one.key for one in selector.match_expressions))
                places = [zone_place(network), *(("metadata", "labels", key) for key in keys)]
                rows[zone] = tuple(Origin("", network, path, "chosen by the router") for path in places)
        found[router.name] = rows
    return found


def imported(vrf: Vrf, exporters: Iterable[str], field: str, resolved: Resolved) -> Origins:
    """Return why a zone reaches others: routers, those that they import, and networks that they choose."""
    zones, chosen, routers = (vrf.name, *exporters), _joined(resolved), resolved.of("VirtualNetworkRouter")
    found: dict[Origin, None] = {}
    for router in vrf.causes:
        several = (router, *(routers[name] for name in router.spec.imports))
        if not any(zone in chosen[one.name] for one in several for zone in zones[1:]):
            continue
        for index, _ in enumerate(router.spec.imports):
            found[Origin(field, router, ("spec", "imports", index), "routes between zones")] = None
        for one in several:
            found[Origin(field, one, ("spec", "networks"), "routes between zones")] = None
            found[Origin(field, one, ("spec", "type"))] = None
            for origin in (origin for zone in zones for origin in chosen[one.name].get(zone, ())):
                found[origin._replace(field=field)] = None
    return tuple(found)
