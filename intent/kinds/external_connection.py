"""ExternalConnection: the way out of a routing zone (N6, internet, another network) over border ports."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from intent.model import Model, Ref, SecretRef, Spec
from intent.scalars import IP, Asn, Interface, Label, Mtu, Name, Prefix, Text, VlanId, VrfName, is_host, wrong


class BorderPort(Model):
    """One routed sub-interface of a border switch."""

    switch: Label
    """Border switch."""
    port: Interface
    """Port."""
    vlan: VlanId
    """Tag of the sub-interface."""
    address: Prefix | None = None
    """Prefix of the point-to-point link."""
    local: IP | None = None
    """Our address on the link; the first of the prefix where not said."""
    mtu: Mtu | None = None
    """IP MTU."""

    @model_validator(mode="after")
    def _inside(self) -> Self:
        if self.local and (not self.address or self.local not in self.address):
            hint = "give the prefix of the link in address" if not self.address else ""
            raise wrong(f"local address {self.local} lies outside the link's prefix", hint, "local")
        if self.local and self.address and not is_host(self.local, self.address):
            hint = "the first and the last address are those of the network itself, and of broadcast"
            raise wrong(f"local address {self.local} is no host of the link", hint, "local")
        return self


class ExternalPeer(Model):
    """A BGP neighbour outside."""

    switch: Label
    """Border switch that peers."""
    address: IP
    """Address of the neighbour."""
    asn: Asn
    """AS number of the neighbour."""
    bfd: bool = Field(default=False, strict=True)
    """Watch the neighbour by BFD."""
    password: SecretRef | None = None
    """TCP MD5 password, by reference."""
    multihop: Annotated[int, Field(strict=True, ge=1, le=255)] | None = None
    """Hops to the neighbour, where it is not on the link."""
    imports: tuple[Prefix, ...] = ()
    """Accept only these prefixes; all where not said."""
    exports: tuple[Prefix, ...] = ()
    """Announce only these prefixes; all of the zone where not said."""


class StaticRoute(Model):
    """A route to the outside."""

    prefix: Prefix
    """Destination."""
    next_hop: IP
    """Next hop on one of the links."""

    @model_validator(mode="after")
    def _family(self) -> Self:
        if self.prefix.version != self.next_hop.version:
            raise wrong(f"next hop {self.next_hop} is of another family than {self.prefix}", "", "nextHop")
        return self


class ExternalConnectionSpec(Spec):
    """The way out of a routing zone."""

    fabric: Annotated[Name, Ref("Fabric")]
    """Fabric of the border switches."""
    zone: VrfName
    """Routing zone that gets the way out."""
    ports: Annotated[tuple[BorderPort, ...], Field(min_length=1)]
    """Routed sub-interfaces."""
    peers: tuple[ExternalPeer, ...] = ()
    """BGP neighbours."""
    static_routes: tuple[StaticRoute, ...] = ()
    """Static routes."""
    description: Text | None = None
    """For people."""
    type: Literal["layer3"] = "layer3"
    """Routed; a layer-2 hand-off is a FabricAttachment."""

    example: ClassVar[str] = """\
apiVersion: intentc.dev/v1alpha1
kind: ExternalConnection
metadata:
  name: n6-internet
spec:
  fabric: dc1
  zone: internet
  ports:
    - switch: border1
      port: Ethernet49
      vlan: 3001
      address: 192.0.2.0/31
      local: 192.0.2.0
  peers:
    - switch: border1
      address: 192.0.2.1
      asn: 64999
      bfd: true
      password:
        env: N6_PEER_PASSWORD
  staticRoutes:
    - prefix: 0.0.0.0/0
      nextHop: 192.0.2.1
"""
