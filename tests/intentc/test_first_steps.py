"""What a person runs into on the first day: wrong names, closed folders, options in the wrong place."""

from __future__ import annotations

from pathlib import Path

import pytest

from intentc.cli import run


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return a fresh repository as `intentc init` makes it, and stand in it."""
    monkeypatch.chdir(tmp_path)
    assert run(["init", "net"]) == 0
    monkeypatch.chdir(tmp_path / "net")
    capsys.readouterr()
    return tmp_path / "net"


def errors(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Return what a command that fails says."""
    try:
        code: object = run(words)
    except SystemExit as stop:
        code = stop.code
    assert code == 1
    said = capsys.readouterr().err
    assert "[Errno" not in said
    return said


def test_no_command_leads_to_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert "intentc --help" in errors(capsys)


def test_a_repository_that_is_not_there_is_named_as_it_was_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no folder /nowhere/at/all" in errors(capsys, "-C", "/nowhere/at/all", "plan")


def test_init_starts_where_the_folder_of_c_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "work").mkdir()
    assert run(["-C", "work", "init", "my net"]) == 0
    assert (tmp_path / "work" / "my net" / "intentc.yaml").exists()
    assert "next: intentc -C 'work/my net' plan\n" in capsys.readouterr().out


def test_init_where_nothing_can_be_made(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("intentc.yaml", "/proc/net-work"):
        assert f"intentc: cannot write {folder}" in errors(capsys, "init", folder)
    (repository / "half").mkdir()
    (repository / "half" / "intent").write_text("in the way")
    assert "cannot write half/intent" in errors(capsys, "init", "half")


def test_render_into_a_file_says_so_once(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (repository / "intentc.lock").read_bytes()
    for folder in ("intentc.lock", "/proc/rendered"):
        said = errors(capsys, "render", "--out", folder)
        assert said.startswith(f"intentc: cannot write {folder}: ")
        assert said.count("\n") == 1
    assert (repository / "intentc.lock").read_bytes() == before


def test_options_of_another_action_are_refused(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (repository / "intentc.lock").read_bytes()
    assert "--check goes with `ledger update`" in errors(capsys, "ledger", "show", "--check")
    assert "--base goes with `ledger update`" in errors(capsys, "ledger", "gc", "--base", "HEAD")
    assert "--pool goes with `ledger show`" in errors(capsys, "ledger", "update", "--pool", "vlan")
    assert "a target goes with `facts capture`" in errors(capsys, "facts", "show", "bgp")
    assert (repository / "intentc.lock").read_bytes() == before


def test_the_json_of_a_plan_is_no_saved_plan(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "--format", "json"]) == 2
    (repository / "p.json").write_text(capsys.readouterr().out)
    said = errors(capsys, "apply", "p.json", "--yes")
    assert "--format json" in said
    assert "intentc plan --out p.json" in said


@pytest.mark.parametrize("source", ["https://git.example.net/net.git", "ssh://git@host/net.git"])
def test_a_remote_of_an_agent_needs_its_sign(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["agent", "--node", "a/b", "--from", source, "--once", "--state", str(tmp_path / "state")]
    assert f"write git+{source}" in errors(capsys, *words)


def test_the_gobgp_of_an_agent_has_a_port(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["agent", "--node", "a/b", "--from", str(tmp_path), "--once", "--state", str(tmp_path / "state")]
    assert "'localhost' is not HOST:PORT" in errors(capsys, *words, "--gobgp", "localhost")


def test_what_was_not_read_is_not_called_removed(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["apply", "--yes"]) == 0
    table = repository / "rendered/vpp/node/edge/worker-1/table.jsonl"
    (table.parent / "copy.jsonl").write_text(table.read_text())
    capsys.readouterr()
    assert run(["drift"]) == 1
    assert "nothing drifted, as far as was read" in capsys.readouterr().out
    (table.parent / "policy.jsonl").unlink()
    assert run(["drift"]) == 1
    said = capsys.readouterr().out
    assert "nothing drifted, as far as was read" in said
    assert "removed" not in said
    (table.parent / "copy.jsonl").unlink()
    assert run(["drift"]) == 2
    assert "removed: vpp policy " in capsys.readouterr().out


def test_a_project_without_targets_says_so(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = repository / "intentc.yaml"
    project.write_text(project.read_text().replace("spec: {}", "spec: {targets: []}"))
    assert run(["plan"]) == 0
    assert "against no target" in capsys.readouterr().out


def test_long_running_commands_say_their_times(capsys: pytest.CaptureFixture[str]) -> None:
    for command, times in (("run", ("30 s", "300 s", "900 s")), ("agent", ("30 s", "300 s"))):
        with pytest.raises(SystemExit):
            run([command, "--help"])
        said = " ".join(capsys.readouterr().out.split())
        assert all(f"(default: {time})" in said for time in times), said
