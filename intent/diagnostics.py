"""What a person is told: diagnostics as values, and their text and JSON forms.

A pass collects all it finds in a `Report`; nothing is raised for what a user did. Every code stands in
docs/codes.md with an explanation; the first digit after IC tells the part of the line that speaks
(1 intent, 2 compiler, 3 renderers, 4 reconciler).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from intent.source import Span

Severity = Literal["error", "warning", "note"]


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
        return sorted(dict.fromkeys(self.found), key=lambda entry: (entry.span, entry.code, entry.message))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint that names the closest known word, or the known words where there are few."""
    words = sorted(set(known))
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    if words and len(words) <= 12:  # noqa: PLR2004 -- a line that a person still reads
        return "known here: " + ", ".join(words)
    return ""


def as_text(found: Iterable[Diagnostic], texts: Mapping[str, str]) -> str:
    """Write diagnostics for people: place, code, message, the source line with a caret, hint, related places."""
    return "\n".join(line for entry in found for line in _lines(entry, texts))


def _lines(entry: Diagnostic, texts: Mapping[str, str]) -> list[str]:
    lines = [f"{entry.span}: {entry.severity}[{entry.code}]: {entry.message}"]
    lines += _excerpt(entry.span, texts)
    lines += [f"  {place.span}: {place.message}" for place in entry.related]
    if entry.hint:
        lines.append(f"  hint: {entry.hint}")
    return [*lines, ""]


def _excerpt(span: Span, texts: Mapping[str, str], width: int = 160) -> list[str]:
    """Return the source line and a caret below the column; long lines are cut around the column."""
    rows = texts.get(span.file, "").split("\n") if span.line else []
    if span.line > len(rows):
        return []
    row = rows[span.line - 1].rstrip("\r").replace("\t", " ")
    start = max(0, span.column - 1 - width // 2) if len(row) > width else 0
    caret = span.column - 1 - start
    gutter = f"{span.line:>5}"
    return [f"{gutter} | {row[start : start + width]}", f"{' ' * len(gutter)} | {' ' * caret}^"]


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
