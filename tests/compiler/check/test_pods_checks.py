"""What is said of offers, bonds, overlay attachments, workloads and VFs; each diagnostic once."""

from __future__ import annotations

import pytest

from tests.pods import BASE, CLUSTER, GROUND, LEFT, NODES, PLUGIN_CLUSTER, RIGHT, network, workload
from tests.support import build

V4 = "subnets: [{cidr: 10.1.0.0/24}]"
BOND = "{type: sriovBond, pools: [left, right]}"
OVERLAY = "{type: overlay, clusters: [edge]}"


def test_sound_intent_passes() -> None:
    built = build(
        *BASE,
        network("n3", V4),
        network("n6", "", BOND),
        network("blue", "subnets: [{cidr: 10.2.0.0/16}]", OVERLAY),
    )
    assert built.diagnostics == (), str(built)


@pytest.mark.parametrize(
    ("before", "after", "part"),
    [
        ("sriov: {manager: operator}, ", "", "SR-IOV"),
        ("ipam: whereabouts, ", "", "cluster-wide IPAM"),
        (", bond: true", "", "bond CNI plugin"),
        ("installed: {", "installed: {multus: false, ", "Multus"),
    ],
)
def test_cluster_must_have_what_networks_need(before: str, after: str, part: str) -> None:
    cluster = CLUSTER.replace(before, after)
    built = build(
        *GROUND,
        cluster,
        LEFT,
        RIGHT,
        network("n3", V4, BOND),
        network("n4", V4.replace("10.1", "10.2"), BOND),
    )
    assert built.codes == ["IC2301"]
    assert part in str(built)
    assert "and 1 other" in str(built)


@pytest.mark.parametrize("name", ["n3.ran", "n" * 64])
def test_name_must_fit_multus(name: str) -> None:
    assert build(*BASE, network(name)).codes == ["IC2302"]


def test_composed_names_can_be_too_long() -> None:
    attachments = "{type: sriov, pool: left}, {type: sriov, pool: right}"
    assert build(*BASE, network("n" * 60, "", attachments)).codes == ["IC2302", "IC2302"]


def test_two_attachments_with_one_name() -> None:
    attachments = "{type: sriov, pool: left}, {type: sriov, pool: right}"
    built = build(*BASE, network("n3", "", attachments), network("n3-left"))
    assert built.codes == ["IC2303"]


def test_namespace_must_be_in_the_cluster() -> None:
    built = build(*BASE, network("n3", "", "{type: sriov, pool: left, namespaces: [upd]}"))
    assert built.codes == ["IC2304"]
    assert "did you mean 'upf'?" in str(built)


def test_network_must_be_offered_somewhere() -> None:
    cluster = CLUSTER.replace("  namespaces: [{name: upf}, {name: ran}]\n", "")
    built = build(*GROUND, cluster, LEFT, network("n3"))
    assert built.codes == ["IC2304"]
    assert "list the namespaces of its pods in spec.namespaces of the cluster" in str(built)
    assert "in the attachment" not in str(built), "naming one there asks for it in the cluster too"


def test_priority_needs_a_vlan() -> None:
    attachment = "{type: sriov, pool: left, vlanQos: 3}"
    assert build(*BASE, network("n3", "", attachment)).codes == ["IC2305"]
    assert build(*BASE, network("n3", "zone: ran\nextendToFabric: true", attachment)).codes == []


def test_infiniband_carries_no_ethernet_network() -> None:
    assert build(*GROUND, CLUSTER, LEFT + "  linkType: ib\n", network("n3")).codes == ["IC2306"]


def test_bond_needs_a_common_node() -> None:
    right = RIGHT.replace("nodes: {matchLabels: {role: upf}}", "nodes: {names: [w1]}")
    left = LEFT.replace("nodes: {matchLabels: {role: upf}}", "nodes: {names: [w2]}")
    assert build(*GROUND, CLUSTER, left, right, network("n3", "", BOND)).codes == ["IC2307"]


def test_bond_needs_one_cluster() -> None:
    nodes = (
        NODES.replace("w{n}", "x{n}")
        .replace("cluster: edge", "cluster: far")
        .replace("fd11::", "fd12::")
        .replace("Ethernet{n}", "Ethernet{n+10}")
    )
    far = CLUSTER.replace("name: edge", "name: far").replace("cluster: edge", "cluster: far")
    far = (
        far.replace("10.64.", "10.65.")
        .replace("fd64::", "fd65::")
        .replace("fcdd::", "fcde::")
        .replace("cafe:1:", "cafe:2:")
        .replace("10.96.", "10.97.")
    )
    right = RIGHT.replace("cluster: edge", "cluster: far")
    assert "IC2307" in build(*GROUND, nodes, CLUSTER, far, LEFT, right, network("n3", "", BOND)).codes


def test_bond_needs_kernel_devices() -> None:
    right = RIGHT + "  deviceType: vfio-pci\n"
    assert build(*GROUND, CLUSTER, LEFT, right, network("n3", "", BOND)).codes == ["IC2308"]


def test_bond_needs_two_nics() -> None:
    left = LEFT + "  vfRange: 0-7\n"
    right = RIGHT.replace("ens1f1", "ens1f0") + "  vfRange: 8-15\n"
    built = build(*GROUND, CLUSTER, left, right, network("n3", "", BOND), network("n4", "", BOND))
    assert built.codes == ["IC2309", "IC2309"]


def test_overlay_attachment_needs_our_overlay() -> None:
    plain = CLUSTER.replace('  srv6: {localsids: "fcdd::/48", policies: "cafe:1::/112"}\n', "")
    assert "IC2310" in build(*GROUND, plain, network("blue", V4, OVERLAY)).codes
    assert build(*BASE, network("blue", "", OVERLAY)).codes == ["IC2310"]


def test_overlay_attachment_on_calico() -> None:
    calico = CLUSTER.replace("dataplane: vpp", "dataplane: calico-vpp").replace(
        "controlPlane: kubernetes", "controlPlane: bgp"
    )
    assert "IC2310" in build(*GROUND, calico, network("blue", V4, OVERLAY)).codes


def test_overlay_network_fits_the_pods() -> None:
    cluster = CLUSTER + "  podMtu: 1400\n"
    built = build(*GROUND, cluster, network("blue", V4 + "\nmtu: 1500", OVERLAY))
    assert "IC2311" in built.codes
    assert "podMtu of the cluster is 1400" in str(built)
    assert "IC2311" not in build(*GROUND, cluster, network("blue", V4 + "\nmtu: 1400", OVERLAY)).codes


def test_overlay_and_fabric_together() -> None:
    both = network(
        "n3", V4 + "\nextendToFabric: true", "{type: sriov, pool: left}, {type: overlay, clusters: [edge]}"
    )
    assert build(*BASE, both).codes == ["IC2363"]
    assert build(*BASE, both + "  ipam: {mode: none}\n").codes == []


def test_workload_takes_what_is_offered() -> None:
    assert build(
        *BASE,
        network("n3", "zone: ran\nextendToFabric: true", "{type: bareMetal}"),
        workload("upf", "{network: n3}"),
    ).codes == ["IC2312"]
    built = build(*BASE, network("n3"), workload("upf", "{network: n3, pool: right}"))
    assert built.codes == ["IC2312"]
    assert "left" in str(built)


def test_workload_says_which_attachment() -> None:
    several = network("n3", "", "{type: sriov, pool: left}, {type: sriov, pool: right}")
    assert build(*BASE, several, workload("upf", "{network: n3}")).codes == ["IC2312"]
    assert build(*BASE, several, workload("upf", "{network: n3, pool: right}")).codes == []


def test_workload_takes_it_in_its_namespace() -> None:
    built = build(
        *BASE,
        network("n3", "", "{type: sriov, pool: left, namespaces: [ran]}"),
        workload("upf", "{network: n3}"),
    )
    assert built.codes == ["IC2313"]


@pytest.mark.parametrize(
    "interfaces",
    [
        "{network: n3, name: x}, {network: n4, name: x}",
        "{network: n3, name: eth0}",
        "{network: n3, name: net2}, {network: n4}",
        "{network: n5}, {network: n6}",
        "{network: n3, name: bond0a}, {network: n5}",
    ],
)
def test_interfaces_have_names_of_their_own(interfaces: str) -> None:
    networks = (network("n3"), network("n4"), network("n5", "", BOND), network("n6", "", BOND))
    assert "IC2314" in build(*BASE, *networks, workload("upf", interfaces)).codes


def test_unnamed_interfaces_are_counted() -> None:
    networks = (network("n3"), network("n4"), network("n5", "", BOND))
    assert build(*BASE, *networks, workload("upf", "{network: n3}, {network: n5}, {network: n4}")).codes == []


def test_chosen_address_needs_static_ipam() -> None:
    pod = workload("upf", "{network: n3, addresses: [10.1.0.5]}")
    assert build(*BASE, network("n3", V4), pod).codes == ["IC2315"]
    assert build(*BASE, network("n3", V4 + "\nipam: {mode: static}"), pod).codes == []


def test_bond_takes_no_mac() -> None:
    pod = workload("upf", '{network: n3, mac: "02:00:00:00:00:01"}')
    assert build(*BASE, network("n3", "", BOND), pod).codes == ["IC2315"]
    assert build(*BASE, network("n3"), pod).codes == []


def test_resource_names_are_unique_in_a_cluster() -> None:
    right = RIGHT + "  resourceName: left\n"
    assert build(*GROUND, CLUSTER, LEFT, right).codes == ["IC2331"]


def test_hardware_has_the_vfs() -> None:
    assert build(*GROUND, CLUSTER, LEFT.replace("vfs: 16", "vfs: 65")).codes == ["IC2332"]


@pytest.mark.parametrize("field", ["vfs: 32", "vfs: 16\n  eSwitchMode: switchdev", "vfs: 16\n  linkType: ib"])
def test_pools_of_one_nic_agree(field: str) -> None:
    right = RIGHT.replace("ens1f1", "ens1f0").replace("vfs: 16", field) + "  vfRange: 8-15\n"
    assert build(*GROUND, CLUSTER, LEFT + "  vfRange: 0-7\n", right).codes == ["IC2333"]


def test_vf_is_in_one_pool() -> None:
    right = RIGHT.replace("ens1f1", "ens1f0")
    assert build(*GROUND, CLUSTER, LEFT, right).codes == ["IC2334"]
    left = LEFT + "  vfRange: 0-8\n"
    assert build(*GROUND, CLUSTER, left, right + "  vfRange: 8-15\n").codes == ["IC2334"]
    assert build(*GROUND, CLUSTER, left, right + "  vfRange: 9-15\n").codes == []


def test_device_plugin_reads_one_list_for_all_nodes() -> None:
    left = LEFT.replace("nodes: {matchLabels: {role: upf}}", "nodes: {names: [w1]}")
    right = RIGHT.replace("nodes: {matchLabels: {role: upf}}", "nodes: {names: [w2]}").replace(
        "ens1f1", "ens1f0"
    )
    assert build(*GROUND, PLUGIN_CLUSTER, left, right).codes == ["IC2335"]
    assert build(*GROUND, CLUSTER, left, right).codes == []


@pytest.mark.parametrize(
    ("more", "codes"),
    [
        ("replicas: 48", []),
        ("replicas: 49", ["IC2336"]),
        ("replicas: 47\nmaxSurge: 2", ["IC2336"]),
        ("replicas: 3\nspread: true", []),
        ("replicas: 4\nspread: true", ["IC2336"]),
        ("replicas: 17\nnodes: {names: [w1]}", ["IC2336"]),
        ("kind: DaemonSet", []),
        ("nodes: {matchLabels: {role: other}}", ["IC2336"]),
    ],
)
def test_pods_find_their_vfs(more: str, codes: list[str]) -> None:
    assert build(*BASE, network("n3"), workload("upf", "{network: n3}", more)).codes == codes


def test_workloads_share_a_pool() -> None:
    one = workload("upf", "{network: n3}", "replicas: 30\nspread: false")
    two = workload("smf", "{network: n3}", "replicas: 20")
    built = build(*BASE, network("n3"), one, two)
    assert built.codes == ["IC2336"]
    assert "workloads take 50 VFs" in str(built)


def test_a_node_could_lack_vfs() -> None:
    built = build(*BASE, network("n3"), workload("upf", "{network: n3}", "replicas: 20"))
    assert (built.codes, built.warnings) == ([], ["IC2337"])
    built = build(*BASE, network("n3"), workload("upf", "{network: n3}", "replicas: 16"))
    assert built.warnings == []


def _on(name: str, node: str, vfs: str) -> str:
    pool = LEFT.replace("name: left", f"name: {name}") + f"  vfRange: {vfs}\n"
    return pool.replace("{matchLabels: {role: upf}}", f"{{names: [{node}]}}")


def test_device_plugin_reads_one_list_for_three_pools() -> None:
    pools = [_on("a", "w1", "0-3"), _on("b", "w2", "4-7"), _on("c", "w3", "4-7")]
    built = build(*GROUND, PLUGIN_CLUSTER, *pools)
    assert built.codes == ["IC2335"]
    assert "pools 'b' and 'c'" in str(built)


def test_device_plugin_knows_no_nodes_where_pools_meet_on_other_nics() -> None:
    # Both pools are on w2, but ens1f0 is that of the first on w1 only.
    nodes = NODES.replace("range: {last: 3}", "range: {first: 2, last: 3}").replace(
        "{name: ens1f0, vfs: 64, mtu: 9000}", "{name: ens1f0, vfs: 64, mtu: 9000, vendor: '8086'}"
    )
    first = NODES.replace('"w{n}"', "w1").replace("  range: {last: 3}\n", "").replace("{n}", "1")
    first = first.replace("{name: ens1f0,", "{name: ens1f0, vendor: '15b3',")
    nodes = nodes.replace("{name: ens1f1,", "{name: ens1f1, vendor: '15b3',")
    one = LEFT.replace("names: [ens1f0]", "vendor: '15b3'")
    two = LEFT.replace("name: left", "name: two").replace("names: [ens1f0]", "vendor: '8086'")
    built = build(*GROUND[:2], first, nodes, PLUGIN_CLUSTER, one, two)
    assert built.codes == []  # the vendor tells them apart


def test_policies_of_the_operator_have_names_of_their_own() -> None:
    same = LEFT.replace("name: left", "name: a-w1") + "  vfRange: 4-7\n"
    built = build(*GROUND, CLUSTER, _on("a", "w1", "0-3"), same)
    assert built.codes == ["IC2316"]
    assert build(*GROUND, PLUGIN_CLUSTER, _on("a", "w1", "0-3"), same).codes == []


def test_a_fabric_carries_tags_of_802_1q() -> None:
    odd = network(
        "n3", V4 + "\nextendToFabric: true\nzone: red", '{type: sriov, pool: left, vlanProto: "802.1ad"}'
    )
    assert build(*BASE, odd).warnings == ["IC2317"]
    assert build(*BASE, odd.replace("1ad", "1q")).warnings == []


def test_the_device_plugin_offers_vfs_of_nodes_that_a_pool_does_not_choose() -> None:
    def notes(*documents: str) -> list[str]:
        return [entry.code for entry in build(*GROUND, *documents).diagnostics]

    assert notes(PLUGIN_CLUSTER, _on("a", "w1", "0-3")) == ["IC2338"]
    assert notes(PLUGIN_CLUSTER, LEFT) == []
    assert notes(CLUSTER, _on("a", "w1", "0-3")) == []
