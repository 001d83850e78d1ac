"""VPP objects from what they are to what they shall be, as messages that make before they break.

A policy gets its new segment lists before it loses old ones, so it is never without; a prefix is steered anew
in one step, and routes are swapped in place. Where VPP can only take away and add anew (a localsid, a policy
of another sort under the same binding SID) the two messages follow each other at once. A list is named by its
index, which no resource says: it comes from `sr_policies_with_sl_index_dump`, read just before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from ipaddress import IPv6Address, ip_interface
from itertools import chain
from typing import Any, Final, NamedTuple

from renderers.changes import compare
from renderers.resource import Key, Resource
from renderers.rules import Rules
from renderers.vpp import FAMILY, REPLACES
from renderers.vpp_messages import (
    ADD,
    DELETE,
    ORDER,
    WEIGHT,
    Operation,
    Operations,
    Site,
    addressed,
    creation,
    in_table,
    ip_version,
    removal,
    segment_list,
    steer,
)

Pair = tuple[Resource | None, Resource | None]
"""An object before and after; None where it is not there."""
_RULES: Final = Rules(replaces=REPLACES)
_HEAVIEST: Final = 255
"""Weight of a path."""
_OTHER_WAY: Final = {"route": "steering", "steering": "route"}


class HeldList(NamedTuple):
    """A segment list as the dump shows it."""

    sl_index: int
    weight: int
    sids: Sequence[str]
    """As many as count."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a dump shows beyond the objects themselves."""

    lists: Mapping[str, Sequence[HeldList]] = field(default_factory=dict)
    """Of each of our policies, by binding SID."""
    steering: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """Specs of what is steered into each binding SID."""
    addresses: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Addresses with their length of each interface of ours."""
    ways: Mapping[tuple[str, str], Resource] = field(default_factory=dict)
    """Our routes and our steering by type and name: both are called by table and prefix."""
    connected: Mapping[str, Sequence[Resource]] = field(default_factory=dict)
    """Our addresses by table and prefix: VPP routes the prefix to their interface."""

    def instead(self, kind: str, place: str) -> tuple[Resource, ...]:
        """Return what of ours leads the prefix of a new object now, by its table and prefix."""
        other = self.ways.get((_OTHER_WAY.get(kind, ""), place))
        on_interfaces = self.connected.get(place, ()) if kind == "steering" else ()
        return (*on_interfaces, *([other] if other else ()))


class Step(NamedTuple):
    """One message on the way, and the object that it is for."""

    key: Key
    operation: Operation
    going: bool
    """Whether it takes the object away."""


def steps(pairs: Iterable[Pair], site: Site, held: Held) -> Iterator[Step]:
    """Yield messages that bring objects of one node from before to after.

    What is made or changed comes first, in the order of `ORDER`; what goes comes last, in reverse. VPP has
    taken new interfaces before (`opening`). ValueError where VPP would be harmed, KeyError where it has no
    such interface or policy.
    """
    typed = _typed(pairs)
    ours = list(chain.from_iterable(typed.values()))
    sources_change = any(after is not None and before != after for before, after in typed["encap"])
    dead = (one.spec["weight"] for one in held.ways.values() if "weight" in one.spec)
    weight = max(dead, default=1) % _HEAVIEST + 1
    batch = _Batch(ours, held, site, sources_change, weight)
    going = []
    for before, after in ours:
        if after is not None:
            key = after.key
            for operation in _made(after, batch) if before is None else _change(before, after, batch):
                yield Step(key, operation, going=False)
            if key.type == "encap" and batch.sources_change:
                for operation in _renewed(batch):
                    yield Step(key, operation, going=False)
        elif before is not None:
            going.append(before)
    for before in reversed(going):
        for operation in (*removal(before, site), *_kept(before, batch)):
            yield Step(before.key, operation, going=True)


@dataclass(frozen=True, slots=True)
class _Batch:
    """All that changes at once, and what stands."""

    pairs: Sequence[Pair]
    held: Held
    site: Site
    sources_change: bool
    """Whether lists that stand hold a source or hop limit that is no longer the right one."""
    weight: int
    """Of paths that shall be like no other path that was shown to be dead."""


def _typed(pairs: Iterable[Pair]) -> dict[str, list[Pair]]:
    """Return pairs by the type of their object, in the order of `ORDER`."""
    typed: dict[str, list[Pair]] = {kind: [] for kind in ORDER}
    for pair in pairs:
        key = _one(pair).key
        if key.family == FAMILY and key.type in typed:
            typed[key.type].append(pair)
    return typed


def _kept(going: Resource, batch: _Batch) -> Iterator[Operation]:
    """Yield what steers a prefix again that was also steered with host bits: for VPP both are one route."""
    if going.key.type != "steering" or not _has_host_bits(going.spec["prefix"]):
        return
    name = f"{going.spec['table']} {ip_interface(going.spec['prefix']).network}"
    stays = batch.held.ways.get(("steering", name))
    for pair in batch.pairs:
        if _one(pair).key[2:] == ("steering", name):
            stays = pair[1]
    if stays is not None:
        yield steer(stays.spec, is_del=False)


def _has_host_bits(prefix: str) -> bool:
    try:
        ip_version(prefix)
    except ValueError:
        return True
    return False


def _made(after: Resource, batch: _Batch) -> Operations:
    """Return what leads a prefix or creates another object: of routes, steering and addresses one stays.

    VPP keeps what was there before in the path of what is steered over it, and loses every other packet.
    """
    instead = batch.held.instead(after.key.type, after.key.name)
    away = [message for one in instead for message in removal(one, batch.site)]
    return (*away, *creation(after, batch.site))


def _change(before: Resource, after: Resource, batch: _Batch) -> Iterator[Operation]:
    """Yield what changes an object that stands."""
    kind, held = after.key.type, batch.held
    changes = tuple(compare(before.spec, after.spec))
    if made_anew(before, after):
        # Steering points to a place in VPP's pool of policies: it must not stand while that is empty.
        steered = held.steering.get(str(after.spec.get("bsid")), ()) if kind == "policy" else ()
        yield from (steer(row, is_del=True) for row in steered)
        yield from removal(before, batch.site)
        yield from creation(after, batch.site)
        yield from (steer(row, is_del=False) for row in steered)
    elif kind == "policy":
        bsid, stale = after.spec["bsid"], batch.sources_change or "source" in before.spec
        yield from _lists(bsid, after.spec["lists"], held.lists[bsid], stale=stale)
    elif kind == "interface":
        yield from _moved(before, after, batch)
    elif changes:
        yield from _made(_led_anew(before, after, batch), batch)


def made_anew(before: Resource, after: Resource) -> bool:
    """Say whether VPP can only take an object away and add it anew."""
    changes = tuple(compare(before.spec, after.spec))
    return bool(_RULES.fixed((FAMILY, after.key.type), changes))


def _led_anew(before: Resource, after: Resource, batch: _Batch) -> Resource:
    """Return a route with a weight of its own, where its interface was deleted and may be there again.

    All routes with the same path share it, and VPP drops on it for as long as one of them has it, also one of
    others. A single path gets everything, whatever it weighs.
    """
    if "weight" not in before.spec:
        return after
    return replace(after, spec={**after.spec, "weight": batch.weight})


def _moved(before: Resource, after: Resource, batch: _Batch) -> Iterator[Operation]:
    """Yield what changes an interface: its mark first; its addresses are away while it changes tables."""
    index = batch.site.interfaces[after.key.name]
    old, new = before.spec["tables"], after.spec["tables"]
    other = [family for family in ("ipv4", "ipv6") if old.get(family, 0) != new.get(family, 0)]
    held = batch.held.addresses.get(after.key.name, ())
    away = [prefix for prefix in held if ("ipv6" if ":" in prefix else "ipv4") in other]
    mark, *_, flags = creation(after, batch.site)
    yield mark
    yield from (addressed(index, prefix, is_add=False) for prefix in away)
    yield from (in_table(index, family, new.get(family, 0)) for family in other)
    yield flags
    yield from (addressed(index, prefix, is_add=True) for prefix in away)


def _lists(
    bsid: str, wanted: Sequence[Mapping[str, Any]], held: Sequence[HeldList], *, stale: bool = False
) -> Iterator[Operation]:
    """Yield what gives a policy its lists: new ones first, then weights, and last the end of old ones."""
    if not wanted:
        raise ValueError(f"policy {bsid} would be left without a segment list")
    # A second copy may be left of a renewal that was broken off, and others still hold the old source.
    copies, asked = Counter(map(_content, map(_item, held))), Counter(map(_content, wanted))
    stale = stale or any(count > max(1, asked[content]) for content, count in copies.items())
    spare = list(held)
    kept: dict[int, HeldList] = {}
    # A list that stands as wanted is left alone; only then may one with the same SIDs be reweighed.
    for same in () if stale else (_equal, _alike):
        for at, item in enumerate(wanted):
            if at not in kept and (found := next((one for one in spare if same(one, item)), None)):
                kept[at] = found
                spare.remove(found)
    new = [item for at, item in enumerate(wanted) if at not in kept]
    # Second copies come first: so a renewal that is broken off never looks like what is wanted.
    for item in sorted(new, key=lambda item: not copies[_content(item)]):
        yield segment_list(bsid, ADD, item)
    for at, one in kept.items():
        if one.weight != wanted[at]["weight"]:
            yield segment_list(bsid, WEIGHT, wanted[at], one.sl_index)
    for one in spare:
        yield segment_list(bsid, DELETE, _item(one), one.sl_index)


def _renewed(batch: _Batch) -> Iterator[Operation]:
    """Yield what gives the other policies the new source: each list once more, and the old one away."""
    changing = {_one(pair).key.name for pair in batch.pairs if _one(pair).key.type == "policy"}
    for bsid, lists in sorted(batch.held.lists.items()):
        if bsid not in changing:
            # Second copies are left of a renewal that was broken off.
            yield from _lists(
                bsid, [*{_content(one): one for one in map(_item, lists)}.values()], lists, stale=True
            )


def _one(pair: Pair) -> Resource:
    resource = pair[1] or pair[0]
    if resource is None:
        raise ValueError("a pair has a before or an after")
    return resource


def _equal(one: HeldList, item: Mapping[str, Any]) -> bool:
    return one.weight == item["weight"] and _alike(one, item)


def _alike(one: HeldList, item: Mapping[str, Any]) -> bool:
    return list(map(_number, one.sids)) == list(map(_number, item["sids"]))


@lru_cache(maxsize=65536)
def _number(sid: str) -> int:
    return int(IPv6Address(sid))


def _item(one: HeldList) -> dict[str, Any]:
    """Return a list as it is said; VPP keeps a weight of 0, which nobody may say."""
    return {"weight": one.weight or 1, "sids": list(one.sids)}


def _content(item: Mapping[str, Any]) -> tuple[int, ...]:
    return item["weight"], *map(_number, item["sids"])
