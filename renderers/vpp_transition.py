"""VPP objects from what they are to what they shall be, as messages that make before they break.

A policy gets its new segment lists before it loses old ones, so it is never without; a prefix is steered anew
in one step, and routes are swapped in place. Where VPP can only take away and add anew (a localsid, a policy
of another sort under the same binding SID) the two messages follow each other at once. A list is named by its
index, which no resource says: it comes from `sr_policies_with_sl_index_dump`, read just before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Any, Final, NamedTuple

from renderers.changes import compare
from renderers.resource import Resource
from renderers.rules import Rules
from renderers.vpp import FAMILY, REPLACES
from renderers.vpp_messages import (
    ADD,
    DELETE,
    ORDER,
    WEIGHT,
    Interfaces,
    Operation,
    creation,
    removal,
    segment_list,
    steer,
)

Pair = tuple[Resource | None, Resource | None]
"""An object before and after; None where it is not there."""
_RULES: Final = Rules(replaces=REPLACES)


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


def transition(pairs: Iterable[Pair], interfaces: Interfaces, held: Held) -> Iterator[Operation]:
    """Yield messages that bring objects of one node from before to after.

    What is made or changed comes first, in the order of `ORDER`; what goes comes last, in reverse. ValueError
    where VPP would be harmed, KeyError where it has no such interface or policy.
    """
    ours = [pair for pair in pairs if _one(pair).key.family == FAMILY and _one(pair).key.type in ORDER]
    ours.sort(key=lambda pair: ORDER.index(_one(pair).key.type))
    going = [before for before, after in ours if before is not None and after is None]
    _check_unused(going, ours, held)
    batch = _Batch(ours, held)
    for before, after in ours:
        if after is not None:
            made = creation(after, interfaces)
            yield from made if before is None else _change(before, after, made, batch)
            if after.key.type == "encap" and batch.sources_change:
                yield from _renewed(batch)
    for before in reversed(going):
        yield from removal(before)


@dataclass(frozen=True, slots=True)
class _Batch:
    """All that changes at once, and what stands."""

    pairs: Sequence[Pair]
    held: Held

    @property
    def sources_change(self) -> bool:
        """Whether lists that stand hold a source or hop limit that is no longer the right one."""
        return any(
            after is not None and after.key.type == "encap" and before != after
            for before, after in self.pairs
        )


def _change(
    before: Resource, after: Resource, made: Iterator[Operation], batch: _Batch
) -> Iterator[Operation]:
    """Yield what changes an object that stands; `made` are the messages that create it."""
    kind, held = after.key.type, batch.held
    changes = tuple(compare(before.spec, after.spec))
    fixed = _RULES.fixed((FAMILY, kind), changes)
    if fixed and kind == "table":
        raise ValueError(f"table {after.key.name} cannot take another name while something stands in it")
    if fixed:
        yield from removal(before)
        yield from made
        # Steering points to a place in VPP's pool of policies: sent again, it points to the new one.
        for row in held.steering.get(str(after.spec.get("bsid")), ()):
            yield steer(row, is_del=False)
    elif kind == "policy":
        bsid = after.spec["bsid"]
        yield from _lists(bsid, after.spec["lists"], held.lists[bsid], stale=batch.sources_change)
    elif changes:
        yield from made


def _lists(
    bsid: str, wanted: Sequence[Mapping[str, Any]], held: Sequence[HeldList], *, stale: bool = False
) -> Iterator[Operation]:
    """Yield what gives a policy its lists: new ones first, then weights, and last the end of old ones."""
    if not wanted:
        raise ValueError(f"policy {bsid} would be left without a segment list")
    spare = list(held)
    kept: dict[int, HeldList] = {}
    # A list that stands as wanted is left alone; only then may one with the same SIDs be reweighed.
    for same in () if stale else (_equal, _alike):
        for at, item in enumerate(wanted):
            if at not in kept and (found := next((one for one in spare if same(one, item)), None)):
                kept[at] = found
                spare.remove(found)
    for at, item in enumerate(wanted):
        if at not in kept:
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
            yield from _lists(bsid, [_item(one) for one in lists], lists, stale=True)


def _check_unused(going: Iterable[Resource], pairs: Iterable[Pair], held: Held) -> None:
    """Refuse to take a policy from under steering: VPP would point that to whichever policy comes next."""
    steered = [pair for pair in pairs if _one(pair).key.type == "steering"]
    ends = {_one(pair).key.name: pair[1].spec["bsid"] if pair[1] else None for pair in steered}
    for policy in going:
        bsid = policy.key.name
        for row in held.steering.get(bsid, ()) if policy.key.type == "policy" else ():
            name = f"{row['table']} {row['prefix']}"
            if ends.get(name, bsid) == bsid:
                raise ValueError(f"policy {bsid} cannot go while {name} is steered into it")


def _one(pair: Pair) -> Resource:
    resource = pair[1] or pair[0]
    if resource is None:
        raise ValueError("a pair has a before or an after")
    return resource


def _equal(one: HeldList, item: Mapping[str, Any]) -> bool:
    return one.weight == item["weight"] and _alike(one, item)


def _alike(one: HeldList, item: Mapping[str, Any]) -> bool:
    return list(map(IPv6Address, one.sids)) == list(map(IPv6Address, item["sids"]))


def _item(one: HeldList) -> dict[str, Any]:
    return {"weight": one.weight, "sids": list(one.sids)}
