"""VPP resources as messages of its binary API, in an order that is safe to send them in.

VPP checks little: an empty or too long SID list, a prefix of the wrong family or a missing table ends it or
corrupts it. So the limits are checked here once more, and what breaks them raises before anything is sent.
Argument names and defaults follow sr.api 2.1 and ip.api 3.2; vpp-papi wants fixed arrays whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, Final

from renderers.resource import Resource
from renderers.vpp import FAMILY, MOST_SIDS

NONE: Final = 0xFFFFFFFF
"""An index that stands for nothing."""
ADD: Final = 1
"""Operation of sr_policy_mod that adds a segment list."""
BEHAVIORS: Final[Mapping[str, int]] = {"End.DT6": 8, "End.DT4": 9}
ORDER: Final = ("table", "route", "encap", "localsid", "policy", "steering")
LABELS: Final = 16
"""Length of the label stack of a path."""

Interfaces = Mapping[str, int]
"""sw_if_index by name of the interface."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One message: its name, and all its arguments but the context."""

    message: str
    arguments: Mapping[str, Any]


def operations(resources: Iterable[Resource], interfaces: Interfaces) -> Iterator[Operation]:
    """Yield messages that create resources; ValueError where VPP would be harmed, KeyError: no interface."""
    rank = {kind: at for at, kind in enumerate(ORDER)}
    typed = [item for item in resources if item.key.family == FAMILY and item.key.type in rank]
    for resource in sorted(typed, key=lambda item: rank[item.key.type]):
        yield from _MESSAGES[resource.key.type](resource.spec, interfaces)


def _table(spec: Mapping[str, Any], _interfaces: Interfaces) -> Iterator[Operation]:
    table = {"table_id": spec["id"], "is_ip6": spec["family"] == "ipv6", "name": spec["name"]}
    yield Operation("ip_table_add_del", {"is_add": True, "table": table})


def _route(spec: Mapping[str, Any], interfaces: Interfaces) -> Iterator[Operation]:
    version = _version(spec["prefix"])
    path = {
        "sw_if_index": interfaces[spec["interface"]] if "interface" in spec else NONE,
        "table_id": spec.get("lookup", 0),
        "rpf_id": 0,
        "weight": 1,
        "preference": 0,
        "type": 0,
        "flags": 0,
        "proto": 0 if version == 4 else 1,  # noqa: PLR2004 -- the IP version
        "nh": _next_hop(spec.get("next_hop"), version),
        "n_labels": 0,
        "label_stack": [{}] * LABELS,
    }
    route = {
        "table_id": spec["table"],
        "stats_index": 0,
        "prefix": spec["prefix"],
        "n_paths": 1,
        "paths": [path],
    }
    yield Operation("ip_route_add_del", {"is_add": True, "is_multipath": False, "route": route})


def _next_hop(address: str | None, version: int) -> dict[str, Any]:
    """Return the next hop; the unspecified address means a lookup in `table_id`."""
    if address is not None and (":" in address) != (version == 6):  # noqa: PLR2004 -- the IP version
        raise ValueError(f"next hop {address} is not an IPv{version} address")
    name = f"ip{version}"
    return {"address": {name: address or ("0.0.0.0" if version == 4 else "::")}}  # noqa: PLR2004, S104 -- the IP version; not a bind


def _encap(spec: Mapping[str, Any], _interfaces: Interfaces) -> Iterator[Operation]:
    yield Operation("sr_set_encap_source", {"encaps_source": spec["address"]})
    yield Operation("sr_set_encap_hop_limit", {"hop_limit": spec["hop_limit"]})


def _localsid(spec: Mapping[str, Any], _interfaces: Interfaces) -> Iterator[Operation]:
    # The table of End.DT4 and End.DT6 travels in sw_if_index; fib_table is where the SID itself is installed.
    yield Operation(
        "sr_localsid_add_del",
        {
            "is_del": False,
            "localsid": spec["sid"],
            "end_psp": False,
            "behavior": BEHAVIORS[spec["behavior"]],
            "sw_if_index": spec["table"],
            "vlan_index": 0,
            "fib_table": spec["fib_table"],
            "nh_addr": "::",
        },
    )


def _policy(spec: Mapping[str, Any], _interfaces: Interfaces) -> Iterator[Operation]:
    first, *more = spec["lists"]
    yield Operation(
        "sr_policy_add",
        {
            "bsid_addr": spec["bsid"],
            "weight": first["weight"],
            "is_encap": spec["encap"],
            "is_spray": spec["type"] == "spray",
            "fib_table": spec["fib_table"],
            "sids": sid_list(first),
        },
    )
    for item in more:
        yield Operation(
            "sr_policy_mod",
            {
                "bsid_addr": spec["bsid"],
                "sr_policy_index": NONE,
                "fib_table": spec["fib_table"],
                "operation": ADD,
                "sl_index": NONE,
                "weight": item["weight"],
                "sids": sid_list(item),
            },
        )


def sid_list(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a segment list as the API holds it: always 16 entries; ValueError where it breaks a limit."""
    sids, weight = list(item["sids"]), item["weight"]
    if not 1 <= len(sids) <= MOST_SIDS:
        raise ValueError(f"a segment list holds 1 to {MOST_SIDS} SIDs, this one {len(sids)}")
    if not 1 <= weight < NONE:
        raise ValueError(f"weight {weight} of a segment list is not positive")
    return {"num_sids": len(sids), "weight": weight, "sids": sids + ["::"] * (MOST_SIDS - len(sids))}


def _steering(spec: Mapping[str, Any], _interfaces: Interfaces) -> Iterator[Operation]:
    version = _version(spec["prefix"])
    if spec["family"] != f"ipv{version}":
        raise ValueError(f"steering of {spec['prefix']} as {spec['family']}")
    yield Operation(
        "sr_steering_add_del",
        {
            "is_del": False,
            "bsid_addr": spec["bsid"],
            "sr_policy_index": NONE,
            "table_id": spec["table"],
            "prefix": spec["prefix"],
            "sw_if_index": NONE,
            "traffic_type": version,
        },
    )


def _version(prefix: str) -> int:
    """Return the IP version of a prefix; ValueError for host bits, which VPP keeps as a second entry."""
    return ip_network(prefix).version


_MESSAGES: Final[Mapping[str, Callable[[Mapping[str, Any], Interfaces], Iterator[Operation]]]] = {
    "table": _table,
    "route": _route,
    "encap": _encap,
    "localsid": _localsid,
    "policy": _policy,
    "steering": _steering,
}
