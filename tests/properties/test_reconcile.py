"""What must hold of every plan, whatever the world was and whatever goes wrong on the way."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.apply import Event, apply
from reconciler.drivers.base import Driver, Lease, Observation
from reconciler.drivers.directory import Directory
from reconciler.drivers.simulator import Fault, Simulator
from reconciler.execute import Applier, execute
from reconciler.plan import Plan, plan, resume
from reconciler.retry import Retry
from renderers.resource import Key, Resource
from renderers.rules import Rules

TYPES: Final = (("vpp", "vrf"), ("vpp", "policy"), ("kubernetes", "Network"), ("frr", "text"))
NEEDS: Final = {TYPES[1]: (TYPES[0],), TYPES[2]: (TYPES[0], TYPES[1]), TYPES[3]: (TYPES[2],)}
REPLACES: Final = {TYPES[0]: frozenset({"value"})}
RULES: Final = Rules(NEEDS, REPLACES)
HASTY: Final = Retry(attempts=2, sleep=lambda _: None)
World = dict[Key, Resource]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw a closed world: everything that is needed exists."""
    world: World = {}
    for family, type_ in TYPES:
        known = sorted(key for key in world if (key.family, key.type) in NEEDS.get((family, type_), ()))
        for name in draw(st.sets(st.sampled_from(["a", "b", "ns/c", "::1"]), max_size=4)):
            needs = tuple(draw(st.lists(st.sampled_from(known), max_size=2, unique=True))) if known else ()
            value = draw(st.integers(0, 2))
            key = Key(family, "cluster/east", type_, name)
            uses = [str(need) for need in needs]
            spec = {"text": f"{value} {uses}"} if type_ == "text" else {"value": value, "uses": uses}
            world[key] = Resource(key, spec, f"Thing/{name}", needs)
    return world


FAULTS = st.dictionaries(
    st.integers(1, 30),
    st.sampled_from(
        [Fault("transient"), Fault("permanent"), Fault("timeout"), Fault("lose"), Fault("delay")]
    ),
    max_size=8,
)


def planned(desired: World, driver: Driver) -> Plan:
    return plan({driver.name: desired.values()}, {driver.name: driver.observe()}, RULES)


def observed(driver: Driver) -> World:
    seen = driver.observe()
    assert seen.complete
    return dict(seen.resources)


def is_closed(world: Mapping[Key, Resource]) -> bool:
    return all(need in world for resource in world.values() for need in resource.needs)


@given(worlds(), worlds())
def test_apply_makes_any_world_into_any_other(before: World, after: World) -> None:
    driver = Simulator(resources=before.values())
    result = apply(planned(after, driver), {driver.name: driver}, retry=HASTY)
    assert result.failed == ()
    assert observed(driver) == after
    assert planned(after, driver).actions == ()


@settings(max_examples=25, deadline=None)
@given(worlds(), worlds())
def test_apply_makes_any_tree_of_files_into_any_other(before: World, after: World) -> None:
    with TemporaryDirectory() as folder:
        driver = Directory("files", Path(folder))
        for world in (before, after):
            assert apply(planned(world, driver), {driver.name: driver}, retry=HASTY).failed == ()
            assert observed(driver) == world
            assert planned(world, driver).actions == ()
        assert apply(planned({}, driver), {driver.name: driver}, retry=HASTY).failed == ()
        assert list(Path(folder).iterdir()) == []


@given(worlds(), worlds(), FAULTS, st.booleans())
def test_planning_again_converges_whatever_fails(
    before: World,
    after: World,
    faults: dict[int, Fault],
    transactional: bool,  # noqa: FBT001 -- hypothesis passes it by position
) -> None:
    driver = Simulator(resources=before.values(), transactional=transactional, sleep=lambda _: None)
    todo = planned(after, driver)
    driver.calls, driver.faults = 0, faults
    for _ in range(len(faults) + 1):
        result = apply(todo, {driver.name: driver}, retry=HASTY)
        assert is_closed(driver.ours)
        # A planner that may fail is not what is tested here.
        todo = plan(
            {driver.name: after.values()},
            {driver.name: Observation(dict(driver.ours))},
            RULES,
        )
        if not result.failed:
            break
    assert driver.ours == after
    assert todo.actions == ()


@given(worlds(), worlds())
def test_whatever_was_not_reported_as_failed_is_so(before: World, after: World) -> None:
    driver = Simulator(
        resources=before.values(), faults={2: Fault("lose"), 4: Fault("permanent")}, transactional=False
    )
    result = apply(planned(after, driver), {driver.name: driver}, retry=HASTY)
    for outcome in result.outcomes:
        if outcome.status == "done":
            assert driver.ours.get(outcome.action.key) == outcome.action.after


@given(worlds(), worlds())
def test_at_no_moment_does_anything_lack_what_it_needs(before: World, after: World) -> None:
    driver = Simulator(resources=before.values())
    world = dict(before)
    for action in planned(after, driver).actions:
        if action.after is None:
            del world[action.key]
        else:
            world[action.key] = action.after
        assert is_closed(world)


@given(worlds(), worlds())
def test_needs_are_made_before_and_deleted_after(before: World, after: World) -> None:
    changes = planned(after, Simulator(resources=before.values())).actions
    phase = {(action.key, action.operation): action.phase for action in changes}
    for action in changes:
        for need in action.resource.needs:
            if action.operation == "delete":
                assert action.phase < phase.get((need, "delete"), 99)
            else:
                assert action.phase > phase.get((need, "create"), -1)


@given(worlds(), worlds(), worlds(), st.data())
def test_every_prefix_of_a_plan_is_safe_to_plan_again_from(
    before: World, half: World, after: World, data: st.DataObject
) -> None:
    driver = Simulator(resources=before.values())
    first = planned(half, driver)
    done = data.draw(st.integers(0, len(first.actions)))
    apply(Plan(first.actions[:done]), {driver.name: driver}, retry=HASTY)
    assert apply(planned(after, driver), {driver.name: driver}, retry=HASTY).failed == ()
    assert observed(driver) == after


@given(worlds(), worlds(), st.data())
def test_an_incomplete_reading_deletes_nothing(before: World, after: World, data: st.DataObject) -> None:
    driver = Simulator(resources=before.values())
    if before:
        driver.unseen = data.draw(st.sets(st.sampled_from(sorted(before)), min_size=1))
        result = apply(planned(after, driver), {driver.name: driver}, retry=HASTY)
        assert before.keys() <= driver.ours.keys()
        # What cannot be seen, and is not as it shall be, is not overwritten either.
        stuck = {key for key in driver.unseen if key in after and before[key] != after[key]}
        assert {key: driver.ours[key] for key in driver.unseen} == {key: before[key] for key in driver.unseen}
        assert stuck <= {outcome.action.key for outcome in result.failed}


@given(worlds(), worlds(), FAULTS, st.booleans(), st.data())
def test_a_plan_is_resumed_from_any_prefix_and_does_each_thing_once(
    before: World,
    after: World,
    faults: dict[int, Fault],
    transactional: bool,  # noqa: FBT001 -- hypothesis passes it by position
    data: st.DataObject,
) -> None:
    driver = Simulator(resources=before.values(), transactional=transactional, sleep=lambda _: None)
    approved = planned(after, driver)
    done = data.draw(st.integers(0, len(approved.actions)))
    apply(Plan(approved.actions[:done]), {driver.name: driver}, retry=HASTY)
    driver.calls, driver.faults = 0, faults
    for _ in range(len(faults) + 1):
        left, moved = resume(approved, {driver.name: Observation(dict(driver.ours))})
        assert moved == ()
        if not apply(left, {driver.name: driver}, retry=HASTY).failed:
            break
    assert driver.ours == after
    assert len({action.id for action in driver.written}) == len(driver.written) == len(approved.actions)


@given(worlds(), worlds(), worlds(), st.booleans(), st.data())
def test_what_moved_after_the_plan_is_never_overwritten(
    before: World,
    after: World,
    meanwhile: World,
    transactional: bool,  # noqa: FBT001 -- hypothesis passes it by position
    data: st.DataObject,
) -> None:
    driver = Simulator(resources=before.values(), transactional=transactional)
    approved = planned(after, driver)
    keys = sorted(before.keys() | after.keys() | meanwhile.keys())
    for key in data.draw(st.sets(st.sampled_from(keys))) if keys else ():
        driver.ours.pop(key, None)
        driver.ours |= {key: meanwhile[key]} if key in meanwhile else {}
    found = dict(driver.ours)
    apply(approved, {driver.name: driver}, retry=HASTY)
    for action in approved.actions:
        now = found.get(action.key)
        moved = now not in (action.before, action.after)
        assert driver.ours.get(action.key) in ((now,) if moved else (action.before, action.after))
    planned_keys = {action.key for action in approved.actions}
    assert {key: value for key, value in driver.ours.items() if key not in planned_keys} == {
        key: value for key, value in found.items() if key not in planned_keys
    }


@settings(max_examples=25)
@given(worlds(), worlds(), st.integers(0, 12))
def test_whoever_is_taken_over_at_any_write_writes_nothing_more(
    before: World, after: World, moment: int
) -> None:
    driver = Simulator(resources=before.values())
    todo = planned(after, driver)
    bob = Lease("bob", time.time() + 1000, 2)
    seen: list[int] = []

    def take_over(_: Event) -> None:
        if len(seen) == moment and driver.leased:
            driver.leased = bob
        if driver.leased == bob:
            seen.append(len(driver.written))
        else:
            seen.append(-1)

    with TemporaryDirectory() as folder:
        result = execute(todo, "plan", {driver.name: driver}, Applier("ann", Path(folder)), take_over, HASTY)
    late = [count for count in seen if count >= 0]
    assert len(set(late)) <= 1
    assert len(driver.written) == (late[0] if late else len(todo.actions))
    done = sum(outcome.status == "done" for outcome in result.outcomes)
    assert done == len(driver.written)
