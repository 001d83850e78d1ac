"""How each target says it: one module and one row of `RENDERERS` per kind of output.

A renderer is a pure function from the elements of one scope to resources; what it does not know it leaves to
the others. The dependencies between types of resources are declared beside it and merged in `NEEDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from compiler.graph import Element, Graph, Scope, ScopeKind
from renderers import apstra, calico_vpp, cni, fabric, frr, frr_static, vpp
from renderers.resource import Resource

Renderer = Callable[[Scope, tuple[Element, ...]], Iterator[Resource]]
Type = tuple[str, str]
"""Family and type of a resource."""

RENDERERS: Final[dict[ScopeKind, tuple[Renderer, ...]]] = {
    "router": (frr_static.render,),
    "fabric": (fabric.render, apstra.render, frr.render),
    "node": (vpp.render, cni.render),
    "cluster": (calico_vpp.render, cni.render),
}
"""Which renderers read which scopes."""

NEEDS: Final[Mapping[Type, tuple[Type, ...]]] = {
    **apstra.NEEDS,
    **calico_vpp.NEEDS,
    **cni.NEEDS,
    **fabric.NEEDS,
    **frr.NEEDS,
    **frr_static.NEEDS,
    **vpp.NEEDS,
}
"""Types that must exist before a type can: the order of phases is derived from this."""

REPLACES: Final[Mapping[Type, frozenset[str]]] = {
    **apstra.REPLACES,
    **calico_vpp.REPLACES,
    **cni.REPLACES,
    **fabric.REPLACES,
    **frr.REPLACES,
    **frr_static.REPLACES,
    **vpp.REPLACES,
}
"""Fields that a target cannot change in place, by type."""


def render(graph: Graph, scopes: Iterable[Scope] | None = None) -> Iterator[Resource]:
    """Yield the resources of the graph (or of some of its scopes), scope by scope."""
    for scope in graph.scopes if scopes is None else scopes:
        elements = graph.slice(scope)
        for renderer in RENDERERS[scope.kind]:
            yield from renderer(scope, elements)
