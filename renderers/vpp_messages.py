"""VPP resources as messages of its binary API, in an order that is safe to send them in.

VPP checks little: an empty or too long SID list, a prefix of the wrong family or a missing table ends it or
corrupts it. So the limits are checked here once more, and what breaks them raises before anything is sent.
Argument names and defaults follow sr.api 2.1 and ip.api 3.2; fixed arrays are whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_interface, ip_network
from typing import Any, Final, NamedTuple

from renderers.resource import Resource
from renderers.vpp import MOST_SIDS

NONE: Final = 0xFFFFFFFF
"""An index that stands for nothing."""
ADD: Final = 1
DELETE: Final = 2
WEIGHT: Final = 3
"""Operations of sr_policy_mod on a segment list; the last changes its weight and nothing else."""
HOP_LIMIT: Final = 64
"""Hop limit of what VPP encapsulates, until it is told another."""
BEHAVIORS: Final[Mapping[str, int]] = {
    "End": 1,
    "End.X": 2,
    "End.T": 3,
    "End.DX2": 5,
    "End.DX6": 6,
    "End.DX4": 7,
    "End.DT6": 8,
    "End.DT4": 9,
    "uN.perf": 11,
    "uN": 12,
    "uA": 13,
}
"""Only the two that look up in a table are ever added by us; a SID of another sort can only go."""
END: Final = 1
_GOING: Final = {name: BEHAVIORS[name] for name in ("End.DT6", "End.DT4", "uN.perf", "uN", "uA")}
"""Behaviours that a SID goes with; with that of End, VPP does not ask for the interface of any other."""
ORDER: Final = ("table", "interface", "address", "route", "encap", "localsid", "policy", "steering")
LABELS: Final = 16
"""Length of the label stack of a path."""
MARK: Final = "intentc/"
"""What the names of our tables and the tags of our interfaces begin with."""
HOST: Final = "host-"
"""What VPP's names of interfaces of the host begin with."""
DROP: Final = 2
"""Type of a path that discards."""
UP: Final = 1
"""Flag of an interface that is up as far as we are concerned."""

Interfaces = Mapping[str, int]
"""sw_if_index by name of the interface."""


@dataclass(frozen=True, slots=True)
class Site:
    """What a VPP calls things, from its dumps."""

    interfaces: Interfaces = field(default_factory=dict)
    source: int = 0
    """Id of the FIB source that marks our routes; 0 is that of anybody who uses the API."""


class Operation(NamedTuple):
    """One message: its name, and all its arguments but the context."""

    message: str
    arguments: Mapping[str, Any]


Operations = tuple[Operation, ...]


def opening(resource: Resource) -> Operation:
    """Return what makes VPP take an interface of the host; its answer is the index that all else needs."""
    return Operation(
        "af_packet_create_v3",
        {
            "mode": 1,
            "hw_addr": "00:00:00:00:00:00",
            "use_random_hw_addr": True,
            "host_if_name": resource.spec["host"],
            "rx_frame_size": 0,
            "tx_frame_size": 0,
            "rx_frames_per_block": 0,
            "tx_frames_per_block": 0,
            "flags": 0,
            "num_rx_queues": 1,
            "num_tx_queues": 1,
        },
    )


def creation(resource: Resource, site: Site) -> Operations:
    """Return the messages that create one object; the same ones change a route or a steering that stands.

    Those of an interface set it up, once VPP has taken it (`opening`). ValueError where VPP would be harmed,
    KeyError where it has no such interface.
    """
    if resource.key.type in ("interface", "address"):
        name = resource.spec.get("interface", resource.key.name)
        return _ON_INTERFACES[resource.key.type](resource.spec, site.interfaces[name])
    return _MESSAGES[resource.key.type](resource.spec, site)


def removal(resource: Resource, site: Site) -> Operations:
    """Return the messages that take one object away, said as it was added: VPP forgets it only then."""
    return _REMOVALS[resource.key.type](resource.spec, site)


def _interface(spec: Mapping[str, Any], index: int) -> Operations:
    # The mark first: what is half done is then seen as ours, and finished.
    tag = f"{MARK}{spec['host']}"
    return (
        Operation("sw_interface_tag_add_del", {"is_add": True, "sw_if_index": index, "tag": tag}),
        *(in_table(index, family, spec["tables"].get(family, 0)) for family in ("ipv4", "ipv6")),
        Operation("sw_interface_set_flags", {"sw_if_index": index, "flags": UP if spec["up"] else 0}),
    )


def in_table(index: int, family: str, table: int) -> Operation:
    """Return what puts an interface without addresses of a family into a table."""
    return Operation(
        "sw_interface_set_table", {"sw_if_index": index, "is_ipv6": family == "ipv6", "vrf_id": table}
    )


def _address(spec: Mapping[str, Any], index: int) -> Operations:
    return (addressed(index, spec["prefix"], is_add=True),)


def addressed(index: int, prefix: str, *, is_add: bool) -> Operation:
    """Return what gives an interface an address, or takes it; ValueError where it is none."""
    arguments = {
        "sw_if_index": index,
        "is_add": is_add,
        "del_all": False,
        "prefix": str(ip_interface(prefix)),
    }
    return Operation("sw_interface_add_del_address", arguments)


_ON_INTERFACES: Final[Mapping[str, Callable[[Mapping[str, Any], int], Operations]]] = {
    "interface": _interface,
    "address": _address,
}


def _table(spec: Mapping[str, Any], _site: Site) -> Operations:
    return (Operation("ip_table_add_del", {"is_add": True, "table": _named(spec)}),)


def _named(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"table_id": spec["id"], "is_ip6": spec["family"] == "ipv6", "name": spec["name"]}


def _route(spec: Mapping[str, Any], site: Site) -> Operations:
    version = ip_version(spec["prefix"])
    path = {
        "sw_if_index": site.interfaces[spec["interface"]] if "interface" in spec else NONE,
        "table_id": spec.get("lookup", 0),
        "rpf_id": 0,
        "weight": spec.get("weight", 1),
        "preference": 0,
        "type": DROP if spec.get("drop") else 0,
        "flags": 0,
        "proto": 0 if version == 4 else 1,  # noqa: PLR2004 -- the IP version
        "nh": _next_hop(spec.get("next_hop"), version),
        "n_labels": 0,
        "label_stack": [{}] * LABELS,
    }
    return (_routed(spec, site, [path], is_add=True),)


def _routed(spec: Mapping[str, Any], site: Site, paths: list[dict[str, Any]], *, is_add: bool) -> Operation:
    route = {
        "table_id": spec["table"],
        "stats_index": 0,
        "prefix": spec["prefix"],
        "n_paths": len(paths),
        "src": site.source,
        "paths": paths,
    }
    return Operation("ip_route_add_del_v2", {"is_add": is_add, "is_multipath": False, "route": route})


def _next_hop(address: str | None, version: int) -> dict[str, Any]:
    """Return the next hop; the unspecified address means a lookup in `table_id`."""
    if address is not None and (":" in address) != (version == 6):  # noqa: PLR2004 -- the IP version
        raise ValueError(f"next hop {address} is not an IPv{version} address")
    name = f"ip{version}"
    return {"address": {name: address or ("0.0.0.0" if version == 4 else "::")}}  # noqa: PLR2004, S104 -- the IP version; not a bind


def _encap(spec: Mapping[str, Any], _site: Site) -> Operations:
    return (
        Operation("sr_set_encap_source", {"encaps_source": spec["address"]}),
        Operation("sr_set_encap_hop_limit", {"hop_limit": spec["hop_limit"]}),
    )


def _localsid(spec: Mapping[str, Any], _site: Site) -> Operations:
    return (_sid(spec, is_del=False),)


def _sid(spec: Mapping[str, Any], *, is_del: bool) -> Operation:
    # The table of End.DT4 and End.DT6 travels in sw_if_index; fib_table is where the SID itself is installed.
    behavior = BEHAVIORS[spec["behavior"]] if not is_del else _GOING.get(spec["behavior"], END)
    return Operation(
        "sr_localsid_add_del",
        {
            "is_del": is_del,
            "localsid": spec["sid"],
            "end_psp": False,
            "behavior": behavior,
            "sw_if_index": spec["table"],
            "vlan_index": 0,
            "fib_table": spec["fib_table"],
            "nh_addr": "::",
        },
    )


def _policy(spec: Mapping[str, Any], _site: Site) -> Operations:
    first, *more = spec["lists"]
    made = Operation(
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
    return made, *[segment_list(spec["bsid"], ADD, item) for item in more]


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


def _steering(spec: Mapping[str, Any], _site: Site) -> Operations:
    return (steer(spec, is_del=False),)


def steer(spec: Mapping[str, Any], *, is_del: bool) -> Operation:
    """Return what steers a prefix into a policy, wherever it was steered before, or nowhere any more."""
    # What others steered with host bits goes as it came.
    version = (6 if ":" in spec["prefix"] else 4) if is_del else ip_version(spec["prefix"])
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


@lru_cache(maxsize=65536)
def ip_version(prefix: str) -> int:
    """Return the IP version of a prefix; ValueError for host bits, which VPP keeps as a second entry."""
    if ":" in prefix:
        return ip_network(prefix).version
    # By hand, since ip_network takes longer than all else about a message.
    address, _, length = prefix.partition("/")
    try:
        first, second, third, fourth = parts = [int(part) for part in address.split(".")]
        number, bits = first << 24 | second << 16 | third << 8 | fourth, int(length)
    except ValueError as error:
        raise ValueError(f"{prefix} is no prefix") from error
    if not 0 <= bits <= 32 or number & (0xFFFFFFFF >> bits) or not 0 <= min(parts) <= max(parts) <= 255:  # noqa: PLR2004 -- of IPv4
        raise ValueError(f"{prefix} is no prefix without host bits")
    return 4


_MESSAGES: Final[Mapping[str, Callable[[Mapping[str, Any], Site], Operations]]] = {
    "table": _table,
    "route": _route,
    "encap": _encap,
    "localsid": _localsid,
    "policy": _policy,
    "steering": _steering,
}


def _no_table(spec: Mapping[str, Any], _site: Site) -> Operations:
    return (Operation("ip_table_add_del", {"is_add": False, "table": _named(spec)}),)


def _no_interface(spec: Mapping[str, Any], _site: Site) -> Operations:
    return (Operation("af_packet_delete", {"host_if_name": spec["host"]}),)


def _no_address(spec: Mapping[str, Any], site: Site) -> Operations:
    return (addressed(site.interfaces[spec["interface"]], spec["prefix"], is_add=False),)


def _no_route(spec: Mapping[str, Any], site: Site) -> Operations:
    return (_routed(spec, site, [], is_add=False),)


def _no_encap(_spec: Mapping[str, Any], site: Site) -> Operations:
    return _encap({"address": "::", "hop_limit": HOP_LIMIT}, site)


def _no_localsid(spec: Mapping[str, Any], _site: Site) -> Operations:
    return (_sid(spec, is_del=True),)


def _no_policy(spec: Mapping[str, Any], _site: Site) -> Operations:
    return (Operation("sr_policy_del", {"bsid_addr": spec["bsid"], "sr_policy_index": NONE}),)


def _no_steering(spec: Mapping[str, Any], _site: Site) -> Operations:
    return (steer(spec, is_del=True),)


_REMOVALS: Final[Mapping[str, Callable[[Mapping[str, Any], Site], Operations]]] = {
    "table": _no_table,
    "interface": _no_interface,
    "address": _no_address,
    "route": _no_route,
    "encap": _no_encap,
    "localsid": _no_localsid,
    "policy": _no_policy,
    "steering": _no_steering,
}
