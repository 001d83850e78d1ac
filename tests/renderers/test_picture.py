"""Pictures: what they show, that nothing overlaps, and that the same intent always gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.resolved import Resolved
from renderers.picture import dependencies_svg, page_html, topology_svg
from renderers.picture.curves import at
from renderers.picture.model import Marks, Picture, Rect
from renderers.picture.order import columns, settle
from renderers.picture.text import fit, natural, width
from renderers.picture.topology import title_rect, topology
from tests.pictures import CASES, DRAW, HERE, MARKS, SVG, large, metro, resolved, small, titles, unfolded


@pytest.fixture(
    params=[(name, draw) for name in CASES for draw in DRAW], ids=lambda case: f"{case[0]}-{case[1].__name__}"
)
def picture(request: pytest.FixtureRequest) -> Picture:
    name, draw = request.param
    drawn: Picture = draw(CASES[name]())
    return drawn


def inside(inner: Rect, outer: Rect) -> bool:
    return (
        outer.x <= inner.x
        and outer.y <= inner.y
        and inner.right <= outer.right
        and inner.bottom <= outer.bottom
    )


def test_boxes_do_not_overlap(picture: Picture) -> None:
    meeting = [(one.id, two.id) for one, two in combinations(picture.boxes, 2) if one.rect.meets(two.rect)]
    assert picture.boxes
    assert meeting == []


def test_frames_hold_boxes_wholly_or_not_at_all(picture: Picture) -> None:
    torn = [
        (frame.id, box.id)
        for frame in picture.frames
        for box in picture.boxes
        if frame.rect.meets(box.rect) and not inside(box.rect, frame.rect)
    ]
    assert torn == []


def test_frames_do_not_cut_each_other(picture: Picture) -> None:
    cut = [
        (one.id, two.id)
        for one, two in combinations(picture.frames, 2)
        if one.rect.meets(two.rect) and not inside(one.rect, two.rect) and not inside(two.rect, one.rect)
    ]
    assert cut == []


def test_frame_titles_meet_no_box_and_no_other_title(picture: Picture) -> None:
    titles = [title_rect(frame) for frame in picture.frames]
    assert not [title for title in titles for box in picture.boxes if title.meets(box.rect)]
    assert not [pair for pair in combinations(titles, 2) if pair[0].meets(pair[1])]


def test_titles_fit_into_their_frames(picture: Picture) -> None:
    assert all(title_rect(frame).right <= frame.rect.right for frame in picture.frames)


def test_labels_meet_no_box_and_no_other_label(picture: Picture) -> None:
    solid = [*(box.rect for box in picture.boxes), *(title_rect(frame) for frame in picture.frames)]
    assert not [note.text for note in picture.notes for rect in solid if note.rect.meets(rect)]
    assert not [(a.text, b.text) for a, b in combinations(picture.notes, 2) if a.rect.meets(b.rect)]


def test_words_fit_into_their_boxes(picture: Picture) -> None:
    for box in picture.boxes:
        assert width(box.title, 13, bold=True) + (18 if box.tone is not None else 0) < box.rect.width
        assert all(width(line, 11) < box.rect.width for line in box.lines)
        assert all(width(tab.text, 10) < tab.rect.width for tab in box.tabs)


def test_ports_lie_side_by_side_inside_their_box(picture: Picture) -> None:
    for box in picture.boxes:
        assert all(inside(tab.rect, box.rect) for tab in box.tabs)
        assert all(one.rect.right <= two.rect.x for one, two in pairwise(box.tabs))


def test_everything_lies_in_the_picture(picture: Picture) -> None:
    whole = Rect(0, -12, picture.width, picture.height + 12)
    parts = (*(box.rect for box in picture.boxes), *(frame.rect for frame in picture.frames))
    assert [rect for rect in parts if not inside(rect, whole)] == []


def test_links_pass_no_foreign_router() -> None:
    drawn = topology(metro())
    rects = {box.id: box.rect for box in drawn.boxes}
    links = [line for line in drawn.lines if line.role in ("link", "uplink")]
    assert len(links) == 19
    for line in links:
        points = [at(line.curves[0], step / 40) for step in range(41)]
        assert not [
            name for name, rect in rects.items() if name not in line.ends and any(map(rect.holds, points))
        ]


@pytest.mark.parametrize(("name", "draw"), [("topology", topology_svg), ("dependencies", dependencies_svg)])
def test_a_small_picture_is_what_was_reviewed(
    name: str, draw: Callable[[Resolved], str], *, update_golden: bool
) -> None:
    golden = HERE / f"small-{name}.svg"
    if update_golden:
        golden.write_text(draw(small()))
    assert draw(small()) == golden.read_text()


@pytest.mark.parametrize("order", [lambda items: items[::-1], lambda items: [*items[5:], *items[:5]]])
@pytest.mark.parametrize("draw", [topology_svg, dependencies_svg, page_html])
def test_the_order_of_documents_does_not_matter(
    draw: Callable[[Resolved], str], order: Callable[[list[int]], list[int]]
) -> None:
    text = (HERE / "metro.yaml").read_text()
    assert draw(resolved(text, order)) == draw(metro())


@pytest.mark.parametrize("draw", [topology_svg, dependencies_svg])
@pytest.mark.parametrize("case", CASES)
def test_svg_is_well_formed_and_its_ids_are_unique(case: str, draw: Callable[[Resolved], str]) -> None:
    root = ET.fromstring(draw(CASES[case]()))  # noqa: S314 -- our own output
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert root.tag == f"{SVG}svg"
    assert len(ids) == len(set(ids))
    assert not [element for element in root.iter() if "url(" in " ".join(element.attrib.values())]


def test_tooltips_say_where_things_were_said() -> None:
    found = titles(topology_svg(small()))
    assert found["topology-Node--w1"].startswith("Node w1\nintent/metro.yaml:24\n")
    assert "intent/metro.yaml:11\n" in found["topology-Underlay--core--router--p2"]
    assert found["topology-line--Underlay--core--link--p1-p2"] == (
        "link p1-p2\nintent/metro.yaml:17\nIGP metric 10/20\nlatency 2 ms"
    )
    assert found["topology-Node--w1--port--eth1"] == "NIC eth1 of w1\nintent/metro.yaml:43\nin bond bond0"
    assert "ESI-LAG w1-bond0\nESI 00:" in found["topology-ring--Node--w1--bond--w1-bond0"]


def test_words_of_the_topology() -> None:
    drawn = topology(metro())
    boxes = {box.id: box for box in drawn.boxes}
    assert {frame.title for frame in drawn.frames if frame.role == "site"} == {"dc1", "dc2"}
    assert boxes["Underlay/core/router/p3"].drained
    assert boxes["Node/edge-3"].drained
    assert [tab.text for tab in boxes["Fabric/metro/switch/leaf1"].tabs] == [
        "Ethernet1",
        "Ethernet2",
        "Ethernet20",
    ]
    assert [tab.stripes for tab in boxes["Fabric/metro/switch/leaf1"].tabs] == [(0,), (0,), (1,)]
    assert {note.text for note in drawn.notes if note.role == "down"} == {"10 · 100 µs · down"}
    assert {note.text for note in drawn.notes if note.role == "path"} == {"A", "B 75%", "B 25%"}
    assert [ring.id for ring in drawn.rings] == [
        f"Node/{name}/bond/{name}-bond0" for name in ("db-1", "db-2", "firewall")
    ]


def test_rows_from_the_outside_to_the_core() -> None:
    boxes = {box.id: box.rect.y for box in topology(metro()).boxes}
    order = (
        "ExternalConnection/n6-internet",
        "Fabric/metro/switch/border1",
        "Fabric/metro/switch/spine1",
        "Fabric/metro/switch/leaf1",
        "Node/edge-1",
        "Underlay/core/router/pe1",
        "Underlay/core/router/p1",
    )
    heights = [boxes[name] for name in order]
    assert heights == sorted(set(heights))


def test_paths_follow_the_policy() -> None:
    lines = {line.id: line for line in topology(metro()).lines if line.role == "path"}
    assert set(lines) == {
        "SRv6Policy/low-latency/list/0",
        "SRv6Policy/low-latency/list/1",
        "SRv6Policy/bulk/list/0",
    }
    most, rest = (lines[f"SRv6Policy/low-latency/list/{index}"] for index in (0, 1))
    assert most.ends == rest.ends == ("Node/edge-1", "Node/edge-4")
    assert [len(line.curves) for line in (most, rest)] == [5, 4]  # with both uplinks
    assert most.width > rest.width
    assert most.arrow
    # The candidate with the higher preference passes a drained router, so the other one is drawn.
    assert "p2 → p1 → pe1" in lines["SRv6Policy/bulk/list/0"].tip


def test_crowds_are_folded() -> None:
    drawn = topology(large())
    servers = [box for box in drawn.boxes if box.role == "node"]
    leaves = [box for box in drawn.boxes if box.role == "leaf"]
    assert sum(box.many for box in servers) == 300
    assert sum(box.many for box in leaves) == 60
    assert len(servers) <= 60
    assert len(leaves) == 3
    assert servers[0].title == f"\N{MULTIPLICATION SIGN} {servers[0].many} nodes"
    assert "s1-rack1-01 … s1-rack1-10" in {line for box in servers for line in box.lines}


def test_a_dense_core_keeps_labels_for_what_is_wrong() -> None:
    links = [line for line in topology(large()).lines if line.role == "link"]
    assert len(links) > 100
    assert topology(large()).notes == ()


def test_few_are_not_folded() -> None:
    boxes = topology(unfolded()).boxes
    assert sum(box.role == "leaf" for box in boxes) == 20
    assert all(box.many == 1 for box in boxes)


def test_marks_reach_what_is_drawn() -> None:
    drawn = topology(metro(), MARKS)
    boxes = {box.id: box for box in drawn.boxes}
    tabs = {tab.id: tab.mark for box in drawn.boxes for tab in box.tabs}
    lines = {line.id: line.mark for line in drawn.lines}
    assert boxes["Node/edge-1"].mark == "added"
    assert boxes["Node/edge-2"].mark is None
    assert boxes["Node/db-1"].mark == "changed"
    assert boxes["Fabric/metro/switch/leaf3"].mark == "changed"
    assert tabs["Fabric/metro/switch/leaf3/port/Ethernet11"] == "removed"
    assert tabs["Fabric/metro/switch/leaf1/port/Ethernet1"] == "changed"  # it carries n3
    assert tabs["Fabric/metro/switch/leaf1/port/Ethernet20"] is None
    assert lines["Underlay/core/link/p1-p3"] == "changed"
    assert lines["SRv6Policy/bulk/list/0"] == "removed"
    assert {ring.id: ring.mark for ring in drawn.rings}["Node/db-1/bond/db-1-bond0"] == "changed"
    assert [entry.text for entry in drawn.legend if entry.sample == "mark"] == ["added", "changed", "removed"]


def test_a_mixture_of_marks_is_a_change() -> None:
    marks = Marks.of({"Node/a": "added", "Node/b": "added", "Node/c/nic/x": "removed"})
    assert marks.find(("Node/a", "Node/b")) == "added"
    assert marks.find(("Node/a", "Node/z")) == "changed"
    assert marks.find(("Node/c",)) == "changed"
    assert marks.find(("Node/z",)) is None
    assert marks.find(()) is None


@given(st.lists(st.tuples(st.floats(-500, 500), st.floats(1, 90)), min_size=1, max_size=12), st.floats(0, 30))
def test_settling_keeps_order_gap_and_room(items: list[tuple[float, float]], gap: float) -> None:
    wanted, widths = [place for place, _ in items], [across for _, across in items]
    room = (0.0, sum(widths) + gap * len(widths))
    found = settle(wanted, widths, gap, room)
    assert found[0] - widths[0] / 2 >= room[0] - 0.11
    assert found[-1] + widths[-1] / 2 <= room[1] + 0.11
    for index in range(len(found) - 1):
        assert found[index + 1] - found[index] >= widths[index] / 2 + gap + widths[index + 1] / 2 - 0.11


def test_settling_leaves_what_has_room_where_it_is_wanted() -> None:
    assert settle([50, 200, 210], [20, 20, 20], 10, (0, 400)) == [50, 190, 220]


def test_tied_columns_stand_together() -> None:
    ties = {("a", "d"): 3, ("b", "c"): 1, ("c", "d"): 2}
    assert columns(["d", "c", "b", "a"], ties) == ("a", "d", "c", "b")
    many = [f"dc{number}" for number in range(1, 12)]
    assert columns(many, {}) == tuple(many)


def test_text_is_cut_to_fit_with_both_ends() -> None:
    short = fit("worker-in-the-last-row-0123", 13, 100, bold=True)
    assert width(short, 13, bold=True) <= 100
    assert short.startswith("worker")
    assert short.endswith("123")
    assert fit("w1", 13, 100) == "w1"
    assert sorted(["leaf10", "leaf2", "a1b", "a"], key=natural) == ["a", "a1b", "leaf2", "leaf10"]
