"""The GoBGP driver: whose a path is, and what becomes of policies that agents of Calico-VPP never forget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.derived.announcements import distinguisher
from intent.kinds.project import Target
from reconciler.apply import apply
from reconciler.brake import check
from reconciler.drivers import open_driver
from reconciler.drivers.base import Outcome, PermanentError, TransientError
from reconciler.drivers.gobgp.client import Api
from reconciler.drivers.gobgp.driver import Gobgp
from reconciler.drivers.gobgp.paths import Announced, Nlri, Segment, Weighted, announced_as, spec_of
from reconciler.plan import Action, Plan, plan
from reconciler.retry import Retry
from renderers import RULES
from renderers.resource import Key, Resource
from renderers.rules import Impact
from tests.calico_receiver import in_force, rejected
from tests.gobgpd import StandIn, stand_in

NODE = "fd22::3"
BEHAVIORS = {4: 19, 6: 18}


def own_path(family: int = 4, sid: str = "fcff:3::4", bsid: str = "cafe::3") -> Announced:
    """Return what a Calico-VPP node announces of itself."""
    lists = (Weighted(12, (Segment(sid, BEHAVIORS[family]),)),)
    return Announced(Nlri(0, family, NODE), NODE, bsid, lists, 11, 10)


def engineered(*by: str, family: int = 4, sid: str = "fcff:3::4", bsid: str = "cafe::8001") -> Resource:
    """Return a policy of the cluster core towards that node."""
    nlri = Nlri(distinguisher("core", family), family, NODE)
    lists = (Weighted(1, (*map(Segment, by), Segment(sid, BEHAVIORS[family]))),)
    return resource(Announced(nlri, "fd22::ffff", bsid, lists, 100, 128, no_advertise=True))


def resource(said: Announced, cluster: str = "core") -> Resource:
    return Resource(Key("srpolicy", f"cluster/{cluster}", "sr-policy", str(said.nlri)), spec_of(said))


@pytest.fixture
def server() -> Iterator[StandIn]:
    with stand_in() as made:
        yield made


@pytest.fixture
def driver(server: StandIn, tmp_path: Path) -> Gobgp:
    return Gobgp("bgp", Api(server.address), ["core", "edge"], tmp_path / "leases")


def bring(driver: Gobgp, *wanted: Resource) -> list[Action]:
    """Apply what is wanted, as the command does, and return what was done; nothing is left to do then."""
    made = planned(driver, *wanted)
    result = apply(made, {"bgp": driver}, retry=Retry(2, 0.0))
    assert result.failed == ()
    assert planned(driver, *wanted).actions == ()
    return list(made.actions)


def planned(driver: Gobgp, *wanted: Resource) -> Plan:
    return plan({"bgp": wanted}, {"bgp": driver.observe()}, RULES)


def test_a_removed_policy_gives_way_to_the_nodes_own_path(server: StandIn, driver: Gobgp) -> None:
    server.policy(own_path())
    bring(driver, engineered("fcbb:1::"))
    assert path_of_traffic(server) == ("fcbb:1::", "fcff:3::4")
    (gone,) = bring(driver)
    assert gone.operation == "delete"
    assert gone.impact.level == "brief loss"
    assert "the node's own path takes its place" in gone.impact.reason
    assert path_of_traffic(server) == ("fcff:3::4",)
    (left,) = [item for item in driver.api.policies() if not item.neighbor]
    assert (left.bsid, left.priority) == ("cafe::3", 128), "steering moves to the node's own BSID"
    assert rejected(left) == ""


def path_of_traffic(server: StandIn, family: int = 4) -> tuple[str, ...]:
    """Return the SIDs that an agent writes which ran all the time, the same as one that starts now."""
    running = in_force(server.heard(), NODE, BEHAVIORS[family])
    fresh = in_force(server.listed(), NODE, BEHAVIORS[family])
    assert running is not None
    assert fresh is not None
    assert running.lists == fresh.lists
    return tuple(hop.sid for hop in running.lists[0].segments)


def test_a_policy_that_comes_again_wins_again(server: StandIn, driver: Gobgp) -> None:
    server.policy(own_path())
    for router in ("fcbb:1::", "fcbb:2::"):
        (made,) = bring(driver, engineered(router))
        assert made.operation == "create"
        assert path_of_traffic(server) == (router, "fcff:3::4")
        bring(driver)
        assert path_of_traffic(server) == ("fcff:3::4",)


def of(cluster: str, item: Resource) -> Resource:
    """Return the same policy as another cluster of the mesh announces it."""
    said = announced_as(item.spec)
    return resource(replace(said, nlri=said.nlri._replace(distinguisher=distinguisher(cluster, 4))), cluster)


def test_a_cluster_that_leaves_the_mesh_takes_no_traffic_off_the_policy_of_another(
    server: StandIn, driver: Gobgp
) -> None:
    server.policy(own_path())
    stays = engineered("fcbb:1::")
    bring(driver, stays, of("edge", stays))
    bring(driver, stays)
    assert path_of_traffic(server) == ("fcbb:1::", "fcff:3::4")
    bring(driver)
    assert path_of_traffic(server) == ("fcff:3::4",)


@pytest.mark.parametrize("last", ["core", "edge"])
def test_of_two_clusters_that_announced_a_policy_one_remainder_is_left(
    server: StandIn, driver: Gobgp, last: str
) -> None:
    server.policy(own_path())
    core = engineered("fcbb:1::")
    edge = of("edge", core)
    bring(driver, core, edge)
    bring(driver)
    assert path_of_traffic(server) == ("fcff:3::4",)
    assert len([item for item in server.listed() if not item.neighbor]) == 1
    again = engineered("fcbb:2::") if last == "core" else of("edge", engineered("fcbb:2::"))
    bring(driver, again)
    assert path_of_traffic(server) == ("fcbb:2::", "fcff:3::4")
    (only,) = [item for item in server.listed() if not item.neighbor]
    assert spec_of(only) == again.spec, "an agent that starts now has nothing to choose from"


def test_one_policy_takes_the_place_of_another(server: StandIn, driver: Gobgp) -> None:
    server.policy(own_path())
    bring(driver, engineered("fcbb:1::"))
    (done,) = bring(driver, engineered("fcbb:2::", bsid="cafe::8002"))
    assert done.operation == "update"
    assert path_of_traffic(server) == ("fcbb:2::", "fcff:3::4")


def test_families_do_not_meet(server: StandIn, driver: Gobgp) -> None:
    for family in (4, 6):
        server.policy(own_path(family))
    bring(driver, engineered("fcbb:1::"), engineered("fcbb:2::", family=6))
    bring(driver, engineered("fcbb:2::", family=6))
    assert path_of_traffic(server, 4) == ("fcff:3::4",)
    assert path_of_traffic(server, 6) == ("fcbb:2::", "fcff:3::4")


def test_a_node_that_draws_another_sid_is_followed(server: StandIn, driver: Gobgp) -> None:
    server.policy(own_path())
    bring(driver, engineered("fcbb:1::"))
    bring(driver)
    server.policy(own_path(sid="fcff:3::99", bsid="cafe::4"))
    assert path_of_traffic_of_running(server) == ("fcff:3::4",), "which is gone: its traffic is lost"
    (stale,) = driver.observe().resources.values()
    assert stale.spec["lists"][0]["segments"] == [{"sid": "fcff:3::4", "behavior": 19}]
    made = planned(driver)
    (done,) = made.actions
    assert (done.operation, done.key.type, done.impact.level) == ("delete", "remainder", "brief loss")
    assert check(made, {"bgp": driver.observe()}, {}) == (), "the brake lets traffic return"
    (done,) = bring(driver)
    assert done.operation == "delete"
    assert path_of_traffic(server) == ("fcff:3::99",)


def test_a_policy_comes_in_the_place_of_what_another_left(server: StandIn, driver: Gobgp) -> None:
    """One apply makes the policy and deletes what is left under its name: the policy stays."""
    server.policy(own_path())
    bring(driver, engineered("fcbb:1::"))
    bring(driver)
    server.policy(own_path(sid="fcff:3::99", bsid="cafe::4"))
    wanted = engineered("fcbb:2::")
    assert {action.operation for action in bring(driver, wanted)} == {"create", "delete"}
    assert path_of_traffic(server)[0] == "fcbb:2::"
    assert planned(driver, wanted).actions == ()


def path_of_traffic_of_running(server: StandIn) -> tuple[str, ...]:
    chosen = in_force(server.heard(), NODE, 19)
    assert chosen is not None
    return tuple(hop.sid for hop in chosen.lists[0].segments)


def test_a_node_that_only_draws_another_bsid_changes_nothing(server: StandIn, driver: Gobgp) -> None:
    server.policy(own_path())
    bring(driver, engineered("fcbb:1::"))
    bring(driver)
    server.policy(own_path(bsid="cafe::4"))
    assert driver.observe().resources == {}


def test_where_the_node_is_not_heard_the_sid_of_the_policy_stays(server: StandIn, driver: Gobgp) -> None:
    bring(driver, engineered("fcbb:1::"))
    bring(driver)
    (left,) = server.listed()
    assert left.lists == (Weighted(1, (Segment("fcff:3::4", 19),)),)
    assert left.bsid == "cafe::8001"


def test_a_node_whose_announcement_says_no_sid_is_as_one_that_is_not_heard(
    server: StandIn, driver: Gobgp
) -> None:
    server.policy(replace(own_path(), lists=()))
    bring(driver, engineered("fcbb:1::"))
    bring(driver)
    (left,) = [item for item in driver.api.policies() if not item.neighbor]
    assert left.service_sid == "fcff:3::4"


def test_several_lists_of_one_sid_are_no_remainder(server: StandIn, driver: Gobgp) -> None:
    said = announced_as(engineered("fcbb:1::").spec)
    two = resource(replace(said, lists=(Weighted(1, (Segment("fcff:3::4", 19),)), *said.lists)))
    bring(driver, two)
    assert driver.observe().resources == {two.key: two}
    assert len(server.listed()) == 1


def test_towards_nodes_of_ours_a_path_of_one_sid_is_a_policy_and_its_withdrawal_is_one(
    server: StandIn, driver: Gobgp
) -> None:
    nlri = Nlri(distinguisher("edge", 300), 4, "fd11::1")
    lists = (Weighted(1, (Segment("fcdd::12c", 19),)),)
    default = resource(Announced(nlri, "fd22::ffff", "cafe:1::5", lists, 100, 128, no_advertise=True), "edge")
    bring(driver, default)
    assert driver.observe().resources == {default.key: default}
    bring(driver)
    assert server.listed() == []


def test_what_others_announce_is_not_listed_and_not_touched(server: StandIn, driver: Gobgp) -> None:
    ours = announced_as(engineered("fcbb:1::").spec)
    foreign = ours.nlri._replace(distinguisher=distinguisher("others", 4))
    strange = replace(ours, nlri=foreign, bsid="cafe::9001")
    server.policy(own_path())
    server.policy(ours, neighbor="fd00::9")
    driver.api.announce(strange)
    assert driver.observe().resources == {}
    bring(driver, engineered("fcbb:1::"))
    bring(driver)
    assert strange in server.listed()
    assert [item.neighbor for item in server.listed() if item.nlri == ours.nlri and item.neighbor] == [
        "fd00::9"
    ]


def test_what_somebody_changed_is_set_right(server: StandIn, driver: Gobgp) -> None:
    server.policy(own_path())
    wanted = engineered("fcbb:1::")
    bring(driver, wanted)
    driver.api.announce(replace(announced_as(wanted.spec), priority=5))
    (done,) = bring(driver, wanted)
    assert [change.path for change in done.changes] == ["priority"]
    driver.api.announce(replace(announced_as(wanted.spec), priority=5))
    bring(driver)
    assert path_of_traffic(server) == ("fcff:3::4",), "at no lower priority than agents heard before"


def test_what_agents_heard_at_a_higher_priority_is_outdone(server: StandIn, driver: Gobgp) -> None:
    server.policy(own_path())
    wanted = engineered("fcbb:1::")
    driver.api.announce(replace(announced_as(wanted.spec), priority=200))
    assert planned(driver, wanted).actions == (), "it does what is wanted"
    bring(driver, engineered("fcbb:2::"))
    assert path_of_traffic(server) == ("fcbb:2::", "fcff:3::4")
    bring(driver)
    assert path_of_traffic(server) == ("fcff:3::4",)
    bring(driver, wanted)
    assert path_of_traffic(server) == ("fcbb:1::", "fcff:3::4"), "the remainder had that priority too"


def test_towards_nodes_of_ours_a_priority_is_put_right(server: StandIn, driver: Gobgp) -> None:
    nlri = Nlri(distinguisher("edge", 300), 4, "fd11::1")
    lists = (Weighted(1, (Segment("fcdd::12c", 19),)),)
    said = Announced(nlri, "fd22::ffff", "cafe:1::5", lists, 100, 128, no_advertise=True)
    driver.api.announce(replace(said, priority=200))
    bring(driver, resource(said, "edge"))
    assert server.listed() == [said]


@pytest.mark.parametrize("lost", ["lists", "bsid"])
def test_what_no_agent_can_have_taken_is_withdrawn(server: StandIn, driver: Gobgp, lost: str) -> None:
    said = announced_as(engineered("fcbb:1::").spec)
    driver.api.announce(replace(said, lists=()) if lost == "lists" else replace(said, bsid=None))
    bring(driver)
    assert server.listed() == []


def test_a_cluster_that_was_renamed_does_not_announce_beside_its_former_self(
    server: StandIn, driver: Gobgp, tmp_path: Path
) -> None:
    """Headends tell the two policies of one BSID apart by accident; the old one would never change again."""
    before = engineered("fcbb:1::")
    bring(driver, before)
    renamed = Gobgp("bgp", Api(server.address), ["metro"], tmp_path / "leases")
    wanted = of("metro", engineered("fcbb:2::"))
    made = planned(renamed, wanted)
    with pytest.raises(PermanentError, match="restart GoBGP") as raised:
        renamed.stage(made.actions)
    assert raised.value.refused.keys() == {wanted.key}
    assert "cafe::8001" in str(raised.value)
    server.paths.clear()
    bring(renamed, wanted)


def test_clusters_of_a_mesh_share_their_bsids(server: StandIn, driver: Gobgp) -> None:
    server.policy(own_path())
    core = engineered("fcbb:1::")
    bring(driver, core)
    server.policy(announced_as(of("metro", core).spec), neighbor="fd00::9")
    bring(driver, core, of("edge", core))
    assert planned(driver, core, of("edge", core)).actions == ()


ODD = {
    "not ours": (resource(announced_as(engineered("fcbb:1::").spec), "elsewhere"), "is not ours to announce"),
    "another family": (replace(engineered(), key=Key("vpp", "node/core/w1", "policy", "x")), "not ours"),
    "incomplete": (
        replace(engineered(), spec={k: v for k, v in engineered().spec.items() if k != "lists"}),
        "no SR policy that BGP can carry",
    ),
    "no address": (replace(engineered(), spec={**engineered().spec, "bsid": "cafe"}), "BGP can carry"),
    "too large": (replace(engineered(), spec={**engineered().spec, "priority": 1 << 32}), "BGP can carry"),
    "another name": (
        replace(engineered(), spec={**engineered().spec, "endpoint": "fd22::4"}),
        "names another policy",
    ),
}


@pytest.mark.parametrize("what", ODD)
def test_what_cannot_be_announced_is_refused_by_name(driver: Gobgp, what: str) -> None:
    item, words = ODD[what]
    action = Action("bgp", "create", 0, None, item, "", Impact("hitless", ""))
    with pytest.raises(PermanentError, match=words) as raised:
        driver.stage([action])
    assert raised.value.refused.keys() == {item.key}


def test_a_broken_connection_is_tried_again_and_what_was_done_stays(server: StandIn, driver: Gobgp) -> None:
    server.failures.append(("AddPath", grpc.StatusCode.UNAVAILABLE, "gone"))
    bring(driver, engineered("fcbb:1::"), engineered("fcbb:1::", family=6))
    assert server.written == 2


def test_what_the_server_refuses_fails_alone(server: StandIn, driver: Gobgp) -> None:
    one, two = engineered("fcbb:1::"), engineered("fcbb:1::", family=6)
    server.failures.append(("AddPath", grpc.StatusCode.INVALID_ARGUMENT, "no such thing"))
    actions = [Action("bgp", "create", 0, None, item, "", Impact("hitless", "")) for item in (one, two)]
    first, second = driver.commit(driver.stage(actions))
    assert (first.status, second) == ("failed", Outcome(actions[1], "done"))
    assert "no such thing" in first.message


def test_an_unreadable_table_is_no_empty_one(server: StandIn, driver: Gobgp) -> None:
    bring(driver, engineered("fcbb:1::"))
    server.failures.append(("ListPath", grpc.StatusCode.DEADLINE_EXCEEDED, "late"))
    with pytest.raises(TransientError):
        driver.observe()


def test_a_target_of_its_type_opens_the_driver(server: StandIn, tmp_path: Path) -> None:
    said = {"name": "bgp", "type": "gobgp", "address": server.address, "clusters": ["core"]}
    opened = open_driver(Target.model_validate(said), tmp_path)
    assert isinstance(opened, Gobgp)
    assert opened.observe().resources == {}
    assert not opened.fences
    opened.close()


class Memory(Api):
    """A table without a server, and all that peers would have heard of it."""

    def __init__(self) -> None:
        super().__init__("nowhere")
        self.local: dict[Nlri, Announced] = {}
        self.learnt: dict[Nlri, Announced] = {}
        self.heard: list[Announced] = []

    def policies(self) -> tuple[Announced, ...]:
        return (*self.local.values(), *self.learnt.values())

    def announce(self, wanted: Announced) -> None:
        # GoBGP passes on nothing that is as it was.
        if self.local.get(wanted.nlri) != wanted:
            self.heard.append(wanted)
        self.local[wanted.nlri] = wanted

    def withdraw(self, found: Announced) -> None:
        del self.local[found.nlri]

    def learn(self, said: Announced) -> None:
        self.learnt[said.nlri] = replace(said, neighbor="fd00::2")
        self.heard.append(said)


STEPS = st.lists(
    st.tuples(st.sampled_from([4, 6]), st.sampled_from(["", "a", "b", "sid", "bsid", "restart"])), max_size=25
)


@given(STEPS)
def test_traffic_always_takes_what_intent_says(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str]]
) -> None:
    """Whatever comes of policies, removals, new SIDs and restarts of agents: an apply sets all right."""
    api = Memory()
    driver = Gobgp("bgp", api, ["core"], tmp_path_factory.getbasetemp())
    wanted: dict[int, Resource] = {}
    sids, drawn = {4: "fcff:3::4", 6: "fcff:3::6"}, 10
    for family in (4, 6):
        api.learn(own_path(family, sids[family], f"cafe::{family}"))
    for family, step in steps:
        drawn += 1
        if step == "restart":
            api.heard = [*api.learnt.values(), *api.local.values()]
            api.heard.reverse()
        elif step in ("sid", "bsid"):
            sids[family] = f"fcff:3::{drawn:x}" if step == "sid" else sids[family]
            api.learn(own_path(family, sids[family], f"cafe::{drawn:x}"))
            if family in wanted:
                # The facts are captured again, and the policy ends in the new SID.
                by = wanted[family].spec["lists"][0]["segments"][0]["sid"]
                wanted[family] = engineered(by, family=family, sid=sids[family])
        elif step:
            wanted[family] = engineered(f"fcbb:{step}::", family=family, sid=sids[family])
        else:
            wanted.pop(family, None)
        bring(driver, *wanted.values())
        for one, behavior in BEHAVIORS.items():
            chosen = in_force(api.heard, NODE, behavior)
            assert chosen is not None
            expected = wanted[one].spec["lists"] if one in wanted else None
            taken = spec_of(chosen)["lists"]
            assert taken == expected or (expected is None and taken[0]["segments"][0]["sid"] == sids[one])
            assert len(taken) == 1
            assert expected is not None or len(taken[0]["segments"]) == 1


MESH = st.lists(
    st.tuples(st.sets(st.sampled_from(["core", "edge"])), st.sampled_from(["a", "b"]), st.booleans()),
    max_size=12,
)


@given(MESH)
def test_clusters_of_a_mesh_come_and_go_and_traffic_takes_what_intent_says(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[set[str], str, bool]]
) -> None:
    """The same holds for agents that ran all the time, and for one that starts now and hears in any order."""
    api = Memory()
    driver = Gobgp("bgp", api, ["core", "edge"], tmp_path_factory.getbasetemp())
    sid = "fcff:3::4"
    api.learn(own_path())
    for number, (clusters, by, drawn) in enumerate(steps):
        if drawn:
            sid = f"fcff:3::{number + 16:x}"
            api.learn(own_path(sid=sid))
        te = engineered(f"fcbb:{by}::", sid=sid)
        bring(driver, *(of(cluster, te) for cluster in clusters))
        expected = (f"fcbb:{by}::", sid) if clusters else (sid,)
        fresh = list(api.policies())
        for heard in (api.heard, fresh, fresh[::-1]):
            chosen = in_force(heard, NODE, 19)
            assert chosen is not None
            assert tuple(hop.sid for hop in chosen.lists[0].segments) == expected
