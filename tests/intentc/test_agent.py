"""`intentc agent` as a process: signals, kill -9, restarts of the data plane, what it imports.

The data plane is a folder that obeys the driver contract and outlives the process, so every test can look at
it; where there are network namespaces, it is also the kernel.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from intentc.cli import run
from tests.agents import LIMIT, until
from tests.remotes import Remote, git, template

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
PROGRAM = """
import os, signal, sys
from pathlib import Path
from intentc.cli import run
from reconciler.agent.dataplane import Vpp
from reconciler.drivers.base import TransientError
from reconciler.drivers.directory import Directory
plane, left = Path(sys.argv.pop(1)), int(sys.argv.pop(1))
commit = Directory.commit
def probe(self):
    try:
        return (plane / "instance").read_text()
    except OSError as error:
        raise TransientError(f"no VPP: {error.strerror}") from error
def dying(*words):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return commit(*words)
Vpp.probe, Vpp.open = probe, lambda self, scope, run: Directory("vpp", plane / "objects")
Directory.commit = dying
sys.exit(run(sys.argv[1:]))
"""
"""An agent whose VPP is a folder, and that dies before the commit with a number."""


class Bench:
    """A tree of rendered files, a data plane, and agents between them."""

    def __init__(self, folder: Path, source: Path) -> None:
        self.tree = folder / "tree"
        shutil.copytree(source, self.tree)
        self.plane = folder / "plane"
        self.plane.mkdir()
        self.folder = folder
        self.boot("one")
        self.started: list[subprocess.Popen[str]] = []

    def boot(self, instance: str) -> None:
        """Start the data plane (anew): it is empty."""
        self.clear()
        (self.plane / "instance").write_text(instance)

    def clear(self) -> None:
        """Take away what the data plane holds at once, whoever is about to write to it."""
        if (self.plane / "objects").exists():
            (self.plane / "objects").rename(self.plane / f"gone {time.monotonic_ns()}")

    def words(self, *more: str) -> list[str]:
        known = ["agent", "--node", "worker-1", "--vpp", "x", "--state", str(self.folder / "state")]
        known += ["--status", str(self.folder / "status.json"), "--log", "json"]
        return [*known, *([] if "--from" in more else ["--from", str(self.tree)]), *more]

    def start(self, *more: str, dying: int = 0, **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PROGRAM, str(self.plane), str(dying), *self.words(*more)]
        process = subprocess.Popen(
            command, env={**ENVIRONMENT, **environment}, stderr=subprocess.PIPE, text=True
        )
        self.started.append(process)
        return process

    @property
    def is_whole(self) -> bool:
        """Whether the data plane holds what the tree says of the node, and nothing else."""
        return self.wanted() == self.objects()

    def wanted(self) -> dict[str, str]:
        return _texts(self.tree / "vpp" / "node" / "edge" / "worker-1")

    def objects(self) -> dict[str, str]:
        return _texts(self.plane / "objects" / "vpp" / "node" / "edge" / "worker-1")

    @property
    def said(self) -> str:
        """What the status file says; empty where there is none yet."""
        path = self.folder / "status.json"
        return path.read_text() if path.exists() else ""

    def status(self) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.folder / "status.json").read_text())
        return found


def _texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.glob("*.jsonl")} if folder.is_dir() else {}


@pytest.fixture(scope="session")
def intent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("intent") / "repo")


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory, intent: Path) -> Path:
    work = tmp_path_factory.mktemp("rendered") / "work"
    shutil.copytree(intent, work)
    assert run(["-C", str(work), "apply", "--yes"]) == 0
    return work / "rendered"


@pytest.fixture
def bench(tmp_path: Path, rendered: Path) -> Iterator[Bench]:
    found = Bench(tmp_path, rendered)
    yield found
    for process in found.started:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=LIMIT)


def ended(process: subprocess.Popen[str]) -> tuple[int, list[dict[str, object]]]:
    """Ask a process to end; return its exit code and its log."""
    process.send_signal(signal.SIGTERM)
    _, words = process.communicate(timeout=LIMIT)
    return process.returncode, [json.loads(row) for row in words.splitlines()]


def test_from_start_to_end(bench: Bench) -> None:
    process = bench.start()
    until(lambda: bench.is_whole)
    until(lambda: bench.said and bench.status()["applied"])
    code, log = ended(process)
    assert code == 0
    assert [row["event"] for row in log if "event" in row] == ["applied"]
    assert {row["level"] for row in log} == {"info"}
    assert log[-1]["message"] == "asked to stop; what was applied so far stays"
    assert bench.is_whole


@pytest.mark.parametrize("at", [1, 2, 4])
def test_kill_9_at_any_time_loses_nothing(bench: Bench, at: int) -> None:
    process = bench.start(dying=at)
    process.wait(LIMIT)
    assert process.returncode == -signal.SIGKILL
    assert not bench.is_whole
    again = bench.start()
    until(lambda: bench.is_whole)
    code, log = ended(again)
    assert code == 0
    assert "is changing target" not in str(log), "the lease of the dead one is no obstacle"


def test_a_restart_of_the_data_plane(bench: Bench) -> None:
    bench.start()
    until(lambda: bench.is_whole)
    bench.boot("two")
    until(lambda: bench.is_whole)
    bench.clear()
    (bench.plane / "instance").unlink()
    until(lambda: "no VPP" in bench.said)
    bench.boot("three")
    until(lambda: bench.is_whole)


def test_the_tree_is_followed_and_may_be_away(bench: Bench) -> None:
    process = bench.start()
    until(lambda: bench.is_whole)
    before = bench.objects()
    bench.tree.rename(bench.tree.with_name("aside"))
    until(lambda: "there is no folder" in bench.said)
    assert bench.objects() == before
    assert process.poll() is None
    bench.tree.with_name("aside").rename(bench.tree)
    steering = bench.tree / "vpp" / "node" / "edge" / "worker-1" / "steering.jsonl"
    steering.write_text("".join(steering.read_text().splitlines(keepends=True)[:-1]))
    until(lambda: bench.is_whole)


def test_a_tree_that_lost_everything_empties_no_node(bench: Bench) -> None:
    process = bench.start()
    until(lambda: bench.is_whole)
    before = bench.objects()
    shutil.rmtree(bench.tree / "vpp")
    until(lambda: "there is nothing for node worker-1" in bench.said)
    assert ended(process)[0] == 0
    assert bench.objects() == before
    (bench.folder / "status.json").unlink()
    again = bench.start()
    until(lambda: "there is nothing for node worker-1" in bench.said)
    assert ended(again)[0] == 0
    assert bench.objects() == before


def test_intent_in_git_is_followed(bench: Bench, intent: Path) -> None:
    remote = Remote.made(bench.folder, intent)
    bench.start("--from", f"git+{remote.bare}", "--interval", "0.2")
    until(lambda: bench.is_whole)
    remote.commit(remote.routed("p1"))
    until(lambda: remote.head in bench.said)
    until(lambda: bench.status()["revision"] == remote.head)
    assert not bench.is_whole, "the tree says what the first commit said"


def test_once(bench: Bench) -> None:
    process = bench.start("--once")
    assert process.wait(LIMIT) == 0
    assert bench.is_whole
    (bench.plane / "instance").unlink()
    assert bench.start("--once").wait(LIMIT) == 1
    bench.boot("two")
    assert bench.start("--once", "--from", str(bench.folder / "nowhere")).wait(LIMIT) == 1
    assert bench.objects() == {}


def test_once_asks_the_remote_whatever_is_remembered(bench: Bench, intent: Path) -> None:
    remote = Remote.made(bench.folder, intent)
    words = ("--once", "--from", f"git+{remote.bare}", "--interval", "1000")
    assert bench.start(*words).wait(LIMIT) == 0
    remote.commit(remote.routed("p1"))
    assert bench.start(*words).wait(LIMIT) == 0
    assert bench.status()["revision"] == remote.head
    good = remote.head
    remote.commit({"intent/policy.yaml": "kind: [\n"})
    assert bench.start(*words).wait(LIMIT) == 1, (
        "the head is broken: the last good one stays, and that is told"
    )
    assert bench.status()["revision"] == good
    assert "does not compile" in str(bench.status()["message"])


def test_once_asks_the_remote_where_what_is_remembered_is_refused(bench: Bench) -> None:
    """Such as a commit that was cut off: each run would end by it, and never see the one that mends it."""
    git(bench.tree, "init", "--quiet", "--initial-branch=main")
    git(bench.tree, "add", "--all")
    git(bench.tree, "commit", "--quiet", "--message=rendered")
    remote = Remote.made(bench.folder, bench.tree)
    words = ("--once", "--from", f"git+{remote.bare}", "--interval", "1000")
    name = "vpp/node/edge/worker-1/policy.jsonl"
    whole = (remote.work / name).read_text()
    remote.commit({name: "".join(whole.splitlines(keepends=True)[:-1])})
    assert bench.start(*words).wait(LIMIT) == 1
    assert "is not complete" in bench.said
    assert bench.start(*words).wait(LIMIT) == 1
    assert "is not complete" in bench.said
    remote.commit({name: whole})
    assert bench.start(*words).wait(LIMIT) == 0
    assert bench.is_whole


def test_pages(bench: Bench) -> None:
    process = bench.start("--listen", "127.0.0.1:0")
    assert process.stderr is not None
    first = json.loads(process.stderr.readline())["message"]
    place = first.removeprefix("health at http://").removesuffix("/healthz")

    def get(path: str) -> tuple[int, str]:
        try:
            with urlopen(f"http://{place}{path}", timeout=LIMIT) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    until(lambda: get("/readyz")[0] == 200)
    assert get("/healthz")[0] == 200
    until(lambda: 'intentc_agent_condition{type="Applied"} 1.0' in get("/metrics")[1])
    (bench.plane / "instance").unlink()
    until(lambda: get("/readyz")[0] == 503)
    assert get("/healthz")[0] == 200


def test_systemd_is_told(bench: Bench, tmp_path: Path) -> None:
    told: list[bytes] = []

    def listen(listening: socket.socket) -> None:
        while not told or told[-1] != b"STOPPING=1":
            told.append(listening.recv(100))

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(LIMIT)
        thread = threading.Thread(target=listen, args=(listening,))
        thread.start()
        process = bench.start(NOTIFY_SOCKET=str(tmp_path / "notify"))
        until(lambda: bench.is_whole and b"WATCHDOG=1" in told)
        ended(process)
        thread.join(LIMIT)
    assert told[0] == b"READY=1"
    assert set(told[1:-1]) == {b"WATCHDOG=1"}
    assert told[-1] == b"STOPPING=1"


@pytest.mark.parametrize("command", ["agent --node w1 --from .", "run --remote ."])
def test_a_state_folder_that_cannot_be_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    (tmp_path / "file").write_text("")
    assert run([*command.split(), "--state", str(tmp_path / "file" / "x"), "--once"]) == 1
    said = capsys.readouterr().err
    assert f"cannot keep the state in {tmp_path / 'file' / 'x'}: Not a directory" in said
    assert "say another --state" in said


def test_two_agents_do_not_share_a_folder(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.start()
    until(lambda: bench.is_whole)
    assert run(bench.words()) == 1
    assert "another intentc agent is at work" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        ["--node", ""],
        ["--node", "a/b/c"],
        ["--node", "/w1"],
        ["--node", "../w1"],
        ["--linux", "blue"],
        ["--resync", "0"],
        ["--resync", "5 weeks"],
        ["--from", "git+ext::sh"],
        ["--listen", "9090"],
    ],
)
def test_what_is_asked_for_wrongly_is_refused(
    bench: Bench, wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = run(bench.words("--once", *wrong))
    except SystemExit as stop:
        code = int(str(stop.code))
    assert code == 1
    assert "Traceback" not in capsys.readouterr().err


def test_a_bug_is_not_told_as_a_user_without_a_home(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaking(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("reconciler.agent.agent.Agent.run", breaking)
    with pytest.raises(RuntimeError, match="new thread"):
        run(bench.words("--once"))


def test_only_what_is_used_is_imported(bench: Bench) -> None:
    program = PROGRAM.replace(
        "sys.exit(run(sys.argv[1:]))", "run(sys.argv[1:]); print(*sys.modules, sep='\\n')"
    )
    command = [sys.executable, "-c", program, str(bench.plane), "0", *bench.words("--once")]
    done = subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True, text=True)
    found = set(done.stdout.split())
    assert bench.is_whole
    unused = {"grpc", "jinja2", "kubernetes", "prometheus_client", "rich", "rustworkx", "vpp_papi"}
    assert found & unused == set()
    ours = {
        name for name in found if name.startswith(("compiler.lower", "compiler.check", "reconciler.gitops"))
    }
    assert ours == set()


NETNS = f"intentc-agent-{os.getpid()}"
NAMESPACES = os.geteuid() == 0 and shutil.which("ip") is not None


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def namespace() -> Iterator[str]:
    try:
        ip("netns", "add", NETNS)
        ip("-n", NETNS, "link", "add", "eth0", "type", "veth", "peer", "name", "peer0")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespaces here: {error.stderr}")
    try:
        for name in ("lo", "eth0", "peer0"):
            ip("-n", NETNS, "link", "set", name, "up")
        ip("-n", NETNS, "address", "add", "fd11::1/64", "dev", "eth0", "nodad")
        yield NETNS
    finally:
        ip("netns", "delete", NETNS)
        shutil.rmtree(f"/run/intentc/linux-{NETNS}", ignore_errors=True)


@pytest.mark.real
@pytest.mark.skipif(not NAMESPACES, reason="needs root and iproute2")
def test_the_kernel_as_data_plane(namespace: str, tmp_path: Path, intent: Path) -> None:
    work = tmp_path / "work"
    shutil.copytree(intent, work)
    cluster = work / "intent" / "cluster.yaml"
    cluster.write_text(cluster.read_text().replace("dataplane: vpp", "dataplane: linux"))
    assert run(["-C", str(work), "ledger", "update"]) == 0
    assert run(["-C", str(work), "apply", "--yes"]) == 0
    words = ["agent", "--node", "edge/worker-1", "--from", str(work / "rendered"), "--linux", namespace]
    words += ["--state", str(tmp_path / "state"), "--status", str(tmp_path / "status.json"), "--once"]
    assert run(words) == 0, (tmp_path / "status.json").read_text()
    shown = ip("-n", namespace, "-6", "route", "show", "proto", "151")
    assert "seg6local action End.DT6 table main" in shown
    assert "encap seg6" in shown
    ip("-n", namespace, "-6", "route", "delete", "fcbb:0:1::/48", "proto", "151")
    assert run(words) == 0
    assert ip("-n", namespace, "-6", "route", "show", "proto", "151") == shown
