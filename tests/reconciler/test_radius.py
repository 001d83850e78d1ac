"""The blast radius: whom an object touches beyond its own scope, and how badly."""

from __future__ import annotations

from typing import Any

from reconciler.plan import Observation, plan
from reconciler.radius import THINGS, Radius, Reach, radius, reach
from renderers.resource import Key, Resource
from renderers.rules import Effect, Rules
from tests import fabrics
from tests.support import build

KNOWN = Reach(
    names={"VirtualNetwork/uid": "blue", "Node/n1": "node-1", "SRv6Policy/east": "east"},
    nodes={"SriovPool/left": frozenset({"n1", "n2"}), "cluster/c": frozenset({"n1", "n2", "n3"})},
    ports={
        "VirtualNetwork/uid": frozenset({"dc1/leaf1/e1", "dc1/leaf2/e1", "dc2/leaf1/e1"}),
        "dc1/bond": frozenset({"dc1/leaf1/e7", "dc1/leaf2/e7"}),
    },
    every=frozenset({f"dc1/leaf{leaf}/e{port}" for leaf in (1, 2) for port in (1, 2, 7)}),
)


def touched(scope: str, type_: str, name: str, subject: str, **more: Any) -> Radius:
    """Return the radius of one change of one object."""
    specs = more.pop("specs", ({"v": 1}, {"v": 2}))
    key = Key("f", scope, type_, name)
    before, after = (Resource(key, spec, subject, **more) for spec in specs)
    drain = Effect("drain", "it says so", fields=frozenset({"drains"}))
    found = plan({"t": [after]}, {"t": Observation({key: before})}, Rules(effects={("f", type_): (drain,)}))
    return {thing: names for thing, names in radius(found.actions, KNOWN).items() if names}


def test_an_object_of_a_node_touches_node_cluster_and_its_document() -> None:
    assert touched("node/c/n1", "policy", "p", "SRv6Policy/east/x") == {
        "clusters": {"c": "brief loss"},
        "nodes": {"n1": "brief loss"},
        "policies": {"east": "brief loss"},
    }


def test_an_object_of_a_cluster_that_belongs_to_a_node_touches_the_node() -> None:
    found = touched("cluster/c", "IPPool", "sids-n2", "Node/n2")
    assert found == {"clusters": {"c": "brief loss"}, "nodes": {"n2": "brief loss"}}


def test_a_network_is_called_by_its_name_and_touches_its_ports_of_that_fabric() -> None:
    assert touched("fabric/dc1", "virtual-network", "blue", "VirtualNetwork/uid") == {
        "networks": {"blue": "brief loss"},
        "leaf ports": dict.fromkeys(("dc1/leaf1/e1", "dc1/leaf2/e1"), "brief loss"),
    }


def test_a_pool_touches_its_nodes() -> None:
    assert touched("cluster/c", "SriovNetworkNodePolicy", "p", "SriovPool/left")["nodes"] == {
        "n1": "brief loss",
        "n2": "brief loss",
    }


def test_what_drains_a_cluster_drains_each_of_its_nodes() -> None:
    specs = ({"drains": 1}, {"drains": 2})
    found = touched("cluster/c", "Installation", "default", "Cluster/c", specs=specs)
    assert found["nodes"] == dict.fromkeys(("n1", "n2", "n3"), "drain")
    assert "nodes" not in touched("cluster/c", "Installation", "default", "Cluster/c")


def test_an_object_that_names_a_port_or_a_lag_touches_that() -> None:
    assert touched("fabric/dc1", "assignment", "leaf1/e2", "Node/n1") == {
        "nodes": {"node-1": "brief loss"},
        "leaf ports": {"dc1/leaf1/e2": "brief loss"},
    }
    lag = touched("fabric/dc1", "assignment", "rack/bond", "Node/n1")["leaf ports"]
    assert set(lag) == {"dc1/leaf1/e7", "dc1/leaf2/e7"}


def test_a_text_touches_the_ports_that_its_changed_lines_name() -> None:
    specs = ({"text": "dev e1 up\ndev e2 up\n"}, {"text": "dev e1 up\ndev e2.100 up\ndev e9 up\n"})
    found = touched("fabric/dc1", "links", "leaf1.ip", "Fabric/dc1/leaf1", specs=specs)
    assert found["leaf ports"] == {"dc1/leaf1/e2": "brief loss"}


def test_views_touch_nothing() -> None:
    assert touched("node/c/n1", "exec", "x", "Node/n1", view=True) == {}


def test_the_worst_counts() -> None:
    keys = [Key("f", "node/c/n1", "a", name) for name in ("x", "y")]
    seen = Observation({key: Resource(key, {}, "Node/n1") for key in keys})
    found = plan({"t": [Resource(keys[0], {"v": 1}, "Node/n1")]}, {"t": seen})
    assert radius(found.actions, Reach())["nodes"] == {"n1": "destroy"}
    assert set(radius((), Reach())) == set(THINGS)


def test_reach_knows_the_ports_of_networks_nodes_and_lags() -> None:
    resolved = build(*fabrics.WHOLE).compiled.resolved
    assert resolved
    known = reach(resolved)
    for port, wire in resolved.wired.items():
        assert str(port) in known.ports[resolved.servers[wire.server].intent.subject]
    for lag in resolved.lags.values():
        assert known.ports[f"{lag.fabric}/{lag.name}"] == {str(port) for port in lag.members}
    assert any(subject.startswith("VirtualNetwork/") for subject in known.ports)
    assert set().union(*known.ports.values()) == known.every


def test_two_states_reach_what_either_does() -> None:
    other = Reach({"VirtualNetwork/uid": "red"}, {"SriovPool/left": frozenset({"n9"})}, {}, frozenset({"x"}))
    both = KNOWN | other
    assert both.names["VirtualNetwork/uid"] == "red"
    assert both.nodes["SriovPool/left"] == {"n1", "n2", "n9"}
    assert both.every == KNOWN.every | {"x"}
