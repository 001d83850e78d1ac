"""Arguments and rows of the messages that are packed by hand, as hypothesis draws them: plain or odd."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final

from hypothesis import strategies as st

Arguments = dict[str, Any]

u8 = st.integers(0, 2**8 - 1)
u32 = st.integers(0, 2**32 - 1) | st.sampled_from([0, 1, 2**32 - 1])
flags = st.booleans()
addresses4 = st.integers(0, 2**32 - 1).map(lambda number: str(IPv4Address(number)))
addresses6 = (
    st.integers(0, 2**128 - 1).map(lambda number: str(IPv6Address(number)))
    | st.integers(0, 2**32 - 1).map(lambda number: str(IPv6Address((0xFFFF << 32) + number)))
    | st.sampled_from(["::", "::1", "fcdd:1::", "FE80::1", "::ffff:10.0.0.1", "1:0:0:2:0:0:0:3"])
)
addresses = addresses4 | addresses6
prefixes = st.builds("{}/{}".format, addresses4, st.integers(0, 32)) | st.builds(
    "{}/{}".format, addresses6, st.integers(0, 128)
)
sid_lists = st.builds(
    lambda sids, weight, count: {
        "num_sids": count,
        "weight": weight,
        "sids": sids + ["::"] * (16 - len(sids)),
    },
    st.lists(addresses6, max_size=16),
    u32,
    u8,
)
next_hops = st.fixed_dictionaries(
    {"address": st.builds(lambda text: {"ip6" if ":" in text else "ip4": text}, addresses)},
    optional={"via_label": u32, "obj_id": u32, "classify_table_index": u32},
)
paths = st.fixed_dictionaries(
    {
        "sw_if_index": u32,
        "table_id": u32,
        "rpf_id": u32,
        "weight": u8,
        "preference": u8,
        "type": st.integers(0, 10),
        "flags": st.integers(0, 7),
        "proto": st.integers(0, 4),
        "nh": next_hops,
        "n_labels": u8,
        "label_stack": st.just([{}] * 16),
    }
)


def _routes(more: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Arguments]:
    fields = {"table_id": u32, "stats_index": u32, "prefix": prefixes, **more}
    routes = st.builds(
        lambda route, paths: {**route, "n_paths": len(paths), "paths": paths},
        st.fixed_dictionaries(fields),
        st.lists(paths, max_size=3),
    )
    return st.fixed_dictionaries({"is_add": flags, "is_multipath": flags, "route": routes})


REQUESTS: Final[Mapping[str, st.SearchStrategy[Arguments]]] = {
    "ip_route_add_del": _routes({}),
    "ip_route_add_del_v2": _routes({"src": u8}),
    "ip_route_lookup_v2": st.fixed_dictionaries({"table_id": u32, "exact": u8, "prefix": prefixes}),
    "sr_localsid_add_del": st.fixed_dictionaries(
        {
            "is_del": flags,
            "localsid": addresses6,
            "end_psp": flags,
            "behavior": st.integers(0, 13),
            "sw_if_index": u32,
            "vlan_index": u32,
            "fib_table": u32,
            "nh_addr": addresses,
        }
    ),
    "sr_policy_add": st.fixed_dictionaries(
        {
            "bsid_addr": addresses6,
            "weight": u32,
            "is_encap": flags,
            "is_spray": flags,
            "fib_table": u32,
            "sids": sid_lists,
        }
    ),
    "sr_policy_del": st.fixed_dictionaries({"bsid_addr": addresses6, "sr_policy_index": u32}),
    "sr_policy_mod": st.fixed_dictionaries(
        {
            "bsid_addr": addresses6,
            "sr_policy_index": u32,
            "fib_table": u32,
            "operation": st.integers(0, 3),
            "sl_index": u32,
            "weight": u32,
            "sids": sid_lists,
        }
    ),
    "sr_steering_add_del": st.fixed_dictionaries(
        {
            "is_del": flags,
            "bsid_addr": addresses6,
            "sr_policy_index": u32,
            "table_id": u32,
            "prefix": prefixes,
            "sw_if_index": u32,
            "traffic_type": st.sampled_from([2, 4, 6]),
        }
    ),
}
"""What the driver sends, by message."""

_ODD: Final = (
    st.none()
    | st.sampled_from(
        [True, -1, 0, 2**32, 1.5, "", "x", "::", "::/0", "10.0.0.0", "10.0.0.0/8/8", b"\1", b"a" * 16]
    )
    | st.sampled_from(
        [IPv6Address("::1"), [], ["::"] * 15, ["::"] * 17, {}, "fe80::1%lo", " ::", "::\0", "1::/ 8"]
    )
)


@st.composite
def odd(draw: st.DrawFn, message: str) -> Arguments:
    """Draw arguments of which one, at any depth, is missing, unknown or of another type."""
    arguments = draw(REQUESTS[message])
    place: Any = arguments
    while True:
        name = draw(st.sampled_from(list(place) if isinstance(place, dict) else list(range(len(place)))))
        inner = place[name]
        if isinstance(inner, (dict, list)) and inner and draw(st.booleans()):
            place[name] = inner.copy()
            place = place[name]
            continue
        how = draw(st.sampled_from(["other", "more", "less"])) if isinstance(place, dict) else "other"
        if how == "other":
            place[name] = draw(_ODD)
        elif how == "more":
            place["unknown"] = inner
        else:
            del place[name]
        return arguments


def _rows(head: int, each: int = 0, count_at: int = -1) -> st.SearchStrategy[bytes]:
    """Draw rows of `head` bytes, of which one counts the items of `each` bytes that follow."""

    def row(start: bytes, count: int, items: bytes, cut: int) -> bytes:
        counted = bytearray(start)
        if each:
            counted[count_at] = count
        return (bytes(counted) + items[: count * each].ljust(count * each, b"\7"))[: -cut or None]

    sizes = st.binary(min_size=head, max_size=head)
    # Wholly drawn bytes are rare beyond the first few items: the rest is filled up.
    return st.builds(row, sizes, st.integers(0, 3 if each else 0), st.binary(max_size=600), _cuts)


_cuts = st.just(0) | st.integers(0, 300)

ROWS: Final[Mapping[str, st.SearchStrategy[bytes]]] = {
    "ip_route_add_del_reply": _rows(14),
    "ip_route_add_del_v2_reply": _rows(14),
    "ip_route_details": _rows(33, 167),
    "ip_route_lookup_v2_reply": _rows(38, 167, -2),
    "ip_route_v2_details": _rows(34, 167, -2),
    "sr_localsids_details": _rows(53),
    "sr_policies_v2_details": _rows(45, 261),
    "sr_policies_with_sl_index_details": _rows(29, 265),
    "sr_steering_pol_details": _rows(49),
}
"""What VPP says, by message: any bytes at all, most of them as long as they should be."""
