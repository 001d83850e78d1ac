"""What an agent does about all that can happen to it, on a clock that tests turn."""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.agent.slice import slice_digest
from reconciler.agent.step import PoliciesFailed, PoliciesRead, Reached, SourceFailed, Unreachable
from reconciler.drivers.base import Lease
from reconciler.drivers.simulator import Fault
from tests.agents import TABLE, Feed, Rig, announced, keys, listed, policy, resource, resources, steering


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_a_slice_is_applied_and_reported(rig: Rig) -> None:
    assert rig.give(*resources(1, 2)) > 0
    assert rig.held == []
    rig.see(Unreachable("connection refused"))
    assert rig.condition("Applied") == (False, "Waiting")
    assert rig.condition("DataplaneReachable") == (False, "Unreachable")
    rig.up()
    assert rig.held == listed(resources(1, 2))
    assert rig.agent.state.ready
    said = rig.status()
    assert said["applied"] == slice_digest(resources(1, 2)) == said["slice"]["digest"]
    assert said["revision"] == "one"
    assert {entry["type"]: entry["status"] for entry in said["conditions"]} == {
        "SourceReachable": True,
        "DataplaneReachable": True,
        "Applied": True,
        "InSync": True,
        "PoliciesComplete": True,
    }
    assert rig.agent.report.latest is not None
    assert rig.agent.report.latest.applied == said["applied"]


def test_a_new_slice_replaces_the_old_one(rig: Rig) -> None:
    rig.up()
    rig.give(*resources(1, 2))
    rig.give(*resources(2, 3), revision="two")
    assert rig.held == listed(resources(2, 3))
    assert rig.status()["revision"] == "two"


def test_the_same_slice_writes_nothing_and_takes_the_new_name(rig: Rig) -> None:
    rig.up()
    rig.give(*resources(1))
    written = rig.written
    calls = rig.plane.driver.calls
    rig.give(*resources(1), revision="two")
    assert rig.written == written
    assert rig.plane.driver.calls == calls, "it is not even looked at"


def test_a_report_says_which_reading_it_is_about(rig: Rig) -> None:
    """The source may have read more since: what is said of one slice is not said of the next."""
    rig.up()
    rig.give(*resources(1), reading="first")
    assert rig.agent.report.latest is not None
    assert rig.agent.report.latest.reading == "first"
    rig.give(*resources(1), reading="second")
    assert rig.agent.report.latest.reading == "second"
    rig.give(resource("table", "11 ipv4", {"id": 11}, where="node/other/n9"), reading="third")
    assert rig.agent.report.latest.reading == "second", "what is refused is not taken over"


def test_what_drifted_is_put_right_at_the_next_look(rig: Rig) -> None:
    rig.up()
    rig.give(*resources(1, 2))
    del rig.plane.driver.ours[steering(1).key]
    rig.later(200)
    assert steering(1) not in rig.held
    rig.later(101)
    assert rig.held == listed(resources(1, 2))
    assert rig.status()["drift"] == 1
    assert rig.condition("InSync") == (True, "Corrected")
    (told,) = [row for row in rig.logged() if row.get("event") == "drift-corrected"]
    assert told["details"] == [f"create {steering(1).key}"]
    rig.later(301)
    assert rig.status()["drift"] == 0
    assert rig.condition("InSync") == (True, "Same")


def test_a_look_that_finds_nothing_writes_nothing(rig: Rig) -> None:
    rig.up()
    rig.give(*resources(*range(1, 50)))
    written, journals = rig.written, len(list(rig.folder.glob("journals/*")))
    for _ in range(3):
        rig.later(301)
    assert rig.written == written
    assert len(list(rig.folder.glob("journals/*"))) == journals


def test_a_restart_of_the_data_plane_brings_everything_back_at_once(rig: Rig) -> None:
    rig.up()
    rig.give(*resources(1, 2))
    rig.time += 5
    rig.restart()
    assert rig.held == listed(resources(1, 2))
    assert rig.plane.opened == 2
    assert rig.status()["drift"] == 0, "nobody changed anything"
    assert rig.status()["applied"]


def test_a_restart_that_shows_first_in_an_error(rig: Rig) -> None:
    """The driver finds the connection lost before the probe does."""
    rig.up()
    rig.give(*resources(1))
    rig.plane.restart()
    rig.give(*resources(1, 2), revision="two")
    assert rig.condition("Applied") == (False, "Failed")
    rig.see(Unreachable("gone"))
    assert rig.condition("Applied") == (False, "Waiting")
    rig.up()
    assert rig.held == listed(resources(1, 2))


def test_while_the_data_plane_is_down_what_was_applied_to_it_is_not_claimed_of_the_next(rig: Rig) -> None:
    rig.up()
    rig.give(*resources(1))
    digest = rig.status()["applied"]
    rig.see(Unreachable("gone"))
    assert rig.status()["applied"] == digest
    assert not rig.agent.state.ready
    rig.plane.restart()
    rig.plane.down = "refuses"
    rig.see(Reached("vpp 2"))
    assert rig.status()["applied"] is None
    assert rig.condition("InSync")[0] is False


def test_a_crash_loop_is_braked(rig: Rig) -> None:
    rig.up()
    rig.give(*resources(1))
    waits = []
    for _ in range(6):
        rig.time += 1
        waits.append(rig.restart())
        assert rig.agent.state.ready is bool(rig.held), "an empty data plane carries nothing"
        if not rig.held:
            assert rig.condition("Applied") == (False, "Braked")
            rig.later(waits[-1] - 0.01)
            assert rig.held == []
            while not rig.held:
                rig.later(0.02 + rig.agent.turn())
    assert [round(wait) for wait in waits] == [20, 20, 5, 10, 20, 20]
    assert len(rig.agent.state.restarts) == 6
    rig.time += 700
    rig.restart()
    assert rig.held == listed(resources(1)), "after a quiet time a restart is an accident again"
    assert len(rig.agent.state.restarts) == 1


def test_the_brake_does_not_count_what_somebody_restarts_while_it_holds(rig: Rig) -> None:
    rig.up()
    rig.give(*resources(1))
    for _ in range(3):
        rig.restart()
    assert rig.held == []
    rig.restart()
    assert len(rig.agent.state.restarts) == 3


def test_a_source_that_is_gone_changes_nothing(rig: Rig) -> None:
    rig.up()
    rig.give(*resources(1))
    rig.see(SourceFailed("no route to host"))
    rig.later(1000)
    assert rig.held == listed(resources(1))
    assert rig.condition("SourceReachable") == (False, "LastGoodStays")
    assert rig.agent.state.ready
    rig.restart()
    assert rig.held == listed(resources(1)), "the last good slice is enough to start over"


def test_without_any_slice_nothing_is_touched(rig: Rig) -> None:
    rig.plane.driver.ours = {item.key: item for item in resources(1)}
    rig.up()
    rig.see(SourceFailed("no route to host"))
    rig.later(1000)
    assert rig.written == 0
    assert rig.plane.driver.calls == 0
    assert rig.condition("SourceReachable") == (False, "NoSlice")


BROKEN: dict[str, Callable[[Rig], object]] = {
    "empty": lambda rig: rig.give(revision="bad"),
    "of another node": lambda rig: rig.give(
        resource("table", "1 ipv4", {}, where="node/edge/w2"), revision="bad"
    ),
    "of a longer name": lambda rig: rig.give(
        resource("table", "1 ipv4", {}, where="node/core/edge/w1"), revision="bad"
    ),
    "cut off": lambda rig: rig.give(TABLE, steering(1), revision="bad"),
    "cut off above": lambda rig: rig.give(policy(1), steering(1), revision="bad"),
    "doubled": lambda rig: rig.give(*resources(1), TABLE, revision="bad"),
    "for linux": lambda rig: rig.give(
        *(type(item)(item.key._replace(family="linux"), item.spec) for item in resources(1)), revision="bad"
    ),
    "mixed": lambda rig: rig.give(
        *resources(1), type(TABLE)(TABLE.key._replace(family="linux"), {}), revision="bad"
    ),
    "contradictory": lambda rig: rig.give(*resources(1), revision="bad", emptied=True),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_slice_changes_nothing(rig: Rig, name: str) -> None:
    rig.up()
    rig.give(*resources(1, 2))
    BROKEN[name](rig)
    rig.later(1000)
    assert rig.held == listed(resources(1, 2))
    assert rig.condition("SourceReachable") == (False, "LastGoodStays")
    assert "revision bad is refused" in rig.status()["message"]
    assert rig.status()["revision"] == "one"
    rig.give(*resources(1), revision="three")
    assert rig.held == listed(resources(1))
    assert rig.status()["message"] == ""


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_slice_at_the_start_changes_nothing_either(rig: Rig, name: str) -> None:
    rig.plane.driver.ours = {item.key: item for item in resources(1, 2)}
    rig.up()
    BROKEN[name](rig)
    rig.later(1000)
    assert rig.held == listed(resources(1, 2))
    assert not rig.agent.state.ready


def test_a_node_is_emptied_when_its_source_says_so_expressly(rig: Rig) -> None:
    rig.up()
    rig.give(*resources(1, 2))
    rig.give(emptied=True, revision="two")
    assert rig.held == []
    assert rig.status()["applied"] == slice_digest(())
    assert rig.agent.state.ready


def test_what_cannot_be_read_completely_deletes_nothing(rig: Rig) -> None:
    rig.up()
    rig.give(*resources(1, 2))
    rig.plane.driver.unseen = (policy(2).key,)
    rig.give(TABLE, revision="two")
    assert rig.held == listed(resources(1, 2))
    assert rig.condition("InSync") == (False, "Incomplete")
    assert rig.condition("Applied") == (False, "Failed")
    rig.plane.driver.unseen = ()
    rig.later(1)
    assert rig.held == [TABLE]
    assert rig.condition("InSync") == (True, "Same")


def test_what_fails_is_tried_again_ever_more_slowly(rig: Rig) -> None:
    rig.plane.driver.foreign[TABLE.key] = TABLE
    rig.up()
    rig.give(*resources(1))
    waits = []
    for _ in range(9):
        waits.append(rig.agent.state.retry_at - rig.time)
        rig.time = rig.agent.state.retry_at - 0.01
        before = rig.agent.state.failures
        rig.agent.turn()
        assert rig.agent.state.failures == before
        rig.later(0.02)
    assert [round(wait / 0.75) for wait in waits] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert rig.condition("Applied") == (False, "Failed")
    assert "exists and is not ours" in rig.status()["message"]
    assert TABLE.key not in rig.plane.driver.ours
    del rig.plane.driver.foreign[TABLE.key]
    rig.later(100)
    assert rig.held == listed(resources(1))


def test_a_better_slice_is_not_kept_waiting_by_the_failure_before_it(rig: Rig) -> None:
    rig.plane.driver.foreign[steering(1).key] = steering(1)
    rig.up()
    rig.give(*resources(1))
    for _ in range(9):
        rig.later(60)
    rig.give(*resources(2), revision="two")
    assert rig.held == listed(resources(2))


def test_what_was_begun_and_not_finished_leaves_nothing_that_is_told_as_applied(rig: Rig) -> None:
    """Who goes back to the slice before must not be told that it is there already."""
    rig.up()
    rig.give(*resources(1))
    rig.plane.driver.foreign[policy(3).key] = policy(3)
    rig.give(*resources(2, 3), revision="two")
    assert rig.held == listed(resources(2))
    assert rig.status()["applied"] is None
    assert rig.agent.state.ready, "something was applied, and goes on"
    rig.plane.driver.foreign[steering(1).key] = steering(1)
    rig.give(*resources(1), revision="three")
    assert rig.status()["applied"] is None
    assert rig.condition("Applied") == (False, "Failed")
    rig.plane.driver.foreign.clear()
    rig.later(100)
    assert rig.status()["applied"] == slice_digest(resources(1))
    assert rig.condition("Applied") == (True, "Done")


def test_drift_that_cannot_be_put_right_says_why(rig: Rig) -> None:
    rig.up()
    rig.give(*resources(1))
    del rig.plane.driver.ours[steering(1).key]
    rig.plane.driver.foreign[steering(1).key] = steering(1)
    rig.later(301)
    assert rig.status()["applied"], "the slice was applied"
    (said,) = [entry for entry in rig.agent.conditions if entry.type == "InSync"]
    assert (said.status, said.reason) == (False, "Differs")
    assert "exists and is not ours" in said.message


def test_a_lease_of_somebody_else_is_waited_for(rig: Rig) -> None:
    rig.plane.driver.leased = Lease("ann", time.time() + 30, 1)
    rig.up()
    rig.give(*resources(1))
    assert rig.held == []
    assert "ann is changing target vpp" in rig.status()["message"]
    rig.plane.driver.leased = Lease("", 0.0, 1)
    rig.later(1)
    assert rig.held == listed(resources(1))


def test_a_bug_in_a_driver_does_not_end_the_agent(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaking(*_: object) -> None:
        raise KeyError("a secret")

    monkeypatch.setattr(rig.plane.driver, "observe", breaking)
    rig.up()
    rig.give(*resources(1))
    assert "intentc broke (KeyError" in rig.status()["message"]
    assert "secret" not in rig.words.getvalue()
    monkeypatch.undo()
    rig.later(1)
    assert rig.held == listed(resources(1))


def test_times_of_conditions_change_with_the_status_only(rig: Rig) -> None:
    rig.up()
    rig.give(*resources(1))
    before = {entry.type: entry.since for entry in rig.agent.conditions}
    rig.give(*resources(1, 2), revision="two")
    rig.later(301)
    assert {entry.type: entry.since for entry in rig.agent.conditions} == before
    rig.see(SourceFailed("one"))
    first = {entry.type: entry.since for entry in rig.agent.conditions}
    assert {name for name in first if first[name] != before[name]} == {"SourceReachable"}
    rig.see(SourceFailed("two"))
    assert {entry.type: entry.since for entry in rig.agent.conditions} == first


def test_times_of_conditions_outlive_the_process(rig: Rig) -> None:
    rig.up()
    rig.give(*resources(1))
    text = (rig.folder / "status.json").read_text()
    old = re.sub(r'"since": "[^"]*"', '"since": "2020-01-01T00:00:00Z"', text)
    (rig.folder / "status.json").write_text(old)
    rig.start()
    rig.see(Reached("vpp 1"))
    rig.give(*resources(1))
    assert {entry["since"] for entry in rig.status()["conditions"]} == {"2020-01-01T00:00:00Z"}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"conditions": [{"type": 1}]}', "[" * 100_000])
def test_a_damaged_status_file_is_replaced(rig: Rig, text: str) -> None:
    (rig.folder / "status.json").write_text(text)
    rig.start()
    rig.up()
    rig.give(*resources(1))
    assert rig.status()["applied"]


def test_a_status_that_cannot_be_written_stops_nothing(rig: Rig) -> None:
    (rig.folder / "status.json.new").mkdir()
    rig.up()
    rig.give(*resources(1))
    assert rig.held == listed(resources(1))
    assert any("cannot write" in row["message"] for row in rig.logged())


def test_a_problem_is_logged_once(rig: Rig) -> None:
    rig.up()
    rig.give(*resources(1))
    for _ in range(5):
        rig.see(SourceFailed("no route to host"))
    rows = [row for row in rig.logged() if row.get("condition") == "SourceReachable"]
    assert [(row["status"], row["level"]) for row in rows] == [(True, "info"), (False, "error")]


def test_what_is_remembered_and_refused_says_nothing_of_the_source(rig: Rig) -> None:
    rig.up()
    rig.give(*resources(1)[1:], remembered=True)
    assert (rig.agent.state.slice, rig.agent.state.source) == (None, None)
    rig.give(*resources(1)[1:])
    assert "is not complete" in str(rig.agent.state.source)


def test_an_agent_that_is_stopped_before_it_asked_its_source_does_not_know_that_all_is_well(rig: Rig) -> None:
    rig.up()
    rig.give(*resources(1), remembered=True)
    assert rig.condition("Applied")[0]
    assert not rig.agent.well
    rig.give(*resources(1))
    assert rig.agent.well


def test_what_stays_while_a_plan_goes_from_phase_to_phase_is_no_error(rig: Rig) -> None:
    rig.up()
    rig.give(*resources(1, 2))
    rig.give(*resources(1), keeps=True)
    assert rig.condition("InSync") == (False, "Kept")
    assert {row["level"] for row in rig.logged() if row.get("condition") == "InSync"} == {"info"}


def by_bgp(rig: Rig, *numbers: int, revision: str = "one") -> None:
    rig.give(TABLE, *map(steering, numbers), revision=revision, policies_by_bgp=True)


@pytest.fixture
def beside(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path, feed=Feed())
    rig.up()
    return rig


def test_policies_of_bgp_are_put_to_the_steering(beside: Rig) -> None:
    beside.see(PoliciesRead((announced(1), announced(2), announced(3))))
    by_bgp(beside, 1, 2)
    assert beside.held == listed(resources(1, 2)), "nobody asks for the third"
    assert beside.condition("PoliciesComplete") == (True, "Received")
    assert beside.status()["applied"] == slice_digest([TABLE, steering(1), steering(2)])


def test_steering_waits_for_its_policy(beside: Rig) -> None:
    by_bgp(beside, 1, 2)
    assert keys(beside.held) == ["table 10 ipv4"]
    assert beside.condition("PoliciesComplete") == (False, "Missing")
    beside.see(PoliciesRead((announced(1),)))
    assert beside.held == listed(resources(1))
    (said,) = [entry for entry in beside.agent.conditions if entry.type == "PoliciesComplete"]
    assert "1 policies have not come, and nothing is steered into them: cafe::2" in said.message
    beside.later(3000)
    assert beside.held == listed(resources(1))
    beside.see(PoliciesRead((announced(1), announced(2))))
    assert beside.held == listed(resources(1, 2))
    assert beside.agent.state.ready


def test_a_withdrawn_policy_stays_while_traffic_is_steered_into_it(beside: Rig) -> None:
    by_bgp(beside, 1, 2)
    beside.see(PoliciesRead((announced(1), announced(2))))
    beside.see(PoliciesRead(()))
    beside.later(3000)
    assert beside.held == listed(resources(1, 2)), "a GoBGP that lost its table does not cut traffic"
    assert beside.condition("PoliciesComplete") == (False, "Withdrawn")
    by_bgp(beside, 2, revision="two")
    assert beside.held == listed(resources(2)), "the slice says which policies there are"


def test_it_stays_over_a_restart_of_agent_and_gobgp(beside: Rig) -> None:
    by_bgp(beside, 1, 2)
    beside.see(PoliciesRead((announced(1), announced(2))))
    beside.start()
    beside.up()
    beside.see(PoliciesFailed("connection refused"))
    by_bgp(beside, 1, 2)
    beside.later(301)
    assert beside.held == listed(resources(1, 2))


def test_a_gobgp_that_is_gone_changes_nothing(beside: Rig) -> None:
    by_bgp(beside, 1)
    beside.see(PoliciesRead((announced(1),)))
    beside.see(PoliciesFailed("connection refused"))
    beside.later(301)
    assert beside.held == listed(resources(1))
    assert beside.condition("PoliciesComplete") == (False, "Unreachable")
    beside.restart()
    assert beside.held == listed(resources(1)), "what was received is still known"


def test_a_policy_takes_the_way_that_bgp_says_last(beside: Rig) -> None:
    by_bgp(beside, 1)
    beside.see(PoliciesRead((announced(1),)))
    beside.see(PoliciesRead((announced(1, "fc00:7::", "fc00:1::1"),)))
    (found,) = [item for item in beside.held if item.key.type == "policy"]
    assert found.spec["lists"] == [{"weight": 1, "sids": ["fc00:7::", "fc00:1::1"]}]
    assert [action.operation for action in beside.plane.driver.written[-1:]] == ["update"]


def test_a_slice_that_brings_its_policies_is_not_helped_by_bgp(beside: Rig) -> None:
    beside.see(PoliciesRead((announced(1), announced(2))))
    beside.give(TABLE, policy(2), steering(1), steering(2))
    assert beside.held == []
    assert "needs vpp:node/edge/w1:policy:cafe::1" in beside.status()["message"]


def test_an_object_that_is_refused_keeps_only_what_needs_it_waiting(rig: Rig) -> None:
    rig.plane.driver.foreign[policy(1).key] = policy(1)
    rig.up()
    rig.give(*resources(1, 2))
    assert rig.held == listed(resources(2))
    assert rig.condition("InSync") == (False, "Differs")


def test_a_passing_error_is_tried_again_within_the_attempt(rig: Rig) -> None:
    rig.plane.driver.faults = {2: Fault("transient")}
    rig.up()
    rig.give(*resources(1))
    assert rig.held == listed(resources(1))
    assert rig.condition("Applied") == (True, "Done")


def test_a_disk_that_is_full_is_no_bug(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/run/vpp/api.sock.intentc")

    monkeypatch.setattr(rig.plane.driver, "swap_lease", full)
    rig.up()
    rig.give(*resources(1))
    assert "No space left on device: '/run/vpp/api.sock.intentc'" in rig.status()["message"]
    assert "bug" not in rig.words.getvalue()
    monkeypatch.undo()
    rig.later(1)
    assert rig.held == listed(resources(1))
