"""The files of a repository: the only door to what users wrote.

A repository is read through `Files`: a `Folder` on disk, or a commit of git (reconciler/git.py). Nothing
outside the repository is ever opened, and everything is read at most once.

Invariant: what cannot be read is a value with a code and a reason, and is never taken for absent.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

from intent.source import Source

MAX_FILE_BYTES = 8 * 1024 * 1024
"""A file of intent larger than this is refused: 40,000 documents fit, a runaway generator does not."""


_CLOSED = "make it readable: what it holds must not be taken for absent"
_LINKED = "move the folder there, or name the link in a pattern of its own in intentc.yaml"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that cannot be taken as intent, and why."""

    file: str
    code: str
    why: str
    hint: str = ""
    line: int = 0
    """Line and column of the fault, from 1; 0 where the thing has no lines."""
    column: int = 0


class Files(Protocol):
    """The files of one repository."""

    def match(self, patterns: Iterable[str]) -> list[Source | Unreadable]:
        """Read every regular file that a pattern names, sorted by path; hidden files are left out."""
        ...

    def read(self, name: str) -> Source | Unreadable | None:
        """Read one file (`intentc.yaml`, the ledger); None where there is none."""
        ...

    def shown(self, name: str) -> str:
        """Return the name of a file as the user is told it."""
        ...

    def folders(self) -> list[str]:
        """Return the folders at the root, for hints."""
        ...


@dataclass(frozen=True, slots=True)
class Folder:
    """A repository on disk."""

    root: Path
    base: Path | None = None
    """What file names are shown relative to (the working directory of the user); the root by default."""

    def match(self, patterns: Iterable[str]) -> list[Source | Unreadable]:
        """Read what the patterns name; symbolic links are followed inside the root."""
        home = self.root.resolve()
        damage: dict[Path, Unreadable] = {}
        found = {path for pattern in patterns for path in self._matched(pattern, damage)}
        read = {path: _read_one(path, home, self._named(path)) for path in found - damage.keys()}
        return [entry for _, entry in sorted({**read, **damage}.items())]

    def read(self, name: str) -> Source | Unreadable | None:
        """Read one file; a symbolic link that leads nowhere is not absent but unreadable."""
        path = self.root / name
        if not (path.exists() or path.is_symlink()):
            return None
        return _read_one(path, self.root.resolve(), self.shown(name))

    def shown(self, name: str) -> str:
        """Return the name relative to the base."""
        return self._named(self.root / name)

    def folders(self) -> list[str]:
        """Return the names of the folders at the root."""
        return [entry.name for entry in self.root.iterdir() if entry.is_dir()]

    def _named(self, path: Path) -> str:
        return _shown(path, self.base or self.root)

    def _matched(self, pattern: str, damage: dict[Path, Unreadable]) -> Iterator[Path]:
        """Yield what one pattern names; a folder that may hold more of it, but cannot be read, is damage."""
        steps = tuple(pattern.split("/"))
        if pattern.startswith("/") or ".." in steps:
            return
        for path, why, hint in _walk(self.root, steps):
            if why:
                damage[path] = Unreadable(self._named(path), "IC1001", why, hint)
            else:
                yield path


def _walk(root: Path, steps: tuple[str, ...]) -> Iterator[tuple[Path, str, str]]:
    """Yield each path that the steps of a pattern lead to; with reason and hint, where one is closed."""
    waiting = [(root, steps)]
    while waiting:
        folder, here = waiting.pop()
        step, rest = here[0], here[1:]
        try:
            entries = _entries(folder)
        except OSError as error:
            yield folder, f"cannot read this folder: {error.strerror}", _CLOSED
            continue
        for entry in entries:
            path, is_folder = folder / entry.name, os.path.isdir(entry)  # noqa: PTH112 -- it never raises
            if step == "**" and is_folder and entry.is_symlink():
                yield path, "this link leads to a folder, which ** does not follow", _LINKED
            elif step == "**" and is_folder:
                waiting.append((path, here))
            elif step != "**" and rest and fnmatchcase(entry.name, step):
                waiting.append((path, rest))
            elif not rest and not is_folder and fnmatchcase(entry.name, step):
                yield path, "", ""
        if step == "**" and rest:
            waiting.append((folder, rest))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what a folder holds, without what is hidden; nothing, where there is no such folder."""
    try:
        with os.scandir(folder) as listing:
            return [entry for entry in listing if not entry.name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _shown(path: Path, base: Path) -> str:
    try:
        name = Path(os.path.relpath(path, base)).as_posix()
    except ValueError:  # another drive
        name = path.as_posix()
    # A file name may hold bytes that are not UTF-8; what cannot be printed is shown as an escape.
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _read_one(path: Path, home: Path, shown: str) -> Source | Unreadable:
    circle = Unreadable(shown, "IC1001", "cannot read this file: its symbolic link leads in a circle")
    try:
        real = path.resolve()
    except (OSError, RuntimeError):  # Python 3.11 and 3.12 raise RuntimeError for links that form a circle
        return circle
    if not real.is_relative_to(home):
        hint = "replace the symbolic link by the file"
        return Unreadable(shown, "IC1002", "this file lies outside the repository", hint)
    try:
        # Non-blocking, so that a FIFO somebody left in the folder cannot hang the run.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return circle
        leads_nowhere = error.errno == errno.ENOENT and path.is_symlink()
        why = "its symbolic link leads to nothing" if leads_nowhere else error.strerror
        return Unreadable(shown, "IC1001", f"cannot read this file: {why}")
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        hint = "remove it from the folder, or narrow the patterns in intentc.yaml"
        return Unreadable(shown, "IC1003", "this is not a regular file", hint)
    with os.fdopen(handle, "rb") as stream:
        if status.st_size > MAX_FILE_BYTES:
            limit = f"{MAX_FILE_BYTES // (1024 * 1024)} MiB"
            why = f"this file has {status.st_size} bytes; the limit is {limit}"
            return Unreadable(shown, "IC1004", why, "split it into several files", 1, 1)
        raw = stream.read(MAX_FILE_BYTES + 1)
    return decoded(shown, raw)


def decoded(shown: str, raw: bytes) -> Source | Unreadable:
    """Return the bytes of a file as text, with the place of what is not UTF-8."""
    try:
        return Source(shown, raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        before = raw[raw.rfind(b"\n", 0, error.start) + 1 : error.start]
        why = f"byte {error.start} of this file is not UTF-8"
        column = len(before.decode("utf-8")) + 1
        return Unreadable(shown, "IC1005", why, "save the file as UTF-8", line, column)
