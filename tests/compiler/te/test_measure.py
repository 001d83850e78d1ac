"""Least and most over all ways, and what every way passes, against all ways one by one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.te.encode import follow
from compiler.te.measure import Spread, passes, spread
from compiler.te.topology import Arc, Path, Sid, Topology
from tests.nets import lists, nets, walks


def through(way: Path, router: str) -> bool:
    return router == "r0" or any(router in (arc.start, arc.end) for arc in way)


@settings(max_examples=200, deadline=None)
@given(nets(5), st.data())
def test_spread_and_passing_speak_of_all_ways(on: Topology, data: st.DataObject) -> None:
    sids: tuple[Sid, ...] = data.draw(st.sampled_from([(), *lists(on, 1)]))
    ways = walks(on, "r0", sids, "r1")
    legs = follow("r0", sids, "r1", on)
    assert (ways is None) == (legs is None)
    if ways is None or legs is None:
        return
    costs = [sum(arc.latency or 0 for arc in way) for way in ways]
    assert spread(legs, lambda arc: arc.latency) == Spread(min(costs), max(costs))
    for router in on.routers:
        touched = {through(way, router) for way in ways}
        assert passes(legs, "r0", router) == (True in touched, False not in touched)


def test_an_unknown_latency_is_named() -> None:
    arc = Arc(0, "l", "r0", "r1", 1, 1, None, None, frozenset(), frozenset())
    assert spread(((arc,),), lambda one: one.latency) == arc
