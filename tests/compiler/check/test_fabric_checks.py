"""Checks of the fabric: what they find, and what they leave in peace; their texts are golden files."""

from __future__ import annotations

import pytest

from tests.fabrics import (
    APSTRA,
    BASE,
    CLUSTER,
    EXIT,
    FIREWALL,
    FRR,
    JOIN,
    LEFT,
    N3,
    N6,
    NODES,
    RIGHT,
    STATIC,
    WHOLE,
    for_frr,
    placed,
)
from tests.support import build

OTHER = N3.replace("n3", "n4").replace("10.10.3", "10.10.4").replace("103", "104")
PORT = "{fabric: dc1, switch: leaf1, port: Ethernet20}"
ON_N3 = f"kind: FabricAttachment\nmetadata: {{name: static}}\nspec:\n  network: n3\n  ports: [{PORT}]\n"


def told(*documents: str) -> list[str]:
    """Return the codes of all findings of a fabric."""
    found = [entry.code for entry in build(*documents).diagnostics]
    return [code for code in found if code in ("IC2002", "IC2011") or code.startswith("IC22")]


def test_a_sound_fabric_of_either_provider_is_left_in_peace() -> None:
    assert build(*WHOLE).diagnostics == ()
    assert build(*(item for item in for_frr(*WHOLE) if item != JOIN)).diagnostics == ()


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("switch: leaf1", "switch: laef1", "IC2002"),
        ("switch: leaf1", "switch: spine1", "IC2206"),
        (PORT, "{node: w1, nic: ens1f7}", "IC2011"),
        (PORT, "{node: w1, bond: bond7}", "IC2011"),
        (PORT, f"{PORT}, {PORT}", "IC2204"),
    ],
)
def test_fixed_ports_that_cannot_be(before: str, after: str, code: str) -> None:
    assert told(*BASE, N3, ON_N3.replace(before, after)) == [code]


def test_a_switch_that_is_nearly_right_is_suggested() -> None:
    built = build(*BASE, N3, ON_N3.replace("switch: leaf1", "switch: laef1"))
    assert "did you mean 'leaf1'?" in str(built)


def test_a_nic_and_its_port_are_one_port() -> None:
    assert told(
        *BASE,
        N3,
        ON_N3.replace(PORT, "{node: w1, nic: ens1f0}, {fabric: dc1, switch: leaf1, port: Ethernet1}"),
    ) == ["IC2204"]


def test_a_port_takes_one_untagged_network_and_many_tagged_ones() -> None:
    tagged = ON_N3.replace("static", "more").replace("network: n3", "network: n4")
    untagged = tagged.replace("network: n4", "network: n4\n  tagging: untagged")
    assert told(*BASE, N3, OTHER, ON_N3, tagged) == []
    assert told(*BASE, N3, OTHER, ON_N3, untagged) == []
    assert told(
        *BASE, N3, OTHER, ON_N3.replace("network: n3", "network: n3\n  tagging: untagged"), untagged
    ) == ["IC2205"]


def test_a_fixed_port_untagged_and_pods_tagged_cannot_share_a_network() -> None:
    mixed = ON_N3.replace(PORT, "{node: w1, nic: ens1f0}").replace(
        "network: n3", "network: n3\n  tagging: untagged"
    )
    assert told(*BASE, N3, mixed) == []
    assert told(*BASE, N3, mixed, placed(("upf-0", "w1", "n3", "ens1f0"))) == ["IC2204"]


def test_every_pf_of_an_extended_network_needs_a_cable_and_is_named() -> None:
    loose = NODES.replace('    - {nic: ens1f0, fabric: dc1, switch: leaf1, port: "Ethernet{n}"}\n', "")
    built = build(APSTRA, loose, CLUSTER, LEFT, RIGHT, N3.replace("pool: left", "pool: left"), N6)
    assert built.codes == ["IC2210", "IC2210"]
    assert "ens1f0 of node 'w1'" in str(built)
    assert "ens1f0 of node 'w2'" in str(built)


def test_a_network_that_stays_in_the_cluster_needs_no_cable() -> None:
    loose = NODES[: NODES.index("  cables:")]
    inside = N3.replace("  extendToFabric: true\n  gateway: fabric\n", "").replace(
        "  vlan: 103\n  vni: 1000103\n", ""
    )
    assert told(APSTRA, loose, CLUSTER, LEFT, inside) == []


def bonded(mode: str, nodes: str = NODES) -> str:
    return nodes.replace(
        "  cables:", f"  bonds: [{{name: bond0, nics: [ens1f0, ens1f1], mode: {mode}}}]\n  cables:"
    )


def test_bonds_of_the_host_under_vfs() -> None:
    one_leaf = NODES.replace('leaf2, port: "Ethernet{n}"', 'leaf1, port: "Ethernet2{n}"')
    rest = (CLUSTER, LEFT, N3)
    assert told(APSTRA, bonded("active-backup"), *rest) == []
    assert told(APSTRA, bonded("802.3ad"), *rest) == ["IC2214"]
    assert told(APSTRA, bonded("active-backup", one_leaf), *rest) == ["IC2213", "IC2213"]
    assert told(APSTRA, one_leaf, *rest) == []


def test_the_legs_of_a_pods_bond_are_judged_once_for_each_pair_of_pools() -> None:
    one_leaf = NODES.replace('leaf2, port: "Ethernet{n}"', 'leaf1, port: "Ethernet2{n}"')
    twin = (
        N6.replace("n6", "n7").replace("10.10.6", "10.10.7").replace("fd10:6", "fd10:7").replace("106", "107")
    )
    assert told(APSTRA, one_leaf, CLUSTER, LEFT, RIGHT, N6, twin) == ["IC2213"]


def test_a_vlan_must_be_allowed_on_both_legs() -> None:
    narrow = APSTRA.replace(
        '- name: leaf2\n      ports: [{name: "Ethernet[1-48]", mtu: 9100}]',
        '- name: leaf2\n      ports: [{name: "Ethernet[1-48]", mtu: 9100, vlans: 200-299}]',
    )
    one_leg = placed(("upf-0", "w1", "n6", "ens1f0"))
    built = build(narrow, *BASE[1:], N6, one_leg)
    assert built.codes == ["IC2260"]
    assert "port dc1/leaf2/Ethernet1" in str(built)


def test_a_switch_can_limit_its_vlans_too() -> None:
    narrow = APSTRA.replace("- name: leaf1", "- name: leaf1\n      vlans: 200-299")
    narrow += "  pools: {vlan: [103, 200-299]}\n"
    assert told(narrow, *BASE[1:], N3, placed(("upf-0", "w1", "n3", "ens1f0"))) == ["IC2260"]
    assert told(narrow, *BASE[1:], N3) == []


@pytest.mark.parametrize(
    ("network", "vf", "pf", "port", "underlay", "fits"),
    [
        (9000, 9000, 9000, 9000, 9050, True),
        (9002, 9000, 9000, 9000, 9050, False),
        (9000, 9001, 9000, 9000, 9050, False),
        (9000, 9000, 9001, 9000, 9051, False),
        (9000, 9000, 9000, 9001, 9050, False),
        (9000, 9000, 9000, 9000, 9049, False),
    ],
)
def test_the_mtu_chain_holds_link_by_link(
    network: int, vf: int, pf: int, port: int, underlay: int, *, fits: bool
) -> None:
    fabric = APSTRA.replace("9100", str(port)).replace(
        "  switches:", f"  defaults: {{portMtu: 8000, underlayMtu: {underlay}}}\n  switches:"
    )
    nodes = NODES.replace("9000", str(pf))
    pool = LEFT.replace("vfs: 16", f"vfs: 16, mtu: {vf}")
    codes = told(fabric, nodes, CLUSTER, pool, N3.replace("mtu: 9000", f"mtu: {network}"))
    assert set(codes) == (set() if fits else {"IC2220"})


def test_the_message_of_the_chain_does_the_sum() -> None:
    built = build(
        APSTRA.replace("  switches:", "  defaults: {underlayMtu: 9100}\n  switches:"), *BASE[1:], N3
    )
    assert "9100 + 50 (VXLAN) = 9150 > 9100" in str(built)


def test_links_of_the_chain_that_nobody_states_are_passed_over() -> None:
    unsaid = NODES.replace(", mtu: 9000", "")
    assert told(APSTRA, unsaid, CLUSTER, LEFT, N3) == []
    assert told(APSTRA, unsaid, CLUSTER, LEFT.replace("vfs: 16", "vfs: 16, mtu: 9102"), N3) == ["IC2220"]


def test_a_network_must_fit_its_fixed_ports() -> None:
    small = APSTRA.replace(
        "{name: border1, role: border}",
        "{name: border1, role: border, ports: [{name: Ethernet5, mtu: 1500}]}",
    )
    static = ON_N3.replace(PORT, "{fabric: dc1, switch: border1, port: Ethernet5}")
    assert told(small, *BASE[1:], N3, static) == ["IC2220"]


def test_limits_of_apstra_do_not_bind_frr() -> None:
    long = N3.replace("name: n3", "name: user-plane-of-the-whole-metro-area").replace(
        "mtu: 9000", "mtu: 8999"
    )
    assert sorted(told(APSTRA, *BASE[1:], long)) == ["IC2221", "IC2230"]
    assert told(*for_frr(*BASE, long)) == []


def test_frr_needs_switches_that_can_talk() -> None:
    assert told(FRR.replace("65002", "65001")) == ["IC2238"]
    assert told(FRR.replace("asn: 65100", "asn: 65003")) == ["IC2238"]
    assert (
        told(
            FRR.replace(
                "    - {name: spine1",
                "    - {name: spine2, role: spine, asn: 65100, loopback: 10.0.0.101, uplinks: [swp1]}\n"
                "    - {name: spine1",
            )
        )
        == []
    )


@pytest.mark.parametrize(
    ("before", "after", "codes"),
    [
        ("zone: internet", "zone: nowhere", ["IC2252"]),
        ("port: Ethernet49, vlan: 3001, address: 192", "port: Ethernet50, vlan: 3001, address: 192", []),
        (
            'address: "2001:db8::/127"',
            "address: 198.51.100.0/31",
            ["IC2253", "IC2256"],
        ),
        ("address: 192.0.2.1, asn", "address: 192.0.2.0, asn", ["IC2255"]),
        ("address: 192.0.2.1, asn", "address: 192.0.2.9, asn", ["IC2255"]),
        ("nextHop: 192.0.2.1", "nextHop: 192.0.2.9", ["IC2257"]),
        ("vlan: 3001, address: 192", "vlan: 106, address: 192", ["IC2264"]),
    ],
)
def test_ways_out(before: str, after: str, codes: list[str]) -> None:
    static = STATIC.replace("{node: fw, bond: bond0}", "{fabric: dc1, switch: border1, port: Ethernet5}")
    assert told(*BASE, N6, static, EXIT.replace(before, after)) == codes


def test_a_border_port_cannot_be_a_server_port_by_cable_or_attachment() -> None:
    wired = NODES.replace("switch: leaf2", "switch: border1")
    assert told(APSTRA, wired, CLUSTER, LEFT, RIGHT, N6, EXIT.replace("Ethernet49", "Ethernet1")) == [
        "IC2251",
        "IC2251",
    ]


def test_a_zone_in_several_fabrics_is_fine() -> None:
    second = APSTRA.replace("name: dc1", "name: dc2")
    there = ON_N3.replace(PORT, "{fabric: dc2, switch: leaf1, port: Ethernet1}")
    assert told(*BASE, second, N3, there) == []


def test_a_zone_is_joined_as_a_whole_or_not_at_all() -> None:
    some = JOIN.replace("{all: true}", "{names: [n3, n6]}")
    assert told(*BASE, N3, N6, some) == []
    assert told(*BASE, N3, OTHER, N6, some) == ["IC2216"]
    assert told(*BASE, N3, OTHER, N6, JOIN) == []
    layer2 = OTHER.replace("  subnets: [{cidr: 10.10.4.0/24}]\n", "").replace("  gateway: fabric\n", "")
    assert told(*BASE, N3, layer2, N6, some) == []


def test_pins_are_held_against_the_pools_of_every_fabric() -> None:
    assert told(f"{APSTRA}  pools: {{vlan: 200-299, vni: 10000-19999}}\n", *BASE[1:], N3) == [
        "IC2261",
        "IC2262",
    ]
    assert told(f"{APSTRA}  pools: {{vlan: 100-299, vni: 1000000-1999999}}\n", *BASE[1:], N3) == []


def test_a_pod_on_a_nic_that_leads_nowhere_is_a_warning() -> None:
    extra = NODES.replace("  nics: [", "  nics: [{name: ens9f0}, ")
    built = build(APSTRA, extra, CLUSTER, LEFT, N3, placed(("upf-0", "w1", "n3", "ens9f0")))
    assert (built.codes, built.warnings) == ([], ["IC2211"])


def test_trunk_vlans_with_a_network_are_fine() -> None:
    trunk = N3.replace(
        "{type: sriov, pool: left}", "{type: sriov, pool: left, tagging: pod, trunkVlans: [106, 107]}"
    )
    built = build(*BASE, trunk, N6)
    assert built.warnings == ["IC2265"]
    assert "VLAN 107," in str(built)


def test_routes_between_zones_are_warned_of_on_frr() -> None:
    assert told(*for_frr(*BASE, N3, N6, JOIN)) == ["IC2242", "IC2242"]
    assert told(*for_frr(*BASE, N3, N6.replace("internet", "ran"), JOIN)) == []


def test_the_firewall_is_attached_by_its_lag() -> None:
    assert told(*BASE, FIREWALL, N6, STATIC) == []


def test_a_network_is_held_against_the_port_where_no_nic_states_an_mtu() -> None:
    silent = NODES.replace(", mtu: 9000", "")
    wide = N3.replace("mtu: 9000", "mtu: 9150")
    built = build(APSTRA, silent, CLUSTER, LEFT, RIGHT, wide)
    assert [entry.code for entry in built.diagnostics] == ["IC2220"]
    assert "port dc1/leaf1/Ethernet1 9100: 9150 > 9100" in str(built)
    assert told(APSTRA, silent, CLUSTER, LEFT, RIGHT, N3.replace("mtu: 9000", "mtu: 9100")) == []


def test_a_way_out_is_no_wider_than_its_port() -> None:
    link = "address: 192.0.2.0/31"
    assert told(*WHOLE[:-2], EXIT.replace(link, f"{link}, mtu: 9000"), JOIN) == []
    assert told(*WHOLE[:-2], EXIT.replace(link, f"{link}, mtu: 9002"), JOIN) == ["IC2220"]


def test_an_odd_mtu_is_found_in_every_fabric_of_a_network() -> None:
    second = APSTRA.replace("name: dc1", "name: dc2").replace("leaf", "other")
    odd = second.replace("  switches:", "  defaults: {portMtu: 8999}\n  switches:", 1)
    wired = NODES.replace("dc1, switch: leaf2", "dc2, switch: other2").replace(", mtu: 9000", "")
    both = N3.replace("pool: left}", "pool: left}, {type: sriov, pool: right}").replace("  mtu: 9000\n", "")
    assert told(APSTRA, second, wired, CLUSTER, LEFT, RIGHT, both) == []
    assert told(APSTRA, odd, wired, CLUSTER, LEFT, RIGHT, both) == ["IC2221"]


@pytest.mark.parametrize("before", ["port: Ethernet20", "port: Ethernet49"])
def test_every_port_of_an_frr_switch_needs_a_name_that_linux_takes(before: str) -> None:
    documents = (*BASE, N3, N6, ON_N3, EXIT)
    assert before in "".join(documents)
    odd = for_frr(*(item.replace(before, "port: xe-0/0/7") for item in documents))
    assert set(told(*for_frr(*documents))) == set()
    assert set(told(*odd)) == {"IC2239"}, str(build(*odd))


def test_a_pod_may_tag_the_vlan_of_its_own_network() -> None:
    own = N3.replace("pool: left}", "pool: left, tagging: pod, trunkVlans: 103-103}")
    assert told(*BASE, own) == []
    more = own.replace("103-103", "103-104")
    assert told(*BASE, more) == ["IC2265"]
    assert "VLAN 104, but" in str(build(*BASE, more))


def test_a_vlan_to_the_outside_is_held_against_both_borders_of_a_pair() -> None:
    pair = APSTRA.replace("- {name: border1,", "- {name: border0, role: border}\n    - {name: border1,")
    pair = pair.replace("[leaf1, leaf2]}", "[leaf1, leaf2]}, {name: edge, switches: [border0, border1]}")
    wall = FIREWALL.replace("leaf1", "border0").replace("leaf2", "border1")
    for switch, other in (("border0", "border1"), ("border1", "border0")):
        ways = EXIT.replace("vlan: 3001", "vlan: 106").replace("border1", switch)
        more = (
            f"  ports:\n    - {{switch: {other}, port: Ethernet50, vlan: 3002, address: 198.51.100.0/31}}\n"
        )
        found = told(pair, *BASE[1:], wall, N6, STATIC, ways.replace("  ports:\n", more))
        assert found == ["IC2264", "IC2264"], switch


def test_a_next_hop_is_not_our_own_address() -> None:
    assert told(*WHOLE[:-2], EXIT.replace("nextHop: 192.0.2.1", "nextHop: 192.0.2.0"), JOIN) == ["IC2257"]


def test_the_same_route_over_two_links_is_no_repetition() -> None:
    link = "    - {switch: border1, port: Ethernet48, vlan: 3002, address: 192.0.3.0/31}\n"
    two = EXIT.replace("  ports:\n", f"  ports:\n{link}")
    two = two.replace("nextHop: 192.0.2.1}]", "nextHop: 192.0.2.1}, {prefix: 0.0.0.0/0, nextHop: 192.0.3.1}]")
    assert told(*WHOLE[:-2], two, JOIN) == []
    again = two.replace("nextHop: 192.0.3.1}]", "nextHop: 192.0.2.1}]")
    assert told(*WHOLE[:-2], again, JOIN) == ["IC2258"]


def test_the_vlans_of_a_partner_leaf_count_since_a_pair_has_its_networks_in_common() -> None:
    narrow = APSTRA.replace("- name: leaf2\n", "- name: leaf2\n      vlans: 200-299\n")
    narrow += "  pools: {vlan: [103, 200-299]}\n"
    built = build(narrow, *BASE[1:], N3, ON_N3)
    assert [entry.code for entry in built.diagnostics] == ["IC2260"]
    assert "switch 'leaf2'" in str(built)
    alone = narrow.replace("  redundancyGroups: [{name: rack1, switches: [leaf1, leaf2]}]\n", "")
    assert told(alone, *BASE[1:], N3, ON_N3) == []


def test_a_link_has_a_prefix_of_its_own_but_two_borders_may_share_a_segment() -> None:
    inside = EXIT.replace("192.0.2.0/31", "10.10.6.128/31").replace("192.0.2.1", "10.10.6.129")
    assert told(*WHOLE[:-2], inside, JOIN) == ["IC2259"]
    twin = EXIT.replace("name: out", "name: out2").replace("Ethernet49", "Ethernet48")
    assert told(*WHOLE, twin.partition("  peers:")[0]) == ["IC2259", "IC2259"]
    two = APSTRA.replace("- {name: border1,", "- {name: border2, role: border}\n    - {name: border1,")
    assert told(two, *WHOLE[1:], twin.partition("  peers:")[0].replace("border1", "border2")) == []


def test_neighbours_and_next_hops_are_hosts_of_the_link() -> None:
    for wrong in ("192.0.2.0", "192.0.2.3"):
        link = EXIT.replace("192.0.2.0/31", "192.0.2.0/30, local: 192.0.2.2")
        assert told(*WHOLE[:-2], link, JOIN) == []
        assert told(*WHOLE[:-2], link.replace("address: 192.0.2.1,", f"address: {wrong},"), JOIN) == [
            "IC2255"
        ]
        assert told(*WHOLE[:-2], link.replace("nextHop: 192.0.2.1", f"nextHop: {wrong}"), JOIN) == ["IC2257"]


def test_a_bond_that_balances_needs_a_lag() -> None:
    balanced = N6.replace("pools: [left, right]", "pools: [left, right], mode: balance-xor")
    assert told(*BASE, N6) == []
    assert told(*BASE, balanced) == ["IC2215"]
    paired = NODES.replace("  cables:", "  bonds: [{name: bond0, nics: [ens1f0, ens1f1]}]\n  cables:")
    assert "IC2215" not in told(APSTRA, paired, *BASE[2:], balanced)


def test_a_zone_is_called_like_no_port() -> None:
    documents = [item for item in for_frr(*WHOLE) if item != JOIN]
    for port in ("swp1", "swp49", "swp51"):
        assert told(*(item.replace("zone: ran", f"zone: {port}") for item in documents)) == ["IC2240"]


def test_the_vlan_that_carries_a_zone_is_one_that_its_switches_allow() -> None:
    narrow = APSTRA.replace("- name: leaf1\n", "- name: leaf1\n      vlans: 100-110\n")
    built = build(narrow, *BASE[1:], N3, ON_N3)
    assert [entry.code for entry in built.diagnostics] == ["IC2260"]
    assert "zone 'ran' is carried by VLAN" in str(built)
    pool = "  pools: {vlan: 100-110}\n"
    assert told(narrow + pool, *BASE[1:], N3, ON_N3) == []
    border = APSTRA.replace("{name: border1, role: border}", "{name: border1, role: border, vlans: 100-110}")
    assert told(border, *WHOLE[1:]) == ["IC2260"]
