"""SR policies that travel by BGP: all of clusters that are ours, told apart, and none in slices."""

from __future__ import annotations

import pytest

from compiler.derived.announcements import calico_family, mark, marked
from compiler.graph import Scope
from renderers import RULES
from renderers.resource import Resource
from tests import overlays
from tests.overlays import CLUSTER, UNDERLAY, W1, network, node, policy, resources
from tests.renderers.test_calico_vpp import TE
from tests.support import Built, build

EDGE = Scope("cluster", "edge")
BGP = CLUSTER.replace("controlPlane: kubernetes", 'controlPlane: bgp\n  bgp: {injector: "fd22::ffff"}')
OURS = (UNDERLAY, node(1), node(2), node(3), BGP, policy(), network("blue", "10.9.0.0/16"))


def announced(built: Built, scope: Scope = EDGE) -> list[Resource]:
    return [item for item in resources(built, scope) if item.key.family == "srpolicy"]


@pytest.fixture(scope="module")
def built() -> Built:
    made = build(*OURS)
    assert made.codes == []
    return made


def test_what_slices_lack_is_announced(built: Built) -> None:
    """The union of both is what the other control plane gives to nodes."""
    other = build(*OURS[:4], CLUSTER, *OURS[5:])
    by_bgp = {
        item.spec["bsid"]: [
            {"weight": part["weight"], "sids": [hop["sid"] for hop in part["segments"]]}
            for part in item.spec["lists"]
        ]
        for item in announced(built)
    }
    for scope in (W1, overlays.W2, overlays.W3):
        plain = {item.key: item for item in resources(other, scope)}
        slim = {item.key: item for item in resources(built, scope)}
        policies = {key.name: item.spec["lists"] for key, item in plain.items() if key.type == "policy"}
        assert slim == {key: item for key, item in plain.items() if key.type != "policy"}
        assert policies.items() <= by_bgp.items()
        assert {item.spec["bsid"] for key, item in slim.items() if key.type == "steering"} == policies.keys()


def test_every_announcement_has_an_nlri_of_its_own(built: Built) -> None:
    found = announced(built)
    names = [item.key.name for item in found]
    assert len(set(names)) == len(names) == 3 * 3 + 2
    for item in found:
        spec = item.spec
        assert item.key.name == f"{spec['distinguisher']} {spec['color']} {spec['endpoint']}"
        assert marked(spec["distinguisher"]) == mark("edge")
        assert calico_family(spec["distinguisher"]) is None
        assert spec["color"] in (4, 6, 100)
        last = {part["segments"][-1]["sid"] for part in spec["lists"]}
        assert len(last) == 1
        assert (spec["distinguisher"] & 0xFFFF) == int(last.pop().rpartition(":")[2], 16), "its function"


def test_names_stay_when_others_come_and_go(built: Built) -> None:
    less = build(*OURS[:3], BGP, ledger=built.ledger)
    assert {item.key for item in announced(less)} < {item.key for item in announced(built)}


def test_preference_and_colour_are_those_of_the_policy(built: Built) -> None:
    te = [item.spec for item in announced(built) if item.subject.startswith("SRv6Policy/")]
    assert [(spec["color"], spec["preference"], len(spec["lists"])) for spec in te] == [(100, 200, 2)] * 2
    rest = [item.spec for item in announced(built) if not item.subject.startswith("SRv6Policy/")]
    assert {spec["preference"] for spec in rest} == {100}


def test_steering_comes_after_what_it_needs_was_announced() -> None:
    for plane in ("vpp", "linux"):
        assert ("srpolicy", "sr-policy") in RULES.needs[plane, "steering"]
        assert (plane, "localsid") in RULES.needs["srpolicy", "sr-policy"]


def test_an_announcement_needs_the_sid_that_it_ends_in(built: Built) -> None:
    """Where the node could not be told to decapsulate, nobody is told to send to it."""
    there = {item.key for scope in (W1, overlays.W2, overlays.W3) for item in resources(built, scope)}
    for item in announced(built):
        (need,) = item.needs
        assert need in there
        assert {part["segments"][-1]["sid"] for part in item.spec["lists"]} == {need.name}


def reflected(*texts: str) -> Built:
    said = [
        text.replace('injector: "fd22::ffff"', 'injector: "fd22::ffff", injection: reflected')
        for text in texts
    ]
    return build(*said)


def addressed(number: int, cluster: str = "edge") -> str:
    return node(number, cluster, f"  ipv4: 192.0.2.{number}\n")


def test_through_a_reflector_every_other_node_is_a_headend() -> None:
    built = reflected(UNDERLAY, addressed(1), addressed(2), addressed(3), BGP)
    assert built.codes == []
    for item in announced(built):
        mine = int(item.spec["endpoint"].rpartition(":")[2])
        assert item.spec["no_advertise"] is False
        assert item.spec["route_targets"] == [f"192.0.2.{number}" for number in (1, 2, 3) if number != mine]


def calico(*more: str) -> Built:
    return build(*overlays.CALICO_BASE, *more)


def test_a_calico_policy_without_a_sid_on_the_way_is_the_nodes_own_and_is_not_announced() -> None:
    shortest = "\n    - {name: short, dynamic: {objective: igp}}\n"
    built = calico(policy(shortest, headends="{clusters: [core]}", endpoints="{nodes: {names: [w2]}}"))
    assert built.codes == []
    assert announced(built, overlays.CORE) == []


def test_colours_do_not_matter_towards_calico_nodes() -> None:
    """A policy takes the place of another under the same NLRI, so that agents never choose between two."""
    one, two = (calico(TE.replace("color: 100", f"color: {color}")) for color in (100, 200))
    assert [item.key for item in announced(one, overlays.CORE)] == [
        item.key for item in announced(two, overlays.CORE)
    ]
