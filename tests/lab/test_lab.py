"""The lab, as `make lab` shows it, and a short version of `make lab-loss`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab import __main__, loss, pods, repository, vpps
from lab.__main__ import nothing_left, story
from lab.network import Lab, opened
from lab.spaces import LabError, Spaces, batch, stream
from reconciler.drivers.base import TransientError
from tests.agents import until
from tests.kernels import needed

pytestmark = pytest.mark.real
ROOT = Path(__file__).parents[2]
ENOUGH = 2000
"""Packets that show a loss at each change; a machine with nothing else to do sends ten times as many."""
TRIES = 3
"""What changes lose, they lose each time; what a busy machine loses, it does not."""


@pytest.fixture(autouse=True)
def _able() -> None:
    needed()


@pytest.fixture(scope="module")
def small() -> Iterator[Lab]:
    """Give a lab of one node in each data centre; whoever breaks something in it comes last."""
    needed()
    with opened(f"lab-{os.getpid()}-small-", ("east-1", "west-1")) as lab:
        lab.intentc("apply", "--yes")
        yield lab


def spaces() -> set[str]:
    shown = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True)
    return {line.split()[0] for line in shown.stdout.splitlines()}


def told(prefix: str) -> str:
    """Run the story, and return what it told."""
    lines: list[str] = []
    story(lines.append, prefix)
    return "\n".join(lines)


def streams(text: str) -> list[tuple[int, int]]:
    """Return how many packets of each stream of the story were lost, and how many were sent."""
    found = re.findall(r"(\d+) of ([\d,]+) packets lost", text)
    return [(int(lost), int(sent.replace(",", ""))) for lost, sent in found]


def test_the_story_is_true_to_the_end() -> None:
    prefix = f"lab-{os.getpid()}-story-"
    text = told(prefix)
    for _ in range(TRIES - 1):
        if any((lost, sent > ENOUGH) != (0, True) for lost, sent in streams(text)):
            text = told(prefix)
    assert "nothing to change; 214 unchanged" in text
    assert text.count("of 100") == 4 == text.count("100 of 100")
    _, split, change, bulk = text.split("policy     east-to-west, ")
    for way in ("p1 End ", "p3 End ", "p2 End.X "):
        assert way in split
    assert "(18 hitless)" in change
    assert [(lost, sent > ENOUGH) for lost, sent in streams(text)] == [(0, True)] * 3, text
    assert "p2 End.X " in bulk
    assert "p1 End " not in bulk
    assert "p3 End " not in bulk
    assert [name for name in spaces() if name.startswith(prefix)] == []


def test_no_packet_is_lost_over_policy_changes(small: Lab) -> None:
    for family in ("ipv4", "ipv6"):
        one = loss.measure(small, 20, 30_000, family)
        for _ in range(TRIES - 1):
            if one.lost or one.sent < ENOUGH:
                one = loss.measure(small, 20, 30_000, family)
        assert one.sent >= ENOUGH
        assert (one.lost, one.twice) == (0, 0), str(one)


def test_pods_by_hand_are_as_good_as_by_plugins(small: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pods, "able", lambda _: False)
    conflist = pods.conflist_of(small.resources("west-1"), "west-1")
    for entries in conflist["plugins"][0]["ipam"]["ranges"]:
        entries[0]["rangeStart"] = entries[0]["rangeEnd"]
    second = pods.start(small.spaces, "second", "west-1", conflist, small.folder)
    monkeypatch.setitem(small.pods, "west-1", second)
    for family in ("ipv4", "ipv6"):
        assert small.ping("east-1", "west-1", family) == {"sent": 20, "received": 20}


def sending(lab: Lab, node: str, count: int) -> None:
    """Wait until the pod of a node has sent some more packets."""

    def sent() -> int:
        (row,) = lab.spaces.show(lab.pods[node].name, "link show eth0")
        return int(row["stats64"]["tx"]["packets"])

    before = sent()
    until(lambda: sent() > before + count)


def test_a_broken_path_loses_packets_so_the_count_can_be_believed(small: Lab) -> None:
    with small.stream("east-1", "west-1", flows=64) as report:
        sending(small, "east-1", 6000)
        small.spaces.ip("p3", "link set p3-a2 down")
        sending(small, "east-1", 6000)
    assert report["lost"] > 1000


@pytest.mark.parametrize("encapsulation", ["reduced"])
def test_other_encapsulations_arrive_too(encapsulation: str) -> None:
    with opened(f"lab-{os.getpid()}-other-", ("east-1", "west-1"), encapsulation=encapsulation) as lab:
        lab.intentc("apply", "--yes")
        for family in ("ipv4", "ipv6"):
            assert lab.ping("east-1", "west-1", family) == {"sent": 20, "received": 20}


def test_a_plan_that_is_not_empty_after_an_apply_is_not_as_promised() -> None:
    told: list[str] = []
    for said, missing in (("nothing to change; 214 unchanged", 0), ("1 to change; 213 unchanged", 1)):
        lab = cast("Lab", SimpleNamespace(intentc=lambda *_, said=said: f"{said}\n"))
        assert nothing_left(lab, told.append) == missing
        assert said in told[-1]


def test_two_labs_of_the_same_name_do_not_build_over_each_other() -> None:
    prefix = f"lab-{os.getpid()}-two-"
    with Spaces(prefix) as one:
        one.add("x")
        one.ip("x", "link add eth0 type veth peer p0")
        with pytest.raises(LabError, match="another lab"), Spaces(prefix) as other:
            other.add("x")
        assert one.show("x", "link show eth0")
    with Spaces(prefix) as again:
        again.add("x")
    assert [name for name in spaces() if name.startswith(prefix)] == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_removes_the_namespaces_is_not_broken_off(
    how: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    def impatient(command: Sequence[str], *rest: Any, **more: Any) -> Any:
        if "delete" in command:
            os.kill(os.getpid(), how)
        return real(command, *rest, **more)

    real, before = subprocess.run, signal.signal(how, __main__.end)
    prefix = f"lab-{os.getpid()}-end-"
    try:
        with Spaces(prefix) as made:
            made.add("x")
            made.add("y")
            monkeypatch.setattr(subprocess, "run", impatient)
    finally:
        signal.signal(how, before)
        monkeypatch.undo()
    assert [name for name in spaces() if name.startswith(prefix)] == []


@pytest.mark.parametrize(
    "words",
    ["loss --packets 0", "loss --changes -1", "--prefix ../x-", "--prefix x-", f"--prefix lab-{'a' * 250}"],
)
def test_what_makes_no_sense_is_refused(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["lab", *words.split()])
    with pytest.raises(SystemExit) as raised:
        __main__.main()
    assert raised.value.code == 2
    assert "error: argument" in capsys.readouterr().err


def test_a_stream_that_sent_nothing_lost_nothing_and_proves_nothing() -> None:
    with Spaces(f"lab-{os.getpid()}-mute-") as made:
        made.add("x")
        made.add("y")
        made.cable(("x", "eth0"), ("y", "eth0"), 1500)
        made.ip("x", "address add 10.1.0.1/24 dev eth0")
        made.ip("y", "address add 10.1.0.2/24 dev eth0")
        with (
            pytest.raises(LabError, match="no packet was sent"),
            stream(made, ("x", "y"), "10.1.0.2", rate=0),
        ):
            pass


def test_a_program_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.spaces.LIMIT", 0.1)
    with pytest.raises(LabError, match="did not end within"):
        batch(["sleep", "5"], ["x"])


def test_a_vpp_that_does_not_start_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vpps, "BINARY", "/bin/false")
    with pytest.raises(LabError, match="VPP headend did not start"):
        vpps.measure(1, 1000, 1000, f"lab-{os.getpid()}-vpp-")


def test_a_vpp_that_does_not_listen_yet_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Late:
        tries = 0

        def __init__(self, socket: str) -> None:
            assert socket == str(tmp_path / "api.sock")

        def connect(self) -> None:
            Late.tries += 1
            if Late.tries < 3:
                raise TransientError("Connection refused")

    monkeypatch.setattr(vpps, "Client", Late)
    alive = cast("subprocess.Popen[bytes]", SimpleNamespace(poll=lambda: None))
    assert isinstance(vpps.connected(tmp_path, "headend", alive), Late)
    assert Late.tries == 3


def test_who_is_not_root_is_told_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    monkeypatch.setattr(sys, "argv", ["lab"])
    assert __main__.main() == 0
    assert "skipped: it needs root: the kernel lets nobody else set the source" in capsys.readouterr().out


def test_in_a_namespace_of_users_the_kernel_is_asked() -> None:
    """Everything works there but one thing; a kernel that let it be done would run the lab."""
    alone = ("unshare", "-Urnm")
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no namespace of users can be made here")
    program = "from lab.spaces import why_not; print(why_not())"
    done = subprocess.run(
        [*alone, sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.strip()
    assert not said or "not permitted" in said


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_lab_that_is_broken_off_leaves_nothing_behind(how: signal.Signals) -> None:
    prefix = f"lab-{os.getpid()}-{how.name.lower()}-"
    process = subprocess.Popen(
        [sys.executable, "-m", "lab", "--prefix", prefix],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    for line in process.stdout:
        if line.startswith("built"):  # so it is applying
            break
    assert any(name.startswith(prefix) for name in spaces())
    os.killpg(process.pid, how)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "broken off" in out
    assert [name for name in spaces() if name.startswith(prefix)] == []


def test_what_the_copy_of_the_example_does_not_find_is_said(tmp_path: Path) -> None:
    (tmp_path / "intent").mkdir()
    (tmp_path / repository.POLICIES).write_text("nothing of that kind\n---\n")
    with pytest.raises(LabError, match="no candidate path bulk"):
        repository.prefer(tmp_path, "bulk")
