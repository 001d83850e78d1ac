"""What one node shall hold, wherever the agent has it from, and what the agent says of it.

Invariant: the digest depends on the objects alone, so controller and agent compute the same one, whatever
way the objects took from one to the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol

from renderers.resource import Resource, digest


@dataclass(frozen=True, slots=True)
class Slice:
    """The objects of one node's data plane."""

    resources: tuple[Resource, ...]
    """Of one scope node/CLUSTER/NODE, views left out."""
    revision: str
    """What it was made from, for people: a commit, a generation."""
    policies_by_bgp: bool = False
    """Whether SR policies are not among the objects, but come from the GoBGP beside the agent."""
    emptied: bool = False
    """Whether the source says expressly that the node shall hold nothing; if it does not, a slice without
    objects is refused, since it is what a source that lost everything looks like."""
    keeps: bool = False
    """Whether what is not in it stays: whoever wrote it does not know what the node holds besides."""
    remembered: bool = False
    """Whether the source had it before it asked: whether it is still the newest, the next reading says."""
    reading: str = ""
    """What the source knows this reading by, for itself only; a report says of which one it is."""

    @property
    def digest(self) -> str:
        """What status reports name once all of it is applied."""
        return slice_digest(self.resources)


def slice_digest(resources: Iterable[Resource]) -> str:
    """Return the digest of the objects of a node, whatever their order."""
    return digest(sorted([*resource.key, resource.digest] for resource in resources))


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that holds, or does not, of a node (the form of Kubernetes conditions)."""

    type: str
    """Applied, InSync, DataplaneReachable, SourceReachable, PoliciesComplete."""
    status: bool
    reason: str
    """One word in CamelCase."""
    message: str
    since: datetime
    """When the status changed last."""


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What the agent reports of its node."""

    applied: str
    """Digest of the slice that was applied completely; empty where none was yet."""
    revision: str
    """Revision of that slice."""
    drift: int
    """Objects that differed from it when they were last looked at."""
    conditions: Sequence[Condition]
    message: str = ""
    """What failed, in words; empty where nothing did."""
    kept: int = 0
    """Objects that are not in the slice, and stay because it says so."""
    reading: str = ""
    """That of the newest slice that the agent had taken over when it said this."""


class SliceSource(Protocol):
    """Where an agent has its slice from. Methods raise TransientError or PermanentError.

    One thread reads and waits, another reports, a third one closes. `wait` takes no longer than it was told
    to and a few seconds, `report` no longer than a minute.
    """

    longest: ClassVar[float]
    """Seconds that `read` takes at most; who reads for longer counts as stuck."""

    def read(self) -> Slice:
        """Return the slice as it is now; an incomplete reading raises, and is never an empty slice."""
        ...

    def wait(self, seconds: float) -> bool:
        """Return early, and True, when the slice may have changed; False after so many seconds."""
        ...

    def report(self, status: NodeStatus) -> None:
        """Tell the source, where it keeps such reports; do nothing elsewhere, nor where it has the report."""
        ...

    def close(self) -> None:
        """Let go of it; a waiting `wait` returns."""
        ...
