"""Git as a reader sees it: commits, their files and their order, with nothing of a repository executed.

Every call has fixed arguments; hooks, filters, external diffs, replaced objects and prompts are off, and what
a user says (a revision, a branch, an address) never stands where git expects an option.

Invariant: a `Commit` is read from git's objects alone, so it needs no work tree and no other process can
change it while it is read.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from posixpath import normpath
from types import MappingProxyType
from typing import Final

from intent.files import MAX_FILE_BYTES, Unreadable, decoded
from intent.source import Source

_PATHS: Final = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"})
"""A hook has the paths of its own work tree in the environment; `root` may be another one."""
_SETTINGS: Final = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.attributesFile": os.devnull,
    "protocol.ext.allow": "never",
}
_FIXED: Final = (
    "--no-pager",
    "--no-replace-objects",
    "--literal-pathspecs",
    *(word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")),
)
_LINKS: Final = 40
"""So many symbolic links are followed one after the other."""
_LONGEST: Final = 4096
"""Bytes that a symbolic link may hold, as in Linux."""
_LOGIN: Final = re.compile(r"(?<=://)[^\s/@']+@")
_PATIENCE: Final = 600.0
"""Seconds after which a call is given up: nothing may hang for ever."""


class GitError(Exception):
    """Git refused, or is not installed; the message is its own, without users and passwords of addresses."""

    def __init__(self, words: str) -> None:
        """Take the words; settings such as `url.….insteadOf` may bring secrets into them."""
        super().__init__(_LOGIN.sub("", words))


def git(
    root: Path,
    *words: str,
    stdin: bytes = b"",
    timeout: float = _PATIENCE,
    env: Mapping[str, str] = MappingProxyType({}),
) -> bytes:
    """Run git in a folder and return what it prints; GitError with its words where it refuses.

    It runs in a session of its own: nothing of it can ask at the terminal, and its helpers end with it.
    """
    outside = {name: value for name, value in os.environ.items() if name not in _PATHS}
    fixed = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    command = ["git", "-C", str(root), *_FIXED, *words]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**outside, **fixed, **env},
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise GitError("git is not installed") from error
    except OSError as error:
        raise GitError(f"git cannot be run: {error.strerror}") from error
    with process:
        try:
            output, words_of_git = process.communicate(stdin, timeout)
        except BaseException as error:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise GitError(f"git {_verb(words)} did not end within {timeout:g} s") from error
            raise
    if process.returncode:
        lines = (line.strip().rstrip(".") for line in words_of_git.decode("utf-8", "replace").splitlines())
        raise GitError("; ".join(line for line in lines if line) or f"git {_verb(words)} failed")
    return output


def _verb(words: Sequence[str]) -> str:
    """Return the command among the words; `-c` and its setting may stand before it."""
    settings = next((at for at in range(0, len(words), 2) if words[at] != "-c"), 0)
    return words[settings]


def ask(root: Path, *words: str) -> str | None:
    """Return what git prints; None where it refuses, or is not installed."""
    try:
        return git(root, *words).decode("utf-8", "replace")
    except GitError:
        return None


def commit_of(root: Path, revision: str) -> str:
    """Return the full hash of the commit that a revision names; GitError where it names none."""
    named = git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    return named.decode().strip()


@dataclass(frozen=True, slots=True)
class Commit:
    """The files of a repository in one commit; `root` may be a folder below the top of its work tree."""

    root: Path
    revision: str
    """Full hash."""
    name: str = ""
    """How the user calls the revision; stands before file names in messages (`main:intent/a.yaml`)."""
    blobs: Mapping[str, _Blob] = field(default_factory=dict, repr=False)

    def match(self, patterns: Iterable[str]) -> list[Source | Unreadable]:
        """Read every file that a pattern names, sorted by path."""
        wanted = tuple(patterns)
        found = [path for path in sorted(self.blobs) if named(path, wanted)]
        return self._sources([path for path in found if not _hidden(path)])

    def read(self, name: str) -> Source | Unreadable | None:
        """Read one file."""
        return self._sources([name])[0] if name in self.blobs else None

    def shown(self, name: str) -> str:
        """Return the name with the revision before it, where the user named one."""
        return f"{self.name}:{name}" if self.name else name

    def folders(self) -> list[str]:
        """Return the folders at the root."""
        return sorted({path.partition("/")[0] for path in self.blobs if "/" in path})

    def is_link(self, name: str) -> bool:
        """Say whether a name is a symbolic link."""
        return name in self.blobs and self.blobs[name].link

    def _sources(self, paths: list[str]) -> list[Source | Unreadable]:
        found: dict[str, Source | Unreadable] = {}
        wanted: dict[str, _Blob] = {}
        for path in paths:
            blob = self._followed(path)
            if isinstance(blob, Unreadable):
                found[path] = blob
            elif blob.size > MAX_FILE_BYTES:
                why = f"this file has {blob.size} bytes; the limit is {MAX_FILE_BYTES // 2**20} MiB"
                found[path] = Unreadable(self.shown(path), "IC1004", why, "split it into several files", 1, 1)
            else:
                wanted[path] = blob
        raw = _contents(self.root, [blob.hash for blob in wanted.values()])
        found |= {path: decoded(self.shown(path), raw[blob.hash]) for path, blob in wanted.items()}
        return [found[path] for path in paths]

    def _followed(self, path: str) -> _Blob | Unreadable:
        """Return the file that a path leads to, symbolic links followed inside the repository."""
        place = path
        for _ in range(_LINKS):
            blob = self.blobs.get(place)
            if blob is None:
                outside = place.startswith(("../", "/"))
                code, why = ("IC1002", "lies outside") if outside else ("IC1001", "is not in")
                return Unreadable(
                    self.shown(path), code, f"this link leads to {place}, which {why} the repository"
                )
            if not blob.link:
                return blob
            if blob.size > _LONGEST:
                return Unreadable(self.shown(path), "IC1001", "this link is too long to lead anywhere")
            target = _contents(self.root, [blob.hash])[blob.hash].decode("utf-8", "surrogateescape")
            place = normpath(str(PurePosixPath(place).parent / target))
        why = "cannot read this file: its symbolic link leads in a circle"
        return Unreadable(self.shown(path), "IC1001", why)


@dataclass(frozen=True, slots=True)
class _Blob:
    """A file in git."""

    hash: str
    size: int
    link: bool


def open_commit(root: Path, revision: str, name: str = "", folder: str | None = None) -> Commit:
    """Return the files of a commit below `folder`, without it none; GitError where there is no such revision.

    By default the folder is where `root` lies in its work tree; in a bare repository it is the top.
    """
    commit = commit_of(root, revision)
    below = git(root, "rev-parse", "--show-prefix").decode().rstrip("\n") if folder is None else folder
    here = [f"{below.rstrip('/')}/"] if below else []
    listing = git(root, "ls-tree", "-r", "-z", "--long", "--full-tree", commit, "--", *here)
    blobs: dict[str, _Blob] = {}
    for entry in listing.split(b"\0")[:-1]:
        about, _, path = entry.partition(b"\t")
        mode, kind, hash_, size = about.decode().split()
        if kind == "blob":
            if not size.isdecimal():
                raise GitError(f"object {hash_} is missing or damaged")
            name_ = path.decode("utf-8", "surrogateescape").removeprefix("".join(here))
            blobs[name_] = _Blob(hash_, int(size), mode == "120000")
    return Commit(root, commit, name, blobs)


def _contents(root: Path, hashes: list[str]) -> dict[str, bytes]:
    """Return the content of objects, in one call of git."""
    if not hashes:
        return {}
    output = git(root, "cat-file", "--batch", stdin="".join(f"{name}\n" for name in hashes).encode())
    found: dict[str, bytes] = {}
    at = 0
    for name in hashes:
        end = output.index(b"\n", at)
        about = output[at:end].split()
        if about[1:2] != [b"blob"]:
            raise GitError(f"object {name} is missing or no file")
        size = about[2]
        found[name] = output[end + 1 : end + 1 + int(size)]
        at = end + 2 + int(size)
    return found


def named(path: str, patterns: Iterable[str]) -> bool:
    """Say whether a pattern of `Files.match` names a path, hidden or not."""
    return any(_form(pattern).fullmatch(path) for pattern in patterns)


def _hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


@lru_cache(maxsize=256)
def _form(pattern: str) -> re.Pattern[str]:
    """Translate a pattern as pathlib understands it: `**` is any number of folders."""
    steps = pattern.split("/")
    parts = [
        "(?:[^/]+/)*" if step == "**" else _step(step) + ("/" if number < len(steps) else "")
        for number, step in enumerate(steps, 1)
    ]
    return re.compile("".join(parts))


def _step(step: str) -> str:
    """Translate one step, in which no wildcard matches a slash."""
    out = []
    for piece in re.split(r"(\*|\?|\[[^\]]+\])", step):
        if piece == "*":
            out.append("[^/]*")
        elif piece == "?":
            out.append("[^/]")
        elif piece.startswith("[") and piece.endswith("]"):
            out.append(f"[{'^' if piece[1] == '!' else ''}{piece[1:-1].removeprefix('!')}]")
        else:
            out.append(re.escape(piece))
    return "".join(out)
