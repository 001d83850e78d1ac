"""Documents become intents: kinds, ranges, uniqueness."""

from __future__ import annotations

import pytest

from intent.diagnostics import Report
from intent.kinds import KINDS
from intent.load import MAX_RANGE, envelope, load
from intent.model import Intent
from intent.source import Source

HEAD = "apiVersion: intentc.dev/v1alpha1\n"


def read(*texts: str) -> tuple[tuple[Intent, ...], list[str]]:
    report = Report()
    sources = [Source(f"{name}.yaml", text) for name, text in zip("abcdef", texts, strict=False)]
    found = load(sources, report)
    return found, [f"{entry.code}@{entry.span}" for entry in report.sorted()]


def node(name: str, spec: str = "{}", meta: str = "") -> str:
    return f"{HEAD}kind: Node\nmetadata:\n  name: {name}\n{meta}spec: {spec}\n"


def test_intents_come_sorted_by_kind_and_name_whatever_the_files() -> None:
    one, two = node("w2"), KINDS["Cluster"].example
    first, _ = read(one, two + "---\n" + node("w1"))
    second, _ = read(two, node("w1") + "---\n" + one)
    assert [(intent.kind, intent.name) for intent in first] == [
        ("Cluster", "edge"),
        ("Node", "w1"),
        ("Node", "w2"),
    ]
    assert [intent.name for intent in first] == [intent.name for intent in second]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a\n", ["IC1015@a.yaml:1:1"]),
        ("text\n", ["IC1015@a.yaml:1:1"]),
        ("kind: Node\n", ["IC1016@a.yaml:1:1"]),
        ("apiVersion: v1\nkind: Node\n", ["IC1016@a.yaml:1:13"]),
        ("apiVersion:\nkind: Node\n", ["IC1016@a.yaml:1:12"]),
        (HEAD, ["IC1017@a.yaml:1:1"]),
        (HEAD + "kind: Pod\n", ["IC1017@a.yaml:2:7"]),
        (HEAD + "kind: [Node]\n", ["IC1017@a.yaml:2:7"]),
        (HEAD + "kind: Node\n", ["IC1021@a.yaml:1:1"] * 1),
        (HEAD + "kind: Node\nmetadata: a\nspec: b\n", ["IC1022@a.yaml:3:11", "IC1022@a.yaml:4:7"]),
    ],
)
def test_what_is_no_intent_is_located(text: str, expected: list[str]) -> None:
    found, codes = read(text)
    assert found == ()
    assert sorted(set(codes)) == sorted(set(expected))


def test_all_errors_of_all_documents_come_in_one_run() -> None:
    _, codes = read(node("W1"), node("w2", "{mtu: 1, role: x}") + "---\n" + node("w3", "{stat: drain}"))
    assert codes == [
        "IC1023@a.yaml:4:9",
        "IC1020@b.yaml:5:8",
        "IC1022@b.yaml:5:22",
        "IC1020@b.yaml:11:8",
    ]


def test_a_wrong_document_does_not_hide_the_others() -> None:
    found, codes = read(node("w1") + "---\n" + node("w2", "{x: 1}") + "---\n" + node("w3"))
    assert [intent.name for intent in found] == ["w1", "w3"]
    assert len(codes) == 1


def test_a_name_belongs_to_one_document_of_its_kind() -> None:
    found, codes = read(node("w1"), node("w1"), KINDS["Cluster"].example.replace("edge", "w1"))
    assert [(intent.kind, intent.doc.file) for intent in found] == [("Cluster", "c.yaml"), ("Node", "a.yaml")]
    assert codes == ["IC1018@b.yaml:4:9"]


def test_a_uid_belongs_to_one_document_and_defaults_to_the_name() -> None:
    _, codes = read(node("w1", meta="  uid: x\n"), node("w2", meta="  uid: x\n"), node("x"))
    assert codes == ["IC1019@b.yaml:5:8", "IC1019@c.yaml:4:9"]


def test_a_swap_of_names_by_uid_is_no_clash() -> None:
    found, codes = read(node("w1", meta="  uid: w2\n"), node("w2", meta="  uid: w1\n"))
    assert (codes, [intent.subject for intent in found]) == ([], ["Node/w2", "Node/w1"])


def test_a_range_fills_in_every_text() -> None:
    spec = (
        "{range: {first: 9, last: 11}, hostname: 'h{n:02}', ipv4: '10.0.0.{n+10}', ipv6: 'fd00::{n:x}',"
        " site: 's{n-1}', labels: {rack: 'r{n:03}'},"
        " cables: [{nic: eth0, fabric: dc1, switch: leaf1, port: 'e{n}'}]}"
    )
    found, codes = read(node("'w{n}'", spec))
    assert codes == []
    assert [intent.name for intent in found] == ["w10", "w11", "w9"]
    last = found[-1]
    assert last.words == {"n": "9"}
    assert str(last.spec.ipv4) == "10.0.0.19"
    assert (last.spec.hostname, last.spec.site, last.spec.labels) == ("h09", "s8", {"rack": "r009"})
    assert [str(intent.spec.ipv6) for intent in found] == ["fd00::a", "fd00::b", "fd00::9"]
    assert [intent.spec.cables[0].port for intent in found] == ["e10", "e11", "e9"]
    assert {str(intent.span("spec", "ipv4")) for intent in found} == {"a.yaml:5:64"}


def test_a_range_that_makes_a_bad_value_is_told_once() -> None:
    _, codes = read(node("'w{n}'", "{range: {last: 300}, ipv4: '10.0.0.{n}'}"))
    assert codes == ["IC1023@a.yaml:5:34"]


@pytest.mark.parametrize(
    ("name", "spec", "meta", "code"),
    [
        ("w", "{range: {last: 2}}", "", "IC1025@a.yaml:4:9"),
        ("'w{n}'", "{range: {last: 2}}", "  uid: w\n", "IC1025@a.yaml:5:8"),
        ("'w{m}'", "{range: {last: 2}}", "", "IC1025@a.yaml:4:9"),
        ("'w{n}'", f"{{range: {{last: {MAX_RANGE + 1}}}}}", "", "IC1026@a.yaml:5:15"),
        ("'w{n}'", "{range: {first: 3, last: 2}}", "", "IC1024@a.yaml:5:32"),
        ("'w{n}'", "{range: {last: '2'}}", "", "IC1022@a.yaml:5:22"),
        ("'w{n}'", "{range: {}}", "", "IC1021@a.yaml:5:8"),
        ("'w{n}'", "{range: 5}", "", "IC1022@a.yaml:5:15"),
        ("'w{n}'", "{range: {first: -1, last: 2}}", "", "IC1022@a.yaml:5:23"),
        ("'w{n-2}'", "{range: {last: 2}}", "", "IC1023@a.yaml:4:9"),
    ],
)
def test_a_bad_range_is_located(name: str, spec: str, meta: str, code: str) -> None:
    found, codes = read(node(name, spec, meta))
    assert found == ()
    assert codes == [code]


def test_a_counter_may_begin_at_zero() -> None:
    found, codes = read(node("'w{n-3}'", "{range: {first: 3, last: 4}, ipv4: '10.0.0.{n}'}"))
    assert ([intent.name for intent in found], codes) == (["w0", "w1"], [])


def test_a_range_of_one_needs_no_counter() -> None:
    found, codes = read(node("w", "{range: {first: 7, last: 7}, ipv4: '10.0.0.{n}'}"))
    assert codes == []
    assert str(found[0].spec.ipv4) == "10.0.0.7"


def test_the_longest_range_is_allowed() -> None:
    found, codes = read(node("'w{n}'", f"{{range: {{last: {MAX_RANGE}}}}}"))
    assert (len(found), codes) == (MAX_RANGE, [])


def test_other_kinds_have_no_ranges() -> None:
    text = KINDS["SriovPool"].example.replace("upf-left", "upf-{n}")
    report = Report()
    assert load([Source("a.yaml", text)], report) == ()
    assert report.found[0].hint == "{n} is filled in only where spec.range is said"


def test_models_are_built_once() -> None:
    assert envelope("Node") is envelope("Node")
