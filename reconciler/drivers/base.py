"""The contract between the reconciler and a target: the only door to what really exists.

Every driver, simulated and real, passes tests/contract/. A driver is called by one thread at a time. What
is ours carries a mark, or lies in ranges that we own; all else is foreign: never listed, never touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from reconciler.plan import Action, Observation
from renderers.resource import Key

__all__ = ["Batch", "Driver", "DriverError", "Observation", "Outcome", "PermanentError", "TransientError"]

Status = Literal["done", "failed", "skipped"]


class DriverError(Exception):
    """A target did not do what it was asked to."""

    def __init__(self, message: str, refused: Mapping[Key, str] | None = None) -> None:
        """Say what went wrong, and with `refused` which objects alone are to blame, and why."""
        super().__init__(message)
        self.refused = refused or {}


class TransientError(DriverError):
    """The same may succeed later: out of reach, busy, overtaken by another writer."""


class PermanentError(DriverError):
    """The same will fail again; where objects are named, the rest of the batch can be tried without them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one action."""

    action: Action
    status: Status
    message: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Actions that were validated and made ready together."""

    actions: tuple[Action, ...]
    prepared: Any = None
    """What the driver needs to commit them; nobody else looks at it."""


class Driver(Protocol):
    """One target. Each method may raise TransientError or PermanentError, and nothing else on purpose."""

    name: str

    def observe(self) -> Observation:
        """Return what exists and is ours, as the renderers would write it.

        Defaults and order that the target adds are taken away again, so that what was applied compares equal.
        Subject, needs and view are filled in as far as the target can keep them; origins are not. An object
        that is ours and cannot be read makes the observation incomplete, and `why` names it.
        """
        ...

    def stage(self, actions: Sequence[Action]) -> Batch:
        """Validate actions (one per key) and make them ready; nothing that others see changes.

        A PermanentError names every action that cannot be done, for example because a foreign object is in
        its place.
        """
        ...

    def commit(self, batch: Batch) -> tuple[Outcome, ...]:
        """Do the batch and return one outcome per action, in order.

        A target with transactions does all or nothing. One without does as many as it can, and an action that
        failed has its own outcome; after an error some may be done, and the same actions can be staged and
        committed again. Making what exists with an equal spec is done; with another spec ours is overwritten.
        Deleting what is absent, or foreign, is done and changes nothing.
        """
        ...

    def verify(self, batch: Batch) -> tuple[Key, ...]:
        """Read back and return the keys that do not have the state that the batch wanted."""
        ...

    def close(self) -> None:
        """Let go of the target; a closed driver is not used again."""
        ...
