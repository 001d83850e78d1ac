"""What is said of addresses: ranges, reserved ones, capacity, and overlaps; each diagnostic once."""

from __future__ import annotations

from ipaddress import ip_network
from itertools import pairwise

import pytest

from compiler.derived.addresses import address, clip, merged, prefixes, share
from intent.kinds.virtual_network import VirtualNetworkSpec
from tests.pods import BASE, CLUSTER, GROUND, LEFT, NODES, NV_CLUSTER, network, workload
from tests.support import build

OVERLAY = "{type: overlay, clusters: [edge]}"


def net(ipam: str, cidr: str = "10.1.0.0/24", more: str = "gateway: external") -> str:
    """Return a network with addresses."""
    return network("n3", f"subnets: [{{cidr: '{cidr}'}}]\nipam: {{{ipam}}}\n{more}")


def test_pools_of_nv_ipam_have_names_of_their_own() -> None:
    two = network("n3", "subnets: [{cidr: 10.1.0.0/24}, {cidr: 10.2.0.0/24, name: b}]")
    same = network("n3-main-ipv4", "subnets: [{cidr: 10.3.0.0/24}]")
    built = build(*GROUND, NV_CLUSTER, LEFT, two, same)
    assert built.codes == ["IC2316"]
    assert build(*BASE, two, same).codes == []  # whereabouts names its pools itself


def router(name: str, kind: str, label: str, more: str = "") -> str:
    """Return a router that selects networks by label."""
    return (
        f"kind: VirtualNetworkRouter\nmetadata: {{name: {name}}}\n"
        f"spec: {{type: {kind}, networks: {{matchLabels: {{plane: {label}}}}}{more}}}\n"
    )


def labelled(name: str, label: str, cidr: str) -> str:
    """Return a network with a label and a subnet."""
    text = network(name, f"subnets: [{{cidr: {cidr}}}]")
    return text.replace(f"{{name: {name}}}", f"{{name: {name}, labels: {{plane: {label}}}}}")


@pytest.mark.parametrize(
    ("ipam", "codes"),
    [
        ("ranges: [{first: 10.1.0.10, last: 10.1.0.20}, {first: 10.1.0.21, last: 10.1.0.30}]", []),
        ("ranges: [{first: 10.1.0.10, last: 10.1.1.20}]", ["IC2351"]),
        ("ranges: [{first: 10.1.0.200, last: 10.1.0.255}]", ["IC2351"]),
        ("ranges: [{first: 'fd00::1', last: 'fd00::2'}]", ["IC2351"]),
        ("ranges: [{first: 10.1.0.10, last: 10.1.0.20}, {first: 10.1.0.20, last: 10.1.0.30}]", ["IC2353"]),
        ("excludes: [10.1.0.128/25]", []),
        ("excludes: [10.2.0.0/25]", ["IC2351"]),
        ("fixed: [{owner: a, address: 10.1.0.5}]", []),
        ("fixed: [{owner: a, address: 10.1.1.5}]", ["IC2351"]),
        ("fixed: [{owner: a, address: 10.1.0.255}]", ["IC2351"]),
        ("fixed: [{owner: a, address: 10.1.0.1}]", ["IC2354"]),
        ("fixed: [{owner: a, address: 10.1.0.5}, {owner: b, address: 10.1.0.5}]", ["IC2354"]),
        ("routes: [10.9.0.0/16]", []),
        ("routes: ['fd09::/48']", ["IC2355"]),
        ("ranges: [{first: 10.1.0.10, last: 10.1.0.20, cluster: edge}]", []),
        ("excludes: [10.1.0.0/24]", ["IC2358"]),
    ],
)
def test_what_a_network_says_of_its_addresses(ipam: str, codes: list[str]) -> None:
    built = build(*BASE, net(ipam))
    assert built.codes == codes, str(built)


def test_route_needs_a_gateway() -> None:
    assert build(*BASE, net("routes: [10.9.0.0/16]", more="")).codes == ["IC2355"]


def test_host_local_is_for_one_node() -> None:
    built = build(*BASE, net("mode: hostLocal"))
    assert built.codes == ["IC2356"]
    assert "set ipam.mode: central" in str(built)
    left = LEFT.replace("nodes: {matchLabels: {role: upf}}", "nodes: {names: [w1]}")
    assert build(*GROUND, CLUSTER, left, net("mode: hostLocal")).codes == []


@pytest.mark.parametrize(("node", "nic"), [("w2", "ens1f0"), ("w1", "ens1f1")])
def test_host_local_counts_for_each_attachment_so_there_is_one(node: str, nic: str) -> None:
    left = LEFT.replace("{matchLabels: {role: upf}}", "{names: [w1]}")
    other = (
        LEFT.replace("name: left", "name: other")
        .replace("{matchLabels: {role: upf}}", f"{{names: [{node}]}}")
        .replace("ens1f0", nic)
    )
    both = net("mode: hostLocal").replace("pool: left}", "pool: left}, {type: sriov, pool: other}")
    built = build(*GROUND, CLUSTER, left, other, both)
    assert built.codes == ["IC2356"]
    assert "handed out 2 times" in str(built)


def test_the_only_address_of_a_subnet_is_the_gateway() -> None:
    for cidr in ("255.255.255.255/32", "fd00::1/128"):
        assert build(*BASE, net("mode: central", cidr)).codes == ["IC2358"]


@pytest.mark.parametrize(
    ("address", "code"),
    [("10.1.0.5", []), ("10.1.0.1", ["IC2354"]), ("10.1.0.0", ["IC2351"]), ("10.9.0.5", ["IC2351"])],
)
def test_a_chosen_address_is_a_host_of_a_subnet(address: str, code: list[str]) -> None:
    pod = workload("upf", f"{{network: n3, addresses: [{address}]}}")
    assert build(*BASE, net("mode: static"), pod).codes == code


def test_workloads_choose_addresses_and_macs_of_their_own() -> None:
    for chosen in ("addresses: [10.1.0.5]", 'mac: "02:00:00:00:00:01"'):
        two = [workload(name, f"{{network: n3, {chosen}}}") for name in ("upf", "smf")]
        built = build(*BASE, net("mode: static"), *two)
        assert built.codes == ["IC2354"]
        assert "is chosen twice on network 'n3'" in str(built)
        other = network("n6", "subnets: [{cidr: 10.1.0.0/24}]\nipam: {mode: static}")
        apart = build(*BASE, net("mode: static"), other, two[0], two[1].replace("n3", "n6"))
        assert apart.codes == []


def far() -> tuple[str, ...]:
    """Return a second cluster with a pool."""
    nodes = (
        NODES.replace("w{n}", "x{n}")
        .replace("cluster: edge", "cluster: far")
        .replace("fd11::{n}", "fd11::1{n}")
    )
    nodes = nodes.replace("Ethernet{n}", "Ethernet{n+10}")
    cluster = CLUSTER.replace("name: edge", "name: far").replace("cluster: edge", "cluster: far")
    for before, after in (
        ("10.64.", "10.65."),
        ("fd64::", "fd65::"),
        ("fcdd::", "fcde::"),
        ("cafe:1:", "cafe:2:"),
        ("10.96.", "10.97."),
    ):
        cluster = cluster.replace(before, after)
    return nodes, cluster, LEFT.replace("name: left", "name: far").replace("cluster: edge", "cluster: far")


def test_clusters_do_not_hand_out_the_same_addresses() -> None:
    both = "{type: sriov, pool: left}, {type: sriov, pool: far}"
    shared = network("n3", "subnets: [{cidr: 10.1.0.0/24}]", both)
    assert build(*BASE, *far(), shared).codes == ["IC2357"]
    parts = (
        "ipam: {ranges: [{first: 10.1.0.2, last: 10.1.0.99, cluster: edge},"
        " {first: 10.1.0.100, last: 10.1.0.199, cluster: far}]}"
    )
    assert build(*BASE, *far(), network("n3", f"subnets: [{{cidr: 10.1.0.0/24}}]\n{parts}", both)).codes == []


def test_range_is_for_a_cluster_of_the_network() -> None:
    built = build(
        *BASE,
        *far(),
        net("ranges: [{first: 10.1.0.2, last: 10.1.0.9}, {first: 10.1.0.10, last: 10.1.0.20, cluster: far}]"),
    )
    assert built.codes == ["IC2352"]


@pytest.mark.parametrize(("replicas", "codes"), [(4, []), (5, ["IC2358"])])
def test_enough_addresses_for_the_pods(replicas: int, codes: list[str]) -> None:
    # Of six hosts, one is the gateway and one is fixed.
    small = net("fixed: [{owner: a, address: 10.1.0.2}]", "10.1.0.0/29")
    built = build(*BASE, small, workload("upf", "{network: n3}", f"replicas: {replicas}"))
    assert built.codes == codes


def test_surge_needs_addresses_too() -> None:
    small = net("mode: central", "10.1.0.0/29")
    assert build(*BASE, small, workload("upf", "{network: n3}", "replicas: 5\nmaxSurge: 1")).codes == [
        "IC2358"
    ]


def test_whereabouts_reaches_half_of_a_large_subnet() -> None:
    low = net("ranges: [{first: 'fd01::10', last: 'fd01::ffff'}]", "fd01::/64")
    high = net("ranges: [{first: 'fd01::8000:0:0:10', last: 'fd01::8000:0:0:ff'}]", "fd01::/64")
    assert build(*BASE, low).codes == []
    assert build(*BASE, high).codes == ["IC2359"]


@pytest.mark.parametrize(
    ("ipam", "cidr", "codes"),
    [
        ("mode: central", "10.1.0.0/24", []),
        ("mode: central", "10.1.0.0/27", ["IC2360"]),
        ("perNodeBlockSize: 8", "10.1.0.0/27", []),
        ("ranges: [{first: 10.1.0.100, last: 10.1.0.200}]", "10.1.0.0/24", ["IC2360"]),
        (
            "excludes: [10.1.0.17/32, 10.1.0.18/31, 10.1.0.20/30, 10.1.0.24/29, 10.1.0.32/32]",
            "10.1.0.0/24",
            ["IC2360"],
        ),
        ("excludes: [10.1.0.18/31, 10.1.0.20/30, 10.1.0.24/29, 10.1.0.32/32]", "10.1.0.0/24", []),
    ],
)
def test_every_node_gets_a_block_with_addresses(ipam: str, cidr: str, codes: list[str]) -> None:
    built = build(*GROUND, NV_CLUSTER, LEFT, net(ipam, cidr))
    assert built.codes == codes, str(built)


def test_every_node_has_overlay_addresses() -> None:
    ranges = "ipam: {ranges: [{first: 10.2.0.1, last: 10.2.0.20}]}"
    built = build(*BASE, network("blue", f"subnets: [{{cidr: 10.2.0.0/16}}]\n{ranges}", OVERLAY))
    assert built.codes == ["IC2358"]
    assert "for pods" in str(built)


def test_enough_overlay_addresses() -> None:
    # Three nodes: eight blocks of eight addresses, of which the node has one, and no pod the first and last.
    blue = network("blue", "subnets: [{cidr: 10.2.0.0/26}]", OVERLAY)
    assert build(*BASE, blue, workload("upf", "{network: blue}", "replicas: 15")).codes == []
    assert build(*BASE, blue, workload("upf", "{network: blue}", "replicas: 16")).codes == ["IC2358"]


def test_subnets_of_one_zone_are_apart() -> None:
    one = network("n3", "zone: ran\nsubnets: [{cidr: 10.1.0.0/16}]")
    two = network("n4", "zone: ran\nsubnets: [{cidr: 10.1.4.0/24}]")
    built = build(*BASE, one, two)
    assert built.codes == ["IC2361"]
    assert "both are in zone 'ran'" in str(built)


def test_subnets_of_strangers_may_be_equal() -> None:
    assert build(*BASE, labelled("n3", "a", "10.1.0.0/24"), labelled("n4", "b", "10.1.0.0/24")).codes == []


def test_subnets_of_joined_zones_are_apart() -> None:
    built = build(
        *BASE,
        labelled("n3", "a", "10.1.0.0/24"),
        labelled("n4", "a", "10.1.0.0/24"),
        router("r", "mesh", "a"),
    )
    assert built.codes == ["IC2361"]
    assert "are joined" in str(built)


def test_a_hub_takes_the_routes_of_all_its_spokes() -> None:
    networks = (
        labelled("n3", "a", "10.1.0.0/24"),
        labelled("n4", "b", "10.1.0.0/24"),
        labelled("n5", "c", "10.2.0.0/24"),
    )
    routers = (
        router("one", "spoke", "a", ", imports: [hub]"),
        router("two", "spoke", "b", ", imports: [hub]"),
        router("hub", "hub", "c"),
    )
    built = build(*BASE, *networks, *routers)
    assert built.codes == ["IC2361"]
    assert "zone 'n5' takes the routes of both" in str(built)


def test_all_overlaps_of_a_zone_are_found() -> None:
    cidrs = (
        "10.1.0.0/24",
        "10.1.0.0/16",
        "10.2.0.0/16",
        "10.1.255.0/24",
        "10.2.3.0/24",
        "10.2.4.0/24",
        "10.3.0.0/16",
    )
    texts = [
        network(f"n{index}", f"zone: ran\nsubnets: [{{cidr: {cidr}}}]") for index, cidr in enumerate(cidrs)
    ]
    nets = [ip_network(cidr) for cidr in cidrs]
    pairs = sum(one.overlaps(two) for index, one in enumerate(nets) for two in nets[index + 1 :])
    assert build(*BASE, *texts).codes == ["IC2361"] * pairs
    assert pairs == 4


def test_networks_are_apart_from_pods_and_services() -> None:
    assert build(*BASE, network("blue", "subnets: [{cidr: 10.64.3.0/24}]", OVERLAY)).codes == ["IC2362"]
    built = build(*BASE, network("n3", "subnets: [{cidr: 10.96.3.0/24}]"))
    assert (built.codes, built.warnings) == ([], ["IC2362"])


def test_share_counts_what_is_left() -> None:
    spec = VirtualNetworkSpec.model_validate(
        {
            "attachments": [{"type": "bareMetal"}],
            "extendToFabric": True,
            "gateway": "fabric",
            "subnets": [{"cidr": "10.1.0.0/24"}],
            "ipam": {
                "ranges": [
                    {"first": "10.1.0.1", "last": "10.1.0.9"},
                    {"first": "10.1.0.20", "last": "10.1.0.29"},
                ],
                "excludes": ["10.1.0.8/31"],
                "fixed": [{"owner": "a", "address": "10.1.0.25"}],
            },
        }
    )
    item = share(spec, spec.subnets[0], "edge")
    left = [str(address(number, 4)) for first, last in item.free() for number in range(first, last + 1)]
    wanted = [*range(2, 8), *range(20, 25), *range(26, 30)]
    assert left == [f"10.1.0.{number}" for number in wanted]
    assert item.size == len(wanted)


@pytest.mark.parametrize("span", [(0, 0), (1, 6), (5, 5), (7, 200), (0, 2**32 - 1), (2**31 - 1, 2**31)])
def test_prefixes_are_the_span_and_no_more(span: tuple[int, int]) -> None:
    found = [ip_network(text) for text in prefixes(span, 4)]
    assert int(found[0].network_address) == span[0]
    assert int(found[-1].broadcast_address) == span[1]
    for one, two in pairwise(found):
        assert int(one.broadcast_address) + 1 == int(two.network_address)


def test_spans() -> None:
    assert merged([(5, 9), (1, 2), (3, 3), (8, 12), (20, 20)]) == ((1, 3), (5, 12), (20, 20))
    assert clip((1, 5), (4, 9)) == (4, 5)
    assert clip((1, 3), (4, 9)) is None


@pytest.mark.parametrize(("size", "codes"), [(1, ["IC2358"]), (2, ["IC2358"]), (4, [])])
def test_a_block_is_one_that_host_local_takes(size: int, codes: list[str]) -> None:
    text = network("blue", f"subnets: [{{cidr: 10.1.0.0/24}}]\nipam: {{perNodeBlockSize: {size}}}", OVERLAY)
    assert build(*BASE, text).codes == codes


@pytest.mark.parametrize(
    ("cidr", "codes"), [("10.1.0.0/31", ["IC2358"]), ("fd00::/127", ["IC2358"]), ("10.1.0.0/30", [])]
)
def test_whereabouts_refuses_subnets_of_two_addresses(cidr: str, codes: list[str]) -> None:
    assert build(*BASE, net("mode: central", cidr)).codes == codes
    assert build(*BASE, net("mode: static", cidr)).codes == []
