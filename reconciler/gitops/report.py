"""What the loop tells: a log, a status file, and the command that the user wants to be told by.

Everything that is told was put into words elsewhere, free of secrets; in here it gets its form. What cannot
be told stops nothing.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from reconciler.drift import as_json
from reconciler.gitops.state import Event, Problem
from reconciler.gitops.turn import Turn
from reconciler.telling import Log, iso, printable, write

FORMAT: Final = "intentc-status/1"


@dataclass(frozen=True, slots=True)
class Reporter:
    """Tells events and turns."""

    log: Log
    status: Path
    notify: Sequence[str] = ()
    """Command that is run for each event; no shell looks at it."""
    patience: float = 30.0
    """Seconds that it may take."""
    beside: Mapping[str, Any] = field(default_factory=dict)
    """What else the status says: remote, branch, holder of leases."""
    known: dict[str, Any] = field(default_factory=dict)
    """What earlier turns found: not every turn looks at everything."""

    def event(self, event: Event) -> None:
        """Tell one event."""
        level = "info" if event.news in ("applied", "recovered", "drift-corrected") else "error"
        fields = {"event": event.news, "commit": event.commit, "details": list(event.details)}
        self.log(level, f"{event.news}: {event.message}", **fields)
        if self.notify:
            code = run_command(self.notify, event, iso(self.log.now()), self.patience)
            self.log("info" if code == 0 else "warning", f"notify command: {_ended(code)}", event=event.news)

    def turn(self, turn: Turn) -> None:
        """Write the status file anew."""
        self.known.update(status(turn))
        content = {"format": FORMAT, "written": iso(self.log.now()), **self.beside, **self.known}
        try:
            write(self.status, content)
        except OSError as error:
            self.log("error", f"cannot write {self.status}: {error.strerror}")


def status(turn: Turn) -> dict[str, Any]:
    """Return what a turn found, as plain values."""
    state = turn.state
    found: dict[str, Any] = {
        "condition": state.worst or ("ok" if state.applied else "starting"),
        "since": iso(min(since)) if (since := [entry.since for entry in state.problems.values()]) else None,
        "head": state.head or None,
        "accepted": state.accepted or None,
        "applied": state.applied or None,
        "appliedAt": iso(state.applied_at) if state.applied_at else None,
        "problems": [{"area": area, **_problem(entry)} for area, entry in state.problems.items()],
        "turn": {"outcome": turn.outcome, "seconds": round(turn.seconds, 3)},
    }
    if turn.seen is not None:
        plan = turn.seen.work.plan
        found["plan"] = {
            "id": turn.seen.id,
            "commit": turn.seen.candidate.commit,
            "counts": plan.counts,
            "unchanged": plan.unchanged,
            "untaken": turn.seen.work.untaken,
        }
    if turn.done is not None:
        found["lease"] = {"held": turn.done.held}
    if turn.drifted is not None:
        found["drift"] = [as_json(entry) for entry in turn.drifted]
    return found


def run_command(words: Sequence[str], event: Event, stamp: str, patience: float) -> int | None:
    """Run a command with an event as JSON on its standard input; return its exit code, None if it has none.

    Its output is not kept, and after `patience` seconds it is ended, with all that it started.
    """
    content = json.dumps(
        {
            "time": stamp,
            "event": event.news,
            "message": event.message,
            "commit": event.commit or None,
            "details": event.details,
        }
    )
    outside = {"INTENTC_EVENT": event.news, "INTENTC_COMMIT": event.commit, "INTENTC_MESSAGE": event.message}
    try:
        process = subprocess.Popen(
            list(words),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **{name: printable(text) for name, text in outside.items()}},
            start_new_session=True,
        )
    except OSError:
        return None
    with process:
        try:
            process.communicate(content.encode(), patience)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            return None
    return process.returncode


def _problem(entry: Problem) -> dict[str, Any]:
    found = asdict(entry)
    del found["key"]
    return {**found, "since": iso(entry.since)}


def _ended(code: int | None) -> str:
    return f"exit code {code}" if code is not None else "could not be run, or did not end in time"
