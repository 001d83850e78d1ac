"""Routers, links and nodes of intent as namespaces: what an IGP and an installer would have made of them.

Every router has the routes that shortest paths by IGP metric give it, all equal ones; its End SID, the End.X
SIDs of its links, and the static routes that were rendered for it. A node has its uplink and nothing else:
the rest is the driver's work.
"""

from __future__ import annotations

import heapq
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Network
from typing import Final

from compiler.graph import Graph, Scope
from compiler.resolved import Resolved, Underlay
from lab.spaces import FORWARDS, Spaces
from renderers import render

_STATIC: Final = re.compile(r"ipv6 route (?P<prefix>\S+) (?P<hop>\S+)")
_NODES: Final = "nodes"
"""Bridge of an access router that its nodes hang off."""


@dataclass(frozen=True, slots=True)
class Hop:
    """The next router on a link."""

    router: str
    interface: str
    address: str
    metric: int


@dataclass(slots=True)
class Topology:
    """Routers and how they are joined."""

    hops: dict[str, list[Hop]] = field(default_factory=lambda: defaultdict(list))
    """Neighbours of each router."""
    prefixes: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """What each router announces to all others."""
    mtu: int = 9000


def build(spaces: Spaces, graph: Graph, nodes: tuple[str, ...]) -> Topology:
    """Make the routers and links of intent, and some of its nodes."""
    resolved = graph.allocated.resolved
    underlay, found = resolved.underlay, Topology()
    found.mtu = min(intent.spec.mtu for intent in resolved.of("Underlay").values())
    for name in underlay.routers:
        spaces.add(name, *FORWARDS)
    _links(spaces, underlay, found)
    for name, router in underlay.routers.items():
        found.prefixes[name] += [f"{router.loopback}/128", str(router.locator)]
        _own(spaces, name, underlay, found)
    _nodes(spaces, resolved, nodes, found)
    _static(spaces, graph, found)
    for name in underlay.routers:
        spaces.ip(name, *_routes(name, found))
    return found


def _links(spaces: Spaces, underlay: Underlay, found: Topology) -> None:
    for number, (name, link) in enumerate(underlay.links.items(), start=1):
        one, other = link.ends
        if not {one.at, other.at} <= underlay.routers.keys():
            continue
        interface = name if len(name) <= 15 else f"link{number}"  # noqa: PLR2004 -- longest name of an interface
        spaces.cable((one.at, interface), (other.at, interface), found.mtu)
        near, far = f"fdab::{number:x}:1", f"fdab::{number:x}:2"
        for here, there, own, peer in ((one, other, near, far), (other, one, far, near)):
            spaces.ip(here.at, f"address add {own}/112 dev {interface}")
            found.hops[here.at].append(Hop(there.at, interface, peer, here.igp_metric or link.igp_metric))
            if here.end_x_sid:
                action = f"encap seg6local action End.X nh6 {peer} count dev {interface}"
                spaces.ip(here.at, f"route add {here.end_x_sid}/128 {action}")


def _own(spaces: Spaces, name: str, underlay: Underlay, found: Topology) -> None:
    """Give a router its loopback and its End SID. A SID needs a real interface: on lo it takes nothing."""
    router, interface = underlay.routers[name], found.hops[name][0].interface
    spaces.ip(
        name,
        f"address add {router.loopback}/128 dev lo",
        f"route add blackhole {router.locator}",
        f"route add {router.sid}/128 encap seg6local action End count dev {interface}",
    )


def _nodes(spaces: Spaces, resolved: Resolved, nodes: tuple[str, ...], found: Topology) -> None:
    """Make nodes, on the bridge of their access router."""
    for name in nodes:
        server = resolved.servers[name]
        uplink = server.uplink
        if uplink is None or server.ipv6 is None:
            continue
        router, subnet = uplink.router, IPv6Network((uplink.next_hop, 64), strict=False)
        if str(subnet) not in found.prefixes[router]:
            found.prefixes[router].append(str(subnet))
            spaces.ip(
                router,
                f"link add {_NODES} type bridge",
                f"link set {_NODES} up",
                f"address add {uplink.next_hop}/64 dev {_NODES}",
            )
        spaces.add(name)
        spaces.cable((name, uplink.interface), (router, name), uplink.mtu or found.mtu)
        spaces.ip(router, f"link set {name} master {_NODES}")
        spaces.ip(name, f"address add {uplink.address or server.ipv6}/64 dev {uplink.interface}")


def _static(spaces: Spaces, graph: Graph, found: Topology) -> None:
    """Give access routers the static routes that were rendered for them; they announce them, too."""
    for name in found.hops:
        texts = [item.spec["text"] for item in render(graph, [Scope("router", name)]) if "text" in item.spec]
        for route in _STATIC.finditer("\n".join(texts)):
            spaces.ip(name, f"route add {route['prefix']} via {route['hop']} dev {_NODES}")
            found.prefixes[name].append(route["prefix"])


def _routes(router: str, found: Topology) -> Iterator[str]:
    """Yield the routes of one router to what all others announce."""
    for target, hops in first_hops(router, found.hops).items():
        ways = " ".join(f"nexthop via {hop.address} dev {hop.interface}" for hop in hops)
        for prefix in found.prefixes[target]:
            yield f"route add {prefix} {ways}"


def first_hops(router: str, hops: Mapping[str, list[Hop]]) -> dict[str, list[Hop]]:
    """Return the first hops of all shortest paths from a router to each other router."""
    distance = {router: 0}
    first: dict[str, list[Hop]] = {router: []}
    waiting = [(0, router)]
    while waiting:
        far, here = heapq.heappop(waiting)
        if far > distance[here]:
            continue
        for hop in hops[here]:
            length, ways = far + hop.metric, first[here] or [hop]
            known = distance.get(hop.router)
            if known is None or length < known:
                distance[hop.router], first[hop.router] = length, list(ways)
                heapq.heappush(waiting, (length, hop.router))
            elif length == known:
                first[hop.router] += [way for way in ways if way not in first[hop.router]]
    del first[router]
    return first
