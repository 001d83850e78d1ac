"""How large a box must be for its words and ports, and where its ports lie along its edge."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from renderers.picture.model import Rect
from renderers.picture.scene import Plug, Thing
from renderers.picture.text import fit, width

TITLE: Final = 13.0
SMALL: Final = 11.0
PORT: Final = 10.0
"""Font sizes in pixels."""

PLUG_HEIGHT: Final = 17.0
SYMBOL: Final = 18.0
"""Room for the symbol of the cluster beside the title."""
_ROOM: Final = 190.0
"""Longest line of words."""
_TITLE_LINE: Final = 18.0
_SMALL_LINE: Final = 14.0
_MARGIN: Final = 12.0
_LEAST: Final = 72.0

_FULL_ROW: Final = 230.0
_SHORT_ROW: Final = 320.0
"""Port names are written in full up to the first width, without their head up to the second, else not."""
_BARE: Final = 9.0

_HEAD = re.compile(r"^[A-Za-z]+(?=[0-9])")


@dataclass(frozen=True, slots=True)
class Size:
    """A box before it has a place."""

    width: float
    height: float
    title: str
    lines: tuple[str, ...]
    plugs: tuple[tuple[Plug, str, float], ...]
    """Ports with the words that are shown and their widths."""


def measure(thing: Thing) -> Size:
    """Return the size of a thing, its words cut to fit."""
    plugs, head = _row(thing.plugs)
    title = fit(thing.title, TITLE, _ROOM, bold=True)
    lines = tuple(fit(line, SMALL, _ROOM) for line in (*thing.lines, *((f"ports {head}…",) if head else ())))
    symbol = SYMBOL if thing.cluster else 0
    words = max(width(title, TITLE, bold=True) + symbol, *(width(line, SMALL) for line in lines), 0)
    # A cloud is narrower at the height of its words than its rectangle.
    sides = 2 * _MARGIN + (0.25 * words + _MARGIN if thing.role == "external" else 0)
    across = max(words + sides, sum(room for _, _, room in plugs) + 8, _LEAST)
    down = _TITLE_LINE + _SMALL_LINE * len(lines) + _MARGIN + (PLUG_HEIGHT if plugs else 0)
    if thing.role == "external":
        down += _MARGIN
    return Size(round(across), round(down), title, lines, plugs)


def _row(plugs: tuple[Plug, ...]) -> tuple[tuple[tuple[Plug, str, float], ...], str]:
    """Return ports with words and widths, and the head that was left out of all of them."""
    full = tuple((plug, plug.text, width(plug.text, PORT) + 10) for plug in plugs)
    if sum(room for _, _, room in full) <= _FULL_ROW:
        return full, ""
    heads = {found.group() if (found := _HEAD.match(plug.text)) else "" for plug in plugs}
    head = heads.pop() if len(heads) == 1 else ""
    short = tuple(
        (plug, plug.text.removeprefix(head), width(plug.text.removeprefix(head), PORT) + 10) for plug in plugs
    )
    if sum(room for _, _, room in short) <= _SHORT_ROW:
        return short, head
    return tuple((plug, "", _BARE) for plug in plugs), ""


def frame_width(title: str) -> float:
    """Return the least width of a frame that has room for its title."""
    return width(title, SMALL, bold=True) + 2 * _MARGIN + 10


def plug_rects(thing: Thing, size: Size, box: Rect) -> dict[str, Rect]:
    """Return where the ports of a placed box lie: along its lower edge (leaves, spines), else the upper one.

    Ports of border switches face the outside, which is above them.
    """
    total = sum(room for _, _, room in size.plugs)
    at = box.x + (box.width - total) / 2
    top = box.bottom - PLUG_HEIGHT if thing.role in ("leaf", "spine") else box.y
    found: dict[str, Rect] = {}
    for plug, _, room in size.plugs:
        found[plug.key] = Rect(at + 1, top, room - 2, PLUG_HEIGHT)
        at += room
    return found
