"""The lab, as `make lab` shows it, and a short version of `make lab-loss`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import loss, pods, repository
from lab.__main__ import story
from lab.network import Lab, opened
from lab.spaces import LabError
from tests.kernels import needed

pytestmark = pytest.mark.real
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _able() -> None:
    needed()


@pytest.fixture
def small() -> Iterator[Lab]:
    """Give a lab of one node in each data centre."""
    with opened(f"lab-{os.getpid()}-", ("east-1", "west-1")) as lab:
        lab.intentc("apply", "--yes")
        yield lab


def spaces() -> set[str]:
    shown = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True)
    return {line.split()[0] for line in shown.stdout.splitlines()}


def test_the_story_is_true_to_the_end() -> None:
    told: list[str] = []
    prefix = f"lab-{os.getpid()}-"
    assert story(told.append, prefix) == 0, told
    text = "\n".join(told)
    assert "nothing to change; 214 unchanged" in text
    assert text.count("of 100") == 4 == text.count("100 of 100")
    _, split, change, bulk = text.split("policy     east-to-west, ")
    for way in ("p1 End ", "p3 End ", "p2 End.X "):
        assert way in split
    assert "(18 hitless)" in change
    assert "0 of" in change
    assert "p2 End.X " in bulk
    assert "p1 End " not in bulk
    assert "p3 End " not in bulk
    assert [name for name in spaces() if name.startswith(prefix)] == []


def test_no_packet_is_lost_over_policy_changes(small: Lab) -> None:
    found = {family: loss.measure(small, 20, 30_000, family) for family in ("ipv4", "ipv6")}
    for one in found.values():
        assert one.sent >= 25_000
        assert (one.lost, one.twice) == (0, 0), str(one)


def test_a_broken_path_loses_packets_so_the_count_can_be_believed(small: Lab) -> None:
    with small.stream("east-1", "west-1", flows=64) as report:
        time.sleep(0.3)
        small.spaces.ip("p3", "link set p3-a2 down")
        time.sleep(0.3)
    assert report["lost"] > 1000


def test_pods_by_hand_are_as_good_as_by_plugins(small: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pods, "able", lambda _: False)
    conflist = pods.conflist_of(small.resources("west-1"), "west-1")
    for entries in conflist["plugins"][0]["ipam"]["ranges"]:
        entries[0]["rangeStart"] = entries[0]["rangeEnd"]
    small.pods["west-1"] = pods.start(small.spaces, "second", "west-1", conflist, small.folder)
    for family in ("ipv4", "ipv6"):
        assert small.ping("east-1", "west-1", family) == {"sent": 20, "received": 20}


@pytest.mark.parametrize("encapsulation", ["reduced"])
def test_other_encapsulations_arrive_too(encapsulation: str) -> None:
    with opened(f"lab-{os.getpid()}-", ("east-1", "west-1"), encapsulation=encapsulation) as lab:
        lab.intentc("apply", "--yes")
        for family in ("ipv4", "ipv6"):
            assert lab.ping("east-1", "west-1", family) == {"sent": 20, "received": 20}


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
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
        if line.startswith("ping"):
            break
    assert any(name.startswith(prefix) for name in spaces())
    os.killpg(process.pid, how)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "broken off" in out
    assert [name for name in spaces() if name.startswith(prefix)] == []


def test_what_the_copy_of_the_example_does_not_find_is_said(tmp_path: Path) -> None:
    (tmp_path / "intent").mkdir()
    (tmp_path / repository.POLICIES).write_text("nothing of that kind\n---\n")
    with pytest.raises(LabError, match="no candidate path bulk"):
        repository.prefer(tmp_path, "bulk")
