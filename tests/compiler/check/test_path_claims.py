"""Assertions about paths, latency and failures."""

from __future__ import annotations

import pytest

from tests.overlays import CLUSTER, SQUARE, computed, network, node, policy
from tests.support import Built, build

NODES = (node(1), node(2), node(3))
TO_W2 = ("node: w1", "node: w2")


def claim(kind: str, more: str, places: tuple[str, str] = TO_W2) -> str:
    source, destination = places
    return (
        "kind: Assertion\nmetadata: {name: rule}\nspec:\n  description: said so\n"
        f"  {kind}: {{source: {{{source}}}, destination: {{{destination}}}, {more}}}\n"
    )


def judged(*texts: str, underlay: str = SQUARE) -> Built:
    return build(underlay, *NODES, CLUSTER, *texts)


FAST = policy(computed("latency"))
FOUR_ONLY = policy(computed("latency"), steer="{pods: [ipv4]}")


@pytest.mark.parametrize(
    ("more", "texts", "holds"),
    [
        ("through: [p3]", (), True),
        ("avoids: [p4]", (), True),
        ("through: [p4]", (), False),
        ("through: [p4], avoids: [p3]", (FAST,), True),
        ("through: [p3]", (FAST,), False),
        # One family still takes the default path.
        ("through: [p4]", (FOUR_ONLY,), False),
        ("avoids: [p3]", (FOUR_ONLY,), False),
        ("through: [p1, p2]", (FAST,), True),
    ],
)
def test_every_way_of_every_family_counts(more: str, texts: tuple[str, ...], holds: bool) -> None:  # noqa: FBT001 -- parametrized
    assert judged(*texts, claim("path", more)).codes == ([] if holds else ["IC2383"])


def test_of_equal_ways_each_may_be_taken() -> None:
    even = SQUARE.replace("      igpMetric: 20\n", "")
    assert judged(claim("path", "through: [p3]"), underlay=even).codes == ["IC2383"]
    assert judged(claim("path", "avoids: [p4]"), underlay=even).codes == ["IC2383"]


@pytest.mark.parametrize(
    ("bound", "texts", "holds"),
    [("10ms", (), True), ("9999us", (), False), ("2ms", (FAST,), True), ("2ms", (FOUR_ONLY,), False)],
)
def test_the_slowest_way_counts(bound: str, texts: tuple[str, ...], holds: bool) -> None:  # noqa: FBT001 -- parametrized
    assert judged(*texts, claim("latency", f"atMost: {bound}")).codes == ([] if holds else ["IC2384"])


def test_the_links_of_nodes_count_too() -> None:
    access = SQUARE + "    - {name: w1-p1, latency: 3ms, ends: [{at: w1}, {at: p1}]}\n"
    assert judged(claim("latency", "atMost: 12ms"), underlay=access).codes == ["IC2384"]
    assert judged(claim("latency", "atMost: 13ms"), underlay=access).codes == []


def test_the_slowest_link_of_all_nodes_counts() -> None:
    access = SQUARE + (
        "    - {name: w1-p1, latency: 1ms, ends: [{at: w1}, {at: p1}]}\n"
        "    - {name: w3-p1, latency: 3ms, ends: [{at: w3}, {at: p1}]}\n"
    )
    places = ("cluster: edge", "node: w2")
    assert judged(claim("latency", "atMost: 12ms", places), underlay=access).codes == ["IC2384"]
    assert judged(claim("latency", "atMost: 13ms", places), underlay=access).codes == []


def test_a_latency_that_is_not_said_is_not_zero() -> None:
    built = judged(claim("latency", "atMost: 1s"), underlay=SQUARE.replace("      latency: 5ms\n", ""))
    assert "the latency of link 'p1-p3' is not said" in str(built)


@pytest.mark.parametrize(
    ("more", "holds"),
    [
        ("links: 1", True),
        ("links: 2", False),
        ("links: 0, routers: 1", True),
        ("links: 1, routers: 1", False),
        ("links: 0, routers: 2", False),
    ],
)
def test_failures_that_part_the_routers_are_found(more: str, holds: bool) -> None:  # noqa: FBT001 -- parametrized
    assert judged(claim("survives", more)).codes == ([] if holds else ["IC2385"])


def test_nodes_of_one_router_need_no_link() -> None:
    places = ("node: w1", "node: w3")
    assert judged(claim("survives", "links: 3, routers: 3", places)).codes == []
    assert judged(claim("path", "avoids: [p2]", places)).codes == []
    assert judged(claim("path", "avoids: [p1]", places)).codes == ["IC2383"]


def test_pods_of_a_cluster_and_of_a_network_are_judged() -> None:
    assert judged(claim("latency", "atMost: 1ms", ("cluster: edge", "cluster: edge"))).codes == ["IC2384"]
    net = network("n1", "10.1.0.0/16")
    steered = policy(computed("latency"), steer="{pods: [], networks: [n1]}")
    through = claim("path", "through: [p4]", ("node: w1", "network: n1"))
    assert judged(net, through).codes == ["IC2383"]
    # To w3, behind the same router, nothing leaves p1.
    to_w2 = build(SQUARE, node(1), node(2), CLUSTER, net, steered, through)
    assert to_w2.codes == []


def test_what_cannot_be_judged_is_said() -> None:
    bare = "kind: VirtualNetwork\nmetadata: {name: n9}\nspec: {attachments: [{type: bareMetal}]}\n"
    built = judged(bare, claim("survives", "links: 1", ("node: w1", "network: n9")))
    assert "IC2382" in str(built)
    assert "network 'n9' is on no overlay" in str(built)
