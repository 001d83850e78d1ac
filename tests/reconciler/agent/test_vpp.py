"""The agent and a VPP that speaks the binary API: restarts, drift, a VPP that does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.agent.dataplane import Vpp
from reconciler.agent.slice import Slice
from renderers.resource import Resource
from tests.agents import NODE, WHERE, Running, listed, resource, resources, until
from tests.vppd.server import StandIn

RANGE = resource("route", "0 cafe::/112", {"table": 0, "prefix": "cafe::/112", "drop": True})


def whole(*numbers: int) -> list[Resource]:
    return listed((RANGE, *resources(*numbers)))


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
        assert until(lambda: held(vpp) == whole(1, 2)) < 4
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
