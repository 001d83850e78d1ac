"""Ports in use: who needs which network on which port."""

from __future__ import annotations

from compiler.derived.attachments import ports_in_use, where
from compiler.elements.fabric import Binding
from compiler.lower.fabric import fabric
from tests.fabrics import BASE, CLUSTER, FIREWALL, LEFT, N3, N6, NODES, RIGHT, STATIC, placed
from tests.support import Built, build

WORKLOAD = """kind: Workload
metadata: {name: upf}
spec: {cluster: edge, namespace: upf, replicas: 2, interfaces: [{network: n3}], preProvision: true}
"""


def used(built: Built) -> list[tuple[str, str, bool, tuple[str, ...]]]:
    """Return network, point, tagging and reasons of every use."""
    assert built.compiled.resolved is not None, str(built)
    return [
        (use.network, "/".join(where(use.point)[1:]), use.tagged, use.reasons)
        for use in ports_in_use(built.compiled.resolved)
    ]


def test_a_pod_needs_its_network_on_the_port_of_its_pf() -> None:
    built = build(*BASE, N3, placed(("upf-0", "w2", "n3", "ens1f0")))
    assert used(built) == [("n3", "leaf1/Ethernet2", True, ("pod upf/upf-0",))]


def test_pods_on_one_port_are_all_reasons_for_it() -> None:
    built = build(*BASE, N3, placed(("b", "w1", "n3", "ens1f0"), ("a", "w1", "n3", "ens1f0")))
    assert used(built) == [("n3", "leaf1/Ethernet1", True, ("pod upf/a", "pod upf/b"))]


def test_a_network_that_stays_in_the_cluster_needs_no_port() -> None:
    inside = N3.replace("extendToFabric: true\n  gateway: fabric", "gateway: none").replace(
        "  vlan: 103\n  vni: 1000103\n", ""
    )
    assert used(build(*BASE, inside, placed(("upf-0", "w2", "n3", "ens1f0")))) == []


def test_the_other_leg_of_a_pods_bond_is_added_where_facts_miss_it() -> None:
    built = build(*BASE, N6, placed(("upf-0", "w1", "n6", "ens1f0")))
    assert [point for _, point, _, _ in used(built)] == ["leaf1/Ethernet1", "leaf2/Ethernet1"]


def test_facts_that_name_both_legs_are_taken_as_they_are() -> None:
    wide = RIGHT.replace("[ens1f1]", "[ens1f1, ens1f2]")
    nodes = NODES.replace(
        "  cables:\n", '  cables:\n    - {nic: ens1f2, fabric: dc1, switch: leaf2, port: "Ethernet1{n}"}\n'
    ).replace("  nics: [", "  nics: [{name: ens1f2, vfs: 64, mtu: 9000}, ")
    pods = placed(("upf-0", "w1", "n6", "ens1f0"), ("upf-0", "w1", "n6", "ens1f2"))
    built = build(BASE[0], nodes, CLUSTER, LEFT, wide, N6, pods)
    assert [point for _, point, _, _ in used(built)] == ["leaf1/Ethernet1", "leaf2/Ethernet11"]


def test_a_pf_in_an_active_backup_bond_brings_its_partner() -> None:
    bonded = NODES.replace(
        "  cables:", "  bonds: [{name: bond0, nics: [ens1f0, ens1f1], mode: active-backup}]\n  cables:"
    )
    built = build(BASE[0], bonded, CLUSTER, LEFT, N3, placed(("upf-0", "w1", "n3", "ens1f0")))
    assert [point for _, point, _, _ in used(built)] == ["leaf1/Ethernet1", "leaf2/Ethernet1"]


def test_a_pf_in_an_lacp_bond_is_reached_through_its_lag() -> None:
    bonded = NODES.replace("  cables:", "  bonds: [{name: bond0, nics: [ens1f0, ens1f1]}]\n  cables:")
    built = build(BASE[0], bonded, CLUSTER, LEFT, N3, placed(("upf-0", "w1", "n3", "ens1f0")))
    assert [point for _, point, _, _ in used(built)] == ["rack1/w1-bond0"]


def test_pre_provision_takes_every_node_that_the_workload_may_run_on() -> None:
    built = build(*BASE, N3, WORKLOAD)
    assert used(built) == [
        ("n3", "leaf1/Ethernet1", True, ("workload upf",)),
        ("n3", "leaf1/Ethernet2", True, ("workload upf",)),
    ]


def test_without_pre_provision_a_workload_needs_no_port() -> None:
    assert used(build(*BASE, N3, WORKLOAD.replace(", preProvision: true", ""))) == []


def test_pre_provision_leaves_out_drained_and_unchosen_nodes() -> None:
    one = WORKLOAD.replace("interfaces:", "nodes: {names: [w2]}, interfaces:").replace(
        "replicas: 2", "replicas: 1"
    )
    assert [point for _, point, _, _ in used(build(*BASE, N3, one))] == ["leaf1/Ethernet2"]
    drained = NODES.replace("range: {last: 2}", "state: drain\n  range: {last: 1}")
    other = NODES.replace("range: {last: 2}", "range: {first: 2, last: 2}").replace("w{n}", "x{n}")
    alone = WORKLOAD.replace("replicas: 2", "replicas: 1")
    built = build(BASE[0], drained, other, *BASE[2:], N3, alone)
    assert [point for _, point, _, _ in used(built)] == ["leaf1/Ethernet2"]


def test_pre_provision_leaves_out_nodes_that_lack_a_nic_for_one_interface() -> None:
    only = RIGHT.replace("nodes: {all: true}", "nodes: {names: [w1]}")
    both = WORKLOAD.replace("[{network: n3}]", "[{network: n3}, {network: n6}]").replace(
        "replicas: 2", "replicas: 1"
    )
    built = build(*BASE[:4], only, N3, N6, both)
    assert {point for _, point, _, _ in used(built)} == {"leaf1/Ethernet1", "leaf2/Ethernet1"}


def test_an_attachment_names_a_bond_a_nic_or_a_port() -> None:
    ports = STATIC.replace(
        "[{node: fw, bond: bond0}]",
        "[{node: fw, bond: bond0}, {node: w1, nic: ens1f1}, {fabric: dc1, switch: border1, port: Ethernet3}]",
    )
    built = build(*BASE, FIREWALL, N6, ports)
    assert used(built) == [
        ("n6", "border1/Ethernet3", False, ("attachment firewall",)),
        ("n6", "leaf2/Ethernet1", False, ("attachment firewall",)),
        ("n6", "rack1/fw-bond0", False, ("attachment firewall",)),
    ]


def test_a_port_that_belongs_to_a_lag_stands_for_the_lag() -> None:
    member = STATIC.replace("{node: fw, bond: bond0}", "{fabric: dc1, switch: leaf1, port: Ethernet9}")
    assert [point for _, point, _, _ in used(build(*BASE, FIREWALL, N6, member))] == ["rack1/fw-bond0"]


def test_a_trunk_vf_brings_the_networks_that_its_pod_may_tag() -> None:
    trunk = N3.replace(
        "{type: sriov, pool: left}", "{type: sriov, pool: left, tagging: pod, trunkVlans: 106}"
    )
    built = build(*BASE, trunk, N6, placed(("upf-0", "w1", "n3", "ens1f0")))
    assert [(network, point) for network, point, _, _ in used(built)] == [
        ("n3", "leaf1/Ethernet1"),
        ("n6", "leaf1/Ethernet1"),
    ]


def test_the_order_of_documents_and_facts_does_not_matter() -> None:
    documents = [
        *BASE,
        FIREWALL,
        N3,
        N6,
        STATIC,
        WORKLOAD,
        placed(("a", "w1", "n6", "ens1f0"), ("b", "w2", "n6", "ens1f0")),
    ]
    first = used(build(*documents))
    assert used(build(*reversed(documents))) == first
    assert used(build(*documents[4:], *documents[:4])) == first
    assert len(first) == 7


def test_bindings_follow_from_ports_and_take_both_leaves_of_a_pair() -> None:
    ports = STATIC.replace("{node: fw, bond: bond0}", "{fabric: dc1, switch: border1, port: Ethernet3}")
    built = build(*BASE, FIREWALL, N6, ports, placed(("a", "w1", "n6", "ens1f0")))
    assert built.compiled.allocated is not None, str(built)
    bound = [item for item in fabric(built.compiled.allocated, "dc1") if isinstance(item, Binding)]
    assert [(item.network, item.switch, item.group, item.vlan) for item in bound] == [
        ("n6", None, "rack1", 106),
        ("n6", "border1", None, 106),
    ]
