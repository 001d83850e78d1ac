"""The picture of documents, and the page with both: folding, cost, escaping, colours, what it loads."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Final
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intent.kinds import KINDS
from renderers.picture import dependencies_svg, page_html, topology_svg
from renderers.picture.curves import at
from renderers.picture.dependencies import COLUMNS, dependencies
from renderers.picture.model import Curve
from renderers.picture.style import COLOURS
from renderers.picture.svg import escape
from renderers.picture.topology import topology
from tests.pictures import MARKS, SVG, large, metro, resolved, small, titles


def test_a_large_network_stays_a_page() -> None:
    given_ = large()
    text = page_html(given_)
    assert len(text) < 6_000_000
    assert topology(given_).width < 6000


def test_documents_that_are_alike_are_folded() -> None:
    boxes = {box.id: box for box in dependencies(large()).boxes}
    stacks = [box for box in boxes.values() if box.id.startswith("VirtualNetwork/")]
    assert sorted(box.many for box in stacks) == [5000, 5000]
    assert sum(box.many for box in boxes.values()) == 3 + 300 + 1 + 2 + 2 + 10_000


def test_a_marked_document_stands_alone() -> None:
    boxes = {box.id: box for box in dependencies(large(), {"VirtualNetwork/net-00007": "added"}).boxes}
    assert boxes["VirtualNetwork/net-00007"].mark == "added"
    assert boxes["VirtualNetwork/net-00007"].many == 1


def test_every_kind_has_a_column() -> None:
    assert sorted(kind for column in COLUMNS for kind in column) == sorted(KINDS)


def test_references_run_from_right_to_left() -> None:
    drawn = dependencies(metro())
    boxes = {box.id: box.rect for box in drawn.boxes}
    ends = {line.id: line for line in drawn.lines}
    assert ends["Node/edge-1--NodeProfile/upf-server"].role == "name"
    assert ends["Cluster/edge--Node/edge-1"].role == "selector"
    assert ends["VirtualNetworkRouter/user-plane--VirtualNetwork/n6"].role == "selector"
    assert ends["SriovPool/upf-left--Cluster/edge"].role == "name"
    assert all(boxes[line.ends[0]].x >= boxes[line.ends[1]].x for line in drawn.lines)


def test_curves_between_columns_pass_no_box() -> None:
    drawn = dependencies(metro())
    rects = {box.id: box.rect for box in drawn.boxes}

    def points(curve: Curve) -> list[tuple[float, float]]:
        return [at(curve, step / 30) for step in range(31)]

    for line in drawn.lines:
        others = [rect for name, rect in rects.items() if name not in line.ends]
        assert not [
            line.id for curve in line.curves for point in points(curve) if any(r.holds(point) for r in others)
        ]


def test_an_empty_repository_has_pictures() -> None:
    nothing = resolved("")
    for draw in (topology_svg, dependencies_svg):
        assert ET.fromstring(draw(nothing)).tag == f"{SVG}svg"  # noqa: S314 -- our own output
    assert "Objects (0)" in page_html(nothing)


HOSTILE: Final = '</text><script>alert("no")</script>'


def test_hostile_words_stay_words() -> None:
    assert HOSTILE not in dependencies_svg(metro())
    assert HOSTILE in titles(dependencies_svg(metro()))["dependencies-VirtualNetwork--signalling"]
    page = page_html(metro())
    assert HOSTILE not in page
    assert page.count("<script>") == 1
    assert 'database <primary> & "standby"' in titles(topology_svg(metro()))["topology-Node--db-1"]


@given(st.text())
def test_any_text_survives_escaping(text: str) -> None:
    legal = re.sub("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
    shown = ET.fromstring(f'<a b="{escape(text)}">{escape(text)}</a>')  # noqa: S314 -- that is the test
    assert (shown.text or "") == re.sub("\r\n?", "\n", legal)


class Outline(HTMLParser):
    """Checks that elements are closed in order, and collects what a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [
            f"{name}={value}"
            for name, value in attrs
            if name in ("src", "href") and not (value or "").startswith("#")
        ]
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_startendtag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [f"{name}={value}" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing() -> None:
    page = page_html(metro(), MARKS)
    outline = Outline()
    outline.feed(page)
    outline.close()
    assert outline.open == []
    assert outline.loads == []
    assert "@import" not in page
    assert "url(" not in page


def test_the_page_allows_only_its_own_script() -> None:
    page = page_html(small())
    script = page.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in page


def test_rows_of_the_page_lead_to_the_pictures() -> None:
    page = page_html(metro(), MARKS)
    ids = set(re.findall(r' id="([^"]+)"', page))
    linked = [ident for entry in re.findall(r'data-boxes="([^"]*)"', page) for ident in entry.split()]
    assert set(linked) <= ids
    assert {
        "topology-Node--edge-1",
        "dependencies-Node--edge-1",
        "topology-line--SRv6Policy--bulk--list--0",
    } <= set(linked)
    assert '<tr class="added" data-boxes="dependencies-VirtualNetwork--n3">' in page


def luminance(colour: str) -> float:
    parts = [int(colour[at_ : at_ + 2], 16) / 255 for at_ in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("words", "grounds"),
    [
        ("words", ("ground", "site", "fabric", "box", "port", "router", "spine")),
        ("quiet", ("ground", "site", "fabric", "box", "router")),
        ("bad", ("ground", "site")),
        ("drain", ("ground",)),
        *((f"group{tone}", ("ground", "site")) for tone in range(6)),
        *((f"path{tone}", ("ground",)) for tone in range(8)),
        *((mark, ("ground",)) for mark in ("added", "changed", "removed")),
    ],
)
def test_words_can_be_read_on_their_ground(words: str, grounds: tuple[str, ...], scheme: int) -> None:
    for ground in grounds:
        dark, light = sorted(luminance(COLOURS[name][scheme]) for name in (words, ground))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{words} on {ground}"
