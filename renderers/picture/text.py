"""How wide words are in the sans-serif faces of browsers (metrics of Helvetica), so that boxes fit them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from unicodedata import east_asian_width

_ASCII: Final = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,  # space to /
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,  # 0 to ?
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,  # @ to O
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,  # P to _
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,  # ` to o
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,  # p to ~
)  # fmt: skip
"""Advance widths of printable ASCII in thousandths of the font size (Adobe's metrics of Helvetica)."""

TIMES: Final = "\u00d7"
DASH: Final = "\u2013"
MINUS: Final = "\u2212"

_OTHER: Final = {"…": 1000, "→": 1000, "·": 333, "µ": 576, TIMES: 584, DASH: 556, MINUS: 584}
_WIDEST: Final = 1000
_USUAL: Final = 722
_BOLD: Final = 1.08
_PARTS = re.compile(r"(\d+)")


@lru_cache(maxsize=65_536)
def width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of a text in pixels."""
    units = sum(_units(letter) for letter in text)
    return units * size / 1000 * (_BOLD if bold else 1)


def _units(letter: str) -> int:
    index = ord(letter) - 32
    if 0 <= index < len(_ASCII):
        return _ASCII[index]
    return _OTHER.get(letter) or (_WIDEST if east_asian_width(letter) in "WF" else _USUAL)


def fit(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """Return a text that fits: itself, or its head and tail (names differ at both) around an ellipsis."""
    if width(text, size, bold=bold) <= room:
        return text
    for keep in range(min(len(text) - 1, 80), 1, -1):
        tail = keep // 3
        short = f"{text[: keep - tail]}…{text[len(text) - tail :]}"
        if width(short, size, bold=bold) <= room:
            return short
    return "…"


@lru_cache(maxsize=65_536)
def natural(name: str) -> tuple[tuple[str, int], ...]:
    """Return a sort key that puts leaf2 before leaf10."""
    parts = _PARTS.split(name)
    numbers = [int(part) for part in parts[1::2]]
    return tuple(zip(parts[::2], [*numbers, -1], strict=True))


def span_of(names: tuple[str, ...]) -> str:
    """Write many names as the first and the last of them."""
    ordered = sorted(names, key=natural)
    return ordered[0] if len(ordered) == 1 else f"{ordered[0]} … {ordered[-1]}"
