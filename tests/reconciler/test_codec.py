from __future__ import annotations

import json
from typing import Any

import pytest

from intent.diagnostics import Report
from intent.documents import parse
from intent.model import Intent, Metadata, Origin
from intent.source import Source
from reconciler.codec import as_json, from_json
from reconciler.plan import Observation, Plan, plan
from renderers.resource import Key, Resource

VRF = Key("vpp", "node/a/n1", "vrf", "7")


def example() -> Plan:
    (document,) = parse(Source("blue.yaml", "kind: VirtualNetwork\nspec:\n  vni: 7\n"), Report())
    intent = Intent("VirtualNetwork", "blue", Metadata(name="blue"), None, document)
    before = Resource(VRF, {"table": 7, "old": None}, "VirtualNetwork/blue")
    after = Resource(
        VRF, {"table": 8}, "VirtualNetwork/blue", origins=(Origin("table", intent, ("spec", "vni"), "same"),)
    )
    view = Resource(Key("vpp", "node/a/n1", "exec", "n1.exec"), {"text": "x\n"}, needs=(VRF,), view=True)
    gone = Resource(Key("vpp", "node/a/n1", "vrf", "9"), {"table": 9})
    return plan({"t": [after, view]}, {"t": Observation({VRF: before, gone.key: gone})})


def test_the_form_is_versioned_and_says_what_a_reviewer_asks() -> None:
    data = as_json(example())
    assert data["format"] == "intentc-plan/1"
    assert data["summary"] == {
        "create": 0,
        "update": 1,
        "replace": 0,
        "delete": 1,
        "views": 1,
        "unchanged": 0,
    }
    first = data["actions"][0]
    assert first["key"] == {"family": "vpp", "scope": "node/a/n1", "type": "vrf", "name": "7"}
    assert first["changes"] == [{"path": "old", "before": None}, {"path": "table", "before": 7, "after": 8}]
    assert first["origins"] == [{"field": "table", "at": "blue.yaml:3:8", "rule": "same"}]
    assert [action["before"] is None for action in data["actions"]] == [False, False, True]


def test_a_saved_plan_is_the_plan() -> None:
    approved = example()
    again = from_json(json.loads(json.dumps(as_json(approved))))
    assert again == approved
    assert [action.view for action in again.actions] == [action.view for action in approved.actions]
    assert [action.resource.needs for action in again.actions] == [a.resource.needs for a in approved.actions]
    assert [action.subject for action in again.actions] == [action.subject for action in approved.actions]


@pytest.mark.parametrize("data", [None, [], {}, {"format": "intentc-plan/2"}])
def test_another_format_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match="no plan of the format intentc-plan/1"):
        from_json(data)


def test_a_plan_with_a_part_missing_is_refused() -> None:
    data = as_json(example())
    del data["actions"][0]["after"]
    with pytest.raises(ValueError, match="damaged"):
        from_json(data)


def test_a_plan_that_was_changed_by_hand_is_refused() -> None:
    data = as_json(example())
    data["actions"][0]["after"]["spec"]["table"] = 9
    with pytest.raises(ValueError, match="changed by hand"):
        from_json(data)
