"""What the SRv6 overlay puts on each node: tables, routes, service SIDs, policies and steering."""

from __future__ import annotations

from compiler.allocated import PODS
from compiler.derived.tunnels import tunnels
from compiler.graph import Scope
from tests.overlays import BASE, CLUSTER, UNDERLAY, W1, W2, W3, network, node, policy, specs
from tests.support import build

ROUTER = """kind: VirtualNetworkRouter
metadata: {name: r}
spec: {type: mesh, networks: {matchLabels: {m: y}}}
"""


def tables(*texts: str) -> dict[str, int]:
    """Return the number of each table of w1 by its zone; that of the pods by ''."""
    allocated = build(*texts).compiled.allocated
    assert allocated is not None
    return {zone: number for (_, zone), number in allocated.table.items()}


def test_a_renamed_zone_keeps_its_table_as_it_is() -> None:
    blue = network("one", "10.1.0.0/16", zone="blue")
    red = blue.replace("blue", "red").replace("{name: one,", "{name: one, moved: [zone/blue=red],")
    before = build(*BASE, blue)
    after = build(*BASE, red, ledger=before.ledger.replace("zone/blue", "zone/red"))
    assert specs(after, W1, "table") == specs(before, W1, "table")


def test_each_family_of_pods_has_a_table_and_a_service_sid() -> None:
    built = build(*BASE)
    (table,) = set(tables(*BASE).values())
    assert set(specs(built, W1, "table")) == {f"{table} ipv4", f"{table} ipv6"}
    sids = specs(built, W1, "localsid")
    assert sorted((sid["behavior"], sid["table"]) for sid in sids.values()) == [
        ("End.DT4", table),
        ("End.DT6", table),
    ]


def test_the_encapsulation_source_is_the_address_of_the_node() -> None:
    built = build(
        *BASE[:-1], CLUSTER.replace('policies: "cafe:1::/112"', 'policies: "cafe:1::/112", hopLimit: 32')
    )
    assert specs(built, W2, "encap") == {"source": {"address": "fd11::2", "hop_limit": 32}}


def test_the_default_policy_holds_the_service_sid_of_the_remote_node_and_is_the_same_at_every_headend() -> (
    None
):
    built = build(*BASE)
    own = set(specs(built, W3, "localsid"))
    at_one, at_two = (specs(built, scope, "policy") for scope in (W1, W2))
    shared = {bsid: spec for bsid, spec in at_one.items() if bsid in at_two}
    assert {spec["lists"][0]["sids"][0] for spec in shared.values()} == own
    assert all(at_two[bsid] == spec for bsid, spec in shared.items())
    assert all(len(spec["lists"]) == 1 and len(spec["lists"][0]["sids"]) == 1 for spec in at_one.values())


def test_every_remote_pod_block_is_steered_once_and_no_block_of_the_node_itself() -> None:
    built = build(*BASE)
    assert built.compiled.allocated is not None
    pods = built.compiled.allocated.pods
    steered = {spec["prefix"] for spec in specs(built, W1, "steering").values()}
    assert steered == {str(block) for (name, _), block in pods.items() if name != "w1"}


def test_a_policy_replaces_the_default_path_at_its_headends_only() -> None:
    built = build(*BASE, policy())
    lists = {
        tuple(tuple(item["sids"][:-1]) for item in spec["lists"])
        for spec in specs(built, W1, "policy").values()
    }
    assert (("fcbb:0:1::1", "fcbb:0:2::1"), ("fcbb:0:1::e1",)) in lists
    assert (((),)) in lists, "w3 is no endpoint"
    weights = {
        tuple(item["weight"] for item in spec["lists"]) for spec in specs(built, W1, "policy").values()
    }
    assert weights == {(1,), (3, 1)}
    for scope in (W2,):
        assert all(len(spec["lists"][0]["sids"]) == 1 for spec in specs(built, scope, "policy").values())


def test_a_policy_for_one_family_leaves_the_other_alone() -> None:
    built = build(*BASE, policy(steer="{pods: [ipv6]}"))
    policies = specs(built, W1, "policy")
    for spec in specs(built, W1, "steering").values():
        sids = policies[spec["bsid"]]["lists"][0]["sids"]
        to_w2 = sids[-1] in specs(built, W2, "localsid")
        assert (len(sids) > 1) == (to_w2 and spec["family"] == "ipv6")


def test_prefixes_behind_an_endpoint_are_steered_in_the_table_of_pods() -> None:
    built = build(*BASE, policy(steer="{pods: [], prefixes: [192.0.2.0/24]}"))
    (table,) = {spec["id"] for spec in specs(built, W1, "table").values()}
    spec = specs(built, W1, "steering")[f"{table} 192.0.2.0/24"]
    assert len(specs(built, W1, "policy")[spec["bsid"]]["lists"]) == 2
    assert f"{table} 192.0.2.0/24" not in specs(built, W2, "steering")


def test_an_overlay_network_has_a_table_service_sids_and_policies_of_its_own() -> None:
    texts = (*BASE, network("blue", "10.1.0.0/16"))
    built, numbers = build(*texts), tables(*texts)
    blue = numbers["blue"]
    assert blue != numbers[PODS]
    (sid,) = [name for name, spec in specs(built, W2, "localsid").items() if spec["table"] == blue]
    steered = {name: spec for name, spec in specs(built, W1, "steering").items() if spec["table"] == blue}
    ends = {specs(built, W1, "policy")[spec["bsid"]]["lists"][0]["sids"][-1] for spec in steered.values()}
    assert sid in ends
    assert len(steered) == 2


def test_zones_that_import_each_other_are_steered_into_and_looked_up() -> None:
    texts = (
        *BASE,
        network("blue", "10.1.0.0/16", "{m: y}"),
        network("red", "10.2.0.0/16", "{m: y}"),
        network("alone", "10.3.0.0/16"),
        ROUTER,
    )
    built, numbers = build(*texts), tables(*texts)
    blue, red, alone = (numbers[name] for name in ("blue", "red", "alone"))
    by_prefix: dict[str, set[int]] = {}
    for spec in specs(built, W1, "steering").values():
        by_prefix.setdefault(spec["prefix"][:5], set()).add(spec["table"])
    assert by_prefix["10.1."] == by_prefix["10.2."] == {blue, red}
    assert by_prefix["10.3."] == {alone}
    lookups = {
        (spec["table"], spec["lookup"], spec["prefix"][:5])
        for spec in specs(built, W1, "route").values()
        if "lookup" in spec
    }
    assert lookups == {(blue, red, "10.2."), (red, blue, "10.1.")}


def test_a_policy_for_one_network_of_a_zone_leaves_the_others_on_the_default_path() -> None:
    texts = (
        *BASE,
        network("blue", "10.1.0.0/16", zone="ran"),
        network("green", "10.2.0.0/16", zone="ran"),
        policy(steer="{pods: [], networks: [blue]}"),
    )
    built = build(*texts)
    policies = specs(built, W1, "policy")
    to_w2 = set(specs(built, W2, "localsid"))
    for spec in specs(built, W1, "steering").values():
        sids = policies[spec["bsid"]]["lists"][0]["sids"]
        assert (len(sids) > 1) == (spec["prefix"].startswith("10.1.") and sids[-1] in to_w2)


def test_a_family_that_the_headend_has_no_table_for_is_not_steered() -> None:
    far = (
        CLUSTER.replace("edge", "far")
        .replace("10.64.", "10.65.")
        .replace("fd64:", "fd65:")
        .replace("fcdd::", "fcde::")
        .replace("cafe:1", "cafe:3")
    )
    near = CLUSTER.replace(', ipv6: "fd64::/48"', "")
    joined = [text.replace("srv6: {", "srv6: {mesh: all, ") for text in (near, far)]
    built = build(UNDERLAY, node(1), node(2, "far"), *joined)
    assert {spec["family"] for spec in specs(built, W1, "steering").values()} == {"ipv4"}
    assert {spec["family"] for spec in specs(built, Scope("node", "far/w2"), "steering").values()} == {"ipv4"}
    assert len(specs(built, Scope("node", "far/w2"), "localsid")) == 2


def test_routes_lead_to_locators_and_to_the_localsids_of_all_meshed_clusters() -> None:
    far = (
        CLUSTER.replace("edge", "far")
        .replace("10.64.", "10.65.")
        .replace("fd64:", "fd65:")
        .replace("fcdd::", "fcde::")
        .replace("cafe:1", "cafe:3")
    )
    joined = [text.replace("srv6: {", "srv6: {mesh: all, ") for text in (CLUSTER, far)]
    built = build(UNDERLAY, node(1), node(2, "far"), *joined)
    routes = specs(built, W1, "route")
    over = {name for name, spec in routes.items() if spec.get("interface") == "eth0"}
    assert over == {"0 fcdd::/48", "0 fcde::/48", "0 fcbb:0:1::/48", "0 fcbb:0:2::/48"}
    ranges = {name for name, spec in routes.items() if spec.get("drop")}
    assert ranges == {"0 cafe:1::/112", "0 cafe:3::/112", "0 fcdd:0:0:2345::/64"}
    assert {spec["next_hop"] for name, spec in routes.items() if name in over} == {"fd11:1::ffff"}
    assert len(specs(built, W1, "steering")) == 2


def test_clusters_without_a_common_mesh_build_no_tunnels() -> None:
    far = (
        CLUSTER.replace("edge", "far")
        .replace("10.64.", "10.65.")
        .replace("fd64:", "fd65:")
        .replace("fcdd::", "fcde::")
        .replace("cafe:1", "cafe:3")
    )
    built = build(UNDERLAY, node(1), node(2, "far"), CLUSTER, far)
    assert specs(built, W1, "policy") == {}


def test_access_routers_route_the_localsids_of_their_nodes() -> None:
    linked = UNDERLAY + "    - name: p1-w1\n      ends: [{at: p1, interface: swp7}, {at: w1}]\n"
    built = build(linked, *BASE[1:])
    assert built.compiled.allocated is not None
    blocks = {name: str(block) for (name,), block in built.compiled.allocated.localsids.items()}
    (routes,) = specs(built, Scope("router", "p1"), "static-routes").values()
    assert routes["text"].splitlines() == [
        f"ipv6 route {blocks['w1']} fd11::1 swp7",
        f"ipv6 route {blocks['w3']} fd11::3",
    ]


def test_nodes_of_one_cluster_may_lie_in_several_sites() -> None:
    built = build(*BASE)
    for scope, hop in ((W1, "fd11:1::ffff"), (W2, "fd11:2::ffff")):
        over = [spec for spec in specs(built, scope, "route").values() if spec.get("interface") == "eth0"]
        assert {spec["next_hop"] for spec in over} == {hop}


def test_elements_of_an_egress_node_are_made_once_for_all_headends() -> None:
    built = build(*BASE)
    assert built.compiled.graph is not None
    at_one, at_two = (built.compiled.graph.slice(scope) for scope in (W1, W2))
    shared = [element for element in at_one if any(element is other for other in at_two)]
    assert len(shared) == 4, "two policies to w3, and their steering"


def test_exits_are_sorted_and_complete() -> None:
    built = build(*BASE)
    assert built.compiled.allocated is not None
    exits = tunnels(built.compiled.allocated).exits["edge"]
    assert [(item.node, item.zone, item.family) for item in exits] == [
        (f"w{number}", PODS, family) for number in (1, 2, 3) for family in ("ipv4", "ipv6")
    ]
