from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from threading import Barrier

import pytest

from reconciler.apply import Event, Finished, Result, Retrying, Started, apply
from reconciler.drivers.base import Batch, Outcome
from reconciler.drivers.simulator import Fault, Simulator
from reconciler.plan import Action, Observation, Plan, plan
from reconciler.retry import Retry
from renderers import RULES
from renderers.resource import Key, Resource
from renderers.rules import Rules

NEEDS = {("vpp", "policy"): (("vpp", "vrf"),), ("vpp", "steering"): (("vpp", "policy"),)}


def key(type_: str, name: str) -> Key:
    return Key("vpp", "node/a/n", type_, name)


def thing(type_: str, name: str, *needs: Key, value: int = 0) -> Resource:
    return Resource(key(type_, name), {"value": value}, needs=needs)


def chain(name: str, value: int = 0) -> list[Resource]:
    vrf = thing("vrf", name, value=value)
    policy = thing("policy", name, vrf.key, value=value)
    return [vrf, policy, thing("steering", name, policy.key, value=value)]


def planned(desired: list[Resource], *targets: Simulator) -> Plan:
    observed = {target.name: Observation(dict(target.ours)) for target in targets}
    return plan(dict.fromkeys(observed, desired), observed, Rules(NEEDS))


def run(changes: Plan, *targets: Simulator, attempts: int = 3) -> tuple[Result, list[Event], list[float]]:
    events: list[Event] = []
    slept: list[float] = []
    retry = Retry(attempts, wait=1.0, longest=3.0, sleep=slept.append, chance=lambda: 1.0)
    return apply(changes, {target.name: target for target in targets}, events.append, retry), events, slept


def told(result: Result) -> dict[str, str]:
    return {f"{o.action.key.type}/{o.action.key.name}": o.status for o in result.outcomes}


def test_a_plan_is_done_in_its_order() -> None:
    target = Simulator(resources=chain("old"))
    changes = planned(chain("new"), target)
    result, _, _ = run(changes, target)
    assert result.failed == ()
    assert [outcome.action for outcome in result.outcomes] == list(changes.actions) == target.written
    assert planned(chain("new"), target).actions == ()


def test_each_phase_is_one_batch_for_each_target() -> None:
    east, west = Simulator("east"), Simulator("west")
    _, events, _ = run(planned(chain("a") + chain("b"), east, west), east, west)
    started = [(event.phase, event.target, event.actions) for event in events if isinstance(event, Started)]
    assert sorted(started) == [(phase, name, 2) for phase in range(3) for name in ("east", "west")]
    finished = [event for event in events if isinstance(event, Finished)]
    assert {len(event.outcomes) for event in finished} == {2}


def test_no_target_starts_a_phase_before_all_are_through_with_the_last() -> None:
    east, west = Simulator("east", faults={1: Fault("delay", 0.05)}), Simulator("west")
    _, events, _ = run(planned(chain("a"), east, west), east, west)
    phases = [event.phase for event in events]
    assert phases == sorted(phases)


def test_targets_of_a_phase_run_side_by_side() -> None:
    barrier = Barrier(2, timeout=60)

    def meet(_: float) -> None:
        barrier.wait()

    targets = [Simulator(name, faults={1: Fault("delay")}, sleep=meet) for name in ("east", "west")]
    result, _, _ = run(planned([thing("vrf", "1")], *targets), *targets)
    assert result.failed == ()


def test_transient_failures_are_tried_again_with_growing_pauses() -> None:
    target = Simulator(faults={1: Fault("transient"), 2: Fault("transient"), 3: Fault("transient")})
    result, events, slept = run(planned([thing("vrf", "1")], target), target, attempts=5)
    assert told(result) == {"vrf/1": "done"}
    assert slept == [1.0, 2.0, 3.0]
    assert [event.attempt for event in events if isinstance(event, Retrying)] == [1, 2, 3]


def sending(plane: str, sid: str) -> Resource:
    """A policy as a target shows it: not with what it needs at other targets."""
    lists = [{"weight": 1, "sids": ["fcbb::99", sid]}]
    if plane == "srpolicy":
        lists = [{"weight": 1, "segments": [{"sid": "fcbb::99"}, {"sid": sid}]}]
    kind = "sr-policy" if plane == "srpolicy" else "policy"
    return Resource(Key(plane, "node/a/head", kind, "cafe::1"), {"lists": lists})


@pytest.mark.parametrize("plane", ["vpp", "linux", "srpolicy"])
@pytest.mark.parametrize("moves", [True, False], ids=["led elsewhere", "taken away"])
def test_a_sid_stays_as_long_as_another_target_may_send_to_it(plane: str, *, moves: bool) -> None:
    """A headend that could not be told would send everything to a node that drops it."""
    sid = Resource(Key("linux", "node/a/tail", "localsid", "fcdd::1"), {"sid": "fcdd::1"})
    tail = Simulator("tail", [sid, replace(sid, key=sid.key._replace(name="fcdd::2"))])
    head = Simulator("head", [sending(plane, "fcdd::1")], faults={1: Fault("permanent")})
    desired = {"head": [sending(plane, "fcdd::2")] if moves else [], "tail": list(tail.ours.values())[1:]}
    observed = {target.name: Observation(dict(target.ours)) for target in (head, tail)}
    result, _, _ = run(plan(desired, observed, RULES), head, tail)
    assert {o.action.target: o.status for o in result.outcomes} == {"head": "failed", "tail": "skipped"}
    assert result.outcomes[-1].message.startswith("may still be used by")
    assert sid.key in tail.ours
    again, _, _ = run(plan(desired, {**observed, "head": Observation(dict(head.ours))}, RULES), head, tail)
    assert not again.failed
    assert sid.key not in tail.ours


@pytest.mark.parametrize("confirmed", ["fcdd::2", ""], ids=["asked for another", "never confirmed"])
@pytest.mark.parametrize("stays", [True, False])
def test_a_sid_stays_as_long_as_a_silent_node_was_asked_to_send_to_it(confirmed: str, *, stays: bool) -> None:
    """It may have done so, and only its report was lost."""
    sid = Resource(Key("linux", "node/a/tail", "localsid", "fcdd::1"), {"sid": "fcdd::1"})
    other = replace(sid, key=sid.key._replace(name="fcdd::2"))
    tail, asked = Simulator("tail", [sid, other]), sending("vpp", "fcdd::1")
    there = sending("vpp", confirmed) if confirmed else asked
    head = Simulator("head", [there], faults={1: Fault("permanent")})
    seen = Observation(dict(head.ours) if confirmed else {}, pending={asked.key: asked})
    desired = {"head": [sending("vpp", "fcdd::2")] if stays else [], "tail": [other]}
    observed = {"head": seen, "tail": Observation(dict(tail.ours))}
    result, _, _ = run(plan(desired, observed, RULES), head, tail)
    assert result.failed
    assert sid.key in tail.ours


def test_patience_ends() -> None:
    target = Simulator(faults={number: Fault("transient") for number in range(1, 100)})
    result, _, slept = run(planned(chain("a"), target), target)
    assert told(result) == {"vrf/a": "failed", "policy/a": "skipped", "steering/a": "skipped"}
    assert result.outcomes[0].message == "gave up after 3 attempts: call 3 to simulator was refused for now"
    assert slept == [1.0, 2.0]


@pytest.mark.parametrize("transactional", [True, False])
def test_what_was_done_but_reported_as_failed_is_done_again_without_harm(*, transactional: bool) -> None:
    target = Simulator(faults={1: Fault("timeout")}, transactional=transactional)
    result, _, _ = run(planned([thing("vrf", "1"), thing("vrf", "2")], target), target)
    assert result.failed == ()
    assert target.ours.keys() == {key("vrf", "1"), key("vrf", "2")}


def test_a_write_that_was_lost_is_found_by_reading_back() -> None:
    target = Simulator(faults={1: Fault("lose")})
    result, _, _ = run(planned(chain("a"), target), target)
    assert told(result) == {"vrf/a": "failed", "policy/a": "skipped", "steering/a": "skipped"}
    assert result.outcomes[0].message == "was not there when read back"


def test_a_deletion_that_was_lost_is_found_by_reading_back() -> None:
    target = Simulator(resources=[thing("vrf", "1")], faults={1: Fault("lose")})
    result, _, _ = run(planned([], target), target)
    assert [outcome.message for outcome in result.failed] == ["was still there when read back"]


def test_a_failure_stops_what_needs_it_and_not_its_siblings() -> None:
    target = Simulator(faults={1: Fault("permanent")}, transactional=False)
    result, _, _ = run(planned(chain("a") + chain("b"), target), target)
    assert told(result) == {
        "vrf/a": "failed",
        "vrf/b": "done",
        "policy/a": "skipped",
        "policy/b": "done",
        "steering/a": "skipped",
        "steering/b": "done",
    }
    skipped = next(outcome for outcome in result.outcomes if outcome.status == "skipped")
    assert skipped.message == "needs vpp:node/a/n:vrf:a, which was not done"


def test_a_foreign_object_in_the_way_fails_alone_even_in_a_transaction() -> None:
    target = Simulator(foreign=[thing("vrf", "a", value=9)])
    result, _, _ = run(planned(chain("a") + chain("b"), target), target)
    assert {name for name, status in told(result).items() if status == "done"} == {
        "vrf/b",
        "policy/b",
        "steering/b",
    }
    assert "is not ours" in result.outcomes[0].message
    assert target.foreign[key("vrf", "a")].spec == {"value": 9}


def test_what_is_refused_takes_its_dependants_in_the_same_batch_with_it() -> None:
    first, second = thing("vrf", "1"), thing("vrf", "2", key("vrf", "1"))
    target = Simulator(foreign=[first])
    result, _, _ = run(planned([first, second, thing("vrf", "3")], target), target)
    assert told(result) == {"vrf/1": "failed", "vrf/2": "skipped", "vrf/3": "done"}


def test_what_could_not_be_deleted_keeps_what_it_needs() -> None:
    target = Simulator(resources=chain("a") + chain("b"), faults={1: Fault("permanent")}, transactional=False)
    result, _, _ = run(planned([], target), target)
    assert {name for name, status in told(result).items() if status == "done"} == {
        "steering/b",
        "policy/b",
        "vrf/b",
    }
    assert target.ours.keys() == {resource.key for resource in chain("a")}
    skipped = next(outcome for outcome in result.outcomes if outcome.status == "skipped")
    assert skipped.message == "may still be used by vpp:node/a/n:steering:a, which was not done"


def test_what_could_not_be_moved_away_keeps_what_it_used() -> None:
    """Make before break: the old policy stays as long as the steering that left it could not be changed."""
    old, new = thing("policy", "old"), thing("policy", "new")
    before, after = thing("steering", "s", old.key, value=1), thing("steering", "s", new.key, value=2)
    target = Simulator(resources=[old, before], faults={3: Fault("permanent")})
    result, _, _ = run(planned([new, after], target), target)
    assert told(result) == {"policy/new": "done", "steering/s": "failed", "policy/old": "skipped"}
    assert target.ours.keys() == {old.key, new.key, before.key}


def test_a_failure_in_one_target_does_not_stop_the_same_objects_in_another() -> None:
    broken, sound = Simulator("broken", faults={1: Fault("permanent")}), Simulator("sound")
    result, _, _ = run(planned(chain("a"), broken, sound), broken, sound)
    assert {outcome.action.target for outcome in result.failed} == {"broken"}
    assert len(sound.ours) == 3


def test_a_need_in_another_target_counts() -> None:
    cluster, node = Simulator("cluster", faults={1: Fault("permanent")}), Simulator("node")
    vrf, policy, _ = chain("a")
    observed = {"cluster": Observation({}), "node": Observation({})}
    result, _, _ = run(plan({"cluster": [vrf], "node": [policy]}, observed, Rules(NEEDS)), cluster, node)
    assert told(result) == {"vrf/a": "failed", "policy/a": "skipped"}
    assert node.ours == {}


def test_what_is_used_here_and_elsewhere_waits_for_both() -> None:
    """Users of a vrf: a policy in its own target, and a steering in another one that fails."""
    vrf = thing("vrf", "a")
    policy, steering = thing("policy", "a", vrf.key), thing("steering", "b", vrf.key)
    node = Simulator("node", [vrf, policy])
    cluster = Simulator("cluster", [steering], faults={1: Fault("permanent")})
    result, _, _ = run(planned([], node, cluster), node, cluster)
    assert told(result) == {"policy/a": "done", "steering/b": "failed", "vrf/a": "skipped"}
    assert node.ours.keys() == {vrf.key}


def test_nothing_starts_when_a_target_has_no_driver() -> None:
    east, west = Simulator("east"), Simulator("west")
    with pytest.raises(ValueError, match="no driver for west"):
        run(planned(chain("a"), east, west), east)
    assert east.calls == 0


def test_an_empty_plan_reaches_no_target() -> None:
    target = Simulator()
    assert apply(Plan(), {target.name: target}).outcomes == ()
    assert target.calls == 0


def test_waits_are_cut_by_chance_to_as_little_as_half() -> None:
    chances = iter([0.0, 0.5, 1.0])
    retry = Retry(4, wait=1.0, longest=3.0, chance=lambda: next(chances))
    assert list(retry.waits()) == [0.5, 1.5, 3.0]


class Greedy(Simulator):
    """A driver with a bug: it does more than it was asked to."""

    extra: Action
    at: str

    def stage(self, actions: Sequence[Action], token: int = 0) -> Batch:
        batch = super().stage(actions, token)
        return Batch((*batch.actions, self.extra), token) if self.at == "stage" else batch

    def commit(self, batch: Batch) -> tuple[Outcome, ...]:
        outcomes = super().commit(batch)
        return (*outcomes, Outcome(self.extra, "done")) if self.at == "commit" else outcomes


@pytest.mark.parametrize("at", ["stage", "commit"])
@pytest.mark.parametrize("how", ["unlisted", "later", "otherwise"])
def test_touching_what_the_plan_does_not_list_stops_everything(at: str, how: str) -> None:
    bad, good = Greedy("bad"), Simulator("good", faults={1: Fault("delay", 0.05)})
    changes = planned(chain("a"), bad, good)
    extra = {
        "unlisted": planned([thing("vrf", "other")], bad).actions[0],
        "later": next(action for action in changes.actions if action.id == ("bad", key("steering", "a"))),
        "otherwise": planned([thing("vrf", "a", value=7)], bad).actions[0],
    }[how]
    bad.extra, bad.at = extra, at
    result, _, _ = run(changes, bad, good)
    first, *rest = [outcome for outcome in result.outcomes if outcome.action.target == "bad"]
    assert first.status == "failed"
    assert f"the driver of bad touches {extra.key} otherwise than the plan says" in first.message
    assert {outcome.status for outcome in rest} == {"skipped"}
    assert bool(bad.written) == (at == "commit")
    assert good.ours.keys() <= {key("vrf", "a")}  # what runs at the same time may come to its end
    others = [outcome for outcome in result.outcomes if outcome.action.target == "good"]
    assert {outcome.status for outcome in others[1:]} == {"skipped"}
    assert f"not tried: {first.message}" in {outcome.message for outcome in others}


class Silent(Simulator):
    """A driver with a bug: it forgets to say what became of an action."""

    def commit(self, batch: Batch) -> tuple[Outcome, ...]:
        return super().commit(batch)[1:]


def test_an_action_of_which_the_driver_says_nothing_is_not_done() -> None:
    target = Silent()
    result, _, _ = run(planned([thing("vrf", "1"), thing("vrf", "2")], target), target)
    assert told(result) == {"vrf/1": "failed", "vrf/2": "failed"}
    assert "no word about 1 of 2 objects" in result.outcomes[0].message


def test_what_moved_since_the_plan_fails_alone() -> None:
    target = Simulator()
    changes = planned(chain("a") + chain("b"), target)
    target.ours[key("vrf", "a")] = thing("vrf", "a", value=5)
    result, _, _ = run(changes, target)
    assert told(result) == {
        "vrf/a": "failed",
        "policy/a": "skipped",
        "steering/a": "skipped",
        "vrf/b": "done",
        "policy/b": "done",
        "steering/b": "done",
    }
    assert "moved since the plan was made" in result.outcomes[0].message
    assert target.ours[key("vrf", "a")].spec == {"value": 5}


def test_when_the_apply_is_broken_off_no_target_goes_on() -> None:
    east = Simulator("east", faults={number: Fault("transient") for number in range(1, 9)})
    changes = planned(chain("a"), east)

    def interrupt(event: Event) -> None:
        if isinstance(event, Retrying):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apply(changes, {"east": east}, interrupt, Retry(9, sleep=lambda _: None))
    assert east.written == []


class Broken(Simulator):
    """A driver with a bug."""

    def commit(self, batch: Batch) -> tuple[Outcome, ...]:
        """Fail as only a bug does."""
        raise ZeroDivisionError(f"{len(batch.actions)} / 0")


def test_a_bug_in_one_driver_loses_nothing_of_the_others() -> None:
    good, bad = Simulator("good"), Broken("bad")
    result, _, _ = run(planned(chain("a"), good, bad), good, bad)
    assert {outcome.status for outcome in result.outcomes if outcome.action.target == "good"} == {"done"}
    (broken, *skipped) = [outcome for outcome in result.outcomes if outcome.action.target == "bad"]
    assert broken.status == "failed"
    assert "the driver broke (ZeroDivisionError: 1 / 0)" in broken.message
    assert {outcome.status for outcome in skipped} == {"skipped"}
