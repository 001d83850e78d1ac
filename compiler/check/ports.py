"""VLANs and VNIs against ports, switches and pools, once they are known.

The ledger sees to it that no fabric has a VLAN twice and that no VNI exists twice; here remains what ports
and switches allow, what is pinned past a pool, and what Apstra keeps for itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from compiler.allocated import Allocated
from compiler.derived.attachments import PortUse, ports_in_use, ports_of, trunked
from compiler.derived.fabrics import group_of, port_entry
from compiler.resolved import Port, Resolved
from intent.diagnostics import Related, Report
from intent.kinds.fabric import FabricSpec
from intent.kinds.virtual_network import SriovAttachment, SriovBondAttachment
from intent.model import Intent
from intent.scalars import Ranges
from intent.source import Span

SHOWN: Final = 5
"""So many VLANs tell which are meant."""


def check_vlans_of_ports(allocated: Allocated, report: Report) -> None:
    """Check that the VLAN of each network is allowed where it is needed."""
    resolved = allocated.resolved
    told: set[tuple[str, str]] = set()
    limits: dict[Port, tuple[tuple[Ranges, str, Span], ...]] = {}
    for use in ports_in_use(resolved):
        vlan = allocated.vlan[use.network,]
        for port in ports_of(use.point):
            if port not in limits:
                limits[port] = tuple(_limits(port, resolved))
            for allowed, what, span in limits[port]:
                if vlan not in allowed and (use.network, what) not in told:
                    told.add((use.network, what))
                    _not_allowed(use, vlan, (allowed, what, span), resolved, report)


def _limits(port: Port, resolved: Resolved) -> Iterable[tuple[Ranges, str, Span]]:
    """Yield what limits the VLANs of a port: allowed VLANs, whose they are, and where that is said."""
    yield from _limits_of_switch(port, resolved)
    entry, path = port_entry(port, resolved)
    if entry and entry.vlans:
        yield entry.vlans, f"port {port}", resolved.fabrics[port.fabric].span(*path, "vlans")


def _limits_of_switch(port: Port, resolved: Resolved) -> Iterable[tuple[Ranges, str, Span]]:
    intent = resolved.fabrics[port.fabric]
    spec: FabricSpec = intent.spec
    # What is on one leaf of a pair is on both.
    pair = next((group.switches for group in spec.redundancy_groups if port.switch in group.switches), ())
    for at, other in enumerate(spec.switches):
        if other.vlans and (other.name == port.switch or other.name in pair):
            span = intent.span("spec", "switches", at, "vlans")
            yield other.vlans, f"switch {other.name!r} of fabric {port.fabric!r}", span


def _not_allowed(
    use: PortUse, vlan: int, limit: tuple[Ranges, str, Span], resolved: Resolved, report: Report
) -> None:
    allowed, what, span = limit
    network = resolved.networks[use.network]
    report.error(
        "IC2260",
        network.intent.span("spec", "vlan"),
        f"network {use.network!r} has VLAN {vlan}, which {what} does not allow (needed by {use.reasons[0]})",
        f"allow the VLAN there, or pin one of {allowed} that every port of the network allows",
        [Related(span, f"allowed: {allowed}"), Related(use.origins[0].span, "needed here")],
    )


def check_vlans_of_zones(allocated: Allocated, report: Report) -> None:
    """Check that switches allow the VLANs that carry zones, which come with their networks and ways out."""
    resolved = allocated.resolved
    places = [(resolved.networks[use.network].vrf, ports_of(use.point)) for use in ports_in_use(resolved)]
    places += [
        (intent.spec.zone, (Port(intent.spec.fabric, port.switch, port.port),))
        for intent in resolved.of("ExternalConnection").values()
        for port in intent.spec.ports
    ]
    seen: set[tuple[str | None, str, str]] = set()
    told: set[tuple[str | None, str]] = set()
    for zone, port in ((zone, port) for zone, ports in places for port in ports):
        vlan = allocated.zone_vlan.get((zone or "", port.fabric))
        if vlan is None or (zone, port.fabric, port.switch) in seen:
            continue
        seen.add((zone, port.fabric, port.switch))
        for allowed, what, span in _limits_of_switch(port, resolved):
            if vlan not in allowed and (zone, what) not in told:
                told.add((zone, what))
                report.error(
                    "IC2260",
                    resolved.vrfs[zone or ""].intent.span("spec", "zone"),
                    f"zone {zone!r} is carried by VLAN {vlan}, which {what} does not allow",
                    f"allow the VLAN there, or let pools.vlan of fabric {port.fabric!r} hold only what all "
                    "of its switches allow, and update the ledger",
                    [Related(span, f"allowed: {allowed}")],
                )


def check_pins(allocated: Allocated, report: Report) -> None:
    """Check pinned VLANs and VNIs against the pools of their fabrics."""
    resolved = allocated.resolved
    for network in resolved.networks.values():
        spec = network.spec
        for fabric in network.fabrics if spec.vlan or spec.vni else ():
            vlans, vnis = _pool(resolved, fabric, "vlan"), _pool(resolved, fabric, "vni")
            if spec.vlan and spec.vlan not in vlans[0]:
                report.error(
                    "IC2261",
                    network.intent.span("spec", "vlan"),
                    f"VLAN {spec.vlan} is pinned, but fabric {fabric!r} has {vlans[0]}",
                    "pin a VLAN of the pool, or widen the pool",
                    [Related(vlans[1], "the pool")],
                )
            if spec.vni and spec.vni not in vnis[0]:
                report.warning(
                    "IC2262",
                    network.intent.span("spec", "vni"),
                    f"VNI {spec.vni} is pinned outside of the pool of fabric {fabric!r}: {vnis[0]}",
                    "check that nobody else uses it",
                    [Related(vnis[1], "the pool")],
                )


def _pool(resolved: Resolved, fabric: str, name: str) -> tuple[Ranges, Span]:
    intent = resolved.fabrics[fabric]
    own: Ranges | None = getattr(intent.spec.pools, name)
    if own is not None:
        return own, intent.span("spec", "pools", name)
    return getattr(resolved.spec.pools, name), resolved.project.span("spec", "pools", name)


def check_first_vlan(allocated: Allocated, report: Report) -> None:
    """Check that nothing got VLAN 1 in Apstra, where it is the default of every port."""
    resolved = allocated.resolved
    apstra = {name for name, intent in resolved.fabrics.items() if intent.spec.provider == "apstra"}
    for (name,), vlan in allocated.vlan.items():
        if vlan == 1 and not apstra.isdisjoint(resolved.networks[name].fabrics):
            _first_vlan(resolved.networks[name].intent, f"network {name!r}", report)
    for (zone, fabric), vlan in allocated.zone_vlan.items():
        if vlan == 1 and fabric in apstra:
            _first_vlan(resolved.vrfs[zone].intent, f"zone {zone!r}", report)


def _first_vlan(intent: Intent, what: str, report: Report) -> None:
    report.error(
        "IC2263",
        intent.span("spec", "vlan"),
        f"{what} has VLAN 1, which Apstra does not take",
        "pin another VLAN, or take 1 out of the pool and update the ledger",
    )


def check_vlans_of_exits(allocated: Allocated, report: Report) -> None:
    """Check that a sub-interface to the outside uses no VLAN that a network or zone has on its switch."""
    resolved = allocated.resolved
    exits = resolved.of("ExternalConnection").values()
    if not exits:
        return
    on_switch = _vlans_on(
        allocated, {(intent.spec.fabric, port.switch) for intent in exits for port in intent.spec.ports}
    )
    for intent in exits:
        for index, port in enumerate(intent.spec.ports):
            holder = on_switch[intent.spec.fabric, port.switch].get(port.vlan)
            if holder:
                report.error(
                    "IC2264",
                    intent.span("spec", "ports", index, "vlan"),
                    f"VLAN {port.vlan} is that of {holder[0]} on switch {port.switch!r}",
                    "use another VLAN for the link",
                    [Related(holder[1], holder[0])],
                )


def _vlans_on(
    allocated: Allocated, wanted: set[tuple[str, str]]
) -> Mapping[tuple[str, str], dict[int, tuple[str, Span]]]:
    """Return who holds which VLAN on some switches."""
    resolved = allocated.resolved
    found: defaultdict[tuple[str, str], dict[int, tuple[str, Span]]] = defaultdict(dict)
    groups = {name: group_of(intent.spec) for name, intent in resolved.fabrics.items()}
    # A network on one leaf of a pair is on both.
    pairs: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for fabric, switch in sorted(wanted):
        pairs[fabric, groups[fabric].get(switch, switch)].append((fabric, switch))
    for use in ports_in_use(resolved):
        fabric = use.point.fabric
        switch = ports_of(use.point)[0].switch
        for place in pairs.get((fabric, groups[fabric].get(switch, switch)), ()):
            network = resolved.networks[use.network]
            found[place][allocated.vlan[use.network,]] = (
                f"network {use.network!r}",
                network.intent.span("metadata", "name"),
            )
            _zone_vlan(network.vrf, place, allocated, found)
    for intent in resolved.of("ExternalConnection").values():
        for port in intent.spec.ports:
            _zone_vlan(intent.spec.zone, (intent.spec.fabric, port.switch), allocated, found)
    return found


def _zone_vlan(
    zone: str | None,
    place: tuple[str, str],
    allocated: Allocated,
    found: dict[tuple[str, str], dict[int, tuple[str, Span]]],
) -> None:
    vlan = allocated.zone_vlan.get((zone or "", place[0]))
    if zone and vlan:
        found[place][vlan] = (f"zone {zone!r}", allocated.resolved.vrfs[zone].intent.span("spec", "zone"))


def check_trunks(allocated: Allocated, report: Report) -> None:
    """Check that the VLANs which pods may tag by themselves belong to networks, since others are dropped."""
    resolved = allocated.resolved
    carried = trunked(resolved)
    for name in carried:
        network = resolved.networks[name]
        pinned = {resolved.networks[other].spec.vlan for other in carried[name]} | {allocated.vlan[name,]}
        for index, attachment in enumerate(network.spec.attachments):
            if isinstance(attachment, SriovAttachment | SriovBondAttachment) and attachment.trunk_vlans:
                spans = attachment.trunk_vlans.spans
                lost = [vlan for low, high in spans for vlan in range(low, high + 1) if vlan not in pinned]
                if lost:
                    _lost(network.intent, index, lost, report)


def _lost(intent: Intent, index: int, lost: list[int], report: Report) -> None:
    some = ", ".join(map(str, lost[:SHOWN])) + (" …" if len(lost) > SHOWN else "")
    report.warning(
        "IC2265",
        intent.span("spec", "attachments", index, "trunkVlans"),
        f"pods of network {intent.name!r} may tag VLAN {some}, but no network of its fabrics has it "
        "pinned: the fabric drops these frames",
        "make a network with vlan pinned and extendToFabric: true, or remove the VLANs",
    )
