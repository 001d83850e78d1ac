"""Figures of the agent for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from reconciler.agent.attempt import Attempt
from reconciler.agent.slice import Condition
from reconciler.agent.step import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client import CollectorRegistry

PREFIX: Final = "intentc_agent_"


class Metrics:
    """All figures, in a registry of their own."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Declare them."""
        from prometheus_client import (
            CollectorRegistry,
            Counter,
            Gauge,
            Histogram,
            Info,
        )

        self.now = now
        self.registry: CollectorRegistry = CollectorRegistry(auto_describe=True)
        own: dict[str, Any] = {"registry": self.registry}
        self.slice = Info(f"{PREFIX}slice", "The slice that was applied last without anything left", **own)
        self.applied = Gauge(f"{PREFIX}applied_timestamp_seconds", "When that was", **own)
        self.objects = Gauge(f"{PREFIX}objects", "Objects of the last good slice", **own)
        self.drift = Gauge(f"{PREFIX}drift_objects", "Objects that drifted, at the last look", **own)
        self.attempts = Counter(f"{PREFIX}attempts", "Looks at the data plane", ["why", "outcome"], **own)
        self.seconds = Histogram(f"{PREFIX}attempt_duration_seconds", "Duration of such a look", **own)
        self.actions = Counter("intentc_actions", "Actions on targets", ["operation", "outcome"], **own)
        self.restarts = Gauge(f"{PREFIX}dataplane_restarts", "Restarts of the data plane in a row", **own)
        self.conditions = Gauge(f"{PREFIX}condition", "Whether something holds", ["type"], **own)
        self.missing = Gauge(f"{PREFIX}policies_missing", "Policies that have not come by BGP", **own)
        self.stale = Gauge(f"{PREFIX}policies_stale", "Policies that are not announced any more", **own)

    def attempt(self, attempt: Attempt, why: str, seconds: float) -> None:
        """Count one attempt."""
        self.attempts.labels(why, "done" if attempt.tried.well else "failed").inc()
        self.seconds.observe(seconds)
        for outcome in attempt.result.outcomes:
            self.actions.labels(outcome.action.operation, outcome.status).inc()
        if attempt.tried.well:
            self.slice.info({"digest": attempt.tried.want.digest, "revision": attempt.tried.revision})
            self.applied.set(self.now())

    def state(self, state: State, conditions: Sequence[Condition]) -> None:
        """Take over what holds now."""
        self.objects.set(len(state.slice.resources) if state.slice else 0)
        self.drift.set(state.drift)
        self.restarts.set(len(state.restarts))
        if state.tried is not None:
            self.missing.set(len(state.tried.missing))
            self.stale.set(len(state.tried.stale))
        for entry in conditions:
            self.conditions.labels(entry.type).set(entry.status)

    def text(self) -> tuple[bytes, str]:
        """Return all figures, and the type of the text."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self.registry), CONTENT_TYPE_LATEST
