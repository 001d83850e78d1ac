"""Candidate paths: which one of an SRv6Policy is used now (RFC 9256 §2.9 and §5.1), between which routers.

A policy lives at its headends, so it is judged for each pair of access routers of a headend and an endpoint.
An explicit candidate is valid there while at least one of its segment lists is: every router known and not
drained, every forced link known, not down by facts, with an End.X SID, and each step reached from the one
before; a dynamic one while its constraints leave a path. Of the valid candidates the highest preference wins,
and of equal ones the later in the document (its place is its discriminator, §2.9 rule 4). This follows what
intent and facts say; it is no liveness check of the data plane.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from compiler.derived.access import Pair
from compiler.derived.segments import Fault, Step
from compiler.te.topology import Path
from intent.kinds.srv6_policy import CandidatePath


@dataclass(frozen=True, slots=True)
class PathList:
    """A segment list: its steps, or what is wrong with them."""

    index: int
    weight: int
    steps: tuple[Step, ...]
    faults: tuple[tuple[int, Fault], ...] = ()
    """Faults by the index of their segment."""
    path: Path | None = None
    """The links that it was computed to force; None for a list that was said."""

    @property
    def valid(self) -> bool:
        """Whether traffic can take it, where its steps are reached."""
        return not self.faults


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a candidate cannot be used between two routers."""

    message: str
    passing: bool
    """Whether it may come back by itself: something is down or drained."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate path, judged."""

    index: int
    path: CandidatePath
    lists: tuple[PathList, ...]
    """Lists that were said; none of a dynamic candidate."""
    ways: Mapping[Pair, tuple[PathList, ...]] = field(default_factory=dict)
    """Lists that traffic can take, by where it enters and leaves the underlay; only where there are some."""
    refused: Mapping[Pair, Refusal] = field(default_factory=dict)
    """Why there are none, or fewer than could be."""

    @property
    def rank(self) -> tuple[int, int]:
        """The highest wins."""
        return self.path.preference, self.index


@dataclass(frozen=True, slots=True)
class Choice:
    """What is in use between two routers: a candidate, and its lists there."""

    candidate: Candidate
    lists: tuple[PathList, ...]


def choose(paths: tuple[Candidate, ...], pair: Pair) -> Choice | None:
    """Return the valid candidate that wins between two routers."""
    found = max((path for path in paths if path.ways.get(pair)), key=lambda path: path.rank, default=None)
    return Choice(found, found.ways[pair]) if found else None
