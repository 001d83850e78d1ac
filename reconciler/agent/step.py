"""The agent without its surroundings: what was seen makes a new state, and the state says what to do next.

The source, the data plane and BGP are looked at by threads of their own, which tell what they saw; what is
lost of any of them leaves what was known before. Nothing of the state outlives the process, or has to: what
was applied shows at the data plane.

Invariant: pure; the last good slice stays whatever is seen after it, but for a better one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal, NamedTuple

from reconciler.agent.accept import fault
from reconciler.agent.brake import counted, held_until
from reconciler.agent.policies import Received
from reconciler.agent.slice import Slice

FIRST_RETRY: Final = 1.0
"""Seconds after which what failed is tried again; they double each time …"""
LAST_RETRY: Final = 60.0
"""… up to so many."""
JITTER: Final = 0.1
"""Share of the time between two looks by which they come earlier or later."""
_DOUBLINGS: Final = 10


class Moment(NamedTuple):
    """When something was seen."""

    ticks: float
    """Seconds of a clock that nobody sets."""
    time: datetime
    chance: float
    """A number from 0 to 1, so that not all agents act at once."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the agent was told at its start."""

    node: str
    """CLUSTER/NODE, or NODE."""
    family: str = ""
    """Family of the data plane; empty where the slice says it."""
    resync: float = 300.0
    """Seconds between two looks at the data plane."""


@dataclass(frozen=True, slots=True)
class SliceRead:
    """The source gave a slice."""

    slice: Slice
    digest: str


@dataclass(frozen=True, slots=True)
class SourceFailed:
    """The source gave none."""

    why: str


@dataclass(frozen=True, slots=True)
class Reached:
    """The data plane answers."""

    instance: str
    """Another one than before when it was restarted."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The data plane does not answer."""

    why: str


@dataclass(frozen=True, slots=True)
class PoliciesRead:
    """GoBGP gave its policies."""

    policies: tuple[Received, ...]


@dataclass(frozen=True, slots=True)
class PoliciesFailed:
    """GoBGP gave none."""

    why: str


class Want(NamedTuple):
    """What is to be applied where."""

    digest: str
    """Of the slice."""
    edition: int
    """Of the policies that came by BGP."""
    instance: str
    """Of the data plane."""
    keeps: bool = False
    """Whether what is not in the slice stays."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of an attempt to bring the data plane to the slice."""

    want: Want
    revision: str
    failures: tuple[str, ...] = ()
    """What was not done, or what kept it from beginning; empty where nothing is left."""
    unread: str = ""
    """What of the data plane could not be read: nothing was deleted."""
    missing: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    differed: int = 0
    """Objects that differed at first."""
    kept: int = 0
    """Objects that the slice does not have, and that stay because it says so."""

    @property
    def well(self) -> bool:
        """Whether all of the slice is there, and nothing else of ours."""
        return not self.failures and not self.unread


Event = SliceRead | SourceFailed | Reached | Unreachable | PoliciesRead | PoliciesFailed | Tried


@dataclass(frozen=True, slots=True)
class State:
    """What the agent knows."""

    terms: Terms
    slice: Slice | None = None
    """The last good one."""
    digest: str = ""
    source: str | None = None
    """What is wrong with the source or its newest slice; None before it was read."""
    instance: str | None = None
    """The data plane that answers; empty where none does, None before anybody looked."""
    last: str = ""
    """The data plane that answered last."""
    unreachable: str = ""
    policies: tuple[Received, ...] | None = None
    edition: int = 0
    """Counts the changes of the policies."""
    receiving: str = ""
    """What is wrong with GoBGP."""
    tried: Tried | None = None
    """The last attempt."""
    applied: Tried | None = None
    """The last attempt that left nothing."""
    mixed: bool = False
    """Whether another slice than that was begun since, and was not finished: neither of them is there."""
    drift: int = 0
    """Objects that differed at the last look, though nothing had been asked for since."""
    failures: int = 0
    """Attempts in a row that left something."""
    retry_at: float = 0.0
    look_at: float = 0.0
    restarts: tuple[float, ...] = ()

    @property
    def want(self) -> Want:
        """What is to be applied now."""
        keeps = self.slice is not None and self.slice.keeps
        return Want(self.digest, self.edition, self.instance or "", keeps)

    @property
    def untouched(self) -> bool:
        """Whether nothing was applied yet to the data plane that answers."""
        return self.tried is None or self.tried.want.instance != self.instance

    @property
    def claim(self) -> Tried | None:
        """The attempt whose slice the data plane holds; None where none was applied completely."""
        last = self.applied
        if last is None or self.mixed or last.want.instance != (self.instance or self.last):
            return None
        return last

    @property
    def ready(self) -> bool:
        """Whether a slice was applied to the data plane that answers."""
        return (
            bool(self.instance) and self.applied is not None and self.applied.want.instance == self.instance
        )


@dataclass(frozen=True, slots=True)
class Todo:
    """What to do next."""

    what: Literal["wait", "apply"]
    why: str
    """For people."""
    until: float = float("inf")
    """When to ask again, at the latest."""


def todo(state: State, ticks: float) -> Todo:
    """Say what to do next."""
    if state.slice is None:
        return Todo("wait", "there is no slice yet")
    if not state.instance:
        return Todo("wait", "the data plane does not answer")
    if ticks < (held := held_until(state.restarts)) and state.untouched:
        return Todo("wait", f"the data plane restarted {len(state.restarts)} times in a row", held)
    if state.tried is None or state.tried.want != state.want:
        return Todo("apply", _news(state))
    if state.failures and ticks < state.retry_at:
        return Todo("wait", "the last attempt failed", state.retry_at)
    if state.failures:
        return Todo("apply", "the last attempt failed")
    if ticks < state.look_at:
        return Todo("wait", "nothing is to be done", state.look_at)
    return Todo("apply", "resync")


def _news(state: State) -> str:
    """Say what is new since the last attempt."""
    before = state.tried.want if state.tried else None
    if before is None:
        return "start"
    if before.instance != state.want.instance:
        return "the data plane was restarted"
    same = (before.digest, before.keeps) == (state.want.digest, state.want.keeps)
    return "other policies" if same else "new slice"


def after(state: State, event: Event, now: Moment) -> State:
    """Return the state after something was seen."""
    match event:
        case SliceRead():
            return _read(state, event)
        case SourceFailed(why):
            return replace(state, source=why)
        case Reached(instance):
            return _reached(state, instance, now.ticks)
        case Unreachable(why):
            return replace(state, instance="", unreachable=why)
        case PoliciesRead(policies):
            edition = state.edition + (policies != state.policies)
            return replace(state, policies=policies, edition=edition, receiving="")
        case PoliciesFailed(why):
            return replace(state, receiving=why)
        case Tried():
            return _tried(state, event, now)


def _read(state: State, event: SliceRead) -> State:
    """Take a slice over, if it is fit for it."""
    family = state.terms.family
    if not family and state.slice is not None and state.slice.resources:
        family = state.slice.resources[0].key.family
    if why := fault(event.slice, state.terms.node, family):
        if event.slice.remembered:
            return state  # what the source has now may be better, and is asked for already
        return replace(state, source=f"the slice of revision {event.slice.revision} is refused: {why}")
    source = state.source if event.slice.remembered else ""
    return replace(state, slice=event.slice, digest=event.digest, source=source)


def _reached(state: State, instance: str, ticks: float) -> State:
    """Count a restart; a data plane that was only out of reach is looked at again."""
    found = replace(state, instance=instance, last=instance, unreachable="")
    if state.last not in ("", instance) and state.tried and state.tried.want.instance == state.last:
        return replace(found, restarts=counted(state.restarts, ticks))
    return found if state.instance is None else replace(found, look_at=ticks)


def _tried(state: State, event: Tried, now: Moment) -> State:
    """Say when to try again, or to look again."""
    asked_before = state.applied is not None and state.applied.want == event.want
    drift = event.differed if asked_before else 0
    jitter = 1 + JITTER * (2 * now.chance - 1)
    found = replace(state, tried=event, drift=drift, look_at=now.ticks + state.terms.resync * jitter)
    if event.well:
        return replace(found, applied=event, mixed=False, failures=0)
    mixed = state.mixed or (state.applied is not None and state.applied.want.digest != event.want.digest)
    wait = min(FIRST_RETRY * 2.0 ** min(state.failures, _DOUBLINGS), LAST_RETRY)
    retry_at = now.ticks + wait * (1 + now.chance) / 2
    return replace(found, mixed=mixed, failures=state.failures + 1, retry_at=retry_at)
