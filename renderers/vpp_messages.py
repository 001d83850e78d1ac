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
DELETE: Final = 2
WEIGHT: Final = 3
"""Operations of sr_policy_mod on a segment list; the last changes its weight and nothing else."""
HOP_LIMIT: Final = 64
"""Hop limit of what VPP encapsulates, until it is told another."""
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
    typed = [item for item in resources if item.key.family == FAMILY and item.key.type in ORDER]
    for resource in sorted(typed, key=lambda item: ORDER.index(item.key.type)):
        yield from creation(resource, interfaces)


def creation(resource: Resource, interfaces: Interfaces) -> Iterator[Operation]:
    """Yield the messages that create one object; the same ones change a route or a steering that stands."""
    yield from _MESSAGES[resource.key.type](resource.spec, interfaces)


def removal(resource: Resource) -> Iterator[Operation]:
    """Yield the messages that take one object away, said as it was added: VPP forgets it only then."""
    yield from _REMOVALS[resource.key.type](resource.spec)


def _table(spec: Mapping[str, Any], _interfaces: Interfaces) -> Iterator[Operation]:
    yield Operation("ip_table_add_del", {"is_add": True, "table": _named(spec)})


def _named(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"table_id": spec["id"], "is_ip6": spec["family"] == "ipv6", "name": spec["name"]}


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
    yield _sid(spec, is_del=False)


def _sid(spec: Mapping[str, Any], *, is_del: bool) -> Operation:
    # The table of End.DT4 and End.DT6 travels in sw_if_index; fib_table is where the SID itself is installed.
    return Operation(
        "sr_localsid_add_del",
        {
            "is_del": is_del,
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
        yield segment_list(spec["bsid"], ADD, item)


def segment_list(bsid: str, operation: int, item: Mapping[str, Any], index: int = NONE) -> Operation:
    """Return what adds a segment list to a policy, or reweighs or deletes the one with an index.

    Of weights VPP reads only that beside the SIDs; to change or delete a list, it ignores the SIDs.
    """
    return Operation(
        "sr_policy_mod",
        {
            "bsid_addr": bsid,
            "sr_policy_index": NONE,
            "fib_table": 0,
            "operation": operation,
            "sl_index": index,
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
    yield steer(spec, is_del=False)


def steer(spec: Mapping[str, Any], *, is_del: bool) -> Operation:
    """Return what steers a prefix into a policy, wherever it was steered before, or nowhere any more."""
    version = _version(spec["prefix"])
    if spec["family"] != f"ipv{version}":
        raise ValueError(f"steering of {spec['prefix']} as {spec['family']}")
    return Operation(
        "sr_steering_add_del",
        {
            "is_del": is_del,
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


def _no_table(spec: Mapping[str, Any]) -> Iterator[Operation]:
    yield Operation("ip_table_add_del", {"is_add": False, "table": _named(spec)})


def _no_route(spec: Mapping[str, Any]) -> Iterator[Operation]:
    route = {
        "table_id": spec["table"],
        "stats_index": 0,
        "prefix": spec["prefix"],
        "n_paths": 0,
        "paths": [],
    }
    yield Operation("ip_route_add_del", {"is_add": False, "is_multipath": False, "route": route})


def _no_encap(_spec: Mapping[str, Any]) -> Iterator[Operation]:
    yield from _encap({"address": "::", "hop_limit": HOP_LIMIT}, {})


def _no_localsid(spec: Mapping[str, Any]) -> Iterator[Operation]:
    yield _sid(spec, is_del=True)


def _no_policy(spec: Mapping[str, Any]) -> Iterator[Operation]:
    yield Operation("sr_policy_del", {"bsid_addr": spec["bsid"], "sr_policy_index": NONE})


def _no_steering(spec: Mapping[str, Any]) -> Iterator[Operation]:
    yield steer(spec, is_del=True)


_REMOVALS: Final[Mapping[str, Callable[[Mapping[str, Any]], Iterator[Operation]]]] = {
    "table": _no_table,
    "route": _no_route,
    "encap": _no_encap,
    "localsid": _no_localsid,
    "policy": _no_policy,
    "steering": _no_steering,
}
