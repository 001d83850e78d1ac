"""The text of a plan: destroyed first, grouped by document, alike changes once, each with its line."""

from __future__ import annotations

from typing import Any

from intent.model import Intent, Origin
from intentc.plan_text import lines, summary
from reconciler.plan import Observation, Plan, plan
from renderers.resource import Key, Resource
from tests.support import build

NETWORK = """kind: VirtualNetwork
metadata: {name: n3}
spec:
  attachments: [{type: bareMetal}]
  mtu: 9000
"""


def network() -> Intent:
    resolved = build(NETWORK).compiled.resolved
    assert resolved
    return resolved.of("VirtualNetwork")["n3"]


def resource(name: str, spec: dict[str, Any], scope: str = "node/a/b", **more: Any) -> Resource:
    return Resource(Key("vpp", scope, "policy", name), spec, **{"subject": "VirtualNetwork/n3/x", **more})


def changed(before: list[Resource], after: list[Resource]) -> Plan:
    return plan({"t": after}, {"t": Observation({item.key: item for item in before})})


def test_a_document_is_placed_even_where_no_field_comes_from_it() -> None:
    shown = [
        line.text
        for line in lines(changed([], [resource("a", {})]), places={"VirtualNetwork/n3": "x.yaml:4:1"})
    ]
    assert shown[0] == "VirtualNetwork/n3   x.yaml:4:1"


def test_one_of_a_thing_is_not_several() -> None:
    assert (
        summary(changed([], [resource("a", {}, view=True)]))
        == "nothing to change; 0 unchanged; 1 view to write"
    )


def text(before: list[Resource], after: list[Resource], *, full: bool = False) -> str:
    return "\n".join(line.text for line in lines(changed(before, after), full=full))


def test_what_is_destroyed_comes_first() -> None:
    shown = text(
        [resource("gone", {}), resource("b", {"x": 1})], [resource("b", {"x": 2}), resource("c", {})]
    )
    assert shown.index("delete") < shown.index("x: 1 → 2") < shown.index("+ vpp")
    assert shown.startswith("destroyed")


def test_a_change_names_the_line_of_the_closest_field() -> None:
    intent = network()
    whole = Origin("", intent, ())
    field = Origin("mtu", intent, ("spec", "mtu"), "of the network")
    after = resource("a", {"mtu": 9000, "kind": "x"}, origins=(whole, field))
    shown = text([resource("a", {"mtu": 1500, "kind": "y"})], [after])
    assert "mtu: 1500 → 9000   intent.yaml:6:8 (of the network)" in shown
    assert "kind: y → x   intent.yaml:1:1" in shown


def test_items_of_lists_come_and_go_as_a_whole() -> None:
    before = resource("a", {"lists": [{"sids": ["p1", "p3"], "weight": 3}, {"sids": ["p2"], "weight": 1}]})
    after = resource("a", {"lists": [{"sids": ["p2"], "weight": 1}, {"sids": ["p4"], "weight": 1}]})
    shown = text([before], [after])
    assert "lists: - {sids: [p1, p3], weight: 3}" in shown
    assert "lists: + {sids: [p4], weight: 1}" in shown
    assert "p2" not in shown


def test_another_order_is_said() -> None:
    assert "x: another order" in text([resource("a", {"x": [1, 2]})], [resource("a", {"x": [2, 1]})])


def test_fields_that_come_go_and_turn_null() -> None:
    shown = text([resource("a", {"gone": 1, "n": None})], [resource("a", {"new": {"k": True}, "n": 0})])
    assert "gone: - 1" in shown
    assert "new: + {k: true}" in shown
    assert "n: null → 0" in shown


def test_text_is_shown_as_a_diff() -> None:
    shown = text([resource("a", {"text": "one\ntwo\n"})], [resource("a", {"text": "one\nthree\n"})])
    assert "-two" in shown
    assert "+three" in shown


def test_the_same_change_on_many_nodes_is_said_once() -> None:
    scopes = [f"node/a/n{number}" for number in range(20)]
    before = [resource("p", {"w": 1}, scope) for scope in scopes]
    shown = text(before, [resource("p", {"w": 2}, scope) for scope in scopes])
    assert shown.count("w: 1 → 2") == 1
    assert "20 × node" in shown


def test_many_new_objects_are_counted_and_full_names_them() -> None:
    after = [resource(f"p{number}", {}) for number in range(50)]
    assert "policy × 50" in text([], after)
    assert "p49" in text([], after, full=True)


def test_many_documents_are_cut_with_a_word_on_the_rest() -> None:
    after = [resource(f"p{number}", {}, subject=f"VirtualNetwork/n{number}") for number in range(100)]
    assert "… and 60 more documents (--full shows all)" in text([], after)
    assert "…" not in text([], after, full=True)


def test_the_summary_counts_views_apart() -> None:
    view = Resource(Key("vpp", "node/a/b", "exec", "b.exec"), {"text": "x"}, view=True)
    found = changed([resource("old", {})], [resource("new", {}), view])
    assert summary(found) == "1 to create, 1 to delete; 0 unchanged; 1 view to write"
    assert "views" not in "\n".join(line.text for line in lines(found))
