from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from intent.diagnostics import Report
from intent.documents import HIDDEN, parse
from intent.source import Source
from reconciler.manifest import emit

LINES = st.lists(
    st.sampled_from(["", " ", "\t", "a", " a", "a ", "\ta", "#", "---", "- x", "k: v"]), max_size=5
)
TEXT = st.one_of(
    LINES.map("\n".join),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text(" \t\n\r#:-'\"|>&*!%@`{}[],?=~<0123456789abcxyeE._\\\u00a0"),
    st.sampled_from(
        [
            "yes",
            "No",
            "on",
            "~",
            "null",
            "0x1F",
            "010",
            "1_000",
            "1e3",
            ".inf",
            "2026-01-02",
            "12:30:45",
            "---",
        ]
    ),
).filter(lambda text: not HIDDEN.search(text))  # intent refuses them, so nothing that is rendered holds any
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(10**18) + 1, 10**18 - 1), TEXT)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXT.filter(lambda key: key != "<<"), inner, max_size=4)
    ),
    max_leaves=20,
)
MANIFESTS = st.dictionaries(TEXT.filter(lambda key: key != "<<"), VALUES, max_size=5)


def same(left: Any, right: Any) -> bool:
    """Compare with types: 1 and True are equal in Python and not in YAML."""
    return repr(left) == repr(right)


@given(MANIFESTS)
def test_our_reader_gives_back_what_was_written(value: dict[str, Any]) -> None:
    report = Report()
    documents = parse(Source("f.yaml", emit(value)), report)
    assert report.found == []
    assert same([document.data for document in documents], [value])


@given(MANIFESTS)
def test_every_other_reader_gives_back_what_was_written(value: dict[str, Any]) -> None:
    assert same(YAML(typ="safe").load(emit(value)), value)


def test_no_short_text_is_read_differently() -> None:
    texts = ["".join(signs) for length in range(1, 5) for signs in product("\n \ta#", repeat=length)]
    value = {"texts": texts, "deeper": {text: [[text]] for text in texts}}
    (document,) = parse(Source("f.yaml", emit(value)), Report())
    assert document.data == YAML(typ="safe").load(emit(value)) == value


@given(MANIFESTS)
def test_lines_hold_nothing_that_a_reviewer_cannot_see(value: dict[str, Any]) -> None:
    text = emit(value)
    assert text.endswith("\n")
    assert all(line.replace("\t", "").isprintable() for line in text.split("\n"))


def test_it_reads_as_if_a_person_had_written_it() -> None:
    value = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "frr", "labels": {}, "annotations": {"k8s.v1.cni.cncf.io/networks": "a/b"}},
        "data": {"frr.conf": "router bgp 65000\n\n  neighbor fc00::1\n", "asn": "65000", "on": "no"},
        "items": [{"a": 1, "b": [True, None]}, ["x", ["y z"]], [], "10.0.0.0/24"],
    }
    assert emit(value) == (
        "apiVersion: v1\n"
        "kind: ConfigMap\n"
        "metadata:\n"
        "  name: frr\n"
        "  labels: {}\n"
        "  annotations:\n"
        "    k8s.v1.cni.cncf.io/networks: a/b\n"
        "data:\n"
        "  frr.conf: |\n"
        "    router bgp 65000\n"
        "\n"
        "      neighbor fc00::1\n"
        '  asn: "65000"\n'
        '  "on": "no"\n'
        "items:\n"
        "  - a: 1\n"
        "    b:\n"
        "      - true\n"
        "      - null\n"
        "  - - x\n"
        "    - - y z\n"
        "  - []\n"
        '  - "10.0.0.0/24"\n'
    )


@pytest.mark.parametrize("value", [1.5, 10**18, {"a"}, ("a",), b"a"])
def test_what_yaml_cannot_give_back_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="cannot be written as YAML"):
        emit({"a": [value]})


@pytest.mark.parametrize("key", ["<<", 1, None, "k" * 1100])
def test_keys_that_yaml_cannot_give_back_are_refused(key: Any) -> None:
    with pytest.raises(ValueError, match="cannot be a key"):
        emit({key: 1})
