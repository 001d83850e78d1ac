"""Fabric scope: wire, networks and joins of one fabric, as its neutral blueprint.

Route targets are derived: `VNI:1` for networks, `L3VNI:1` for zones, and a zone imports the own target of
each zone that it may reach — never the targets that users added there, which others may carry as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Final

from compiler.allocated import Allocated
from compiler.derived.attachments import Point, PortUse, ports_of
from compiler.derived.entrances import drawn, entrance, group_origins, pooled
from compiler.derived.exits import exit_fabrics
from compiler.derived.fabrics import Share, group_of, shares, target
from compiler.derived.reasons import NAME, Origins, imported, zone_place
from compiler.elements import fabric as blueprint
from compiler.graph import Element
from compiler.lower.border import border
from compiler.lower.wire import wire
from compiler.resolve.names import pools_of
from compiler.resolved import Lag, Network, Port, Resolved, Vrf
from intent.model import Intent, LazyOrigins, Origin

LEASED: Final = "leased"


def fabric(allocated: Allocated, name: str) -> Iterator[Element]:
    """Yield the blueprint of one fabric: wire, zones, networks, bindings, attachments, ways out."""
    resolved, share = allocated.resolved, shares(allocated).get(name, Share())
    intent = resolved.fabrics[name]
    yield from wire(intent, share, resolved)
    yield from (_zone(resolved.vrfs[zone], name, allocated) for zone in share.zones)
    yield from (_network(network, intent, allocated) for network in share.networks)
    yield from _joins(share, intent, allocated)
    for connection in share.exits:
        yield from border(connection)


def _zone(vrf: Vrf, fabric: str, allocated: Allocated) -> Element:
    resolved, l3vni = allocated.resolved, allocated.l3vni[vrf.name,]
    reached = (target(allocated.l3vni[zone,]) for zone in vrf.imports if (zone,) in allocated.l3vni)
    return blueprint.Vrf(
        subject=vrf.subject,
        origins=LazyOrigins(partial(_zone_origins, vrf, fabric, resolved)),
        name=vrf.name,
        l3vni=l3vni,
        vlan=allocated.zone_vlan[vrf.name, fabric],
        route_target=target(l3vni),
        import_targets=tuple(sorted({*reached, *vrf.import_targets})),
        export_targets=vrf.export_targets,
    )


def _zone_origins(vrf: Vrf, fabric: str, resolved: Resolved) -> Iterator[Origin]:
    intent, place, fabrics = vrf.intent, zone_place(vrf.intent), _fabrics(vrf, resolved)
    yield Origin("name", intent, place)
    yield Origin("l3vni", intent, place, LEASED)
    yield from pooled("l3vni", "l3vni", fabrics, resolved)
    yield Origin("vlan", intent, place, LEASED)
    yield from pooled("vlan", "vlan", (fabric,), resolved)
    yield Origin("route_target", intent, place, "L3VNI:1")
    yield from pooled("route_target", "l3vni", fabrics, resolved)
    yield from _present(vrf, fabric, resolved)
    yield from imported(vrf, vrf.imports, "import_targets", resolved)
    for zone in vrf.imports:
        yield from _exported(resolved.vrfs[zone], resolved)
    for name in vrf.networks if vrf.import_targets or vrf.export_targets else ():
        network = resolved.networks[name]
        for way in ("import", "export"):
            if getattr(network.spec.route_targets, f"{way}s"):
                yield Origin(f"{way}_targets", network.intent, ("spec", "routeTargets", f"{way}s"))


def _fabrics(vrf: Vrf, resolved: Resolved) -> tuple[str, ...]:
    """Return the fabrics that a zone reaches, and that its layer-3 VNI must do for."""
    found = {fabric for name in vrf.networks for fabric in resolved.networks[name].fabrics}
    return tuple(sorted(found | exit_fabrics(resolved).get(vrf.name, set())))


def _exported(vrf: Vrf, resolved: Resolved) -> Iterator[Origin]:
    """Yield why a zone has a target that others can import: its layer-3 VNI, and the fabric that it is in."""
    yield from pooled("import_targets", "l3vni", _fabrics(vrf, resolved), resolved)
    reached = (resolved.networks[name] for name in vrf.networks if resolved.networks[name].fabrics)
    for network in reached:
        yield from entrance(network, network.fabrics[0], "import_targets", resolved)
        return


def _present(vrf: Vrf, fabric: str, resolved: Resolved) -> Iterator[Origin]:
    """Yield why a zone is in a fabric: its first network there, or else its way out."""
    for name in vrf.networks:
        network = resolved.networks[name]
        if fabric in network.fabrics:
            yield from (
                Origin("", network.intent, path) for path in (zone_place(network.intent), ("spec", "zone"))
            )
            yield from entrance(network, fabric, "", resolved)
            return
    for intent in resolved.of("ExternalConnection").values():
        if intent.spec.zone == vrf.name and intent.spec.fabric == fabric:
            yield from (Origin("", intent, ("spec", part), "way out") for part in ("zone", "fabric"))
            return


def _network(network: Network, fabric: Intent, allocated: Allocated) -> Element:
    intent, spec, name = network.intent, network.spec, network.name
    vni = allocated.vni[name,]
    return blueprint.VirtualNetwork(
        subject=intent.subject,
        origins=LazyOrigins(partial(_network_origins, network, fabric, allocated.resolved)),
        name=name,
        vni=vni,
        vlan=allocated.vlan[name,],
        vrf=network.vrf,
        route_target=target(vni),
        subnets=_subnets(network),
        mtu=spec.mtu or fabric.spec.defaults.port_mtu,
        dhcp_relay=tuple(map(str, spec.dhcp_relay)),
        description=spec.description or "",
        dynamic=any(map(pools_of, spec.attachments)),
    )


def _network_origins(network: Network, fabric: Intent, resolved: Resolved) -> Origins:
    intent = network.intent
    return (
        Origin("name", intent, NAME),
        *drawn(network, "vni", resolved),
        *(origin._replace(field="route_target") for origin in drawn(network, "vni", resolved)),
        *drawn(network, "vlan", resolved),
        Origin("vrf", intent, zone_place(intent)),
        *entrance(network, fabric.name, "", resolved),
        Origin("subnets", intent, ("spec", "subnets")),
        Origin("subnets", intent, ("spec", "gateway")),
        Origin("mtu", intent, ("spec", "mtu"))
        if network.spec.mtu
        else Origin("mtu", fabric, ("spec", "defaults", "portMtu"), "MTU of the ports"),
        Origin("mtu", intent, ("spec", "gateway"), "MTU of the gateway"),
        Origin("dhcp_relay", intent, ("spec", "dhcpRelay")),
        Origin("description", intent, ("spec", "description")),
        Origin("dynamic", intent, ("spec", "attachments")),
    )


def _subnets(network: Network) -> tuple[blueprint.Subnet, ...]:
    routed = network.spec.gateway == "fabric"
    return tuple(
        blueprint.Subnet(
            subnet.name,
            "ipv4" if subnet.cidr.version == 4 else "ipv6",  # noqa: PLR2004 -- the IP version
            prefix := str(subnet.cidr),
            f"{subnet.gateway_address}/{prefix.rpartition('/')[2]}" if routed else None,
        )
        for subnet in network.spec.subnets
    )


def _joins(share: Share, intent: Intent, allocated: Allocated) -> Iterator[Element]:
    """Yield bindings, which follow from the points in use, and then the attachments themselves."""
    resolved, groups = allocated.resolved, group_of(intent.spec)
    networks = resolved.networks
    bound: defaultdict[tuple[str, str, str], list[PortUse]] = defaultdict(list)
    for use in share.uses:
        switch, group = _leaf(use.point, groups)
        bound[use.network, switch, group].append(use)
    for (name, switch, group), uses in sorted(bound.items(), key=lambda item: item[0]):
        yield blueprint.Binding(
            subject=f"{networks[name].intent.subject}/{group or switch}",
            origins=LazyOrigins(partial(_bound, uses, group, intent, resolved)),
            network=name,
            switch=switch or None,
            group=group or None,
            vlan=allocated.vlan[name,],
        )
    for use in share.uses:
        port = use.point if isinstance(use.point, Port) else None
        place = use.point.name if isinstance(use.point, Lag) else f"{use.point.switch}/{use.point.port}"
        lag = None if isinstance(use.point, Port) else use.point.name
        yield blueprint.Attachment(
            subject=f"{networks[use.network].intent.subject}/{place}",
            origins=LazyOrigins(partial(_attached, use, intent, resolved)),
            network=use.network,
            switch=port.switch if port else None,
            port=port.port if port else None,
            lag=lag,
            tagged=use.tagged,
            reasons=use.reasons,
        )


def _bound(uses: list[PortUse], group: str, fabric: Intent, resolved: Resolved) -> Iterable[Origin]:
    """Return why a leaf carries a network, with its VLAN."""
    network = resolved.networks[uses[0].network]
    return dict.fromkeys(
        (
            *_wanted(uses),
            *_extended(network, fabric, resolved),
            *drawn(network, "vlan", resolved),
            *group_origins(fabric, group),
        )
    )


def _attached(use: PortUse, fabric: Intent, resolved: Resolved) -> Origins:
    return (*use.origins, *_extended(resolved.networks[use.network], fabric, resolved))


def _wanted(uses: list[PortUse]) -> Iterator[Origin]:
    """Yield why a leaf must carry a network: who asks for it, and what is behind all of them alike."""
    for use in uses:
        yield from use.asked
    # Nodes of a range are of one document, which decides about all of them at once; a selector that loses
    # one of several nodes does not.
    several = len(uses) > 1
    kept = [
        [one for one in use.origins if not one.field and not (several and one.path[-1] == "nodes")]
        for use in uses
    ]
    common = set.intersection(*({(id(one.intent.doc), one.path) for one in rows} for rows in kept))
    yield from (one for one in kept[0] if (id(one.intent.doc), one.path) in common)


def _extended(network: Network, fabric: Intent, resolved: Resolved) -> Origins:
    """Return what puts a network on ports of a fabric at all."""
    return (Origin("", network.intent, NAME), *entrance(network, fabric.name, "", resolved))


def _leaf(point: Point, groups: Mapping[str, str]) -> tuple[str, str]:
    """Return the switch or the redundancy group (the other is empty) that must carry what is on a point."""
    switch = ports_of(point)[0].switch
    return ("", groups[switch]) if switch in groups else (switch, "")
