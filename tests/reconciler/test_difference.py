"""The difference of two states is the plan that the first one's objects would give as an observation."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Final

import pytest

from compiler.passes import compile_intent
from intent.diagnostics import Report
from intent.files import Folder
from intent.repository import Repository, open_repository
from reconciler.difference import State, difference
from reconciler.plan import Observation, plan
from reconciler.targets import route
from renderers import RULES, render

CASES: Final = Path(__file__).parents[1] / "golden" / "review"


def state(folder: Path) -> State:
    report = Report()
    repository, _ = open_repository(Folder(folder), report)
    assert isinstance(repository, Repository)
    parts = repository.project, repository.intents, repository.facts, repository.ledger
    graph = compile_intent(*parts, report).graph
    assert graph is not None, report.sorted()
    return State(repository, graph)


@pytest.mark.parametrize("name", sorted(path.name for path in CASES.iterdir()))
def test_it_is_what_a_plan_against_the_old_objects_says(name: str) -> None:
    old, new = state(CASES / name / "old"), state(CASES / name / "new")
    for before, after in ((old, new), (new, old), (old, old)):
        wanted = route(after.targets, render(after.graph))[0]
        stood = route(before.targets, render(before.graph))[0]
        seen = {target: Observation({item.key: item for item in items}) for target, items in stood.items()}
        found = difference(before, after)
        assert found.plan == plan(wanted, seen, RULES)
        assert {t: set(o.resources) for t, o in found.observed.items()} == {
            t: set(o.resources) for t, o in seen.items()
        }


def test_without_an_old_state_everything_is_new() -> None:
    new = state(CASES / "node-added" / "new")
    found = difference(None, new)
    assert {action.operation for action in found.plan.actions} == {"create"}
    assert found.plan.unchanged == 0
    assert not any(seen.resources for seen in found.observed.values())


def test_a_target_that_went_is_named_and_left_alone(tmp_path: Path) -> None:
    case = CASES / "node-added" / "old"
    old, new = state(case), state(case)
    text = (
        (case / "intentc.yaml")
        .read_text()
        .replace("spec: {}", "spec:\n  targets:\n    - {name: other, type: directory, path: x}\n")
    )
    (tmp_path / "intentc.yaml").write_text(text)
    report = Report()
    repository, _ = open_repository(Folder(tmp_path), report)
    assert repository, report.sorted()
    found = difference(State(repository, old.graph), new)
    assert found.left == ("other",)
    assert {action.operation for action in found.plan.actions} == {"create"}
    assert {action.target for action in found.plan.actions} == {"default"}


def test_equal_states_are_compared_without_being_held() -> None:
    old, new = state(CASES / "node-added" / "new"), state(CASES / "node-added" / "new")
    whole = sum(1 for _ in render(new.graph))
    tracemalloc.start()
    found = difference(old, new)
    _, peak = tracemalloc.get_traced_memory()
    kept = len(list(render(new.graph)))
    tracemalloc.stop()
    assert found.plan.actions == ()
    assert kept == whole
    assert peak < 4_000_000
