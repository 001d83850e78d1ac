"""A review as one HTML page: what is touched, the topology with what changes marked, and every rendered line.

The page needs no network and no script, and forbids itself both (Content-Security-Policy). Everything that
users wrote is escaped. Beyond `_MOST` lines only the heads of steps are written, and the page says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from compiler.resolved import Resolved
from intentc.plan_text import SIGNS, called, number, summary
from intentc.review.marks import marks
from intentc.review.rows import Edited, plain, unified, why
from intentc.review.sheet import Note, Sheet
from intentc.review.sides import Side, Sides
from reconciler.radius import THINGS, Radius
from reconciler.review import Group, Review, Step, by_document, by_target
from renderers.picture.model import Box, Frame, Line, Mark, Picture, Tab
from renderers.picture.style import rules_of_page
from renderers.picture.svg import escape, write_inside
from renderers.picture.topology import topology
from renderers.resource import Key
from renderers.rules import LEVELS, Level

_MOST: Final = 20_000
"""Rendered lines that are written out."""
_NAMES: Final = 60
"""Names that are written out for one cell of the blast radius."""
_OPEN: Final = 12
"""Documents up to which their sections are open from the start."""
Ids = Mapping[tuple[str, Key], str]
"""Where each step stands in the page, by the id of its first action."""

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_NO_CLASS = re.compile("[^a-z]")

_STYLE: Final = """
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--words);
font:14px/1.45 Arial,"Liberation Sans",Helvetica,sans-serif}
main,header{padding:0 24px;max-width:1500px;margin:auto}
h1{font-size:20px;margin:20px 0 4px;overflow-wrap:anywhere}h2{font-size:16px;margin:28px 0 8px}
.sum{font-weight:700}nav a{color:var(--router-edge);margin-right:14px}
.note{border-left:4px solid var(--drain);background:var(--site);padding:8px 12px;margin:10px 0;
overflow-wrap:anywhere}
.note p{margin:4px 0}.note ul{margin:4px 0;padding-left:20px}
.canvas{overflow:auto;border:1px solid var(--faint);border-radius:6px}
.canvas svg{display:block;max-width:100%;height:auto;margin:auto}
.wide{overflow-x:auto}
table{border-collapse:collapse}
.radius td,.radius th{padding:4px 12px;border-bottom:1px solid var(--faint);text-align:left;
vertical-align:top}
.radius td{max-width:22em;overflow-wrap:anywhere}
.radius small{display:block;color:var(--quiet)}
details{border:1px solid var(--faint);border-radius:6px;margin:8px 0;background:var(--site)}
summary{padding:8px 12px;cursor:pointer;overflow-wrap:anywhere}
summary b{margin-right:8px}.quiet{color:var(--quiet)}
.step{border-top:1px solid var(--faint);padding:8px 12px;background:var(--ground);overflow-wrap:anywhere}
.step:last-child{border-radius:0 0 6px 6px}
.step p{margin:2px 0}
.step code,.place,.lines{font-family:"Liberation Mono",Menlo,Consolas,monospace;font-size:12px}
.create{color:var(--added)}.update{color:var(--changed)}
.replace,.rename,.delete{color:var(--removed)}
.level{display:inline-block;border:1px solid var(--edge);border-radius:9px;padding:0 8px;font-size:12px;
white-space:nowrap}
.level.hitless{color:var(--added);border-color:var(--added)}
.level.briefloss,.level.drain{color:var(--changed);border-color:var(--changed)}
.level.reboot,.level.destroy{color:var(--removed);border-color:var(--removed);font-weight:700}
.lines{width:100%;margin-top:6px}
.lines td{padding:0 8px;white-space:pre-wrap;overflow-wrap:anywhere;vertical-align:top}
.lines td:first-child{width:1.5em;padding:0 0 0 6px}
.lines td:last-child{width:34%;color:var(--quiet);border-left:1px solid var(--faint)}
.lines .add{background:color-mix(in srgb,var(--added) 16%,transparent)}
.lines .cut{background:color-mix(in srgb,var(--removed) 16%,transparent)}
.list{width:100%}.list td{padding:3px 8px;border-top:1px solid var(--faint);vertical-align:top;
overflow-wrap:anywhere}
a{color:var(--router-edge)}
:focus-visible{outline:2px solid var(--router-edge);outline-offset:1px}
footer{padding:24px;color:var(--quiet);text-align:center}
@media(max-width:700px){.lines td:last-child{display:none}.canvas svg{max-width:none}}
"""


@dataclass(slots=True)
class _Room:
    """How many lines may still be written."""

    left: int


def page(sheet: Sheet, sides: Sides) -> str:
    """Return the page of a diff."""
    found = sheet.review
    ids = {step.actions[0].id: f"step-{index}" for index, step in enumerate(found.steps)}
    body = "".join(
        (
            _header(sheet),
            "<main>",
            *map(_note, sheet.notes),
            *map(_note, sheet.approvals),
            _radius(found.radius, [step.impact.level for step in found.steps]),
            *_pictures(found, sides),
            _documents(sheet, ids),
            _targets(found, ids),
            "</main><footer>made by intentc; this page loads nothing and runs no script</footer>",
        )
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{_words(sheet.title)}</title><style>{rules_of_page()}{_STYLE}</style></head>\n"
        f"<body>{body}</body></html>\n"
    )


def _words(text: str) -> str:
    return escape(plain(text))


def _header(sheet: Sheet) -> str:
    return (
        f'<header><h1>{_words(sheet.title)}</h1><p class="sum">{_words(summary(sheet.review))}</p><nav>'
        '<a href="#radius">Blast radius</a><a href="#topology">Topology</a>'
        '<a href="#intent">By intent</a><a href="#targets">By target</a></nav></header>'
    )


def _note(note: Note) -> str:
    rows = "".join(f"<li>{_words(row)}</li>" for row in note.more)
    more = f"<ul>{rows}</ul>" if rows else ""
    hint = f"<p>hint: {_words(note.hint)}</p>" if note.hint else ""
    return f'<div class="note">{_words(note.text)}{more}{hint}</div>'


def _radius(touched: Radius, levels: list[Level]) -> str:
    heads = "".join(f"<th>{_level(level)}</th>" for level in LEVELS)
    rows = []
    for thing in THINGS:
        names = touched.get(thing, {})
        cells = "".join(_cell([name for name, level in names.items() if level == one]) for one in LEVELS)
        rows.append(f"<tr><th>{thing}</th>{cells}<td>{len(names):,}</td></tr>")
    sums = "".join(
        f"<td>{levels.count(level):,}</td>" if level in levels else "<td></td>" for level in LEVELS
    )
    rows.append(f"<tr><th>objects</th>{sums}<td>{len(levels):,}</td></tr>")
    return (
        '<section id="radius"><h2>Blast radius</h2><div class="wide"><table class="radius"><tr><th></th>'
        f"{heads}<th>in all</th></tr>{''.join(rows)}</table></div></section>\n"
    )


def _cell(names: list[str]) -> str:
    if not names:
        return "<td></td>"
    rest = len(names) - _NAMES
    more = f" … and {rest:,} more" if rest > 0 else ""
    return f"<td>{len(names):,}<small>{_words(', '.join(names[:_NAMES]))}{more}</small></td>"


def _level(level: Level) -> str:
    return f'<span class="level {_NO_CLASS.sub("", level)}">{level}</span>'


def _pictures(found: Review, sides: Sides) -> Iterator[str]:
    """Yield the topology as it shall be, and as it was where something goes."""
    old, new = (_resolved(sides.old), _resolved(sides.new))
    if new is None:
        return
    gone, here = marks(found, old, new)
    yield _canvas("Topology, as it shall be", topology(new, here))
    if old is not None and _shows(before := replace(topology(old, gone), name="before"), "removed"):
        yield _canvas("Topology, as it was: what goes", before)


def _resolved(side: Side) -> Resolved | None:
    return side.session.compiled.resolved if side.session else None


def _shows(picture: Picture, mark: Mark) -> bool:
    things: Iterable[Box | Tab | Line | Frame] = chain(
        picture.boxes, picture.lines, picture.frames, *(box.tabs for box in picture.boxes)
    )
    return any(thing.mark == mark for thing in things)


def _canvas(title: str, picture: Picture) -> str:
    return (
        f'<section id="part-{picture.name}"><h2>{title}</h2><div class="canvas" tabindex="0" role="region" '
        f'aria-label="{title}">{write_inside(picture)}</div></section>\n'
    )


def _documents(sheet: Sheet, ids: Ids) -> str:
    groups = by_document(sheet.review)
    room = _Room(_MOST)
    opened = " open" if len(groups) <= _OPEN else ""
    parts = []
    for group in groups:
        place = sheet.places.get(group.name, "")
        where = f' <span class="place">{_words(place)}</span>' if place else ""
        steps = "".join(_step(step, ids[step.actions[0].id], sheet.edited, room) for step in group.steps)
        parts.append(f"<details{opened}>{_heading(group, where)}{steps}</details>\n")
    return f'<section id="intent"><h2>By intent</h2>{"".join(parts) or "<p>Nothing changes.</p>"}</section>\n'


def _heading(group: Group, more: str = "") -> str:
    objects = number(len(group.steps), "object")
    says = f'{_level(group.worst)} <span class="quiet">{objects}</span>'
    return f"<summary><b>{_words(group.title)}</b>{says}{more}</summary>"


def _step(step: Step, ident: str, edited: Edited, room: _Room) -> str:
    says = f"<p>{_level(step.impact.level)} {_words(step.impact.reason)}</p>"
    at = why((step.resource,), "", edited) if step.word in ("create", "delete") else ""
    place = f' <span class="place quiet">{_words(at)}</span>' if at else ""
    return (
        f'<div class="step" id="{ident}"><p>{_name(step)}{place}</p>{says}{_lines(step, edited, room)}</div>'
    )


def _name(step: Step) -> str:
    key = step.key
    sign = f'<b class="{step.word}">{SIGNS[step.word]} {step.title}</b>'
    return (
        f"{sign} <code>{_words(f'{key.family} {key.scope} {key.type}')} <b>{_words(called(step))}</b></code>"
    )


def _lines(step: Step, edited: Edited, room: _Room) -> str:
    """Write the rendered difference, each line with its place of intent, as long as there is room."""
    rows = []
    last = ""
    for sign, text, place in unified(step, edited) if room.left else ():
        kind = {"+": ' class="add"', "-": ' class="cut"'}.get(sign, "")
        # A place that stands for several lines in a row is said once.
        shown = _words(place) if place != last else ""
        last = place
        rows.append(f"<tr{kind}><td>{sign}</td><td>{_words(text)}</td><td>{shown}</td></tr>")
    kept, room.left = rows[: room.left], max(0, room.left - len(rows))
    if not room.left:
        kept.append(
            "<tr><td></td><td>… left out: this page is full; see intentc diff --full</td><td></td></tr>"
        )
    return f'<table class="lines">{"".join(kept)}</table>' if kept else ""


def _targets(found: Review, ids: Ids) -> str:
    parts = [_target(group, ids) for group in by_target(found)]
    return (
        f'<section id="targets"><h2>By target</h2>{"".join(parts) or "<p>Nothing changes.</p>"}</section>\n'
    )


def _target(group: Group, ids: Ids) -> str:
    rows = "".join(
        f"<tr><td>{_name(step)}</td><td>{_level(step.impact.level)}</td>"
        f'<td><a href="#{ids[step.actions[0].id]}">{_words(step.resource.document)}</a></td></tr>'
        for step in group.steps
    )
    return f'<details>{_heading(group)}<table class="list">{rows}</table></details>\n'
