"""The agent and a VPP that speaks the binary API: restarts, drift, a VPP that does not answer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.agent.attempt import Hand
from reconciler.agent.dataplane import Vpp
from reconciler.agent.slice import Slice
from reconciler.agent.step import State, Terms
from reconciler.drivers.base import Batch, Outcome
from reconciler.drivers.vpp.driver import Vpp as Driver
from reconciler.execute import Applier
from reconciler.lease import here
from renderers.resource import Key, Resource
from tests.agents import LIMIT, NODE, WHERE, Running, listed, policy, resource, resources, until
from tests.vppd.server import StandIn

RANGE = resource("route", "0 cafe::/112", {"table": 0, "prefix": "cafe::/112", "drop": True})


def whole(*numbers: int) -> list[Resource]:
    return listed((RANGE, *resources(*numbers)))


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a VPP be slow to answer."""
    monkeypatch.setattr("reconciler.agent.dataplane._ANSWER", LIMIT)


@pytest.fixture
def vpp(tmp_path: Path) -> Iterator[StandIn]:
    with StandIn(tmp_path / "api.sock") as server:
        yield server
        assert (server.deaths, server.state.damage) == ([], [])


@pytest.fixture
def running(tmp_path: Path, vpp: StandIn) -> Iterator[Running]:
    found = Running(tmp_path, other=Vpp(NODE, str(vpp.path)))
    found.given.slice = Slice(tuple(whole(1, 2)), "one")
    found.thread.start()
    yield found
    found.close()


def held(vpp: StandIn) -> list[Resource]:
    driver = Vpp(NODE, str(vpp.path)).open(WHERE)
    try:
        return listed(driver.observe().resources.values())
    finally:
        driver.close()


def test_a_slice_gets_to_vpp_and_a_new_one_too(vpp: StandIn, running: Running) -> None:
    until(lambda: held(vpp) == whole(1, 2))
    running.given.give(Slice(tuple(whole(2, 3)), "two"))
    until(lambda: held(vpp) == whole(2, 3))
    until(lambda: running.get("/readyz")[0] == 200)


def test_a_restart_of_vpp_is_noticed_and_all_comes_back(vpp: StandIn, running: Running) -> None:
    until(lambda: held(vpp) == whole(1, 2))
    for _ in range(2):
        vpp.restart()
        until(lambda: held(vpp) == whole(1, 2))
    vpp.restart()
    until(lambda: '"Braked"' in running.words.getvalue())
    assert held(vpp) == []


def test_a_vpp_that_is_gone_for_a_while(vpp: StandIn, running: Running) -> None:
    until(lambda: running.get("/readyz")[0] == 200)
    vpp.stop()
    until(lambda: running.get("/readyz")[0] == 503)
    assert running.get("/healthz")[0] == 200
    vpp.start()
    until(lambda: running.get("/readyz")[0] == 200)
    until(lambda: held(vpp) == whole(1, 2))


def test_a_vpp_in_the_place_of_one_that_still_runs_is_noticed(tmp_path: Path, vpp: StandIn) -> None:
    plane = Vpp(NODE, str(vpp.path))
    first = plane.probe()
    with StandIn(tmp_path / "other.sock") as other:
        os.utime(other.path, (1, 1))  # else it might have been made at the same time
        assert plane.probe() == first
        other.path.rename(vpp.path)
        found = plane.probe()
        plane.close()
    assert found != first


def test_a_node_that_comes_to_another_cluster_keeps_what_it_holds(tmp_path: Path, vpp: StandIn) -> None:
    """Told as NODE alone; what is there is the same under its new name, and must not go before it comes."""
    running = Running(tmp_path, other=Vpp("w1", str(vpp.path)), node="w1")
    running.given.slice = Slice(tuple(whole(1, 2)), "one")
    running.thread.start()
    until(lambda: running.agent.state.ready)
    asked = vpp.asked.copy()
    moved = Slice(tuple(elsewhere(item) for item in whole(1, 2)), "two")
    running.given.give(moved)
    until(lambda: running.given.reports and running.given.reports[-1].applied == moved.digest)
    running.close()
    writing = {
        "ip_table_add_del",
        "ip_route_add_del_v2",
        "sr_policy_add",
        "sr_policy_del",
        "sr_steering_add_del",
    }
    assert {name for name in writing if vpp.asked[name] > asked[name]} == set()
    assert '"Failed"' not in running.words.getvalue()


def elsewhere(item: Resource) -> Resource:
    """Return an object as another cluster has it."""

    def named(key: Key) -> Key:
        return key._replace(scope="node/core/w1")

    return replace(item, key=named(item.key), needs=tuple(map(named, item.needs)))


def test_a_node_that_was_empty_gets_a_slice(tmp_path: Path, vpp: StandIn) -> None:
    running = Running(tmp_path, other=Vpp(NODE, str(vpp.path)))
    running.given.slice = Slice((), "zero", emptied=True)
    running.thread.start()
    until(lambda: running.agent.state.ready)
    running.given.give(Slice(tuple(whole(1, 2)), "one"))
    until(lambda: held(vpp) == whole(1, 2))
    running.close()
    assert '"Failed"' not in running.words.getvalue()


@pytest.fixture
def watched(vpp: StandIn, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Restart VPP each time it was told something, and return what it was told."""
    told: list[str] = []
    verify = Driver.verify

    def restarting(self: Driver, batch: Batch) -> tuple[Key, ...]:
        found = verify(self, batch)
        told.extend(action.key.type for action in batch.actions)
        vpp.restart()
        return found

    monkeypatch.setattr(Driver, "verify", restarting)
    return told


def test_what_went_with_a_restart_in_the_middle_is_not_told_as_applied(
    vpp: StandIn, watched: list[str], tmp_path: Path
) -> None:
    """All that one attempt does, it does to one run of VPP: the one that it looked at."""
    hand = Hand(Vpp(NODE, str(vpp.path)), Applier(here("test"), tmp_path / "journals"), lambda _: None)
    plane = Vpp(NODE, str(vpp.path))
    run = plane.probe()
    plane.close()
    slice_ = Slice((RANGE, policy(1)), "one")  # neither needs the other
    found = hand.attempt(State(Terms(NODE), slice=slice_, digest=slice_.digest, instance=run))
    hand.let_go()
    assert not found.tried.well
    assert len(watched) == 1
    assert "restarted" in " ".join(found.tried.failures)


def test_what_kills_vpp_is_sent_once_to_each_run_of_it(
    running: Running, vpp: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so the brake counts each death."""
    until(lambda: held(vpp) == whole(1, 2))
    commit, deaths = Driver.commit, []

    def dying(self: Driver, batch: Batch) -> tuple[Outcome, ...]:
        deaths.append(self.instance)
        vpp.restart()
        return commit(self, batch)

    monkeypatch.setattr(Driver, "commit", dying)
    running.given.give(Slice(tuple(whole(3)), "two"))
    until(lambda: '"Braked"' in running.words.getvalue())
    assert len(deaths) == len(set(deaths)) == 3
