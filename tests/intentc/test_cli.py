"""The command as a user meets it: exit codes, what goes to which stream, and that nothing is lost."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from intentc.cli import COMMANDS, run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return a fresh repository as `intentc init` makes it, and stand in it."""
    monkeypatch.chdir(tmp_path)
    assert run(["init"]) == 0
    capsys.readouterr()
    return tmp_path


def test_every_command_has_a_module_and_a_help(capsys: pytest.CaptureFixture[str]) -> None:
    for name in COMMANDS:
        with pytest.raises(SystemExit) as stop:
            run([name, "--help"])
        assert stop.value.code == 0
        assert f"intentc {name}" in capsys.readouterr().out


def test_init_refuses_to_overwrite(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (repository / "intentc.yaml").read_bytes()
    assert run(["init"]) == 1
    assert "nothing was written" in capsys.readouterr().err
    assert (repository / "intentc.yaml").read_bytes() == before


def test_from_init_to_an_empty_plan(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate"]) == 0
    assert run(["plan"]) == 2
    assert "to create" in capsys.readouterr().out
    assert not (repository / "rendered").exists(), "a plan changes nothing"
    assert run(["apply", "--yes"]) == 0
    assert (repository / "rendered").is_dir()
    assert run(["plan"]) == 0
    assert "nothing to change" in capsys.readouterr().out


def test_a_change_is_shown_field_by_field_with_its_line(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["apply", "--yes"]) == 0
    policy = repository / "intent" / "policy.yaml"
    policy.write_text(policy.read_text().replace("            - router: p1\n", ""))
    capsys.readouterr()
    assert run(["plan"]) == 2
    out = capsys.readouterr().out
    assert "SRv6Policy/east-to-west" in out
    assert "intent/policy.yaml:" in out
    assert "→" in out or "- " in out


def test_drift_is_planned_back(repository: Path) -> None:
    assert run(["apply", "--yes"]) == 0
    victim = next(path for path in sorted((repository / "rendered").rglob("policy*.jsonl")))
    kept = victim.read_bytes()
    victim.unlink()
    assert run(["plan"]) == 2
    assert run(["apply", "--yes"]) == 0
    assert victim.read_bytes() == kept


def test_errors_name_place_code_and_hint(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = repository / "intent" / "policy.yaml"
    policy.write_text(policy.read_text().replace("color: 100", "colour: 100"))
    assert run(["validate"]) == 1
    err = capsys.readouterr().err
    assert "intent/policy.yaml:11:3: error[IC1020]: unknown field 'colour'" in err
    assert "did you mean 'color'?" in err
    assert run(["validate", "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)["diagnostics"]
    assert {"IC1020", "IC1021"} == {entry["code"] for entry in found}


def test_a_missing_lease_names_the_command(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "intentc.lock").unlink()
    assert run(["plan"]) == 1
    assert "intentc ledger update" in capsys.readouterr().err


def test_no_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["plan"]) == 1
    assert "intentc init" in capsys.readouterr().err


def test_apply_asks_and_without_a_terminal_does_nothing(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    assert run(["apply"]) == 1
    assert "apply --yes" in capsys.readouterr().err
    assert not (repository / "rendered").exists()


def test_the_brake_stops_a_mass_deletion_until_it_is_approved(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["apply", "--yes"]) == 0
    (repository / "intent" / "policy.yaml").unlink()
    cluster = repository / "intent" / "cluster.yaml"
    text = cluster.read_text()
    cluster.write_text(text[: text.index("  srv6:")])
    assert run(["ledger", "update"]) == 0
    capsys.readouterr()
    assert run(["apply", "--yes", "--allow-delete", "policy=99"]) == 1
    refused = capsys.readouterr().err
    assert "refused: the plan deletes" in refused
    (hint,) = [line for line in refused.splitlines() if line.startswith("  hint: ")]
    assert " --allow-delete policy=99" in hint
    approvals = hint.partition("`intentc apply ")[2].partition("`")[0].split()
    assert run(["apply", "--yes", *approvals]) == 0
    assert run(["plan"]) == 0


@pytest.mark.usefixtures("repository")
def test_plan_json_is_stable(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "--format", "json"]) == 2
    first = capsys.readouterr().out
    assert run(["plan", "--format", "json"]) == 2
    assert capsys.readouterr().out == first
    assert json.loads(first)["summary"]["create"] > 0


@pytest.mark.usefixtures("repository")
def test_render_of_one_scope_equals_its_part_of_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["render"]) == 0
    whole = [line for line in capsys.readouterr().out.splitlines() if '"scope": "node/edge/worker-1"' in line]
    assert run(["render", "--scope", "node/edge/worker-1"]) == 0
    assert capsys.readouterr().out.splitlines() == whole
    assert whole
    assert run(["render", "--scope", "node/edge/worker-9"]) == 1
    assert "no such scope" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["nosuch"], ["plan", "--nosuch"], ["ledger"], ["schema", "Nosuch"]])
def test_a_wrong_command_line_is_an_error_and_not_a_change(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        run(words)
    assert stop.value.code == 1
    err = capsys.readouterr().err
    assert "intentc" in err
    assert "rest" not in err


def test_the_folder_may_be_named_before_and_behind_the_command(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository.parent)
    name = repository.name
    assert run(["-C", name, "validate"]) == 0
    assert run(["validate", "-C", name]) == 0
    assert run(["validate"]) == 1
    monkeypatch.chdir(repository / "intent")
    capsys.readouterr()
    assert run(["validate"]) == 1
    assert "intentc -C .. " in capsys.readouterr().err


def test_an_apply_that_fails_does_not_say_that_it_was_verified(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("vpp", "cni", "frr"):
        (repository / "rendered").mkdir(exist_ok=True)
        (repository / "rendered" / folder).write_text("in the way")
    assert run(["apply", "--yes"]) == 1
    shown = capsys.readouterr()
    assert shown.out.splitlines()[-2:] == ["applied 0 of 46", "`intentc plan` shows what is left"]
    assert shown.err.count("\nfailed: ") <= 20
    assert "\n\n" not in shown.err


def test_nothing_to_do_is_not_said_of_what_was_not_read(repository: Path) -> None:
    assert run(["apply", "--yes"]) == run(["plan"]) == 0
    name = "rendered/vpp/node/edge/worker-1/%s.jsonl"
    (repository / (name % "copy")).write_text((repository / (name % "table")).read_text())
    assert run(["plan"]) == run(["apply", "--yes"]) == 1
    (repository / (name % "table")).unlink()
    assert run(["plan"]) == 2
    assert run(["apply", "--yes"]) == 1
    (repository / (name % "copy")).unlink()
    assert run(["plan"]) == 0


def test_an_apply_goes_on_when_nobody_listens_any_more(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who leaves the pager has not asked to leave the network half changed."""

    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", Gone())
        assert run(["apply", "--yes"]) == 0
    assert (repository / "rendered").is_dir()
    assert run(["plan"]) == 0


def test_plan_json_says_what_the_text_says_beside_the_plan(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = repository / "intent" / "underlay.yaml"
    policy.write_text(policy.read_text().replace("name: p2\n", "name: p2\n      state: drain\n"))
    assert run(["plan", "--format", "json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert "IC2633" in {entry["code"] for entry in found["diagnostics"]}
    assert found["incomplete"] == {}
    assert found["untaken"] == 0


@pytest.mark.usefixtures("repository")
def test_ledger_show_of_an_unknown_pool_names_the_pools(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "show", "--pool", "bsid"]) == 0
    assert "bsid@edge" in capsys.readouterr().out
    assert run(["ledger", "show", "--pool", "bsids"]) == 0
    assert "did you mean 'bsid'?" in capsys.readouterr().err


def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "ic2001"]) == 0
    assert "IC2001" in capsys.readouterr().out
    assert run(["explain", "IC9999"]) == 1


def test_version_from_a_process() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "intentc", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("intentc ")


@pytest.mark.usefixtures("repository")
def test_graph_writes_svg_and_html(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["graph"]) == 0
    assert capsys.readouterr().out.startswith("<svg")
    assert run(["graph", "dependencies"]) == 0
    assert "SRv6Policy" in capsys.readouterr().out
    assert run(["graph", "--out", str(tmp_path / "net.html")]) == 0
    assert (tmp_path / "net.html").read_text().lstrip().lower().startswith("<!doctype html>")
    assert run(["graph", "--out", str(tmp_path / "net.png")]) == 1
    assert not (tmp_path / "net.png").exists()
    assert "neither in .svg nor in .html" in capsys.readouterr().err
    assert run(["graph", "--format", "svg", "--out", str(tmp_path / "net.picture")]) == 0
    assert run(["graph", "--out", str(tmp_path / "missing" / "net.svg")]) == 1
    assert "cannot write" in capsys.readouterr().err


def test_render_to_a_folder_keeps_other_scopes(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["render", "--out", "out"]) == 0
    before = sorted(path.relative_to(repository) for path in (repository / "out").rglob("*"))
    assert run(["render", "--out", "out", "--scope", "node/edge/worker-1"]) == 0
    assert "0 objects written" in capsys.readouterr().out.splitlines()[-1]
    assert sorted(path.relative_to(repository) for path in (repository / "out").rglob("*")) == before


def test_freed_leases_go_only_when_the_targets_are_as_wanted(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = repository / "intentc.lock"
    assert run(["ledger", "gc"]) == 0
    assert "holds no freed lease" in capsys.readouterr().out
    assert run(["apply", "--yes"]) == 0
    (repository / "intent" / "policy.yaml").unlink()
    assert run(["ledger", "update"]) == 0
    assert " freed" in lock.read_text()
    before = lock.read_bytes()
    assert run(["ledger", "gc"]) == 1
    assert "no lease was removed" in capsys.readouterr().err
    assert lock.read_bytes() == before
    assert run(["apply", "--yes"]) == 0
    assert run(["ledger", "gc"]) == 0
    assert " freed" not in lock.read_text()
    assert run(["plan"]) == 0
    assert run(["ledger", "update", "--check"]) == 0


def test_the_repository_is_a_folder(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["-C", "intentc.yaml", "plan"], ["plan", "-C", str(repository / "intentc.yaml")]):
        with pytest.raises(SystemExit) as stop:
            run(words)
        assert stop.value.code == 1
        assert "is a file; name the folder that it lies in" in capsys.readouterr().err


@pytest.mark.usefixtures("repository")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("command", [["plan"], ["schema"], ["explain", "IC2001"], ["render"]])
def test_a_full_disk_behind_standard_output_is_no_traceback(command: list[str]) -> None:
    words = [sys.executable, "-m", "intentc", *command]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            words,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
