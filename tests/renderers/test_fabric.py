"""The neutral blueprint, and what holds for every resource of a fabric."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from compiler.graph import Scope
from renderers import RULES
from renderers.resource import Resource
from tests.fabrics import BASE, N3, NODES, WHOLE, compiled, for_frr, placed
from tests.support import build

HERE = Path(__file__).parent / "golden"
SCOPE = Scope("fabric", "dc1")
PODS = placed(
    ("upf-0", "w1", "n3", "ens1f0"), ("upf-0", "w1", "n6", "ens1f0"), ("upf-0", "w1", "n6", "ens1f1")
)


def apstra() -> list[Resource]:
    return compiled(*WHOLE, PODS).resources(SCOPE)


def frr() -> list[Resource]:
    return compiled(*for_frr(*WHOLE), PODS).resources(SCOPE)


def as_lines(resources: list[Resource]) -> str:
    """Write resources so that a reviewer can read them: one key, then its fields, each on a line."""
    blocks = []
    for resource in resources:
        fields = [f"  {name}: {json.dumps(value)}" for name, value in resource.spec.items()]
        blocks.append("\n".join([f"{resource.key.type} {resource.key.name}", *fields]))
    return "\n".join(blocks) + "\n"


def same_as_golden(name: str, text: str, update: bool) -> None:  # noqa: FBT001 -- handed on from a fixture
    file = HERE / name
    if update:
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_the_blueprint_is_as_written(update_golden: bool) -> None:  # noqa: FBT001 -- a fixture
    resources = [resource for resource in apstra() if resource.key.family == "fabric"]
    same_as_golden("blueprint.txt", as_lines(resources), update_golden)


def test_the_blueprint_is_a_view() -> None:
    assert {resource.view for resource in apstra() if resource.key.family == "fabric"} == {True}
    assert {resource.view for resource in apstra() if resource.key.family == "apstra"} == {False}


def test_each_provider_renders_its_own_family_only() -> None:
    assert {resource.key.family for resource in apstra()} == {"fabric", "apstra"}
    assert {resource.key.family for resource in frr()} == {"fabric", "frr"}


@pytest.mark.parametrize("render", [apstra, frr])
def test_no_two_resources_have_one_key(render: Any) -> None:
    keys = [resource.key for resource in render()]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("render", [apstra, frr])
def test_what_is_needed_is_rendered_and_its_type_declared(render: Any) -> None:
    resources = render()
    keys = {resource.key for resource in resources}
    needs = [(resource.key, need) for resource in resources for need in resource.needs]
    assert {need for _, need in needs} <= keys
    for key, need in needs:
        assert (need.family, need.type) in RULES.needs[key.family, key.type], (key, need)
    assert needs


@pytest.mark.parametrize("render", [apstra, frr])
def test_every_origin_names_a_field_that_is_there(render: Any) -> None:
    for resource in render():
        assert resource.origins, resource.key
        for origin in resource.origins:
            reached: Any = resource.spec
            for step in filter(None, origin.field.split(".")):
                reached = reached[int(step)] if isinstance(reached, list) else reached[step]


def test_the_slice_does_not_depend_on_the_order_of_documents() -> None:
    forward = compiled(*WHOLE, PODS).resources(SCOPE)
    backward = compiled(PODS, *reversed(WHOLE)).resources(SCOPE)
    assert [(one.key, one.spec) for one in forward] == [(two.key, two.spec) for two in backward]


def test_a_zone_imports_the_own_targets_of_the_zones_that_it_may_reach_and_no_others() -> None:
    zones = {resource.key.name: resource.spec for resource in apstra() if resource.key.type == "vrf"}
    assert zones["ran"]["import_targets"] == ["2000006:1"]
    assert zones["internet"]["import_targets"] == ["2000003:1", "65000:1"]
    assert zones["ran"]["export_targets"] == []


def test_spokes_import_the_hub_and_not_each_other() -> None:
    def part(name: str, prefix: str) -> str:
        return (
            N3.replace("name: n3", f"name: {name}, labels: {{part: {name}}}")
            .replace("10.10.3", prefix)
            .replace("zone: ran", f"zone: {name}")
            .replace("  vlan: 103\n  vni: 1000103\n", "")
        )

    def router(name: str, type_: str, rows: str, imports: str = "") -> str:
        head = f"kind: VirtualNetworkRouter\nmetadata: {{name: {name}}}\n"
        rule = f"{{key: part, operator: In, values: [{rows}]}}"
        return f"{head}spec: {{type: {type_}, networks: {{matchExpressions: [{rule}]}}{imports}}}\n"

    built = build(
        *BASE,
        part("hub", "10.1.0"),
        part("one", "10.2.0"),
        part("two", "10.3.0"),
        router("centre", "hub", "hub"),
        router("edges", "spoke", "'one', two", ", imports: [centre]"),
    )
    vrfs = {item.key.name: item.spec for item in built.resources(SCOPE) if item.key.type == "vrf"}
    own = {name: spec["route_target"] for name, spec in vrfs.items()}
    assert vrfs["hub"]["import_targets"] == sorted([own["one"], own["two"]])
    assert vrfs["one"]["import_targets"] == [own["hub"]]
    assert vrfs["two"]["import_targets"] == [own["hub"]]


def test_an_esi_is_stable_when_switches_are_renamed() -> None:
    def esi(*documents: str) -> Any:
        resources = build(*documents).resources(SCOPE)
        return next(
            item.spec["esi"] for item in resources if item.key == ("fabric", "fabric/dc1", "lag", "fw-bond0")
        )

    renamed = [document.replace("leaf1", "leaf-a") for document in WHOLE]
    assert esi(*WHOLE) == esi(*renamed)
    assert esi(*WHOLE).startswith("00:")


def test_a_fabric_that_nothing_reaches_has_its_switches_only() -> None:
    resources = build(BASE[0], NODES.replace("  range:", "  role: bareMetal\n  range:")).resources(SCOPE)
    types = {resource.key.type for resource in resources if resource.key.family == "fabric"}
    assert types == {"fabric", "switch", "redundancy-group", "server", "port"}
