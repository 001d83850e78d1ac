"""Tables, sources and routes: what VPP answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.vppd.fib import API, DROP, LOCAL, NORMAL, Path, Prefix, masked
from tests.vppd.pool import NONE, Segfault
from tests.vppd.said import Fields, Request, read_prefix, write_prefix
from tests.vppd.state import State

BAD_PROTOCOL: Final = 5
"""From here on, paths are of no protocol."""


def ip_table_add_del(vpp: State, request: Request) -> int:
    table = request["table"]
    tables = vpp.routes.families[6 if table["is_ip6"] else 4]
    if request["is_add"]:
        tables.add(table["table_id"], API, table["name"])
    else:
        tables.remove(table["table_id"], API)
    return 0


def ip_table_dump(vpp: State, _: Request) -> Iterator[Fields]:
    for version in (4, 6):
        for fib in vpp.routes.families[version].details():
            yield {"table": {"table_id": fib.table_id, "is_ip6": version == 6, "name": fib.name}}


def fib_source_add(vpp: State, request: Request) -> Fields:
    return {"id": vpp.routes.sources.add(request["src"]["priority"], request["src"]["name"])}


def fib_source_dump(vpp: State, _: Request) -> Iterator[Fields]:
    for at, (priority, name) in enumerate(vpp.routes.sources.rows):
        yield {"src": {"priority": priority, "id": at, "name": name}}


def route(vpp: State, request: Request) -> Fields:
    route = request["route"]
    version, prefix = read_prefix(route["prefix"])
    retval = _change_route(vpp, request, version, prefix)
    return {"retval": retval, "stats_index": 1 if request["is_add"] and not retval else NONE}


def _change_route(vpp: State, request: Request, version: int, prefix: Prefix) -> int:
    route = request["route"]
    index = vpp.routes.families[version].find(route["table_id"])
    if index is None:
        return -3
    paths = []
    for said in route["paths"]:
        path = _path(vpp, said)
        if isinstance(path, int):
            return path
        paths.append(path)
    if prefix.length > len(prefix.address) * 8:
        return -171
    source = route.get("src") or API
    if source >= len(vpp.routes.sources.rows):
        raise Segfault
    place = (version, index, masked(*prefix), source)
    if (request["is_multipath"] or request["is_add"]) and not paths:
        return -52
    if request["is_multipath"]:
        (vpp.routes.extend if request["is_add"] else vpp.routes.shrink)(*place, paths)
    elif request["is_add"]:
        vpp.routes.replace(*place, paths)
    else:
        vpp.routes.delete(*place)
    return 0


def _path(vpp: State, said: Request) -> Path | int:
    """Return a path as VPP keeps it, or why it does not."""
    proto, kind = said["proto"], said["type"]
    if proto not in (0, 1):
        return -1 if proto >= BAD_PROTOCOL else 0
    common = {"weight": said["weight"] or 1, "preference": said["preference"]}
    if kind in (DROP, 5, 6):
        return Path(proto, kind, **common)
    size = 16 if proto else 4
    nh = bytes(said["nh"]["address"][:size]).ljust(16, b"\0")
    interface = said["sw_if_index"]
    if kind == LOCAL:
        return Path(proto, LOCAL, interface, nh, **common)
    if interface != NONE:
        return Path(proto, kind, interface, nh, **common) if vpp.interfaces.valid(interface) else -54
    found = vpp.routes.families[6 if proto else 4].find(said["table_id"])
    return -3 if found is None else Path(proto, kind, NONE, nh, found, **common)


def _said_path(vpp: State, path: Path) -> Fields:
    table = 0 if path.fib is None else vpp.routes.of(path).pool.read(path.fib).table_id
    return {
        "sw_if_index": path.sw_if_index,
        "table_id": table,
        "weight": path.weight,
        "preference": path.preference,
        "type": NORMAL if path.exclusive else path.type,
        "proto": path.proto,
        "nh": {"address": path.nh},
    }


def ip_route_dump(vpp: State, request: Request) -> Iterator[Fields]:
    version = 6 if request["table"]["is_ip6"] else 4
    table_id = request["table"]["table_id"]
    index = vpp.routes.families[version].find(table_id)
    if index is None:
        return
    for prefix, source, paths in vpp.routes.dump(version, index, request.get("src", 0)):
        yield {"route": _said_route(vpp, table_id, prefix, source, paths)}


def _said_route(vpp: State, table_id: int, prefix: Prefix, source: int, paths: list[Path]) -> Fields:
    return {
        "table_id": table_id,
        "prefix": write_prefix(prefix),
        "n_paths": len(paths),
        "src": source,
        "paths": [_said_path(vpp, path) for path in paths],
    }


def lookup(vpp: State, request: Request) -> Fields:
    """Answer which route a prefix takes."""
    version, wanted = read_prefix(request["prefix"])
    index = vpp.routes.families[version].find(request["table_id"])
    if index is None:
        return {"retval": -3}
    found = {prefix: (source, paths) for prefix, source, paths in vpp.routes.dump(version, index)}
    lengths = [wanted.length] if request["exact"] else range(wanted.length, -1, -1)
    for length in lengths:
        prefix = masked(wanted.address, length)
        if prefix in found:
            return {"route": _said_route(vpp, request["table_id"], prefix, *found[prefix])}
    return {"retval": -6}
