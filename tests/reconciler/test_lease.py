from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from reconciler import lease
from reconciler.drivers.base import Lease, PermanentError, Superseded, TransientError
from reconciler.drivers.simulator import Simulator
from reconciler.lease import LONGEST, SKEW, Held, Leases, Terms, here, is_gone, person, take
from reconciler.retry import Retry

HASTY = Retry(attempts=3, sleep=lambda _: None)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def terms(clock: Clock, holder: str = "ann") -> Terms:
    return Terms(holder, 30.0, clock)


class Flaky(Simulator):
    """Does what it is asked to, and reports some of it as failed."""

    def __init__(self, *outcomes: str) -> None:
        super().__init__("flaky")
        self.outcomes = list(outcomes)

    def swap_lease(self, expected: Lease | None, new: Lease) -> bool:
        outcome = self.outcomes.pop(0) if self.outcomes else "told"
        if outcome == "refused":
            raise TransientError("busy")
        done = super().swap_lease(expected, new)
        if outcome == "lost":
            raise TransientError("no answer came")
        return done


def test_the_first_holder_has_the_first_token(clock: Clock) -> None:
    target = Simulator()
    assert take(target, terms(clock)) == target.leased == Lease("ann", clock.now + 30, 1)


def test_a_target_that_is_held_is_refused_with_who_and_until_when(clock: Clock) -> None:
    target = Simulator("leaf1")
    clock.now = 1_700_000_000.0
    take(target, terms(clock, "ann@n1 (process 12 since 34 of abc/1)"))
    with pytest.raises(Held) as raised:
        take(target, terms(clock, "bob"))
    assert str(raised.value) == (
        "ann@n1 (process 12) is changing target leaf1, until 22:13:50 UTC or longer; "
        "wait for the end of it, and try again"
    )
    assert target.leased is not None
    assert target.leased.token == 1


def test_the_same_holder_does_not_get_it_twice(clock: Clock) -> None:
    target = Simulator()
    take(target, terms(clock))
    with pytest.raises(Held):
        take(target, terms(clock))


def test_a_lease_that_ended_is_taken_over_after_the_margin(clock: Clock) -> None:
    target = Simulator()
    take(target, terms(clock))
    clock.now += 30 + SKEW - 0.1
    with pytest.raises(Held):
        take(target, terms(clock, "bob"))
    clock.now += 0.1
    assert take(target, terms(clock, "bob")) == Lease("bob", clock.now + 30, 2)


def test_a_clock_that_was_wrong_locks_nobody_out_for_long(clock: Clock) -> None:
    target = Simulator()
    target.leased = Lease("ann", clock.now + LONGEST + 60, 7)
    assert take(target, terms(clock, "bob")).token == 8


def test_what_was_let_go_is_free_at_once_and_its_token_goes_on(clock: Clock) -> None:
    target = Simulator()
    for token in (1, 2, 3):
        with Leases({"t": target}, terms(clock)) as leases:
            assert leases.token("t") == token
        assert target.leased == Lease("", 0.0, token)


def test_taking_is_tried_again_where_the_target_cannot_for_now(clock: Clock) -> None:
    assert take(Flaky("refused", "refused"), terms(clock), HASTY).token == 1
    with pytest.raises(TransientError, match="busy"):
        take(Flaky("refused", "refused", "refused"), terms(clock), HASTY)


def test_a_lease_whose_taking_was_reported_as_failed_is_ours(clock: Clock) -> None:
    assert take(Flaky("lost"), terms(clock), HASTY).token == 1


def test_a_renewal_that_was_reported_as_failed_does_not_lose_the_lease(clock: Clock) -> None:
    target = Flaky("told", "lost")
    with Leases({"t": target}, terms(clock)) as leases:
        clock.now += 15
        with pytest.raises(TransientError):
            leases.token("t")
        assert leases.token("t") == 1


def test_all_targets_are_taken_or_none(clock: Clock) -> None:
    free, held, late = Simulator("a"), Simulator("b"), Simulator("c")
    take(held, terms(clock, "bob"))
    with pytest.raises(Held), Leases({"c": late, "b": held, "a": free}, terms(clock)):
        pytest.fail("nothing is done without all leases")
    assert free.leased == Lease("", 0.0, 1)
    assert late.leased is None


def test_without_a_thread_to_renew_them_leases_are_given_back(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that goes on would else keep itself out."""
    target = Simulator()

    def start(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Thread, "start", start)
    with pytest.raises(RuntimeError), Leases({"a": target}, terms(clock)):
        pytest.fail("nothing is done without the thread")
    assert target.leased == Lease("", 0.0, 1)


def test_the_token_is_given_with_a_lease_that_has_time_left(clock: Clock) -> None:
    target = Simulator()
    with Leases({"t": target}, terms(clock)) as leases:
        for _ in range(5):
            clock.now += 25
            assert leases.token("t") == 1
            assert target.leased == Lease("ann", clock.now + 30, 1)


def test_an_own_lease_that_ended_and_that_nobody_took_goes_on(clock: Clock) -> None:
    target = Simulator()
    with Leases({"t": target}, terms(clock)) as leases:
        clock.now += 1000
        assert leases.token("t") == 1
        with pytest.raises(Held):
            take(target, terms(clock, "bob"))


@pytest.mark.parametrize("transactional", [True, False])
def test_whoever_was_taken_over_gets_no_token(clock: Clock, *, transactional: bool) -> None:
    target = Simulator(transactional=transactional)
    with Leases({"t": target}, terms(clock)) as leases:
        clock.now += 40
        taken = take(target, terms(clock, "bob"))
        with pytest.raises(Superseded, match="bob has taken over t"):
            leases.token("t")
        with pytest.raises(Superseded, match="written too late: bob"):
            leases.check("t")
    assert target.leased == taken


def test_without_fencing_the_lease_is_looked_at_each_time(clock: Clock) -> None:
    target = Simulator(transactional=False)
    with Leases({"t": target}, terms(clock)) as leases:
        target.leased = Lease("bob", clock.now + 30, 2)
        with pytest.raises(Superseded):
            leases.token("t")


def test_a_thread_keeps_leases_alive() -> None:
    targets = {name: Simulator(name) for name in ("a", "b")}
    with Leases(targets, Terms("ann", 0.15)):
        first = {name: target.leased for name, target in targets.items()}
        end = time.monotonic() + 60
        while any(targets[name].leased == first[name] for name in targets) and time.monotonic() < end:
            time.sleep(0.01)
        for name, target in targets.items():
            before = first[name]
            assert target.leased is not None
            assert before is not None
            assert (target.leased.holder, target.leased.token) == ("ann", 1)
            assert target.leased.expires > before.expires
    assert {target.leased for target in targets.values()} == {Lease("", 0.0, 1)}


def test_a_target_out_of_reach_does_not_end_the_thread_nor_the_letting_go(clock: Clock) -> None:
    class Gone(Simulator):
        def swap_lease(self, expected: Lease | None, new: Lease) -> bool:
            if expected is not None:
                raise PermanentError("gone")
            return super().swap_lease(expected, new)

    gone, there = Gone("a"), Simulator("b")
    with Leases({"a": gone, "b": there}, terms(clock)):
        pass
    assert gone.leased is not None
    assert gone.leased.holder == "ann"
    assert there.leased == Lease("", 0.0, 1)


@pytest.mark.parametrize("ttl", [0.0, -1.0, LONGEST + 1])
def test_a_lease_has_a_sensible_length(ttl: float) -> None:
    with pytest.raises(ValueError, match="lasts up to"):
        Terms("ann", ttl)


def test_this_process_is_not_gone() -> None:
    assert not is_gone(here("ann@laptop"))
    assert person(here("ann@laptop")) == f"ann@laptop (process {os.getpid()})"


def test_a_holder_of_another_form_is_not_gone() -> None:
    assert not is_gone("kubernetes/controller-0")
    assert person("kubernetes/controller-0") == "kubernetes/controller-0"


def test_a_holder_of_another_machine_is_not_gone() -> None:
    assert not is_gone(here("ann").replace(" of ", " of another-"))


def test_a_process_that_ended_is_gone_also_while_it_waits_for_its_parent(clock: Clock) -> None:
    script = "import time; from reconciler.lease import here; print(here('x'), flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        holder = child.stdout.readline().strip()
        target = Simulator()
        target.leased = Lease(holder, clock.now + 20, 4)
        with pytest.raises(Held):
            take(target, terms(clock))
        child.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert is_gone(holder)
        assert take(target, terms(clock)).token == 5
    assert is_gone(holder)


def test_another_process_with_the_same_number_is_not_the_holder() -> None:
    assert is_gone(here("ann").replace(" since ", " since 1"))


def test_where_processes_cannot_be_told_apart_nobody_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_PROC", Path("/nowhere"))
    holder = here("ann")
    assert not is_gone(holder)
