"""SriovPool: virtual functions of chosen NICs on chosen nodes, offered under one resource name."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from intent.model import Model, Ref, Selector, Spec
from intent.scalars import HexId, LinuxInterface, Mtu, Name, Pci, ResourceName, VfCount, VfRange, wrong


class NicSelector(Model):
    """Which NICs of the nodes; every given condition must hold."""

    names: tuple[LinuxInterface, ...] = ()
    """PF names."""
    vendor: HexId | None = None
    """PCI vendor id."""
    device: HexId | None = None
    """PCI device id."""
    pci: tuple[Pci, ...] = ()
    """PCI addresses of PFs."""

    @model_validator(mode="after")
    def _said(self) -> Self:
        if not (self.names or self.vendor or self.device or self.pci):
            raise wrong("this NIC selector says nothing", "give names, vendor, device or pci")
        return self


class SriovPoolSpec(Spec):
    """Virtual functions under one resource name."""

    cluster: Annotated[Name, Ref("Cluster")]
    """Cluster of the nodes."""
    nodes: Annotated[Selector, Ref("Node")]
    """Nodes of the cluster, by name or Kubernetes label."""
    nics: NicSelector
    """Physical functions."""
    vfs: VfCount
    """VFs to create on each PF."""
    vf_range: VfRange | None = None
    """Use only these VF indexes, so that several pools share a PF."""
    resource_name: ResourceName | None = None
    """Extended resource; the name of the pool with '_' for '-' where not said."""
    device_type: Literal["netdevice", "vfio-pci"] = "netdevice"
    """Kernel device, or vfio-pci for DPDK."""
    mtu: Mtu | None = None
    """MTU of the VFs; that of the PF where not said."""
    e_switch_mode: Literal["legacy", "switchdev"] = "legacy"
    """Mode of the NIC's embedded switch."""
    rdma: bool = Field(default=False, strict=True)
    """Offer RDMA."""
    vhost_net: bool = Field(default=False, strict=True)
    """Mount /dev/vhost-net into pods."""
    link_type: Literal["eth", "ib"] = "eth"
    """Link type."""
    priority: Annotated[int, Field(strict=True, ge=0, le=99)] = 99
    """Priority of the node policy; the lower wins."""
    exclude_topology: bool = Field(default=False, strict=True)
    """Do not tell the NUMA node to the kubelet."""

    example: ClassVar[str] = """\
apiVersion: intentc.dev/v1alpha1
kind: SriovPool
metadata:
  name: upf-left
spec:
  cluster: edge
  nodes:
    matchLabels:
      node-role: upf
  nics:
    names: [ens1f0]
  vfs: 16
  vfRange: 0-7
  deviceType: vfio-pci
"""

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.device_type == "vfio-pci" and self.rdma:
            raise wrong("rdma needs deviceType: netdevice", "", "rdma")
        if self.vf_range and self.vf_range.spans[-1][1] >= self.vfs:
            message = f"vfRange {self.vf_range} goes beyond the {self.vfs} VFs, which count from 0"
            raise wrong(message, "", "vfRange")
        if self.vf_range and len(self.vf_range.spans) > 1:
            raise wrong("vfRange is one range", "make one pool per range", "vfRange")
        return self
