"""Do what a plan says, as it says it: phase by phase, the targets of a phase side by side.

Each target takes its part of a phase as one batch: staged, committed, and read back. What failed stops what
depends on it and nothing else. The plan is never made anew in here: the caller plans again afterwards, and
sees nothing left to do, or what is left.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from threading import Lock
from typing import Final

from reconciler.drivers.base import Driver, Outcome, PermanentError, TransientError
from reconciler.plan import Action, Plan
from renderers.resource import Key

Id = tuple[str, Key]
"""What tells the actions of a plan apart: target and key."""
Outcomes = Mapping[Id, Outcome]


@dataclass(frozen=True, slots=True)
class Started:
    """A target begins with its part of a phase."""

    target: str
    phase: int
    actions: int


@dataclass(frozen=True, slots=True)
class Retrying:
    """A target could not for now, and is asked again after some seconds."""

    target: str
    phase: int
    attempt: int
    wait: float
    why: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A target is through with its part of a phase."""

    target: str
    phase: int
    outcomes: tuple[Outcome, ...]


Event = Started | Retrying | Finished
Listener = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Retry:
    """How often, and after how many seconds, a target is asked again; the wait doubles each time."""

    attempts: int = 5
    wait: float = 0.5
    longest: float = 30.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)


PATIENT: Final = Retry()

_SIDE_BY_SIDE: Final = 32
"""So many targets are changed at the same time."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of every action of the plan, in the order of the plan."""

    outcomes: tuple[Outcome, ...]

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """What was not done: failed, or skipped because of it."""
        return tuple(outcome for outcome in self.outcomes if outcome.status != "done")


def apply(
    plan: Plan, drivers: Mapping[str, Driver], on_event: Listener | None = None, retry: Retry = PATIENT
) -> Result:
    """Execute a plan, with a driver for each of its targets; events come one at a time, from any thread."""
    if unknown := sorted({action.target for action in plan.actions} - drivers.keys()):
        raise ValueError(f"no driver for {', '.join(unknown)}")
    tell = _one_at_a_time(on_event)
    blockers = _blockers(plan.actions)
    outcomes: dict[Id, Outcome] = {}
    with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as pool:
        for _, phase in groupby(sorted(plan.actions, key=_by_phase), key=_by_phase):
            parts: dict[str, list[Action]] = defaultdict(list)
            for action in phase:
                parts[action.target].append(action)
            before = dict(outcomes)
            running = [
                pool.submit(_Part(drivers[target], retry, tell, blockers, before).run, actions)
                for target, actions in parts.items()
            ]
            for part in running:
                outcomes |= part.result()
    return Result(tuple(outcomes[action.id] for action in plan.actions))


@dataclass(frozen=True, slots=True)
class _Part:
    """The part that one target has in one phase."""

    driver: Driver
    retry: Retry
    tell: Listener
    blockers: Mapping[Id, Sequence[Id]]
    before: Outcomes
    """What became of earlier phases."""

    def run(self, actions: Sequence[Action]) -> dict[Id, Outcome]:
        """Do the actions in one batch; what the target refuses is taken out, and the rest is tried again."""
        target, phase = actions[0].target, actions[0].phase
        self.tell(Started(target, phase, len(actions)))
        settled: dict[Id, Outcome] = {}
        waiting = list(actions)
        while waiting:
            settled |= self.stopped(waiting, settled) or self.attempts(waiting)
            waiting = [action for action in waiting if action.id not in settled]
        self.tell(Finished(target, phase, tuple(settled[action.id] for action in actions)))
        return settled

    def stopped(self, actions: Iterable[Action], settled: Outcomes) -> dict[Id, Outcome]:
        """Return what must not be tried, since something it depends on was not done."""
        found = {}
        for action in actions:
            for blocker in self.blockers[action.id]:
                known = settled.get(blocker) or self.before.get(blocker)
                if known is not None and known.status != "done":
                    verb = "needs" if action.after else "may still be used by"
                    found[action.id] = Outcome(action, "skipped", f"{verb} {blocker[1]}, which was not done")
                    break
        return found

    def attempts(self, actions: Sequence[Action]) -> dict[Id, Outcome]:
        """Try actions until they succeed, or the target refuses for good, or patience ends."""
        wait = self.retry.wait
        attempt = 1
        while True:
            try:
                return self.attempt(actions)
            except PermanentError as error:
                refused = [action for action in actions if action.key in error.refused] or actions
                return _failed(refused, str(error), error.refused)
            except TransientError as error:
                if attempt >= self.retry.attempts:
                    return _failed(actions, f"gave up after {attempt} attempts: {error}", {})
                self.tell(Retrying(actions[0].target, actions[0].phase, attempt, wait, str(error)))
            except Exception as error:  # noqa: BLE001 -- a bug in one driver must not lose what others did
                words = f"the driver broke ({type(error).__name__}: {error}); please report this as a bug"
                return _failed(actions, words, {})
            self.retry.sleep(wait)
            wait, attempt = min(2 * wait, self.retry.longest), attempt + 1

    def attempt(self, actions: Sequence[Action]) -> dict[Id, Outcome]:
        """Stage, commit and read back once."""
        batch = self.driver.stage(actions)
        outcomes = self.driver.commit(batch)
        differing = frozenset(self.driver.verify(batch))
        return {outcome.action.id: _checked(outcome, differing) for outcome in outcomes}


def _blockers(actions: Sequence[Action]) -> dict[Id, list[Id]]:
    """Say for each action which others must be done first.

    What makes an object waits for what makes the objects it needs; what deletes one waits for what ends their
    use. Where the same key lives in several targets, the one in the same target counts.
    """
    makers: dict[Key, list[Id]] = defaultdict(list)
    users: dict[Key, list[Id]] = defaultdict(list)
    for action in actions:
        if action.after is not None:
            makers[action.key].append(action.id)
        if action.before is not None:
            for need in action.before.needs:
                users[need].append(action.id)
    return {
        action.id: [blocker for need in action.after.needs for blocker in _near(makers[need], action.target)]
        if action.after is not None
        else _near(users[action.key], action.target)
        for action in actions
    }


def _near(ids: list[Id], target: str) -> list[Id]:
    return [found for found in ids if found[0] == target] or ids


def _failed(actions: Iterable[Action], message: str, reasons: Mapping[Key, str]) -> dict[Id, Outcome]:
    return {action.id: Outcome(action, "failed", reasons.get(action.key, message)) for action in actions}


def _checked(outcome: Outcome, differing: frozenset[Key]) -> Outcome:
    """Believe what was read back, not what was reported."""
    if outcome.status != "done" or outcome.action.key not in differing:
        return outcome
    negation = "not" if outcome.action.after else "still"
    return Outcome(outcome.action, "failed", f"was {negation} there when read back")


def _by_phase(action: Action) -> int:
    return action.phase


def _one_at_a_time(listener: Listener | None) -> Listener:
    lock = Lock()

    def tell(event: Event) -> None:
        if listener is not None:
            with lock:
                listener(event)

    return tell
