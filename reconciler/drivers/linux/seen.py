"""What a kernel shows, as resources that can be compared with rendered ones.

Ours is what carries our number twice: routes as protocol and metric, nexthops as protocol and first byte of
the id. Links of ours are of a group with that number from the start, and carry an alias once they are whole.
The alias of the loopback keeps what no route can: the scope of the node, its uplink and its encapsulation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address, ip_network
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
_BOTH: Final = 2
"""A VRF ends the lookups of both families."""
_ACTION_FIELDS: Final = ("nh4", "nh6", "table", "vrftable")

_Row = Mapping[str, Any]


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
    lent: frozenset[int] = frozenset()
    """Nexthops that routes or groups of somebody else use; they would go with them. Told like orphans."""
    ends: frozenset[str] = frozenset()
    """What ends the lookups in VRFs of ours, as TABLE PREFIX."""
    rules: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Sources that lead out of VRFs of ours, by device."""
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
    mine: list[_Row] = []
    theirs: list[_Row] = []
    ends: set[str] = set()
    foreign = [("link", link["ifname"]) for link in links if "ifname" in link and not _is_marked(link)]
    for row in routes:
        # Where only our protocol was asked for, ip does not say it again.
        ours = not everything or row.get("protocol") == _MINE
        if ours and row.get("metric") == NUMBER:
            mine.append(row)
        elif ours and row.get("metric") == LAST_RESORT:
            ends.add(_name(row))
        else:
            theirs.append(row)
    foreign += [("route", _name(row)) for row in theirs]
    seen.links = frozenset(link["ifname"] for link in links if "ifname" in link)
    seen.ends = frozenset(ends)
    if everything or any(table_of(name) for name in seen.links):
        (rules,) = ip.show("rule show", ipv6=True)
        _rules(seen, rules)
    _links(seen, links)
    known = {row["id"]: row for row in nexthops}
    try:
        _nexthops(seen, known, mine)
    except KeyError:
        raise TransientError(f"{ip} changed while it was read") from None
    if everything:
        _orphans(seen, known, mine, theirs)
    seen.foreign = frozenset(foreign)
    if seen.resources and not seen.scope:
        what = f"{seen.alias!r}, and not ours" if seen.alias else "gone"
        seen.damage = f"the alias of lo in {ip} is {what}, which says whose routes of ours those are"
        seen.resources.clear()
    return seen


def _is_marked(link: Mapping[str, Any]) -> bool:
    """Say whether a link is ours: whoever is broken off after making it leaves it without an alias."""
    words = str(link.get("ifalias", "")).split()
    return words[0] == MARK if words else str(link.get("group")) == _MINE


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
        name = link.get("ifname", "")
        if name == "lo" or not _is_marked(link):
            continue
        words, number = str(link.get("ifalias", "")).split(), table_of(name)
        whole = bool(words) and "UP" in link.get("flags", ())
        spec: dict[str, Any]
        if number and words[1:] in ([], ["vrf"]):
            sources = seen.rules.get(name, ())
            whole = (
                whole
                and sum(end.startswith(f"{number} ") for end in seen.ends) == _BOTH
                and len(sources) == 1
            )
            kind, key, spec = (
                "vrf",
                str(number),
                {"table": number, "device": name, "source": ",".join(sources)},
            )
        elif words[1:] in ([], ["bridge"]):
            kind, key, spec = "bridge", name, {"name": name, "table": table_of(link.get("master", ""))}
        else:
            continue
        _add(seen, kind, key, spec if whole else {**spec, "unfinished": True})


def _rules(seen: Seen, rules: Iterable[_Row]) -> None:
    for row in rules:
        device = row.get("iif", "")
        if (row.get("protocol"), row.get("priority")) == (_MINE, NUMBER) and "src" in row:
            seen.rules[device] = tuple(sorted({*seen.rules.get(device, ()), address(row["src"])}))


def _nexthops(seen: Seen, known: Mapping[int, Mapping[str, Any]], routes: list[_Row]) -> None:
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


def _orphans(
    seen: Seen, known: Mapping[int, Mapping[str, Any]], mine: Iterable[_Row], theirs: Iterable[_Row]
) -> None:
    """Find what nothing uses. A nexthop that goes takes along routes that use it, whosever they are."""
    ours = {number for number, row in known.items() if (row.get("protocol"), number >> 24) == (_MINE, NUMBER)}
    groups = (row for number, row in known.items() if number not in ours)
    lent = _used(theirs) | {item["id"] for row in groups for item in row.get("group", ())}
    used = lent | _used(mine)
    members = {item["id"] for number in used & known.keys() for item in known[number].get("group", ())}
    seen.lent, seen.orphans = frozenset(lent), tuple(sorted(ours - used - members))


def _used(routes: Iterable[_Row]) -> set[int]:
    return {row["nhid"] for row in routes if "nhid" in row}


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
    if ":" in text and "." in text:  # ::10.1.0.0/112
        text = str(ip_network(text))
    return f"{table} {text}"


def table_of(device: str) -> int:
    """Return the table of a VRF device of ours, which is in its name; 0 for all other devices."""
    number = device.removeprefix("vrf")
    return int(number) if number.isdecimal() and device == vrf_device(int(number)) else 0


@lru_cache(maxsize=65536)
def address(text: str) -> str:
    """Return an address in the one way that we write it."""
    return str(ip_address(text))
