"""Elements of pod attachments: VFs, networks that pods can take, their addresses, and the CNI of a node.

They speak of networks, pools and namespaces; which objects an operator, a device plugin or an IPAM wants to
see is the renderer's knowledge.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from compiler.derived.addresses import BlockShare, Share, Span
from compiler.graph import Element
from intent.kinds.virtual_network import VfSettings
from intent.scalars import IPAddress, IPNetwork

AddressMode = Literal["whereabouts", "nv-ipam", "host-local", "dhcp", "static", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One condition on the labels of a node."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SriovNodePolicy(Element):
    """VFs that the SR-IOV operator makes on chosen nodes and offers as an extended resource."""

    name: str
    operator: str
    """Namespace of the operator."""
    resource: str
    """Extended resource, without prefix."""
    node_labels: tuple[tuple[str, str], ...]
    nics: tuple[str, ...]
    vf_range: Span | None
    vendor: str | None
    device: str | None
    pci: tuple[str, ...]
    vfs: int
    """VFs on each PF."""
    priority: int
    mtu: int | None
    device_type: Literal["netdevice", "vfio-pci"]
    e_switch_mode: Literal["legacy", "switchdev"]
    link_type: Literal["eth", "ib"]
    rdma: bool
    vhost_net: bool
    exclude_topology: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePluginResource(Element):
    """VFs that exist already and that the bare device plugin offers as an extended resource."""

    prefix: str
    resource: str
    nics: tuple[str, ...]
    vf_range: Span | None
    vendor: str | None
    pci: tuple[str, ...]
    device_type: Literal["netdevice", "vfio-pci"]
    link_type: Literal["eth", "ib"]
    rdma: bool
    vhost_net: bool
    exclude_topology: bool


@dataclass(frozen=True, slots=True)
class Addressing:
    """How the pods of one cluster get the addresses of a network."""

    mode: AddressMode
    shares: tuple[Share, ...] = ()
    """One per subnet; each pod gets an address of each."""
    pools: tuple[str, ...] = ()
    """Central pools of the subnets, where the IPAM keeps pools."""
    routes: tuple[tuple[IPNetwork, IPAddress], ...] = ()
    """Prefixes that pods reach through a gateway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPool(Element):
    """A central pool of addresses that nodes take blocks from."""

    name: str
    namespace: str
    """Where the IPAM keeps its pools."""
    share: Share
    block: int
    """Addresses that a node takes at once."""
    nodes: tuple[tuple[Rule, ...], ...]
    """Alternatives; each is rules that all must hold. Every node, where empty."""
    routes: tuple[IPNetwork, ...] = ()


@dataclass(frozen=True, slots=True)
class FabricLink:
    """What the fabric knows the network by."""

    vni: int | None
    vlan: int | None
    zone: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SriovAttachment(Element):
    """A network that pods of a namespace take with one VF."""

    network: str
    name: str
    namespace: str
    pool: str
    resource: str
    """Extended resource, with prefix."""
    operator: str | None
    """Namespace of the SR-IOV operator that makes the NAD; None where we make it."""
    policy: str | None
    """Node policy of the pool, where it is one object."""
    vlan: int
    """Tag that the NIC adds; 0 for none."""
    settings: VfSettings = field(repr=False)
    ipam: Addressing = field(repr=False)
    mtu: int | None
    """MTU to set on the VF in the pod; None where it has the right one."""
    ips: bool
    """The pod's annotation may say addresses."""
    mac: bool
    """The pod's annotation may say a MAC."""
    fabric: FabricLink | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BondAttachment(Element):
    """A network that pods of a namespace take with a bond of VFs, which are attachments of their own."""

    network: str
    name: str
    namespace: str
    links: tuple[str, ...]
    """Names of the legs in the pod."""
    legs: tuple[str, ...]
    """NADs of the legs."""
    operator: str | None
    mode: str
    fail_over_mac: int
    miimon: int
    mtu: int | None
    ipam: Addressing = field(repr=False)
    ips: bool
    fabric: FabricLink | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayAttachment(Element):
    """A network that pods of a namespace take over the overlay; each node configures it for itself."""

    network: str
    name: str
    namespace: str
    zone: str
    table: int
    fabric: FabricLink | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConflist(Element):
    """Configuration of a network on one node, with addresses from the node's own blocks."""

    name: str
    """Name of the network as Multus looks it up; the default network of pods where `bridge` is None."""
    bridge: str | None
    """Bridge that the pods hang off, to be put into the zone's table; None for point-to-point links."""
    gateway: bool
    """Whether the bridge itself is the gateway, and not the data plane beside it."""
    table: int
    mtu: int | None
    blocks: tuple[BlockShare, ...]
    routes: tuple[IPNetwork, ...]


@dataclass(frozen=True, slots=True)
class PodEntry:
    """One entry of the annotation that names the networks of a pod."""

    name: str
    namespace: str
    interface: str | None
    addresses: tuple[str, ...] = ()
    """With prefix length."""
    mac: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSnippet(Element):
    """The lines to paste into a workload so that its pods get their networks."""

    workload: str
    namespace: str
    kind: str
    networks: tuple[PodEntry, ...]
    resources: tuple[tuple[str, int], ...]
    """VFs by extended resource."""
