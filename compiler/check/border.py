"""Ways out: border ports, neighbours and static routes of ExternalConnections."""

from __future__ import annotations

from compiler.derived.attachments import claims
from compiler.derived.exits import family_of, link_of, local_address
from compiler.derived.memo import remembered
from compiler.resolve.servers import no_switch
from compiler.resolved import Port, Resolved
from intent.diagnostics import Related, Report, did_you_mean
from intent.kinds.external_connection import BorderPort, ExternalConnectionSpec, ExternalPeer
from intent.model import Intent
from intent.scalars import IPNetwork, is_host
from intent.source import FieldPath, Span

Taken = dict[tuple[Port, int], list[tuple[Intent, FieldPath, int]]]
"""Who uses a VLAN of a border port, and with addresses of which family (0 for none)."""


def check_exits(resolved: Resolved, report: Report) -> None:
    """Check every way out, and all of them against each other."""
    taken: Taken = {}
    for intent in resolved.of("ExternalConnection").values():
        spec: ExternalConnectionSpec = intent.spec
        if spec.zone not in resolved.vrfs:
            report.error(
                "IC2252",
                intent.span("spec", "zone"),
                f"no network is in zone {spec.zone!r}: there is nothing that could go out",
                did_you_mean(spec.zone, resolved.vrfs),
            )
        for index, port in enumerate(spec.ports):
            if _check_switch(intent, ("spec", "ports", index), port.switch, resolved, report):
                _check_port(intent, index, port, taken, resolved, report)
        for index, peer in enumerate(spec.peers):
            if _check_switch(intent, ("spec", "peers", index), peer.switch, resolved, report):
                _check_peer(intent, index, peer, report)
        _check_routes(intent, report)
    _check_repeated(resolved, report)
    _check_prefixes(resolved, report)


def _check_switch(intent: Intent, path: FieldPath, name: str, resolved: Resolved, report: Report) -> bool:
    fabric = intent.spec.fabric
    switch = resolved.switches.get((fabric, name))
    if switch is None:
        report.error(*no_switch(intent.span(*path, "switch"), fabric, name, resolved.switches))
    elif switch.role != "border":
        borders = [
            other.name
            for (owner, _), other in resolved.switches.items()
            if owner == fabric and other.role == "border"
        ]
        hint = (
            f"use {', '.join(borders)}, or set role: border"
            if borders
            else "set role: border for the switch that leads out"
        )
        report.error(
            "IC2250",
            intent.span(*path, "switch"),
            f"switch {name!r} is a {switch.role}, not a border leaf",
            hint,
            [Related(resolved.fabrics[fabric].span("spec", "switches"), "the switches")],
        )
    return switch is not None


def _check_port(
    intent: Intent,
    index: int,
    port: BorderPort,
    taken: Taken,
    resolved: Resolved,
    report: Report,
) -> None:
    path: FieldPath = ("spec", "ports", index)
    place = Port(intent.spec.fabric, port.switch, port.port)
    there = _server_port(place, resolved)
    if there:
        report.error(
            "IC2251",
            intent.span(*path, "port"),
            f"port {place} leads to a server, so it cannot lead out as well",
            "use another port",
            [Related(there, "the server port")],
        )
    if port.port in resolved.switches[place.fabric, place.switch].uplinks:
        report.error(
            "IC2251",
            intent.span(*path, "port"),
            f"port {place} is an uplink into the fabric, so it cannot lead out as well",
            "use another port",
        )
    family = port.address.version if port.address else 0
    users = taken.setdefault((place, port.vlan), [])
    twin = next((user for user in users if user[0] is not intent or user[2] in (family, 0)), None)
    if twin:
        report.error(
            "IC2253",
            intent.span(*path, "vlan"),
            f"VLAN {port.vlan} of port {place} is taken",
            "use another VLAN; one connection may share it between an IPv4 and an IPv6 entry",
            [Related(twin[0].span(*twin[1]), "taken here")],
        )
    users.append((intent, path, family))


def _server_port(place: Port, resolved: Resolved) -> Span | None:
    """Return where a port is said to lead to a server, if it does."""
    wire, attachment = resolved.wired.get(place), _fixed_ports(resolved).get(place)
    if wire:
        return resolved.servers[wire.server].intent.span(*wire.path)
    return attachment.span("spec", "ports") if attachment else None


@remembered
def _fixed_ports(resolved: Resolved) -> dict[Port, Intent]:
    """Return the ports that FabricAttachments name, with their documents."""
    return {claim.point: claim.origin.intent for claim in claims(resolved) if isinstance(claim.point, Port)}


def _check_peer(intent: Intent, index: int, peer: ExternalPeer, report: Report) -> None:
    spec: ExternalConnectionSpec = intent.spec
    place = intent.span("spec", "peers", index, "address")
    here = [port for port in spec.ports if port.switch == peer.switch]
    if not here:
        report.error(
            "IC2254",
            intent.span("spec", "peers", index, "switch"),
            f"connection {intent.name!r} has no port on switch {peer.switch!r}",
            "add a port there, or name the switch that has one",
        )
    elif link_of(peer, spec) is None:
        report.error(
            "IC2255",
            place,
            f"peer {peer.address} is on no link of switch {peer.switch!r}",
            "mend the address or the link's prefix, or set multihop",
        )
    elif any(
        port.address and peer.address in port.address and not is_host(peer.address, port.address)
        for port in here
    ):
        report.error(
            "IC2255",
            place,
            f"{peer.address} is no host of the link, but its network or broadcast address",
            "say the neighbour's address",
        )
    elif any((local_address(port) or "").partition("/")[0] == str(peer.address) for port in here):
        report.error(
            "IC2255",
            place,
            f"{peer.address} is our own address on the link",
            "say the neighbour's address, or set local on the port",
        )
    families = {port.address.version for port in here if port.address}
    if families and peer.address.version not in families:
        report.error(
            "IC2256",
            place,
            f"peer {peer.address} is {family_of(peer.address)}, but no port of switch {peer.switch!r} has "
            "such an address",
            "add a port entry of that family",
        )
    for field, prefixes in (("imports", peer.imports), ("exports", peer.exports)):
        for at, prefix in enumerate(prefixes):
            if prefix.version != peer.address.version:
                report.error(
                    "IC2256",
                    intent.span("spec", "peers", index, field, at),
                    f"prefix {prefix} is of another family than peer {peer.address}",
                    "a session carries the family of its address",
                )


def _check_repeated(resolved: Resolved, report: Report) -> None:
    """Check that a zone meets each neighbour of a switch, and each route, once: one would hide the other."""
    seen: dict[tuple[str, ...], Related] = {}
    for name, intent in sorted(resolved.of("ExternalConnection").items()):
        spec: ExternalConnectionSpec = intent.spec
        entries = [
            (("peers", at), f"peer {peer.address} of switch {peer.switch!r}")
            for at, peer in enumerate(spec.peers)
        ]
        entries += [
            (("staticRoutes", at), f"route {route.prefix} by {route.next_hop}")
            for at, route in enumerate(spec.static_routes)
        ]
        for path, what in entries:
            span = intent.span("spec", *path)
            first = seen.setdefault((spec.fabric, spec.zone, what), Related(span, f"in connection {name!r}"))
            if first.span != span:
                message = f"{what} is said twice for zone {spec.zone!r}"
                report.error("IC2258", span, message, "remove one of the two", [first])


def _check_prefixes(resolved: Resolved, report: Report) -> None:
    """Check that the prefix of a link is no other link's of its switch, and no network's of its zone."""
    links: dict[tuple[str, str, str], list[tuple[BorderPort, Related]]] = {}
    for name, intent in sorted(resolved.of("ExternalConnection").items()):
        spec: ExternalConnectionSpec = intent.spec
        for index, port in enumerate(spec.ports):
            if port.address is None:
                continue
            span = intent.span("spec", "ports", index, "address")
            here = links.setdefault((spec.fabric, spec.zone, port.switch), [])
            clash = _other_link(port, here) or _same_subnet(port.address, spec.zone, resolved)
            if clash:
                message = f"prefix {port.address} of the link overlaps {clash.message}"
                hint = "give the link a prefix of its own: the zone could not tell the two apart"
                report.error("IC2259", span, message, hint, [clash])
            here.append((port, Related(span, f"that of a link of connection {name!r}")))


def _other_link(port: BorderPort, known: list[tuple[BorderPort, Related]]) -> Related | None:
    """Return a link on another sub-interface whose prefix overlaps; of the same one, the VLAN is told."""
    for other, place in known:
        apart = (other.port, other.vlan) != (port.port, port.vlan)
        if apart and port.address and other.address and other.address.overlaps(port.address):
            return place
    return None


def _same_subnet(prefix: IPNetwork, zone: str, resolved: Resolved) -> Related | None:
    """Return the subnet of a network of the zone that a prefix overlaps."""
    for name in resolved.vrfs[zone].networks if zone in resolved.vrfs else ():
        network = resolved.networks[name]
        for index, subnet in enumerate(network.spec.subnets):
            if subnet.cidr.overlaps(prefix):
                return Related(network.intent.span("spec", "subnets", index), f"a subnet of network {name!r}")
    return None


def _check_routes(intent: Intent, report: Report) -> None:
    spec: ExternalConnectionSpec = intent.spec
    own = {(local_address(port) or "").partition("/")[0] for port in spec.ports}
    for index, route in enumerate(spec.static_routes):
        if str(route.next_hop) in own:
            report.error(
                "IC2257",
                intent.span("spec", "staticRoutes", index, "nextHop"),
                f"next hop {route.next_hop} is our own address on the link",
                "say the address of the far end, or set local on the port",
            )
        elif not any(
            port.address and route.next_hop in port.address and is_host(route.next_hop, port.address)
            for port in spec.ports
        ):
            report.error(
                "IC2257",
                intent.span("spec", "staticRoutes", index, "nextHop"),
                f"next hop {route.next_hop} is no host on a link of the connection",
                "mend the next hop, or the prefix of the link",
            )
