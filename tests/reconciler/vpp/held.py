"""What a VPP may hold, for tests: rows as the client gives them."""

from __future__ import annotations

from typing import Any

from reconciler.drivers.vpp.dumps import Interface, Seen

SOURCE = 23
SR = 5
NOTHING = 0xFFFFFFFF
PODS = "intentc/pods"
UNSAID = "0.0.0.0"  # noqa: S104 -- what an IPv4 next hop is that is none


def a_path(**said: Any) -> dict[str, Any]:
    """Return a path: a lookup in the main table of IPv6, but for what is said."""
    address = {"ip4": said.pop("ip4", UNSAID), "ip6": said.pop("ip6", "::")}
    path = {"sw_if_index": NOTHING, "table_id": 0, "type": 0, "proto": 1, "weight": 1}
    return path | {"nh": {"address": address}} | said


def a_route(table: int, prefix: str, *paths: dict[str, Any]) -> dict[str, Any]:
    """Return a row of a route dump."""
    several = paths or (a_path(type=2),)
    return {
        "table_id": table,
        "prefix": prefix,
        "n_paths": len(several),
        "src": SOURCE,
        "paths": several,
    }


def a_sid(sid: str, behavior: int = 9, table: int = 5, where: int = 0) -> dict[str, Any]:
    """Return a row of a localsid dump."""
    return {
        "addr": sid,
        "end_psp": False,
        "behavior": behavior,
        "fib_table": where,
        "xconnect_iface_or_vrf_table": table,
    }


def a_policy(bsid: str, *lists: tuple[int, tuple[str, ...]], **said: Any) -> dict[str, Any]:
    """Return a row of a policy dump."""
    rows = lists or ((1, ("fcdd:2::4",)),)
    policy = {
        "bsid": bsid,
        "encap_src": "fd11::1",
        "type": 0,
        "is_encap": True,
        "fib_table": 0,
        "num_sid_lists": len(rows),
        "sid_lists": tuple({"num_sids": len(sids), "weight": weight, "sids": sids} for weight, sids in rows),
    }
    return policy | said


def a_steering(table: int, prefix: str, bsid: str) -> dict[str, Any]:
    """Return a row of a steering dump."""
    return {
        "traffic_type": 6 if ":" in prefix else 4,
        "fib_table": table,
        "prefix": prefix,
        "sw_if_index": 0,
        "bsid": bsid,
    }


def seen(**said: Any) -> Seen:
    """Return a node as we make it, with something of everything, and what others have beside it."""
    rows: dict[str, Any] = {
        "sources": {4: "interface", SR: "SR", 8: "API", 20: "default-route", SOURCE: "intentc"},
        "tables": {
            (0, False): "ipv4-VRF:0",
            (0, True): "ipv6-VRF:0",
            (5, False): PODS,
            (5, True): PODS,
            (7, False): "theirs",
        },
        "interfaces": {
            "local0": Interface(0),
            "eth0": Interface(1),
            "host-vpp-pods": Interface(
                2, "intentc/vpp-pods", True, {"ipv4": 5, "ipv6": 5}, ("169.254.69.2/31",)
            ),
        },
        "routes": [
            a_route(0, "fcdd:1::/64"),
            a_route(0, "cafe:1::/112"),
            a_route(0, "fcdd::/48", a_path(sw_if_index=1, ip6="fd11::ffff")),
            a_route(5, "10.64.0.0/24", a_path(sw_if_index=2, ip4="169.254.69.3", proto=0)),
        ],
        "encap": ("fd11::1", 64),
        "localsids": [a_sid("fcdd:1::4"), a_sid("fcdd:1::6", 8), a_sid("fc99::1", 1, NOTHING)],
        "policies": [a_policy("cafe:1::1"), a_policy("cafe:1::2"), a_policy("beef::1")],
        "steering": [
            a_steering(5, "10.64.1.0/24", "cafe:1::1"),
            a_steering(7, "10.64.1.0/24", "beef::1"),
        ],
    } | said
    steering = {(row["fib_table"], row["prefix"]): row for row in rows["steering"]}
    ways = {
        place: a_route(*place, a_path(ip6=row["bsid"])) for place, row in steering.items() if place[0] == 5
    }
    return Seen(
        rows["sources"],
        rows["tables"],
        rows["interfaces"],
        {(row["table_id"], row["prefix"]): row for row in rows["routes"]},
        rows["encap"],
        {row["addr"]: row for row in rows["localsids"]},
        {row["bsid"]: row for row in rows["policies"]},
        steering,
        ways=ways | rows.get("ways", {}),
        dead=rows.get("dead", frozenset()),
    )
