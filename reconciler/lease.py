"""One applier for each target: who may write to it, until when, and how one that comes late is kept out.

A lease lies at the target itself, so it holds over machines. It ends by the clock, with a margin for clocks
that differ, or at once where its holder was a process of this machine that is gone. Whoever takes a target
over takes the next fencing token; a target that fences refuses batches with older ones (see drivers/base).

Invariant: without a human, every target can be taken over some time after its holder fell silent.
"""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from reconciler.drivers.base import Driver, DriverError, Lease, Superseded, TransientError
from reconciler.retry import PATIENT, Retry

__all__ = ["Held", "Lease", "Leases", "Terms", "here", "is_gone", "person", "take"]

SKEW: Final = 5.0
"""Seconds by which the clocks of two appliers may differ."""
LONGEST: Final = 3600.0
"""Seconds. A lease that ends later than that was written by a clock that is wrong, and binds nobody."""
_HOLDER: Final = re.compile(
    r"(?P<person>.*) \(process (?P<pid>\d+) since (?P<start>\d+) of (?P<machine>\S+)\)", re.DOTALL
)
_PROC: Final = Path("/proc")


class Held(Exception):  # noqa: N818 -- a state of a target, not an error of the program
    """Somebody else is changing a target; nothing was done."""

    def __init__(self, target: str, lease: Lease) -> None:
        """Say who it is, until when, and what to do."""
        self.target = target
        self.lease = lease
        until = datetime.fromtimestamp(lease.expires, UTC).strftime("%H:%M:%S UTC")
        super().__init__(
            f"{person(lease.holder)} is changing target {target}, until {until} or longer; "
            "wait for the end of it, and try again"
        )


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms leases are taken."""

    holder: str
    ttl: float = 30.0
    """Seconds until a lease that is not renewed ends; it is renewed after a third of them."""
    clock: Callable[[], float] = field(default=lambda: datetime.now(UTC).timestamp(), repr=False)
    """Seconds since 1970."""

    def __post_init__(self) -> None:
        if not 0 < self.ttl <= LONGEST:
            raise ValueError(f"a lease lasts up to {LONGEST:g} s")

    def next(self, seen: Lease | None) -> Lease:
        """Return the lease that follows the one that was seen."""
        return Lease(self.holder, self.clock() + self.ttl, (seen.token if seen else 0) + 1)

    def free(self, seen: Lease | None) -> bool:
        """Say whether a lease binds nobody any more."""
        left = seen.expires - self.clock() if seen else -SKEW
        return seen is None or not -SKEW < left < LONGEST + SKEW or is_gone(seen.holder)


def here(name: str) -> str:
    """Return the holder that is this process, under the name of who started it (`ann@laptop`)."""
    pid = os.getpid()
    return f"{name} (process {pid} since {_start(pid) or 0} of {_machine() or socket.gethostname()})"


def person(holder: str) -> str:
    """Return what a person wants to know of a holder."""
    found = _HOLDER.fullmatch(holder)
    return f"{found['person']} (process {found['pid']})" if found else holder or "nobody"


def is_gone(holder: str) -> bool:
    """Say whether a holder is known to have ended: let go, or a process of this machine that is no more."""
    found = _HOLDER.fullmatch(holder)
    if found is None:
        return not holder
    return found["machine"] == _machine() and _start(int(found["pid"])) != int(found["start"])


def take(driver: Driver, terms: Terms, retry: Retry = PATIENT) -> Lease:
    """Take the lease of a target; raises Held, or DriverError where the target cannot be reached."""
    wanted = None
    for wait in (*retry.waits(), None):
        try:
            seen = driver.lease()
            if seen is not None and seen == wanted:
                return seen  # the last attempt was reported as failed, and was none
            if seen is not None and not terms.free(seen):
                raise Held(driver.name, seen)
            wanted = terms.next(seen)
            if driver.swap_lease(seen, wanted):
                return wanted
        except TransientError:
            if wait is None:
                raise
            retry.sleep(wait)
    raise TransientError(f"many want to change {driver.name} at the same time")


class Leases:
    """The leases of several targets, all or none of them, kept alive by a thread until they are let go."""

    def __init__(self, drivers: Mapping[str, Driver], terms: Terms, retry: Retry = PATIENT) -> None:
        """Name the targets; nothing is taken yet."""
        self.drivers = dict(sorted(drivers.items()))
        self.terms = terms
        self.retry = retry
        self.held: dict[str, Lease] = {}
        self._locks = {name: threading.Lock() for name in self.drivers}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="leases", daemon=True)

    def __enter__(self) -> Self:
        """Take them in the order of names; raises Held or DriverError, and then has none."""
        try:
            for name, driver in self.drivers.items():
                self.held[name] = take(driver, self.terms, self.retry)
            self._thread.start()
        except BaseException:
            self._let_go()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let them go; what cannot be reached ends by the clock."""
        self._over.set()
        self._thread.join()
        self._let_go()

    def token(self, target: str) -> int:
        """Return the token to write with, its lease renewed in time; Superseded where it is not ours."""
        with self._locks[target]:
            if self.terms.clock() >= self.held[target].expires - self.terms.ttl * 2 / 3:
                self._renew(target)
            elif not self.drivers[target].fences:
                self._own(target)
            return self.held[target].token

    def check(self, target: str) -> None:
        """Raise Superseded where somebody else took the target over while a batch was written."""
        with self._locks[target]:
            try:
                self._own(target)
            except Superseded as error:
                raise Superseded(f"this was written too late: {error}") from error

    def _own(self, target: str) -> Lease:
        """Return the lease as the target has it, if it is still ours."""
        mine, seen = self.held[target], self.drivers[target].lease()
        if seen is None or (seen.holder, seen.token) != (mine.holder, mine.token):
            who = person(seen.holder) if seen else "nobody"
            raise Superseded(f"{who} has taken over {target}; plan again to see what is left")
        return seen

    def _renew(self, target: str) -> None:
        seen = self._own(target)
        longer = replace(seen, expires=self.terms.clock() + self.terms.ttl)
        if self.drivers[target].swap_lease(seen, longer):
            self.held[target] = longer
        else:
            self._own(target)

    def _keep(self) -> None:
        """Renew until it is over; who cannot is told by `token`, or by the target itself."""
        while not self._over.wait(self.terms.ttl / 3):
            for target, lock in self._locks.items():
                with lock, suppress(DriverError):
                    self._renew(target)

    def _let_go(self) -> None:
        for target in self.held:
            with suppress(DriverError):
                seen = self._own(target)
                self.drivers[target].swap_lease(seen, Lease("", 0.0, seen.token))


def _machine() -> str:
    """Return what tells this run of this machine (and container) from all others; "" where unknown."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        space = (_PROC / "self/ns/pid").readlink()
    except OSError:
        return ""
    return f"{boot}/{str(space).strip('pid:[]')}"


def _start(pid: int) -> int | None:
    """Return when a process was started, in ticks since the boot; None where it is no more."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    state, *fields = text.rpartition(")")[2].split()
    return None if state in "ZX" else int(fields[18])
