"""Lowering: what each scope holds, one module per domain, one row per kind of scope."""

from __future__ import annotations

from typing import Final

from compiler.graph import Lower, ScopeKind

LOWER: Final[dict[ScopeKind, tuple[Lower, ...]]] = {
    "router": (),
    "fabric": (),
    "node": (),
    "cluster": (),
}
"""Functions that yield the elements of a scope, in the order in which they are safe to create."""
