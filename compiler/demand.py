"""Who needs which id: the requests that resolved intent makes of the ledger.

The ledger grows with networks, zones and nodes — never with pairs of nodes: service SIDs and BSIDs belong to
the egress node, and every headend uses the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv6Network

from compiler.allocated import DEFAULT, PODS, Family
from compiler.overlay import families, steered, subnet_blocks, zones_of
from compiler.requests import Addresses, Blocks, Numbers, Request, Space, Value, owner
from compiler.resolved import Cluster, Network, Resolved, Server
from intent.kinds.cluster import Overlay
from intent.model import Intent
from intent.scalars import IPNetwork, Ranges
from intent.source import FieldPath


def demand(resolved: Resolved) -> Iterator[Request]:
    """Yield every request."""
    for network in resolved.networks.values():
        if network.fabrics:
            yield from _network(network, resolved)
    yield from _zones(resolved)
    for cluster in resolved.clusters.values():
        if cluster.spec.srv6:
            yield from _cluster(cluster, cluster.spec.srv6, resolved)
    yield from _policies(resolved)


def _ask(
    slot: str, key: tuple[str, ...], who: Iterable[Intent | str], pool: str, domains: tuple[str, ...], space: Space,
    place: tuple[Intent, FieldPath], pinned: Value | None = None,
) -> Request:
    name, formerly = owner(*who)
    return Request(slot, key, name, formerly, pool, domains, space, pinned, *place)


def _pool(resolved: Resolved, fabrics: Iterable[str], name: str) -> Numbers:
    """Return the ids that all of some fabrics have in common; those of the project where no fabric says its own."""
    own: list[Ranges] = [pool for fabric in fabrics if (pool := getattr(resolved.fabric(fabric).pools, name)) is not None]
    default: Ranges = getattr(resolved.spec.pools, name)
    return Numbers(_common(own) if own else default)


def _common(several: list[Ranges]) -> Ranges:
    spans = several[0].spans
    for other in several[1:]:
        spans = tuple(
            (max(low, first), min(high, last)) for low, high in spans for first, last in other.spans if max(low, first) <= min(high, last)
        )
    return Ranges(spans)


def _network(network: Network, resolved: Resolved) -> Iterator[Request]:
    intent, spec = network.intent, network.spec
    yield _ask("vni", (network.name,), [intent], "vni", ("",), _pool(resolved, network.fabrics, "vni"), (intent, ("spec", "vni")), spec.vni)
    yield _ask("vlan", (network.name,), [intent], "vlan", network.fabrics, _pool(resolved, network.fabrics, "vlan"), (intent, ("spec", "vlan")), spec.vlan)


def _zones(resolved: Resolved) -> Iterator[Request]:
    """Ask for the layer-3 VNI and the carrier VLAN of each zone that reaches a fabric."""
    exits: dict[str, set[str]] = {}
    for intent in resolved.of("ExternalConnection").values():
        exits.setdefault(intent.spec.zone, set()).add(intent.spec.fabric)
    for zone, vrf in resolved.vrfs.items():
        fabrics = {fabric for name in vrf.networks for fabric in resolved.networks[name].fabrics} | exits.get(zone, set())
        if not fabrics:
            continue
        place = (vrf.intent, ("spec", "zone"))
        who = [vrf.intent, "zone"] if not vrf.intent.spec.zone else [vrf.subject]
        yield _ask("l3vni", (zone,), who, "l3vni", ("",), _pool(resolved, sorted(fabrics), "l3vni"), place)
        for fabric in sorted(fabrics):
            yield _ask("zone_vlan", (zone, fabric), [*who, "carrier", fabric], "vlan", (fabric,), _pool(resolved, [fabric], "vlan"), place)


def _cluster(cluster: Cluster, overlay: Overlay, resolved: Resolved) -> Iterator[Request]:
    """Ask for SID blocks on every data plane; for the rest only where the overlay is ours."""
    here = (cluster.intent, ("spec", "srv6"))
    blocks = Blocks(overlay.localsids, overlay.localsid_block_size, skip=1)
    for name in cluster.servers:
        server = resolved.servers[name]
        yield _ask("localsids", (name,), [server.intent, "localsids"], "localsids", (cluster.name,), blocks, here, server.pins.localsids)
    if cluster.spec.dataplane == "calico-vpp":
        return
    pools = resolved.spec.pools
    for zone in (PODS, *zones_of(cluster, resolved)):
        who: list[Intent | str] = [cluster.intent, f"zone/{zone}" if zone else "pods"]
        yield _ask("table", (cluster.name, zone), who, "table", (cluster.name,), Numbers(pools.table_id), here)
        for family in families(cluster, zone, resolved):
            yield _ask("function", (cluster.name, zone, family), [*who, family], "function", (cluster.name,), Numbers(pools.sid_function), here)
            for name in cluster.servers:
                who_node: list[Intent | str] = [resolved.servers[name].intent, *who[1:], family]
                yield _ask("bsid", (name, zone, family, DEFAULT), who_node, "bsid", (cluster.name,), Addresses(overlay.policies), here)
    for name in cluster.servers:
        yield from _node_blocks(cluster, resolved.servers[name])
    yield from _network_blocks(cluster, resolved)


def _node_blocks(cluster: Cluster, server: Server) -> Iterator[Request]:
    place: tuple[Intent, FieldPath] = (cluster.intent, ("spec", "podCidrs"))
    sizes, cidrs, pins = cluster.spec.block_sizes, cluster.spec.pod_cidrs, server.pins
    rows: list[tuple[Family, IPNetwork | None, int, IPNetwork | None]] = [
        ("ipv4", cidrs.ipv4, sizes.ipv4, pins.pods_ipv4),
        ("ipv6", cidrs.ipv6, sizes.ipv6, pins.pods_ipv6),
    ]
    for family, prefix, length, pin in rows:
        if prefix is not None:
            yield _ask("pods", (server.name, family), [server.intent, "pods", family], f"pods-{family}", (cluster.name,), Blocks(prefix, length), place, pin)


def _network_blocks(cluster: Cluster, resolved: Resolved) -> Iterator[Request]:
    """Ask for the part of each overlay subnet that each node hands out to its pods."""
    for network in resolved.networks.values():
        if cluster.name not in network.overlay_clusters:
            continue
        for index, subnet in enumerate(network.spec.subnets):
            space = subnet_blocks(network, subnet, resolved)
            place: tuple[Intent, FieldPath] = (network.intent, ("spec", "subnets", index))
            for name in cluster.servers:
                who = [network.intent, f"subnet/{subnet.name}", f"ipv{subnet.cidr.version}", resolved.servers[name].intent]
                yield _ask("block", (network.name, str(subnet.cidr), name), who, "block", (f"{network.intent.uid}/{subnet.name}/ipv{subnet.cidr.version}",), space, place)


def _policies(resolved: Resolved) -> Iterator[Request]:
    """Ask for one BSID per policy, endpoint, zone and family."""
    for name, intent in resolved.of("SRv6Policy").items():
        place: tuple[Intent, FieldPath] = (intent, ("spec", "endpoints"))
        for node, zone, family, step in steered(intent, resolved):
            cluster = resolved.clusters[resolved.servers[node].cluster or ""]
            if cluster.spec.srv6 is None:
                continue
            pin = intent.spec.bsids.get(node)
            who = [intent, resolved.servers[node].intent, f"zone/{zone}" if zone else "pods", family]
            space = Addresses(bsid_pool(cluster, cluster.spec.srv6))
            yield _ask("bsid", (node, zone, family, name), who, "bsid", (cluster.name,), space, place, pin + step if pin else None)


def bsid_pool(cluster: Cluster, overlay: Overlay) -> IPv6Network:
    """Return the BSIDs that are ours: Calico draws from the first half of the pool, so ours come from the second."""
    if cluster.spec.dataplane != "calico-vpp":
        return overlay.policies
    return list(overlay.policies.subnets(1))[1]
