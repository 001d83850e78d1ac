"""Places for everything in a scene: sites are columns, kinds of things are rows, alike in all sites.

Rows from the top: the outside, border leaves, spines, leaves, servers, routers (access first, core below).
Invariant: boxes of one row stand side by side with a gap, and rows lie below each other: no two boxes meet.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from renderers.picture.measure import Size, frame_width, measure
from renderers.picture.model import Rect
from renderers.picture.order import columns, near, settle
from renderers.picture.scene import Scene
from renderers.picture.text import natural, width

EXTERNAL, BORDER, SPINE, LEAF, SERVER, ROUTER = range(6)
_ROWS: Final = {
    "external": EXTERNAL,
    "border": BORDER,
    "spine": SPINE,
    "leaf": LEAF,
    "node": SERVER,
    "server": SERVER,
    "router": ROUTER,
}
_ABOVE: Final = {EXTERNAL: 0.0, BORDER: 78.0, SPINE: 56.0, LEAF: 74.0, SERVER: 112.0, ROUTER: 92.0}
"""Room above each row, for the lines that end in it."""
_GAP: Final = {EXTERNAL: 24.0, BORDER: 24.0, SPINE: 36.0, LEAF: 22.0, SERVER: 16.0, ROUTER: 104.0}
"""Room between neighbours; wide between routers, whose links have labels."""
_INNER: Final = 12.0
"""Room between the members of a group."""
_ABREAST: Final = 5
"""Most routers side by side in one site."""
FRAME: Final = 12.0
FRAME_TOP: Final = 26.0
SITE_SIDE: Final = 28.0
SITE_TOP: Final = 62.0
SITE_BOTTOM: Final = 22.0
SITE_GAP: Final = 110.0
_NARROW: Final = 200.0
_SITE_NAME: Final = 15.0
"""Font size of the names of sites."""


class Unit(NamedTuple):
    """A box, or the boxes of one group side by side: what moves as a whole."""

    group: str
    ids: tuple[str, ...]
    width: float


@dataclass(frozen=True, slots=True)
class Placed:
    """Where everything is."""

    boxes: Mapping[str, Rect]
    sizes: Mapping[str, Size]
    units: tuple[tuple[Unit, Rect], ...]
    """Groups with their frames."""
    fabrics: Mapping[str, Rect]
    """Frames of the fabrics by name."""
    sites: Mapping[str, Rect]
    """Frames of the sites, left to right."""


def place_scene(scene: Scene) -> Placed:
    """Return places for all things, starting at (0, 0)."""
    sizes = {name: measure(thing) for name, thing in scene.things.items()}
    near_by = _neighbours(scene)
    rows = _rows(scene, near_by)
    sites = columns({thing.site for thing in scene.things.values()}, _between(scene))
    hooks = _hooks(scene, near_by)
    units = {key: _units(scene, sizes, ids, hooks) for key, ids in _cells(scene, rows).items()}
    spans = _spans(scene, sites, units)
    centres = _across(scene, sizes, units, spans, near_by)
    return _build(scene, sizes, units, (centres, rows), spans)


def _neighbours(scene: Scene) -> dict[str, tuple[str, ...]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for tie in scene.ties:
        one, two = tie.ends
        found[one].append(two)
        found[two].append(one)
    return {name: tuple(others) for name, others in found.items()}


def _between(scene: Scene) -> Counter[tuple[str, str]]:
    """Count the ties between each two sites."""
    pairs = (tuple(sorted(scene.things[end].site for end in tie.ends)) for tie in scene.ties)
    return Counter((one, two) for one, two in pairs if one != two)


def _rows(scene: Scene, near_by: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """Return the row of each thing; in a site, routers lie the lower the further they are from servers."""
    rows = {name: _ROWS[thing.role] for name, thing in scene.things.items()}
    routers = [name for name, row in rows.items() if row == ROUTER]
    doors = [name for name in routers if any(rows[other] == SERVER for other in near_by.get(name, ()))]
    depth = dict.fromkeys(doors or routers, 0)
    queue = deque(depth)
    while queue:
        name = queue.popleft()
        for other in near_by.get(name, ()):
            if rows[other] == ROUTER and other not in depth:
                depth[other] = depth[name] + 1
                queue.append(other)
    nearest: dict[str, int] = {}
    for name in routers:
        site = scene.things[name].site
        nearest[site] = min(nearest.get(site, len(routers)), depth.get(name, 0))
    used: defaultdict[tuple[str, int], int] = defaultdict(int)
    last: defaultdict[str, int] = defaultdict(int)
    for name in sorted(routers, key=lambda name: (depth.get(name, 0), natural(scene.things[name].title))):
        site = scene.things[name].site
        row = max(last[site], depth.get(name, 0) - nearest[site])
        row += used[site, row] >= _ABREAST
        used[site, row] += 1
        last[site] = row
        rows[name] = ROUTER + row
    return rows


def _cells(scene: Scene, rows: Mapping[str, int]) -> dict[tuple[str, int, str], list[str]]:
    """Return things by site, row and fabric (of switches)."""
    cells: defaultdict[tuple[str, int, str], list[str]] = defaultdict(list)
    for name, thing in scene.things.items():
        row = rows[name]
        cells[thing.site, row, thing.fabric if BORDER <= row <= LEAF else ""].append(name)
    return cells


def _hooks(scene: Scene, near_by: Mapping[str, tuple[str, ...]]) -> dict[str, list[float]]:
    """Return by which numbers servers are ordered: the ports of leaves they hang off, else their routers."""
    order = {
        name: float(index)
        for index, name in enumerate(sorted(scene.things, key=lambda name: natural(scene.things[name].title)))
    }
    ports = {
        (name, plug.key): order[name] + index / len(thing.plugs)
        for name, thing in scene.things.items()
        for index, plug in enumerate(thing.plugs)
    }
    found: defaultdict[str, list[float]] = defaultdict(list)
    for tie in scene.ties:
        if tie.role == "cable":
            found[tie.ends[0]].append(ports.get((tie.ends[1], tie.plugs[1]), order[tie.ends[1]]))
    for name, thing in scene.things.items():
        if thing.role in ("node", "server") and name not in found:
            found[name] = [len(order) + order[other] for other in near_by.get(name, ())]
    return found


def _units(
    scene: Scene, sizes: Mapping[str, Size], ids: Sequence[str], hooks: Mapping[str, list[float]]
) -> list[Unit]:
    """Return the units of one cell, in order: servers by what they hang off, others by name."""
    things = scene.things
    members: defaultdict[str, list[str]] = defaultdict(list)
    for name in near(ids, lambda name: hooks.get(name, ()), lambda name: things[name].title):
        members[things[name].group or name].append(name)

    def pull(key: str) -> list[float]:
        return [hook for name in members[key] for hook in hooks.get(name, ())]

    found = []
    for key in near(members, pull, lambda key: things[members[key][0]].title):
        inside = members[key]
        across = sum(sizes[name].width for name in inside) + _INNER * (len(inside) - 1)
        group = scene.groups.get(key)
        if group:
            across = max(across + 2 * FRAME, frame_width(group.title))
        found.append(Unit(key if group else "", tuple(inside), across))
    return found


Cells = Mapping[tuple[str, int, str], list[Unit]]
Spans = Mapping[tuple[str, str], tuple[float, float]]
"""Left and right end of each site (fabric empty) and of each fabric in it."""


def _wide(units: Iterable[Unit], gap: float) -> float:
    widths = [unit.width for unit in units]
    return sum(widths) + gap * (len(widths) - 1)


def _spans(scene: Scene, sites: Iterable[str], units: Cells) -> dict[tuple[str, str], tuple[float, float]]:
    """Return how far each site, and each fabric inside it, reaches from left to right."""
    titles = {thing.fabric: _title(scene, thing.id) for thing in scene.things.values() if thing.fabric}
    spans: dict[tuple[str, str], tuple[float, float]] = {}
    at = SITE_SIDE
    for site in sites:
        mine = {(row, fabric): found for (where, row, fabric), found in units.items() if where == site}
        fabrics: dict[str, float] = {}
        rest = max(_NARROW, width(site, _SITE_NAME, bold=True))
        for (row, fabric), found in mine.items():
            across = _wide(found, _GAP[min(row, ROUTER)])
            if fabric:
                least = fabrics.get(fabric, frame_width(titles[fabric]))
                fabrics[fabric] = max(least, across + 2 * FRAME)
            else:
                rest = max(rest, across)
        needed = sum(fabrics.values()) + _GAP[LEAF] * max(0, len(fabrics) - 1)
        whole = max(needed, rest)
        spans[site, ""] = (at, at + whole)
        start, spare = at, (whole - needed) / max(1, len(fabrics))
        for fabric in sorted(fabrics, key=natural):
            spans[site, fabric] = (start + FRAME, start + fabrics[fabric] + spare - FRAME)
            start += fabrics[fabric] + spare + _GAP[LEAF]
        at += whole + 2 * SITE_SIDE + SITE_GAP
    return spans


def _title(scene: Scene, name: str) -> str:
    """Return the title of the fabric that a thing belongs to."""
    return scene.groups[scene.fabrics[scene.things[name].fabric]].title


def _across(
    scene: Scene,
    sizes: Mapping[str, Size],
    units: Cells,
    spans: Spans,
    near_by: Mapping[str, tuple[str, ...]],
) -> dict[str, float]:
    """Return the centre of each thing: servers first, then what stands over them, then routers below."""
    sites = {site: (span[0] + span[1]) / 2 for (site, fabric), span in spans.items() if not fabric}
    centres = {name: sites[thing.site] for name, thing in scene.things.items()}
    done: set[str] = set()
    rows = sorted({row for _, row, _ in units})
    sweep = [row for row in (SERVER, LEAF, SPINE, BORDER, EXTERNAL) if row in rows]
    sweep += [row for row in rows if row >= ROUTER]
    for row in (*sweep, *(row for row in rows if row >= ROUTER)):
        for (site, where, fabric), found in sorted(units.items()):
            if where != row:
                continue
            ordered = _by_pull(scene, found, centres, near_by) if row >= ROUTER else found
            wanted = [_wanted(scene, unit, centres, done, near_by) for unit in ordered]
            places = settle(
                wanted, [unit.width for unit in ordered], _GAP[min(row, ROUTER)], spans[site, fabric]
            )
            for unit, middle in zip(ordered, places, strict=True):
                centres |= _members(unit, middle, sizes)
                done |= set(unit.ids)
    return centres


def _by_pull(
    scene: Scene, units: list[Unit], centres: Mapping[str, float], near_by: Mapping[str, tuple[str, ...]]
) -> list[Unit]:
    """Return routers in the order of what they are tied to, sites beside theirs included."""
    by_id = {unit.ids[0]: unit for unit in units}
    ordered = near(
        by_id,
        lambda name: [centres[other] for other in near_by.get(name, ())],
        lambda name: scene.things[name].title,
    )
    return [by_id[name] for name in ordered]


def _wanted(
    scene: Scene,
    unit: Unit,
    centres: Mapping[str, float],
    done: set[str],
    near_by: Mapping[str, tuple[str, ...]],
) -> float:
    """Return the mean place of what a unit is tied to in its site, as far as that is placed; else its own."""
    site = scene.things[unit.ids[0]].site
    found = [
        centres[other]
        for name in unit.ids
        for other in near_by.get(name, ())
        if other in done and scene.things[other].site == site
    ]
    return sum(found) / len(found) if found else centres[unit.ids[0]]


def _members(unit: Unit, middle: float, sizes: Mapping[str, Size]) -> Iterator[tuple[str, float]]:
    at = middle - (sum(sizes[name].width for name in unit.ids) + _INNER * (len(unit.ids) - 1)) / 2
    for name in unit.ids:
        yield name, at + sizes[name].width / 2
        at += sizes[name].width + _INNER


def _build(
    scene: Scene,
    sizes: Mapping[str, Size],
    units: Cells,
    places: tuple[Mapping[str, float], Mapping[str, int]],
    spans: Spans,
) -> Placed:
    """Return everything in its place, given centres and rows."""
    centres, rows = places
    heights: defaultdict[int, float] = defaultdict(float)
    for name, size in sizes.items():
        heights[rows[name]] = max(heights[rows[name]], size.height)
    tops = _tops(heights)
    boxes = {}
    for name, size in sizes.items():
        row = rows[name]
        boxes[name] = Rect(round(centres[name] - size.width / 2, 1), tops[row], size.width, heights[row])
    grouped = (unit for _, found in sorted(units.items()) for unit in found if unit.group)
    framed = tuple((unit, frame_of([boxes[name] for name in unit.ids], unit.width)) for unit in grouped)
    bottom = max((rect.bottom for rect in boxes.values()), default=0.0) + SITE_BOTTOM
    fabrics = dict(_fabrics(scene, boxes, framed, spans))
    return Placed(boxes, sizes, framed, fabrics, _sites(units, spans, tops, bottom))


def _fabrics(
    scene: Scene, boxes: Mapping[str, Rect], framed: Iterable[tuple[Unit, Rect]], spans: Spans
) -> Iterator[tuple[str, Rect]]:
    """Yield the frames of fabrics: around their switches, wide enough for the title, inside their span."""
    inside: defaultdict[tuple[str, str], list[Rect]] = defaultdict(list)
    frame = {name: rect for unit, rect in framed for name in unit.ids}
    for name, thing in scene.things.items():
        if thing.fabric and thing.role != "external":
            inside[thing.site, thing.fabric].append(frame.get(name, boxes[name]))
    for (site, fabric), rects in inside.items():
        rect = frame_of(rects, frame_width(scene.groups[scene.fabrics[fabric]].title))
        left, right = spans[site, fabric]
        yield fabric, rect._replace(x=max(left - FRAME, min(right + FRAME - rect.width, rect.x)))


def _tops(heights: Mapping[int, float]) -> dict[int, float]:
    """Return the upper edge of each row."""
    tops: dict[int, float] = {}
    at = 0.0
    for row in sorted(heights):
        at += _ABOVE[min(row, ROUTER)] if tops else (0 if row == EXTERNAL else SITE_TOP)
        tops[row] = at
        at += heights[row]
    return tops


def _sites(units: Cells, spans: Spans, tops: Mapping[int, float], bottom: float) -> dict[str, Rect]:
    """Return the frames of sites: from their first row inside, down to a common edge."""
    found = {}
    for (site, fabric), (left, right) in spans.items():
        if not fabric:
            inside = [row for where, row, _ in units if where == site and row != EXTERNAL]
            top = tops[min(inside, default=EXTERNAL)] - SITE_TOP
            found[site] = Rect(left - SITE_SIDE, top, right - left + 2 * SITE_SIDE, bottom - top)
    return found


def frame_of(rects: Iterable[Rect], least: float) -> Rect:
    """Return the frame around boxes or smaller frames, with room for its title."""
    inner = around(rects)
    across = max(inner.width + 2 * FRAME, least)
    left = inner.x + (inner.width - across) / 2
    return Rect(round(left, 1), inner.y - FRAME_TOP, round(across, 1), inner.height + FRAME_TOP + FRAME)


def around(rects: Iterable[Rect]) -> Rect:
    """Return the smallest rectangle around others."""
    found = list(rects)
    left, top = min(rect.x for rect in found), min(rect.y for rect in found)
    return Rect(left, top, max(rect.right for rect in found) - left, max(rect.bottom for rect in found) - top)
