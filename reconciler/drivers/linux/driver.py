"""The kernel of a node as a target: the overlay in one network namespace, through iproute2.

Invariant: what does not carry our mark is never changed, and what is in use is changed in one step. The
kernel has no transactions: each object succeeds or fails alone, and the same batch can be done again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.drivers.base import (
    MOVED,
    Batch,
    Lease,
    Observation,
    Outcome,
    PermanentError,
    State,
)
from reconciler.drivers.fence import Fence
from reconciler.drivers.linux.commands import ORDER, Draft, NotThere, delete, leftovers, mark, rules
from reconciler.drivers.linux.ip import Ip
from reconciler.drivers.linux.kernel import Kernel, abilities
from reconciler.drivers.linux.seen import Seen, look
from reconciler.plan import Action
from renderers.linux import MAIN_TABLE, NUMBER, sysctls
from renderers.resource import Key, Resource

if TYPE_CHECKING:
    from reconciler.secrets import Vault

LEASES: Final = Path("/run/intentc")
_LINK: Final = {"vrf": "device", "bridge": "name"}
"""Types that are links, and the field with the name of the link."""
_NAMED: Final = 3


@dataclass(slots=True)
class _Work:
    """Commands of a batch, and what became of each action."""

    lines: list[str] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    """Index of the action that each line belongs to."""
    failed: dict[int, str] = field(default_factory=dict)
    """Why an action failed, by its index."""

    def add(self, index: int, lines: Sequence[str]) -> None:
        self.lines += lines
        self.owners += [index] * len(lines)

    def drop_failed(self) -> None:
        """Forget the lines of actions that failed already."""
        kept = [at for at, owner in enumerate(self.owners) if owner not in self.failed]
        self.lines, self.owners = [self.lines[at] for at in kept], [self.owners[at] for at in kept]

    def run(self, ip: Ip, *, ipv6: bool = False) -> None:
        """Run what was added, and forget it."""
        for line, why in ip.batch(self.lines, ipv6=ipv6).items():
            self.failed.setdefault(self.owners[line], why)
        self.lines, self.owners = [], []


class Linux:
    """One network namespace: by name, or that of this process."""

    fences: Final = False

    def __init__(self, name: str, netns: str | None = None, leases: Path = LEASES) -> None:
        """Take a namespace as target; the lease lies in a folder of its own."""
        self.name = name
        self.vault: Vault | None = None
        self.ip = Ip(netns)
        self.kernel = Kernel()
        self.fence = Fence(leases / f"linux-{netns or 'host'}")

    def observe(self) -> Observation:
        """Read what carries our marks."""
        seen = look(self.ip)
        return Observation(seen.resources, not seen.damage, seen.damage, keeps_protection=False)

    def lease(self) -> Lease | None:
        """Return the lease that lies on this machine; it goes with a restart, like everything else."""
        return self.fence.lease()

    def swap_lease(self, expected: Lease | None, new: Lease) -> bool:
        """Put a lease in the place of the expected one."""
        return self.fence.swap(expected, new)

    def stage(self, actions: Sequence[Action], token: int = 0) -> Batch:
        """Compare with what is there, and find out whether the kernel can do it."""
        self.fence.check(token)
        seen = look(self.ip, _scope(actions), everything=True)
        refused: dict[Key, str] = {}
        for action in actions:
            if why := self._obstacle(action, seen):
                refused[action.key] = why
        if refused:
            raise PermanentError("; ".join(sorted(set(refused.values()))[:_NAMED]), refused)
        return Batch(tuple(actions), token)

    def commit(self, batch: Batch) -> tuple[Outcome, ...]:
        """Make and change what shall be, in the order of need; then take away what shall not, in reverse."""
        self.fence.check(batch.prepared)
        seen = look(self.ip, _scope(batch.actions), everything=True)
        states = [_state(action, seen) for action in batch.actions]
        work = _Work(failed={index: MOVED for index, state in enumerate(states) if state == "moved"})
        for index, action in enumerate(batch.actions):
            if states[index] == "open" and (why := self._foreign(action.after, seen)):
                work.failed[index] = why
        waiting = [at for at, state in enumerate(states) if state == "open" and at not in work.failed]
        scopes = {action.key.scope for action in batch.actions if action.after is not None}
        if scopes - set(seen.marked[:1]):
            self._mark(_scope(batch.actions), seen)
        if waiting:
            self._upserts(batch.actions, waiting, seen, work)
            self._deletes(batch.actions, waiting, seen, work)
        return tuple(
            Outcome(action, "failed", work.failed[index]) if index in work.failed else Outcome(action, "done")
            for index, action in enumerate(batch.actions)
        )

    def verify(self, batch: Batch) -> tuple[Key, ...]:
        """Look again."""
        seen = look(self.ip, _scope(batch.actions))
        return tuple(action.key for action in batch.actions if _state(action, seen) != "done")

    def close(self) -> None:
        """Nothing is held open."""

    def _obstacle(self, action: Action, seen: Seen) -> str:
        """Return why an action cannot be done; empty where it can, or is done."""
        state, after = _state(action, seen), action.after
        if state == "moved":
            return f"{action.key} {MOVED}"
        if after is not None and seen.alias:
            return f"the alias of lo in {self.ip}, {seen.alias!r}, is not ours"
        if state == "done" or after is None:
            return ""
        if unknown := after.spec.get("sysctls", {}).keys() - sysctls(after.spec.get("interface", "")).keys():
            return f"{min(unknown)} is no setting of ours"
        if why := self._foreign(after, seen):
            return why
        return next(filter(None, map(self.kernel.lacks, abilities(after))), "")

    def _foreign(self, after: Resource | None, seen: Seen) -> str:
        """Return what of somebody else is in the way of an object; empty where nothing is."""
        if after is None or _place(after) not in seen.foreign:
            return ""
        return f"{' '.join(_place(after))} exists in {self.ip} and is not ours"

    def _upserts(self, actions: Sequence[Action], waiting: Sequence[int], seen: Seen, work: _Work) -> None:
        made = [index for index in waiting if actions[index].after is not None]
        made.sort(key=lambda index: ORDER.index(actions[index].key.type))
        for index in made:
            after = actions[index].resource
            if after.key.type == "settings" and (why := self.ip.set_sysctls(after.spec["sysctls"])):
                work.failed[index] = why
        draft = Draft(seen)
        first = [index for index in made if actions[index].key.type == "vrf"]
        self._make(actions, first, draft, work)
        if any("vrftable" in actions[index].resource.spec.get("action", "") for index in made):
            # SIDs ask for it when they are made; the kernel has it only once it has VRF devices.
            self.ip.set_sysctls({"net.vrf.strict_mode": 1})
        self._make(actions, [index for index in made if index not in first], draft, work)
        for index in made:
            if index not in work.failed:
                work.add(index, leftovers(actions[index].resource, seen))

    def _make(self, actions: Sequence[Action], made: Sequence[int], draft: Draft, work: _Work) -> None:
        taken = {_place(resource) for resource in draft.seen.resources.values()}
        members = _Work(failed=work.failed)
        for index in made:
            after = actions[index].resource
            try:
                work.add(index, draft.upsert(after, there=_place(after) in taken))
                members.add(index, draft.before)
            except NotThere as error:
                work.failed[index] = str(error)
        members.run(self.ip, ipv6=True)
        work.drop_failed()  # what has the id of a member now may be anything
        work.run(self.ip)

    def _deletes(self, actions: Sequence[Action], waiting: Sequence[int], seen: Seen, work: _Work) -> None:
        gone = [index for index in waiting if actions[index].after is None]
        gone.sort(key=lambda index: -ORDER.index(actions[index].key.type))
        for index in gone:
            work.add(index, rules(actions[index].resource.spec.get("device", ""), seen))
        work.run(self.ip, ipv6=True)
        for index in gone:
            work.add(index, delete(actions[index].resource, seen))
        work.run(self.ip)
        # Nobody uses them, and whoever left them was broken off: nobody is to blame if one is gone already.
        self.ip.batch([f"nexthop delete id {number}" for number in seen.orphans])
        kept = {actions[index].resource.spec.get("device") for index in waiting} | seen.links
        lost = [line for device in seen.rules if device not in kept for line in rules(device, seen)]
        self.ip.batch(lost, ipv6=True)

    def _mark(self, scope: str, seen: Seen) -> None:
        """Say whose the node is before anything is made; it may have been another's before.

        From then on what still carries the old name is not there, and is not taken away under the new one.
        """
        if why := self.ip.batch([mark(scope, *seen.marked[1:])]):
            raise PermanentError(f"{self.ip}: {why[0]}")
        seen.marked = (scope, *seen.marked[1:])


def _scope(actions: Sequence[Action]) -> str:
    return next((action.key.scope for action in actions if action.after is not None), actions[0].key.scope)


def _now(resource: Resource, seen: Seen) -> Resource | None:
    """Return an object as it is: to the kernel it is type and name, whoever's node it was before."""
    return seen.resources.get(resource.key._replace(scope=seen.scope))


def _state(action: Action, seen: Seen) -> State:
    """Say how an object stands to an action. The kernel remembers no protection."""
    now = _now(action.after, seen) if action.after else seen.resources.get(action.key)
    if _equal(now, action.after):
        return "done"
    if now and "unfinished" in now.spec:  # by us, so whatever was to become of it
        return "open"
    return "open" if _equal(now, action.before) else "moved"


def _equal(one: Resource | None, other: Resource | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.spec == other.spec


def _place(resource: Resource) -> tuple[str, str]:
    """Return what of others would be in the way: a route for the same prefix, or a link of the name."""
    kind, spec = resource.key.type, resource.spec
    if kind in _LINK:
        return "link", spec[_LINK[kind]]
    if kind == "localsid":
        return "route", f"{MAIN_TABLE} {spec['sid']}/128"
    if kind == "policy":
        return "route", f"{NUMBER} {spec['bsid']}/128"
    return "route", resource.key.name
