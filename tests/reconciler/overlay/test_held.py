"""What a node may hold that was asked for one thing after the other, and confirmed none of them."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from reconciler.overlay.held import Rows, between
from reconciler.overlay.rows import Identity, Row, row_of
from renderers.resource import Key, Resource


def row(name: str, value: int) -> Row:
    return row_of(Resource(Key("vpp", "node/east/w1", "table", name), {"id": value}))


def rows(values: Mapping[str, int]) -> Rows:
    return {Identity("vpp", "table", name): row(name, value) for name, value in values.items()}


STATES = st.lists(
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 2)).map(rows), min_size=2, max_size=6
)


@given(STATES)
def test_whatever_may_not_be_as_it_shall_be_is_shown(states: list[Rows]) -> None:
    confirmed, asked = states[0], states[0]
    for at, after in enumerate(states[1:], 1):
        confirmed, asked = between(confirmed, asked, after), after
        names = {name for state in states[: at + 1] for name in state}
        for name in names:
            doubtful = any(state.get(name) != after.get(name) for state in states[:at])
            assert (confirmed.get(name) != after.get(name)) == doubtful
            assert any(confirmed.get(name) == state.get(name) for state in states[:at])
