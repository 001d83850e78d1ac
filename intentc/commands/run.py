"""Follow a branch of a git remote: apply each commit, and keep what was applied. See docs/run.md."""

from __future__ import annotations

import argparse
import shlex
import signal
import socket
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag

from intentc.files import reason
from intentc.service import Taken, alone, commit, folder, place, seconds, user
from reconciler.apply import Event
from reconciler.execute import Applier
from reconciler.git import GitError
from reconciler.gitops.bring import Means, Stopping
from reconciler.gitops.clone import clone_of
from reconciler.gitops.commit import Terms
from reconciler.gitops.health import Metrics, pages
from reconciler.gitops.loop import Loop
from reconciler.gitops.report import Reporter
from reconciler.gitops.turn import Settings, Turn, World
from reconciler.health import Health, Pulse
from reconciler.lease import here
from reconciler.retry import Retry
from reconciler.telling import Log, place_of


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add = parser.add_argument
    add("--remote", required=True, metavar="URL", help="git remote: https, ssh, or a path")
    add("--branch", default="main", help="branch to follow (default: main)")
    add("--state", required=True, type=Path, metavar="DIR", help="folder for the clone, state and journals")
    add("--folder", type=folder, default="", metavar="DIR", help="where intentc.yaml lies in the repository")
    add(
        "--target-root",
        type=Path,
        metavar="DIR",
        help="paths of targets start here (default: STATE/targets)",
    )
    add(
        "--interval",
        type=seconds,
        default=30.0,
        metavar="S",
        help="look at the remote so often (default: 30 s)",
    )
    add(
        "--drift-interval",
        type=seconds,
        default=300.0,
        metavar="S",
        help="look at the targets so often (default: 300 s)",
    )
    add(
        "--drift",
        choices=("correct", "report"),
        default="correct",
        help="put drift right (default), or tell it",
    )
    add("--trust", type=commit, metavar="COMMIT", help="the first commit must follow this one (full hash)")
    add("--accept-rewrite", type=commit, metavar="COMMIT", help="this head may rewrite history (full hash)")
    add(
        "--notify",
        type=shlex.split,
        default=[],
        metavar="COMMAND",
        help="run this for each event, with the event as JSON on standard input",
    )
    add("--status", type=Path, metavar="FILE", help="status file (default: status.json in --state)")
    add("--log", choices=("text", "json"), default="text", help="form of the log on standard error")
    add("--listen", type=place, metavar="HOST:PORT", help="serve /livez, /readyz and /metrics here")
    add(
        "--stuck-after",
        type=seconds,
        default=900.0,
        metavar="S",
        help="/livez turns red after so long a silence (default: 900 s)",
    )
    add("--once", action="store_true", help="one turn only (exit code 1: something is wrong, 2: drift)")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    try:
        with ExitStack() as stack:
            stack.enter_context(alone(options.state, "run"))
            return _Process(options, stack).run(once=options.once)
    except (GitError, OSError, Taken) as error:
        sys.stderr.write(f"intentc: {reason(error)}\n")
        return 1


@dataclass(slots=True)
class _Beats:
    """Hears of every batch: progress, and the place to stop at."""

    pulse: Pulse
    stop: Flag

    def __call__(self, _: Event) -> None:
        """Note progress; Stopping where the user asked for it."""
        self.pulse.beat()
        if self.stop.is_set():
            raise Stopping


class _Process:
    """The loop with its surroundings."""

    def __init__(self, options: argparse.Namespace, stack: ExitStack) -> None:
        """Put everything together."""
        state: Path = options.state.resolve()
        clone = clone_of(state, options.remote, options.branch)
        self.stop = Flag()
        self.log = Log(sys.stderr, options.log, time.time)
        self.pulse = Pulse(time.monotonic, options.stuck_after)
        self.metrics: Metrics | None = None
        if options.listen:
            self.metrics = Metrics(time.time)
            health = Health(options.listen, pages(self.pulse, self.metrics))
            stack.callback(health.close)
            self.log("info", f"health at http://{options.listen[0]}:{health.port}/livez")
        holder = here(f"{user()}@{socket.gethostname()}")
        beside = {"remote": clone.url, "branch": clone.branch, "holder": holder}
        self.reporter = Reporter(
            self.log, options.status or state / "status.json", options.notify, beside=beside
        )
        means = Means(
            (options.target_root or state / "targets").resolve(),
            Applier(holder, state / "journals"),
            _Beats(self.pulse, self.stop),
            Retry(sleep=self._pause),
        )
        settings = Settings(
            state,
            Terms(options.folder, options.trust or "", options.accept_rewrite or ""),
            options.interval,
            options.drift_interval,
            correct=options.drift == "correct",
        )
        world = World(time.time, time.monotonic, self.reporter.event, self.log)
        self.interval = settings.interval
        self.loop = Loop(settings, clone, means, world)

    def run(self, *, once: bool) -> int:
        """Do turns until asked to stop; return the exit code."""
        before = {
            number: signal.signal(number, lambda *_: self.stop.set())
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            self.log("info", f"following {self.loop.clone.branch} of {self.loop.clone.url}")
            while True:
                turn = self._turn()
                if once:
                    return 1 if turn is None else _code(turn)
                if self.stop.wait(self.interval):
                    self.log("info", "asked to stop; what was applied so far stays")
                    return 0
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _turn(self) -> Turn | None:
        """Do one turn and tell it; None where it did not come to its end."""
        try:
            turn = self.loop.turn()
            self.reporter.turn(turn)
            if self.metrics:
                self.metrics.turn(turn)
        except Stopping:
            return None
        except Exception as error:  # noqa: BLE001 -- nothing may end the loop; liveness tells if it goes on
            self.log("error", place_of(error))
            return None
        self.pulse.beat(self.interval)
        return turn

    def _pause(self, seconds: float) -> None:
        self.stop.wait(seconds)


def _code(turn: Turn) -> int:
    """0: all is as the branch says; 2: drift is all that is wrong; 1: something else is."""
    words = {entry.word for entry in turn.state.problems.values()}
    if not words:
        return 0
    return 2 if words == {"drift"} else 1
