"""Workload: pods that are expected on networks — for capacity checks, ready ports, and lines to paste."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from intent.model import Model, Ref, Selector, Spec
from intent.scalars import IP, Count, Label, LinuxInterface, Mac, Name, Text, wrong


class PodInterface(Model):
    """One interface of each pod."""

    network: Annotated[Name, Ref("VirtualNetwork")]
    """Network."""
    name: LinuxInterface | None = None
    """Name in the pod; Multus counts net1, net2 … where not said."""
    pool: Annotated[Name, Ref("SriovPool")] | None = None
    """Which SR-IOV attachment of the network, where it has several."""
    addresses: tuple[IP, ...] = ()
    """Fixed addresses (one replica only)."""
    mac: Mac | None = None
    """Fixed MAC (one replica only)."""


class WorkloadSpec(Spec):
    """Pods that are expected."""

    cluster: Annotated[Name, Ref("Cluster")]
    """Cluster."""
    namespace: Label
    """Namespace."""
    kind: Literal["Deployment", "StatefulSet", "DaemonSet"] = "Deployment"
    """What makes the pods."""
    replicas: Count = 1
    """Pods; with DaemonSet the number of chosen nodes counts."""
    max_surge: Annotated[int, Field(strict=True, ge=0, le=10000)] = 0
    """Pods beyond `replicas` during an update; they need addresses and VFs too."""
    nodes: Annotated[Selector, Ref("Node")] | None = None
    """Nodes that the scheduler may choose; all of the cluster where not said."""
    spread: bool = Field(default=False, strict=True)
    """At most one pod per node (anti-affinity)."""
    interfaces: Annotated[tuple[PodInterface, ...], Field(min_length=1)]
    """Interfaces of each pod, in order."""
    pre_provision: bool = Field(default=False, strict=True)
    """Configure the fabric ports of every node it may run on before its pods come."""
    description: Text | None = None
    """For people."""

    example: ClassVar[str] = """\
apiVersion: intentc.dev/v1alpha1
kind: Workload
metadata:
  name: upf
spec:
  cluster: edge
  namespace: upf
  kind: StatefulSet
  replicas: 4
  nodes:
    matchLabels:
      node-role: upf
  spread: true
  interfaces:
    - network: n3
      name: n3
    - network: n6
      name: n6
  preProvision: true
"""

    @model_validator(mode="after")
    def _fixed(self) -> Self:
        fixed = any(item.addresses or item.mac for item in self.interfaces)
        if fixed and (self.replicas > 1 or self.kind == "DaemonSet"):
            raise wrong("fixed addresses and MACs need a single replica", "", "replicas")
        return self
