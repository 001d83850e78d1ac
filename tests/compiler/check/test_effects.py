"""What is said without effect is told, and what has one is not."""

from __future__ import annotations

import pytest

from tests import pods
from tests.overlays import (
    BASE,
    CALICO,
    CALICO_BASE,
    CLUSTER,
    UNDERLAY,
    calico_node,
    computed,
    network,
    node,
    policy,
)
from tests.support import Built, build


def idle(built: Built) -> list[str]:
    """Return the fields that notes speak of."""
    return [entry.message.split(" ")[0] for entry in built.diagnostics if entry.code == "IC2061"]


def test_what_has_effect_is_not_told() -> None:
    assert idle(build(*BASE, network("blue", "10.1.0.0/24"))) == []
    assert idle(build(*CALICO_BASE)) == []
    assert idle(build(*pods.BASE, pods.network("n3", "subnets: [{cidr: 10.1.0.0/24}]"))) == []


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("bgp: {asn: 65000}", "bgp"),
        ("uplinkInterface: eth0", "uplinkInterface"),
        ("calicoVpp: {featureGates: {vclEnabled: true}}", "calicoVpp"),
        ("versions: {kubernetes: 1.31.0}", "versions.kubernetes"),
        ("installed: {ipamNamespace: pools}", "installed.ipamNamespace"),
    ],
)
def test_what_no_vpp_node_is_told(line: str, field: str) -> None:
    assert idle(build(*BASE[:-1], f"{CLUSTER}  {line}\n")) == [field]


def test_what_calico_chooses_by_itself() -> None:
    cluster = CALICO.replace("srv6: {", "srv6: {hopLimit: 9, ")
    first = calico_node(1).replace("pins: {", "pins: {podsIpv4: 10.80.0.0/26, ")
    assert idle(build(UNDERLAY, first, calico_node(2), cluster)) == ["pins.podsIpv4", "srv6.hopLimit"]


def test_what_linux_chooses_by_itself_and_others_do_not_need() -> None:
    said = CLUSTER.replace("srv6: {", "srv6: {hopLimit: 9, vrfDevices: true, ")
    assert idle(build(*BASE[:-1], said)) == ["srv6.vrfDevices"]
    assert idle(build(*BASE[:-1], said.replace("dataplane: vpp", "dataplane: linux"))) == ["srv6.hopLimit"]


def test_what_a_cluster_without_overlay_leaves_alone() -> None:
    plain = CLUSTER.replace('  srv6: {localsids: "fcdd::/48", policies: "cafe:1::/112"}\n', "")
    pinned = node(1, more="  pins: {podsIpv4: 10.64.0.0/26}\n")
    assert idle(build(UNDERLAY, pinned, f"{plain}  podMtu: 1400\n")) == ["pins.podsIpv4", "podMtu"]


def test_what_routers_and_nics_do_not_do() -> None:
    routers = UNDERLAY.replace('locator: "fcbb:0:1::/48"', 'locator: "fcbb:0:1::/48", maxSids: {endD: 4}')
    first = node(1, more="  nics: [{name: e0, numa: 0}, {name: e1, numa: 1}]\n")
    assert idle(build(routers, first, node(2), CLUSTER)) == ["routers.0.maxSids.endD", "nics.0.numa"]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("tenant: red", "tenant"),
        ("ipam: {mode: static}", "ipam.mode"),
        ("gateway: external", "gateway"),
        ("ipam: {fixed: [{owner: a, address: 10.1.0.9, mac: '02:00:00:00:00:01'}]}", "ipam.fixed.0.mac"),
    ],
)
def test_what_an_overlay_network_does_not_take(line: str, field: str) -> None:
    assert idle(build(*BASE, f"{network('blue', '10.1.0.0/24')}  {line}\n")) == [field]


def test_blocks_of_nodes_are_those_of_nv_ipam_and_the_overlay() -> None:
    more = "subnets: [{cidr: 10.1.0.0/24}]\nipam: {perNodeBlockSize: 8}"
    assert idle(build(*pods.BASE, pods.network("n3", more))) == ["ipam.perNodeBlockSize"]
    assert idle(build(*pods.GROUND, pods.NV_CLUSTER, pods.LEFT, pods.network("n3", more))) == []
    assert idle(build(*BASE, f"{network('blue', '10.1.0.0/24')}  ipam: {{perNodeBlockSize: 8}}\n")) == []


def test_how_far_apart_without_saying_from_whom() -> None:
    """Who forgets `disjointFrom` must not believe that two paths share nothing."""
    said = "disjointness: node"
    built = build(*BASE, policy(computed("igp", said), steer="{pods: [ipv6]}"))
    assert idle(built) == ["candidatePaths.0.dynamic.constraints.disjointness"]
    assert idle(build(*BASE, policy(computed("igp"), steer="{pods: [ipv6]}"))) == []


def test_the_device_plugin_sets_up_no_vf() -> None:
    pool = f"{pods.LEFT}  priority: 3\n  eSwitchMode: switchdev\n"
    assert idle(build(*pods.GROUND, pods.PLUGIN_CLUSTER, pool)) == ["priority", "eSwitchMode"]
    assert idle(build(*pods.GROUND, pods.CLUSTER, pool)) == []
