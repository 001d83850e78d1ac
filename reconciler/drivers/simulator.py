"""An in-memory target that obeys the driver contract, and misbehaves on request.

It stands in for a real target in tests, in demonstrations and in rehearsals. Calls are counted from 1, and
each observation, each verification and each writing counts: the whole batch on a transactional target, every
object on one that is not. A table says which of them go wrong, and how.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Literal

from reconciler.drivers.base import (
    MOVED,
    Batch,
    Lease,
    Observation,
    Outcome,
    PermanentError,
    Superseded,
    TransientError,
    state_of,
)
from reconciler.plan import Action
from renderers.resource import Key, Resource

if TYPE_CHECKING:
    from reconciler.secrets import Vault


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one call."""

    kind: Literal["transient", "permanent", "timeout", "lose", "delay"]
    """Refused for now · refused for good · done but reported as failed · reported as done but lost · late."""
    seconds: float = 0.0
    """How long a delay takes."""


class Simulator:
    """A target in memory."""

    def __init__(
        self,
        name: str = "simulator",
        resources: Iterable[Resource] = (),
        *,
        foreign: Iterable[Resource] = (),
        faults: Mapping[int, Fault] | None = None,
        transactional: bool = True,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Start with objects of ours and of others; `faults` maps call numbers to what goes wrong."""
        self.name = name
        self.ours = {resource.key: resource for resource in resources}
        self.foreign = {resource.key: resource for resource in foreign}
        self.faults = faults or {}
        self.transactional = transactional
        self.vault: Vault | None = None
        self.sleep = sleep
        self.unseen: Collection[Key] = ()
        """Objects of ours that cannot be read; any entry makes observations incomplete."""
        self.calls = 0
        self.leased: Lease | None = None
        self.lock = Lock()
        self.written: list[Action] = []
        """Every action that changed the target, in order."""

    def observe(self) -> Observation:
        """Return what is ours, but for what cannot be seen."""
        self._call()
        seen = {key: resource for key, resource in self.ours.items() if key not in self.unseen}
        if self.unseen:
            return Observation(seen, complete=False, why=f"cannot read {', '.join(map(str, self.unseen))}")
        return Observation(seen)

    @property
    def fences(self) -> bool:
        """Say whether late batches are kept out: a transaction looks at the token, single writes do not."""
        return self.transactional

    def lease(self) -> Lease | None:
        """Return the lease."""
        return self.leased

    def swap_lease(self, expected: Lease | None, new: Lease) -> bool:
        """Put a lease in the place of the expected one."""
        with self.lock:
            if self.leased != expected:
                return False
            self.leased = new
            return True

    def stage(self, actions: Sequence[Action], token: int = 0) -> Batch:
        """Refuse to write over what is foreign, or has moved."""
        refused: dict[Key, str] = {}
        for action in actions:
            if action.after is not None and action.key in self.foreign:
                refused[action.key] = f"{action.key} exists and is not ours"
            elif state_of(action, self.ours.get(action.key)) == "moved":
                refused[action.key] = f"{action.key} {MOVED}"
        if refused:
            raise PermanentError("; ".join(refused.values()), refused)
        return Batch(tuple(actions), token)

    def commit(self, batch: Batch) -> tuple[Outcome, ...]:
        """Write the batch at once, or object by object."""
        if not self.transactional:
            return tuple(self._write_one(action) for action in batch.actions)
        with self.lock:
            current = self.leased.token if self.leased else 0
            if batch.prepared != current:
                raise Superseded(f"{self.name} was taken over: token {current} counts, not {batch.prepared}")
            self._write(batch.actions)
        return tuple(Outcome(action, "done") for action in batch.actions)

    def verify(self, batch: Batch) -> tuple[Key, ...]:
        """Look whether what was wanted is there."""
        self._call()
        return tuple(action.key for action in batch.actions if self.ours.get(action.key) != action.after)

    def close(self) -> None:
        """Nothing to let go of."""

    def _write_one(self, action: Action) -> Outcome:
        try:
            self._write((action,))
        except PermanentError as error:
            return Outcome(action, "failed", str(error))
        return Outcome(action, "done")

    def _write(self, actions: Iterable[Action]) -> None:
        fault = self._call()
        if fault == "lose":
            return
        for action in actions:
            if state_of(action, self.ours.get(action.key)) == "done":
                continue
            if action.after is None:
                self.ours.pop(action.key, None)
            else:
                self.ours[action.key] = replace(action.after, origins=())
            self.written.append(action)
        if fault == "timeout":
            raise TransientError(f"call {self.calls} to {self.name} timed out")

    def _call(self) -> str:
        """Count a call, and return the kind of its fault where the caller has to play it."""
        self.calls += 1
        fault = self.faults.get(self.calls)
        if fault is None:
            return ""
        if fault.kind == "transient":
            raise TransientError(f"call {self.calls} to {self.name} was refused for now")
        if fault.kind == "permanent":
            raise PermanentError(f"call {self.calls} to {self.name} was refused")
        if fault.kind == "delay":
            self.sleep(fault.seconds)
        return fault.kind


class Keeper(Simulator):
    """A target that holds secrets itself, as a switch holds the passwords of its neighbours."""

    def __init__(self, name: str, vault: Vault) -> None:
        """Start empty, with what reveals secrets at commit."""
        super().__init__(name)
        self.vault = vault
        self.held: dict[Key, Mapping[str, str]] = {}
        """Values by reference, of each object."""

    def _write(self, actions: Iterable[Action]) -> None:
        wanted = tuple(actions)
        opened: dict[Key, Mapping[str, str]] = {}
        for action in wanted:
            try:
                opened[action.key] = self.vault.open(action.after) if self.vault and action.after else {}
            except PermanentError as error:
                raise PermanentError(str(error), {action.key: str(error)}) from error
        super()._write(wanted)
        for action in wanted:
            if state_of(action, self.ours.get(action.key)) == "done":
                self.held[action.key] = opened[action.key]
