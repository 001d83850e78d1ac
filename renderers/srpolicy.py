"""SR policies over BGP: each is a plain description of one SAFI 73 announcement (RFC 9830).

It never carries a candidate path name, on which GoBGP before June 2026 crashes. What names no route target is
meant for direct sessions, and nobody may pass it on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from compiler.elements.overlay import PolicyInjection
from compiler.graph import Element, Scope
from renderers.far_end import far_end
from renderers.resource import Key, Resource

FAMILY: Final = "srpolicy"
TYPE: Final = "sr-policy"
REMAINDER: Final = "remainder"
"""What is left of a policy that went, and leads to a SID that its node has given up: never asked for."""

NEEDS: Final[Mapping[tuple[str, str], tuple[tuple[str, str], ...]]] = {
    # It is announced when nodes can take it, and when its last SID is there to decapsulate.
    (FAMILY, TYPE): (
        ("kubernetes", "BGPPeer"),
        *((plane, kind) for plane in ("vpp", "linux") for kind in ("localsid", "route")),
    ),
}
REPLACES: Final[Mapping[tuple[str, str], frozenset[str]]] = {}
CLEARED: Final = frozenset({(FAMILY, REMAINDER)})
"""Types whose deletion clears up, and takes nothing from anybody."""


def render(scope: Scope, elements: tuple[Element, ...]) -> Iterator[Resource]:
    """Yield the SR policies that a cluster announces."""
    for element in elements:
        if isinstance(element, PolicyInjection):
            name = f"{element.distinguisher} {element.color} {element.endpoint}"
            key = Key(FAMILY, str(scope), TYPE, name)
            yield Resource(key, _spec(element), element.subject, far_end(element), element.origins)


def _spec(element: PolicyInjection) -> dict[str, Any]:
    return {
        "afi": 2,
        "safi": 73,
        "distinguisher": element.distinguisher,
        "color": element.color,
        "endpoint": element.endpoint,
        "next_hop": element.next_hop,
        "bsid": element.bsid,
        "preference": element.preference,
        "priority": element.priority,
        "no_advertise": not element.route_targets,
        "route_targets": list(element.route_targets),
        "lists": [
            {
                "weight": weight,
                "segments": [
                    {"sid": hop.sid} if hop.behavior is None else {"sid": hop.sid, "behavior": hop.behavior}
                    for hop in hops
                ],
            }
            for weight, hops in element.lists
        ],
    }
