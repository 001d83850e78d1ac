"""What each provider can take: lengths, characters and features of Apstra, and of FRR on Linux.

A network or server is judged by the providers of the fabrics that it reaches, each finding once.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Final

from compiler.resolved import Network, Resolved, Server
from intent.diagnostics import Related, Report
from intent.kinds.external_connection import ExternalConnectionSpec
from intent.kinds.fabric import FabricSpec
from intent.model import Intent
from intent.source import FieldPath, Span

VN_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,30}").fullmatch
"""Labels of virtual networks in Apstra."""
HOST_NAME: Final = 32
SYSTEM_LABEL: Final = 64
"""Longest host name and label of a generic system in Apstra."""
LINUX_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,14}").fullmatch
OWN_LINKS: Final = re.compile(r"lo|br0|default|bond-.*|ext-.*|(vni|vlan)[0-9]+").fullmatch
"""Links that the FRR renderer makes or finds: a zone, which is a link as well, cannot be called so."""


def check_providers(resolved: Resolved, report: Report) -> None:
    """Check fabrics, networks, servers and ways out against what their providers take."""
    providers = {name: intent.spec.provider for name, intent in resolved.fabrics.items()}
    for name, intent in resolved.fabrics.items():
        _FABRIC[providers[name]](intent, resolved, report)
    for network in resolved.networks.values():
        for provider in sorted({providers[fabric] for fabric in network.fabrics}):
            _NETWORK[provider](network, resolved, report)
    for server in resolved.servers.values():
        if any(providers[wire.port.fabric] == "apstra" for wire in server.wires.values()):
            _apstra_server(server, report)
    _frr_zones({name for name, provider in providers.items() if provider == "frr"}, resolved, report)
    for intent in resolved.of("ExternalConnection").values():
        if providers[intent.spec.fabric] == "apstra":
            _apstra_exit(intent, report)


def _apstra_fabric(intent: Intent, resolved: Resolved, report: Report) -> None:
    spec: FabricSpec = intent.spec
    if spec.apstra and not spec.apstra.loopback_pool and _has_zones(intent.name, resolved):
        report.note(
            "IC2237",
            intent.span("spec", "apstra"),
            f"fabric {intent.name!r} names no loopbackPool: Apstra refuses to deploy a new routing zone "
            "until it has one",
            "set apstra.loopbackPool to the label of an IP pool, or assign one in Apstra",
        )


def _has_zones(fabric: str, resolved: Resolved) -> bool:
    return any(network.vrf and fabric in network.fabrics for network in resolved.networks.values())


def _apstra_network(network: Network, resolved: Resolved, report: Report) -> None:
    intent, spec = network.intent, network.spec
    if not VN_NAME(network.name):
        report.error(
            "IC2230",
            intent.span("metadata", "name"),
            f"{network.name!r} cannot be a virtual network in Apstra: at most 30 letters, digits, '_' and "
            f"'-' ({len(network.name)} characters)",
            "shorten the name; metadata.moved keeps its leases",
        )
    if network.vrf is None:
        report.error(
            "IC2232",
            intent.span("spec"),
            f"network {network.name!r} has no zone, and Apstra puts every VXLAN network into a routing zone",
            "set zone",
        )
    if spec.gateway != "fabric":
        return
    _even_mtu(network, resolved, report)
    families = [subnet.cidr.version for subnet in spec.subnets]
    for version in (4, 6):
        if families.count(version) > 1:
            index = [at for at, family in enumerate(families) if family == version][1]
            report.error(
                "IC2233",
                intent.span("spec", "subnets", index),
                f"network {network.name!r} has {families.count(version)} IPv{version} subnets with a "
                "gateway; Apstra takes one per family",
                "make a network of its own for each",
            )


def _even_mtu(network: Network, resolved: Resolved, report: Report) -> None:
    """Check the MTU of the gateway: the network's own, or that of the ports of each fabric."""
    said: dict[int, tuple[Intent, FieldPath]] = {}
    if network.spec.mtu:
        said[network.spec.mtu] = (network.intent, ("spec", "mtu"))
    for fabric in () if said else map(resolved.fabrics.__getitem__, network.fabrics):
        if fabric.spec.provider == "apstra":
            said.setdefault(fabric.spec.defaults.port_mtu, (fabric, ("spec", "defaults", "portMtu")))
    for mtu, (intent, path) in said.items():
        if mtu % 2:
            report.error(
                "IC2221",
                intent.span(*path),
                f"network {network.name!r} has a gateway with MTU {mtu}, and Apstra takes even MTUs only",
                f"use {mtu - 1}",
            )


def _apstra_server(server: Server, report: Report) -> None:
    intent = server.intent
    place = intent.span("spec", "hostname") if intent.spec.hostname else intent.span("metadata", "name")
    if len(server.hostname) > HOST_NAME:
        report.error(
            "IC2231",
            place,
            f"host name {server.hostname!r} has {len(server.hostname)} characters; Apstra takes {HOST_NAME}",
            "set a shorter hostname",
        )
    if len(server.name) > SYSTEM_LABEL:
        report.error(
            "IC2231",
            intent.span("metadata", "name"),
            f"node name {server.name!r} has {len(server.name)} characters; a generic system in Apstra "
            f"takes {SYSTEM_LABEL}",
            "shorten the name",
        )


def _apstra_exit(intent: Intent, report: Report) -> None:
    spec: ExternalConnectionSpec = intent.spec
    for index, peer in enumerate(spec.peers):
        if peer.imports or peer.exports:
            report.error(
                "IC2234",
                intent.span("spec", "peers", index),
                f"peer {peer.address} filters prefixes, which an Apstra fabric cannot be told here",
                "remove imports and exports, and filter by the routing policy of the zone in Apstra",
            )


def _frr_fabric(intent: Intent, resolved: Resolved, report: Report) -> None:
    spec: FabricSpec = intent.spec
    for index, group in enumerate(spec.redundancy_groups):
        if group.type == "mlag":
            report.error(
                "IC2235",
                intent.span("spec", "redundancyGroups", index),
                f"redundancy group {group.name!r} is of type mlag, and FRR pairs leaves by EVPN multihoming",
                "set type: esi",
            )
    holders: defaultdict[int | None, list[int]] = defaultdict(list)
    for index, switch in enumerate(spec.switches):
        holders[switch.asn].append(index)
        if not switch.uplinks:
            report.warning(
                "IC2236",
                intent.span("spec", "switches", index),
                f"switch {switch.name!r} has no uplinks: it gets no BGP session to the fabric",
                "list its ports to other switches in uplinks",
            )
        _linux_ports(intent, index, [*switch.uplinks, *(port.name for port in switch.ports)], report)
    for asn, indexes in holders.items():
        roles = {spec.switches[index].role for index in indexes}
        if len(indexes) > 1 and roles != {"spine"}:
            first, second = indexes[:2]
            report.error(
                "IC2238",
                intent.span("spec", "switches", second, "asn"),
                f"switches {spec.switches[first].name!r} and {spec.switches[second].name!r} have the same "
                f"AS {asn}: they drop each other's routes as loops",
                "give each leaf an AS of its own; only spines share one",
                [Related(intent.span("spec", "switches", first, "asn"), "the other one")],
            )
    ports = {uplink for switch in spec.switches for uplink in switch.uplinks}
    for name, span in _named_ports(intent.name, resolved):
        ports.add(name)
        if not LINUX_NAME(name):
            _no_linux_port(name, span, report)
    for zone in sorted(ports & resolved.vrfs.keys()):
        report.error(
            "IC2240",
            resolved.vrfs[zone].intent.span("spec", "zone"),
            f"zone {zone!r} is called like a port of fabric {intent.name!r}: on switches, both are links",
            "give the zone another name",
        )


def _frr_zones(fabrics: set[str], resolved: Resolved, report: Report) -> None:
    """Tell of zones that import others: FRR sends their packets with the VNI of the importing zone."""
    inside = {
        network.vrf for network in resolved.networks.values() if not fabrics.isdisjoint(network.fabrics)
    }
    for name in sorted(filter(None, inside)):
        vrf = resolved.vrfs[name]
        other = next((zone for zone in vrf.imports if zone in inside), None)
        if other:
            report.warning(
                "IC2242",
                vrf.causes[0].span("spec", "networks"),
                f"zone {name!r} imports zone {other!r}; FRR 8.4 cannot forward by such routes between leaves",
                "put the networks into one zone, or use an FRR with downstream VNI and a single VXLAN device",
            )


def _linux_ports(intent: Intent, index: int, names: list[str], report: Report) -> None:
    for name in names:
        stem = name.partition("[")[0]
        if not LINUX_NAME(stem):
            _no_linux_port(name, intent.span("spec", "switches", index), report)


def _no_linux_port(name: str, span: Span, report: Report) -> None:
    report.error(
        "IC2239",
        span,
        f"{name!r} cannot be a port of an FRR switch: at most 15 letters, digits, '_', '.' and '-'",
        "write the name that Linux gives the port, for example swp7",
    )


def _named_ports(fabric: str, resolved: Resolved) -> Iterator[tuple[str, Span]]:
    """Yield the ports that other documents name: cables, fixed ports and ways out."""
    for wire in resolved.wired.values():
        if wire.port.fabric == fabric:
            yield wire.port.port, resolved.servers[wire.server].intent.span(*wire.path, "port")
    for kind in ("FabricAttachment", "ExternalConnection"):
        for intent in resolved.of(kind).values():
            for index, port in enumerate(intent.spec.ports):
                whose = port.fabric if kind == "FabricAttachment" else intent.spec.fabric
                if whose == fabric:
                    yield port.port, intent.span("spec", "ports", index, "port")


def _frr_network(network: Network, resolved: Resolved, report: Report) -> None:
    intent = network.intent
    if network.vrf and OWN_LINKS(network.vrf):
        report.error(
            "IC2240",
            resolved.vrfs[network.vrf].intent.span("spec", "zone"),
            f"zone {network.vrf!r} would be a link on FRR switches that intentc uses itself",
            "give the zone another name",
        )
    if network.spec.dhcp_relay:
        report.error(
            "IC2241",
            intent.span("spec", "dhcpRelay"),
            f"network {network.name!r} relays DHCP, which FRR does not do",
            "remove dhcpRelay, or run a DHCP server inside the network",
        )


_FABRIC: Final[dict[str, Callable[[Intent, Resolved, Report], None]]] = {
    "apstra": _apstra_fabric,
    "frr": _frr_fabric,
}
_NETWORK: Final[dict[str, Callable[[Network, Resolved, Report], None]]] = {
    "apstra": _apstra_network,
    "frr": _frr_network,
}
