"""What lists cost: least and most over all ways that their packets may take, and what every way passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from compiler.te.topology import Arc

Value = Callable[[Arc], int | None]
Legs = tuple[tuple[Arc, ...], ...]
"""All arcs that packets may use, leg by leg, as `compiler.te.encode.follow` gives them."""


class Spread(NamedTuple):
    """Least and most over the ways of equal IGP cost."""

    least: int
    most: int


def spread(legs: Legs, value: Value) -> Spread | Arc:
    """Return least and most of a value over all ways, or an arc for which it is unknown."""
    least = most = 0
    for leg in legs:
        for arc in leg:
            if value(arc) is None:
                return arc
        least, most = least + _over(leg, value, min), most + _over(leg, value, max)
    return Spread(least, most)


def _over(leg: tuple[Arc, ...], value: Value, better: Callable[[int, int], int]) -> int:
    """Return the best sum over the ways of a leg, which has no circle."""
    if not leg:
        return 0
    ordered = sorted_by_way(leg)
    sums = {ordered[0].start: 0}
    for arc in ordered:
        cost = sums[arc.start] + (value(arc) or 0)
        sums[arc.end] = better(sums.get(arc.end, cost), cost)
    return sums[ordered[-1].end]


def sorted_by_way(leg: tuple[Arc, ...]) -> list[Arc]:
    """Return the arcs of a leg so that all that lead to a router stand before those that leave it."""
    waiting = {arc.end: 0 for arc in leg}
    for arc in leg:
        waiting[arc.end] += 1
    edge = [name for name in dict.fromkeys(arc.start for arc in leg) if name not in waiting]
    found = []
    while edge:
        at = edge.pop(0)
        for arc in leg:
            if arc.start == at:
                found.append(arc)
                waiting[arc.end] -= 1
                if not waiting[arc.end]:
                    edge.append(arc.end)
    return found


def passes(legs: Legs, start: str, router: str) -> tuple[bool, bool]:
    """Say whether some way passes a router, and whether every way does."""
    touched = router == start or any(router in (arc.start, arc.end) for leg in legs for arc in leg)
    always = router == start
    for leg in legs:
        if leg and not always:
            ordered = sorted_by_way(leg)
            ways, clear = {ordered[0].start: 1}, {ordered[0].start: int(ordered[0].start != router)}
            for arc in ordered:
                ways[arc.end] = ways.get(arc.end, 0) + ways[arc.start]
                clear[arc.end] = clear.get(arc.end, 0) + (clear[arc.start] if arc.end != router else 0)
            always = not clear[ordered[-1].end]
    return touched, always
