"""One lab: the copied example, its namespaces, its pods; what is asked of it, and what it counts."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from compiler.graph import Graph, Scope
from intent.diagnostics import as_text
from intentc.session import begin
from lab import pods, repository, topology
from lab.pods import Pod
from lab.spaces import LabError, Spaces, run, stream
from reconciler.drivers.linux.driver import LEASES
from renderers import render
from renderers.resource import Resource


@dataclass(slots=True)
class Lab:
    """Everything that was built."""

    folder: Path
    spaces: Spaces
    graph: Graph
    nodes: tuple[str, ...]
    pods: dict[str, Pod] = field(default_factory=dict)
    """By node."""

    @property
    def repository(self) -> Path:
        """Where the copied example lies."""
        return self.folder / "example"

    def resources(self, node: str) -> list[Resource]:
        """Return what is rendered for a node, as intent was when the lab was built."""
        return list(render(self.graph, [Scope("node", f"{repository.CLUSTER}/{node}")]))

    def intentc(self, *words: str) -> str:
        """Run the command in the repository; return what it prints."""
        command = [sys.executable, "-m", "intentc", "-C", str(self.repository), *words]
        done = run(command, environment={**os.environ, "XDG_STATE_HOME": str(self.folder / "state")})
        if done.returncode not in (0, 2):
            raise LabError(f"intentc {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def counters(self) -> dict[str, int]:
        """Return the packets that each SID of the routers and nodes took."""
        found: dict[str, int] = {}
        for name in (*self.graph.allocated.resolved.underlay.routers, *self.nodes):
            for row in self.spaces.show(name, "-6 route show table main"):
                if row.get("encap") == "seg6local":
                    found[f"{name} {row['action']} {row['dst']}"] = packets(row)
        return found

    def ping(self, one: str, other: str, family: str, count: int = 20) -> dict[str, Any]:
        """Ping from the pod of a node to that of another."""
        address = getattr(self.pods[other], family)
        interval = "0.002"
        return self.spaces.result(
            self.spaces.stream(self.pods[one].name, "ping", address, str(count), interval)
        )

    def stream(
        self, one: str, other: str, family: str = "ipv4", flows: int = 1
    ) -> AbstractContextManager[dict[str, Any]]:
        """Send numbered packets from the pod of a node to that of another while the block runs."""
        address = getattr(self.pods[other], family)
        return stream(self.spaces, (self.pods[one].name, self.pods[other].name), address, flows=flows)


def packets(row: dict[str, Any]) -> int:
    """Return the counter of a SID."""
    return int(row.get("stats64", row).get("packets", 0))


@contextmanager
def opened(
    prefix: str = "lab-",
    nodes: Sequence[str] = repository.NODES,
    ends: Sequence[str] = ("east-1", "west-1"),
    encapsulation: str = "full",
) -> Iterator[Lab]:
    """Build a lab with some nodes, and a pod on some of them; remove all of it in the end."""
    with Spaces(prefix) as spaces:
        folder = Path(mkdtemp(prefix=f"intentc-{prefix}"))
        leases = [LEASES / f"linux-{prefix}{node}" for node in nodes]
        _remove(*leases)  # of a lab that was killed
        try:
            repository.copy(folder / "example", spaces, tuple(nodes), encapsulation)
            lab = Lab(folder, spaces, _graph(folder / "example"), tuple(nodes))
            lab.intentc("ledger", "update")
            lab.graph = _graph(folder / "example")
            topology.build(spaces, lab.graph, lab.nodes)
            for node in ends:
                conflist = pods.conflist_of(lab.resources(node), node)
                lab.pods[node] = pods.start(spaces, f"pod-{node}", node, conflist, folder / "cni")
            yield lab
        finally:
            _remove(folder, *leases)


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _graph(folder: Path) -> Graph:
    session = begin(folder)
    if session.compiled.graph is None:
        raise LabError(as_text(session.report.sorted(), session.texts))
    return session.compiled.graph
