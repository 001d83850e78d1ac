"""The wire of a fabric: switches, redundancy groups, servers with their cables, LAGs and ports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from compiler.derived.fabrics import Share, group_of
from compiler.elements import fabric as blueprint
from compiler.graph import Element
from compiler.resolved import Lag, Port, Resolved, Server
from intent.kinds.fabric import FabricSpec
from intent.model import Intent, Origin

_DERIVED: Final = "made of the names of node and bond"


def wire(intent: Intent, share: Share, resolved: Resolved) -> Iterator[Element]:
    """Yield the wire of one fabric, each thing after what it stands on."""
    spec: FabricSpec = intent.spec
    groups = group_of(spec)
    yield blueprint.Fabric(
        subject=intent.subject,
        origins=(
            Origin("", intent),
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
            origins=(Origin("", intent, ("spec", "switches", index)),),
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
    yield from map(_lag, share.lags, (resolved.servers[lag.server] for lag in share.lags))
    yield from _ports(intent, share, resolved)


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)


def _server(server: Server, fabric: str, resolved: Resolved) -> Element:
    lags = {
        nic: lag.name
        for bond in server.bonds.values()
        if (lag := resolved.lags.get((server.name, bond.name)))
        for nic in bond.nics
    }
    wires = [server.wires[nic] for nic in sorted(server.wires) if server.wires[nic].port.fabric == fabric]
    return blueprint.Server(
        subject=server.intent.subject,
        origins=(
            Origin("name", server.intent, ("metadata", "name")),
            Origin(
                "hostname",
                server.intent,
                ("spec", "hostname") if server.intent.spec.hostname else ("metadata", "name"),
            ),
            *(Origin(f"links.{index}", server.intent, wire.path) for index, wire in enumerate(wires)),
        ),
        name=server.name,
        hostname=server.hostname,
        links=tuple(
            blueprint.ServerLink(wire.nic, wire.port.switch, wire.port.port, lags.get(wire.nic))
            for wire in wires
        ),
    )


def _lag(lag: Lag, server: Server) -> Element:
    intent, path = server.origin("bonds", lag.bond.name)
    return blueprint.Lag(
        subject=f"{server.intent.subject}/{lag.bond.name}",
        origins=(
            Origin("", intent, path),
            Origin("members", server.intent, ("spec", "cables")),
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


def _ports(intent: Intent, share: Share, resolved: Resolved) -> Iterator[Element]:
    """Yield each port that something is cabled to or configured on, once."""
    lags = {member: lag.name for lag in share.lags for member in lag.members}
    causes: dict[Port, Origin] = {
        use.point: use.origins[0] for use in share.uses if isinstance(use.point, Port)
    }
    for connection in share.exits:
        for index, port in enumerate(connection.spec.ports):
            causes[Port(intent.name, port.switch, port.port)] = Origin(
                "", connection, ("spec", "ports", index)
            )
    for server in share.servers.values():
        for wire in server.wires.values():
            if wire.port.fabric == intent.name:
                causes[wire.port] = Origin("", server.intent, wire.path)
    for port, cause in sorted(causes.items(), key=lambda item: item[0]):
        yield _port(port, cause, lags.get(port), resolved)


def _port(port: Port, cause: Origin, lag: str | None, resolved: Resolved) -> Element:
    intent, wire = resolved.fabrics[port.fabric], resolved.wired.get(port)
    spec: FabricSpec = intent.spec
    switch = resolved.switches[port.fabric, port.switch]
    place = ("spec", "switches", spec.switches.index(switch), "ports")
    entry = switch.port(port.port)
    mtu = place if entry and entry.mtu else ("spec", "defaults", "portMtu")
    return blueprint.PortConfig(
        subject=f"{cause.intent.subject}/{port.switch}/{port.port}",
        origins=(cause, Origin("mtu", intent, mtu), Origin("speed", intent, place)),
        switch=port.switch,
        port=port.port,
        mtu=(entry and entry.mtu) or spec.defaults.port_mtu,
        speed=entry.speed if entry else None,
        description=(entry and entry.description) or (f"{wire.server} {wire.nic}" if wire else ""),
        server=wire.server if wire else None,
        nic=wire.nic if wire else None,
        lag=lag,
    )
