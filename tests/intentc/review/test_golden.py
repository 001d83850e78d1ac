"""What a reviewer reads of five small changes, as text, markdown and JSON: the files beside the cases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from intentc.cli import run
from tests.review_cases import CASES, case, git

NAMES = sorted(path.name for path in CASES.iterdir())
FORMS = {"diff.txt": "text", "diff.md": "markdown", "diff.json": "json"}


def test_there_are_cases() -> None:
    assert {"rename-network", "policy-lists", "network-removed", "node-added", "mtu-change"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_change_reads_as_it_was_reviewed(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    update_golden: bool,
) -> None:
    folder = case(tmp_path / "repository", name)
    monkeypatch.chdir(folder)
    short = git(folder, "rev-parse", "HEAD")[:10]
    for file, form in FORMS.items():
        assert run(["diff", "--format", form]) == 2
        written = capsys.readouterr().out.replace(short, "0123456789")
        golden = CASES / name / file
        if update_golden:
            golden.write_text(written)
        assert written == golden.read_text(), f"{name}/{file}; if that is meant: make golden, and review it"


def steps(name: str) -> list[tuple[str, str]]:
    found = json.loads((CASES / name / "diff.json").read_text())
    return [(step["word"], step["key"]["type"]) for step in found["steps"]]


def test_the_cases_say_what_they_are_there_for() -> None:
    renames = steps("rename-network")
    assert ("rename", "NetworkAttachmentDefinition") in renames
    assert not {word for word, _ in renames} & {"create", "delete"}
    text = (CASES / "rename-network" / "diff.txt").read_text()
    assert "rename (replaces)" in text
    assert "VirtualNetwork blue → blue-core (renamed)" in text
    assert {word for word, _ in steps("network-removed")} == {"delete", "update"}
    assert {word for word, _ in steps("policy-lists")} == {"update"}
    assert ("create", "localsid") in steps("node-added")
    assert "8000" in (CASES / "mtu-change" / "diff.txt").read_text()
