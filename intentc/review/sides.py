"""The two states that a diff compares: a commit, and another commit or the work tree.

Nothing is checked out, and nothing of a commit is executed. "There is no repository yet" is an empty side; a
side that does not compile is an error of its own, since a comparison with half a repository would lie.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from intent.repository import PROJECT_FILE
from intentc.session import Session, begin
from reconciler.git import GitError, ask, commit_of, git, open_commit

WORK_TREE: Final = "the work tree"
_HEAD: Final = "HEAD"
_NAMED: Final = 10
"""So many missing commits are named."""
_SHORT: Final = 10


@dataclass(frozen=True, slots=True)
class Side:
    """One state of a repository."""

    name: str
    """How the user calls it."""
    commit: str
    """Full hash; empty for the work tree, and for HEAD where nothing was committed yet."""
    session: Session | None
    """What was compiled; None where there was no repository yet."""

    @property
    def title(self) -> str:
        """Name and short hash."""
        short = self.commit[:_SHORT]
        return f"{self.name} ({short})" if short and not self.commit.startswith(self.name) else self.name


@dataclass(frozen=True, slots=True)
class Stale:
    """Commits of the old side that the new side does not have: a diff shows them as being undone."""

    count: int
    newest: tuple[str, ...]
    """Short hash and subject of the newest ones."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Both states, the older first."""

    old: Side
    new: Side
    stale: Stale | None = None
    command: str = "intentc diff"
    """What was asked for."""


def open_sides(root: Path, revisions: Sequence[str], *, merge_base: bool) -> Sides:
    """Compile both sides; none is said: HEAD and the work tree. GitError where a revision is none."""
    _inside(root)
    first, second = (*revisions, *(_HEAD,) * (not revisions), "")[:2]
    old, new = _commit(root, first), _commit(root, second or _HEAD)
    if merge_base and old and new:
        old, first = _common(root, old, new), f"merge base of {first} and {second or _HEAD}"
    stale = _stale(root, old, new) if old and new else None
    later = _side(root, second, new) if second else Side(WORK_TREE, "", begin(root))
    command = shlex.join(["intentc", "diff", *(["--merge-base"] * merge_base), *revisions])
    return Sides(_side(root, first, old), later, stale, command)


def _inside(root: Path) -> None:
    try:
        git(root, "rev-parse", "--git-dir")
    except GitError as error:
        raise GitError(f"{error}\n  hint: diff compares commits; `intentc plan` needs no git") from error


def _commit(root: Path, revision: str) -> str:
    """Return the hash of a revision; empty for the HEAD of a repository without commits."""
    try:
        return commit_of(root, revision)
    except GitError as error:
        if revision == _HEAD:
            return ""
        hint = "a shallow clone has few commits and branches; fetch it, or name another one"
        raise GitError(f"{revision!r} is no commit of this repository\n  hint: {hint}") from error


def _side(root: Path, name: str, commit: str) -> Side:
    """Compile a commit; it has no repository yet where the folder or its intentc.yaml is missing."""
    below = (ask(root, "rev-parse", "--show-prefix") or "").rstrip("\n")
    if not commit or ask(root, "rev-parse", "--verify", "--quiet", f"{commit}:{below}{PROJECT_FILE}") is None:
        return Side(name, commit, None)
    said = commit[:_SHORT] if " " in name else name  # stands before each file: one word
    return Side(name, commit, begin(root, open_commit(root, commit, said)))


def _common(root: Path, old: str, new: str) -> str:
    found = ask(root, "merge-base", old, new)
    if not found:
        raise GitError(
            "the two revisions have no commit in common\n  hint: in a shallow clone: git fetch --unshallow"
        )
    return found.strip()


def _stale(root: Path, old: str, new: str) -> Stale | None:
    """Return the commits that only the old side has, of those that touch this repository."""
    only, here = f"{new}..{old}", ("--", ".")
    count = int(git(root, "rev-list", "--count", only, *here))
    if not count:
        return None
    shown = git(root, "log", "--no-show-signature", f"--max-count={_NAMED}", "--format=%h %s", only, *here)
    return Stale(count, tuple(shown.decode("utf-8", "replace").splitlines()))
