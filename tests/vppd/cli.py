"""The few commands that tests and driver give VPP's command line."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Final

from tests.vppd.fib import CLI, DROP, Path, Prefix, masked
from tests.vppd.said import Fields, Request
from tests.vppd.state import State


def cli(vpp: State, request: Request) -> Fields:
    command = " ".join(request["cmd"].split())
    for pattern, then in _COMMANDS:
        if found := re.fullmatch(pattern, command):
            said = then(vpp, *found.groups())
            return {"retval": 0, "reply": said} if said is not None else {"retval": -1, "reply": "failed"}
    return {"retval": -1, "reply": f"unknown input `{command}'"}


def _cli_loopback(vpp: State) -> str:
    _, index = vpp.interfaces.create_loopback(bytes(6), None)
    return vpp.interfaces.pool.read(index).name + "\n"


def _named(vpp: State, name: str) -> int | None:
    return next((index for index, item in vpp.interfaces.pool.items() if item.name == name), None)


def _cli_state(vpp: State, name: str, state: str) -> str | None:
    index = _named(vpp, name)
    if index is None:
        return None
    vpp.interfaces.set_up(index, up=state == "up")
    return ""


def _cli_address(vpp: State, name: str, address: str, length: str) -> str | None:
    index = _named(vpp, name)
    raw = ip_address(address).packed
    if index is None:
        return None
    version = 6 if len(raw) == 16 else 4
    return None if vpp.interfaces.add_address(index, version, Prefix(raw, int(length))) else ""


def _cli_drop(vpp: State, address: str, length: str) -> str:
    raw = ip_address(address).packed
    version = 6 if len(raw) == 16 else 4
    path = Path(int(version == 6), DROP)
    vpp.routes.replace(version, 0, masked(raw, int(length)), CLI, [path])
    return ""


def _cli_entry(vpp: State, six: str, table: str, address: str, length: str) -> str | None:
    """Show what each source says of a prefix, best first; of the paths, whether they drop.

    Where there is no such entry, it is the one that covers it.
    """
    raw = ip_address(address).packed
    index = vpp.routes.families[6 if six else 4].find(int(table))
    if index is None:
        return None
    entries = vpp.routes.families[6 if six else 4].pool.read(index).entries
    covering = (masked(raw, bits) for bits in range(int(length), -1, -1))
    prefix = next(one for one in covering if one in entries)
    entry = entries[prefix]
    rows = [f"{ip_address(prefix.address)}/{prefix.length} fib:{index} index:1 locks:2"]
    for source in sorted(entry, key=lambda source: vpp.routes.sources.rows[source][0]):
        dead = tuple(entry[source]) in vpp.routes.dead
        rows += [
            f"  {vpp.routes.sources.rows[source][1]} refs:1 src-flags:added,",
            "    path-list:[1] locks:2 flags:shared, uPRF-list: None",
            f"      path:[1] pl-index:1 oper-flags:{'drop' if dead else 'resolved'},",
            "",
        ]
    return "\n".join([*rows, " forwarding:   unicast-ip-chain", ""])


_COMMANDS: Final[tuple[tuple[str, Callable[..., str | None]], ...]] = (
    (r"show sr encaps source addr", lambda vpp: f"SR encaps source addr = {IPv6Address(vpp.sr.source)}\n"),
    (r"show sr encaps hop-limit", lambda vpp: f"SR encaps hop-limit = {vpp.sr.hop_limit}\n"),
    (r"create loopback interface", _cli_loopback),
    (r"set interface state (\S+) (up|down)", _cli_state),
    (r"set interface ip address (\S+) (\S+)/(\d+)", _cli_address),
    (r"ip route add (\S+)/(\d+) via drop", _cli_drop),
    (r"show ip(6?) fib table (\d+) (\S+)/(\d+)", _cli_entry),
)
