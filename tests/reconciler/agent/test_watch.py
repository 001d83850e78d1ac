"""The agent with its threads: what it notices by itself, and whether it is alive."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from reconciler.agent.branch import GitSource
from reconciler.agent.slice import NodeStatus, Slice
from reconciler.agent.watch import PROBE, LookAtDataplane, LookAtSource, Report, Watcher
from reconciler.drivers.base import PermanentError, TransientError
from tests.agents import LIMIT, TABLE, Plane, Running, Source, announced, resources, steering, until


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
    until(lambda: running.holds(1, 2))


def test_a_restart_is_noticed_by_itself(running: Running) -> None:
    running.thread.start()
    until(lambda: running.holds(1))
    running.plane.restart()
    until(lambda: running.holds(1))


def test_the_data_plane_is_looked_at_each_second(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    plane = Plane()
    look = LookAtDataplane(plane, seen.append)
    watcher = Watcher("dataplane", look, lambda: 0.0)
    rests: list[float] = []
    monkeypatch.setattr(watcher, "rest", rests.append)
    for restarts in (False, True, False):
        if restarts:
            plane.restart()
        look(watcher)
    assert rests == [PROBE] * 3 == [1.0] * 3
    assert len(seen) == 2


def test_a_data_plane_that_is_away_for_a_while(running: Running) -> None:
    running.plane.down = "connection refused"
    running.thread.start()
    until(lambda: "connection refused" in running.get("/readyz")[1])
    running.plane.down = ""
    until(lambda: running.holds(1))
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


def test_policies_that_come_late_are_used_at_once(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.agent.watch._POLL", 10 * LIMIT)
    running.given.give(Slice((TABLE, steering(1)), "one", policies_by_bgp=True))
    running.thread.start()
    until(lambda: TABLE.key in running.plane.driver.ours)
    assert not running.holds(1)
    running.feed.give((announced(1),))
    until(lambda: running.holds(1))
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


def hanging(running: Running) -> tuple[threading.Event, threading.Event]:
    """Let an agent work, and then hang where it probes; return what says that it does, and what ends that."""
    reached, stuck = threading.Event(), threading.Event()

    def probing() -> None:
        reached.set()
        stuck.wait(10 * LIMIT)

    running.thread.start()
    until(lambda: running.holds(1))
    running.plane.probing = probing
    return reached, stuck


def test_a_stuck_watcher_is_not_alive(running: Running) -> None:
    reached, stuck = hanging(running)
    assert reached.wait(LIMIT)
    assert running.get("/healthz")[0] == 200
    running.ahead = 70
    running.agent.inbox.put(None)
    until(lambda: running.get("/healthz")[0] == 503)
    assert "dataplane: silent for" in running.get("/healthz")[1]
    stuck.set()
    until(lambda: running.get("/healthz")[0] == 200)


def test_a_stuck_agent_is_not_alive(running: Running) -> None:
    reached, stuck = threading.Event(), threading.Event()
    observe = running.plane.driver.observe

    def stopping() -> object:
        reached.set()
        stuck.wait(10 * LIMIT)
        return observe()

    running.plane.driver.observe = stopping  # type: ignore[assignment,method-assign]  # it hangs
    running.thread.start()
    assert reached.wait(LIMIT)
    running.ahead = 400
    until(lambda: running.get("/healthz")[0] == 503)
    assert re.search("agent: last progress 4.. s ago", running.get("/healthz")[1])
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
    until(lambda: running.holds(1))
    running.given.refusing = None
    until(lambda: running.given.reports and running.given.reports[-1].applied)


def test_the_last_word_is_told_again_now_and_then(running: Running) -> None:
    """The source knows whether it has it still."""
    running.agent.report.every = 0.1
    running.thread.start()
    until(lambda: running.get("/readyz")[0] == 200)
    told = running.given.reports
    until(lambda: len(told) > 2 and told[-3] is told[-2] is told[-1] is running.agent.said)
    assert told[-1].applied


def test_it_ends_without_waiting_for_what_it_waits_for(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.agent.watch._POLL", 10 * LIMIT)
    monkeypatch.setattr("reconciler.agent.agent._REST", 10 * LIMIT)
    running.agent.report.every = 10 * LIMIT
    running.thread.start()
    until(lambda: running.holds(1))
    running.agent.stop()
    running.thread.join(LIMIT)
    assert not running.thread.is_alive()
    assert running.given.closed
    until(lambda: not any(watcher.thread.is_alive() for watcher in running.agent.watchers))


def test_it_waits_for_no_thread_that_does_not_end(running: Running) -> None:
    reached, stuck = hanging(running)
    assert reached.wait(LIMIT)
    running.agent.stop()
    running.thread.join(LIMIT)
    assert not running.thread.is_alive()
    stuck.set()


def test_it_ends_between_two_batches(running: Running) -> None:
    """What was done so far stays, and the next process goes on from there."""
    commit = running.plane.driver.commit

    def stopping(batch: object) -> object:
        running.agent.stop()
        return commit(batch)  # type: ignore[arg-type]  # it is passed on as it came

    running.plane.driver.commit = stopping  # type: ignore[assignment,method-assign]  # the moment to stop at
    running.thread.start()
    running.thread.join(LIMIT)
    assert not running.thread.is_alive()
    assert 0 < len(running.plane.driver.ours) < len(resources(1))
    lease = running.plane.driver.leased
    assert lease is not None
    assert lease.holder == "", "the lease was let go"


def test_figures(running: Running) -> None:
    running.thread.start()
    digest = Slice(resources(1), "").digest
    wanted = {
        f'intentc_agent_slice_info{{digest="{digest}",revision="one"}} 1.0',
        "intentc_agent_objects 3.0",
        'intentc_agent_attempts_total{outcome="done",why="start"} 1.0',
        'intentc_actions_total{operation="create",outcome="done"} 3.0',
        'intentc_agent_condition{type="Applied"} 1.0',
        "intentc_agent_policies_missing 0.0",
    }
    until(lambda: wanted <= set(running.get("/metrics")[1].splitlines()))
    assert running.get("/secrets") == (404, "there are /healthz, /readyz, /metrics\n")


def test_the_last_word_is_told_before_it_ends(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.agent.agent._ENDING", 2 * LIMIT)
    report = running.given.report

    def slowly(status: NodeStatus) -> None:
        time.sleep(0.2)
        if not running.given.closed:
            report(status)

    monkeypatch.setattr(running.given, "report", slowly)
    running.thread = threading.Thread(target=running.agent.run, kwargs={"once": True})
    running.thread.start()
    running.thread.join(2 * LIMIT)
    assert running.given.reports[-1] is running.agent.said


def test_a_word_that_comes_right_before_the_end_is_told() -> None:
    """As where the agent says it, and ends, before the thread that tells has begun anew."""
    source, said = Source(), NodeStatus("", "", 0, (), "the last word")
    report = Report(source, lambda _level, _words: None)
    watcher = Watcher("report", report, lambda: 0.0, ending=report.finish)
    report.say(said)
    watcher.over.set()
    watcher.start()
    watcher.thread.join(LIMIT)
    assert source.reports == [said]


def test_a_source_that_can_only_be_read_is_not_asked_without_a_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one whose watch is forbidden."""
    seen: list[object] = []
    source = Source(Slice(resources(1), "one"))

    def forbidden(_: float) -> bool:
        raise PermanentError("forbidden")

    monkeypatch.setattr(source, "wait", forbidden)
    look = LookAtSource(source, seen.append, 300.0, lambda: 1.0)
    watcher = Watcher("source", look, lambda: 0.0)
    rests: list[float] = []
    monkeypatch.setattr(watcher, "rest", rests.append)
    for _ in range(8):
        look(watcher)
    assert rests == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_many_that_lost_their_source_together_do_not_ask_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand agents, whose API server is away: as many requests at one moment would keep it away."""
    asked: Counter[int] = Counter()
    for seed in range(1000):
        source, times = Source(), [0.0]
        chance = Random(seed).random  # noqa: S311 -- so that the test always sees the same
        watcher = Watcher("source", LookAtSource(source, lambda _: None, 300.0, chance), lambda: 0.0)
        refused = TransientError("it is away")
        monkeypatch.setattr(source, "wait", raising(refused))
        monkeypatch.setattr(watcher, "rest", lambda seconds, times=times: times.append(times[-1] + seconds))
        while times[-1] < 120:
            watcher.turn(watcher)
        asked.update(int(when * 10) for when in times if when > 1)
    assert max(asked.values()) < 200, "requests in a tenth of a second"


def raising(error: Exception) -> Callable[..., bool]:
    def fail(*_: object) -> bool:
        raise error

    return fail


def test_many_that_wait_together_do_not_begin_anew_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """All watches of one server begin when it does; after some minutes they are spread."""
    begun: Counter[int] = Counter()
    for seed in range(1000):
        source, times = Source(Slice(resources(1), "one")), [0.0]
        chance = Random(seed).random  # noqa: S311 -- so that the test always sees the same

        def wait(seconds: float, times: list[float] = times) -> bool:
            times.append(times[-1] + seconds)
            return False

        watcher = Watcher("source", LookAtSource(source, lambda _: None, 300.0, chance), lambda: 0.0)
        monkeypatch.setattr(source, "wait", wait)
        while times[-1] < 600:
            watcher.turn(watcher)
        begun.update(int(when) for when in times if when > 120)
    assert max(begun.values()) < 100, "requests in a second"


def test_a_source_may_take_as_long_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first fetch of a large repository is no reason to be started again, and to begin it anew."""
    monkeypatch.setattr(Source, "longest", GitSource.longest)
    running, slow = Running(tmp_path), threading.Event()
    monkeypatch.setattr(running.given, "read", lambda: slow.wait(10 * LIMIT))
    running.thread.start()
    until(lambda: running.get("/healthz")[0] == 200)
    running.ahead = 300
    running.agent.inbox.put(None)
    assert "source: good" in running.get("/healthz")[1]
    running.ahead = 1000
    assert "source: silent" in running.get("/healthz")[1]
    slow.set()
    running.close()
