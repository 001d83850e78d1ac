"""What a person reads, and what a machine reads."""

from __future__ import annotations

from intent.diagnostics import Related, Report, as_json, as_text, closest, did_you_mean
from intent.source import Span

TEXT = "kind: VirtualNetwork\nspec:\n\tmtu:\t99\n"


def shown(report: Report, text: str = TEXT) -> str:
    return as_text(report.sorted(), {"a.yaml": text})


def test_the_text_form() -> None:
    report = Report()
    places = [Related(Span("b.yaml", 9, 3), "also here")]
    report.error("IC1020", Span("a.yaml", 1, 7), "this is wrong", "do that", places)
    assert shown(report) == (
        "a.yaml:1:7: error[IC1020]: this is wrong\n"
        "    1 | kind: VirtualNetwork\n"
        "      |       ^\n"
        "  b.yaml:9:3: also here\n"
        "  hint: do that\n"
    )


def test_entries_are_parted_by_an_empty_line() -> None:
    report = Report()
    report.warning("IC1033", Span("a.yaml"), "one")
    report.note("IC1034", Span("a.yaml"), "two")
    assert shown(report) == "a.yaml: warning[IC1033]: one\n\na.yaml: note[IC1034]: two\n"


def test_nothing_is_said_where_nothing_was_found() -> None:
    assert shown(Report()) == ""


def test_tabs_do_not_move_the_caret() -> None:
    report = Report()
    report.error("IC1022", Span("a.yaml", 3, 7), "too small")
    assert shown(report).splitlines()[1:] == ["    3 |  mtu: 99", "      |       ^"]


def test_escape_codes_do_not_reach_the_terminal() -> None:
    report = Report()
    report.error("IC2502", Span("a.yaml", 1, 1), "no lease")
    assert "\x1b" not in shown(report, "\x1b[31mred\u202e\n")


def test_lines_end_as_yaml_says() -> None:
    report = Report()
    report.error("IC1022", Span("a.yaml", 3, 1), "here")
    assert shown(report, "one\r\ntwo\rthree\r\n").splitlines()[1] == "    3 | three"


def test_a_long_line_is_cut_around_the_column() -> None:
    report = Report()
    report.error("IC1022", Span("a.yaml", 1, 501), "here")
    _, row, caret = shown(report, "x" * 500 + "Y" + "z" * 500).splitlines()
    assert len(row) == len("    1 | ") + 160
    assert row[caret.index("^")] == "Y"


def test_the_caret_may_stand_behind_the_end_of_a_line() -> None:
    report = Report()
    report.error("IC1022", Span("a.yaml", 1, 6), "nothing here")
    assert shown(report, "spec:").splitlines()[1:] == ["    1 | spec:", "      |      ^"]


def test_a_place_that_the_text_does_not_have_shows_no_line() -> None:
    report = Report()
    report.error("IC1022", Span("a.yaml", 99, 1), "far")
    report.error("IC1022", Span("gone.yaml", 1, 1), "away")
    assert shown(report) == "a.yaml:99:1: error[IC1022]: far\n\ngone.yaml:1:1: error[IC1022]: away\n"


def test_order_is_by_file_and_line_and_each_is_said_once() -> None:
    report = Report()
    for line in (3, 1, 3):
        report.error("IC1022", Span("b.yaml", line, 1), "wrong", related=[Related(Span("c.yaml"), str(line))])
    report.error("IC1022", Span("b.yaml", 3, 1), "wrong", related=[Related(Span("c.yaml"), "another")])
    report.error("IC1022", Span("a.yaml", 9, 1), "wrong")
    assert [str(entry.span) for entry in report.sorted()] == ["a.yaml:9:1", "b.yaml:1:1", "b.yaml:3:1"]


def test_of_many_alike_at_one_place_the_first_are_shown() -> None:
    report = Report()
    for number in range(100):
        report.error("IC2505", Span("a.yaml", 1, 1), f"server {number:03}")
    report.error("IC2505", Span("a.yaml", 2, 3), "elsewhere")
    text = shown(report)
    assert [line for line in text.splitlines() if "server" in line] == [
        f"a.yaml:1:1: error[IC2505]: server {number:03}" for number in range(3)
    ]
    assert "  and 97 more like this at the same place\n" in text
    assert "elsewhere" in text
    assert len(as_json(report.sorted())) == 101


def test_only_errors_stop_the_line() -> None:
    report = Report()
    report.warning("IC1033", Span("a.yaml"), "hm")
    report.note("IC1033", Span("a.yaml"), "well")
    assert not report.failed
    report.error("IC1020", Span("a.yaml"), "no")
    assert report.failed


def test_the_json_form() -> None:
    report = Report()
    report.error("IC1020", Span("a.yaml", 1, 7), "wrong", "do that", [Related(Span("b.yaml", 9, 3), "there")])
    report.warning("IC1033", Span("intentc.yaml"), "hm")
    assert as_json(report.sorted()) == [
        {
            "code": "IC1020",
            "severity": "error",
            "message": "wrong",
            "file": "a.yaml",
            "line": 1,
            "column": 7,
            "hint": "do that",
            "related": [{"file": "b.yaml", "line": 9, "column": 3, "message": "there"}],
        },
        {
            "code": "IC1033",
            "severity": "warning",
            "message": "hm",
            "file": "intentc.yaml",
            "line": None,
            "column": None,
            "hint": None,
            "related": [],
        },
    ]


def test_a_close_word_is_named() -> None:
    assert did_you_mean("laef1", ["leaf1", "spine1"]) == "did you mean 'leaf1'?"
    assert did_you_mean("BareMetal", ["bareMetal", "overlay"]) == "did you mean 'bareMetal'?"


def test_a_few_words_are_listed_and_many_are_not() -> None:
    assert did_you_mean("xyz", ["b", "a", "b"]) == "known here: a, b"
    assert did_you_mean("xyz", [f"word{n}" for n in range(13)]) == ""
    assert did_you_mean("xyz", []) == ""


def test_a_word_is_not_offered_instead_of_itself() -> None:
    assert did_you_mean("w1", ["w1"]) == "known here: w1"


def test_the_closest_word() -> None:
    assert closest("upf-lft", ["upf-left", "upf-right"]) == "upf-left"
    assert closest("zzz", ["upf-left"]) is None


def test_hints_are_found_among_many_names() -> None:
    assert closest("worker-0123", [f"worker-{n:05}" for n in range(10_000)]) is not None
