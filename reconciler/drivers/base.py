"""The contract between the reconciler and a target: the only door to what really exists.

Every driver, simulated and real, passes tests/contract/. A driver is called by one thread at a time. What
is ours carries a mark, or lies in ranges that we own; all else is foreign: never listed, never touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

from reconciler.plan import Action, Observation, same
from renderers.resource import Key, Resource

if TYPE_CHECKING:
    from reconciler.secrets import Vault  # which needs the errors of this module

__all__ = [
    "MOVED",
    "Batch",
    "Driver",
    "DriverError",
    "Lease",
    "Observation",
    "Outcome",
    "PermanentError",
    "Superseded",
    "TransientError",
    "state_of",
]

Status = Literal["done", "failed", "skipped"]
State = Literal["done", "open", "moved"]
MOVED: Final = "moved since the plan was made: it is neither as it was then, nor as it shall be; plan again"


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


class Superseded(PermanentError):  # noqa: N818 -- a state of the lease
    """Somebody else has taken over the target: whoever was late writes nothing to it any more."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may write to a target, and until when."""

    holder: str
    """Which process of which machine, as `lease.here` writes it; empty once it was let go."""
    expires: float
    """Seconds since 1970; 0 once it was let go."""
    token: int
    """Fencing token: grows by one each time that the target changes hands, and never falls."""


class Outcome(NamedTuple):
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


def state_of(action: Action, now: Resource | None) -> State:
    """Say how an object stands to an action: as it makes it, as it found it, or as neither."""
    if same(now, action.after):
        return "done"
    return "open" if same(now, action.before) else "moved"


class Driver(Protocol):
    """One target. Each method may raise TransientError or PermanentError, and nothing else on purpose."""

    name: str
    vault: Vault | None
    """Where the target holds secrets: what seals those that are observed, and reveals one at commit only."""

    @property
    def fences(self) -> bool:
        """Whether the target itself keeps out a batch with an older token, however late it comes."""
        ...

    def observe(self) -> Observation:
        """Return what exists and is ours, as the renderers would write it.

        Defaults and order that the target adds are taken away again, so that what was applied compares equal.
        Subject, needs and view are filled in as far as the target can keep them; origins are not. An object
        that is ours and cannot be read makes the observation incomplete, and `why` names it.
        """
        ...

    def lease(self) -> Lease | None:
        """Return the lease as it is kept at the target; None where there never was one.

        Like `swap_lease`, it may be called while another thread is in a method of this driver.
        """
        ...

    def swap_lease(self, expected: Lease | None, new: Lease) -> bool:
        """Put a lease in the place of the expected one; False, and nothing done, where another one is there.

        Once a larger token is in, a target that fences takes nothing more of batches with smaller ones.
        """
        ...

    def stage(self, actions: Sequence[Action], token: int = 0) -> Batch:
        """Validate actions (one per key) and make them ready; nothing that others see changes.

        A PermanentError names every action that cannot be done: a foreign object is in its place, or the
        object is neither as the action found it nor as it makes it. `token` is that of the caller's lease,
        and 0 where there never was one.
        """
        ...

    def commit(self, batch: Batch) -> tuple[Outcome, ...]:
        """Do the batch and return one outcome per action, in order.

        A target with transactions does all or nothing. One without does as many as it can, and an action that
        failed has its own outcome; after an error some may be done, and the same actions can be staged and
        committed again. What is already as the action makes it is done, and not written again. Deleting what
        is absent, or foreign, is done and changes nothing. A target that fences raises Superseded.
        """
        ...

    def verify(self, batch: Batch) -> tuple[Key, ...]:
        """Read back and return the keys that do not have the state that the batch wanted."""
        ...

    def close(self) -> None:
        """Let go of the target; a closed driver is not used again."""
        ...
