"""How each target says it: one module and one row of `RENDERERS` per kind of output.

A renderer is a pure function from the elements of one scope to resources; what it does not know it leaves to
the others. What its types need and cannot change in place is declared beside it, what their changes do in
`effects`; `RULES` is all of it together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from compiler.graph import Element, Graph, Scope, ScopeKind
from renderers import apstra, calico_vpp, cni, fabric, frr, frr_static, linux, srpolicy, vpp
from renderers.effects import EFFECTS
from renderers.far_end import LOCALSIDS, THROUGH
from renderers.resource import Resource
from renderers.rules import Rules

Renderer = Callable[[Scope, tuple[Element, ...]], Iterator[Resource]]

RENDERERS: Final[dict[ScopeKind, tuple[Renderer, ...]]] = {
    "router": (frr_static.render,),
    "fabric": (fabric.render, apstra.render, frr.render),
    "node": (vpp.render, linux.render, cni.render),
    "cluster": (calico_vpp.render, srpolicy.render, cni.render),
}
"""Which renderers read which scopes."""

_MODULES: Final = (apstra, calico_vpp, cni, fabric, frr, frr_static, linux, srpolicy, vpp)

RULES: Final = Rules(
    needs={name: needs for module in _MODULES for name, needs in module.NEEDS.items()},
    replaces={name: fields for module in _MODULES for name, fields in module.REPLACES.items()},
    effects=EFFECTS,
    cleared=srpolicy.CLEARED,
    answers=frozenset(LOCALSIDS),
    through=THROUGH,
)
"""What is declared of all types, by the modules that make them."""


def render(graph: Graph, scopes: Iterable[Scope] | None = None) -> Iterator[Resource]:
    """Yield the resources of the graph (or of some of its scopes), scope by scope."""
    for scope in graph.scopes if scopes is None else scopes:
        elements = graph.slice(scope)
        for renderer in RENDERERS[scope.kind]:
            yield from renderer(scope, elements)
