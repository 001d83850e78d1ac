"""The line as a whole: where it stops, and that equal input gives equal output."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from compiler.passes import check_intent, compile_intent
from intent.diagnostics import Report
from intent.files import Folder
from intent.repository import Repository, open_repository
from renderers import render
from tests.ledgers import fabric, network
from tests.support import build

EXAMPLES = sorted(path.parent for path in (Path(__file__).parents[2] / "examples").glob("*/intentc.yaml"))
NET = network("n1", "dc1", spec="zone: red")


def opened(root: Path) -> Repository:
    report = Report()
    repository, _ = open_repository(Folder(root), report)
    assert repository is not None
    assert not report.failed
    return repository


def output(repository: Repository, seed: int | None = None) -> list[str]:
    """Compile and render with documents in another order."""
    report, intents, facts = Report(), list(repository.intents), list(repository.facts)
    if seed is not None:
        random.Random(seed).shuffle(intents)  # noqa: S311 -- an order, not a secret
        random.Random(seed).shuffle(facts)  # noqa: S311 -- as above
    compiled = compile_intent(repository.project, intents, facts, repository.ledger, report)
    assert compiled.graph is not None
    rendered = [f"{one.key} {one.spec} {one.needs} {one.subject}" for one in render(compiled.graph)]
    return [*rendered, *(f"{entry.span} {entry.code} {entry.message}" for entry in report.sorted())]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_order_of_documents_does_not_matter(example: Path) -> None:
    repository = opened(example)
    expected = output(repository)
    assert len(expected) > 10
    for seed in range(3):
        assert output(repository, seed) == expected


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_compiling_twice_gives_the_same(example: Path) -> None:
    assert output(opened(example)) == output(opened(example))


def test_the_line_stops_after_the_pass_that_failed() -> None:
    broken_name = build(fabric("dc1"), network("n1", "dc2")).compiled
    assert (broken_name.resolved, broken_name.allocated, broken_name.graph) == (None, None, None)
    assert broken_name.ledger is not None
    no_lease = build(fabric("dc1"), NET, ledger="").compiled
    assert no_lease.resolved is not None
    assert (no_lease.allocated, no_lease.graph) == (None, None)
    assert build(fabric("dc1"), NET).compiled.graph is not None


def test_errors_of_one_pass_are_told_together() -> None:
    assert build(fabric("dc1"), network("n1", "dc2"), network("n2", "dc3")).codes == ["IC2001", "IC2001"]


def test_a_broken_ledger_is_told_beside_broken_intent() -> None:
    built = build(fabric("dc1"), network("n1", "dc2"), ledger="<<<<<<< HEAD\n")
    assert sorted(built.codes) == ["IC2001", "IC2502"]


def test_an_earlier_error_stops_the_line_too() -> None:
    report, repository = Report(), opened(EXAMPLES[0])
    report.error("IC1001", repository.project.span(), "broken")
    assert check_intent(repository.project, repository.intents, repository.facts, report) is None


def test_warnings_do_not_stop_the_line() -> None:
    spec = "{type: mesh, networks: {matchLabels: {a: b}}}"
    router = f"kind: VirtualNetworkRouter\nmetadata: {{name: r}}\nspec: {spec}\n"
    built = build(fabric("dc1"), NET, router)
    assert "IC2042" in built.warnings
    assert built.compiled.graph is not None
