"""The MTU chain: what a pod sends must fit through VF, PF, switch port and VXLAN tunnel.

    network ≤ VF (pool) ≤ PF ≤ switch port ≤ underlay - 50 (VXLAN)

Each message holds the arithmetic and both places. A link that nobody states is passed over, and the next
one is compared instead; each pool and each fabric is judged once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from compiler.check.fabric import extended_pools
from compiler.derived.attachments import PortUse, ports_in_use, ports_of
from compiler.derived.fabrics import port_entry
from compiler.resolve.names import pools_of
from compiler.resolved import Network, Pool, Port, Resolved
from intent.diagnostics import Related, Report
from intent.kinds.fabric import FabricSpec
from intent.source import FieldPath, Span

VXLAN: Final = 50
"""Bytes of Ethernet, IPv4, UDP and VXLAN header around an IP packet (RFC 7348)."""


class Link(NamedTuple):
    """One link of the chain: what it is, its MTU, and where that was said."""

    what: str
    mtu: int
    span: Span


def check_mtu(resolved: Resolved, report: Report) -> None:
    """Check the chain of every fabric, of every pool that networks extend over, and of every network."""
    for fabric in resolved.fabrics:
        _check_fabric(fabric, resolved, report)
    vfs: dict[str, Link | None] = {}
    for name in extended_pools(resolved):
        vfs[name] = _check_pool(resolved.pools[name], resolved, report)
    for network in resolved.networks.values():
        if network.spec.extend_to_fabric and network.spec.mtu:
            _check_network(network, network.spec.mtu, vfs, resolved, report)
    _check_fixed_ports(resolved, report)
    _check_exits(resolved, report)


def _too_large(small: Link, large: Link, report: Report, header: int = 0) -> None:
    """Report that `large`, with a header around it, does not fit through `small`."""
    total = f"{large.mtu} + {header} (VXLAN) = {large.mtu + header}" if header else f"{large.mtu}"
    report.error(
        "IC2220",
        large.span,
        f"{large.what} has MTU {large.mtu}, {small.what} {small.mtu}: {total} > {small.mtu}",
        f"lower this one to {small.mtu - header}, or raise {small.what}",
        [Related(small.span, f"{small.what}: {small.mtu}")],
    )


def _check_fabric(name: str, resolved: Resolved, report: Report) -> None:
    """Check that what server ports take fits into VXLAN."""
    intent = resolved.fabrics[name]
    spec: FabricSpec = intent.spec
    stated: list[tuple[str, int, FieldPath]] = [
        ("the default of server ports", spec.defaults.port_mtu, ("spec", "defaults", "portMtu"))
    ]
    stated += [
        (
            f"port {port.name} of switch {switch.name!r}",
            port.mtu,
            ("spec", "switches", at, "ports", index, "mtu"),
        )
        for at, switch in enumerate(spec.switches)
        for index, port in enumerate(switch.ports)
        if port.mtu
    ]
    underlay = spec.defaults.underlay_mtu
    for what, mtu, path in stated:
        if mtu + VXLAN > underlay:
            span = intent.span("spec", "defaults", "underlayMtu")
            room = Link(f"the underlay of fabric {name!r}", underlay, span)
            _too_large(room, Link(what, mtu, intent.span(*path)), report, VXLAN)


def _check_pool(pool: Pool, resolved: Resolved, report: Report) -> Link | None:
    """Check VF ≤ PF ≤ port on every node, and return what limits the pods: the least link beside them."""
    stated = (
        Link(f"pool {pool.name!r}", pool.intent.spec.mtu, pool.intent.span("spec", "mtu"))
        if pool.intent.spec.mtu
        else None
    )
    smallest: Link | None = stated
    told: set[str] = set()
    for node, nics in pool.members.items():
        for nic in nics:
            chain = [link for link in (stated, _nic(node, nic, resolved)) if link]
            chain += _ports(node, nic, resolved)
            if not stated and chain and (smallest is None or chain[0].mtu < smallest.mtu):
                smallest = chain[0]
            for large, small in pairwise(chain):
                if large.mtu > small.mtu and large.what not in told:
                    told.add(large.what)
                    _too_large(small, large, report)
    return smallest


def _nic(node: str, nic: str, resolved: Resolved) -> Link | None:
    server = resolved.servers[node]
    mtu = server.nics[nic].mtu
    if not mtu:
        return None
    intent, path = server.origin("nics", nic)
    return Link(f"{nic} of node {node!r}", mtu, intent.span(*path, "mtu"))


def _ports(node: str, nic: str, resolved: Resolved) -> Iterator[Link]:
    """Yield the port that limits a NIC: the smallest of its LAG's."""
    ports = [port for point in resolved.points(node, nic) for port in ports_of(point)]
    links = [_port(port, resolved) for port in ports]
    if links:
        yield min(links, key=lambda link: link.mtu)


def _port(port: Port, resolved: Resolved) -> Link:
    intent = resolved.fabrics[port.fabric]
    spec: FabricSpec = intent.spec
    entry, path = port_entry(port, resolved)
    if entry and entry.mtu:
        return Link(f"port {port}", entry.mtu, intent.span(*path, "mtu"))
    return Link(f"port {port}", spec.defaults.port_mtu, intent.span("spec", "defaults", "portMtu"))


def _check_network(
    network: Network, mtu: int, vfs: dict[str, Link | None], resolved: Resolved, report: Report
) -> None:
    for attachment in network.spec.attachments:
        for pool in pools_of(attachment):
            limit = vfs.get(pool)
            if limit and mtu > limit.mtu:
                _too_large(limit, _network(network, mtu), report)
                return
    for fabric in network.fabrics:
        intent = resolved.fabrics[fabric]
        underlay = intent.spec.defaults.underlay_mtu
        if mtu + VXLAN > underlay:
            span = intent.span("spec", "defaults", "underlayMtu")
            room = Link(f"the underlay of fabric {fabric!r}", underlay, span)
            _too_large(room, _network(network, mtu), report, VXLAN)


def _network(network: Network, mtu: int) -> Link:
    return Link(f"network {network.name!r}", mtu, network.intent.span("spec", "mtu"))


def _check_fixed_ports(resolved: Resolved, report: Report) -> None:
    """Check networks with an MTU of their own against the fixed ports that they are on."""
    told: set[str] = set()
    links: dict[Port, Link] = {}
    for use in ports_in_use(resolved):
        network = resolved.networks[use.network]
        if network.spec.mtu and use.network not in told and _fixed(use):
            ports = ports_of(use.point)
            for port in ports:
                if port not in links:
                    links[port] = _port(port, resolved)
            limit = min((links[port] for port in ports), key=lambda link: link.mtu)
            if network.spec.mtu > limit.mtu:
                told.add(use.network)
                _too_large(limit, _network(network, network.spec.mtu), report)


def _check_exits(resolved: Resolved, report: Report) -> None:
    """Check the sub-interfaces of ways out against their ports: no provider takes a larger one."""
    for intent in resolved.of("ExternalConnection").values():
        for index, port in enumerate(intent.spec.ports):
            if port.mtu and (intent.spec.fabric, port.switch) in resolved.switches:
                limit = _port(Port(intent.spec.fabric, port.switch, port.port), resolved)
                if port.mtu > limit.mtu:
                    span = intent.span("spec", "ports", index, "mtu")
                    _too_large(limit, Link(f"way out {intent.name!r}", port.mtu, span), report)


def _fixed(use: PortUse) -> bool:
    return any(origin.intent.kind == "FabricAttachment" for origin in use.asked)
