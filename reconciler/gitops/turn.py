"""One turn of the loop as a value, and what the loop is given to work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.drift import Drift
from reconciler.gitops.bring import Done, Look
from reconciler.gitops.commit import Terms
from reconciler.gitops.state import Area, Event, Problem, State


@dataclass(frozen=True, slots=True)
class Settings:
    """What the loop was asked to do."""

    state: Path
    """Folder that is the loop's own."""
    terms: Terms
    interval: float = 30.0
    """Seconds between two looks at the remote."""
    look: float = 300.0
    """Seconds between two looks at the targets."""
    correct: bool = True
    """Put right what drifted; otherwise it is only reported."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside that tests replace."""

    now: Callable[[], float]
    """Seconds since 1970."""
    ticks: Callable[[], float]
    """Seconds of a clock that nobody sets."""
    tell: Callable[[Event], None]
    """Takes each event once."""
    log: Callable[[str, str], None]
    """Takes a level (info, warning, error) and a line for people."""


@dataclass(slots=True)
class Turn:
    """What one turn found and did."""

    state: State
    events: list[Event] = field(default_factory=list)
    found: dict[Area, Problem | None] = field(default_factory=dict)
    """The areas that were looked at, with what is wrong there."""
    seen: Look | None = None
    done: Done | None = None
    drifted: tuple[Drift, ...] | None = None
    """What had drifted; None where nobody looked."""
    git_errors: int = 0
    seconds: float = 0.0
    applying: float = 0.0
    """Seconds that the apply took."""

    @property
    def outcome(self) -> str:
        """Say in one word how it ended: the worst problem, else the last news, else idle."""
        told = [event.news for event in self.events if event.news != "recovered"]
        return self.state.worst or (told[-1] if told else "idle")
