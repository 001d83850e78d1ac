"""The page of diagnostics speaks of exactly the codes that intentc uses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from intentc.codes import explanations, parse_page

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("intent", "compiler", "renderers", "reconciler", "intentc")
PAGE = (ROOT / "docs" / "codes.md").read_text(encoding="utf-8")


def used() -> dict[str, str]:
    """Return the codes that the source writes, with a module that does."""
    found: dict[str, str] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for code in re.findall(r'"(IC[0-9]{4})"', path.read_text(encoding="utf-8")):
                found.setdefault(code, path.relative_to(ROOT).as_posix())
    return found


def test_every_code_that_is_used_has_a_section() -> None:
    assert {code: module for code, module in used().items() if code not in explanations()} == {}


def test_every_section_is_about_a_code_that_is_used() -> None:
    assert [code for code in explanations() if code not in used()] == []


def test_sections_are_sorted_and_none_stands_twice() -> None:
    codes = [code for code, _ in parse_page(PAGE)]
    assert codes == sorted(set(codes))


def test_every_heading_of_the_page_is_a_section() -> None:
    headings = [line for line in PAGE.splitlines() if line.startswith("## ")]
    assert len(headings) == len(parse_page(PAGE))


@pytest.mark.parametrize("code", sorted(explanations()))
def test_a_section_says_what_it_means_and_what_to_do(code: str) -> None:
    title, blank, *lines = explanations()[code].splitlines()
    assert title.startswith(f"{code} — ")
    assert blank == ""
    assert lines[0]
    assert not lines[0].startswith("To do:")
    assert len([line for line in lines if line.startswith("To do: ")]) == 1
