"""Saved plans: `apply FILE` does exactly what was saved, resumes what was begun, or refuses and names why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from intentc.cli import run

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Path:
    """Return an applied repository with one change that is planned and saved as `plan.json`."""
    monkeypatch.chdir(tmp_path)
    assert run(["init"]) == 0
    assert run(["apply", "--yes"]) == 0
    policy = tmp_path / "intent" / "policy.yaml"
    policy.write_text(policy.read_text().replace("            - router: p1\n", ""))
    assert run(["plan", "--out", "plan.json"]) == 2
    capsys.readouterr()
    return tmp_path


def files(root: Path) -> dict[str, str]:
    return {str(path): path.read_text() for path in sorted((root / "rendered").rglob("*")) if path.is_file()}


@pytest.mark.usefixtures("repository")
def test_a_saved_plan_is_applied_as_it_is(capsys: Capture) -> None:
    assert run(["apply", "plan.json", "--yes"]) == 0
    assert "read back and verified" in capsys.readouterr().out
    assert run(["plan"]) == 0


def test_nothing_is_compiled_again(repository: Path) -> None:
    wanted = repository / "intent" / "policy.yaml"
    wanted.write_text("this: [is: not, yaml")
    assert run(["apply", "plan.json", "--yes"]) == 0
    assert run(["plan"]) == 1


def test_a_plan_that_was_done_has_nothing_left(repository: Path, capsys: Capture) -> None:
    assert run(["apply", "plan.json", "--yes"]) == 0
    before = files(repository)
    capsys.readouterr()
    assert run(["apply", "plan.json", "--yes"]) == 0
    assert "nothing to change" in capsys.readouterr().out
    assert files(repository) == before


def test_a_plan_that_was_half_done_is_finished(repository: Path) -> None:
    before = files(repository)
    assert run(["apply", "plan.json", "--yes"]) == 0
    after = files(repository)
    (changed, *_) = [name for name in after if before.get(name) != after[name] and "policy" in name]
    Path(changed).write_text(before[changed])
    assert run(["apply", "plan.json", "--yes"]) == 0
    assert files(repository) == after


def test_what_moved_since_is_named_and_nothing_is_applied(repository: Path, capsys: Capture) -> None:
    file = repository / "rendered" / "vpp" / "node" / "edge" / "worker-1" / "policy.jsonl"
    file.write_text(file.read_text().replace("fcbb:0:1::1", "fcbb:0:9::9"))
    before = files(repository)
    assert run(["apply", "plan.json", "--yes"]) == 1
    err = capsys.readouterr().err
    assert "nothing was applied" in err
    assert "moved: default: vpp:node/edge/worker-1:policy:" in err
    assert "intent/policy.yaml:" in err
    assert files(repository) == before


def test_an_unrelated_change_is_no_reason_to_refuse(repository: Path) -> None:
    file = repository / "rendered" / "vpp" / "node" / "edge" / "worker-2" / "policy.jsonl"
    file.unlink()
    assert run(["apply", "plan.json", "--yes"]) == 0
    assert not file.exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no plan"),
        ("{}", "no plan of the format"),
        ("[" * 100_000, "is no plan"),
        ('{"format": "intentc-plan/1"}', "damaged"),
        ('{"format": "intentc-plan/9"}', "intentc-plan/9"),
    ],
)
def test_a_damaged_plan_is_refused(repository: Path, capsys: Capture, text: str, words: str) -> None:
    (repository / "plan.json").write_text(text)
    assert run(["apply", "plan.json", "--yes"]) == 1
    assert words in capsys.readouterr().err


def test_a_plan_changed_by_hand_is_refused(repository: Path, capsys: Capture) -> None:
    data = json.loads((repository / "plan.json").read_text())
    data["actions"][0]["after"]["spec"]["lists"] = []
    (repository / "plan.json").write_text(json.dumps(data))
    assert run(["apply", "plan.json", "--yes"]) == 1
    assert "changed by hand" in capsys.readouterr().err


@pytest.mark.usefixtures("repository")
def test_files_that_cannot_be_read_or_written(capsys: Capture) -> None:
    assert run(["apply", "missing.json", "--yes"]) == 1
    assert "cannot read missing.json" in capsys.readouterr().err
    assert run(["plan", "--out", "missing/plan.json"]) == 1
    assert "cannot write" in capsys.readouterr().err


def test_a_target_that_is_gone_is_named(repository: Path, capsys: Capture) -> None:
    project = repository / "intentc.yaml"
    project.write_text(project.read_text().replace("spec: {}", "spec:\n  targets: [{name: other}]"))
    assert run(["apply", "plan.json", "--yes"]) == 1
    assert "no target default" in capsys.readouterr().err


def test_a_broken_project_is_explained(repository: Path, capsys: Capture) -> None:
    (repository / "intentc.yaml").write_text("kind: Project\n")
    assert run(["apply", "plan.json", "--yes"]) == 1
    assert "error[IC1016]" in capsys.readouterr().err


def test_a_plan_without_its_lines_is_damaged(repository: Path, capsys: Capture) -> None:
    data = json.loads((repository / "plan.json").read_text())
    del data["actions"][0]["origins"]
    (repository / "plan.json").write_text(json.dumps(data))
    assert run(["apply", "plan.json", "--yes"]) == 1
    assert "damaged" in capsys.readouterr().err
