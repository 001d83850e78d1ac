"""Which target takes which object."""

from __future__ import annotations

import pytest

from intent.kinds.project import Target
from reconciler.targets import route, takes
from renderers.resource import Key, Resource


def target(**said: object) -> Target:
    return Target.model_validate({"name": "t", **said})


def key(scope: str, family: str = "vpp") -> Key:
    return Key(family, scope, "policy", "p")


SCOPES = (
    "cluster/edge",
    "node/edge/w1",
    "cluster/core",
    "node/core/w1",
    "fabric/dc1",
    "fabric/edge",
    "router/p1",
)


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        ({}, set(SCOPES)),
        ({"clusters": ["edge"]}, {"cluster/edge", "node/edge/w1"}),
        ({"fabrics": ["dc1"]}, {"fabric/dc1"}),
        ({"clusters": ["core"], "fabrics": ["edge"]}, {"cluster/core", "node/core/w1", "fabric/edge"}),
        ({"families": ["vpp"]}, set(SCOPES)),
        ({"families": ["apstra"]}, set()),
        ({"families": ["vpp"], "clusters": ["edge"]}, {"cluster/edge", "node/edge/w1"}),
    ],
)
def test_a_target_takes_what_all_its_filters_let_through(said: dict[str, object], taken: set[str]) -> None:
    assert {scope for scope in SCOPES if takes(target(**said), key(scope))} == taken


def test_a_resource_goes_to_every_target_that_takes_it_and_the_rest_is_left() -> None:
    both = target(name="a", clusters=["edge"]), target(name="b", families=["vpp"], clusters=["edge", "core"])
    resources = [Resource(key(scope), {}, "Thing/x") for scope in SCOPES]
    taken, left = route(both, resources)
    assert {name: [one.key.scope for one in several] for name, several in taken.items()} == {
        "a": ["cluster/edge", "node/edge/w1"],
        "b": ["cluster/edge", "node/edge/w1", "cluster/core", "node/core/w1"],
    }
    assert [one.key.scope for one in left] == ["fabric/dc1", "fabric/edge", "router/p1"]


def test_a_target_that_takes_nothing_is_there_all_the_same() -> None:
    assert route([target(families=["apstra"])], []) == ({"t": []}, [])
