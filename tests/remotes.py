"""Real git remotes, and loops that follow them under a clock that tests turn."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from intentc.cli import run
from reconciler.apply import Event as Progress
from reconciler.execute import Applier
from reconciler.gitops.bring import Means
from reconciler.gitops.clone import clone_of
from reconciler.gitops.commit import Terms
from reconciler.gitops.loop import Loop
from reconciler.gitops.state import Event
from reconciler.gitops.turn import Settings, Turn, World
from reconciler.lease import here
from reconciler.retry import Retry

WHO = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ann"), ("EMAIL", "ann@example.net"))
}
POLICY = "intent/policy.yaml"


def git(root: Path, *words: str, env: Mapping[str, str] | None = None) -> str:
    """Run git as its user would, apart from the settings of whoever runs the tests."""
    bare = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(
        ["git", "-C", str(root), *words],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **WHO, **bare, **(env or {})},
    )
    return done.stdout.strip()


def template(folder: Path) -> Path:
    """Make a repository as `intentc init` does, with one commit."""
    assert run(["init", str(folder)]) == 0
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=first")
    return folder


@dataclass
class Remote:
    """A bare repository, and the work tree of somebody who pushes to it."""

    work: Path
    bare: Path

    @classmethod
    def made(cls, folder: Path, source: Path) -> Remote:
        """Copy a repository, and push it."""
        shutil.copytree(source, folder / "work")
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main", "remote.git")
        remote = cls(folder / "work", folder / "remote.git")
        git(remote.work, "remote", "add", "origin", str(remote.bare))
        remote.push()
        return remote

    @property
    def head(self) -> str:
        """The commit that the work tree stands on."""
        return git(self.work, "rev-parse", "HEAD")

    def commit(
        self,
        files: Mapping[str, str | None] | None = None,
        message: str = "change",
        *options: str,
        env: Mapping[str, str] | None = None,
        push: bool = True,
    ) -> str:
        """Commit files (None deletes one), and push; without files the commit is empty."""
        for name, text in (files or {}).items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        git(self.work, "add", "--all")
        git(self.work, "commit", "--quiet", "--allow-empty", f"--message={message}", *options, env=env)
        if push:
            self.push()
        return self.head

    def push(self, *options: str) -> None:
        """Push the branch."""
        git(self.work, "push", "--quiet", *options, "origin", "HEAD:main")

    def routed(self, *routers: str) -> dict[str, str | None]:
        """Return a change of the path of the policy, which needs no lease."""
        head, marker, _ = (self.work / POLICY).read_text().partition("        - segments:\n")
        return {POLICY: head + marker + "".join(f"            - router: {name}\n" for name in routers)}


@dataclass
class Follower:
    """A loop on a remote, and all that it told."""

    remote: Remote
    state: Path
    terms: Terms = field(default_factory=Terms)
    correct: bool = True
    listener: Callable[[Progress], None] = lambda _: None
    time: float = 1_700_000_000.0
    told: list[Event] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start."""
        self.state.mkdir(exist_ok=True)
        self.start()

    def start(self) -> None:
        """Start anew, as after a restart of the process."""
        means = Means(
            self.state,
            Applier(here("test"), self.state / "journals"),
            self.listener,
            Retry(attempts=2, sleep=lambda _: None),
        )
        world = World(
            lambda: self.time,
            lambda: self.time,
            self.told.append,
            lambda level, message: self.logged.append(f"{level}: {message}"),
        )
        settings = Settings(self.state, self.terms, interval=30, look=300, correct=self.correct)
        clone = clone_of(self.state, str(self.remote.bare), "main")
        self.loop = Loop(settings, clone, means, world)

    def turn(self, later: float = 30) -> Turn:
        """Do a turn some seconds later."""
        self.time += later
        return self.loop.turn()

    def news(self) -> list[str]:
        """Return what was told since the last time."""
        found: list[str] = [event.news for event in self.told]
        self.told.clear()
        return found

    def tree(self) -> dict[str, bytes]:
        """Return every file of the target."""
        root = self.state / "rendered"
        return {
            str(path.relative_to(root)): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file() and not str(path.relative_to(root)).startswith(".")
        }
