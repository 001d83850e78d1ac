"""CNI configuration of a node: pods get addresses from its own blocks, so no two nodes hand out the same.

Pods of the default network hang off point-to-point links. Pods of an overlay network hang off one bridge per
network, which the node's agent puts into the table of its zone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from compiler.allocated import PODS, Allocated
from compiler.derived.addresses import block_share, share
from compiler.derived.mtu import mtu_in_force
from compiler.derived.offers import Offer, offers
from compiler.derived.overlay import families
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
    if len(network) <= 12:  # noqa: PLR2004 -- what the three characters before it leave of an interface name
        return f"br-{network}"
    return f"br-{hashlib.sha256(network.encode()).hexdigest()[:12]}"


def _pods(cluster: Cluster, node: str, allocated: Allocated) -> NodeConflist:
    resolved = allocated.resolved
    found = families(cluster, PODS, resolved)
    intent = cluster.intent
    mtu, why = mtu_in_force(cluster, resolved)
    return NodeConflist(
        subject=f"{resolved.servers[node].intent.subject}/pods",
        origins=(
            Origin("", intent, ("spec", "dataplane")),
            Origin("blocks", intent, ("spec", "podCidrs"), "leased"),
            *why,
        ),
        name=POD_NETWORK,
        bridge=None,
        table=allocated.table.get((cluster.name, PODS), 0),
        mtu=mtu,
        blocks=tuple(block_share(allocated.pods[node, family]) for family in found),
        routes=tuple(prefix for prefix in _EVERYTHING if f"ipv{prefix.version}" in found),
    )


def _network(offer: Offer, node: str, allocated: Allocated) -> NodeConflist:
    network, intent = offer.network, offer.network.intent
    mtu, why = mtu_in_force(allocated.resolved.clusters[offer.cluster], allocated.resolved)
    if network.spec.mtu:
        mtu, why = network.spec.mtu, (Origin("mtu", intent, ("spec", "mtu")),)
    blocks = [
        block_share(
            allocated.block[network.name, str(subnet.cidr), node], share(network.spec, subnet, offer.cluster)
        )
        for subnet in network.spec.subnets
    ]
    return NodeConflist(
        subject=f"{intent.subject}/{node}",
        origins=(
            Origin("", intent, offer.path),
            Origin("name", intent, ("metadata", "name")),
            Origin("blocks", intent, ("spec", "subnets"), "leased"),
            Origin("blocks", intent, ("spec", "ipam")),
            *why,
            Origin("routes", intent, ("spec", "zone"), "subnets that the zone reaches"),
        ),
        name=offer.name,
        bridge=bridge_name(network.name),
        table=allocated.table.get((offer.cluster, network.vrf or ""), 0),
        mtu=mtu,
        blocks=tuple(blocks),
        routes=_routes(network, allocated.resolved),
    )


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
