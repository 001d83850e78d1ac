"""What one FRR switch holds of a fabric, and the values that its templates are filled with.

Elements are sorted to their switches in one walk; a redundancy group gives its networks to both of its
leaves.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any, Final

from compiler.elements.fabric import (
    Attachment,
    Binding,
    ExternalLink,
    ExternalPeer,
    Fabric,
    Lag,
    PortConfig,
    StaticRoute,
    Switch,
    VirtualNetwork,
    Vrf,
)
from compiler.graph import Element

VXLAN: Final = 50
"""Bytes of Ethernet, IPv4, UDP and VXLAN header around a frame's IP packet (RFC 7348)."""
NAME: Final = 15
"""Longest name of a Linux interface."""


@dataclass(slots=True)
class SwitchView:
    """The elements of one switch; filled by `views` only."""

    fabric: Fabric
    switch: Switch
    zones: list[Vrf] = field(default_factory=list)
    bindings: list[Binding] = field(default_factory=list)
    networks: list[VirtualNetwork] = field(default_factory=list)
    lags: list[Lag] = field(default_factory=list)
    ports: list[PortConfig] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    links: list[ExternalLink] = field(default_factory=list)
    peers: list[ExternalPeer] = field(default_factory=list)
    routes: list[StaticRoute] = field(default_factory=list)

    def parts(self) -> Iterator[Element]:
        """Yield every element that the switch holds."""
        yield from (self.fabric, self.switch, *self.zones, *self.bindings, *self.networks, *self.lags)
        yield from (*self.ports, *self.attachments, *self.links, *self.peers, *self.routes)

    def values(self) -> dict[str, Any]:
        """Return what the templates ask for."""
        tunnel_mtu = self.fabric.underlay_mtu - VXLAN
        bonds = {lag.name: _bond(lag, self.switch.name) for lag in self.lags}
        mtus = {port.port: port.mtu for port in self.ports}
        vlans = {network.name: network.vlan for network in self.networks}
        bridged = {item.port for item in self.attachments}
        return {
            "switch": self.switch,
            "overlay": self.switch.role != "spine",
            "uplinks": self.switch.uplinks,
            "loopbacks": list(dict.fromkeys([self.switch.loopback, self.switch.vtep]))
            if self.switch.role != "spine"
            else [self.switch.loopback],
            "gateway_mac": self.fabric.gateway_mac,
            "router_mac": router_mac(self.switch.loopback or ""),
            "underlay_mtu": self.fabric.underlay_mtu,
            "tunnel_mtu": tunnel_mtu,
            "zones": [_zone(zone, self) for zone in self.zones],
            "networks": [_network(network) for network in self.networks],
            "lags": [_lag(lag, self.switch.name, bonds[lag.name], mtus) for lag in self.lags],
            "ports": [
                {"name": port.port, "mtu": port.mtu, "bridged": port.port in bridged}
                for port in self.ports
                if not port.lag
            ],
            "exits": [_exit(link, mtus[link.port]) for link in self.links],
            "members": [
                {
                    "device": bonds[item.lag] if item.lag else item.port,
                    "vlan": vlans[item.network],
                    "tagged": item.tagged,
                }
                for item in self.attachments
            ],
        }


def views(fabric: Fabric, elements: tuple[Element, ...]) -> Iterator[SwitchView]:
    """Yield each switch with what belongs to it."""
    found = {item.name: SwitchView(fabric, item) for item in elements if isinstance(item, Switch)}
    networks = {item.name: item for item in elements if isinstance(item, VirtualNetwork)}
    zones = {item.name: item for item in elements if isinstance(item, Vrf)}
    lags = {item.name: item for item in elements if isinstance(item, Lag)}
    on = {name: sorted({member.switch for member in lag.members}) for name, lag in lags.items()}
    for name, lag in lags.items():
        for switch in on[name]:
            found[switch].lags.append(lag)
    _bind(found, networks, elements)
    for item in elements:
        if isinstance(item, Attachment):
            for switch in on[item.lag] if item.lag else [item.switch or ""]:
                found[switch].attachments.append(item)
        elif isinstance(item, PortConfig | ExternalLink | ExternalPeer | StaticRoute):
            _part(found[item.switch], item)
    for view in found.values():
        wanted = {network.vrf for network in view.networks} | {link.zone for link in view.links}
        view.zones.extend(zone for name, zone in sorted(zones.items()) if name in wanted)
        yield view


def _bind(
    found: Mapping[str, SwitchView], networks: Mapping[str, VirtualNetwork], elements: tuple[Element, ...]
) -> None:
    """Give each network to the switches that it is bound to."""
    groups: defaultdict[str, list[SwitchView]] = defaultdict(list)
    for view in found.values():
        groups[view.switch.group or ""].append(view)
    for item in elements:
        if isinstance(item, Binding):
            for view in groups[item.group] if item.group else [found[item.switch or ""]]:
                view.bindings.append(item)
                view.networks.append(networks[item.network])


def _part(view: SwitchView, item: PortConfig | ExternalLink | ExternalPeer | StaticRoute) -> None:
    if isinstance(item, PortConfig):
        view.ports.append(item)
    elif isinstance(item, ExternalLink):
        view.links.append(item)
    elif isinstance(item, ExternalPeer):
        view.peers.append(item)
    else:
        view.routes.append(item)


def router_mac(loopback: str) -> str:
    """Return a locally administered MAC made of the router id: EVPN routes carry it, so it must last."""
    return ":".join(f"{byte:02x}" for byte in (2, 0, *IPv4Address(loopback).packed))


def device(stem: str, name: str) -> str:
    """Return the name of a link: readable where it fits, else its stem's head and a hash."""
    return name if len(name) <= NAME else f"{stem}-{hashlib.sha256(name.encode()).hexdigest()[:10]}"


def _zone(zone: Vrf, view: SwitchView) -> dict[str, Any]:
    peers = [peer for peer in view.peers if peer.zone == zone.name]
    return {
        "name": zone.name,
        "l3vni": zone.l3vni,
        "vlan": zone.vlan,
        "imports": [zone.route_target, *zone.import_targets],
        "exports": [zone.route_target, *zone.export_targets],
        "routes": [route for route in view.routes if route.zone == zone.name],
        # Named after the neighbour, so that a further one leaves the filters of the others alone.
        "peers": [_peer(peer, f"{zone.name}-{peer.address}") for peer in peers],
    }


def _peer(peer: ExternalPeer, prefix_list: str) -> dict[str, Any]:
    names = ("address", "asn", "connection", "bfd", "multihop", "family", "imports", "exports")
    return {**{name: getattr(peer, name) for name in names}, "list": prefix_list}


def _network(network: VirtualNetwork) -> dict[str, Any]:
    return {
        "vni": network.vni,
        "vlan": network.vlan,
        "vrf": network.vrf,
        "mtu": network.mtu,
        "route_target": network.route_target,
        "gateways": [subnet.gateway for subnet in network.subnets if subnet.gateway],
    }


def _bond(lag: Lag, switch: str) -> str:
    """Return the name of a LAG's bond on a switch: after its first port there, which no other bond has."""
    return device("bond", f"bond-{min(member.port for member in lag.members if member.switch == switch)}")


def _lag(lag: Lag, switch: str, name: str, mtus: Mapping[str, int]) -> dict[str, Any]:
    members = [member.port for member in lag.members if member.switch == switch]
    return {
        "device": name,
        "name": lag.name,
        "members": members,
        "esi": lag.esi,
        "system_id": lag.system_id,
        "rate": lag.lacp_rate,
        "mtu": min(map(mtus.__getitem__, members)),
    }


def _exit(link: ExternalLink, mtu: int) -> dict[str, Any]:
    return {
        "port": link.port,
        "device": device("ext", f"{link.port}.{link.vlan}"),
        "vlan": link.vlan,
        "zone": link.zone,
        "mtu": link.mtu or mtu,
        "addresses": [address for address in (link.ipv4, link.ipv6) if address],
    }
