"""The page of diagnostics (docs/codes.md) as explanations by code.

A checkout has the page in docs/; a wheel carries it as data/codes.md beside this module.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
_PLACES: Final = (_HERE / "data" / "codes.md", _HERE.parent / "docs" / "codes.md")
_HEADING: Final = re.compile(r"^## (IC[0-9]{4}) — (.+)$", re.MULTILINE)


@cache
def explanations() -> dict[str, str]:
    """Return all sections by code, in the order of the page."""
    page = next(place for place in _PLACES if place.is_file()).read_text(encoding="utf-8")
    return dict(parse_page(page))


def parse_page(page: str) -> list[tuple[str, str]]:
    """Return code and text of each section; a code that stands twice is there twice."""
    headings = list(_HEADING.finditer(page))
    ends = [*(heading.start() for heading in headings[1:]), len(page)]
    return [
        (heading[1], f"{heading[1]} — {heading[2]}\n\n{page[heading.end() : end].strip()}\n")
        for heading, end in zip(headings, ends, strict=True)
    ]
