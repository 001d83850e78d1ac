"""The deletion brake: a plan that takes away much of a type needs an approval that names type and number.

Approvals are upper limits. Somebody approved the number that was reviewed; if more has come to be deleted
since then, the plan is refused, and if a first attempt already deleted a part, the rest may follow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.plan import Observation, Plan
from renderers.resource import Resource


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be deleted of one type of one target without being asked for."""

    percent: int = 20
    """Share of the objects that exist …"""
    few: int = 3
    """… or so many of them, whatever the share is."""


DEFAULT: Final = Limits()


@dataclass(frozen=True, slots=True)
class Refusal:
    """One type of one target of which too much would go."""

    target: str
    family: str
    type: str
    deleted: int
    existing: int
    approval: int
    """Deletions of the type in the whole plan: the number that an approval has to name."""

    @property
    def message(self) -> str:
        """What would happen."""
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

    Refused are more than `limits` allow, and the last object of a type (objects that the same plan creates
    count as staying). Views do not count.
    """
    deleted = _count((action.target, action.before) for action in plan.actions if not action.after)
    created = _count((action.target, action.after) for action in plan.actions if not action.before)
    existing = _count(
        (name, resource) for name, seen in observed.items() for resource in seen.resources.values()
    )
    total: Counter[str] = Counter()
    for (_, _, kind), number in deleted.items():
        total[kind] += number

    def too_many(group: tuple[str, str, str], number: int) -> bool:
        last = existing[group] + created[group] <= number
        much = number > limits.few and number * 100 > existing[group] * limits.percent
        return (last or much) and total[group[2]] > allow.get(group[2], 0)

    return tuple(
        Refusal(*group, number, existing[group], total[group[2]])
        for group, number in sorted(deleted.items())
        if too_many(group, number)
    )


def _count(resources: Iterable[tuple[str, Resource | None]]) -> Counter[tuple[str, str, str]]:
    return Counter(
        (target, resource.key.family, resource.key.type)
        for target, resource in resources
        if resource is not None and not resource.view
    )
