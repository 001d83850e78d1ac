"""VPP on nodes: tables, routes, encapsulation source, localsids, policies and steering, named as VPP does.

Specs keep to the fields of VPP's binary API, so that a dump can be compared with them;
`renderers.vpp_messages` turns them into messages. The exec file is the same once more, for people and for
`vppctl exec`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from ipaddress import IPv4Network
from typing import Any, Final

from compiler.elements.overlay import EncapSource, Localsid, Policy, Route, Steering, Table
from compiler.graph import Element, Scope
from intent.model import Origin
from renderers.origins import renamed
from renderers.resource import Key, Resource
from renderers.text import fill

FAMILY: Final = "vpp"
TABLE_FIELDS: Final = {"number": ("id",), "name": ("name",)}
MOST_SIDS: Final = 16
"""SIDs that one segment list of the API holds."""

NEEDS: Final[Mapping[tuple[str, str], tuple[tuple[str, str], ...]]] = {
    # A lookup in a table that does not exist ends VPP.
    (FAMILY, "route"): ((FAMILY, "table"),),
    (FAMILY, "localsid"): ((FAMILY, "table"),),
    # Far ends decapsulate, and the way there exists, before traffic is sent; a policy copies the source.
    (FAMILY, "policy"): (
        (FAMILY, "localsid"),
        (FAMILY, "route"),
        (FAMILY, "encap"),
        ("frr", "static-routes"),
    ),
    (FAMILY, "steering"): ((FAMILY, "policy"), (FAMILY, "table")),
}
REPLACES: Final[Mapping[tuple[str, str], frozenset[str]]] = {
    (FAMILY, "table"): frozenset({"name"}),
    (FAMILY, "localsid"): frozenset({"behavior", "table", "fib_table"}),
    (FAMILY, "policy"): frozenset({"encap", "type", "fib_table"}),
}


def render(scope: Scope, elements: tuple[Element, ...]) -> Iterator[Resource]:
    """Yield the resources of one node, and its exec file as a view."""
    where = str(scope)
    tables: dict[tuple[int, str], Key] = {}
    policies: dict[str, Key] = {}
    for element in elements:
        match element:
            case Policy():
                key = policies[element.bsid] = Key(FAMILY, where, "policy", element.bsid)
                yield Resource(key, _policy(element), element.subject, (), element.origins)
            case Steering():
                key = Key(FAMILY, where, "steering", f"{element.table} {element.prefix}")
                needs = (tables[element.table, element.family], policies[element.bsid])
                yield Resource(key, _steering(element), element.subject, needs, element.origins)
            case Table():
                key = Key(FAMILY, where, "table", f"{element.number} {element.family}")
                tables[element.number, element.family] = key
                spec = {"id": element.number, "family": element.family, "name": element.name}
                yield Resource(key, spec, element.subject, (), renamed(element.origins, TABLE_FIELDS))
            case Route():
                yield _route(where, element, tables)
            case EncapSource():
                spec = {"address": element.address, "hop_limit": element.hop_limit}
                yield Resource(
                    Key(FAMILY, where, "encap", "source"), spec, element.subject, (), element.origins
                )
            case Localsid():
                key = Key(FAMILY, where, "localsid", element.sid)
                family = "ipv4" if element.behavior == "End.DT4" else "ipv6"
                spec = {
                    "sid": element.sid,
                    "behavior": element.behavior,
                    "table": element.table,
                    "fib_table": 0,
                }
                yield Resource(key, spec, element.subject, (tables[element.table, family],), element.origins)
    yield from _exec(scope, elements)


def _policy(element: Policy) -> dict[str, Any]:
    return {
        "bsid": element.bsid,
        "encap": True,
        "type": "default",
        "fib_table": 0,
        "lists": [{"weight": item.weight, "sids": list(item.sids)} for item in element.lists],
    }


def _steering(element: Steering) -> dict[str, Any]:
    return {"table": element.table, "family": element.family, "prefix": element.prefix, "bsid": element.bsid}


def _route(where: str, element: Route, tables: Mapping[tuple[int, str], Key]) -> Resource:
    family = "ipv6" if ":" in element.prefix else "ipv4"
    spec: dict[str, Any] = {"table": element.table, "prefix": element.prefix}
    if element.lookup is None:
        spec |= {"next_hop": element.next_hop, "interface": element.interface}
        wanted: tuple[int, ...] = (element.table,)
    else:
        spec |= {"lookup": element.lookup}
        wanted = (element.table, element.lookup)
    needs = tuple(tables[number, family] for number in wanted if number)
    key = Key(FAMILY, where, "route", f"{element.table} {element.prefix}")
    return Resource(key, spec, element.subject, needs, element.origins)


def _exec(scope: Scope, elements: tuple[Element, ...]) -> Iterator[Resource]:
    source = next((element for element in elements if isinstance(element, EncapSource)), None)
    if source is None:
        return
    node = scope.name.rpartition("/")[2]
    text = fill("vpp.exec.j2", node=node, parts=cli_parts, **_sorted(elements))
    # The text shows the whole scope: its causes are those of everything in it, and are not said again.
    intent = source.origins[0].intent
    origins = (Origin("text", intent, ("metadata", "name"), "the overlay of the node"),)
    yield Resource(
        Key(FAMILY, str(scope), "exec", f"{node}.exec"),
        {"text": text},
        source.subject,
        (),
        origins,
        view=True,
    )


@lru_cache(maxsize=65536)
def cli_parts(prefix: str) -> tuple[str, ...]:
    """Return the prefixes that `sr steer l3` must be told so that it steers a prefix.

    It masks IPv4 with the low bits of a byte in place of the high ones: 10.0.0.64/26 becomes 10.0.0.0/26.
    Parts whose set bits survive that cover the prefix exactly. IPv6 and the binary API are not concerned.
    """
    if ":" in prefix:
        return (prefix,)
    whole = IPv4Network(prefix)
    bits = whole.prefixlen % 8
    last = whole.network_address.packed[whole.prefixlen // 8] if bits else 0
    if last < 1 << bits:
        return (prefix,)
    return tuple(part for half in whole.subnets() for part in cli_parts(str(half)))


def _sorted(elements: tuple[Element, ...]) -> dict[str, list[Element]]:
    """Return elements by type, each under its name in the template."""
    found: dict[type, list[Element]] = {
        Table: [],
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
    names = ("tables", "routes", "sources", "localsids", "policies", "steerings")
    return dict(zip(names, found.values(), strict=True))
