"""How VPP is told: typed objects, the exec file, and the messages of the binary API."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, collapse_addresses
from typing import Any

import pytest

from compiler.graph import Scope
from renderers import RULES
from renderers.resource import Key, Resource
from renderers.vpp import cli_parts
from renderers.vpp_messages import ORDER, Operation, operations, sid_list
from tests.overlays import BASE, W1, network, policy, resources
from tests.support import build

ROUTER = (
    "kind: VirtualNetworkRouter\nmetadata: {name: r}\nspec: {type: mesh, networks: {matchLabels: {m: y}}}\n"
)
FULL = (
    *BASE,
    policy(),
    network("blue", "10.1.0.0/16", "{m: y}"),
    network("red", "10.2.0.0/16", "{m: y}"),
    ROUTER,
)


def rendered() -> list[Resource]:
    return [item for item in resources(build(*FULL), W1) if item.key.family == "vpp"]


def exec_text() -> str:
    (view,) = [item for item in build(*FULL).resources(W1) if item.view and item.key.family == "vpp"]
    assert view.key.name == "w1.exec"
    text: str = view.spec["text"]
    return text


def messages() -> list[Operation]:
    return list(operations(rendered(), {"eth0": 7}))


def test_names_are_identities_and_none_stands_twice() -> None:
    keys = [item.key for item in rendered()]
    assert len(keys) == len(set(keys))
    for item in rendered():
        name = item.key.name
        match item.key.type:
            case "policy":
                assert name == item.spec["bsid"]
            case "localsid":
                assert name == item.spec["sid"]
            case "steering" | "route":
                assert name == f"{item.spec['table']} {item.spec['prefix']}"


def test_what_an_object_needs_is_rendered_too() -> None:
    keys = {item.key for item in rendered()}
    assert {need for item in rendered() for need in item.needs} <= keys
    steering = next(item for item in rendered() if item.key.type == "steering")
    assert {need.type for need in steering.needs} == {"table", "policy"}


def test_types_are_made_in_an_order_that_vpp_survives() -> None:
    for (family, kind), needed in RULES.needs.items():
        if family == "vpp" and kind in ORDER:
            for other, name in needed:
                assert other != "vpp" or ORDER.index(name) < ORDER.index(kind)


def test_every_field_is_explained_by_a_place_in_intent() -> None:
    for item in rendered():
        assert item.origins, item.key
        fields = {origin.field.partition(".")[0] for origin in item.origins}
        assert fields - {""} <= set(item.spec), item.key
        unexplained = set(item.spec) - fields
        assert not unexplained or "" in fields or unexplained <= {"fib_table", "family", "table", "name"}, (
            item.key,
            unexplained,
        )


def test_a_forced_path_is_explained_by_its_segment_list() -> None:
    item = next(item for item in rendered() if item.key.type == "policy" and len(item.spec["lists"]) == 2)
    places = [
        (origin.field, origin.path[-2:]) for origin in item.origins if origin.field.startswith("lists.")
    ]
    # Each list by the line of the policy, and each of its SIDs by that of the router or link that holds it.
    assert places == [
        ("lists.0", ("explicit", 0)),
        ("lists.0", (0, "locator")),
        ("lists.0", (1, "locator")),
        ("lists.1", ("explicit", 1)),
        ("lists.1", (0, "endXSid")),
    ]
    assert item.spec["lists"][0]["weight"] == 3
    assert item.subject.startswith("SRv6Policy/te/")


def test_the_exec_file_keeps_the_safe_order() -> None:
    lines = exec_text().splitlines()
    assert lines[0].startswith("comment {")
    heads = [re.sub(r" (add|address|mod|addr|hop-limit|l3) .*", "", line) for line in lines[1:]]
    first = {head: heads.index(head) for head in heads}
    order = ["ip table", "ip route", "set sr encaps source", "sr localsid", "sr policy", "sr steer"]
    assert [first[head] for head in order] == sorted(first[head] for head in order)
    assert set(heads) <= {*order, "ip6 table", "set sr encaps"}


def test_the_exec_file_says_all_that_the_objects_say() -> None:
    text = exec_text()
    for item in rendered():
        name = item.key.name
        match item.key.type:
            case "policy":
                first, *more = item.spec["lists"]
                hops = " ".join(f"next {sid}" for sid in first["sids"])
                weight = f" weight {first['weight']}" if first["weight"] != 1 else ""
                assert f"\nsr policy add bsid {name} {hops} encap{weight}\n" in text
                for rest in more:
                    hops = " ".join(f"next {sid}" for sid in rest["sids"])
                    assert f"\nsr policy mod bsid {name} add sl {hops} weight {rest['weight']}\n" in text
            case "steering":
                spec = item.spec
                for part in cli_parts(spec["prefix"]):
                    said = f"\nsr steer l3 {part} via bsid {spec['bsid']} fib-table {spec['table']}\n"
                    assert said in text
            case "localsid":
                behavior = item.spec["behavior"].lower()
                assert f"\nsr localsid address {name} behavior {behavior} {item.spec['table']}\n" in text
            case "route" if "lookup" in item.spec:
                assert (
                    f"\nip route add {item.spec['prefix']} table {item.spec['table']} via "
                    f"ip4-lookup-in-table {item.spec['lookup']}\n" in text
                )
            case "table":
                word = "ip" if item.spec["family"] == "ipv4" else "ip6"
                assert f"\n{word} table add {item.spec['id']} name {item.spec['name']}\n" in text


def as_the_cli_masks(prefix: str) -> str:
    """Return what `sr steer` makes of an IPv4 prefix: it masks the address as a little-endian number."""
    address, length = prefix.split("/")
    mask = 0xFFFFFFFF >> (32 - int(length)) if length != "0" else 0
    number = int.from_bytes(IPv4Address(address).packed, "little") & mask
    return f"{IPv4Address(number.to_bytes(4, 'little'))}/{length}"


@pytest.mark.parametrize(
    "prefix",
    [
        "0.0.0.0/0",
        "10.0.0.0/8",
        "10.1.64.0/18",
        "10.1.2.0/23",
        "10.1.130.0/23",
        "10.1.2.0/24",
        "10.1.2.64/26",
        "10.1.2.128/25",
        "10.1.2.254/31",
        "10.1.2.255/32",
    ],
)
def test_the_cli_is_told_parts_that_it_masks_rightly(prefix: str) -> None:
    parts = cli_parts(prefix)
    assert [as_the_cli_masks(part) for part in parts] == list(parts)
    assert list(collapse_addresses(map(IPv4Network, parts))) == [IPv4Network(prefix)]
    assert (len(parts) == 1) == (as_the_cli_masks(prefix) == prefix)


def test_ipv6_is_told_whole() -> None:
    assert cli_parts("fd64::40/122") == ("fd64::40/122",)


def test_messages_come_in_the_safe_order() -> None:
    kinds = [operation.message for operation in messages()]
    order = [
        "ip_table_add_del",
        "ip_route_add_del",
        "sr_set_encap_source",
        "sr_set_encap_hop_limit",
        "sr_localsid_add_del",
    ]
    last = {kind: len(kinds) - 1 - kinds[::-1].index(kind) for kind in order}
    assert sorted(order, key=last.__getitem__) == order
    assert kinds.index("sr_policy_add") > last["sr_localsid_add_del"]
    assert kinds.index("sr_steering_add_del") > len(kinds) - 1 - kinds[::-1].index("sr_policy_mod")


def test_segment_lists_are_whole_arrays() -> None:
    for operation in messages():
        if operation.message in ("sr_policy_add", "sr_policy_mod"):
            sids = operation.arguments["sids"]
            assert len(sids["sids"]) == 16
            assert all(sid != "::" for sid in sids["sids"][: sids["num_sids"]])
            assert set(sids["sids"][sids["num_sids"] :]) <= {"::"}
    added = [operation for operation in messages() if operation.message == "sr_policy_mod"]
    assert {operation.arguments["operation"] for operation in added} == {1}


def test_routes_find_their_interface_or_look_up() -> None:
    paths = [
        operation.arguments["route"]["paths"][0]
        for operation in messages()
        if operation.message == "ip_route_add_del"
    ]
    assert {path["sw_if_index"] for path in paths} == {7, 0xFFFFFFFF}
    for path in paths:
        assert len(path["label_stack"]) == 16
        zero = path["nh"]["address"] in ({"ip4": "0.0.0.0"}, {"ip6": "::"})  # noqa: S104 -- not a bind
        assert zero == (path["sw_if_index"] == 0xFFFFFFFF) == (path["table_id"] != 0)


def test_service_sids_carry_their_table() -> None:
    sids = [operation.arguments for operation in messages() if operation.message == "sr_localsid_add_del"]
    assert {item["behavior"] for item in sids} == {8, 9}
    assert all(item["sw_if_index"] >= 1000 and item["fib_table"] == 0 for item in sids)


def test_an_unknown_interface_is_no_interface_zero() -> None:
    with pytest.raises(KeyError, match="eth0"):
        list(operations(rendered(), {}))


@pytest.mark.parametrize(
    "item",
    [
        {"weight": 1, "sids": []},
        {"weight": 1, "sids": ["fc00::1"] * 17},
        {"weight": 0, "sids": ["fc00::1"]},
        {"weight": 0xFFFFFFFF, "sids": ["fc00::1"]},
    ],
)
def test_lists_that_harm_vpp_are_not_sent(item: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="segment list"):
        sid_list(item)


@pytest.mark.parametrize(
    "spec",
    [
        {"table": 1, "family": "ipv4", "prefix": "fd00::/64", "bsid": "cafe::1"},
        {"table": 1, "family": "ipv4", "prefix": "10.0.0.1/24", "bsid": "cafe::1"},
    ],
)
def test_steering_that_harms_vpp_is_not_sent(spec: dict[str, Any]) -> None:
    resource = Resource(Key("vpp", "node/edge/w1", "steering", "x"), spec)
    with pytest.raises(ValueError, match=r"as ipv4|host bits"):
        list(operations([resource], {}))


def test_a_node_of_a_calico_cluster_renders_nothing_for_vpp() -> None:
    built = build(*(text.replace("dataplane: vpp", "dataplane: calico-vpp") for text in BASE))
    assert [item for item in built.resources(Scope("node", "edge/w1")) if item.key.family == "vpp"] == []
