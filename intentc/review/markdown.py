"""A review as markdown for a comment on a pull request: short above, everything else folded, at most 60 kB.

What users wrote stands in code, with every sign that markdown or HTML could take for its own as an entity, or
inside a fence that is longer than any in it; so no name can end a fold, call a person or draw a picture.
Invariant: the text never has more than `LIMIT` bytes, and says how much it leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from intentc.plan_text import SIGNS, called, gathered, number, summary, summed
from intentc.review.rows import Edited, changes, plain, unified, why
from intentc.review.sheet import Note, Sheet
from reconciler.radius import THINGS
from reconciler.review import DESTRUCTIVE, Group, Review, Step, by_document, by_target
from renderers.rules import LEVELS, Level

LIMIT: Final = 60_000
"""Bytes. Comments on GitHub end at 65,536 characters."""
_FOR_INTENT: Final = 0.6
"""Share of what is left for the folds by intent, if those by target want more than the rest."""
_WORDS_ON_CUT: Final = 700
"""Bytes kept for what is said of a cut."""
_NAMED: Final = 20
_LONGEST: Final = 160
"""Longest name, in characters …"""
_SENTENCE: Final = 1000
"""… and longest sentence, which may say what to type."""
_FOLD: Final = 200
"""Longest fold, in lines, before it is cut."""
_WIDEST: Final = 400
"""Longest row of a fold."""
_SMALLEST: Final = 300
"""Bytes that are not worth another fold."""
_SPECIAL = re.compile(r"[^A-Za-z0-9 ,./:;=()'+%→·×…-]")
_TICKS = re.compile("`+")


def markdown(sheet: Sheet) -> str:
    """Return a sheet as markdown."""
    head = "".join(f"{row}\n" for row in _fitting(list(_head(sheet)), LIMIT // 2))
    if not sheet.review.steps:
        return head
    room = LIMIT - _WORDS_ON_CUT - len(head.encode())
    by_intent, shown_intent = _section(
        "By intent", by_document(sheet.review), sheet, _intent_fold, int(room * _FOR_INTENT)
    )
    room -= len(by_intent.encode())
    targets, shown_targets = _section("By target", by_target(sheet.review), sheet, _target_fold, room)
    cut = _cut(sheet, shown_intent, shown_targets)
    return head + by_intent + targets + cut


def code(text: str, longest: int = _LONGEST) -> str:
    """Return text as code in a line, a table or a summary, with nothing in it that anybody interprets."""
    shown = plain(text)
    shown = shown if len(shown) <= longest else shown[: longest - 1] + "…"
    return f"<code>{_SPECIAL.sub(lambda found: f'&#{ord(found[0])};', shown)}</code>"


def fenced(rows: Iterable[str]) -> str:
    """Return rows as a block with the colours of a diff, fenced longer than any fence in it."""
    body = "\n".join(rows)
    fence = "`" * max(3, 1 + max(map(len, _TICKS.findall(body)), default=0))
    return f"{fence}diff\n{body}\n{fence}\n"


def _head(sheet: Sheet) -> Iterator[str]:
    found = sheet.review
    yield f"### {code(sheet.title)}"
    yield ""
    yield f"**{summary(found)}**"
    yield ""
    for note in (*sheet.notes, *sheet.approvals):
        yield from _note(note)
    yield from _radius(found)
    yield from _destroyed([step for step in found.steps if step.word in DESTRUCTIVE])


def _fitting(rows: list[str], room: int) -> Iterator[str]:
    """Yield as many rows as there is room for, and say how many are missing."""
    for at, row in enumerate(rows):
        room -= len(row.encode()) + 1
        if room < 0:
            yield f"- … and {number(len(rows) - at, 'more line')}"
            yield ""
            return
        yield row


def _note(note: Note) -> Iterator[str]:
    yield f"> :warning: {code(note.text, _SENTENCE)}"
    yield from (f"> - {code(row)}" for row in note.more[:_NAMED])
    if len(note.more) > _NAMED:
        yield f"> - … and {len(note.more) - _NAMED:,} more"
    if note.hint:
        yield f"> - hint: {code(note.hint, _SENTENCE)}"
    yield ""


def _radius(found: Review) -> Iterator[str]:
    if not found.steps:
        return
    yield f"| blast radius | {' | '.join(LEVELS)} | in all |"
    yield f"|---|{'--:|' * (len(LEVELS) + 1)}"
    for thing in THINGS:
        levels = list(found.radius.get(thing, {}).values())
        yield f"| {thing} | {' | '.join(_cells(levels))} | {len(levels):,} |"
    every = [step.impact.level for step in found.steps]
    yield f"| **objects** | {' | '.join(_cells(every))} | {len(every):,} |"
    yield ""


def _cells(levels: Sequence[Level]) -> list[str]:
    return [f"{levels.count(level):,}" if level in levels else "" for level in LEVELS]


def _destroyed(steps: list[Step]) -> Iterator[str]:
    if not steps:
        return
    yield "**Destroyed**"
    yield ""
    found = gathered(steps)
    for group in found[:_NAMED]:
        says = f"{group[0].impact.level}: {code(group[0].impact.reason)}"
        yield f"- {group[0].title}: {code(' '.join(summed(group)))} — {says}"
    if len(found) > _NAMED:
        yield f"- … and {len(found) - _NAMED:,} more kinds of objects"
    yield ""


_Fold = Callable[[Group, Sheet], tuple[str, Iterator[list[str]]]]
"""Returns what stands above a fold, and its rows, step by step."""


def _section(title: str, groups: list[Group], sheet: Sheet, fold: _Fold, room: int) -> tuple[str, int]:
    """Return one fold with a fold for each group, as many as there is room for, and how many those are."""
    top = f"<details><summary>{title} ({len(groups):,})</summary>\n\n"
    end = "\n</details>\n\n"
    parts: list[str] = []
    left = room - len((top + end).encode())
    for group in groups:
        part = _folded(*fold(group, sheet), len(group.steps))
        size = len(part.encode())
        if size <= left:
            parts.append(part)
            left -= size
        elif left < _SMALLEST:
            break
    return (top + "".join(parts) + end if parts else ""), len(parts)


def _folded(says: str, steps: Iterator[list[str]], total: int) -> str:
    kept: list[str] = []
    shown = 0
    for rows in steps:
        if shown and len(kept) + len(rows) > _FOLD:
            break
        kept += [row if len(row) <= _WIDEST else f"{row[:_WIDEST]}…" for row in rows[:_FOLD]]
        if len(rows) > _FOLD:
            kept.append(f"… and {number(len(rows) - _FOLD, 'line')} more of this object")
        shown += 1
    more = total - shown
    note = f"\n… and {number(more, 'more object')}\n" if more else ""
    return f"<details><summary>{says}</summary>\n\n{fenced(kept)}{note}\n</details>\n"


def _intent_fold(group: Group, sheet: Sheet) -> tuple[str, Iterator[list[str]]]:
    """Return what changes because of one document: the fields, each with its line of intent."""
    place = sheet.places.get(group.name, "")
    where = f" {code(place)}" if place else ""
    says = f"{code(group.title)}{where} — {number(len(group.steps), 'object')}, {group.worst}"
    return says, (list(_step_rows(step, sheet.edited)) for step in group.steps)


def _target_fold(group: Group, _: Sheet) -> tuple[str, Iterator[list[str]]]:
    """Return the rendered difference of one part of a target."""
    says = f"{code(group.title)} — {number(len(group.steps), 'object')}, {group.worst}"
    return says, (list(_rendered(step)) for step in group.steps)


def _step_rows(step: Step, edited: Edited) -> Iterator[str]:
    sign = {"create": "+", "delete": "-"}.get(step.word, f"! {SIGNS[step.word]}")
    at = why((step.resource,), "", edited) if step.word in ("create", "delete") else ""
    head = f"{sign} {_name(step)}  [{step.impact.level}: {step.impact.reason}]"
    yield plain(f"{head}{'   ' + at if at else ''}")
    yield from (f"      {plain(row)}" for row in changes(step, edited))


def _rendered(step: Step) -> Iterator[str]:
    yield plain(f"@@ {step.title}: {_name(step)} @@")
    yield from (f"{sign}{text}" for sign, text, _ in unified(step))


def _name(step: Step) -> str:
    return f"{step.key.family} {step.key.scope} {step.key.type} {called(step)}"


def _cut(sheet: Sheet, by_intent: int, targets: int) -> str:
    """Say what was left out, and how to see it."""
    missing = [
        f"{all_ - shown:,} of {all_:,} {what}"
        for shown, all_, what in (
            (by_intent, len(by_document(sheet.review)), "documents"),
            (targets, len(by_target(sheet.review)), "parts of targets"),
        )
        if shown < all_
    ]
    if not missing:
        return ""
    command = code(f"{sheet.command} --full", _SENTENCE)
    return f"**Left out for length:** {', '.join(missing)}. All of it: {command}\n"
