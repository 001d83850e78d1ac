"""What is packed by hand equals what vpp-papi packs, byte for byte; and so does what is read."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.drivers.base import PermanentError
from reconciler.drivers.vpp.codec import PACKERS, SHY
from reconciler.drivers.vpp.definitions import Definitions, definitions
from reconciler.drivers.vpp.rows import UNPACKERS
from tests.vpp_arguments import REQUESTS, ROWS, odd
from tests.vppd.definitions import api_json

HEAD = {"_vl_msg_id": 1, "client_index": 2, "context": 3}
HEAD_SIZE = 10


def papi() -> Definitions:
    """Return the definitions of the stand-in, which are those of a real VPP."""
    return definitions(api_json())


def by_hand(message: str, arguments: dict[str, Any]) -> bytes | None:
    """Pack; None where it is left to vpp-papi."""
    (pack,) = [pack for (name, _), pack in PACKERS.items() if name == message]
    try:
        return pack(arguments)
    except SHY:
        return None


def test_each_is_bound_to_the_crc_of_a_message() -> None:
    for name, crc in [*PACKERS, *UNPACKERS]:
        assert papi().crc(name) == crc
    assert {name for name, _ in PACKERS} == set(REQUESTS)
    assert {name for name, _ in UNPACKERS} == set(ROWS)


@pytest.mark.parametrize("message", REQUESTS)
@given(data=st.data())
def test_requests_have_the_same_bytes(message: str, data: st.DataObject) -> None:
    arguments = data.draw(REQUESTS[message])
    assert by_hand(message, arguments) == papi().pack(message, arguments, HEAD)[HEAD_SIZE:]


@pytest.mark.parametrize("message", REQUESTS)
@given(data=st.data())
def test_odd_arguments_are_left_to_vpp_papi_or_packed_alike(message: str, data: st.DataObject) -> None:
    arguments = data.draw(odd(message))
    packed = by_hand(message, arguments)
    if packed is not None:
        assert packed == papi().pack(message, arguments, HEAD)[HEAD_SIZE:]


def test_labels_are_left_to_vpp_papi() -> None:
    path: dict[str, Any] = dict.fromkeys(("sw_if_index", "table_id", "rpf_id", "weight", "preference"), 0)
    path |= {"type": 0, "flags": 0, "proto": 1, "nh": {"address": {"ip6": "::"}}, "n_labels": 1}
    path["label_stack"] = [{"label": 16}, *[{}] * 15]
    route = {"table_id": 0, "stats_index": 0, "prefix": "::/0", "n_paths": 1, "paths": [path]}
    arguments = {"is_add": True, "is_multipath": False, "route": route}
    assert by_hand("ip_route_add_del", arguments) is None
    assert papi().pack("ip_route_add_del", arguments, HEAD)


@pytest.mark.parametrize("message", ROWS)
@given(data=st.data())
def test_rows_are_read_alike(message: str, data: st.DataObject) -> None:
    row = data.draw(ROWS[message])
    (unpack,) = [unpack for (name, _), unpack in UNPACKERS.items() if name == message]
    try:
        found = unpack(row)
    except SHY:
        with pytest.raises(PermanentError):
            papi().unpack(message, row)
        return
    wanted = papi().unpack(message, row)
    wanted.pop("retval", None)
    assert found == wanted
    assert repr(found) == repr(wanted), "of the same types, and in the same order"


def test_addresses_are_written_as_everywhere_else_and_host_bits_are_kept() -> None:
    bytes_of = {"10.12.0.7/24": bytes([0, 10, 12, 0, 7]) + bytes(12) + bytes([24])}
    bytes_of["::ffff:a00:1/128"] = bytes([1]) + bytes(10) + b"\xff\xff" + bytes([10, 0, 0, 1, 128])
    unpack = UNPACKERS["sr_steering_pol_details", papi().crc("sr_steering_pol_details")]
    for text, raw in bytes_of.items():
        row = bytes(6) + bytes([4]) + bytes(4) + raw + bytes(4) + bytes(16)
        assert unpack(row)["prefix"] == text
        assert papi().unpack("sr_steering_pol_details", row)["prefix"] == text


def test_sids_beyond_their_number_are_not_there() -> None:
    row = bytes(6) + bytes(16) + bytes(6) + bytes([1, 2]) + bytes(8) + bytes(15) + b"\1" + bytes(240)
    found = papi().unpack("sr_policies_with_sl_index_details", row)
    assert found["sid_lists"] == ({"num_sids": 2, "weight": 0, "sl_index": 0, "sids": ("::1", "::")},)


def test_another_definition_of_the_same_name_is_read_by_its_own_types() -> None:
    """vpp-papi keeps types for the whole process: one VPP would be read by the types of another."""
    first = papi()
    row = bytes(6) + bytes(16) + bytes(6) + bytes([0])
    changed = api_json().replace(
        '["u32", "weight"], ["u32", "sl_index"]', '["u8", "weight"], ["u32", "sl_index"]'
    )
    assert changed != api_json()
    second = definitions(changed)
    one_list = row[:-1] + bytes([1, 1, 9]) + bytes(4 + 256)
    assert second.unpack("sr_policies_with_sl_index_details", one_list)["sid_lists"][0]["weight"] == 9
    with pytest.raises(PermanentError):
        first.unpack("sr_policies_with_sl_index_details", one_list)


def test_several_threads_read_definitions_at_the_same_time() -> None:
    """As where two VPPs of one plan were restarted, each as another version than before."""
    papi()
    texts = [api_json() + " " * count for count in range(1, 7)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(len(texts)) as pool:
            found = list(pool.map(definitions, texts))
    finally:
        sys.setswitchinterval(before)
    assert len({said.crc("sr_policy_add") for said in found}) == 1


def test_what_does_not_fit_is_said_with_the_name_of_the_message() -> None:
    with pytest.raises(PermanentError, match="sr_policy_del has no bsid"):
        papi().pack("sr_policy_del", {"bsid": "::1"}, HEAD)
    with pytest.raises(PermanentError, match="sr_policy_del cannot be packed"):
        papi().pack("sr_policy_del", {"bsid_addr": "::1", "sr_policy_index": -1}, HEAD)
    with pytest.raises(PermanentError, match="sr_policy_del has no context"):
        papi().pack("sr_policy_del", {"bsid_addr": "::1", "context": 1}, HEAD)


def test_definitions_that_are_nonsense_do_not_spoil_those_that_were_read() -> None:
    first = papi()
    with pytest.raises(PermanentError, match="does not understand"):
        definitions("[1]")
    assert (
        len(first.pack("sr_policy_del", {"bsid_addr": "::1", "sr_policy_index": 0}, HEAD)) == HEAD_SIZE + 20
    )
