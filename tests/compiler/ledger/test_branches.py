"""Two branches and one ledger: what clashes is shown with both lines, and the settled lease stays."""

from __future__ import annotations

import pytest

from compiler.ledger.allocate import changes
from compiler.ledger.leases import clashes, write_ledger
from intent.diagnostics import as_text
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
    read,
    tried,
    vlan,
    world,
)

DC1, DC2 = fabric("dc1"), fabric("dc2")


def test_two_leases_of_one_id_are_shown_with_both_lines() -> None:
    resolved = world(DC1, network("n1", "dc1"), network("n2", "dc1"))
    text = ledger(
        "VirtualNetwork/n1 vlan@dc1 100",
        "VirtualNetwork/n1 vni 1000000",
        "VirtualNetwork/n2 vlan@dc1 100",
        "VirtualNetwork/n2 vni 1000001",
    )
    found, report = compiled(resolved, text)
    (error,) = report.sorted()
    assert found is None
    assert (error.code, error.span.line) == ("IC2504", 4)
    assert [place.span.file for place in error.related] == ["intentc.lock", "intent.yaml", "intent.yaml"]
    assert error.related[0].span.line == 2
    assert codes(tried(resolved, text)[1]) == ["IC2504"], "nothing gives way while git says nothing"


@pytest.mark.parametrize("first", ["n1", "n2"])
def test_the_lease_that_the_first_parent_lacks_gives_way(first: str) -> None:
    resolved = world(DC1, network("n1", "dc1"), network("n2", "dc1"))
    rows = [f"VirtualNetwork/{name} {lease}" for name in ("n1", "n2") for lease in ("vlan@dc1 100",)]
    text = ledger(*rows, "VirtualNetwork/n1 vni 1000000", "VirtualNetwork/n2 vni 1000001")
    parent = ledger(*(row for row in rows if first in row))
    after = drawn(resolved, text, parent)
    assert vlan(after, first) == "100"
    assert not held_twice(after)
    assert not any("freed" in row for row in lines(after)), "what gave way was never applied"
    assert drawn(resolved, after) == after


def test_a_loser_in_several_fabrics_moves_in_all_of_them() -> None:
    resolved = world(DC1, DC2, network("n1", "dc1"), network("n2", "dc1", "dc2"))
    rows = (
        "VirtualNetwork/n1 vlan@dc1 100",
        "VirtualNetwork/n2 vlan@dc1 100",
        "VirtualNetwork/n2 vlan@dc2 100",
    )
    after = drawn(resolved, ledger(*rows), ledger(rows[0]))
    assert vlan(after, "n1") == "100"
    assert vlan(after, "n2", "dc1") == vlan(after, "n2", "dc2") != "100"
    assert not lines(after, "100", "freed")


def test_a_settled_lease_is_not_moved_by_growth_in_another_branch() -> None:
    resolved = world(DC1, DC2, network("n1", "dc1"), network("n2", "dc1", "dc2"))
    rows = (
        "VirtualNetwork/n1 vlan@dc1 100",
        "VirtualNetwork/n2 vlan@dc1 100",
        "VirtualNetwork/n2 vlan@dc2 100",
    )
    assert codes(tried(resolved, ledger(*rows), ledger(rows[0], rows[2]))[1]) == ["IC2508"]


def test_one_owner_with_two_leases_keeps_the_settled_one() -> None:
    resolved = world(DC1, network("n1", "dc1"))
    rows = ("VirtualNetwork/n1 vlan@dc1 100", "VirtualNetwork/n1 vlan@dc1 200")
    assert codes(compiled(resolved, ledger(*rows, "VirtualNetwork/n1 vni 1000000"))[1]) == ["IC2504"]
    assert vlan(drawn(resolved, ledger(*rows), ledger(rows[1])), "n1") == "200"


def test_different_vlans_in_two_fabrics_are_a_clash_and_the_settled_one_stays() -> None:
    resolved = world(DC1, DC2, network("n1", "dc1", "dc2"))
    rows = ("VirtualNetwork/n1 vlan@dc1 100", "VirtualNetwork/n1 vlan@dc2 200")
    assert codes(compiled(resolved, ledger(*rows, "VirtualNetwork/n1 vni 1000000"))[1]) == ["IC2504"]
    assert codes(tried(resolved, ledger(*rows))[1]) == ["IC2504"]
    after = drawn(resolved, ledger(*rows), ledger(rows[1]))
    assert vlan(after, "n1", "dc1") == vlan(after, "n1", "dc2") == "200"
    assert codes(tried(resolved, ledger(*rows), ledger(*rows))[1]) == ["IC2504"], "a person must choose"


def test_an_id_freed_in_one_branch_and_taken_in_the_other_is_a_clash() -> None:
    resolved = world(DC1, network("n2", "dc1"))
    rows = ("VirtualNetwork/n1 vlan@dc1 100 freed", "VirtualNetwork/n2 vlan@dc1 100")
    full = ledger(*rows, "VirtualNetwork/n2 vni 1000000")
    (error,) = compiled(resolved, full)[1].sorted()
    assert (error.code, error.span.line, error.related[0].span.line) == ("IC2504", 2, 3)
    kept = drawn(resolved, full, ledger(rows[0]))
    assert lines(kept, "100") == ["VirtualNetwork/n1 vlan@dc1 100 freed"], "it may still be configured"
    assert vlan(drawn(resolved, full, ledger(rows[1])), "n2") == "100"


def test_a_line_that_a_union_merge_brought_back_changes_nothing() -> None:
    resolved = world(DC1, network("n2", "dc1"))
    rows = ("VirtualNetwork/n1 vlan@dc1 99", "VirtualNetwork/n1 vlan@dc1 99 freed")
    own = ("VirtualNetwork/n2 vlan@dc1 100", "VirtualNetwork/n2 vni 1000000")
    assert drawn(resolved, ledger(*rows, *own)) == ledger(rows[1], *own)


def test_blocks_of_two_branches_that_overlap_are_a_clash() -> None:
    resolved = world(node("w{n}", spec="range: {last: 2}"), cluster("edge"), overlay())
    text = drawn(resolved)
    pool, owner = "block@metrics/main/ipv4", "VirtualNetwork/metrics/subnet/main/ipv4/Node/w"
    rest = [row for row in lines(text) if pool not in row]
    rows = (f"{owner}1 {pool} 10.200.0.0/26", f"{owner}2 {pool} 10.200.0.32/27")
    (error,) = compiled(resolved, ledger(*rest, *rows))[1].sorted()
    assert error.code == "IC2504"
    assert "overlaps 10.200.0.0/26" in error.message
    assert any(clashes(read(ledger(*rows)).leases)), "so that the command asks git which one is older"
    after = drawn(resolved, ledger(*rest, *rows), ledger(rows[1]))
    first, second = ids(resolved, after).block.values()
    assert not first.overlaps(second)
    assert rows[1] in lines(after)


# What people are told


def test_changes_are_counted_and_moves_are_named() -> None:
    resolved = world(DC1, network("n1", "dc1"), network("n2", "dc1"))
    rows = (
        "VirtualNetwork/n1 vlan@dc1 100",
        "VirtualNetwork/n2 vlan@dc1 100",
        "VirtualNetwork/gone vni 1000000",
    )
    before = read(ledger(*rows))
    after = drawn(resolved, ledger(*rows), ledger(rows[0]))
    found = changes(before, read(after).leases)
    assert found.counts == {"new": 2, "renamed": 0, "moved": 1, "freed": 1, "kept": 1}
    ((old, new),) = found.moved
    assert (old.owner, old.value, new.owner) == ("VirtualNetwork/n2", "100", "VirtualNetwork/n2")
    assert write_ledger(read(after).leases) == after


def test_the_report_of_an_update_reads_like_the_one_of_a_compile() -> None:
    resolved = world(DC1, network("n1", "dc1"), project=pools(vlan="4000"))
    text = ledger("VirtualNetwork/n1 vlan@dc1 100", "VirtualNetwork/n1 vni 1000000")
    first, second = compiled(resolved, text)[1], tried(resolved, text)[1]
    assert as_text(first.sorted(), {}) == as_text(second.sorted(), {})


@pytest.mark.parametrize("new", ["a1", "z1"])
def test_a_rename_on_one_branch_and_a_document_kept_by_the_other_are_two_owners(new: str) -> None:
    """A person keeps both, where git asked which is meant: the ids of the old name belong to the old one."""
    both = world(DC1, network("n1", "dc1"), network(new, "dc1", meta=", moved: [n1]"))
    ours = ["VirtualNetwork/n1 vlan@dc1 100", "VirtualNetwork/n1 vni 1000000"]
    theirs = [row.replace("n1 ", f"{new} ") for row in ours]
    merged = ledger(*sorted([*ours, *theirs]))
    found, report = compiled(both, merged)
    assert found is None
    assert set(codes(report)) == {"IC2504"}
    mended = drawn(both, merged, ledger(*ours))
    assert set(ours) <= set(lines(mended))
    assert not held_twice(mended)
    ids(both, mended)
