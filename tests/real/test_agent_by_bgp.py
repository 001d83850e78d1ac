"""From the injector to the data plane: two real GoBGPs, an agent beside the far one, and VPP or the kernel.

VPP is the stand-in here; that it is like a real one is tested elsewhere.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.agent.bgp import GobgpFeed
from reconciler.agent.dataplane import Dataplane, Linux, Vpp
from reconciler.agent.slice import Slice
from reconciler.drivers.gobgp.driver import Gobgp
from renderers.resource import Key
from tests.agents import NODE, WHERE, Running, until
from tests.kernels import namespace
from tests.overlays import VIA_BOTH
from tests.real.test_gobgp import peers
from tests.real.test_gobgp import pytestmark as needs_gobgpd
from tests.reconciler.agent.test_policies import slice_and_announcements, specs
from tests.reconciler.gobgp.test_driver import bring
from tests.vppd.server import StandIn

pytestmark = needs_gobgpd
OTHERWISE = VIA_BOTH.replace("weight: 3", "weight: 5")


@contextmanager
def a_vpp(folder: Path) -> Iterator[Dataplane]:
    with StandIn(folder / "api.sock") as server:
        server.hosts["vpp-pods"] = 1500
        server.state.interfaces.create_loopback(bytes(6), None)
        yield Vpp(NODE, str(server.path))
        assert (server.deaths, server.state.damage) == ([], [])


@contextmanager
def a_kernel(_: Path) -> Iterator[Dataplane]:
    with namespace() as (name, spaces):
        spaces.ip("node", "address add fd11:1::1/64 dev eth0")
        try:
            yield Linux(NODE, name)
        finally:
            shutil.rmtree(f"/run/intentc/linux-{name}", ignore_errors=True)


PLANES = {"vpp": a_vpp, "linux": a_kernel}


def held(plane: Dataplane) -> dict[Key, object]:
    """Return what a data plane holds."""
    driver = plane.open(WHERE)
    try:
        return specs(driver.observe().resources.values())
    finally:
        driver.close()


@pytest.mark.parametrize("family", PLANES)
def test_what_is_injected_changed_and_withdrawn_shows_in_the_data_plane(family: str, tmp_path: Path) -> None:
    slim, announcements = slice_and_announcements(family, "full", bgp=True)
    changed, changes = slice_and_announcements(family, "full", bgp=True, paths=OTHERWISE)
    assert specs(changed) == specs(slim), "only what is announced differs"
    first, second = (
        specs(slice_and_announcements(family, "full", bgp=False, paths=paths)[0])
        for paths in (VIA_BOTH, OTHERWISE)
    )
    assert first != second
    with peers() as found, PLANES[family](tmp_path) as plane:
        driver = Gobgp("bgp", found.injector, ["edge"], tmp_path / "leases")
        running = Running(tmp_path, family, fed=GobgpFeed(found.headend.address), other=plane)
        running.given.slice = Slice(tuple(slim), "one", policies_by_bgp=True)
        running.thread.start()
        try:
            bring(driver, *announcements)
            until(lambda: held(plane) == first)
            bring(driver, *changes)
            until(lambda: held(plane) == second)
            until(lambda: running.get("/readyz")[0] == 200)
            bring(driver)
            until(lambda: '"Withdrawn"' in running.words.getvalue())
            assert held(plane) == second, "what traffic is steered into stays"
        finally:
            running.close()
