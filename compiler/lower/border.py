"""The ways out of a fabric: sub-interfaces, BGP neighbours and static routes of one ExternalConnection."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.derived.exits import family_of, link_of, local_address
from compiler.elements.fabric import ExternalLink, ExternalPeer, StaticRoute
from compiler.graph import Element
from intent.kinds.external_connection import BorderPort, ExternalConnectionSpec
from intent.kinds.external_connection import ExternalPeer as Peer
from intent.model import Intent, Origin


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
                    Origin("", intent, ("spec", "ports"), "the link of the next hop"),
                    *_document(intent),
                ),
                connection=intent.name,
                zone=spec.zone,
                switch=switch,
                family=family_of(route.prefix),
                prefix=str(route.prefix),
                next_hop=str(route.next_hop),
            )


def _document(intent: Intent) -> tuple[Origin, ...]:
    """Return what every part of a connection stands on."""
    return (
        Origin("connection", intent, ("metadata", "name")),
        Origin("", intent, ("spec", "fabric")),
        Origin("zone", intent, ("spec", "zone")),
    )


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
                Origin("description", intent, ("spec", "description")),
                *_document(intent),
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
        origins=(
            Origin("", intent, ("spec", "peers", index)),
            Origin("", intent, ("spec", "ports", intent.spec.ports.index(port)), "its link"),
            *_document(intent),
        ),
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
