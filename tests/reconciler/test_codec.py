"""Actions as plain values; the file around them is tested in test_bound.py."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from intent.diagnostics import Report
from intent.documents import parse
from intent.model import Intent, Metadata, Origin
from intent.source import Source
from reconciler.codec import ActionForm, read_action, read_place, write_action
from reconciler.plan import Action
from renderers.resource import Key, Resource
from renderers.rules import Impact

VRF = Key("vpp", "node/a/n1", "vrf", "7")
VNI = read_place("VirtualNetwork/blue", ("spec", "vni"), "blue.yaml:3:8")


def action() -> Action:
    (document,) = parse(Source("blue.yaml", "kind: VirtualNetwork\nspec:\n  vni: 7\n"), Report())
    intent = Intent("VirtualNetwork", "blue", Metadata(name="blue"), None, document)
    before = Resource(VRF, {"table": 7, "old": None}, "VirtualNetwork/blue", protected=True)
    origins = (Origin("table", intent, ("spec", "vni"), "same"),)
    after = Resource(VRF, {"table": 8}, "VirtualNetwork/blue", (Key("vpp", "a", "b", "c"),), origins)
    return Action("t", "update", 3, before, after, "2 fields differ", Impact("brief loss", "because"))


def place(origin: Origin) -> int:
    assert origin.path == ("spec", "vni")
    return 0


def again(written: Action) -> Action:
    return read_action(ActionForm.model_validate(write_action(written, place)), [VNI])


def test_an_action_says_what_a_reviewer_asks() -> None:
    data = write_action(action(), place)
    assert data["key"] == {"family": "vpp", "scope": "node/a/n1", "type": "vrf", "name": "7"}
    assert data["changes"] == [{"path": "old", "before": None}, {"path": "table", "before": 7, "after": 8}]
    assert data["origins"] == [["table", "same", 0]]
    assert data["impact"] == {"level": "brief loss", "reason": "because"}


def test_what_is_read_is_what_was_written() -> None:
    found = again(action())
    assert found == action()
    assert (found.resource.needs, found.subject) == (action().resource.needs, "VirtualNetwork/blue")
    assert [side.protected for side in (found.before, found.after) if side] == [True, False]


def test_lines_of_intent_are_kept() -> None:
    (origin,) = again(action()).resource.origins
    assert (origin.field, origin.rule, origin.path) == ("table", "same", ("spec", "vni"))
    assert str(origin.span) == "blue.yaml:3:8"
    assert origin.subject == "VirtualNetwork/blue"
    assert (origin.intent.kind, origin.intent.name) == ("VirtualNetwork", "blue")


@pytest.mark.parametrize(
    "at", ["a.yaml", "a:b.yaml:1:2", "a.yaml:0:0", "", "a:\u0661:\u0662", "x:99999999999:1"]
)
def test_any_text_may_stand_for_a_place(at: str) -> None:
    intent, path = read_place("Node/n", (), at)
    assert str(intent.doc.span(path)) in (at, "a.yaml", "a:1:2")


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("target", 1),
        ("operation", "destroy"),
        ("phase", -1),
        ("phase", True),
        ("phase", "1"),
        ("key", {"family": "vpp", "scope": "s", "type": "t", "name": 7}),
        ("key", ["vpp", "s", "t", "7"]),
        ("view", 0),
        ("impact", {"level": "none", "reason": ""}),
        ("before", {}),
        ("before", []),
        ("origins", [{}]),
        ("origins", ["abc"]),
        ("origins", [["a", "b", "0"]]),
        ("origins", [["a", "b", True]]),
        ("origins", [["a", None, 0]]),
        ("origins", [["a", "b", 0, 0]]),
        ("more", None),
    ],
)
def test_types_are_strict(field: str, said: object) -> None:
    with pytest.raises(ValidationError):
        ActionForm.model_validate({**write_action(action(), place), field: said})


@pytest.mark.parametrize("spec", [[], "x", None, 1])
def test_a_spec_is_a_mapping(spec: object) -> None:
    data = write_action(action(), place)
    data["after"]["spec"] = spec
    with pytest.raises(ValidationError):
        ActionForm.model_validate(data)


@pytest.mark.parametrize(
    ("operation", "side"), [("create", None), ("delete", None), ("update", "after"), ("replace", "before")]
)
def test_an_operation_fits_what_it_has(operation: str, side: str | None) -> None:
    data = {**write_action(action(), place), "operation": operation}
    if side:
        data[side] = None
    with pytest.raises(ValueError, match="does not say what it needs"):
        read_action(ActionForm.model_validate(data), [VNI])


def test_a_value_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="names a line of intent that is not there"):
        read_action(ActionForm.model_validate(write_action(action(), place)), [])
