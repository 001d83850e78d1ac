"""The agent beside a GoBGP: what comes gets to the data plane, and what goes is kept while it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.agent.bgp import GobgpFeed
from reconciler.agent.slice import Slice
from reconciler.drivers.base import TransientError
from reconciler.drivers.gobgp.paths import Announced, Nlri, Segment, Weighted
from tests.agents import LIMIT, TABLE, Running, steering, until
from tests.gobgpd import StandIn, stand_in
from tests.ports import free_port
from tests.reconciler.gobgp.test_paths import PLAIN


@pytest.fixture
def gobgp() -> Iterator[StandIn]:
    with stand_in() as server:
        yield server


def beside(folder: Path, address: str) -> Running:
    running = Running(folder, fed=GobgpFeed(address))
    running.given.slice = Slice((TABLE, steering(1)), "one", policies_by_bgp=True)
    running.thread.start()
    return running


def announced(*sids: str) -> Announced:
    """Return a policy with the BSID that the steering refers to."""
    return replace(PLAIN, lists=(Weighted(1, tuple(Segment(sid) for sid in sids)),))


def lists(running: Running) -> list[list[str]]:
    policies = [item for item in list(running.plane.driver.ours.values()) if item.key.type == "policy"]
    return [part["sids"] for item in policies for part in item.spec["lists"]]


def test_what_is_announced_is_installed_at_once(
    gobgp: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.agent.watch._POLL", 10 * LIMIT)
    running = beside(tmp_path, gobgp.address)
    until(lambda: TABLE.key in running.plane.driver.ours)
    assert lists(running) == []
    gobgp.policy(announced("fc00:1::1"))
    until(lambda: lists(running) == [["fc00:1::1"]])
    until(lambda: steering(1).key in running.plane.driver.ours)
    gobgp.policy(announced("fc00:7::", "fc00:1::1"))
    until(lambda: lists(running) == [["fc00:7::", "fc00:1::1"]])
    gobgp.forget()
    gobgp.policy(replace(announced("fc00:2::1"), bsid="cafe::2", nlri=Nlri(7, 200, "fd11::3")))
    until(lambda: '"Withdrawn"' in running.words.getvalue())
    assert lists(running) == [["fc00:7::", "fc00:1::1"]]
    running.close()


def test_a_gobgp_that_is_away_at_first(tmp_path: Path) -> None:
    port = free_port()
    running = beside(tmp_path, f"127.0.0.1:{port}")
    until(lambda: TABLE.key in running.plane.driver.ours)
    until(lambda: "out of reach" in running.words.getvalue())
    assert running.get("/healthz")[0] == 200
    with stand_in(port=port) as server:
        server.policy(announced("fc00:1::1"))
        until(lambda: lists(running) == [["fc00:1::1"]])
    until(lambda: '"PoliciesComplete", "status": false, "reason": "Unreachable"' in running.words.getvalue())
    assert lists(running) == [["fc00:1::1"]]
    running.close()


def test_a_feed_that_is_closed_does_not_wait() -> None:
    feed = GobgpFeed(f"127.0.0.1:{free_port()}")
    with pytest.raises(TransientError, match="out of reach"):
        feed.read()
    watch = feed.watch
    assert watch is not None
    feed.close()
    until(lambda: not watch.alive)
