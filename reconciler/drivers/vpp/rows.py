"""The few answers that come in by the ten thousand, read by hand.

As in `codec`: bound to a CRC, and left to vpp-papi wherever anything is odd. Values equal what `definitions`
makes of the same bytes; the tests prove it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from socket import AF_INET, inet_ntop
from typing import Any, Final

from reconciler.drivers.vpp.addresses import prefix_text, text6

Unpacker = Callable[[bytes], dict[str, Any]]
"""From a whole message to its fields."""

_ENTRIES: Final = 16
"""Length of the arrays of SIDs and of labels."""

_POLICY_ROW: Final = struct.Struct(">6x16s16sB?IB")
_INDEXED_ROW: Final = struct.Struct(">6x16s??IB")
_LIST: Final = struct.Struct(">BI256s")
_INDEXED_LIST: Final = struct.Struct(">BII256s")
_STEERING_ROW: Final = struct.Struct(">6xBI18sI16s")
_LOCALSID_ROW: Final = struct.Struct(">6x16s?BIIB16sI")
_ROUTE_ROW: Final = struct.Struct(">II18sB")
_PATH_ROW: Final = struct.Struct(">IIIBBIII16sIIIB")
_COUNTER: Final = struct.Struct(">10xI")
_LABEL: Final = struct.Struct(">BIBB")
_PATH_SIZE: Final = _PATH_ROW.size + _ENTRIES * _LABEL.size
_PATH_FIELDS: Final = (
    "sw_if_index",
    "table_id",
    "rpf_id",
    "weight",
    "preference",
    "type",
    "flags",
    "proto",
)
_LABEL_FIELDS: Final = ("is_uniform", "label", "ttl", "exp")


def _texts(sids: bytes, count: int) -> tuple[str, ...]:
    """Return the first so many of 16 SIDs as text."""
    if count == 1:
        return (text6[sids[:16]],)
    return tuple([text6[sids[at : at + 16]] for at in range(0, 16 * min(count, _ENTRIES), 16)])


def _any_address(family: int, raw: bytes) -> str:
    return text6[raw] if family else inet_ntop(AF_INET, raw[:4])


def _policy_row(data: bytes) -> dict[str, Any]:
    bsid, source, kind, encap, table, count = _POLICY_ROW.unpack_from(data)
    lists = []
    for at in range(_POLICY_ROW.size, _POLICY_ROW.size + count * _LIST.size, _LIST.size):
        many, weight, sids = _LIST.unpack_from(data, at)
        lists.append({"num_sids": many, "weight": weight, "sids": _texts(sids, many)})
    return {
        "bsid": text6[bsid],
        "encap_src": text6[source],
        "type": kind,
        "is_encap": encap,
        "fib_table": table,
        "num_sid_lists": count,
        "sid_lists": tuple(lists),
    }


def _indexed_row(data: bytes) -> dict[str, Any]:
    bsid, spray, encap, table, count = _INDEXED_ROW.unpack_from(data)
    lists = []
    for at in range(_INDEXED_ROW.size, _INDEXED_ROW.size + count * _INDEXED_LIST.size, _INDEXED_LIST.size):
        many, weight, index, sids = _INDEXED_LIST.unpack_from(data, at)
        lists.append({"num_sids": many, "weight": weight, "sl_index": index, "sids": _texts(sids, many)})
    return {
        "bsid": text6[bsid],
        "is_spray": spray,
        "is_encap": encap,
        "fib_table": table,
        "num_sid_lists": count,
        "sid_lists": tuple(lists),
    }


def _steering_row(data: bytes) -> dict[str, Any]:
    kind, table, prefix, interface, bsid = _STEERING_ROW.unpack_from(data)
    return {
        "traffic_type": kind,
        "fib_table": table,
        "prefix": prefix_text[prefix],
        "sw_if_index": interface,
        "bsid": text6[bsid],
    }


def _localsid_row(data: bytes) -> dict[str, Any]:
    sid, psp, behavior, table, vlan, family, hop, where = _LOCALSID_ROW.unpack_from(data)
    return {
        "addr": text6[sid],
        "end_psp": psp,
        "behavior": behavior,
        "fib_table": table,
        "vlan_index": vlan,
        "xconnect_nh_addr": _any_address(family, hop),
        "xconnect_iface_or_vrf_table": where,
    }


def _route_row(data: bytes) -> dict[str, Any]:
    return {"route": _route_fields(data, 6, {})}


def _route_row_v2(data: bytes) -> dict[str, Any]:
    return {"route": _route_fields(data, 6, {"src": data[6 + _ROUTE_ROW.size]})}


def _looked_up(data: bytes) -> dict[str, Any]:
    return {"route": _route_fields(data, 10, {"src": data[10 + _ROUTE_ROW.size]})}


def _route_fields(data: bytes, at: int, more: dict[str, Any]) -> dict[str, Any]:
    """Return the route that begins at an offset; `more` is the byte that newer messages have before paths."""
    table, index, prefix, count = _ROUTE_ROW.unpack_from(data, at)
    start = at + _ROUTE_ROW.size + len(more)
    ends = range(start, start + count * _PATH_SIZE, _PATH_SIZE)
    return {
        "table_id": table,
        "stats_index": index,
        "prefix": prefix_text[prefix],
        "n_paths": count,
        **more,
        "paths": tuple([_path_fields(data, at) for at in ends]),
    }


def _path_fields(data: bytes, start: int) -> dict[str, Any]:
    *plain, hop, via, what, classified, count = _PATH_ROW.unpack_from(data, start)
    labels = start + _PATH_ROW.size
    ends = range(labels, labels + min(count, _ENTRIES) * _LABEL.size, _LABEL.size)
    found: dict[str, Any] = dict(zip(_PATH_FIELDS, plain, strict=True))
    found["nh"] = {
        "address": {"ip4": inet_ntop(AF_INET, hop[:4]), "ip6": text6[hop]},
        "via_label": via,
        "obj_id": what,
        "classify_table_index": classified,
    }
    found["n_labels"] = count
    found["label_stack"] = tuple(
        [dict(zip(_LABEL_FIELDS, _LABEL.unpack_from(data, at), strict=True)) for at in ends]
    )
    if len(data) < start + _PATH_SIZE:
        raise ValueError
    return found


def _stats_index(data: bytes) -> dict[str, Any]:
    return {"stats_index": _COUNTER.unpack(data)[0]}


UNPACKERS: Final[Mapping[tuple[str, str], Unpacker]] = {
    ("ip_route_add_del_reply", "1992deab"): _stats_index,
    ("ip_route_add_del_v2_reply", "1992deab"): _stats_index,
    ("ip_route_details", "bda8f315"): _route_row,
    ("ip_route_v2_details", "b09aa6c0"): _route_row_v2,
    ("ip_route_lookup_v2_reply", "84cc9e03"): _looked_up,
    ("sr_localsids_details", "2e9221b9"): _localsid_row,
    ("sr_policies_v2_details", "96dcb699"): _policy_row,
    ("sr_policies_with_sl_index_details", "ca2e9bc8"): _indexed_row,
    ("sr_steering_pol_details", "d41258c9"): _steering_row,
}
