"""Text and bytes of addresses are the same thing, however many were asked for before."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface

import pytest
from hypothesis import given

from reconciler.drivers.vpp import addresses
from reconciler.drivers.vpp.addresses import Remembered, packed6, packed_prefix, prefix_text, text6
from tests.vpp_arguments import addresses6, prefixes


@given(address=addresses6)
def test_addresses_are_written_as_the_rest_of_the_program_writes_them(address: str) -> None:
    assert packed6[address] == ip_address(address).packed
    assert text6[packed6[address]] == str(ip_address(address))


@given(prefix=prefixes)
def test_prefixes_keep_family_length_and_host_bits(prefix: str) -> None:
    raw = packed_prefix[prefix]
    assert prefix_text[raw] == str(ip_interface(prefix))
    assert (raw[0], raw[17]) == (ip_interface(prefix).version == 6, ip_interface(prefix).network.prefixlen)


@pytest.mark.parametrize("text", ["", "10.0.0.1", "::/64", "fe80::1%lo", " ::", "::\0", b"::", None])
def test_what_is_no_address_is_never_remembered(text: str) -> None:
    with pytest.raises((OSError, TypeError, ValueError)):
        packed6[text]
    assert text not in packed6


def test_what_was_asked_for_too_often_is_forgotten_and_worked_out_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(addresses, "_MOST", 3)
    asked: list[int] = []

    def work_out(number: int) -> int:
        asked.append(number)
        return 2 * number

    known = Remembered(work_out)
    assert [known[number] for number in (1, 2, 3, 1, 4, 1)] == [2, 4, 6, 2, 8, 2]
    assert asked == [1, 2, 3, 4, 1]
    assert len(known) == 2
