"""The generated pages are those that the models make."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from intent.kinds import KINDS
from intentc.reference import DOCS, pages
from intentc.schema import schema

PAGES = pages()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_page_is_up_to_date(name: str, update_golden: bool) -> None:  # noqa: FBT001 -- a fixture
    path = DOCS / name
    if update_golden:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PAGES[name], encoding="utf-8")
    assert path.read_text(encoding="utf-8") == PAGES[name], "run `make docs`"


def test_no_page_is_left_over() -> None:
    found = {*(DOCS / "reference").glob("*.md"), *(DOCS / "schema").glob("*.json"), DOCS / "impact.md"}
    assert {path.relative_to(DOCS).as_posix() for path in found} == set(PAGES)


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_names_every_field(kind: str) -> None:
    page = PAGES[f"reference/{kind}.md"]
    names = {name for part in schema(kind)["$defs"].values() for name in part.get("properties", {})}
    shared = {
        name for part in ("Selector", "LabelSelectorRule", "SecretRef", "Metadata") for name in fields(part)
    }
    missing = {name for name in names - shared if not re.search(rf"[.`]{name}`", page)}
    assert missing == set()


def fields(model: str) -> set[str]:
    return set(schema("Cluster")["$defs"][model]["properties"])


@pytest.mark.parametrize("name", [name for name in PAGES if name.endswith(".md")])
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", PAGES[name]):
        file, _, anchor = target.partition("#")
        path = (Path("/docs") / name).parent / file if file else Path("/docs") / name
        key = path.resolve().relative_to("/docs").as_posix()
        assert key in PAGES
        if anchor:
            headings = re.findall(r"^#+ (.+)$", PAGES[key], re.MULTILINE)
            assert anchor in [heading.lower().replace(" ", "-") for heading in headings]


def test_a_page_says_limits_units_targets_and_choices() -> None:
    page = PAGES["reference/SriovPool.md"]
    assert "| `spec.mtu` | MTU, 1280-9216 (bytes of IP packet) |" in page
    assert "| `spec.cluster` | name of [Cluster](Cluster.md) | required |" in page
    assert "| `spec.deviceType` | `netdevice` \\| `vfio-pci` | `netdevice` |" in page
    assert "| `spec.nodes` | [selector](index.md#selectors) of [Node](Node.md) | required |" in page
