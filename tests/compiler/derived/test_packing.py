"""Headends that pack SIDs: what they write, what egress nodes own, and what pods may send."""

from __future__ import annotations

from itertools import pairwise

import pytest

from compiler.derived.mtu import pod_mtu
from tests.overlays import CLUSTER, SQUARE, W1, W2, W3, computed, node, policy, specs
from tests.support import Built, build

NODES = (node(1), node(2), node(3))
PACKED = CLUSTER.replace(
    'localsids: "fcdd::/48"', 'encapsulation: usid, localsidBlockSize: 48, localsids: "fcbb:0:8000::/33"'
)
SMALL = SQUARE
for NUMBER in (1, 2, 3, 4):
    SMALL = SMALL.replace(
        f'locator: "fcbb:0:{NUMBER}::/48"', f'locator: "fcbb:0:{NUMBER}::/48", endSid: "fcbb:0:{NUMBER}::"'
    )
SMALL = SMALL.replace("fcbb:0:1::e3", "fcbb:0:1:e3::")


def through(*segments: str) -> str:
    return f"\n    - {{name: a, explicit: [{{segments: [{', '.join(segments)}]}}]}}\n"


def written(built: Built) -> list[list[str]]:
    """Return the lists of w1 that hold more than the service SID of w2 or w3."""
    assert built.codes == [], str(built)
    services = {*specs(built, W2, "localsid"), *specs(built, W3, "localsid")}
    lists = [row["lists"][0]["sids"] for row in specs(built, W1, "policy").values()]
    return [several for several in lists if several[0] not in services]


def mtu(built: Built) -> int:
    assert built.compiled.resolved is not None
    found = pod_mtu(built.compiled.resolved.clusters["edge"], built.compiled.resolved)
    assert found is not None
    return found.value


def test_a_list_that_fits_is_one_address_with_no_srh() -> None:
    built = build(SMALL, *NODES, PACKED, policy(computed("latency")))
    services = set(specs(built, W2, "localsid"))
    lists = written(built)
    assert [len(several) for several in lists] == [1, 1]
    for (carrier,) in lists:
        block, zero, router, *service = carrier.removesuffix("::").split(":")
        assert (block, zero, router) == ("fcbb", "0", "4")
        assert f"fcbb:0:{':'.join(service)}::" in services
    assert mtu(built) == 9000 - 40


def test_a_function_of_a_router_takes_two_places() -> None:
    built = build(SMALL, *NODES, PACKED, policy(through("{router: p1, link: p1-p3}", "{router: p4}")))
    assert all(several[0].startswith("fcbb:0:1:e3:4:") for several in written(built))


@pytest.mark.parametrize(("dataplane", "mtu_left"), [("vpp", 9000 - 80), ("linux", 9000 - 64)])
def test_what_does_not_fit_takes_more_addresses_and_the_mtu_follows(dataplane: str, mtu_left: int) -> None:
    long = through("{router: p3}", "{router: p4}", "{router: p3}", "{router: p4}", "{router: p3}")
    cluster = PACKED.replace("dataplane: vpp", f"dataplane: {dataplane}")
    built = build(SMALL, *NODES, cluster, policy(long))
    assert mtu(built) == mtu_left


HALF = SMALL.replace(', endSid: "fcbb:0:4::"', "")
WEAK = (node(1, more="  maxSids: 1\n"), node(2), node(3))


def test_a_computed_list_fills_no_more_addresses_than_headends_push() -> None:
    fast = policy(computed("latency"))
    assert [len(several) for several in written(build(SMALL, *WEAK, PACKED, fast))] == [1, 1]
    built = build(HALF, *WEAK, PACKED, fast)
    assert written(built) == []  # what needs no SID is the IGP's way, and no list of its own
    assert mtu(built) == 9000 - 40
    only = policy(computed("latency", "includeAny: [fast]"))
    assert "no list that forces a path fits into one address with" in str(build(HALF, *WEAK, PACKED, only))


RING = "kind: Underlay\nmetadata: {name: core}\nspec:\n  affinities: [round]\n  routers:\n"
"""From p1 to p2 by one link, or round over p3, p4 and p5, of which p4 does not pack."""
for AT in range(1, 6):
    RING += f'    - {{name: p{AT}, loopback: "fd00:0:{AT}::1", locator: "fcbb:0:{AT}::/48"'
    RING += f"{'' if AT == 4 else f', endSid: {chr(34)}fcbb:0:{AT}::{chr(34)}'}}}\n"
RING += "  links:\n    - {name: p1-p2, igpMetric: 20, ends: [{at: p1}, {at: p2}]}\n"
for FROM, TO in pairwise(["p1", "p3", "p4", "p5", "p2"]):
    RING += f"    - {{name: {FROM}-{TO}, affinities: [round], ends: [{{at: {FROM}}}, {{at: {TO}}}]}}\n"


def test_more_sids_are_taken_where_they_fill_fewer_addresses() -> None:
    said = policy(computed("igp", "includeAny: [round]"))
    for nodes in (NODES, WEAK):
        lists = written(build(RING, *nodes, PACKED, said))
        assert [len(several) for several in lists] == [1, 1]
        assert all(several[0].startswith("fcbb:0:3:5:") for several in lists)
    limit = policy(computed("igp", "includeAny: [round], maxSids: 1"))
    lists = written(build(RING, *NODES, PACKED, limit))
    assert [several[0] for several in lists] == ["fcbb:0:4::1"] * 2
    assert mtu(build(RING, *NODES, PACKED, limit)) == 9000 - 80
    text = "no list of 1 SIDs forces a path"
    assert text not in str(build(RING, *WEAK, PACKED, limit))
    assert "fits into one address with the service SID" in str(build(RING, *WEAK, PACKED, limit))


CHAIN = ["p1", "p3", "p4", "p5", "p6", "p2"]
TWINS = "kind: Underlay\nmetadata: {name: core}\nspec:\n  routers:\n"
"""Six routers in a row, with two links from each to the next; and a slower way around them, over p7."""
for AT in range(1, 8):
    TWINS += f'    - {{name: p{AT}, loopback: "fd00:0:{AT}::1", locator: "fcbb:0:{AT}::/48", '
    TWINS += f'endSid: "fcbb:0:{AT}::"}}\n'
TWINS += "  links:\n"
for FROM, TO in pairwise(CHAIN):
    for TWIN, LATENCY in ((1, "1ms"), (2, "9ms")):
        SID = f"fcbb:0:{FROM[1:]}:e{TWIN}::"
        TWINS += f"    - {{name: {FROM}-{TO}-{TWIN}, latency: {LATENCY}, "
        TWINS += f'ends: [{{at: {FROM}, endXSid: "{SID}"}}, {{at: {TO}}}]}}\n'
for FROM, TO in (("p1", "p7"), ("p7", "p2")):
    TWINS += f"    - {{name: {FROM}-{TO}, latency: 3ms, igpMetric: 400, "
    TWINS += f"ends: [{{at: {FROM}}}, {{at: {TO}}}]}}\n"
ONE_DOWN = "kind: Facts\nmetadata: {name: links}\nspec: {links: [{link: p4-p5-1, state: down}]}\n"


def test_where_the_best_list_fills_too_many_addresses_the_next_one_is_taken() -> None:
    fast = policy(computed("latency"))
    assert {len(several) for several in written(build(TWINS, *NODES, PACKED, fast))} == {2}
    lists = written(build(TWINS, *WEAK, PACKED, fast))
    assert [len(several) for several in lists] == [1, 1]
    assert all(several[0].startswith("fcbb:0:7:") for several in lists)


@pytest.mark.parametrize(("most", "addresses"), [(5, 2), (6, 3)])
def test_the_mtu_counts_on_the_limit_that_was_said_and_stays(most: int, addresses: int) -> None:
    said = policy(computed("latency", f"maxSids: {most}"))
    up, down = (build(TWINS, *NODES, PACKED, *more, said) for more in ((), (ONE_DOWN,)))
    assert [len(written(built)[0]) for built in (up, down)] == [2, 1]
    assert mtu(up) == mtu(down) == 9000 - 48 - 16 * addresses


def test_where_a_router_does_not_pack_each_sid_may_take_an_address() -> None:
    assert mtu(build(SMALL, *NODES, PACKED, policy(computed("latency", "maxSids: 2")))) == 9000 - 40
    assert mtu(build(HALF, *NODES, PACKED, policy(computed("latency", "maxSids: 2")))) == 9000 - 96


@pytest.mark.parametrize(
    ("router", "limit", "codes"), [("p3", 1, ["IC2636"]), ("p3", 2, []), ("p4", 1, []), ("p1", 1, ["IC2636"])]
)
def test_routers_limit_carriers_too(router: str, limit: int, codes: list[str]) -> None:
    weak = HALF.replace(f"name: {router},", f"name: {router}, maxSids: {{segmentsLeft: {limit}}},")
    list_ = through("{router: p1}", "{router: p3}", "{router: p4}")
    assert build(weak, *NODES, PACKED, policy(list_)).codes == codes


@pytest.mark.parametrize(
    ("function", "codes"), [("e3", []), ("3", ["IC2650"]), ("8003", ["IC2650"]), ("1", ["IC2650"])]
)
def test_a_function_of_a_router_is_no_c_sid_of_another(function: str, codes: list[str]) -> None:
    # fcbb:0:1:3:: is both "leave p1 over that link" and "p1, then p3".
    built = build(SMALL.replace("fcbb:0:1:e3::", f"fcbb:0:1:{function}::"), *NODES, PACKED)
    assert built.codes == codes


def test_sids_of_other_forms_stand_for_themselves() -> None:
    half = SMALL.replace(', endSid: "fcbb:0:4::"', "")
    built = build(half, *NODES, PACKED, policy(through("{router: p3}", "{router: p4}", "{router: p3}")))
    assert [several[:2] for several in written(built)] == [["fcbb:0:3::", "fcbb:0:4::1"]] * 2
    assert all(several[2].startswith("fcbb:0:3:") for several in written(built))
    assert "router 'p4' take an address each" in str(built)


def test_a_reduced_srh_is_shorter_by_one_address_and_only_for_linux() -> None:
    reduced = CLUSTER.replace("srv6: {", "srv6: {encapsulation: reduced, ")
    assert build(SQUARE, *NODES, reduced).codes == ["IC2603"]
    linux = reduced.replace("dataplane: vpp", "dataplane: linux")
    built = build(SQUARE, *NODES, linux, policy(computed("latency")))
    assert built.codes == []
    assert mtu(built) == 9000 - 64


def test_meshed_clusters_pack_all_or_none() -> None:
    one = PACKED.replace("encapsulation: usid", "mesh: all, encapsulation: usid")
    two = (
        CLUSTER.replace("srv6: {", "srv6: {mesh: all, ")
        .replace("edge", "far")
        .replace("10.64.", "10.65.")
        .replace("fd64:", "fd65:")
        .replace("cafe:1", "cafe:3")
    )
    assert "IC2604" in build(SMALL, node(1), node(2, "far"), one, two).codes
