"""Questions about fabrics that lowering and checks both ask: what is in which fabric, who is whose partner.

The index is built once for all fabrics, so that each slice costs what it holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from compiler.allocated import Allocated
from compiler.derived.attachments import PortUse, ports_in_use
from compiler.derived.memo import remembered
from compiler.resolved import Lag, Network, Port, Resolved, Server
from intent.kinds.fabric import FabricSpec, SwitchPort
from intent.model import Intent
from intent.source import FieldPath


@dataclass(slots=True)
class Share:
    """What belongs to one fabric; filled once by `shares`."""

    networks: list[Network] = field(default_factory=list)
    zones: list[str] = field(default_factory=list)
    uses: list[PortUse] = field(default_factory=list)
    servers: dict[str, Server] = field(default_factory=dict)
    lags: list[Lag] = field(default_factory=list)
    exits: list[Intent] = field(default_factory=list)


@remembered
def shares(allocated: Allocated) -> Mapping[str, Share]:
    """Return what belongs to each fabric, sorted by name."""
    resolved = allocated.resolved
    found: defaultdict[str, Share] = defaultdict(Share)
    for network in sorted(resolved.networks.values(), key=lambda item: item.name):
        for fabric in network.fabrics:
            found[fabric].networks.append(network)
    for zone, fabric in sorted(allocated.zone_vlan):
        found[fabric].zones.append(zone)
    for use in ports_in_use(resolved):
        found[use.point.fabric].uses.append(use)
    for name, server in sorted(resolved.servers.items()):
        for wire in server.wires.values():
            found[wire.port.fabric].servers[name] = server
    for _, lag in sorted(resolved.lags.items()):
        found[lag.fabric].lags.append(lag)
    for _, intent in sorted(resolved.of("ExternalConnection").items()):
        found[intent.spec.fabric].exits.append(intent)
    return found


def group_of(spec: FabricSpec) -> dict[str, str]:
    """Return the redundancy group of each switch that is in one."""
    return {switch: group.name for group in spec.redundancy_groups for switch in group.switches}


def port_entry(port: Port, resolved: Resolved) -> tuple[SwitchPort | None, FieldPath]:
    """Return what the fabric says of a port, and where; None where it says nothing of this one."""
    switch = resolved.switches[port.fabric, port.switch]
    entry = switch.port(port.port)
    if entry is None:
        return None, ()
    at = resolved.fabric(port.fabric).switches.index(switch)
    return entry, ("spec", "switches", at, "ports", switch.ports.index(entry))


def target(vni: int) -> str:
    """Return the route target that Apstra derives from a VNI; FRR is told it, since its own differs."""
    return f"{vni}:1"
