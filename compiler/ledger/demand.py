"""Who needs which id: the requests that resolved intent makes of the ledger.

The ledger grows with networks, zones and nodes — never with pairs of nodes: service SIDs and BSIDs belong to
the egress node, and every headend uses the same. Owners and domains are named after stable identities, so
that a lease follows a document, a node, a zone or a subnet through renames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from ipaddress import IPv6Network
from typing import Final

from compiler.allocated import DEFAULT, PODS, Family
from compiler.derived.exits import exit_fabrics
from compiler.derived.overlay import families, networks_of, owns_sids, steered, subnet_blocks, zones_of
from compiler.ledger.requests import (
    Addresses,
    Blocks,
    Numbers,
    Part,
    Request,
    Space,
    Value,
    earlier,
    former,
    owner,
    renamed_words,
)
from compiler.resolved import Cluster, Resolved, Server, Vrf
from intent.kinds.cluster import Overlay
from intent.model import Intent
from intent.scalars import IPNetwork, Ranges
from intent.source import FieldPath

Place = tuple[Intent, FieldPath]
_PER_FABRIC: Final = ("vlan",)
_PER_CLUSTER: Final = ("table", "function", "localsids", "bsid", "pods-ipv4", "pods-ipv6")


def demand(resolved: Resolved) -> Iterator[Request]:
    """Yield every request."""
    yield from _networks(resolved)
    yield from _zones(resolved)
    for cluster in resolved.clusters.values():
        if cluster.spec.srv6:
            yield from _cluster(cluster, cluster.spec.srv6, resolved)
    yield from _policies(resolved)


def renamed_pools(resolved: Resolved) -> dict[str, str]:
    """Return the present names of pools by earlier ones: pools are named after fabric, cluster or subnet."""
    found: dict[str, str] = {}
    for kind, pools in (("Fabric", _PER_FABRIC), ("Cluster", _PER_CLUSTER)):
        documents = resolved.of(kind).values()
        present = {intent.uid for intent in documents}
        for intent in documents:
            for old in former(intent):
                if old not in present:
                    found |= {f"{pool}@{old}": f"{pool}@{intent.uid}" for pool in pools}
    for network in resolved.networks.values():
        if network.overlay_clusters and (network.intent.meta.moved or network.intent.meta.uid):
            for subnet in network.spec.subnets:
                now, *before = _subnet_domains(network.intent, subnet.name, subnet.cidr.version)
                found |= {f"block@{old}": f"block@{now}" for old in before}
    return found


def _subnet_domains(network: Intent, subnet: str, version: int) -> Iterator[str]:
    """Yield the name of the domain that a subnet's blocks count in, and its earlier names."""
    words = earlier(f"subnet/{subnet}", renamed_words(network))
    for uid in (network.uid, *former(network)):
        for word in words:
            yield f"{uid}/{word.partition('/')[2]}/ipv{version}"


class _Asker:
    """Makes the requests of one document's field, which share their place."""

    def __init__(self, intent: Intent, *path: str | int) -> None:
        self.place: Place = (intent, ("spec", *path))

    def ask(
        self,
        slot: str,
        key: tuple[str, ...],
        who: Iterable[Part],
        pool: tuple[str, tuple[str, ...], Space],
        pinned: Value | None = None,
    ) -> Request:
        """Return one request; `pool` is its name, its domains (none: it counts everywhere) and its values."""
        name, formerly = owner(*who)
        base, domains, space = pool
        pools = tuple(f"{base}@{domain}" for domain in domains) or (base,)
        return Request(name, base, pools, formerly, space, pinned, slot, key, *self.place)


def _pools(resolved: Resolved) -> Callable[[str, tuple[str, ...]], Numbers]:
    """Return a function that says which ids all of some fabrics have in common, by pool and fabrics."""

    @cache
    def common(pool: str, fabrics: tuple[str, ...]) -> Numbers:
        default: Ranges = getattr(resolved.spec.pools, pool)
        own: list[Ranges] = [getattr(resolved.fabric(fabric).pools, pool) or default for fabric in fabrics]
        return Numbers(_common(own or [default]))

    return common


def _common(several: list[Ranges]) -> Ranges:
    spans = several[0].spans
    for other in several[1:]:
        spans = tuple(
            (max(low, first), min(high, last))
            for low, high in spans
            for first, last in other.spans
            if max(low, first) <= min(high, last)
        )
    return Ranges(spans)


def _networks(resolved: Resolved) -> Iterator[Request]:
    """Ask for the VNI and the VLAN of each network that reaches a fabric."""
    common = _pools(resolved)
    for network in resolved.networks.values():
        if network.fabrics:
            intent, spec, key, fabrics = network.intent, network.spec, (network.name,), network.fabrics
            name, formerly = owner(intent)
            vni, vlan = common("vni", fabrics), common("vlan", fabrics)
            pools = tuple(f"vlan@{resolved.fabrics[fabric].uid}" for fabric in fabrics)
            place = (intent, ("spec", "vni"))
            yield Request(name, "vni", ("vni",), formerly, vni, spec.vni, "vni", key, *place)
            place = (intent, ("spec", "vlan"))
            yield Request(name, "vlan", pools, formerly, vlan, spec.vlan, "vlan", key, *place)


def _zones(resolved: Resolved) -> Iterator[Request]:
    """Ask for the layer-3 VNI and the carrier VLAN of each zone that reaches a fabric."""
    common = _pools(resolved)
    exits = exit_fabrics(resolved)
    for zone, vrf in resolved.vrfs.items():
        fabrics = {fabric for name in vrf.networks for fabric in resolved.networks[name].fabrics}
        reached = tuple(sorted(fabrics | exits.get(zone, set())))
        if not reached:
            continue
        who, asker = zone_parts(vrf, resolved), _Asker(vrf.intent, "zone")
        yield asker.ask("l3vni", (zone,), who, ("l3vni", (), common("l3vni", reached)))
        for fabric in reached:
            intent = resolved.fabrics[fabric]
            vlan = ("vlan", (intent.uid,), common("vlan", (fabric,)))
            yield asker.ask("zone_vlan", (zone, fabric), (*who, "carrier", intent), vlan)


def zone_parts(vrf: Vrf, resolved: Resolved) -> tuple[Part, ...]:
    """Return the parts that name a zone in owners: its word (and earlier ones), or the network it is of."""
    if not vrf.intent.spec.zone:
        return (vrf.intent, "zone")
    networks = (resolved.networks[name].intent for name in vrf.networks)
    renames = [pair for intent in networks if intent.meta.moved for pair in renamed_words(intent)]
    return (earlier(f"zone/{vrf.name}", renames),)


def _cluster(cluster: Cluster, overlay: Overlay, resolved: Resolved) -> Iterator[Request]:
    """Ask for SID blocks on every data plane; for the rest only where the overlay is ours."""
    here, domains = _Asker(cluster.intent, "srv6"), (cluster.intent.uid,)
    blocks = Blocks(overlay.localsids, overlay.localsid_block_size, skip=1)
    for name in cluster.servers:
        server = resolved.servers[name]
        who, pin = (server.intent, "localsids"), server.pins.localsids
        asker = _Asker(server.intent, "pins", "localsids") if pin else here
        yield asker.ask("localsids", (name,), who, ("localsids", domains, blocks), pin)
    if not owns_sids(cluster):
        return
    calico = cluster.spec.dataplane == "calico-vpp"
    for zone in (PODS,) if calico else (PODS, *zones_of(cluster, resolved)):
        yield from _zone_sids(cluster, zone, here, resolved)
    if calico:
        return  # Calico gives out pod addresses by itself
    for name in cluster.servers:
        yield from _node_blocks(cluster, resolved.servers[name])
    yield from _network_blocks(cluster, resolved)


def _zone_sids(cluster: Cluster, zone: str, here: _Asker, resolved: Resolved) -> Iterator[Request]:
    """Ask for the table of a zone, the function of its service SIDs, and the BSIDs towards each node."""
    domains, pools, overlay = (cluster.intent.uid,), resolved.spec.pools, cluster.spec.srv6
    parts: tuple[Part, ...] = zone_parts(resolved.vrfs[zone], resolved) if zone else ("pods",)
    # Calico has its own tables, and under Linux pods are in the main one.
    if cluster.spec.dataplane == "vpp" or (zone and cluster.spec.dataplane == "linux"):
        table = ("table", domains, Numbers(pools.table_id))
        yield here.ask("table", (cluster.name, zone), (cluster.intent, *parts), table)
    if overlay is None:
        return
    bsid = ("bsid", domains, Addresses(bsid_pool(cluster, overlay)))
    for family in families(cluster, zone, resolved):
        function = ("function", domains, Numbers(pools.sid_function))
        yield here.ask("function", (cluster.name, zone, family), (cluster.intent, *parts, family), function)
        for name in cluster.servers:
            who = (resolved.servers[name].intent, *parts, family)
            yield here.ask("bsid", (name, zone, family, DEFAULT), who, bsid)


def _node_blocks(cluster: Cluster, server: Server) -> Iterator[Request]:
    """Ask for the blocks of pod addresses of a node."""
    sizes, cidrs, pins = cluster.spec.block_sizes, cluster.spec.pod_cidrs, server.pins
    rows: tuple[tuple[Family, IPNetwork | None, int, IPNetwork | None], ...] = (
        ("ipv4", cidrs.ipv4, sizes.ipv4, pins.pods_ipv4),
        ("ipv6", cidrs.ipv6, sizes.ipv6, pins.pods_ipv6),
    )
    for family, prefix, length, pin in rows:
        if prefix is not None:
            pool = (f"pods-{family}", (cluster.intent.uid,), Blocks(prefix, length))
            pinned_at = _Asker(server.intent, "pins", f"podsIpv{family[-1]}")
            asker = pinned_at if pin else _Asker(cluster.intent, "podCidrs")
            yield asker.ask("pods", (server.name, family), (server.intent, "pods", family), pool, pin)


def _network_blocks(cluster: Cluster, resolved: Resolved) -> Iterator[Request]:
    """Ask for the part of each overlay subnet that each node hands out to its pods."""
    for network in networks_of(cluster, resolved):
        for index, subnet in enumerate(network.spec.subnets):
            asker, version = _Asker(network.intent, "subnets", index), subnet.cidr.version
            where = next(_subnet_domains(network.intent, subnet.name, version))
            pool = ("block", (where,), subnet_blocks(network, subnet, resolved))
            for name in cluster.servers:
                who = (
                    network.intent,
                    f"subnet/{subnet.name}",
                    f"ipv{version}",
                    resolved.servers[name].intent,
                )
                yield asker.ask("block", (network.name, str(subnet.cidr), name), who, pool)


def _policies(resolved: Resolved) -> Iterator[Request]:
    """Ask for one BSID per policy, endpoint, zone and family."""
    for name, intent in resolved.of("SRv6Policy").items():
        for node, zone, family, step in steered(intent, resolved):
            cluster = resolved.clusters[resolved.servers[node].cluster or ""]
            if cluster.spec.srv6 is None:
                continue
            pin = intent.spec.bsids.get(node)
            asker = _Asker(intent, "bsids", node) if pin else _Asker(intent, "endpoints")
            parts: tuple[Part, ...] = zone_parts(resolved.vrfs[zone], resolved) if zone else ("pods",)
            who = (intent, resolved.servers[node].intent, *parts, family)
            pool = ("bsid", (cluster.intent.uid,), Addresses(bsid_pool(cluster, cluster.spec.srv6)))
            yield asker.ask("bsid", (node, zone, family, name), who, pool, pin + step if pin else None)


def bsid_pool(cluster: Cluster, overlay: Overlay) -> IPv6Network:
    """Return the BSIDs that are ours."""
    pool = overlay.policies
    # Calico draws from the first half of its pool, so ours come from the second.
    if cluster.spec.dataplane != "calico-vpp" or pool.prefixlen == pool.max_prefixlen:
        return pool
    return list(pool.subnets(1))[1]
