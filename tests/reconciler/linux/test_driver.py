"""The kernel of a node as a target, beyond the contract: in namespaces of the real kernel."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest

from intent.kinds.project import Target
from lab.spaces import Spaces
from reconciler.apply import apply
from reconciler.drivers import open_driver
from reconciler.drivers.base import PermanentError, TransientError
from reconciler.drivers.linux.driver import Linux
from reconciler.drivers.linux.ip import Ip
from reconciler.drivers.linux.seen import FIRST_ID, LAST_RESORT
from reconciler.plan import Action, plan
from renderers import RULES
from renderers.linux import NUMBER
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
RANGE2 = an_object("route", "254 cafe:2::/112", table=254, prefix="cafe:2::/112", drop=True)


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


def test_what_is_observed_says_what_it_stands_on(node: Node) -> None:
    """So that an object does not go while what needs it could not be taken away."""
    node.become(*ALL)
    assert POLICY.key in node.driver.observe().resources[STEERING.key].needs


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


NO_INTERFACE = "there is no interface nosuch: make it, or correct uplink.interface of the node"


def test_what_fails_leaves_the_old_state_in_use(node: Node) -> None:
    node.become(*ALL)
    broken = replace(POLICY, spec={**POLICY.spec, "interface": "nosuch"})
    assert act(node.driver, POLICY, broken) == [NO_INTERFACE]
    assert dict(node.driver.observe().resources) == {item.key: item for item in ALL}
    assert node.become(*ALL) == []


def test_one_failure_stops_nothing_else(node: Node) -> None:
    broken = an_object(
        "localsid", "fcdd:0:0:1::6", sid="fcdd:0:0:1::6", action="End.DT6 table 254", interface="nosuch"
    )
    assert node.become(*ALL, broken) == [NO_INTERFACE]
    assert dict(node.driver.observe().resources) == {item.key: item for item in ALL}


def test_what_somebody_left_who_was_broken_off_is_cleared_away(node: Node) -> None:
    node.spaces.ip(
        "node",
        f"nexthop add id {FIRST_ID + 77} dev eth0 proto 151",
        f"nexthop add id {FIRST_ID + 78} group {FIRST_ID + 77} proto 151",
    )
    assert dict(node.driver.observe().resources) == {}
    node.become(ROUTE)
    assert node.nexthops() == 0


@pytest.mark.parametrize(("number", "protocol"), [(FIRST_ID + 77, "static"), (77, "151")])
def test_nexthops_with_half_of_our_mark_are_of_somebody_else(node: Node, number: int, protocol: str) -> None:
    node.spaces.ip("node", f"nexthop add id {number} dev eth0 proto {protocol}")
    node.become(*ALL)
    node.become()
    assert node.nexthops() == 1


def test_nexthops_that_somebody_elses_route_uses_are_not_cleared_away(node: Node) -> None:
    node.spaces.ip(
        "node",
        f"nexthop add id {FIRST_ID + 7} dev eth0 proto 151",
        f"nexthop add id {FIRST_ID + 8} group {FIRST_ID + 7} proto 151",
        f"route add 10.9.0.0/16 nhid {FIRST_ID + 8} proto static",
    )
    node.become(ROUTE)
    assert node.nexthops() == 2
    assert node.spaces.show("node", "-4 route show 10.9.0.0/16")


def test_where_a_binding_sid_was_lost_what_is_steered_into_it_stays_until_it_is_back(node: Node) -> None:
    node.become(*ALL)
    node.spaces.ip("node", "route delete cafe:1::1/128 table 151")
    assert act(node.driver, None, POLICY) == []
    assert node.spaces.show("node", "-4 route show 10.2.0.0/24")
    assert node.become(*ALL) == []
    assert dict(node.driver.observe().resources) == {item.key: item for item in ALL}
    node.become(*ALL, RANGE2)
    assert node.nexthops() == 3


def test_a_member_that_could_not_be_made_is_not_used(node: Node) -> None:
    """Its id was taken by somebody else meanwhile."""
    node.become(*ALL)
    before = dict(node.driver.observe().resources)

    class Late(Ip):
        def batch(self, commands: Sequence[str], *, ipv6: bool = False) -> dict[int, str]:
            if ipv6:
                taken = [command.split()[3] for command in commands]
                others = [f"nexthop add id {number} dev eth0 proto static" for number in taken]
                super().batch(others, ipv6=True)
            return super().batch(commands, ipv6=ipv6)

    node.driver.ip = Late(node.netns)
    assert act(node.driver, POLICY, changed(POLICY)) == ["File exists"]
    assert dict(node.driver.observe().resources) == before


def test_a_prefix_that_was_steered_becomes_a_route_and_the_other_way_round(node: Node) -> None:
    steered = a_steering("fd64:9::/64", "cafe:1::1")
    routed = an_object(
        "route", "254 fd64:9::/64", table=254, prefix="fd64:9::/64", next_hop="fd11::ffff", interface="eth0"
    )
    node.become(*OBJECTS, steered)
    for one in (routed, steered):
        assert node.become(*OBJECTS, one) == []
        assert dict(node.driver.observe().resources) == {item.key: item for item in (*OBJECTS, one)}


def test_a_route_with_half_of_our_mark_is_of_somebody_else_and_in_the_way(node: Node) -> None:
    node.spaces.ip("node", "route add 10.2.0.0/24 dev eth0 proto 151 metric 5")
    node.become(*OBJECTS)
    with pytest.raises(PermanentError, match="not ours"):
        act(node.driver, None, STEERING)


@pytest.mark.parametrize(
    "evil",
    [
        replace(RANGE, spec={**RANGE.spec, "prefix": "cafe:1::/112\nlink delete eth0\n#"}),
        replace(
            POLICY,
            spec={
                **POLICY.spec,
                "lists": [{"weight": 1, "mode": "encap", "sids": ["fc00::1\nlink delete eth0\n#"]}],
            },
        ),
        replace(LOCALSID, spec={**LOCALSID.spec, "action": "End.DX4 nh4 0.0.0.0\nlink delete eth0\n#"}),
        replace(SETTINGS, spec={**SETTINGS.spec, "sysctls": {"kernel.domainname": 1}}),
    ],
    ids=lambda item: item.key.type,
)
def test_a_slice_gives_no_orders_but_its_own(node: Node, evil: Resource) -> None:
    """Whoever writes a slice says what the overlay is, and runs nothing on the node."""
    (why,) = node.become(evil, RANGE2)
    assert "is no" in why
    assert RANGE2.key in node.driver.observe().resources
    assert node.spaces.show("node", "link show eth0")


def test_names_and_aliases_that_are_no_text_are_read_over(node: Node) -> None:
    subprocess.run(
        [b"ip", b"-n", node.netns.encode(), b"link", b"set", b"peer", b"alias", b'it\'s \xff \x01 "q"'],
        check=True,
    )
    assert node.driver.observe().complete
    assert node.become(*ALL) == []


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


def test_an_alias_of_somebody_else_stays_where_nothing_is_left_to_do(node: Node) -> None:
    node.become(*ALL)
    node.spaces.ip("node", "link set lo alias theirs")
    seen = node.driver.observe()
    assert not seen.complete
    assert "'theirs'" in seen.why
    assert all("not ours" in why for why in node.become(*ALL))
    assert [link["ifalias"] for link in node.spaces.show("node", "link show lo")] == ["theirs"]


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


VRF = an_object("vrf", "4711", table=4711, device="vrf4711", source="fd11::1")
BRIDGE = an_object("bridge", "br-blue", name="br-blue", table=0)
IN_VRF = (
    SETTINGS,
    POLICY,
    VRF,
    an_object("bridge", "br-blue", name="br-blue", table=4711),
    an_object("localsid", "fcdd::9", sid="fcdd::9", action="End.DT4 vrftable 4711", interface="eth0"),
    a_steering("10.7.0.0/24", "cafe:1::1", 4711),
)


@pytest.fixture
def vrfs(node: Node) -> Node:
    if why := node.driver.kernel.lacks("VRF devices"):
        pytest.skip(why)
    return node


def test_a_vrf_holds_its_bridge_and_its_sids(vrfs: Node) -> None:
    assert vrfs.become(*IN_VRF) == []
    assert dict(vrfs.driver.observe().resources) == {item.key: item for item in IN_VRF}
    assert vrfs.become() == []
    assert dict(vrfs.driver.observe().resources) == {}


def test_a_vrf_and_what_stands_on_it_are_made_in_one_batch(vrfs: Node) -> None:
    actions = [Action("t", "create", 0, None, item, "", Impact("hitless", "")) for item in IN_VRF]
    batch = vrfs.driver.stage(actions)
    assert [outcome.message for outcome in vrfs.driver.commit(batch) if outcome.status != "done"] == []


@pytest.mark.parametrize(
    "words",
    [
        ("sysctl", "-qw", "net.vrf.strict_mode=0"),
        ("ip", "route", "delete", "unreachable", "default", "table", "4711", "metric", "4278198272"),
        ("ip", "link", "set", "vrf4711", "down"),
        ("ip", "link", "set", "br-blue", "down"),
        ("ip", "link", "delete", "vrf4711"),
        ("ip", "-6", "rule", "delete", "pref", "151"),
    ],
)
def test_a_vrf_that_was_left_half_made_is_completed(vrfs: Node, words: tuple[str, ...]) -> None:
    vrfs.become(*(item for item in IN_VRF if item.key.type != "localsid"))
    vrfs.spaces.run("node", *words)
    assert vrfs.become(*IN_VRF) == []
    vrfs.spaces.run("node", *words)
    assert vrfs.become(*IN_VRF) == []
    assert dict(vrfs.driver.observe().resources) == {item.key: item for item in IN_VRF}
    for name in ("vrf4711", "br-blue"):
        (link,) = vrfs.spaces.show("node", f"link show {name}")
        assert "UP" in link["flags"]
    (rule,) = (row for row in vrfs.spaces.show("node", "-6 rule show") if row["priority"] == NUMBER)
    assert (rule["src"], rule["iif"], rule["table"]) == ("fd11::1", "vrf4711", "main")
    for family in ("-4", "-6"):
        assert vrfs.spaces.show("node", f"{family} route show default table 4711 metric {LAST_RESORT}")
    vrfs.spaces.run("node", *words)
    assert vrfs.become() == []
    assert dict(vrfs.driver.observe().resources) == {}
    vrfs.become(ROUTE)
    assert not [row for row in vrfs.spaces.show("node", "-6 rule show") if row["priority"] == NUMBER]


class KilledError(Exception):
    """Somebody ended the apply."""


class Dying(Ip):
    """A kernel that is told so many commands, and then no more."""

    left = 0

    def batch(self, commands: Sequence[str], *, ipv6: bool = False) -> dict[int, str]:
        done, self.left = commands[: self.left], self.left - len(commands)
        failed = super().batch(done, ipv6=ipv6)
        if self.left < 0:
            raise KilledError
        return failed


@pytest.mark.parametrize("wanted", [(), (BRIDGE, *OBJECTS, STEERING)], ids=["gone", "other"])
def test_an_apply_that_is_killed_after_any_command_is_completed(
    node: Node, wanted: tuple[Resource, ...]
) -> None:
    """Also where it was making a link: that is ours before it has its name tag."""
    for number in count():
        dying = node.driver.ip = Dying(node.netns)
        dying.left = number
        with suppress(KilledError):
            node.become(*ALL, BRIDGE)
        node.driver.ip = Ip(node.netns)
        assert node.become(*wanted) == [], number
        assert dict(node.driver.observe().resources) == {item.key: item for item in wanted}
        node.become()
        assert node.nexthops() == 0
        assert "br-blue" not in {link["ifname"] for link in node.spaces.show("node", "link show")}
        if dying.left >= 0:  # it was not killed any more
            break


def test_a_link_that_somebody_else_makes_meanwhile_stays_theirs(node: Node) -> None:
    batch = node.driver.stage([Action("t", "create", 0, None, BRIDGE, "", Impact("hitless", ""))])
    node.spaces.ip("node", "link add br-blue type bridge")
    (outcome,) = node.driver.commit(batch)
    assert "not ours" in outcome.message
    (link,) = node.spaces.show("node", "link show br-blue")
    assert "ifalias" not in link
    assert node.driver.observe().resources.keys() <= {SETTINGS.key}


def test_routes_of_somebody_else_that_use_a_policy_of_ours_stay_when_it_goes(node: Node) -> None:
    node.become(*ALL)
    ids = {row["id"]: row for row in node.spaces.show("node", "nexthop show")}
    (group,) = (number for number, row in ids.items() if "group" in row)
    member = min(ids.keys() - {group})
    node.spaces.ip(
        "node",
        f"route add 10.9.0.0/16 nhid {group} proto static",
        f"route add fd77::/64 nhid {member} proto static",
    )
    node.become(*(changed(POLICY) if item is POLICY else item for item in ALL))
    assert node.spaces.show("node", "-6 route show fd77::/64")
    assert node.become() == []
    assert node.spaces.show("node", "-4 route show 10.9.0.0/16")
    assert node.spaces.show("node", "-6 route show fd77::/64")
    node.spaces.ip("node", "route delete 10.9.0.0/16", "route delete fd77::/64")
    node.become(ROUTE)
    assert node.nexthops() == 0


@pytest.mark.parametrize("prefix", ["::a01:0/112", "::ffff:a00:0/104", "64:ff9b::a00:0/104"])
def test_prefixes_that_the_kernel_writes_with_dots_are_known_again(node: Node, prefix: str) -> None:
    wanted = (*ALL, a_steering(prefix, "cafe:1::1"))
    assert node.become(*wanted) == []
    assert dict(node.driver.observe().resources) == {item.key: item for item in wanted}


def test_a_namespace_that_is_not_there_may_come_later(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match="there is no network namespace lab-nowhere"):
        Linux("t", "lab-nowhere", tmp_path).observe()


def test_the_target_type_opens_it(tmp_path: Path) -> None:
    target = Target.model_validate({"name": "w1", "type": "linux", "node": "w1", "netns": "lab-nowhere"})
    driver = open_driver(target, tmp_path)
    assert isinstance(driver, Linux)
    assert (driver.name, driver.ip.netns) == ("w1", "lab-nowhere")
