"""Figures of the loop for Prometheus, and the pages that say whether it is alive and ready."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, get_args

from reconciler.gitops.state import Area
from reconciler.gitops.turn import Turn
from reconciler.health import Answer, Page, Pulse

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class Metrics:
    """Figures for Prometheus."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Declare them all, in a registry of their own."""
        from prometheus_client import (
            CollectorRegistry,
            Counter,
            Gauge,
            Histogram,
            Info,
        )

        self.now = now
        self.ready = False
        """Whether a turn has ended with a good commit known."""
        self.registry: CollectorRegistry = CollectorRegistry(auto_describe=True)
        own: dict[str, Any] = {"registry": self.registry}
        self.commit = Info("intentc_applied_commit", "The last commit of which nothing was left to do", **own)
        self.applied = Gauge("intentc_applied_timestamp_seconds", "When a commit was last applied", **own)
        self.turns = Counter("intentc_turns", "Turns of the loop", ["outcome"], **own)
        self.seconds = Histogram("intentc_turn_duration_seconds", "Duration of a turn", **own)
        self.applies = Histogram("intentc_apply_duration_seconds", "Duration of an apply", **own)
        self.actions = Counter("intentc_actions", "Actions on targets", ["operation", "outcome"], **own)
        self.drift = Gauge("intentc_drift_objects", "Objects that drifted, at the last look", **own)
        self.git_errors = Counter("intentc_git_errors", "Calls of git that failed for good", **own)
        self.lease = Gauge("intentc_lease_held", "Whether the last apply had its leases", **own)
        self.problems = Gauge("intentc_problem", "Whether something is wrong", ["area"], **own)
        self.success = Gauge(
            "intentc_last_success_timestamp_seconds", "When a turn last ended without a problem", **own
        )
        since = Gauge("intentc_seconds_since_success", "Time since a turn ended without a problem", **own)
        self.succeeded = now()
        since.set_function(lambda: self.now() - self.succeeded)

    def turn(self, turn: Turn) -> None:
        """Count one turn."""
        self.ready = bool(turn.state.applied)
        self.turns.labels(turn.outcome).inc()
        self.seconds.observe(turn.seconds)
        self.git_errors.inc(turn.git_errors)
        for area in get_args(Area):
            self.problems.labels(area).set(area in turn.state.problems)
        if turn.state.applied:
            self.commit.info({"commit": turn.state.applied})
        self.applied.set(turn.state.applied_at)
        if turn.drifted is not None:
            self.drift.set(len(turn.drifted))
        if turn.done is not None:
            self.lease.set(turn.done.held)
            if turn.done.result.outcomes:
                self.applies.observe(turn.applying)
            for outcome in turn.done.result.outcomes:
                self.actions.labels(outcome.action.operation, outcome.status).inc()
        if not turn.state.problems:
            self.succeeded = self.now()
            self.success.set(self.succeeded)

    def text(self) -> tuple[bytes, str]:
        """Return all figures, and the type of the text."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self.registry), CONTENT_TYPE_LATEST


def pages(pulse: Pulse, metrics: Metrics) -> dict[str, Page]:
    """Return what a server shall say of the loop."""

    def live() -> Answer:
        return Answer(pulse.alive, f"last progress {pulse.silent:.0f} s ago\n".encode())

    def ready() -> Answer:
        return Answer(metrics.ready, b"ready\n" if metrics.ready else b"no commit is applied yet\n")

    return {"/livez": live, "/readyz": ready, "/metrics": lambda: Answer(True, *metrics.text())}
