"""Origins read in both directions, and lines of text traced to elements."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from compiler.graph import Element, Scope
from intent.diagnostics import Report
from intent.documents import parse
from intent.model import Intent, Metadata, Origin
from intent.source import Source
from renderers.causes import behind, caused, caused_by_line, foremost, naming, speaking, written_at
from renderers.resource import Key, Resource

TEXT = """\
kind: A          # 1
metadata:        # 2
  name: one      # 3
spec:            # 4
  note: |        # 5
    two          # 6
    lines        # 7
  pair: {a: 1, b: 2}
  list:
    - x: 1
      y: 2
"""
(DOCUMENT,) = parse(Source("a.yaml", TEXT), Report())
INTENT = Intent("A", "one", Metadata(name="one"), None, DOCUMENT)
KEY = Key("f", "node/c/n", "t", "name")


def thing(*origins: tuple[str, tuple[str | int, ...]]) -> Resource:
    return Resource(KEY, {}, "A/one", (), tuple(Origin(field, INTENT, path) for field, path in origins))


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (3, [("metadata", "name")]),
        (4, [("spec",)]),
        (5, [("spec", "note")]),
        (7, [("spec", "note")]),
        (8, [("spec", "pair")]),
        (9, [("spec", "list")]),
        (10, [("spec", "list", 0)]),
        (11, [("spec", "list", 0, "y")]),
        (99, [("spec", "list", 0, "y")]),
    ],
)
def test_a_line_says_fields(line: int, fields: list[tuple[str | int, ...]]) -> None:
    assert list(written_at(DOCUMENT, line)) == fields


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("spec.mtu", ["spec.mtu"]),
        ("spec.mtu.low", ["spec.mtu"]),
        ("spec", ["spec.mtu", "spec.vlan.id"]),
        ("spec.vlan", ["spec.vlan.id"]),
        ("spec.mtux", [""]),
        ("other", [""]),
        ("", ["", "spec.mtu", "spec.vlan.id"]),
    ],
)
def test_a_field_leads_to_the_closest_origins(path: str, expected: list[str]) -> None:
    resource = thing(("", ()), ("spec.mtu", ("spec", "note")), ("spec.vlan.id", ("spec", "pair", "a")))
    assert [origin.field for origin in behind(resource, path)] == expected


OTHER = Intent("B", "two", Metadata(name="two"), None, DOCUMENT)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("l3_mtu", ("spec", "mtu")),
        ("bound_to.0.vlan_id", ("spec", "vlan")),
        ("bound_to.0.system", ("spec", "ports")),
        ("nothing", ("metadata", "name")),
        ("", ("metadata", "name")),
    ],
)
def test_the_field_of_intent_that_is_called_alike_is_named_first(
    path: str, expected: tuple[str, ...]
) -> None:
    resource = thing(
        ("l3_mtu", ("spec", "gateway")),
        ("l3_mtu", ("spec", "defaults", "portMtu")),
        ("l3_mtu", ("spec", "mtu")),
        ("bound_to", ("spec", "vlan")),
        ("bound_to.0", ("spec", "ports")),
        ("bound_to.0", ("spec", "vlan")),
        ("", ("metadata", "name")),
    )
    found = foremost([resource], path)
    assert found is not None
    assert found.path == expected


def test_a_field_that_no_origin_speaks_of_has_none_to_name() -> None:
    assert foremost([thing(("x", ("spec", "list")))], "y") is None
    assert foremost([], "y") is None


def test_the_side_that_speaks_of_the_field_itself_is_named_and_of_equals_what_weighs_more() -> None:
    after = thing(("", ("metadata",)), ("x", ("spec", "note")))
    before = thing(("x", ("spec", "pair")), ("y", ("spec", "list")))
    assert foremost([after, before], "x") == after.origins[1]
    assert foremost([after, before], "x", lambda origin: origin in before.origins) == before.origins[0]
    assert foremost([after, before], "y") == before.origins[1]
    assert foremost([after], "x", lambda origin: origin == after.origins[0]) == after.origins[0]


def test_an_own_document_is_named_before_others() -> None:
    own, other = Origin("x", INTENT, ("spec", "note")), Origin("x", OTHER, ("spec", "note"))
    found = foremost([Resource(KEY, {}, "A/one", (), (other, own))], "x")
    assert found is not None
    assert found.subject == "A/one"


def test_origins_name_a_field_or_something_around_it() -> None:
    part, whole = Origin("", INTENT, ("spec", "pair", "a")), Origin("", INTENT, ("spec",))
    assert naming([part, whole], DOCUMENT, [("spec", "pair")]) == ((part,), False)
    assert naming([whole], DOCUMENT, [("spec", "pair")]) == ((whole,), True)
    assert naming([part], DOCUMENT, [("spec", "list")]) == ((), True)


def test_a_field_causes_what_names_it_and_is_part_of_what_names_more() -> None:
    exact, around, other = (
        thing(("x", ("spec", "pair", "a"))),
        thing(("x", ("spec",)), ("y", ("metadata",))),
        thing(("x", ("spec", "list"))),
    )
    found = list(caused([exact, around, other], DOCUMENT, [("spec", "pair")]))
    assert [(trace.resource is exact, len(trace.origins), loose) for trace, loose in found] == [
        (True, 1, False),
        (False, 1, True),
    ]


def test_the_whole_document_causes_all_that_names_any_of_it() -> None:
    resources = [thing(("x", ("spec", "list"))), thing(("", ())), thing()]
    assert len(list(caused(resources, DOCUMENT, [()]))) == 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Part(Element):
    words: tuple[str, ...]
    needs: str = ""
    note: str = ""


def part(name: str, *words: str, needs: str = "") -> Part:
    origins = (Origin("words", INTENT, ("spec",)), Origin("note", INTENT, ("metadata",)))
    return Part(subject=name, origins=origins, words=words, needs=needs, note=name)


def render(_: Scope, elements: tuple[Element, ...]) -> Iterator[Resource]:
    """One line per element; who needs another one cannot be rendered without it."""
    parts = [element for element in elements if isinstance(element, Part)]
    names = {element.subject: element for element in parts}
    lines = [
        " ".join(element.words) for element in parts if names[element.needs or element.subject] is not None
    ]
    if "head" in names:
        yield Resource(KEY, {"text": "\n".join(lines)}, "head")


ELEMENTS = (
    part("head", "begin"),
    part("a", "route", "10.0.0.0/8"),
    part("b", "policy", "cafe::1"),
    part("c", "steer", "10.0.0.0/8", "cafe::1", needs="b"),
    part("d", "twice"),
    part("e", "twice"),
)
WHERE = Scope("node", "c/n")


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("route 10.0.0.0/8", ["a"]),
        ("steer 10.0.0.0/8 cafe::1", ["c"]),
        ("policy cafe::1", ["b"]),  # nothing is rendered without it, and it says most of the line
        ("begin", ["head"]),
        ("twice", []),
        ("! a comment of ours", []),
    ],
)
def test_a_line_of_text_is_traced_to_elements(line: str, names: list[str]) -> None:
    found = caused_by_line(WHERE, ELEMENTS, render, KEY, line)
    assert [element.subject for element in found] == names


def test_of_an_element_those_fields_are_told_that_stand_in_the_line() -> None:
    assert [origin.field for origin in speaking(ELEMENTS[1], "route 10.0.0.0/8")] == ["words"]
    assert [origin.field for origin in speaking(ELEMENTS[1], "a route")] == ["words", "note"]
    assert [origin.field for origin in speaking(ELEMENTS[1], "nothing of it")] == ["words", "note"]
