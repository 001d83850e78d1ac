"""References are found where the models mark them, and each wrong name is told once."""

from __future__ import annotations

from typing import Any

import pytest

from compiler.resolve.names import resolve
from compiler.resolve.refs import references
from intent.diagnostics import Report
from intent.kinds import KINDS
from intent.load import load
from intent.model import Intent
from intent.source import Source
from tests.ledgers import cluster, fabric, network, node
from tests.support import PROJECT, build, documents


def one(text: str) -> Intent:
    report = Report()
    return load([Source("intent.yaml", documents(text))], report)[0]


def found(text: str) -> list[tuple[str, str, str]]:
    """Return kind, name and path of each reference."""
    return [(ref.kinds[0], ref.name, ".".join(map(str, ref.path))) for ref in references(one(text))]


def test_text_lists_selectors_and_unions() -> None:
    text = """kind: VirtualNetwork
metadata: {name: n}
spec:
  subnets: [{cidr: 10.0.0.0/24}]
  attachments:
    - {type: sriov, pool: left}
    - {type: sriovBond, pools: [left, right]}
    - {type: overlay, clusters: [edge]}
    - {type: bareMetal}
  ipam:
    ranges: [{first: 10.0.0.1, last: 10.0.0.9, cluster: core}]
"""
    assert found(text) == [
        ("SriovPool", "left", "spec.attachments.0.pool"),
        ("SriovPool", "left", "spec.attachments.1.pools.0"),
        ("SriovPool", "right", "spec.attachments.1.pools.1"),
        ("Cluster", "edge", "spec.attachments.2.clusters.0"),
        ("Cluster", "core", "spec.ipam.ranges.0.cluster"),
    ]


def test_names_of_a_selector_but_not_its_labels() -> None:
    assert found(cluster("edge").replace("matchLabels: {cluster: edge}", "names: [w1, w2]"))[:2] == [
        ("Node", "w1", "spec.nodes.names.0"),
        ("Node", "w2", "spec.nodes.names.1"),
    ]
    assert not [ref for ref in found(cluster("edge")) if ref[0] == "Node"]


def test_keys_of_a_mapping() -> None:
    text = """kind: SRv6Policy
metadata: {name: p}
spec:
  headends: {sites: [a]}
  endpoints: {clusters: [edge]}
  color: 1
  candidatePaths: [{name: a, explicit: [{segments: [{router: p1}]}]}]
  bsids: {w1: "cafe::1"}
"""
    assert ("Node", "w1", "spec.bsids.w1") in found(text)
    assert ("Cluster", "edge", "spec.endpoints.clusters.0") in found(text)


@pytest.mark.parametrize("kind", sorted(kind for kind, spec in KINDS.items() if spec.example))
def test_every_mark_of_an_example_is_found(kind: str) -> None:
    """The JSON Schema carries the same marks, found in another way."""
    intent, schema = one(KINDS[kind].example), KINDS[kind].model_json_schema(by_alias=True)

    def marked(part: dict[str, Any], here: Any) -> int:
        part = schema["$defs"][part["$ref"].rsplit("/", 1)[1]] | part if "$ref" in part else part
        if "x-ref" in part:
            return 1 if isinstance(here, str) else len(here.get("names", ()))
        if "anyOf" in part or "oneOf" in part:
            return max(marked(choice, here) for choice in part.get("anyOf", part.get("oneOf", [])))
        if isinstance(here, dict):
            rows = part.get("properties", {})
            return sum(marked(rows[key], inner) for key, inner in here.items() if key in rows)
        if isinstance(here, list):
            return sum(marked(part.get("items", {}), inner) for inner in here)
        return 0

    assert len(references(intent)) == marked(schema, intent.doc.data["spec"])


def test_a_wrong_name_stops_the_line_with_a_suggestion() -> None:
    built = build(fabric("dc1"), network("n1", "dc2"))
    assert built.codes == ["IC2001"]
    assert built.compiled.resolved is None
    (error,) = built.diagnostics
    assert error.message == "Fabric 'dc2' does not exist"
    assert error.hint == "did you mean 'dc1'?"


def test_a_wrong_name_in_a_range_is_told_once() -> None:
    report = Report()
    text = node("w{n}", spec="profile: nothing\n  range: {last: 50}")
    loaded = load([Source("intent.yaml", documents(text))], report)
    (root,) = load([Source("intentc.yaml", PROJECT)], report)
    assert resolve(root, loaded, (), report) is None
    assert [entry.code for entry in report.found] == ["IC2001"]


def test_targets_and_facts_name_documents_too() -> None:
    project = PROJECT.replace("spec: {}", "spec: {targets: [{name: a, clusters: [nowhere]}]}")
    assert build(fabric("dc1"), project=project).codes == ["IC2001"]
    facts = "kind: Facts\nmetadata: {name: f}\nspec: {nodes: [{node: w9, address: 'fd00::1'}]}\n"
    assert build(facts).codes == ["IC2001"]
