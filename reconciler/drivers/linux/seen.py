"""What a kernel shows, as resources that can be compared with rendered ones.

Ours is what carries our number twice: routes as protocol and metric, nexthops as protocol and first byte of
the id. Links of ours carry an alias.
The alias of the loopback keeps what no route can: the scope of the node, its uplink and its encapsulation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final

from reconciler.drivers.base import TransientError
from reconciler.drivers.linux.ip import Ip
from renderers.linux import FAMILY, MAIN_TABLE, NUMBER, sysctls, vrf_device
from renderers.resource import Key, Resource

MARK: Final = "intentc"
"""First word of the alias of links that are ours."""
FIRST_ID: Final = NUMBER << 24
"""Ids of nexthops of ours count from here, far from where other programs start."""
LAST_RESORT: Final = 4278198272
"""Metric of what ends the lookup in a VRF; larger than that of every other route."""
_MINE: Final = str(NUMBER)
_COMPLETE: Final = 3
"""Words of a mark with settings."""
_BLACKHOLE: Final = "6"
_ACTION_FIELDS: Final = ("nh4", "nh6", "table", "vrftable")


@dataclass(frozen=True, slots=True)
class Group:
    """The nexthops that carry a policy."""

    id: int
    members: tuple[int, ...]


@dataclass(slots=True)
class Seen:
    """Everything that a driver must know of a kernel."""

    scope: str = ""
    """Scope that objects of ours are taken to be of."""
    marked: tuple[str, ...] = ()
    """What the mark says: scope, and where there are settings, uplink and encapsulation."""
    alias: str = ""
    """What somebody else wrote in the place of the mark."""
    resources: dict[Key, Resource] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    """By BSID."""
    orphans: tuple[int, ...] = ()
    """Nexthops of ours that no policy has and no route uses: left by somebody who was broken off. Told only
    where everything was read."""
    ids: frozenset[int] = frozenset()
    """Ids of nexthops that are taken, by whomever."""
    foreign: frozenset[tuple[str, str]] = frozenset()
    """What is in the way of ours: routes as TABLE PREFIX, links by name."""
    links: frozenset[str] = frozenset()
    """Names of all links."""
    damage: str = ""
    """Why what is ours could not be told from what is not; empty where it could."""

    def key(self, kind: str, name: str) -> Key:
        """Return the key of an object of the node."""
        return Key(FAMILY, self.scope, kind, name)


def look(ip: Ip, scope: str = "", *, everything: bool = False) -> Seen:
    """Read a kernel; also what is not ours, where it may be in the way.

    Where the mark of the scope is gone, what is ours is taken to be of the scope that is said, if one is.
    """
    routes, nexthops, links, source = ip.show(
        f"route show table all{'' if everything else f' proto {NUMBER}'}",
        "nexthop show",
        "link show",
        "sr tunsrc show",
    )
    alias = next((link.get("ifalias", "") for link in links if link.get("ifname") == "lo"), "")
    word, *marked = alias.split() or [MARK]
    seen = Seen(marked=tuple(marked)) if word == MARK else Seen(alias=alias)
    seen.scope = seen.marked[0] if seen.marked else scope
    if len(seen.marked) == _COMPLETE:
        _settings(seen, source, ip)
    mine: list[dict[str, Any]] = []
    foreign = [("link", link["ifname"]) for link in links if "ifname" in link and not _is_marked(link)]
    for row in routes:
        # Where only our protocol was asked for, ip does not say it again.
        if row.get("metric") == NUMBER and (not everything or row.get("protocol") == _MINE):
            mine.append(row)
        elif (row.get("protocol"), row.get("metric")) != (_MINE, LAST_RESORT):
            foreign.append(("route", _name(row)))
    seen.links = frozenset(link["ifname"] for link in links if "ifname" in link)
    _links(seen, links)
    known = {row["id"]: row for row in nexthops}
    try:
        _nexthops(seen, known, mine)
    except KeyError:
        raise TransientError(f"{ip} changed while it was read") from None
    if everything:
        _orphans(seen, known, routes)
    seen.foreign = frozenset(foreign)
    if seen.resources and not seen.scope:
        what = f"{seen.alias!r}, and not ours" if seen.alias else "gone"
        seen.damage = f"the alias of lo in {ip} is {what}, which says whose routes of ours those are"
        seen.resources.clear()
    return seen


def _is_marked(link: Mapping[str, Any]) -> bool:
    return str(link.get("ifalias", "")).split()[:1] == [MARK]


def _settings(seen: Seen, source: Iterable[Mapping[str, Any]], ip: Ip) -> None:
    _, uplink, encapsulation = seen.marked
    wanted = sysctls(uplink)
    found = ip.sysctls(list(wanted))
    spec = {
        "source": next((address(row["tunsrc"]) for row in source), "::"),
        "interface": uplink,
        "encapsulation": encapsulation,
        "sysctls": {name: found.get(name, 0) for name in wanted},
    }
    _add(seen, "settings", "srv6", spec)


def _links(seen: Seen, links: Iterable[Mapping[str, Any]]) -> None:
    for link in links:
        words = link.get("ifalias", "").split()
        if words[:2] == [MARK, "vrf"] and (number := table_of(link["ifname"])):
            _add(seen, "vrf", str(number), {"table": number, "device": link["ifname"]})
        elif words[:2] == [MARK, "bridge"]:
            table = table_of(link.get("master", ""))
            _add(seen, "bridge", link["ifname"], {"name": link["ifname"], "table": table})


def _nexthops(seen: Seen, known: Mapping[int, Mapping[str, Any]], routes: list[dict[str, Any]]) -> None:
    bsids: dict[int, str] = {}
    for row in routes:
        if str(row.get("table")) == _MINE and "nhid" in row:
            bsid = address(row["dst"].partition("/")[0])
            bsids[row["nhid"]] = bsid
            group = known[row["nhid"]].get("group", ())
            seen.groups[bsid] = Group(row["nhid"], tuple(item["id"] for item in group))
            _add(seen, "policy", bsid, _policy(bsid, group, known))
    for row in routes:
        if str(row.get("table")) != _MINE:
            _route(seen, row, bsids)
    seen.ids = frozenset(known)


def _orphans(seen: Seen, known: Mapping[int, Mapping[str, Any]], routes: Iterable[Mapping[str, Any]]) -> None:
    """Find what nothing uses. A nexthop that goes takes along routes that use it, whosever they are."""
    mine = {number for number, row in known.items() if (row.get("protocol"), number >> 24) == (_MINE, NUMBER)}
    users = {row["nhid"] for row in routes if "nhid" in row}
    groups = (row for number, row in known.items() if number in users or number not in mine)
    members = {item["id"] for row in groups for item in row.get("group", ())}
    seen.orphans = tuple(sorted(mine - users - members))


def _policy(bsid: str, group: Iterable[Mapping[str, Any]], known: Mapping[int, Any]) -> dict[str, Any]:
    rows = []
    devices = []
    for item in group:
        nexthop = known[item["id"]]
        sids = [address(sid) for sid in nexthop.get("segs", ())]
        rows.append({"weight": item.get("weight", 1), "mode": nexthop.get("mode"), "sids": sids})
        devices.append(nexthop.get("dev", ""))
    rows.sort(key=lambda row: row["sids"])
    return {"bsid": bsid, "interface": ",".join(sorted(set(devices))), "lists": rows}


def _route(seen: Seen, row: Mapping[str, Any], bsids: Mapping[int, str]) -> None:
    if row.get("encap") == "seg6local":
        sid = address(row["dst"].partition("/")[0])
        action = " ".join([row["action"], *(f"{name} {row[name]}" for name in _ACTION_FIELDS if name in row)])
        _add(seen, "localsid", sid, {"sid": sid, "action": action, "interface": row["dev"]})
        return
    name = _name(row)
    table, _, prefix = name.partition(" ")
    spec: dict[str, Any] = {"table": int(table), "prefix": prefix}
    if "nhid" in row:
        family = "ipv6" if ":" in prefix else "ipv4"
        spec = {"table": int(table), "family": family, "prefix": prefix, "bsid": bsids.get(row["nhid"], "")}
        _add(seen, "steering", name, spec)
        return
    device = row.get("dev", "")
    if row.get("type") == _BLACKHOLE:
        spec["drop"] = True
    elif "gateway" not in row and table_of(device):
        spec["lookup"] = table_of(device)
    else:
        spec |= {"next_hop": row.get("gateway"), "interface": device}
    _add(seen, "route", name, spec)


def _add(seen: Seen, kind: str, name: str, spec: dict[str, Any]) -> None:
    key = seen.key(kind, name)
    tables = {spec.get(field) for field in ("table", "lookup")}
    needs = [vrf for number in tables if (vrf := seen.key("vrf", str(number))) in seen.resources]
    if spec.get("bsid") and kind == "steering":
        needs.append(seen.key("policy", spec["bsid"]))
    seen.resources[key] = Resource(key, spec, needs=tuple(sorted(needs)))


def _name(row: Mapping[str, Any]) -> str:
    """Return table and prefix of a route. What has an IPv6 preference is an IPv6 route."""
    table = MAIN_TABLE if row.get("encap") == "seg6local" else row.get("table", MAIN_TABLE)
    text = row["dst"]
    if text == "default":
        text = "::/0" if "pref" in row else "0.0.0.0/0"
    elif "/" not in text:
        text += "/128" if ":" in text else "/32"
    return f"{table} {text}"


def table_of(device: str) -> int:
    """Return the table of a VRF device of ours, which is in its name; 0 for all other devices."""
    number = device.removeprefix("vrf")
    return int(number) if number.isdecimal() and device == vrf_device(int(number)) else 0


@lru_cache(maxsize=65536)
def address(text: str) -> str:
    """Return an address in the one way that we write it."""
    return str(ip_address(text))
