"""Orders and places along one line: which column comes first, how to space boxes near wanted places.

All of it is deterministic: ties are broken by natural order of names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise, permutations
from typing import Final

from renderers.picture.text import natural

_TRIED: Final = 6
"""Up to so many columns every order is tried (720); beyond that neighbours are swapped while it helps."""


def columns(names: Iterable[str], ties: Mapping[tuple[str, str], int]) -> tuple[str, ...]:
    """Return names in the order that keeps tied ones close; `ties` counts the ties of each pair."""
    first = tuple(sorted(names, key=natural))
    if len(first) <= _TRIED:
        return min(permutations(first), key=lambda order: (_stretch(order, ties), tuple(map(natural, order))))
    best = first
    for _ in first:
        swapped = ((*best[:at], best[at + 1], best[at], *best[at + 2 :]) for at in range(len(best) - 1))
        better = min(swapped, key=lambda order: _stretch(order, ties))
        if _stretch(better, ties) >= _stretch(best, ties):
            break
        best = better
    return best


def _stretch(order: Sequence[str], ties: Mapping[tuple[str, str], int]) -> int:
    at = {name: index for index, name in enumerate(order)}
    return sum(count * abs(at[one] - at[two]) for (one, two), count in ties.items())


def near(
    items: Iterable[str], neighbours: Callable[[str], Sequence[float]], name: Callable[[str], str]
) -> list[str]:
    """Return items by the mean of their neighbours' places (the barycentre), then by natural name."""

    def key(item: str) -> tuple[float, object]:
        found = neighbours(item)
        return (round(sum(found) / len(found), 1) if found else float("inf"), natural(name(item)))

    return sorted(items, key=key)


def settle(
    wanted: Sequence[float], widths: Sequence[float], gap: float, room: tuple[float, float]
) -> list[float]:
    """Return centres in the given order, as near to the wanted ones as widths, gap and room allow.

    Least squares under a fixed order is isotonic regression of the wanted places less what lies before them;
    pooling adjacent violators solves it in one pass. The widths must fit into the room (left, right).
    """
    before = [0.0]
    for one, two in pairwise(widths):
        before.append(before[-1] + one / 2 + gap + two / 2)
    pools: list[tuple[float, int]] = []
    for place, offset in zip(wanted, before, strict=True):
        mean, count = place - offset, 1
        while pools and pools[-1][0] >= mean:
            other, many = pools.pop()
            mean, count = (mean * count + other * many) / (count + many), count + many
        pools.append((mean, count))
    free = [mean for mean, count in pools for _ in range(count)]
    if not free:
        return []
    low = room[0] + widths[0] / 2
    high = room[1] - widths[-1] / 2 - before[-1]
    return [round(max(low, min(high, mean)) + offset, 1) for mean, offset in zip(free, before, strict=True)]
