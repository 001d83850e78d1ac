"""From a compiled repository to a plan, and from an approved plan to what is left of it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compiler.graph import Graph
from intent.model import holds_secret
from intent.repository import Repository
from intentc.session import begin
from reconciler.apply import apply
from reconciler.drivers.base import PermanentError
from reconciler.drivers.directory import Directory
from reconciler.prepare import otherwise, prepare, protect, take_up
from reconciler.secrets import references
from renderers import render

EXAMPLE = Path(__file__).parents[2] / "examples" / "upf-sriov"
SECRET = "canary-value"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of an example, with two targets."""
    folder = tmp_path / "net"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("rendered"))
    monkeypatch.setenv("INTERNET_BGP_PASSWORD", SECRET)
    project = folder / "intentc.yaml"
    one = "{name: one, path: a, families: [fabric, apstra]}"
    two = "{name: two, path: b, families: [kubernetes]}"
    text = project.read_text()
    assert "targets:" not in text
    project.write_text(text.replace("spec:\n", f"spec:\n  targets: [{one}, {two}]\n", 1))
    return folder


def compiled(root: Path) -> tuple[Repository, Graph]:
    session = begin(root)
    assert session.repository
    assert session.compiled.graph
    return session.repository, session.compiled.graph


def test_paths_of_targets_start_from_the_root_that_is_given(root: Path, tmp_path: Path) -> None:
    repository, graph = compiled(root)
    work = prepare(repository, graph, tmp_path / "elsewhere")
    assert set(work.drivers) == set(work.observed) == {"one", "two"}
    assert work.untaken > 0
    assert apply(work.plan, work.drivers).failed == ()
    assert (tmp_path / "elsewhere" / "b" / "kubernetes").is_dir()
    assert prepare(repository, graph, tmp_path / "elsewhere").plan.actions == ()


def test_a_target_out_of_reach_is_an_error_of_the_driver(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Directory) -> None:
        raise PermanentError(f"no {SECRET}")

    monkeypatch.setattr(Directory, "observe", fail)
    with pytest.raises(PermanentError, match=r"^target one: no \[secret\]$"):
        prepare(*compiled(root), root)


@pytest.mark.parametrize("broken", ["observe", "plan"])
def test_targets_are_let_go_where_there_is_no_plan(
    root: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """A loop tries again for days: what it opened in vain must not pile up."""
    observe = Directory.observe
    closed: list[str] = []

    def fail(*words: Any) -> Any:
        if broken == "observe" and words[0].name == "one":
            return observe(*words)
        raise PermanentError("out of reach")

    monkeypatch.setattr(
        {"observe": "reconciler.drivers.directory.Directory.observe", "plan": "reconciler.prepare.plan"}[
            broken
        ],
        fail,
    )
    monkeypatch.setattr(Directory, "close", lambda driver: closed.append(driver.name))
    with pytest.raises(PermanentError):
        prepare(*compiled(root), root)
    assert closed == ["one", "two"]


@pytest.mark.parametrize("remembers", [True, False])
def test_what_came_to_be_protected_is_asked_for_otherwise(root: Path, *, remembers: bool) -> None:
    """A replacement was approved of what nobody protected; few targets remember who does."""
    before = prepare(*compiled(root), root)
    seen = {name: replace(seen, keeps_protection=remembers) for name, seen in before.observed.items()}
    work = replace(before, observed=seen)
    assert list(otherwise(work, *compiled(root))) == []
    networks = root / "intent" / "networks.yaml"
    networks.write_text(networks.read_text().replace("  name: n3\n", "  name: n3\n  protect: true\n", 1))
    found = [action.resource.document for action, _ in otherwise(work, *compiled(root))]
    assert set(found) == {"VirtualNetwork/n3"}


def test_only_targets_of_the_plan_are_asked_again(root: Path) -> None:
    repository, graph = compiled(root)
    whole = prepare(repository, graph, root).plan
    part = type(whole)(tuple(action for action in whole.actions if action.target == "two"))
    work, moved = take_up(part, repository.spec.targets, root)
    assert (set(work.drivers), moved) == ({"two"}, ())
    assert work.plan.actions == part.actions
    work, _ = take_up(whole, repository.spec.targets, root)
    assert work.redact(SECRET) == "[secret]"
    assert apply(work.plan, work.drivers).failed == ()
    assert take_up(whole, repository.spec.targets, root)[0].plan.actions == ()


def test_objects_of_a_protected_document_are_marked(root: Path) -> None:
    networks = root / "intent" / "networks.yaml"
    networks.write_text(networks.read_text().replace("  name: n3\n", "  name: n3\n  protect: true\n", 1))
    repository, graph = compiled(root)
    found = list(protect(repository, render(graph)))
    marked = [resource for resource in found if resource.protected]
    assert {resource.document for resource in marked} == {"VirtualNetwork/n3"}
    assert not any(resource.view for resource in marked)
    assert len(marked) == sum(r.document == "VirtualNetwork/n3" and not r.view for r in found)
    (reason,) = [origin for origin in marked[0].origins if origin.rule == "protected"]
    assert reason.path == ("metadata", "protect")
    work = prepare(repository, graph, root)
    apply(work.plan, work.drivers)
    again = prepare(repository, graph, root)
    assert again.plan.actions == ()
    kept = [resource for seen in again.observed.values() for resource in seen.resources.values()]
    assert {r.key for r in kept if r.protected} == {
        r.key for r in marked if r.key.family in ("apstra", "kubernetes")
    }


@pytest.mark.parametrize("example", sorted(path.parent for path in EXAMPLE.parent.glob("*/intentc.yaml")))
def test_what_is_rendered_refers_to_no_secret_that_intent_does_not(example: Path) -> None:
    repository, graph = compiled(example)
    found = {one for resource in render(graph) for one in references(resource.spec)}
    assert not found or any(holds_secret(intent.spec) for intent in repository.intents)
    assert found or example != EXAMPLE
