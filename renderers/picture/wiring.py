"""Lines of a topology: ties and the ways of policies, as curves between placed boxes, with their words.

Words stand on a free place of their line; a label that finds none is left to the tooltip.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from renderers.picture.curves import around_boxes, at, cut, hanging, length, shifted, straight, turned
from renderers.picture.measure import PORT, SMALL
from renderers.picture.model import Curve, Line, Marks, Note, Point, Rect, Ring
from renderers.picture.place import Placed
from renderers.picture.scene import Scene, Tie
from renderers.picture.text import width
from renderers.picture.tips import place, words
from renderers.picture.traces import Trace

_FAN: Final = 34.0
"""Pixels between the bends of parallel links."""
_LANE: Final = 4.0
"""Pixels between a link and the first path beside it."""
_THIN: Final = 1.4
_THICK: Final = 2.6
"""Width of a path without traffic, and what all of its policy's traffic adds."""
_WIDTHS: Final[dict[str, tuple[float, float]]] = {
    "link": (2.4, 2.4),
    "uplink": (1.4, 2.4),
    "cable": (1.4, 3.0),
    "implied": (1.0, 1.0),
}
"""Width of one line, and of one that stands for many."""
_LABELLED: Final = 60
"""With more links than this, only those that are down keep their label; tooltips say the rest."""
_FEW_ENDS: Final = 4
"""Paths are drawn up to the servers where they start (or end) at so few boxes, else up to their routers."""
_STOPS: Final = (0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.2, 0.8)
"""Where on its line a label is tried."""


Plugs = Mapping[tuple[str, str], Rect]
"""Ports by thing and key."""


def wire(
    scene: Scene, placed: Placed, plugs: Plugs, ways: Sequence[tuple[int, Trace]], marks: Marks
) -> tuple[Line, ...]:
    """Return all lines; `ways` are traces with the tones of their policies."""
    curves = {tie.id: curve for tie, curve in _curves(scene, placed, plugs)}
    lines = [_line(tie, curves[tie.id], marks) for tie in scene.ties]
    return (*lines, *_paths(scene, curves, ways, marks))


def _line(tie: Tie, curve: Curve, marks: Marks) -> Line:
    subject = tie.subjects[0] if tie.subjects else ""
    thick = _WIDTHS[tie.role][tie.many > 1]
    mark = marks.find(tie.subjects)
    return Line(tie.id, tie.role, (curve,), tie.tip, tie.ends, tie.state, thick, mark=mark, subject=subject)


def _curves(scene: Scene, placed: Placed, plugs: Plugs) -> Iterator[tuple[Tie, Curve]]:
    """Yield the curve of each tie, from its first end to its second."""
    parallel: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for tie in scene.ties:
        if tie.role in ("link", "uplink"):
            parallel[tuple(sorted(tie.ends))].append(tie.id)
    boxes = placed.boxes
    for tie in scene.ties:
        one, two = (boxes[end] for end in tie.ends)
        if tie.role in ("link", "uplink"):
            twins = parallel[tuple(sorted(tie.ends))]
            fan = (twins.index(tie.id) - (len(twins) - 1) / 2) * _FAN
            others = [box for name, box in boxes.items() if name not in tie.ends]
            start, end = (_foot(rect, other) for rect, other in ((one, two), (two, one)))
            yield tie, cut(around_boxes(start, end, others, fan), one, two)
        else:
            start, end = (
                _door(one, plugs.get((tie.ends[0], tie.plugs[0])), two),
                _door(two, plugs.get((tie.ends[1], tie.plugs[1])), one),
            )
            yield tie, straight(start, end) if tie.role == "implied" else hanging(start, end)


def _foot(box: Rect, other: Rect) -> Point:
    """Return where an underlay line starts: at the lower edge of a box in a row above, else in the middle."""
    return (box.middle[0], box.bottom) if box.bottom < other.y else box.middle


def _door(box: Rect, plug: Rect | None, other: Rect) -> Point:
    """Return where a line leaves a box: at its port, or in the middle of the edge that faces the other."""
    inside = plug or box
    return (inside.middle[0], inside.bottom if other.y >= box.bottom else inside.y)


def _paths(
    scene: Scene, curves: Mapping[str, Curve], ways: Iterable[tuple[int, Trace]], marks: Marks
) -> Iterator[Line]:
    """Yield the lines of the policies: beside the links that they use, on the right of their direction."""
    taken: defaultdict[tuple[str, str], float] = defaultdict(float)
    tracks = _tracks(scene)
    for tone, trace in ways:
        thick = _THIN + _THICK * trace.share
        found: list[Curve] = []
        heads, tails = (_boxes_of(scene, servers) for servers in (trace.heads, trace.tails))
        for start, end, tie in _steps(tracks, trace, heads, tails):
            curve = curves[tie.id] if tie.ends == (start, end) else turned(curves[tie.id])
            found.append(shifted(curve, _LANE + taken[tie.id, start] + thick / 2))
            taken[tie.id, start] += thick + 2
        ends = (heads[0] if heads else "", tails[0] if tails else "")
        subject = trace.policy.subject
        share = f"SRv6Policy {trace.policy.name}, {trace.share:.0%} of its traffic"
        tip = words(share, place(trace.policy), trace.words)
        ident, mark = f"{subject}/list/{trace.index}", marks.find((subject,))
        yield Line(
            ident, "path", tuple(found), tip, ends, "", thick, tone, arrow=True, mark=mark, subject=subject
        )


Way = tuple[str, str, Tie]
"""A tie, and the direction in which a path takes it."""


@dataclass(frozen=True, slots=True)
class _Tracks:
    """The ties that paths run over."""

    links: Mapping[str, Tie]
    """By name of the link."""
    uplinks: Mapping[str, Tie]
    """By box of the server."""
    routers: Mapping[str, str]
    """Ids of routers by name."""


def _boxes_of(scene: Scene, servers: Iterable[str]) -> tuple[str, ...]:
    """Return the boxes that servers stand in, each once."""
    return tuple(dict.fromkeys(scene.folded.server_box[name] for name in servers))


def _tracks(scene: Scene) -> _Tracks:
    return _Tracks(
        links={tie.link: tie for tie in scene.ties if tie.role == "link"},
        uplinks={end: tie for tie in scene.ties if tie.role == "uplink" for end in tie.ends},
        routers={thing.title: name for name, thing in scene.things.items() if thing.role == "router"},
    )


def _steps(tracks: _Tracks, trace: Trace, heads: tuple[str, ...], tails: tuple[str, ...]) -> Iterator[Way]:
    """Yield the ties of a trace in its direction, with the uplinks of its ends where they are few."""
    yield from _doors(tracks, heads)
    for start, end, link in trace.hops:
        if link in tracks.links:
            yield tracks.routers[start], tracks.routers[end], tracks.links[link]
    yield from ((end, start, tie) for start, end, tie in _doors(tracks, tails))


def _doors(tracks: _Tracks, servers: tuple[str, ...]) -> Iterator[Way]:
    for server in servers if len(servers) <= _FEW_ENDS else ():
        if server in tracks.uplinks:
            tie = tracks.uplinks[server]
            yield server, tie.ends[1 - tie.ends.index(server)], tie


def rings(scene: Scene, plugs: Plugs, marks: Marks) -> tuple[Ring, ...]:
    """Return a ring around the cables of each LAG, just above the NICs of its server."""
    legs: defaultdict[tuple[str, str], list[Tie]] = defaultdict(list)
    for tie in scene.ties:
        if tie.lag:
            legs[tie.ends[0], tie.lag.name].append(tie)
    found = []
    for (box, name), ties in legs.items():
        spots = [plugs[box, tie.plugs[0]] for tie in ties]
        left, right = min(spot.middle[0] for spot in spots), max(spot.middle[0] for spot in spots)
        lag = ties[0].lag
        kind = "ESI-LAG" if lag and lag.esi else "LAG over a pair" if lag and lag.group else "LAG"
        tip = words(
            f"{kind} {name}",
            f"ESI {lag.esi}" if lag and lag.esi else None,
            f"LACP system id {lag.system_id}" if lag and lag.system_id else None,
        )
        server = scene.things[box].subjects[0]
        subject = f"{server}/bond/{lag.bond.name}" if lag else server
        found.append(
            Ring(
                f"{box}/bond/{name}",
                Rect(left - 6, spots[0].y - 15, right - left + 12, 9),
                tip,
                marks.find((subject,)),
            )
        )
    return tuple(found)


def notes(
    scene: Scene, lines: Sequence[Line], paths: Mapping[str, str], solid: Iterable[Rect]
) -> tuple[Note, ...]:
    """Return the words beside lines: labels of ties, and `paths` by line; none stands where it is `solid`."""
    taken = list(solid)
    crowded = sum(tie.role == "link" for tie in scene.ties) > _LABELLED
    labels = {tie.id: tie.label for tie in scene.ties if tie.state or tie.role != "link" or not crowded}
    found: list[Note] = []
    for line in sorted(lines, key=lambda line: line.role != "path"):
        role: Literal["link", "down", "path"] = (
            "path" if line.role == "path" else "down" if line.state == "down" else "link"
        )
        text = paths.get(line.id, "") if role == "path" else labels.get(line.id, "")
        text = f"{text} · down".removeprefix(" · ") if role == "down" else text
        if not text or not line.curves:
            continue
        longest = max(line.curves, key=length)
        spot = _spot(longest, text, SMALL if role != "path" else PORT, taken)
        if spot:
            taken.append(spot)
            found.append(Note(spot, text, role, line.tone))
    return tuple(found)


def _spot(curve: Curve, text: str, size: float, taken: Iterable[Rect]) -> Rect | None:
    """Return a free place for words on a curve."""
    across, down = width(text, size, bold=True) + 8, size + 5
    busy = list(taken)
    for part in _STOPS:
        x, y = at(curve, part)
        spot = Rect(round(x - across / 2, 1), round(y - down / 2, 1), round(across, 1), down)
        if not any(spot.meets(other) for other in busy):
            return spot
    return None
