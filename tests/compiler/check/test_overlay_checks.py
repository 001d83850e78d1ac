"""Where the overlay's checks draw the line; the texts of all diagnostics are in tests/golden/errors."""

from __future__ import annotations

import pytest

from tests.overlays import (
    BASE,
    CALICO,
    CALICO_BASE,
    CLUSTER,
    CORE,
    FACTS,
    UNDERLAY,
    W1,
    calico_node,
    node,
    policy,
    specs,
)
from tests.support import build

EVERYONE = {"headends": "{clusters: [core]}", "endpoints": "{nodes: {names: [w2]}}"}
FAR = (
    CLUSTER.replace("edge", "far")
    .replace("10.64.", "10.65.")
    .replace("fd64:", "fd65:")
    .replace("fcdd::", "fcde::")
    .replace("cafe:1", "cafe:3")
)


def meshed(*texts: str) -> list[str]:
    return [text.replace("srv6: {", "srv6: {mesh: all, ") for text in texts]


def test_the_base_is_free_of_complaints() -> None:
    assert build(*BASE, policy()).diagnostics == ()
    assert build(*CALICO_BASE, policy(**EVERYONE)).diagnostics == ()


@pytest.mark.parametrize("plane", ["bgp\n  bgp: {injector: 'fd22::ffff'}", "kubernetes"])
def test_vpp_takes_both_control_planes(plane: str) -> None:
    assert (
        build(*BASE[:-1], CLUSTER.replace("controlPlane: kubernetes", f"controlPlane: {plane}")).codes == []
    )


@pytest.mark.parametrize(
    ("version", "codes"),
    [
        ("3.32.0", []),
        ("v3.32.1", []),
        ("4.0", []),
        ("3.31.9", ["IC2611"]),
        ("3.32.0-rc1", []),
        ("v3", ["IC2611"]),
    ],
)
def test_calico_vpp_must_be_recent(version: str, codes: list[str]) -> None:
    cluster = CALICO.replace("calicoVpp: 3.33.0", f"calicoVpp: {version}")
    assert build(UNDERLAY, calico_node(1), calico_node(2), cluster).codes == codes


@pytest.mark.parametrize(("version", "codes"), [("3.32.0", ["IC2601"]), ("3.23.0-te", []), (None, [])])
def test_the_kubernetes_control_plane_of_calico_is_one_build(version: str | None, codes: list[str]) -> None:
    said = f"versions: {{calicoVpp: {version}}}" if version else "versions: {}"
    cluster = CALICO.replace("controlPlane: bgp", "controlPlane: kubernetes").replace(
        "versions: {calicoVpp: 3.33.0}", said
    )
    built = build(UNDERLAY, calico_node(1), calico_node(2), cluster)
    assert built.codes == codes
    assert built.warnings == []


def test_linux_without_an_overlay_is_fine() -> None:
    cluster = CLUSTER.replace("dataplane: vpp", "dataplane: linux").replace(
        '  srv6: {localsids: "fcdd::/48", policies: "cafe:1::/112"}\n', ""
    )
    assert build(*BASE[:-1], cluster).codes == []


def test_clusters_of_one_mesh_may_lie_side_by_side() -> None:
    assert build(UNDERLAY, node(1), node(2, "far"), *meshed(CLUSTER, FAR)).codes == []


@pytest.mark.parametrize(
    ("old", "new", "joined", "codes"),
    [
        ("10.65.0.0/16", "10.64.128.0/17", "mesh", ["IC2606"]),
        ("10.65.0.0/16", "10.64.128.0/17", "apart", []),  # pods of clusters that never meet
        ("cafe:3::/112", "cafe:1::8000/113", "mesh", ["IC2606"]),
        ("cafe:3::/112", "cafe:1::8000/113", "apart", []),
        ("fcde::/48", "fcdd::/49", "apart", ["IC2606"]),  # SIDs share the underlay
        ("fcde::/48", "fcbb:0:2::/64", "apart", ["IC2606"]),
        ("cafe:3::/112", "fcdd:0:0:7::/112", "apart", ["IC2606"]),  # a BSID must not be routed
        ("cafe:3::/112", "fd00:0:1::/64", "apart", ["IC2606"]),
        ("fd65::/48", "fd11::/16", "apart", ["IC2606"]),  # node addresses
    ],
)
def test_address_space_is_shared_by_underlay_and_mesh(
    old: str, new: str, joined: str, codes: list[str]
) -> None:
    texts = (CLUSTER, FAR.replace(old, new))
    built = build(UNDERLAY, node(1), node(2, "far"), *(meshed(*texts) if joined == "mesh" else texts))
    assert sorted(set(built.codes)) == codes, str(built)


def test_services_may_be_the_same_in_all_clusters_but_not_those_of_pods() -> None:
    said = "  serviceCidrs: {ipv4: 10.96.0.0/16}\n"
    assert build(UNDERLAY, node(1), node(2, "far"), *meshed(CLUSTER + said, FAR + said)).codes == []
    taken = "  serviceCidrs: {ipv4: 10.64.0.0/20}\n"
    assert build(UNDERLAY, node(1), node(2, "far"), *meshed(CLUSTER, FAR + taken)).codes == ["IC2606"]


def test_meshed_calico_clusters_share_the_supernet_and_nodes_get_different_blocks() -> None:
    far = (
        CALICO.replace("core", "far")
        .replace("10.80.", "10.81.")
        .replace("fd80:", "fd81:")
        .replace("cafe:2", "cafe:4")
        .replace("nodes: {names: [w1]}", "nodes: {all: true}")
    )
    texts = (UNDERLAY, node(1, "core"), node(2, "far"), *meshed(CALICO, far))
    built = build(*texts)
    assert built.codes == []
    assert built.compiled.allocated is not None
    assert len(set(built.compiled.allocated.localsids.values())) == 2
    alone = build(UNDERLAY, node(1, "core"), node(2, "far"), CALICO, far)
    assert alone.codes == ["IC2606"], "without a mesh they must not share it"


def test_a_loopback_may_lie_in_the_locator_of_its_own_router_only() -> None:
    assert build(UNDERLAY.replace("fd00:0:1::1", "fcbb:0:1::ff"), *BASE[1:]).codes == []
    assert build(UNDERLAY.replace("fd00:0:1::1", "fcbb:0:2::ff"), *BASE[1:]).codes == ["IC2606"]


def test_the_block_of_the_underlay_holds_locators_and_localsids() -> None:
    assert build(UNDERLAY.replace("mtu: 9000", 'mtu: 9000\n  block: "fc00::/8"'), *BASE[1:]).codes == []
    assert set(build(UNDERLAY.replace("mtu: 9000", 'mtu: 9000\n  block: "fcdd::/32"'), *BASE[1:]).codes) == {
        "IC2607"
    }


@pytest.mark.parametrize(("most", "codes"), [(3, []), (2, ["IC2635"])])
def test_the_weakest_headend_limits_the_list(most: int, codes: list[str]) -> None:
    assert (
        sorted(
            set(
                build(
                    UNDERLAY, node(1), node(2), node(3, more=f"  maxSids: {most}\n"), CLUSTER, policy()
                ).codes
            )
        )
        == codes
    )


@pytest.mark.parametrize(
    ("router", "limits", "codes"),
    [
        ("p1", "{segmentsLeft: 2}", []),
        ("p1", "{segmentsLeft: 1}", ["IC2636"]),
        ("p2", "{segmentsLeft: 1}", []),
        ("p2", "{endPop: 3}", []),
        ("p2", "{endPop: 2}", ["IC2636"]),
    ],
)
def test_routers_on_the_way_limit_the_list(router: str, limits: str, codes: list[str]) -> None:
    underlay = UNDERLAY.replace(f"name: {router},", f"name: {router}, maxSids: {limits},")
    both = "\n    - {name: a, explicit: [{segments: [{router: p1}, {router: p2}]}]}\n"
    assert build(underlay, *BASE[1:], policy(both)).codes == codes


def test_policies_with_different_traffic_do_not_collide() -> None:
    one, two = policy(steer="{pods: [ipv4]}"), policy(name="six", steer="{pods: [ipv6]}")
    assert build(*BASE, one, two).codes == []
    assert build(*BASE, policy(), two).codes == ["IC2634"]
    assert (
        build(
            *BASE, policy(), policy(name="back", headends="{sites: [dc2]}", endpoints="{sites: [dc1]}")
        ).codes
        == []
    )


def test_a_policy_out_of_use_collides_with_nothing() -> None:
    underlay = UNDERLAY.replace("name: p1,", "name: p1, state: drain,")
    other = policy("\n    - {name: a, explicit: [{segments: [{router: p2}]}]}\n", name="spare")
    built = build(underlay, *BASE[1:], policy(), other)
    assert built.codes == []
    assert built.warnings == ["IC2633"]


def test_the_same_prefix_is_steered_once() -> None:
    said = "{pods: [], prefixes: [192.0.2.0/24]}"
    assert build(*BASE, policy(steer=said), policy(name="again", steer=said)).codes == ["IC2634"]


@pytest.mark.parametrize(
    ("heads", "codes"),
    [
        ("{clusters: [core]}", []),
        ("{nodes: {names: [w1]}}", []),  # all but the endpoint itself, which sends nothing to itself
        ("{nodes: {names: [w2]}}", ["IC2638"]),
    ],
)
def test_calico_takes_policies_for_all_headends_only(heads: str, codes: list[str]) -> None:
    assert build(*CALICO_BASE, policy(**EVERYONE | {"headends": heads})).codes == codes


TWO_LISTS = "explicit: [{segments: [{router: p1}]}, {segments: [{router: p2}]}]"


@pytest.mark.parametrize(
    ("version", "codes"),
    [("3.32.0", ["IC2644"]), ("v3.32.1", ["IC2644"]), ("", ["IC2644"]), ("3.33.0", []), ("4.0", [])],
)
def test_a_calico_that_makes_one_path_of_several_lists_gets_one(version: str, codes: list[str]) -> None:
    cluster = CALICO.replace("calicoVpp: 3.33.0", f"calicoVpp: {version}" if version else "")
    base = (*CALICO_BASE[:3], cluster, FACTS)
    assert build(*base, policy(**EVERYONE)).codes == codes
    one = "\n    - {name: one, preference: 200, explicit: [{segments: [{router: p1}]}]}\n"
    assert build(*base, policy(one, **EVERYONE)).codes == []
    spare = f"{one}    - {{name: spare, {TWO_LISTS}}}\n"
    assert build(*base, policy(spare, **EVERYONE)).codes == codes, "the spare one comes when links fail"


@pytest.mark.parametrize("without", ["", "  srv6: "])
def test_calico_is_told_only_what_it_takes_with_an_overlay_and_without(without: str) -> None:
    def codes(old: str, new: str) -> list[str]:
        assert old in CALICO
        lines = CALICO.replace(old, new).splitlines()
        kept = [line for line in lines if not (without and line.startswith(without))]
        return build(UNDERLAY, calico_node(1), calico_node(2), "\n".join(kept) + "\n").codes

    assert codes("kubernetes: calico-vpp-dataplane/bgp/rr", "kubernetes: calico-vpp-dataplane/bgp/rr") == []
    assert codes("kubernetes: calico-vpp-dataplane/bgp/rr", "kubernetes: calico/bgp/rr") == ["IC2615"]
    assert codes("kubernetes: calico-vpp-dataplane/bgp/rr", "env: BGP") == ["IC2615"]
    assert codes("asn: 64513", "asn: 4200000000") == ["IC2619"]
    assert codes("  bgp:\n", "  blockSizes: {ipv6: 64}\n  bgp:\n") == ["IC2613"]


def test_facts_of_other_families_are_not_needed() -> None:
    half = FACTS.replace(', dt6: "fcff:0:0:2::6"', "")
    ipv4 = policy(**EVERYONE, steer="{pods: [ipv4]}")
    assert build(*CALICO_BASE[:-1], half, ipv4).codes == []
    assert build(*CALICO_BASE[:-1], half, policy(**EVERYONE)).codes == ["IC2642"]


def test_without_policies_calico_needs_no_facts() -> None:
    built = build(*CALICO_BASE[:-1])
    assert built.codes == []
    assert specs(built, CORE, "sr-policy") == {}


def test_a_pinned_mtu_stands_in_for_an_underlay() -> None:
    alone = "kind: Node\nmetadata: {name: w1}\nspec: {labels: {cluster: core}, ipv6: 'fd11::1'}\n"
    assert build(alone, CALICO).codes == ["IC2616"]
    built = build(alone, CALICO + "  podMtu: 1400\n")
    assert built.codes == []
    assert specs(built, CORE, "Installation")["default"]["spec"] == {"calicoNetwork": {"mtu": 1400}}


@pytest.mark.parametrize(
    ("steer", "codes"),
    [
        ("{prefixes: [192.0.2.0/24]}", []),
        ("{prefixes: [192.0.2.0/24, 192.0.2.0/24]}", ["IC2639"]),
        ("{prefixes: [0.0.0.0/0]}", []),
        ("{prefixes: [10.64.7.0/26]}", ["IC2649"]),
        ("{prefixes: [10.64.7.16/28]}", ["IC2649"]),
        ("{prefixes: [10.64.7.0/25]}", []),
    ],
)
def test_a_steered_prefix_takes_nothing_from_pods(steer: str, codes: list[str]) -> None:
    pinned = node(2, more="  pins: {podsIpv4: 10.64.7.0/26}\n")
    te = policy(endpoints="{nodes: {names: [w2]}}", steer=steer)
    assert build(UNDERLAY, node(1), pinned, CLUSTER, te).codes == codes


@pytest.mark.parametrize(
    ("prefix", "plane", "codes"),
    [
        ("fcbb:0:2::/48", "vpp", ["IC2639"]),
        ("fcbb:0:2::1/128", "linux", ["IC2639"]),
        ("fcdd::/48", "linux", ["IC2639"]),
        ("cafe:1::/120", "vpp", ["IC2639"]),
        ("fd11:1::ffff/128", "linux", ["IC2639"]),
        ("fd11:1::ffff/128", "vpp", []),
        ("::/0", "linux", []),
        ("2001:db8::/32", "linux", []),
    ],
)
def test_a_steered_prefix_takes_no_sid_and_no_next_hop_from_the_underlay(
    prefix: str, plane: str, codes: list[str]
) -> None:
    """Under Linux both would be one route of the main table, and the tunnel would lead into itself."""
    cluster = CLUSTER.replace("dataplane: vpp", f"dataplane: {plane}")
    te = policy(endpoints="{nodes: {names: [w2]}}", steer=f'{{prefixes: ["{prefix}"]}}')
    assert build(UNDERLAY, node(1), node(2), cluster, te).codes == codes


@pytest.mark.parametrize(
    ("pin", "codes"),
    [("cafe:1::10", []), ("cafe:1::fffe", []), ("cafe:1::ffff", ["IC2646"]), ("fe00::1", ["IC2646"])],
)
def test_a_pinned_bsid_is_one_that_is_ours(pin: str, codes: list[str]) -> None:
    assert build(*BASE, policy(bsids=f'{{w2: "{pin}"}}')).codes == codes


@pytest.mark.parametrize(
    ("address", "codes"),
    [("fd11::1", []), ("fe80::1", ["IC2620"]), ("ff02::1", ["IC2620"]), ("::", ["IC2620"])],
)
def test_the_source_of_encapsulation_is_routable(address: str, codes: list[str]) -> None:
    first = node(1).replace('ipv6: "fd11::1"', f'ipv6: "{address}"')
    assert build(UNDERLAY, first, node(2), CLUSTER).codes == codes


def test_a_link_local_way_back_needs_the_interface_of_the_router() -> None:
    first = node(1).replace("nextHop:", 'address: "fe80::2", nextHop:')
    assert build(UNDERLAY, first, node(2), CLUSTER).codes == ["IC2620"]
    link = "    - {name: p1-w1, ends: [{at: p1, interface: eth9}, {at: w1}]}\n"
    assert build(UNDERLAY + link, first, node(2), CLUSTER).codes == []


@pytest.mark.parametrize("part", ["nics: [{name: e0, mtu: 1600}, {name: e1, mtu: 1500}]", "bond"])
def test_a_bond_as_uplink_limits_the_mtu_of_pods(part: str) -> None:
    nics = part if part != "bond" else "nics: [{name: e0}, {name: e1}]"
    bond = ", mtu: 1500" if part == "bond" else ""
    more = f"  {nics}\n  bonds: [{{name: bond0, nics: [e0, e1]{bond}}}]\n"
    first = node(1, more=more).replace("interface: eth0", "interface: bond0")
    conflist = specs(build(UNDERLAY, first, node(2), CLUSTER), W1, "conflist")["10-intentc-pods.conflist"]
    assert conflist["plugins"][0]["mtu"] == 1460


def test_a_pinned_mtu_reaches_calico_without_srv6() -> None:
    plain = "\n".join(line for line in CALICO.splitlines() if "srv6" not in line and "injector" not in line)
    built = build(calico_node(1), calico_node(2), UNDERLAY, plain + "\n  podMtu: 1400\n")
    assert specs(built, CORE, "Installation")["default"]["spec"] == {"calicoNetwork": {"mtu": 1400}}


def test_two_peers_of_one_name_would_be_one_object() -> None:
    assert build(*CALICO_BASE[:3], CALICO.replace("name: rr", "name: injector"), FACTS).codes == ["IC2621"]
