"""Cluster: a Kubernetes cluster — its nodes, address space, data plane, control plane and SRv6 overlay."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from intent.calico_vpp import AgentSettings
from intent.model import Model, Ref, SecretRef, Selector, Spec
from intent.scalars import (
    IP,
    Asn,
    IPv6,
    Label,
    Mtu,
    Name,
    Prefix4,
    Prefix6,
    Text,
    Version,
    wrong,
)

Dataplane = Literal["calico-vpp", "vpp", "linux"]
ControlPlane = Literal["bgp", "kubernetes"]


class Cidrs(Model):
    """Address space by family."""

    ipv4: Prefix4 | None = None
    """IPv4 prefix."""
    ipv6: Prefix6 | None = None
    """IPv6 prefix."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if not (self.ipv4 or self.ipv6):
            raise wrong("give at least one of ipv4 and ipv6")
        return self


class BlockSizes(Model):
    """Prefix length of the block of pod addresses that one node gets."""

    ipv4: Annotated[int, Field(strict=True, ge=16, le=30)] = 26
    """IPv4 block: 26 holds 62 pods."""
    ipv6: Annotated[int, Field(strict=True, ge=64, le=126)] = 122
    """IPv6 block: 122 holds 62 pods."""


class Overlay(Model):
    """The SRv6 overlay between nodes."""

    localsids: Prefix6
    """Pool of service SIDs; each node gets one block of it."""
    localsid_block_size: Annotated[int, Field(strict=True, ge=48, le=112)] = 64
    """Prefix length of the block of one node."""
    policies: Prefix6
    """Pool of binding SIDs (BSIDs); must not be routed."""
    encapsulation: Literal["full", "reduced", "usid"] = "full"
    """How H.Encaps writes SIDs: `reduced` leaves the first out of the SRH, `usid` packs them (RFC 9800)."""
    mesh: Label | None = None
    """Clusters that name the same mesh build tunnels to each other's nodes."""
    hop_limit: Annotated[int, Field(strict=True, ge=1, le=255)] = 64
    """Hop limit of the outer header."""
    vrf_devices: bool = Field(default=False, strict=True)
    """The kernels of the nodes have VRF devices (CONFIG_NET_VRF), which overlay networks need (`linux`)."""


class BgpPeer(Model):
    """A BGP neighbour of the nodes: a route reflector, an access router, or the injector of TE policies."""

    name: Label
    """Name of the peering."""
    address: IP
    """Address of the neighbour; agents of Calico-VPP open sessions to TCP port 179 only."""
    asn: Asn
    """AS number of the neighbour."""
    nodes: Annotated[Selector, Ref("Node")] | None = None
    """Nodes that peer with it; all, where not said."""
    password: SecretRef | None = None
    """TCP MD5 password, by reference: a Secret in the namespace of Calico-VPP's agents."""


class Bgp(Model):
    """BGP of the cluster."""

    asn: Asn = 64512
    """AS number of the nodes."""
    node_mesh: bool = Field(default=True, strict=True)
    """Every node peers with every other."""
    peers: tuple[BgpPeer, ...] = ()
    """Neighbours outside the cluster."""
    injector: IPv6 | None = None
    """Next hop of announced SR policies (SAFI 73): needed for TE policies of `calico-vpp`, and for all
    policies of `vpp` and `linux` under control plane `bgp`."""
    injection: Literal["direct", "reflected"] = "direct"
    """How announced SR policies reach the nodes: over sessions straight to them, so that nobody passes them
    on (NO_ADVERTISE), or through a route reflector, with a route target for each headend."""


class Versions(Model):
    """Versions of what runs in the cluster; decide what can be rendered."""

    kubernetes: Version | None = None
    """Kubernetes."""
    calico: Version | None = None
    """Calico."""
    calico_vpp: Version | None = None
    """Calico-VPP: 3.32.0 or newer for the SRv6 overlay."""
    vpp: Version | None = None
    """VPP."""


class SriovOperator(Model):
    """How SR-IOV is managed in the cluster."""

    manager: Literal["operator", "device-plugin"] = "operator"
    """The SR-IOV network operator, or the bare device plugin with our NADs."""
    namespace: Label = "sriov-network-operator"
    """Namespace of the operator."""
    resource_prefix: Name | None = None
    """Prefix of extended resources: openshift.io with the operator, intel.com without, where not said."""

    @property
    def prefix(self) -> str:
        """The prefix in force."""
        return self.resource_prefix or ("openshift.io" if self.manager == "operator" else "intel.com")


class Installed(Model):
    """What the cluster offers to networks; asking for more is a compile error."""

    multus: bool = Field(default=True, strict=True)
    """Multus, which reads NADs."""
    sriov: SriovOperator | None = None
    """SR-IOV."""
    ipam: Literal["whereabouts", "nv-ipam"] | None = None
    """Cluster-wide IPAM that serves networks with `ipam: central`."""
    ipam_namespace: Label = "kube-system"
    """Namespace that nv-ipam reads its pools from."""
    bond: bool = Field(default=False, strict=True)
    """The bond CNI plugin."""


class Namespace(Model):
    """A namespace that networks may be offered in."""

    name: Label
    """Name."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels."""


class ClusterSpec(Spec):
    """A Kubernetes cluster."""

    nodes: Annotated[Selector, Ref("Node")]
    """Its nodes. A node belongs to one cluster."""
    dataplane: Dataplane
    """What forwards the traffic of pods."""
    control_plane: ControlPlane
    """How overlay state reaches the nodes."""
    pod_cidrs: Cidrs
    """Address space of pods."""
    service_cidrs: Cidrs | None = None
    """Address space of services."""
    block_sizes: BlockSizes = BlockSizes()
    """Pod addresses per node."""
    srv6: Overlay | None = None
    """SRv6 overlay; the cluster takes part in no overlay where not said."""
    pod_mtu: Mtu | None = None
    """Pin the MTU of pods; computed from underlay and encapsulation where not said."""
    uplink_interface: Text | None = None
    """Uplink that Calico-VPP takes over (`calico-vpp` only); must be said for SRv6 under BGP, here or among
    `calicoVpp.interfaces`."""
    calico_vpp: AgentSettings = AgentSettings()
    """What else Calico-VPP's agents are told (`calico-vpp` only)."""
    bgp: Bgp = Bgp()
    """BGP."""
    versions: Versions = Versions()
    """Versions."""
    installed: Installed = Installed()
    """What networks can use."""
    namespaces: tuple[Namespace, ...] = ()
    """Namespaces that networks are offered in."""

    @model_validator(mode="after")
    def _one_uplink(self) -> Self:
        if self.uplink_interface and self.calico_vpp.interfaces.uplink_interfaces:
            raise wrong(
                "uplinks are said twice",
                "say either uplinkInterface or calicoVpp.interfaces.uplinkInterfaces",
                "uplinkInterface",
            )
        return self

    example: ClassVar[str] = """\
apiVersion: intentc.dev/v1alpha1
kind: Cluster
metadata:
  name: edge
spec:
  nodes:
    matchLabels:
      cluster: edge
  dataplane: vpp
  controlPlane: kubernetes
  podCidrs:
    ipv4: 10.64.0.0/16
    ipv6: fd64::/48
  blockSizes:
    ipv4: 24
    ipv6: 112
  srv6:
    localsids: fcdd::/48
    policies: cafe:1::/112
  installed:
    sriov:
      manager: operator
    ipam: whereabouts
  namespaces:
    - name: upf
"""
