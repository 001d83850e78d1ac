"""Allocation: what is leased stays, and everything else is an error or a draw."""

from __future__ import annotations

import re
from ipaddress import IPv4Network

import pytest

from tests.ledgers import (
    cluster,
    codes,
    compiled,
    drawn,
    fabric,
    held_twice,
    ids,
    ledger,
    lines,
    network,
    node,
    overlay,
    pools,
    tried,
    vlan,
    world,
)

DC1, DC2 = fabric("dc1"), fabric("dc2")


# Missing leases


def test_a_missing_lease_is_an_error_that_says_what_to_run() -> None:
    found, report = compiled(world(DC1, network("n1", "dc1")), "")
    assert found is None
    (error,) = report.sorted()
    assert (error.code, error.message) == (
        "IC2503",
        "2 leases are missing (vlan, vni), the first for VirtualNetwork/n1",
    )
    assert "intentc ledger update" in error.hint


def test_missing_leases_are_grouped_by_document_and_the_first_ones_are_shown() -> None:
    report = compiled(world(DC1, *(network(f"n{n}", "dc1") for n in range(30))), "")[1]
    assert codes(report) == ["IC2503"] * 11
    assert any("20 more documents" in entry.message for entry in report.found)


def test_nobody_is_told_that_one_more_document_is_missing_without_its_name() -> None:
    report = compiled(world(DC1, *(network(f"n{n}", "dc1") for n in range(11))), "")[1]
    assert not any("more documents" in entry.message for entry in report.found)


def test_a_freed_lease_is_no_lease_until_it_is_asked_for_again() -> None:
    resolved = world(DC1, network("n1", "dc1"))
    text = drawn(world(DC1), drawn(resolved))
    assert all("freed" in row for row in lines(text))
    assert codes(compiled(resolved, text)[1]) == ["IC2503"]
    assert ids(resolved, drawn(resolved, text)) == ids(resolved, drawn(resolved))


# What stays


def test_the_same_again_changes_nothing() -> None:
    resolved = world(DC1, DC2, network("n1", "dc1"), network("n2", "dc1", "dc2"))
    assert drawn(resolved, drawn(resolved)) == drawn(resolved)


def test_a_removed_network_leaves_a_tombstone_that_nobody_else_gets() -> None:
    project = pools(vlan="100-101")
    both = world(DC1, network("n1", "dc1"), network("n2", "dc1"), project=project)
    text = drawn(world(DC1, network("n2", "dc1"), project=project), drawn(both))
    assert len([row for row in lines(text, "VirtualNetwork/n1") if row.endswith(" freed")]) == 2
    report = tried(world(DC1, network("n2", "dc1"), network("n3", "dc1"), project=project), text)[1]
    assert codes(report) == ["IC2509"]


def test_a_network_that_comes_back_gets_its_ids_back() -> None:
    both = world(DC1, network("n1", "dc1"), network("n2", "dc1"))
    text = drawn(both)
    assert drawn(both, drawn(world(DC1, network("n2", "dc1")), text)) == text


def test_what_comes_back_gets_what_it_had_and_not_what_it_would_draw() -> None:
    text = drawn(world(DC1), drawn(world(DC1, network("n1", "dc1", spec="vlan: 700"))))
    assert vlan(drawn(world(DC1, network("n1", "dc1")), text), "n1") == "700"
    renamed = world(DC1, network("n2", "dc1", meta=", moved: [n1]"))
    assert vlan(drawn(renamed, text), "n2") == "700"


def test_a_pool_that_is_exhausted_says_who_got_nothing() -> None:
    resolved = world(DC1, *(network(f"n{n}", "dc1") for n in range(5)), project=pools(vlan="100-102"))
    report = tried(resolved)[1]
    assert codes(report) == ["IC2509", "IC2509"]
    assert "100-102" in report.found[0].message


def test_a_narrowed_pool_refuses_the_leases_that_are_now_outside() -> None:
    text = drawn(world(DC1, network("n1", "dc1")))
    narrow = world(DC1, network("n1", "dc1"), project=pools(vlan="4000-4001"))
    for report in (compiled(narrow, text)[1], tried(narrow, text)[1]):
        assert codes(report) == ["IC2507"]
        assert report.found[0].span.file == "intentc.lock"
        assert report.found[0].span.line > 1


def test_many_leases_outside_a_pool_are_told_in_a_few_lines() -> None:
    many = [network(f"n{n}", "dc1") for n in range(40)]
    text = drawn(world(DC1, *many))
    report = compiled(world(DC1, *many, project=pools(vlan="4000-4090")), text)[1]
    assert codes(report) == ["IC2507"] * 11
    assert any("30 more leases" in entry.message for entry in report.found)


def test_a_deleted_line_is_drawn_anew_inside_the_pool() -> None:
    text = drawn(world(DC1, network("n1", "dc1")))
    narrow = world(DC1, network("n1", "dc1"), project=pools(vlan="4000-4001"))
    cut = "".join(row + "\n" for row in text.splitlines() if "vlan" not in row)
    assert vlan(drawn(narrow, cut), "n1") in ("4000", "4001")


@pytest.mark.parametrize("spelling", ["0100", "+100", "\uff1100", "100.0", "0x64"])
def test_a_value_has_one_spelling(spelling: str) -> None:
    text = ledger(f"VirtualNetwork/n1 vlan@dc1 {spelling}", "VirtualNetwork/n1 vni 1000000")
    assert codes(compiled(world(DC1, network("n1", "dc1")), text)[1]) == ["IC2507"]


# One VLAN in several fabrics


def test_a_network_has_one_vlan_in_all_its_fabrics() -> None:
    resolved = world(DC1, DC2, network("n1", "dc1", "dc2"), network("n2", "dc2"))
    text = drawn(resolved)
    assert vlan(text, "n1", "dc1") == vlan(text, "n1", "dc2") == str(ids(resolved, text).vlan["n1",])


def test_a_network_that_grows_into_another_fabric_keeps_its_vlan() -> None:
    text = drawn(world(DC1, DC2, network("n1", "dc1"), network("n2", "dc2")))
    grown = world(DC1, DC2, network("n1", "dc1", "dc2"), network("n2", "dc2"))
    assert codes(compiled(grown, text)[1]) == ["IC2503"]
    after = drawn(grown, text)
    assert set(lines(text)) < set(lines(after))
    assert vlan(after, "n1", "dc2") == vlan(text, "n1", "dc1")


def test_a_network_cannot_grow_where_its_vlan_is_taken() -> None:
    project = pools(vlan="100-101")
    text = ledger(
        "VirtualNetwork/n1 vlan@dc1 100",
        "VirtualNetwork/n1 vni 1000000",
        "VirtualNetwork/n2 vlan@dc2 100",
        "VirtualNetwork/n2 vni 1000001",
    )
    grown = world(DC1, DC2, network("n1", "dc1", "dc2"), network("n2", "dc2"), project=project)
    (error,) = tried(grown, text)[1].sorted()
    assert error.code == "IC2508"
    assert [place.span.line for place in error.related][:2] == [2, 4]


def test_a_network_cannot_grow_where_its_vlan_does_not_belong_to_the_pool() -> None:
    text = ledger("VirtualNetwork/n1 vlan@dc1 100", "VirtualNetwork/n1 vni 1000000")
    grown = world(DC1, fabric("dc2", "{vlan: 200-299}"), network("n1", "dc1", "dc2"))
    assert codes(tried(grown, text)[1]) == ["IC2507"]


def test_a_network_that_leaves_a_fabric_frees_its_vlan_only_there() -> None:
    text = drawn(world(DC1, DC2, network("n1", "dc1", "dc2")))
    value = vlan(text, "n1")
    after = drawn(world(DC1, DC2, network("n1", "dc1")), text)
    assert lines(after, "vlan@dc1") == [f"VirtualNetwork/n1 vlan@dc1 {value}"]
    assert lines(after, "vlan@dc2") == [f"VirtualNetwork/n1 vlan@dc2 {value} freed"]


def test_a_tombstone_elsewhere_does_not_move_what_is_in_use() -> None:
    text = ledger(
        "VirtualNetwork/n1 vlan@dc1 100",
        "VirtualNetwork/n1 vlan@dc2 200 freed",
        "VirtualNetwork/n1 vni 1000000",
    )
    after = drawn(world(DC1, DC2, network("n1", "dc1", "dc2")), text)
    assert vlan(after, "n1", "dc2") == vlan(after, "n1", "dc1") == "100"
    assert lines(after, "vlan@dc2", "200") == ["VirtualNetwork/n1 vlan@dc2 200 freed"]


def test_fabrics_share_the_ids_that_all_of_them_have() -> None:
    narrow = fabric("dc1", "{vlan: 100-199}"), fabric("dc2", "{vlan: [150-160, 300-399]}")
    text = drawn(world(*narrow, network("n1", "dc1", "dc2")))
    assert 150 <= int(vlan(text, "n1")) <= 160


def test_a_fabric_without_pools_of_its_own_has_those_of_the_project() -> None:
    resolved = world(
        fabric("dc1", "{vlan: 100-199}"), DC2, network("n1", "dc1", "dc2"), project=pools(vlan="150-160")
    )
    assert 150 <= int(vlan(drawn(resolved), "n1")) <= 160


def test_fabrics_without_a_common_id_are_told_so() -> None:
    apart = fabric("dc1", "{vlan: 100-199}"), fabric("dc2", "{vlan: 200-299}")
    (error,) = tried(world(*apart, network("n1", "dc1", "dc2")))[1].sorted()
    assert error.code == "IC2509"
    assert "none in common" in error.message


# Nodes and clusters


def test_a_node_that_changes_its_cluster_frees_and_draws() -> None:
    nodes = node("w1"), node("w2", "core"), node("w3")
    clusters = cluster("edge"), cluster("core")
    text = drawn(world(*nodes, *clusters))
    moved = world(node("w1"), node("w2", "core"), node("w3", "core"), *clusters)
    after = drawn(moved, text)
    assert not held_twice(after)
    for row in lines(text, "Node/w3/localsids") + lines(text, "Node/w3/pods/ipv4"):
        assert f"{row} freed" in lines(after)
    assert set(lines(text, "Node/w1/localsids")) <= set(lines(after))
    overlay = moved.clusters["core"].spec.srv6
    assert overlay is not None
    assert ids(moved, after).localsids["w3",].subnet_of(overlay.localsids)
    back = drawn(world(*nodes, *clusters), after)
    assert set(lines(text)) <= set(lines(back))


def test_a_shrunk_range_frees_and_a_grown_one_gets_it_back() -> None:
    def nodes(last: int) -> str:
        return node("w{n}", spec=f"range: {{last: {last}}}")

    text = drawn(world(nodes(5), cluster("edge")))
    less = drawn(world(nodes(3), cluster("edge")), text)
    assert {row.split("/")[1] for row in lines(less) if row.endswith(" freed")} == {"w4", "w5"}
    assert {row.removesuffix(" freed") for row in lines(less)} == set(lines(text))
    assert drawn(world(nodes(5), cluster("edge")), less) == text


def test_clusters_that_draw_from_one_supernet_get_different_blocks() -> None:
    one = 'localsids: "fcdd:1::/62", policies: "cafe:1::/125"'
    both = [re.sub("localsids: .*?(?=})", one, cluster(name)) for name in ("edge", "core")]
    nodes = node("w1"), node("w2", "core"), node("w3", "core")
    resolved = world(*nodes, *both)
    got = ids(resolved, drawn(resolved))
    assert len({*got.localsids.values()}) == 3
    assert len({*got.bsid.values()}) == 3
    # Of four blocks the first one is left out.
    assert codes(tried(world(*nodes, node("w4"), *both))[1]) == ["IC2509"]


def test_blocks_larger_than_their_pool_are_an_error_and_no_traceback() -> None:
    small = re.sub(r"/(16|48)", lambda found: {"16": "/28", "48": "/80"}[found[1]], cluster("edge"))
    report = tried(world(node("w1"), node("w2"), small))[1]
    assert codes(report) == ["IC2509", "IC2509"]
    assert any("/26 blocks of" in entry.message for entry in report.found)
    assert any("and 1 more" in entry.message for entry in report.found)


def test_a_pool_of_one_bsid_has_none_to_give() -> None:
    for plane in ("vpp", "calico-vpp"):
        text = cluster("edge").replace("::/112", "::/128").replace("dataplane: vpp", f"dataplane: {plane}")
        assert codes(tried(world(node("w1"), text))[1]) == ["IC2509"]


# Blocks of overlay networks


def test_more_nodes_get_smaller_blocks_and_the_old_ones_stay() -> None:
    def grown(count: int) -> tuple[str, ...]:
        return (node("w{n}", spec=f"range: {{last: {count}}}"), cluster("edge"), overlay())

    text = drawn(world(*grown(4)))
    for count in (5, 9, 17):
        resolved = world(*grown(count))
        after = drawn(resolved, text)
        assert set(lines(text)) <= set(lines(after)), f"{count} nodes moved a block"
        blocks = sorted(ids(resolved, after).block.values(), key=str)
        assert len(blocks) == count
        assert not any(one.overlaps(two) for one in blocks for two in blocks if one is not two)
        text = after


def test_a_subnet_that_began_with_one_node_has_room_for_more() -> None:
    ledger, sizes = "", []
    for count in range(1, 17):
        nodes = (node("w{n}", spec=f"range: {{last: {count}}}"), cluster("edge"), overlay("10.200.0.0/24"))
        ledger = drawn(world(*nodes), ledger)
        sizes = sorted(block.prefixlen for block in ids(world(*nodes), ledger).block.values())
    assert sizes == [26, 27, *[28] * 6, *[29] * 8]


def test_a_freed_block_of_another_size_is_not_handed_out() -> None:
    def nodes(first: int, last: int) -> tuple[str, ...]:
        return (
            node("w{n}", spec=f"range: {{first: {first}, last: {last}}}"),
            cluster("edge"),
            overlay("10.200.0.0/28"),
        )

    freed = drawn(world(*nodes(2, 2)), drawn(world(*nodes(1, 2))))
    more = world(*nodes(2, 6))
    after = drawn(more, freed)
    got = [*ids(more, after).block.values()]
    (stone,) = [row.split()[2] for row in lines(after) if "block@" in row and row.endswith("freed")]
    assert stone.endswith("/30")
    assert len(got) == 5
    assert not any(block.overlaps(IPv4Network(stone)) for block in got)


# Zones


def test_a_network_that_changes_its_zone_keeps_its_own_ids() -> None:
    def spec(zone: str) -> str:
        return f"zone: {zone}\n  subnets: [{{cidr: 10.0.0.0/24}}]"

    text = drawn(world(DC1, network("n1", "dc1", spec=spec("red"))))
    after = drawn(world(DC1, network("n1", "dc1", spec=spec("blue"))), text)
    assert lines(after, "VirtualNetwork/n1") == lines(text, "VirtualNetwork/n1")
    assert lines(after, "zone/red", "freed")
    assert len(lines(after, "zone/blue")) == 1
    assert not held_twice(after)
