"""Node and NodeProfile: a Kubernetes node or bare-metal server, its NICs, and the only place of wiring.

A profile holds what many servers share. A node with `range` stands for many: `{n}`, `{n+10}`, `{n:02}` and
`{n:x}` in its text are replaced per server.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from intent.model import Model, Ref, Spec, repeated
from intent.scalars import (
    BitsPerSecond,
    Esi,
    HexId,
    Interface,
    IPv4,
    IPv6,
    Label,
    LinuxInterface,
    Mac,
    Msd,
    Mtu,
    Name,
    Pci,
    Prefix4,
    Prefix6,
    Text,
    VfCount,
    wrong,
)


class Nic(Model):
    """One physical function (PF)."""

    name: LinuxInterface
    """Name that the kernel gives the PF."""
    vfs: VfCount | None = None
    """Virtual functions that the hardware offers (`sriov_totalvfs`)."""
    mtu: Mtu | None = None
    """MTU of the PF."""
    numa: Annotated[int, Field(strict=True, ge=0, le=63)] | None = None
    """NUMA node."""
    pci: Pci | None = None
    """PCI address."""
    vendor: HexId | None = None
    """PCI vendor id."""
    device: HexId | None = None
    """PCI device id."""
    speed: BitsPerSecond | None = None
    """Speed of the port."""


class Bond(Model):
    """A bond of PFs on the host. `802.3ad` needs a LAG on the switch, or an ESI-LAG over two."""

    name: LinuxInterface
    """Name of the bond."""
    nics: Annotated[tuple[LinuxInterface, ...], Field(min_length=2, max_length=8)]
    """Its legs."""
    mode: Literal["802.3ad", "active-backup"] = "802.3ad"
    """How it shares traffic."""
    lacp_rate: Literal["slow", "fast"] = "slow"
    """LACP rate (802.3ad)."""
    mtu: Mtu | None = None
    """MTU of the bond."""
    esi: Esi | None = None
    """Pin the Ethernet segment id of an ESI-LAG; derived where not said."""
    system_id: Mac | None = None
    """Pin the LACP system id that both switches of an ESI-LAG show; derived where not said."""

    @model_validator(mode="after")
    def _unicast(self) -> Self:
        # RFC 7432 §5: all zeros stand for a single-homed port, all ones are reserved.
        if self.esi and set(self.esi) in ({"0", ":"}, {"f", ":"}):
            raise wrong(f"esi {self.esi} is reserved", "leave it out, and it is derived", "esi")
        if self.system_id and (int(self.system_id[1], 16) % 2 or set(self.system_id) == {"0", ":"}):
            text = f"systemId {self.system_id} is not the address of one station"
            raise wrong(text, "its first octet must be even, such as 02", "systemId")
        return self


class Cable(Model):
    """Where the other end of a NIC's cable is."""

    nic: LinuxInterface
    """PF of this node."""
    fabric: Annotated[Name, Ref("Fabric")]
    """Fabric of the switch."""
    switch: Label
    """Switch of the fabric."""
    port: Interface
    """Port of the switch."""


class Uplink(Model):
    """How a node reaches the SRv6 underlay."""

    router: Label
    """Access router of an Underlay."""
    interface: Interface
    """Interface of the data plane towards the router."""
    next_hop: IPv6
    """Address of the router on that link."""
    address: IPv6 | None = None
    """Address of the node on that link, where the router sends the node's SIDs; by default its own one."""
    mtu: Mtu | None = None
    """IP MTU of the link; the underlay's where not said."""


class Pins(Model):
    """Values of a node that are fixed by hand instead of being leased."""

    localsids: Prefix6 | None = None
    """Block of the node's service SIDs."""
    pods_ipv4: Prefix4 | None = None
    """IPv4 block of its pods."""
    pods_ipv6: Prefix6 | None = None
    """IPv6 block of its pods."""


class Hardware(Spec):
    """What a profile and a node can both say."""

    site: Label | None = None
    """Data centre."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Kubernetes labels of the node, for selectors of clusters, pools and workloads."""
    nics: tuple[Nic, ...] = ()
    """Physical NICs."""
    bonds: tuple[Bond, ...] = ()
    """Bonds of NICs on the host."""
    max_sids: Msd | None = None
    """Most SIDs that the data plane of the node can push; 16 on VPP where not said."""

    @model_validator(mode="after")
    def _once(self) -> Self:
        names = [*(nic.name for nic in self.nics), *(bond.name for bond in self.bonds)]
        twin = repeated(names)
        if twin:
            index = twin[0] - len(self.nics)
            at = ("nics", twin[0]) if index < 0 else ("bonds", index)
            raise wrong(f"NIC or bond {twin[1]!r} is said twice", "", *at, "name")
        return self


class NodeProfileSpec(Hardware):
    """Hardware that many nodes share; each names it in `spec.profile`, and says on top what is its own."""

    example: ClassVar[str] = """\
apiVersion: intentc.dev/v1alpha1
kind: NodeProfile
metadata:
  name: upf-server
spec:
  labels:
    node-role: upf
  nics:
    - name: ens1f0
      vfs: 64
      mtu: 9000
      numa: 0
      vendor: "8086"
      device: 159b
    - name: ens1f1
      vfs: 64
      mtu: 9000
      numa: 0
  bonds:
    - name: bond0
      nics: [ens1f0, ens1f1]
      mode: active-backup
"""


class Range(Model):
    """The numbers that `{n}` runs through."""

    first: Annotated[int, Field(strict=True, ge=0, le=99999)] = 1
    """First number."""
    last: Annotated[int, Field(strict=True, ge=0, le=99999)]
    """Last number."""

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.last < self.first:
            raise wrong(f"range {self.first}-{self.last} is empty", "", "last")
        return self


class NodeSpec(Hardware):
    """One server, or with `range` many alike."""

    role: Literal["kubernetes", "bareMetal"] = "kubernetes"
    """What runs on it."""
    range: Range | None = None
    """Stand for many servers: the name and other text hold `{n}`."""
    profile: Annotated[Name, Ref("NodeProfile")] | None = None
    """Profile to start from; what the node says itself comes on top, NICs and bonds by name."""
    hostname: Label | None = None
    """Name that Kubernetes knows it by; the document's name where not said."""
    ipv4: IPv4 | None = None
    """IPv4 address of the node."""
    ipv6: IPv6 | None = None
    """IPv6 address of the node: source of its SRv6 encapsulation."""
    uplink: Uplink | None = None
    """Way to the SRv6 underlay."""
    cables: tuple[Cable, ...] = ()
    """Cables between its NICs and switch ports."""
    pins: Pins = Pins()
    """Values fixed by hand."""
    state: Literal["active", "drain"] = "active"
    """`drain` keeps pre-provisioned workloads away from the node; its tunnels stay."""
    description: Text | None = None
    """For people."""

    example: ClassVar[str] = """\
apiVersion: intentc.dev/v1alpha1
kind: Node
metadata:
  name: worker-{n:02}
spec:
  range:
    last: 40
  profile: upf-server
  site: dc1
  ipv6: "fd11::{n:x}"
  uplink:
    router: p1
    interface: eth0
    nextHop: fd11::ffff
  cables:
    - nic: ens1f0
      fabric: dc1
      switch: leaf1
      port: "Ethernet{n}"
    - nic: ens1f1
      fabric: dc1
      switch: leaf2
      port: "Ethernet{n}"
"""
