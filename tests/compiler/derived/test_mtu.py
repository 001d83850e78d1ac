"""How large packets of pods may be."""

from __future__ import annotations

import pytest

from compiler.derived.mtu import overhead, pod_mtu
from tests.overlays import BASE, CLUSTER, UNDERLAY, node, policy
from tests.support import Built, build


@pytest.mark.parametrize(
    ("sids", "reduced", "size"),
    [
        (1, False, 40),  # nobody writes an SRH for a single SID
        (2, False, 80),
        (3, False, 96),
        (6, False, 144),
        (1, True, 40),
        (2, True, 64),
        (4, True, 96),
    ],
)
def test_overhead_is_that_of_the_wire(sids: int, reduced: bool, size: int) -> None:  # noqa: FBT001 -- parametrized
    assert overhead(sids, reduced=reduced) == size


def mtu(built: Built, cluster: str = "edge") -> int:
    resolved = built.compiled.resolved
    assert resolved is not None, str(built)
    found = pod_mtu(resolved.clusters[cluster], resolved)
    assert found is not None
    return found.value


def test_without_policies_only_the_outer_header_is_taken_off() -> None:
    assert mtu(build(*BASE)) == 9000 - 40


def test_the_longest_list_counts_even_where_its_candidate_is_not_active() -> None:
    spare = """
    - {name: a, preference: 9, explicit: [{segments: [{router: p1}]}]}
    - {name: b, preference: 1, explicit: [{segments: [{router: p1}, {router: p2}]}]}
"""
    assert mtu(build(*BASE, policy(spare))) == 9000 - 96


def test_only_clusters_with_a_headend_pay_for_a_policy() -> None:
    far = (
        CLUSTER.replace("edge", "far")
        .replace("10.64.", "10.65.")
        .replace("fd64:", "fd65:")
        .replace("fcdd::", "fcde::")
        .replace("cafe:1", "cafe:3")
    )
    joined = [text.replace("srv6: {", "srv6: {mesh: all, ") for text in (CLUSTER, far)]
    built = build(
        UNDERLAY,
        node(1),
        node(2, "far"),
        *joined,
        policy(headends="{clusters: [edge]}", endpoints="{clusters: [far]}"),
    )
    assert mtu(built) == 9000 - 96
    assert mtu(built, "far") == 9000 - 40


@pytest.mark.parametrize(
    "texts",
    [
        (UNDERLAY.replace("name: p1-p2", "name: p1-p2\n      mtu: 2000"), *BASE[1:]),
        (UNDERLAY, node(1), node(2).replace('"fd11:2::ffff"', '"fd11:2::ffff", mtu: 2000'), node(3), CLUSTER),
        (UNDERLAY, node(1, more="  nics: [{name: eth0, mtu: 2000}]\n"), node(2), CLUSTER),
        (UNDERLAY.replace("mtu: 9000", "mtu: 2000"), *BASE[1:]),
    ],
)
def test_the_least_link_uplink_or_nic_decides(texts: tuple[str, ...]) -> None:
    assert mtu(build(*texts)) == 2000 - 40


def test_a_pinned_mtu_that_fits_is_kept() -> None:
    assert build(*BASE[:-1], CLUSTER + "  podMtu: 8960\n").codes == []
    assert build(*BASE[:-1], CLUSTER + "  podMtu: 8961\n").codes == ["IC2617"]
