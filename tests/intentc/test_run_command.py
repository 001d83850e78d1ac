"""`intentc run` and `intentc drift` as processes: exit codes, signals, kill -9, a full disk."""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from intentc.cli import run
from intentc.commands.run import arguments
from tests.agents import LIMIT, until
from tests.remotes import Remote, template

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
DYING = """
import os, signal, sys
from intentc.cli import run
from reconciler.drivers.directory import Directory
commit, left = Directory.commit, int(sys.argv.pop(1))
def dying(*words):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return commit(*words)
Directory.commit = dying
sys.exit(run(sys.argv[1:]))
"""


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("source") / "repo")


@pytest.fixture
def remote(tmp_path: Path, source: Path) -> Remote:
    return Remote.made(tmp_path, source)


@pytest.fixture
def words(tmp_path: Path, remote: Remote) -> list[str]:
    return ["run", "--remote", str(remote.bare), "--state", str(tmp_path / "state")]


def victim(state: Path) -> Path:
    return next(state.rglob("policy.jsonl"))


def status(state: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((state / "status.json").read_text())
    return found


def test_one_turn_has_an_exit_code(
    words: list[str], remote: Remote, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    assert run([*words, "--once"]) == 0
    assert status(state)["applied"] == remote.head
    victim(state).unlink()
    assert run([*words, "--once", "--drift=report"]) == 2
    assert status(state)["condition"] == "drift"
    assert run([*words, "--once"]) == 0
    good = remote.head
    remote.commit({"intent/policy.yaml": "kind: [\n"})
    capsys.readouterr()
    assert run([*words, "--once", "--log=json"]) == 1
    rows = [json.loads(row) for row in capsys.readouterr().err.splitlines()]
    (told,) = [row for row in rows if row.get("event") == "bad-commit"]
    assert re.match(r"intent/policy\.yaml:\d+:\d+: error\[IC\d+\]: ", told["details"][0])
    assert status(state)["accepted"] == good


@pytest.mark.parametrize(
    "wrong",
    [
        ["--remote", "ext::sh"],
        ["--branch", "a..b"],
        ["--trust", "main"],
        ["--interval", "0"],
        ["--interval", "nan"],
        ["--listen", "9090"],
        ["--listen", "x:99999"],
        ["--folder", "../x"],
    ],
)
def test_what_is_asked_for_wrongly_is_refused(
    words: list[str], wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = run([*words, *wrong, "--once"])
    except SystemExit as stop:
        code = int(str(stop.code))
    assert code == 1
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("folder", [".", "/", "./", "intent/.."])
def test_the_top_has_many_names(words: list[str], folder: str) -> None:
    assert run([*words, "--once", "--folder", folder]) == 0


def test_a_container_may_have_no_name_for_its_user(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert run([*words, "--once"]) == 0


def test_a_report_that_breaks_does_not_end_the_loop(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaking(*_: object) -> None:
        raise KeyError("a secret")

    monkeypatch.setattr("reconciler.gitops.report.Reporter.turn", breaking)
    assert run([*words, "--once"]) == 1
    said = capsys.readouterr().err
    assert "intentc broke (KeyError" in said
    assert "secret" not in said


@contextmanager
def start(words: list[str], *more: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command, and end it at the latest with the block."""
    command = [sys.executable, "-m", "intentc", *words, *more]
    with subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def await_line(process: subprocess.Popen[str], text: str) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return line
    raise AssertionError(f"it ended before it said {text!r}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_no_second_one_runs_beside_it(
    words: list[str], capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    with start(words) as process:
        await_line(process, "applied: commit")
        assert run([*words, "--once"]) == 1
        assert "another intentc run is at work" in capsys.readouterr().err
        process.send_signal(number)
        assert process.wait(LIMIT) == 0
    assert run([*words, "--once"]) == 0


def test_after_kill_9_in_the_middle_of_an_apply_it_goes_on(words: list[str], tmp_path: Path) -> None:
    state = tmp_path / "state"
    command = [sys.executable, "-c", DYING, "3", *words, "--once"]
    killed = subprocess.run(command, env=ENVIRONMENT, check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    left = {str(path.relative_to(state)) for path in (state / "targets").rglob("*") if path.is_file()}
    assert left, "it was in the middle"
    assert run([*words, "--once"]) == 0
    other = tmp_path / "other"
    assert run([*words, "--once", "--state", str(other)]) == 0
    trees = [
        {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and ".intentc" not in path.parts
        }
        for folder in (state / "targets", other / "targets")
    ]
    assert trees[0] == trees[1]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of its own with 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.real
def test_a_full_disk_stops_before_the_first_change_and_it_goes_on_afterwards(
    words: list[str], remote: Remote, small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = [*words, "--state", str(small_disk), "--target-root", str(small_disk.parent), "--once"]
    assert run(here) == 0
    kept = victim(small_disk.parent).read_bytes()
    good = remote.head
    new = remote.commit(remote.routed("p2"))
    with (small_disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(b"x" * 4096)
    capsys.readouterr()
    assert run(here) == 1
    said = capsys.readouterr().err
    assert "No space left" in said
    assert "Traceback" not in said
    assert victim(small_disk.parent).read_bytes() == kept
    (small_disk / "filler").unlink()
    assert status(small_disk)["applied"] == good
    assert run(here) == 0
    assert status(small_disk)["applied"] == new
    assert victim(small_disk.parent).read_bytes() != kept


def test_files_that_may_not_grow_stop_nothing_for_good(words: list[str], tmp_path: Path) -> None:
    """The same without a mount: no file may grow, so neither state nor journal can be written."""

    def narrow() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400, resource.RLIM_INFINITY))

    command = [sys.executable, "-m", "intentc", *words, "--once"]
    done = subprocess.run(
        command, env=ENVIRONMENT, check=False, capture_output=True, text=True, preexec_fn=narrow
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "state" / "targets").exists()
    assert run([*words, "--once"]) == 0


def test_a_stuck_loop_is_seen_from_outside(words: list[str], tmp_path: Path) -> None:
    """A notify command that takes its time stands for anything that a loop can be stuck in."""
    waiting = "import os, time\nparent = os.getppid()\nwhile os.getppid() == parent: time.sleep(0.1)"
    slow = shlex.join([sys.executable, "-c", waiting])
    more = ("--listen", "127.0.0.1:0", "--stuck-after", "0.5", "--notify", slow)
    with start(words, *more) as process:
        port = re.search(r":(\d+)/livez", await_line(process, "/livez"))
        assert port is not None
        address = f"http://127.0.0.1:{port[1]}"
        await_line(process, "applied: commit")
        until(lambda: code_of(f"{address}/livez") == 503)
        with urlopen(f"{address}/metrics", timeout=LIMIT) as answer:  # noqa: S310 -- http
            assert b"intentc_turns" in answer.read()
    assert status_is_whole(tmp_path / "state")


def code_of(address: str) -> int:
    try:
        with urlopen(address, timeout=LIMIT) as answer:  # noqa: S310 -- http
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code


def status_is_whole(state: Path) -> bool:
    return not (state / "status.json").exists() or bool(status(state))


def test_drift_of_a_work_tree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init"]) == 0
    assert run(["apply", "--yes"]) == 0
    capsys.readouterr()
    assert run(["drift"]) == 0
    assert "nothing drifted" in capsys.readouterr().out
    victim(tmp_path).unlink()
    assert run(["drift"]) == 2
    out = capsys.readouterr().out
    assert "removed: vpp policy" in out
    assert "intent/" in out
    assert run(["drift", "--format=json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert {entry["kind"] for entry in found["drift"]} == {"missing"}
    assert all(re.match(r"intent/.*:\d+:\d+$", entry["place"]) for entry in found["drift"])
    Path("intent/policy.yaml").write_text("kind: [\n")
    assert run(["drift"]) == 1


def test_the_unit_for_systemd_has_options_that_exist() -> None:
    unit = (ROOT / "deploy" / "intentc-run.service").read_text(encoding="utf-8").replace("\\\n", " ")
    (start,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    program, command, *given = shlex.split(start)
    assert (Path(program).name, command) == ("intentc", "run")
    parser = argparse.ArgumentParser()
    arguments(parser)
    assert parser.parse_args(given).branch == "main"
