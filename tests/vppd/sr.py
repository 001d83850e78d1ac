"""SRv6 in VPP: localsids, policies and steering, with what each request answers, breaks or kills.

Retvals are private to each message. Where VPP does not look whether a table, a policy or an array exists,
neither does the stand-in: it dies, or does the same silent damage.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from tests.vppd.fib import SR, Path, Prefix, Routes, masked
from tests.vppd.pool import NONE, Pool, Segfault

END, X, T, DX2, DX6, DX4, DT6, DT4, UN_PERF, UN, UA, PLUGINS = 1, 2, 3, 5, 6, 7, 8, 9, 11, 12, 13, 14
"""Behaviors; those from PLUGINS on are looked up among plugins, of which there are none."""
CONNECTS: Final = frozenset({X, DX2, DX6, DX4, UA})
ADD, DELETE, WEIGHT = 1, 2, 3
SPRAY, TEF = 1, 2
L2, IPV4, IPV6 = 2, 4, 6
UNDEFINED: Final = "a list of some policy may be changed"
MOST: Final = 16
"""SIDs that the array of a message holds."""


@dataclass
class Localsid:
    """One SID; `other` is the index of a table or interface."""

    address: bytes
    length: int
    psp: bool
    behavior: int
    fib_table: int
    other: int = 0
    next_hop: bytes = bytes(16)


class Lengths(NamedTuple):
    """Bits of locator block, locator node and function, where a request says them."""

    block: int = 0
    node: int = 0
    function: int = 0


@dataclass
class SidList:
    """One segment list."""

    sids: tuple[bytes, ...]
    count: int
    """How many SIDs the request claimed to hold."""
    weight: int


@dataclass
class Policy:
    """One policy."""

    bsid: bytes
    type: int
    is_encap: bool
    fib_table: int
    lists: list[int] = field(default_factory=list)
    """Indices into one pool for all policies."""
    encap_src: bytes = bytes(16)


class Steered(NamedTuple):
    """What is steered: the key as VPP compares it, host bits included."""

    traffic: int
    table_id: int
    address: bytes
    length: int


@dataclass
class Steering:
    """One steering; `slot` is where its policy lay when it was made."""

    key: Steered
    slot: int
    sw_if_index: int = 0


class Sr:
    """Everything of SRv6."""

    def __init__(self, routes: Routes) -> None:
        self.routes = routes
        self.localsids: Pool[Localsid] = Pool()
        self.sids: dict[Prefix, int] = {}
        self.policies: Pool[Policy] = Pool()
        self.bsids: dict[bytes, int] = {}
        self.lists: Pool[SidList] = Pool()
        self.steering: Pool[Steering] = Pool()
        self.steered: dict[Steered, int] = {}
        self.source = bytes(16)
        self.hop_limit = 64
        self.damage: list[str] = []
        """What was broken without a word: nothing that a careful client ever causes."""
        self.hidden: dict[int, int] | None = None
        """Index of the table that steering of each IP version resolves in, while there is any."""

    def localsid(self, sid: Localsid, lengths: Lengths, *, is_del: bool) -> int:
        """Add or delete a SID; `other` is the table or interface of the request."""
        length = _prefix_length(sid.behavior, lengths)
        if length is None:
            return -7
        key = Prefix(sid.address, length)
        if is_del:
            return self._forget(key, sid.fib_table)
        if key in self.sids:
            return -1
        if sid.behavior >= PLUGINS:
            raise Segfault
        index = self.routes.families[6].find(sid.fib_table)
        if index is None:
            return -3
        prefix = masked(*key)
        if self.routes.exists(6, index, prefix):
            return -4
        if sid.behavior in (DT4, DT6, T):
            found = self.routes.families[4 if sid.behavior == DT4 else 6].find(sid.other)
            sid.other = NONE if found is None else found
        elif sid.behavior not in CONNECTS:
            sid.other = 0
        if sid.behavior not in CONNECTS - {DX2}:
            sid.next_hop = bytes(16)
        sid.length = length
        self.sids[key] = self.localsids.put(sid)
        self.routes.replace(6, index, prefix, SR, [Path(1, exclusive=True)])
        return 0

    def _forget(self, key: Prefix, fib_table: int) -> int:
        if key not in self.sids:
            return -2
        index = self._table(6, fib_table)
        if self.localsids.read(self.sids[key]).fib_table != fib_table:
            self.damage.append("a SID is forgotten, and stays")
        self.routes.delete(6, index, masked(*key), SR)
        self.localsids.free(self.sids.pop(key))
        return 0

    def _table(self, version: int, table_id: int) -> int:
        index = self.routes.families[version].find(table_id)
        if index is None:
            raise Segfault
        return index

    def seen_localsids(self) -> Iterator[tuple[Localsid, int]]:
        """Yield SIDs with their table or interface; a table that never was kills VPP here."""
        for sid in self.localsids.values():
            if sid.behavior in (DT4, DT6, T):
                tables = self.routes.families[4 if sid.behavior == DT4 else 6]
                yield sid, tables.pool.read(sid.other).table_id
            else:
                yield sid, sid.other

    def add_policy(self, policy: Policy, first: SidList, source: bytes | None) -> int:
        """Add a policy; `source` is None where the request has no place for it."""
        if policy.bsid in self.bsids:
            return -12
        policy.fib_table = 0 if policy.fib_table == NONE else policy.fib_table
        index = self.routes.families[6].find(policy.fib_table)
        if index is None:
            return -13
        if self.routes.exists(6, index, Prefix(policy.bsid, 128)):
            return -12
        self._add_list(policy, first, source)
        self.bsids[policy.bsid] = self.policies.put(policy)
        if self.hidden is None:
            tables = self.routes.families[6]
            self.hidden = {
                version: tables.create(NONE, SR, f"SRv6 steering of IP{version} prefixes through BSIDs")
                for version in (6, 4)
            }
        if policy.type <= TEF:
            for table in self._tables_of(policy):
                self.routes.replace(6, table, Prefix(policy.bsid, 128), SR, [Path(1, exclusive=True)])
        return 0

    def _tables_of(self, policy: Policy) -> list[int]:
        assert self.hidden
        versions = (4, 6) if policy.is_encap else (6,)
        return [self._table(6, policy.fib_table), *(self.hidden[version] for version in versions)]

    def _add_list(self, policy: Policy, item: SidList, source: bytes | None) -> None:
        if not item.count:
            raise Segfault
        item.weight = 1 if item.weight == NONE else item.weight
        policy.lists.append(self.lists.put(item))
        if policy.is_encap:
            policy.encap_src = source if source and any(source) else self.source

    def change_policy(self, bsid: bytes, operation: int, index: int, item: SidList, source: bytes) -> int:
        """Add a segment list to a policy, or delete or reweigh the one with an index."""
        if bsid not in self.bsids:
            return -1
        policy = self.policies.read(self.bsids[bsid])
        if operation == ADD:
            self._add_list(policy, item, source)
        elif operation == DELETE:
            if len(policy.lists) == 1:
                return -21
            if index not in policy.lists:
                return self._not_its_list(-22)
            # The last one takes the place of the one that goes.
            at = policy.lists.index(index)
            policy.lists[at] = policy.lists[-1]
            policy.lists.pop()
            self.lists.free(index)
        elif operation == WEIGHT:
            if index not in policy.lists:
                return self._not_its_list(-32)
            self.lists.read(index).weight = item.weight
        else:
            return -1
        return 0

    def _not_its_list(self, retval: int) -> int:
        """Answer to an index that is not of the policy.

        VPP reads one place too far there: where the index happens to lie in memory, it changes a list of
        another policy and answers 0. The stand-in cannot know that.
        """
        self.damage.append(UNDEFINED)
        return retval

    def delete_policy(self, bsid: bytes) -> int:
        """Delete a policy, whatever is steered into it."""
        if bsid not in self.bsids:
            return -1
        policy = self.policies.read(self.bsids[bsid])
        if any(item.slot == self.bsids[bsid] for item in self.steering.values()):
            self.damage.append("steering is left without its policy")
        for table in self._tables_of(policy):
            self.routes.delete(6, table, Prefix(bsid, 128), SR)
        for index in policy.lists:
            self.lists.free(index)
        self.policies.free(self.bsids.pop(bsid))
        self._unhide()
        return 0

    def _unhide(self) -> None:
        """Drop the hidden tables with the last policy and steering."""
        if self.hidden and not len(self.policies) and not len(self.steering):
            for index in (self.hidden[6], self.hidden[4]):
                self.routes.families[6].unlock(index, SR)
            self.hidden = None

    def steer(self, key: Steered, bsid: bytes, sw_if_index: int) -> int:
        """Steer what a key says into a policy, wherever it went before."""
        known = key in self.steered
        if key.traffic not in (L2, IPV4, IPV6):
            return -1
        if bsid not in self.bsids:
            return -2
        slot = self.bsids[bsid]
        if known:
            self.steering.read(self.steered[key]).slot = slot
            if key.traffic != L2:
                self.routes.delete(*self._steered_at(key), SR)
        else:
            if key.traffic in (L2, IPV4) and not self.policies.read(slot).is_encap:
                return -5
            self.steered[key] = self.steering.put(Steering(key, slot, sw_if_index))
        if key.traffic != L2:
            assert self.hidden
            self._look_at(key)
            path = Path(1, nh=bsid, fib=self.hidden[key.traffic])
            self.routes.extend(*self._steered_at(key), SR, [path])
        return 0

    def _look_at(self, key: Steered) -> None:
        """Note what steering of a prefix breaks."""
        version, index, prefix = self._steered_at(key)
        if prefix.address != key.address:
            self.damage.append("a prefix with host bits is steered")
        if self.routes.exists(version, index, prefix):
            self.damage.append("steering lies over a route, and half of it is dropped")

    def unsteer(self, key: Steered) -> int:
        """Let go of what a key says; the policy that the request names does not matter."""
        if key.traffic not in (L2, IPV4, IPV6):
            return -1
        if key not in self.steered:
            return -4
        if key.traffic != L2:
            self.routes.delete(*self._steered_at(key), SR)
        self.steering.free(self.steered.pop(key))
        self._unhide()
        return 0

    def _steered_at(self, key: Steered) -> tuple[int, int, Prefix]:
        """Return family, table and prefix of a steered prefix; VPP looks neither at table nor at length."""
        index = self._table(key.traffic, key.table_id)
        if key.length > len(key.address) * 8:
            raise Segfault
        return key.traffic, index, masked(key.address, key.length)

    def seen_steering(self) -> Iterator[tuple[Steering, bytes]]:
        """Yield steering with the BSID that lies where its policy lay."""
        for item in self.steering.values():
            yield item, self.policies.read(item.slot).bsid


def _prefix_length(behavior: int, lengths: Lengths) -> int | None:
    """Return the bits of a SID that are looked up; None where lengths make no sense."""
    if not any(lengths):
        return {UN: 48, UN_PERF: 48, UA: 64}.get(behavior, 128)
    if any(part % 8 for part in lengths) or sum(lengths) > 128:
        return None
    if behavior in (UN, UN_PERF, UA) and lengths.node + lengths.function not in (16, 32):
        return None
    return sum(lengths)


def sid_list(request: dict[str, Any]) -> SidList:
    """Return the segment list of a request: of weights, only the one beside the SIDs counts."""
    said = request["sids"]
    count = said["num_sids"]
    return SidList(tuple(said["sids"][:count]), count, said["weight"])
