"""A picture as SVG text: all words are escaped, ids come from subjects, equal pictures give equal bytes.

Order of drawing: frames, lines, rings, boxes, words; so lines never cover a box.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from math import atan2, cos, sin
from typing import Final

from renderers.picture.curves import at
from renderers.picture.model import Box, Curve, Entry, Frame, Line, Mark, Note, Picture, Rect, Ring, Tab
from renderers.picture.style import DASHES, TONES, rules_alone
from renderers.picture.text import MINUS, fit, width
from renderers.picture.topology import title_rect

MARGIN: Final = 24.0
_HEADER: Final = 58.0
_ROW: Final = 24.0
_BESIDE: Final = 0.15
"""Where on a line the sign of a change stands: beside its words, which stand further in."""
_SMALL_BOX: Final = 20.0
"""Height below which a box gets a small sign …"""
_NARROW_BOX: Final = 16.0
"""… and width below which it gets one inside: neighbours leave no room beside it."""
_NARROW: Final = 640.0
"""Least width, for the legend."""
_SIGNS: Final[dict[Mark, str]] = {"added": "+", "changed": "~", "removed": MINUS}
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")


def escape(text: str) -> str:
    """Return text for SVG and HTML content and attributes; characters that XML 1.0 forbids become U+FFFD."""
    clean = _ILLEGAL.sub("\ufffd", text)
    return (
        clean.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace('"', "&quot;")
        .replace("'", "&#39;")
    )


def element_id(picture: str, name: str) -> str:
    """Return the id of an element: stable, and unique in a page with several pictures."""
    return f"{picture}-{_UNSAFE.sub('-', name.replace('/', '--'))}"


def write(picture: Picture) -> str:
    """Return a picture that stands alone: light, on a plain ground."""
    return "\n".join(_whole(picture, f"<style>{rules_alone()}</style>")) + "\n"


def write_inside(picture: Picture) -> str:
    """Return a picture for a page that brings the style."""
    return "\n".join(_whole(picture, ""))


def _whole(picture: Picture, style: str) -> Iterator[str]:
    least = max(_NARROW, width(picture.subtitle, 12), width(picture.title, 18, bold=True))
    across = max(picture.width, least)
    legend, down = _legend(picture.legend, across, picture.height + 30)
    wide, tall = _n(across + 2 * MARGIN), _n(_HEADER + down + MARGIN)
    name, title = picture.name, escape(picture.title)
    yield f'<svg xmlns="http://www.w3.org/2000/svg" class="p" id="{name}" role="img"'
    yield f' viewBox="0 0 {wide} {tall}" width="{wide}" height="{tall}" aria-labelledby="{name}-name">'
    yield f'<title id="{name}-name">{title}</title>{style}'
    yield f'<rect class="ground" width="{wide}" height="{tall}"/>'
    yield _text(MARGIN, 32, picture.title, "h1", "start")
    yield _text(MARGIN, 50, picture.subtitle, "h2", "start")
    shift = MARGIN + (across - picture.width) / 2
    yield f'<g transform="translate({_n(shift)} {_n(_HEADER + 10)})">'
    yield from _inside(picture)
    yield f'</g>\n<g class="legend" transform="translate({_n(MARGIN)} {_n(_HEADER)})">'
    yield from legend
    yield "</g>\n</svg>"


def _inside(picture: Picture) -> Iterator[str]:
    for frame in picture.frames:
        yield _frame(picture.name, frame)
    for line in picture.lines:
        yield _line(picture.name, line)
    for frame in picture.frames:
        yield _frame_name(frame)
    for ring in picture.rings:
        yield _ring(picture.name, ring)
    for box in picture.boxes:
        yield from _box(picture.name, box)
    for note in picture.notes:
        yield _note(note)


def _n(value: float) -> str:
    """Write a number with at most one digit after the point."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _rect(rect: Rect, classes: str, radius: float = 0) -> str:
    x, y, across, down = map(_n, rect)
    rounded = f' rx="{_n(radius)}"' if radius else ""
    return f'<rect class="{classes}" x="{x}" y="{y}" width="{across}" height="{down}"{rounded}/>'


def _text(x: float, y: float, text: str, classes: str, anchor: str = "middle") -> str:
    place = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text class="{classes}" x="{_n(x)}" y="{_n(y)}"{place}>{escape(text)}</text>' if text else ""


def _open(picture: str, name: str, classes: str, tip: str, more: str = "") -> str:
    return f'<g class="{classes}" id="{element_id(picture, name)}"{more}><title>{escape(tip)}</title>'


def _frame(picture: str, frame: Frame) -> str:
    tone = f" g{frame.tone % TONES['group']}" if frame.tone is not None else ""
    edge = _rect(frame.rect, f"edge{tone}", 10 if frame.role == "site" else 7)
    opened = _open(picture, f"frame/{frame.id}", f"frame {frame.role}", frame.tip)
    return f"{opened}{edge}{_mark(frame.rect, frame.mark, 7)}</g>"


def _frame_name(frame: Frame) -> str:
    """Write the title of a frame, which stands above the lines."""
    tone = f"g{frame.tone % TONES['group']}" if frame.tone is not None else "plain"
    spot = title_rect(frame)
    inside = frame.role == "site"
    pill = "" if inside else _rect(spot, "pill", 3)
    name = _text(spot.x + 5, spot.y + (15 if inside else 12), frame.title, tone, "start")
    return f'<g class="name {frame.role}">{pill}{name}</g>'


def _mark(rect: Rect, mark: Mark | None, radius: float) -> str:
    """Write the outline and the sign of a change."""
    if not mark:
        return ""
    if rect.width < _NARROW_BOX:
        sign = _text(rect.middle[0], rect.y + 11, _SIGNS[mark], f"narrow {mark}")
        return _rect(rect, f"mark narrow {mark}", radius) + sign
    if rect.height < _SMALL_BOX:
        return _rect(rect.grown(1.5), f"mark {mark}", radius + 1) + _sign(rect.right, rect.y - 2, mark, 6)
    return _rect(rect.grown(3), f"mark {mark}", radius + 2) + _sign(rect.right + 1, rect.y - 1, mark)


def _sign(x: float, y: float, mark: Mark, radius: float = 8) -> str:
    circle = f'<circle class="{mark}" cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}"/>'
    return circle + _text(x, y + radius / 2, _SIGNS[mark], "sign")


def _curve(curve: Curve) -> str:
    (x, y), one, two, three = curve
    return f"M{_n(x)} {_n(y)}C{' '.join(f'{_n(point[0])} {_n(point[1])}' for point in (one, two, three))}"


def _line(picture: str, line: Line) -> str:
    data = "".join(map(_curve, line.curves))
    classes = f"wire {line.role}{' down' if line.state == 'down' else ''}"
    ends = " ".join(element_id(picture, end) for end in line.ends if end)
    parts = [_open(picture, f"line/{line.id}", classes, line.tip, f' data-ends="{ends}"')]
    if line.mark:
        parts.append(f'<path class="halo {line.mark}" d="{data}" stroke-width="{_n(line.width + 8)}"/>')
    if line.role == "path":
        parts.append(_stroke(data, line.width, line.tone or 0))
    else:
        tone = f" t{line.tone % TONES['group']}" if line.tone is not None else ""
        parts.append(f'<path class="line{tone}" d="{data}" stroke-width="{_n(line.width)}"/>')
    if line.arrow:
        parts += [_arrow(curve, line.width, line.tone or 0) for curve in line.curves]
    if line.role != "implied":
        parts.append(f'<path class="hit" d="{data}"/>')
    if line.mark and line.curves:
        parts.append(_sign(*at(line.curves[len(line.curves) // 2], _BESIDE), line.mark))
    return "".join((*parts, "</g>"))


def _stroke(data: str, thick: float, tone: int) -> str:
    """Write the stroke of a path, with the dashes of its tone."""
    tone %= TONES["path"]
    dashes = f' stroke-dasharray="{DASHES[tone]}"' if DASHES[tone] else ""
    return f'<path class="line w{tone}" d="{data}" stroke-width="{_n(thick)}"{dashes}/>'


def _arrow(curve: Curve, thick: float, tone: int) -> str:
    (x, y), (fx, fy) = curve.end, curve.arrive
    tone %= TONES["path"]
    angle = atan2(y - fy, x - fx)
    long, wide = 7 + thick * 1.2, 3 + thick * 0.9
    points = ((0.0, 0.0), (-long, wide), (-long, -wide))
    turned = (
        (x + px * cos(angle) - py * sin(angle), y + px * sin(angle) + py * cos(angle)) for px, py in points
    )
    return f'<polygon class="f{tone}" points="{" ".join(f"{_n(px)},{_n(py)}" for px, py in turned)}"/>'


def _ring(picture: str, ring: Ring) -> str:
    rounded = ring.rect.height / 2
    return (
        _open(picture, f"ring/{ring.id}", "lag", ring.tip)
        + _rect(ring.rect, "ring", rounded)
        + _mark(ring.rect, ring.mark, rounded)
        + "</g>"
    )


_RADIUS: Final = {
    "router": 19.0,
    "node": 7.0,
    "server": 0.0,
    "document": 5.0,
    "leaf": 3.0,
    "spine": 3.0,
    "border": 3.0,
}


def _box(picture: str, box: Box) -> Iterator[str]:
    classes = f"box {box.role}{' drained' if box.drained else ''}"
    yield _open(picture, box.id, classes, box.tip)
    radius = _RADIUS.get(box.role, 0.0)
    if box.many > 1:
        yield "".join(
            _rect(Rect(box.rect.x + by, box.rect.y + by, box.rect.width, box.rect.height), "shade", radius)
            for by in (6, 3)
        )
    yield _cloud(box.rect) if box.role == "external" else _rect(box.rect, "body", radius)
    low = any(tab.rect.y > box.rect.y + 1 for tab in box.tabs)
    strip = box.tabs[0].rect.height if box.tabs else 0.0
    top = box.rect.y + (0 if low else strip)
    yield from _words(box, top, box.rect.height - strip)
    for tab in box.tabs:
        yield _tab(picture, tab)
    yield _mark(box.rect, box.mark, radius) + "</g>"


def _words(box: Box, top: float, room: float) -> Iterator[str]:
    lines = box.lines
    y = top + (room - 18 - 14 * len(lines)) / 2 + (11 if box.drained else 14)
    middle = box.rect.middle[0]
    if box.tone is not None:
        left = middle - (width(box.title, 13, bold=True) + 18) / 2
        yield symbol(left + 6, y - 4.5, box.tone) + _text(left + 18, y, box.title, "title", "start")
    else:
        yield _text(middle, y, box.title, "title")
    for index, line in enumerate(lines):
        yield _text(middle, y + 15 + 14 * index, line, "small")
    if box.drained:
        yield _rect(
            Rect(box.rect.x + box.rect.width / 2 - 24, box.rect.bottom - 7, 48, 13), "state", 3
        ) + _text(middle, box.rect.bottom + 3, "drained", "state")


def symbol(x: float, y: float, tone: int) -> str:
    """Return the symbol of a cluster: one shape per tone."""
    kind = tone % TONES["group"]
    points = {
        1: "-5,-5 5,-5 5,5 -5,5",
        2: "0,-6 6,5 -6,5",
        3: "0,-6.5 6.5,0 0,6.5 -6.5,0",
        4: "-2,-6 2,-6 2,-2 6,-2 6,2 2,2 2,6 -2,6 -2,2 -6,2 -6,-2 -2,-2",
        5: "-6,-5 6,-5 0,6",
    }
    if kind == 0:
        return f'<circle class="g0" cx="{_n(x)}" cy="{_n(y)}" r="5.5"/>'
    return f'<polygon class="g{kind}" transform="translate({_n(x)} {_n(y)})" points="{points[kind]}"/>'


def _cloud(rect: Rect) -> str:
    """Write a cloud that fills a rectangle."""
    x, y, w, h = rect
    data = (
        f"M{_n(x + w * 0.2)} {_n(y + h)}a{_n(w * 0.2)} {_n(h * 0.32)} 0 0 1 {_n(-w * 0.06)} {_n(-h * 0.6)}"
        f"a{_n(w * 0.16)} {_n(h * 0.3)} 0 0 1 {_n(w * 0.24)} {_n(-h * 0.22)}"
        f"a{_n(w * 0.17)} {_n(h * 0.3)} 0 0 1 {_n(w * 0.3)} {_n(h * 0.02)}"
        f"a{_n(w * 0.14)} {_n(h * 0.26)} 0 0 1 {_n(w * 0.2)} {_n(h * 0.24)}"
        f"a{_n(w * 0.16)} {_n(h * 0.3)} 0 0 1 {_n(-w * 0.06)} {_n(h * 0.56)}z"
    )
    return f'<path class="body" d="{data}"/>'


def _tab(picture: str, tab: Tab) -> str:
    parts = [_open(picture, tab.id, "tab", tab.tip), _rect(tab.rect, "port", 2)]
    x, y, w, h = tab.rect
    if tab.stripes:
        each = (w - 2) / len(tab.stripes)
        for index, tone in enumerate(tab.stripes):
            name = f"n{tone % TONES['net']}" if tone >= 0 else "n"
            parts.append(_rect(Rect(x + 1 + index * each, y + h - 5, each, 4), name))
    parts.append(_text(x + w / 2, y + 11, tab.text, "port-name"))
    parts.append(_mark(tab.rect, tab.mark, 2))
    return "".join((*parts, "</g>"))


def _note(note: Note) -> str:
    tone = f"f{(note.tone or 0) % TONES['path']}" if note.role == "path" else "pill"
    words = _text(note.rect.middle[0], note.rect.bottom - 4.5, note.text, "words")
    return f'<g class="note {note.role}">{_rect(note.rect, tone, 3 if tone == "pill" else 6)}{words}</g>'


def _legend(entries: Iterable[Entry], room: float, top: float) -> tuple[list[str], float]:
    """Return the legend, wrapped to the room, and where it ends."""
    found: list[str] = []
    x, y = 0.0, top
    for entry in entries:
        text = fit(entry.text, 11, room - 40)
        across = 34 + width(text, 11) + 22
        if x and x + across > room:
            x, y = 0.0, y + _ROW
        found.append(f"<g>{_sample(entry, x, y)}{_text(x + 34, y + 4, text, 'small', 'start')}</g>")
        x += across
    return found, y + _ROW


def _sample(entry: Entry, x: float, y: float) -> str:
    tone = entry.tone or 0
    match entry.sample:
        case "cluster":
            return symbol(x + 14, y, tone)
        case "network":
            known = entry.tone is not None
            return _rect(Rect(x + 4, y - 3, 20, 6), f"n{tone % TONES['net']}" if known else "n")
        case "ring":
            return _rect(Rect(x + 4, y - 5, 20, 10), "ring", 5)
        case "mark":
            return _sign(x + 14, y, entry.mark) if entry.mark else ""
        case "text":
            return ""
    curve = Curve((x, y), (x + 9, y), (x + 19, y), (x + 28, y))
    if entry.sample == "path":
        return f'<g class="path">{_stroke(_curve(curve), 3, tone)}{_arrow(curve, 3, tone)}</g>'
    thick = 2.4 if entry.sample in ("link", "down") else 1.4
    line = f'<path class="line" d="{_curve(curve)}" stroke-width="{thick}"/>'
    return f'<g class="{entry.sample}">{line}</g>'
