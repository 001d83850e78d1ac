"""A tree of rendered files, observed and changed through the driver contract.

The whole line runs on it without a network, and it is useful by itself: a rendered-manifests branch for
Argo CD or Flux, exec files for VPP, JSON for review. What is ours says so in its first line (see layout);
there is no list of files beside the files.

Invariant: a crash leaves each file old or new, never half; symbolic links are never followed, and hidden
files never looked at, so the tree may be a git checkout. Every file is moved into the tree, or out of it, by
a name in the folder that belongs to the token of the batch (see fence): once that folder is gone, the batch
changes nothing more.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING, Final

from intent.memory import Memory
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
from reconciler.drivers.fence import Fence, classified, in_words, sync, write
from reconciler.drivers.layout import MARK_BYTES, Damaged, decode, encode, is_ours, path_of
from reconciler.plan import Action
from renderers.resource import Key, Resource

if TYPE_CHECKING:
    from reconciler.secrets import Vault

_NAMED: Final = 3
"""So many damaged files are named in one message."""
_TRIES: Final = 3


@dataclass(slots=True)
class _File:
    """A file that a batch is about."""

    raw: bytes | None
    """What it holds; None where it is not there. Once staged: what it shall hold."""
    objects: dict[Key, Resource]
    changes: bool = False
    waiting: str = ""
    """Where its new content waits, or where it is moved out to; empty where it stays as it is."""


@dataclass(frozen=True, slots=True)
class _Staged:
    """What a commit needs to know."""

    token: int
    files: Mapping[str, _File]


class Directory:
    """A folder that holds one file per manifest and text, and one per type for all else."""

    fences: Final = True

    def __init__(self, name: str, root: Path, memory: Memory | None = None) -> None:
        """Take a folder as target; it is made when something is first written to it."""
        self.name = name
        self.memory = memory
        self.vault: Vault | None = None
        try:
            self.root = root.resolve()
        except RuntimeError:  # what Python calls links in a circle, before 3.13
            raise PermanentError(f"{root} of target {name} leads in a circle of symbolic links") from None
        self.fence = Fence(self.root)

    def observe(self) -> Observation:
        """Read every file of ours below the root."""
        found: dict[Key, Resource] = {}
        damage: list[str] = []
        for path in _files(self.root, damage):
            try:
                found |= self._decode(path, self._read(path))
            except Damaged as error:
                damage.append(f"{self.root.name}/{error}")
            except OSError as error:
                damage.append(in_words(error))
        more = f" and {len(damage) - _NAMED} more" if len(damage) > _NAMED else ""
        return Observation(found, complete=not damage, why="; ".join(sorted(damage)[:_NAMED]) + more)

    def lease(self) -> Lease | None:
        """Return the lease that lies in the tree."""
        return self.fence.lease()

    def swap_lease(self, expected: Lease | None, new: Lease) -> bool:
        """Put a lease in the place of the expected one."""
        return self.fence.swap(expected, new)

    def stage(self, actions: Sequence[Action], token: int = 0) -> Batch:
        """Write the new content of every file that changes beside the tree."""
        with classified():
            self.fence.check(token)
            self.fence.sweep(token)  # before anything is read, for a takeover may have broken down before it
            files = self._contents(actions)
            self._write(files, token)
        return Batch(tuple(actions), _Staged(token, files))

    def commit(self, batch: Batch) -> tuple[Outcome, ...]:
        """Move the new files into place, then move away those that hold nothing any more."""
        staged: _Staged = batch.prepared
        waiting = {path: file for path, file in staged.files.items() if file.waiting}
        # What is as it shall be may be so since an attempt that failed before it was durable.
        touched = waiting.keys() | {path for path, file in staged.files.items() if file.raw is not None}
        failed: dict[str, str] = {}
        try:
            with classified():
                self.fence.check(staged.token)
            for path, file in sorted(waiting.items(), key=lambda item: item[1].raw is None):
                try:
                    with classified():
                        self._move(path, file, staged.token)
                except Superseded:
                    raise
                except PermanentError as error:
                    failed[path] = str(error)
        except BaseException:
            with suppress(OSError):
                self._tidy(touched, staged.token)
            raise
        with classified():
            self._tidy(touched, staged.token)
        return tuple(_outcome(action, failed) for action in batch.actions)

    def verify(self, batch: Batch) -> tuple[Key, ...]:
        """Read the files of the batch again."""
        staged: _Staged = batch.prepared
        found: dict[Key, Resource] = {}
        with classified():
            for path, file in staged.files.items():
                with suppress(Damaged, FileNotFoundError, NotADirectoryError):
                    raw = self._read(path)
                    found |= file.objects if raw == file.raw else self._decode(path, raw)
        return tuple(
            action.key for action in batch.actions if state_of(action, found.get(action.key)) != "done"
        )

    def close(self) -> None:
        """Nothing is held open."""

    def _contents(self, actions: Sequence[Action]) -> dict[str, _File]:
        """Return the files that the actions touch, as they shall be; PermanentError names what cannot be."""
        refused: dict[Key, str] = {}
        files: dict[str, _File] = {}
        touched: dict[str, list[Key]] = {}
        folders: dict[str, bool] = {}
        for action in actions:
            states = filter(None, (action.after, action.before))
            paths = list(dict.fromkeys(path_of(resource) for resource in states))
            try:
                files |= {path: self._present(path, folders) for path in paths if path not in files}
            except (Damaged, PermanentError) as error:
                # What is foreign is not ours to delete, and then there is nothing of ours left to delete.
                if action.after is not None or isinstance(error, Damaged):
                    refused[action.key] = str(error)
                continue
            if why := _enter(action, [files[path] for path in paths]):
                refused[action.key] = why
            for path in paths:
                touched.setdefault(path, []).append(action.key)
        for path, file in files.items():
            if why := _encode(path, file):
                refused |= dict.fromkeys(touched[path], why)
        if refused:
            raise PermanentError("; ".join(sorted(set(refused.values()))[:_NAMED]), refused)
        return files

    def _present(self, path: str, folders: dict[str, bool]) -> _File:
        """Return a file as it is; PermanentError where something foreign is there, or on the way to it.

        `folders` keeps which folders are there.
        """
        if not self._is_folder(path.rpartition("/")[0], folders):
            return _File(None, {})
        try:
            mode = os.lstat(f"{self.root}/{path}").st_mode
        except FileNotFoundError:
            return _File(None, {})
        if not S_ISREG(mode):
            raise PermanentError(f"{path} is in the way and is not ours")
        raw = self._read(path)
        if not is_ours(raw):
            raise PermanentError(f"{path} exists and is not ours")
        return _File(raw, self._decode(path, raw))

    def _is_folder(self, folder: str, known: dict[str, bool]) -> bool:
        """Say whether a folder is there; PermanentError where something else is."""
        if not folder or folder in known:
            return known.get(folder, True)
        known[folder] = self._is_folder(folder.rpartition("/")[0], known)
        if known[folder]:
            try:
                mode = os.lstat(f"{self.root}/{folder}").st_mode
            except FileNotFoundError:
                known[folder] = False
            else:
                if not S_ISDIR(mode):
                    del known[folder]
                    raise PermanentError(f"{folder} is in the way and is not ours")
        return known[folder]

    def _write(self, files: Mapping[str, _File], token: int) -> None:
        """Write the files that change to where they wait."""
        changing = [file for file in files.values() if file.changes]
        if not changing:
            return
        staged = self.fence.stage(token)
        try:
            for number, file in enumerate(changing):
                file.waiting = f"{staged}/{number}"
                if file.raw is not None:
                    write(file.waiting, file.raw)
        except FileNotFoundError:
            self.fence.lost(token)
        except BaseException:
            with suppress(OSError):
                self._tidy((), token)
            raise

    def _move(self, path: str, file: _File, token: int) -> None:
        """Move a file into the tree, or out of it."""
        place = f"{self.root}/{path}"
        for _ in range(_TRIES):
            try:
                if file.raw is not None:
                    os.replace(file.waiting, place)
                elif os.path.isdir(place):
                    raise PermanentError(f"{path} is in the way and is not ours")
                else:
                    os.rename(place, file.waiting)
                return
            except FileNotFoundError:
                if not os.path.isdir(os.path.dirname(file.waiting)):
                    self.fence.lost(token)
                if file.raw is None and not os.path.lexists(place):
                    return
                os.makedirs(os.path.dirname(place), exist_ok=True)
        raise TransientError(f"another process is changing {self.root}")

    def _tidy(self, paths: Iterable[str], token: int) -> None:
        """Make the batch durable, and remove the folders that became empty."""
        self.fence.leave(token)
        self.fence.tidy()
        for folder in sorted(_above(paths), key=lambda folder: folder.count("/"), reverse=True):
            try:
                os.rmdir(f"{self.root}/{folder}")
            except OSError:
                with suppress(FileNotFoundError):
                    sync(f"{self.root}/{folder}")
        with suppress(FileNotFoundError):
            sync(str(self.root))

    def _read(self, path: str) -> bytes:
        """Return the content of a file of ours, and the start of a foreign one."""
        with open(f"{self.root}/{path}", "rb", buffering=0) as stream:  # it is read once, as a whole
            start = stream.read(MARK_BYTES)
            return start + stream.read() if is_ours(start) else start

    def _decode(self, path: str, raw: bytes) -> dict[Key, Resource]:
        """Return the objects of a file; a foreign one has none."""
        return decode(path, raw, self.memory) if is_ours(raw) else {}


def _enter(action: Action, files: Sequence[_File]) -> str:
    """Bring an object into its file, the first one, and out of the others; return why not."""
    now = next((file.objects[action.key] for file in files if action.key in file.objects), None)
    state = state_of(action, now)
    if state == "moved":
        return f"{action.key} {MOVED}"
    for file in files:
        if file is files[0] and action.after is not None:
            if state == "open":
                file.objects[action.key] = action.after
                file.changes = True
        elif file.objects.pop(action.key, None) is not None:
            file.changes = True
    return ""


def _encode(path: str, file: _File) -> str:
    """Write the content of a file that changes; return why it cannot be written."""
    if file.changes:
        try:
            file.raw = encode(path, file.objects.values()) if file.objects else None
        except (ValueError, TypeError) as error:
            return f"{path}: {error}"
    return ""


def _above(paths: Iterable[str]) -> set[str]:
    """Return all folders on the way to some files."""
    found: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


def _outcome(action: Action, failed: Mapping[str, str]) -> Outcome:
    for resource in filter(None, (action.before, action.after)):
        if message := failed.get(path_of(resource)) if failed else None:
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
            damage.append(in_words(error))
