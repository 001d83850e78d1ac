"""External connections in Apstra: an IP link per border port with its neighbours, routes per border switch.

A neighbour is `AttachIpEndpointWithBgpNsxt` below the link, which names address and AS number; its password
is a reference that the applier resolves (`{"secret": "env:NAME"}`). The addresses of the link are no part
of the template: they are set on the sub-interface that Apstra makes of it. Names and values of all fields
are those of Juniper's Go SDK; the far end of the port must exist in the blueprint as an external generic
system.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from compiler.elements.fabric import ExternalLink, ExternalPeer, Fabric, StaticRoute
from compiler.graph import Element
from renderers.connectivity import Primitive, template
from renderers.origins import only, renamed
from renderers.resource import Key, Resource

_FIELDS: Final = {"connection": ("",), "zone": ("policies",), "description": ("policies",)}
Routed = Mapping[tuple[str, ...], list[Resource]]
"""Templates by application point: (switch, port) or (switch,)."""


def exits(place: str, fabric: Fabric, elements: tuple[Element, ...]) -> tuple[list[Resource], Routed]:
    """Return the templates and sub-interfaces of all ways out, and where each template is used."""
    peers: defaultdict[tuple[str, str, int], list[ExternalPeer]] = defaultdict(list)
    routes: defaultdict[tuple[str, str], list[StaticRoute]] = defaultdict(list)
    for item in elements:
        if isinstance(item, ExternalPeer):
            peers[item.switch, item.port, item.vlan].append(item)
        elif isinstance(item, StaticRoute):
            routes[item.connection, item.switch].append(item)
    made: list[Resource] = []
    routed: defaultdict[tuple[str, ...], list[Resource]] = defaultdict(list)
    for link in (item for item in elements if isinstance(item, ExternalLink)):
        resource = _link(place, fabric, link, peers[link.switch, link.port, link.vlan])
        made.append(resource)
        routed[link.switch, link.port].append(resource)
        if link.ipv4 or link.ipv6:
            made.append(_subinterface(place, link))
    for (_, switch), several in sorted(routes.items()):
        resource = _routes(place, fabric, switch, several)
        made.append(resource)
        routed[switch,].append(resource)
    return made, routed


def _link(place: str, fabric: Fabric, link: ExternalLink, peers: list[ExternalPeer]) -> Resource:
    attributes = {
        "interface_type": "tagged",
        "vlan_id": link.vlan,
        "ipv4_addressing_type": "numbered" if link.ipv4 else "none",
        "ipv6_addressing_type": "numbered" if link.ipv6 else "none" if link.ipv4 else "link_local",
        "security_zone": {"security_zone": link.zone},
        "l3_mtu": link.mtu,
    }
    children = tuple(Primitive("AttachIpEndpointWithBgpNsxt", _peer(peer), peer.address) for peer in peers)
    label = f"{link.connection} {link.switch} {link.port} {link.vlan}"
    spec = template(
        fabric.name, label, [Primitive("AttachLogicalLink", attributes, children=children)], link.description
    )
    return _resource(place, label, spec, [link, *peers])


def _peer(peer: ExternalPeer) -> dict[str, Any]:
    four = peer.family == "ipv4"
    return {
        "asn": peer.asn,
        "bfd": peer.bfd,
        "holdtime_timer": None,
        "ipv4_addr": peer.address if four else None,
        "ipv4_safi": four,
        "ipv6_addr": None if four else peer.address,
        "ipv6_safi": not four,
        "keepalive_timer": None,
        "local_asn": None,
        "neighbor_asn_type": "static",
        "password": {"secret": peer.password} if peer.password else None,
        "ttl": peer.multihop or 1,
    }


def _subinterface(place: str, link: ExternalLink) -> Resource:
    spec = {
        "subinterface": {"system": link.switch, "interface": link.port, "vlan_id": link.vlan},
        "ipv4_addr_type": "numbered" if link.ipv4 else None,
        "ipv4_addr": link.ipv4,
        "ipv6_addr_type": "numbered" if link.ipv6 else None,
        "ipv6_addr": link.ipv6,
    }
    origins = only(link.origins, ("",))
    key = Key("apstra", place, "subinterface", f"{link.switch}/{link.port}/{link.vlan}")
    return Resource(
        key, spec, link.subject, (Key("apstra", place, "assignment", f"{link.switch}/{link.port}"),), origins
    )


def _routes(place: str, fabric: Fabric, switch: str, routes: list[StaticRoute]) -> Resource:
    steps = [
        Primitive(
            "AttachCustomStaticRoute",
            {
                "network": route.prefix,
                "next_hop": route.next_hop,
                "security_zone": {"security_zone": route.zone},
            },
            f"{route.prefix} {route.next_hop}",
        )
        for route in routes
    ]
    label = f"{routes[0].connection} {switch} routes"
    return _resource(place, label, template(fabric.name, label, steps), list(routes))


def _resource(place: str, label: str, spec: dict[str, Any], parts: list[Any]) -> Resource:
    """Return a template whose origins are those of its parts, with the zone as what it needs."""
    found = (origin for part in parts for origin in renamed(part.origins, _FIELDS))
    origins = tuple(dict.fromkeys(found))
    needs = (Key("apstra", place, "routing-zone", parts[0].zone),)
    return Resource(
        Key("apstra", place, "connectivity-template", label), spec, parts[0].subject, needs, origins
    )
