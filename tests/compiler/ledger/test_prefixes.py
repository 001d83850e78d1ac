"""Overlap of prefixes, against the arithmetic of the standard library."""

from __future__ import annotations

from ipaddress import IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from compiler.ledger.prefixes import Prefixes

SOME = st.builds(
    lambda length, bits: str(IPv4Network(((10 << 24) | (bits << (32 - length)) & 0xFF, length))),
    st.integers(24, 32),
    st.integers(0, 255),
)


@given(st.lists(SOME, max_size=12, unique=True), st.lists(SOME, max_size=6), st.data())
def test_what_overlaps_is_found(held: list[str], later: list[str], data: st.DataObject) -> None:
    index: Prefixes[str] = Prefixes()
    known = set()
    for text in held:
        index.add(text, text)
        known.add(text)
    for text in later:
        want = {one for one in known if IPv4Network(one).overlaps(IPv4Network(text))}
        assert set(index.over(text)) == want
        if data.draw(st.booleans()):
            index.add(text, text)
            known.add(text)
        else:
            index.remove(text)
            known.discard(text)


def test_text_that_is_no_prefix_overlaps_nothing() -> None:
    index: Prefixes[str] = Prefixes()
    for text in ("10.0.0.0/24", "nonsense/24", "10.0.0.0/x", "10.0.0.0/255.0.0.0"):
        index.add(text, text)
    assert list(index.over("10.0.0.0/25")) == ["10.0.0.0/24"]
    assert list(index.over("words/8")) == []


def test_lengths_that_no_prefix_has_are_left_alone() -> None:
    index: Prefixes[str] = Prefixes()
    for text in (f"10.0.0.0/{'9' * 5000}", "10.0.0.0/²", "10.0.0.0/999"):
        index.add(text, text)
        assert list(index.over("10.0.0.0/25")) == []
        assert list(index.over(text)) in ([], [text])
    index.remove(f"10.0.0.0/{'9' * 5000}")
