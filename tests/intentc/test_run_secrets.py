"""A canary value never shows through the loop: log, status, state, notify, metrics, journals."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from intentc.cli import run
from intentc.commands import run as command
from reconciler.drivers.directory import Directory
from reconciler.health import Page
from reconciler.retry import Retry
from tests.intentc.test_canary import FAILURES, SECRET, Failure, failed, repository, search

__all__ = ["repository"]
TELLING = """
import os, sys
with open(sys.argv[1], "a") as stream:
    stream.write(sys.stdin.read())
    stream.writelines(f"{name}={os.environ[name]}" for name in os.environ if name.startswith("INTENTC_"))
"""
"""A notify command that keeps all it is told; the environment of the loop is its own all the same."""


class Reading:
    """Stands for the server: reads the figures when it is closed."""

    port = 0
    figures = io.StringIO()

    def __init__(self, _: tuple[str, int], pages: Mapping[str, Page]) -> None:
        self.pages = pages

    def close(self) -> None:
        self.figures.write(self.pages["/metrics"]().body.decode())


@pytest.fixture
def loop(repository: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the command for one turn of the loop; everything that it leaves is below the parent folder."""
    monkeypatch.setattr(command, "Health", Reading)
    monkeypatch.setattr(Reading, "figures", io.StringIO())
    monkeypatch.setattr(Retry, "waits", lambda _: iter([0.0]))
    script = repository.parent / "telling.py"
    script.write_text(TELLING)
    told = repository.parent / "told"
    notify = f"{sys.executable} {script} {told}"
    state = repository.parent / "loop"
    return ["run", "--remote", ".", "--state", str(state), "--once", "--listen", "x:0", "--notify", notify]


def turns(loop: list[str], capfd: pytest.CaptureFixture[str], root: Path) -> list[int]:
    """Do turns in which a commit is applied, drift is put right or not, and all is well or not."""
    codes = [run([*loop, "--log", form]) for form in ("text", "json")]
    for path in (root.parent / "loop" / "targets").rglob("*.jsonl"):
        path.unlink()
    codes += [run([*loop, "--log", "json", "--drift", word]) for word in ("report", "correct")]
    captured = capfd.readouterr()
    figures = Reading.figures.getvalue()
    assert "intentc_turns_total" in figures
    search(root.parent, captured.out, captured.err, figures)
    return codes


def test_nothing_shows(loop: list[str], repository: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert turns(loop, capfd, repository) == [0, 0, 2, 0]
    assert "INTENTC_EVENT=drift-corrected" in (repository.parent / "told").read_text()


@pytest.mark.parametrize(("method", "failure"), [*FAILURES, ("commit", failed)])
def test_nothing_shows_when_a_target_fails(
    loop: list[str],
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    method: str,
    failure: Failure,
) -> None:
    monkeypatch.setattr(Directory, method, failure)
    assert 1 in turns(loop, capfd, repository)
    state = repository.parent / "loop"
    assert "[secret]" in json.dumps(json.loads((state / "status.json").read_text())["problems"])
    assert "[secret]" in (state / "state.json").read_text()
    assert "[secret]" in (repository.parent / "told").read_text()


@pytest.mark.parametrize("name", ["admit", "compiled", "look"])
def test_nothing_shows_when_intentc_breaks(
    loop: list[str],
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    name: str,
) -> None:
    def breaking(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(f"reconciler.gitops.loop.{name}", breaking)
    assert set(turns(loop, capfd, repository)) == {1}
