"""Nodes and their wiring: profiles merged in, cables and bonds turned into switch ports and LAGs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from compiler.resolved import Lag, Port, Server, Wire
from intent.diagnostics import Related, Report, did_you_mean
from intent.kinds.fabric import FabricSpec, Switch
from intent.kinds.node import Bond, Nic, NodeProfileSpec, NodeSpec
from intent.model import Intent


def merge(intent: Intent, profiles: Mapping[str, Intent]) -> Server:
    """Return a Node with its profile below it: what the node says wins, NICs and bonds by name."""
    spec: NodeSpec = intent.spec
    profile = profiles.get(spec.profile) if spec.profile else None
    base: NodeProfileSpec | None = profile.spec if profile else None
    nics = {nic.name: nic for nic in base.nics} if base else {}
    bonds = {bond.name: bond for bond in base.bonds} if base else {}
    for nic in spec.nics:
        nics[nic.name] = _over(nics.get(nic.name), nic)
    bonds |= {bond.name: bond for bond in spec.bonds}
    return Server(
        intent=intent,
        profile=profile,
        name=intent.name,
        hostname=spec.hostname or intent.name,
        role=spec.role,
        site=spec.site or (base.site if base else None),
        labels={**(base.labels if base else {}), **spec.labels, "kubernetes.io/hostname": spec.hostname or intent.name},
        nics=nics,
        bonds=bonds,
        wires=wires(intent),
        ipv4=spec.ipv4,
        ipv6=spec.ipv6,
        uplink=spec.uplink,
        pins=spec.pins,
        max_sids=spec.max_sids or (base.max_sids if base else None),
        drained=spec.state == "drain",
        cluster=None,
    )


def _over(base: Nic | None, nic: Nic) -> Nic:
    """Return a NIC with the fields of the profile's where it says nothing itself."""
    if base is None:
        return nic
    said: dict[str, Any] = {name: getattr(nic, name) for name in nic.model_fields_set}
    return base.model_copy(update=said)


def wires(intent: Intent) -> dict[str, Wire]:
    """Return the cables of a node by NIC."""
    return {
        cable.nic: Wire(intent.name, cable.nic, Port(cable.fabric, cable.switch, cable.port), ("spec", "cables", index))
        for index, cable in enumerate(intent.spec.cables)
    }


def check_servers(servers: Mapping[str, Server], switches: Mapping[tuple[str, str], Switch], report: Report) -> dict[Port, Wire]:
    """Check NICs, bonds and cables against each other and the fabrics; return the cables by port."""
    wired: dict[Port, Wire] = {}
    for server in servers.values():
        _check_bonds(server, report)
        for index, cable in enumerate(server.intent.spec.cables):
            path = ("spec", "cables", index)
            first = server.wires[cable.nic].path
            if first != path:
                report.error("IC2010", server.intent.span(*path, "nic"), f"NIC {cable.nic!r} has two cables", "a port takes one cable", [Related(server.intent.span(*first), "the other one")])
                continue
            if server.nics and cable.nic not in server.nics:
                report.error("IC2011", server.intent.span(*path, "nic"), f"node {server.name!r} has no NIC {cable.nic!r}", did_you_mean(cable.nic, server.nics))
            if (cable.fabric, cable.switch) not in switches:
                known = [name for fabric, name in switches if fabric == cable.fabric]
                report.error("IC2002", server.intent.span(*path, "switch"), f"fabric {cable.fabric!r} has no switch {cable.switch!r}", did_you_mean(cable.switch, known))
                continue
            wire = server.wires[cable.nic]
            twin = wired.setdefault(wire.port, wire)
            if twin is not wire:
                place = Related(servers[twin.server].intent.span(*twin.path), f"{twin.nic} of {twin.server}")
                report.error("IC2012", server.intent.span(*path, "port"), f"port {wire.port} has two cables", "a port takes one cable", [place])
    return wired


def _check_bonds(server: Server, report: Report) -> None:
    taken: dict[str, str] = {}
    for bond in server.bonds.values():
        intent, path = server.origin("bonds", bond.name)
        for nic in bond.nics:
            if server.nics and nic not in server.nics:
                report.error("IC2011", intent.span(*path, "nics"), f"bond {bond.name!r} of {server.name!r} names NIC {nic!r}, which the node does not have", did_you_mean(nic, server.nics))
            if taken.setdefault(nic, bond.name) != bond.name:
                report.error("IC2013", intent.span(*path, "nics"), f"NIC {nic!r} of {server.name!r} is in two bonds: {taken[nic]!r} and {bond.name!r}")


def lags(servers: Mapping[str, Server], fabrics: Mapping[str, Intent], report: Report) -> dict[tuple[str, str], Lag]:
    """Return the LAG that each 802.3ad bond needs in the fabric; legs that cannot form one are errors."""
    found: dict[tuple[str, str], Lag] = {}
    for server in servers.values():
        for bond in server.bonds.values():
            legs = [server.wires[nic].port for nic in bond.nics if nic in server.wires]
            if bond.mode != "802.3ad" or not legs:
                continue
            lag = _lag(server, bond, tuple(legs), fabrics, report)
            if lag:
                found[server.name, bond.name] = lag
    return found


def _lag(server: Server, bond: Bond, legs: tuple[Port, ...], fabrics: Mapping[str, Intent], report: Report) -> Lag | None:
    intent, path = server.origin("bonds", bond.name)
    span = intent.span(*path)
    name = f"{server.name}-{bond.name}"
    if len(legs) < len(bond.nics):
        bare = [nic for nic in bond.nics if nic not in server.wires]
        report.error("IC2014", span, f"LACP bond {bond.name!r} of {server.name!r}: {', '.join(bare)} has no cable", "cable every leg, or take it out of the bond")
        return None
    if len({leg.fabric for leg in legs}) > 1:
        report.error("IC2015", span, f"LACP bond {bond.name!r} of {server.name!r} spans two fabrics", "use mode: active-backup")
        return None
    fabric, switches = legs[0].fabric, sorted({leg.switch for leg in legs})
    if fabric not in fabrics:
        return None
    if len(switches) == 1:
        return Lag(name, fabric, legs, None, None, None, server.name, bond, path)
    spec: FabricSpec = fabrics[fabric].spec
    group = next((group for group in spec.redundancy_groups if set(switches) <= set(group.switches)), None)
    if group is None:
        report.error(
            "IC2016", span, f"LACP bond {bond.name!r} of {server.name!r} ends on {' and '.join(switches)}, which are no redundancy group",
            f"add a redundancy group to fabric {fabric!r}, or use mode: active-backup", [Related(fabrics[fabric].span("spec"), "the fabric")],
        )
        return None
    mark = hashlib.sha256(f"{server.intent.subject}/{bond.name}".encode()).hexdigest()
    # A locally administered MAC, and a type-0 ESI (RFC 7432 §5) made of the same hash: stable under renames of switches.
    system_id = bond.system_id or ":".join(["02", *(mark[at : at + 2] for at in range(0, 10, 2))])
    esi = bond.esi or ":".join(["00", *(mark[at : at + 2] for at in range(0, 18, 2))])
    return Lag(name, fabric, legs, group.name, esi if group.type == "esi" else None, system_id, server.name, bond, path)
