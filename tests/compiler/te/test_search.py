"""The best path within a limit, against all paths and all lists."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.te.encode import forceable
from compiler.te.limits import Headend
from compiler.te.search import Objective, best, plane, shortest
from compiler.te.topology import Topology
from tests.nets import forcing, limited, net, nets, price, simple_paths, taken, walks

OBJECTIVES: tuple[Objective, ...] = ("igp", "te", "latency")


@pytest.mark.parametrize("seed", range(150))
def test_the_best_path_within_limits_is_the_best_that_any_list_forces(seed: int) -> None:
    rand = Random(seed)  # noqa: S311 -- underlays, not secrets
    (on, headend), objective = limited(rand), rand.choice(OBJECTIVES)
    arcs = tuple(arc for arc in on.arcs if forceable(arc, on))
    found = best(plane(on, objective, arcs), "r0", "r1", headend)
    options = []
    for way in simple_paths(on, "r0", "r1"):
        sizes = [(taken(sids, on, headend), len(sids)) for sids in forcing(on, way)]
        options += [(price(way, objective), *size, way) for size in sizes if size[0]]
    if found is None:
        assert not options
        return
    assert walks(on, "r0", found.sids, "r1") == {found.path}
    assert price(found.path, objective) == min(options)[0]
    size = taken(found.sids, on, headend), len(found.sids)
    assert size == min(option[1:3] for option in options if option[3] == found.path)


@settings(max_examples=200, deadline=None)
@given(nets(6, forced=True), st.sampled_from(OBJECTIVES), st.sets(st.integers(0, 23), max_size=6))
def test_avoiding_arcs_is_as_good_as_having_none_of_them(
    on: Topology, objective: Objective, ranks: set[int]
) -> None:
    rest = tuple(arc for arc in on.arcs if arc.rank not in ranks)
    found = shortest(plane(on, objective, on.arcs).without(frozenset(ranks)), "r0", "r1")
    other = shortest(plane(on, objective, rest), "r0", "r1")
    assert (found is None) == (other is None)
    if found is not None and other is not None:
        assert price(found, objective) == price(other, objective)
        assert not ranks & {arc.rank for arc in found}


DETOUR = net(
    [
        ("r0", "r2", 1, 1, True, True),
        ("r2", "r3", 1, 1, True, True),
        ("r3", "r1", 1, 1, True, True),
        ("r0", "r4", 2, 2, True, True),
        ("r4", "r1", 2, 2, True, True),
    ]
)


@pytest.mark.parametrize(("most", "links"), [(1, ["l03", "l04"]), (0, ["l00", "l01", "l02"])])
def test_a_limit_chooses_among_what_it_leaves(most: int, links: list[str]) -> None:
    arcs = DETOUR.arcs if most == 0 else tuple(arc for arc in DETOUR.arcs if arc.link != "l02")
    found = best(plane(DETOUR, "te", arcs), "r0", "r1", Headend(most + 1))
    assert found is not None
    assert [arc.link for arc in found.path] == links


def test_equals_are_decided_by_links_and_then_by_name() -> None:
    rows = [("r0", "r2", 1, 1, True, True), ("r2", "r1", 1, 1, True, True)]
    rows += [("r0", "r3", 1, 1, True, True), ("r3", "r1", 1, 1, True, True)]
    on = net(rows)
    found = best(plane(on, "igp", on.arcs), "r0", "r1", Headend(6))
    assert found is not None
    assert [arc.link for arc in found.path] == ["l00", "l01"]
    on = net([*rows, ("r0", "r1", 2, 2, True, True)])
    found = best(plane(on, "igp", on.arcs), "r0", "r1", Headend(6))
    assert found is not None
    assert [arc.link for arc in found.path] == ["l04"]


def test_a_large_underlay_is_searched_to_the_end() -> None:
    side = 14
    names = [["r0" if (x, y) == (0, 0) else f"r{1 + side * x + y}" for y in range(side)] for x in range(side)]
    names[-1][-1] = "r1"
    names[0][1] = f"r{side * side + 1}"
    rows = []
    for x in range(side):
        for y in range(side):
            for one, two in ((x + 1, y), (x, y + 1)):
                if one < side and two < side:
                    forth, back = 1 + (7 * x + 11 * y + one) % 19, 1 + (13 * x + 5 * y + two) % 17
                    rows.append((names[x][y], names[one][two], forth, back, True, True))
    on = net(rows)
    on_te = plane(on, "te", on.arcs)
    found = [best(on_te, "r0", "r1", Headend(most + 1)) for most in range(4)]
    assert None not in found
    costs = [on_te.cost(one.path) for one in found if one]
    assert costs == sorted(costs, reverse=True)
