"""Family `fabric`: the neutral blueprint as plain values, one resource per object, for people and tools.

It says the same as the resources of the provider, in words of the field; it is a view and is never applied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any, Final

from compiler.elements.fabric import (
    Attachment,
    Binding,
    ExternalLink,
    ExternalPeer,
    Fabric,
    Lag,
    PortConfig,
    RedundancyGroup,
    Server,
    StaticRoute,
    Switch,
    VirtualNetwork,
    Vrf,
)
from compiler.graph import Element, Scope
from renderers.resource import Key, Resource

_NAMES: Final[Mapping[type[Element], tuple[str, Callable[[Any], str]]]] = {
    Fabric: ("fabric", lambda item: item.name),
    Switch: ("switch", lambda item: item.name),
    RedundancyGroup: ("redundancy-group", lambda item: item.name),
    Server: ("server", lambda item: item.name),
    PortConfig: ("port", lambda item: f"{item.switch}/{item.port}"),
    Lag: ("lag", lambda item: item.name),
    Vrf: ("vrf", lambda item: item.name),
    VirtualNetwork: ("virtual-network", lambda item: item.name),
    Binding: ("binding", lambda item: f"{item.network}/{item.group or item.switch}"),
    Attachment: ("attachment", lambda item: f"{item.network}/{item.lag or f'{item.switch}/{item.port}'}"),
    ExternalLink: ("external-link", lambda item: f"{item.switch}/{item.port}.{item.vlan}"),
    ExternalPeer: ("external-peer", lambda item: f"{item.zone}/{item.switch}/{item.address}"),
    StaticRoute: ("static-route", lambda item: f"{item.zone}/{item.switch}/{item.prefix}/{item.next_hop}"),
}
"""The word for each kind of object, and its identity inside the fabric."""
TYPES: Final = tuple(word for word, _ in _NAMES.values())

_FIELDS: Final = {
    kind: tuple(item.name for item in fields(kind) if item.name not in ("subject", "origins"))
    for kind in _NAMES
}

NEEDS: Final[Mapping[tuple[str, str], tuple[tuple[str, str], ...]]] = {}
REPLACES: Final[Mapping[tuple[str, str], frozenset[str]]] = {}


def render(scope: Scope, elements: tuple[Element, ...]) -> Iterator[Resource]:
    """Yield the blueprint of a fabric."""
    place = str(scope)
    for element in elements:
        kind = type(element)
        if kind in _NAMES:
            word, name = _NAMES[kind]
            spec = {field: _plain(getattr(element, field)) for field in _FIELDS[kind]}
            key = Key("fabric", place, word, name(element))
            yield Resource(key, spec, element.subject, (), element.origins, view=True)


def _plain(value: Any) -> Any:
    """Return named tuples as mappings and other tuples as lists."""
    if not isinstance(value, tuple):
        return value
    names = getattr(value, "_fields", None)
    if names is None:
        return [_plain(item) for item in value]
    return {name: _plain(item) for name, item in zip(names, value, strict=True)}
