"""How VPP is told: typed objects, the exec file, and the messages of the binary API."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, collapse_addresses
from typing import Any

import pytest

from compiler.graph import Scope
from renderers import RULES
from renderers.resource import Key, Resource
from renderers.vpp import cli_parts
from renderers.vpp_messages import DROP, ORDER, Operation, Site, sid_list
from tests.overlays import BASE, W1, network, policy, resources
from tests.support import build
from tests.vpp_rig import made

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


def text_of(name: str, *documents: str) -> str:
    views = {item.key.name: item for item in build(*documents or FULL).resources(W1) if item.view}
    text: str = views[name].spec["text"]
    return text


def exec_text() -> str:
    return text_of("w1.exec")


SITE = Site({"eth0": 7, "host-vpp-pods": 8, "host-vp-blue": 9, "host-vp-red": 10}, 23)


def messages() -> list[Operation]:
    return made(rendered(), SITE)


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
    keys = {item.key for item in build(*FULL).resources()}
    assert {need for item in rendered() for need in item.needs} <= keys
    steering = next(item for item in rendered() if item.key.type == "steering")
    assert {need.type for need in steering.needs} == {"table", "policy"}


def test_a_policy_needs_the_service_sid_at_its_far_end() -> None:
    policies = [item for item in rendered() if item.key.type == "policy"]
    assert policies
    for item in policies:
        (need,) = item.needs
        assert need.type == "localsid"
        assert need.scope in ("node/edge/w2", "node/edge/w3")
        assert {entry["sids"][-1] for entry in item.spec["lists"]} == {need.name}


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
        assert (
            not unexplained or "" in fields or unexplained <= {"fib_table", "family", "table", "name", "drop"}
        ), (
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
    order = ["ip table", "create host-interface name", "set interface ip", "ip route"]
    order += ["set sr encaps source", "sr localsid", "sr policy", "sr steer"]
    heads = [next((head for head in order if line.startswith(head)), line) for line in lines[1:]]
    first = {head: heads.index(head) for head in heads}
    assert [first[head] for head in order] == sorted(first[head] for head in order)
    others = (
        "ip6 table add ",
        "set interface ip6 table ",
        "set interface state ",
        "set sr encaps hop-limit ",
    )
    assert all(head in order or head.startswith(others) for head in heads)


def test_the_exec_file_says_all_that_the_objects_say() -> None:
    text = exec_text()
    for item in rendered():
        for line in said(item.key.type, item.spec):
            assert f"\n{line}\n" in text


def said(kind: str, spec: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the exec file says of an object."""
    match kind:
        case "policy":
            yield from said_of_a_policy(spec)
        case "steering":
            for part in cli_parts(spec["prefix"]):
                yield f"sr steer l3 {part} via bsid {spec['bsid']} fib-table {spec['table']}"
        case "localsid":
            yield f"sr localsid address {spec['sid']} behavior {spec['behavior'].lower()} {spec['table']}"
        case "route" if "lookup" in spec:
            way = f"ip4-lookup-in-table {spec['lookup']}"
            yield f"ip route add {spec['prefix']} table {spec['table']} via {way}"
        case "route":
            way = "drop" if "drop" in spec else f"{spec['next_hop']} {spec['interface']}"
            yield f"ip route add {spec['prefix']} table {spec['table']} via {way}"
        case "interface":
            yield f"create host-interface name {spec['host']}"
        case "address":
            yield f"set interface ip address {spec['interface']} {spec['prefix']}"
        case "table":
            yield f"{'ip' if spec['family'] == 'ipv4' else 'ip6'} table add {spec['id']} name {spec['name']}"


def said_of_a_policy(spec: Mapping[str, Any]) -> Iterator[str]:
    first, *more = spec["lists"]
    hops = " ".join(f"next {sid}" for sid in first["sids"])
    weight = f" weight {first['weight']}" if first["weight"] != 1 else ""
    yield f"sr policy add bsid {spec['bsid']} {hops} encap{weight}"
    for rest in more:
        hops = " ".join(f"next {sid}" for sid in rest["sids"])
        yield f"sr policy mod bsid {spec['bsid']} add sl {hops} weight {rest['weight']}"


def as_the_cli_masks(prefix: str) -> str:
    """Return what `sr steer` makes of an IPv4 prefix: it masks the address as a little-endian number."""
    address, length = prefix.split("/")
    mask = 0xFFFFFFFF >> (32 - int(length)) if length != "0" else 0
    number = int.from_bytes(IPv4Address(address).packed, "little") & mask
    return f"{IPv4Address(number.to_bytes(4, 'little'))}/{length}"


@pytest.mark.parametrize(
    "prefix",
    [
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


def test_everything_is_steered_in_two_halves() -> None:
    """Every table has an entry for everything; VPP would lose every other flow between it and steering."""
    steer = "  steer: {prefixes: [0.0.0.0/0, '::/0', 10.99.0.0/16]}\n"
    (text,) = [policy().replace("  candidatePaths:", f"{steer}  candidatePaths:")]
    built = resources(build(*BASE, text), W1)
    prefixes = {item.spec["prefix"] for item in built if item.key.type == "steering"}
    assert {"0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1", "10.99.0.0/16"} <= prefixes
    assert not any(prefix.endswith("/0") for prefix in prefixes)
    assert cli_parts("::/0") == ("::/1", "8000::/1")
    covered = collapse_addresses(map(IPv4Network, cli_parts("0.0.0.0/0")))
    assert list(covered) == [IPv4Network("0.0.0.0/0")]


def test_ipv6_is_told_whole() -> None:
    assert cli_parts("fd64::40/122") == ("fd64::40/122",)


def test_messages_come_in_the_safe_order() -> None:
    kinds = [operation.message for operation in messages()]
    order = [
        "ip_table_add_del",
        "sw_interface_set_flags",
        "sw_interface_add_del_address",
        "ip_route_add_del_v2",
        "sr_set_encap_source",
        "sr_set_encap_hop_limit",
        "sr_localsid_add_del",
    ]
    last = {kind: len(kinds) - 1 - kinds[::-1].index(kind) for kind in order}
    assert sorted(order, key=last.__getitem__) == order
    assert kinds.index("sr_policy_add") > last["sr_localsid_add_del"]
    assert kinds.index("sr_steering_add_del") > len(kinds) - 1 - kinds[::-1].index("sr_policy_mod")


def test_lists_are_in_the_order_that_a_dump_is_read_in() -> None:
    """Routers p1, and p1 then p2: with the service SID at their ends they change places."""
    paths = """
    - name: both
      explicit:
        - {weight: 3, segments: [{router: p1}]}
        - {weight: 5, segments: [{router: p1}, {router: p2}]}
"""
    built = resources(build(*BASE, policy(paths)), W1)
    (item, *_) = [one for one in built if one.key.type == "policy" and len(one.spec["lists"]) == 2]
    rows = item.spec["lists"]
    assert rows == sorted(rows, key=lambda row: (row["sids"], row["weight"]))
    said = {origin.field: origin.path for origin in item.origins if "explicit" in origin.path}
    wanted = [0 if row["weight"] == 3 else 1 for row in rows]
    assert [said[f"lists.{at}"][-1] for at in range(2)] == wanted


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
        if operation.message == "ip_route_add_del_v2"
    ]
    assert {path["sw_if_index"] for path in paths} == {7, 8, 0xFFFFFFFF}
    for path in paths:
        assert len(path["label_stack"]) == 16
        zero = path["nh"]["address"] in ({"ip4": "0.0.0.0"}, {"ip6": "::"})  # noqa: S104 -- not a bind
        assert zero == (path["sw_if_index"] == 0xFFFFFFFF) == (path["table_id"] != 0 or path["type"] == DROP)
    assert all(
        operation.arguments["route"]["src"] == SITE.source
        for operation in messages()
        if operation.message == "ip_route_add_del_v2"
    )


def test_ranges_of_sids_are_discarded_and_so_marked_as_ours() -> None:
    drops = {item.spec["prefix"] for item in rendered() if item.spec.get("drop")}
    sids = {item.key.name for item in rendered() if item.key.type in ("localsid", "policy")}
    assert all(any(IPv6Address(sid) in IPv6Network(prefix) for prefix in drops) for sid in sids)
    assert len(drops) == 2


def test_pods_are_joined_to_their_tables() -> None:
    links = {item.key.name: item.spec["tables"] for item in rendered() if item.key.type == "interface"}
    tables = _tables()
    assert links.keys() == {"host-vpp-pods", "host-vp-blue", "host-vp-red"}
    assert {tables[next(iter(several.values()))] for several in links.values()} == {"pods", "zone"}
    inward = [item.spec for item in rendered() if item.spec.get("interface") == "host-vpp-pods"]
    assert {spec.get("next_hop") for spec in inward} == {None, "169.254.69.3", "fd69:6e74:656e::3"}
    (gateway,) = [item.spec["prefix"] for item in rendered() if item.key.name.startswith("host-vp-blue ")]
    conflists = [item.spec["plugins"][0] for item in resources(build(*FULL), W1) if item.key.family == "cni"]
    (bridge,) = [plugin for plugin in conflists if plugin.get("bridge") == "br-blue"]
    assert not bridge["isGateway"], "VPP is"
    assert bridge["ipam"]["ranges"][0][0]["gateway"] == gateway.partition("/")[0]


def _tables() -> dict[int, str]:
    tables = [item.spec for item in rendered() if item.key.type == "table"]
    return {spec["id"]: spec["name"].removeprefix("intentc/") for spec in tables}


def test_service_sids_carry_their_table() -> None:
    sids = [operation.arguments for operation in messages() if operation.message == "sr_localsid_add_del"]
    assert {item["behavior"] for item in sids} == {8, 9}
    assert all(item["sw_if_index"] >= 1000 and item["fib_table"] == 0 for item in sids)


def test_an_unknown_interface_is_no_interface_zero() -> None:
    with pytest.raises(KeyError, match="host-vpp-pods"):
        made(rendered(), Site())


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
        made([resource], Site())


def test_a_node_of_a_calico_cluster_renders_nothing_for_vpp() -> None:
    built = build(*(text.replace("dataplane: vpp", "dataplane: calico-vpp") for text in BASE))
    assert [item for item in built.resources(Scope("node", "edge/w1")) if item.key.family == "vpp"] == []


def test_a_script_makes_the_links_that_vpp_takes() -> None:
    text = text_of("w1.links.sh")
    assert subprocess.run(["sh", "-n"], input=text, text=True, check=False).returncode == 0
    taken = {item.spec["host"] for item in rendered() if item.key.type == "interface"}
    pairs = [line.split()[1:] for line in text.splitlines() if line.startswith("pair ")]
    assert taken == {mine for mine, _, _ in pairs} == {"vpp-pods", "vp-blue", "vp-red"}
    bridges = {
        item.spec["plugins"][0]["bridge"]
        for item in build(*FULL).resources(W1)
        if item.key.type == "conflist" and "bridge" in item.spec["plugins"][0]
    }
    assert {line.split()[-1] for line in text.splitlines() if " master " in line} == bridges
    assert "ip address replace 169.254.69.3/31 dev vph-pods\n" in text
    assert "ip route replace 10.64.0.0/16 via 169.254.69.2 dev vph-pods\n" in text


def test_a_network_called_pods_has_names_of_its_own() -> None:
    text = text_of("w1.links.sh", *BASE, network("pods", "10.1.0.0/16"), network("x" * 13, "10.2.0.0/16"))
    ends = [name for line in text.splitlines() if line.startswith("pair ") for name in line.split()[1:3]]
    assert len(set(ends)) == len(ends) == 6
    assert max(map(len, ends)) == 15


def test_what_policies_steer_from_pods_is_routed_to_vpp_but_not_everything() -> None:
    steered = policy(
        endpoints="{nodes: {names: [w3]}}", steer="{prefixes: [192.0.2.0/24, 10.64.7.0/24, 0.0.0.0/0]}"
    )
    text = text_of("w1.links.sh", *BASE, steered)
    assert "ip route replace 192.0.2.0/24 via 169.254.69.2 dev vph-pods\n" in text
    assert "10.64.7.0/24" not in text, "the route to all pods covers it"
    assert "# 0.0.0.0/0 is steered, too, and is not routed here" in text
