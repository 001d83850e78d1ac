"""Small underlays as values, and slow answers about them that are plainly right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from random import Random

from hypothesis import strategies as st

from compiler.te.carriers import Compressed
from compiler.te.limits import Headend
from compiler.te.search import Objective, metric
from compiler.te.topology import ENDLESS, Arc, Path, Sid, Topology, build
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


def limited(rand: Random) -> tuple[Topology, Headend]:
    """Return a topology with routers that take short lists only, and a headend that may pack SIDs."""
    count = rand.randint(4, 7)
    between = [(one, one + 1) for one in range(1, count - 1)] + [(0, count - 1)]
    extra = (sorted(rand.sample(range(count), 2)) for _ in range(count // 2 + 1))
    between += [(one, two) for one, two in extra]
    rows: list[Row] = []
    for one, two in between:
        forced = rand.random() < 0.8, rand.random() < 0.8
        # The two ends are far from each other, and the IGP takes other ways than the objectives.
        far = 9 if (one, two) == (0, 1) else 1
        costs = rand.randint(far, far + 2), rand.randint(far, far + 2)
        rows += [(f"r{one}", f"r{two}", *costs, *forced)] * rand.choice([1, 1, 2])
    bounded, drained = rand.choice([0, 0.3, 0.7]), rand.choice([0, 0.1])
    routers = {}
    for name in (f"r{number}" for number in range(count)):
        said = {key: rand.randint(1, 4) for key in ("segmentsLeft", "endPop") if rand.random() < bounded}
        routers[name] = router(name, maxSids=said, state="drain" if rand.random() < drained else "active")
    on = net(rows, routers)
    on = build(
        routers, tuple(arc._replace(te=rand.randint(1, 9), latency=rand.randint(0, 5)) for arc in on.arcs)
    )
    small: dict[Sid, Compressed] = {}
    services: tuple[Compressed | None, ...] = (None,)
    if rand.random() < 0.7:
        often = rand.choice([0.6, 1])
        for (sid,) in lists(on, 1):
            if rand.random() < often:
                # Wider than real ones, so that short lists fill carriers, too.
                small[sid] = Compressed(rand.choice([0, 0, 0, 1]), (1,) * rand.randint(1, 4))
        services = tuple(
            rand.sample((None, Compressed(0, (1, 1)), Compressed(1, (1, 1))), rand.randint(1, 2))
        )
    return on, Headend(rand.choice([2, 2, 3, 16]), rand.choice([1, 2, 3, ENDLESS, ENDLESS]), small, services)


def forcing(on: Topology, path: Path) -> Iterator[tuple[Sid, ...]]:
    """Yield every list that forces a path and in which each SID brings packets on."""
    if not path or set(_ways(on, path[0].start, path[-1].end)) == {path}:
        yield ()
    for at in range(len(path) + 1 if path else 0):
        piece, rest = path[:at], path[at:]
        name = piece[-1].end if piece else path[0].start
        if name in on.drained or (piece and set(_ways(on, path[0].start, name)) != {piece}):
            continue
        if piece:
            yield from ((Sid(name), *later) for later in forcing(on, rest))
        if rest and rest[0].sid:
            yield from ((Sid(name, rest[0].link), *later) for later in forcing(on, rest[1:]))


def chunks(forms: Sequence[Compressed | None]) -> int:
    """Return the fewest addresses for SIDs in this order, of all ways to part them."""
    least = [0]
    for end in range(1, len(forms) + 1):
        least.append(
            min(least[start] + 1 for start in range(end) if start == end - 1 or _one(forms[start:end]))
        )
    return least[-1]


def _one(forms: Sequence[Compressed | None]) -> bool:
    """Say whether several SIDs fit into one carrier."""
    small = [form for form in forms if form]
    several = len(small) == len(forms) and len({form.block for form in small}) == 1
    return several and sum(len(form.csids) for form in small) <= 6


def taken(sids: tuple[Sid, ...], on: Topology, headend: Headend) -> int | None:
    """Return how many addresses a list fills; None where its headend or a router does not take it."""
    most = 0
    for service in headend.services:
        forms = [*(headend.small.get(sid) for sid in sids), service]
        lefts = [chunks(forms[at:]) - 1 for at in range(len(forms))]
        most = max(most, lefts[0] + 1)
        for sid, left, later in zip(sids, lefts, lefts[1:], strict=False):
            bounds = on.routers[sid.router].max_sids
            if bounds.segments_left is not None and left > bounds.segments_left:
                return None
            if bounds.end_pop is not None and (left, later) == (1, 0) and lefts[0] + 1 > bounds.end_pop:
                return None
    return most if most <= headend.addresses and len(sids) <= headend.sids else None
