"""Fabric: a data-centre fabric (Apstra, or open EVPN on FRR) — switches, ports, id pools, defaults."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from intent.diagnostics import did_you_mean
from intent.model import Model, Spec, repeated
from intent.scalars import (
    Asn,
    BitsPerSecond,
    Interface,
    IPv4,
    Label,
    Mac,
    Mtu,
    PortRange,
    Text,
    VlanRanges,
    VniRanges,
    wrong,
)


class SwitchPort(Model):
    """A port, or many alike, that differs from the defaults of the fabric."""

    name: PortRange
    """Port, or a range of ports in brackets: `Ethernet[1-48]`."""
    mtu: Mtu | None = None
    """IP MTU of the port."""
    speed: BitsPerSecond | None = None
    """Speed."""
    vlans: VlanRanges | None = None
    """VLANs that may be configured on the port; all of the pool where not said."""
    description: Text | None = None
    """For people."""

    def covers(self, port: str) -> bool:
        """Say whether the entry speaks of this port."""
        if "[" not in self.name:
            return port == self.name
        stem, first, last = self._span()
        number = port.removeprefix(stem)
        return port.startswith(stem) and number.isdecimal() and first <= int(number) <= last

    def hides(self, other: SwitchPort) -> bool:
        """Say whether the entry speaks of all ports that another speaks of."""
        if "[" not in other.name:
            return self.covers(other.name)
        stem, first, last = other._span()
        return self.covers(f"{stem}{first}") and self.covers(f"{stem}{last}")

    def _span(self) -> tuple[str, int, int]:
        """Return the stem of a range, and its first and last number."""
        stem, _, span = self.name.rstrip("]").partition("[")
        first, last = map(int, span.split("-"))
        return stem, first, last


class Switch(Model):
    """One switch."""

    name: Label
    """Name (label in Apstra, host name in FRR)."""
    role: Literal["leaf", "spine", "border"] = "leaf"
    """Role; servers hang off leaves, the outside off border leaves."""
    loopback: IPv4 | None = None
    """Router id and EVPN peering address; needed by provider frr."""
    vtep: IPv4 | None = None
    """VXLAN tunnel endpoint; the loopback where not said."""
    asn: Asn | None = None
    """AS number; needed by provider frr."""
    vlans: VlanRanges | None = None
    """VLANs that may be used on this switch; all of the pool where not said."""
    uplinks: tuple[Interface, ...] = ()
    """Ports to other switches of the fabric: BGP sessions and uplink tracking of provider frr."""
    ports: tuple[SwitchPort, ...] = ()
    """Ports that differ from the defaults; of several entries that speak of a port, the first counts."""

    def port(self, name: str) -> SwitchPort | None:
        """Return the first entry that speaks of a port."""
        return next((entry for entry in self.ports if entry.covers(name)), None)

    @model_validator(mode="after")
    def _hidden(self) -> Self:
        first: dict[str, SwitchPort] = {}
        ranges: list[SwitchPort] = []
        for index, entry in enumerate(self.ports):
            other = first.get(entry.name) or next((one for one in ranges if one.hides(entry)), None)
            if other:
                message = f"port {entry.name} has no effect: {other.name} before it speaks of it too"
                raise wrong(message, "put what is said of fewer ports first", "ports", index, "name")
            first[entry.name] = entry
            ranges += [entry] if "[" in entry.name else []
        return self


class RedundancyGroup(Model):
    """Two leaves that servers are dual-homed to."""

    name: Label
    """Name (label of the redundancy group in Apstra)."""
    type: Literal["esi", "mlag"] = "esi"
    """How the pair shares a LAG."""
    switches: tuple[Label, Label]
    """The two leaves."""


class FabricPools(Model):
    """Ids of this fabric, where they differ from those of the project."""

    vlan: VlanRanges | None = None
    """VLANs."""
    vni: VniRanges | None = None
    """Layer-2 VNIs."""
    l3vni: VniRanges | None = None
    """Layer-3 VNIs."""


class FabricDefaults(Model):
    """What holds for ports and networks that do not say otherwise."""

    port_mtu: Mtu = 9000
    """IP MTU of server ports."""
    underlay_mtu: Mtu = 9216
    """IP MTU between switches: must hold the port MTU and 50 bytes of VXLAN."""
    gateway_mac: Mac = "00:1c:73:00:dc:01"
    """MAC of anycast gateways."""


class Apstra(Model):
    """Where the blueprint is in Apstra."""

    blueprint: Text
    """Label of the blueprint."""
    loopback_pool: Text | None = None
    """Label of the IP pool for the loopbacks of routing zones; assigned by hand in Apstra where not said."""


class FabricSpec(Spec):
    """A fabric."""

    provider: Literal["apstra", "frr"]
    """Who configures it."""
    apstra: Apstra | None = None
    """Apstra's side (provider apstra)."""
    site: Label | None = None
    """Data centre."""
    switches: Annotated[tuple[Switch, ...], Field(min_length=1)]
    """Switches."""
    redundancy_groups: tuple[RedundancyGroup, ...] = ()
    """Pairs of leaves."""
    pools: FabricPools = FabricPools()
    """Ids of this fabric."""
    defaults: FabricDefaults = FabricDefaults()
    """Defaults."""

    example: ClassVar[str] = """\
apiVersion: intentc.dev/v1alpha1
kind: Fabric
metadata:
  name: dc1
spec:
  provider: apstra
  apstra:
    blueprint: metro-dc1
  switches:
    - name: leaf1
      ports:
        - name: "Ethernet[1-48]"
          mtu: 9100
          vlans: 100-1999
    - name: leaf2
    - name: border1
      role: border
  redundancyGroups:
    - name: rack1
      switches: [leaf1, leaf2]
  pools:
    vlan: 100-1999
"""

    @model_validator(mode="after")
    def _provider(self) -> Self:
        if self.provider == "apstra" and self.apstra is None:
            raise wrong("provider apstra needs the field apstra", "name the blueprint in it", "provider")
        if self.provider != "apstra" and self.apstra is not None:
            raise wrong(f"the field apstra does not go with provider {self.provider}", "remove it", "apstra")
        if self.provider == "frr":
            for index, switch in enumerate(self.switches):
                if not (switch.loopback and switch.asn):
                    message = f"switch {switch.name!r} needs loopback and asn, because the provider is frr"
                    raise wrong(message, "", "switches", index, "name")
        return self

    @model_validator(mode="after")
    def _names(self) -> Self:
        twin = repeated(switch.name for switch in self.switches)
        if twin:
            raise wrong(f"switch {twin[1]!r} is said twice", "", "switches", twin[0], "name")
        known = {switch.name for switch in self.switches}
        paired: set[str] = set()
        twin = repeated(group.name for group in self.redundancy_groups)
        if twin:
            raise wrong(
                f"redundancy group {twin[1]!r} is said twice", "", "redundancyGroups", twin[0], "name"
            )
        for index, group in enumerate(self.redundancy_groups):
            if group.name in known:
                message = f"redundancy group {group.name!r} is called like a switch"
                raise wrong(message, "rename the group", "redundancyGroups", index, "name")
            for place, name in enumerate(group.switches):
                at = ("redundancyGroups", index, "switches", place)
                if name not in known:
                    message = f"redundancy group {group.name!r} names switch {name!r}"
                    raise wrong(f"{message}, which the fabric does not have", did_you_mean(name, known), *at)
                if name in paired:
                    raise wrong(f"switch {name!r} is in two redundancy groups", "a leaf has one partner", *at)
                paired.add(name)
        return self

    @model_validator(mode="after")
    def _addresses(self) -> Self:
        """Refuse an address of two switches: router ids, route distinguishers and tunnels follow from it."""
        holders: dict[IPv4Address, str] = {}
        for index, switch in enumerate(self.switches):
            for field, address in (("loopback", switch.loopback), ("vtep", switch.vtep)):
                if address and holders.setdefault(address, switch.name) != switch.name:
                    message = f"{address} is an address of switch {holders[address]!r} already"
                    raise wrong(message, "give each switch its own", "switches", index, field)
        return self
