"""Objects of a node without the node: what is the same at many nodes is one value there.

A row is an object whose scope was left out, in its key and in the needs that stay inside the scope. Its text
is its identity. Invariant: a row and a scope give back the object, origins excepted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from renderers.resource import Key, Resource, canonical

_LOCAL: Final = 3
"""Parts of a need that lies in the same scope: family, type, name."""


class Identity(NamedTuple):
    """Key of an object inside its scope."""

    family: str
    type: str
    name: str


class NodeId(NamedTuple):
    """A node of a cluster."""

    cluster: str
    node: str

    @property
    def scope(self) -> str:
        """The scope of its objects."""
        return f"node/{self.cluster}/{self.node}"


def node_of(key: Key) -> NodeId:
    """Return the node that an object belongs to; ValueError where it is of no node."""
    kind, _, name = key.scope.partition("/")
    cluster, _, node = name.partition("/")
    if kind != "node" or not cluster or not node:
        raise ValueError(f"{key} is no object of a node")
    return NodeId(cluster, node)


@dataclass(frozen=True, slots=True)
class Row:
    """One object of some nodes."""

    text: str
    """All of it, as canonical JSON."""
    identity: Identity = field(compare=False)
    values: Mapping[str, Any] = field(compare=False, repr=False)
    _ends: tuple[str, str] = field(compare=False, repr=False)
    """What stands before and behind the scope where `Resource.digest` hashes an object."""

    def resource(self, node: NodeId) -> Resource:
        """Return the object at a node."""
        scope, identity = node.scope, self.identity
        needs = self.values.get("needs", ())
        return Resource(
            Key(identity.family, scope, identity.type, identity.name),
            self.values["spec"],
            self.values.get("subject", ""),
            tuple(_need(need, scope) for need in needs) if needs else (),
            view=self.values.get("view", False),
            protected=self.values.get("protected", False),
        )

    def digest(self, scope_text: str) -> str:
        """Return the digest that the object has at a node, whose scope is given as JSON."""
        whole = f"{self._ends[0]}{scope_text}{self._ends[1]}"
        return hashlib.sha256(whole.encode()).hexdigest()[:32]


def row_of(resource: Resource) -> Row:
    """Return the row of an object."""
    key = resource.key
    values: dict[str, Any] = {"family": key.family, "type": key.type, "name": key.name, "spec": resource.spec}
    if resource.subject:
        values["subject"] = resource.subject
    if resource.needs:
        values["needs"] = [
            [need.family, need.type, need.name] if need.scope == key.scope else list(need)
            for need in resource.needs
        ]
    if resource.view:
        values["view"] = True
    if resource.protected:
        values["protected"] = True
    return read_row(values)


def read_row(values: Mapping[str, Any]) -> Row:
    """Return the row that was written as plain values; KeyError or TypeError where it is none."""
    identity = Identity(values["family"], values["type"], values["name"])
    ends = canonical([identity.family])[:-1] + ",", f",{canonical([*identity[1:], values['spec']])[1:]}"
    return Row(canonical(values), identity, values, ends)


def digest_of(node: NodeId, rows: Iterable[Row]) -> str:
    """Return what `slice_digest` returns of the objects that rows stand for at a node."""
    scope = node.scope
    text = canonical(scope)
    found = sorted(
        (identity.family, identity.type, identity.name, row.digest(text))
        for row in rows
        for identity in (row.identity,)
    )
    keys = ([family, scope, *rest] for family, *rest in found)
    return hashlib.sha256(canonical(list(keys)).encode()).hexdigest()[:32]


def resources_of(node: NodeId, rows: Iterable[Row]) -> Iterator[Resource]:
    """Yield the objects that rows stand for at a node."""
    return (row.resource(node) for row in rows)


def _need(parts: list[str], scope: str) -> Key:
    if len(parts) == _LOCAL:
        family, type_, name = parts
        return Key(family, scope, type_, name)
    return Key(*parts)
