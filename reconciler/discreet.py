"""A driver whose words are free of secrets: what targets say goes to screens, journals and status files.

Invariant: what leaves a method is an answer, or a DriverError with redacted words and no cause attached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from reconciler.drivers.base import Batch, Driver, DriverError, Lease, Observation, Outcome, PermanentError
from reconciler.plan import Action
from reconciler.secrets import Redact
from renderers.resource import Key

T = TypeVar("T")


class Discreet:
    """Passes every call on to a driver."""

    def __init__(self, driver: Driver, redact: Redact) -> None:
        """Take a driver, and what takes secrets out of words."""
        self.driver = driver
        self.redact = redact
        self.name = driver.name
        self.fences = driver.fences
        self.vault = driver.vault

    def observe(self) -> Observation:
        """Observe."""
        seen = self._call(self.driver.observe)
        return replace(seen, why=self.redact(seen.why))

    def lease(self) -> Lease | None:
        """Return the lease."""
        return self._call(self.driver.lease)

    def swap_lease(self, expected: Lease | None, new: Lease) -> bool:
        """Put a lease in the place of another."""
        return self._call(lambda: self.driver.swap_lease(expected, new))

    def stage(self, actions: Sequence[Action], token: int = 0) -> Batch:
        """Make actions ready."""
        return self._call(lambda: self.driver.stage(actions, token))

    def commit(self, batch: Batch) -> tuple[Outcome, ...]:
        """Do a batch."""
        outcomes = self._call(lambda: self.driver.commit(batch))
        return tuple(outcome._replace(message=self.redact(outcome.message)) for outcome in outcomes)

    def verify(self, batch: Batch) -> tuple[Key, ...]:
        """Read back."""
        return self._call(lambda: self.driver.verify(batch))

    def close(self) -> None:
        """Let go of the target."""
        self._call(self.driver.close)

    def _call(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except DriverError as error:
            refused = {key: self.redact(why) for key, why in error.refused.items()}
            told = type(error)(self.redact(str(error)), refused)
        except Exception as error:  # noqa: BLE001 -- whatever it is, its words may hold a secret
            what = self.redact(f"{type(error).__name__}: {error}")
            told = PermanentError(f"the driver broke ({what}); please report this as a bug")
        raise told  # out here, so that the first error is not attached to it
