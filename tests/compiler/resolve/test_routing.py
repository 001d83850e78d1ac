"""Routing zones: names, and whose routes VirtualNetworkRouters leak (CN2's semantics)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from pydantic import TypeAdapter

from compiler.resolve.routing import VRF_NAME, short_name, vrfs
from compiler.resolved import Vrf
from intent.diagnostics import Report
from intent.load import load
from intent.scalars import VrfName
from intent.source import Source
from tests.support import documents


def network(name: str, zone: str = "", labels: str = "", cidr: str = "10.0.0.0/24", extra: str = "") -> str:
    subnets = f"subnets: [{{cidr: {cidr}}}]" if cidr else ""
    return f"""kind: VirtualNetwork
metadata: {{name: {name}, labels: {{{labels}}}}}
spec:
  {f"zone: {zone}" if zone else ""}
  {subnets}
  attachments: [{{type: bareMetal}}]
  {extra}
"""


def router(name: str, role: str, *names: str, imports: str = "", select: str = "") -> str:
    chosen = select or f"names: [{', '.join(names)}]"
    return f"""kind: VirtualNetworkRouter
metadata: {{name: {name}}}
spec: {{type: {role}, networks: {{{chosen}}}, imports: [{imports}]}}
"""


def zones(*texts: str) -> tuple[Mapping[str, Vrf], list[str]]:
    """Return the zones, and the codes of what was said."""
    report = Report()
    loaded = load([Source("intent.yaml", documents(*texts))], report)
    assert not report.found
    kinds = ("VirtualNetwork", "VirtualNetworkRouter")
    parts = [{intent.name: intent for intent in loaded if intent.kind == kind} for kind in kinds]
    return vrfs(parts[0], parts[1], report), [entry.code for entry in report.sorted()]


def imports(*texts: str) -> dict[str, tuple[str, ...]]:
    found, said = zones(*texts)
    assert said == []
    return {name: vrf.imports for name, vrf in found.items()}


def three() -> tuple[str, ...]:
    return network("a"), network("b"), network("c")


# Names


def test_networks_share_the_zone_that_they_name() -> None:
    found, said = zones(network("a", "red"), network("b", "red"), network("c", "blue"), network("d"))
    assert said == []
    assert {name: vrf.networks for name, vrf in found.items()} == {
        "blue": ("c",),
        "d": ("d",),
        "red": ("a", "b"),
    }
    assert found["red"].subject == "zone/red"
    assert found["d"].subject == "VirtualNetwork/d/zone"


def test_a_layer_2_network_has_no_zone_of_its_own() -> None:
    assert zones(network("a", cidr=""))[0] == {}


@pytest.mark.parametrize(
    "name", ["n3", "n" * 15, "n" * 16, "a.b.c", "a-very-long-name-of-a-network", "5g-core", "5" * 40, "1.2"]
)
def test_the_name_of_an_own_zone_is_a_zone_name(name: str) -> None:
    (zone,) = zones(network(name))[0]
    assert len(zone) <= VRF_NAME
    assert TypeAdapter(VrfName).validate_python(zone) == zone
    if len(name) <= VRF_NAME and name[0].isalpha() and "." not in name:
        assert zone == name


def test_short_names_stay_apart() -> None:
    long = [f"a-very-long-name-of-network-{n}" for n in range(50)]
    assert len({short_name(name, VRF_NAME) for name in long}) == 50
    assert short_name("x" * 15, 15) == "x" * 15
    assert short_name("a.b", 15) == "a-b"


@pytest.mark.parametrize(
    "both",
    [
        (network("red"), network("b", "red")),
        (network("a.b"), network("a-b")),
        (network("5g"), network("v5g")),
    ],
)
def test_an_own_zone_needs_a_free_name(both: tuple[str, ...]) -> None:
    assert zones(*both)[1] == ["IC2041"]


@pytest.mark.parametrize(
    "text", [network("default"), network("a", "default"), network("all"), network("a", "lo")]
)
def test_reserved_names_are_refused(text: str) -> None:
    assert zones(text)[1] == ["IC2046"]


def test_route_targets_of_all_networks_of_a_zone() -> None:
    extra = "routeTargets: {{imports: ['65000:{}'], exports: ['65000:9']}}"
    found, _ = zones(network("b", "red", extra=extra.format(2)), network("a", "red", extra=extra.format(1)))
    assert found["red"].import_targets == ("65000:1", "65000:2")
    assert found["red"].export_targets == ("65000:9",)


# Routers


def test_without_a_router_nothing_is_imported() -> None:
    assert imports(*three()) == {"a": (), "b": (), "c": ()}


def test_a_mesh_joins_every_pair() -> None:
    assert imports(*three(), router("m", "mesh", "a", "b", "c")) == {
        "a": ("b", "c"),
        "b": ("a", "c"),
        "c": ("a", "b"),
    }


def test_a_mesh_inside_one_zone_imports_nothing() -> None:
    assert imports(network("a", "red"), network("b", "red"), router("m", "mesh", "a", "b")) == {"red": ()}


def test_a_hub_and_its_spokes() -> None:
    found = imports(
        *three(),
        network("h"),
        network("i"),
        router("hub", "hub", "h", "i"),
        router("left", "spoke", "a", "b", imports="hub"),
        router("right", "spoke", "c", imports="hub"),
    )
    assert found == {
        "a": ("h", "i"),
        "b": ("h", "i"),
        "c": ("h", "i"),
        "h": ("a", "b", "c"),
        "i": ("a", "b", "c"),
    }


def test_a_hub_may_name_its_spokes_instead_or_as_well() -> None:
    hub, spoke = router("hub", "hub", "a", imports="out"), router("out", "spoke", "b")
    want = {"a": ("b",), "b": ("a",)}
    assert imports(network("a"), network("b"), hub, spoke) == want
    both = router("out", "spoke", "b", imports="hub")
    assert imports(network("a"), network("b"), hub, both) == want


def test_a_hub_alone_and_a_spoke_alone_join_nothing() -> None:
    assert imports(*three(), router("hub", "hub", "a", "b"), router("out", "spoke", "b", "c")) == {
        "a": (),
        "b": (),
        "c": (),
    }


def test_a_network_may_be_in_several_routers() -> None:
    found = imports(*three(), router("one", "mesh", "a", "b"), router("two", "mesh", "b", "c"))
    assert found == {"a": ("b",), "b": ("a", "c"), "c": ("b",)}, "meshes are not transitive"


def test_meshes_that_import_each_other() -> None:
    one, two = router("one", "mesh", "a", imports="two"), router("two", "mesh", "b", "c", imports="one")
    assert imports(*three(), one, two) == {"a": ("b", "c"), "b": ("a", "c"), "c": ("a", "b")}


def test_an_import_on_one_side_is_a_warning() -> None:
    found, said = zones(*three(), router("one", "mesh", "a", imports="two"), router("two", "mesh", "b"))
    assert said == ["IC2043"]
    assert (found["a"].imports, found["b"].imports) == (("b",), ())


@pytest.mark.parametrize(
    ("one", "two"), [("hub", "hub"), ("spoke", "spoke"), ("mesh", "hub"), ("spoke", "mesh"), ("hub", "mesh")]
)
def test_roles_that_do_not_join(one: str, two: str) -> None:
    texts = (router("one", one, "a", imports="two"), router("two", two, "b"))
    assert zones(*three(), *texts)[1] == ["IC2044"]


def test_networks_of_one_spoke_must_not_share_a_zone() -> None:
    both = network("a", "red"), network("b", "red")
    assert zones(*both, router("s", "spoke", "a", "b"))[1] == ["IC2045"]
    assert zones(*both, router("h", "hub", "a", "b"))[1] == ["IC2045"]


def test_a_router_without_networks_is_a_warning() -> None:
    assert zones(*three(), router("m", "mesh", select="matchLabels: {plane: none}"))[1] == ["IC2042"]


def test_routers_choose_by_label() -> None:
    texts = network("a", labels="plane: user"), network("b", labels="plane: user"), network("c")
    found = imports(*texts, router("m", "mesh", select="matchLabels: {plane: user}"))
    assert found == {"a": ("b",), "b": ("a",), "c": ()}


def test_a_zone_knows_the_routers_that_joined_it() -> None:
    found, _ = zones(*three(), router("one", "mesh", "a", "b"), router("two", "mesh", "a", "c"))
    assert [cause.name for cause in found["a"].causes] == ["one", "two"]
    assert [cause.name for cause in found["c"].causes] == ["two"]


def test_a_mesh_of_many_networks_in_few_zones_costs_little() -> None:
    texts = [network(f"n{n}", f"zone{n % 4}") for n in range(1000)]
    found = imports(*texts, router("m", "mesh", select="all: true"))
    assert found["zone0"] == ("zone1", "zone2", "zone3")


def test_layer_2_networks_route_nowhere() -> None:
    assert imports(network("a"), network("b", cidr=""), router("m", "mesh", "a", "b")) == {"a": ()}
