"""New before old, over real renderings: at no moment of a plan does anything lack what it needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import permutations
from typing import Final

import pytest

from reconciler.drivers.base import Observation
from reconciler.plan import Plan, plan
from renderers import RULES
from renderers.resource import Key, Resource
from tests import fabrics, pods
from tests.overlays import BASE, CALICO_BASE, network, policy
from tests.renderers.test_cni import NETWORKS
from tests.support import build

World = Mapping[Key, Resource]

TE: Final = policy()
PINNED: Final = policy(bsids='{w2: "cafe:1::aaaa"}')
MOVED: Final = policy(bsids='{w2: "cafe:1::bbbb"}')
INTENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "nothing": (),
    "overlay": BASE,
    "path": (*BASE, TE),
    "pinned": (*BASE, PINNED),
    "moved": (*BASE, MOVED),
    "fewer-nodes": (*BASE[:3], *BASE[4:], TE),
    "networks": (*BASE, TE, network("blue", "10.1.0.0/16"), network("red", "10.2.0.0/16")),
    "calico": (*CALICO_BASE, policy(headends="{clusters: [core]}", endpoints="{nodes: {names: [w2]}}")),
    "pods": (*pods.GROUND, pods.CLUSTER, pods.LEFT, pods.RIGHT, *NETWORKS),
    "apstra": fabrics.WHOLE,
    "frr": fabrics.for_frr(*fabrics.WHOLE),
}
"""What a repository may say before and after."""


@cache
def world(name: str) -> World:
    """Return what an intent renders, views left out: nothing depends on them."""
    found = build(*INTENTS[name]).resources() if INTENTS[name] else []
    return {item.key: item for item in found if not item.view}


def planned(before: str, after: str) -> Plan:
    return plan({"one": world(after).values()}, {"one": Observation(world(before))}, RULES)


def moments(before: str, todo: Plan) -> Iterator[World]:
    """Yield what stands after each action."""
    standing = dict(world(before))
    for action in todo.actions:
        if action.after is None:
            del standing[action.key]
        else:
            standing[action.key] = action.after
        yield standing


PAIRS: Final = list(permutations(INTENTS, 2))


@pytest.mark.parametrize(("before", "after"), PAIRS, ids=map("-to-".join, PAIRS))
def test_at_no_moment_does_anything_lack_what_it_needs(before: str, after: str) -> None:
    """An object of the same type may come later: both are in one batch."""
    standing = world(before)
    for standing in moments(before, planned(before, after)):
        lacking = [
            f"{item.key} lacks {need}"
            for item in standing.values()
            for need in item.needs
            if need not in standing and need.type != item.key.type
        ]
        assert lacking == []
    assert standing == world(after)


@pytest.mark.parametrize(("before", "after"), [("overlay", "path"), ("path", "overlay"), ("pinned", "moved")])
def test_steering_moves_when_the_new_policy_stands_and_before_the_old_one_goes(
    before: str, after: str
) -> None:
    phases: dict[tuple[str, str], set[int]] = {}
    for action in planned(before, after).actions:
        phases.setdefault((action.key.type, action.operation), set()).add(action.phase)
    assert max(phases["policy", "create"]) < min(phases["steering", "update"])
    assert max(phases["steering", "update"]) < min(phases["policy", "delete"])


@pytest.mark.parametrize(("before", "after"), [("overlay", "path"), ("path", "overlay"), ("pinned", "moved")])
def test_another_path_costs_no_packet(before: str, after: str) -> None:
    actions = planned(before, after).actions
    assert actions
    assert {action.impact.level for action in actions} == {"hitless"}
