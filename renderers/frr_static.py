"""Static routes of access routers, as FRR text: the localsid block of each node that hangs off the router."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from compiler.elements.overlay import Route
from compiler.graph import Element, Scope
from intent.model import Origin
from renderers.resource import Key, Resource
from renderers.text import fill

NEEDS: Final[Mapping[tuple[str, str], tuple[tuple[str, str], ...]]] = {}
REPLACES: Final[Mapping[tuple[str, str], frozenset[str]]] = {}


def render(scope: Scope, elements: tuple[Element, ...]) -> Iterator[Resource]:
    """Yield one block of static routes, if the router has any."""
    routes = [element for element in elements if isinstance(element, Route)]
    if not routes:
        return
    text = fill("static-routes.frr.j2", routes=routes)
    origins = tuple(
        Origin("text", origin.intent, origin.path, origin.rule)
        for route in routes
        for origin in route.origins
    )
    key = Key("frr", str(scope), "static-routes", "localsids.conf")
    yield Resource(key, {"text": text}, routes[0].subject, (), origins)
