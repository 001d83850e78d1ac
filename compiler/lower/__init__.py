"""Lowering: what each scope holds, one module per domain, one row per kind of scope."""

from __future__ import annotations

from typing import Final

from compiler.graph import Lower, ScopeKind
from compiler.lower import announced, calico, conflists, fabric, linux, overlay, pods

LOWER: Final[dict[ScopeKind, tuple[Lower, ...]]] = {
    "router": (overlay.access_routes,),
    "fabric": (fabric.fabric,),
    "node": (linux.node, overlay.node, conflists.lower_conflists),
    "cluster": (calico.cluster, announced.announced, pods.lower_pods),
}
"""Functions that yield the elements of a scope, in the order in which they are safe to create."""
