"""The graph: everything that should exist, in words of the field and of no target, partitioned by scope.

A scope (one node, one cluster, one fabric, one access router) is lowered from `Allocated` alone, so the slice
of one node compiles without the others, and the union of all slices is the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from compiler.allocated import Allocated
from compiler.derived.reasons import why
from intent.model import Origin

ScopeKind = Literal["router", "fabric", "node", "cluster"]


class Scope(NamedTuple):
    """One part of the graph that compiles alone."""

    kind: ScopeKind
    name: str
    """CLUSTER/NODE for nodes, the name otherwise."""

    def __str__(self) -> str:
        """Write the scope as it stands in keys."""
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One thing that should exist."""

    subject: str
    """Stable name of what it is about: subject of a document, with a path below it."""
    origins: Sequence[Origin] = field(default=(), compare=False, repr=False)
    """The lines of intent that caused it; `Origin.field` names a field of the element."""


Lower = Callable[[Allocated, str], Iterator[Element]]
"""Yields the elements of one scope, given its name."""


@dataclass(frozen=True, slots=True)
class Graph:
    """All that should exist; slices are made when they are asked for."""

    allocated: Allocated = field(repr=False)
    lower: Mapping[ScopeKind, tuple[Lower, ...]] = field(repr=False)
    """What each kind of scope holds."""
    scopes: tuple[Scope, ...]

    def slice(self, scope: Scope) -> tuple[Element, ...]:
        """Return the elements of one scope, in an order that is safe to create them in."""
        return tuple(part for lower in self.lower[scope.kind] for part in lower(self.allocated, scope.name))

    def why(self, scope: Scope) -> tuple[Origin, ...]:
        """Return the lines that put a scope there: they hold for everything in it, and are said once."""
        return why(scope.kind, scope.name, self.allocated.resolved)

    def slices(self) -> Iterator[tuple[Scope, tuple[Element, ...]]]:
        """Yield scope by scope, so that a large mesh is never in memory as a whole."""
        for scope in self.scopes:
            yield scope, self.slice(scope)


def scopes(allocated: Allocated) -> tuple[Scope, ...]:
    """Return every scope that resolved intent has."""
    resolved = allocated.resolved
    found = [Scope("router", name) for name in resolved.underlay.routers]
    found += [Scope("fabric", name) for name in resolved.fabrics]
    found += [Scope("cluster", name) for name in resolved.clusters]
    found += [
        Scope("node", f"{cluster.name}/{node}")
        for cluster in resolved.clusters.values()
        for node in cluster.servers
    ]
    return tuple(sorted(found))
