"""The ways out of a fabric: sub-interfaces, BGP neighbours and static routes of one ExternalConnection.

A neighbour and a next hop belong to the link whose prefix holds them; a neighbour that is several hops away
belongs to the first link of its switch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from compiler.elements.fabric import ExternalLink, ExternalPeer, StaticRoute
from compiler.graph import Element
from intent.kinds.external_connection import BorderPort, ExternalConnectionSpec
from intent.kinds.external_connection import ExternalPeer as Peer
from intent.model import Intent, Origin
from intent.scalars import IPAddress, IPNetwork


def border(intent: Intent) -> Iterator[Element]:
    """Yield links, then the neighbours and routes that need them."""
    spec: ExternalConnectionSpec = intent.spec
    yield from _links(intent, spec)
    for index, peer in enumerate(spec.peers):
        port = link_of(peer, spec)
        if port:
            yield _peer(intent, index, peer, port)
    for index, route in enumerate(spec.static_routes):
        for switch in sorted(
            {port.switch for port in spec.ports if port.address and route.next_hop in port.address}
        ):
            yield StaticRoute(
                subject=intent.subject,
                origins=(
                    Origin("", intent, ("spec", "staticRoutes", index)),
                    Origin("zone", intent, ("spec", "zone")),
                ),
                connection=intent.name,
                zone=spec.zone,
                switch=switch,
                family=family_of(route.prefix),
                prefix=str(route.prefix),
                next_hop=str(route.next_hop),
            )


def family_of(value: IPNetwork | IPAddress) -> Literal["ipv4", "ipv6"]:
    """Return the address family as a word."""
    return "ipv4" if value.version == 4 else "ipv6"  # noqa: PLR2004 -- the IP version


def link_of(peer: Peer, spec: ExternalConnectionSpec) -> BorderPort | None:
    """Return the link to a neighbour: the one whose prefix holds it, or the first of its switch."""
    here = [port for port in spec.ports if port.switch == peer.switch]
    near = next((port for port in here if port.address and peer.address in port.address), None)
    return near or (here[0] if here and peer.multihop else None)


def local_address(port: BorderPort) -> str | None:
    """Return our address on a link with its prefix length."""
    if port.address is None:
        return None
    # RFC 3021 and RFC 6164: both addresses of a /31 or /127 are hosts.
    first = port.address.network_address + (
        0 if port.address.max_prefixlen - port.address.prefixlen <= 1 else 1
    )
    return f"{port.local or first}/{port.address.prefixlen}"


def _links(intent: Intent, spec: ExternalConnectionSpec) -> Iterator[Element]:
    """Yield one element per sub-interface; two entries of different families make one."""
    merged: dict[tuple[str, str, int], list[int]] = {}
    for index, port in enumerate(spec.ports):
        merged.setdefault((port.switch, port.port, port.vlan), []).append(index)
    for (switch, name, vlan), indexes in sorted(merged.items()):
        ports = [spec.ports[index] for index in indexes]
        addresses = {family_of(port.address): local_address(port) for port in ports if port.address}
        yield ExternalLink(
            subject=intent.subject,
            origins=(
                *(Origin("", intent, ("spec", "ports", index)) for index in indexes),
                Origin("zone", intent, ("spec", "zone")),
                Origin("description", intent, ("spec", "description")),
            ),
            connection=intent.name,
            zone=spec.zone,
            switch=switch,
            port=name,
            vlan=vlan,
            ipv4=addresses.get("ipv4"),
            ipv6=addresses.get("ipv6"),
            mtu=min((port.mtu for port in ports if port.mtu), default=None),
            description=spec.description or "",
        )


def _peer(intent: Intent, index: int, peer: Peer, port: BorderPort) -> Element:
    return ExternalPeer(
        subject=intent.subject,
        origins=(Origin("", intent, ("spec", "peers", index)), Origin("zone", intent, ("spec", "zone"))),
        connection=intent.name,
        zone=intent.spec.zone,
        switch=peer.switch,
        port=port.port,
        vlan=port.vlan,
        family=family_of(peer.address),
        address=str(peer.address),
        asn=peer.asn,
        bfd=peer.bfd,
        password=str(peer.password) if peer.password else None,
        multihop=peer.multihop,
        imports=tuple(map(str, peer.imports)),
        exports=tuple(map(str, peer.exports)),
    )
