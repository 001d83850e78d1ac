"""Fabric scope: wire, networks and joins of one fabric, as its neutral blueprint.

Route targets are derived: `VNI:1` for networks, `L3VNI:1` for zones, and a zone imports the own target of
each zone that it may reach — never the targets that users added there, which others may carry as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from compiler.allocated import Allocated
from compiler.derived.attachments import Point, ports_of
from compiler.derived.fabrics import Share, group_of, shares, target
from compiler.elements import fabric as blueprint
from compiler.graph import Element
from compiler.lower.border import border
from compiler.lower.wire import wire
from compiler.resolve.names import pools_of
from compiler.resolved import Lag, Network, Port, Vrf
from intent.model import Intent, Origin

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
    l3vni, place = (
        allocated.l3vni[vrf.name,],
        ("spec", "zone") if vrf.intent.spec.zone else ("metadata", "name"),
    )
    reached = (target(allocated.l3vni[zone,]) for zone in vrf.imports if (zone,) in allocated.l3vni)
    networks = (
        [allocated.resolved.networks[name] for name in vrf.networks]
        if vrf.import_targets or vrf.export_targets
        else []
    )
    return blueprint.Vrf(
        subject=vrf.subject,
        origins=(
            Origin("name", vrf.intent, place),
            Origin("l3vni", vrf.intent, place, LEASED),
            Origin("vlan", vrf.intent, place, LEASED),
            Origin("route_target", vrf.intent, place, "L3VNI:1"),
            *(Origin("import_targets", cause, ("spec",), "zones that it may reach") for cause in vrf.causes),
            *(
                Origin(f"{way}_targets", network.intent, ("spec", "routeTargets", f"{way}s"))
                for network in networks
                for way in ("import", "export")
                if getattr(network.spec.route_targets, f"{way}s")
            ),
        ),
        name=vrf.name,
        l3vni=l3vni,
        vlan=allocated.zone_vlan[vrf.name, fabric],
        route_target=target(l3vni),
        import_targets=tuple(sorted({*reached, *vrf.import_targets})),
        export_targets=vrf.export_targets,
    )


def _network(network: Network, fabric: Intent, allocated: Allocated) -> Element:
    intent, spec, name = network.intent, network.spec, network.name
    vni = allocated.vni[name,]
    vni_rule = "" if spec.vni else LEASED
    return blueprint.VirtualNetwork(
        subject=intent.subject,
        origins=(
            Origin("name", intent, ("metadata", "name")),
            Origin("vni", intent, ("spec", "vni"), vni_rule),
            Origin("route_target", intent, ("spec", "vni"), "VNI:1"),
            Origin("vlan", intent, ("spec", "vlan"), "" if spec.vlan else LEASED),
            Origin("vrf", intent, ("spec", "zone")),
            Origin("subnets", intent, ("spec", "subnets")),
            Origin("subnets", intent, ("spec", "gateway")),
            Origin("mtu", intent, ("spec", "mtu"))
            if spec.mtu
            else Origin("mtu", fabric, ("spec", "defaults", "portMtu"), "MTU of the ports"),
            Origin("dhcp_relay", intent, ("spec", "dhcpRelay")),
            Origin("description", intent, ("spec", "description")),
            Origin("dynamic", intent, ("spec", "attachments")),
        ),
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
    networks, groups = allocated.resolved.networks, group_of(intent.spec)
    bound: defaultdict[tuple[str, str, str], list[Origin]] = defaultdict(list)
    for use in share.uses:
        switch, group = _leaf(use.point, groups)
        bound[use.network, switch, group].extend(use.origins)
    for (name, switch, group), origins in sorted(bound.items()):
        yield blueprint.Binding(
            subject=f"{networks[name].intent.subject}/{group or switch}",
            origins=tuple(origins),
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
            origins=use.origins,
            network=use.network,
            switch=port.switch if port else None,
            port=port.port if port else None,
            lag=lag,
            tagged=use.tagged,
            reasons=use.reasons,
        )


def _leaf(point: Point, groups: Mapping[str, str]) -> tuple[str, str]:
    """Return the switch or the redundancy group (the other is empty) that must carry what is on a point."""
    switch = ports_of(point)[0].switch
    return ("", groups[switch]) if switch in groups else (switch, "")
