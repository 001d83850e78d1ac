"""The nouns after resolution: every name has become the thing that it names.

`Resolved` is built once by `compiler.resolve.names`; all passes after it read it and change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Any, NamedTuple

from compiler.facts import Facts
from intent.kinds.cluster import ClusterSpec
from intent.kinds.fabric import FabricSpec, Switch
from intent.kinds.node import Bond, Nic, Pins, Uplink
from intent.kinds.project import ProjectSpec
from intent.kinds.underlay import Link, Router
from intent.kinds.virtual_network import VirtualNetworkSpec
from intent.model import Intent
from intent.source import FieldPath


class Port(NamedTuple):
    """A port of a switch."""

    fabric: str
    switch: str
    port: str

    def __str__(self) -> str:
        """Write the port as people say it."""
        return f"{self.fabric}/{self.switch}/{self.port}"


@dataclass(frozen=True, slots=True)
class Lag:
    """An LACP bond of a server as the fabric sees it: over one switch, or over a redundancy group."""

    name: str
    """NODE-BOND, unique in the fabric."""
    fabric: str
    members: tuple[Port, ...]
    group: str | None
    """Redundancy group; None where all members are on one switch."""
    esi: str | None
    """Ethernet segment id (groups of type esi)."""
    system_id: str | None
    """LACP system id that both switches show (groups)."""
    server: str
    bond: Bond = field(repr=False)
    path: FieldPath = ()
    """Where the bond was said, in the server's document (or in its profile's)."""


@dataclass(frozen=True, slots=True)
class Wire:
    """One cable: a NIC of a server and a switch port, with the field that says so."""

    server: str
    nic: str
    port: Port
    path: FieldPath


@dataclass(frozen=True, slots=True)
class Server:
    """A Node with its profile merged in."""

    intent: Intent = field(repr=False)
    profile: Intent | None = field(repr=False)
    name: str
    hostname: str
    role: str
    site: str | None
    labels: Mapping[str, str]
    nics: Mapping[str, Nic]
    bonds: Mapping[str, Bond]
    wires: Mapping[str, Wire]
    """Cables by NIC."""
    ipv4: IPv4Address | None
    ipv6: IPv6Address | None
    uplink: Uplink | None
    pins: Pins
    max_sids: int | None
    drained: bool
    cluster: str | None
    """Cluster that it belongs to."""

    def origin(self, part: str, name: str) -> tuple[Intent, FieldPath]:
        """Return the document and path of one of its NICs or bonds (`part` is nics or bonds)."""
        return next(self.places(part, name), (self.intent, ("spec", part)))

    def places(self, part: str, name: str) -> Iterator[tuple[Intent, FieldPath]]:
        """Yield where one of its NICs or bonds is said: in its own document, and in the profile below it."""
        for intent in filter(None, (self.intent, self.profile)):
            for index, item in enumerate(getattr(intent.spec, part)):
                if item.name == name:
                    yield intent, ("spec", part, index)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Cluster with its nodes."""

    intent: Intent = field(repr=False)
    name: str
    spec: ClusterSpec = field(repr=False)
    servers: tuple[str, ...]
    """Names of its nodes, sorted."""
    mesh: tuple[str, ...]
    """Names of the clusters that its nodes build tunnels to, itself included, sorted; empty without SRv6."""
    namespaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pool:
    """A SriovPool with the PFs that it found."""

    intent: Intent = field(repr=False)
    name: str
    cluster: str
    resource_name: str
    members: Mapping[str, tuple[str, ...]]
    """PF names by node, sorted; nodes without a matching NIC are left out."""

    @property
    def vfs(self) -> int:
        """VFs that each PF gives to this pool."""
        spec = self.intent.spec
        return len(spec.vf_range) if spec.vf_range else int(spec.vfs)


@dataclass(frozen=True, slots=True)
class Vrf:
    """A routing zone: the networks in it and the zones that it imports routes from."""

    name: str
    """At most 15 characters."""
    subject: str
    intent: Intent = field(repr=False)
    """The first network that names it (or is it)."""
    networks: tuple[str, ...]
    imports: tuple[str, ...]
    """Zones whose routes it takes, sorted, without itself."""
    import_targets: tuple[str, ...]
    export_targets: tuple[str, ...]
    """Route targets that users added."""
    causes: tuple[Intent, ...] = field(default=(), repr=False)
    """VirtualNetworkRouters that joined it to others."""


@dataclass(frozen=True, slots=True)
class Network:
    """A VirtualNetwork with what follows from its attachments."""

    intent: Intent = field(repr=False)
    name: str
    spec: VirtualNetworkSpec = field(repr=False)
    vrf: str | None
    """Its zone; None for a layer-2 network."""
    fabrics: tuple[str, ...]
    """Fabrics that it extends to, sorted."""
    overlay_clusters: tuple[str, ...]
    """Clusters whose pods take part over the overlay, sorted."""


@dataclass(frozen=True, slots=True)
class Underlay:
    """All Underlay documents as one topology."""

    routers: Mapping[str, Router]
    links: Mapping[str, Link]
    router_origin: Mapping[str, tuple[Intent, FieldPath]] = field(repr=False)
    link_origin: Mapping[str, tuple[Intent, FieldPath]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Resolved:
    """All intents with their names resolved."""

    project: Intent = field(repr=False)
    intents: Mapping[str, Mapping[str, Intent]] = field(repr=False)
    """Intents by kind and name."""
    facts: Facts = field(repr=False)
    underlay: Underlay = field(repr=False)
    servers: Mapping[str, Server] = field(repr=False)
    clusters: Mapping[str, Cluster] = field(repr=False)
    fabrics: Mapping[str, Intent] = field(repr=False)
    switches: Mapping[tuple[str, str], Switch] = field(repr=False)
    """Switches by fabric and name."""
    pools: Mapping[str, Pool] = field(repr=False)
    networks: Mapping[str, Network] = field(repr=False)
    vrfs: Mapping[str, Vrf] = field(repr=False)
    lags: Mapping[tuple[str, str], Lag] = field(repr=False)
    """LAGs by server and bond."""
    wired: Mapping[Port, Wire] = field(repr=False)
    """Cables by switch port."""
    built: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Indexes that were built from it (compiler/derived/memo.py)."""

    def of(self, kind: str) -> Mapping[str, Intent]:
        """Return the intents of a kind, by name, sorted."""
        return self.intents.get(kind, {})

    @property
    def spec(self) -> ProjectSpec:
        """The project."""
        spec: ProjectSpec = self.project.spec
        return spec

    def fabric(self, name: str) -> FabricSpec:
        """Return the spec of a fabric."""
        spec: FabricSpec = self.fabrics[name].spec
        return spec

    def points(self, server: str, nic: str) -> tuple[Port | Lag, ...]:
        """Return where a NIC or bond enters the fabric: its LAG, or else its ports; none if uncabled."""
        item = self.servers[server]
        for bond in item.bonds.values():
            if nic in (bond.name, *bond.nics) and (server, bond.name) in self.lags:
                return (self.lags[server, bond.name],)
            if nic == bond.name:
                return tuple(item.wires[leg].port for leg in bond.nics if leg in item.wires)
        return (item.wires[nic].port,) if nic in item.wires else ()
