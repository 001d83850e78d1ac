"""Failures that part two routers, against all failures of so many links and routers."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.te.constraints import component
from compiler.te.cuts import Cuts
from compiler.te.topology import Topology
from tests.nets import nets


def parted(on: Topology, links: set[str], routers: set[str]) -> bool:
    left = [arc for arc in on.arcs if arc.link not in links and not {arc.start, arc.end} & routers]
    return "r1" not in component(left, "r0", on.routers)


@settings(max_examples=200, deadline=None)
@given(nets(5), st.integers(0, 2), st.integers(0, 2))
def test_a_failure_is_found_if_and_only_if_there_is_one(on: Topology, links: int, routers: int) -> None:
    between = sorted(set(on.routers) - {"r0", "r1"})
    names = sorted({arc.link for arc in on.arcs})
    options = [
        (set(some), set(others))
        for some in combinations(names, min(links, len(names)))
        for others in combinations(between, min(routers, len(between)))
    ]
    found = Cuts(on).parts("r0", "r1", links, routers)
    assert (found is not None) == any(parted(on, *option) for option in options)
    if found:
        assert parted(on, set(found.links), set(found.routers))
        assert len(found.links) <= links
        assert len(found.routers) <= routers
