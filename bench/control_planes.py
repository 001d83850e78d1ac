"""From a commit to the data plane, by NodeOverlays and by BGP: the same intent, the same agents.

The edge cluster of examples/two-datacentres (six nodes in two data centres), once as it is, and once with
control plane `bgp`. The clock starts with the commit to git, `intentc apply` brings it about, and it is done
when the dump of every data plane is right.
Kubernetes is a kube-apiserver where INTENTC_KUBE_APISERVER and INTENTC_ETCD name one, else the stand-in of
the tests; BGP is a gobgpd per node and one for the injector, in network namespaces.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from bench.fleet import CLUSTER, NODES, Dump, Fleet, cpu_of, wanted
from bench.meter import Meter
from bench.timing import ROOT, line
from intentc.session import begin
from lab.spaces import LabError, Spaces, why_not
from reconciler.drivers.gobgp.client import Api
from reconciler.kube import NODES as OVERLAYS
from reconciler.kube import SLICES, connect
from renderers import render
from tests import gobgpd
from tests.apiserver import real, server

EXAMPLE: Final = ROOT / "examples/two-datacentres"
ESTABLISHED: Final = 6
_SETTLED: Final = 2.0
"""Seconds after which everything that was said is counted."""
_CUT: Final = 5.0
"""Seconds that the control plane is away before a change is asked for."""


class Cost(NamedTuple):
    """What one change took."""

    seconds: float
    """From the commit until all data planes are right."""
    applied: float
    """… until `intentc apply` says that it is done."""
    controller: float
    agents: float
    servers: float
    """CPU seconds."""
    messages: int
    size: int
    """Bytes between the control plane and the nodes, with what the controller says to it."""


class Plane(ABC):
    """A control plane under measurement."""

    name: str
    root: Path
    fleet: Fleet

    @abstractmethod
    def counters(self) -> tuple[int, int, float]:
        """Return messages, bytes and CPU seconds of the servers so far."""

    @abstractmethod
    def objects(self) -> str:
        """Say what the control plane holds."""

    @abstractmethod
    def cut(self) -> None:
        """Take the control plane away."""

    @abstractmethod
    def mend(self) -> None:
        """Bring it back."""

    def change(self, right: dict[str, Dump]) -> Cost:
        """Commit and apply what the repository says, and count until it is there and all is quiet."""
        before, agents = self.counters(), self.fleet.cpu()
        begun = time.monotonic()
        _commit(self.root)
        with _applying(self.root) as process, ThreadPoolExecutor(1) as other:
            end = other.submit(lambda: (*_ended(process), time.monotonic() - begun))
            self.fleet.until(right)
            seconds = time.monotonic() - begun
            said, cpu, applied = end.result()
        if process.returncode:
            sys.exit(f"{self.name}: intentc apply ended with {process.returncode}\n{said}")
        time.sleep(_SETTLED)
        messages, size, servers = (now - then for now, then in zip(self.counters(), before, strict=True))
        spent = self.fleet.cpu() - agents
        return Cost(seconds, applied, cpu, spent, servers, int(messages), int(size))


@contextmanager
def _applying(root: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "intentc", "-C", str(root), "apply", "--yes"]
    out = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, text=True) as process:
        yield process


def _ended(process: subprocess.Popen[str]) -> tuple[str, float]:
    """Wait for the end of a process; return what it said, and its CPU seconds."""
    said = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return said, usage.ru_utime + usage.ru_stime


class ByKubernetes(Plane):
    """NodeOverlays at an API server."""

    name = "kubernetes"

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        """Start the API server and the agents."""
        self.root = _copy(folder, self.name)
        self.world: server.World | None = None
        self.server = ""
        if real.WHY:
            self.world, address = stack.enter_context(server.running())
            plain = server.kubeconfig(folder, address)
        else:
            (folder / "server").mkdir()
            plain = stack.enter_context(real.running(folder / "server"))
        self.plain = plain
        said = json.loads(plain.read_text())
        self.meter = stack.enter_context(Meter(said["clusters"][0]["cluster"]["server"]))
        said["clusters"][0]["cluster"]["server"] = self.meter.address
        self.config = self.root / "kubeconfig"
        self.config.write_text(json.dumps(said))
        _targets(self.root, f"{{name: nodes, type: overlay, clusters: [{CLUSTER}], kubeconfig: kubeconfig}}")
        words = ["--from", "kubernetes", "--kubeconfig", str(self.config)]
        self.fleet = stack.enter_context(Fleet(folder, _hosts(self.root), lambda _: words))

    def counters(self) -> tuple[int, int, float]:
        """Count requests, what passes to and from the API server, and its CPU seconds with those of etcd."""
        if self.world is not None:
            return len(self.world.requests), self.meter.passed, 0.0
        pattern = re.compile(
            r"^apiserver_request_total\{.*resource=\"(nodeoverlays|overlayslices|leases)\".* (\S+)$"
        )
        rows = map(pattern.match, real.ask(self.plain, "GET", "/metrics", Accept="text/plain").splitlines())
        requests = sum(float(row[2]) for row in rows if row)
        return int(requests), self.meter.passed, sum(map(cpu_of, _pids("etcd", "kube-apiserver")))

    def objects(self) -> str:
        """Count NodeOverlays and slices."""
        kube = connect(self.plain)
        found = [len(kube.list(kind, "intentc-system").items) for kind in (OVERLAYS, SLICES)]
        kube.close()
        return f"{found[0]} NodeOverlays, {found[1]} OverlaySlices"

    def cut(self) -> None:
        """Let nobody reach the API server."""
        self.meter.cut()

    def mend(self) -> None:
        """Let everybody reach it again."""
        self.meter.mend()


class ByBgp(Plane):
    """SR policies by BGP; the rest of each slice lies in a folder that the agents share."""

    name = "bgp"

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        """Start the speakers and the agents."""
        self.root = _copy(folder, self.name)
        self.folder = folder
        self.spaces = stack.enter_context(Spaces("kube-bgp-"))
        self.spaces.add("hub")
        for at, node in enumerate(NODES, start=1):
            self.spaces.add(node)
            self.spaces.cable(("hub", f"n{at}"), (node, "up"), 1500)
            self.spaces.ip("hub", f"address add fd99:{at}::1/64 dev n{at} nodad")
            self.spaces.ip(node, f"address add fd99:{at}::2/64 dev up nodad")
        self.speakers: list[subprocess.Popen[bytes]] = []
        stack.callback(self.cut)
        self.mend()
        hub = f"{{name: bgp, type: gobgp, address: '{self._api('hub')}', clusters: [{CLUSTER}]}}"
        _targets(self.root, f"{{name: slices, path: slices, clusters: [{CLUSTER}], families: [vpp]}}", hub)
        slices = self.root / "slices"
        slices.mkdir()
        words = ["--from", str(slices), "--gobgp"]
        self.fleet = stack.enter_context(
            Fleet(folder, _hosts(self.root), lambda node: [*words, self._api(node)])
        )

    def counters(self) -> tuple[int, int, float]:
        """Count BGP messages and bytes at the hub (each interface, both directions), and CPU seconds."""
        said = subprocess.run(
            ["gobgp", "--target", self._api("hub"), "-j", "neighbor"],
            capture_output=True,
            text=True,
            check=True,
        )
        messages = sum(
            count
            for peer in json.loads(said.stdout)
            for way in peer["state"]["messages"].values()
            for kind, count in way.items()
            if kind == "total"
        )
        shown = self.spaces.run("hub", "cat", "/proc/net/dev").splitlines()[2:]
        rows = [line.split() for line in shown if line.strip().startswith("n")]
        return (
            messages,
            sum(int(row[1]) + int(row[9]) for row in rows),
            sum(cpu_of(one.pid) for one in self.speakers),
        )

    def objects(self) -> str:
        """Count announcements and files."""
        api = Api(self._api("hub"))
        found = len(api.policies())
        api.close()
        files = sum(
            path.is_file() and ".intentc" not in path.parts for path in (self.root / "slices").rglob("*")
        )
        return f"{found} SAFI 73 routes, and {files} files with the rest"

    def cut(self) -> None:
        """End all speakers."""
        for speaker in self.speakers:
            speaker.kill()
            speaker.wait()
        self.speakers = []

    def mend(self) -> None:
        """Start all speakers, with empty tables."""
        for at, node in enumerate(NODES, start=1):
            self._start(node, at + 1, [f"fd99:{at}::1"])
        self._start("hub", 1, [f"fd99:{at}::2" for at in range(1, len(NODES) + 1)])
        limit = time.monotonic() + 60
        while not self._is_up():
            if time.monotonic() > limit:
                raise LabError(f"the BGP sessions do not come up; see {self.folder}")
            time.sleep(0.1)

    def _is_up(self) -> bool:
        command = ["gobgp", "--target", self._api("hub"), "-j", "neighbor"]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        peers = json.loads(said.stdout) if said.returncode == 0 else []
        return len(peers) == len(NODES) and all(
            peer["state"].get("session_state") == ESTABLISHED for peer in peers
        )

    def _api(self, name: str) -> str:
        return f"unix://{self.folder}/{name}.bgp"

    def _start(self, name: str, number: int, neighbors: Sequence[str]) -> None:
        configuration = self.folder / f"{name}.toml"
        peers = [gobgpd.Neighbor(address) for address in neighbors]
        text = gobgpd.configuration(f"10.0.0.{number}", peers)
        if name != "hub":  # two that call each other at once take long to agree
            text += "[neighbors.transport.config]\npassive-mode = true\n"
        configuration.write_text(text)
        (self.folder / f"{name}.bgp").unlink(missing_ok=True)
        command = ["ip", "netns", "exec", self.spaces.name(name), "gobgpd", "-f", str(configuration)]
        with (self.folder / f"{name}.bgp.log").open("ab") as log:
            self.speakers.append(
                subprocess.Popen([*command, "--api-hosts", self._api(name)], stdout=log, stderr=log)
            )


def measure(folder: Path, _runs: int) -> None:
    """Print what each control plane costs, and what happens without it."""
    line("", "data planes right", "apply done", "CPU s: apply + agents + servers", "messages / bytes", "made")
    why = {
        "kubernetes": "",
        "bgp": why_not() or ("" if shutil.which("gobgpd") else "gobgpd is not installed"),
    }
    for made in (ByKubernetes, ByBgp):
        if why[made.name]:
            line(f"control plane {made.name}", f"skipped: {why[made.name]}", "", "", "", "")
            continue
        place = folder / f"control-{made.name}"
        place.mkdir()
        with ExitStack() as stack:
            _measure(made(place, stack))


def _measure(plane: Plane) -> None:
    whole = _wanted(plane.root)
    _tell(plane, "nothing -> the whole overlay", plane.change(whole), plane.objects())
    _edit(plane.root, "weight: 3", "weight: 5")
    changed = _wanted(plane.root)
    _tell(plane, "one path reweighed, at three headends", plane.change(changed), plane.objects())
    plane.cut()
    _edit(plane.root, "weight: 5", "weight: 7")
    begun = time.monotonic()
    with _applying(plane.root) as process:
        said, _ = _ended(process)
    line(
        f"{plane.name}: cut; apply",
        f"ends after {time.monotonic() - begun:.1f} s with {process.returncode}",
        "",
        "",
        "",
        " ".join(said.split())[-200:],
    )
    plane.fleet.stop(NODES[0])
    plane.fleet.start(NODES[0])
    time.sleep(_CUT)
    stands = plane.fleet.dumps() == changed
    line(
        f"{plane.name}: cut for {_CUT:g} s, one agent restarted",
        f"data planes {'stand' if stands else 'CHANGED'}",
        "",
        "",
        "",
        "",
    )
    plane.mend()
    again = _wanted(plane.root)
    _tell(plane, "back again: the change that waited", plane.change(again), plane.objects())


def _tell(plane: Plane, what: str, cost: Cost, made: str) -> None:
    cpu = f"{cost.controller:.2f} + {cost.agents:.2f} + {cost.servers:.2f}"
    line(
        f"{plane.name}: {what}",
        f"{cost.seconds:.2f} s",
        f"{cost.applied:.2f} s",
        cpu,
        f"{cost.messages} / {cost.size // 1024} KiB",
        made,
    )


def _copy(folder: Path, plane: str) -> Path:
    """Return a copy of the example under a control plane: a repository of git, with nothing in it yet."""
    root = folder / "repository"
    shutil.copytree(EXAMPLE, root)
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    (root / ".git/info/exclude").write_text("slices/\n.intentc/\nkubeconfig\n")
    if plane == "bgp":
        _edit(
            root, "  controlPlane: kubernetes", "  controlPlane: bgp\n  bgp:\n    injector: fd99::1", "edge"
        )
    return root


def _commit(root: Path) -> None:
    git = ["git", "-C", str(root), "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    for words in (["add", "."], ["commit", "-q", "--allow-empty", "-m", "A change"]):
        subprocess.run([*git, *words], check=True)


def _edit(root: Path, before: str, after: str, file: str = "policies") -> None:
    path = root / f"intent/{file}.yaml"
    text = path.read_text()
    if before not in text:
        sys.exit(f"the example has no {before!r} in {path.name} any more")
    path.write_text(text.replace(before, after, 1))


def _targets(root: Path, *targets: str) -> None:
    head = "apiVersion: intentc.dev/v1alpha1\nkind: Project\nmetadata: {name: two-datacentres}\n"
    rows = "".join(f"    - {target}\n" for target in targets)
    (root / "intentc.yaml").write_text(f"{head}spec:\n  targets:\n{rows}")


def _wanted(root: Path) -> dict[str, Dump]:
    """Return what the nodes shall hold; under BGP too it is what Kubernetes would bring them."""
    twin = root.parent / "twin"
    shutil.rmtree(twin, ignore_errors=True)
    shutil.copytree(root, twin, ignore=shutil.ignore_patterns("slices"))
    (twin / "intentc.yaml").write_text((EXAMPLE / "intentc.yaml").read_text())
    shutil.copy(EXAMPLE / "intent/edge.yaml", twin / "intent/edge.yaml")
    return wanted(twin)


def _hosts(root: Path) -> set[str]:
    """Return the interfaces that VPP binds to at the nodes."""
    graph = begin(root).compiled.graph
    found = render(graph) if graph else ()
    return {item.spec["host"] for item in found if item.key.family == "vpp" and item.key.type == "interface"}


def _pids(*names: str) -> Iterator[int]:
    """Yield the processes of this machine with some names; there shall be no others than ours."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            head, _, _ = path.read_text().rpartition(")")
            number, _, name = head.partition(" (")
            if name in names:
                yield int(number)
