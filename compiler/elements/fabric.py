"""The vendor-neutral blueprint of a fabric: what it must be, in words that every provider shares.

Wire (switch, server, port, LAG), network (zone, virtual network) and join (attachment) stay apart: they
change for different reasons. Leaf bindings, port settings and Ethernet segments are derived, never written
by hand. Values are plain text and numbers, so that a renderer copies and does not compute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from compiler.graph import Element


class PortName(NamedTuple):
    """A port inside one fabric."""

    switch: str
    port: str

    def __str__(self) -> str:
        """Write SWITCH/PORT."""
        return f"{self.switch}/{self.port}"


class ServerLink(NamedTuple):
    """A cable, seen from the server."""

    nic: str
    switch: str
    port: str
    lag: str | None
    """LAG that the cable belongs to."""


class Subnet(NamedTuple):
    """A subnet of a network, as text."""

    name: str
    family: Literal["ipv4", "ipv6"]
    prefix: str
    gateway: str | None
    """Anycast gateway with prefix length, where the fabric routes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fabric(Element):
    """What holds for the fabric as a whole."""

    name: str
    provider: Literal["apstra", "frr"]
    blueprint: str | None
    """Label of the blueprint in Apstra."""
    loopback_pool: str | None
    """Label of the IP pool in Apstra that the loopbacks of zones come from."""
    underlay_mtu: int
    gateway_mac: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch(Element):
    """A switch."""

    name: str
    role: Literal["leaf", "spine", "border"]
    loopback: str | None
    vtep: str | None
    asn: int | None
    group: str | None
    """Redundancy group that it belongs to."""
    uplinks: tuple[str, ...]
    """Ports to other switches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedundancyGroup(Element):
    """Two leaves that servers are dual-homed to."""

    name: str
    type: Literal["esi", "mlag"]
    switches: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server(Element):
    """A server with cables into this fabric."""

    name: str
    hostname: str
    links: tuple[ServerLink, ...]
    """Sorted by NIC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortConfig(Element):
    """A port that something is cabled to or configured on."""

    switch: str
    port: str
    mtu: int
    speed: int | None
    """Bits per second."""
    description: str
    server: str | None
    nic: str | None
    lag: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag(Element):
    """A LAG of one switch, or of a redundancy group."""

    name: str
    server: str
    bond: str
    members: tuple[PortName, ...]
    lacp: bool
    lacp_rate: Literal["slow", "fast"]
    group: str | None
    """Redundancy group; None where all members are on one switch."""
    esi: str | None
    system_id: str | None
    """LACP system id that both switches show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vrf(Element):
    """A routing zone."""

    name: str
    l3vni: int
    vlan: int
    """VLAN that carries the layer-3 VNI on a switch."""
    route_target: str
    """The zone's own target, `L3VNI:1`: what others import to reach it."""
    import_targets: tuple[str, ...]
    """Further targets to import: the own targets of other zones, and those that users added."""
    export_targets: tuple[str, ...]
    """Further targets to export with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualNetwork(Element):
    """A network."""

    name: str
    vni: int
    vlan: int
    """The same on every leaf."""
    vrf: str | None
    route_target: str
    """`VNI:1`."""
    subnets: tuple[Subnet, ...]
    mtu: int
    dhcp_relay: tuple[str, ...]
    description: str
    dynamic: bool
    """Pods come and go on its ports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding(Element):
    """A network on a leaf, or on both leaves of a redundancy group."""

    network: str
    switch: str | None
    group: str | None
    vlan: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment(Element):
    """A network on a port or LAG."""

    network: str
    switch: str | None
    port: str | None
    lag: str | None
    tagged: bool
    reasons: tuple[str, ...]
    """Who needs it: pods, workloads, attachments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalLink(Element):
    """A routed sub-interface to the outside."""

    connection: str
    zone: str
    switch: str
    port: str
    vlan: int
    ipv4: str | None
    """Our IPv4 address with prefix length."""
    ipv6: str | None
    """Our IPv6 address with prefix length."""
    mtu: int | None
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalPeer(Element):
    """A BGP neighbour outside."""

    connection: str
    zone: str
    switch: str
    port: str
    """Port of the link that leads to it."""
    vlan: int
    family: Literal["ipv4", "ipv6"]
    address: str
    asn: int
    bfd: bool
    password: str | None
    """Reference to the secret, never its value."""
    multihop: int | None
    imports: tuple[str, ...]
    exports: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticRoute(Element):
    """A route to the outside on one border switch."""

    connection: str
    zone: str
    switch: str
    family: Literal["ipv4", "ipv6"]
    prefix: str
    next_hop: str
