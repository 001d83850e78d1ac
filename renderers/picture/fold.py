"""What is drawn as one box: servers and switches that are alike, where there are too many to draw each.

Switches fold first, so that servers cabled to folded switches become alike.
Invariant: every switch and every server belongs to exactly one box, whatever order they came in.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from compiler.resolved import Resolved, Server
from renderers.picture.text import TIMES, natural, span_of

CROWD: Final = 12
"""More nodes than this at one router (or at one switch) are folded."""
FULL: Final = 36
"""More servers than this in one site are folded wherever some are alike."""
WIDE: Final = 12
"""More switches of one role than this in one fabric are folded."""
FEW: Final = 3
"""Fewer than this are never folded: two boxes say more than one with a count."""

Switches = Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class Folded:
    """Which box each switch and each server stands in."""

    switch_box: Mapping[tuple[str, str], str]
    """Box ids by fabric and switch."""
    server_box: Mapping[str, str]
    """Box ids by server."""
    members: Mapping[str, tuple[str, ...]]
    """Names by box id, in natural order."""
    sites: Mapping[str, str]
    """Sites by server, guessed from its router or fabric where it says none."""


def fold(resolved: Resolved) -> Folded:
    """Decide the boxes of a topology."""
    switches, members = _switches(resolved)
    sites = {name: site_of(server, resolved) for name, server in resolved.servers.items()}
    servers, more = _servers(resolved, switches, sites)
    return Folded(switches, servers, members | more, sites)


def site_of(server: Server, resolved: Resolved) -> str:
    """Return the site of a server: what it says, else that of its router, else that of its first fabric."""
    if server.site:
        return server.site
    router = resolved.underlay.routers.get(server.uplink.router) if server.uplink else None
    if router and router.site:
        return router.site
    return next((resolved.fabric(wire.port.fabric).site or "" for wire in server.wires.values()), "")


def _switches(resolved: Resolved) -> tuple[dict[tuple[str, str], str], dict[str, tuple[str, ...]]]:
    boxes: dict[tuple[str, str], str] = {}
    members: dict[str, tuple[str, ...]] = {}
    for name, intent in resolved.fabrics.items():
        roles: defaultdict[str, list[str]] = defaultdict(list)
        for switch in resolved.fabric(name).switches:
            roles[switch.role].append(switch.name)
        for role, names in roles.items():
            if len(names) > WIDE:
                groups = {f"{intent.subject}/{role}s": tuple(sorted(names, key=natural))}
            else:
                groups = {f"{intent.subject}/switch/{one}": (one,) for one in names}
            members |= groups
            boxes |= {(name, one): box for box, group in groups.items() for one in group}
    return boxes, members


def _servers(
    resolved: Resolved, switches: Switches, sites: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    places = {name: _place(server, switches) for name, server in resolved.servers.items()}
    crowds = Counter(places.values())
    full = Counter(sites.values())
    alike: defaultdict[Hashable, list[str]] = defaultdict(list)
    for name, server in resolved.servers.items():
        crowded = crowds[places[name]] > CROWD or full[sites[name]] > FULL
        alike[(sites[name], *likeness(server, switches)) if crowded else name].append(name)
    boxes: dict[str, str] = {}
    members: dict[str, tuple[str, ...]] = {}
    for names in alike.values():
        for group in [names] if len(names) >= FEW else [[name] for name in names]:
            ordered = tuple(sorted(group, key=natural))
            box = resolved.servers[ordered[0]].intent.subject + ("/and-alike" if len(ordered) > 1 else "")
            members[box] = ordered
            boxes |= dict.fromkeys(ordered, box)
    return boxes, members


def _place(server: Server, switches: Switches) -> Hashable:
    """Return what servers crowd at: their router, or else their switches."""
    return server.uplink.router if server.uplink else frozenset(_cabled(server, switches))


def _cabled(server: Server, switches: Switches) -> Iterable[tuple[str, str]]:
    return ((nic, switches[wire.port.fabric, wire.port.switch]) for nic, wire in server.wires.items())


def likeness(server: Server, switches: Switches) -> tuple[Hashable, ...]:
    """Return all by which two servers of a site can be told apart in a picture, but the name."""
    bonds = tuple(sorted((bond.name, bond.mode, *bond.nics) for bond in server.bonds.values()))
    router = server.uplink.router if server.uplink else ""
    return (
        server.cluster or "",
        server.role,
        server.drained,
        router,
        frozenset(_cabled(server, switches)),
        bonds,
    )


def title_of(what: str, names: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the title and the further lines of a box for these names."""
    return (names[0], ()) if len(names) == 1 else (f"{TIMES} {len(names)} {what}", (span_of(names),))
