"""What was applied, by whom and when: one append-only file for each run of a plan.

Each line is JSON, `{"hash": H, "record": R}`, and H is the hash of R and of the H before it, so a line that
was changed or lost shows. A record is on the disk before what it announces is done. The first one lists the
objects of the run; all others name them by their numbers, as ranges.

Invariant: a journal is a record and never the truth. Nothing is decided by it, so one that is torn, damaged
or gone stops nobody: what a target shows, and the approved plan, are enough to go on.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Final, Self

from reconciler.apply import Stop
from reconciler.drivers.base import Outcome
from reconciler.lease import person
from reconciler.plan import Action, Plan

FORMAT: Final = "intentc-journal/1"
SUFFIX: Final = ".journal"
KEPT: Final = 200
"""So many journals are kept: records for people, by which nothing is decided."""
_FEW: Final = 10
"""So many are kept where the disk is full."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_LONGEST: Final = 500
"""So many characters of what a target said are kept."""
_HEAD, _MIDDLE, _TAIL = b'{"hash":"', b'","record":', b"}"
_HEX: Final = 32

Range = tuple[int, int]
"""First and last number of a range of objects."""


class Unwritable(Stop):
    """The journal cannot be written, so nothing may be applied."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of a run."""

    target: str
    operation: str
    key: str


@dataclass(frozen=True, slots=True)
class Part:
    """What one target had to do in one phase, and what became of it."""

    target: str
    phase: int
    actions: tuple[Range, ...]
    ended: bool
    """If not, nobody wrote down which of them were done."""
    done: tuple[Range, ...] = ()
    failed: tuple[tuple[str, tuple[Range, ...]], ...] = ()
    """What the target said, and of which objects."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a journal tells of a run."""

    path: Path
    plan: str = ""
    """Id of the approved plan."""
    holder: str = ""
    started: str = ""
    """Time in UTC, in the form of ISO 8601."""
    tokens: Mapping[str, int] = field(default_factory=dict)
    """Fencing token by target."""
    entries: tuple[Entry, ...] = ()
    parts: tuple[Part, ...] = ()
    stopped: str = ""
    """Why everything was stopped, if it was."""
    finished: bool = False
    damage: str = ""
    """What is wrong with the file, if anything but its last line is; what stands before that is believed."""

    @property
    def in_flight(self) -> tuple[Entry, ...]:
        """Objects that were being written when the journal ends."""
        ranges = [one for part in self.parts if not part.ended for one in part.actions]
        return tuple(entry for first, last in ranges for entry in self.entries[first : last + 1])

    @property
    def summary(self) -> str:
        """What a person wants to know before the next run; empty where the last one came to its end."""
        if self.damage:
            return f"the journal {self.path} is damaged ({self.damage}); what the targets show counts"
        if self.finished or not self.plan:
            return ""
        where = [f"phase {part.phase} at target {part.target}" for part in self.parts if not part.ended]
        middle = f" in the middle of {' and '.join(where)}" if where else ""
        count = len(self.in_flight)
        flying = f"; {count} object{' was' if count == 1 else 's were'} in flight" if where else ""
        return f"the run of {self.started} by {person(self.holder)} broke off{middle}{flying}"


class Journal:
    """A journal that is being written; its methods may be called from any thread."""

    def __init__(self, folder: Path, plan: Plan, clock: Callable[[], float]) -> None:
        """Say where; the file is made when the run is opened."""
        self.folder = folder
        self.plan = plan
        self.clock = clock
        self.numbers = {action.id: number for number, action in enumerate(plan.actions)}
        self.path = folder
        self._handle = -1
        self._hash = ""
        self._lock = Lock()

    def open(self, name: str, holder: str, tokens: Mapping[str, int]) -> Self:
        """Make the file, and write down who will do what; raises Unwritable.

        Where the disk is full, older journals make room: they must not keep from being done what they record.
        """
        try:
            return self._open(name, holder, tokens)
        except Unwritable as error:
            if not isinstance(error.__cause__, OSError) or error.__cause__.errno not in _FULL:
                raise
        prune(self.folder, _FEW)
        return self._open(name, holder, tokens)

    def _open(self, name: str, holder: str, tokens: Mapping[str, int]) -> Self:
        stamp = self._now().replace(":", "").replace("-", "")
        safe = "".join(char for char in name if char.isalnum())[:12]
        self.path = self.folder / f"{stamp}-{safe}-{os.urandom(4).hex()}{SUFFIX}"
        self._hash = ""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            self._write(
                {
                    "format": FORMAT,
                    "plan": name,
                    "holder": holder,
                    "tokens": dict(tokens),
                    "objects": [[a.target, a.operation, ":".join(a.key)] for a in self.plan.actions],
                }
            )
            _sync(self.folder)
        except OSError as error:
            if self._handle >= 0:
                with suppress(OSError):
                    self.path.unlink()
            self.close()
            raise Unwritable(f"cannot write the journal {self.path}: {error.strerror}") from error
        return self

    def begin(self, actions: Sequence[Action]) -> None:
        """Write down that these, of one target and phase, are written from now on."""
        first = actions[0]
        self.record({"begin": [first.target, first.phase], "actions": self._ranges(actions)})

    def end(self, outcomes: Iterable[Outcome], redact: Callable[[str], str]) -> None:
        """Write down what became of the part that one target had in one phase."""
        by_status: dict[str, list[Action]] = defaultdict(list)
        words: dict[str, list[Action]] = defaultdict(list)
        for outcome in outcomes:
            by_status[outcome.status].append(outcome.action)
            if outcome.status == "failed":
                words[redact(outcome.message)[:_LONGEST]].append(outcome.action)
        first = next(actions[0] for actions in by_status.values())
        self.record(
            {
                "end": [first.target, first.phase],
                "done": self._ranges(by_status["done"]),
                "failed": [[text, self._ranges(actions)] for text, actions in words.items()],
                "skipped": self._ranges(by_status["skipped"]),
            }
        )

    def record(self, record: dict[str, Any]) -> None:
        """Append a record and make it durable; after a failure nothing is written any more: Unwritable."""
        with self._lock:
            if self._handle < 0:
                raise Unwritable(f"the journal {self.path} is closed")
            try:
                self._write(record)
            except OSError as error:
                self.close()
                raise Unwritable(f"cannot write the journal {self.path}: {error.strerror}") from error

    def close(self) -> None:
        """Write no more."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, record: dict[str, Any]) -> None:
        text = json.dumps({"at": self._now(), **record}, separators=(",", ":")).encode()
        self._hash = _chain(self._hash, text)
        line = _HEAD + self._hash.encode() + _MIDDLE + text + _TAIL + b"\n"
        while line:
            line = line[os.write(self._handle, line) :]
        os.fsync(self._handle)

    def _now(self) -> str:
        return datetime.fromtimestamp(self.clock(), UTC).isoformat(timespec="milliseconds")[:23] + "Z"

    def _ranges(self, actions: Iterable[Action]) -> list[Range]:
        found: list[Range] = []
        first = last = -2
        for number in sorted([self.numbers[action.id] for action in actions]):
            if number == last + 1:
                last = number
            elif number != last:
                if last >= 0:
                    found.append((first, last))
                first = last = number
        return [*found, (first, last)] if last >= 0 else found


def prune(folder: Path, kept: int = 0) -> None:
    """Remove all but the newest journals; their names begin with the time."""
    with suppress(OSError):
        for path in sorted(folder.glob(f"*{SUFFIX}"))[: -(kept or KEPT)]:
            path.unlink(missing_ok=True)


def latest(folder: Path) -> Run | None:
    """Return the last run that was written down in a folder; None where there is none to be seen."""
    try:
        found = [path for path in folder.glob(f"*{SUFFIX}") if path.is_file()]
    except OSError:
        return None
    return read(max(found)) if found else None


def read(path: Path) -> Run:
    """Return what a journal tells; never raises: what is wrong with the file is part of the answer."""
    try:
        return parse(path, path.read_bytes())
    except OSError as error:
        return Run(path, damage=error.strerror or str(error))


def parse(path: Path, raw: bytes) -> Run:
    """Return what the content of a journal tells; never raises."""
    texts: list[bytes] = []
    lines = raw.split(b"\n")
    lines.pop()  # what a write that was cut off left, mostly nothing
    chain, damage = "", ""
    for number, line in enumerate(lines, start=1):
        text = line[len(_HEAD) + _HEX + len(_MIDDLE) : -len(_TAIL)]
        chain = _chain(chain, text)
        if line != _HEAD + chain.encode() + _MIDDLE + text + _TAIL:
            # The last line may be torn, though its end came to the disk.
            damage = f"line {number} was changed, or one before it is lost" if number < len(lines) else ""
            break
        texts.append(text)
    try:
        return _run(path, [json.loads(text) for text in texts], damage)
    except (LookupError, ArithmeticError, ValueError, TypeError, RecursionError) as error:
        return Run(path, damage=f"it says what intentc does not write: {str(error)[:_LONGEST]!r}")


def _run(path: Path, records: Sequence[dict[str, Any]], damage: str) -> Run:
    """Build a run from its records."""
    if not records:
        return Run(path, damage=damage)
    head, *others = records
    if head["format"] != FORMAT:
        raise ValueError(f"format {head['format']!r}")
    entries = tuple(Entry(*map(str, entry)) for entry in head["objects"])
    parts: dict[tuple[str, int], Part] = {}
    for record in others:
        if "begin" in record:
            target, phase = record["begin"]
            before = parts.get((target, phase), Part(target, phase, (), ended=False))
            ranges = _read_ranges(record["actions"], len(entries))
            parts[target, phase] = replace(before, actions=_merged([*before.actions, *ranges]), ended=False)
        elif "end" in record:
            target, phase = record["end"]
            done = _read_ranges(record["done"], len(entries))
            failed = tuple((str(why), _read_ranges(ranges, len(entries))) for why, ranges in record["failed"])
            before = parts.get((target, phase), Part(target, phase, (), ended=True))
            parts[target, phase] = replace(before, ended=True, done=done, failed=failed)
    return Run(
        path,
        str(head["plan"]),
        str(head["holder"]),
        str(head["at"]),
        dict(head["tokens"]),
        entries,
        tuple(parts.values()),
        next((str(record["stopped"]) for record in others if "stopped" in record), ""),
        finished=any("finished" in record for record in others),
        damage=damage,
    )


def _read_ranges(data: Any, count: int) -> tuple[Range, ...]:
    ranges = tuple((int(first), int(last)) for first, last in data)
    if not all(0 <= first <= last < count for first, last in ranges):
        raise ValueError("a number that no object of the run has")
    return ranges


def _merged(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Join ranges that overlap or touch."""
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return tuple(found)


def _chain(before: str, text: bytes) -> str:
    return hashlib.sha256(before.encode() + text).hexdigest()[:_HEX]


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
