"""How Linux is told: typed objects, as the kernel shows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from compiler.elements.overlay import SegmentList
from intentc.session import begin
from lab import repository
from lab.spaces import Spaces
from reconciler.drivers.linux.commands import ORDER
from reconciler.plan import ranks
from renderers import RULES, render
from renderers.linux import NUMBER, policy
from renderers.resource import Key, Resource
from renderers.vpp_messages import ORDER as VPP_ORDER
from tests.overlays import BASE, CLUSTER, UNDERLAY, W1, network, node, resources
from tests.overlays import policy as sr_policy
from tests.support import Built, build

GOLDEN = Path(__file__).parent / "golden" / "linux-east-1.json"
VRFS = 'policies: "cafe:1::/112", vrfDevices: true'
ROUTER = (
    "kind: VirtualNetworkRouter\nmetadata: {name: r}\nspec: {type: mesh, networks: {matchLabels: {m: y}}}\n"
)


LINUX = CLUSTER.replace("dataplane: vpp", "dataplane: linux")
ZONES = (
    *BASE[:-1],
    LINUX.replace('policies: "cafe:1::/112"', VRFS),
    sr_policy(),
    network("blue", "10.1.0.0/16", "{m: y}"),
    network("red", "10.2.0.0/16", "{m: y}"),
    ROUTER,
)


def linux(cluster: str = LINUX, *more: str) -> Built:
    return build(*BASE[:-1], cluster, *more)


def with_zones() -> Built:
    return build(*ZONES)


def rendered(built: Built) -> list[Resource]:
    return [item for item in resources(built, W1) if item.key.family == "linux"]


def specs(built: Built, kind: str) -> dict[str, Any]:
    return {item.key.name: item.spec for item in rendered(built) if item.key.type == kind}


def test_a_node_has_one_data_plane() -> None:
    assert {item.key.family for item in resources(linux(), W1)} == {"linux", "cni"}
    assert "linux" not in {
        item.key.family for item in resources(build(UNDERLAY, node(1), node(2), CLUSTER), W1)
    }


def test_the_example_renders_what_was_reviewed(tmp_path: Path, *, update_golden: bool) -> None:
    repository.copy(tmp_path / "example", Spaces())
    graph = begin(tmp_path / "example").compiled.graph
    assert graph is not None
    (scope,) = [scope for scope in graph.scopes if str(scope) == "node/edge/east-1"]
    found = [item for item in render(graph, [scope]) if item.key.family == "linux"]
    text = "".join(f"{item.key.type} {item.key.name} {json.dumps(item.spec)}\n" for item in found)
    if update_golden:
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_pods_are_in_the_main_table_and_leased_none() -> None:
    built = linux()
    assert "table@" not in built.ledger
    assert {spec["table"] for spec in specs(built, "steering").values()} == {254}
    actions = sorted(spec["action"] for spec in specs(built, "localsid").values())
    assert actions == ["End.DT6 table 254", "End.DX4 nh4 0.0.0.0"]


def test_a_zone_has_a_vrf_with_its_bridges() -> None:
    built = with_zones()
    (first, second) = specs(built, "vrf").values()
    assert first["device"] == f"vrf{first['table']}"
    bridges = specs(built, "bridge")
    assert set(bridges) == {"br-blue", "br-red"}
    assert {spec["table"] for spec in bridges.values()} == {first["table"], second["table"]}
    actions = {spec["action"] for spec in specs(built, "localsid").values()}
    assert {f"End.DT4 vrftable {spec['table']}" for spec in (first, second)} < actions
    leaks = [spec for spec in specs(built, "route").values() if "lookup" in spec]
    assert {(spec["table"], spec["lookup"]) for spec in leaks} == {
        (first["table"], second["table"]),
        (second["table"], first["table"]),
    }


def test_a_zone_is_refused_where_the_kernel_has_no_vrf_devices() -> None:
    assert linux(LINUX, network("blue", "10.1.0.0/16")).codes == ["IC2602"]


def test_ranges_of_ours_lead_nowhere() -> None:
    drops = [spec["prefix"] for spec in specs(linux(), "route").values() if spec.get("drop")]
    assert "cafe:1::/112" in drops
    assert any(prefix.endswith("/64") and prefix.startswith("fcdd:") for prefix in drops)


@pytest.mark.parametrize(
    ("encapsulation", "modes"),
    [("full", {1: "encap.red", 3: "encap"}), ("reduced", {1: "encap.red", 3: "encap.red"})],
)
def test_one_sid_is_written_without_an_srh_and_more_as_intent_says(
    encapsulation: str, modes: dict[int, str]
) -> None:
    text = LINUX.replace("srv6: {", f"srv6: {{encapsulation: {encapsulation}, ")
    built = linux(
        text, sr_policy("\n    - {name: both, explicit: [{segments: [{router: p1}, {router: p2}]}]}\n")
    )
    assert built.codes == []
    lists = [row for spec in specs(built, "policy").values() for row in spec["lists"]]
    assert {len(row["sids"]): row["mode"] for row in lists} == modes


def test_weights_fit_into_a_group_and_keep_their_order() -> None:
    blank = Resource(Key("linux", "node/east/w1", "policy", "cafe::1"), {})
    lists = [SegmentList(weight, (f"fc00::{weight:x}",)) for weight in (1, 2, 500, 1000)]
    spec: Any = policy(blank, lists, "eth0", "full").spec
    assert {row["sids"][0]: row["weight"] for row in spec["lists"]} == {
        "fc00::1": 1,
        "fc00::2": 1,
        "fc00::1f4": 127,
        "fc00::3e8": 255,
    }
    kept: Any = policy(blank, lists[:2], "eth0", "full").spec
    assert [row["weight"] for row in kept["lists"]] == [1, 2]


def test_what_an_object_needs_is_rendered_too() -> None:
    found = rendered(with_zones())
    keys = [item.key for item in found]
    assert len(keys) == len(set(keys))
    # A policy also needs the service SID at its far end.
    assert {need for item in found for need in item.needs if need.scope == item.key.scope} <= set(keys)
    far = {item.key.type for item in found for need in item.needs if need.scope != item.key.scope}
    assert far == {"policy"}


def test_every_object_says_why_it_is_there() -> None:
    for item in rendered(with_zones()):
        assert item.origins, item.key
        fields = {origin.field.partition(".")[0] for origin in item.origins}
        assert fields - {""} <= set(item.spec), item.key


def test_types_are_made_in_the_order_of_their_needs() -> None:
    for (family, kind), needed in RULES.needs.items():
        if family == "linux":
            assert all(ORDER.index(name) < ORDER.index(kind) for other, name in needed if other == family)
    assert {kind for family, kind in RULES.effects if family == "linux"} == set(ORDER)


def test_far_ends_decapsulate_before_anybody_steers_to_them_in_a_mesh_of_both_data_planes() -> None:
    rank = ranks(RULES.needs)
    for near in ("linux", "vpp"):
        for far in ("linux", "vpp"):
            assert rank[far, "localsid"] < rank[near, "policy"] < rank[near, "steering"]
    assert "localsid" in VPP_ORDER


def test_the_mark_is_a_number_that_fits_everywhere() -> None:
    assert 4 < NUMBER < 256
