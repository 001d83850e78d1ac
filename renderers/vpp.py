"""VPP on nodes: tables, interfaces, routes, encapsulation source, localsids, policies and steering.

Specs keep to the fields of VPP's binary API, so that a dump can be compared with them;
`renderers.vpp_messages` turns them into messages. The exec file is the same once more, for people and for
`vppctl exec`; a script makes the links that VPP takes, on the host.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from ipaddress import IPv4Network, ip_network
from typing import Any, Final

from compiler.elements.overlay import (
    EncapSource,
    HostEnd,
    HostLink,
    LinkAddress,
    LinuxHost,
    Localsid,
    Policy,
    Route,
    Steering,
    Table,
)
from compiler.graph import Element, Scope
from intent.model import Origin
from renderers.far_end import LOCALSIDS, far_end
from renderers.origins import moved, renamed
from renderers.resource import Key, Resource
from renderers.text import fill

FAMILY: Final = "vpp"
TABLE_FIELDS: Final = {"number": ("id",), "name": ("name",)}
INTERFACE_FIELDS: Final = {"host": ("host",), "table": ("tables",)}
MOST_SIDS: Final = 16
"""SIDs that one segment list of the API holds."""

NEEDS: Final[Mapping[tuple[str, str], tuple[tuple[str, str], ...]]] = {
    # A lookup in a table that does not exist ends VPP.
    (FAMILY, "interface"): ((FAMILY, "table"),),
    (FAMILY, "address"): ((FAMILY, "interface"),),
    (FAMILY, "route"): ((FAMILY, "table"), (FAMILY, "interface"), (FAMILY, "address")),
    (FAMILY, "localsid"): ((FAMILY, "table"),),
    # Far ends decapsulate, and the way there exists, before traffic is sent; a policy copies the source.
    (FAMILY, "policy"): (
        *LOCALSIDS,
        (FAMILY, "route"),
        (FAMILY, "encap"),
        ("frr", "static-routes"),
    ),
    (FAMILY, "steering"): ((FAMILY, "policy"), ("srpolicy", "sr-policy"), (FAMILY, "table")),
}
REPLACES: Final[Mapping[tuple[str, str], frozenset[str]]] = {
    (FAMILY, "table"): frozenset({"name"}),
    (FAMILY, "localsid"): frozenset({"behavior", "table", "fib_table"}),
    (FAMILY, "policy"): frozenset({"encap", "type", "fib_table"}),
}


def render(scope: Scope, elements: tuple[Element, ...]) -> Iterator[Resource]:
    """Yield the resources of one node, and two files as views; nothing for a node without VPP."""
    if any(isinstance(element, LinuxHost) for element in elements):
        return
    where = str(scope)
    tables: dict[tuple[int, str], Key] = {}
    interfaces: dict[str, Key] = {}
    policies: dict[str, Key] = {}
    for element in elements:
        match element:
            case Policy():
                key = policies[element.bsid] = Key(FAMILY, where, "policy", element.bsid)
                yield _policy(key, element)
            case Steering():
                yield from _steered(where, element, tables, policies)
            case Table():
                key = Key(FAMILY, where, "table", f"{element.number} {element.family}")
                tables[element.number, element.family] = key
                spec = {"id": element.number, "family": element.family, "name": element.name}
                yield Resource(key, spec, element.subject, (), renamed(element.origins, TABLE_FIELDS))
            case HostLink():
                interfaces[element.name] = Key(FAMILY, where, "interface", element.name)
                yield _interface(interfaces[element.name], element, tables)
            case LinkAddress():
                key = Key(FAMILY, where, "address", f"{element.interface} {element.prefix}")
                spec = {"interface": element.interface, "prefix": element.prefix}
                yield Resource(key, spec, element.subject, (interfaces[element.interface],), element.origins)
            case Route():
                yield _route(where, element, tables, interfaces)
            case EncapSource() | Localsid():
                yield _node_wide(where, element, tables)
    yield from _views(scope, elements)


def _node_wide(
    where: str, element: EncapSource | Localsid, tables: Mapping[tuple[int, str], Key]
) -> Resource:
    spec: dict[str, Any]
    if isinstance(element, EncapSource):
        spec = {"address": element.address, "hop_limit": element.hop_limit}
        key = Key(FAMILY, where, "encap", "source")
        return Resource(key, spec, element.subject, (), element.origins)
    family = "ipv4" if element.behavior == "End.DT4" else "ipv6"
    spec = {"sid": element.sid, "behavior": element.behavior, "table": element.table, "fib_table": 0}
    key = Key(FAMILY, where, "localsid", element.sid)
    return Resource(key, spec, element.subject, (tables[element.table, family],), element.origins)


def _policy(key: Key, element: Policy) -> Resource:
    """Return a policy with its lists in the order that a dump is read in: VPP keeps none."""
    order = sorted(
        range(len(element.lists)), key=lambda at: (element.lists[at].sids, element.lists[at].weight)
    )
    rows = [element.lists[at] for at in order]
    spec = {
        "bsid": element.bsid,
        "encap": True,
        "type": "default",
        "fib_table": 0,
        "lists": [{"weight": item.weight, "sids": list(item.sids)} for item in rows],
    }
    places = {f"lists.{old}": f"lists.{new}" for new, old in enumerate(order)}
    return Resource(key, spec, element.subject, far_end(element), moved(element.origins, places))


def _steered(
    where: str, element: Steering, tables: Mapping[tuple[int, str], Key], policies: Mapping[str, Key]
) -> Iterator[Resource]:
    # By BGP the policy comes to the node by itself.
    known = (policies[element.bsid],) if element.bsid in policies else ()
    needs = (tables[element.table, element.family], *known)
    for prefix in halves(element.prefix):
        key = Key(FAMILY, where, "steering", f"{element.table} {prefix}")
        spec = {"table": element.table, "family": element.family, "prefix": prefix, "bsid": element.bsid}
        yield Resource(key, spec, element.subject, needs, element.origins)


def _interface(key: Key, element: HostLink, tables: Mapping[tuple[int, str], Key]) -> Resource:
    spec = {"host": element.host, "tables": dict.fromkeys(element.families, element.table), "up": True}
    needs = tuple(tables[element.table, family] for family in element.families)
    return Resource(key, spec, element.subject, needs, renamed(element.origins, INTERFACE_FIELDS))


def _route(
    where: str, element: Route, tables: Mapping[tuple[int, str], Key], interfaces: Mapping[str, Key]
) -> Resource:
    family = "ipv6" if ":" in element.prefix else "ipv4"
    spec: dict[str, Any] = {"table": element.table, "prefix": element.prefix}
    wanted = [element.table]
    if element.drop:
        spec |= {"drop": True}
    elif element.lookup is not None:
        spec |= {"lookup": element.lookup}
        wanted.append(element.lookup)
    else:
        spec |= {"next_hop": element.next_hop, "interface": element.interface}
    needs = [tables[number, family] for number in wanted if number]
    if element.interface and element.interface in interfaces:  # else it is the uplink, which is not ours
        needs.append(interfaces[element.interface])
    key = Key(FAMILY, where, "route", f"{element.table} {element.prefix}")
    return Resource(key, spec, element.subject, tuple(needs), element.origins)


def _views(scope: Scope, elements: tuple[Element, ...]) -> Iterator[Resource]:
    """Yield what VPP is told as a file of commands, and what the host must have before as a script."""
    source = next((element for element in elements if isinstance(element, EncapSource)), None)
    if source is None:
        return
    node, found = scope.name.rpartition("/")[2], _sorted(elements)
    # A text shows the whole scope: its causes are those of everything in it, and are not said again.
    intent = source.origins[0].intent
    shown = Origin("text", intent, ("metadata", "name"), "the overlay of the node")
    # But for the ends of links: nothing else shows these.
    ends = (origin._replace(field="text") for end in found["ends"] for origin in end.origins)
    exec_text = fill("vpp.exec.j2", node=node, parts=cli_parts, **found)
    links_text = fill("vpp.links.j2", node=node, **found, beyond=_beyond(found))
    for kind, name, text, origins in (
        ("exec", f"{node}.exec", exec_text, (shown,)),
        ("host-links", f"{node}.links.sh", links_text, tuple(dict.fromkeys((shown, *ends)))),
    ):
        key = Key(FAMILY, str(scope), kind, name)
        yield Resource(key, {"text": text}, source.subject, (), origins, view=True)


def _beyond(found: Mapping[str, list[Any]]) -> list[tuple[str, str, str]]:
    """Return what else pods reach over VPP: prefixes that policies steer, its address, and the host's end."""
    tables = {link.host: link.table for link in found["links"]}
    rows = set()
    for end in found["ends"]:
        for steering in found["steerings"] if end.routes else ():
            if steering.table == tables[end.link] and not _covered(steering.prefix, end.routes):
                via = next(via for _, via in end.routes if (":" in via) is (":" in steering.prefix))
                rows.add((steering.prefix, via, end.name))
    return sorted(rows)


@lru_cache(maxsize=65536)  # all nodes of a mesh ask the same
def _covered(prefix: str, routes: tuple[tuple[str, str], ...]) -> bool:
    wanted = ip_network(prefix)
    return any(
        wanted.network_address in covering and covering.prefixlen <= wanted.prefixlen
        for covering in (ip_network(known) for known, _ in routes)
    )


def halves(prefix: str) -> tuple[str, ...]:
    """Return the prefixes that VPP is told to steer a prefix by: two for that of everything.

    Each table has an entry for everything already, and steering over an entry drops every other flow.
    """
    if not prefix.endswith("/0"):
        return (prefix,)
    return tuple(map(str, ip_network(prefix).subnets()))


@lru_cache(maxsize=65536)
def cli_parts(prefix: str) -> tuple[str, ...]:
    """Return the prefixes that `sr steer l3` must be told so that it steers a prefix.

    It masks IPv4 with the low bits of a byte in place of the high ones: 10.0.0.64/26 becomes 10.0.0.0/26.
    Parts whose set bits survive that cover the prefix exactly. IPv6 and the binary API are not concerned.
    """
    if ":" in prefix:
        return halves(prefix)
    whole = IPv4Network(prefix)
    bits = whole.prefixlen % 8
    last = whole.network_address.packed[whole.prefixlen // 8] if bits else 0
    if last < 1 << bits and whole.prefixlen:
        return (prefix,)
    return tuple(part for half in whole.subnets() for part in cli_parts(str(half)))


def _sorted(elements: tuple[Element, ...]) -> dict[str, list[Any]]:
    """Return elements by type, each under its name in the template."""
    found: dict[type, list[Element]] = {
        Table: [],
        HostLink: [],
        HostEnd: [],
        LinkAddress: [],
        Route: [],
        EncapSource: [],
        Localsid: [],
        Policy: [],
        Steering: [],
    }
    for element in elements:
        rows = found.get(type(element))
        if rows is not None:
            rows.append(element)
    names = (
        "tables",
        "links",
        "ends",
        "addresses",
        "routes",
        "sources",
        "localsids",
        "policies",
        "steerings",
    )
    return dict(zip(names, found.values(), strict=True))
