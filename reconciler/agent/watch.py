"""The threads that look at what the agent depends on, and tell it what they saw.

Each does one thing again and again. Invariant: none of them can fall silent without being noticed: a thread
that ended, or that made no progress for a minute beyond what was expected, makes the agent not alive.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Final, Protocol

from reconciler.agent.dataplane import Dataplane
from reconciler.agent.policies import PolicyFeed
from reconciler.agent.slice import NodeStatus, Slice, SliceSource
from reconciler.agent.step import (
    PoliciesFailed,
    PoliciesRead,
    Reached,
    SliceRead,
    SourceFailed,
    Unreachable,
)
from reconciler.drivers.base import DriverError
from reconciler.health import Pulse
from reconciler.telling import place_of

BOUND: Final = 60.0
"""Seconds of silence after which a watcher counts as stuck."""
PROBE: Final = 1.0
"""Seconds between two probes of the data plane."""
_FIRST: Final = 1.0
_LONGEST: Final = 60.0
"""Seconds after which what failed is asked again: from the first to the longest, doubling."""
_POLL: Final = 30.0
"""Seconds that one wait takes at most, so that a watcher shows that it lives."""
_DOUBLINGS: Final = 10

Seen = SliceRead | SourceFailed | Reached | Unreachable | PoliciesRead | PoliciesFailed
Post = Callable[[Seen], None]


class Turn(Protocol):
    """What a watcher does again and again."""

    def __call__(self, watcher: Watcher) -> None:
        """Do it once, and rest."""
        ...


class Watcher:
    """A thread, and whether it lives."""

    def __init__(
        self,
        name: str,
        turn: Turn,
        ticks: Callable[[], float],
        bound: float = BOUND,
        ending: Callable[[], None] = lambda: None,
    ) -> None:
        """Say what it does, and what last of all; it is started by `start`."""
        self.name = name
        self.turn = turn
        self.ending = ending
        self.pulse = Pulse(ticks, bound)
        self.over = Event()
        self.thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self.pulse.beat()
        self.thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs, and makes progress."""
        return self.thread.is_alive() and self.pulse.alive

    def rest(self, seconds: float) -> None:
        """Wait, unless it is over."""
        self.pulse.beat(seconds)
        self.over.wait(seconds)

    def _run(self) -> None:
        while not self.over.is_set():
            self.turn(self)
            self.pulse.beat()
        self.ending()


def words_of(error: Exception) -> str:
    """Say what went wrong: in the words of a target or source, or where a bug showed itself."""
    return str(error) if isinstance(error, DriverError) else place_of(error)


Chance = Callable[[], float]
"""Gives a number from 0 to 1."""


def patience(failures: int, chance: Chance) -> float:
    """Return how long to wait after so many failures in a row."""
    return spread(min(_FIRST * 2.0 ** min(max(failures - 1, 0), _DOUBLINGS), _LONGEST), chance)


def spread(seconds: float, chance: Chance) -> float:
    """Cut a time by up to half: a server that was away lost all its agents at the same moment."""
    return seconds * (1 + chance()) / 2


@dataclass(slots=True)
class LookAtSource:
    """Reads the source when it may have changed, and now and then without that."""

    source: SliceSource
    post: Post
    every: float
    """Seconds after which it is read again at the latest."""
    chance: Chance = random.random
    known: Slice | None = None
    digest: str = ""
    failures: int = 0

    def __call__(self, watcher: Watcher) -> None:
        """Read, tell, and wait for a change."""
        try:
            found = self.source.read()
            if found is not self.known:
                self.known, self.digest = found, found.digest
            self.post(SliceRead(found, self.digest))
            self._wait(watcher, spread(self.every, self.chance))
            self.failures = 0  # not before: what can be read and not waited for would be asked without a rest
        except Exception as error:  # noqa: BLE001 -- a source that breaks must not end the agent
            self.failures += 1
            self.post(SourceFailed(words_of(error)))
            self._wait_again(watcher)

    def _wait_again(self, watcher: Watcher) -> None:
        try:
            self._wait(watcher, patience(self.failures, self.chance))
        except Exception:  # noqa: BLE001 -- it was told already that the source is broken
            watcher.rest(patience(self.failures, self.chance))

    def _wait(self, watcher: Watcher, seconds: float) -> None:
        left = seconds
        while left > 0 and not watcher.over.is_set():
            seconds = min(left, spread(_POLL, self.chance))
            watcher.pulse.beat(seconds)
            if self.source.wait(seconds):
                return
            left -= seconds


@dataclass(slots=True)
class LookAtDataplane:
    """Probes the data plane, and tells what changed."""

    plane: Dataplane
    post: Post
    every: float = PROBE
    said: Reached | Unreachable | None = None

    def __call__(self, watcher: Watcher) -> None:
        """Probe once."""
        found: Reached | Unreachable
        try:
            found = Reached(self.plane.probe())
        except Exception as error:  # noqa: BLE001 -- a probe that breaks must not end the agent
            found = Unreachable(words_of(error))
        if found != self.said:
            self.said = found
            self.post(found)
        watcher.rest(self.every)


@dataclass(slots=True)
class LookAtPolicies:
    """Reads the policies that came by BGP when there may be others."""

    feed: PolicyFeed
    post: Post
    chance: Chance = random.random
    failures: int = 0

    def __call__(self, watcher: Watcher) -> None:
        """Read, tell, and wait for a change."""
        try:
            self.post(PoliciesRead(self.feed.read()))
            watcher.pulse.beat(_POLL)
            self.feed.wait(_POLL)
            self.failures = 0
        except Exception as error:  # noqa: BLE001 -- a GoBGP that is gone must not end the agent
            self.failures += 1
            self.post(PoliciesFailed(words_of(error)))
            watcher.rest(patience(self.failures, self.chance))


@dataclass(slots=True)
class Report:
    """Tells the source what the agent last said, and nothing older; again now and then: it may be lost."""

    source: SliceSource
    log: Callable[[str, str], None]
    every: float = _POLL
    """Seconds without news after which the last word is told again."""
    chance: Chance = random.random
    latest: NodeStatus | None = None
    told: NodeStatus | None = None
    news: Event = field(default_factory=Event)
    failures: int = 0

    def say(self, status: NodeStatus) -> None:
        """Take what is to be told; called by the agent."""
        self.latest = status
        self.news.set()

    def finish(self) -> None:
        """Tell the last word once more where it was not told yet: it may have come after the last turn."""
        if self.latest is not None and self.latest is not self.told:
            with suppress(Exception):  # who does not hear it stops nothing
                self.source.report(self.latest)

    def __call__(self, watcher: Watcher) -> None:
        """Wait for a word, and tell it."""
        watcher.pulse.beat(self.every)
        if not self.news.wait(self.every):
            self.told = None
        self.news.clear()
        while (status := self.latest) is not None and status is not self.told:
            try:
                self.source.report(status)
                self.told, self.failures = status, 0
                watcher.pulse.beat()
            except Exception as error:  # noqa: BLE001 -- who does not hear it stops nothing
                self.failures += 1
                if self.failures == 1:
                    self.log("warning", f"the status cannot be reported: {words_of(error)}")
                self.news.set()
                watcher.rest(patience(self.failures, self.chance))
                return
