"""A canary value never shows: each command runs with secrets in reach, and all that it leaves is searched."""

from __future__ import annotations

import base64
import logging
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest

from intentc.cli import COMMANDS, run
from reconciler.agent.dataplane import Vpp
from reconciler.drivers.base import Batch, Observation, Outcome, PermanentError, TransientError
from reconciler.drivers.directory import Directory
from reconciler.drivers.simulator import Simulator
from reconciler.retry import Retry

EXAMPLE = Path(__file__).parents[2] / "examples" / "upf-sriov"
SECRET: Final = "canary/'wörd\\"
BASE64: Final = base64.b64encode(SECRET.encode()).decode()
SAYS: Final = f"401 {SECRET!r} {BASE64} {SECRET} {quote(SECRET)} {quote(SECRET, safe='')} {SECRET.encode()!r}"
"""What a target may say, in the worst case."""

CALLS: Final[dict[str, list[list[str]]]] = {
    "init": [["init", "elsewhere"]],
    "validate": [["validate"], ["validate", "--format", "json"]],
    "diff": [
        ["diff", "HEAD~1", "HEAD", "--full"],
        *(["diff", "HEAD~1", "--format", form] for form in ("json", "markdown", "html")),
    ],
    "plan": [["plan", "--full"], ["plan", "--format", "json"], ["plan", "--out", "plan.json"]],
    "drift": [["drift"], ["drift", "--format", "json"]],
    "apply": [["apply", "plan.json", "--yes"], ["apply", "plan.json", "--yes"], ["apply", "--yes"]],
    "run": [
        ["run", "--remote", ".", "--state", "loop", "--once", "--log", form, "--notify", "true"]
        for form in ("text", "json")
    ],
    "agent": [
        [
            *[
                "agent",
                "--once",
                "--node",
                "upf-1",
                "--from",
                "git+.",
                "--vpp",
                "x",
                "--status",
                "agent.json",
                "--log",
            ],
            form,
        ]
        for form in ("text", "json")
    ],
    "render": [["render"], ["render", "--out", "out"]],
    "facts": [["facts", "show"], ["facts", "show", "--format", "json"]],
    "ledger": [["ledger", "show"], ["ledger", "update"], ["ledger", "gc"]],
    "explain": [
        ["explain", "ExternalConnection/internet"],
        ["explain", "intent/networks.yaml:153", "--format", "json"],
    ],
    "graph": [["graph", "--out", "net.svg"], ["graph", "--format", "html", "--out", "net.html"]],
    "schema": [["schema"]],
}


@pytest.fixture(params=["env", "file"])
def repository(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository in git with a secret in its second commit, and in reach."""
    root = tmp_path / "net"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns("rendered"))
    monkeypatch.chdir(root)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("INTENTC_CACHE")
    monkeypatch.setattr(Vpp, "probe", lambda _: "one")
    monkeypatch.setattr(Vpp, "open", lambda *_: Simulator())
    git("init", "--quiet", "--initial-branch", "main")
    commit()
    reference = "env: BGP"
    if request.param == "env":
        monkeypatch.setenv("BGP", SECRET)
    else:
        file = tmp_path / "secret"
        file.write_text(f"{SECRET}\n")
        reference = f"file: {file}"
    networks = root / "intent" / "networks.yaml"
    said = networks.read_text()
    assert "env: INTERNET_BGP_PASSWORD" in said
    networks.write_text(said.replace("env: INTERNET_BGP_PASSWORD", reference))
    commit()
    return root


def git(*words: str) -> None:
    who = [word for name in ("user.name", "user.email") for word in ("-c", f"{name}=ann@example.org")]
    subprocess.run(["git", *who, *words], check=True, capture_output=True)


def commit() -> None:
    git("add", ".")
    git("commit", "--quiet", "--message", "x")


def search(folder: Path, *said: str) -> None:
    """Fail where the secret shows in words, or in a file below the folder."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "secret"]
    assert len(files) > 50
    for words in (*said, *(path.read_bytes().decode("utf-8", "replace") for path in files)):
        for form in ("canary", BASE64, BASE64[:10]):
            assert form not in words


def test_every_command_is_tried() -> None:
    assert CALLS.keys() == COMMANDS.keys()


def test_nothing_shows(
    repository: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for calls in CALLS.values():
        for call in calls:
            assert run(call) in (0, 2), call
    captured = capfd.readouterr()
    assert "env:BGP" in captured.out or "file:" in captured.out
    search(repository.parent, captured.out, captured.err, caplog.text)


Failure = Callable[..., Any]


def raising(error: Exception) -> Failure:
    def fail(*_: object) -> Any:
        raise error from KeyError(SECRET)

    return fail


def failed(_: Directory, batch: Batch) -> tuple[Outcome, ...]:
    return tuple(Outcome(action, "failed", SAYS) for action in batch.actions)


FAILURES: Final[list[tuple[str, Failure]]] = [
    (method, raising(kind(SAYS)))
    for method in ("observe", "stage", "commit", "verify", "lease", "swap_lease")
    for kind in (PermanentError, TransientError, RuntimeError)
]


@pytest.mark.parametrize(
    ("method", "failure"),
    [
        *FAILURES,
        ("commit", failed),
        ("observe", lambda _: Observation({}, complete=False, why=SAYS)),
    ],
)
def test_nothing_shows_when_a_target_fails(
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    method: str,
    failure: Failure,
) -> None:
    assert run(["plan", "--out", "plan.json"]) == 2
    monkeypatch.setattr(Directory, method, failure)
    monkeypatch.setattr(Retry, "waits", lambda _: iter([0.0]))
    codes: list[int] = [run(call) for call in [*CALLS["plan"][:2], *CALLS["apply"], *CALLS["drift"]]]
    assert 1 in codes
    captured = capfd.readouterr()
    assert "[secret]" in captured.err + captured.out
    search(repository.parent, captured.out, captured.err)
