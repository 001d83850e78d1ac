"""The clone that the loop reads: one branch, bare, in the state folder.

Only a branch is ever fetched: no tags, no submodules, no work tree, and only over the protocols below. The
commits that the loop stands on are kept by refs of our own (`refs/intentc/…`), so that they outlive a branch
that is rewritten or deleted.

Invariant: a clone that cannot be read any more is replaced only when a new one is complete.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args
from urllib.parse import urlsplit

from reconciler.git import GitError, ask, git

Kept = Literal["accepted", "applied", "rewritten"]

_PROTOCOLS: Final = ("https", "ssh", "file")
_ENVIRONMENT: Final = {"GIT_ALLOW_PROTOCOL": ":".join(_PROTOCOLS)}
_HEAD: Final = "refs/intentc/head"
_SHA256: Final = 64
"""Digits of a hash, where a repository uses SHA-256."""
_ASKING: Final = 60.0
"""Seconds in which a remote has to say where its branch is."""
_FETCH: Final = (
    *("-c", "fetch.fsckObjects=true"),
    *("fetch", "--quiet", "--force", "--no-tags", "--no-recurse-submodules"),
    *("--no-write-fetch-head", "--no-auto-maintenance"),
)


@dataclass(frozen=True, slots=True)
class Clone:
    """A branch of a remote, and the folder where it is cloned to."""

    folder: Path
    url: str
    branch: str


def clone_of(state: Path, remote: str, branch: str) -> Clone:
    """Return the clone of a state folder; GitError where remote or branch cannot be used."""
    if why := _unusable(remote):
        raise GitError(why)
    local = "://" not in remote and not _has_host(remote)
    try:
        git(state, "check-ref-format", f"refs/heads/{branch}")
    except GitError as error:
        raise GitError(f"{branch!r} is no name of a branch") from error
    folder = state.resolve() / "clone.git"
    return Clone(folder, str(Path(remote).absolute()) if local else remote, branch)


def _unusable(remote: str) -> str | None:
    """Say why an address cannot be used; what is secret in it is not repeated."""
    if not remote or remote.startswith("-") or not remote.isprintable():
        return "this is no address of a git remote"
    if re.match(r"[A-Za-z0-9+.-]+::", remote):
        return "remote helpers (ext::) are not allowed; use https, ssh or a path"
    if "://" not in remote:
        return None
    try:
        parts = urlsplit(remote)
    except ValueError:
        return "this is no address of a git remote"
    if parts.scheme not in _PROTOCOLS:
        return f"{parts.scheme} is not allowed; use {', '.join(_PROTOCOLS)} or a path"
    if parts.password is not None or parts.query or (parts.scheme == "https" and parts.username is not None):
        return "credentials do not belong into the address; use a credential helper of git, or ssh"
    return None


def _has_host(remote: str) -> bool:
    """Say whether this is `host:path`, which git reaches by ssh."""
    head, colon, _ = remote.partition(":")
    return bool(colon) and "/" not in head


def fetch(clone: Clone) -> str | None:
    """Bring the clone up to date and return the head of the branch; None where the remote has no such branch.

    GitError where the remote cannot be reached, or refuses. A clone that is broken is made anew.
    """
    ready = _ready(clone.folder)
    head = _asked(clone)
    if ready and head is not None and head == _ref(clone.folder, _HEAD):
        return head
    if head is None:
        return None
    if not ready:
        return _renewed(clone, head, {})
    try:
        return _fetched(clone, clone.folder)
    except GitError:
        if sound(clone):
            raise
    return renew(clone)


def renew(clone: Clone) -> str | None:
    """Clone again beside the old clone, and put the new one in its place; GitError leaves the old one."""
    names: tuple[Kept, ...] = get_args(Kept)
    keeping = {name: commit for name in names if (commit := kept(clone, name))}
    head = _asked(clone)
    return _renewed(clone, head, keeping) if head else None


def sound(clone: Clone) -> bool:
    """Say whether every object of the clone can be read."""
    return ask(clone.folder, "fsck", "--no-dangling", "--no-progress") is not None and _ready(clone.folder)


def recover(clone: Clone) -> None:
    """Clear away what a kill left half done; only for who has the state folder to himself."""
    old = clone.folder.with_name("clone.old")
    if old.is_dir() and not clone.folder.exists():
        old.rename(clone.folder)
    for lock in clone.folder.rglob("*.lock"):
        with suppress(OSError):
            lock.unlink()


def tidy(clone: Clone) -> None:
    """Pack what many fetches left, where git finds it worth the time; unpacked, the clone is as good."""
    with suppress(GitError):
        git(clone.folder, "-c", "gc.autoDetach=false", "gc", "--auto", "--quiet")


def keep(clone: Clone, name: Kept, commit: str) -> None:
    """Record a commit that the loop stands on."""
    git(clone.folder, "update-ref", f"refs/intentc/{name}", commit)


def kept(clone: Clone, name: Kept) -> str:
    """Return a recorded commit; empty where there is none, or none that can be read."""
    return _ref(clone.folder, f"refs/intentc/{name}") if clone.folder.is_dir() else ""


def has(clone: Clone, commit: str) -> bool:
    """Say whether a commit is in the clone; one that is missing is asked for at the remote."""
    if _exists(clone.folder, commit):
        return True
    with suppress(GitError):
        git(clone.folder, *_FETCH, "--", clone.url, commit, env=_ENVIRONMENT)
    return _exists(clone.folder, commit)


def follows(clone: Clone, commit: str, earlier: str) -> bool:
    """Say whether a commit has an earlier one in its history, or is the same; GitError if one is missing."""
    return not _lines(clone, "rev-list", "--max-count=1", earlier, f"^{commit}", "--")


def line(clone: Clone, base: str, head: str) -> list[str]:
    """Return the first-parent line from `base` (exclusive) to `head`, oldest first.

    Where `base` does not lie on that line (a merge took it as second parent, or history was rewritten), what
    is new is one step: `head` alone.
    """
    steps = _lines(clone, "rev-list", "--first-parent", "--reverse", f"{base}..{head}", "--")
    if not steps:
        return []
    parents = _lines(clone, "rev-list", "--parents", "--max-count=1", steps[0], "--")[0].split()[1:]
    return steps if parents[:1] == [base] else [head]


def arrived(clone: Clone, commit: str, known: Iterable[str]) -> list[tuple[str, int]]:
    """Return the commits that come with one and not with the known ones: hash and number of parents."""
    without = [f"^{name}" for name in known]
    found = _lines(clone, "rev-list", "--parents", "--topo-order", "--reverse", commit, *without, "--")
    return [(words[0], len(words) - 1) for words in map(str.split, found)]


def message(clone: Clone, commit: str) -> str:
    """Return what a commit says."""
    words = ("show", "--no-show-signature", "--no-patch", "--format=%B")
    return git(clone.folder, *words, commit, "--").decode("utf-8", "replace")


def _lines(clone: Clone, *words: str) -> list[str]:
    return git(clone.folder, *words).decode().split("\n")[:-1]


def _asked(clone: Clone) -> str | None:
    """Ask the remote where its branch is."""
    wanted = f"refs/heads/{clone.branch}"
    state = clone.folder.parent
    # The state folder may lie in somebody's work tree, whose settings are not ours.
    outside = {**_ENVIRONMENT, "GIT_CEILING_DIRECTORIES": str(state.parent)}
    answer = git(state, "ls-remote", "--refs", "--", clone.url, wanted, timeout=_ASKING, env=outside)
    # git matches the end of names: refs/other/refs/heads/main is listed as well.
    rows = (row.split("\t") for row in answer.decode("utf-8", "replace").splitlines())
    return next((row[0] for row in rows if row[1:] == [wanted]), None)


def _fetched(clone: Clone, folder: Path) -> str:
    git(folder, *_FETCH, "--", clone.url, f"+refs/heads/{clone.branch}:{_HEAD}", env=_ENVIRONMENT)
    head = _ref(folder, _HEAD)
    if not head:
        raise GitError(f"the remote has no commit on branch {clone.branch}")
    return head


def _renewed(clone: Clone, asked: str, keeping: Mapping[Kept, str]) -> str:
    fresh, old = (clone.folder.with_name(f"clone.{word}") for word in ("new", "old"))
    for folder in (fresh, old):
        shutil.rmtree(folder, ignore_errors=True)
    form = "sha256" if len(asked) == _SHA256 else "sha1"
    made = ("init", "--quiet", "--bare", "--template=", f"--object-format={form}", "--", str(fresh))
    git(clone.folder.parent, *made)
    head = _fetched(clone, fresh)
    beside = Clone(fresh, clone.url, clone.branch)
    for name, commit in keeping.items():
        if has(beside, commit):
            keep(beside, name, commit)
    try:
        if clone.folder.exists():
            clone.folder.rename(old)
        fresh.rename(clone.folder)
    except OSError as error:
        raise GitError(f"cannot put the new clone into its place: {error.strerror}") from error
    shutil.rmtree(old, ignore_errors=True)
    return head


def _ready(folder: Path) -> bool:
    """Say whether the folder itself, and none around it, is a bare and whole repository."""
    if not folder.is_dir():
        return False
    try:
        words = ("--is-bare-repository", "--is-shallow-repository", "--absolute-git-dir")
        answer = git(folder, "rev-parse", *words).decode().split("\n")
    except GitError:
        return False
    return answer[:3] == ["true", "false", str(folder)]


def _ref(folder: Path, name: str) -> str:
    return (ask(folder, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}") or "").strip()


def _exists(folder: Path, commit: str) -> bool:
    return ask(folder, "cat-file", "-e", f"{commit}^{{commit}}") is not None
