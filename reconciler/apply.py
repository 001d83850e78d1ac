"""Do what a plan says, as it says it: phase by phase, the targets of a phase side by side.

Each target takes its part of a phase as one batch: staged, committed, and read back. What failed stops what
depends on it and nothing else; a target that somebody else took over is left alone from then on. The plan is
never made anew in here: the caller plans again afterwards, and sees nothing left to do, or what is left.

Invariant: nothing is touched that the plan does not list; whatever wants to is a bug, and stops everything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain, groupby
from operator import is_
from threading import Lock
from typing import Final, TypeVar

from reconciler.drivers.base import Driver, Outcome, PermanentError, Superseded, TransientError
from reconciler.plan import Action, Plan
from reconciler.retry import PATIENT, Retry
from renderers.resource import Key

T = TypeVar("T")
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


class Stop(Exception):  # noqa: N818 -- an order, not an error
    """Nothing more may be written to any target; the message says why."""


class Overreach(Stop):
    """A driver was about to touch, or touched, what the plan does not list."""


class Guard:
    """What stands beside an apply; this one lets everything pass. Its methods are called from any thread."""

    def token(self, target: str) -> int:
        """Return the token to write with; Superseded where somebody else took the target over."""
        del target
        return 0

    def begin(self, actions: Sequence[Action]) -> None:
        """Take note of what a target writes from now on; raises Stop."""

    def check(self, target: str) -> None:
        """Raise Superseded where the batch just written was too late, and the target did not keep it out."""

    def end(self, outcomes: Sequence[Outcome]) -> None:
        """Take note of what became of the part that a target had in a phase; raises Stop."""

    def stopped(self, why: str) -> None:
        """Take note of why everything is stopped."""


UNGUARDED: Final = Guard()

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
    plan: Plan,
    drivers: Mapping[str, Driver],
    on_event: Listener | None = None,
    retry: Retry = PATIENT,
    guard: Guard = UNGUARDED,
) -> Result:
    """Execute a plan, with a driver for each of its targets; events come one at a time, from any thread."""
    mine = drivers_of(plan, drivers)
    blockers = _once(partial(_blockers, plan.actions))
    outcomes: dict[Id, Outcome] = {}
    undone: dict[Id, Outcome] = {}
    watch = _Watch(guard, _one_at_a_time(on_event), retry)
    with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as pool, watch:
        for _, phase in groupby(sorted(plan.actions, key=_by_phase), key=_by_phase):
            parts: dict[str, list[Action]] = defaultdict(list)
            for action in phase:
                parts[action.target].append(action)
            before = dict(undone)
            running = [
                pool.submit(_Part(mine[target], watch, blockers, before).run, actions)
                for target, actions in parts.items()
            ]
            for settled in [part.result() for part in running]:
                outcomes |= settled
                undone |= _undone(settled)
    return Result(tuple(outcomes[action.id] for action in plan.actions))


def drivers_of(plan: Plan, drivers: Mapping[str, Driver]) -> dict[str, Driver]:
    """Return the drivers that a plan needs; ValueError where one is missing."""
    targets = sorted({action.target for action in plan.actions})
    if unknown := [target for target in targets if target not in drivers]:
        raise ValueError(f"no driver for {', '.join(unknown)}")
    return {target: drivers[target] for target in targets}


class _Watch:
    """What the parts of an apply share: who listens, and what must not be written to any more."""

    def __init__(self, guard: Guard, tell: Listener, retry: Retry) -> None:
        self.guard = guard
        self.tell = tell
        self.retry = retry
        self.everything = ""
        """Why nothing is written any more."""
        self.targets: dict[str, str] = {}
        """Why nothing is written to a target any more."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Keep what still runs from going on, where the apply itself was broken off."""
        if kind is not None:
            self.everything = self.everything or "the apply was broken off"

    def why(self, target: str) -> str:
        return self.everything or self.targets.get(target, "")

    def stop(self, error: Stop) -> None:
        if not self.everything:
            self.everything = str(error)
            self.guard.stopped(str(error))


@dataclass(frozen=True, slots=True)
class _Part:
    """The part that one target has in one phase."""

    driver: Driver
    watch: _Watch
    blockers: Callable[[], Mapping[Id, Sequence[Id]]]
    """Worked out where something was not done."""
    before: Outcomes
    """What was not done in earlier phases."""

    def run(self, actions: Sequence[Action]) -> dict[Id, Outcome]:
        """Do the actions in one batch; what the target refuses is taken out, and the rest is tried again."""
        target, phase = actions[0].target, actions[0].phase
        self.watch.tell(Started(target, phase, len(actions)))
        settled: dict[Id, Outcome] = {}
        waiting = list(actions)
        while waiting:
            settled |= self.stopped(waiting, settled) or self.attempts(waiting)
            waiting = [action for action in waiting if action.id not in settled]
        outcomes = tuple(settled[action.id] for action in actions)
        try:
            self.watch.guard.end(outcomes)
        except Stop as error:
            self.watch.stop(error)
        self.watch.tell(Finished(target, phase, outcomes))
        return settled

    def stopped(self, actions: Iterable[Action], settled: Outcomes) -> dict[Id, Outcome]:
        """Return what must not be tried, since something it depends on was not done."""
        found: dict[Id, Outcome] = {}
        undone = _undone(settled)
        if not (self.before or undone):
            return found
        for action in actions:
            for blocker in self.blockers()[action.id]:
                if blocker in self.before or blocker in undone:
                    verb = "needs" if action.after else "may still be used by"
                    found[action.id] = Outcome(action, "skipped", f"{verb} {blocker[1]}, which was not done")
                    break
        return found

    def attempts(self, actions: Sequence[Action]) -> dict[Id, Outcome]:
        """Try actions until they succeed, or the target refuses for good, or patience ends."""
        target, phase = actions[0].target, actions[0].phase
        for attempt, wait in enumerate(chain(self.watch.retry.waits(), (None,)), start=1):
            if why := self.watch.why(target):
                return {action.id: Outcome(action, "skipped", f"not tried: {why}") for action in actions}
            try:
                return self.attempt(target, actions)
            except TransientError as error:
                if wait is None:
                    return _failed(actions, f"gave up after {attempt} attempts: {error}", {})
                self.watch.tell(Retrying(target, phase, attempt, wait, str(error)))
                self.watch.retry.sleep(wait)
            except Superseded as error:
                self.watch.targets[target] = str(error)
                return _failed(actions, str(error), {})
            except PermanentError as error:
                refused = [action for action in actions if action.key in error.refused] or actions
                return _failed(refused, str(error), error.refused)
            except Stop as error:
                self.watch.stop(error)
                return _failed(actions, str(error), {})
            except Exception as error:  # noqa: BLE001 -- a bug in one driver must not lose what others did
                words = f"the driver broke ({type(error).__name__}: {error}); please report this as a bug"
                return _failed(actions, words, {})
        raise AssertionError("the last attempt returns")

    def attempt(self, target: str, actions: Sequence[Action]) -> dict[Id, Outcome]:
        """Stage, commit and read back once."""
        guard = self.watch.guard
        batch = self.driver.stage(actions, guard.token(target))
        _must_be_of(batch.actions, actions)
        guard.begin(batch.actions)
        outcomes = self.driver.commit(batch)
        _must_be_of([outcome.action for outcome in outcomes], actions)
        guard.check(target)
        found = {outcome.action.id: outcome for outcome in outcomes}
        if silent := len(actions) - len(found):
            raise ValueError(f"no word about {silent} of {len(actions)} objects")
        if differing := frozenset(self.driver.verify(batch)):
            return {name: _checked(outcome, differing) for name, outcome in found.items()}
        return found


def _must_be_of(touched: Sequence[Action], actions: Sequence[Action]) -> None:
    """Raise Overreach where something else is touched than the plan says."""
    if len(touched) == len(actions) and all(map(is_, touched, actions)):
        return
    listed = {action.id: action for action in actions}
    for action in touched:
        known = listed.get(action.id)
        if known is not action and known != action:
            raise Overreach(
                f"the driver of {action.target} touches {action.key} otherwise than the plan says; "
                "everything was stopped; please report this as a bug"
            )


def _blockers(actions: Sequence[Action]) -> dict[Id, Sequence[Id]]:
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
    found: dict[Id, Sequence[Id]] = {}
    for action in actions:
        if action.after is None:
            found[action.id] = _near(users.get(action.key, ()), action.target)
        else:
            several = [makers[need] for need in action.after.needs if need in makers]
            found[action.id] = [blocker for ids in several for blocker in _near(ids, action.target)]
    return found


def _undone(outcomes: Outcomes) -> dict[Id, Outcome]:
    return {name: outcome for name, outcome in outcomes.items() if outcome.status != "done"}


def _near(ids: Sequence[Id], target: str) -> Sequence[Id]:
    if len(ids) <= 1:
        return ids
    here = {key for name, key in ids if name == target}
    return [(name, key) for name, key in ids if name == target or key not in here]


def _failed(actions: Iterable[Action], message: str, reasons: Mapping[Key, str]) -> dict[Id, Outcome]:
    return {action.id: Outcome(action, "failed", reasons.get(action.key, message)) for action in actions}


def _checked(outcome: Outcome, differing: frozenset[Key]) -> Outcome:
    """Believe what was read back, not what was reported."""
    if outcome.status != "done" or outcome.action.key not in differing:
        return outcome
    negation = "not" if outcome.action.after else "still"
    return Outcome(outcome.action, "failed", f"was {negation} there when read back")


def _once(work: Callable[[], T]) -> Callable[[], T]:
    """Return what does some work where it is first asked for; who asks meanwhile waits for it."""
    lock, known = Lock(), cache(work)

    def result() -> T:
        with lock:
            return known()

    return result


def _by_phase(action: Action) -> int:
    return action.phase


def _one_at_a_time(listener: Listener | None) -> Listener:
    lock = Lock()

    def tell(event: Event) -> None:
        if listener is not None:
            with lock:
                listener(event)

    return tell
