"""The agent with its threads: what it notices by itself, and whether it is alive."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.agent.branch import GitSource
from reconciler.agent.slice import NodeStatus, Slice
from reconciler.agent.watch import LookAtSource, Watcher
from reconciler.drivers.base import PermanentError, TransientError
from tests.agents import TABLE, Running, Source, announced, resources, steering, until


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    found = Running(tmp_path)
    yield found
    if found.thread.ident is None:
        found.thread.start()
    found.close()


def test_it_is_alive_and_then_ready(running: Running) -> None:
    assert running.get("/readyz")[0] == 503
    assert running.get("/healthz")[0] == 503, "no watcher runs yet"
    running.thread.start()
    until(lambda: running.holds(1))
    until(lambda: running.get("/readyz")[0] == 200)
    code, words = running.get("/healthz")
    assert code == 200
    assert [row.partition(":")[0] for row in words.splitlines()] == [
        "agent",
        "source",
        "report",
        "policies",
        "dataplane",
    ]
    until(lambda: running.given.reports)
    until(lambda: running.given.reports[-1].applied == Slice(resources(1), "").digest)


def test_a_change_of_the_source_is_applied_at_once(running: Running) -> None:
    running.thread.start()
    until(lambda: running.holds(1))
    running.given.give(Slice(resources(1, 2), "two"))
    assert until(lambda: running.holds(1, 2)) < 4


def test_a_restart_is_noticed_within_two_seconds(running: Running) -> None:
    running.thread.start()
    until(lambda: running.holds(1))
    running.plane.restart()
    assert until(lambda: running.holds(1)) < 2


def test_a_data_plane_that_is_away_for_a_while(running: Running) -> None:
    running.plane.down = "connection refused"
    running.thread.start()
    until(lambda: "connection refused" in running.get("/readyz")[1])
    running.plane.down = ""
    assert until(lambda: running.holds(1)) < 4
    running.plane.down = "connection refused"
    until(lambda: running.get("/readyz")[0] == 503)
    assert running.get("/healthz")[0] == 200, "that is no fault of the agent"
    running.plane.down = ""
    until(lambda: running.get("/readyz")[0] == 200)


def test_drift_is_corrected_on_a_timer(tmp_path: Path) -> None:
    running = Running(tmp_path, resync=0.2)
    running.thread.start()
    until(lambda: running.holds(1))
    for _ in range(3):
        del running.plane.driver.ours[steering(1).key]
        until(lambda: running.holds(1))
    running.close()


def test_policies_that_come_late_are_used_at_once(running: Running) -> None:
    running.given.give(Slice((TABLE, steering(1)), "one", policies_by_bgp=True))
    running.thread.start()
    until(lambda: TABLE.key in running.plane.driver.ours)
    assert not running.holds(1)
    running.feed.give((announced(1),))
    assert until(lambda: running.holds(1)) < 4
    running.feed.give(TransientError("connection refused"))
    until(lambda: "connection refused" in running.words.getvalue())
    assert running.holds(1)


def test_the_family_of_the_first_slice_chooses_the_data_plane(tmp_path: Path) -> None:
    running = Running(tmp_path, family="")
    assert running.agent.hand is None
    running.thread.start()
    until(lambda: running.holds(1))
    assert running.get("/healthz")[0] == 200
    running.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("name", ["source", "report", "policies", "dataplane"])
def test_a_dead_watcher_is_not_alive(running: Running, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A thread that ends by what nobody expected is not started again, but the agent is."""
    running.thread.start()
    until(lambda: running.get("/healthz")[0] == 200)
    (watcher,) = [entry for entry in running.agent.watchers if entry.name == name]

    def dying(_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(watcher, "turn", dying)
    running.given.changed.set()
    running.feed.changed.set()
    running.agent.report.news.set()
    until(lambda: running.get("/healthz")[0] == 503)
    assert f"{name}: dead" in running.get("/healthz")[1]


def test_a_stuck_watcher_is_not_alive(running: Running) -> None:
    stuck = threading.Event()
    running.thread.start()
    until(lambda: running.holds(1))
    running.plane.probing = lambda: stuck.wait(60)
    time.sleep(1.1)
    assert running.get("/healthz")[0] == 200
    running.ahead = 70
    running.agent.inbox.put(None)
    until(lambda: running.get("/healthz")[0] == 503)
    assert "dataplane: silent for" in running.get("/healthz")[1]
    stuck.set()
    until(lambda: running.get("/healthz")[0] == 200)


def test_a_stuck_agent_is_not_alive(running: Running) -> None:
    stuck = threading.Event()
    running.plane.driver.sleep = lambda _: None
    observe = running.plane.driver.observe

    def stopping() -> object:
        stuck.wait(60)
        return observe()

    running.plane.driver.observe = stopping  # type: ignore[assignment,method-assign]  # it hangs
    running.thread.start()
    until(lambda: running.agent.state.instance)
    running.ahead = 400
    until(lambda: running.get("/healthz")[0] == 503)
    assert "agent: last progress 40" in running.get("/healthz")[1]
    stuck.set()
    until(lambda: running.holds(1))


@pytest.mark.parametrize("what", ["read", "wait", "probe", "feed"])
def test_a_bug_in_what_is_watched_ends_no_watcher(
    running: Running, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def breaking(*_: object) -> None:
        raise KeyError("a secret")

    place: dict[str, tuple[object, str]] = {
        "read": (running.given, "read"),
        "wait": (running.given, "wait"),
        "probe": (running.plane, "probe"),
        "feed": (running.feed, "read"),
    }
    running.thread.start()
    until(lambda: running.holds(1))
    monkeypatch.setattr(*place[what], breaking)
    running.given.changed.set()
    running.feed.changed.set()
    if what != "feed":
        until(lambda: "intentc broke (KeyError" in running.words.getvalue())
    assert running.get("/healthz")[0] == 200
    monkeypatch.undo()
    until(lambda: running.get("/readyz")[0] == 200)
    assert "secret" not in running.words.getvalue()


def test_a_status_that_nobody_takes_is_offered_again(running: Running) -> None:
    running.given.refusing = TransientError("the server is away")
    running.thread.start()
    until(lambda: "cannot be reported: the server is away" in running.words.getvalue())
    assert running.holds(1)
    running.given.refusing = None
    until(lambda: running.given.reports)
    assert running.given.reports[-1].applied


def test_the_last_word_is_told_again_now_and_then(running: Running) -> None:
    """The source knows whether it has it still."""
    running.agent.report.every = 0.1
    running.thread.start()
    until(lambda: running.get("/readyz")[0] == 200)
    told = running.given.reports
    until(lambda: told and told[-1] is running.agent.said)
    count = len(told)
    until(lambda: len(told) > count + 1)
    assert all(said is running.agent.said for said in told[count:])


def test_it_ends_within_seconds(running: Running) -> None:
    running.thread.start()
    until(lambda: running.holds(1))
    begun = time.monotonic()
    running.agent.stop()
    running.thread.join(10)
    assert time.monotonic() - begun < 3
    assert running.given.closed
    assert not any(watcher.thread.is_alive() for watcher in running.agent.watchers)


def test_it_ends_between_two_batches(running: Running) -> None:
    """What was done so far stays, and the next process goes on from there."""
    commit = running.plane.driver.commit

    def stopping(batch: object) -> object:
        running.agent.stop()
        return commit(batch)  # type: ignore[arg-type]  # it is passed on as it came

    running.plane.driver.commit = stopping  # type: ignore[assignment,method-assign]  # the moment to stop at
    running.thread.start()
    running.thread.join(10)
    assert not running.thread.is_alive()
    assert 0 < len(running.plane.driver.ours) < len(resources(1))
    lease = running.plane.driver.leased
    assert lease is not None
    assert lease.holder == "", "the lease was let go"


def test_figures(running: Running) -> None:
    running.thread.start()
    until(lambda: running.get("/readyz")[0] == 200)
    text = running.get("/metrics")[1]
    digest = Slice(resources(1), "").digest
    for line in (
        f'intentc_agent_slice_info{{digest="{digest}",revision="one"}} 1.0',
        "intentc_agent_objects 3.0",
        'intentc_agent_attempts_total{outcome="done",why="start"} 1.0',
        'intentc_actions_total{operation="create",outcome="done"} 3.0',
        'intentc_agent_condition{type="Applied"} 1.0',
        "intentc_agent_policies_missing 0.0",
    ):
        assert line in text.splitlines(), text
    assert running.get("/secrets") == (404, "there are /healthz, /readyz, /metrics\n")


def test_the_last_word_is_told_before_it_ends(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    report = running.given.report

    def slowly(status: NodeStatus) -> None:
        time.sleep(0.2)
        if not running.given.closed:
            report(status)

    monkeypatch.setattr(running.given, "report", slowly)
    running.thread = threading.Thread(target=running.agent.run, kwargs={"once": True})
    running.thread.start()
    running.thread.join(10)
    assert running.given.reports[-1] is running.agent.said


def test_a_source_that_can_only_be_read_is_not_asked_without_a_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one whose watch is forbidden."""
    seen: list[object] = []
    source = Source(Slice(resources(1), "one"))

    def forbidden(_: float) -> bool:
        raise PermanentError("forbidden")

    monkeypatch.setattr(source, "wait", forbidden)
    look = LookAtSource(source, seen.append, 300.0)
    watcher = Watcher("source", look, lambda: 0.0)
    rests: list[float] = []
    monkeypatch.setattr(watcher, "rest", rests.append)
    for _ in range(8):
        look(watcher)
    assert rests == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_a_source_may_take_as_long_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first fetch of a large repository is no reason to be started again, and to begin it anew."""
    monkeypatch.setattr(Source, "longest", GitSource.longest)
    running, slow = Running(tmp_path), threading.Event()
    monkeypatch.setattr(running.given, "read", lambda: slow.wait(60))
    running.thread.start()
    until(lambda: running.get("/healthz")[0] == 200)
    running.ahead = 300
    running.agent.inbox.put(None)
    time.sleep(1.2)
    assert "source: good" in running.get("/healthz")[1]
    running.ahead = 1000
    assert "source: silent" in running.get("/healthz")[1]
    slow.set()
    running.close()
