"""YAML text → documents: plain values with a mark for every node, nothing guessed, nothing lost.

libyaml's events (through ruamel's `CParser`) feed a small builder of our own, because no ready constructor
keeps positions, refuses duplicate keys and leaves `65000:10`, `010`, `no` and `2026-01-02` alone. Only three
plain forms become something other than text: `true`/`false`, `null`, and integers without leading zeros —
each of which turns back into the same text, so that a field of type text loses nothing.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from typing import Any, Final

from ruamel.yaml.cyaml import CParser
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from intent.diagnostics import Related, Report
from intent.source import Document, Source, Span, _size

MAX_DEPTH: Final = 64
"""Nesting below which a document is refused: real intent needs about 12 levels."""
MAX_ALIASED: Final = 10_000
"""Nodes that the aliases of one file may add; stops documents that explode when they are expanded."""

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\Z")
_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None, "~": None, "": None}
_HIDDEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]")


class _Stop(Exception):  # noqa: N818 -- leaves the event loop; never seen outside this module
    """The rest of the file cannot be read."""


def parse(source: Source, report: Report) -> list[Document]:
    """Return the documents of one file; what is wrong with it goes to the report."""
    hidden = _HIDDEN.search(source.text)
    if hidden:
        row = source.text.count("\n", 0, hidden.start())
        column = hidden.start() - (source.text.rfind("\n", 0, hidden.start()) + 1)
        code = f"U+{ord(hidden.group()):04X}"
        report.error(
            "IC1013",
            Span(source.file, row + 1, column + 1),
            f"invisible or direction-changing character {code}",
            "delete it: reviewers would not see what is really written",
        )
        return []
    builder = _Builder(source.file, report)
    try:
        return list(builder.documents(CParser(source.text)))
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        span = Span(source.file, mark.line + 1, mark.column + 1) if mark else Span(source.file)
        problem = getattr(error, "problem", None) or str(error).split("\n", 1)[0]
        report.error("IC1006", span, f"this is not YAML: {problem}", _syntax_hint(problem))
    except _Stop:
        pass
    return []


def _syntax_hint(problem: str) -> str:
    if "tab character" in problem or "'\\t'" in problem:
        return "indent with spaces, not tabs"
    if "':'" in problem:
        # libyaml reads YAML 1.1 here: a colon inside [ ] or { } ends the value.
        return "quote a value that holds ':' inside [ ] or { }, or write the list in block form"
    return ""


class _Builder:
    """Turns the events of one file into documents."""

    def __init__(self, file: str, report: Report) -> None:
        self.file = file
        self.report = report
        self.marks: array[int] = array("I")
        self.anchors: dict[str, Any] = {}
        self.aliased = 0

    def documents(self, parser: Any) -> Iterator[Document]:
        """Yield each document that holds something."""
        while True:
            event = parser.get_event()
            if event is None:
                return
            if isinstance(event, DocumentStartEvent):
                self.marks, self.anchors = array("I"), {}
                data = self.node(parser, parser.get_event(), 0)
                if data is not None:
                    yield Document(self.file, data, self.marks)
            elif isinstance(event, DocumentEndEvent):
                continue

    def node(self, parser: Any, event: Any, depth: int) -> Any:
        """Build the node that `event` opens, with its marks."""
        mark = event.start_mark
        self.marks.append(mark.line)
        self.marks.append(mark.column)
        if type(event) is ScalarEvent:
            value = self.scalar(event)
        elif type(event) is MappingStartEvent:
            value = self.mapping(parser, event, depth + 1)
        elif type(event) is SequenceStartEvent:
            value = self.sequence(parser, event, depth + 1)
        elif type(event) is AliasEvent:
            return self.alias(event)
        else:  # pragma: no cover -- libyaml sends no other event here
            raise _Stop
        if event.anchor:
            self.anchors[event.anchor] = value
        return value

    def scalar(self, event: Any) -> Any:
        """Return the value of a scalar: text unless it is a plain truth value, null or canonical integer."""
        text: str = event.value
        if event.tag and event.tag != "tag:yaml.org,2002:str":
            self.report.error(
                "IC1009",
                self.place(event),
                f"tag {event.tag!r} is not allowed",
                "write the plain value: the field decides its type",
            )
            return None
        if not event.implicit[0]:
            return text
        if text in _WORDS:
            return _WORDS[text]
        return int(text) if _INTEGER.match(text) else text

    def mapping(self, parser: Any, start: Any, depth: int) -> dict[str, Any]:
        """Build a mapping; a key that is said twice, a merge key or a key that is no text is an error."""
        self.enter(start, depth)
        value: dict[str, Any] = {}
        places: dict[str, Any] = {}
        while not isinstance(event := parser.get_event(), MappingEndEvent):
            before = len(self.marks)
            if type(event) is not ScalarEvent:
                self.report.error("IC1010", self.place(event), "a key must be plain text")
                raise _Stop
            key: str = event.value
            self.marks.append(event.start_mark.line)
            self.marks.append(event.start_mark.column)
            child = self.node(parser, parser.get_event(), depth)
            if key in value or key == "<<":
                del self.marks[before:]
                self.refuse(event, key, places)
                continue
            value[key] = child
            places[key] = event
        return value

    def refuse(self, event: Any, key: str, places: dict[str, Any]) -> None:
        """Report a key that cannot stand where it does."""
        if key == "<<":
            self.report.error(
                "IC1008",
                self.place(event),
                "merge keys are not allowed",
                "write the fields out, or use a NodeProfile for what nodes share",
            )
            return
        first = Related(self.place(places[key]), "first said here")
        self.report.error("IC1007", self.place(event), f"{key!r} is said twice", "keep one of them", [first])

    def sequence(self, parser: Any, start: Any, depth: int) -> list[Any]:
        """Build a list."""
        self.enter(start, depth)
        value: list[Any] = []
        while not isinstance(event := parser.get_event(), SequenceEndEvent):
            value.append(self.node(parser, event, depth))
        return value

    def alias(self, event: Any) -> Any:
        """Repeat an anchored value; every part of the copy stands where the alias stands."""
        value = self.anchors.get(event.anchor)
        if value is None:
            self.report.error("IC1014", self.place(event), f"alias *{event.anchor} names no value above it")
            return None
        size = _size(value)
        self.aliased += size
        if self.aliased > MAX_ALIASED:
            self.report.error(
                "IC1012",
                self.place(event),
                f"the aliases of this file add more than {MAX_ALIASED} nodes",
                "write the values out",
            )
            raise _Stop
        for _ in range(size - 1):
            self.marks.extend((event.start_mark.line, event.start_mark.column))
        return value

    def enter(self, event: Any, depth: int) -> None:
        """Refuse documents that are nested too deeply, and tags on collections."""
        if depth > MAX_DEPTH:
            self.report.error("IC1011", self.place(event), f"nested more than {MAX_DEPTH} levels deep")
            raise _Stop
        if event.tag:
            self.report.error(
                "IC1009",
                self.place(event),
                f"tag {event.tag!r} is not allowed",
                "write the plain value: the field decides its type",
            )

    def place(self, event: Any) -> Span:
        """Return the place where an event starts."""
        return Span(self.file, event.start_mark.line + 1, event.start_mark.column + 1)
