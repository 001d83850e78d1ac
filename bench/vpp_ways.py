"""One way to put the same objects into one VPP; started by bench.vpp as a process of its own.

Everything that can be made ready beforehand is, and is not measured; what is measured ends when the last
answer was read and found good.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, Final

from reconciler.drivers.base import Batch
from reconciler.drivers.vpp.client import Client
from reconciler.drivers.vpp.codec import PACKERS
from reconciler.drivers.vpp.driver import Vpp
from reconciler.execute import Applier, execute
from reconciler.lease import here
from reconciler.plan import plan
from renderers import RULES
from renderers.resource import Key, Resource
from renderers.vpp import FAMILY
from renderers.vpp_messages import MARK, ORDER, Operation, Site, creation

COUNT: Final = 10_000
SCOPE: Final = "node/bench/n1"
TABLE: Final = 10
_WINDOW: Final = 256
_RAW_WINDOW: Final = 512
_ANSWER: Final = struct.Struct(">16xHIi")


def objects() -> list[Resource]:
    """Return a table, the range that the policies lie in, the policies, and what is steered into them."""
    table = Key(FAMILY, SCOPE, "table", f"{TABLE} ipv4")
    pool = Key(FAMILY, SCOPE, "route", "0 cafe:1::/64")
    found = [
        Resource(table, {"id": TABLE, "family": "ipv4", "name": f"{MARK}blue"}),
        Resource(pool, {"table": 0, "prefix": "cafe:1::/64", "drop": True}),
    ]
    for number in range(COUNT):
        bsid = str(IPv6Address((0xCAFE0001 << 96) + number + 1))
        sid = str(IPv6Address((0xFCDD0001 << 96) + (number << 80)))
        prefix = f"{IPv4Address((10 << 24) + (number << 8))}/24"
        policy = Key(FAMILY, SCOPE, "policy", bsid)
        lists = [{"weight": 1, "sids": [sid]}]
        spec = {"bsid": bsid, "encap": True, "type": "default", "fib_table": 0, "lists": lists}
        found.append(Resource(policy, spec, f"Cluster/bench/{number}", (pool,)))
        spec = {"table": TABLE, "family": "ipv4", "prefix": prefix, "bsid": bsid}
        steering = Key(FAMILY, SCOPE, "steering", f"{TABLE} {prefix}")
        found.append(Resource(steering, spec, f"Cluster/bench/{number}", (policy, table)))
    return found


def messages(path: Path) -> list[Operation]:
    """Return policies and steering as messages, after the table that they need was made."""
    wanted = [item for item in objects() if item.key.type != "route"]
    wanted.sort(key=lambda item: ORDER.index(item.key.type))
    first, *others = [one for item in wanted for one in creation(item, Site())]
    ours = Client(str(path))
    ours.connect()
    ours.send([first])
    ours.close()
    return others


class Watch:
    """What the measured part took."""

    def __init__(self) -> None:
        self.found: dict[str, float] = {}

    @contextmanager
    def part(self) -> Iterator[None]:
        """Measure this part, by the clock and in CPU seconds of this process and of those it waited for."""
        gc.collect()
        start, spent = time.perf_counter(), _cpu()
        yield
        self.found |= {"seconds": time.perf_counter() - start, "cpu": _cpu() - spent}


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(item.ru_utime + item.ru_stime for item in used)


def client(path: Path, watch: Watch) -> None:
    """Send by our own client."""
    ours = Client(str(path))
    ours.connect()
    wanted = messages(path)
    with watch.part():
        replies = ours.send(wanted)
    _good([reply.retval for reply in replies])
    ours.close()


def sync(path: Path, watch: Watch) -> None:
    """Ask one after the other, as vpp-papi does."""
    from vpp_papi import VPPApiClient

    papi = VPPApiClient(server_address=str(path), bootstrapapi=True)
    papi.connect("bench")
    wanted = messages(path)
    with watch.part():
        found = [getattr(papi.api, item.message)(**item.arguments).retval for item in wanted]
    _good(found)
    papi.disconnect()


def asynchronous(path: Path, watch: Watch) -> None:
    """Ask by vpp_papi_async, so many at a time."""
    from vpp_papi.vpp_papi_async import VPPApiClient

    async def run() -> list[int]:
        papi = VPPApiClient(server_address=str(path))
        await papi.connect("bench", asyncio.Queue())
        wanted = messages(path)
        found: list[int] = []
        with watch.part():
            for start in range(0, len(wanted), _WINDOW):
                asked = [
                    getattr(papi.api, item.message)(**item.arguments)
                    for item in wanted[start : start + _WINDOW]
                ]
                found += [reply.retval for reply in await asyncio.gather(*asked)]
        await papi.disconnect()
        return found

    _good(asyncio.run(run()))


def execute_file(path: Path, watch: Watch) -> None:
    """Let VPP's command line read a file."""
    lines = [f"ip table add {TABLE} name {MARK}blue"]
    steered = []
    for item in objects():
        if item.key.type == "policy":
            (only,) = item.spec["lists"]
            lines.append(f"sr policy add bsid {item.spec['bsid']} next {only['sids'][0]} encap")
        elif item.key.type == "steering":
            bsid = item.spec["bsid"]
            steered.append(f"sr steer l3 {item.spec['prefix']} via bsid {bsid} fib-table {TABLE}")
    file = path.parent / "bench.exec"
    file.write_text("\n".join([*lines, *steered]) + "\n")
    binary = Path(os.environ.get("INTENTC_VPP") or shutil.which("vpp") or "").with_name("vppctl")
    with watch.part():
        done = subprocess.run(
            [binary, "-s", str(path.parent / "cli.sock"), "exec", str(file)], capture_output=True, check=True
        )
    if done.stdout.strip():
        sys.exit(f"VPP says {done.stdout[:500]!r}")
    ours = Client(str(path))
    ours.connect()
    for dump in ("sr_policies_v2_dump", "sr_steering_pol_dump"):
        _good([0] * len(ours.dump(dump)), COUNT)
    ours.close()


def raw(path: Path, watch: Watch) -> None:
    """Push bytes that were packed beforehand through a bare socket; answers are only looked at."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.connect(str(path))
        ready = _packed(link, path)
        found: list[int] = []
        sent, rest = 0, b""
        with watch.part():
            while len(found) < len(ready):
                if sent - len(found) <= _RAW_WINDOW // 2:
                    more = ready[sent : len(found) + _RAW_WINDOW]
                    sent += len(more)
                    link.sendall(b"".join(more))
                rest += link.recv(1 << 18)
                whole = len(rest) // _ANSWER.size * _ANSWER.size
                found += [retval for _, _, retval in _ANSWER.iter_unpack(rest[:whole])]
                rest = rest[whole:]
    _good(found)


def _packed(link: socket.socket, path: Path) -> list[bytes]:
    """Greet VPP, and return all messages with the numbers that it gives."""
    link.sendall(struct.pack(">QIIHI64s", 0, 70, 0, 15, 1, b"bench"))
    head = link.recv(16, socket.MSG_WAITALL)
    table = link.recv(struct.unpack(">8xI4x", head)[0], socket.MSG_WAITALL)
    (index,) = struct.unpack_from(">14xI", table)
    rows = struct.iter_unpack(">H64s", table[20:])
    numbers = {name.rstrip(b"\0").decode(): number for number, name in rows}
    found = []
    for context, item in enumerate(messages(path)):
        crc, pack = next((crc, pack) for (name, crc), pack in PACKERS.items() if name == item.message)
        body = pack(item.arguments)
        number = numbers[f"{item.message}_{crc}"]
        found.append(struct.pack(">QIIHII", 0, 10 + len(body), 0, number, index, context) + body)
    return found


class _Timed(Vpp):
    """Takes the time that reading back needs."""

    checked = 0.0

    def verify(self, batch: Batch) -> tuple[Key, ...]:
        """Read back, and add what that took by the clock."""
        start = time.perf_counter()
        found = super().verify(batch)
        self.checked += time.perf_counter() - start
        return found


def applied(path: Path, watch: Watch) -> None:
    """Apply a plan with all that belongs to it, then observe, and plan again."""
    driver = _Timed("bench", SCOPE, str(path))
    wanted = {"bench": objects()}
    first = plan(wanted, {"bench": driver.observe()}, RULES)
    applier = Applier(here("bench"), path.parent / "journal")
    with watch.part():
        result = execute(first, "bench", {"bench": driver}, applier)
    watch.found |= {"sent": watch.found["seconds"] - driver.checked, "checked": driver.checked}
    _good([outcome.status != "done" for outcome in result.outcomes], len(wanted["bench"]))
    again = Watch()
    with again.part():
        seen = driver.observe()
    watch.found["observe"] = again.found["cpu"]
    with again.part():
        second = plan(wanted, {"bench": driver.observe()}, RULES)
        execute(second, "bench", {"bench": driver}, applier)
    watch.found |= {"resync": again.found["cpu"], "written": len(second.actions)}
    driver.close()
    _good([0] * len(seen.resources), len(wanted["bench"]))


def _good(retvals: list[Any], count: int = 2 * COUNT) -> None:
    if any(retvals) or len(retvals) != count:
        bad = next((retval for retval in retvals if retval), 0)
        sys.exit(f"{len(retvals)} answers in place of {count}, one of them {bad}")


WAYS: Final[dict[str, Callable[[Path, Watch], None]]] = {
    "apply": applied,
    "client": client,
    "async": asynchronous,
    "sync": sync,
    "exec": execute_file,
    "raw": raw,
}


def main() -> None:
    """Do one way, and print what it took."""
    gc.set_threshold(1_000_000, 50, 50)  # as intentc/cli.py does
    watch = Watch()
    WAYS[sys.argv[1]](Path(sys.argv[2]), watch)
    json.dump(watch.found, sys.stdout)


if __name__ == "__main__":
    main()
