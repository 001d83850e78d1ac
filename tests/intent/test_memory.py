"""With a memory or without: the same documents, at the same places, and the same diagnostics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intent import memory
from intent.diagnostics import Diagnostic, Report
from intent.documents import MAX_ALIASED, parse
from intent.memory import Memory, pieces
from intent.source import Document, Source

LINES = (
    "a: 1",
    "b: [x, y]",
    "c:",
    "  - d",
    "  - {e: f}",
    "---",
    "--- ",
    "--- g",
    "--- |",
    "---h",
    " ---",
    "...",
    "%YAML 1.2",
    "# note",
    "",
    "i: 'j",
    "---'",
    'k: "l',
    '"',
    "m: &n o",
    "p: *n",
    "  literal",
    "\tq: r",
    "a: 2",
    "s: |+",
    "t: [",
    "]",
    "<<: {u: v}",
    "w: !x y",
    "z: \u200b",
    "65000:10",
)
ENDS = ("\n", "\n", "\n", "\r\n", "\r", "")


def seen(documents: list[Document]) -> list[Any]:
    return [(document.file, repr(document.data), list(document.places())) for document in documents]


def told(source: Source, reader: Any) -> tuple[list[Any], list[Diagnostic]]:
    report = Report()
    return seen(reader(source, report)), report.found


def again(known: Memory) -> Memory:
    """Return what a later run knows."""
    return Memory(json.loads(json.dumps(known.used)))


def assert_same(text: str) -> Memory:
    source = Source("a.yaml", text)
    plain = told(source, parse)
    first = Memory()
    assert told(source, first.parse) == plain
    assert told(source, first.parse) == plain
    later = again(first)
    assert told(source, later.parse) == plain
    assert not later.news
    return first


@given(st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from(ENDS)), max_size=12))
def test_memory_changes_nothing(lines: list[tuple[str, str]]) -> None:
    assert_same("".join(line + end for line, end in lines))


@given(st.text(alphabet="ab:-' \"\n\r[]{}#&*!|>%.\t", max_size=40))
def test_memory_changes_nothing_of_any_text(text: str) -> None:
    assert_same(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "---\n",
        "a: 1\n---\nb: 2\n---\n# nothing\n---\nc: 3",
        "# first\n\n---\na: |\n  text\n  ---\n  more\n---\nb: 2\n",
        "a: |+\n  text\n\n---\nb: 2\n",
        "a: 'one\n--- two'\n",
        "a: [1,\n--- 2]\n",
        "%YAML 1.2\n---\na: 1\n---\nb: 2\n",
        "a: 1\n...\n%YAML 1.2\n---\nb: 2\n",
        "a: 1\r\n---\r\nb: 2\r\n",
        "a: 1\r---\rb: 2\r",
        "a: &x [1, 2]\nb: *x\n---\nc: &x 3\nd: *x\n",
        "a: 1\n---\nb: *x\n",
        "a: 1\na: 2\n---\nb: 1\n---\nc: !tag 1\n",
        "\ufeffa: 1\n",
        "a: 1\n---\n\ufeffb: 1\n",
        'a: "\\ud800"\n---\nb: 1\n',
    ],
)
def test_cases(text: str) -> None:
    assert "".join(pieces(text)) == text
    assert_same(text)


def test_aliases_are_counted_over_the_whole_file() -> None:
    one = f"a: &x [{', '.join('1' * (MAX_ALIASED // 2))}]\nb: *x\n"
    report = Report()
    text = f"{one}---\n{one}---\n{one}"
    Memory().parse(Source("a.yaml", text), report)
    assert [entry.code for entry in report.found] == ["IC1012"]
    assert_same(text)


def test_a_change_in_one_document_reads_only_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    first = assert_same("a: 1\n---\nb: 2\n---\nc: 3\n")
    read: list[str] = []

    def spy(source: Source, report: Report) -> list[Document]:
        read.append(source.text)
        return parse(source, report)

    monkeypatch.setattr(memory, "parse", spy)
    later = again(first)
    text = "# a note\n\na: 1\n---\nb: 4\n---\nc: 3\n"
    (_, _, third) = later.parse(Source("b.yaml", text), Report())
    assert read == ["# a note\n\na: 1\n", "---\nb: 4\n"]
    assert str(third.span(("c",))) == "b.yaml:7:4"
    assert set(later.used) == set(later.news) | (set(later.used) & set(first.used))


def test_pieces_with_a_fault_are_not_remembered() -> None:
    known = Memory()
    text = "a: 1\n---\nb: 1\nb: 2\n"
    assert told(Source("a.yaml", text), known.parse) == told(Source("a.yaml", text), parse)
    assert [said[0][0] for said in known.used.values()] == [{"a": 1}]


def test_values_that_cannot_be_made_are_not_remembered() -> None:
    known = Memory()
    assert known.recall(b"x", lambda: None) is None
    assert not known.used
    assert known.recall(b"x", list) == []
    assert known.recall(b"x", lambda: pytest.fail("made twice")) == []


def test_examples_are_cut_and_read_as_one() -> None:
    files = sorted((Path(__file__).parents[2] / "examples").rglob("*.yaml"))
    assert files
    for file in files:
        assert_same(file.read_text())
