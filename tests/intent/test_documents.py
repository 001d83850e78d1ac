"""YAML becomes plain values: nothing is guessed, nothing is lost, and every place is exact."""

from __future__ import annotations

from types import FunctionType
from typing import Any

import pytest
import ruamel.yaml.cyaml
from hypothesis import given, settings
from hypothesis import strategies as st

from intent.diagnostics import Report
from intent.documents import MAX_ALIASED, MAX_DEPTH, MAX_ERRORS, MAX_FIELDS, parse
from intent.source import Document, FieldPath, Source


def documents(text: str) -> tuple[list[Document], list[str]]:
    """Return documents, and codes with their places."""
    report = Report()
    found = parse(Source("a.yaml", text), report)
    return found, [f"{entry.code}@{entry.span.line}:{entry.span.column}" for entry in report.sorted()]


def value(text: str) -> Any:
    found, codes = documents(text)
    assert codes == []
    assert len(found) == 1
    return found[0].data


def codes(text: str) -> list[str]:
    return documents(text)[1]


def test_the_parser_is_the_one_in_c() -> None:
    """The one in Python would be forty times slower."""
    assert ruamel.yaml.cyaml.CParser.__module__.endswith("_ruamel_yaml")
    assert not isinstance(ruamel.yaml.cyaml.CParser.get_event, FunctionType)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("12", 12),
        ("0", 0),
        ("-5", -5),
        ("999999999999999999", 999999999999999999),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        # All of these stay text, whatever other readers make of them.
        ("010", "010"),
        ("0x10", "0x10"),
        ("0o10", "0o10"),
        ("-0", "-0"),
        ("+5", "+5"),
        ("1_000", "1_000"),
        ("1e3", "1e3"),
        ("1.5", "1.5"),
        (".inf", ".inf"),
        ("no", "no"),
        ("Yes", "Yes"),
        ("on", "on"),
        ("True", "True"),
        ("NULL", "NULL"),
        ("65000:10", "65000:10"),
        ("1:30", "1:30"),
        ("10:20:30:40:50:10", "10:20:30:40:50:10"),
        ("2026-01-02", "2026-01-02"),
        ("1000000000000000000", "1000000000000000000"),
        ("fd00::1", "fd00::1"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("''", ""),
        ("|\n  12\n", "12\n"),
        ("!!str 12", "12"),
    ],
)
def test_scalars_are_never_guessed(written: str, expected: object) -> None:
    found = value(f"a: {written}\n")["a"]
    assert found == expected
    assert type(found) is type(expected)


@given(st.from_regex(r"[-+0-9a-zA-Z_.]{1,20}", fullmatch=True))
def test_every_plain_word_turns_back_into_itself(word: str) -> None:
    if word in ("-", "---", "..."):
        return
    found = value(f"a: {word}\n")["a"]
    text = {True: "true", False: "false"}.get(found, str(found)) if isinstance(found, bool) else str(found)
    assert text == word or (found is None and word == "null")


def test_a_key_is_always_text() -> None:
    assert value("1: a\ntrue: b\nnull: c\n2026-01-02: d\n") == {
        "1": "a",
        "true": "b",
        "null": "c",
        "2026-01-02": "d",
    }


def test_several_documents_and_empty_ones() -> None:
    found, wrong = documents("---\na: 1\n---\n# nothing\n---\nb: 2\n...\n---\nnull\n")
    assert ([document.data for document in found], wrong) == ([{"a": 1}, {"b": 2}], [])


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n"])
def test_a_file_may_hold_nothing(text: str) -> None:
    assert documents(text) == ([], [])


def test_a_key_said_twice_keeps_the_first_and_tells_both_places() -> None:
    report = Report()
    (document,) = parse(Source("a.yaml", "a: 1\nb: {c: 1, c: 2}\na: {x: 3}\nz: 4\n"), report)
    assert document.data == {"a": 1, "b": {"c": 1}, "z": 4}
    assert [(entry.code, str(entry.span), str(entry.related[0].span)) for entry in report.sorted()] == [
        ("IC1007", "a.yaml:2:11", "a.yaml:2:5"),
        ("IC1007", "a.yaml:3:1", "a.yaml:1:1"),
    ]
    assert document.span(("z",)).line == 4


def test_keys_that_look_alike_after_reading_are_the_same() -> None:
    assert codes("a: 1\n'a': 2\n") == ["IC1007@2:1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &x {b: 1}\nc:\n  <<: *x\n", ["IC1008@3:3"]),
        ("a: !!int 5\n", ["IC1009@1:4"]),
        ("a: !vault x\n", ["IC1009@1:4"]),
        ("a: !!python/object:os.system [x]\n", ["IC1009@1:4"]),
        ("a: !!set {b}\n", ["IC1009@1:4"]),
        ("? [a, b]\n: c\n", ["IC1010@1:3"]),
        ("a: {{ x }}\n", ["IC1010@1:5"]),
        ("a: *x\n", ["IC1014@1:4"]),
        ("a: &x [*x]\n", ["IC1014@1:8"]),
        ("a: &x 1\n---\nb: *x\n", ["IC1014@3:4"]),
        ("a:\n\tb: 1\n", ["IC1006@2:1"]),
        ("a: [b\nc: d\n", ["IC1006@2:2"]),
        ("a: 'b\n", ["IC1006@1:4"]),
        ("a: 1\nbc", ["IC1006@2:3"]),
        ("a: \x01\n", ["IC1013@1:4"]),
        ("a: b\0\n", ["IC1013@1:5"]),
        ('a: "\\u202e"\n', ["IC1013@1:4"]),
        ('a: ["x\\e[31m"]\n', ["IC1013@1:5"]),
        ('"\\u200b": 1\n', ["IC1013@1:1"]),
        ("a: \u200bb\n", ["IC1013@1:4"]),
        ("\ufeffa: b\n", ["IC1013@1:1"]),
        ("a: b\r\nc: \u202ed\r\n", ["IC1013@2:4"]),
        ("a: b\u2028c: d\n", ["IC1013@1:5"]),
    ],
)
def test_what_is_not_allowed_is_located(text: str, expected: list[str]) -> None:
    assert codes(text) == expected


def test_escapes_that_are_seen_on_screen_are_text() -> None:
    assert value('a: "x\\ty\\n\\u00fc"\n') == {"a": "x\ty\nü"}


def test_the_marks_of_a_merge_conflict_are_told_as_such() -> None:
    report = Report()
    parse(Source("a.yaml", "a:\n<<<<<<< HEAD\n  b: 1\n=======\n  b: 2\n>>>>>>> topic\n"), report)
    assert [str(entry.span) for entry in report.found] == ["a.yaml:2:1"]
    assert "merge conflict" in report.found[0].message
    assert "delete the marks" in report.found[0].hint


def test_text_that_looks_like_a_merge_conflict_is_text() -> None:
    assert value("a: |\n  <<<<<<< HEAD\n  =======\n  >>>>>>> topic\n")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a:\n\tb: 1\n", "spaces, not tabs"),
        ("a: [65000:10]\n", "block form"),
        ("a: b: c\n", "quote text that holds ': '"),
        ("a: 'b\n", "never closed"),
        ("a: @b\n", "quote text that starts with @"),
        ("a: [b\n", "ends with ]"),
        ("a: {b: c\n", "ends with }"),
        ("a: 'b' c\n", "closing quote"),
    ],
)
def test_a_syntax_error_has_a_hint(text: str, part: str) -> None:
    report = Report()
    parse(Source("a.yaml", text), report)
    assert part in report.found[0].hint


def test_an_alias_repeats_a_value_even_null() -> None:
    assert value("a: &x {k: [1, 2]}\nb: *x\nc: &n null\nd: *n\n") == {
        "a": {"k": [1, 2]},
        "b": {"k": [1, 2]},
        "c": None,
        "d": None,
    }


def test_every_part_of_an_alias_stands_where_the_alias_stands() -> None:
    (document,), wrong = documents("a: &x {k: [1, 2]}\nb: *x\nc: 3\n")
    assert wrong == []
    assert [str(document.span(path)) for path in (("b",), ("b", "k"), ("b", "k", 1), ("c",))] == [
        "a.yaml:2:4",
        "a.yaml:2:4",
        "a.yaml:2:4",
        "a.yaml:3:4",
    ]


def test_a_document_that_explodes_is_stopped() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert [code[:6] for code in codes("\n".join(lines))] == ["IC1012"]


def test_aliases_up_to_the_limit_are_fine() -> None:
    assert codes("a: &x 1\nb: [" + "*x, " * (MAX_ALIASED - 1) + "*x]\n") == []
    assert codes("a: &x 1\nb: [" + "*x, " * MAX_ALIASED + "*x]\n") != []


def test_depth_is_limited() -> None:
    assert codes("[" * MAX_DEPTH + "]" * MAX_DEPTH) == []
    assert codes("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)) == [f"IC1011@1:{MAX_DEPTH + 1}"]


def test_a_very_deep_document_does_not_exhaust_the_stack() -> None:
    assert [code[:6] for code in codes("[" * 5000)] == ["IC1011"]
    assert [code[:6] for code in codes("a:\n" + "".join("  " * n + "- \n" for n in range(3000)))] in (
        ["IC1011"],
        [],
    )


WORDS = st.text("abcxyz019-_ .:#é", min_size=1, max_size=8).map(str.strip).filter(bool)
VALUES = st.recursive(
    WORDS | st.integers(0, 10**6) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=12,
)


class Writer:
    """Writes a value as YAML in a random style, and notes where each key and value stands."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.text = ""
        self.values: dict[FieldPath, tuple[int, int]] = {}
        self.keys: dict[FieldPath, tuple[int, int]] = {}

    def here(self) -> tuple[int, int]:
        return self.text.count("\n") + 1, len(self.text) - self.text.rfind("\n")

    def scalar(self, item: object) -> str:
        if isinstance(item, bool):
            return str(item).lower()
        return str(item) if isinstance(item, int) else "'" + str(item) + "'"

    def write(self, item: Any, path: FieldPath, indent: int) -> None:
        """Write a value behind `key:` or `-`; block collections start on a new line."""
        block = isinstance(item, dict | list) and bool(item) and self.draw(st.booleans())
        if block:
            self.write_block(item, path, indent)
            return
        self.text += " " * self.draw(st.integers(1, 3))
        self.values[path] = self.here()
        self.write_flow(item, path)
        self.text += self.draw(st.sampled_from(["\n", "  # comment\n", "\n\n"]))

    def write_block(self, item: Any, path: FieldPath, indent: int) -> None:
        self.text += "\n"
        pairs = item.items() if isinstance(item, dict) else enumerate(item)
        for number, (step, child) in enumerate(pairs):
            self.text += " " * indent
            if number == 0:
                self.values[path] = self.here()
            if isinstance(item, dict):
                self.keys[*path, step] = self.here()
                self.text += f"{self.scalar(step)}:"
            else:
                self.text += "-"
            self.write(child, (*path, step), indent + 2)

    def write_flow(self, item: Any, path: FieldPath) -> None:
        if not isinstance(item, dict | list):
            self.text += self.scalar(item)
            return
        self.text += "{" if isinstance(item, dict) else "["
        pairs = item.items() if isinstance(item, dict) else enumerate(item)
        for number, (step, child) in enumerate(pairs):
            self.text += ", " if number else ""
            if isinstance(item, dict):
                self.keys[*path, step] = self.here()
                self.text += f"{self.scalar(step)}: "
            self.values[*path, step] = self.here()
            self.write_flow(child, (*path, step))
        self.text += "}" if isinstance(item, dict) else "]"


@given(st.data(), st.dictionaries(WORDS, VALUES, min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_every_place_is_exact(data: st.DataObject, item: dict[str, Any]) -> None:
    writer = Writer(data.draw)
    writer.write_block(item, (), 0)
    (document,), wrong = documents(writer.text)
    assert wrong == []
    assert document.data == item
    for path, place in writer.values.items():
        span = document.span(path)
        key = writer.keys.get(path, place)
        # A mapping or list that begins below its key is placed at the key.
        expected = key if place[0] > key[0] else place
        assert (span.line, span.column) == expected, (writer.text, path)
    for path, place in writer.keys.items():
        span = document.span(path, key=True)
        assert (span.line, span.column) == place, (writer.text, path)
    # places() yields all of them in one walk: keys in mappings, values in lists.
    walked = {path: (span.line, span.column) for path, span in document.places()}
    assert walked == {**writer.values, **writer.keys}


@given(st.text("ab: -[]{}\n'\"#&*!|>%@`\t,?1", max_size=40))
@settings(max_examples=300, deadline=None)
def test_no_text_is_a_traceback(text: str) -> None:
    for document in documents(text)[0]:
        assert all(span.line > 0 for _, span in document.places())


def test_a_mapping_has_an_end() -> None:
    fits = "".join(f"k{number}: 1\n" for number in range(MAX_FIELDS))
    assert codes(fits) == []
    assert codes(f"{fits}more: 1\n") == [f"IC1035@{MAX_FIELDS + 1}:1"]


def test_errors_have_an_end() -> None:
    report = Report()
    assert parse(Source("a.yaml", "- !x 1\n" * (2 * MAX_ERRORS)), report) == []
    assert len(report.found) == MAX_ERRORS + 1
    assert (report.found[-1].code, report.found[-1].span.line) == ("IC1036", MAX_ERRORS)
