"""The deletion brake: a plan that takes away much of a type needs an approval that names type and number.

So does one that takes away, or replaces, a single object that is protected. Approvals are upper limits:
somebody approved the number that was reviewed; if more has come to be deleted since then, the plan is
refused, and if a first attempt already deleted a part, the rest may follow.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from intent.kinds.project import ProjectSpec
from reconciler.plan import Action, Observation, Plan
from renderers import RULES
from renderers.resource import Key, Resource

TRAILER: Final = "Intentc-Allow-Delete"
"""Trailer of a commit that approves deletions: `Intentc-Allow-Delete: SriovNetwork=12`."""
_APPROVAL: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99})=([0-9]{1,9})")
_TRAILER: Final = re.compile(r"[A-Za-z0-9-]+\s*:")
_NAMED: Final = 3
"""So many protected objects are named."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be deleted of one type of one target without being asked for."""

    percent: int = 20
    """Share of the objects that exist …"""
    few: int = 3
    """… or so many of them, whatever the share is."""


DEFAULT: Final = Limits()


def limits_of(project: ProjectSpec) -> Limits:
    """Return the limits that a project sets."""
    brake = project.gates.deletion_brake
    return Limits(brake.percent, brake.few)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One type of one target of which too much would go."""

    target: str
    family: str
    type: str
    deleted: int
    existing: int
    approval: int
    """Deletions of the type in the whole plan, and replacements of protected objects: what to approve."""
    protected: tuple[Key, ...] = ()
    """Protected objects that would go; where there are any, they are the reason."""

    @property
    def message(self) -> str:
        """What would happen."""
        if self.protected:
            names = ", ".join(key.name for key in self.protected[:_NAMED])
            more = f" and {len(self.protected) - _NAMED} more" if len(self.protected) > _NAMED else ""
            what = f"{self.family} {self.type} {names}{more} of target {self.target}"
            return f"the plan deletes or replaces what is protected: {what}"
        amount = "the last" if self.existing == 1 else f"{self.deleted} of {self.existing}"
        return f"the plan deletes {amount} {self.family} {self.type} of target {self.target}"

    @property
    def hint(self) -> str:
        """What to do about it."""
        return f"if that is meant, approve it with {self.type}={self.approval}"


def check(
    plan: Plan,
    observed: Mapping[str, Observation],
    allow: Mapping[str, int],
    limits: Limits = DEFAULT,
) -> tuple[Refusal, ...]:
    """Return what the brake refuses; `allow` maps types to how many deletions were approved over all targets.

    Refused are more than `limits` allow, the last object of a type, and whatever is protected. What the same
    plan creates does not count as staying: its creation may fail. Views do not count, nor what is cleared up.
    """
    deleted = _count((action.target, action.before) for action in plan.actions if not action.after)
    guarded = [action for action in plan.actions if _takes_protected(action)]
    existing = _count((name, resource) for name, seen in observed.items() for resource in seen.there.values())
    asked = deleted + _count((action.target, action.before) for action in guarded if action.after)
    total: Counter[str] = Counter()
    for (_, _, kind), number in asked.items():
        total[kind] += number

    def too_many(group: _Group) -> bool:
        number = deleted[group]
        last = 0 < number >= existing[group]
        return last or (number > limits.few and number * 100 > existing[group] * limits.percent)

    refusals = []
    for group in sorted(asked):
        kept = tuple(action.key for action in guarded if _group(action.target, action.key) == group)
        if (kept or too_many(group)) and total[group[2]] > allow.get(group[2], 0):
            refusals.append(Refusal(*group, deleted[group], existing[group], total[group[2]], kept))
    return tuple(refusals)


def read_approval(text: str) -> tuple[str, int]:
    """Read `TYPE=N`; anything else is a ValueError."""
    found = _APPROVAL.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not TYPE=N, for example SriovNetwork=12")
    return found[1], int(found[2])


def approvals_from_trailers(message: str) -> dict[str, int]:
    """Return what a commit message approves in its trailers; one that cannot be read is a ValueError.

    As in git, trailers are the last paragraph, not the only one, and every line in it is one (or goes on from
    the line above, with a space before it). Said twice, the larger number counts.
    """
    *before, last = re.split(r"\n[ \t]*\n", message.strip().replace("\r\n", "\n"))
    lines = re.sub(r"\n[ \t]+", " ", last).split("\n")
    if not before or not all(map(_TRAILER.match, lines)):
        return {}
    found: dict[str, int] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip().lower() == TRAILER.lower():
            kind, number = read_approval(value.strip())
            found[kind] = max(number, found.get(kind, 0))
    return found


_Group = tuple[str, str, str]
"""Target, family and type."""


def _takes_protected(action: Action) -> bool:
    """Say whether an action takes away an object that is protected, or is to be from now on."""
    if action.view or action.operation not in ("delete", "replace"):
        return False
    return any(side is not None and side.protected for side in (action.before, action.after))


def _group(target: str, key: Key) -> _Group:
    return target, key.family, key.type


def _count(resources: Iterable[tuple[str, Resource | None]]) -> Counter[_Group]:
    return Counter(
        _group(target, resource.key)
        for target, resource in resources
        if resource is not None
        and not resource.view
        and (resource.key.family, resource.key.type) not in RULES.cleared
    )
