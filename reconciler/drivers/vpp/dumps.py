"""What a VPP holds, as its dumps say it: rows by their identity, nothing judged and nothing left out.

Policies, steering and its routes come by the ten thousand, and are read only where they are asked for; all
else is read every time. Table 4294967295 is VPP's own and never looked into.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final

from reconciler.drivers.base import PermanentError
from reconciler.drivers.vpp.client import Client
from renderers.vpp_messages import HOST, MARK, NONE, UP, Operation
from renderers.vpp_transition import HeldList

Row = Mapping[str, Any]
Table = tuple[int, bool]
"""Number of a table, and whether it is of IPv6."""
SOURCE: Final = "intentc"
"""FIB source of our routes."""
OWN: Final = 0xFFFFFFFF
"""Number of VPP's own tables."""
L2: Final = 2
"""Traffic type of steering that is none of ours."""
_V6: Final = 6
"""Traffic type of IPv6."""
FAMILIES: Final = ("ipv4", "ipv6")
CONNECTED: Final = "interface"
"""FIB source of the prefixes in which interfaces have addresses."""
_SR: Final = "SR"
"""FIB source of what is steered."""
_PASSIVE: Final = frozenset(
    {_SR, "special", "default-route", "adjacency", "recursive-resolution", "attached_export", "mpls"}
    | {"urpf-exempt", "interpose", "invalid", "path-mtu", "IPv6-nd", "classify", SOURCE}
)
"""FIB sources whose entries are no routes that anybody configured."""
_BY_SOURCE: Final = re.compile(r"^  (\S.*?) refs:\d+", re.MULTILINE)
_LENGTH: Final = re.compile(r"^\S+/(\d+) fib:", re.MULTILINE)
_DEAD: Final = re.compile(r"oper-flags:\S*\bdrop\b")


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface; tables and addresses of ours, and of one of the host that nobody has marked."""

    index: int
    tag: str = ""
    up: bool = False
    tables: Mapping[str, int] = field(default_factory=dict)
    """Table by family, where it is not 0."""
    addresses: tuple[str, ...] = ()
    """With their length."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read."""

    sources: Mapping[int, str] = field(default_factory=dict)
    """Names of FIB sources."""
    tables: Mapping[Table, str] = field(default_factory=dict)
    """Names of all tables."""
    interfaces: Mapping[str, Interface] = field(default_factory=dict)
    """By VPP's name."""
    routes: Mapping[tuple[int, str], Row] = field(default_factory=dict)
    """Those with our mark, by table and prefix."""
    encap: tuple[str, int] = ("::", 64)
    """Encapsulation source and hop limit."""
    localsids: Mapping[str, Row] = field(default_factory=dict)
    policies: Mapping[str, Row] = field(default_factory=dict)
    """By binding SID; none where they were not asked for."""
    steering: Mapping[tuple[int, str], Row] = field(default_factory=dict)
    """By table and prefix; none where it was not asked for."""
    bridged: Mapping[str, int] = field(default_factory=dict)
    """An interface that somebody steers as a whole, by binding SID; read with steering."""
    ways: Mapping[tuple[int, str], Row] | None = None
    """The routes by which what is steered in our tables goes its way; None where they were not asked for."""
    dead: frozenset[tuple[int, str]] = frozenset()
    """Routes with our mark over an interface that was deleted, whatever has its index now."""

    @property
    def source(self) -> int:
        """Id of the FIB source that marks our routes; 0 where nobody has added it yet."""
        return self.number(SOURCE)

    def number(self, source: str) -> int:
        """Return the id of a FIB source; 0 where there is none of this name."""
        return min((number for number, name in self.sources.items() if name == source), default=0)

    @property
    def ours(self) -> frozenset[Table]:
        """Our tables."""
        return frozenset(table for table, name in self.tables.items() if name.startswith(MARK))


def read(client: Client, kinds: Collection[str]) -> Seen:
    """Read what a VPP holds; `kinds` says what of policies, steering, and the ways of what is steered."""
    sources = {row["src"]["id"]: row["src"]["name"] for row in client.dump("fib_source_dump")}
    tables = read_tables(client)
    seen = Seen(sources, tables)
    policies = client.dump("sr_policies_v2_dump") if "policy" in kinds else []
    steering = client.dump("sr_steering_pol_dump") if "steering" in kinds else []
    routes = _routes(client, seen.source, {*seen.ours, (0, False), (0, True)})
    return Seen(
        sources,
        tables,
        _interfaces(client),
        routes,
        (_said(client, "show sr encaps source addr"), int(_said(client, "show sr encaps hop-limit"))),
        {row["addr"]: row for row in client.dump("sr_localsids_dump")},
        {row["bsid"]: row for row in policies},
        {(row["fib_table"], _steered(row)): row for row in steering if row["traffic_type"] != L2},
        {row["bsid"]: row["sw_if_index"] for row in steering if row["traffic_type"] == L2},
        _routes(client, seen.number(_SR), seen.ours) if "way" in kinds else None,
        _dead(client, routes),
    )


def read_tables(client: Client) -> dict[Table, str]:
    """Return the names of all tables but VPP's own."""
    rows = (row["table"] for row in client.dump("ip_table_dump"))
    return {(row["table_id"], bool(row["is_ip6"])): row["name"] for row in rows if row["table_id"] != OWN}


def read_marks(client: Client) -> dict[str, tuple[int, str]]:
    """Return index and tag of all interfaces, by name."""
    rows = client.dump("sw_interface_dump", sw_if_index=OWN, name_filter_valid=False, name_filter="")
    return {row["interface_name"]: (row["sw_if_index"], row["tag"]) for row in rows}


def read_lists(client: Client) -> dict[str, tuple[HeldList, ...]]:
    """Return the segment lists of all policies, with the indexes by which they are changed."""
    return {
        row["bsid"]: tuple(
            HeldList(item["sl_index"], item["weight"], item["sids"]) for item in row["sid_lists"]
        )
        for row in client.dump("sr_policies_with_sl_index_dump")
    }


def read_bindings(client: Client, interfaces: Mapping[str, Interface]) -> dict[Table, set[str]]:
    """Return which interfaces, whoever's they are, are bound to which table."""
    found: dict[Table, set[str]] = {}
    asked = [(name, family) for name in interfaces for family in FAMILIES]
    tables = _bound(client, ((interfaces[name].index, family) for name, family in asked))
    for (name, family), table in zip(asked, tables, strict=True):
        found.setdefault((table, family == "ipv6"), set()).add(f"interface {name}")
    return found


def read_taken(
    client: Client, seen: Seen, tables: Iterable[Table], but: Collection[int] = ()
) -> dict[tuple[int, str], str]:
    """Return which prefixes of tables somebody else routes, and which FIB source that is.

    Those that lie on the interfaces `but` are left out.
    """
    found = {}
    active = [number for number, name in seen.sources.items() if name not in _PASSIVE]
    for number, is_ip6 in tables:
        for source in active:
            table = {"table_id": number, "is_ip6": is_ip6, "name": ""}
            for row in client.dump("ip_route_v2_dump", src=source, table=table):
                route = row["route"]
                if not any(path["sw_if_index"] in but for path in route["paths"]):
                    found[number, route["prefix"]] = seen.sources[source]
    return found


def read_exact(client: Client, seen: Seen, places: Collection[tuple[int, str]]) -> dict[tuple[int, str], str]:
    """Return who else routes some prefixes, each asked for by itself: a table may hold a million others."""
    questions = [
        Operation("ip_route_lookup_v2", {"table_id": table, "exact": 1, "prefix": prefix})
        for table, prefix in places
    ]
    found = {}
    for place, reply in zip(places, client.send(questions), strict=True):
        name = "" if reply.retval else seen.sources.get(reply.fields["route"]["src"], "somebody")
        if name and name not in _PASSIVE:
            found[place] = name
    return found


def read_hidden(client: Client, places: Collection[tuple[int, str]]) -> dict[tuple[int, str], str]:
    """Return which prefixes somebody routes too: no dump shows what a better source hides.

    Where it is only that an interface is connected to a prefix, that is said.
    """
    found = {}
    for place, entry in zip(places, _entries(client, places), strict=True):
        others = sorted((name for name in entry if name not in _PASSIVE), key=CONNECTED.__eq__)
        if others:
            found[place] = others[0]
    return found


def _dead(client: Client, routes: Mapping[tuple[int, str], Row]) -> frozenset[tuple[int, str]]:
    """Return the routes over an interface that was deleted: VPP drops what they get, and no dump shows it.

    Routes with the same path share it, so that one of them is looked at.
    """
    alike: dict[tuple[object, ...], list[tuple[int, str]]] = {}
    for place, row in routes.items():
        for path in row["paths"]:
            if path["sw_if_index"] != NONE:
                hop = path["nh"]["address"]["ip6" if path["proto"] else "ip4"]
                alike.setdefault((path["sw_if_index"], path["proto"], hop, path["weight"]), []).append(place)
    entries = _entries(client, [places[0] for places in alike.values()])
    return frozenset(
        place
        for places, entry in zip(alike.values(), entries, strict=True)
        if _DEAD.search(entry.get(SOURCE, ""))
        for place in places
    )


def _entries(client: Client, places: Collection[tuple[int, str]]) -> list[dict[str, str]]:
    """Return what VPP says of some prefixes by the source that says it, each asked for by itself.

    Where it has no entry for a prefix, VPP shows the one that covers it, which says nothing.
    """
    questions = [
        Operation("cli_inband", {"cmd": f"show ip{'6' if ':' in prefix else ''} fib table {table} {prefix}"})
        for table, prefix in places
    ]
    found = []
    for (_, prefix), reply in zip(places, client.send(questions), strict=True):
        entry = "" if reply.retval else str(reply.fields["reply"]).partition("\n forwarding:")[0]
        _, *said = _BY_SOURCE.split(entry if _LENGTH.findall(entry) == prefix.split("/")[1:] else "")
        found.append(dict(zip(said[::2], said[1::2], strict=True)))
    return found


def _steered(row: Row) -> str:
    """Return what is steered; VPP writes an IPv6 prefix that begins with 96 zero bits as if it were IPv4."""
    prefix: str = row["prefix"]
    if row["traffic_type"] != _V6 or ":" in prefix:
        return prefix
    address, _, length = prefix.partition("/")
    return f"{IPv6Address(int(IPv4Address(address)))}/{length}"


def _interfaces(client: Client) -> dict[str, Interface]:
    found: dict[str, Interface] = {}
    for row in client.dump("sw_interface_dump", sw_if_index=OWN, name_filter_valid=False, name_filter=""):
        index, tag = row["sw_if_index"], row["tag"]
        tables, addresses = {}, ()
        if tag.startswith(MARK) or (not tag and row["interface_name"].startswith(HOST)):
            numbers = _bound(client, ((index, family) for family in FAMILIES))
            tables = {family: number for family, number in zip(FAMILIES, numbers, strict=True) if number}
            addresses = tuple(
                address["prefix"]
                for is_ipv6 in (False, True)
                for address in client.dump("ip_address_dump", sw_if_index=index, is_ipv6=is_ipv6)
            )
        found[row["interface_name"]] = Interface(index, tag, bool(row["flags"] & UP), tables, addresses)
    return found


def _bound(client: Client, wanted: Iterable[tuple[int, str]]) -> list[int]:
    questions = [
        Operation("sw_interface_get_table", {"sw_if_index": index, "is_ipv6": family == "ipv6"})
        for index, family in wanted
    ]
    return [0 if reply.retval else reply.fields["vrf_id"] for reply in client.send(questions)]


def _routes(client: Client, source: int, tables: Iterable[Table]) -> dict[tuple[int, str], Row]:
    """Return the routes of a source in some tables; none of source 0, with which VPP shows those of all."""
    found = {}
    for number, is_ip6 in sorted(tables) if source else ():
        table = {"table_id": number, "is_ip6": is_ip6, "name": ""}
        for row in client.dump("ip_route_v2_dump", src=source, table=table):
            found[number, row["route"]["prefix"]] = row["route"]
    return found


def _said(client: Client, command: str) -> str:
    """Return what stands behind the `=` of an answer of the command line."""
    said = client.cli(command)
    name, found, value = said.partition("=")
    if not found:
        raise PermanentError(f"VPP answers `{command}` with {name.strip()[:80]!r}; this cannot be read")
    return value.strip()
