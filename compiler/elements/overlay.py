"""Elements of the SRv6 overlay: what nodes, access routers and Calico clusters hold (RFC 8986, RFC 9256).

Addresses and prefixes are canonical text: an element of an egress node is built once and stands in the
slice of every headend, and nothing is converted again when it is rendered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from compiler.allocated import Family
from compiler.graph import Element

Behavior = Literal["End.DT4", "End.DT6"]
BEHAVIOR: Mapping[str, Behavior] = {"ipv4": "End.DT4", "ipv6": "End.DT6"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Element):
    """A routing table of one family."""

    number: int
    family: Family
    name: str
    """Mark of ownership, at most 63 characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncapSource(Element):
    """Outer source address and hop limit of all that a node encapsulates."""

    address: str
    hop_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LinuxHost(Element):
    """A node whose kernel is the data plane, and how it sends into the underlay."""

    interface: str
    """Uplink."""
    encapsulation: Literal["full", "reduced", "usid"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge(Element):
    """The bridge of an overlay network on a Linux node, which belongs to a zone."""

    name: str
    """At most 15 characters."""
    table: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Element):
    """A route: out of an interface to a next hop, on to a lookup in another table, or to nowhere."""

    table: int
    prefix: str
    next_hop: str | None = None
    interface: str | None = None
    lookup: int | None = None
    """Table to look up in; stands alone."""
    drop: bool = False
    """Discard what no longer prefix takes: a range of ours, and its mark on the data plane; stands alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLink(Element):
    """An interface of VPP over a link to the host, in the table whose pods are behind it."""

    host: str
    """VPP's end of the link, as the host calls it: at most 15 characters."""
    table: int
    families: tuple[Family, ...]
    """Families that the table has."""

    @property
    def name(self) -> str:
        """Return what VPP calls it."""
        return f"host-{self.host}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostEnd(Element):
    """The host's end of a link to VPP: pods are plugged into a bridge with it, or routed over it."""

    name: str
    """At most 15 characters, as all names here."""
    link: str
    """VPP's end, as the host calls it."""
    bridge: str = ""
    """Empty where pods are routed over the link."""
    mtu: int | None = None
    """That of the pods; None where nothing says it."""
    addresses: tuple[str, ...] = ()
    """With their length."""
    routes: tuple[tuple[str, str], ...] = ()
    """Prefixes behind VPP, and its address on the link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkAddress(Element):
    """An address of the data plane, on an interface of ours."""

    interface: str
    prefix: str
    """Address and length: host bits stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Localsid(Element):
    """A service SID of the node, which decapsulates and looks up in a table."""

    sid: str
    behavior: Behavior
    table: int


@dataclass(frozen=True, slots=True)
class SegmentList:
    """Weighted SIDs in the order of travel; the last is the service SID of the egress node."""

    weight: int
    sids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(Element):
    """An SR policy at a headend, known by its binding SID."""

    bsid: str
    lists: tuple[SegmentList, ...]
    """In the order of their SIDs: the data plane keeps no order."""
    endpoint: str
    """Egress node."""
    family: Family
    zone: str
    """Zone that it leads to; PODS for the default network of pods."""
    path: str = ""
    """SRv6Policy/candidate that it follows; empty for the default path."""
    egress: tuple[str, str, str, str] | None = None
    """Data plane, cluster and name of the egress node, and its service SID; None where it came by BGP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steering(Element):
    """Traffic of a table to a prefix goes into a policy."""

    table: int
    family: Family
    prefix: str
    bsid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CalicoOverlay(Element):
    """What every Calico-VPP agent of a cluster is told."""

    cluster: str
    localsids: str
    """Supernet of the localsid pools of all nodes of the mesh."""
    policies: str
    """Part of the BSID pool that Calico draws from."""
    service_prefixes: tuple[str, ...]
    feature_gates: Mapping[str, Any]
    """What the cluster says beside SRv6, here and below, by the names of the agents."""
    debug: Mapping[str, Any]
    interfaces: Mapping[str, Any]
    """With all uplinks that VPP takes over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalicoPool(Element):
    """A Calico IPPool."""

    name: str
    cidr: str
    block_size: int | None = None
    selector: str = "all()"
    """Calico node selector."""
    tunnels_only: bool = False
    """Addresses are SIDs and BSIDs: never those of pods."""
    nat_outgoing: bool = False
    disabled: bool = False
    """No address is drawn from it: it is the pool of another cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BgpConfiguration(Element):
    """BGP of all nodes of a Calico cluster."""

    asn: int
    node_mesh: bool
    secrets: tuple[str, ...] = ()
    """Kubernetes Secrets with passwords of neighbours, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BgpPeering(Element):
    """One BGP neighbour of Calico nodes."""

    name: str
    address: str
    asn: int
    selector: str
    """Calico node selector."""
    secret: str | None = None
    """Kubernetes Secret with the password, as name/key in the namespace of Calico."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MtuSetting(Element):
    """MTU of the pods of a Calico cluster."""

    mtu: int


@dataclass(frozen=True, slots=True)
class Hop:
    """A SID with the behaviour that receivers are told (IANA code point); None for a transit SID."""

    sid: str
    behavior: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyInjection(Element):
    """One SR policy to announce over BGP (AFI 2, SAFI 73; RFC 9830)."""

    distinguisher: int
    color: int
    endpoint: str
    """BGP IPv6 address of the egress node."""
    bsid: str
    preference: int
    priority: int
    next_hop: str
    route_targets: tuple[str, ...]
    """BGP identifiers of the headends; none where sessions go straight to them."""
    lists: tuple[tuple[int, tuple[Hop, ...]], ...]
    """Weight and SIDs."""
    egress: tuple[str, str, str, str] | None = None
    """As in `Policy`; None where the node chose the SID itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalicoNodeConfig(Element):
    """SIDs and policies of one node, for the agent that reads them from a ConfigMap."""

    node: str
    """Name that Kubernetes knows the node by."""
    localsids: tuple[tuple[Family, str], ...]
    policies: tuple[Mapping[str, Any], ...]
    """Rows of bsid, node, segment_list and traffic; shared by all headends that use them."""
