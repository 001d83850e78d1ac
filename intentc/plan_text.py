"""A plan for people: what is destroyed first, then document by document what changes, and why.

Plans and diffs share it. Lines carry their colour as a word (`Line.style`), so that the same text serves
terminals, files and tests; no line holds a control character.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from intentc.review.rows import NOTHING, Edited, changes, plain, why
from reconciler.radius import THINGS, badness
from reconciler.review import DESTRUCTIVE, Group, Review, Step, Word, by_document
from renderers.rules import LEVELS, Level

SIGNS: Final[dict[Word, str]] = {"create": "+", "update": "~", "replace": "±", "rename": "±", "delete": "-"}
WORDS: Final[dict[Word, str]] = {
    "create": "to create",
    "update": "to change",
    "replace": "to replace",
    "rename": "to rename",
    "delete": "to delete",
}
STYLES: Final[dict[Word, str]] = {
    "create": "green",
    "update": "yellow",
    "replace": "magenta",
    "rename": "magenta",
    "delete": "red",
}
UNREAD: Final = "repair or remove what cannot be read, and plan again"
"""What to do about a target that was not read completely."""
_FEW: Final = 3
_GROUPS: Final = 40
_DESTROYED: Final = 60


@dataclass(frozen=True, slots=True)
class Line:
    """One line of output and its colour."""

    text: str = ""
    style: str = ""


def summary(found: Review) -> str:
    """Return the counts on one line, and how many steps are of each class."""
    counts = [f"{found.counts[name]:,} {word}" for name, word in WORDS.items() if found.counts[name]]
    sums = [f"{found.classes[level]:,} {level}" for level in reversed(LEVELS) if found.classes[level]]
    what = f"{', '.join(counts)} ({', '.join(sums)})" if counts else "nothing to change"
    parts = [what, f"{found.plan.unchanged:,} unchanged"]
    if found.plan.views:
        parts.append(f"{number(found.plan.views, 'view')} to write")
    return "; ".join(parts)


def number(count: int, noun: str) -> str:
    """Write a count and its noun: 1 view, 2,000 views."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def lines(
    found: Review,
    edited: Edited = NOTHING,
    *,
    full: bool = False,
    places: Mapping[str, str] | None = None,
) -> Iterator[Line]:
    """Yield the text of a plan; `full` leaves nothing out, `places` says where each document stands."""
    for line in _lines(found, places or {}, edited, full=full):
        yield Line(plain(line.text), line.style)


def _lines(found: Review, places: Mapping[str, str], edited: Edited, *, full: bool) -> Iterator[Line]:
    destroyed = [step for step in found.steps if step.word in DESTRUCTIVE]
    yield from _destroyed(destroyed, places, edited, full=full)
    yield from _documents(by_document(found), places, edited, full=full)
    views = [action for action in found.plan.actions if action.view]
    if full and views:
        yield Line("views (other forms of the same, for people)", "bold")
        yield from (
            Line(
                f"  {SIGNS[view.operation]} {_name([Step(view.operation, (view,))])}", STYLES[view.operation]
            )
            for view in views
        )
        yield Line()
    yield from radius_table(found)


def _destroyed(steps: list[Step], places: Mapping[str, str], edited: Edited, *, full: bool) -> Iterator[Line]:
    if not steps:
        return
    yield Line("destroyed", "bold")
    found = gathered(steps, full=full)
    shown = found if full else found[:_DESTROYED]
    wide = max(len(group[0].title) for group in shown)
    for group in shown:
        step = group[0]
        document = step.resource.document
        place = _decisive(step, edited) or places.get(document, "")
        because = f"{step.impact.level}: {step.impact.reason}{f' ({document})' if document else ''}"
        stuck = f"; {step.reason}" if step.word == "replace" else ""
        text = f"  {SIGNS[step.word]} {step.title:{wide}} {_several(group)}   {because}{stuck}"
        text += f"   {place}" if place else ""
        yield Line(text, STYLES[step.word])
    yield from _rest(len(found) - len(shown), "kinds of objects")
    yield Line()


def _decisive(step: Step, edited: Edited) -> str:
    """Return the edited line that takes an object away; nothing where its document as a whole is another."""
    if not edited or "" in edited.get(step.resource.document, ()):
        return ""
    return why((step.resource, step.before), "", edited)


def gathered(steps: Iterable[Step], *, full: bool = False) -> list[list[Step]]:
    """Return steps of one document and type that are alike together, the worst first; `full`: one by one."""
    groups: dict[tuple[Any, ...], list[Step]] = {}
    for step in steps:
        key = step.key
        alike = (step.word, step.reason, step.impact, step.resource.document, key.family, key.type)
        groups.setdefault((*alike, *((step.key,) if full else ())), []).append(step)

    def order(group: list[Step]) -> tuple[Any, ...]:
        step = group[0]
        return -badness(step.impact.level), step.word != "delete", step.resource.document, step.key

    return sorted((sorted(group, key=lambda step: step.key) for group in groups.values()), key=order)


def _several(steps: list[Step]) -> str:
    """Name objects of one type: a few by name, many by number."""
    family, where, type_, what = summed(steps)
    return f"{family:10} {where:24} {type_} {what}"


def summed(steps: list[Step]) -> tuple[str, str, str, str]:
    """Return family, place, type and names of objects of one type: a few by name, many by number."""
    key = steps[0].key
    scopes = {step.key.scope for step in steps}
    where = key.scope if len(scopes) == 1 else f"{len(scopes)} × {key.scope.partition('/')[0]}"
    names = list(dict.fromkeys(map(called, steps)))
    what = ", ".join(names) if len(names) <= _FEW else f"× {len(steps):,}"
    return key.family, where, key.type, what


def called(step: Step) -> str:
    """Return the name of an object, or both names of a rename."""
    before = step.before
    return f"{before.key.name} → {step.key.name}" if step.word == "rename" and before else step.key.name


def _documents(
    found: list[Group], places: Mapping[str, str], edited: Edited, *, full: bool
) -> Iterator[Line]:
    # What is deleted says no more than that; it stands above.
    def says(step: Step) -> Iterator[str]:
        yield impact(step)
        yield from changes(step, edited)

    groups = [group for group in found if any(step.word != "delete" for step in group.steps)]
    shown = groups if full else groups[:_GROUPS]
    for group in shown:
        place = places.get(group.name, "")
        yield Line(f"{group.title}{'   ' + place if place else ''}", "bold")
        kept = [step for step in group.steps if step.word != "delete"]
        for alike, body in _alike([step for step in kept if full or step.word != "create"], says):
            yield Line(f"  {SIGNS[alike[0].word]} {_name(alike)}   {body[0]}", STYLES[alike[0].word])
            yield from (Line(f"      {row}") for row in body[1:])
        if not full:
            yield from _created([step for step in kept if step.word == "create"])
        yield Line()
    yield from _rest(len(groups) - len(shown), "documents")


def impact(step: Step) -> str:
    """Write the class of a step and the reason for it."""
    return f"[{step.impact.level}: {step.impact.reason}]"


def _created(steps: list[Step]) -> Iterator[Line]:
    """Say what is new, a few by name, many by number; the class only where somebody notices."""
    for group in sorted(gathered(steps), key=lambda group: group[0].key):
        says = "" if group[0].impact.level == "hitless" else f"   {impact(group[0])}"
        yield Line(f"  + {_several(group)}{says}", STYLES["create"])


def _alike(
    steps: Iterable[Step], body: Callable[[Step], Iterable[str]]
) -> list[tuple[list[Step], tuple[str, ...]]]:
    """Put together what happens alike to objects of one name in several scopes, with what to say of it."""
    groups: dict[tuple[Any, ...], list[Step]] = {}
    for step in steps:
        key = step.key
        place = (step.word, key.family, key.type, called(step), tuple(body(step)))
        groups.setdefault(place, []).append(step)
    return [(group, place[-1]) for place, group in groups.items()]


def _name(steps: list[Step]) -> str:
    """Name objects that are alike: family, where, type, name."""
    key = steps[0].key
    where = key.scope if len(steps) == 1 else f"{len(steps)} × {key.scope.partition('/')[0]}"
    return f"{key.family:10} {where:24} {key.type} {called(steps[0])}"


def radius_table(found: Review) -> Iterator[Line]:
    """Yield the blast radius: what is touched, by the worst that happens to it."""
    if not any(found.radius.values()):
        return
    yield Line(f"{'blast radius':14}{''.join(f'{level:>12}' for level in LEVELS)}", "bold")
    for thing in THINGS:
        levels = list(found.radius[thing].values())
        if levels:
            yield Line(f"  {thing:12}{''.join(f'{_count(levels, level):>12}' for level in LEVELS)}")
    yield Line()


def _count(levels: list[Level], level: Level) -> str:
    return f"{levels.count(level):,}" if level in levels else "·"


def _rest(count: int, what: str) -> Iterator[Line]:
    if count > 0:
        yield Line(f"… and {count:,} more {what} (--full shows all)", "dim")


def incomplete(targets: Mapping[str, str]) -> Iterator[Line]:
    """Warn of targets that were not read completely."""
    for name, reason in targets.items():
        yield Line(plain(unread(name, reason)), "red")
        yield Line(f"  hint: {UNREAD}")


def unread(name: str, reason: str) -> str:
    """Say what it means that a target was not read completely."""
    so = "so nothing is deleted there, nor elsewhere what it may need"
    return f"target {name} was not read completely, {so}: {reason}"
