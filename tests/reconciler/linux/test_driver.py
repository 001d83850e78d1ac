"""The kernel of a node as a target, beyond the contract: in namespaces of the real kernel."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from intent.kinds.project import Target
from lab.spaces import Spaces
from reconciler.apply import apply
from reconciler.drivers import open_driver
from reconciler.drivers.base import PermanentError, TransientError
from reconciler.drivers.linux.driver import Linux
from reconciler.plan import Action, plan
from renderers import RULES
from renderers.resource import Resource
from renderers.rules import Impact, Operation
from tests.kernels import (
    LOCALSID,
    OBJECTS,
    POLICY,
    RANGE,
    ROUTE,
    SETTINGS,
    a_policy,
    a_steering,
    an_object,
    changed,
    namespace,
)

pytestmark = pytest.mark.real
STEERING = a_steering("10.2.0.0/24", "cafe:1::1")
STEERING6 = a_steering("fd64:2::/64", "cafe:1::1")
ALL = (*OBJECTS, STEERING, STEERING6)


@dataclass(frozen=True)
class Node:
    driver: Linux
    spaces: Spaces
    netns: str

    def become(self, *wanted: Resource) -> list[str]:
        """Plan and apply; return what failed."""
        work = plan({"t": wanted}, {"t": self.driver.observe()}, RULES)
        return [outcome.message for outcome in apply(work, {"t": self.driver}).failed]

    def nexthops(self) -> int:
        shown = subprocess.run(
            ["ip", "-n", self.netns, "-j", "nexthop"], check=True, capture_output=True, text=True
        )
        return len(json.loads(shown.stdout or "[]"))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with namespace() as (netns, spaces):
        yield Node(Linux("t", netns, tmp_path), spaces, netns)


def act(driver: Linux, before: Resource | None, after: Resource | None) -> list[str]:
    operation: Operation = "create" if before is None else "delete" if after is None else "update"
    action = Action("t", operation, 0, before, after, "", Impact("hitless", ""))
    batch = driver.stage([action])
    return [outcome.message for outcome in driver.commit(batch) if outcome.status != "done"]


def test_a_slice_is_applied_and_nothing_is_left_to_do(node: Node) -> None:
    assert node.become(*ALL) == []
    seen = node.driver.observe()
    assert dict(seen.resources) == {item.key: item for item in ALL}
    assert plan({"t": ALL}, {"t": seen}, RULES).actions == ()


def test_everything_goes_and_no_nexthop_stays(node: Node) -> None:
    node.become(*ALL)
    assert node.nexthops() == 3
    assert node.become() == []
    assert dict(node.driver.observe().resources) == {}
    assert node.nexthops() == 0


def test_a_policy_changes_under_what_is_steered_into_it(node: Node) -> None:
    node.become(*ALL)
    (group,) = {row["nhid"] for row in node.spaces.show("node", "-4 route show 10.2.0.0/24")}
    assert node.become(*(changed(POLICY) if item is POLICY else item for item in ALL)) == []
    assert {row["nhid"] for row in node.spaces.show("node", "-4 route show 10.2.0.0/24")} == {group}
    assert node.nexthops() == 2


def test_steering_moves_to_another_policy_before_the_old_one_goes(node: Node) -> None:
    node.become(*ALL)
    other = a_policy("cafe:1::2", (1, "encap.red", ["fcdd:0:0:2::4"]))
    moved = [a_steering(item.spec["prefix"], "cafe:1::2") for item in (STEERING, STEERING6)]
    wanted = (other, LOCALSID, ROUTE, RANGE, SETTINGS, *moved)
    assert node.become(*wanted) == []
    assert dict(node.driver.observe().resources) == {item.key: item for item in wanted}
    assert node.nexthops() == 2


def test_what_fails_leaves_the_old_state_in_use(node: Node) -> None:
    node.become(*ALL)
    broken = replace(POLICY, spec={**POLICY.spec, "interface": "nosuch"})
    assert act(node.driver, POLICY, broken) == ["there is no interface nosuch"]
    assert dict(node.driver.observe().resources) == {item.key: item for item in ALL}
    assert node.become(*ALL) == []


def test_one_failure_stops_nothing_else(node: Node) -> None:
    broken = an_object(
        "localsid", "fcdd:0:0:1::6", sid="fcdd:0:0:1::6", action="End.DT6 table 254", interface="nosuch"
    )
    assert node.become(*ALL, broken) == ["there is no interface nosuch"]
    assert dict(node.driver.observe().resources) == {item.key: item for item in ALL}


def test_what_somebody_left_who_was_broken_off_is_cleared_away(node: Node) -> None:
    node.spaces.ip("node", "nexthop add id 77 dev eth0 proto 151", "nexthop add id 78 dev eth0 proto static")
    assert dict(node.driver.observe().resources) == {}
    node.become(ROUTE)
    assert node.nexthops() == 1


def test_steering_into_a_policy_that_is_not_there_fails_alone(node: Node) -> None:
    assert act(node.driver, None, STEERING) == ["there is no policy cafe:1::1"]


def test_drift_is_seen_and_mended(node: Node) -> None:
    node.become(*ALL)
    node.spaces.run("node", "sysctl", "-qw", "net.ipv4.ip_forward=0")
    node.spaces.ip("node", "sr tunsrc set fd99::9", "route delete 10.2.0.0/24 metric 151")
    work = plan({"t": ALL}, {"t": node.driver.observe()}, RULES)
    assert {action.key.name for action in work.actions} == {"srv6", "254 10.2.0.0/24"}
    assert node.become(*ALL) == []
    assert dict(node.driver.observe().resources) == {item.key: item for item in ALL}


def test_an_uplink_that_was_down_takes_routes_with_it_and_they_come_back(node: Node) -> None:
    node.become(*ALL)
    node.spaces.ip("node", "link set eth0 down", "link set eth0 up", "address replace fd11::1/64 dev eth0")
    left = {key.type for key in node.driver.observe().resources}
    assert left == {"settings", "route"}
    assert node.become(*ALL) == []
    assert dict(node.driver.observe().resources) == {item.key: item for item in ALL}


def test_a_machine_that_was_restarted_shows_nothing(node: Node) -> None:
    node.become(*ALL)
    node.spaces.add("node")
    assert dict(node.driver.observe().resources) == {}
    assert node.driver.observe().complete


def test_where_the_mark_was_removed_nothing_is_concluded_and_an_apply_writes_it_again(node: Node) -> None:
    node.become(*ALL)
    node.spaces.ip("node", 'link set lo alias ""')
    seen = node.driver.observe()
    assert not seen.complete
    assert "alias of lo" in seen.why
    assert plan({"t": ()}, {"t": seen}, RULES).actions == ()
    assert node.become(*ALL) == []
    assert dict(node.driver.observe().resources) == {item.key: item for item in ALL}


def test_a_node_that_gets_another_name_keeps_its_routes(node: Node) -> None:
    node.become(*ALL)
    renamed = [replace(item, key=item.key._replace(scope="node/west/w1")) for item in ALL]
    before = node.spaces.show("node", "-4 route show 10.2.0.0/24")
    assert node.become(*renamed) == []
    assert dict(node.driver.observe().resources) == {item.key: item for item in renamed}
    assert node.spaces.show("node", "-4 route show 10.2.0.0/24") == before


def test_an_alias_of_somebody_else_is_not_overwritten(node: Node) -> None:
    node.spaces.ip("node", "link set lo alias theirs")
    with pytest.raises(PermanentError, match="not ours"):
        act(node.driver, None, ROUTE)


def test_other_routes_and_nexthops_stay_as_they_are(node: Node) -> None:
    node.spaces.ip(
        "node",
        "nexthop add id 5 dev eth0 proto zebra",
        "route add 10.9.0.0/16 nhid 5 proto zebra",
        "route add 10.2.0.0/16 dev eth0 proto bgp metric 151",
    )
    before = node.spaces.show("node", "-4 route show")
    node.become(*ALL)
    node.become()
    assert node.spaces.show("node", "-4 route show") == before


def test_what_the_kernel_lacks_is_said_before_anything_is_changed(node: Node) -> None:
    vrf = an_object("vrf", "4711", table=4711, device="vrf4711")
    if not node.driver.kernel.lacks("VRF devices"):
        pytest.skip("this kernel has VRF devices")
    with pytest.raises(PermanentError, match="needed: CONFIG_NET_VRF") as raised:
        act(node.driver, None, vrf)
    assert raised.value.refused.keys() == {vrf.key}
    assert dict(node.driver.observe().resources) == {}


def test_a_vrf_holds_its_bridge_and_its_sids(node: Node) -> None:
    if why := node.driver.kernel.lacks("VRF devices"):
        pytest.skip(why)
    wanted = (
        SETTINGS,
        POLICY,
        an_object("vrf", "4711", table=4711, device="vrf4711"),
        an_object("bridge", "br-blue", name="br-blue", table=4711),
        an_object("localsid", "fcdd::9", sid="fcdd::9", action="End.DT4 vrftable 4711", interface="eth0"),
        a_steering("10.7.0.0/24", "cafe:1::1", 4711),
    )
    assert node.become(*wanted) == []
    assert dict(node.driver.observe().resources) == {item.key: item for item in wanted}
    assert node.become() == []
    assert dict(node.driver.observe().resources) == {}


def test_a_namespace_that_is_not_there_may_come_later(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match="there is no network namespace lab-nowhere"):
        Linux("t", "lab-nowhere", tmp_path).observe()


def test_the_target_type_opens_it(tmp_path: Path) -> None:
    target = Target.model_validate({"name": "w1", "type": "linux", "node": "w1", "netns": "lab-nowhere"})
    driver = open_driver(target, tmp_path)
    assert isinstance(driver, Linux)
    assert (driver.name, driver.ip.netns) == ("w1", "lab-nowhere")
