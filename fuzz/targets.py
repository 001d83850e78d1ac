"""What is fuzzed: functions that take bytes, and hold if no more than the documented refusals comes of them.

Refusals are diagnostics in a report, a ValueError of the plan reader, and the damage that a journal tells.
Every other exception is a finding, and so is a broken invariant.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from compiler.ledger.leases import clashes, parse_ledger, write_ledger
from intent.diagnostics import Report, as_json, as_text
from intent.documents import parse
from intent.files import Unreadable, decoded
from intent.load import load
from intent.memory import Memory
from intent.source import Document, Source
from reconciler import bound, journal

_LONGEST_KEY: Final = 1000
"""YAML wants a key that opens a value on its line to have at most 1,024 characters."""


class BrokenError(AssertionError):
    """An invariant does not hold."""


def check(holds: object, what: str) -> None:
    """Raise where something does not hold."""
    if not holds:
        raise BrokenError(what)


def loader(data: bytes) -> None:
    """Read intent: every diagnostic has a place, every value has one, and a memory changes nothing."""
    source = decoded("intent/a.yaml", data)
    if isinstance(source, Unreadable):
        check(source.line and source.column, "a byte that is not UTF-8 has a place")
        return
    report, again = Report(), Report()
    documents = parse(source, report)
    remembered = Memory().parse(source, again)
    check(report.sorted() == again.sorted(), "a memory reports the same")
    check(list(map(_said, documents)) == list(map(_said, remembered)), "a memory returns the same")
    for document in () if report.found else documents:
        _is_json(document.data)
    _told(report, source)
    report = Report()
    load([source], report)
    _told(report, source)


def ledger(data: bytes) -> None:
    """Read a ledger: what was understood is written in a form that is understood as the same."""
    source = decoded("intentc.lock", data)
    if isinstance(source, Unreadable):
        return
    report = Report()
    found = parse_ledger(source, report)
    list(clashes(found.leases))
    _told(report, source)
    if not report.failed:
        again = parse_ledger(Source("intentc.lock", write_ledger(found.leases)), report)
        check(not report.failed, "a ledger that was written can be read")
        check([row[:4] for row in again.leases] == [row[:4] for row in found.leases], "leases stay the same")


def plan(data: bytes) -> None:
    """Read a saved plan: it is refused with words, or it is to the byte what would be saved again."""
    try:
        raw = data.decode("utf-8")
    except UnicodeDecodeError:
        return
    try:
        found = bound.read(raw)
    except ValueError as refusal:
        check(str(refusal).isprintable() and str(refusal), "a refusal has words")
        return
    check("".join(bound.write(bound.as_json(found))) == raw, "a plan is its own text")


def record(data: bytes) -> None:
    """Read a journal, as it is and with hashes that fit: it never fails, and names objects of the run."""
    for raw in (data, _chained(data)):
        handle = os.memfd_create("journal")
        try:
            os.write(handle, raw)
            found = journal.read(Path(f"/proc/self/fd/{handle}"))
        finally:
            os.close(handle)
        check(isinstance(found.summary, str), "there is a summary")
        check(set(found.in_flight) <= set(found.entries), "what is in flight belongs to the run")


def _chained(data: bytes) -> bytes:
    """Return the records of a journal with hashes that fit: whoever can write a file can count them too."""
    lines, chain = [], ""
    for line in data.split(b"\n")[:-1]:
        text = line.partition(b'"record":')[2][:-1] or line
        chain = hashlib.sha256(chain.encode() + text).hexdigest()[:32]
        lines.append(b'{"hash":"' + chain.encode() + b'","record":' + text + b"}\n")
    return b"".join(lines)


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "loader": loader,
    "ledger": ledger,
    "plan": plan,
    "journal": record,
}


def _said(document: Document) -> tuple[Any, list[Any]]:
    """Return all that a document says, with the place of everything; the two ways to a place agree."""
    places = list(document.places())
    for path, span in places:
        found = document.span(path, key=bool(path) and isinstance(path[-1], str))
        check(isinstance(path[-1:] and path[-1], int) or found == span, f"one place for {path}")
    return document.data, places


def _is_json(value: Any) -> None:
    """Check that values mean the same to every reader: as JSON they are YAML that says the same."""
    text = json.dumps(value, ensure_ascii=False)
    if _longest_key(value) > _LONGEST_KEY:
        return
    report = Report()
    again = [document.data for document in parse(Source("a.json", text), report)]
    check(not report.found and again == [value], f"JSON says the same: {text[:80]}")


def _longest_key(value: Any) -> int:
    if isinstance(value, dict):
        return max((max(len(key), _longest_key(child)) for key, child in value.items()), default=0)
    return max(map(_longest_key, value), default=0) if isinstance(value, list) else 0


def _told(report: Report, source: Source) -> None:
    """Check that diagnostics can be printed, and stand in the file that they are about."""
    found = report.sorted()
    text = as_text(found, {source.file: source.text})
    check(text.encode() is not None and text.replace("\n", "").isprintable(), "a terminal may have the text")
    json.dumps(as_json(found), ensure_ascii=False).encode()
    rows = source.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for entry in found:
        check(0 < entry.span.line <= len(rows), f"{entry.code} stands in a line of the file")
        check(0 < entry.span.column <= len(rows[entry.span.line - 1]) + 2, f"{entry.code} has a column")
