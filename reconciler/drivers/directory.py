"""A tree of rendered files, observed and changed through the driver contract.

The whole line runs on it without a network, and it is useful by itself: a rendered-manifests branch for
Argo CD or Flux, exec files for VPP, JSON for review. What is ours says so in its first line (see layout);
there is no list of files beside the files.

Invariant: a crash leaves each file old or new, never half; symbolic links are never followed, and hidden
files never looked at, so the tree may be a git checkout. From staging to commit the tree is one writer's: it
holds a lock on the folder, which the system takes back from a process that ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Final

from reconciler.drivers.base import Batch, Observation, Outcome, PermanentError, TransientError
from reconciler.drivers.layout import MARK_BYTES, Damaged, decode, encode, is_ours, path_of
from reconciler.plan import Action
from renderers.resource import Key, Resource

_STAGED: Final = ".intentc-staged"
"""Folder in the root where new files wait; hidden, so it is never observed."""
_PASSING: Final = frozenset(
    {errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.ESTALE}
)
_NAMED: Final = 3
"""So many damaged files are named in one message."""


class Directory:
    """A folder that holds one file per manifest and text, and one per type for all else."""

    def __init__(self, name: str, root: Path) -> None:
        """Take a folder as target; it is made when something is first written to it."""
        self.name = name
        self.root = root.resolve()
        self._held: int | None = None

    def observe(self) -> Observation:
        """Read every file of ours below the root."""
        found: dict[Key, Resource] = {}
        damage: list[str] = []
        for path in _files(self.root, damage):
            try:
                found |= self._load(path)
            except (Damaged, OSError) as error:
                damage.append(f"{self.root.name}/{error}" if isinstance(error, Damaged) else str(error))
        more = f" and {len(damage) - _NAMED} more" if len(damage) > _NAMED else ""
        return Observation(found, complete=not damage, why="; ".join(sorted(damage)[:_NAMED]) + more)

    def stage(self, actions: Sequence[Action]) -> Batch:
        """Write the new content of every file that changes beside the tree; `prepared` maps paths to them."""
        try:
            with _classified():
                return Batch(tuple(actions), self._prepare(actions))
        except BaseException:
            self.close()
            raise

    def commit(self, batch: Batch) -> tuple[Outcome, ...]:
        """Move the new files into place, then remove those that hold nothing any more."""
        prepared: Mapping[str, Path | None] = batch.prepared
        failed: dict[str, str] = {}
        try:
            for path, new in sorted(prepared.items(), key=lambda item: item[1] is None):
                try:
                    with _classified():
                        self._place(path, new)
                except PermanentError as error:
                    failed[path] = str(error)
            with _classified():
                self._tidy(prepared)
        finally:
            self.close()
        return tuple(_outcome(action, failed) for action in batch.actions)

    def verify(self, batch: Batch) -> tuple[Key, ...]:
        """Read the files of the batch again."""
        found: dict[Key, Resource] = {}
        with _classified():
            for path in batch.prepared:
                with suppress(Damaged, FileNotFoundError):
                    found |= self._load(path)
        return tuple(action.key for action in batch.actions if found.get(action.key) != action.after)

    def close(self) -> None:
        """Let other writers at the folder."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _hold(self) -> None:
        """Keep other writers away until `close`; TransientError while another one is at it."""
        if self._held is not None:
            return
        handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            raise TransientError(f"another process is changing {self.root}") from error
        self._held = handle

    def _prepare(self, actions: Sequence[Action]) -> dict[str, Path | None]:
        """Write new content beside the tree, and return where it is by path; None where a file goes."""
        if self.root.is_dir():
            self._hold()
        contents = self._contents(actions)
        if self._held is None and any(content is not None for content in contents.values()):
            self.root.mkdir(parents=True, exist_ok=True)
            self._hold()
            contents = self._contents(actions)  # somebody else may have made the folder, and filled it
        staged = self.root / _STAGED
        with suppress(FileNotFoundError):
            shutil.rmtree(staged)
        prepared: dict[str, Path | None] = dict.fromkeys(contents)
        for number, (path, content) in enumerate(contents.items()):
            if content is not None:
                staged.mkdir(exist_ok=True)
                prepared[path] = staged / str(number)
                _write(staged / str(number), content)
        return prepared

    def _contents(self, actions: Sequence[Action]) -> dict[str, bytes | None]:
        """Return the new content of each file that the actions touch; None where it goes."""
        refused: dict[Key, str] = {}
        files: dict[str, dict[Key, Resource]] = {}
        touched: dict[str, list[Key]] = {}
        for action in actions:
            for resource in filter(None, (action.before, action.after)):
                path = path_of(resource)
                touched.setdefault(path, []).append(action.key)
                try:
                    objects = files[path] if path in files else files.setdefault(path, self._present(path))
                except (Damaged, PermanentError) as error:
                    # What is foreign is not ours to delete, and then there is nothing of ours left to delete.
                    if action.after is not None or isinstance(error, Damaged):
                        refused[action.key] = str(error)
                    continue
                objects.pop(action.key, None)
                if resource is action.after:
                    objects[action.key] = resource
        contents: dict[str, bytes | None] = {}
        for path, objects in files.items():
            try:
                contents[path] = encode(path, objects.values()) if objects else None
            except (ValueError, TypeError) as error:
                refused |= dict.fromkeys(touched[path], f"{path}: {error}")
        if refused:
            raise PermanentError("; ".join(sorted(set(refused.values()))[:_NAMED]), refused)
        return contents

    def _present(self, path: str) -> dict[Key, Resource]:
        """Return what a file of ours holds; PermanentError where something foreign lies on the way to it."""
        place = self.root
        steps = path.split("/")
        for number, step in enumerate(steps, start=1):
            place /= step
            try:
                mode = place.lstat().st_mode
            except FileNotFoundError:
                return {}
            if not (S_ISREG(mode) if number == len(steps) else S_ISDIR(mode)):
                raise PermanentError(f"{place.relative_to(self.root)} is in the way and is not ours")
        with place.open("rb") as stream:
            if not is_ours(stream.read(MARK_BYTES)):
                raise PermanentError(f"{path} exists and is not ours")
        return self._load(path)

    def _place(self, path: str, new: Path | None) -> None:
        file = self.root / path
        if new is None:
            file.unlink(missing_ok=True)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            new.replace(file)

    def _load(self, path: str) -> dict[Key, Resource]:
        """Return the objects of a file; a foreign one has none."""
        with (self.root / path).open("rb") as stream:
            start = stream.read(MARK_BYTES)
            return decode(path, start + stream.read()) if is_ours(start) else {}

    def _tidy(self, prepared: Mapping[str, Path | None]) -> None:
        """Make the batch durable, and remove the folders that became empty."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self.root / _STAGED)
        above = {self.root} | {self.root / folder for path in prepared for folder in Path(path).parents}
        for folder in sorted(above, key=lambda folder: len(folder.parts), reverse=True):
            if folder != self.root:
                with suppress(OSError):
                    folder.rmdir()
            with suppress(FileNotFoundError):
                _sync(folder)


def _outcome(action: Action, failed: Mapping[str, str]) -> Outcome:
    for resource in filter(None, (action.before, action.after)):
        if message := failed.get(path_of(resource)):
            return Outcome(action, "failed", message)
    return Outcome(action, "done")


def _files(root: Path, damage: list[str]) -> Iterator[str]:
    """Yield the regular files below `root` that are not hidden; `damage` takes what cannot be listed."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{folder}{entry.name}/")
                    elif entry.is_file(follow_symlinks=False):
                        yield folder + entry.name
        except FileNotFoundError:
            continue
        except OSError as error:
            damage.append(str(error))


@contextmanager
def _classified() -> Iterator[None]:
    """Tell what the file system refuses for now from what it refuses for good."""
    try:
        yield
    except OSError as error:
        kind = TransientError if error.errno in _PASSING else PermanentError
        raise kind(str(error)) from error


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
