from __future__ import annotations

import pytest

from reconciler.brake import Limits, Refusal, check
from reconciler.plan import Observation, Plan, plan
from renderers.resource import Key, Resource


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


def test_the_last_object_may_be_replaced_by_another_one() -> None:
    changes, observed = deleting(policies(1), policies(2))
    assert check(changes, observed, {}) == ()


def test_views_do_not_count() -> None:
    changes, observed = deleting(policies(*range(10), view=True), [])
    assert changes.views == 10
    assert check(changes, observed, {}) == ()


def test_limits_can_be_set() -> None:
    changes, observed = deleting(policies(*range(10)), policies(*range(5)))
    assert check(changes, observed, {}, Limits(percent=50)) == ()
    assert check(changes, observed, {}, Limits(percent=0, few=4)) != ()
