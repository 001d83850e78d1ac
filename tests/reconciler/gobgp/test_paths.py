"""SR policies in the two forms that they have: what is written is read back, and says no more."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.drivers.gobgp.messages import new, packed, unpacked
from reconciler.drivers.gobgp.paths import (
    Announced,
    Nlri,
    Segment,
    Weighted,
    announced,
    announced_as,
    path_of,
    spec_of,
    withdrawal_of,
)

NUMBERS = st.integers(0, 2**32 - 1)
SIDS = st.integers(1, 2**128 - 1).map(lambda number: str(IPv6Address(number)))
ROUTERS = st.ip_addresses(v=4).map(str)
SEGMENTS = st.builds(Segment, SIDS, st.none() | st.integers(1, 63))
LISTS = st.builds(Weighted, st.integers(1, 1000), st.lists(SEGMENTS, min_size=1, max_size=16).map(tuple))
POLICIES = st.builds(
    Announced,
    st.builds(Nlri, NUMBERS, NUMBERS, SIDS),
    SIDS,
    SIDS,
    st.lists(LISTS, max_size=4).map(tuple),
    st.none() | NUMBERS,
    st.none() | st.integers(0, 255),
    no_advertise=st.booleans(),
    route_targets=st.lists(ROUTERS, max_size=5).map(tuple),
)

PLAIN = Announced(
    Nlri(7, 100, "fd11::2"),
    "fd22::ffff",
    "cafe::1",
    (Weighted(3, (Segment("fcbb:0:1::"), Segment("fcff::4", 19))),),
    200,
    128,
    no_advertise=True,
)


@given(POLICIES)
def test_what_was_written_is_read_back(said: Announced) -> None:
    assert announced_as(spec_of(said)) == said
    assert announced(path_of(said)) == said
    read = announced(path_of(announced_as(spec_of(said))))
    assert read is not None
    assert spec_of(read) == spec_of(said)


def sub_tlvs(path: Any) -> dict[str, Any]:
    tunnel = dict(map(unpacked, path.pattrs))["TunnelEncapAttribute"].tlvs
    assert [item.type for item in tunnel] == [15]
    return dict(map(unpacked, tunnel[0].tlvs))


def test_the_bsid_has_sixteen_bytes_in_sub_tlv_13_and_no_path_has_a_name() -> None:
    found = sub_tlvs(path_of(PLAIN))
    assert set(found) == {
        "TunnelEncapSubTLVSRBindingSID",
        "TunnelEncapSubTLVSRSegmentList",
        "TunnelEncapSubTLVSRPreference",
        "TunnelEncapSubTLVSRPriority",
    }
    name, bsid = unpacked(found["TunnelEncapSubTLVSRBindingSID"].bsid)
    assert (name, bsid.sid) == ("SRBindingSID", IPv6Address("cafe::1").packed)


def test_only_the_last_segment_says_its_behaviour() -> None:
    found = sub_tlvs(path_of(PLAIN))["TunnelEncapSubTLVSRSegmentList"]
    first, last = (unpacked(box)[1] for box in found.segments)
    assert not first.HasField("endpoint_behavior_structure")
    assert (last.flags.b_flag, last.endpoint_behavior_structure.behavior) == (True, 19)


def test_a_withdrawal_names_the_nlri_and_the_next_hop() -> None:
    path = withdrawal_of(PLAIN)
    assert path.is_withdraw
    assert [name for name, _ in map(unpacked, path.pattrs)] == ["NextHopAttribute"]
    found = announced(path)
    assert found is not None
    assert (found.nlri, found.next_hop, found.lists) == (PLAIN.nlri, "fd22::ffff", ())


FOREIGN = {
    "attribute": packed("Any"),
    "community": packed("CommunitiesAttribute", communities=[0xFFFFFF02, 5]),
    "extended": packed("ExtendedCommunitiesAttribute", communities=[packed("SRWeight", weight=1)]),
    "tunnel": packed("TunnelEncapAttribute", tlvs=[new("TunnelEncapTLV", type=8)]),
    "name": packed(
        "TunnelEncapAttribute",
        tlvs=[
            new(
                "TunnelEncapTLV",
                type=15,
                tlvs=[new("Any", type_url="type.googleapis.com/apipb.TunnelEncapSubTLVSRCandidatePathName")],
            )
        ],
    ),
    "label": packed(
        "TunnelEncapAttribute",
        tlvs=[
            new(
                "TunnelEncapTLV",
                type=15,
                tlvs=[
                    packed(
                        "TunnelEncapSubTLVSRSegmentList",
                        segments=[new("Any", type_url="type.googleapis.com/apipb.SegmentTypeA")],
                    )
                ],
            )
        ],
    ),
    "short": packed(
        "TunnelEncapAttribute",
        tlvs=[
            new(
                "TunnelEncapTLV",
                type=15,
                tlvs=[
                    packed("TunnelEncapSubTLVSRBindingSID", bsid=packed("SRBindingSID", sid=b"1234")),
                ],
            )
        ],
    ),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_whatever_else_stands_in_a_path_makes_it_differ(what: str) -> None:
    path = path_of(PLAIN)
    path.pattrs.append(FOREIGN[what])
    found = announced(path)
    assert found is not None
    assert found.unknown
    assert spec_of(found) != spec_of(PLAIN)


def test_what_speakers_add_on_the_way_says_nothing_of_the_policy() -> None:
    path = path_of(PLAIN)
    for name in ("AsPathAttribute", "LocalPrefAttribute", "ClusterListAttribute"):
        path.pattrs.append(new("Any", type_url=f"type.googleapis.com/apipb.{name}"))
    assert announced(path) == PLAIN


def test_what_is_no_policy_of_ipv6_is_none() -> None:
    prefix = packed("IPAddressPrefix", prefix="10.0.0.0", prefix_len=8)
    assert announced(new("Path", nlri=prefix)) is None
    assert announced(new("Path", nlri=packed("SRPolicyNLRI", endpoint=b"1234"))) is None


@pytest.mark.parametrize("broken", [{"afi": 1}, {"lists": [{}]}, {"bsid": ...}])
def test_a_spec_that_is_none_is_refused(broken: dict[str, Any]) -> None:
    spec = spec_of(PLAIN) | broken
    if spec["bsid"] is ...:
        del spec["bsid"]
    with pytest.raises((KeyError, TypeError, ValueError)):
        announced_as(spec)
