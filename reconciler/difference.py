"""The plan between two states of a repository, with the older one in the place of what targets show.

Both are rendered scope by scope and compared on the way, so that only what differs is held: never two whole
renderings. What is left goes through the same `plan` as an observation would.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from compiler.graph import Graph, Scope
from intent.kinds.project import Target
from intent.repository import Repository
from reconciler.plan import Observation, Plan, plan
from reconciler.prepare import protect
from reconciler.targets import route
from renderers import RULES, render
from renderers.resource import Key, Resource

_SEEN: Final = Observation({})
"""Judges what is the same, as it would for a target."""


@dataclass(frozen=True, slots=True)
class State:
    """One state of a repository, compiled."""

    repository: Repository
    graph: Graph

    @property
    def targets(self) -> Sequence[Target]:
        """The targets that it names."""
        return self.repository.spec.targets

    def resources(self, scope: Scope) -> Iterable[Resource]:
        """Render one scope."""
        return protect(self.repository, render(self.graph, (scope,)))


@dataclass(frozen=True, slots=True)
class Difference:
    """What leads from one state to the other."""

    plan: Plan
    observed: Mapping[str, Observation] = field(repr=False)
    """What stands in the older state, without its content: for the deletion brake."""
    untaken: int
    """Resources of the newer state that no target takes."""
    left: tuple[str, ...]
    """Targets that the newer state does not name any more: nothing would be done there."""


@dataclass(slots=True)
class _Sides:
    """What differs on one target, and what stands there in the older state."""

    wanted: list[Resource] = field(default_factory=list)
    seen: dict[Key, Resource] = field(default_factory=dict)
    standing: dict[Key, Resource] = field(default_factory=dict)
    equal: int = 0

    def add(self, before: Iterable[Resource], after: Iterable[Resource]) -> None:
        """Take what both states say in one scope."""
        old = {resource.key: resource for resource in before}
        for key, resource in old.items():
            self.standing[key] = Resource(key, {}, view=resource.view, protected=resource.protected)
        for resource in after:
            if _SEEN.like(old.get(resource.key), resource):
                del old[resource.key]
                self.equal += not resource.view
            else:
                self.wanted.append(resource)
        self.seen |= old


def difference(old: State | None, new: State) -> Difference:
    """Return what leads from one state (None: nothing at all) to the other, on the targets of the newer."""
    sides = {target.name: _Sides() for target in new.targets}
    untaken = 0
    for before, after in _scopes(old, new):
        stood = route(old.targets, before)[0] if old else {}
        wanted, left = route(new.targets, after)
        untaken += len(left)
        for name, side in sides.items():
            side.add(stood.get(name, ()), wanted[name])
    found = plan(
        {name: side.wanted for name, side in sides.items()},
        {name: Observation(side.seen) for name, side in sides.items()},
        RULES,
    )
    equal = sum(side.equal for side in sides.values())
    standing = {name: Observation(side.standing) for name, side in sides.items()}
    gone = {target.name for target in old.targets} - sides.keys() if old else ()
    return Difference(Plan(found.actions, found.unchanged + equal), standing, untaken, tuple(sorted(gone)))


def _scopes(old: State | None, new: State) -> Iterator[tuple[Iterable[Resource], Iterable[Resource]]]:
    """Yield what both states say, scope by scope."""
    here = set(new.graph.scopes)
    there = set(old.graph.scopes) if old else set()
    for scope in sorted(here | there):
        before = old.resources(scope) if old and scope in there else ()
        yield before, new.resources(scope) if scope in here else ()
