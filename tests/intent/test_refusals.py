"""Refusals of the models become sentences at the right place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intent.diagnostics import Diagnostic, Report, as_json, as_text
from intent.documents import parse
from intent.kinds import KINDS
from intent.load import load
from intent.refusals import written
from intent.source import Source
from tests.support import documents

HEAD = "apiVersion: intentc.dev/v1alpha1\n"


def told(kind: str, spec: str) -> list[Diagnostic]:
    """Return what is said of a document whose spec starts in line 5, in column 3."""
    body = "".join(f"  {line}\n" for line in spec.splitlines())
    report = Report()
    load([Source("a.yaml", f"{HEAD}kind: {kind}\nmetadata: {{name: n}}\nspec:\n{body}")], report)
    return report.sorted()


def lines(kind: str, spec: str) -> list[str]:
    return [
        f"{entry.span.line}:{entry.span.column} {entry.message} [{entry.hint}]" for entry in told(kind, spec)
    ]


BARE = "attachments: [{type: bareMetal}]\n"
PEER = """\
nodes: {all: true}
dataplane: vpp
controlPlane: bgp
podCidrs: {ipv4: 10.0.0.0/8}
bgp:
  peers:
    - name: rr
      address: fd00::1
      asn: 1
      password: {kubernetes: a}
"""
NAME_HINT = (
    "use lower-case letters, digits and '-', starting and ending with a letter or digit; "
    "parts may be joined by '.'; at most 253 characters"
)
IPAM_HINT = "its fields are mode, ranges, excludes, fixed, perNodeBlockSize, routes"
LIST_HINT = "each entry of the list is a mapping that starts with '- '"
NUMBER_HINT = "write 9000: numbers have no quotes and no leading zeros"


@pytest.mark.parametrize(
    ("kind", "spec", "expected"),
    [
        ("VirtualNetwork", BARE + "zoen: a", "6:3 unknown field 'zoen' [did you mean 'zone'?]"),
        (
            "VirtualNetwork",
            BARE + "ipam:\n  rnages: []",
            "7:5 unknown field 'rnages' [did you mean 'ranges'?]",
        ),
        (
            "VirtualNetwork",
            "attachments:\n  - type: bareMetal\n  - type: sriov\n    pool: a\n    trsut: true",
            "9:7 unknown field 'trsut' [did you mean 'trust'?]",
        ),
        (
            "VirtualNetwork",
            "attachments: [{type: bareMetal, a: 1}]",
            "5:35 unknown field 'a' [known here: type]",
        ),
        ("VirtualNetwork", "zone: a", "4:1 field 'attachments' is missing in spec []"),
        (
            "VirtualNetwork",
            "attachments:\n  - type: sriov",
            "6:7 field 'pool' is missing in spec.attachments[0] []",
        ),
        ("VirtualNetwork", "attachments: [{}]", "5:17 field 'type' is missing in spec.attachments[0] []"),
        (
            "VirtualNetwork",
            "attachments: [{type: baremetal}]",
            "5:24 type 'baremetal' is not known [did you mean 'bareMetal'?]",
        ),
        ("VirtualNetwork", "attachments: []", "5:16 needs at least 1 entry, found none []"),
        # The list is long enough: only its entry is at fault.
        (
            "VirtualNetwork",
            "attachments: [{type: sriov, pool: A}]",
            f"5:37 'A' is not a name [{NAME_HINT}: a]",
        ),
        (
            "VirtualNetwork",
            "attachments: bareMetal",
            f"5:16 expected a list, found 'bareMetal' [{LIST_HINT}]",
        ),
        (
            "VirtualNetwork",
            BARE + "dhcpRelay: 10.0.0.1",
            "6:14 expected a list, found '10.0.0.1' [write [10.0.0.1]]",
        ),
        (
            "VirtualNetwork",
            BARE + "ipam: [central]",
            f"6:9 expected a mapping, found a list [{IPAM_HINT}]",
        ),
        (
            "VirtualNetwork",
            BARE + "mtu: '9000'",
            f"6:8 expected a whole number, found '9000' [{NUMBER_HINT}]",
        ),
        ("VirtualNetwork", BARE + "mtu: 9k", "6:8 expected a whole number, found '9k' []"),
        ("VirtualNetwork", BARE + "mtu: ²", "6:8 expected a whole number, found '²' []"),
        ("VirtualNetwork", BARE + "mtu: --5", "6:8 expected a whole number, found '--5' []"),
        ("VirtualNetwork", BARE + "mtu: 100", "6:8 100 is too small: at least 1280 []"),
        ("VirtualNetwork", BARE + "mtu: 10000", "6:8 10000 is too large: at most 9216 []"),
        (
            "VirtualNetwork",
            BARE + "extendToFabric: Yes",
            "6:19 expected true or false, found 'Yes' [write true]",
        ),
        ("VirtualNetwork", BARE + "extendToFabric: 1", "6:19 expected true or false, found 1 []"),
        (
            "VirtualNetwork",
            BARE + "ipam: {mode: Central}",
            "6:16 'Central' is not one of central, hostLocal, dhcp, static, none [did you mean 'central'?]",
        ),
        (
            "VirtualNetwork",
            BARE + "ipam: {mode: 5}",
            "6:16 expected one of central, hostLocal, dhcp, static, none, found 5 []",
        ),
        ("VirtualNetwork", BARE + "subnets: [{cidr: [a]}]", "6:20 expected an IP prefix, found a list []"),
        (
            "VirtualNetwork",
            BARE + "subnets: [{cidr: {a: b}}]",
            "6:20 expected an IP prefix, found a mapping []",
        ),
        (
            "NodeProfile",
            "labels: {a: true}",
            "5:15 expected text, found true [put quotes around it to make it text: 'true']",
        ),
        ("NodeProfile", "labels: {a: [b]}", "5:15 expected text, found a list []"),
        ("NodeProfile", "labels: {a: }", "5:15 expected text, found nothing []"),
        ("NodeProfile", "bonds: [{name: b, nics: [a]}]", "5:27 needs at least 2 entries, found 1 []"),
        (
            "Underlay",
            "routers: []\nlinks:\n  - name: l\n    ends: [{at: a}]",
            "8:13 needs 2 entries, found 1 []",
        ),
        (
            "Underlay",
            "routers: []\nlinks:\n  - name: l\n    ends: [{at: a}, {at: b}, {at: c}]",
            "8:13 takes at most 2 entries []",
        ),
        (
            "Workload",
            "cluster: a\nnamespace: a\ninterfaces: [{network: a}]\nnodes: {all: false}",
            "8:16 false is not possible here [write true]",
        ),
        ("Cluster", PEER, "14:32 'a' is not a reference to a Kubernetes Secret [write namespace/name/key]"),
        (
            "SRv6Policy",
            "headends: {}\nendpoints: {}\ncolor: 1\ncandidatePaths: [{name: a}]\nbsids: {w1: x}",
            None,
        ),
    ],
)
def test_each_refusal_is_one_sentence_at_its_place(kind: str, spec: str, expected: str | None) -> None:
    if expected is None:
        assert [entry.code for entry in told(kind, spec)] == ["IC1024", "IC1023"]
    else:
        assert lines(kind, spec) == [expected]


def test_fields_that_do_not_go_together_point_at_one_of_them() -> None:
    (entry,) = told("VirtualNetwork", "zone: a\n" + BARE + "gateway: fabric")
    assert (entry.code, str(entry.span)) == ("IC1024", "a.yaml:7:12")


def test_a_mapping_that_says_nothing_is_told_at_its_key() -> None:
    (entry,) = told("SriovPool", "cluster: a\nnodes: {all: true}\nvfs: 8\nnics: {}")
    assert (entry.code, str(entry.span)) == ("IC1024", "a.yaml:8:3")


def test_a_twin_in_a_list_is_told_at_the_second() -> None:
    (entry,) = told("NodeProfile", "nics:\n  - name: a\n  - name: b\nbonds:\n  - name: a\n    nics: [a, b]")
    assert (entry.message, str(entry.span)) == ("NIC or bond 'a' is said twice", "a.yaml:9:13")


def test_a_long_value_is_cut() -> None:
    (entry,) = told("VirtualNetwork", BARE + "mtu: " + "x" * 100)
    assert entry.message == f"expected a whole number, found '{'x' * 57}…'"


def test_a_path_is_written_as_people_do() -> None:
    assert written(("spec", "subnets", 0, "cidr")) == "spec.subnets[0].cidr"
    assert written(()) == ""


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.just("{n}") | st.just("--5")
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_no_document_is_a_traceback(kind: str, data: st.DataObject) -> None:
    """Whatever stands at any place of an example: it is accepted, or refused at a place of the file."""
    (document,) = parse(Source("a.yaml", KINDS[kind].example), Report())
    paths = [path for path, _ in document.places() if path]
    path = data.draw(st.sampled_from(paths))
    node: Any = document.data
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = data.draw(ANYTHING)
    report = Report()
    text = json.dumps(document.data)
    load([Source("a.yaml", text)], report)
    assert all(entry.code.startswith("IC1") and entry.span.line == 1 for entry in report.sorted())
    as_text(report.sorted(), {"a.yaml": text})


def test_text_in_place_of_a_mapping_is_told_the_fields() -> None:
    found = lines("Node", "profile: a\nrange: 40")
    assert [line for line in found if "range" in line or "fields" in line] == [
        "6:10 expected a mapping, found 40 [its fields are first, last]"
    ]


def test_a_secret_in_intent_is_not_repeated() -> None:
    for value in ("canary-hunter2", "[canary-hunter2]", "12345678"):
        text = documents(
            "kind: Cluster\nmetadata: {name: a}\nspec:\n  bgp:\n    peers:\n"
            f"      - {{name: p, address: 192.0.2.1, asn: 1, password: {value}}}\n"
        )
        report = Report()
        assert load([Source("a.yaml", text)], report) == ()
        found = report.sorted()
        assert "IC1027" in [entry.code for entry in found]
        shown = as_text([entry for entry in found if entry.private], {"a.yaml": text}) + str(as_json(found))
        assert value.strip("[]") not in shown
