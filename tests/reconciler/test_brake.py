from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.brake import Limits, Refusal, approvals_from_trailers, check, read_approval
from reconciler.plan import Observation, Plan, plan
from renderers.resource import Key, Resource
from renderers.rules import Rules


def policies(*numbers: int, view: bool = False, type_: str = "policy") -> list[Resource]:
    return [
        Resource(Key("vpp", "node/a/n", type_, str(number)), {"n": number}, view=view) for number in numbers
    ]


def world(*resources: Resource) -> dict[str, Observation]:
    return {"t": Observation({resource.key: resource for resource in resources})}


def deleting(before: list[Resource], after: list[Resource]) -> tuple[Plan, dict[str, Observation]]:
    observed = world(*before)
    return plan({"t": after}, observed), observed


@pytest.mark.parametrize(
    ("existing", "deleted", "refused"),
    [
        (100, 20, False),  # a fifth
        (100, 21, True),
        (10, 3, False),  # a third, and few
        (10, 4, True),
        (4, 3, False),
        (1, 1, True),  # the last
        (2, 2, True),
        (0, 0, False),
    ],
)
def test_limits(existing: int, deleted: int, *, refused: bool) -> None:
    changes, observed = deleting(policies(*range(existing)), policies(*range(deleted, existing)))
    assert bool(check(changes, observed, {})) is refused


def test_what_was_asked_for_and_never_confirmed_is_one_of_those_that_exist() -> None:
    kept, asked = policies(*range(16)), policies(*range(16, 20))
    seen = replace(world(*kept)["t"], pending={resource.key: resource for resource in asked})
    assert check(plan({"t": kept}, {"t": seen}), {"t": seen}, {}) == ()  # a fifth of 20
    (refusal,) = check(plan({"t": kept[1:]}, {"t": seen}), {"t": seen}, {})
    assert refusal.message == "the plan deletes 5 of 20 vpp policy of target t"


def test_a_refusal_says_what_to_do() -> None:
    changes, observed = deleting(policies(*range(10)), policies(*range(5)))
    (refusal,) = check(changes, observed, {})
    assert refusal == Refusal("t", "vpp", "policy", 5, 10, 5)
    assert refusal.message == "the plan deletes 5 of 10 vpp policy of target t"
    assert refusal.hint == "if that is meant, approve it with policy=5"


@pytest.mark.parametrize(("approved", "refused"), [(4, True), (5, False), (6, False)])
def test_an_approval_is_an_upper_limit(approved: int, *, refused: bool) -> None:
    changes, observed = deleting(policies(*range(10)), policies(*range(5)))
    assert bool(check(changes, observed, {"policy": approved})) is refused


def test_an_approval_is_for_its_type_only() -> None:
    both = [*policies(1), *policies(1, type_="vrf")]
    changes, observed = deleting(both, [])
    assert [refusal.type for refusal in check(changes, observed, {"vrf": 1})] == ["policy"]


def test_an_approval_counts_over_all_targets() -> None:
    observed = {target: world(*policies(1))["t"] for target in ("a", "b")}
    changes = plan({"a": [], "b": []}, observed)
    assert len(check(changes, observed, {"policy": 1})) == 2
    assert check(changes, observed, {"policy": 2}) == ()


def test_each_target_is_looked_at_by_itself() -> None:
    observed = {"big": world(*policies(*range(1000)))["t"], "small": world(*policies(*range(5)))["t"]}
    changes = plan({"big": policies(*range(1000)), "small": policies(0)}, observed)
    assert [refusal.target for refusal in check(changes, observed, {})] == ["small"]


def test_the_last_object_goes_with_an_approval_even_where_another_one_is_to_come() -> None:
    """The other one may fail to come: then nothing would be left."""
    changes, observed = deleting(policies(1), policies(2))
    (refusal,) = check(changes, observed, {})
    assert refusal.message == "the plan deletes the last vpp policy of target t"
    assert check(changes, observed, {"policy": 1}) == ()
    stands, observed = deleting(policies(1, 2), policies(2))
    assert check(stands, observed, {}) == ()


def test_views_do_not_count() -> None:
    changes, observed = deleting(policies(*range(10), view=True), [])
    assert changes.views == 10
    assert check(changes, observed, {}) == ()


def test_limits_can_be_set() -> None:
    changes, observed = deleting(policies(*range(10)), policies(*range(5)))
    assert check(changes, observed, {}, Limits(percent=50)) == ()
    assert check(changes, observed, {}, Limits(percent=0, few=4)) != ()


def guarded(number: int, *, protected: bool = True, **spec: int) -> Resource:
    return Resource(Key("vpp", "node/a/n", "policy", str(number)), spec, protected=protected)


RULES = Rules(replaces={("vpp", "policy"): frozenset({"fixed"})})


def refused(before: list[Resource], after: list[Resource], **allow: int) -> list[str]:
    observed = world(*before)
    found = check(plan({"t": after}, observed, RULES), observed, allow)
    return [refusal.message for refusal in found]


def test_one_protected_object_needs_an_approval() -> None:
    many = policies(*range(100))
    assert refused([*many, guarded(100)], many) == [
        "the plan deletes or replaces what is protected: vpp policy 100 of target t"
    ]
    assert refused([*many, guarded(100)], many, policy=1) == []
    assert refused([*many, guarded(100)], many, vrf=1) != []
    assert refused([*many, guarded(100, protected=False)], many) == []


def test_replacing_what_is_protected_needs_an_approval() -> None:
    many = policies(*range(100))
    before, after = [*many, guarded(100, fixed=1)], [*many, guarded(100, fixed=2)]
    assert refused(before, after) != []
    assert refused(before, after, policy=1) == []
    assert refused(before, [*many, guarded(100, protected=False, fixed=2)]) != []
    assert refused([*many, guarded(100, protected=False, fixed=1)], after) != []
    assert refused([*many, guarded(100, free=1)], [*many, guarded(100, free=2)]) == []


def test_protection_may_be_taken_away_and_then_the_object() -> None:
    many = policies(*range(100))
    protected, bare = guarded(100), guarded(100, protected=False)
    observed = world(*many, protected)
    (action,) = plan({"t": [*many, bare]}, observed, RULES).actions
    assert (action.operation, action.reason) == ("update", "it is no longer protected")
    assert refused([*many, protected], [*many, bare]) == []
    assert refused([*many, bare], many) == []


def test_an_approval_covers_protected_and_other_objects_together() -> None:
    many = policies(*range(100))
    gone = [*policies(*range(100, 103)), guarded(103), guarded(104, fixed=1)]
    after = [*many, guarded(104, fixed=2)]
    assert refused([*many, *gone], after, policy=4) != []
    assert refused([*many, *gone], after, policy=5) == []


def test_many_protected_objects_are_named_in_short() -> None:
    (message,) = refused([*policies(*range(100)), *map(guarded, range(100, 106))], policies(*range(100)))
    assert "policy 100, 101, 102 and 3 more of target t" in message


@pytest.mark.parametrize(
    "text", ["", "policy", "policy=", "=3", "policy=-1", "policy=1x", "policy=1 2", "a b=1"]
)
def test_an_approval_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not TYPE=N"):
        read_approval(text)


@pytest.mark.parametrize(
    ("message", "approvals"),
    [
        ("Remove it\n\nIntentc-Allow-Delete: SriovNetwork=12\n", {"SriovNetwork": 12}),
        (
            "Remove it\n\nBecause.\n\nFixes: 1\nintentc-allow-delete:policy=2\nIntentc-Allow-Delete: vrf=3",
            {"policy": 2, "vrf": 3},
        ),
        ("x\n\nIntentc-Allow-Delete: vrf=3\nIntentc-Allow-Delete: vrf=2\n", {"vrf": 3}),
        ("x\r\n\r\nIntentc-Allow-Delete: vrf=3\r\n", {"vrf": 3}),
        ("x\n\nIntentc-Allow-Delete:\n vrf=3\n", {"vrf": 3}),
        ("Intentc-Allow-Delete: vrf=3", {}),  # a subject is no trailer
        ("x\n\nIntentc-Allow-Delete: vrf=3\n\nMore text.\n", {}),
        ("x\n\nWe say that\nIntentc-Allow-Delete: vrf=3\n", {}),
        ("x\n\n> Intentc-Allow-Delete: vrf=3\n", {}),
        ("", {}),
    ],
)
def test_trailers_of_a_commit_approve(message: str, approvals: dict[str, int]) -> None:
    assert approvals_from_trailers(message) == approvals


def test_a_trailer_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ValueError, match="'all' is not TYPE=N"):
        approvals_from_trailers("x\n\nIntentc-Allow-Delete: all\n")
