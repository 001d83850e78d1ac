"""Facts: what others decide — SIDs and blocks that Calico draws, where pods run, which links are down.

Read from files (`facts/*.yaml`) or captured from running systems into such files; a compile is a function of
intent, ledger and facts, so the same files always give the same result.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from intent.model import Model, Ref, Spec
from intent.scalars import IPv6, Label, LinuxInterface, Name, Pci, Prefix, Sid, Text


class NodeSids(Model):
    """What a Calico-VPP node announces of itself (SAFI 73 and unicast)."""

    node: Annotated[Name, Ref("Node")]
    """Node."""
    address: IPv6
    """Its BGP IPv6 address: the endpoint of policies towards it."""
    dt4: Sid | None = None
    """SID that decapsulates IPv4."""
    dt6: Sid | None = None
    """SID that decapsulates IPv6."""
    blocks: tuple[Prefix, ...] = ()
    """Pod blocks that it announces."""


class Placement(Model):
    """A pod that runs with interfaces on networks."""

    cluster: Annotated[Name, Ref("Cluster")]
    """Cluster."""
    namespace: Label
    """Namespace."""
    pod: Name
    """Pod."""
    node: Annotated[Name, Ref("Node")]
    """Where it runs."""
    network: Annotated[Name, Ref("VirtualNetwork")]
    """Network of the interface."""
    nic: LinuxInterface
    """PF whose VF it got."""
    pci: Pci | None = None
    """PCI address of the VF."""


class LinkState(Model):
    """State of a link of the underlay."""

    link: Label
    """Link."""
    state: Literal["up", "down"]
    """State."""


class FactsSpec(Spec):
    """What was observed."""

    captured: Text | None = None
    """When and from where, for people."""
    nodes: tuple[NodeSids, ...] = ()
    """Calico-VPP nodes."""
    placements: tuple[Placement, ...] = ()
    """Pods on networks."""
    links: tuple[LinkState, ...] = ()
    """Links that are known to be down (or up)."""

    example: ClassVar[str] = """\
apiVersion: intentc.dev/v1alpha1
kind: Facts
metadata:
  name: core-calico
spec:
  captured: SAFI 73 of rr1
  nodes:
    - node: calico-1
      address: fd22::1
      dt4: fcff:0:0:11aa::db44
      dt6: fcff:0:0:11aa::db45
      blocks: [10.80.0.0/26]
"""
