"""How actions are said to `ip -batch`: lines that make an object as it shall be, and lines that take it away.

What replaces something in use is one line, which the kernel does in one step. What it leaves behind goes only
after that line was done: a nexthop that goes takes with it whatever still uses it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from reconciler.drivers.linux.seen import FIRST_ID, LAST_RESORT, MARK, Group, Seen
from renderers.linux import NUMBER, vrf_device
from renderers.resource import Resource

ORDER: Final = ("settings", "vrf", "bridge", "route", "localsid", "policy", "steering")
"""Types in the order in which they are made."""
_OURS: Final = f"proto {NUMBER} metric {NUMBER}"


class NotThere(Exception):  # noqa: N818 -- an answer, not an error of ours
    """What an object refers to is not there."""


@dataclass(slots=True)
class Draft:
    """Commands for a batch, and what they will have changed."""

    seen: Seen
    nexthops: list[str] = field(default_factory=list)
    """Lines to run before those of the last object, for the members of its group: they are of IPv6, whatever
    they carry."""
    groups: dict[str, Group] = field(init=False)
    """Groups by BSID, as they will be."""
    _next: int = FIRST_ID

    def __post_init__(self) -> None:
        """Start from what is there."""
        self.groups = dict(self.seen.groups)

    def upsert(self, after: Resource, *, there: bool) -> list[str]:
        """Return the lines that make an object as it shall be."""
        self.nexthops.clear()
        spec: Any = after.spec
        # A name that iproute2 does not find would end the whole batch.
        if (interface := spec.get("interface")) and interface not in self.seen.links:
            raise NotThere(f"there is no interface {interface}")
        verb = "replace" if there else "add"
        match after.key.type:
            case "settings":
                kept = mark(after.key.scope, spec["interface"], spec["encapsulation"])
                return [kept, f"sr tunsrc set {spec['source']}"]
            case "vrf":
                return list(_vrf(spec["table"], there=there))
            case "bridge":
                return list(_bridge(spec["name"], spec["table"], there=there))
            case "route":
                return [f"route {verb} {_way(spec)} table {spec['table']} {_OURS}"]
            case "localsid":
                how = f"encap seg6local action {spec['action']} count dev {spec['interface']}"
                return [f"route {verb} {spec['sid']}/128 {how} {_OURS}"]
            case "policy":
                return self._policy(spec)
            case "steering":
                group = self.groups.get(spec["bsid"])
                if group is None:
                    raise NotThere(f"there is no policy {spec['bsid']}")
                where = f"table {spec['table']} nhid {group.id}"
                return [f"route {verb} {spec['prefix']} {where} {_OURS}"]
        raise NotThere(f"a Linux node has no {after.key.type}")

    def _policy(self, spec: Any) -> list[str]:
        before = self.groups.get(spec["bsid"])
        members = []
        for item in spec["lists"]:
            members.append((self._id(), item["weight"]))
            how = f"encap seg6 mode {item['mode']} segs {','.join(item['sids'])} dev {spec['interface']}"
            self.nexthops.append(f"nexthop add id {members[-1][0]} {how} proto {NUMBER}")
        group = before.id if before else self._id()
        listed = "/".join(f"{number},{weight}" for number, weight in members)
        self.groups[spec["bsid"]] = Group(group, tuple(number for number, _ in members))
        if before:
            return [f"nexthop replace id {group} group {listed} proto {NUMBER}"]
        return [
            f"nexthop add id {group} group {listed} proto {NUMBER}",
            f"route add {spec['bsid']}/128 table {NUMBER} nhid {group} {_OURS}",
        ]

    def _id(self) -> int:
        while self._next in self.seen.ids:
            self._next += 1
        self._next += 1
        return self._next - 1


def leftovers(after: Resource, seen: Seen) -> list[str]:
    """Return the lines that take away what an object consisted of before it was made anew."""
    if after.key.type != "policy" or after.key.name not in seen.groups:
        return []
    return [f"nexthop delete id {number}" for number in seen.groups[after.key.name].members]


def delete(before: Resource, seen: Seen) -> list[str]:
    """Return the lines that take an object away."""
    spec: Any = before.spec
    match before.key.type:
        case "settings":
            return ["sr tunsrc set ::", mark(before.key.scope)]
        case "vrf":
            ends = [f"route delete {line}" for line in _ends(spec["table"])]
            return [*ends, f"link delete dev {spec['device']}"]
        case "bridge":
            return [f"link delete dev {spec['name']}"]
        case "localsid":
            return [f"route delete {spec['sid']}/128 {_OURS}"]
        case "policy":
            group = seen.groups[spec["bsid"]]
            gone = [f"nexthop delete id {number}" for number in (group.id, *group.members)]
            return [f"route delete {spec['bsid']}/128 table {NUMBER} {_OURS}", *gone]
    return [f"route delete {spec['prefix']} table {spec['table']} {_OURS}"]


def mark(scope: str, *settings: str) -> str:
    """Return the line that keeps whose the node is, and the uplink and encapsulation of its settings."""
    return f'link set dev lo alias "{" ".join((MARK, scope, *settings))}"'


def _vrf(table: int, *, there: bool) -> Iterator[str]:
    """Yield what makes a VRF. A lookup that finds nothing in it must not go on in the main table."""
    name = vrf_device(table)
    if not there:
        yield f"link add dev {name} type vrf table {table}"
    yield f'link set dev {name} alias "{MARK} vrf" up'
    for line in _ends(table):
        yield f"route replace {line}"


def _ends(table: int) -> tuple[str, str]:
    how = f"table {table} proto {NUMBER} metric {LAST_RESORT}"
    return f"unreachable 0.0.0.0/0 {how}", f"unreachable ::/0 {how}"


def _bridge(name: str, table: int, *, there: bool) -> Iterator[str]:
    if not there:
        yield f"link add dev {name} type bridge"
    master = f"master {vrf_device(table)}" if table else "nomaster"
    yield f'link set dev {name} alias "{MARK} bridge" {master} up'


def _way(spec: Any) -> str:
    if spec.get("drop"):
        return f"blackhole {spec['prefix']}"
    if "lookup" in spec:
        return f"{spec['prefix']} dev {vrf_device(spec['lookup'])}"
    via = f" via {spec['next_hop']}" if spec["next_hop"] else ""
    return f"{spec['prefix']}{via} dev {spec['interface']}"
