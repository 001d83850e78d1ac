"""What a person is told: diagnostics as values, and their text and JSON forms.

A pass collects all it finds in a `Report`; nothing is raised for what a user did. Every code stands in
docs/codes.md with an explanation; the first digit after IC tells the part of the line that speaks
(1 intent, 2 compiler, 3 renderers, 4 reconciler).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from intent.source import Span

Severity = Literal["error", "warning", "note"]

_LINE_END = re.compile("\r\n|\n|\r")
_ALIKE: Final = 3
"""Diagnostics of one code at one place that are shown in full."""
_LONGEST: Final = 600
"""Characters of a message or hint that are shown: a name in it may be megabytes long."""
_MANY: Final = 1000
"""Known words from which on only those that begin alike are compared."""


@dataclass(frozen=True, slots=True)
class Related:
    """A second place that has to do with a diagnostic."""

    span: Span
    message: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing to tell the user: what, where, and what to do about it."""

    code: str
    message: str
    span: Span
    severity: Severity = "error"
    hint: str = ""
    related: tuple[Related, ...] = ()
    private: bool = False
    """The source line is not repeated, because a secret may stand in it."""


@dataclass(slots=True)
class Report:
    """The diagnostics of one run, collected as they are found."""

    found: list[Diagnostic] = field(default_factory=list)

    def error(
        self, code: str, span: Span, message: str, hint: str = "", related: Iterable[Related] = ()
    ) -> None:
        """Add an error: the line stops at the end of the pass that found it."""
        self.found.append(Diagnostic(code, message, span, "error", hint, tuple(related)))

    def warning(
        self, code: str, span: Span, message: str, hint: str = "", related: Iterable[Related] = ()
    ) -> None:
        """Add a warning: the line goes on."""
        self.found.append(Diagnostic(code, message, span, "warning", hint, tuple(related)))

    def note(
        self, code: str, span: Span, message: str, hint: str = "", related: Iterable[Related] = ()
    ) -> None:
        """Add a note: something to know, nothing to mend."""
        self.found.append(Diagnostic(code, message, span, "note", hint, tuple(related)))

    @property
    def failed(self) -> bool:
        """Whether an error was found."""
        return any(entry.severity == "error" for entry in self.found)

    def sorted(self) -> list[Diagnostic]:
        """Return what was found, each once, in the order of files and lines."""
        # A Node that stands for many servers makes the same mistake many times, at one place.
        once: dict[tuple[Span, str, str], Diagnostic] = {}
        for entry in self.found:
            once.setdefault((entry.span, entry.code, entry.message), entry)
        return [once[key] for key in sorted(once)]


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was probably meant; upper and lower case do not count."""
    words = set(known)
    if len(words) > _MANY:
        words = {entry for entry in words if entry[:1] == word[:1] and abs(len(entry) - len(word)) <= 1}
    by_case = {entry.lower(): entry for entry in sorted(words, reverse=True)}
    close = difflib.get_close_matches(word.lower(), sorted(by_case), n=1, cutoff=0.6)
    return by_case[close[0]] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint that names the closest known word, or the known words where there are few."""
    words = sorted(set(known))
    close = closest(word, words)
    if close and close != word:
        return f"did you mean {close!r}?"
    if words and len(words) <= 12:  # noqa: PLR2004 -- a line that a person still reads
        return "known here: " + ", ".join(words)
    return ""


def as_text(found: Iterable[Diagnostic], texts: Mapping[str, str]) -> str:
    """Write diagnostics for people: place, code, message, the line with a caret, related places, hint."""
    entries, more = _first_of_each(found)
    wanted: dict[str, set[int]] = {}
    for entry in entries:
        if entry.span.line:
            wanted.setdefault(entry.span.file, set()).add(entry.span.line)
    rows = {file: _rows(texts[file], numbers) for file, numbers in wanted.items() if file in texts}
    return "\n".join(line for entry in entries for line in _lines(entry, rows, more.get(id(entry), 0)))


def _rows(text: str, wanted: set[int]) -> dict[int, str]:
    """Return some lines of a text by number; the others, which may be millions, are never made."""
    found: dict[int, str] = {}
    start, number, last = 0, 1, max(wanted)
    for end in _LINE_END.finditer(text):
        if number in wanted:
            found[number] = text[start : end.start()]
        start, number = end.end(), number + 1
        if number > last:
            return found
    return {**found, number: text[start:]}


def _first_of_each(found: Iterable[Diagnostic]) -> tuple[list[Diagnostic], dict[int, int]]:
    """Return what is shown: of many alike at one place only the first; and how many are left out behind it.

    A Node that stands for a thousand servers can make the same mistake for each of them.
    """
    alike: dict[tuple[Span, str], list[Diagnostic]] = {}
    for entry in found:
        alike.setdefault((entry.span, entry.code), []).append(entry)
    shown: list[Diagnostic] = []
    more: dict[int, int] = {}
    for entries in alike.values():
        few = entries if len(entries) <= _ALIKE + 1 else entries[:_ALIKE]
        shown += few
        more[id(few[-1])] = len(entries) - len(few)
    return shown, more


def _lines(entry: Diagnostic, texts: Mapping[str, Mapping[int, str]], more: int) -> list[str]:
    lines = [f"{_visible(str(entry.span))}: {entry.severity}[{entry.code}]: {_visible(entry.message)}"]
    lines += [] if entry.private else _excerpt(entry.span, texts)
    lines += [f"  {_visible(str(place.span))}: {_visible(place.message)}" for place in entry.related]
    if entry.hint:
        lines.append(f"  hint: {_visible(entry.hint)}")
    if more:
        lines.append(f"  and {more} more like this at the same place")
    return [*lines, ""]


def _visible(text: str) -> str:
    """Return text as a terminal may have it: nothing invisible, no escape codes, and not without end."""
    if not text.replace("\n", "").isprintable():
        text = "".join(
            sign if sign.isprintable() or sign == "\n" else ascii(sign)[1:-1] for sign in text[:_LONGEST]
        )
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _excerpt(span: Span, texts: Mapping[str, Mapping[int, str]], width: int = 160) -> list[str]:
    """Return the source line and a caret below the column; long lines are cut around the column."""
    said = texts.get(span.file, {}).get(span.line)
    if said is None:
        return []
    start = max(0, span.column - 1 - width // 2) if len(said) > width else 0
    # One column per character: tabs would move the caret, escape codes would reach the terminal.
    row = "".join(sign if sign.isprintable() else " " for sign in said[start : start + width])
    caret = span.column - 1 - start
    gutter = f"{span.line:>5}"
    return [f"{gutter} | {row}".rstrip(), f"{' ' * len(gutter)} | {' ' * caret}^"]


def as_json(found: Iterable[Diagnostic]) -> list[dict[str, Any]]:
    """Return diagnostics as plain values for machines."""
    return [
        {
            "code": entry.code,
            "severity": entry.severity,
            "message": entry.message,
            **_place(entry.span),
            "hint": entry.hint or None,
            "related": [{**_place(place.span), "message": place.message} for place in entry.related],
        }
        for entry in found
    ]


def _place(span: Span) -> dict[str, Any]:
    return {"file": span.file, "line": span.line or None, "column": span.column or None}
