"""The blast radius of a plan: the clusters, nodes, networks, policies and leaf ports that it touches.

An object names its own scope only. What lies behind the names (the nodes of a pool, the ports of a network)
is known to resolved intent; `Reach` is the part of it that a blast radius needs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from compiler.derived.attachments import ports_in_use, ports_of
from compiler.resolved import Resolved
from reconciler.plan import Action
from renderers.rules import LEVELS, Level

Thing = Literal["clusters", "nodes", "networks", "policies", "leaf ports"]
THINGS: Final[tuple[Thing, ...]] = get_args(Thing)
"""What is counted."""
Radius = Mapping[Thing, Mapping[str, Level]]
"""Everything that is touched, by name, with the worst that happens to it."""

_NETWORKS_AND_POLICIES: Final[Mapping[str, Thing]] = {"VirtualNetwork": "networks", "SRv6Policy": "policies"}
_ALL_NODES: Final[frozenset[Level]] = frozenset(("drain", "reboot"))
"""What is said of an object of a whole cluster happens to each of its nodes."""
_NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Reach:
    """What documents and scopes stand for."""

    names: Mapping[str, str] = field(default_factory=dict)
    """Name of each document, by subject: its uid may be another word."""
    nodes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Nodes of pools, by subject, and of clusters, by scope."""
    ports: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Leaf ports (FABRIC/SWITCH/PORT) of documents, by subject, and of each LAG, by FABRIC/LAG."""
    every: frozenset[str] = _NONE
    """All leaf ports."""

    def __or__(self, other: Reach) -> Reach:
        """Return what either knows; the name of a document is that of the other one."""
        names = {**self.names, **other.names}
        nodes, ports = _union(self.nodes, other.nodes), _union(self.ports, other.ports)
        return Reach(names, nodes, ports, self.every | other.every)


def reach(resolved: Resolved) -> Reach:
    """Return what the documents of one state of a repository stand for."""
    names = {intent.subject: name for kind in resolved.intents.values() for name, intent in kind.items()}
    nodes = {f"cluster/{name}": frozenset(cluster.servers) for name, cluster in resolved.clusters.items()}
    nodes |= {pool.intent.subject: frozenset(pool.members) for pool in resolved.pools.values()}
    found: defaultdict[str, set[str]] = defaultdict(set)
    for name, port in _ports(resolved):
        found[name].add(port)
    ports = {name: frozenset(several) for name, several in found.items()}
    return Reach(names, nodes, ports, _NONE.union(*ports.values()))


def radius(actions: Iterable[Action], known: Reach) -> Radius:
    """Return what actions touch; views touch nothing."""
    found: dict[Thing, dict[str, Level]] = {thing: {} for thing in THINGS}
    for action in actions:
        level = action.impact.level
        for thing, name in () if action.view else _touched(action, known):
            found[thing][name] = max(found[thing].get(name, level), level, key=badness)
    return {thing: dict(sorted(names.items())) for thing, names in found.items()}


def badness(level: Level) -> int:
    """Return how bad a class is: 0 for hitless."""
    return LEVELS.index(level)


def _ports(resolved: Resolved) -> Iterator[tuple[str, str]]:
    """Yield what has a leaf port, and the port."""
    for use in ports_in_use(resolved):
        for port in ports_of(use.point):
            yield resolved.networks[use.network].intent.subject, str(port)
    for port, wire in resolved.wired.items():
        yield resolved.servers[wire.server].intent.subject, str(port)
    for lag in resolved.lags.values():
        for port in lag.members:
            yield f"{lag.fabric}/{lag.name}", str(port)
    for intent in resolved.of("ExternalConnection").values():
        for entry in intent.spec.ports:
            yield intent.subject, f"{intent.spec.fabric}/{entry.switch}/{entry.port}"


def _union(one: Mapping[str, frozenset[str]], two: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    return {name: one.get(name, _NONE) | two.get(name, _NONE) for name in {**one, **two}}


def _touched(action: Action, known: Reach) -> Iterator[tuple[Thing, str]]:
    """Yield everything that an action touches."""
    place, _, name = action.key.scope.partition("/")
    document = action.resource.document
    kind, _, uid = document.partition("/")
    called = known.names.get(document, uid)
    if kind in _NETWORKS_AND_POLICIES:
        yield _NETWORKS_AND_POLICIES[kind], called
    if kind == "Node":
        yield "nodes", called
    if place == "node":
        cluster, _, node = name.partition("/")
        yield "clusters", cluster
        yield "nodes", node
    elif place == "cluster":
        yield "clusters", name
        everywhere = action.key.scope if action.impact.level in _ALL_NODES else ""
        nodes = known.nodes.get(document) or known.nodes.get(everywhere, _NONE)
        yield from (("nodes", node) for node in nodes)
    elif place == "fabric":
        yield from (("leaf ports", port) for port in _leaf_ports(action, document, name, known))


def _leaf_ports(action: Action, document: str, fabric: str, known: Reach) -> Iterable[str]:
    """Return the ports of a fabric that an object touches.

    An object that names a port, or a LAG, touches that one; a text those that its changed lines name; any
    other those of its document.
    """
    name = action.key.name
    if f"{fabric}/{name}" in known.every:
        return (f"{fabric}/{name}",)
    lag = known.ports.get(f"{fabric}/{name.rpartition('/')[2]}")
    if lag is not None:
        return lag
    if action.resource.spec.keys() == {"text"}:
        switch = f"{fabric}/{name.rpartition('.')[0]}"
        return known.every & {f"{switch}/{word}" for word in _changed_words(action)}
    return [port for port in known.ports.get(document, ()) if port.startswith(f"{fabric}/")]


def _changed_words(action: Action) -> set[str]:
    """Return the words of the lines of a text that come or go; a VLAN of a port is part of the port."""
    old, new = (
        set(side.spec["text"].split("\n")) if side else set() for side in (action.before, action.after)
    )
    return {word.partition(".")[0] for line in old ^ new for word in line.split()}
