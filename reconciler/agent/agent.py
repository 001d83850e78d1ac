"""The agent of one node: threads look, one thread decides and applies, and everything is told.

What was seen comes through one queue and is put together by `step`, so what is decided never depends on
which thread was quicker than another while both saw the same.

Invariant: whatever happens to source, data plane or GoBGP, the agent goes on with what it knows; where one of
its own threads does not, it says that it is not alive, and whoever started it starts it again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event as Flag
from typing import Any, Final

from reconciler.agent.attempt import RETRY, Attempt, Hand, Stopping
from reconciler.agent.conditions import as_json, found, recalled, settled, status
from reconciler.agent.dataplane import Dataplane
from reconciler.agent.metrics import Metrics
from reconciler.agent.policies import PolicyFeed
from reconciler.agent.slice import Condition, NodeStatus, SliceSource
from reconciler.agent.step import Moment, State, Terms, Todo, after, todo
from reconciler.agent.watch import LookAtDataplane, LookAtPolicies, LookAtSource, Report, Seen, Turn, Watcher
from reconciler.apply import Event as Progress
from reconciler.execute import Applier
from reconciler.health import Answer, Page, Pulse
from reconciler.systemd import Notify
from reconciler.telling import Log, iso, place_of, write

_REST: Final = 20.0
"""Seconds after which the agent shows that it lives, if nothing happens."""
_ENDING: Final = 2.0
"""Seconds that a thread has to end."""
_PASSING: Final = ("Pending", "Waiting", "Kept")
"""Reasons of what is not so yet, because it comes later."""
_SHOWN: Final = 20
"""So many objects of a change are named in the log."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything around an agent."""

    source: SliceSource
    plane_of: Callable[[str], Dataplane]
    """The data plane for a family of objects."""
    feed: PolicyFeed | None
    applier: Applier
    log: Log
    metrics: Metrics | None = None
    status: Path | None = None
    stuck_after: float = 300.0
    """Seconds without progress after which the agent is not alive."""
    notify: Notify = field(default=lambda _: None, repr=False)
    """Tells whoever started the agent that it lives."""
    ticks: Callable[[], float] = field(default=time.monotonic, repr=False)
    chance: Callable[[], float] = field(default=random.random, repr=False)


class Agent:
    """The agent; `run` is called by one thread, `stop` by any, or by a handler of signals."""

    def __init__(self, terms: Terms, world: World) -> None:
        """Take up nothing but the times of conditions: what was applied shows at the data plane."""
        self.world = world
        self.state = State(terms)
        self.pulse = Pulse(world.ticks, world.stuck_after)
        self.conditions: tuple[Condition, ...] = ()
        earlier = recalled(world.status) if world.status else ()
        self.known = {entry.type: entry for entry in earlier}
        """Every condition as it was last told, be it by the process before."""
        self.inbox: SimpleQueue[Seen | None] = SimpleQueue()
        self.stopped = Flag()
        self.report = Report(world.source, world.log, chance=world.chance)
        self.watchers = [
            Watcher(
                "source",
                LookAtSource(world.source, self.inbox.put, terms.resync, world.chance),
                world.ticks,
                world.source.longest,
            ),
            Watcher("report", self.report, world.ticks, ending=self.report.finish),
        ]
        self.reporter = self.watchers[-1]
        if world.feed is not None:
            self.watchers.append(
                self._watcher("policies", LookAtPolicies(world.feed, self.inbox.put, world.chance))
            )
        self.hand: Hand | None = None
        self.said: NodeStatus | None = None
        if terms.family:
            self._work_for(terms.family)

    def run(self, *, once: bool = False) -> None:
        """Work until asked to stop, or until it shows what became of one attempt."""
        for watcher in self.watchers:
            watcher.start()
        self.world.notify("READY=1")
        try:
            wait = 0.0
            while not (self.stopped.is_set() or (once and self._is_through())):
                try:
                    wait = self.turn(wait)
                except Stopping:
                    break
                except Exception as error:  # noqa: BLE001 -- nothing may end the agent; liveness tells if it goes on
                    self.world.log("error", place_of(error))
                    self.stopped.wait(1.0)
        finally:
            self._end()

    def stop(self) -> None:
        """Ask it to end: a batch in flight is finished first."""
        self.stopped.set()
        self.inbox.put(None)

    def turn(self, wait: float = 0.0) -> float:
        """Take in what was seen, waiting so long for it; do what is to be done; return how long to wait."""
        self._take_in(wait)
        self._choose()
        what = todo(self.state, self.world.ticks())
        if what.what == "apply" and not self.stopped.is_set():
            self._apply(what)
            what = todo(self.state, self.world.ticks())
        self._tell()
        self._beat(_REST)
        return 0.0 if what.what == "apply" else max(0.0, min(what.until - self.world.ticks(), _REST))

    @property
    def alive(self) -> bool:
        """Whether the agent and all its watchers make progress."""
        return self.pulse.alive and all(watcher.alive for watcher in self.watchers)

    def pages(self) -> dict[str, Page]:
        """Return what a server shall say of it."""

        def health() -> Answer:
            rows = [f"agent: last progress {self.pulse.silent:.0f} s ago"]
            for watcher in self.watchers:
                words = f"silent for {watcher.pulse.silent:.0f} s" if watcher.thread.is_alive() else "dead"
                rows.append(f"{watcher.name}: {'good' if watcher.alive else words}")
            return Answer(self.alive, ("\n".join(rows) + "\n").encode())

        def ready() -> Answer:
            if self.state.ready:
                return Answer(good=True, body=b"ready\n")
            rows = [f"{entry.type}: {entry.message}" for entry in self.conditions if not entry.status]
            return Answer(good=False, body=("\n".join(["not ready", *rows]) + "\n").encode())

        def metrics() -> Answer:
            return Answer(True, *self.world.metrics.text()) if self.world.metrics else Answer(True, b"")

        return {"/healthz": health, "/readyz": ready, "/metrics": metrics}

    @property
    def well(self) -> bool:
        """Whether the slice that the source has now was applied, and nothing is left."""
        state = self.state
        return state.ready and state.source == "" and state.tried is not None and state.tried.well

    def _is_through(self) -> bool:
        """Whether the first attempt was made, or cannot be made."""
        state = self.state
        if self.world.feed is not None and state.policies is None and not state.receiving:
            return False
        if state.source is None or (state.instance is None and self.hand is not None):
            return False
        return state.tried is not None or state.slice is None or not state.instance

    def _watcher(self, name: str, turn: Turn) -> Watcher:
        return Watcher(name, turn, self.world.ticks)

    def _take_in(self, wait: float) -> None:
        """Take in all that was seen since the last time."""
        with suppress(Empty):
            event = self.inbox.get(timeout=wait) if wait > 0 else self.inbox.get_nowait()
            while True:
                if event is not None:
                    self.state = after(self.state, event, self._now())
                event = self.inbox.get_nowait()

    def _choose(self) -> None:
        """Open the data plane that the first slice is for, where nobody said which."""
        if self.hand is None and self.state.slice is not None and self.state.slice.resources:
            watcher = self._work_for(self.state.slice.resources[0].key.family)
            watcher.start()

    def _work_for(self, family: str) -> Watcher:
        plane = self.world.plane_of(family)
        retry = replace(RETRY, sleep=self._pause)
        self.hand = Hand(plane, self.world.applier, self._progress, retry)
        watcher = self._watcher("dataplane", LookAtDataplane(plane, self.inbox.put))
        self.watchers.append(watcher)
        return watcher

    def _apply(self, what: Todo) -> None:
        if self.hand is None:
            raise ValueError("there is no data plane to apply to")
        begun = self.world.ticks()
        self._beat()
        attempt = self.hand.attempt(self.state)
        seconds = self.world.ticks() - begun
        self.state = after(self.state, attempt.tried, self._now())
        if self.world.metrics:
            self.world.metrics.attempt(attempt, what.why, seconds)
        self._tell_attempt(attempt, what, seconds)

    def _tell_attempt(self, attempt: Attempt, what: Todo, seconds: float) -> None:
        tried, changed = attempt.tried, attempt.plan.counts
        if not tried.well or (what.why == "resync" and not attempt.plan.actions):
            return  # failures are told by the conditions
        objects = f"{sum(changed.values()):,} objects"
        drifted = bool(self.state.drift)
        message = f"drift corrected, {objects} put right" if drifted else f"applied, {objects} changed"
        details = [f"{action.operation} {action.key}" for action in attempt.plan.actions[:_SHOWN]]
        self.world.log(
            "warning" if drifted else "info",
            f"{message} ({what.why}, revision {tried.revision})",
            event="drift-corrected" if drifted else "applied",
            revision=tried.revision,
            digest=tried.want.digest,
            counts=changed,
            seconds=round(seconds, 3),
            details=details if drifted else [],
        )

    def _tell(self) -> None:
        """Tell what changed: by the log, the status file, the figures, and the source."""
        now = self._now()
        seen = found(self.state, now.ticks)
        if not seen:
            return
        self.conditions = settled(self.known.values(), seen, now.time)
        for entry in self.conditions:
            if self.known.get(entry.type) != entry:
                self._tell_condition(entry)
            self.known[entry.type] = entry
        if self.world.metrics:
            self.world.metrics.state(self.state, self.conditions)
        said = status(self.state, self.conditions)
        if said != self.said:
            self.said = said
            self.report.say(said)
            self._write(said)

    def _tell_condition(self, entry: Condition) -> None:
        words = f"{entry.type}: {entry.reason}" + (f": {entry.message}" if entry.message else "")
        level = "info" if entry.status or entry.reason in _PASSING else "error"
        self.world.log(level, words, condition=entry.type, status=entry.status, reason=entry.reason)

    def _write(self, said: NodeStatus) -> None:
        if self.world.status is None:
            return
        more: dict[str, Any] = {"holder": self.world.applier.holder, "written": iso(time.time())}
        if self.state.slice is not None:
            more["slice"] = {"revision": self.state.slice.revision, "digest": self.state.digest}
        try:
            write(self.world.status, as_json(self.state.terms.node, said, more))
        except OSError as error:
            self.world.log("error", f"cannot write {self.world.status}: {error.strerror}")

    def _progress(self, _: Progress) -> None:
        """Note that a batch moved; Stopping where the agent was asked to end."""
        self._beat()
        if self.stopped.is_set():
            raise Stopping

    def _beat(self, rest: float = 0.0) -> None:
        self.pulse.beat(rest)
        if self.alive:
            self.world.notify("WATCHDOG=1")

    def _pause(self, seconds: float) -> None:
        self.pulse.beat(seconds)
        self.stopped.wait(seconds)

    def _now(self) -> Moment:
        return Moment(self.world.ticks(), datetime.now(UTC), self.world.chance())

    def _end(self) -> None:
        """Let go of everything; what does not end in time ends with the process."""
        self.world.notify("STOPPING=1")
        if self.stopped.is_set():
            self.world.log("info", "asked to stop; what was applied so far stays")
        closing: list[Callable[[], None]] = [self.world.source.close]
        if self.world.feed is not None:
            closing.append(self.world.feed.close)
        for watcher in self.watchers:
            watcher.over.set()
        self.report.news.set()
        limit = time.monotonic() + _ENDING
        if self.reporter.thread.ident is not None:
            self.reporter.thread.join(_ENDING / 2)  # the last word is told before the source is closed
        for close in closing:
            with suppress(Exception):
                close()
        for watcher in self.watchers:
            if watcher.thread.ident is not None:
                watcher.thread.join(max(0.0, limit - time.monotonic()))
        if self.hand is not None:
            self.hand.let_go()
            with suppress(Exception):
                self.hand.plane.close()
