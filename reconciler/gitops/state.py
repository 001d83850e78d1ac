"""What the loop knows between two turns, and what of it is news.

The file `state.json` is replaced as a whole, and carries a checksum; one that is missing or damaged is
rebuilt from the refs that the clone keeps. It holds commits, open approvals and open problems: never what a
target looks like.

Invariant: a problem is told when it appears or becomes another one, and not again while it lasts, whatever
is restarted in between.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Final, Literal, get_args

from pydantic import Field, TypeAdapter, ValidationError

from reconciler.telling import write
from renderers.resource import digest

Area = Literal["remote", "commit", "apply", "drift"]
"""Where something is wrong: reaching git, the newest commit, making changes, keeping them."""
Word = Literal["unreachable", "bad-commit", "refused", "failed", "drift"]
News = Word | Literal["applied", "drift-corrected", "recovered"]

FORMAT: Final = "intentc-state/1"
_WORST: Final[tuple[Word, ...]] = ("failed", "refused", "bad-commit", "unreachable", "drift")
_DETAILS: Final = 100
"""So many details of a problem are kept."""
_LENGTH: Final = 2000
"""So many characters of a line are kept: a remote says what it likes."""

Commit = Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})?$")]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong, for as long as it is."""

    word: Word
    why: str
    """For people, on one line."""
    since: float
    """Seconds since 1970."""
    key: str
    """Equal as long as it is the same problem."""
    commit: str = ""
    details: tuple[str, ...] = ()
    """One line each: diagnostics, failed objects, drifted objects."""


@dataclass(frozen=True, slots=True)
class State:
    """Where the loop stands."""

    head: Commit = ""
    """The newest commit that was seen on the branch."""
    accepted: Commit = ""
    """The newest commit that passed every gate: what the targets are brought to, and kept at."""
    applied: Commit = ""
    """The newest commit that was applied without anything left."""
    approvals: Mapping[str, int] = field(default_factory=dict)
    """Deletions that commits after `applied` approve, up to `accepted`."""
    rewrites: tuple[Commit, ...] = ()
    """Rewritten heads that were accepted by name: each name counts once."""
    problems: Mapping[Area, Problem] = field(default_factory=dict)
    applied_at: float = 0.0
    """When `applied` was reached, in seconds since 1970; 0 where that is not known any more."""

    @property
    def worst(self) -> Word | None:
        """The worst of the problems, in one word."""
        words = {entry.word for entry in self.problems.values()}
        return next((word for word in _WORST if word in words), None)


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell once."""

    news: News
    message: str
    commit: str = ""
    details: tuple[str, ...] = ()


_STATE: Final = TypeAdapter(State)


def problem(
    word: Word,
    why: str,
    now: float,
    *,
    key: Iterable[str] = (),
    commit: str = "",
    details: Iterable[str] = (),
) -> Problem:
    """Return a problem; `key` says what makes it another one, and is the line for people by default."""
    line = _text(" ".join(why.split()))
    named = digest([word, commit, [_text(part) for part in sorted(key)] or line])
    found = list(map(_text, details))
    more = [f"and {len(found) - _DETAILS} more"] if len(found) > _DETAILS else []
    return Problem(word, line, now, named, commit, (*found[:_DETAILS], *more))


def _text(text: str) -> str:
    """Make a line storable: names of files are bytes, and need not be UTF-8."""
    return text[:_LENGTH].encode("utf-8", "backslashreplace").decode()


def settled(before: Mapping[Area, Problem], after: Mapping[Area, Problem | None]) -> dict[Area, Problem]:
    """Return the problems after a turn: those of before, with what the turn found out of some areas.

    A problem that lasts keeps the time when it began.
    """
    found: dict[Area, Problem] = {}
    for area in get_args(Area):
        now, old = after.get(area, before.get(area)), before.get(area)
        if now is not None:
            found[area] = replace(now, since=old.since) if old is not None and old.key == now.key else now
    return found


def news(before: Mapping[Area, Problem], after: Mapping[Area, Problem]) -> list[Event]:
    """Return what has to be told of the problems after a turn."""
    known = {entry.key for entry in before.values()}
    events = [
        Event(entry.word, entry.why, entry.commit, entry.details)
        for entry in after.values()
        if entry.key not in known
    ]
    if before and not after:
        was = ", ".join(sorted({entry.word for entry in before.values()}))
        events.append(Event("recovered", f"all is well again (it was: {was})"))
    return events


def load(path: Path) -> State | str:
    """Return the saved state; or why there is none that can be used."""
    try:
        found = json.loads(path.read_bytes())
        if found["format"] != FORMAT or found["digest"] != digest(found["state"]):
            return "its format or its checksum is wrong"
        return _STATE.validate_python(found["state"])
    except FileNotFoundError:
        return "there is none"
    except OSError as error:
        return str(error.strerror)
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError):
        return "it is damaged"


def save(path: Path, state: State) -> None:
    """Replace the saved state, durably; raises OSError."""
    content = _STATE.dump_python(state, mode="json")
    write(path, {"format": FORMAT, "digest": digest(content), "state": content})
