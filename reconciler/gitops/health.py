"""Health and metrics over HTTP: whether the loop is alive, whether it is ready, and figures for Prometheus.

The server answers from its own threads with what the loop last told it, so it answers while the loop is
stuck, and says so: alive is who made progress within a bound, by a clock that nobody sets.
"""

from __future__ import annotations

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, get_args

from reconciler.gitops.state import Area
from reconciler.gitops.turn import Turn

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_TEXT: Final = "text/plain; charset=utf-8"
_PATIENCE: Final = 10
"""Seconds that a client may take to ask."""


class Pulse:
    """When the loop last made progress; written by the loop, read by anybody."""

    def __init__(self, ticks: Callable[[], float], bound: float) -> None:
        """Begin to count; `bound` is how many seconds may pass without progress."""
        self.ticks = ticks
        self.bound = bound
        self.last = ticks()
        self.ready = False
        """Whether a turn has ended with a good commit known."""

    def beat(self, rest: float = 0.0) -> None:
        """Note progress; for `rest` seconds none is expected."""
        self.last = self.ticks() + rest

    @property
    def silent(self) -> float:
        """Seconds without the progress that is expected."""
        return max(0.0, self.ticks() - self.last)

    @property
    def alive(self) -> bool:
        """Whether the last progress is not too long ago."""
        return self.silent <= self.bound


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


class Health:
    """The server: /livez, /readyz and /metrics."""

    def __init__(self, place: tuple[str, int], pulse: Pulse, metrics: Metrics) -> None:
        """Listen; raises OSError where that is not possible."""

        def answer(path: str) -> tuple[int, bytes, str]:
            if path == "/livez":
                words = f"last progress {pulse.silent:.0f} s ago\n"
                return 200 if pulse.alive else 503, words.encode(), _TEXT
            if path == "/readyz":
                words = "ready\n" if pulse.ready else "no commit is applied yet\n"
                return 200 if pulse.ready else 503, words.encode(), _TEXT
            if path == "/metrics":
                return 200, *metrics.text()
            return 404, b"there are /livez, /readyz and /metrics\n", _TEXT

        class Handler(BaseHTTPRequestHandler):
            timeout = _PATIENCE
            server_version = "intentc"
            sys_version = ""

            def do_GET(self) -> None:
                code, body, kind = answer(self.path.partition("?")[0])
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name in the base
                """Say nothing: a probe every few seconds would drown the log."""

        class Server(ThreadingHTTPServer):
            address_family = AF_INET6 if ":" in place[0] else AF_INET

            def handle_error(self, request: object, client_address: object) -> None:
                """Say nothing of a client that has gone."""

        self.server = Server(place, Handler)
        self.thread = Thread(target=self.server.serve_forever, name="health", daemon=True)
        self.thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server.server_address[1])

    def close(self) -> None:
        """Answer no more."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
