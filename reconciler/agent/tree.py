"""The slice of a node from a folder of rendered files, as a `directory` target writes them.

The folder is only read. It may be a mount that somebody else changes: what changes while it is read is read
again, and a folder that is gone is a source that is gone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from threading import Event
from typing import ClassVar, Final

from reconciler.agent.rendered import EMPTY, folder_of, places, slice_of
from reconciler.agent.slice import NodeStatus, Slice
from reconciler.drivers.base import TransientError
from reconciler.telling import iso

_LOOK: Final = 1.0
"""Seconds between two looks for changes."""
_SETTLED: Final = 0.3
"""Seconds in which nothing may change before the files count as written."""
_TRIES: Final = 10
_LARGEST: Final = 256 * 2**20
"""Bytes of one file; more than a node has objects for."""

Seen = tuple[tuple[str, int, int, int], ...]
"""Path, size, time of change and inode of every file."""


@dataclass(slots=True)
class DirectorySource:
    """A tree of rendered files."""

    longest: ClassVar[float] = 60.0
    root: Path
    node: str
    by_bgp: bool = False
    """Whether policies come by BGP."""
    look: float = _LOOK
    closed: Event = field(default_factory=Event)
    known: Seen | str = ""
    """What the files looked like when they were read last."""

    def read(self) -> Slice:
        """Return the slice as it is now."""
        for _ in range(_TRIES):
            seen = self.known = self._seen()
            if isinstance(seen, str):
                raise TransientError(seen)
            folder = folder_of(self.node, (path.rpartition("/")[0] for path, *_ in seen))
            files = _contents(self.root, seen)
            if not self.closed.wait(_SETTLED) and files is not None and self._seen() == seen:
                latest = max(when for _, _, when, _ in seen)
                return slice_of(files, f"{folder} of {iso(latest / 1e9)}", by_bgp=self.by_bgp)
        raise TransientError(f"{self.root} is being written to")

    def wait(self, seconds: float) -> bool:
        """Look for changes so long."""
        return _until(lambda: self._seen() != self.known, seconds, self.look, self.closed)

    def report(self, status: NodeStatus) -> None:
        """Keep no reports: the folder is only read."""

    def close(self) -> None:
        """End a wait."""
        self.closed.set()

    def _seen(self) -> Seen | str:
        """Return what the files of the node look like; in words what is in the way of it."""
        found = []
        try:
            if not self.root.is_dir():
                return f"there is no folder {self.root}"
            for folder in (path for place in places(self.node) for path in self.root.glob(place)):
                for entry in os.scandir(folder):
                    hidden = entry.name.startswith(".") and entry.name != EMPTY
                    with suppress(FileNotFoundError):  # it has gone since it was listed
                        about = entry.stat(follow_symlinks=False)
                        if S_ISREG(about.st_mode) and not hidden:
                            path = str(Path(entry.path).relative_to(self.root))
                            found.append((path, about.st_size, about.st_mtime_ns, about.st_ino))
        except OSError as error:
            return f"{self.root} cannot be read: {error.strerror}"
        return tuple(sorted(found))


def _contents(root: Path, seen: Seen) -> dict[str, bytes] | None:
    """Return what the files hold; None where one has gone since it was seen."""
    found = {}
    for path, size, *_ in seen:
        if size > _LARGEST:
            raise TransientError(f"{path} has {size} bytes, which is too much")
        try:
            found[path] = (root / path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TransientError(f"{path} cannot be read: {error.strerror}") from error
    return found


def _until(holds: Callable[[], bool], seconds: float, every: float, closed: Event) -> bool:
    """Wait until something holds, at most so many seconds; say whether it does."""
    left = seconds
    while left > 0 and not closed.wait(min(every, left)):
        if holds():
            return True
        left -= every
    return False
