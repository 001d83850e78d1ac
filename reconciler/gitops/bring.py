"""Bring the targets to one commit: look, compare, ask the brake, apply under leases.

The loop decides what to make of it; in here nothing is remembered and nothing is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from intent.memory import Memory
from reconciler.apply import Listener, Result
from reconciler.bound import Revision, bind
from reconciler.brake import TRAILER, Limits, Refusal, check
from reconciler.drivers.base import DriverError, Outcome
from reconciler.execute import Applier, execute
from reconciler.gitops.commit import Candidate
from reconciler.journal import Unwritable
from reconciler.lease import Held
from reconciler.prepare import Work, prepare
from reconciler.retry import Retry
from reconciler.telling import place_of
from renderers.causes import lines_of


class Stopping(Exception):  # noqa: N818 -- a wish of the user, not an error
    """The loop was asked to end: raised between two batches."""


@dataclass(frozen=True, slots=True)
class Means:
    """What targets are changed with."""

    root: Path
    """Relative paths of targets start here."""
    applier: Applier
    listener: Listener
    """Hears of every batch, and may raise Stopping before it."""
    retry: Retry


@dataclass(frozen=True, slots=True)
class Look:
    """What it takes to bring the targets to a commit."""

    candidate: Candidate
    work: Work = field(repr=False)
    id: str
    """Id of the bound plan."""
    refusals: tuple[str, ...]
    """What the deletion brake refuses, each with the trailer that would allow it."""

    @property
    def unread(self) -> list[str]:
        """Targets that were not read completely, each with the reason."""
        return [f"{name}: {why}" for name, why in self.work.incomplete.items()]


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an apply."""

    result: Result = field(default_factory=lambda: Result(()))
    failure: str = ""
    """What kept it from beginning."""
    held: bool = True
    """Whether the leases of the targets were ours."""

    @property
    def details(self) -> list[str]:
        """Say for each object that was not done what its target said, and the line of intent behind it."""
        undone = sorted(self.result.failed, key=lambda outcome: outcome.status != "failed")
        return [_said(outcome) for outcome in undone]

    @property
    def targets(self) -> list[str]:
        """Targets where something was not done."""
        return sorted({outcome.action.target for outcome in self.result.failed})


def look(
    candidate: Candidate,
    means: Means,
    approvals: Mapping[str, int],
    limits: Limits,
    memory: Memory | None = None,
    *,
    partly: bool = False,
) -> Look:
    """Observe the targets and plan; DriverError where one is out of reach, unless it may be left out."""
    work = prepare(candidate.repository, candidate.graph, means.root, memory, partly=partly)
    bound = bind(work.plan, candidate.repository, Revision(candidate.commit), approvals)
    refused = check(work.plan, work.observed, approvals, limits)
    return Look(candidate, work, bound.id, tuple(map(_refused, refused)))


def carry_out(seen: Look, means: Means) -> Done:
    """Apply what was planned; Stopping comes through."""
    work = seen.work
    applier = replace(means.applier, redact=work.redact)
    try:
        return Done(execute(work.plan, seen.id, work.drivers, applier, means.listener, means.retry))
    except Held as error:
        return Done(failure=str(error), held=False)
    except (Unwritable, DriverError) as error:
        return Done(failure=str(error))
    except Stopping:
        raise
    except Exception as error:  # noqa: BLE001 -- what was applied so far stays, and the loop goes on
        return Done(failure=place_of(error))


def _refused(entry: Refusal) -> str:
    return f"{entry.message}; if that is meant, commit the trailer {TRAILER}: {entry.type}={entry.approval}"


def _said(outcome: Outcome) -> str:
    places = lines_of(outcome.action.resource)
    because = f" (because of {', '.join(places)})" if places else ""
    return f"{outcome.status}: {outcome.action.target}: {outcome.action.key}: {outcome.message}{because}"
