"""A list forces exactly the path that it is made for, and no shorter one does."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.te.carriers import Compressed
from compiler.te.encode import encode, follow, forceable
from compiler.te.limits import Headend
from compiler.te.topology import Path, Sid, Topology
from tests.nets import lists, net, nets, simple_paths, walks

SQUARE = net(
    [
        ("r0", "r1", 1, 1, True, True),
        ("r1", "r3", 1, 1, True, True),
        ("r0", "r2", 1, 1, True, True),
        ("r2", "r3", 1, 1, True, True),
        ("r2", "r3", 5, 5, True, True),
    ]
)


def path(on: Topology, *links: str) -> tuple[object, ...]:
    found, at = [], "r0"
    for link in links:
        arc = next(arc for arc in on.out[at] if arc.link == link)
        found.append(arc)
        at = arc.end
    return tuple(found)


def test_more_sids_are_taken_where_they_fill_fewer_addresses() -> None:
    ring = net(
        [
            ("r0", "r2", 1, 1, False, False),
            ("r2", "r3", 1, 1, False, False),
            ("r3", "r4", 1, 1, False, False),
            ("r4", "r1", 1, 1, False, False),
            ("r0", "r1", 2, 2, False, False),
        ]
    )
    way: Path = path(ring, "l00", "l01", "l02", "l03")  # type: ignore[assignment] # arcs of the ring
    assert encode(way, ring) == (Sid("r3"),)
    small = {Sid(name): Compressed(0, (1,)) for name in ("r2", "r4")}
    for service, sids in ((Compressed(0, (1, 1)), (Sid("r2"), Sid("r4"))), (None, (Sid("r3"),))):
        assert encode(way, ring, Headend(small=small, services=(service,))) == sids
    one = Headend(sids=1, small=small, services=(Compressed(0, (1, 1)),))
    assert encode(way, ring, one) == (Sid("r3"),)


def test_one_of_two_equal_ways_needs_one_router() -> None:
    assert encode(path(SQUARE, "l00", "l01"), SQUARE) == (Sid("r1"),)  # type: ignore[arg-type] # arcs of SQUARE


def test_a_dear_parallel_link_needs_its_end_x_sid() -> None:
    assert encode(path(SQUARE, "l02", "l04"), SQUARE) == (Sid("r2", "l04"),)  # type: ignore[arg-type] # arcs of SQUARE


def test_the_shortest_way_needs_no_sid() -> None:
    assert encode(path(SQUARE, "l00"), SQUARE) == ()  # type: ignore[arg-type] # arcs of SQUARE


@settings(max_examples=150, deadline=None)
@given(nets(5), st.data())
def test_packets_with_the_list_take_the_path_and_no_other_and_no_shorter_list_does(
    on: Topology, data: st.DataObject
) -> None:
    ways = list(simple_paths(on, "r0", "r1"))
    if not ways:
        return
    way = data.draw(st.sampled_from(ways))
    sids = encode(way, on)
    assert (sids is None) == (not all(forceable(arc, on) for arc in way))
    if sids is None:
        for length in range(3):
            assert all(walks(on, "r0", several, "r1") != {way} for several in lists(on, length))
        return
    assert walks(on, "r0", sids, "r1") == {way}
    legs = follow("r0", sids, "r1", on)
    assert legs is not None
    assert tuple(arc for leg in legs for arc in leg) == way
    for length in range(min(len(sids), 3)):
        assert all(walks(on, "r0", several, "r1") != {way} for several in lists(on, length))
