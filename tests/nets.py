"""Small underlays as values, and slow answers about them that are plainly right."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from hypothesis import strategies as st

from compiler.te.encode import Sid
from compiler.te.search import Objective, metric
from compiler.te.topology import Arc, Path, Topology, build
from intent.kinds.underlay import Router

Row = tuple[str, str, int, int, bool, bool]
"""Two routers, IGP metric forth and back, and which ends have an End.X SID."""


def router(name: str, **fields: object) -> Router:
    number = int(name[1:]) + 1
    said = {"name": name, "loopback": f"fd00::{number:x}", "locator": f"fcbb:0:{number:x}::/48"}
    return Router.model_validate({**said, **fields})


def net(
    rows: list[Row], routers: dict[str, Router] | None = None, srlgs: dict[int, frozenset[str]] | None = None
) -> Topology:
    arcs: list[Arc] = []
    for number, (one, two, forth, back, here, there) in enumerate(rows):
        groups = (srlgs or {}).get(number, frozenset())
        for start, end, cost, forced in ((one, two, forth, here), (two, one, back, there)):
            sid = f"fcbb:0:{int(start[1:]) + 1:x}::{number + 0x100:x}" if forced else None
            te, latency = 1 + cost * 7 % 5, 1 + cost * 3 % 7
            arcs.append(
                Arc(len(arcs), f"l{number:02}", start, end, cost, te, latency, sid, frozenset(), groups)
            )
    names = {"r0", "r1"}.union(*(row[:2] for row in rows))
    return build(routers or {name: router(name) for name in sorted(names)}, tuple(arcs))


@st.composite
def nets(draw: st.DrawFn, most: int = 6, *, forced: bool = False) -> Topology:
    """Draw a topology of up to so many routers, with ties, parallel links and missing End.X SIDs."""
    count = draw(st.integers(2, most))
    ends = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda two: two[0] < two[1])
    cost, flag = st.integers(1, 3), st.just(value=True) if forced else st.booleans()
    rows = draw(st.lists(st.tuples(ends, cost, cost, flag, flag), min_size=1, max_size=2 * most))
    srlgs = {
        number: frozenset(draw(st.sets(st.sampled_from(["a", "b", "c"]), max_size=1)))
        for number in range(len(rows))
    }
    names = {f"r{number}": router(f"r{number}") for number in range(count)}
    named = [
        (f"r{one}", f"r{two}", forth, back, here, there) for (one, two), forth, back, here, there in rows
    ]
    return net(named, names, srlgs)


def simple_paths(on: Topology, start: str, end: str, way: Path = ()) -> Iterator[Path]:
    """Yield every path that passes no router twice."""
    if start == end:
        yield way
        return
    for arc in on.out[start]:
        if arc.end not in {one.start for one in way} and arc.end != start:
            yield from simple_paths(on, arc.end, end, (*way, arc))


def walks(on: Topology, start: str, sids: tuple[Sid, ...], end: str) -> set[Path] | None:
    """Return every way that packets with a list may take, hop by hop; None where some are lost."""
    ways: set[Path] = {()}
    at = start
    for sid in (*sids, Sid(end)):
        legs = set(_ways(on, at, sid.router))
        if not legs:
            return None
        at = sid.router
        if sid.link:
            (arc,) = (arc for arc in on.out[at] if arc.link == sid.link)
            legs = {(*leg, arc) for leg in legs}
            at = arc.end
        ways = {(*way, *leg) for way, leg in product(ways, legs)}
    return ways


def _ways(on: Topology, start: str, end: str) -> Iterator[Path]:
    """Yield all shortest ways, found by trying all simple ones."""
    several = list(simple_paths(on, start, end))
    least = min((sum(arc.igp for arc in way) for way in several), default=0)
    yield from (way for way in several if sum(arc.igp for arc in way) == least)


def lists(on: Topology, length: int) -> Iterator[tuple[Sid, ...]]:
    """Yield every list of so many SIDs that the routers have."""
    every = [Sid(name) for name in on.routers if name not in on.drained]
    every += [Sid(arc.start, arc.link) for arc in on.arcs if arc.sid and arc.start not in on.drained]
    yield from product(every, repeat=length)


def price(path: Path, objective: Objective) -> tuple[int, int]:
    return sum(metric(arc, objective) for arc in path), len(path)
