"""Renames: leases follow documents, nodes, subnets, zones and domains, and never go to two heirs."""

from __future__ import annotations

import pytest

from compiler.allocated import Allocated
from compiler.resolved import Resolved
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
    tried,
    vlan,
    world,
)

DC1 = fabric("dc1")
EDGE = cluster("edge")
SUBNET = "zone: red\n  subnets: [{cidr: 10.0.0.0/24}]"


def values(found: Allocated) -> list[list[str]]:
    """Return all values, whoever holds them."""
    tables = (found.vni, found.vlan, found.l3vni, found.zone_vlan, found.table, found.function)
    blocks = (found.localsids, found.pods, found.block, found.bsid)
    return [sorted(map(str, table.values())) for table in (*tables, *blocks)]


def follows(before: Resolved, after: Resolved) -> str:
    """Check that a rename keeps every value, at once and after an update; return the new ledger."""
    text = drawn(before)
    assert values(ids(after, text)) == values(ids(before, text)), "compiles without an update"
    new = drawn(after, text)
    assert values(ids(after, new)) == values(ids(before, text))
    assert not any("freed" in row for row in lines(new))
    assert len(lines(new)) == len(lines(text))
    assert drawn(after, new) == new
    return new


def test_a_network_that_says_its_earlier_name() -> None:
    new = follows(
        world(DC1, network("n1", "dc1", spec=SUBNET)),
        world(DC1, network("n2", "dc1", spec=SUBNET, meta=", moved: [n1]")),
    )
    assert not lines(new, "VirtualNetwork/n1")


def test_a_new_network_beside_one_that_is_gone_is_asked_whether_it_is_that_one() -> None:
    text = drawn(world(DC1, network("n1", "dc1", spec=SUBNET)))
    _, report = compiled(world(DC1, network("n2", "dc1", spec=SUBNET)), text)
    update = "run `intentc ledger update` and commit the ledger"
    asked = f"if it was 'n1' before, say so in metadata.moved first; {update}"
    assert [entry.hint for entry in report.sorted()] == [asked]
    both = world(DC1, network("n1", "dc1", spec=SUBNET), network("n2", "dc1"))
    assert [entry.hint for entry in compiled(both, text)[1].sorted()] == [update]


def test_a_network_that_says_its_earlier_name_as_uid() -> None:
    follows(
        world(DC1, network("n1", "dc1", spec=SUBNET)),
        world(DC1, network("n2", "dc1", spec=SUBNET, meta=", uid: n1")),
    )


def test_a_network_that_gets_a_uid() -> None:
    follows(
        world(DC1, network("n1", "dc1", spec=SUBNET)),
        world(DC1, network("n1", "dc1", spec=SUBNET, meta=", uid: x-1")),
    )


def test_a_network_without_a_zone_keeps_the_ids_of_its_own_one() -> None:
    bare = "subnets: [{cidr: 10.0.0.0/24}]"
    follows(
        world(DC1, network("n1", "dc1", spec=bare)),
        world(DC1, network("n2", "dc1", spec=bare, meta=", moved: [n1]")),
    )


def test_an_overlay_network_with_its_blocks_tables_and_sids() -> None:
    nodes = node("w1"), node("w2")
    for meta in (", moved: [metrics]", ", uid: metrics"):
        for zone in ("zone: metrics", "description: none"):
            follows(
                world(*nodes, EDGE, overlay().replace("zone: metrics", zone)),
                world(*nodes, EDGE, overlay(meta=meta, name="probes").replace("zone: metrics", zone)),
            )


def test_an_earlier_name_wins_over_a_tombstone_of_the_new_one() -> None:
    text = drawn(world(DC1, network("n2", "dc1")))
    text = drawn(world(DC1, network("n1", "dc1")), text)
    renamed = world(DC1, network("n2", "dc1", meta=", moved: [n1]"))
    after = drawn(renamed, text)
    assert vlan(after, "n2") == vlan(text, "n1"), "not the one that was freed long ago"
    assert codes(compiled(renamed, text)[1]) == []


def test_a_node() -> None:
    follows(
        world(node("w1"), node("w2"), EDGE, overlay()),
        world(node("w1"), node("worker", meta=", moved: [w2]"), EDGE, overlay()),
    )


def test_nodes_of_a_range() -> None:
    many = "range: {last: 4}"
    follows(
        world(node("w{n}", spec=many), EDGE, overlay()),
        world(node("edge-{n:02}", meta=', moved: ["w{n}"]', spec=many), EDGE, overlay()),
    )


def test_nodes_that_leave_a_range() -> None:
    follows(
        world(node("w{n}", spec="range: {last: 3}"), EDGE),
        world(node("w{n}", spec="range: {last: 2}"), node("special", meta=", moved: [w3]"), EDGE),
    )


def test_a_cluster() -> None:
    nodes = node("w1"), node("w2")
    core = cluster("core", meta=", moved: [edge]").replace("cluster: core", "cluster: edge")
    number = EDGE.split("fcdd:")[1].split(":")[0]
    same = core.replace(core.split("fcdd:")[1].split(":")[0], number)
    new = follows(world(*nodes, EDGE, overlay()), world(*nodes, same, overlay().replace("[edge]", "[core]")))
    assert "@edge" not in new


def test_a_fabric() -> None:
    new = follows(
        world(DC1, network("n1", "dc1", spec=SUBNET)),
        world(fabric("west", moved="[dc1]"), network("n1", "west", spec=SUBNET)),
    )
    assert lines(new, "VirtualNetwork/n1", "vlan@west")


def test_a_fabric_that_still_exists_keeps_its_leases() -> None:
    text = drawn(world(DC1, network("n1", "dc1")))
    after = drawn(world(DC1, fabric("dc2", moved="[dc1]"), network("n1", "dc1"), network("n2", "dc2")), text)
    assert set(lines(text)) < set(lines(after))
    assert not any("freed" in row for row in lines(after))


def test_a_cluster_and_a_fabric_of_one_name_do_not_meet() -> None:
    text = drawn(world(fabric("edge"), network("n1", "edge"), node("w1"), EDGE))
    renamed = world(
        fabric("edge"), network("n1", "edge"), node("w1", "core"), cluster("core", meta=", moved: [edge]")
    )
    assert vlan(tried(renamed, text)[0], "n1", "edge") == vlan(text, "n1", "edge")


def test_a_subnet() -> None:
    named = overlay().replace("[{cidr", "[{name: old, cidr")
    moved = overlay(meta=', moved: ["subnet/old=new"]').replace("[{cidr", "[{name: new, cidr")
    new = follows(world(node("w1"), node("w2"), EDGE, named), world(node("w1"), node("w2"), EDGE, moved))
    assert "subnet/old" not in new
    assert "/old/" not in new


def test_a_subnet_that_moved_twice() -> None:
    meta = ', moved: ["subnet/a=b", "subnet/b=c"]'
    follows(
        world(node("w1"), EDGE, overlay().replace("[{cidr", "[{name: a, cidr")),
        world(node("w1"), EDGE, overlay(meta=meta).replace("[{cidr", "[{name: c, cidr")),
    )


def test_everything_at_once() -> None:
    before = world(node("w1"), EDGE, overlay().replace("[{cidr", "[{name: a, cidr"))
    renamed = overlay(meta=', moved: [metrics, "subnet/a=b"]', name="probes").replace(
        "[{cidr", "[{name: b, cidr"
    )
    follows(before, world(node("n1", meta=", moved: [w1]"), EDGE, renamed))


def test_a_zone_by_the_networks_in_it() -> None:
    red, blue = network("n1", "dc1", spec=SUBNET), SUBNET.replace("red", "blue")
    new = follows(
        world(DC1, red), world(DC1, network("n1", "dc1", spec=blue, meta=', moved: ["zone/red=blue"]'))
    )
    assert lines(new, "zone/blue", "l3vni")
    follows(
        world(node("w1"), EDGE, overlay()),
        world(
            node("w1"),
            EDGE,
            overlay(meta=', moved: ["zone/metrics=probes"]').replace("zone: metrics", "zone: probes"),
        ),
    )


def test_without_moved_a_rename_is_a_removal_and_an_addition() -> None:
    text = drawn(world(DC1, network("n1", "dc1")))
    after = drawn(world(DC1, network("n2", "dc1")), text)
    assert {row for row in lines(after) if row.endswith(" freed")} == {f"{row} freed" for row in lines(text)}
    assert not held_twice(after)


def test_two_heirs_of_one_name_are_refused() -> None:
    text = drawn(world(DC1, network("n1", "dc1")))
    heirs = world(DC1, *(network(name, "dc1", meta=", moved: [n1]") for name in ("n2", "n3")))
    for report in (compiled(heirs, text)[1], tried(heirs, text)[1]):
        assert set(codes(report)) == {"IC2510"}
        assert {entry.span.line for entry in report.found} == {report.found[0].span.line}


def test_a_name_that_still_exists_is_not_taken_over() -> None:
    text = drawn(world(DC1, network("n1", "dc1")))
    both = world(DC1, network("n1", "dc1"), network("n2", "dc1", meta=", moved: [n1]"))
    assert set(codes(tried(both, text)[1])) == {"IC2510"}


def test_an_old_entry_of_moved_does_no_harm() -> None:
    text = drawn(world(DC1, network("n1", "dc1")))
    heir = network("n2", "dc1", meta=", moved: [n1]")
    text = drawn(world(DC1, heir), text)
    both = world(DC1, heir, network("n1", "dc1"))
    after = drawn(both, text)
    assert set(lines(text)) < set(lines(after))
    assert codes(compiled(both, after)[1]) == []
    grown = world(
        DC1, fabric("dc2"), network("n2", "dc1", "dc2", meta=", moved: [n1]"), network("n1", "dc1", "dc2")
    )
    assert codes(tried(grown, after)[1]) == []


@pytest.mark.parametrize("mark", ["", " freed"])
def test_an_old_line_that_a_merge_brought_back_is_the_same_owner(mark: str) -> None:
    rows = ("VirtualNetwork/n2 vlan@dc1 100", "VirtualNetwork/n2 vni 1000000")
    text = ledger(f"VirtualNetwork/n1 vlan@dc1 100{mark}", *rows)
    renamed = world(DC1, network("n2", "dc1", meta=", moved: [n1]"))
    assert codes(compiled(renamed, text)[1]) == []
    assert drawn(renamed, text) == ledger(*rows)


def test_a_renamed_lease_is_settled_under_its_earlier_name() -> None:
    rows = ("VirtualNetwork/n2 vlan@dc1 100", "VirtualNetwork/a vlan@dc1 100")
    resolved = world(DC1, network("n2", "dc1", meta=", moved: [n1]"), network("a", "dc1"))
    after = drawn(resolved, ledger(*rows), ledger("VirtualNetwork/n1 vlan@dc1 100"))
    assert vlan(after, "n2") == "100"
    assert vlan(after, "a") != "100"


def test_an_id_drawn_under_both_names_is_told_and_the_settled_one_stays() -> None:
    """One branch renamed a network, and both extended it to the fabric: one of two VNIs is in use."""
    rows = (
        "VirtualNetwork/n1 vni 1000005",
        "VirtualNetwork/n2 vlan@dc1 100",
        "VirtualNetwork/n2 vni 1000009",
    )
    resolved = world(DC1, network("n2", "dc1", meta=", moved: [n1]"))
    for report in (compiled(resolved, ledger(*rows))[1], tried(resolved, ledger(*rows))[1]):
        (entry,) = report.sorted()
        assert (entry.code, entry.severity) == ("IC2512", "warning")
        assert {place.span.line for place in entry.related} == {2, 4}
    after = drawn(resolved, ledger(*rows), ledger(rows[0]))
    assert lines(after, "vni") == ["VirtualNetwork/n2 vni 1000005"]
    assert codes(compiled(resolved, after)[1]) == []
    # What the settled ledger has as well, or has alone, stays.
    for settled in (rows, rows[1:]):
        after = drawn(resolved, ledger(*rows), ledger(*settled))
        assert "VirtualNetwork/n2 vni 1000009" in lines(after)
        assert "VirtualNetwork/n1 vni 1000005 freed" in lines(after)


def test_a_document_tells_its_two_names_once() -> None:
    rows = ("n1 vlan@dc1 100", "n1 vni 1000005", "n2 vlan@dc1 200", "n2 vni 1000009")
    text = ledger(*(f"VirtualNetwork/{row}" for row in rows))
    resolved = world(DC1, network("n2", "dc1", meta=", moved: [n1]"))
    (entry,) = compiled(resolved, text)[1].sorted()
    assert entry.message.endswith("(and 1 more)")
    assert lines(drawn(resolved, text, ledger(*(f"VirtualNetwork/{row}" for row in rows[:2])))) == [
        "VirtualNetwork/n2 vlan@dc1 100",
        "VirtualNetwork/n2 vni 1000005",
    ]
