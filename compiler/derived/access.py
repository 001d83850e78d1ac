"""Where nodes enter the underlay, and so between which routers an SRv6Policy needs paths."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from compiler.derived.memo import remembered
from compiler.derived.overlay import chosen
from compiler.resolved import Resolved, Server
from intent.model import Intent, Origin


class Pair(NamedTuple):
    """Access routers of a headend and of an endpoint; empty where a node does not say its own."""

    start: str
    end: str

    def __str__(self) -> str:
        """Write the pair for people."""
        return f"from {self.start or '?'} to {self.end or '?'}"


@remembered
def access(resolved: Resolved) -> Mapping[str, str]:
    """Return the access router of each node: that of its uplink, else the only one that its links lead to."""
    doors = _doors(resolved)
    found = {}
    for name, server in resolved.servers.items():
        if server.uplink:
            found[name] = server.uplink.router if server.uplink.router in resolved.underlay.routers else ""
        else:
            several = doors.get(name, {})
            found[name] = next(iter(several)) if len(several) == 1 else ""
    return found


@remembered
def _doors(resolved: Resolved) -> Mapping[str, Mapping[str, str]]:
    """Return the routers that links of a node lead to, by node; with the name of the link."""
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for name, link in sorted(resolved.underlay.links.items()):
        for one, two in (link.ends, link.ends[::-1]):
            if one.at in resolved.servers and two.at in resolved.underlay.routers:
                found[one.at].setdefault(two.at, name)
    return found


def access_of(server: Server, resolved: Resolved, rule: str) -> Origin:
    """Return where the access router of a node is said."""
    if server.uplink is None:
        links = _doors(resolved).get(server.name, {})
        for name in links.values():
            intent, path = resolved.underlay.link_origin[name]
            return Origin("lists", intent, (*path, "ends"), rule)
    return Origin("lists", server.intent, ("spec", "uplink"), rule)


@remembered
def _pairs(resolved: Resolved) -> Mapping[str, tuple[Pair, ...]]:
    return {name: _of(intent, resolved) for name, intent in resolved.of("SRv6Policy").items()}


def pairs(intent: Intent, resolved: Resolved) -> tuple[Pair, ...]:
    """Return between which routers a policy needs paths, sorted: for two nodes of one mesh each."""
    return _pairs(resolved)[intent.name]


def _of(intent: Intent, resolved: Resolved) -> tuple[Pair, ...]:
    doors = access(resolved)
    sides: list[Mapping[tuple[str, str], list[str]]] = []
    for selector in (intent.spec.headends, intent.spec.endpoints):
        rows: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for name in chosen(selector, resolved):
            rows[doors[name], resolved.servers[name].cluster or ""].append(name)
        sides.append(rows)
    found = set()
    for (start, here), heads in sides[0].items():
        mesh = resolved.clusters[here].mesh
        for (end, there), tails in sides[1].items():
            if there in mesh and (len(heads) > 1 or heads != tails):
                found.add(Pair(start, end))
    return tuple(sorted(found))


def heads_at(intent: Intent, resolved: Resolved) -> Mapping[str, frozenset[str]]:
    """Return the headends of a policy by their access router."""
    return _sides(resolved)[intent.name][0]


def tails_at(intent: Intent, resolved: Resolved) -> Mapping[str, frozenset[str]]:
    """Return the endpoints of a policy by their access router."""
    return _sides(resolved)[intent.name][1]


@remembered
def _sides(resolved: Resolved) -> Mapping[str, tuple[Mapping[str, frozenset[str]], ...]]:
    doors, found = access(resolved), {}
    for name, intent in resolved.of("SRv6Policy").items():
        sides = []
        for selector in (intent.spec.headends, intent.spec.endpoints):
            rows: defaultdict[str, set[str]] = defaultdict(set)
            for node in chosen(selector, resolved):
                rows[doors[node]].add(node)
            sides.append({router: frozenset(names) for router, names in sorted(rows.items())})
        found[name] = tuple(sides)
    return found
