"""Every diagnostic has a case: a tiny repository, and the exact text that its user sees.

`pytest --update-golden` writes the texts anew; look at the diff, since it is what people read.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.ledger.allocate import update
from compiler.ledger.leases import parse_ledger
from compiler.passes import check_intent, compile_intent
from intent.diagnostics import Report, as_text
from intent.files import Folder
from intent.repository import Repository, open_repository
from intent.source import Source
from intentc.codes import explanations
from tests.support import draw

HERE = Path(__file__).parent / "golden" / "errors"
CASES = sorted(path.name for path in HERE.iterdir() if path.is_dir())

WITHOUT_CASE = {
    "IC1001": "a broken link in git would trouble other tools: tests/intent/test_source.py makes one",
    "IC1002": "so would a link that leads out of the case: tests/intent/test_source.py makes one",
    "IC1003": "git holds no pipes and devices: tests/intent/test_source.py makes one",
    "IC1004": "a file of 8 MiB does not belong into git: tests/intent/test_source.py makes one",
}
"""Codes of intent and compiler that no small repository provokes, and why."""


def told(root: Path) -> str:
    """Return what a user of the repository would read.

    A case with `update.lock` is told what `intentc ledger update` says, starting from that ledger. A case
    without a ledger gets the one that would be drawn.
    """
    report = Report()
    repository, texts = open_repository(Folder(root), report)
    if repository is None or report.failed:
        return as_text(report.sorted(), texts)
    ledger = repository.ledger
    if (root / "update.lock").exists():
        ledger = Source("update.lock", (root / "update.lock").read_text(encoding="utf-8"))
        redraw(repository, ledger, report)
    else:
        if not (root / "intentc.lock").exists():
            ledger = Source(ledger.file, draw(repository.project, repository.intents, repository.facts))
        compile_intent(repository.project, repository.intents, repository.facts, ledger, report)
    return as_text(report.sorted(), {**texts, ledger.file: ledger.text})


def redraw(repository: Repository, ledger: Source, report: Report) -> None:
    resolved = check_intent(repository.project, repository.intents, repository.facts, report)
    if resolved is not None:
        update(resolved, parse_ledger(ledger, report), None, report)


@pytest.mark.parametrize("case", CASES)
def test_the_text_is_as_written(case: str, update_golden: bool) -> None:  # noqa: FBT001 -- a fixture
    text = told(HERE / case)
    file = HERE / case / "errors.txt"
    if update_golden:
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES)
def test_a_case_shows_the_code_that_it_is_named_after(case: str) -> None:
    assert f"[{case[:6]}]" in (HERE / case / "errors.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", [code for code in explanations() if code < "IC3"])
def test_every_code_of_intent_and_compiler_has_a_case(code: str) -> None:
    texts = [(HERE / case / "errors.txt").read_text(encoding="utf-8") for case in CASES]
    assert any(f"[{code}]" in text for text in texts) != (code in WITHOUT_CASE)


def test_exceptions_are_about_codes_that_exist() -> None:
    assert WITHOUT_CASE.keys() - explanations().keys() == set()
