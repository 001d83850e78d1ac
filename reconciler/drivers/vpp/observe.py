"""From what a VPP holds to objects as the renderers write them, and which of them are ours.

Ours are tables by their name, interfaces by their tag, routes by their FIB source; the discard routes among
them are ranges of SIDs, and what lies in a range, looks up in a table of ours or is steered there is ours too
(docs/decisions/0018). Order that VPP does not keep is that of the renderers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from reconciler.drivers.vpp.addresses import packed6
from reconciler.drivers.vpp.dumps import Interface, Row, Seen
from renderers.resource import Key, Resource
from renderers.vpp import FAMILY
from renderers.vpp_messages import BEHAVIORS, DROP, HOP_LIMIT, HOST, MARK, NONE

DT: Final = {8: True, 9: False}
"""Behaviours that look up in a table, and whether it is of IPv6."""
_NAMES: Final = {number: name for name, number in BEHAVIORS.items()}
_TYPES: Final = {0: "default", 1: "spray", 2: "tef"}
_V6: Final = 6

Id = tuple[str, str]
"""Type and name of an object."""
Range = tuple[int, int]
"""First bits of an IPv6 prefix as a number, and how many bits follow."""


class Object(NamedTuple):
    """One object as VPP has it."""

    spec: dict[str, Any]
    ours: bool


def objects(seen: Seen) -> dict[Id, Object]:
    """Return all that was read; what no renderer could have written has a spec that none equals."""
    found: dict[Id, Object] = {}
    ours = seen.ours
    for (number, is_ip6), name in seen.tables.items():
        family = _family(is_ip6)
        spec = {"id": number, "family": family, "name": name}
        found["table", f"{number} {family}"] = Object(spec, name.startswith(MARK))
    names = {interface.index: name for name, interface in seen.interfaces.items()}
    for name, interface in seen.interfaces.items():
        found |= _interface(name, interface)
    for (number, prefix), row in seen.routes.items():
        spec = _route(number, prefix, row, {} if (number, prefix) in seen.dead else names)
        found["route", f"{number} {prefix}"] = Object(spec, ours=True)
    found |= _encap(seen)
    for (number, prefix), row in seen.steering.items():
        is_ip6 = row["traffic_type"] == _V6
        spec = {"table": number, "family": _family(is_ip6), "prefix": prefix, "bsid": row["bsid"]}
        mine = (number, is_ip6) in ours
        if mine and seen.ways is not None and (way := _way(seen.ways.get((number, prefix)))) != [row["bsid"]]:
            # Where it goes is not where VPP says that it is steered: it has to be steered anew.
            spec["paths"] = way
        found["steering", f"{number} {prefix}"] = Object(spec, mine)
    owned = ranges(seen)
    for sid, row in seen.localsids.items():
        behavior, table = row["behavior"], row["xconnect_iface_or_vrf_table"]
        mine = (behavior in DT and (table, DT[behavior]) in ours) or inside(sid, owned)
        spec = {
            "sid": sid,
            "behavior": _NAMES.get(behavior, f"behavior {behavior}"),
            "table": table,
            "fib_table": row["fib_table"],
        }
        found["localsid", sid] = Object(spec, mine)
    source = seen.encap[0] if ("encap", "source") in found else ""
    for bsid, row in seen.policies.items():
        found["policy", bsid] = Object(_policy(row, source), inside(bsid, owned))
    return found


def resources(seen: Seen, scope: str) -> dict[Key, Resource]:
    """Return what is ours, with what it needs."""
    known = {name: thing for name, thing in objects(seen).items() if thing.ours}
    keys = {name: Key(FAMILY, scope, *name) for name in known}
    owned = [(text, span) for text, span in _ranges(seen)]
    found = {}
    for name, thing in known.items():
        needed = dict.fromkeys(_NEEDED.get(name[0], _nothing)(thing.spec))
        if name[0] in ("policy", "localsid"):
            sid = name[1]
            needed |= {("route", f"0 {text}"): None for text, span in owned if inside(sid, (span,))}
        needs = tuple(keys[need] for need in needed if need in keys)
        found[keys[name]] = Resource(keys[name], thing.spec, "", needs)
    return found


def ranges(seen: Seen) -> tuple[Range, ...]:
    """Return the ranges of SIDs that are ours."""
    return tuple(span for _, span in _ranges(seen))


def inside(sid: str, owned: tuple[Range, ...]) -> bool:
    """Say whether a SID lies in one of the ranges."""
    number = int.from_bytes(packed6[sid])
    for bits, rest in owned:  # noqa: SIM110 -- by the ten thousand, and a generator takes longer than all else
        if number >> rest == bits:
            return True
    return False


def _ranges(seen: Seen) -> Iterator[tuple[str, Range]]:
    for (number, prefix), row in seen.routes.items():
        if number == 0 and ":" in prefix and _discards(row):
            yield prefix, span(prefix)


def span(prefix: str) -> Range:
    """Return an IPv6 prefix as a range."""
    address, _, length = prefix.partition("/")
    rest = 128 - int(length)
    return _number(address) >> rest, rest


def _number(address: str) -> int:
    return int.from_bytes(packed6[address])


def _family(is_ip6: bool) -> str:  # noqa: FBT001 -- VPP's own way to say a family
    return "ipv6" if is_ip6 else "ipv4"


def _interface(name: str, interface: Interface) -> dict[Id, Object]:
    ours = interface.tag.startswith(MARK)
    spec = {"host": name.removeprefix(HOST), "tables": dict(interface.tables), "up": interface.up}
    found = {("interface", name): Object(spec, ours)}
    for prefix in interface.addresses if ours else ():
        found["address", f"{name} {prefix}"] = Object({"interface": name, "prefix": prefix}, ours)
    return found


def _discards(row: Row) -> bool:
    return row["n_paths"] == 1 and bool(row["paths"][0]["type"] == DROP)


def _route(number: int, prefix: str, row: Row, names: Mapping[int, str]) -> dict[str, Any]:
    spec: dict[str, Any] = {"table": number, "prefix": prefix}
    path = row["paths"][0] if row["n_paths"] == 1 else None
    if path is None or path["type"] not in (0, DROP):
        return spec | {"paths": row["n_paths"]}
    if path["type"] == DROP:
        return spec | {"drop": True}
    index = path["sw_if_index"]
    hop = path["nh"]["address"]["ip6" if path["proto"] else "ip4"]
    if index == NONE and hop in ("::", "0.0.0.0"):  # noqa: S104 -- not a bind
        return spec | {"lookup": path["table_id"]}
    if index in names:
        return spec | {"next_hop": hop, "interface": names[index]}
    # The interface is gone, whichever has its index now; with another weight, the route leads over that one.
    return spec | {"next_hop": hop, "interface": f"interface {index}", "weight": path["weight"]}


def _way(row: Row | None) -> list[str]:
    """Return where a route of what is steered leads: one path to its policy, where all is well."""
    hops = [path["nh"]["address"]["ip6"] for path in row["paths"]] if row else []
    return ["drop" if hop == "::" else hop for hop in hops]


def _encap(seen: Seen) -> dict[Id, Object]:
    address, hop_limit = seen.encap
    if (address, hop_limit) == ("::", HOP_LIMIT):
        return {}
    # One value for all: it is ours where we have ever been, and foreign on a VPP that we never wrote to.
    return {("encap", "source"): Object({"address": address, "hop_limit": hop_limit}, seen.source != 0)}


def _policy(row: Row, source: str) -> dict[str, Any]:
    lists = [{"weight": item["weight"], "sids": list(item["sids"])} for item in row["sid_lists"]]
    if len(lists) > 1:
        lists.sort(key=lambda item: (item["sids"], item["weight"]))
    spec = {
        "bsid": row["bsid"],
        "encap": bool(row["is_encap"]),
        "type": _TYPES.get(row["type"], f"type {row['type']}"),
        "fib_table": row["fib_table"],
        "lists": lists,
    }
    if source and row["encap_src"] != source:
        # Its lists were added with another source than what is added now: they have to be renewed.
        spec["source"] = row["encap_src"]
    return spec


def _nothing(_: Mapping[str, Any]) -> Iterator[Id]:
    return iter(())


def _of_interface(spec: Mapping[str, Any]) -> Iterator[Id]:
    yield from (("table", f"{number} {family}") for family, number in spec["tables"].items())


def _of_address(spec: Mapping[str, Any]) -> Iterator[Id]:
    yield "interface", spec["interface"]


def _of_route(spec: Mapping[str, Any]) -> Iterator[Id]:
    family = _family(":" in spec["prefix"])
    yield "table", f"{spec['table']} {family}"
    if "lookup" in spec:
        yield "table", f"{spec['lookup']} {family}"
    if "interface" in spec:
        yield "interface", spec["interface"]


def _of_localsid(spec: Mapping[str, Any]) -> Iterator[Id]:
    yield "table", f"{spec['table']} {'ipv4' if spec['behavior'] == 'End.DT4' else 'ipv6'}"


def _of_steering(spec: Mapping[str, Any]) -> Iterator[Id]:
    yield "table", f"{spec['table']} {spec['family']}"
    yield "policy", spec["bsid"]


_NEEDED: Final[Mapping[str, Callable[[Mapping[str, Any]], Iterator[Id]]]] = {
    "interface": _of_interface,
    "address": _of_address,
    "route": _of_route,
    "localsid": _of_localsid,
    "steering": _of_steering,
}
