from __future__ import annotations

from dataclasses import replace
from graphlib import CycleError
from ipaddress import IPv6Address
from typing import Any

import pytest

from compiler.te.carriers import Compressed, compressed, pack
from reconciler.plan import Action, Observation, Plan, diff, plan, ranks, resume
from renderers import RULES
from renderers.changes import ABSENT, Change, compare
from renderers.resource import Key, Resource
from renderers.rules import Rules

NEEDS = {("vpp", "policy"): (("vpp", "vrf"),), ("vpp", "steering"): (("vpp", "policy"), ("vpp", "vrf"))}


def thing(type_: str, name: str, *, view: bool = False, **spec: Any) -> Resource:
    return Resource(Key("vpp", "node/a/n1", type_, name), spec, f"Thing/{name}", view=view)


def seen(*resources: Resource, complete: bool = True) -> Observation:
    return Observation({resource.key: resource for resource in resources}, complete=complete)


def told(actions: list[Action]) -> list[tuple[int, str, str, str]]:
    return [(action.phase, action.operation, action.key.type, action.key.name) for action in actions]


def test_equal_specs_need_no_action_whatever_else_differs() -> None:
    mine = thing("vrf", "7", table=7)
    theirs = Resource(mine.key, {"table": 7}, "Other/subject", (mine.key,), view=True)
    assert diff("t", [mine], seen(theirs)) == []


def test_what_is_needed_is_made_first_and_deleted_last() -> None:
    old = [thing(type_, "old") for type_ in ("vrf", "policy", "steering")]
    new = [thing(type_, "new") for type_ in ("steering", "policy", "vrf")]
    assert told(diff("t", new, seen(*old), Rules(NEEDS))) == [
        (0, "create", "vrf", "new"),
        (1, "create", "policy", "new"),
        (2, "create", "steering", "new"),
        (3, "delete", "steering", "old"),
        (4, "delete", "policy", "old"),
        (5, "delete", "vrf", "old"),
    ]


def test_views_come_last_even_when_they_go() -> None:
    old, new = thing("exec", "old", view=True), thing("exec", "new", view=True)
    actions = diff("t", [new, thing("vrf", "7")], seen(old, thing("policy", "1")), Rules(NEEDS))
    assert told(actions) == [
        (0, "create", "vrf", "7"),
        (4, "delete", "policy", "1"),
        (6, "delete", "exec", "old"),
        (6, "create", "exec", "new"),
    ]


def test_a_type_that_no_table_names_is_made_at_once_and_deleted_last() -> None:
    actions = diff("t", [thing("odd", "1")], seen(thing("odd", "2")), Rules(NEEDS))
    assert told(actions) == [(0, "create", "odd", "1"), (5, "delete", "odd", "2")]


def test_inside_a_phase_the_destructive_is_shown_first() -> None:
    before = seen(thing("vrf", "b", fixed=1), thing("vrf", "c", free=1))
    after = [thing("vrf", "a"), thing("vrf", "b", fixed=2), thing("vrf", "c", free=2)]
    actions = diff("t", after, before, Rules(replaces={("vpp", "vrf"): frozenset({"fixed"})}))
    assert [action.operation for action in actions] == ["replace", "update", "create"]


def test_an_incomplete_observation_plans_no_deletion() -> None:
    before = [thing("vrf", "1", table=1), thing("vrf", "2", table=2)]
    actions = diff("t", [thing("vrf", "2", table=3), thing("vrf", "3")], seen(*before, complete=False))
    assert [action.operation for action in actions] == ["update", "create"]


@pytest.mark.parametrize(
    ("field", "operation"),
    [
        ("a.b", "replace"),
        ("a", "replace"),
        ("a.b.c", "replace"),
        ("a.b.c.d", "update"),
        ("a.bb", "update"),
        ("a.b.0", "update"),
    ],
)
def test_a_fixed_field_covers_what_lies_below_it(field: str, operation: str) -> None:
    before, after = thing("vrf", "1", a={"b": {"c": 1}}), thing("vrf", "1", a={"b": {"c": 2}})
    (action,) = diff("t", [after], seen(before), Rules(replaces={("vpp", "vrf"): frozenset({field})}))
    assert action.operation == operation


def test_a_fixed_field_that_comes_or_goes_is_seen_through_its_parent() -> None:
    before, after = thing("vrf", "1"), thing("vrf", "1", a={"b": 1})
    rules = Rules(replaces={("vpp", "vrf"): frozenset({"a.b"})})
    assert [action.operation for action in diff("t", [after], seen(before), rules)] == ["replace"]
    assert [action.operation for action in diff("t", [before], seen(after), rules)] == ["replace"]


def test_a_fixed_field_is_seen_when_its_parent_becomes_something_else() -> None:
    before, after = thing("vrf", "1", a={"b": 1}), thing("vrf", "1", a="none")
    rules = Rules(replaces={("vpp", "vrf"): frozenset({"a.b"})})
    assert [action.operation for action in diff("t", [after], seen(before), rules)] == ["replace"]


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [Change("a", 1, 2)]),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3, 4]}}, [Change("a.b.1", 2, 3), Change("a.b.2", ABSENT, 4)]),
        ({"a": None}, {}, [Change("a", None, ABSENT)]),
        ({"a": {}}, {"a": []}, [Change("a", {}, [])]),
        ({"a": {}}, {}, [Change("a", {}, ABSENT)]),
        ({"a": {"b": 1}}, {}, [Change("a.b", 1, ABSENT)]),
        ({}, {"a": {"b": 1, "c": [2]}}, [Change("a.b", ABSENT, 1), Change("a.c.0", ABSENT, 2)]),
        ({"a": {"b": 1}}, {"a": "x"}, [Change("a", {"b": 1}, "x")]),
        ({"b": 1, "a": 1}, {"a": 2, "b": 2}, [Change("a", 1, 2), Change("b", 1, 2)]),
        ({"text": "a\nb\n"}, {"text": "a\nc\n"}, [Change("text", "a\nb\n", "a\nc\n")]),
    ],
)
def test_changes_are_told_field_by_field(before: Any, after: Any, changes: list[Change]) -> None:
    assert list(compare(before, after)) == changes


def test_list_indexes_are_in_the_order_of_numbers() -> None:
    paths = [change.path for change in compare({"a": [0] * 12}, {"a": [1] * 12})]
    assert paths == [f"a.{index}" for index in range(12)]


def test_a_created_object_tells_all_its_fields() -> None:
    (action,) = diff("t", [thing("vrf", "1", table=1, names=["a"])], seen())
    assert action.changes == (Change("names.0", ABSENT, "a"), Change("table", ABSENT, 1))


def test_ranks_are_the_longest_way_down() -> None:
    assert ranks(NEEDS) == {("vpp", "vrf"): 0, ("vpp", "policy"): 1, ("vpp", "steering"): 2}


def test_a_cycle_of_types_is_a_bug() -> None:
    with pytest.raises(CycleError):
        ranks({("a", "x"): (("a", "y"),), ("a", "y"): (("a", "x"),)})


def test_two_resources_with_one_key_are_a_bug() -> None:
    with pytest.raises(ValueError, match="two resources are called vpp:node/a/n1:vrf:1"):
        diff("t", [thing("vrf", "1", a=1), thing("vrf", "1", a=2)], seen())


def test_a_target_that_was_not_observed_cannot_be_planned() -> None:
    with pytest.raises(ValueError, match="desired or observed only: east, west"):
        plan({"east": []}, {"west": seen()})


def test_phases_go_over_all_targets() -> None:
    world = [thing("vrf", "1"), thing("policy", "1")]
    changes = plan({"b": world, "a": world}, {"b": seen(), "a": seen()}, Rules(NEEDS))
    assert [(action.phase, action.target) for action in changes.actions] == [
        (0, "a"),
        (0, "b"),
        (1, "a"),
        (1, "b"),
    ]


def test_what_an_unread_target_may_need_is_not_deleted_elsewhere() -> None:
    """A network stays in the fabric as long as attachments to it may be in the cluster, unseen."""
    network, vrf = Resource(Key("apstra", "fabric/f", "vn", "1"), {}), thing("vrf", "1")
    needs = {("kubernetes", "nad"): (("apstra", "vn"),), ("apstra", "port"): (("apstra", "vn"),), **NEEDS}
    for complete, deleted in ((True, {"vn", "vrf"}), (False, {"vrf"})):
        observed = {"fabric": seen(network, vrf), "cluster": seen(complete=complete)}
        changes = plan({"fabric": [], "cluster": []}, observed, Rules(needs))
        assert {action.key.type for action in changes.actions} == deleted


def test_with_what_may_be_needed_stays_what_it_stands_on_and_what_completes_it() -> None:
    """An unseen attachment keeps its network; a network keeps its zone, and the zone its pool."""
    types = ("vn", "zone", "pool")
    fabric = [Resource(Key("apstra", "fabric/f", type_, "1"), {}) for type_ in types]
    needs = {
        ("kubernetes", "nad"): (("apstra", "vn"),),
        ("apstra", "vn"): (("apstra", "zone"),),
        ("apstra", "pool"): (("apstra", "zone"),),
    }
    for complete, deleted in ((True, {"vn", "zone", "pool"}), (False, set())):
        observed = {"fabric": seen(*fabric), "cluster": seen(complete=complete)}
        changes = plan({"fabric": [], "cluster": []}, observed, Rules(needs))
        assert {action.key.type for action in changes.actions} == deleted


def test_counts_leave_views_out() -> None:
    desired = [
        thing("vrf", "1"),
        thing("vrf", "2"),
        thing("exec", "a", view=True),
        thing("exec", "b", view=True),
    ]
    observed = seen(thing("vrf", "2"), thing("vrf", "3"), thing("exec", "b", view=True))
    changes = plan({"t": desired}, {"t": observed})
    assert changes.counts == {"create": 1, "update": 0, "replace": 0, "delete": 1}
    assert (changes.views, changes.unchanged) == (1, 1)


def test_order_of_input_does_not_matter() -> None:
    world = [thing(type_, str(number), n=number) for type_ in ("vrf", "policy") for number in range(5)]
    before = [thing("vrf", str(number), n=0) for number in range(3, 9)]
    one = plan({"a": world, "b": world}, {"a": seen(*before), "b": seen()}, Rules(NEEDS))
    two = plan({"b": world[::-1], "a": world[::-1]}, {"b": seen(), "a": seen(*before[::-1])}, Rules(NEEDS))
    assert one == two


def resumed(*now: Resource, complete: bool = True) -> tuple[list[str], list[str]]:
    before = [thing("vrf", "changed", a=1), thing("vrf", "gone")]
    approved = plan({"t": [thing("vrf", "changed", a=2), thing("vrf", "new")]}, {"t": seen(*before)})
    left, moved = resume(approved, {"t": seen(*now, complete=complete)})
    assert left.unchanged <= 2
    return [action.key.name for action in left.actions], [action.key.name for action in moved]


def test_an_approved_plan_is_resumed_from_what_is_observed() -> None:
    changed, gone, new = (thing("vrf", "changed", a=2), thing("vrf", "gone"), thing("vrf", "new"))
    before = thing("vrf", "changed", a=1)
    assert resumed(before, gone) == (["changed", "new", "gone"], [])
    assert resumed(changed, gone) == (["new", "gone"], [])
    assert resumed(changed, new) == ([], [])


def test_what_moved_since_the_approval_is_named() -> None:
    assert resumed(thing("vrf", "changed", a=3), thing("vrf", "gone", b=1)) == (["new"], ["changed", "gone"])


def test_what_is_missing_from_an_incomplete_observation_is_not_taken_for_done() -> None:
    assert resumed(thing("vrf", "changed", a=2), complete=False) == (["new"], ["gone"])


def test_a_resumed_plan_counts_what_is_done_as_unchanged() -> None:
    approved = plan({"t": [thing("vrf", "1"), thing("vrf", "2")]}, {"t": seen()})
    left, _ = resume(approved, {"t": seen(thing("vrf", "1"))})
    assert left == Plan(approved.actions[1:], 1)


def test_protection_is_seen_where_the_target_keeps_it() -> None:
    bare, kept = thing("vrf", "1", a=1), replace(thing("vrf", "1", a=1), protected=True)
    (action,) = diff("t", [kept], seen(bare))
    assert (action.operation, action.reason, action.impact.level) == (
        "update",
        "it becomes protected",
        "hitless",
    )
    assert [action.reason for action in diff("t", [bare], seen(kept))] == ["it is no longer protected"]
    assert diff("t", [kept], seen(kept)) == []
    forgetful = replace(seen(bare), keeps_protection=False)
    assert diff("t", [kept], forgetful) == []
    assert [action.operation for action in diff("t", [], forgetful)] == ["delete"]


def test_a_changed_protection_is_resumed_from_what_is_observed() -> None:
    bare, kept = thing("vrf", "1", a=1), replace(thing("vrf", "1", a=1), protected=True)
    approved = plan({"t": [bare]}, {"t": seen(kept)})
    assert resume(approved, {"t": seen(kept)}) == (approved, ())
    assert resume(approved, {"t": seen(bare)})[0].actions == ()


def test_impacts_are_summed_up() -> None:
    observed = seen(thing("vrf", "1"), thing("vrf", "2", a=1))
    found = plan(
        {"t": [thing("vrf", "2", a=2), thing("vrf", "3"), thing("x", "4", view=True)]}, {"t": observed}
    )
    assert found.impacts == {"hitless": 1, "brief loss": 1, "destroy": 1}


def between(confirmed: dict[str, int], asked: dict[str, int | None]) -> Observation:
    """Return what a target shows that was asked for something, and has not confirmed it."""
    held = [thing("vrf", name, table=table) for name, table in confirmed.items()]
    pending = {
        thing("vrf", name).key: None if table is None else thing("vrf", name, table=table)
        for name, table in asked.items()
    }
    return replace(seen(*held), pending=pending)


@pytest.mark.parametrize(
    ("confirmed", "asked", "wanted", "operations"),
    [
        ({}, {"1": 7}, {"1": 7}, ["create"]),
        ({}, {"1": 8}, {"1": 7}, ["update"]),
        ({}, {"1": 7}, {}, ["delete"]),
        ({"1": 7}, {"1": 8}, {"1": 8}, ["update"]),
        ({"1": 7}, {"1": 8}, {"1": 7}, ["update"]),
        ({"1": 7}, {"1": 8}, {}, ["delete"]),
        ({"1": 7}, {"1": None}, {}, ["delete"]),
        ({"1": 7}, {"1": None}, {"1": 7}, ["update"]),
        ({"1": 7, "2": 9}, {"1": 8}, {"1": 7, "2": 9}, ["update"]),
    ],
)
def test_what_was_asked_for_and_not_confirmed_is_never_taken_for_done(
    confirmed: dict[str, int], asked: dict[str, int | None], wanted: dict[str, int], operations: list[str]
) -> None:
    desired = [thing("vrf", name, table=table) for name, table in wanted.items()]
    found = between(confirmed, asked)
    made = plan({"t": desired}, {"t": found})
    assert [action.operation for action in made.actions] == operations
    left, moved = resume(made, {"t": found})
    assert (left.actions, moved) == (made.actions, ())
    done = seen(*desired)
    assert resume(made, {"t": done}) == (Plan((), len(desired)), ())


@pytest.mark.parametrize(("asked", "level"), [(8, "brief loss"), (None, "brief loss"), (7, "hitless")])
def test_taking_back_what_may_have_been_done_is_no_mere_mark(asked: int | None, level: str) -> None:
    (action,) = plan({"t": [thing("vrf", "1", table=7)]}, {"t": between({"1": 7}, {"1": asked})}).actions
    assert action.impact.level == level


def test_an_action_that_nobody_has_confirmed_is_resumed() -> None:
    approved = plan({"t": [thing("vrf", "1", table=7)]}, {"t": seen()})
    left, moved = resume(approved, {"t": between({}, {"1": 7})})
    assert (left.actions, moved) == (approved.actions, ())
    _, moved = resume(approved, {"t": between({"1": 5}, {"1": 6})})
    assert moved == approved.actions


@pytest.mark.parametrize("routers", range(5))
def test_what_sends_to_a_sid_in_a_carrier_needs_it_too(routers: int) -> None:
    """Routers on the way stand before it in the same address (RFC 9800), or fill one of their own."""
    name = "fcbb:0:8001:f001::"
    sid = Resource(Key("linux", "node/a/tail", "localsid", name), {"sid": name})
    way = [("", Compressed(0xFCBB0000, (0x100 + number, 7))) for number in range(routers)]
    sids = list(pack([*way, (name, compressed(IPv6Address(name), 2))]))
    head = Resource(
        Key("linux", "node/a/head", "policy", "cafe::1"), {"lists": [{"weight": 1, "sids": sids}]}
    )
    found = plan({"t": []}, {"t": seen(sid, head)}, RULES)
    assert [action.before.needs for action in found.actions if action.before] == [(sid.key,), ()]
