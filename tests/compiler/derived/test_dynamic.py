"""Dynamic candidate paths from intent to the lists that headends hold."""

from __future__ import annotations

import pytest

from compiler.derived.access import Pair
from compiler.derived.mtu import pod_mtu
from compiler.derived.policy import active, candidates
from compiler.graph import Scope
from tests.overlays import (
    ALL_UP,
    CALICO,
    CLUSTER,
    FACTS,
    SQUARE,
    W1,
    W3,
    calico_node,
    computed,
    node,
    policy,
    specs,
)
from tests.support import Built, build

NODES = (node(1), node(2), node(3))
BASE = (SQUARE, *NODES, CLUSTER)
P1_P2 = Pair("p1", "p2")
DOWN = ALL_UP.replace("up", "down")


def path(built: Built, name: str = "te", pair: Pair = P1_P2) -> list[str]:
    """Return the links of the computed path in use."""
    assert built.compiled.resolved is not None, str(built)
    choice = active(built.compiled.resolved)[name][pair]
    (item,) = choice.lists
    assert item.path is not None
    return [arc.link for arc in item.path]


def sids(built: Built, scope: Scope = W1, prefix: str = "10.64.") -> list[str]:
    """Return the SIDs that a headend puts in front of the service SID, for traffic to w2."""
    steering = specs(built, scope, "steering").values()
    policies = specs(built, scope, "policy")
    lists = [
        policies[row["bsid"]]["lists"][0]["sids"] for row in steering if row["prefix"].startswith(prefix)
    ]
    longest: list[str] = max(lists, key=len)[:-1]
    return longest


@pytest.mark.parametrize(
    ("objective", "constraints", "links", "transit"),
    [
        ("igp", "", ["p1-p3", "p2-p3"], []),
        ("te", "", ["p1-p3", "p2-p3"], []),
        ("latency", "", ["p1-p4", "p2-p4"], ["fcbb:0:4::1"]),
        ("latency", "excludeSrlgs: [south]", ["p1-p3", "p2-p3"], []),
        ("igp", "excludeRouters: [p3]", ["p1-p4", "p2-p4"], ["fcbb:0:4::1"]),
        ("igp", "includeAny: [fast]", ["p1-p4", "p2-p4"], ["fcbb:0:4::1"]),
        ("igp", "includeAll: [fast]", ["p1-p4", "p2-p4"], ["fcbb:0:4::1"]),
        ("igp", "excludeAny: [bulk]", ["p1-p4", "p2-p4"], ["fcbb:0:4::1"]),
    ],
)
def test_objective_and_constraints_choose_the_path(
    objective: str, constraints: str, links: list[str], transit: list[str]
) -> None:
    built = build(*BASE, policy(computed(objective, constraints)))
    assert path(built) == links
    assert sids(built) == transit
    assert built.warnings == []


def test_te_metric_stands_in_for_the_igp_metric() -> None:
    dear = SQUARE.replace("name: p1-p3\n", "name: p1-p3\n      teMetric: 90\n")
    assert path(build(dear, *NODES, CLUSTER, policy(computed("te")))) == ["p1-p4", "p2-p4"]


def test_a_link_that_is_down_and_a_router_that_is_drained_are_left_out() -> None:
    assert path(build(*BASE, DOWN, policy(computed("igp")))) == ["p1-p4", "p2-p4"]
    drained = SQUARE.replace("name: p3,", "name: p3, state: drain,")
    built = build(drained, *NODES, CLUSTER, policy(computed("igp")))
    assert path(built) == ["p1-p4", "p2-p4"]
    # The drained router may still forward, so the way around it is forced.
    assert sids(built) == ["fcbb:0:4::1"]


def test_an_access_router_may_be_drained() -> None:
    drained = SQUARE.replace("name: p2,", "name: p2, state: drain,")
    assert path(build(drained, *NODES, CLUSTER, policy(computed("latency")))) == ["p1-p4", "p2-p4"]


@pytest.mark.parametrize(
    ("constraints", "why"),
    [
        ("includeAny: [fast], excludeSrlgs: [south]", "there would be one without includeAny fast"),
        ("excludeRouters: [p3], excludeSrlgs: [south]", "or without excludeRouters p3, over p1-p3, p2-p3"),
        ("excludeRouters: [p3, p4], excludeSrlgs: [south, north]", "several constraints together leave none"),
        ("excludeRouters: [p1]", "it begins or ends at p1, which excludeRouters names"),
        ("excludeSrlgs: [north], maxSids: 1", ""),
    ],
)
def test_who_is_to_blame_is_said(constraints: str, why: str) -> None:
    built = build(*BASE, policy(computed("igp", constraints)))
    assert ("IC2630" in built.warnings) == bool(why)
    assert why in str(built)


def test_what_may_come_back_by_itself_is_only_noted() -> None:
    built = build(*BASE, DOWN, policy(computed("igp", "excludeAny: [fast]")))
    assert "links are down: p1-p3" in str(built)
    assert built.warnings == ["IC2633"]
    drained = SQUARE.replace("name: p3,", "name: p3, state: drain,")
    built = build(drained, *NODES, CLUSTER, policy(computed("igp", "excludeAny: [fast]")))
    assert "without the drain of routers, over p1-p3, p2-p3" in str(built)
    assert built.warnings == ["IC2633"]


def test_a_link_that_nothing_forces_is_named() -> None:
    dear = SQUARE.replace("igpMetric: 20", "igpMetric: 50")
    built = build(dear, *NODES, CLUSTER, policy(computed("latency", "includeAny: [fast]")))
    assert "without links that nothing forces (add their endXSid), over p1-p4" in str(built)
    forced = dear.replace("ends: [{at: p1}, {at: p4}]", 'ends: [{at: p1, endXSid: "fcbb:0:1::e4"}, {at: p4}]')
    assert sids(build(forced, *NODES, CLUSTER, policy(computed("latency", "includeAny: [fast]")))) == [
        "fcbb:0:1::e4"
    ]


def test_a_router_that_takes_no_longer_list_is_said() -> None:
    weak = SQUARE.replace("name: p4,", "name: p4, maxSids: {endPop: 1},")
    fast = policy(computed("latency", "includeAny: [fast]"))
    # Whoever is named behind it pops in its place.
    assert sids(build(weak, *NODES, CLUSTER, fast)) == ["fcbb:0:4::1", "fcbb:0:2::1"]
    weak = weak.replace("name: p2,", "name: p2, maxSids: {endPop: 1},")
    built = build(weak, *NODES, CLUSTER, fast)
    assert "no list that forces a path keeps to maxSids of the routers; the best one" in str(built)
    assert sorted(built.warnings) == ["IC2630", "IC2633"]


def test_too_many_sids_are_said_and_the_next_candidate_is_used() -> None:
    spare = "    - {name: spare, explicit: [{segments: [{router: p3}]}]}\n"
    weak = node(1, more="  maxSids: 1\n")
    built = build(SQUARE, weak, node(2), CLUSTER, policy(computed("latency", "includeAny: [fast]", spare)))
    assert "no list of 0 SIDs forces a path; the best one, over p1-p4, p2-p4, needs 1" in str(built)
    assert built.codes == ["IC2635"]  # the spare one is too long as well


def test_a_limit_takes_the_best_path_that_it_leaves() -> None:
    assert path(
        build(SQUARE, node(1, more="  maxSids: 1\n"), node(2), CLUSTER, policy(computed("latency")))
    ) == [
        "p1-p3",
        "p2-p3",
    ]


FAR = node(5).replace("router: p1", "router: p4")


def test_each_headend_gets_the_list_from_its_own_router_and_all_have_one_bsid() -> None:
    built = build(SQUARE, *NODES, FAR, CLUSTER, policy(computed("latency", "includeAny: [fast]")))
    far = Scope("node", "edge/w5")
    assert sids(built, W1) == sids(built, W3) == ["fcbb:0:4::1"]
    assert sids(built, far) == []
    here, there = (specs(built, scope, "policy") for scope in (W1, far))
    common = {bsid for bsid in here if bsid in there and here[bsid] != there[bsid]}
    assert len(common) == 2  # one for each family
    assert {row["bsid"] for row in specs(built, W1, "steering").values()} >= common
    assert len([line for line in built.ledger.splitlines() if "/te" in line]) == 2


def test_headends_of_one_policy_may_use_different_candidates() -> None:
    spare = "    - {name: spare, explicit: [{segments: [{router: p3}]}]}\n"
    built = build(SQUARE, *NODES, FAR, CLUSTER, policy(computed("latency", "excludeRouters: [p1]", spare)))
    resolved = built.compiled.resolved
    assert resolved is not None
    names = {pair: choice.candidate.path.name for pair, choice in active(resolved)["te"].items()}
    assert names == {Pair("p1", "p2"): "spare", Pair("p4", "p2"): "best"}


def pair_of(one: str, two: str, underlay: str = SQUARE) -> Built:
    return build(
        underlay,
        *NODES,
        CLUSTER,
        policy(one, steer="{pods: [ipv4]}"),
        policy(two, name="tf", steer="{pods: [ipv6]}"),
    )


@pytest.mark.parametrize("kind", ["link", "node", "srlg"])
def test_a_path_keeps_clear_of_another_policy(kind: str) -> None:
    built = pair_of(computed("igp"), computed("igp", f"disjointFrom: te, disjointness: {kind}"))
    assert path(built) == ["p1-p3", "p2-p3"]
    assert path(built, "tf") == ["p1-p4", "p2-p4"]


TRAP = (
    SQUARE.replace(
        "  links:\n",
        "  links:\n    - name: p3-p4\n"
        '      ends: [{at: p3, endXSid: "fcbb:0:3::e4"}, {at: p4, endXSid: "fcbb:0:4::e3"}]\n',
    )
    .replace("    - {name: p2-p3, latency: 5ms,", "    - {name: p2-p3, igpMetric: 90, latency: 5ms,")
    .replace("igpMetric: 20", "igpMetric: 90")
    .replace("ends: [{at: p3}, {at: p2}]", 'ends: [{at: p3, endXSid: "fcbb:0:3::e2"}, {at: p2}]')
    .replace("ends: [{at: p1}, {at: p4}]", 'ends: [{at: p1, endXSid: "fcbb:0:1::e4"}, {at: p4}]')
)


@pytest.mark.parametrize("kind", ["link", "node", "srlg"])
def test_a_policy_makes_room_where_its_best_path_blocks_every_other(kind: str) -> None:
    built = pair_of(computed("igp"), computed("igp", f"disjointFrom: te, disjointness: {kind}"), TRAP)
    alone = build(TRAP, *NODES, CLUSTER, policy(computed("igp")))
    assert path(alone) == ["p1-p3", "p3-p4", "p2-p4"]
    ways = [path(built), path(built, "tf")]
    assert sorted(ways) == [["p1-p3", "p2-p3"], ["p1-p4", "p2-p4"]]


P3_P2, P4_P2 = Pair("p3", "p2"), Pair("p4", "p2")


@pytest.mark.parametrize(
    ("heads", "wanted"), [("[w1, w7]", [P1_P2]), ("[w5, w7]", [P3_P2]), ("[w1, w5, w7]", [P1_P2, P4_P2])]
)
def test_room_is_made_once_and_counts_for_all_headends(heads: str, wanted: list[Pair]) -> None:
    built = build(
        SQUARE,
        *NODES,
        FAR,
        node(7).replace("router: p1", "router: p3"),
        CLUSTER,
        policy(
            computed("igp"),
            headends="{nodes: {names: [w1]}}",
            endpoints="{nodes: {names: [w2]}}",
            steer="{pods: [ipv4]}",
        ),
        policy(
            computed("igp", "disjointFrom: te"),
            name="tf",
            headends=f"{{nodes: {{names: {heads}}}}}",
            endpoints="{nodes: {names: [w2]}}",
            steer="{pods: [ipv6]}",
        ),
    )
    resolved = built.compiled.resolved
    assert resolved is not None
    assert list(active(resolved)["tf"]) == wanted
    taken = set(path(built))
    assert all(not taken & set(path(built, "tf", pair)) for pair in wanted)


def test_where_no_pair_exists_the_other_one_stays_and_it_is_said() -> None:
    built = pair_of(
        computed("igp", "excludeRouters: [p4]"), computed("igp", "excludeRouters: [p4], disjointFrom: te")
    )
    assert path(built) == ["p1-p3", "p2-p3"]
    assert "every path shares a link with that of policy 'te'" in str(built)
    assert "IC2630" in built.warnings


def test_a_link_that_would_keep_clear_but_is_not_forced_is_named() -> None:
    dear = SQUARE.replace("igpMetric: 20", "igpMetric: 50")
    built = build(
        dear,
        *NODES,
        CLUSTER,
        policy(computed("igp"), steer="{pods: [ipv4]}"),
        policy(computed("igp", "disjointFrom: te"), name="tf", steer="{pods: [ipv6]}"),
    )
    assert "leads over p1-p4, which nothing forces (add its endXSid)" in str(built)


def test_the_order_of_documents_changes_nothing() -> None:
    texts = [
        *BASE,
        policy(computed("igp"), name="zz", steer="{pods: [ipv4]}"),
        policy(computed("latency", "disjointFrom: zz"), name="aa", steer="{pods: [ipv6]}"),
    ]
    assert specs(build(*texts), W1, "policy") == specs(build(*reversed(texts)), W1, "policy")


def mtu(built: Built) -> int:
    resolved = built.compiled.resolved
    assert resolved is not None, str(built)
    found = pod_mtu(resolved.clusters["edge"], resolved)
    assert found is not None
    return found.value


def test_the_mtu_follows_the_computed_list_or_the_limit_that_was_said() -> None:
    assert mtu(build(*BASE, policy(computed("igp")))) == 9000 - 40
    assert mtu(build(*BASE, policy(computed("latency")))) == 9000 - 80
    assert mtu(build(*BASE, policy(computed("igp", "maxSids: 3")))) == 9000 - 112


def lists_of_calico(*more: str) -> tuple[str, ...]:
    return (SQUARE, calico_node(1), calico_node(2), CALICO, FACTS, *more)


def test_over_bgp_one_computed_path_reaches_all_headends() -> None:
    said = {"headends": "{clusters: [core]}", "endpoints": "{nodes: {names: [w2]}}"}
    built = build(*lists_of_calico(policy(computed("latency"), **said)))
    assert built.codes == []
    (row,) = {
        tuple(segment["sid"] for segment in item.spec["lists"][0]["segments"][:-1])
        for item in built.resources(Scope("cluster", "core"))
        if item.key.family == "srpolicy" and not item.view
    }
    assert row == ("fcbb:0:4::1",)


def test_a_dynamic_path_needs_access_routers() -> None:
    bare = "".join(line for line in calico_node(1).splitlines(keepends=True) if "uplink" not in line)
    said = {"headends": "{clusters: [core]}", "endpoints": "{nodes: {names: [w2]}}"}
    built = build(SQUARE, bare, calico_node(2), CALICO, FACTS, policy(computed("igp"), **said))
    assert "a node there names no router of an underlay (spec.uplink)" in str(built)
    resolved = built.compiled.resolved
    assert resolved is not None
    assert candidates(resolved)["te"][0].ways == {}
