"""What was made before, kept between runs in the cache folder of the user.

Never in the repository: nobody can hand somebody else a cache. Only files that belong to the user and that
nobody else may write are read, and they hold JSON, which executes nothing. Each shard is sealed with a hash
of its bytes and of everything that decides what is made.

Invariant: a cache that is absent, damaged, foreign, of another version or not writable is no cache; it is
never an error, and never another result. `INTENTC_CACHE=off` does without.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from ruamel.yaml.cyaml import CParser

from intent.memory import Memory

LARGEST: Final = 32 * 1024 * 1024
"""Bytes of a shard from which on it is neither written nor read."""

_FORMAT: Final = b"1"
_SHARDS: Final = "0123456789abcdef"
"""First digits of keys: a change in one document writes one shard anew, not all."""
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


@contextmanager
def remembering(root: Path, stage: str, *makers: ModuleType) -> Iterator[Memory | None]:
    """Give a stage what it made in earlier runs on this repository, and keep what is new; None: no cache.

    `makers` are the modules that decide what is made: of another version of one of them nothing is known.
    """
    shelf = _shelf(root, stage, makers)
    memory = Memory(shelf.load()) if shelf else None
    yield memory
    if shelf and memory and memory.news:
        # A full disk or a folder of somebody else costs the next run some time, and this one nothing.
        with suppress(OSError, ValueError):
            shelf.save(memory)


@dataclass(frozen=True, slots=True)
class _Shelf:
    """Where the shards of one stage of one repository lie."""

    folder: Path
    stage: str
    seed: bytes
    """Hash of what decides what is made."""

    def load(self) -> dict[str, Any]:
        """Return what can be trusted of what is there."""
        known: dict[str, Any] = {}
        if _private(self.folder):
            for shard in _SHARDS:
                with suppress(OSError, ValueError, RecursionError):
                    seal, _, body = _read(self.file(shard)).partition(b"\n")
                    if seal == self.seal(body):
                        known |= json.loads(body)
        return known

    def save(self, memory: Memory) -> None:
        """Write the shards that something is new in, with nothing in them that was not asked for."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _private(self.folder):
            return
        for shard in sorted({key[0] for key in memory.news}):
            made = {key: value for key, value in memory.used.items() if key[0] == shard}
            body = json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode()
            if len(body) < LARGEST:
                _replace(self.file(shard), self.seal(body) + b"\n" + body)

    def file(self, shard: str) -> Path:
        """Return the file of a shard."""
        return self.folder / f"{self.stage}-{shard}.json"

    def seal(self, body: bytes) -> bytes:
        """Return the first line of a shard."""
        return hashlib.blake2b(body, key=self.seed, digest_size=32).hexdigest().encode()


def _shelf(root: Path, stage: str, makers: tuple[ModuleType, ...]) -> _Shelf | None:
    """Return where a stage keeps what it made; None where it shall not, or there is no place for it."""
    said = Path(os.environ.get("XDG_CACHE_HOME", ""))
    with suppress(OSError, RuntimeError):  # no home, links in a circle, or a program without files
        base = said if said.is_absolute() else Path.home() / ".cache"
        name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:32]
        if os.environ.get("INTENTC_CACHE") != "off":
            return _Shelf(base / "intentc" / name, stage, _seed(makers))
    return None


def _seed(makers: tuple[ModuleType, ...]) -> bytes:
    below = sys.modules[CParser.__module__]
    parts = [_FORMAT, sys.byteorder.encode(), bytes([array("I").itemsize])]
    parts += [str(getattr(below, "get_version_string", str)()).encode()]
    parts += [Path(maker.__file__ or "").read_bytes() for maker in makers]
    return hashlib.sha256(b"\0".join(parts)).digest()


def _private(folder: Path) -> bool:
    """Say whether a folder, and the one around it, is there and in nobody else's hands."""
    try:
        found = [place.lstat() for place in (folder, folder.parent)]
    except OSError:
        return False
    return all(stat.S_ISDIR(place.st_mode) and _ours(place) for place in found)


def _ours(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & _OTHERS_WRITE


def _read(path: Path) -> bytes:
    """Return the bytes of a file of ours; nothing where it is not what we would have written."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        found = os.fstat(handle)
        fits = stat.S_ISREG(found.st_mode) and found.st_size <= LARGEST + 100
        return stream.read() if fits and _ours(found) else b""


def _replace(path: Path, content: bytes) -> None:
    """Put a file in place; where two processes do so at once and spoil it, the seal tells."""
    beside = path.with_name(f"{path.name}.new")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
    beside.replace(path)
