"""Carriers hold what fits, and routers take out of them what was put in."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.te.carriers import SLOTS, Compressed, compressed, pack, steps_down

BLOCK = 0xFCBB0000


@pytest.mark.parametrize(
    ("sid", "length", "found"),
    [
        ("fcbb:0:2::", 1, (2,)),
        ("fcbb:0:2:d4::", 2, (2, 0xD4)),
        ("fcbb:0:2::1", 1, None),
        ("fcbb:0:2:d4::", 1, None),
        ("fcbb:0:2::", 2, None),
        ("fcbb::", 1, None),
    ],
)
def test_the_form_of_a_sid_says_whether_it_can_be_packed(
    sid: str, length: int, found: tuple[int, ...] | None
) -> None:
    small = compressed(IPv6Address(sid), length)
    assert (small.csids if small else None) == found
    assert small is None or small.block == BLOCK


def test_the_carrier_that_was_measured() -> None:
    several = [
        (text, compressed(IPv6Address(text), length))
        for text, length in (("fcbb:0:11::", 1), ("fcbb:0:12::", 1), ("fcbb:0:2:d4::", 2))
    ]
    assert pack(several) == ("fcbb:0:11:12:2:d4::",)


def test_carriers_are_filled_from_the_end_so_that_few_segments_are_left() -> None:
    several = [(text, compressed(IPv6Address(text), 1)) for text in (f"fcbb:0:{at}::" for at in range(1, 8))]
    service = "fcbb:0:9:d4::"
    assert pack([*several, (service, compressed(IPv6Address(service), 2))]) == (
        "fcbb:0:1:2:3::",
        "fcbb:0:4:5:6:7:9:d4",
    )


def test_a_carrier_steps_down_to_what_it_holds() -> None:
    down = ("fcbb:0:11:12:2:d4::", "fcbb:0:12:2:d4::", "fcbb:0:2:d4::", "fcbb:0:d4::")
    assert steps_down(down[0]) == down
    assert steps_down("fcbb:0:2::") == ("fcbb:0:2::",)


def walked(addresses: tuple[str, ...]) -> list[tuple[int, ...]]:
    """Return what routers see at the front of the address, as they shift (RFC 9800 §4.1)."""
    seen: list[tuple[int, ...]] = []
    for text in addresses:
        number = int(IPv6Address(text))
        if number & 0xFFFF_FFFF_FFFF_FFFF and not number >> 64 & 0xFFFF:
            seen.append((number,))  # no carrier
            continue
        block, rest = number >> 96, number & (1 << 96) - 1
        while rest >> 80:
            seen.append((block, rest >> 80))
            rest = rest << 16 & (1 << 96) - 1
    return seen


SMALL = st.tuples(st.sampled_from([BLOCK, BLOCK + 1]), st.integers(1, 0xFFFF), st.booleans())


@given(st.lists(st.one_of(SMALL, st.integers(1, 9)), min_size=1, max_size=16))
def test_what_was_packed_comes_out_again_in_as_few_addresses_as_hold_it(
    drawn: list[tuple[int, int, bool] | int],
) -> None:
    rows: list[tuple[str, Compressed | None]] = []
    wanted: list[tuple[int, ...]] = []
    for item in drawn:
        if isinstance(item, int):
            number = 0xFCBB_0000_0001_0000 << 64 | item
            rows.append((str(IPv6Address(number)), None))
            wanted.append((number,))
            continue
        block, first, two = item
        csids = (first, 7) if two else (first,)
        rows.append(("", Compressed(block, csids)))
        wanted += [(block, csid) for csid in csids]
    addresses = pack(rows)
    assert walked(addresses) == wanted
    assert len(addresses) <= len(rows)
    runs, filled, last = 0, SLOTS, None
    for _, small in rows:
        if small is None:
            runs, filled, last = runs + 1, SLOTS, None
        elif small.block != last or filled + len(small.csids) > SLOTS:
            runs, filled, last = runs + 1, len(small.csids), small.block
        else:
            filled += len(small.csids)
    assert len(addresses) == runs
