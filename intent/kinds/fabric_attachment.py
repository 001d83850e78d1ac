"""FabricAttachment: a network on fixed ports — bare-metal servers, appliances, anything that is no pod."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from intent.model import Model, Ref, Spec
from intent.scalars import Interface, Label, LinuxInterface, Name, Text, wrong


class StaticPort(Model):
    """One port: by switch and port, or by node and NIC (or bond), whose cables are known."""

    fabric: Annotated[Name, Ref("Fabric")] | None = None
    """Fabric of the switch."""
    switch: Label | None = None
    """Switch."""
    port: Interface | None = None
    """Port of the switch."""
    node: Annotated[Name, Ref("Node")] | None = None
    """Server."""
    nic: LinuxInterface | None = None
    """NIC of the server."""
    bond: LinuxInterface | None = None
    """Bond of the server: the LAG or ESI-LAG of its cables."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_switch = (self.fabric, self.switch, self.port)
        by_node = self.node is not None and (self.nic is None) != (self.bond is None)
        if all(by_switch) and not (self.node or self.nic or self.bond):
            return self
        if by_node and not any(by_switch):
            return self
        raise wrong("say a port either by fabric, switch and port, or by node and one of nic and bond")


class FabricAttachmentSpec(Spec):
    """A network on fixed ports."""

    network: Annotated[Name, Ref("VirtualNetwork")]
    """The network; it must extend to the fabric and have an attachment of type bareMetal."""
    ports: Annotated[tuple[StaticPort, ...], Field(min_length=1)]
    """Ports."""
    tagging: Literal["tagged", "untagged"] = "tagged"
    """Whether frames carry the network's VLAN tag on these ports."""
    description: Text | None = None
    """For people."""

    example: ClassVar[str] = """\
apiVersion: intentc.dev/v1alpha1
kind: FabricAttachment
metadata:
  name: firewall-n6
spec:
  network: n6
  tagging: untagged
  ports:
    - node: firewall
      bond: bond0
    - fabric: dc1
      switch: leaf3
      port: Ethernet7
"""
