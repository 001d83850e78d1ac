"""One attempt to bring the data plane to a slice: observe, add what came by BGP, compare, apply, read back.

The plan is made as everywhere, so an observation that is not complete plans no deletion. Nobody is asked for
an approval: whoever gave the slice has it, and an agent would have to guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from reconciler.agent.dataplane import Dataplane
from reconciler.agent.policies import Merged, merged
from reconciler.agent.step import State, Tried
from reconciler.agent.watch import words_of
from reconciler.apply import Listener, Result, Stop
from reconciler.drivers.base import Driver, DriverError, Outcome
from reconciler.execute import Applier, execute
from reconciler.lease import Held
from reconciler.plan import Observation, Plan, plan
from reconciler.retry import Retry
from renderers import RULES
from renderers.resource import Resource

RETRY: Final = Retry(attempts=3, longest=5.0)
"""How patiently one attempt is; a further one comes after it."""
_KEPT: Final = 100
"""So many failures are kept in words."""


class Stopping(Exception):  # noqa: N818 -- a wish of the user, not an error
    """The agent was asked to end: raised between two batches."""


@dataclass(slots=True)
class Hand:
    """What changes the data plane; used by one thread."""

    plane: Dataplane
    applier: Applier
    listener: Listener
    """Hears of every batch, and may raise Stopping before it."""
    retry: Retry = RETRY
    driver: Driver | None = None
    opened: tuple[str, str] = ("", "")
    """Scope, and run of the data plane, that the driver is for."""

    def attempt(self, state: State) -> Attempt:
        """Try once; Stopping comes through."""
        found = Attempt(Tried(state.want, state.slice.revision if state.slice else ""))
        try:
            found = self._attempt(state)
        except Stopping:
            raise
        except (DriverError, Held, Stop, OSError) as error:  # a disk that is full, a folder not to be written
            found = Attempt(_failed(state, str(error)))
        except Exception as error:  # noqa: BLE001 -- what was applied so far stays, and the agent goes on
            found = Attempt(_failed(state, words_of(error)))
        if found.tried.failures:
            self.let_go()
        return found

    def let_go(self) -> None:
        """Close the driver; the next attempt opens another one."""
        if self.driver is not None:
            with suppress(Exception):
                self.driver.close()
            self.driver = None

    def _attempt(self, state: State) -> Attempt:
        if state.slice is None:
            raise ValueError("there is nothing to apply")
        resources = state.slice.resources
        scope = resources[0].key.scope if resources else self.opened[0]
        if self.driver is None or self.opened != (scope, state.want.instance):
            self.let_go()
            self.opened = (scope, state.want.instance)
            self.driver = self.plane.open(*self.opened)
        seen = self.driver.observe()
        wanted = _wanted(state, seen)
        keeps = state.want.keeps
        todo = _planned(self.plane.family, wanted.resources, replace(seen, complete=False) if keeps else seen)
        drivers = {self.plane.family: self.driver}
        result = execute(todo, state.digest, drivers, self.applier, self.listener, self.retry)
        tried = Tried(
            state.want,
            state.slice.revision,
            tuple(map(_said, result.failed[:_KEPT])),
            "" if seen.complete else seen.why or "it was not read completely",
            wanted.missing,
            wanted.stale,
            len(todo.actions),
            len(seen.resources.keys() - {item.key for item in wanted.resources}) if keeps else 0,
        )
        return Attempt(tried, todo, result)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of an attempt, and what it changed."""

    tried: Tried
    plan: Plan = field(default_factory=Plan, repr=False)
    result: Result = field(default_factory=lambda: Result(()), repr=False)


def _wanted(state: State, seen: Observation) -> Merged:
    resources: Sequence[Resource] = state.slice.resources if state.slice else ()
    if state.slice is None or not state.slice.policies_by_bgp:
        return Merged(tuple(resources))
    return merged(resources, state.policies or (), seen.resources)


def _planned(target: str, resources: Sequence[Resource], seen: Observation) -> Plan:
    return plan({target: resources}, {target: seen}, RULES)


def _failed(state: State, why: str) -> Tried:
    return Tried(state.want, state.slice.revision if state.slice else "", (why,))


def _said(outcome: Outcome) -> str:
    return f"{outcome.action.key}: {outcome.message}"
