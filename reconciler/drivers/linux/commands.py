"""How actions are said to `ip -batch`: lines that make an object as it shall be, and lines that take it away.

What replaces something in use is one line, which the kernel does in one step. What it leaves behind goes only
after that line was done: a nexthop that goes takes with it whatever still uses it.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final

from reconciler.drivers.linux.seen import FIRST_ID, LAST_RESORT, MARK, Group, Seen
from renderers.linux import MAIN_TABLE, NUMBER, vrf_device
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
    before: list[str] = field(default_factory=list)
    """Lines to run before those of the last object: the members of its group, and the rules of a VRF, which
    are of IPv6, whatever they carry."""
    groups: dict[str, Group] = field(init=False)
    """Groups by BSID, as they will be."""
    _next: int = FIRST_ID

    def __post_init__(self) -> None:
        """Start from what is there."""
        self.groups = dict(self.seen.groups)

    def upsert(self, after: Resource, *, there: bool) -> list[str]:
        """Return the lines that make an object as it shall be."""
        self.before.clear()
        spec: Any = after.spec
        # A name that iproute2 does not find would end the whole batch.
        if (interface := spec.get("interface")) and interface not in self.seen.links:
            mend = "make it, or correct uplink.interface of the node"
            raise NotThere(f"there is no interface {interface}: {mend}")
        verb = "replace" if there else "add"
        match after.key.type:
            case "settings":
                kept = mark(after.key.scope, spec["interface"], spec["encapsulation"])
                return [kept, f"sr tunsrc set {spec['source']}"]
            case "vrf":
                self.before += _moved(spec["device"], {spec["source"]} - {""}, self.seen)
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
            self.before.append(f"nexthop add id {members[-1][0]} {how} proto {NUMBER}")
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
    members = seen.groups[after.key.name].members
    return [f"nexthop delete id {number}" for number in members if number not in seen.lent]


def delete(before: Resource, seen: Seen) -> list[str]:
    """Return the lines that take an object away."""
    spec: Any = before.spec
    match before.key.type:
        case "settings":
            return ["sr tunsrc set ::", mark(before.key.scope)]
        case "vrf":
            ends = [f"route delete {line}" for name, line in _ends(spec["table"]) if name in seen.ends]
            return [*ends, f"link delete dev {spec['device']}"]
        case "bridge":
            return [f"link delete dev {spec['name']}"]
        case "localsid":
            return [f"route delete {spec['sid']}/128 {_OURS}"]
        case "policy":
            group = seen.groups[spec["bsid"]]
            parts = () if group.id in seen.lent else (group.id, *group.members)
            gone = [f"nexthop delete id {number}" for number in parts if number not in seen.lent]
            return [f"route delete {spec['bsid']}/128 table {NUMBER} {_OURS}", *gone]
    return [f"route delete {spec['prefix']} table {spec['table']} {_OURS}"]


def rules(device: str, seen: Seen) -> list[str]:
    """Return the lines that take away the IPv6 rules of a VRF, which go before it."""
    return list(_moved(device, frozenset(), seen))


def _moved(device: str, wanted: AbstractSet[str], seen: Seen) -> Iterator[str]:
    known = frozenset(seen.rules.get(device, ()))
    for verb, sources in (("add", wanted - known), ("delete", known - wanted)):
        for source in sorted(sources):
            yield f"rule {verb} {_rule(source, device)}"


def _rule(source: str, device: str) -> str:
    """Say what leads packets that were encapsulated in a VRF out of it: else its own table would be asked."""
    return f"from {source} iif {device} lookup {MAIN_TABLE} pref {NUMBER} protocol {NUMBER}"


def mark(scope: str, *settings: str) -> str:
    """Return the line that keeps whose the node is, and the uplink and encapsulation of its settings."""
    return f'link set dev lo alias "{" ".join((MARK, scope, *settings))}"'


def _vrf(table: int, *, there: bool) -> Iterator[str]:
    """Yield what makes a VRF. A lookup that finds nothing in it must not go on in the main table."""
    name = vrf_device(table)
    if not there:
        yield f"link add dev {name} group {NUMBER} type vrf table {table}"
    for _, line in _ends(table):
        yield f"route replace {line}"
    yield f'link set dev {name} alias "{MARK} vrf" up'


def _ends(table: int) -> Iterator[tuple[str, str]]:
    """Yield the routes that end every lookup in a table: as TABLE PREFIX, and as a command has them."""
    for prefix in ("0.0.0.0/0", "::/0"):
        how = f"table {table} proto {NUMBER} metric {LAST_RESORT}"
        yield f"{table} {prefix}", f"unreachable {prefix} {how}"


def _bridge(name: str, table: int, *, there: bool) -> Iterator[str]:
    if not there:
        yield f"link add dev {name} group {NUMBER} type bridge"
    master = f"master {vrf_device(table)}" if table else "nomaster"
    yield f'link set dev {name} alias "{MARK} bridge" {master} up'


def _way(spec: Any) -> str:
    if spec.get("drop"):
        return f"blackhole {spec['prefix']}"
    if "lookup" in spec:
        return f"{spec['prefix']} dev {vrf_device(spec['lookup'])}"
    via = f" via {spec['next_hop']}" if spec["next_hop"] else ""
    return f"{spec['prefix']}{via} dev {spec['interface']}"
