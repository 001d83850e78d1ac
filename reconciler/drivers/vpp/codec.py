"""The few requests that go out by the ten thousand, packed by hand.

Each packer is bound to the CRC of the message that it was written for: any other goes through vpp-papi, and
so do arguments that a packer raises about. Bytes equal those of vpp-papi; the tests prove it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from socket import AF_INET, AF_INET6, inet_pton
from typing import Any, Final

from reconciler.drivers.vpp.addresses import packed6, packed_prefix

Packer = Callable[[Mapping[str, Any]], bytes]
"""From the arguments of a request to its bytes after the context."""

SHY: Final = (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError, struct.error)
"""What packers, and those who read rows, raise where vpp-papi shall decide."""

_ENTRIES: Final = 16
"""Length of the arrays of SIDs and of labels."""

_ARMS: Final = {"ip4": AF_INET, "ip6": AF_INET6}
_BOOL: Final[Mapping[Any, bytes]] = {False: b"\0", True: b"\1"}
_POLICY_ADD: Final = struct.Struct(">16sI??IBI256s")
_POLICY_MOD: Final = struct.Struct(">16sIIBIIBI256s")
_POLICY_DEL: Final = struct.Struct(">16sI")
_STEERING: Final = struct.Struct(">?16sII18sIB")
_LOCALSID: Final = struct.Struct(">?16s?BIII17s")
_LOOKUP: Final = struct.Struct(">IB18s")
_ROUTE: Final = struct.Struct(">1s?II18sB")
_PATH: Final = struct.Struct(">IIIBBIII16sIIIB112x")


def _exactly(arguments: Mapping[str, Any], count: int) -> None:
    """Raise where there are more arguments than the packer takes."""
    if len(arguments) != count:
        raise ValueError


def _sids(item: Mapping[str, Any]) -> bytes:
    sids = item["sids"]
    _exactly(sids, _ENTRIES)
    return b"".join(map(packed6.__getitem__, sids))


def _address(text: str) -> bytes:
    return b"\1" + packed6[text] if ":" in text else b"\0" + inet_pton(AF_INET, text) + bytes(12)


def _policy_add(arguments: Mapping[str, Any]) -> bytes:
    _exactly(arguments, 6)
    sids = arguments["sids"]
    return _POLICY_ADD.pack(
        packed6[arguments["bsid_addr"]],
        arguments["weight"],
        arguments["is_encap"],
        arguments["is_spray"],
        arguments["fib_table"],
        sids["num_sids"],
        sids["weight"],
        _sids(sids),
    )


def _policy_mod(arguments: Mapping[str, Any]) -> bytes:
    _exactly(arguments, 7)
    sids = arguments["sids"]
    return _POLICY_MOD.pack(
        packed6[arguments["bsid_addr"]],
        arguments["sr_policy_index"],
        arguments["fib_table"],
        arguments["operation"],
        arguments["sl_index"],
        arguments["weight"],
        sids["num_sids"],
        sids["weight"],
        _sids(sids),
    )


def _policy_del(arguments: Mapping[str, Any]) -> bytes:
    _exactly(arguments, 2)
    return _POLICY_DEL.pack(packed6[arguments["bsid_addr"]], arguments["sr_policy_index"])


def _steering(arguments: Mapping[str, Any]) -> bytes:
    _exactly(arguments, 7)
    return _STEERING.pack(
        arguments["is_del"],
        packed6[arguments["bsid_addr"]],
        arguments["sr_policy_index"],
        arguments["table_id"],
        packed_prefix[arguments["prefix"]],
        arguments["sw_if_index"],
        arguments["traffic_type"],
    )


def _localsid(arguments: Mapping[str, Any]) -> bytes:
    _exactly(arguments, 8)
    return _LOCALSID.pack(
        arguments["is_del"],
        packed6[arguments["localsid"]],
        arguments["end_psp"],
        arguments["behavior"],
        arguments["sw_if_index"],
        arguments["vlan_index"],
        arguments["fib_table"],
        _address(arguments["nh_addr"]),
    )


def _route(arguments: Mapping[str, Any]) -> bytes:
    route = arguments["route"]
    return _route_head(arguments, route) + b"".join(map(_path, route["paths"]))


def _route_v2(arguments: Mapping[str, Any]) -> bytes:
    route = arguments["route"]
    return (
        _route_head(arguments, route) + struct.pack(">B", route["src"]) + b"".join(map(_path, route["paths"]))
    )


def _route_head(arguments: Mapping[str, Any], route: Mapping[str, Any]) -> bytes:
    _exactly(arguments, 3)
    _exactly(route["paths"], route["n_paths"])
    return _ROUTE.pack(
        _BOOL[arguments["is_add"]],
        arguments["is_multipath"],
        route["table_id"],
        route["stats_index"],
        packed_prefix[route["prefix"]],
        route["n_paths"],
    )


def _path(path: Mapping[str, Any]) -> bytes:
    hop, labels = path["nh"], path["label_stack"]
    _exactly(labels, _ENTRIES)
    if any(labels):
        raise ValueError
    ((arm, address),) = hop["address"].items()
    return _PATH.pack(
        path["sw_if_index"],
        path["table_id"],
        path["rpf_id"],
        path["weight"],
        path["preference"],
        path["type"],
        path["flags"],
        path["proto"],
        inet_pton(_ARMS[arm], address),
        hop.get("via_label", 0),
        hop.get("obj_id", 0),
        hop.get("classify_table_index", 0),
        path["n_labels"],
    )


def _lookup(arguments: Mapping[str, Any]) -> bytes:
    _exactly(arguments, 3)
    return _LOOKUP.pack(arguments["table_id"], arguments["exact"], packed_prefix[arguments["prefix"]])


PACKERS: Final[Mapping[tuple[str, str], Packer]] = {
    ("ip_route_add_del", "b8ecfe0d"): _route,
    ("ip_route_add_del_v2", "521ef330"): _route_v2,
    ("ip_route_lookup_v2", "710d6471"): _lookup,
    ("sr_localsid_add_del", "5a36c324"): _localsid,
    ("sr_policy_add", "44ac92e8"): _policy_add,
    ("sr_policy_del", "cb4d48d5"): _policy_del,
    ("sr_policy_mod", "b97bb56e"): _policy_mod,
    ("sr_steering_add_del", "e46b0a0f"): _steering,
}
