"""Apply a plan as the only one who does: take the lease of every target, keep a journal, apply, let go.

Invariant: nothing is written to a target without its lease, nor before the journal says that it will be.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.apply import Guard, Listener, Result, apply, drivers_of
from reconciler.drivers.base import Driver, Outcome
from reconciler.journal import Journal, Unwritable, prune
from reconciler.lease import Leases, Terms
from reconciler.plan import Action, Plan
from reconciler.retry import PATIENT, Retry


@dataclass(frozen=True, slots=True)
class Applier:
    """Who applies, and where the record of it is kept."""

    holder: str
    """Differs between any two that may apply at the same time: see `lease.here`."""
    folder: Path
    """Where journals lie, one file for each run."""
    ttl: float = 30.0
    """Seconds after which others may take over a target from an applier that fell silent."""
    clock: Callable[[], float] = field(default=time.time, repr=False)
    """Seconds since 1970."""
    redact: Callable[[str], str] = field(default=str, repr=False)
    """Takes secrets out of what targets say, before it is written down."""


def execute(
    plan: Plan,
    name: str,
    drivers: Mapping[str, Driver],
    applier: Applier,
    on_event: Listener | None = None,
    retry: Retry = PATIENT,
) -> Result:
    """Apply a plan; `name` is the id of the approved plan, of which `plan` is all or what is left.

    Raises Held, Unwritable (no journal) or DriverError (a target out of reach) before anything is applied.
    """
    mine = drivers_of(plan, drivers)
    if not mine:
        return Result(())
    terms = Terms(applier.holder, applier.ttl, applier.clock)
    journal = Journal(applier.folder, plan, applier.clock)
    with Leases(mine, terms, retry) as leases, journal:
        journal.open(name, applier.holder, {target: lease.token for target, lease in leases.held.items()})
        result = apply(plan, drivers, on_event, retry, _Guard(leases, journal, applier.redact))
        with suppress(Unwritable):
            journal.record({"finished": True})
    prune(applier.folder)
    return result


@dataclass(frozen=True, slots=True)
class _Guard(Guard):
    """Lets pass what has the lease, once it stands in the journal."""

    leases: Leases
    journal: Journal
    redact: Callable[[str], str]

    def token(self, target: str) -> int:
        return self.leases.token(target)

    def begin(self, actions: Sequence[Action]) -> None:
        self.journal.begin(actions)

    def check(self, target: str) -> None:
        if not self.leases.drivers[target].fences:
            self.leases.check(target)

    def end(self, outcomes: Sequence[Outcome]) -> None:
        self.journal.end(outcomes, self.redact)

    def stopped(self, why: str) -> None:
        with suppress(Unwritable):
            self.journal.record({"stopped": self.redact(why)})
