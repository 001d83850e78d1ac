"""The wire of a fabric: switches, redundancy groups, servers with their cables, LAGs and ports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from compiler.derived.entrances import cabling, group_origins
from compiler.derived.fabrics import Share, group_of, port_entry
from compiler.derived.reasons import NAME, Origins, identity
from compiler.elements import fabric as blueprint
from compiler.graph import Element
from compiler.resolved import Lag, Port, Resolved, Server
from intent.kinds.fabric import FabricSpec
from intent.model import Intent, Origin
from intent.source import FieldPath

_DERIVED: Final = "made of the names of node and bond"


def wire(intent: Intent, share: Share, resolved: Resolved) -> Iterator[Element]:
    """Yield the wire of one fabric, each thing after what it stands on."""
    spec: FabricSpec = intent.spec
    groups = group_of(spec)
    yield blueprint.Fabric(
        subject=intent.subject,
        origins=(
            Origin("name", intent, NAME),
            Origin("provider", intent, ("spec", "provider")),
            Origin("underlay_mtu", intent, ("spec", "defaults", "underlayMtu")),
            Origin("gateway_mac", intent, ("spec", "defaults", "gatewayMac")),
            Origin("blueprint", intent, ("spec", "apstra", "blueprint")),
            Origin("loopback_pool", intent, ("spec", "apstra", "loopbackPool")),
        ),
        name=intent.name,
        provider=spec.provider,
        blueprint=spec.apstra.blueprint if spec.apstra else None,
        loopback_pool=spec.apstra.loopback_pool if spec.apstra else None,
        underlay_mtu=spec.defaults.underlay_mtu,
        gateway_mac=spec.defaults.gateway_mac,
    )
    for index, switch in enumerate(spec.switches):
        yield blueprint.Switch(
            subject=f"{intent.subject}/{switch.name}",
            origins=(
                Origin("", intent, ("spec", "switches", index)),
                *group_origins(intent, groups.get(switch.name), "group"),
            ),
            name=switch.name,
            role=switch.role,
            loopback=_text(switch.loopback),
            vtep=_text(switch.vtep or switch.loopback),
            asn=switch.asn,
            group=groups.get(switch.name),
            uplinks=switch.uplinks,
        )
    for index, group in enumerate(spec.redundancy_groups):
        origins = (Origin("", intent, ("spec", "redundancyGroups", index)),)
        yield blueprint.RedundancyGroup(
            subject=intent.subject, origins=origins, name=group.name, type=group.type, switches=group.switches
        )
    yield from (_server(server, intent.name, resolved) for server in share.servers.values())
    yield from (_lag(lag, intent, resolved) for lag in share.lags)
    yield from _ports(intent, share, resolved)


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)


def _server(server: Server, fabric: str, resolved: Resolved) -> Element:
    found = [lag for name in server.bonds if (lag := resolved.lags.get((server.name, name)))]
    lags = {nic: lag.name for lag in found for nic in lag.bond.nics}
    wires = [server.wires[nic] for nic in sorted(server.wires) if server.wires[nic].port.fabric == fabric]
    return blueprint.Server(
        subject=server.intent.subject,
        origins=(
            *identity(server.intent),
            Origin("hostname", server.intent, ("spec", "hostname") if server.intent.spec.hostname else NAME),
            *(Origin(f"links.{index}", server.intent, wire.path) for index, wire in enumerate(wires)),
            Origin("links", server.intent, ("spec", "cables"), "sorted by NIC"),
            *(
                Origin("links", *place, "members of the LAG")
                for name in dict.fromkeys(lag.bond.name for lag in found)
                for place in _bond_places(server, name)
            ),
        ),
        name=server.name,
        hostname=server.hostname,
        links=tuple(
            blueprint.ServerLink(wire.nic, wire.port.switch, wire.port.port, lags.get(wire.nic))
            for wire in wires
        ),
    )


def _lag(lag: Lag, fabric: Intent, resolved: Resolved) -> Element:
    server = resolved.servers[lag.server]
    intent, path = server.origin("bonds", lag.bond.name)
    return blueprint.Lag(
        subject=f"{server.intent.subject}/{lag.bond.name}",
        origins=(
            *(Origin("", *place) for place in _bond_places(server, lag.bond.name)),
            *identity(server.intent, _DERIVED),
            Origin("", server.intent, ("spec", "cables"), "its members"),
            *group_origins(fabric, lag.group),
            Origin("lacp_rate", intent, (*path, "lacpRate")),
            Origin("esi", intent, (*path, "esi"), "" if lag.bond.esi else _DERIVED),
            Origin("system_id", intent, (*path, "systemId"), "" if lag.bond.system_id else _DERIVED),
        ),
        name=lag.name,
        server=server.name,
        bond=lag.bond.name,
        members=tuple(blueprint.PortName(port.switch, port.port) for port in lag.members),
        lacp=lag.bond.mode == "802.3ad",
        lacp_rate=lag.bond.lacp_rate,
        group=lag.group,
        esi=lag.esi,
        system_id=lag.system_id,
    )


def _bond_places(server: Server, name: str) -> Iterator[tuple[Intent, FieldPath]]:
    """Yield where a bond is said, and which profile says it."""
    for intent, path in server.places("bonds", name):
        yield intent, path
        if intent is server.profile:
            yield server.intent, ("spec", "profile")


def _ports(intent: Intent, share: Share, resolved: Resolved) -> Iterator[Element]:
    """Yield each port that something is cabled to or configured on, once."""
    lags = {member: lag.name for lag in share.lags for member in lag.members}
    causes: dict[Port, Origins] = {
        use.point: use.origins for use in share.uses if isinstance(use.point, Port)
    }
    for connection in share.exits:
        for index, port in enumerate(connection.spec.ports):
            place = Origin("", connection, ("spec", "ports", index))
            causes[Port(intent.name, port.switch, port.port)] = (place,)
    for server in share.servers.values():
        for wire in server.wires.values():
            if wire.port.fabric == intent.name:
                bond = cabling(server.name, wire.nic, resolved) if wire.port in lags else ()
                place = Origin("", server.intent, wire.path)
                causes[wire.port] = (place, *identity(server.intent), *bond)
    for port in sorted(causes):
        yield _port(port, causes[port], lags.get(port), resolved)


def _port(port: Port, causes: Origins, lag: str | None, resolved: Resolved) -> Element:
    intent, wire = resolved.fabrics[port.fabric], resolved.wired.get(port)
    spec: FabricSpec = intent.spec
    entry, place = port_entry(port, resolved)
    said = tuple(Origin(field, intent, place) for field in ("mtu", "speed", "description")) if entry else ()
    default = Origin("mtu", intent, ("spec", "defaults", "portMtu"))
    return blueprint.PortConfig(
        subject=f"{causes[0].intent.subject}/{port.switch}/{port.port}",
        origins=(*causes, *said, *(() if entry and entry.mtu else (default,))),
        switch=port.switch,
        port=port.port,
        mtu=(entry and entry.mtu) or spec.defaults.port_mtu,
        speed=entry.speed if entry else None,
        description=(entry and entry.description) or (f"{wire.server} {wire.nic}" if wire else ""),
        server=wire.server if wire else None,
        nic=wire.nic if wire else None,
        lag=lag,
    )
