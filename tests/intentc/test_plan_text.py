"""The text of a plan: destroyed first, grouped by document, alike changes once, each with its line."""

from __future__ import annotations

from typing import Any

from intent.model import Intent, Origin
from intentc.plan_text import lines, summary
from reconciler.plan import Observation, plan
from reconciler.review import Review, review
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


def changed(before: list[Resource], after: list[Resource]) -> Review:
    return review(plan({"t": after}, {"t": Observation({item.key: item for item in before})}))


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
        [resource("gone", {}, subject="A/gone"), resource("b", {"x": 1})],
        [resource("b", {"x": 2}), resource("c", {})],
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


def test_an_item_that_is_twice_in_a_list_counts_twice() -> None:
    """A segment list may pass a router twice."""
    assert "x: + 2" in text([resource("a", {"x": [1, 2]})], [resource("a", {"x": [1, 2, 2]})])
    assert "x: - 1" in text([resource("a", {"x": [1, 1]})], [resource("a", {"x": [1]})])
    said = text([resource("a", {"x": [1, 1, 2]})], [resource("a", {"x": [1, 2, 2]})])
    assert "x: - 1" in said
    assert "x: + 2" in said
    assert "another order" not in said


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
    found = changed([resource("old", {}, subject="A/old")], [resource("new", {}), view])
    assert summary(found) == "1 to create, 1 to delete (1 destroy, 1 hitless); 0 unchanged; 1 view to write"
    assert "views" not in "\n".join(line.text for line in lines(found))


def test_the_class_and_its_reason_stand_behind_each_change() -> None:
    shown = text([resource("a", {"x": 1})], [resource("a", {"x": 2})])
    assert "policy a   [brief loss: it is changed while it is in use]" in shown
    assert "delete  vpp" not in shown
    gone = text([resource("a", {})], [])
    assert "- delete vpp        node/a/b                 policy a   destroy: it is taken away" in gone


def test_a_rename_is_one_step_with_both_names() -> None:
    found = changed([resource("old", {"x": 1})], [resource("new", {"x": 2})])
    shown = [line.text for line in lines(found)]
    assert shown[1].startswith(
        "  ± rename (replaces) vpp        node/a/b                 policy old → new   destroy:"
    )
    assert any("x: 1 → 2" in row for row in shown)
    assert summary(found) == "1 to rename (1 destroy); 0 unchanged"


def test_deletions_of_one_kind_and_document_are_counted_and_full_names_them() -> None:
    before = [resource(f"p{number}", {}) for number in range(9)]
    assert "policy × 9   destroy" in text(before, [])
    assert "p7" not in text(before, [])
    assert text(before, [], full=True).count("- delete") == 9


def test_the_worst_is_said_first() -> None:
    before = [resource("a", {"x": 1}, subject="A/a"), resource("z", {"x": 1}, subject="Z/z")]
    shown = text(before, [resource("a", {"x": 2}, subject="A/a")])
    assert shown.index("policy z") < shown.index("A/a")


def test_nothing_that_a_user_wrote_moves_the_cursor() -> None:
    evil = "a\x1b[2Jb\rc\u202ed\u200be\ud800\x9b"
    before = resource(evil, {"x": evil, "gone": {evil: [evil]}, "text": f"one\n{evil}"}, subject=f"A/{evil}")
    after = resource(evil, {"x": f"{evil}!", "new": evil, "text": "one\ntwo"}, subject=f"A/{evil}")
    for shown in (text([before], [after]), text([before], []), text([], [after], full=True)):
        assert shown.replace("\n", "").isprintable()
        assert "\\x1b[2J" in shown


def test_json_inside_text_is_compared_by_field() -> None:
    before = resource("a", {"config": '{"name": "x", "plugins": [{"mtu": 1500}]}'})
    after = resource("a", {"config": '{"name": "x", "plugins": [{"mtu": 9000}]}'})
    shown = text([before], [after])
    assert "config.plugins: - {mtu: 1500}" in shown
    assert "name" not in shown


def test_items_too_long_to_be_read_are_compared_by_field() -> None:
    def plugin(mtu: int) -> dict[str, Any]:
        return {"type": "ptp" * 50, "mtu": mtu}

    shown = text([resource("a", {"plugins": [plugin(1500)]})], [resource("a", {"plugins": [plugin(9000)]})])
    assert "plugins.0.mtu: 1500 → 9000" in shown


def test_the_blast_radius_counts_each_thing_once_by_its_worst() -> None:
    before = [resource("a", {"x": 1}), resource("b", {})]
    rows = text(before, [resource("a", {"x": 2})]).splitlines()
    head = next(row for row in rows if row.startswith("blast radius"))
    nodes = next(row for row in rows if row.startswith("  nodes"))
    assert head.split()[2:] == ["hitless", "brief", "loss", "drain", "reboot", "destroy"]
    assert nodes.split() == ["nodes", "·", "·", "·", "·", "1"]
