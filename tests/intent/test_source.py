"""Where words stand."""

from __future__ import annotations

from array import array

from intent.source import Document, Span


def test_places_are_written_as_editors_know_them() -> None:
    assert str(Span("a.yaml", 3, 7)) == "a.yaml:3:7"
    assert str(Span("a.yaml")) == "a.yaml"


def test_what_is_not_written_is_placed_at_the_key_that_should_hold_it() -> None:
    document = Document("a.yaml", {"spec": {"mtu": 1500}}, array("I", [0, 0, 0, 0, 1, 2, 1, 2, 1, 7]))
    assert document.span(("spec", "mtu")) == Span("a.yaml", 2, 8)
    assert document.span(("spec", "mtu"), key=True) == Span("a.yaml", 2, 3)
    assert document.span(("spec", "vlan")) == Span("a.yaml", 1, 1)
