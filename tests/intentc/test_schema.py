"""The schemas accept what the loader accepts, and refuse what a person mistypes."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from intent.diagnostics import Report
from intent.documents import parse
from intent.kinds import KINDS
from intent.load import load
from intent.source import Source
from intentc.schema import schema

Json = dict[str, Any]
UNION = Draft202012Validator(schema(None))
HEAD = "apiVersion: intentc.dev/v1alpha1\n"


def read(text: str) -> Json:
    report = Report()
    (document,) = parse(Source("example.yaml", text), report)
    assert report.found == []
    data: Json = document.data
    return data


def messages(data: Json, *, union: bool) -> list[str]:
    validator = UNION if union else Draft202012Validator(schema(data["kind"]))
    return [error.message for error in validator.iter_errors(data)]


@pytest.mark.parametrize("kind", [None, *KINDS])
def test_the_schema_is_a_schema(kind: str | None) -> None:
    Draft202012Validator.check_schema(schema(kind))
    assert schema(kind)["$id"] == f"https://intentc.dev/schema/v1alpha1/{kind or 'intentc'}.json"


@pytest.mark.parametrize("union", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_each_kind_fits(kind: str, union: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    assert messages(read(KINDS[kind].example), union=union) == []


@pytest.mark.parametrize("union", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_mistyped_field_is_refused(kind: str, union: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    data = read(KINDS[kind].example)
    data["spec"]["descripton"] = "oops"
    assert messages(data, union=union) == [
        "Additional properties are not allowed ('descripton' was unexpected)"
    ]


def test_the_union_refuses_an_unknown_kind() -> None:
    data = read(KINDS["Cluster"].example)
    data["kind"] = "Clutser"
    assert [message[:30] for message in messages(data, union=True)] == ["'Clutser' is not one of ['Proj"]


def test_the_union_judges_by_the_chosen_kind_only() -> None:
    data = read(KINDS["SriovPool"].example)
    data["spec"]["vfs"] = 1000
    assert messages(data, union=True) == ["1000 is greater than the maximum of 256"]


def test_an_attachment_is_judged_by_its_type_only() -> None:
    data = read(KINDS["VirtualNetwork"].example)
    data["spec"]["attachments"][0]["trsut"] = True
    assert messages(data, union=True) == ["Additional properties are not allowed ('trsut' was unexpected)"]


# What the loader takes, although a picky schema would not.
ACCEPTED = {
    "digits as a label": "kind: NodeProfile\nmetadata: {name: p}\nspec:\n  labels: {rack: 10}\n",
    "digits as a PCI id": (
        "kind: NodeProfile\nmetadata: {name: p}\nspec:\n  nics: [{name: eth0, vendor: 8086}]\n"
    ),
    "a number as a range": "kind: Project\nmetadata: {name: p}\nspec:\n  pools: {vlan: 100}\n",
    "mixed ranges": "kind: Project\nmetadata: {name: p}\nspec:\n  pools: {vlan: [100, 200-300]}\n",
    "nothing where something may stand": (
        "kind: Node\nmetadata: {name: n}\nspec:\n  site:\n  ipv4:\n  uplink:\n"
    ),
    "an empty spec": "kind: NodeProfile\nmetadata: {name: p}\nspec: {}\n",
    "a route target with its prefix": (
        "kind: VirtualNetwork\nmetadata: {name: n}\nspec:\n  attachments: [{type: bareMetal}]\n"
        "  routeTargets: {imports: ['target:65000:10', '192.0.2.1:10']}\n"
    ),
    "IPv4 in IPv6": (
        "kind: VirtualNetwork\nmetadata: {name: n}\nspec:\n  attachments: [{type: bareMetal}]\n"
        "  subnets: [{cidr: '64:ff9b::192.0.2.0/120'}]\n"
    ),
    "braces in a range": (
        "kind: Node\nmetadata: {name: 'n-{n:02}', uid: 'u{n}'}\nspec:\n  range: {last: 3}\n"
        "  hostname: 'h{n}'\n  ipv4: '10.0.0.{n}'\n  ipv6: 'fd00::{n:x}'\n  site: 's{n-1}'\n"
        "  pins: {podsIpv4: '10.{n}.0.0/24', localsids: 'fcdd:{n+10}::/64'}\n"
        "  nics: [{name: 'eth{n}', pci: '0000:{n:02}:00.0', vendor: '{n}000'}]\n"
        "  bonds: [{name: bond0, nics: ['eth{n}', eth9], systemId: '02:00:00:00:00:{n:02}'}]\n"
        "  cables: [{nic: 'eth{n}', fabric: dc1, switch: 'leaf{n}', port: 'Ethernet{n}'}]\n"
    ),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_the_loader_accepts_the_schema_accepts(case: str) -> None:
    text = HEAD + ACCEPTED[case]
    report = Report()
    assert load([Source("a.yaml", text)], report)
    assert report.found == []
    assert messages(read(text), union=False) == []
    assert messages(read(text), union=True) == []


REFUSED = {
    "braces outside a Node": ("SRv6Policy", ("metadata", "name"), "p-{n}"),
    "a word that is none of the choices": ("Cluster", ("spec", "dataplane"), "calico"),
    "a number that is too small": ("Cluster", ("spec", "podMtu"), 100),
    "a prefix without length": ("Cluster", ("spec", "podCidrs", "ipv4"), "10.0.0.0"),
    "a list instead of a mapping": ("Cluster", ("spec", "podCidrs"), ["10.0.0.0/8"]),
    "true as a word": ("VirtualNetwork", ("spec", "extendToFabric"), "yes"),
    "an empty list": ("VirtualNetwork", ("spec", "attachments"), []),
    "a latency without unit": ("Underlay", ("spec", "links", 0, "latency"), 5),
    "one end of a link": ("Underlay", ("spec", "links", 0, "ends"), [{"at": "p1"}]),
    "a foreign apiVersion": ("Cluster", ("apiVersion",), "v1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_refused(case: str) -> None:
    kind, path, value = REFUSED[case]
    data = deepcopy(read(KINDS[kind].example))
    node: Any = data
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    assert messages(data, union=False) != []
    assert messages(data, union=True) != []


def test_our_marks_are_not_public() -> None:
    def keys(node: Any) -> set[str]:
        if isinstance(node, dict):
            return {*node, *(key for value in node.values() for key in keys(value))}
        return {key for item in node for key in keys(item)} if isinstance(node, list) else set()

    assert [key for key in keys(schema(None)) if key.startswith("x-")] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_described(kind: str) -> None:
    bare = [
        f"{name}.{field}"
        for name, part in schema(kind)["$defs"].items()
        for field, body in part.get("properties", {}).items()
        if not body.get("description") and "$ref" not in body
    ]
    assert bare == []
