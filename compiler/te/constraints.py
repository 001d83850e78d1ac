"""What a computed path must keep to, as rules on links, and which rule is to blame where there is no path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from compiler.te.encode import forceable
from compiler.te.search import plane, shortest
from compiler.te.topology import Arc, Topology
from intent.kinds.srv6_policy import Constraints, Dynamic
from intent.model import camel

_UNFORCED: Final = "links that nothing forces"
_DRAINED: Final = "the drain of routers"


class Rule(NamedTuple):
    """One rule on the links of a path."""

    words: str
    """Completes: there would be one without …"""
    keeps: Callable[[Arc], bool]


def rules(said: Dynamic, net: Topology, ends: frozenset[str]) -> tuple[Rule, ...]:
    """Return the rules for paths between two routers, which themselves may be drained."""
    found = list(_constraints(said.constraints))
    away = net.drained - ends
    if away:
        found.append(Rule(_DRAINED, lambda arc: not away & {arc.start, arc.end}))
    if said.objective == "latency":
        found.append(Rule("links of unknown latency", lambda arc: arc.latency is not None))
    found.append(Rule(f"{_UNFORCED} (add their endXSid)", lambda arc: forceable(arc, net)))
    return tuple(found)


def _constraints(said: Constraints) -> Iterator[Rule]:
    any_, all_, none = map(frozenset, (said.include_any, said.include_all, said.exclude_any))
    groups, routers = frozenset(said.exclude_srlgs), frozenset(said.exclude_routers)
    rows: tuple[tuple[str, frozenset[str], Callable[[Arc], bool]], ...] = (
        ("include_any", any_, lambda arc: bool(arc.affinities & any_)),
        ("include_all", all_, lambda arc: all_ <= arc.affinities),
        ("exclude_any", none, lambda arc: not arc.affinities & none),
        ("exclude_srlgs", groups, lambda arc: not arc.srlgs & groups),
        ("exclude_routers", routers, lambda arc: not routers & {arc.start, arc.end}),
    )
    for field, words, keeps in rows:
        if words:
            yield Rule(f"{camel(field)} {', '.join(sorted(words))}", keeps)


def unforced(every: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return the rules but the one that every link must be forced."""
    return tuple(rule for rule in every if not rule.words.startswith(_UNFORCED))


def kept(arcs: Iterable[Arc], all_rules: Iterable[Rule]) -> tuple[Arc, ...]:
    """Return the arcs that keep to all rules."""
    several = tuple(all_rules)
    return tuple(arc for arc in arcs if all(rule.keeps(arc) for rule in several))


def blame(said: Dynamic, net: Topology, up: tuple[Arc, ...], ends: tuple[str, str]) -> tuple[str, bool]:
    """Say why there is no path, and whether it may come back by itself: a link up, a router undrained.

    `up` holds all links, also those that are down.
    """
    every = rules(said, net, frozenset(ends))
    if not _joined(up, ends, net):
        return "no links lead there", False
    # What can be forced is known only of links that are up.
    lasting = unforced(every)
    if _joined(kept(up, lasting), ends, net) and not _joined(kept(net.arcs, lasting), ends, net):
        down = sorted({arc.link for arc in up} - {arc.link for arc in net.arcs})
        return f"links are down: {', '.join(down)}", True
    alone = []
    for rule in every:
        less = kept(net.arcs, [other for other in every if other is not rule])
        way = shortest(plane(net, said.objective, less), *ends)
        if way:
            links = ", ".join(dict.fromkeys(arc.link for arc in way if not rule.keeps(arc)))
            alone.append((rule, f"without {rule.words}, over {links}"))
    text = f"there would be one {', or '.join(words for _, words in alone)}"
    return text if alone else "several constraints together leave none", any(
        rule.words == _DRAINED for rule, _ in alone
    )


def _joined(arcs: Iterable[Arc], ends: tuple[str, str], net: Topology) -> bool:
    return ends[1] in component(arcs, ends[0], net.routers)


def component(arcs: Iterable[Arc], start: str, routers: Mapping[str, object]) -> set[str]:
    """Return the routers that are reached from one over some arcs."""
    out: dict[str, list[str]] = {name: [] for name in routers}
    for arc in arcs:
        out[arc.start].append(arc.end)
    seen, edge = {start}, [start]
    while edge:
        edge = [name for at in edge for name in out[at] if name not in seen]
        edge = list(dict.fromkeys(edge))
        seen.update(edge)
    return seen
