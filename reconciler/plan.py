"""What has to change, as a value: the difference between what should exist and what was observed.

A plan is a sorted list of actions in phases. Its order is derived from which types need which types: what
is needed is made first, what needs it later, deletions follow in the opposite order, and views come last.
Preview and apply read the same list.

Invariant: pure, and deterministic to the byte; an observation that is not complete plans no deletion, neither
of what it may have missed nor of what that may need.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from typing import Any, Final, NamedTuple, get_args

from renderers.changes import ABSENT, Change, compare
from renderers.resource import Key, Resource
from renderers.rules import LEVELS, NO_RULES, Impact, Level, Needs, Operation, Rules, Type

_MARK: Final = Impact("hitless", "only its mark changes")
_DESTRUCTIVE_FIRST: Final[dict[Operation, int]] = {"delete": 0, "replace": 1, "update": 2, "create": 3}


@dataclass(frozen=True, slots=True)
class Observation:
    """What a target showed of what is ours."""

    resources: Mapping[Key, Resource]
    complete: bool = True
    """Whether everything that is ours was seen; if not, nothing may be concluded from what is missing."""
    why: str = ""
    """What stood in the way of a complete reading."""
    keeps_protection: bool = True
    """Whether the target remembers which objects are protected; if not, only intent tells."""
    pending: Mapping[Key, Resource | None] = field(default_factory=dict)
    """What was asked for (None: that it goes) and never confirmed, where others do the work; `resources` has
    what was confirmed last."""

    @property
    def there(self) -> dict[Key, Resource]:
        """All that is there, or was asked for and perhaps is."""
        asked = {key: resource for key, resource in self.pending.items() if resource is not None}
        return {**asked, **self.resources}

    def like(self, one: Resource | None, other: Resource | None) -> bool:
        """Say whether two states of an object are the same to this target."""
        return same(one, other) if self.keeps_protection else one == other


def same(one: Resource | None, other: Resource | None) -> bool:
    """Say whether two states of an object are the same, its protection included."""
    return one == other and (one is None or other is None or one.protected == other.protected)


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do to one object of one target."""

    target: str
    operation: Operation
    phase: int
    before: Resource | None
    after: Resource | None
    reason: str
    """For people; nothing is decided by it."""
    impact: Impact
    """What it does to traffic."""
    key: Key = field(init=False, repr=False, compare=False)
    """The target's own identity of the object; kept, since an apply asks for it some twenty times."""
    id: tuple[str, Key] = field(init=False, repr=False, compare=False)
    """What tells the actions of one plan apart."""

    def __post_init__(self) -> None:
        key = self.resource.key
        object.__setattr__(self, "key", key)
        object.__setattr__(self, "id", (self.target, key))

    @property
    def resource(self) -> Resource:
        """The object as it shall be, or as it was where it shall go."""
        resource = self.after or self.before
        if resource is None:
            raise ValueError("an action has a before or an after")
        return resource

    @property
    def subject(self) -> str:
        """Stable name of what it is about."""
        return self.resource.subject

    @property
    def view(self) -> bool:
        """Whether it writes only another form of other resources."""
        return self.resource.view

    @property
    def changes(self) -> tuple[Change, ...]:
        """What differs, field by field."""
        return tuple(compare(_spec(self.before), _spec(self.after)))


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything to do, in order, and how many objects are already as they should be."""

    actions: tuple[Action, ...] = ()
    unchanged: int = 0

    @property
    def counts(self) -> dict[Operation, int]:
        """How many objects each operation touches, views left out."""
        found = Counter(action.operation for action in self.actions if not action.view)
        return {operation: found[operation] for operation in get_args(Operation)}

    @property
    def impacts(self) -> dict[Level, int]:
        """How many actions do what to traffic, the worst last, views left out."""
        found = Counter(action.impact.level for action in self.actions if not action.view)
        return {level: found[level] for level in LEVELS if found[level]}

    @property
    def views(self) -> int:
        """How many views are written or removed."""
        return sum(action.view for action in self.actions)


def plan(
    desired: Mapping[str, Iterable[Resource]],
    observed: Mapping[str, Observation],
    rules: Rules = NO_RULES,
) -> Plan:
    """Compare what should exist with what does; both name the same targets."""
    if odd := sorted(desired.keys() ^ observed.keys()):
        raise ValueError(f"desired or observed only: {', '.join(odd)}")
    wanted = {target: tuple(resources) for target, resources in desired.items()}
    held = frozenset() if all(seen.complete for seen in observed.values()) else _needed_elsewhere(rules.needs)
    actions = [
        action
        for target, resources in wanted.items()
        for action in diff(target, resources, observed[target], rules)
        if not (action.operation == "delete" and (action.key.family, action.key.type) in held)
    ]
    existing = sum(not resource.view for resources in wanted.values() for resource in resources)
    return Plan(in_order(_across(actions, observed, rules)), existing - _standing(actions))


def _across(actions: Sequence[Action], observed: Mapping[str, Observation], rules: Rules) -> Iterator[Action]:
    """Yield actions in which what stands needs the SIDs that it sends to and that go, wherever they are.

    What was asked for and never confirmed perhaps stands as well.
    """
    going = {
        action.key.name: action.key
        for action in actions
        if action.operation == "delete" and (action.key.family, action.key.type) in rules.answers
    }
    for action in actions:
        before, sids = action.before, rules.through.get((action.key.family, action.key.type))
        if going and before is not None and sids is not None:
            asked = observed[action.target].pending.get(action.key)
            several = (side.spec for side in (before, asked) if side is not None)
            found = [going[sid] for spec in several for sid in sids(spec) if sid in going]
            if needs := tuple([key for key in dict.fromkeys(found) if key not in before.needs]):
                yield replace(action, before=replace(before, needs=before.needs + needs))
                continue
        yield action


def diff(
    target: str,
    desired: Iterable[Resource],
    observed: Observation,
    rules: Rules = NO_RULES,
) -> list[Action]:
    """Return what makes one target as desired, in order."""
    rank = ranks(rules.needs)
    wanted = _by_key(desired)
    actions = []

    def act(operation: Operation, before: Resource | None, after: Resource | None, why: _Why) -> None:
        resource = after or before
        if resource is None:
            raise ValueError("an action has a before or an after")
        name = (resource.key.family, resource.key.type)
        only_mark = before is not None and after is not None and not why.changes
        impact = _MARK if only_mark else rules.impact(name, operation, _spec(before), _spec(after))
        phase = _phase(operation, resource, rank)
        actions.append(Action(target, operation, phase, before, after, why.reason, impact))

    for key, after in wanted.items():
        # What was asked for and is wanted otherwise by now may be what stands there.
        before = observed.resources.get(key) or observed.pending.get(key)
        if before is None or (before == after and key not in observed.resources):
            act("create", None, after, _Why("it is not there"))
        elif not observed.like(before, after):
            operation, why = _change(before, after, rules)
            act(operation, before, after, why)
        elif key in observed.pending:
            changes = tuple(compare(_spec(observed.pending[key]), _spec(after)))
            act("update", before, after, _Why("it was asked to change, which nobody has confirmed", changes))
    if observed.complete:
        for key, before in observed.there.items():
            if key not in wanted:
                act("delete", before, None, _Why("nothing asks for it any more"))
    return sorted(actions, key=_order)


def ranks(needs: Needs) -> dict[Type, int]:
    """Return the longest way down from each type; a cycle raises graphlib.CycleError."""
    rank: dict[Type, int] = {}
    for name in TopologicalSorter(needs).static_order():
        rank[name] = max((rank[needed] + 1 for needed in needs.get(name, ())), default=0)
    return rank


def resume(approved: Plan, observed: Mapping[str, Observation]) -> tuple[Plan, tuple[Action, ...]]:
    """Return what is left of an approved plan, and the actions whose object is neither before nor after."""
    left: list[Action] = []
    moved: list[Action] = []
    for action in approved.actions:
        seen = observed[action.target]
        now = seen.resources.get(action.key)
        unsure = now is None and not seen.complete and action.before is not None
        asked = action.key in seen.pending
        if not unsure and not asked and seen.like(now, action.after):
            continue
        known = seen.like(now, action.before) or (asked and _is_between(action, now, seen))
        (left if not unsure and known else moved).append(action)
    done = _standing(approved.actions) - _standing(left) - _standing(moved)
    return Plan(tuple(left), approved.unchanged + done), tuple(moved)


def _is_between(action: Action, now: Resource | None, seen: Observation) -> bool:
    """Say whether an unconfirmed object may be as an action found it, or as it makes it."""
    asked = seen.pending[action.key]
    return seen.like(now, action.after) or seen.like(asked, action.before)


def in_order(actions: Iterable[Action]) -> tuple[Action, ...]:
    """Return actions in the one order that a plan has."""
    return tuple(sorted(actions, key=_order))


def _needed_elsewhere(needs: Needs) -> frozenset[Type]:
    """Return the types that what lies in another target may need, which is what another family needs.

    With them goes all that they need themselves, and what their own family builds on them: an object that has
    to stay must keep what it stands on, and what completes it.
    """
    held = {name for user, needed in needs.items() for name in needed if user[0] != name[0]}
    while True:
        below = {need for name in held for need in needs.get(name, ())}
        above = {user for user, needed in needs.items() if any(user[0] == n[0] and n in held for n in needed)}
        if below | above <= held:
            return frozenset(held)
        held |= below | above


def _standing(actions: Iterable[Action]) -> int:
    """Count the objects that stand afterwards because of the actions."""
    return sum(action.after is not None and not action.view for action in actions)


def _by_key(resources: Iterable[Resource]) -> dict[Key, Resource]:
    found: dict[Key, Resource] = {}
    for resource in resources:
        if found.setdefault(resource.key, resource) is not resource:
            raise ValueError(f"two resources are called {resource.key}")
    return found


class _Why(NamedTuple):
    """The reason of an action, and the fields that differ."""

    reason: str
    changes: tuple[Change, ...] = ()


def _change(before: Resource, after: Resource, rules: Rules) -> tuple[Operation, _Why]:
    changes = tuple(compare(before.spec, after.spec))
    if not changes:
        return "update", _Why("it becomes protected" if after.protected else "it is no longer protected")
    stuck = rules.fixed((after.key.family, after.key.type), changes)
    if stuck:
        return "replace", _Why(f"{', '.join(stuck)} cannot be changed in place", changes)
    return "update", _Why(
        f"{len(changes)} {'field differs' if len(changes) == 1 else 'fields differ'}", changes
    )


def _phase(operation: Operation, resource: Resource, rank: Mapping[Type, int]) -> int:
    """Upserts take phases 0 … top, deletions top + 1 … 2 top + 1 in reverse, views the one after."""
    top = max(rank.values(), default=0)
    if resource.view:
        return 2 * top + 2
    own = rank.get((resource.key.family, resource.key.type), 0)
    return 2 * top + 1 - own if operation == "delete" else own


def _order(action: Action) -> tuple[int, str, int, Key]:
    return action.phase, action.target, _DESTRUCTIVE_FIRST[action.operation], action.key


def _spec(resource: Resource | None) -> Any:
    return ABSENT if resource is None else resource.spec
