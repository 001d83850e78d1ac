"""Kubernetes against the fabric: what nobody else checks, because each side knows only its own half.

Every port that a network may come to must be cabled, known and on a leaf; a bond must find its network on
both of its legs. A pool is judged once, however many networks extend over it.
"""

from __future__ import annotations

from collections.abc import Mapping

from compiler.derived.attachments import Point, entries, legs, ports_in_use, where
from compiler.derived.memo import remembered
from compiler.resolve.names import pools_of
from compiler.resolve.servers import no_switch
from compiler.resolved import Network, Pool, Port, Resolved, Server
from intent.diagnostics import Related, Report, did_you_mean
from intent.kinds.fabric_attachment import FabricAttachmentSpec, StaticPort
from intent.kinds.node import Bond
from intent.kinds.virtual_network import BareMetalAttachment, SriovBondAttachment
from intent.model import Intent
from intent.source import FieldPath


@remembered
def extended_pools(resolved: Resolved) -> Mapping[str, Network]:
    """Return the SR-IOV pools that networks extend over, each with the first of them."""
    found: dict[str, Network] = {}
    for name in sorted(resolved.networks):
        network = resolved.networks[name]
        if network.spec.extend_to_fabric:
            for attachment in network.spec.attachments:
                for pool in pools_of(attachment):
                    found.setdefault(pool, network)
    return found


def check_fabric_attachments(resolved: Resolved, report: Report) -> None:
    """Check that every fixed port exists, is cabled, and carries each network once."""
    taken: dict[tuple[tuple[str, str, str], str], tuple[Intent, FieldPath]] = {}
    untagged: dict[tuple[str, str, str], tuple[Intent, FieldPath, str]] = {}
    for intent in resolved.of("FabricAttachment").values():
        spec: FabricAttachmentSpec = intent.spec
        _check_network(intent, resolved.networks[spec.network], report)
        for index, port in enumerate(spec.ports):
            path: FieldPath = ("spec", "ports", index)
            if not _check_port(intent, path, port, resolved, report):
                continue
            for point in entries(port, resolved):
                place = where(point)
                first = taken.setdefault((place, spec.network), (intent, path))
                if first != (intent, path):
                    _twice(
                        intent,
                        path,
                        first,
                        f"network {spec.network!r} is attached to {_name(point)} twice",
                        report,
                    )
                if spec.tagging == "untagged":
                    holder = untagged.setdefault(place, (intent, path, spec.network))
                    if holder[2] != spec.network:
                        _second_untagged(intent, path, holder, point, report)
    _check_mixed(resolved, report)


def _check_mixed(resolved: Resolved, report: Report) -> None:
    """Check that pods, whose frames are tagged, share no network untagged with a fixed port."""
    for use in ports_in_use(resolved):
        pods = [origin for origin in use.asked if origin.intent.kind != "FabricAttachment"]
        if not use.tagged and pods:
            fixed = next(origin for origin in use.asked if origin.intent.kind == "FabricAttachment")
            report.error(
                "IC2204",
                fixed.span,
                f"network {use.network!r} is on {_name(use.point)} twice: untagged here, tagged for pods",
                "set tagging: tagged, or attach to another port",
                [Related(pods[0].span, "needed by pods")],
            )


def _name(point: Point) -> str:
    return f"port {point}" if isinstance(point, Port) else f"LAG {point.name}"


def _check_network(intent: Intent, network: Network, report: Report) -> None:
    place, there = intent.span("spec", "network"), Related(network.intent.span("spec"), "the network")
    if not network.spec.extend_to_fabric:
        report.error(
            "IC2201",
            place,
            f"network {network.name!r} does not extend to the fabric",
            "set extendToFabric: true in the network",
            [there],
        )
    elif not any(isinstance(item, BareMetalAttachment) for item in network.spec.attachments):
        report.error(
            "IC2202",
            place,
            f"network {network.name!r} is not offered to fixed ports",
            "add an attachment of type bareMetal to the network",
            [there],
        )


def _twice(
    intent: Intent, path: FieldPath, first: tuple[Intent, FieldPath], message: str, report: Report
) -> None:
    report.error(
        "IC2204",
        intent.span(*path),
        message,
        "remove one of the two",
        [Related(first[0].span(*first[1]), "the other one")],
    )


def _second_untagged(
    intent: Intent, path: FieldPath, holder: tuple[Intent, FieldPath, str], point: Point, report: Report
) -> None:
    report.error(
        "IC2205",
        intent.span(*path),
        f"{_name(point)} has two untagged networks: {holder[2]!r} and {intent.spec.network!r}",
        "frames without a tag can belong to one network only; set tagging: tagged for one of them",
        [Related(holder[0].span(*holder[1]), "the other one")],
    )


def _check_port(
    intent: Intent, path: FieldPath, port: StaticPort, resolved: Resolved, report: Report
) -> bool:
    """Say whether the port is one that can be used."""
    if port.fabric:
        return _check_switch_port(intent, path, port, resolved, report)
    server, name = resolved.servers[port.node or ""], port.nic or port.bond or ""
    field, known = ("nic", server.nics) if port.nic else ("bond", server.bonds)
    if (known or port.bond) and name not in known:
        report.error(
            "IC2011",
            intent.span(*path, field),
            f"node {server.name!r} has no {'NIC' if port.nic else 'bond'} {name!r}",
            did_you_mean(name, known),
        )
        return False
    if not entries(port, resolved):
        report.error(
            "IC2203",
            intent.span(*path, field),
            f"{name} of node {server.name!r} has no cable, so there is no port to attach to",
            "say the cable in the Node",
            [Related(server.intent.span("spec"), "the node")],
        )
        return False
    return True


def _check_switch_port(
    intent: Intent, path: FieldPath, port: StaticPort, resolved: Resolved, report: Report
) -> bool:
    fabric, name = port.fabric or "", port.switch or ""
    switch = resolved.switches.get((fabric, name))
    if switch is None:
        report.error(*no_switch(intent.span(*path, "switch"), fabric, name, resolved.switches))
        return False
    if switch.role == "spine" or port.port in switch.uplinks:
        what = "is a spine" if switch.role == "spine" else f"uses {port.port} as an uplink"
        report.error(
            "IC2206",
            intent.span(*path),
            f"switch {name!r} {what}: no server can be attached there",
            "attach it to a port of a leaf",
            [Related(resolved.fabrics[fabric].span("spec", "switches"), "the switches")],
        )
        return False
    return True


def check_cables(resolved: Resolved, report: Report) -> None:
    """Check that every PF that a network extends over has a cable to a leaf."""
    for name, network in extended_pools(resolved).items():
        pool = resolved.pools[name]
        why = Related(
            network.intent.span("spec", "extendToFabric"),
            f"network {network.name!r} extends to the fabric over this pool",
        )
        for node, nics in pool.members.items():
            server = resolved.servers[node]
            for nic in nics:
                if not resolved.points(node, nic):
                    report.error(
                        "IC2210",
                        server.intent.span("spec", "cables"),
                        f"{nic} of node {node!r} has no cable, but is in pool {name!r}: a pod with its VF "
                        "would be cut off",
                        "say the cable in the Node, or take the NIC out of the pool",
                        [why, Related(pool.intent.span("spec", "nics"), "the pool")],
                    )
    for wire in resolved.wired.values():
        switch = resolved.switches[wire.port.fabric, wire.port.switch]
        if switch.role == "spine" or wire.port.port in switch.uplinks:
            what = "is a spine" if switch.role == "spine" else f"uses {wire.port.port} as an uplink"
            report.error(
                "IC2206",
                resolved.servers[wire.server].intent.span(*wire.path),
                f"switch {switch.name!r} {what}: no server can be attached there",
                "cable it to a port of a leaf",
            )


def check_pod_ports(resolved: Resolved, report: Report) -> None:
    """Check that pods that run already are on NICs whose port is known."""
    for index, item in enumerate(resolved.facts.placements):
        network = resolved.networks[item.network]
        if not network.spec.extend_to_fabric:
            continue
        points = resolved.points(item.node, item.nic)
        if not any(point.fabric in network.fabrics for point in points):
            origin = resolved.facts.origins[f"placement/{index}"]
            what = "leads into a fabric where the network is not" if points else "has no cable"
            report.warning(
                "IC2211",
                origin.span,
                f"pod {item.namespace}/{item.pod} is on {item.nic} of node {item.node!r}, which {what}: "
                "its port cannot be configured",
                "capture the facts again, or mend the pool and the cables",
                [Related(network.intent.span("metadata", "name"), "the network")],
            )


def check_bonds(resolved: Resolved, report: Report) -> None:
    """Check that a bond finds its network on all of its legs, and survives the loss of a leaf."""
    for name in extended_pools(resolved):
        _check_host_bonds(resolved.pools[name], resolved, report)
    told: set[tuple[str, str]] = set()
    for network in resolved.networks.values():
        for index, attachment in enumerate(network.spec.attachments if network.spec.extend_to_fabric else ()):
            if not isinstance(attachment, SriovBondAttachment):
                continue
            one, two = (resolved.pools[pool] for pool in attachment.pools)
            path: FieldPath = ("spec", "attachments", index)
            if attachment.mode == "balance-xor":
                _check_balanced(network, (*path, "mode"), (one, two), resolved, report)
            if attachment.pools not in told:
                told.add(attachment.pools)
                _check_pod_bond(network, (*path, "pools"), (one, two), resolved, report)


def _check_host_bonds(pool: Pool, resolved: Resolved, report: Report) -> None:
    """Check the bonds of the host that hold PFs of a pool."""
    lacp: list[Server] = []
    for node, nics in pool.members.items():
        server = resolved.servers[node]
        for bond in server.bonds.values():
            held = [nic for nic in nics if nic in bond.nics]
            if held and bond.mode == "802.3ad":
                lacp.append(server)
            elif held:
                _check_legs(server, bond, resolved, report)
    if lacp:
        report.warning(
            "IC2214",
            pool.intent.span("spec", "nics"),
            f"PFs of pool {pool.name!r} are in an LACP bond on {_several(lacp)}: a VF cannot run LACP, so "
            "its frames leave on one leg and may come back on the other",
            "the LAG carries the networks; use mode: active-backup on the host, or NICs outside of the "
            "bond, where VFs must not lose frames",
        )


def _several(servers: list[Server]) -> str:
    return f"node {servers[0].name!r}" + (f" and {len(servers) - 1} more" if len(servers) > 1 else "")


def _check_legs(server: Server, bond: Bond, resolved: Resolved, report: Report) -> None:
    intent, path = server.origin("bonds", bond.name)
    for nic in bond.nics:
        if nic not in server.wires:
            report.error(
                "IC2212",
                intent.span(*path, "nics"),
                f"{nic} of bond {bond.name!r} of node {server.name!r} has no cable: after a failover its "
                "networks are gone",
                "say the cable in the Node, or take it out of the bond",
                [Related(server.intent.span("spec", "cables"), "the node")],
            )
    _check_leaves(
        f"both legs of bond {bond.name!r} of node {server.name!r}",
        {port for nic in bond.nics for port in resolved.points(server.name, nic)},
        (intent, path),
        report,
    )


def _check_leaves(what: str, points: set[Point], place: tuple[Intent, FieldPath], report: Report) -> None:
    switches = {(point.fabric, point.switch) for point in points if isinstance(point, Port)}
    if len(points) > 1 and len(switches) == 1:
        fabric, switch = switches.pop()
        report.warning(
            "IC2213",
            place[0].span(*place[1]),
            f"{what} end on switch {switch!r} of fabric {fabric!r}: the bond does not survive its loss",
            "cable one leg to another leaf",
        )


def _check_balanced(
    network: Network, path: FieldPath, pools: tuple[Pool, Pool], resolved: Resolved, report: Report
) -> None:
    """Check that a bond that sends over both legs at once ends in a LAG: else its MAC is on two ports."""
    for node in sorted(pools[0].members.keys() & pools[1].members.keys()):
        nics = {nic for pool in pools for nic in pool.members[node]}
        points = {point for nic in nics for point in resolved.points(node, nic)}
        if len(points) > 1:
            report.error(
                "IC2215",
                network.intent.span(*path),
                f"the bond of network {network.name!r} sends over both legs at once, which on node {node!r} "
                "are two ports: its MAC would move between them with each frame",
                "use mode: active-backup, or an 802.3ad bond of the PFs on the host, which makes a LAG",
                [Related(resolved.servers[node].intent.span("spec", "cables"), "the cables")],
            )
            return


def _check_pod_bond(
    network: Network, path: FieldPath, pools: tuple[Pool, Pool], resolved: Resolved, report: Report
) -> None:
    """Check the two legs of a bond inside a pod, node by node; of many alike the first is told."""
    intent = network.intent
    for node in sorted(pools[0].members.keys() & pools[1].members.keys()):
        one, two = (pool.members[node] for pool in pools)
        ports = {point for nic in (*one, *two) for point in legs(node, nic, resolved)}
        before = len(report.found)
        _check_leaves(f"both legs of the bond on node {node!r}", ports, (intent, path), report)
        if len(report.found) > before:
            return
