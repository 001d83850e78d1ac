"""Pages for people: every link leads somewhere, and every code that they name has its words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from intentc.codes import explanations

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md")
    for path in ROOT.glob(pattern)
    if "rendered" not in path.parts
)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"\bIC[0-9]{4}\b")


def anchors(page: Path) -> set[str]:
    """Return the names that headings of a page have in links."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", PAGES)
def test_links_and_codes_lead_somewhere(name: str) -> None:
    page = ROOT / name
    text = page.read_text(encoding="utf-8")
    for link in _LINK.findall(text):
        place, _, anchor = link.partition("#")
        if "://" in place:
            continue
        to = (page.parent / place).resolve() if place else page
        assert to.exists(), link
        assert not anchor or anchor in anchors(to), link
    assert set(_CODE.findall(text)) <= set(explanations())


def test_the_readme_leads_to_every_page() -> None:
    linked = set(_LINK.findall((ROOT / "README.md").read_text(encoding="utf-8")))
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")}
    assert pages <= linked
