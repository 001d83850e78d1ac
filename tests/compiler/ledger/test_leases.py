"""The text form of the ledger: round trip, and everything that is no lease."""

from __future__ import annotations

import pytest

from compiler.ledger.books import open_books
from compiler.ledger.leases import HEADER, MANY, Lease, Ledger, clashes, domain, parse_ledger, write_ledger
from compiler.ledger.requests import Numbers
from intent.diagnostics import Report
from intent.scalars import ranges_of
from intent.source import Source, Span

ROWS = (
    Lease("Node/w1/pods/ipv4", "pods-ipv4@edge", "10.64.1.0/24"),
    Lease("VirtualNetwork/n3", "vlan@dc1", "100"),
    Lease("VirtualNetwork/n3", "vlan@dc1", "99", freed=True),
    Lease("VirtualNetwork/n3", "vni", "1000005"),
)


def parsed(text: str) -> tuple[Ledger, Report]:
    report = Report()
    return parse_ledger(Source("intentc.lock", text), report), report


def refused(text: str) -> list[tuple[str, int]]:
    return [(entry.code, entry.span.line) for entry in parsed(text)[1].sorted()]


def test_what_is_written_is_read() -> None:
    ledger, report = parsed(write_ledger(reversed(ROWS)))
    assert not report.found
    assert [lease._replace(line=0) for lease in ledger.leases] == list(ROWS)
    assert write_ledger(ledger.leases) == write_ledger(ROWS)


def test_an_empty_file_is_an_empty_ledger() -> None:
    assert parsed("") == (Ledger(), Report())
    assert parsed(write_ledger(())) == (Ledger(), Report())


def test_a_lease_knows_its_line() -> None:
    ledger, _ = parsed(write_ledger(ROWS))
    assert [ledger.span(lease) for lease in ledger.leases] == [
        Span("intentc.lock", n, 1) for n in (2, 3, 4, 5)
    ]
    assert ledger.span(ROWS[0]) == Span("intentc.lock")


def test_leases_are_sorted_however_git_merged_them() -> None:
    rows = write_ledger(ROWS).splitlines()
    shuffled = "\n".join([rows[0], *reversed(rows[1:])]) + "\n"
    assert write_ledger(parsed(shuffled)[0].leases) == write_ledger(ROWS)


def test_windows_line_ends_do_not_matter() -> None:
    ledger, report = parsed(write_ledger(ROWS).replace("\n", "\r\n"))
    assert not report.found
    assert write_ledger(ledger.leases) == write_ledger(ROWS)


@pytest.mark.parametrize(
    "mark", ["<<<<<<< HEAD", "||||||| 1a2b3c4", "=======", ">>>>>>> feature", ">>>>>>> 1a2b3c4 (wip)"]
)
def test_every_mark_of_a_conflict_is_refused(mark: str) -> None:
    text = write_ledger(ROWS).replace("VirtualNetwork/n3 vni", f"{mark}\nVirtualNetwork/n3 vni")
    assert refused(text) == [("IC2502", 5)]
    assert "merge conflict" in parsed(text)[1].found[0].message


@pytest.mark.parametrize("row", ["n3 vni", "n3 vni 5 gone", "n3", "n3 vni 5 freed again"])
def test_a_line_that_is_no_lease_is_refused(row: str) -> None:
    assert refused(f"{HEADER}\n{row}\n") == [("IC2502", 2)]


def test_another_version_is_refused() -> None:
    assert refused(HEADER.replace("ledger 1", "ledger 2") + "\nn3 vni 5\n") == [("IC2501", 1)]


def test_the_version_counts_and_not_the_words_behind_it() -> None:
    assert refused("# intentc ledger 1: other words\nn3 vni 5\n") == []


def test_a_ledger_without_its_first_line_is_refused() -> None:
    assert refused("n3 vni 5\n") == [("IC2501", 1)]


def test_both_sides_of_a_union_merge_may_bring_the_header() -> None:
    assert refused(f"{HEADER}\nn3 vni 5\n{HEADER}\nn4 vni 6\n") == []


def test_layer_2_and_layer_3_share_the_vni_of_the_wire() -> None:
    assert domain("vni") == domain("l3vni")
    assert domain("vlan@dc1") != domain("vlan@dc2")
    assert domain("table@edge") != domain("table@core")


def test_sid_blocks_are_unique_over_all_clusters() -> None:
    assert domain("localsids@edge") == domain("localsids@core")
    assert domain("bsid@edge") == domain("bsid@core")
    assert domain("pods-ipv4@edge") != domain("pods-ipv4@core")


def clash(*leases: Lease) -> list[tuple[str, str]]:
    return [(one.owner, two.owner) for one, two in clashes(leases)]


def test_clashes_are_found_by_the_lines_alone() -> None:
    one, two = Lease("a", "vlan@dc1", "5"), Lease("b", "vlan@dc1", "5")
    assert clash(one, two) == [("a", "b")]
    assert clash(one, two._replace(pool="vlan@dc2")) == []
    assert clash(one, one._replace(value="6")) == [("a", "a")]
    assert clash(one, one._replace(pool="vlan@dc2", value="6")) == [("a", "a")]
    assert clash(one, one._replace(value="6", freed=True)) == []
    assert clash(one, two._replace(freed=True)) == [("a", "b")]
    assert clash(one._replace(freed=True), two._replace(freed=True)) == []


def test_blocks_that_overlap_clash() -> None:
    wide, narrow = Lease("a", "localsids@edge", "fd::/64"), Lease("b", "localsids@core", "fd::/80")
    assert clash(wide, narrow) == [("a", "b")]
    assert clash(wide, narrow._replace(value="fd:0:0:1::/80")) == []
    assert clash(wide, narrow._replace(owner="a", freed=True)) == []
    assert clash(wide._replace(freed=True), narrow._replace(freed=True)) == []
    assert clash(wide, narrow._replace(freed=True)) == [("a", "b")]


def test_a_file_that_is_no_ledger_is_told_in_few_lines() -> None:
    found = refused(f"{HEADER}\n" + "x\n" * 200_000)
    assert len(found) == MANY + 1
    assert set(found) == {("IC2502", line) for line in range(2, MANY + 3)}


@pytest.mark.parametrize("value", ["9" * 5000, "²", "010", "-1", "1_0", " 1"])
def test_values_that_are_no_number_of_ours_are_outside_every_pool(value: str) -> None:
    assert Numbers(ranges_of((0, 4_000_000_000))).read(value) is None


def test_very_many_clashes_are_told_in_few_lines() -> None:
    rows = "".join(f"VirtualNetwork/n{number} vni 5\n" for number in range(1000))
    report = Report()
    open_books([], parsed(f"{HEADER}\n{rows}")[0], {}, None, report)
    assert len(report.found) == MANY + 1
    assert {entry.code for entry in report.found} == {"IC2504"}
    assert report.found[-1].message == "899 more leases of this ledger clash"
