"""Three real VPPs between two pods: a headend of ours, a router, and an egress node.

    pod-a =veth= headend =memif= router =memif= egress =veth= pod-b

Each VPP runs in a namespace of its own, without hugepages. Router and egress are told once by CLI; the
headend is the driver's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from lab.loss import Loss, measured
from lab.spaces import LabError, Spaces, stream
from reconciler.apply import apply
from reconciler.drivers.base import TransientError
from reconciler.drivers.vpp.client import Client
from reconciler.drivers.vpp.driver import Vpp
from reconciler.plan import plan
from renderers import RULES
from renderers.resource import Key, Resource

BINARY: Final = os.environ.get("INTENTC_VPP") or shutil.which("vpp")
PLUGINS: Final = os.environ.get("INTENTC_VPP_PLUGINS")
NAMES: Final = ("headend", "router", "egress")
SCOPE: Final = "node/lab/headend"
BSID: Final = "cafe:1::1"
SERVICE: Final = "fcdd:b::4"
_TABLE: Final = 10
_WARM: Final = 0.5
_STARTS: Final = 60.0
"""Seconds that a VPP has to answer."""
_MEMIF: Final = "memif1/0"
TURNS: Final = (
    ((1, ("fcbb::1", SERVICE)),),
    ((3, (SERVICE,)), (1, ("fcbb::2", SERVICE))),
    ((1, (SERVICE,)),),
    ((1, ("fcbb::2", "fcbb::1", SERVICE)), (2, ("fcbb::1", SERVICE)), (4, (SERVICE,))),
)
"""Weighted lists that the policy takes by turns."""


def why_not() -> str:
    """Return why there is no VPP; empty where there is one."""
    return "" if BINARY else "no VPP here: install vpp, or name its binary in INTENTC_VPP"


def measure(changes: int, count: int, rate: int, prefix: str = "lab-") -> Loss:
    """Change the policy of the headend by turns, under a stream from one pod to the other."""
    with TemporaryDirectory(prefix="intentc-lab-") as name, Spaces(prefix) as spaces:
        folder = Path(name)
        with _running(spaces, folder) as clients:
            _wire(spaces, folder, clients)
            driver = Vpp("headend", SCOPE, str(folder / "headend" / "api.sock"))
            try:
                _become(driver, _tables())
                for command in (
                    f"set interface ip table host-pod {_TABLE}",
                    "set interface ip address host-pod 10.1.0.1/24",
                ):
                    clients["headend"].cli(command)
                _become(driver, (*_tables(), *_overlay()))
                policies = [_policy(turn) for turn in TURNS]
                ends = (spaces, "pod-a", "pod-b", "10.2.0.2")
                with stream(spaces, ends[1:3], ends[3], rate):
                    time.sleep(_WARM)  # neighbours are resolved, at the cost of some packets
                return measured(driver, policies, ends, changes, count, rate)
            finally:
                driver.close()


def _become(driver: Vpp, wanted: tuple[Resource, ...]) -> None:
    work = plan({"t": wanted}, {"t": driver.observe()}, RULES)
    if failed := apply(work, {"t": driver}).failed:
        raise LabError("; ".join(f"{outcome.action.key}: {outcome.message}" for outcome in failed))


@contextmanager
def _running(spaces: Spaces, folder: Path) -> Iterator[dict[str, Client]]:
    """Start the VPPs, and connect to each."""
    processes = []
    clients: dict[str, Client] = {}
    try:
        for name in NAMES:
            spaces.add(name)
            processes.append(_start(spaces, folder / name, name))
            spaces.running.append(processes[-1])
        for name, process in zip(NAMES, processes, strict=True):
            clients[name] = connected(folder / name, name, process)
        yield clients
    finally:
        for client in clients.values():
            client.close()
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def connected(folder: Path, name: str, process: subprocess.Popen[bytes]) -> Client:
    """Return a client of a VPP as soon as it answers: its socket is there a moment before it listens."""
    client, limit = Client(str(folder / "api.sock")), time.monotonic() + _STARTS
    while True:
        try:
            client.connect()
        except TransientError as error:
            if process.poll() is not None or time.monotonic() > limit:
                said = (folder / "log").read_text(errors="replace").strip()
                raise LabError(f"VPP {name} did not start: {said[-500:] or error}") from None
            time.sleep(0.05)
        else:
            return client


def _start(spaces: Spaces, folder: Path, name: str) -> subprocess.Popen[bytes]:
    folder.mkdir()
    plugins = f"path {PLUGINS}" if PLUGINS else ""
    enabled = " ".join(f"plugin {one}_plugin.so {{ enable }}" for one in ("af_packet", "memif"))
    (folder / "startup.conf").write_text(f"""
unix {{ nodaemon cli-listen {folder}/cli.sock runtime-dir {folder} poll-sleep-usec 50 }}
socksvr {{ socket-name {folder}/api.sock }}
api-segment {{ prefix {spaces.name(name)} }}
memory {{ main-heap-size 256M main-heap-page-size 4k }}
buffers {{ page-size 4k buffers-per-numa 16384 }}
statseg {{ size 32M page-size 4k socket-name {folder}/stats.sock }}
plugins {{ {plugins} plugin default {{ disable }} {enabled} }}
""")
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            ["ip", "netns", "exec", spaces.name(name), BINARY or "vpp", "-c", str(folder / "startup.conf")],
            stdout=log,
            stderr=log,
        )


def _wire(spaces: Spaces, folder: Path, clients: dict[str, Client]) -> None:
    """Join pods and VPPs, and give router and egress what they need."""
    for pod, node, address in (("pod-a", "headend", "10.1.0.2"), ("pod-b", "egress", "10.2.0.2")):
        spaces.add(pod)
        spaces.cable((pod, "eth0"), (node, "pod"), 1500)
        spaces.ip(pod, f"address add {address}/24 dev eth0", f"route add default via {address[:-1]}1")
        _cli(clients[node], "create host-interface name pod", "set interface state host-pod up")
    _memif(clients, folder, ("headend", _MEMIF, "fd00:1::1"), ("router", _MEMIF, "fd00:1::2"))
    _memif(clients, folder, ("router", "memif2/0", "fd00:2::1"), ("egress", "memif2/0", "fd00:2::2"))
    _cli(
        clients["router"],
        "sr localsid address fcbb::1 behavior end",
        "sr localsid address fcbb::2 behavior end",
        "ip route add fcdd::/16 via fd00:2::2 memif2/0",
    )
    _cli(
        clients["egress"],
        "set interface ip address host-pod 10.2.0.1/24",
        f"sr localsid address {SERVICE} behavior end.dt4 0",
    )
    limit, shown = time.monotonic() + _STARTS, ""
    while time.monotonic() < limit:
        shown = clients["headend"].cli(f"show interface {_MEMIF}") + clients["egress"].cli(
            "show interface memif2/0"
        )
        if shown.count(" up ") == 2:  # noqa: PLR2004 -- both
            return
        time.sleep(0.05)
    raise LabError(f"the VPPs do not reach each other: {shown.strip()}")


def _memif(
    clients: dict[str, Client], folder: Path, master: tuple[str, str, str], slave: tuple[str, str, str]
) -> None:
    number = master[1].removeprefix("memif").partition("/")[0]
    for role, (name, interface, address) in (("master", master), ("slave", slave)):
        _cli(
            clients[name],
            f"create memif socket id {number} filename {folder}/memif{number}.sock",
            f"create interface memif id 0 socket-id {number} {role}",
            f"set interface state {interface} up",
            f"set interface ip address {interface} {address}/64",
        )


def _cli(client: Client, *commands: str) -> None:
    for command in commands:
        client.cli(command)


def _an_object(kind: str, name: str, **spec: Any) -> Resource:
    return Resource(Key("vpp", SCOPE, kind, name), spec)


def _tables() -> tuple[Resource, ...]:
    return (
        Resource(
            Key("vpp", SCOPE, "table", f"{_TABLE} ipv4"),
            {"id": _TABLE, "family": "ipv4", "name": "intentc/pods"},
        ),
    )


def _overlay() -> tuple[Resource, ...]:
    """Return what the headend holds beside its table."""
    ways = [
        _an_object("route", f"0 {prefix}", table=0, prefix=prefix, next_hop="fd00:1::2", interface=_MEMIF)
        for prefix in ("fcbb::/16", "fcdd::/16")
    ]
    return (
        *ways,
        _an_object("route", "0 cafe:1::/112", table=0, prefix="cafe:1::/112", drop=True),
        _an_object("encap", "source", address="fd00:1::1", hop_limit=64),
        _policy(TURNS[-1]),
        _an_object(
            "steering",
            f"{_TABLE} 10.2.0.0/24",
            table=_TABLE,
            family="ipv4",
            prefix="10.2.0.0/24",
            bsid=BSID,
        ),
    )


def _policy(turn: tuple[tuple[int, tuple[str, ...]], ...]) -> Resource:
    ordered = sorted(turn, key=lambda item: item[1])
    rows = [{"weight": weight, "sids": list(sids)} for weight, sids in ordered]
    return _an_object("policy", BSID, bsid=BSID, encap=True, type="default", fib_table=0, lists=rows)
