"""The boxes of a topology picture: the outside, switches with ports, servers with NICs, routers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from compiler.resolved import Port, Resolved, Server
from renderers.picture.fold import Folded, title_of
from renderers.picture.scene import Plug, Thing, router_id, switch_id
from renderers.picture.text import TIMES, natural
from renderers.picture.tips import listed, place, words

PLURAL: Final = {"leaf": "leaves", "spine": "spines", "border": "borders"}

Networks = Mapping[Port, Sequence[str]]
"""Networks by port."""


def externals(resolved: Resolved) -> Iterator[Thing]:
    """Yield what lies outside."""
    for name, intent in resolved.of("ExternalConnection").items():
        spec = intent.spec
        peers = tuple(dict.fromkeys(f"AS {peer.asn}" for peer in spec.peers))
        shown = peers if len(peers) < 2 else (f"{len(peers)} AS",)  # noqa: PLR2004 -- several have no room
        yield Thing(
            intent.subject,
            "external",
            resolved.fabric(spec.fabric).site or "",
            name,
            (" · ".join((f"zone {spec.zone}", *shown)),),
            words(f"ExternalConnection {name}", place(intent), spec.description, f"zone {spec.zone}", *peers),
            (intent.subject,),
            fabric=spec.fabric,
        )


def switches(resolved: Resolved, folded: Folded, networks: Networks) -> Iterator[Thing]:
    """Yield the switches of all fabrics, with the ports that have a cable, a network or a way out."""
    plugs = _ports(resolved, folded, networks)
    for fabric, intent in resolved.fabrics.items():
        names = sorted((switch.name for switch in resolved.fabric(fabric).switches), key=natural)
        groups = resolved.fabric(fabric).redundancy_groups
        group_of = {one: f"{intent.subject}/group/{group.name}" for group in groups for one in group.switches}
        for box in dict.fromkeys(folded.switch_box[fabric, name] for name in names):
            yield _switch(resolved, folded, fabric, box, (group_of, plugs))


def _switch(
    resolved: Resolved,
    folded: Folded,
    fabric: str,
    box: str,
    around: tuple[Mapping[str, str], Mapping[str, tuple[Plug, ...]]],
) -> Thing:
    group_of, plugs = around
    names = folded.members[box]
    first = resolved.switches[fabric, names[0]]
    intent = resolved.fabrics[fabric]
    title, lines = title_of(PLURAL[first.role], names)
    index = [switch.name for switch in resolved.fabric(fabric).switches].index(names[0])
    said = place(intent, ("spec", "switches", index))
    one = words(f"{first.role} {names[0]} of fabric {fabric}", said, f"AS {first.asn}" if first.asn else None)
    many = words(f"{len(names)} {PLURAL[first.role]} of fabric {fabric}", place(intent), listed(names))
    return Thing(
        box,
        first.role,
        resolved.fabric(fabric).site or "",
        title,
        lines,
        one if len(names) == 1 else many,
        tuple(switch_id(resolved, fabric, name) for name in names),
        group=group_of.get(names[0], "") if len(names) == 1 else "",
        fabric=fabric,
        many=len(names),
        plugs=plugs.get(box, ()),
    )


def servers(resolved: Resolved, folded: Folded) -> Iterator[Thing]:
    """Yield Kubernetes nodes and bare-metal servers, with the NICs that have a cable."""
    for box in dict.fromkeys(folded.server_box[name] for name in sorted(resolved.servers, key=natural)):
        names = folded.members[box]
        server = resolved.servers[names[0]]
        address = server.ipv6 or server.ipv4
        cluster = resolved.clusters.get(server.cluster or "")
        title, lines = title_of("nodes" if server.role == "kubernetes" else "servers", names)
        yield Thing(
            box,
            "node" if server.role == "kubernetes" else "server",
            folded.sites[names[0]],
            title,
            lines or ((str(address),) if address else ()),
            _server_tip(server, names),
            tuple(resolved.servers[name].intent.subject for name in names),
            group=cluster.intent.subject if cluster else "",
            cluster=server.cluster or "",
            many=len(names),
            drained=server.drained,
            plugs=tuple(_nics(resolved, names)),
        )


def _server_tip(server: Server, names: tuple[str, ...]) -> str:
    belongs = f"cluster {server.cluster}" if server.cluster else "in no cluster"
    return words(
        f"Node {names[0]}" if len(names) == 1 else f"{len(names)} nodes: {listed(names)}",
        place(server.intent),
        server.intent.spec.description if len(names) == 1 else None,
        f"site {server.site}" if server.site else None,
        "bare metal" if server.role == "bareMetal" else belongs,
        f"profile {server.profile.name}" if server.profile else None,
        f"enters the underlay at {server.uplink.router}" if server.uplink else None,
        "drained" if server.drained else None,
    )


def _nics(resolved: Resolved, names: tuple[str, ...]) -> Iterator[Plug]:
    """Yield the cabled NICs of a server, those of one bond side by side."""
    server = resolved.servers[names[0]]
    bond_of = {nic: bond.name for bond in server.bonds.values() for nic in bond.nics}
    for nic in sorted(server.wires, key=lambda nic: (natural(bond_of.get(nic, nic)), natural(nic))):
        bond = f"in bond {bond_of[nic]}" if nic in bond_of else None
        tip = words(f"NIC {nic} of {listed(names)}", place(server.intent, server.wires[nic].path), bond)
        subjects = tuple(f"{resolved.servers[name].intent.subject}/nic/{nic}" for name in names)
        yield Plug(nic, nic, tip, subjects)


def routers(resolved: Resolved) -> Iterator[Thing]:
    """Yield the SRv6 routers."""
    for name in sorted(resolved.underlay.routers, key=natural):
        router = resolved.underlay.routers[name]
        ident = router_id(resolved, name)
        drained = router.state == "drain"
        tip = words(
            f"SRv6 router {name}",
            place(*resolved.underlay.router_origin[name]),
            f"loopback {router.loopback}",
            f"locator {router.locator}",
            f"End SID {router.sid}",
            "drained" if drained else None,
        )
        lines = (str(router.locator),)
        yield Thing(ident, "router", router.site or "", name, lines, tip, (ident,), drained=drained)


def plug_key(folded: Folded, port: Port, server: str, nic: str) -> str:
    """Return the key of the plug at the switch's end of a cable: its port, or one for all that is folded."""
    box = folded.server_box[server]
    single = len(folded.members[box]) == 1 and len(folded.members[folded.switch_box[port[:2]]]) == 1
    return port.port if single else f"{box}/{nic}"


def bare_key(folded: Folded, port: Port) -> str:
    """Return the key of the plug of a port without a cable to a server."""
    return port.port if len(folded.members[folded.switch_box[port[:2]]]) == 1 else "ports"


def _ports(resolved: Resolved, folded: Folded, networks: Networks) -> dict[str, tuple[Plug, ...]]:
    """Return the ports to show at each switch box."""
    outside = (
        Port(intent.spec.fabric, entry.switch, entry.port)
        for intent in resolved.of("ExternalConnection").values()
        for entry in intent.spec.ports
    )
    bare = (port for port in dict.fromkeys((*outside, *networks)) if port not in resolved.wired)
    ports: defaultdict[tuple[str, str], list[Port]] = defaultdict(list)
    for port, wire in resolved.wired.items():
        ports[folded.switch_box[port[:2]], plug_key(folded, port, wire.server, wire.nic)].append(port)
    for port in bare:
        if port[:2] in folded.switch_box:
            ports[folded.switch_box[port[:2]], bare_key(folded, port)].append(port)
    found: defaultdict[str, list[Plug]] = defaultdict(list)
    order = {key: min(natural(port.port) for port in group) for key, group in ports.items()}
    for box, key in sorted(ports, key=lambda entry: (entry[0], order[entry], entry[1])):
        found[box].append(_port(resolved, key, ports[box, key], networks))
    return {box: tuple(plugs) for box, plugs in found.items()}


def _port(resolved: Resolved, key: str, group: Sequence[Port], networks: Networks) -> Plug:
    ports = sorted(group, key=lambda port: (port.fabric, natural(port.switch), natural(port.port)))
    names = tuple(sorted({name for port in ports for name in networks.get(port, ())}, key=natural))
    wire = resolved.wired.get(ports[0])
    cable = (
        f"{wire.server} {wire.nic}, {place(resolved.servers[wire.server].intent, wire.path)}" if wire else ""
    )
    single = len(ports) == 1
    tip = words(
        f"port {ports[0].switch} {ports[0].port}"
        if single
        else f"{len(ports)} ports: {ports[0]} … {ports[-1]}",
        f"cable to {cable}" if cable else None,
        f"networks: {listed(names)}" if names else "no network",
    )
    return Plug(
        key,
        ports[0].port if single else f"{TIMES} {len(ports)}",
        tip,
        tuple(f"{switch_id(resolved, port.fabric, port.switch)}/{port.port}" for port in ports),
        names,
        tuple(resolved.networks[name].intent.subject for name in names),
    )
