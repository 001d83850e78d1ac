"""YAML text → documents: plain values with a mark for every node, nothing guessed, nothing lost.

libyaml's events (through ruamel's `CParser`) feed a small builder of our own, because no ready constructor
keeps positions, refuses duplicate keys and leaves `65000:10`, `010`, `no` and `2026-01-02` alone. Only three
plain forms become something other than text: `true`/`false`, `null`, and integers without leading zeros —
each of which turns back into the same text, so that a field of type text loses nothing.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
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

MAX_FIELDS: Final = 1_000
"""Keys of one mapping; the largest that intent knows hold a few dozen."""
MAX_ERRORS: Final = 1_000
"""Errors of one file that are told; a person mends the first, a machine wrote the rest."""

_INTEGER = re.compile(r"(?:0|-?[1-9][0-9]{0,17})\Z")
_LINE_END = re.compile("\r\n|\n|\r")
_CONFLICT = tuple(re.compile(mark, re.MULTILINE) for mark in (r"^<{7} .{0,60}", r"^={7}\r?$", r"^>{7} "))
"""What git leaves where two branches changed the same lines, in this order."""
_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None, "~": None, "": None}
HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


class _Stop(Exception):  # noqa: N818 -- leaves the event loop; never seen outside this module
    """The rest of the file cannot be read."""


def parse(source: Source, report: Report) -> list[Document]:
    """Return the documents of one file; what is wrong with it goes to the report."""
    if _hidden(source, report):
        return []
    builder = _Builder(source.file, report)
    try:
        return list(builder.documents(CParser(source.text)))
    except YAMLError as error:
        if _conflict(source, report):
            return []
        mark = getattr(error, "problem_mark", None)
        if "end of stream" in str(getattr(error, "problem", "")):
            # Where the quote opens says more than the end of the file, where it is missed.
            mark = getattr(error, "context_mark", None) or mark
        span = _span(source, mark)
        problem = getattr(error, "problem", None) or str(error).split("\n", 1)[0]
        at_tab = mark is not None and source.text[mark.index : mark.index + 1] == "\t"
        report.error(
            "IC1006", span, f"this is not YAML: {problem}", _TAB if at_tab else _syntax_hint(problem)
        )
    except _Stop:
        pass
    return []


def _span(source: Source, mark: Any) -> Span:
    """Return the place of a mark; libyaml puts the end of a text without a last line break behind it."""
    if mark is None:
        return Span(source.file, 1, 1)
    last = len(_LINE_END.findall(source.text))
    if mark.line <= last:
        return Span(source.file, mark.line + 1, mark.column + 1)
    return Span(source.file, last + 1, len(_LINE_END.split(source.text)[-1]) + 1)


def _conflict(source: Source, report: Report) -> bool:
    """Report the marks of a merge conflict, which libyaml calls many things."""
    found: list[re.Match[str]] = []
    for mark in _CONFLICT:
        match = mark.search(source.text, found[-1].end() if found else 0)
        if match is None:
            return False
        found.append(match)
    first = found[0]
    span = Span(source.file, len(_LINE_END.findall(source.text, 0, first.start())) + 1, 1)
    message = f"this line is the mark of a merge conflict: {first[0].rstrip()!r}"
    report.error("IC1006", span, message, _MARKS)
    return True


def _hidden(source: Source, report: Report) -> bool:
    """Report the first character that reviewers would not see, or that shows others in another order."""
    found = HIDDEN.search(source.text)
    if not found:
        return False
    before = source.text[: found.start()].replace("\r\n", "\n").replace("\r", "\n")
    row, _, column = before.rpartition("\n")
    span = Span(source.file, row.count("\n") + ("\n" in before) + 1, len(column) + 1)
    if found.start() == 0 and found.group() == "\ufeff":
        report.error("IC1013", span, "the file starts with a byte-order mark", "save it as UTF-8 without BOM")
        return True
    message = f"invisible or direction-changing character U+{ord(found.group()):04X}"
    report.error("IC1013", span, message, _INVISIBLE)
    return True


def too_many(span: Span, report: Report) -> None:
    """Report that a file is not read beyond this place."""
    report.error("IC1036", span, f"{MAX_ERRORS} errors in one file; the rest of it was not looked at", _MANY)


_MANY: Final = "mend what wrote the file"
_LARGE: Final = "intent holds lists of mappings where there are many things of a sort"
_INVISIBLE: Final = "delete it: reviewers would not see what is really written"
_KEY: Final = "quote text that starts with { or [ (a template that was not filled in?)"
_DEEP: Final = "look for a list or mapping that is never closed"
_TAG: Final = "write the plain value: the field decides its type"
_MERGE: Final = "write the fields out, or use a NodeProfile for what nodes share"
_MARKS: Final = "keep what shall hold of both sides, and delete the marks"
_TAB: Final = "indent with spaces, not tabs"
_SYNTAX_HINTS: Final = (
    # libyaml reads YAML 1.1 here: a colon inside [ ] or { } ends the value.
    ("unexpected ':'", "quote a value that holds ':' inside [ ] or { }, or write the list in block form"),
    ("mapping values are not allowed", "quote text that holds ': ', and check how far this line is indented"),
    ("expected ':'", "a key is followed by ':' and a space; text that holds a line break needs quotes"),
    ("expected key", "keys of one mapping start in the same column; text behind a closing quote is an error"),
    ("expected '-'", "entries of one list start in the same column, each with '- '"),
    ("',' or ']'", "a list that opens with [ has ',' between entries and ends with ]"),
    ("',' or '}'", "a mapping that opens with { has ',' between fields and ends with }"),
    ("cannot start any token", "quote text that starts with @, ` or %"),
    ("end of stream", "a quote that opens is never closed"),
)
"""What was probably meant, by a part of what libyaml says."""


def _syntax_hint(problem: str) -> str:
    return next((hint for part, hint in _SYNTAX_HINTS if part in problem), "")


class _Builder:
    """Turns the events of one file into documents."""

    def __init__(self, file: str, report: Report) -> None:
        self.file = file
        self.report = report
        self.marks: array[int] = array("I")
        self.anchors: dict[str, Any] = {}
        self.aliased = 0
        self.told = 0
        self.damaged = False
        """Whether a value of the document is lost: judging the rest would only repeat that."""

    def documents(self, parser: Any) -> Iterator[Document]:
        """Yield each document that holds something."""
        while True:
            event = parser.get_event()
            if event is None:
                return
            if isinstance(event, DocumentStartEvent):
                self.marks, self.anchors, self.damaged = array("I"), {}, False
                data = self.node(parser, parser.get_event(), 0)
                if data is not None and not self.damaged:
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
            self.error("IC1009", event, f"tag {event.tag!r} is not allowed", _TAG)
            self.damaged = True
            return None
        if not event.implicit[0]:
            if event.style == '"':
                self.look(event)
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
                self.error("IC1010", event, "a key must be plain text", _KEY)
                raise _Stop
            if len(value) == MAX_FIELDS:
                self.error("IC1035", event, f"a mapping with more than {MAX_FIELDS} keys", _LARGE)
                raise _Stop
            if event.style == '"':
                self.look(event)
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
            self.error("IC1008", event, "merge keys are not allowed", _MERGE)
            self.damaged = True
            return
        first = Related(self.place(places[key]), "first said here")
        self.error("IC1007", event, f"{key!r} is said twice", "keep one of them", [first])

    def look(self, event: Any) -> None:
        """Refuse what is written as an escape, and so escaped the look at the text of the file."""
        found = HIDDEN.search(event.value)
        if found:
            said = f"U+{ord(found.group()):04X} as an escape"
            self.error("IC1013", event, f"invisible or direction-changing character {said}", _INVISIBLE)

    def sequence(self, parser: Any, start: Any, depth: int) -> list[Any]:
        """Build a list."""
        self.enter(start, depth)
        value: list[Any] = []
        while not isinstance(event := parser.get_event(), SequenceEndEvent):
            value.append(self.node(parser, event, depth))
        return value

    def alias(self, event: Any) -> Any:
        """Repeat an anchored value; every part of the copy stands where the alias stands."""
        value = self.anchors.get(event.anchor, self)
        if value is self:  # the builder itself stands for "no such anchor": null is a value
            message = f"alias *{event.anchor} names no value above it in this document"
            self.error("IC1014", event, message, f"mark the value with &{event.anchor}")
            self.damaged = True
            return None
        size = _size(value)
        self.aliased += size
        if self.aliased > MAX_ALIASED:
            message = f"the aliases of this file add more than {MAX_ALIASED} values"
            self.error("IC1012", event, message, "write the values out")
            raise _Stop
        for _ in range(size - 1):
            self.marks.extend((event.start_mark.line, event.start_mark.column))
        return value

    def enter(self, event: Any, depth: int) -> None:
        """Refuse documents that are nested too deeply, and tags on collections."""
        if depth > MAX_DEPTH:
            self.error("IC1011", event, f"nested more than {MAX_DEPTH} levels deep", _DEEP)
            raise _Stop
        if event.tag:
            self.error("IC1009", event, f"tag {event.tag!r} is not allowed", _TAG)

    def error(self, code: str, event: Any, message: str, hint: str, related: Sequence[Related] = ()) -> None:
        """Report an error where an event starts; after very many of them the file is left."""
        self.report.error(code, self.place(event), message, hint, related)
        self.told += 1
        if self.told >= MAX_ERRORS:
            too_many(self.place(event), self.report)
            raise _Stop

    def place(self, event: Any) -> Span:
        """Return the place where an event starts."""
        return Span(self.file, event.start_mark.line + 1, event.start_mark.column + 1)
