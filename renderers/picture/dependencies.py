"""Documents and what they lean on, as a picture: kinds in columns, foundations left, what they carry right.

A curve that must pass a column between its ends runs through a gap between the boxes there, together with all
others that lead to the same document.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from compiler.resolved import Resolved
from renderers.picture.curves import lying, straight
from renderers.picture.leaning import Edges, How, Pile, documents, edges, piles
from renderers.picture.legend import mark_entries
from renderers.picture.measure import SMALL, TITLE
from renderers.picture.model import Box, Curve, Entry, Frame, Line, Mark, Marks, Picture, Rect
from renderers.picture.order import near
from renderers.picture.text import TIMES, fit, span_of, width
from renderers.picture.tips import listed, place, words

COLUMNS: Final = (
    ("Underlay", "NodeProfile", "Fabric"),
    ("Node",),
    ("Cluster",),
    ("SriovPool",),
    ("VirtualNetwork",),
    ("VirtualNetworkRouter", "FabricAttachment", "ExternalConnection", "SRv6Policy", "Workload"),
    ("Assertion", "Facts", "Project"),
)
"""Where each kind stands: right of all that its documents lean on."""

_ROOM: Final = 190.0
_LEAST: Final = 96.0
_ROW: Final = 16.0
"""Room between boxes, wide enough for curves to pass."""
_FRAME: Final = 12.0
_FRAME_TOP: Final = 22.0
_KIND_GAP: Final = 34.0
_COLUMN_GAP: Final = 110.0
_SWEEPS: Final = 4

_WAYS: Final[tuple[tuple[How, str], ...]] = (
    ("name", "reference by name"),
    ("selector", "chosen by a selector or a zone"),
)


def dependencies(resolved: Resolved, marks: Mapping[str, Mark] | None = None) -> Picture:
    """Return the documents and their references; `marks` says by subject what a change did."""
    found = Marks.of(marks or {})
    all_documents, leaning = documents(resolved), edges(resolved)
    stacks = piles(all_documents, leaning, found)
    pile_of = {intent.subject: pile.id for pile in stacks for intent in pile.members}
    joined = _joined(leaning, pile_of)
    if not stacks:
        return Picture("dependencies", f"{resolved.project.name}: documents", "no documents", 400, 40)
    columns = _ordered(stacks, joined)
    boxes = _boxes(columns, joined, {pile.id: pile for pile in stacks}, found)
    frames = tuple(_frames(columns, boxes))
    lines = tuple(_lines(columns, boxes, joined))
    counts = f"{len(all_documents):,} documents · {len(leaning):,} references"
    ways = set(joined.values())
    return Picture(
        name="dependencies",
        title=f"{resolved.project.name}: documents",
        subtitle=f"{counts} · what a document leans on stands left of it",
        width=max(frame.rect.right for frame in frames),
        height=max(frame.rect.bottom for frame in frames),
        boxes=tuple(boxes.values()),
        frames=frames,
        lines=lines,
        legend=(*(Entry(how, text) for how, text in _WAYS if how in ways), *mark_entries(found)),
    )


Joined = Mapping[tuple[str, str], How]
Columns = Sequence[Sequence[tuple[str, Sequence[Pile]]]]
"""Kinds with their piles, by column."""


def _joined(leaning: Edges, pile_of: Mapping[str, str]) -> dict[tuple[str, str], How]:
    """Return the edges between piles; drawn as by name where one of them is."""
    found: dict[tuple[str, str], How] = {}
    for (one, two), how in sorted(leaning.items()):
        key = (pile_of[one], pile_of[two])
        if key[0] != key[1] and found.get(key) != "name":
            found[key] = how
    return found


def _ordered(stacks: Iterable[Pile], joined: Joined) -> list[list[tuple[str, list[Pile]]]]:
    """Return piles by column and kind, in an order with few crossings (barycentres, swept left and right)."""
    by_kind: defaultdict[str, list[Pile]] = defaultdict(list)
    for pile in stacks:
        by_kind[pile.kind].append(pile)
    known = {kind for column in COLUMNS for kind in column}
    table = (*COLUMNS[:-1], (*COLUMNS[-1], *sorted(set(by_kind) - known)))
    columns = [[(kind, by_kind[kind]) for kind in column if by_kind[kind]] for column in table]
    columns = [column for column in columns if column]
    near_by: defaultdict[str, list[str]] = defaultdict(list)
    for one, two in joined:
        near_by[one].append(two)
        near_by[two].append(one)
    for _ in range(_SWEEPS):
        places = _places(columns)
        columns = [
            [(kind, _by_place(stack, near_by, places)) for kind, stack in column] for column in columns
        ]
    return columns


def _places(columns: Columns) -> dict[str, float]:
    """Return how far down its column each pile stands, from 0 to 1."""
    places: dict[str, float] = {}
    for column in columns:
        ids = [pile.id for _, stack in column for pile in stack]
        places |= {ident: (index + 0.5) / len(ids) for index, ident in enumerate(ids)}
    return places


def _by_place(stack: list[Pile], near_by: Mapping[str, list[str]], places: Mapping[str, float]) -> list[Pile]:
    by_id = {pile.id: pile for pile in stack}
    ordered = near(
        by_id,
        lambda one: [places[two] for two in near_by.get(one, ())],
        lambda one: by_id[one].members[0].name,
    )
    return [by_id[one] for one in ordered]


def _boxes(columns: Columns, joined: Joined, by_id: Mapping[str, Pile], marks: Marks) -> dict[str, Box]:
    """Return the placed boxes; each column is centred."""
    down: defaultdict[str, list[str]] = defaultdict(list)
    for one, two in joined:
        down[one].append(two)
    texts = {pile.id: _texts(pile) for column in columns for _, stack in column for pile in stack}
    heights = [sum(_tall(stack) for _, stack in column) + _KIND_GAP * (len(column) - 1) for column in columns]
    boxes: dict[str, Box] = {}
    x = _FRAME
    for column, tall in zip(columns, heights, strict=True):
        ids = [pile.id for _, stack in column for pile in stack]
        across = max(
            _LEAST,
            *(texts[ident][2] for ident in ids),
            *(width(_heading(kind, stack), SMALL, bold=True) for kind, stack in column),
        )
        y = (max(heights) - tall) / 2
        for _, stack in column:
            at = y + _FRAME_TOP
            for pile in stack:
                title, lines, _ = texts[pile.id]
                rect = Rect(round(x, 1), round(at, 1), round(across), _height(pile))
                subjects = tuple(intent.subject for intent in pile.members)
                tip = _tip(pile, [by_id[two] for two in down[pile.id]])
                boxes[pile.id] = Box(
                    pile.id,
                    "document",
                    rect,
                    title,
                    lines,
                    tip,
                    subjects,
                    many=len(pile.members),
                    mark=marks.find(subjects),
                )
                at += rect.height + _ROW
            y += _tall(stack) + _KIND_GAP
        x += across + 2 * _FRAME + _COLUMN_GAP
    return boxes


def _texts(pile: Pile) -> tuple[str, tuple[str, ...], float]:
    """Return title, further lines, and the width that they need."""
    names = tuple(intent.name for intent in pile.members)
    title = names[0] if len(names) == 1 else f"{TIMES} {len(names):,}"
    lines = () if len(names) == 1 else (fit(span_of(names), SMALL, _ROOM),)
    title = fit(title, TITLE, _ROOM, bold=True)
    return title, lines, max(width(title, TITLE, bold=True), *(width(line, SMALL) for line in lines), 0) + 24


def _height(pile: Pile) -> float:
    return 28.0 if len(pile.members) == 1 else 44.0


def _tall(stack: Sequence[Pile]) -> float:
    return sum(_height(pile) for pile in stack) + _ROW * (len(stack) - 1) + _FRAME_TOP + _FRAME


def _tip(pile: Pile, used: Sequence[Pile]) -> str:
    first = pile.members[0]
    names = [intent.name for intent in pile.members]
    needs = [f"{other.kind} {span_of(tuple(intent.name for intent in other.members))}" for other in used]
    single = len(names) == 1
    return words(
        f"{pile.kind} {first.name}" if single else f"{len(names):,} of kind {pile.kind}: {listed(names)}",
        place(first),
        getattr(first.spec, "description", None) if single else None,
        f"leans on {listed(needs)}" if needs else None,
    )


def _tones(columns: Columns) -> dict[str, int]:
    """Return the tone of each kind, which the curves to its documents share."""
    return {kind: tone for tone, kind in enumerate(kind for column in columns for kind, _ in column)}


def _frames(columns: Columns, boxes: Mapping[str, Box]) -> Iterator[Frame]:
    tones = _tones(columns)
    for column in columns:
        for kind, stack in column:
            rects = [boxes[pile.id].rect for pile in stack]
            top, bottom = rects[0].y - _FRAME_TOP, rects[-1].bottom + _FRAME
            rect = Rect(rects[0].x - _FRAME, top, rects[0].width + 2 * _FRAME, bottom - top)
            heading = _heading(kind, stack)
            yield Frame(f"kind/{kind}", "kind", rect, heading, heading, tones[kind])


def _heading(kind: str, stack: Sequence[Pile]) -> str:
    count = sum(len(pile.members) for pile in stack)
    return kind if count == 1 else f"{kind} · {count:,}"


def _lines(columns: Columns, boxes: Mapping[str, Box], joined: Joined) -> Iterator[Line]:
    stacks = [
        (index, kind, pile.id)
        for index, column in enumerate(columns)
        for kind, stack in column
        for pile in stack
    ]
    column_of = {ident: index for index, _, ident in stacks}
    tones = _tones(columns)
    tone_of = {ident: tones[kind] for _, kind, ident in stacks}
    lanes = _lanes(columns, boxes, column_of, joined)
    for (one, two), how in joined.items():
        left, right = sorted((one, two), key=lambda name: (column_of[name], name))
        start, end = boxes[left].rect, boxes[right].rect
        if column_of[left] == column_of[right]:
            curves: tuple[Curve, ...] = (_aside(start, end),)
        else:
            between = range(column_of[left] + 1, column_of[right])
            curves = tuple(_through(start, end, [lanes[left, column] for column in between]))
        tip = f"{boxes[one].tip.splitlines()[0]}\nleans on {boxes[two].tip.splitlines()[0]}"
        yield Line(f"{one}--{two}", how, curves, tip, (one, two), width=1.3, tone=tone_of[left])


Lane = tuple[Rect, float]
"""A box of the column that is passed (for its sides), and how far down to pass it."""


def _lanes(
    columns: Columns, boxes: Mapping[str, Box], column_of: Mapping[str, int], joined: Joined
) -> dict[tuple[str, int], Lane]:
    """Return where the curves to a box pass each column between; those to one box pass together."""
    rects = [[boxes[pile.id].rect for _, stack in column for pile in stack] for column in columns]
    gaps = [_gaps(column) for column in rects]
    crowd: defaultdict[tuple[int, float], int] = defaultdict(int)
    lanes: dict[tuple[str, int], Lane] = {}
    for pair in joined:
        left, right = sorted(pair, key=lambda name: (column_of[name], name))
        for column in range(column_of[left] + 1, column_of[right]):
            if (left, column) not in lanes:
                middle = boxes[left].rect.middle[1]
                gap = min(gaps[column], key=lambda gap: (abs(gap - middle), gap))
                aside = _SPREAD[min(crowd[column, gap], len(_SPREAD) - 1)]
                lanes[left, column] = (rects[column][0], gap + aside)
                crowd[column, gap] += 1
    return lanes


_SPREAD: Final = (0.0, 3.0, -3.0, 5.5, -5.5)
"""Where the first, second … lane of a gap lies, from its middle."""


def _gaps(rects: Sequence[Rect]) -> list[float]:
    """Return the middles of the gaps of a column, with those above and below it."""
    inner = [
        (one.bottom + two.y) / 2 if two.y - one.bottom <= _ROW else one.bottom + _FRAME + 6
        for one, two in pairwise(rects)
    ]
    return [rects[0].y - _FRAME_TOP - _ROW, *inner, rects[-1].bottom + _FRAME + _ROW]


def _through(start: Rect, end: Rect, spans: Iterable[Lane]) -> Iterator[Curve]:
    """Yield the curves from a box over the lanes of the columns between to another box."""
    at = (start.right, start.middle[1])
    for rect, lane in spans:
        yield lying(at, (rect.x - _FRAME, lane))
        at = (rect.right + _FRAME, lane)
        yield straight((rect.x - _FRAME, lane), at)
    yield lying(at, (end.x, end.middle[1]))


def _aside(start: Rect, end: Rect) -> Curve:
    """Return a curve between two boxes of one column, to the right of both."""
    one, two = (start.right, start.middle[1]), (end.right, end.middle[1])
    out = _FRAME + 26
    return Curve(one, (one[0] + out, one[1]), (two[0] + out, two[1]), two)
