"""The hidden folder of a tree: its lease, and the place where new files wait to be moved into the tree.

    .intentc/lease-7     who holds the tree; the largest number counts, and is the fencing token
    .intentc/staged-7/   what the holder of token 7 is about to move into the tree, and moves out of it
    .intentc/.gitignore  all of it is nobody's content

A larger number is linked into its place, which only one can do. Then the older `staged-` folders are moved
away, so that whoever comes late finds nothing to move into the tree, and nowhere to move anything out to.

Invariant: no lock is held, so an applier that sleeps or hangs at any point keeps nobody waiting.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import isfinite
from pathlib import Path
from stat import S_ISDIR
from typing import Final, NoReturn

from reconciler.drivers.base import Lease, PermanentError, Superseded, TransientError

_FOLDER: Final = ".intentc"
_NAME: Final = re.compile(r"(lease|staged|new|swept)-([0-9]{1,18})(-.*)?")
"""What lies in the folder: what it is, and with which token it came there."""
_LARGEST: Final = 4096
"""So many bytes of a lease are read."""
_TRIES: Final = 10
_PASSING: Final = frozenset(
    {errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.ESTALE}
)


@contextmanager
def classified() -> Iterator[None]:
    """Tell what the file system refuses for now from what it refuses for good."""
    try:
        yield
    except OSError as error:
        kind = TransientError if error.errno in _PASSING else PermanentError
        raise kind(in_words(error)) from error


def in_words(error: OSError) -> str:
    """Say which file the system refuses and why, without numbers."""
    why = error.strerror or str(error)
    return f"{error.filename}: {why}" if isinstance(error.filename, str | os.PathLike) else why


class Fence:
    """Keeps a tree for one writer; what the file system refuses is told as a DriverError."""

    def __init__(self, root: Path) -> None:
        """Take a tree; nothing is made before somebody takes it, or writes to it."""
        self.root = root
        self.folder = f"{root}/{_FOLDER}"

    @classified()
    def lease(self) -> Lease | None:
        """Return the lease that counts; one that cannot be read is nobody's."""
        for _ in range(_TRIES):
            token = self._current()
            if token == 0:
                return None
            with suppress(FileNotFoundError):  # else it was taken over since
                return _read(f"{self.folder}/lease-{token}", token)
        raise TransientError(f"many want to change {self.root} at the same time")

    @classified()
    def swap(self, expected: Lease | None, new: Lease) -> bool:
        """Put a lease in the place of the expected one; False where another one is there."""
        self._make()
        waiting = f"{self.folder}/new-{new.token}-{os.urandom(8).hex()}"
        try:
            with suppress(FileExistsError):
                write(f"{self.folder}/.gitignore", b"*\n")
            if self.lease() != expected:
                return False
            write(waiting, json.dumps({"holder": new.holder, "expires": new.expires}).encode())
            taken = self._put(waiting, expected, new.token)
        except FileNotFoundError:
            return False  # somebody was quicker, and has swept
        finally:
            with suppress(FileNotFoundError):
                os.unlink(waiting)
        if taken:
            sync(self.folder)
            self.sweep(new.token)
        return taken

    def _put(self, waiting: str, expected: Lease | None, token: int) -> bool:
        """Bring a lease into its place: renewed by its holder, or taken by whoever links it there first."""
        place = f"{self.folder}/lease-{token}"
        if expected is not None and expected.token == token:
            os.replace(waiting, place)
            return True
        try:
            os.link(waiting, place)
        except FileExistsError:
            return False
        if self._current() != token:  # two were quicker, and the second had removed the lease of the first
            os.unlink(place)
            return False
        return True

    @classified()
    def check(self, token: int) -> None:
        """Raise Superseded where a token is not the one that counts."""
        current = self._current()
        if current != token == 0:
            raise Superseded(f"{self.root} is a target with a lease; use `intentc apply`, or write elsewhere")
        if current != token:
            raise Superseded(
                f"somebody else has taken over {self.root} (token {current} counts, and not {token}); "
                "plan again to see what is left"
            )

    def stage(self, token: int) -> str:
        """Make an empty folder for what waits to be moved into the tree, and return it."""
        self._make()
        self.leave(token)
        staged = f"{self.folder}/staged-{token}"
        os.mkdir(staged)
        return staged

    def leave(self, token: int) -> None:
        """Remove the folder for what waits."""
        self._discard(f"staged-{token}", token)

    def lost(self, token: int) -> NoReturn:
        """Say why the folder for what waits is gone."""
        self.check(token)
        raise TransientError(f"another process is changing {self.root}")

    def tidy(self) -> None:
        """Remove the hidden folder, if nothing is in it."""
        with suppress(OSError):
            os.rmdir(self.folder)

    def _current(self) -> int:
        """Return the largest number of a lease; 0 where there is none."""
        return max((token for what, token, _ in self._entries() if what == "lease"), default=0)

    def _entries(self) -> Iterator[tuple[str, int, str]]:
        """Yield what lies in the folder: what it is, its token, its name."""
        try:
            names = os.listdir(self.folder) if self._is_there() else []
        except FileNotFoundError:
            return
        for name in names:
            if found := _NAME.fullmatch(name):
                yield found[1], int(found[2]), name

    def _is_there(self) -> bool:
        try:
            mode = os.lstat(self.folder).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return False
        if not S_ISDIR(mode):
            raise PermanentError(f"{self.folder} is in the way; there can only be a folder")
        return True

    def _make(self) -> None:
        if not self._is_there():
            try:
                os.makedirs(self.root, exist_ok=True)
            except (FileExistsError, NotADirectoryError) as error:
                raise PermanentError(f"{error.filename} is in the way; there can only be a folder") from error
            with suppress(FileExistsError):
                os.mkdir(self.folder)

    def sweep(self, token: int) -> None:
        """Remove what came with smaller tokens: from now on nothing of it gets into the tree."""
        for what, number, name in self._entries():
            if what == "swept":
                shutil.rmtree(f"{self.folder}/{name}", ignore_errors=True)
            elif number < token and what == "staged":
                self._discard(name, number)
            elif number < token:
                with suppress(FileNotFoundError):
                    os.unlink(f"{self.folder}/{name}")

    def _discard(self, name: str, token: int) -> None:
        """Remove a folder: its name goes at once, so nothing is moved out of it or into it any more."""
        swept = f"{self.folder}/swept-{token}-{os.urandom(8).hex()}"
        with suppress(FileNotFoundError):
            os.rename(f"{self.folder}/{name}", swept)
            shutil.rmtree(swept, ignore_errors=True)


def write(path: str, content: bytes) -> None:
    """Make a new file, with its content on the disk."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(handle, view) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def sync(folder: str) -> None:
    """Put the names in a folder on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: str, token: int) -> Lease:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            data = json.loads(os.read(handle, _LARGEST))
        finally:
            os.close(handle)
        holder, expires = str(data["holder"]), float(data["expires"])
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return Lease("", 0.0, token)
    return Lease(holder, expires, token) if isfinite(expires) else Lease("", 0.0, token)
