"""Git repositories for tests of diffs, made of folders or texts, whatever the user's own git is told."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
CASES: Final = ROOT / "tests" / "golden" / "review"
_WHO: Final = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "A"), ("EMAIL", "a@b.c"), ("DATE", "2026-01-01T00:00:00Z"))
}


def git(folder: Path, *words: str) -> str:
    """Run git in a folder, whatever the user's own configuration says."""
    plain = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *words],
        cwd=folder,
        env={**os.environ, **_WHO, **plain},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def start(folder: Path) -> Path:
    """Make an empty git repository."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    return folder


def fill(folder: Path, source: Path) -> None:
    """Make the work tree what another folder is."""
    for entry in folder.iterdir():
        if entry.name != ".git":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    shutil.copytree(source, folder, dirs_exist_ok=True)


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files."""
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def commit(folder: Path, message: str) -> str:
    """Commit everything and return the hash."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def case(folder: Path, name: str) -> Path:
    """Make a repository whose HEAD is the old side of a golden case, and whose work tree is the new one."""
    start(folder)
    fill(folder, CASES / name / "old")
    commit(folder, "old")
    fill(folder, CASES / name / "new")
    return folder
