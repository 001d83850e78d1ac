from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from reconciler import journal
from reconciler.apply import Event, Finished, Result, Started
from reconciler.drivers.base import Batch, Driver, Lease, Outcome, TransientError
from reconciler.drivers.directory import Directory
from reconciler.drivers.simulator import Fault, Simulator
from reconciler.execute import Applier, execute
from reconciler.journal import Run, Unwritable, latest
from reconciler.lease import Held
from reconciler.plan import Action, Observation, Plan, plan, resume
from reconciler.retry import Retry
from renderers.resource import Key, Resource
from renderers.rules import Rules

RULES = Rules({("vpp", "policy"): (("vpp", "vrf"),), ("vpp", "steering"): (("vpp", "policy"),)})
HASTY = Retry(attempts=3, sleep=lambda _: None)
FREE = Lease("", 0.0, 1)
BOB = Lease("bob", time.time() + 3000, 2)


def world(value: int = 0, names: Sequence[str] = ("a", "b")) -> list[Resource]:
    return [
        Resource(Key("vpp", "node/a/n", type_, name), {"value": value})
        for type_ in ("vrf", "policy", "steering")
        for name in names
    ]


def planned(wanted: list[Resource], *targets: Driver) -> Plan:
    seen = {target.name: target.observe() for target in targets}
    return plan(dict.fromkeys(seen, wanted), seen, RULES)


@pytest.fixture
def applier(tmp_path: Path) -> Applier:
    return Applier("ann", tmp_path / "journals")


def run(
    changes: Plan, applier: Applier, *targets: Driver, on_event: Callable[[Event], None] | None = None
) -> Result:
    return execute(changes, "abc", {target.name: target for target in targets}, applier, on_event, HASTY)


def written(applier: Applier) -> Run:
    found = latest(applier.folder)
    assert found is not None
    assert found.damage == ""
    return found


def statuses(result: Result, target: str) -> list[str]:
    return [outcome.status for outcome in result.outcomes if outcome.action.target == target]


def test_a_plan_is_applied_under_leases_and_written_down(applier: Applier) -> None:
    east, west = Simulator("east"), Simulator("west", transactional=False)
    changes = planned(world(), east, west)
    held: list[tuple[Lease | None, Lease | None]] = []
    result = run(changes, applier, east, west, on_event=lambda _: held.append((east.leased, west.leased)))
    assert result.failed == ()
    assert {(lease.holder, lease.token) for pair in held for lease in pair if lease} == {("ann", 1)}
    assert east.leased == west.leased == FREE
    journal = written(applier)
    assert (journal.plan, journal.holder, journal.tokens) == ("abc", "ann", {"east": 1, "west": 1})
    assert (journal.finished, journal.summary, len(journal.entries)) == (True, "", 12)
    assert [(part.target, part.phase) for part in journal.parts if part.ended and not part.failed] == [
        (target, phase) for phase in range(3) for target in ("east", "west")
    ]
    assert planned(world(), east, west).actions == ()


def test_the_journal_says_what_is_written_before_it_is(applier: Applier) -> None:
    class Looking(Simulator):
        def commit(self, batch: Batch) -> tuple[Outcome, ...]:
            seen.append(written(applier).in_flight[-1].key)
            return super().commit(batch)

    seen: list[str] = []
    target = Looking()
    assert run(planned(world(), target), applier, target).failed == ()
    assert [key.split(":")[2] for key in seen] == ["vrf", "policy", "steering"]


def test_an_empty_plan_takes_nothing_and_writes_nothing(applier: Applier) -> None:
    target = Simulator()
    assert run(Plan(), applier, target).outcomes == ()
    assert target.leased is None
    assert not applier.folder.exists()


def test_only_targets_of_the_plan_are_taken(applier: Applier, tmp_path: Path) -> None:
    east, west = Simulator("east"), Directory("west", tmp_path / "west")
    run(planned(world(), east), applier, east, west)
    assert not west.root.exists()


def test_nothing_starts_while_somebody_else_is_at_one_target(applier: Applier) -> None:
    east, west = Simulator("east"), Simulator("west")
    changes = planned(world(), east, west)
    west.leased = BOB
    with pytest.raises(Held, match="bob is changing target west"):
        run(changes, applier, east, west)
    assert (east.written, west.written, east.leased, west.leased) == ([], [], FREE, BOB)
    assert not applier.folder.exists()


def test_nothing_starts_when_a_target_is_out_of_reach(applier: Applier) -> None:
    class Away(Simulator):
        def lease(self) -> Lease | None:
            raise TransientError("no route to west")

    east, west = Simulator("east"), Away("west")
    changes = planned(world(), east, west)
    with pytest.raises(TransientError, match="no route to west"):
        run(changes, applier, east, west)
    assert (east.written, east.leased) == ([], FREE)


def test_nothing_starts_when_a_target_has_no_driver(applier: Applier) -> None:
    east, west = Simulator("east"), Simulator("west")
    changes = planned(world(), east, west)
    with pytest.raises(ValueError, match="no driver for west"):
        run(changes, applier, east)
    assert east.leased is None


def test_nothing_starts_without_a_journal(applier: Applier) -> None:
    target = Simulator()
    applier.folder.write_text("in the way")
    with pytest.raises(Unwritable):
        run(planned(world(), target), applier, target)
    assert (target.written, target.leased) == ([], FREE)


@pytest.mark.parametrize(
    ("record", "done"), [("begin", ["vrf"]), ("end", ["vrf", "policy"])], ids=["begin", "end"]
)
def test_a_disk_that_is_full_in_the_middle_stops_so_that_it_can_be_resumed(
    applier: Applier, monkeypatch: pytest.MonkeyPatch, record: str, done: list[str]
) -> None:
    target = Simulator()
    changes = planned(world(), target)
    write = os.write

    def full(handle: int, content: bytes) -> int:
        if f'"{record}":["simulator",1]'.encode() in content:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(handle, content)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        result = run(changes, applier, target)
    assert sorted({action.key.type for action in target.written}) == sorted(done)
    undone = {outcome.action.key.type: outcome for outcome in result.failed}
    assert undone.keys() == {"vrf", "policy", "steering"} - set(done)
    assert all("No space left on device" in outcome.message for outcome in result.failed)
    left, moved = resume(changes, {"simulator": target.observe()})
    assert moved == ()
    assert run(left, applier, target).failed == ()
    assert len(target.written) == len(changes.actions)


def test_journals_that_fill_the_disk_make_room(applier: Applier, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are records for people: a node whose data plane restarted must not stay empty because of them."""
    for value in range(20):
        target = Simulator("t")
        assert not execute(planned(world(value), target), f"plan{value}", {"t": target}, applier).failed
    write = os.write

    def small(handle: int, content: bytes) -> int:
        if len(list(applier.folder.iterdir())) > 15:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(handle, content)

    monkeypatch.setattr(os, "write", small)
    target = Simulator("t")
    assert not execute(planned(world(20), target), "plan20", {"t": target}, applier).failed
    assert written(applier).plan == "plan20"
    assert len(list(applier.folder.iterdir())) > 5, "the newest are kept"


def test_whoever_is_taken_over_stops_there_and_goes_on_elsewhere(applier: Applier) -> None:
    east, west = Simulator("east"), Simulator("west")
    changes = planned(world(), east, west)

    def take_over(event: Event) -> None:
        if isinstance(event, Started) and (event.target, event.phase) == ("east", 1):
            east.leased = BOB

    result = run(changes, applier, east, west, on_event=take_over)
    assert statuses(result, "east") == ["done", "done", "failed", "failed", "skipped", "skipped"]
    assert statuses(result, "west") == ["done"] * 6
    assert {action.key.type for action in east.written} == {"vrf"}
    assert (east.leased, west.leased) == (BOB, FREE)


def test_without_fencing_only_the_batch_in_flight_is_written_late_and_that_is_reported(
    applier: Applier,
) -> None:
    class Overtaken(Simulator):
        def commit(self, batch: Batch) -> tuple[Outcome, ...]:
            if batch.actions[0].phase == 1:
                self.leased = BOB
            return super().commit(batch)

    target = Overtaken("east", transactional=False)
    result = run(planned(world(), target), applier, target)
    assert statuses(result, "east") == ["done", "done", "failed", "failed", "skipped", "skipped"]
    late = result.outcomes[2].message
    assert late == ("this was written too late: bob has taken over east; plan again to see what is left")
    assert {action.key.type for action in target.written} == {"vrf", "policy"}
    (_, part, _) = written(applier).parts
    assert part.failed == ((late, ((2, 3),)),)


def test_a_long_batch_keeps_its_lease(tmp_path: Path) -> None:
    target = Simulator(faults={2: Fault("delay", 0.4)})  # the first call is the observation
    changes = planned(world(names=["a"]), target)
    seen: list[float] = []

    def look(event: Event) -> None:
        if isinstance(event, Finished) and target.leased:
            seen.append(target.leased.expires)

    applier = Applier("ann", tmp_path / "journals", ttl=0.3)
    assert run(changes, applier, target, on_event=look).failed == ()
    assert seen[0] > 0
    assert target.leased == FREE


def test_what_targets_say_is_redacted_before_it_is_written_down(tmp_path: Path) -> None:
    class Talking(Simulator):
        def commit(self, batch: Batch) -> tuple[Outcome, ...]:
            return tuple(Outcome(action, "failed", "token canary refused") for action in batch.actions)

    target = Talking()
    applier = Applier("ann", tmp_path / "journals", redact=lambda text: text.replace("canary", "(secret)"))
    run(planned(world(), target), applier, target)
    text = written(applier).path.read_text()
    assert "canary" not in text
    assert "token (secret) refused" in text


def test_a_driver_that_touches_more_than_the_plan_says_stops_all_and_is_written_down(
    applier: Applier,
) -> None:
    class Greedy(Simulator):
        def stage(self, actions: Sequence[Action], token: int = 0) -> Batch:
            batch = super().stage(actions, token)
            return Batch((*batch.actions, extra), token)

    bad, good = Greedy("bad"), Simulator("good")
    extra = planned([Resource(Key("vpp", "node/a/n", "vrf", "not planned"), {})], bad).actions[0]
    result = run(planned(world(), bad, good), applier, bad, good)
    assert bad.written == []
    assert "done" not in statuses(result, "bad")
    assert statuses(result, "good")[2:] == ["skipped"] * 4
    journal = written(applier)
    assert "touches vpp:node/a/n:vrf:not planned otherwise than the plan says" in journal.stopped
    assert bad.leased == good.leased == FREE


def test_of_two_appliers_the_second_finds_nothing_left(applier: Applier, tmp_path: Path) -> None:
    driver = Directory("east", tmp_path / "east")
    changes = planned(world(), driver)
    assert run(changes, applier, driver).failed == ()
    before = {path: path.stat().st_mtime_ns for path in driver.root.rglob("*.jsonl")}
    assert run(changes, applier, Directory("east", tmp_path / "east")).failed == ()
    assert {path: path.stat().st_mtime_ns for path in driver.root.rglob("*.jsonl")} == before
    assert driver.observe() == Observation({resource.key: resource for resource in world()})


def test_only_the_newest_journals_are_kept(applier: Applier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "KEPT", 2)
    for value in range(4):
        target = Simulator("t")
        changes = planned(world(value), target)
        assert not execute(changes, f"plan{value}", {"t": target}, applier).failed
    assert len(list(applier.folder.iterdir())) == 2
    assert written(applier).plan == "plan3"
