"""Six nodes for benchmarks: a stand-in VPP and a real agent process for each, and what they hold.

The stand-ins (tests/vppd) speak VPP's binary protocol in this process; agents are processes of their own, so
that their CPU seconds are theirs alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from bench.timing import ROOT
from intentc.session import begin
from renderers import render
from tests.vppd.server import StandIn

CLUSTER: Final = "edge"
NODES: Final = ("east-1", "east-2", "east-3", "west-1", "west-2", "west-3")
UPLINK: Final = "eth0"
_TICK: Final = 1 / os.sysconf("SC_CLK_TCK")


class Dump(NamedTuple):
    """What matters of a data plane: SIDs, policies with their lists, and where steering leads."""

    sids: frozenset[bytes]
    policies: Mapping[bytes, list[tuple[int, tuple[bytes, ...]]]]
    steering: list[bytes]


def wanted(root: Path) -> dict[str, Dump]:
    """Return what each node shall hold, as a repository whose policies come by Kubernetes says it."""
    graph = begin(root).compiled.graph
    if graph is None:
        sys.exit(f"{root} does not compile")
    found: dict[str, list[tuple[str, Mapping[str, Any]]]] = {node: [] for node in NODES}
    for resource in render(graph, [scope for scope in graph.scopes if scope.kind == "node"]):
        node = resource.key.scope.rpartition("/")[2]
        if node in found and resource.key.family == "vpp":
            found[node].append((resource.key.type, resource.spec))
    return {node: _wanted(rows) for node, rows in found.items()}


def _wanted(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> Dump:
    policies = {
        _packed(spec["bsid"]): sorted(
            (item["weight"], tuple(map(_packed, item["sids"]))) for item in spec["lists"]
        )
        for kind, spec in rows
        if kind == "policy"
    }
    sids = frozenset(_packed(spec["sid"]) for kind, spec in rows if kind == "localsid")
    return Dump(sids, policies, sorted(_packed(spec["bsid"]) for kind, spec in rows if kind == "steering"))


def _packed(address: str) -> bytes:
    return IPv6Address(address).packed


def held(vpp: StandIn) -> Dump:
    """Return what a data plane holds."""
    policies = {
        row["bsid"]: sorted(
            (item["weight"], tuple(item["sids"][: item["num_sids"]])) for item in row["sid_lists"]
        )
        for row in vpp.do("sr_policies_v2_dump")
    }
    sids = frozenset(row["addr"] for row in vpp.do("sr_localsids_dump"))
    return Dump(sids, policies, sorted(row["bsid"] for row in vpp.do("sr_steering_pol_dump")))


class Fleet:
    """The nodes, and their agents."""

    def __init__(self, folder: Path, hosts: Iterable[str], options: Callable[[str], Sequence[str]]) -> None:
        """Say where sockets and states lie, what VPP binds to, and what agents are told."""
        self.folder = folder
        self.options = options
        self.agents: dict[str, subprocess.Popen[bytes]] = {}
        self.vpps = {node: StandIn(folder / f"{node}.sock") for node in NODES}
        for vpp in self.vpps.values():
            vpp.hosts |= dict.fromkeys((UPLINK, *hosts), 1500)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for node, vpp in self.vpps.items():
            self._stack.enter_context(vpp)
            vpp.state.interfaces.create_host(UPLINK, b"")
            self.start(node)
        limit = time.monotonic() + 60
        while not all("SourceReachable" in log.read_text() for log in self.folder.glob("*.agent.log")):
            if time.monotonic() > limit:
                sys.exit(f"the agents do not start: see {self.folder}")
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        for node in list(self.agents):
            self.stop(node)
        self._stack.close()

    def start(self, node: str) -> None:
        """Start the agent of a node."""
        command = [sys.executable, "-m", "intentc", "agent", "--node", f"{CLUSTER}/{node}"]
        command += ["--vpp", str(self.vpps[node].path), "--state", str(self.folder / f"{node}.state")]
        with (self.folder / f"{node}.agent.log").open("ab") as log:
            self.agents[node] = subprocess.Popen([*command, *self.options(node)], cwd=ROOT, stderr=log)

    def stop(self, node: str) -> None:
        """End the agent of a node."""
        agent = self.agents.pop(node)
        agent.terminate()
        agent.wait(20)

    def dumps(self) -> dict[str, Dump]:
        """Return what all data planes hold."""
        return {node: held(vpp) for node, vpp in self.vpps.items()}

    def cpu(self) -> float:
        """Return the CPU seconds that all agents have used."""
        return sum(cpu_of(agent.pid) for agent in self.agents.values())

    def until(self, right: Mapping[str, Dump], seconds: float = 90.0) -> float:
        """Return the seconds until all data planes are right."""
        begun = time.monotonic()
        while self.dumps() != right:
            if time.monotonic() - begun > seconds:
                wrong = [node for node, dump in self.dumps().items() if dump != right[node]]
                sys.exit(
                    f"after {seconds:g} s the data planes of {', '.join(wrong)} are not right: {self.folder}"
                )
            time.sleep(0.01)
        return time.monotonic() - begun


def cpu_of(pid: int) -> float:
    """Return the CPU seconds of a process; 0 where it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) * _TICK
