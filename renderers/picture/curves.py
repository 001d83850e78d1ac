"""Lines as Bézier curves: between boxes, bent around what stands in their way, cut where boxes begin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import hypot
from typing import Final

from renderers.picture.model import Curve, Point, Rect

_SAMPLES: Final = 24
_CLEAR: Final = 5.0
"""Pixels that a line keeps away from boxes that it does not end at."""
_BENDS: Final = (0.0, 44.0, -44.0, 80.0, -80.0, 120.0, -120.0, 170.0, -170.0)
"""How far the middle of a curve may be bent aside; positive is down."""


def straight(start: Point, end: Point, bend: float = 0.0) -> Curve:
    """Return a straight line, or one that is bent aside (down, or right where it is upright)."""
    (x1, y1), (x2, y2) = start, end
    nx, ny = _normal(start, end)
    if (ny, nx) < (0, 0):
        nx, ny = -nx, -ny
    dx, dy = nx * bend, ny * bend
    return Curve(
        start,
        (x1 + (x2 - x1) / 3 + dx, y1 + (y2 - y1) / 3 + dy),
        (x1 + (x2 - x1) * 2 / 3 + dx, y1 + (y2 - y1) * 2 / 3 + dy),
        end,
    )


def hanging(start: Point, end: Point) -> Curve:
    """Return a curve that leaves and arrives upright, like a cable."""
    middle = (end[1] - start[1]) * 0.5
    return Curve(start, (start[0], start[1] + middle), (end[0], end[1] - middle), end)


def lying(start: Point, end: Point) -> Curve:
    """Return a curve that leaves and arrives level, like a reference between columns."""
    middle = (end[0] - start[0]) * 0.5
    return Curve(start, (start[0] + middle, start[1]), (end[0] - middle, end[1]), end)


def _normal(start: Point, end: Point) -> Point:
    """Return the unit vector to the right of travel (down, on the way to the right)."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = hypot(dx, dy) or 1.0
    return (-dy / length, dx / length)


def shifted(curve: Curve, by: float) -> Curve:
    """Return the curve moved to the right of its own direction."""
    nx, ny = _normal(curve.start, curve.end)
    one, two, three, four = ((x + nx * by, y + ny * by) for x, y in curve)
    return Curve(one, two, three, four)


def turned(curve: Curve) -> Curve:
    """Return the curve in the other direction."""
    return Curve(*reversed(curve))


def at(curve: Curve, part: float) -> Point:
    """Return the point after a part (0 to 1) of the curve."""
    rest = 1 - part
    weights = (rest**3, 3 * rest * rest * part, 3 * rest * part * part, part**3)
    return (
        sum(weight * point[0] for weight, point in zip(weights, curve, strict=True)),
        sum(weight * point[1] for weight, point in zip(weights, curve, strict=True)),
    )


def _between(one: Point, two: Point, part: float) -> Point:
    return (one[0] + (two[0] - one[0]) * part, one[1] + (two[1] - one[1]) * part)


def head(curve: Curve, part: float) -> Curve:
    """Return the first part of a curve (de Casteljau)."""
    one, two, three = (_between(curve[i], curve[i + 1], part) for i in range(3))
    four, five = _between(one, two, part), _between(two, three, part)
    return Curve(curve.start, one, four, _between(four, five, part))


def cut(curve: Curve, start: Rect, end: Rect) -> Curve:
    """Return the part of a curve outside the boxes that it joins."""
    shorter = head(curve, _entry(curve, end))
    back = turned(shorter)
    return turned(head(back, _entry(back, start)))


def _entry(curve: Curve, box: Rect) -> float:
    """Return the part of a curve after which it stays in a box, to a thousandth."""
    low = next(
        (step / _SAMPLES for step in range(_SAMPLES, -1, -1) if not box.holds(at(curve, step / _SAMPLES))),
        0.0,
    )
    high = min(1.0, low + 1 / _SAMPLES)
    while high - low > 0.001:  # noqa: PLR2004 -- less than a pixel of any line
        middle = (low + high) / 2
        low, high = (low, middle) if box.holds(at(curve, middle)) else (middle, high)
    return low


def around_boxes(start: Point, end: Point, boxes: Sequence[Rect], fan: float = 0.0) -> Curve:
    """Return the least bent line that meets no box (or the fewest); `fan` sets parallel lines apart."""
    best, fewest = straight(start, end, fan), len(boxes) + 1
    for bend in _BENDS:
        curve = straight(start, end, bend + fan)
        hit = _hits(curve, boxes)
        if hit < fewest:
            best, fewest = curve, hit
        if not hit:
            break
    return best


def _hits(curve: Curve, boxes: Iterable[Rect]) -> int:
    left, right = min(point[0] for point in curve), max(point[0] for point in curve)
    top, bottom = min(point[1] for point in curve), max(point[1] for point in curve)
    reach = Rect(left - 1, top - 1, right - left + 2, bottom - top + 2)
    close = [box.grown(_CLEAR) for box in boxes if box.meets(reach)]
    if not close:
        return 0
    points = [at(curve, step / (2 * _SAMPLES)) for step in range(2 * _SAMPLES + 1)]
    return sum(any(box.holds(point) for point in points) for box in close)


def length(curve: Curve) -> float:
    """Return the distance between the ends of a curve."""
    return hypot(curve.end[0] - curve.start[0], curve.end[1] - curve.start[1])


def lowest(curves: Iterable[Curve]) -> float:
    """Return how far down the curves reach, at most."""
    return max((point[1] for curve in curves for point in curve), default=0.0)
