"""Work that need not be done twice: what was made of some bytes, remembered by their hash.

Files of intent are cut where documents begin, so that a change in one document leaves the others known,
wherever they have moved to. Only pieces without any fault are remembered; a file with a fault is parsed as a
whole, so that what is wrong is told in the same words.

Invariant: what is remembered is plain (JSON) and was made of the bytes alone; with a memory or without, the
results are the same, place by place.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from intent.diagnostics import Report
from intent.documents import parse
from intent.source import Document, Source

_BEGIN: Final = re.compile(r"^(?=---(?:[ \t\n]|\Z))", re.MULTILINE)
"""At these places YAML begins a document whatever stands before, also inside quotes and brackets."""


class Memory:
    """What was known before, and what was asked for since."""

    def __init__(self, known: Mapping[str, Any] | None = None) -> None:
        """Begin with what is known, by hash."""
        self.known = known or {}
        self.used: dict[str, Any] = {}
        self.news: set[str] = set()
        """Hashes of what was not known."""

    def recall(self, given: bytes, make: Callable[[], Any]) -> Any:
        """Return what was made of `given`, or make it now; None is not remembered."""
        key = hashlib.blake2b(given, digest_size=16).hexdigest()
        made = self.used.get(key)
        if made is None:
            made = self.known.get(key)
            if made is None:
                made = make()
                if made is None:
                    return None
                self.news.add(key)
            self.used[key] = made
        return made

    def later(self) -> Memory:
        """Return the memory for the next time; what was not asked for is forgotten."""
        return Memory(self.used)

    def parse(self, source: Source, report: Report) -> list[Document]:
        """Return the documents of a file, as `documents.parse` does."""
        documents: list[Document] = []
        above = 0
        for piece in pieces(source.text):
            said = self.recall(piece.encode(errors="surrogatepass"), partial(_said, piece))
            if said is None:
                return parse(source, report)
            for data, marks in said:
                documents.append(Document(source.file, data, array("I", b64decode(marks)), above))
            above += piece.count("\n")
        return documents


def pieces(text: str) -> list[str]:
    """Cut a file where documents begin; the pieces together are the text.

    A file stays whole where one piece may say something about another: directives, aliases (their number is
    limited by file), and carriage returns, which end lines in more than one way.
    """
    aliases = "&" in text and "*" in text
    if aliases or "\r" in text or "\n%" in text or text.startswith("%"):
        return [text]
    return _BEGIN.split(text)


def _said(text: str) -> list[Any] | None:
    """Return the values of each document and its marks (as base64 of the array); None where a fault is."""
    report = Report()
    documents = parse(Source("", text), report)
    if report.found:
        return None
    return [[document.data, b64encode(document.marks).decode()] for document in documents]
