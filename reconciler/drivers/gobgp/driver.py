"""SR policies that a GoBGP announces: observe, announce, take back.

Ours is what was injected into this GoBGP with the mark of one of the target's clusters in its distinguisher;
everything else, and all that peers announced, is foreign.

Agents of Calico-VPP ignore withdrawals, and of the policies that they ever heard for a node and family they
use the last one of the highest priority. So what led to such a node is not withdrawn: under the same NLRI,
the node's own path of one SID is announced in its place. That remainder counts as absent while it leads to
the SID that the node announces now; one that does not is shown as such, and the next apply makes it anew.

Clusters of a mesh may announce the same policy, each under its mark. A remainder never stands beside one of
these, since agents would take whichever comes last. For what was heard at a higher priority than ours that
priority is kept.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from compiler.derived.announcements import (
    BEHAVIORS,
    FAMILY_COLORS,
    LARGEST_FUNCTION,
    PRIORITY,
    calico_family,
    distinguisher,
    mark,
    marked,
)
from intent.kinds.project import Target
from reconciler.drivers.base import (
    MOVED,
    Batch,
    Lease,
    Observation,
    Outcome,
    PermanentError,
    state_of,
)
from reconciler.drivers.fence import Fence
from reconciler.drivers.gobgp.client import Api
from reconciler.drivers.gobgp.paths import (
    Announced,
    Nlri,
    Segment,
    Weighted,
    announced_as,
    path_of,
    spec_of,
)
from reconciler.local import state_folder
from reconciler.plan import Action
from renderers.resource import Key, Resource
from renderers.srpolicy import FAMILY, REMAINDER, TYPE

if TYPE_CHECKING:
    from reconciler.secrets import Vault

_OF_NODES: Final = 0
"""Distinguisher with which the nodes of Calico announce themselves."""


@dataclass(frozen=True, slots=True)
class Table:
    """What the table of a GoBGP holds, sorted by who announced it."""

    ours: dict[Nlri, Announced]
    """What was injected with one of our marks, remainders included; kept up to date while a batch is done."""
    own: Mapping[tuple[str, int], Announced]
    """What Calico-VPP nodes announce towards themselves, by address and colour."""
    strange: Mapping[str, Nlri]
    """What else was injected, by BSID."""


def open_gobgp(target: Target) -> Gobgp:
    """Return the driver of a target; its lease is kept in the state folder of the user, by address."""
    try:
        place = state_folder(os.environ) / "gobgp" / re.sub(r"[^\w.-]", "_", target.address)
    except RuntimeError:
        raise PermanentError("no place for the lease: this user has no home; set XDG_STATE_HOME") from None
    return Gobgp(target.name, Api(target.address), target.clusters, place)


class Gobgp:
    """The SR policies of some clusters in one GoBGP."""

    def __init__(self, name: str, api: Api, clusters: Iterable[str], leases: Path) -> None:
        """Take a connection, the clusters whose policies are announced there, and a folder for the lease."""
        self.name = name
        self.vault: Vault | None = None
        self.api = api
        self.clusters = {mark(cluster): cluster for cluster in clusters}
        self.fence = Fence(leases)

    @property
    def fences(self) -> bool:
        """GoBGP has no compare-and-set: the lease is kept beside it."""
        return False

    def observe(self) -> Observation:
        """Return the policies that are announced for our clusters."""
        return self._observed(self._table())

    def _observed(self, table: Table) -> Observation:
        found = (self._resource(item) for item in table.ours.values() if not _gone(item, table))
        return Observation({resource.key: resource for resource in found}, keeps_protection=False)

    def lease(self) -> Lease | None:
        """Return the lease."""
        return self.fence.lease()

    def swap_lease(self, expected: Lease | None, new: Lease) -> bool:
        """Put a lease in the place of the expected one."""
        return self.fence.swap(expected, new)

    def stage(self, actions: Sequence[Action], token: int = 0) -> Batch:
        """Refuse what is no policy of ours, or has moved."""
        del token
        table = self._table()
        now = self._observed(table)
        refused = {}
        for action in actions:
            if why := self._unfit(action) or self._disputed(action, table):
                refused[action.key] = why
            elif action.after is None and self._foreign(action.key):
                continue  # deleting what is not ours changes nothing
            elif _state(action, now) == "moved":
                refused[action.key] = f"{action.key} {MOVED}"
        if refused:
            raise PermanentError("; ".join(refused.values()), refused)
        return Batch(tuple(actions))

    def commit(self, batch: Batch) -> tuple[Outcome, ...]:
        """Announce and take back, one policy after the other."""
        table = self._table()
        return tuple(self._do(action, table) for action in batch.actions)

    def verify(self, batch: Batch) -> tuple[Key, ...]:
        """Read back."""
        now = self.observe().resources
        return tuple(action.key for action in batch.actions if now.get(action.key) != action.after)

    def close(self) -> None:
        """Let go of the connection."""
        self.api.close()

    def _table(self) -> Table:
        listed = self.api.policies()
        ours = {
            item.nlri: item
            for item in listed
            if not item.neighbor and marked(item.nlri.distinguisher) in self.clusters
        }
        own = {
            (item.nlri.endpoint, item.nlri.color): item
            for item in reversed(listed)  # the best path of an NLRI comes first, and shall stand
            if item.neighbor and item.nlri.distinguisher == _OF_NODES
        }
        strange = {
            item.bsid: item.nlri
            for item in listed
            if item.bsid and not item.neighbor and item.nlri not in ours
        }
        return Table(ours, own, strange)

    def _resource(self, found: Announced) -> Resource:
        cluster = self.clusters[marked(found.nlri.distinguisher)]
        kind = REMAINDER if _remains(found) else TYPE
        if calico_family(found.nlri.distinguisher) is not None and (found.priority or 0) > PRIORITY:
            found = replace(found, priority=PRIORITY)  # to agents it is as good
        return Resource(Key(FAMILY, f"cluster/{cluster}", kind, str(found.nlri)), spec_of(found))

    def _foreign(self, key: Key) -> bool:
        """Say whether a key is none that this driver could have observed."""
        nlri = _nlri(key.name)
        cluster = self.clusters.get(marked(nlri.distinguisher)) if nlri else None
        known = (key.family, key.scope) == (FAMILY, f"cluster/{cluster}")
        return not known or key.type not in (TYPE, REMAINDER)

    def _unfit(self, action: Action) -> str:
        """Say why an object cannot be announced; empty where it can."""
        if action.after is None:
            return ""
        if self._foreign(action.key) or action.key.type == REMAINDER:
            clusters = ", ".join(sorted(self.clusters.values()))
            return f"{action.key} is not ours to announce: this target is for the policies of {clusters}"
        try:
            wanted = announced_as(action.after.spec)
            path_of(wanted)
        except (KeyError, TypeError, ValueError) as error:
            return f"{action.key} is no SR policy that BGP can carry: {error}"
        if str(wanted.nlri) != action.key.name:
            return f"{action.key} names another policy than its fields: {wanted.nlri}"
        return ""

    def _disputed(self, action: Action, table: Table) -> str:
        """Say why a policy cannot stand beside what else was injected; empty where it can."""
        bsid = action.after.spec["bsid"] if action.after else ""
        other = table.strange.get(bsid)
        if other is None:
            return ""
        return (
            f"{action.key} has BSID {bsid}, as has policy {str(other)!r}, which was injected here and is of "
            "none of our clusters: headends could take either; if a cluster was renamed, restart GoBGP, "
            "which forgets what it announced before, and apply again; else take that policy away"
        )

    def _do(self, action: Action, table: Table) -> Outcome:
        """Do one action; what the server refuses concerns it alone."""
        try:
            if action.after is not None:
                self._bring(announced_as(action.after.spec), table)
            elif not self._foreign(action.key):
                self._take_back(action.key, table)
        except PermanentError as error:
            return Outcome(action, "failed", str(error))
        return Outcome(action, "done")

    def _bring(self, wanted: Announced, table: Table) -> None:
        known = table.ours.get(wanted.nlri)
        if known is not None and calico_family(wanted.nlri.distinguisher) is not None:
            wanted = replace(wanted, priority=max(wanted.priority or 0, known.priority or 0))
        if known != wanted:
            self.api.announce(wanted)
            table.ours[wanted.nlri] = wanted
        for left in self._twins(wanted.nlri, table):
            if _gone(left, table):
                self._withdraw(left, table)

    def _take_back(self, key: Key, table: Table) -> None:
        nlri = _nlri(key.name)
        found = table.ours.get(nlri) if nlri else None
        if found is None or _gone(found, table) or (key.type == REMAINDER) is not _remains(found):
            return
        family = calico_family(found.nlri.distinguisher)
        alone = family and all(_gone(item, table) for item in self._twins(found.nlri, table))
        left = remainder(found, family, _own(found, family, table)) if family and alone else None
        if left is None:
            self._withdraw(found, table)
        else:
            self.api.announce(left)
            table.ours[left.nlri] = left

    def _withdraw(self, found: Announced, table: Table) -> None:
        self.api.withdraw(found)
        del table.ours[found.nlri]

    def _twins(self, nlri: Nlri, table: Table) -> tuple[Announced, ...]:
        """Return what other clusters announce towards the same Calico-VPP node, for the same family."""
        if calico_family(nlri.distinguisher) is None:
            return ()
        ends_in = nlri.distinguisher & LARGEST_FUNCTION
        numbers = (distinguisher(cluster, ends_in) for cluster in self.clusters.values())
        others = (nlri._replace(distinguisher=number) for number in numbers if number != nlri.distinguisher)
        return tuple(table.ours[other] for other in others if other in table.ours)


def _nlri(name: str) -> Nlri | None:
    """Return the NLRI that the name of a policy says; None for other names."""
    parts = name.split(" ")
    if len(parts) == len(Nlri._fields) and parts[0].isdecimal() and parts[1].isdecimal():
        return Nlri(int(parts[0]), int(parts[1]), parts[2])
    return None


def remainder(found: Announced, family: str, own: Announced | None) -> Announced | None:
    """Return what takes the place of a policy towards a Calico-VPP node: the node's own path.

    Its BSID as well, so that agents move their steering and leave ours; at no lower priority than what it
    replaces, since agents take the last one of the highest. Where the node's announcement is not known, SID
    and BSID of ours stay; None where ours has none, so that no agent can have taken it.
    """
    sid = (own.service_sid if own else None) or found.service_sid
    bsid = (own.bsid if own else None) or found.bsid
    if sid is None or bsid is None:
        return None
    return replace(
        found,
        bsid=bsid,
        lists=(Weighted(1, (Segment(sid, BEHAVIORS[family]),)),),
        priority=max(found.priority or 0, PRIORITY),
        unknown=(),
    )


def _own(found: Announced, family: str, table: Table) -> Announced | None:
    """Return what the endpoint of a policy announces towards itself, for the same family."""
    return table.own.get((found.nlri.endpoint, FAMILY_COLORS[family]))


def _gone(found: Announced, table: Table) -> bool:
    """Say whether a path is only what remains of a policy that was taken back."""
    family = calico_family(found.nlri.distinguisher)
    if family is None or not _one_sid(found):
        return False
    own = _own(found, family, table)
    return own is None or own.service_sid in (None, found.service_sid)


def _remains(found: Announced) -> bool:
    """Say whether a path is the node's own one: no policy towards a Calico-VPP node is like that."""
    return calico_family(found.nlri.distinguisher) is not None and _one_sid(found)


def _one_sid(found: Announced) -> bool:
    return [len(item.segments) for item in found.lists] == [1]


def _state(action: Action, now: Observation) -> str:
    """Say how an object stands to an action; protection is nothing that GoBGP keeps."""
    seen = now.resources.get(action.key)
    if action.after is not None and seen == action.after:
        return "done"
    if seen is not None and action.before is not None:
        seen = replace(seen, protected=action.before.protected)
    return state_of(action, seen)
