"""Dynamic candidate paths: the best path between each pair of access routers, and the list that forces it.

A path that must share nothing with that of another policy looks for room beside it first; where there is
none, the path of the other one is moved, if it is computed too and was not moved before. So a pair of paths
is found whenever there is one (`compiler.te.disjoint` says where that is bounded).
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from compiler.derived.access import Pair, heads_at, pairs
from compiler.derived.candidate import Candidate, PathList, Refusal, choose
from compiler.derived.memo import remembered
from compiler.derived.packing import headend, packs
from compiler.derived.segments import step_at
from compiler.resolved import Resolved
from compiler.te.constraints import blame, kept, rules, unforced
from compiler.te.disjoint import move, pair, shared
from compiler.te.encode import encode, follow
from compiler.te.limits import Headend
from compiler.te.search import Found, Plane, best, plane, shortest
from compiler.te.topology import ENDLESS, Arc, Path, Topology, arcs_of, topology
from intent.kinds.srv6_policy import Constraints, Dynamic
from intent.kinds.underlay import MaxSids
from intent.model import Intent

MOST_SIDS = 16
"""SIDs that VPP's API takes; what a node can push where nothing else is said."""

Known = Mapping[str, tuple[Candidate, ...]]
"""Policies that were judged already."""


_Now = tuple[Known, Mapping[tuple[str, Pair], PathList]]
"""Policies that were judged already, and their paths that made room since."""


class Before(NamedTuple):
    """What was settled before a candidate is computed."""

    known: Known
    fixed: AbstractSet[tuple[str, Pair]]
    """Paths that others count on: they are not moved any more."""
    served: frozenset[Pair]
    """Where a better candidate of the policy is in use: nothing makes room for this one."""


@dataclass(slots=True)
class Solved:
    """The answers for one dynamic candidate, while they are made."""

    ways: dict[Pair, tuple[PathList, ...]] = field(default_factory=dict)
    refused: dict[Pair, Refusal] = field(default_factory=dict)
    moved: dict[tuple[str, Pair], PathList] = field(default_factory=dict)
    """Paths of other policies that made room, by policy and pair."""
    asked: set[tuple[str, Pair]] = field(default_factory=set)
    """Paths of other policies that these answers count on."""


def solve(intent: Intent, said: Dynamic, before: Before, resolved: Resolved) -> Solved:
    """Return the path between each pair of routers, or why there is none."""
    found = Solved()
    for at in pairs(intent, resolved):
        barred = sorted(set(said.constraints.exclude_routers) & set(at))
        if not (at.start and at.end):
            text = "a node there names no router of an underlay (spec.uplink)"
            found.refused[at] = Refusal(text, passing=False)
        elif barred:
            text = f"it begins or ends at {', '.join(barred)}, which excludeRouters names"
            found.refused[at] = Refusal(text, passing=False)
        else:
            _answer(_Question(intent, said, at), found, before, resolved)
    return found


class _Question(NamedTuple):
    """One path that is asked for."""

    intent: Intent
    said: Dynamic
    at: Pair


def _answer(asked: _Question, found: Solved, before: Before, resolved: Resolved) -> None:
    said, at = asked.said, asked.at
    on = _plane(said, at, resolved)
    other = said.constraints.disjoint_from
    places = _places(other, at, before.known) if other else ()
    taken = _taken(other, places, (before.known, found.moved), resolved) if other else frozenset[Arc]()
    beside = on.without(shared(on.net, taken, said.constraints.disjointness, at)) if taken else on
    answer = _best(beside, asked, resolved)
    if answer is None and other and len(places) == 1 and at not in before.served:
        theirs = (other, places[0])
        fixed = theirs in before.fixed or theirs in found.asked
        both = None if fixed else _both(asked, theirs, before.known, resolved)
        if both:
            found.moved[theirs], answer = _list(both[0], resolved), both[1]
    if answer is None:
        found.refused[at] = _refusal(asked, (on, beside), resolved)
        return
    found.ways[at] = (_list(answer, resolved),)
    found.asked |= {(other, place) for place in places if other}


def _list(found: Found, resolved: Resolved) -> PathList:
    return PathList(0, 1, tuple(step_at(sid, resolved) for sid in found.sids), (), found.path)


def _plane(said: Dynamic, at: Pair, resolved: Resolved) -> Plane:
    """Return the links that a path may use; made once for all pairs that may use the same."""
    net = topology(resolved)
    ends = frozenset(at) & net.drained
    key = (said.objective, _plain(said.constraints), ends)
    planes = _planes(resolved)
    if key not in planes:
        planes[key] = plane(net, said.objective, kept(net.arcs, rules(said, net, ends)))
    return planes[key]


def _plain(said: Constraints) -> Constraints:
    """Return what says which links may be used, without the rest."""
    return said.model_copy(update={"max_sids": None, "disjoint_from": None, "disjointness": "link"})


@remembered
def _planes(_resolved: Resolved) -> dict[object, Plane]:
    return {}


def _best(on: Plane, asked: _Question, resolved: Resolved) -> Found | None:
    """Return the best path whose list the headends can push, packed where they do so."""
    return best(on, asked.at.start, asked.at.end, _headend(asked, resolved))


def _headend(asked: _Question, resolved: Resolved) -> Headend:
    intent, said, at = asked
    return headend(intent, _pushed(intent, at, resolved), said.constraints.max_sids, resolved)


def _pushed(intent: Intent, at: Pair, resolved: Resolved) -> int:
    """Return how many addresses the weakest headend at a router can push, the service SID included."""
    heads = [resolved.servers[name] for name in heads_at(intent, resolved).get(at.start, ())]
    return min([MOST_SIDS, *(server.max_sids or MOST_SIDS for server in heads)])


def _places(other: str, at: Pair, known: Known) -> tuple[Pair, ...]:
    """Return which paths of another policy count: that between the same routers, else all."""
    paths = known.get(other, ())
    if any(at in path.ways for path in paths):
        return (at,)
    return tuple(dict.fromkeys(place for path in paths for place in path.ways))


def _taken(other: str, places: tuple[Pair, ...], now: _Now, resolved: Resolved) -> frozenset[Arc]:
    """Return the links that packets of another policy may take."""
    found: set[Arc] = set()
    known, moved = now
    for place in places:
        choice = choose(known[other], place)
        lists = choice.lists if choice else ()
        for item in (moved[other, place],) if (other, place) in moved else lists:
            legs = follow(place.start, tuple(step.name for step in item.steps), place.end, topology(resolved))
            found.update(arc for leg in legs or () for arc in leg)
    return frozenset(found)


def _both(
    asked: _Question, theirs: tuple[str, Pair], known: Known, resolved: Resolved
) -> tuple[Found, Found] | None:
    """Return the path of another policy where it makes room, and ours; None where there is no such pair."""
    (said, at), (other, place) = asked[1:], theirs
    choice = choose(known[other], place)
    dynamic = choice.candidate.path.dynamic if choice else None
    if dynamic is None or dynamic.constraints.disjoint_from:
        return None
    they = _Question(resolved.of("SRv6Policy")[other], dynamic, place)
    on, their_plane = _plane(said, at, resolved), _plane(dynamic, place, resolved)
    kind = said.constraints.disjointness
    if kind != "srlg" and place == at and their_plane is on:
        two = pair(on, at.start, at.end, kind)
        if two is None:
            return None
        first, second = (
            _encoded(path, who, on.net, resolved) for path, who in zip(two, (they, asked), strict=True)
        )
        if first and second:
            return first, second

    def beside(path: Path) -> Found | None:
        return _best(on.without(shared(on.net, path, kind, at)), asked, resolved)

    return move(their_plane, lambda less: _best(less, they, resolved), beside)


def _encoded(path: Path, asked: _Question, net: Topology, resolved: Resolved) -> Found | None:
    sids = encode(path, net, _headend(asked, resolved))
    return Found(path, sids) if sids is not None else None


def _refusal(asked: _Question, planes: tuple[Plane, Plane], resolved: Resolved) -> Refusal:
    """Say what leaves no path: the constraints, the path of another policy (second plane), or the SIDs."""
    (on, beside), (said, at) = planes, asked[1:]
    path = shortest(beside, at.start, at.end)
    if path is not None:
        return Refusal(_too_long(path, asked, resolved), passing=False)
    if beside is not on and shortest(on, at.start, at.end) is not None:
        other, kind = said.constraints.disjoint_from, _SHARED[said.constraints.disjointness]
        text = f"every path shares a {kind} with that of policy {other!r}"
        lasting = unforced(rules(said, on.net, frozenset(at)))
        wide = plane(on.net, on.objective, kept(on.net.arcs, lasting)).without(beside.avoided)
        links = [arc.link for arc in shortest(wide, at.start, at.end) or () if arc.rank not in on.usable]
        if links:
            text += (
                f"; one that does not leads over {', '.join(links)}, which nothing forces (add its endXSid)"
            )
        return Refusal(text, passing=bool(resolved.facts.down or on.net.drained))
    message, passing = blame(said, on.net, arcs_of(resolved), (at.start, at.end))
    return Refusal(message, passing)


def _too_long(path: Path, asked: _Question, resolved: Resolved) -> str:
    """Say that no list that forces a path is short enough, and for whom."""
    net, who, most = _unlimited(resolved), _headend(asked, resolved), asked.said.constraints.max_sids
    needed = len(encode(path, net) or ())
    if encode(path, net, who) is not None:
        text = "no list that forces a path keeps to maxSids of the routers"
    elif packs(asked.intent, resolved) and needed <= (most or needed):
        room = "one address" if who.addresses == 1 else f"{who.addresses} addresses"
        text = f"no list that forces a path fits into {room} with the service SID"
    else:
        text = f"no list of {min(who.addresses - 1, most or ENDLESS)} SIDs forces a path"
    return f"{text}; the best one, over {said_path(path)}, needs {needed}"


@remembered
def _unlimited(resolved: Resolved) -> Topology:
    """Return the topology with routers that take any list."""
    net = topology(resolved)
    free = {"max_sids": MaxSids()}
    routers = {name: router.model_copy(update=free) for name, router in net.routers.items()}
    return replace(net, routers=routers, least_pop=ENDLESS)


def unconstrained(said: Dynamic, at: Pair, resolved: Resolved) -> Path | None:
    """Return the path that would be taken without the constraints; None where none can be forced."""
    if not (at.start and at.end):
        return None
    free = said.model_copy(update={"constraints": Constraints()})
    return shortest(_plane(free, at, resolved), at.start, at.end)


_SHARED = {"link": "link", "node": "router", "srlg": "shared-risk group"}


def said_path(path: Path) -> str:
    """Write a path for people: its links."""
    return ", ".join(arc.link for arc in path) or "no link"
