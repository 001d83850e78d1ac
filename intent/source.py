"""Where words stand: files, documents and the places inside them.

A `Source` is one file as text; a `Document` is one YAML document of it, as plain values together with a
mark (line, column) for every key and value. Marks lie in one flat array in the order in which the nodes
were read, so they cost eight bytes a node, and a place is looked up only when somebody asks for it.

Invariant: every path that exists in `Document.data` has a place in `Document.marks`.
"""

from __future__ import annotations

import errno
import os
import stat
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MAX_FILE_BYTES = 8 * 1024 * 1024
"""A file of intent larger than this is refused: 40,000 documents fit, a runaway generator does not."""

FieldPath = tuple[str | int, ...]
"""Steps from the root of a document: mapping keys and list indexes."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """One place in one file; `line` and `column` count from 1, and 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """Write the place as compilers do, so that editors jump to it."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Source:
    """One file of the repository: its path as the user writes it, and its text."""

    file: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One YAML document: plain values, and where each of them was written."""

    file: str
    data: Any
    marks: array[int]
    """Line and column, counted from 0, of each node in reading order."""

    def span(self, path: FieldPath = (), *, key: bool = False) -> Span:
        """Return the place of the value at `path` (of its key, with `key`), or of what exists of it.

        A mapping or list that begins below its key is placed at the key: that is where people look for it.
        """
        position, at_key, node = 0, 0, self.data
        for step in path:
            if isinstance(node, Mapping) and step in node:
                position += 1
                for name, value in node.items():
                    if name == step:
                        break
                    position += 1 + _size(value)
                at_key, position = position, position + 1
                node = node[step]
            elif isinstance(node, list) and isinstance(step, int) and step < len(node):
                position += 1 + sum(_size(value) for value in node[:step])
                at_key, node = position, node[step]
            else:
                # What is not written has no place; the key of what should hold it is the best there is.
                key = True
                break
        if isinstance(node, Mapping | list) and self.marks[2 * position] > self.marks[2 * at_key]:
            key = True
        index = 2 * (at_key if key else position)
        return Span(self.file, self.marks[index] + 1, self.marks[index + 1] + 1)

    def places(self) -> Iterator[tuple[FieldPath, Span]]:
        """Yield every path of the document with the place of its key (of its value, in lists)."""
        counter = 0

        def place() -> Span:
            return Span(self.file, self.marks[2 * counter] + 1, self.marks[2 * counter + 1] + 1)

        def walk(path: FieldPath, node: Any, here: Span) -> Iterator[tuple[FieldPath, Span]]:
            nonlocal counter
            yield path, here
            counter += 1
            if isinstance(node, Mapping):
                for name, value in node.items():
                    at = place()
                    counter += 1
                    yield from walk((*path, name), value, at)
            elif isinstance(node, list):
                for index, value in enumerate(node):
                    yield from walk((*path, index), value, place())

        return walk((), self.data, place())


def _size(node: Any) -> int:
    """Count the marks below and at `node`: one for each value and one for each key."""
    if isinstance(node, Mapping):
        return 1 + sum(1 + _size(value) for value in node.values())
    if isinstance(node, list):
        return 1 + sum(_size(value) for value in node)
    return 1


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that cannot be taken as intent, and why."""

    file: str
    code: str
    why: str
    hint: str = ""
    offset: int | None = field(default=None)
    """Byte offset of the fault, where one byte is to blame."""


def read(root: Path, patterns: Iterable[str], base: Path | None = None) -> list[Source | Unreadable]:
    """Read every regular file below `root` that a pattern names, sorted by path.

    Nothing outside `root` is opened, after symbolic links are followed. `base` is what file names are shown
    relative to (the working directory of the user); by default names are relative to `root`.
    """
    home = root.resolve()
    found = sorted({path for pattern in patterns for path in _match(root, pattern)})
    return [_read_one(path, home, _shown(path, base or root)) for path in found]


def read_file(path: Path, root: Path, base: Path | None = None) -> Source | Unreadable:
    """Read one named file below `root` (the ledger, `intentc.yaml`)."""
    return _read_one(path, root.resolve(), _shown(path, base or root))


def _match(root: Path, pattern: str) -> Iterator[Path]:
    if pattern.startswith("/") or ".." in pattern.split("/"):
        return
    for path in root.glob(pattern):
        parts = path.relative_to(root).parts
        # os.path.isdir, unlike Path.is_dir, does not raise where a folder cannot be searched.
        if not os.path.isdir(path) and not any(part.startswith(".") for part in parts):  # noqa: PTH112 -- see above
            yield path


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
        return Unreadable(shown, "IC1001", f"cannot read this file: {error.strerror}")
    with os.fdopen(handle, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            hint = "remove it from the folder, or narrow the patterns in intentc.yaml"
            return Unreadable(shown, "IC1003", "this is not a regular file", hint)
        if status.st_size > MAX_FILE_BYTES:
            limit = f"{MAX_FILE_BYTES // (1024 * 1024)} MiB"
            why = f"this file has {status.st_size} bytes; the limit is {limit}"
            return Unreadable(shown, "IC1004", why, "split it into several files")
        raw = stream.read(MAX_FILE_BYTES + 1)
    try:
        return Source(shown, raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        why = f"byte {error.start} (line {line}) is not UTF-8"
        return Unreadable(shown, "IC1005", why, "save the file as UTF-8", error.start)
