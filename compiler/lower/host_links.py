"""What joins VPP's tables to the pods of a node, which hang off the host: a link per network, and its routes.

VPP takes one end of a pair of virtual cables that the host has made; both names follow from the network. The
default network of pods is routed over its link. An overlay network is bridged to its link, and VPP is the
gateway in it, so that the host never routes between zones (docs/decisions/0018).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

from compiler.allocated import PODS, Allocated, Family
from compiler.derived.addresses import block_share
from compiler.derived.overlay import families, networks_of
from compiler.derived.reasons import NAME, block_origins, pod_block_origins, table_origins, zone_origins
from compiler.elements.overlay import HostLink, LinkAddress, Route
from compiler.graph import Element
from compiler.resolved import Cluster, Network, Server
from intent.model import Origin

PODS_LINK: Final = "vpp-pods"
"""VPP's end of the link to the default network of pods."""
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
    if len(network) <= 12:  # noqa: PLR2004 -- what the three characters before it leave of an interface name
        return f"vp-{network}"
    return f"vp-{hashlib.sha256(network.encode()).hexdigest()[:12]}"


def _pods(cluster: Cluster, server: Server, allocated: Allocated) -> Iterator[Element]:
    resolved, table = allocated.resolved, allocated.table[cluster.name, PODS]
    found = families(cluster, PODS, resolved)
    subject = f"{server.intent.subject}/pods/link"
    numbers = table_origins("table", PODS, resolved)
    causes = tuple(origin for family in found for origin in zone_origins(cluster, PODS, family, resolved))
    link = HostLink(subject=subject, origins=(*numbers, *causes), host=PODS_LINK, table=table, families=found)
    yield link
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
