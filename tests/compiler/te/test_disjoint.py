"""Two paths that share nothing are found whenever there are two."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.te.disjoint import Disjointness, move, pair, shared
from compiler.te.limits import Headend
from compiler.te.search import Found, Plane, best, plane
from compiler.te.topology import Path, Topology
from tests.nets import net, nets, price, simple_paths


def apart(one: Path, two: Path, kind: Disjointness) -> bool:
    """Say whether two paths share nothing; without shared-risk groups a link is its own."""
    if {arc.link for arc in one} & {arc.link for arc in two}:
        return False
    if kind == "node":
        return not {arc.end for arc in one[:-1]} & {arc.end for arc in two[:-1]}
    groups = [{group for arc in path for group in arc.srlgs} for path in (one, two)]
    return kind == "link" or not groups[0] & groups[1]


@settings(max_examples=300, deadline=None)
@given(nets(6, forced=True), st.sampled_from(["link", "node"]))
def test_a_pair_is_found_whenever_there_is_one_and_is_the_cheapest(on: Topology, kind: Disjointness) -> None:
    several = list(simple_paths(on, "r0", "r1"))
    pairs = [(one, two) for one, two in permutations(several, 2) if apart(one, two, kind)]
    found = pair(plane(on, "te", on.arcs), "r0", "r1", kind)
    assert (found is None) == (not pairs)
    if found:
        one, two = found
        assert apart(one, two, kind)
        assert price(one, "te") <= price(two, "te")
        total = tuple(sum(both) for both in zip(price(one, "te"), price(two, "te"), strict=True))
        assert total == min(
            tuple(sum(both) for both in zip(price(first, "te"), price(second, "te"), strict=True))
            for first, second in pairs
        )


@settings(max_examples=200, deadline=None)
@given(nets(5, forced=True))
def test_moving_the_first_path_finds_pairs_without_a_common_risk(on: Topology) -> None:
    several = list(simple_paths(on, "r0", "r1"))
    pairs = [(one, two) for one, two in permutations(several, 2) if apart(one, two, "srlg")]
    on_te = plane(on, "te", on.arcs)

    def place(less: Plane) -> Found | None:
        return best(less, "r0", "r1", Headend(16))

    def other(path: Path) -> Found | None:
        return place(on_te.without(shared(on, path, "srlg", ("r0", "r1"))))

    found = move(on_te, place, other)
    assert (found is None) == (not pairs)
    if found:
        assert apart(found[0].path, found[1].path, "srlg")
        assert price(found[0].path, "te") == min(price(one, "te") for one, _ in pairs)


def test_the_trap_where_the_shortest_path_blocks_every_other() -> None:
    on = net(
        [
            ("r0", "r2", 1, 1, True, True),
            ("r2", "r3", 1, 1, True, True),
            ("r3", "r1", 1, 1, True, True),
            ("r0", "r3", 3, 3, True, True),
            ("r2", "r1", 3, 3, True, True),
        ]
    )
    found = pair(plane(on, "igp", on.arcs), "r0", "r1", "link")
    assert found is not None
    assert [[arc.link for arc in path] for path in found] == [["l00", "l04"], ["l03", "l02"]]


@pytest.mark.parametrize("kind", ["link", "node"])
def test_parallel_links_are_two(kind: Disjointness) -> None:
    on = net([("r0", "r1", 1, 1, True, True), ("r0", "r1", 2, 2, True, True)])
    found = pair(plane(on, "igp", on.arcs), "r0", "r1", kind)
    assert found is not None
    assert [[arc.link for arc in path] for path in found] == [["l00"], ["l01"]]
