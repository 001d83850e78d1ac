"""Requests in the words of tests, and everything that a VPP shows of itself, so that two can be compared."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface
from typing import Any, NamedTuple

from tests.vppd.fib import ADJ, RR, masked
from tests.vppd.peer import Fields, Peer
from tests.vppd.pool import NONE

END, DT6, DT4 = 1, 8, 9


class Request(NamedTuple):
    """One message."""

    name: str
    fields: Fields


def raw(address: str) -> bytes:
    """Return the bytes of an address."""
    return ip_address(address).packed


def address(text: str) -> Fields:
    """Return an address as messages have it."""
    return {"af": int(":" in text), "un": raw(text)}


def prefix(text: str) -> Fields:
    """Return a prefix as messages have it, host bits included."""
    found = ip_interface(text)
    return {"address": address(str(found.ip)), "len": found.network.prefixlen}


def table(number: int, *, v6: bool = False, add: bool = True, name: str = "") -> Request:
    """Add or delete a table."""
    said = {"table_id": number, "is_ip6": v6, "name": name}
    return Request("ip_table_add_del", {"is_add": add, "table": said})


def lookup(to: str, number: int = 0, *, exact: bool = True) -> Request:
    """Ask for the route of a prefix."""
    return Request("ip_route_lookup_v2", {"table_id": number, "exact": int(exact), "prefix": prefix(to)})


class Via(NamedTuple):
    """Where a route goes."""

    interface: int = NONE
    next_hop: str = ""
    table: int = 0
    type: int = 0
    weight: int = 1


DROP = Via(type=2)


def route(to: str, *via: Via, table: int = 0, add: bool = True, src: int = 0, **more: Any) -> Request:
    """Add or delete a route; of the API's own source where none is said."""
    v6 = ":" in to
    paths = [
        {
            "sw_if_index": hop.interface,
            "table_id": hop.table,
            "weight": hop.weight,
            "type": hop.type,
            "proto": int(v6),
            "nh": {"address": raw(hop.next_hop) if hop.next_hop else b""},
        }
        for hop in via
    ]
    said = {"table_id": table, "prefix": prefix(to), "n_paths": len(paths), "src": src, "paths": paths}
    return Request("ip_route_add_del_v2", {"is_add": add, "is_multipath": False, "route": said, **more})


def localsid(
    sid: str, other: int = NONE, *, behavior: int = DT4, fib: int = 0, add: bool = True, hop: str = "::"
) -> Request:
    """Add or delete a SID; `other` is its table or interface."""
    return Request(
        "sr_localsid_add_del",
        {
            "is_del": not add,
            "localsid": raw(sid),
            "behavior": behavior,
            "sw_if_index": other,
            "fib_table": fib,
            "nh_addr": address(hop),
        },
    )


def sids(*items: str, weight: int = 1, count: int | None = None) -> Fields:
    """Return a segment list."""
    return {
        "num_sids": len(items) if count is None else count,
        "weight": weight,
        "sids": [raw(item) for item in items[:16]],
    }


def policy(
    bsid: str, said: Fields, *, fib: int = 0, encap: bool = True, kind: int = 0, source: str = "::"
) -> Request:
    """Add a policy."""
    return Request(
        "sr_policy_add_v2",
        {
            "bsid_addr": raw(bsid),
            "weight": 9,
            "is_encap": encap,
            "type": kind,
            "fib_table": fib,
            "sids": said,
            "encap_src": raw(source),
        },
    )


def change(bsid: str, operation: int, said: Fields, index: int = NONE, source: str = "::") -> Request:
    """Add a segment list to a policy, delete or reweigh one."""
    return Request(
        "sr_policy_mod_v2",
        {
            "bsid_addr": raw(bsid),
            "sr_policy_index": NONE,
            "operation": operation,
            "sl_index": index,
            "sids": said,
            "encap_src": raw(source),
        },
    )


def no_policy(bsid: str) -> Request:
    """Delete a policy."""
    return Request("sr_policy_del", {"bsid_addr": raw(bsid), "sr_policy_index": NONE})


def steer(
    to: str,
    bsid: str = "::",
    *,
    table: int = 0,
    add: bool = True,
    traffic: int | None = None,
    interface: int = NONE,
) -> Request:
    """Steer a prefix into a policy, or no more."""
    return Request(
        "sr_steering_add_del",
        {
            "is_del": not add,
            "bsid_addr": raw(bsid),
            "sr_policy_index": NONE,
            "table_id": table,
            "prefix": prefix(to),
            "sw_if_index": interface,
            "traffic_type": traffic or (6 if ":" in to else 4),
        },
    )


def on_interface(index: int, text: str, *, add: bool = True) -> Request:
    """Give an interface an address, or take it."""
    said = {"sw_if_index": index, "is_add": add, "prefix": prefix(text)}
    return Request("sw_interface_add_del_address", said)


def into_table(index: int, number: int, *, v6: bool = False) -> Request:
    """Put an interface into a table."""
    return Request("sw_interface_set_table", {"sw_if_index": index, "is_ipv6": v6, "vrf_id": number})


def state(index: int, *, up: bool = True) -> Request:
    """Let an interface work, or not."""
    return Request("sw_interface_set_flags", {"sw_if_index": index, "flags": int(up)})


def loopback() -> Request:
    """Make a loopback interface."""
    return Request("create_loopback", {})


def source(text: str) -> Request:
    """Set the source of what is encapsulated."""
    return Request("sr_set_encap_source", {"encaps_source": raw(text)})


def hop_limit(value: int) -> Request:
    """Set the hop limit of what is encapsulated."""
    return Request("sr_set_encap_hop_limit", {"hop_limit": value})


def comparable(answer: Fields) -> Fields:
    """Return an answer without the numbers of counters, which each VPP draws for itself."""
    plain = {name: comparable(value) if isinstance(value, dict) else value for name, value in answer.items()}
    plain.pop("stats_index", None)
    return plain


_WHOLE = (
    "sr_localsids_dump",
    "sr_policies_v2_dump",
    "sr_policies_with_sl_index_dump",
    "sr_policies_dump",
    "sr_steering_pol_dump",
    "ip_table_dump",
)


def everything(peer: Peer) -> dict[str, Any]:
    """Return all that a VPP shows; lists in VPP's order, routes sorted, without what resolution adds."""
    found: dict[str, Any] = {name: peer.rows(name) for name in _WHOLE}
    for row in found["ip_table_dump"]:
        said = row["table"]
        if said["table_id"] != NONE:
            routes = [_route(row["route"]) for row in peer.rows("ip_route_v2_dump", src=0, table=said)]
            key = f"routes of {said['table_id']} {'v6' if said['is_ip6'] else 'v4'}"
            found[key] = sorted(route for route in routes if route[1] not in (RR, ADJ))
    interfaces = peer.rows("sw_interface_dump", sw_if_index=NONE)
    found["interfaces"] = interfaces
    for item in interfaces:
        index = item["sw_if_index"]
        for v6 in (False, True):
            rows = peer.rows("ip_address_dump", sw_if_index=index, is_ipv6=v6)
            found[f"addresses of {index} {v6}"] = sorted(
                (row["prefix"]["address"]["un"], row["prefix"]["len"]) for row in rows
            )
            found[f"table of {index} {v6}"] = peer.ask(
                "sw_interface_get_table", sw_if_index=index, is_ipv6=v6
            )
    for command in ("show sr encaps source addr", "show sr encaps hop-limit"):
        found[command] = peer.ask("cli_inband", cmd=command)
    return found


def _route(said: Fields) -> tuple[Any, ...]:
    """Return a route without numbers that only one VPP gives it."""
    paths = [
        tuple(
            value if name != "nh" else value["address"]
            for name, value in path.items()
            if name != "label_stack"
        )
        for path in said["paths"]
    ]
    to = said["prefix"]
    size = 16 if to["address"]["af"] else 4
    return (masked(to["address"]["un"][:size], to["len"]), said["src"], sorted(paths))
