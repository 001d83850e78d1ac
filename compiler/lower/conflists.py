"""CNI configuration of a node: pods get addresses from its own blocks, so no two nodes hand out the same.

Pods of the default network hang off point-to-point links. Pods of an overlay network hang off one bridge per
network: the node's agent puts it into the table of its zone, or VPP is the gateway on it (host_links).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from compiler.allocated import PODS, Allocated
from compiler.derived.addresses import block_share, share
from compiler.derived.memo import remembered
from compiler.derived.mtu import mtu_in_force, mtu_of
from compiler.derived.offers import Offer, offers
from compiler.derived.overlay import families
from compiler.derived.reasons import block_origins, imported, pod_block_origins, zone_place
from compiler.elements.pods import NodeConflist
from compiler.resolved import Cluster, Network, Resolved
from intent.kinds.virtual_network import OverlayAttachment
from intent.model import Origin
from intent.scalars import IPNetwork

POD_NETWORK: Final = "intentc-pods"
"""Name of the default network of pods."""
_EVERYTHING: Final[tuple[IPNetwork, ...]] = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))


def lower_conflists(allocated: Allocated, name: str) -> Iterator[NodeConflist]:
    """Yield the networks that a node configures for itself, where the data plane is ours."""
    resolved = allocated.resolved
    cluster_name, _, node = name.partition("/")
    cluster = resolved.clusters[cluster_name]
    if cluster.spec.srv6 is None or cluster.spec.dataplane == "calico-vpp":
        return
    yield _pods(cluster, node, allocated)
    for offer in offers(resolved)[cluster_name]:
        if isinstance(offer.attachment, OverlayAttachment):
            yield _network(offer, node, allocated)


def bridge_name(network: str) -> str:
    """Return the bridge of an overlay network on every node: at most 15 characters."""
    return f"br-{short_name(network)}"


def short_name(network: str) -> str:
    """Return what stands for a network in the names of its interfaces: at most 12 characters."""
    if len(network) <= 12:  # noqa: PLR2004 -- what three characters before it leave of an interface name
        return network
    return hashlib.sha256(network.encode()).hexdigest()[:12]


def _pods(cluster: Cluster, node: str, allocated: Allocated) -> NodeConflist:
    resolved = allocated.resolved
    found = families(cluster, PODS, resolved)
    intent = cluster.intent
    mtu, why = mtu_in_force(cluster, resolved)
    server = resolved.servers[node]
    blocks = [place for family in found for place in pod_block_origins("blocks", server, cluster, family)]
    routes = [
        Origin("routes", intent, ("spec", "podCidrs", family), f"pods have {family}") for family in found
    ]
    return NodeConflist(
        subject=f"{server.intent.subject}/pods",
        origins=(*blocks, *routes, *why),
        name=POD_NETWORK,
        bridge=None,
        gateway=True,
        table=allocated.table.get((cluster.name, PODS), 0),
        mtu=mtu,
        blocks=tuple(block_share(allocated.pods[node, family]) for family in found),
        routes=tuple(prefix for prefix in _EVERYTHING if f"ipv{prefix.version}" in found),
    )


def _network(offer: Offer, node: str, allocated: Allocated) -> NodeConflist:
    network, intent = offer.network, offer.network.intent
    cluster = allocated.resolved.clusters[offer.cluster]
    mtu, why = mtu_of(network, cluster, allocated.resolved)
    blocks = [
        block_share(
            allocated.block[network.name, str(subnet.cidr), node], share(network.spec, subnet, offer.cluster)
        )
        for subnet in network.spec.subnets
    ]
    pairs = zip(blocks, network.spec.subnets, strict=True)
    kept = any(subnet.gateway_address in block.block for block, subnet in pairs)
    return NodeConflist(
        subject=f"{intent.subject}/{node}",
        origins=(
            Origin("", intent, offer.path),
            Origin("name", intent, ("metadata", "name")),
            *(
                place
                for number in range(len(blocks))
                for place in block_origins("blocks", network, number, cluster, "leased")
            ),
            Origin("blocks", intent, ("spec", "ipam")),
            *((Origin("blocks", intent, ("spec", "gateway")),) if kept else ()),
            *why,
            *_reached(allocated.resolved)[network.name],
        ),
        name=offer.name,
        bridge=bridge_name(network.name),
        gateway=cluster.spec.dataplane != "vpp",
        table=allocated.table.get((offer.cluster, network.vrf or ""), 0),
        mtu=mtu,
        blocks=tuple(blocks),
        routes=_routes(network, allocated.resolved),
    )


@remembered
def _reached(resolved: Resolved) -> Mapping[str, tuple[Origin, ...]]:
    """Return why pods of each overlay network reach others: whose subnets those are, and who joins them."""
    found: dict[str, tuple[Origin, ...]] = {}
    for network in resolved.networks.values():
        if not network.overlay_clusters or network.vrf is None:
            found[network.name] = ()
            continue
        vrf = resolved.vrfs[network.vrf]
        members = [name for zone in (vrf.name, *vrf.imports) for name in resolved.vrfs[zone].networks]
        reached = [resolved.networks[name] for name in members if resolved.networks[name].overlay_clusters]
        others = [
            Origin("routes", other.intent, path, "subnets that the zone reaches")
            for other in reached
            for path in (("spec", "subnets"), ("spec", "attachments"), zone_place(other.intent))
            if other is not network or path[-1] != "attachments"
        ]
        own = Origin("routes", network.intent, ("spec", "ipam", "routes"))
        found[network.name] = (*others, own, *imported(vrf, vrf.imports, "routes", resolved))
    return found


def _routes(network: Network, resolved: Resolved) -> tuple[IPNetwork, ...]:
    """Return what pods reach over the overlay: subnets of the zone and of the zones that it imports."""
    if network.vrf is None:
        return ()
    vrf = resolved.vrfs[network.vrf]
    members = [name for zone in (vrf.name, *vrf.imports) for name in resolved.vrfs[zone].networks]
    found = {
        subnet.cidr
        for name in members
        if resolved.networks[name].overlay_clusters
        for subnet in resolved.networks[name].spec.subnets
    }
    versions = {subnet.cidr.version for subnet in network.spec.subnets}
    wanted = found.union(network.spec.ipam.routes)
    return tuple(
        sorted(
            (prefix for prefix in wanted if prefix.version in versions),
            key=lambda prefix: (prefix.version, int(prefix.network_address), prefix.prefixlen),
        )
    )
