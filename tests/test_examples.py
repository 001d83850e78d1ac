"""Each example is a golden case: it compiles without complaint and renders what lies in golden/examples."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from intentc.cli import run
from intentc.session import Session, begin
from intentc.work import Work, prepare
from reconciler.apply import apply

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/intentc.yaml"))
GOLDEN = ROOT / "tests" / "golden" / "examples"


@pytest.fixture(params=EXAMPLES, ids=lambda path: path.name)
def example(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of an example, made the working directory, so that places are written relative to it."""
    source: Path = request.param
    folder = tmp_path / source.name
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("rendered"))
    monkeypatch.chdir(folder)
    return folder


def opened() -> Session:
    """Compile the example in the working directory, which must be free of errors."""
    session = begin(Path())
    assert session.compiled.graph is not None, [str(entry) for entry in session.report.sorted()]
    return session


def planned() -> Work:
    """Plan the example in the working directory."""
    work = prepare(opened())
    assert work
    return work


def tree(folder: Path) -> dict[str, str]:
    """Return every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".intentc" not in path.parts
    }


def test_there_are_examples() -> None:
    assert {path.name for path in EXAMPLES} >= {"two-datacentres", "upf-sriov"}


@pytest.mark.usefixtures("example")
def test_an_example_says_nothing_but_notes() -> None:
    found = opened().report.sorted()
    assert [entry for entry in found if entry.severity != "note"] == []


def test_an_example_renders_what_was_reviewed(
    example: Path, capsys: pytest.CaptureFixture[str], *, update_golden: bool
) -> None:
    assert run(["plan"]) == 2
    text = capsys.readouterr().out
    assert run(["graph"]) == 0
    picture = capsys.readouterr().out
    assert run(["apply", "--yes"]) == 0
    found = {"plan.txt": text, "topology.svg": picture}
    found |= {f"rendered/{name}": body for name, body in tree(example / "rendered").items()}
    golden = GOLDEN / example.name
    if update_golden:
        shutil.rmtree(golden, ignore_errors=True)
        for name, body in found.items():
            (golden / name).parent.mkdir(parents=True, exist_ok=True)
            (golden / name).write_text(body)
    expected = tree(golden)
    assert sorted(found) == sorted(expected)
    for name, body in found.items():
        assert body == expected[name], f"{name} differs; if that is meant: make golden, and review the change"


@pytest.mark.usefixtures("example")
def test_the_plan_after_an_apply_is_empty() -> None:
    first = planned()
    assert first.plan.actions
    assert not apply(first.plan, first.drivers).failed
    second = planned()
    assert second.plan.actions == ()


def test_the_ledger_of_an_example_is_up_to_date(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (example / "intentc.lock").read_bytes()
    assert run(["ledger", "update", "--check"]) == 0, capsys.readouterr().out
    assert (example / "intentc.lock").read_bytes() == before


@pytest.mark.usefixtures("example")
def test_no_rendered_value_is_a_placeholder() -> None:
    work = planned()
    for action in work.plan.actions:
        text = str(action.resource.spec).lower()
        for word in ("placeholder", "todo", "changeme", "<none>", "known after", "undefined"):
            assert word not in text, f"{action.key}: {word}"
