"""VirtualNetwork: one network for pods and servers — over the overlay, on SR-IOV VFs, into the fabric."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from intent.model import Model, Ref, Spec, repeated
from intent.scalars import (
    IP,
    Label,
    LinuxInterface,
    Mac,
    Mbps,
    Mtu,
    Name,
    Prefix,
    RouteTarget,
    Text,
    VlanId,
    VlanRanges,
    Vni,
    VrfName,
    is_host,
    wrong,
)


class Subnet(Model):
    """One subnet of the network."""

    name: Label = "main"
    """Name of the subnet, where there are several of one family."""
    cidr: Prefix
    """Its prefix."""
    gateway: IP | None = None
    """Address of the gateway; the first address where the network has a gateway and none is said."""

    @cached_property
    def gateway_address(self) -> IP:
        """The gateway in force."""
        return self.gateway or self.cidr.network_address + (self.cidr.prefixlen < self.cidr.max_prefixlen)

    @model_validator(mode="after")
    def _inside(self) -> Self:
        if self.gateway and (self.gateway.version != self.cidr.version or self.gateway not in self.cidr):
            raise wrong(f"gateway {self.gateway} lies outside subnet {self.cidr}", "", "gateway")
        if self.gateway and not is_host(self.gateway, self.cidr):
            hint = "the first and the last address are those of the network itself, and of broadcast"
            raise wrong(f"gateway {self.gateway} is no host of subnet {self.cidr}", hint, "gateway")
        if self.cidr.is_multicast or self.cidr.is_loopback or not self.cidr.prefixlen:
            raise wrong(
                f"{self.cidr} cannot be a subnet of hosts", "say a prefix of unicast addresses", "cidr"
            )
        return self


class VfSettings(Model):
    """How the VFs of a network are set up; what is not said stays as the NIC has it."""

    vlan_qos: Annotated[int, Field(strict=True, ge=0, le=7)] | None = None
    """802.1p priority of frames that the NIC tags."""
    vlan_proto: Literal["802.1q", "802.1ad"] = "802.1q"
    """Tag protocol."""
    tagging: Literal["nic", "pod"] = "nic"
    """`nic`: the NIC tags, the pod sees untagged frames. `pod`: the pod tags by itself (trunk VF)."""
    trunk_vlans: VlanRanges | None = None
    """Further VLANs that a pod may tag (`tagging: pod`)."""
    spoof_check: bool | None = Field(default=None, strict=True)
    """Drop frames with a foreign MAC; off for VRRP and bonds without failOverMac."""
    trust: bool | None = Field(default=None, strict=True)
    """Let the pod change its MAC and listen promiscuously."""
    link_state: Literal["auto", "enable", "disable"] | None = None
    """Link state that the pod sees."""
    min_tx_rate: Mbps | None = None
    """Guaranteed rate of a VF in Mbit/s."""
    max_tx_rate: Mbps | None = None
    """Greatest rate of a VF in Mbit/s."""

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.min_tx_rate and self.max_tx_rate and self.min_tx_rate > self.max_tx_rate:
            message = f"minTxRate {self.min_tx_rate} is more than maxTxRate {self.max_tx_rate}"
            raise wrong(message, "", "minTxRate")
        if self.tagging == "pod" and (self.vlan_qos or self.vlan_proto != "802.1q"):
            hint = "remove them, or set tagging: nic"
            raise wrong("vlanQos and vlanProto need a NIC that tags", hint, "tagging")
        if self.trunk_vlans and self.tagging == "nic":
            raise wrong("trunkVlans needs a pod that tags by itself", "set tagging: pod", "trunkVlans")
        return self


class SriovAttachment(VfSettings):
    """Pods take part with one VF."""

    type: Literal["sriov"]
    """One VF per interface."""
    pool: Annotated[Name, Ref("SriovPool")]
    """Where the VFs come from."""
    namespaces: tuple[Label, ...] = ()
    """Namespaces that get a NAD; all of the cluster, where not said."""


class SriovBondAttachment(VfSettings):
    """Pods take part with a bond of two VFs on different PFs."""

    type: Literal["sriovBond"]
    """Two VFs in a bond inside the pod."""
    pools: tuple[Annotated[Name, Ref("SriovPool")], Annotated[Name, Ref("SriovPool")]]
    """Pools of the first and of the second leg."""
    namespaces: tuple[Label, ...] = ()
    """Namespaces that get a NAD; all of the cluster, where not said."""
    mode: Literal["active-backup", "balance-xor"] = "active-backup"
    """Mode of the bond; LACP cannot run over VFs."""
    fail_over_mac: Annotated[int, Field(strict=True, ge=0, le=2)] = 1
    """Linux `fail_over_mac`: 1 keeps the MAC of the active leg."""
    miimon: Annotated[int, Field(strict=True, ge=10, le=10000)] = 100
    """Milliseconds between link checks."""
    interface: LinuxInterface = "bond0"
    """Name of the bond in the pod."""


class OverlayAttachment(Model):
    """Pods take part over the SRv6 overlay, in the VRF of the network."""

    type: Literal["overlay"]
    """A VRF with service SIDs of its own on every node."""
    clusters: Annotated[tuple[Annotated[Name, Ref("Cluster")], ...], Field(min_length=1)]
    """Clusters whose pods take part."""
    namespaces: tuple[Label, ...] = ()
    """Namespaces that get a NAD; all of each cluster, where not said."""


class BareMetalAttachment(Model):
    """Servers and appliances take part through switch ports; the ports are named by FabricAttachments."""

    type: Literal["bareMetal"]
    """Switch ports."""


Attachment = Annotated[
    SriovAttachment | SriovBondAttachment | OverlayAttachment | BareMetalAttachment,
    Field(discriminator="type"),
]


class AddressRange(Model):
    """Addresses from first to last."""

    first: IP
    """First address."""
    last: IP
    """Last address."""
    cluster: Annotated[Name, Ref("Cluster")] | None = None
    """Only for pods of this cluster; needed where pods of several clusters share a subnet."""

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.first.version != self.last.version or int(self.last) < int(self.first):
            raise wrong(f"range {self.first}-{self.last} is empty", "", "last")
        return self


class FixedAddress(Model):
    """An address that one workload or server always has."""

    owner: Text
    """Workload or server, for people: upf-0, firewall-a."""
    address: IP
    """The address; never handed out to others."""
    mac: Mac | None = None
    """MAC address, where it matters."""


class Ipam(Model):
    """How addresses are handed out."""

    mode: Literal["central", "hostLocal", "dhcp", "static", "none"] = "central"
    """`central`: cluster-wide IPAM. `hostLocal`: per node, only where one node can have pods.
    `static`: from the pod's annotation. `none`: the application's business."""
    ranges: tuple[AddressRange, ...] = ()
    """Hand out only these; the whole subnet where not said."""
    excludes: tuple[Prefix, ...] = ()
    """Never hand out these."""
    fixed: tuple[FixedAddress, ...] = ()
    """Addresses with a known owner; reserved."""
    per_node_block_size: Annotated[int, Field(strict=True, ge=1, le=65536)] | None = None
    """Addresses that a node takes at once (nv-ipam, overlay)."""
    routes: tuple[Prefix, ...] = ()
    """Prefixes that pods reach through the gateway of the subnet; other networks of the zone, for example."""


class RouteTargets(Model):
    """Route targets beside those that intentc derives."""

    imports: tuple[RouteTarget, ...] = ()
    """Import these as well."""
    exports: tuple[RouteTarget, ...] = ()
    """Export with these as well."""


class VirtualNetworkSpec(Spec):
    """A network and everything that may take part in it."""

    description: Text | None = None
    """For people; carried to the fabric."""
    tenant: Label | None = None
    """Owner, for people and labels."""
    zone: VrfName | None = None
    """Routing zone (VRF). Networks of one zone route to each other; by default a network has its own zone."""
    subnets: tuple[Subnet, ...] = ()
    """Subnets; none makes a layer-2 network."""
    attachments: Annotated[tuple[Attachment, ...], Field(min_length=1)]
    """Who can take part, and how."""
    extend_to_fabric: bool = Field(default=False, strict=True)
    """Create the network in the fabrics of its ports, and configure the ports as pods come and go."""
    gateway: Literal["fabric", "external", "none"] = "none"
    """Who routes: anycast gateway on the leaves, a device outside intentc, or nobody."""
    ipam: Ipam = Ipam()
    """How addresses are handed out."""
    mtu: Mtu | None = None
    """MTU of pod interfaces; that of the VFs where not said."""
    dhcp_relay: tuple[IP, ...] = ()
    """DHCP servers that the gateway relays to."""
    vni: Vni | None = None
    """Pin the VNI."""
    vlan: VlanId | None = None
    """Pin the VLAN, the same in all fabrics."""
    route_targets: RouteTargets = RouteTargets()
    """Route targets of its zone beside the derived ones."""

    example: ClassVar[str] = """\
apiVersion: intentc.dev/v1alpha1
kind: VirtualNetwork
metadata:
  name: n3
  labels:
    plane: user
spec:
  zone: ran
  subnets:
    - cidr: 10.10.3.0/24
      gateway: 10.10.3.1
  attachments:
    - type: sriov
      pool: upf-left
      trust: true
      spoofCheck: false
    - type: bareMetal
  extendToFabric: true
  gateway: fabric
  ipam:
    mode: central
    ranges:
      - first: 10.10.3.10
        last: 10.10.3.199
  mtu: 9000
"""

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.gateway == "fabric" and not self.extend_to_fabric:
            raise wrong("gateway: fabric needs extendToFabric: true", "", "gateway")
        if self.gateway == "fabric" and not self.subnets:
            raise wrong("a gateway needs a subnet", "add subnets, or set gateway: none", "gateway")
        if self.dhcp_relay and self.gateway != "fabric":
            raise wrong("dhcpRelay needs gateway: fabric", "", "dhcpRelay")
        if (self.vni or self.vlan) and not self.extend_to_fabric:
            hint = "set extendToFabric: true, or remove it"
            field = "vni" if self.vni else "vlan"
            raise wrong(f"{field} belongs to the fabric", hint, field)
        if not self.subnets and (self.ipam.ranges or self.ipam.excludes or self.ipam.fixed):
            raise wrong("ipam says addresses, but the network has no subnet", "add subnets", "ipam")
        twin = repeated((subnet.name, subnet.cidr.version) for subnet in self.subnets)
        if twin:
            message = f"two IPv{twin[1][1]} subnets are called {twin[1][0]!r}"
            raise wrong(message, "give each a name", "subnets", twin[0])
        return self
