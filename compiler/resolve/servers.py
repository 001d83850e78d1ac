"""Nodes and their wiring: profiles merged in, cables and bonds turned into switch ports and LAGs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from compiler.resolved import Lag, Port, Server, Wire
from intent.diagnostics import Related, Report, did_you_mean
from intent.kinds.fabric import FabricSpec, Switch
from intent.kinds.node import Bond, Nic, NodeProfileSpec, NodeSpec
from intent.model import Intent
from intent.source import Span

Part = TypeVar("Part", Nic, Bond)


def merge(intent: Intent, profiles: Mapping[str, Intent]) -> Server:
    """Return a Node with its profile below it: what the node says wins, NICs and bonds field by field."""
    spec: NodeSpec = intent.spec
    profile = profiles.get(spec.profile) if spec.profile else None
    base: NodeProfileSpec | None = profile.spec if profile else None
    hostname = spec.hostname or intent.name
    return Server(
        intent=intent,
        profile=profile,
        name=intent.name,
        hostname=hostname,
        role=spec.role,
        site=spec.site or (base.site if base else None),
        labels={**(base.labels if base else {}), **spec.labels, "kubernetes.io/hostname": hostname},
        nics=_over(base.nics if base else (), spec.nics),
        bonds=_over(base.bonds if base else (), spec.bonds),
        wires=wires(intent),
        ipv4=spec.ipv4,
        ipv6=spec.ipv6,
        uplink=spec.uplink,
        pins=spec.pins,
        max_sids=spec.max_sids or (base.max_sids if base else None),
        drained=spec.state == "drain",
        cluster=None,
    )


def _over(base: Iterable[Part], own: Iterable[Part]) -> dict[str, Part]:
    """Return NICs or bonds by name: the profile's, with the fields that the node says itself on top."""
    found = {part.name: part for part in base}
    for part in own:
        below = found.get(part.name)
        if below is not None:
            said = {name: getattr(part, name) for name in part.model_fields_set}
            found[part.name] = below.model_copy(update=said)
        else:
            found[part.name] = part
    return found


def wires(intent: Intent) -> dict[str, Wire]:
    """Return the cables of a node by NIC."""
    return {
        cable.nic: Wire(
            intent.name, cable.nic, Port(cable.fabric, cable.switch, cable.port), ("spec", "cables", index)
        )
        for index, cable in enumerate(intent.spec.cables)
    }


@dataclass(frozen=True, slots=True)
class _Once:
    """Tells each mistake once per place: a range or a profile makes the same one for every server."""

    report: Report
    told: set[tuple[str, Span]] = field(default_factory=set)

    def error(
        self, code: str, span: Span, message: str, hint: str = "", related: Iterable[Related] = ()
    ) -> None:
        """Add an error, if none with this code stands at this place."""
        if (code, span) not in self.told:
            self.told.add((code, span))
            self.report.error(code, span, message, hint, related)


def check_servers(
    servers: Mapping[str, Server], switches: Mapping[tuple[str, str], Switch], report: Report
) -> dict[Port, Wire]:
    """Check NICs, bonds and cables against each other and the fabrics; return the cables by port."""
    wired: dict[Port, Wire] = {}
    once = _Once(report)
    for server in servers.values():
        _check_bonds(server, once)
        for wire in _good_wires(server, switches, once):
            twin = wired.setdefault(wire.port, wire)
            if twin is not wire:
                span, port = server.intent.span(*wire.path, "port"), wire.port
                place = Related(servers[twin.server].intent.span(*twin.path), f"{twin.nic} of {twin.server}")
                hint = "a port takes one cable"
                if server.intent.words and twin.server != wire.server:
                    hint = f"write for example {port.port}{{n}}"
                once.error("IC2012", span, f"port {port} has two cables", hint, [place])
    return wired


def _good_wires(server: Server, switches: Mapping[tuple[str, str], Switch], once: _Once) -> Iterator[Wire]:
    """Yield the cables between a NIC and a switch that exist; report the others."""
    for index, cable in enumerate(server.intent.spec.cables):
        path, wire = ("spec", "cables", index), server.wires[cable.nic]
        span = server.intent.span(*path, "nic")
        if wire.path != path:
            place = Related(server.intent.span(*wire.path), "the other one")
            once.error("IC2010", span, f"NIC {cable.nic!r} has two cables", "a NIC has one cable", [place])
            continue
        if server.nics and cable.nic not in server.nics:
            text = f"node {server.name!r} has no NIC {cable.nic!r}"
            once.error("IC2011", span, text, did_you_mean(cable.nic, server.nics))
        if (cable.fabric, cable.switch) in switches:
            yield wire
        else:
            span = server.intent.span(*path, "switch")
            once.error(*no_switch(span, cable.fabric, cable.switch, switches))


def no_switch(
    span: Span, fabric: str, name: str, switches: Iterable[tuple[str, str]]
) -> tuple[str, Span, str, str]:
    """Return the error about a switch that its fabric does not have."""
    known = [other for owner, other in switches if owner == fabric]
    return "IC2002", span, f"fabric {fabric!r} has no switch {name!r}", did_you_mean(name, known)


def _check_bonds(server: Server, once: _Once) -> None:
    taken: dict[str, str] = {}
    for bond in server.bonds.values():
        intent, path = server.origin("bonds", bond.name)
        if bond.name in server.nics:
            text = f"{server.name!r} has a NIC and a bond of the same name {bond.name!r}"
            place = _place(server, "nics", bond.name, "the NIC")
            once.error("IC2019", intent.span(*path, "name"), text, "rename the bond", [place])
        for index, nic in enumerate(bond.nics):
            span = intent.span(*path, "nics", index)
            if server.nics and nic not in server.nics:
                text = (
                    f"bond {bond.name!r} of {server.name!r} names NIC {nic!r}, which the node does not have"
                )
                once.error("IC2011", span, text, did_you_mean(nic, server.nics))
            if nic not in taken:
                taken[nic] = bond.name
            elif taken[nic] == bond.name:
                text = f"NIC {nic!r} of {server.name!r} is in bond {bond.name!r} twice"
                once.error("IC2013", span, text, "each leg of a bond is a NIC of its own")
            else:
                text = f"NIC {nic!r} of {server.name!r} is in two bonds: {taken[nic]!r} and {bond.name!r}"
                once.error("IC2013", span, text)


def _place(server: Server, part: str, name: str, what: str) -> Related:
    intent, path = server.origin(part, name)
    return Related(intent.span(*path), what)


def check_hostnames(servers: Mapping[str, Server], report: Report) -> None:
    """Report two nodes of one cluster with the same host name: Kubernetes knows nodes by it."""
    seen: dict[tuple[str, str], Server] = {}
    once = _Once(report)
    for server in servers.values():
        twin = seen.setdefault((server.cluster or "", server.hostname), server)
        if server.cluster and twin is not server:
            path = ("spec", "hostname") if server.intent.spec.hostname else ("metadata", "name")
            text = f"nodes {twin.name!r} and {server.name!r} of cluster {server.cluster!r} have one host name"
            hint = "give each a host name of its own; in a range write {n} into it"
            place = Related(twin.intent.span("metadata", "name"), f"node {twin.name!r}")
            once.error("IC2018", server.intent.span(*path), f"{text}: {server.hostname!r}", hint, [place])


def lags(
    servers: Mapping[str, Server], fabrics: Mapping[str, Intent], report: Report
) -> dict[tuple[str, str], Lag]:
    """Return the LAG that each 802.3ad bond needs in the fabric; legs that cannot form one are errors."""
    found: dict[tuple[str, str], Lag] = {}
    once = _Once(report)
    for server in servers.values():
        for bond in server.bonds.values():
            legs = [server.wires[nic].port for nic in bond.nics if nic in server.wires]
            if bond.mode != "802.3ad" or not legs:
                continue
            lag = _lag(server, bond, tuple(legs), fabrics, once)
            if lag:
                found[server.name, bond.name] = lag
    _check_unique(found.values(), servers, once)
    return found


def _lag(
    server: Server, bond: Bond, legs: tuple[Port, ...], fabrics: Mapping[str, Intent], once: _Once
) -> Lag | None:
    intent, path = server.origin("bonds", bond.name)
    span, what = intent.span(*path), f"LACP bond {bond.name!r} of {server.name!r}"
    if len(legs) < len(bond.nics):
        bare = ", ".join(nic for nic in bond.nics if nic not in server.wires)
        hint = "cable every leg, or take it out of the bond"
        once.error("IC2014", span, f"{what}: {bare} has no cable", hint)
        return None
    if len({leg.fabric for leg in legs}) > 1:
        once.error("IC2015", span, f"{what} spans two fabrics", "use mode: active-backup")
        return None
    name, fabric, switches = f"{server.name}-{bond.name}", legs[0].fabric, {leg.switch for leg in legs}
    spec: FabricSpec = fabrics[fabric].spec
    if len(switches) == 1:
        return Lag(name, fabric, legs, None, None, None, server.name, bond, path)
    if not switches <= {switch.name for switch in spec.switches}:
        return None  # reported with the cable
    group = next((group for group in spec.redundancy_groups if switches <= set(group.switches)), None)
    if group is None:
        text = f"{what} ends on {' and '.join(sorted(switches))}, which are no redundancy group"
        hint = f"add a redundancy group to fabric {fabric!r}, or use mode: active-backup"
        once.error("IC2016", span, text, hint, [Related(fabrics[fabric].span("spec"), "the fabric")])
        return None
    mark = hashlib.sha256(f"{server.intent.subject}/{bond.name}".encode()).hexdigest()
    # A locally administered MAC, and a type-0 ESI (RFC 7432 §5), of one hash: renamed switches keep them.
    system_id = bond.system_id or ":".join(["02", *(mark[at : at + 2] for at in range(0, 10, 2))])
    esi = bond.esi or ":".join(["00", *(mark[at : at + 2] for at in range(0, 18, 2))])
    shown = esi if group.type == "esi" else None
    return Lag(name, fabric, legs, group.name, shown, system_id, server.name, bond, path)


def _check_unique(found: Iterable[Lag], servers: Mapping[str, Server], once: _Once) -> None:
    """Two LAGs of a fabric need names and Ethernet segments of their own: equal ones would be one LAG."""
    seen: dict[tuple[str, str, str], Lag] = {}
    for lag in found:
        for code, field_, value in (("IC2017", "esi", lag.esi), ("IC2019", "name", lag.name)):
            twin = seen.setdefault((lag.fabric, field_, value or lag.name), lag)
            if twin is not lag and value:
                intent, path = servers[lag.server].origin("bonds", lag.bond.name)
                what = "Ethernet segment" if field_ == "esi" else "LAG name"
                text = (
                    f"{what} {value} of {lag.server!r} is that of bond {twin.bond.name!r} of {twin.server!r}"
                )
                hint = "give each bond its own; in a range or profile leave esi out, and it is derived"
                if field_ == "name":
                    hint = "rename one of the bonds"
                place = _place(servers[twin.server], "bonds", twin.bond.name, "the other bond")
                once.error(code, intent.span(*path, field_), text, hint, [place])
