"""What joins VPP's tables to the pods of a node, which hang off the host: a link per network, and its routes.

VPP takes one end of a pair of virtual cables, and the host keeps the other; names follow from the network.
The default network of pods is routed over its link. An overlay network is bridged to its link, and VPP is the
gateway in it, so that the host never routes between zones (docs/decisions/0018).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from compiler.allocated import PODS, Allocated, Family
from compiler.derived.addresses import block_share
from compiler.derived.mtu import mtu_in_force, mtu_of
from compiler.derived.overlay import families, networks_of
from compiler.derived.reasons import NAME, block_origins, pod_block_origins, table_origins, zone_origins
from compiler.elements.overlay import HostEnd, HostLink, LinkAddress, Route
from compiler.graph import Element
from compiler.lower.conflists import bridge_name, short_name
from compiler.resolved import Cluster, Network, Resolved, Server
from intent.model import Origin

PODS_LINK: Final = "vpp-pods"
"""VPP's end of the link to the default network of pods …"""
PODS_END: Final = "vph-pods"
"""… and the host's; no overlay network has such names."""
NEAR: Final[dict[Family, str]] = {"ipv4": "169.254.69.2/31", "ipv6": "fd69:6e74:656e::2/127"}
"""VPP's addresses on that link, the same on every node: nobody else sees them …"""
FAR: Final[dict[Family, str]] = {"ipv4": "169.254.69.3", "ipv6": "fd69:6e74:656e::3"}
"""… and those of the host."""


def links(cluster: Cluster, server: Server, allocated: Allocated) -> Iterator[Element]:
    """Yield the links of a node to its pods, where VPP forwards for it."""
    if cluster.spec.dataplane != "vpp":
        return
    yield from _pods(cluster, server, allocated)
    for network in networks_of(cluster, allocated.resolved):
        if network.vrf:
            yield from _network(network, cluster, server, allocated)


def link_name(network: str) -> str:
    """Return VPP's end of the link to an overlay network: at most 15 characters."""
    return f"vp-{short_name(network)}"


def _pods(cluster: Cluster, server: Server, allocated: Allocated) -> Iterator[Element]:
    resolved, table = allocated.resolved, allocated.table[cluster.name, PODS]
    found = families(cluster, PODS, resolved)
    subject = f"{server.intent.subject}/pods/link"
    numbers = table_origins("table", PODS, resolved)
    causes = tuple(origin for family in found for origin in zone_origins(cluster, PODS, family, resolved))
    link = HostLink(subject=subject, origins=(*numbers, *causes), host=PODS_LINK, table=table, families=found)
    yield link
    yield _pods_end(cluster, subject, found, resolved)
    for family in found:
        why = zone_origins(cluster, PODS, family, resolved)
        yield LinkAddress(subject=subject, origins=why, interface=link.name, prefix=NEAR[family])
        yield Route(
            subject=subject,
            origins=(*pod_block_origins("prefix", server, cluster, family), *numbers, *why),
            table=table,
            prefix=str(allocated.pods[server.name, family]),
            next_hop=FAR[family],
            interface=link.name,
        )


def _pods_end(cluster: Cluster, subject: str, found: tuple[Family, ...], resolved: Resolved) -> HostEnd:
    """Return the host's end, with routes to the pods of the whole mesh."""
    mtu, why = mtu_in_force(cluster, resolved)
    others = [resolved.clusters[name] for name in cluster.mesh]
    rows = [
        (str(prefix), other, family)
        for other in others
        for family in found
        if (prefix := getattr(other.spec.pod_cidrs, family)) is not None
    ]
    places = [Origin("routes", other.intent, ("spec", "podCidrs", family)) for _, other, family in rows]
    return HostEnd(
        subject=subject,
        origins=(*why, *places),
        name=PODS_END,
        link=PODS_LINK,
        mtu=mtu,
        addresses=tuple(f"{FAR[family]}/{NEAR[family].partition('/')[2]}" for family in found),
        routes=tuple((prefix, NEAR[family].partition("/")[0]) for prefix, _, family in rows),
    )


def _network(network: Network, cluster: Cluster, server: Server, allocated: Allocated) -> Iterator[Element]:
    resolved, zone = allocated.resolved, network.vrf or PODS
    found = families(cluster, zone, resolved)
    subject = f"{network.intent.subject}/{server.name}/link"
    part = Origin("", network.intent, ("spec", "attachments"), "pods take part")
    causes = tuple(origin for family in found for origin in zone_origins(cluster, zone, family, resolved))
    link = HostLink(
        subject=subject,
        origins=(
            Origin("host", network.intent, NAME),
            part,
            *table_origins("table", zone, resolved),
            *causes,
        ),
        host=link_name(network.name),
        table=allocated.table[cluster.name, zone],
        families=found,
    )
    yield link
    mtu, why = mtu_of(network, cluster, resolved)
    yield HostEnd(
        subject=subject,
        origins=(Origin("name", network.intent, NAME), part, *why),
        name=f"vh-{short_name(network.name)}",
        link=link.host,
        bridge=bridge_name(network.name),
        mtu=mtu,
    )
    for number, subnet in enumerate(network.spec.subnets):
        own = block_share(allocated.block[network.name, str(subnet.cidr), server.name])
        yield LinkAddress(
            subject=subject,
            origins=(
                *block_origins("prefix", network, number, cluster, f"block leased to {server.name}"),
                Origin("interface", network.intent, NAME),
                part,
            ),
            interface=link.name,
            prefix=f"{own.gateway}/{own.block.prefixlen}",
        )
