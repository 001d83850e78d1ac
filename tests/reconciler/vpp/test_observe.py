"""What is seen of a VPP is what the renderers would write, and only ours."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.drivers.vpp.observe import inside, objects, ranges, resources
from renderers.resource import Key, Resource
from tests.reconciler.vpp.held import NOTHING, UNSAID, a_path, a_policy, a_route, a_sid, a_steering, seen

SCOPE = "node/edge/w1"


def shown(**said: Any) -> dict[str, dict[str, Any]]:
    """Return the specs of what is ours, by type and name."""
    return {f"{key.type} {key.name}": dict(one.spec) for key, one in resources(seen(**said), SCOPE).items()}


def test_what_is_ours_is_listed_as_it_is_rendered() -> None:
    lists = [{"weight": 1, "sids": ["fcdd:2::4"]}]
    sort = {"encap": True, "type": "default", "fib_table": 0}
    assert shown() == {
        "table 5 ipv4": {"id": 5, "family": "ipv4", "name": "intentc/pods"},
        "table 5 ipv6": {"id": 5, "family": "ipv6", "name": "intentc/pods"},
        "interface host-vpp-pods": {"host": "vpp-pods", "tables": {"ipv4": 5, "ipv6": 5}, "up": True},
        "address host-vpp-pods 169.254.69.2/31": {"interface": "host-vpp-pods", "prefix": "169.254.69.2/31"},
        "route 0 fcdd:1::/64": {"table": 0, "prefix": "fcdd:1::/64", "drop": True},
        "route 0 cafe:1::/112": {"table": 0, "prefix": "cafe:1::/112", "drop": True},
        "route 0 fcdd::/48": {
            "table": 0,
            "prefix": "fcdd::/48",
            "next_hop": "fd11::ffff",
            "interface": "eth0",
        },
        "route 5 10.64.0.0/24": {
            "table": 5,
            "prefix": "10.64.0.0/24",
            "next_hop": "169.254.69.3",
            "interface": "host-vpp-pods",
        },
        "encap source": {"address": "fd11::1", "hop_limit": 64},
        "localsid fcdd:1::4": {"sid": "fcdd:1::4", "behavior": "End.DT4", "table": 5, "fib_table": 0},
        "localsid fcdd:1::6": {"sid": "fcdd:1::6", "behavior": "End.DT6", "table": 5, "fib_table": 0},
        "policy cafe:1::1": {"bsid": "cafe:1::1", **sort, "lists": lists},
        "policy cafe:1::2": {"bsid": "cafe:1::2", **sort, "lists": lists},
        "steering 5 10.64.1.0/24": {
            "table": 5,
            "family": "ipv4",
            "prefix": "10.64.1.0/24",
            "bsid": "cafe:1::1",
        },
    }


def test_an_empty_vpp_shows_nothing() -> None:
    nothing: dict[str, Any] = {
        "sources": {8: "API"},
        "tables": {(0, False): "", (0, True): ""},
        "interfaces": {},
    }
    nothing |= {"routes": [], "encap": ("::", 64), "localsids": [], "policies": [], "steering": []}
    assert shown(**nothing) == {}
    # Where we never were, the source of encapsulation is somebody else's.
    assert shown(**(nothing | {"encap": ("fd99::1", 64)})) == {}
    assert shown(**(nothing | {"encap": ("::", 7), "sources": {23: "intentc"}})) == {
        "encap source": {"address": "::", "hop_limit": 7}
    }


def test_objects_need_what_they_stand_on() -> None:
    found = resources(seen(), SCOPE)

    def needs(kind: str, name: str) -> list[str]:
        return [f"{key.type} {key.name}" for key in found[Key("vpp", SCOPE, kind, name)].needs]

    assert needs("steering", "5 10.64.1.0/24") == ["table 5 ipv4", "policy cafe:1::1"]
    assert needs("policy", "cafe:1::1") == ["route 0 cafe:1::/112"], (
        "a range marks its policies until they go"
    )
    assert needs("localsid", "fcdd:1::6") == ["table 5 ipv6", "route 0 fcdd:1::/64"]
    assert needs("route", "5 10.64.0.0/24") == ["table 5 ipv4", "interface host-vpp-pods"]
    assert needs("address", "host-vpp-pods 169.254.69.2/31") == ["interface host-vpp-pods"]
    assert needs("interface", "host-vpp-pods") == ["table 5 ipv4", "table 5 ipv6"]


def test_policies_are_ours_by_their_range_and_not_by_what_is_steered_into_them() -> None:
    policies = [a_policy("cafe:1::ffff"), a_policy("cafe:1::1:0"), a_policy("cafe:2::1"), a_policy("beef::1")]
    steering = [a_steering(5, "10.64.1.0/24", "cafe:2::1"), a_steering(7, "10.64.1.0/24", "beef::1")]
    found = shown(policies=policies, steering=steering)
    assert {name for name in found if name.startswith("policy")} == {"policy cafe:1::ffff"}


def test_localsids_are_ours_by_their_range_or_by_their_table() -> None:
    rows = [
        a_sid("fcdd:1::99", 1, NOTHING),
        a_sid("fcdd:2::4", 9, 5),
        a_sid("fcdd:2::5", 9, 7),
        a_sid("fcdd:2::6", 7, 5),
    ]
    found = {name: spec for name, spec in shown(localsids=rows).items() if name.startswith("localsid")}
    assert set(found) == {"localsid fcdd:1::99", "localsid fcdd:2::4"}
    assert found["localsid fcdd:1::99"]["behavior"] == "End"


def test_lists_come_in_the_order_of_their_sids() -> None:
    several = [
        (1, ("fcbb:2::1", "fcdd:2::4")),
        (3, ("fcbb:1::1", "fcdd:2::4")),
        (2, ("fcbb:1::1", "fcdd:2::4")),
    ]
    found = shown(policies=[a_policy("cafe:1::1", *several)])["policy cafe:1::1"]
    assert [(row["weight"], row["sids"][0]) for row in found["lists"]] == [
        (2, "fcbb:1::1"),
        (3, "fcbb:1::1"),
        (1, "fcbb:2::1"),
    ]


def test_a_policy_with_another_source_differs() -> None:
    found = shown(policies=[a_policy("cafe:1::1", encap_src="fd11::7")])
    assert found["policy cafe:1::1"]["source"] == "fd11::7"


@pytest.mark.parametrize(
    ("row", "spec"),
    [
        (a_route(5, "10.1.0.0/16", a_path(table_id=6, proto=0)), {"lookup": 6}),
        (a_route(5, "fd01::/48", a_path()), {"lookup": 0}),
        (
            a_route(5, "10.1.0.0/16", a_path(sw_if_index=9, proto=0)),
            {"next_hop": UNSAID, "interface": "interface 9", "weight": 1},
        ),
        (a_route(5, "10.1.0.0/16", a_path(), a_path()), {"paths": 2}),
        (a_route(5, "10.1.0.0/16", a_path(type=1)), {"paths": 1}),
    ],
)
def test_routes_of_every_sort(row: dict[str, Any], spec: dict[str, Any]) -> None:
    name = f"{row['table_id']} {row['prefix']}"
    found = shown(routes=[row])[f"route {name}"]
    assert found == {"table": 5, "prefix": row["prefix"], **spec}


def test_ranges_are_discard_routes_of_the_main_table_only() -> None:
    rows = [a_route(0, "cafe:1::/112"), a_route(5, "cafe:2::/112"), a_route(0, "10.0.0.0/8")]
    owned = ranges(seen(routes=[*rows, a_route(0, "cafe:3::/112", a_path(sw_if_index=1))]))
    assert [inside(f"cafe:{number}::1", owned) for number in (1, 2, 3)] == [True, False, False]
    assert ranges(seen(routes=[a_route(0, "::/0")])) == ((0, 128),)


def test_what_others_have_is_seen_and_not_ours() -> None:
    found = objects(seen())
    foreign = {name for name, thing in found.items() if not thing.ours}
    assert foreign == {
        ("table", "0 ipv4"),
        ("table", "0 ipv6"),
        ("table", "7 ipv4"),
        ("interface", "local0"),
        ("interface", "eth0"),
        ("localsid", "fc99::1"),
        ("policy", "beef::1"),
        ("steering", "7 10.64.1.0/24"),
    }


def test_resources_equal_those_that_are_rendered() -> None:
    key = Key("vpp", SCOPE, "steering", "5 10.64.1.0/24")
    spec = {"table": 5, "family": "ipv4", "prefix": "10.64.1.0/24", "bsid": "cafe:1::1"}
    assert resources(seen(), SCOPE)[key] == Resource(key, spec, "Cluster/edge")
