"""Controller and agent together: plans reach a node through its NodeOverlay, and are done when it says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.apply import Result
from reconciler.drivers.overlay import Overlay
from reconciler.execute import Applier, execute
from reconciler.kube import NODES, connect
from reconciler.lease import here
from reconciler.overlay.source import KubernetesSource
from reconciler.overlay.wait import Patience
from reconciler.plan import plan
from renderers import RULES
from renderers.resource import Resource
from tests.agents import LIMIT, NODE, Running, listed, resources, until
from tests.apiserver.agents import overwrite, remove
from tests.apiserver.server import World, kubeconfig, running

SPACE = "intentc-system"


class Whole:
    """An API server, a controller, and the agent of one node."""

    def __init__(self, folder: Path, world: World, address: str) -> None:
        self.world = world
        self.config = kubeconfig(folder, address)
        source = KubernetesSource(connect(self.config), SPACE, NODE, 0.0)
        self.agent = Running(folder, source=source)
        self.controller = Overlay(
            "nodes", lambda: connect(self.config), SPACE, ("edge",), Patience(LIMIT, LIMIT)
        )
        self.applier = Applier(here("controller"), folder / "controller")

    def wants(self, *wanted: Resource) -> Result:
        """Bring the node to some objects, as the controller does."""
        found = plan({"nodes": wanted}, {"nodes": self.controller.observe()}, RULES)
        return execute(found, "test", {"nodes": self.controller}, self.applier)

    @property
    def held(self) -> list[Resource]:
        return listed(self.agent.plane.driver.ours.values())


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Whole]:
    with running() as (world, address):
        found = Whole(tmp_path, world, address)
        found.agent.thread.start()
        yield found
        found.agent.close()
        found.controller.close()


def test_a_plan_is_done_when_the_agent_says_so(whole: Whole) -> None:
    assert whole.wants(*resources(1, 2)).failed == ()
    assert whole.held == listed(resources(1, 2))
    assert whole.wants(*resources(2, 3)).failed == ()
    assert whole.held == listed(resources(2, 3))
    seen = whole.controller.observe()
    assert seen.complete
    assert listed(seen.resources.values()) == listed(resources(2, 3))


def test_a_node_that_shall_hold_nothing_is_emptied(whole: Whole) -> None:
    assert whole.wants(*resources(1)).failed == ()
    assert whole.wants().failed == ()
    assert whole.held == []


def deleted(whole: Whole) -> None:
    """Delete the NodeOverlay by hand."""
    kube = connect(whole.config)
    assert remove(kube, SPACE, "w1")
    kube.close()


def test_a_node_overlay_that_somebody_deleted_changes_nothing(whole: Whole) -> None:
    assert whole.wants(*resources(1)).failed == ()
    deleted(whole)
    until(lambda: "there is no NodeOverlay" in whole.agent.words.getvalue())
    assert whole.held == listed(resources(1))
    assert whole.agent.get("/readyz")[0] == 200


def test_where_a_node_overlay_is_made_anew_the_node_loses_nothing(whole: Whole) -> None:
    assert whole.wants(*resources(1, 2)).failed == ()
    written = whole.agent.plane.driver.written
    before = len(written)
    deleted(whole)
    assert whole.wants(*resources(1, 2)).failed == ()
    assert [(action.operation, action.key) for action in written[before:]] == []
    assert whole.held == listed(resources(1, 2))
    assert plan({"nodes": resources(1, 2)}, {"nodes": whole.controller.observe()}, RULES).actions == ()
    assert whole.wants(*resources(1)).failed == ()
    assert whole.held == listed(resources(1))


def test_what_a_new_node_overlay_does_not_know_stays_until_a_plan_removes_it(whole: Whole) -> None:
    assert whole.wants(*resources(1, 2)).failed == ()
    deleted(whole)
    assert whole.wants(*resources(1, 3)).failed == ()
    assert whole.held == listed(resources(1, 2, 3))
    words = "2 objects that are not in the slice stay until a plan removes them"
    until(lambda: words in whole.agent.words.getvalue())
    (action,) = plan({"nodes": resources(1, 3)}, {"nodes": whole.controller.observe()}, RULES).actions
    assert (action.operation, str(action.key)) == ("delete", "vpp:node/edge/w1:leftovers:all")
    assert whole.wants(*resources(1, 3)).failed == ()
    assert whole.held == listed(resources(1, 3))
    assert plan({"nodes": resources(1, 3)}, {"nodes": whole.controller.observe()}, RULES).actions == ()


def test_what_is_said_of_a_slice_whose_rest_shall_go_is_true(whole: Whole) -> None:
    assert whole.wants(*resources(1, 2)).failed == ()
    deleted(whole)
    assert whole.wants(*resources(1)).failed == ()
    assert whole.wants(*resources(1)).failed == ()
    assert whole.held == listed(resources(1))
    assert "other policies" not in whole.agent.words.getvalue()


def test_a_status_that_is_lost_is_told_again(whole: Whole) -> None:
    """As by a backup of the API server that was played back: nothing is new for the agent."""
    whole.agent.agent.report.every = 0.1
    assert whole.wants(*resources(1)).failed == ()
    kube = connect(whole.config)
    assert overwrite(kube, SPACE, "w1", lambda _: {"status": {}})
    until(lambda: (kube.get(NODES, SPACE, "w1") or {}).get("status"))
    kube.close()
    assert not whole.controller.observe().pending


def test_a_node_whose_leftovers_are_not_removed_keeps_its_object(whole: Whole) -> None:
    assert whole.wants(*resources(1, 2)).failed == ()
    deleted(whole)
    assert whole.wants(*resources(1)).failed == ()
    assert whole.wants().failed == ()
    assert whole.held == []
    assert [name for name in list(whole.world.objects) if not name[0].endswith("leases")] == []


def test_the_status_says_what_happened(whole: Whole) -> None:
    assert whole.wants(*resources(1)).failed == ()
    kube = connect(whole.config)

    def conditions() -> dict[str, str]:
        body = kube.get(NODES, SPACE, "w1") or {}
        return {entry["type"]: entry["status"] for entry in body["status"]["conditions"]}

    until(lambda: set(conditions().values()) == {"True"})
    whole.agent.plane.down = "connection refused"
    until(lambda: conditions()["DataplaneReachable"] == "False")
    whole.agent.plane.down = ""
    until(lambda: set(conditions().values()) == {"True"})
    kube.close()


def test_what_the_node_refuses_fails_the_plan(whole: Whole) -> None:
    whole.controller.patience = Patience(LIMIT, 0.5)
    (table, policy, steering) = resources(1)
    whole.agent.plane.driver.foreign[policy.key] = policy
    assert {outcome.action.key for outcome in whole.wants(table, policy, steering).failed} >= {policy.key}
    assert whole.held == [table]
