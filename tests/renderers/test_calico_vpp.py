"""What Calico-VPP clusters are told, judged by Calico's own CRDs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ruamel.yaml import YAML

from compiler.derived.announcements import mark
from compiler.graph import Scope
from tests.crds import need_crds, problems
from tests.overlays import (
    CALICO,
    CALICO_BASE,
    CORE,
    FAR_CALICO,
    SETTINGS,
    UNDERLAY,
    calico_node,
    node,
    policy,
    resources,
    specs,
)
from tests.support import Built, build

TE = policy(headends="{clusters: [core]}", endpoints="{nodes: {names: [w2]}}")
KUBERNETES = CALICO.replace("controlPlane: bgp", "controlPlane: kubernetes").replace(
    "  versions: {calicoVpp: 3.33.0}\n", ""
)
PEERS_AND_RIGHTS = ("BGPPeer", "Role", "RoleBinding")
ONE = "\n    - {name: one, explicit: [{segments: [{router: p1}]}]}\n"


@pytest.fixture
def built() -> Built:
    return build(*CALICO_BASE, TE)


def test_calico_objects_fit_their_crds(built: Built) -> None:
    need_crds()
    checked = [
        item for item in resources(built, CORE) if item.spec.get("apiVersion") == "crd.projectcalico.org/v1"
    ]
    assert {item.key.type for item in checked} == {"IPPool", "BGPPeer", "BGPConfiguration"}
    assert {str(item.key): problems(item.spec) for item in checked if problems(item.spec)} == {}


def test_the_agents_are_told_in_json(built: Built) -> None:
    data = specs(built, CORE, "ConfigMap")["calico-vpp-dataplane/calico-vpp-config"]["data"]
    assert json.loads(data["CALICOVPP_FEATURE_GATES"]) == {"srv6Enabled": True}
    assert json.loads(data["CALICOVPP_SRV6"]) == {"localsidPool": "fcff::/48", "policyPool": "cafe:2::/119"}
    assert json.loads(data["CALICOVPP_INTERFACES"]) == {"uplinkInterfaces": [{"interfaceName": "eth1"}]}
    assert json.loads(data["CALICOVPP_DEBUG"]) == {"gsoEnabled": False}
    assert data["SERVICE_PREFIX"] == "10.96.0.0/16,fd97::/112"


def test_sid_pools_are_named_after_nodes_and_hold_no_pods(built: Built) -> None:
    pools = specs(built, CORE, "IPPool")
    assert set(pools) == {
        "default-ipv4-ippool",
        "default-ipv6-ippool",
        "sr-localsids-pool-w1",
        "sr-localsids-pool-w2",
        "sr-policies-pool",
    }
    mine = pools["sr-localsids-pool-w1"]["spec"]
    assert mine == {
        "cidr": "fcff:0:0:1::/64",
        "ipipMode": "Never",
        "vxlanMode": "Never",
        "nodeSelector": "kubernetes.io/hostname == 'w1'",
        "allowedUses": ["Tunnel"],
    }
    shared = pools["sr-policies-pool"]["spec"]
    assert (shared["cidr"], shared["blockSize"], shared["nodeSelector"]) == ("cafe:2::/119", 122, "!all()")
    assert "allowedUses" not in pools["default-ipv4-ippool"]["spec"]


def test_the_pool_of_a_node_is_named_as_kubernetes_knows_it() -> None:
    named = calico_node(1) + "  hostname: host-one\n"
    pools = specs(build(UNDERLAY, named, calico_node(2), CALICO), CORE, "IPPool")
    assert (
        pools["sr-localsids-pool-host-one"]["spec"]["nodeSelector"] == "kubernetes.io/hostname == 'host-one'"
    )


def test_peers_have_selectors_and_passwords_by_reference(built: Built) -> None:
    peers = specs(built, CORE, "BGPPeer")
    assert peers["injector"]["spec"] == {
        "peerIP": "fd22::ffff",
        "asNumber": 64512,
        "nodeSelector": "kubernetes.io/hostname in { 'w1' }",
    }
    assert peers["rr"]["spec"]["peerIP"] == "192.0.2.9"
    assert peers["rr"]["spec"]["password"] == {"secretKeyRef": {"name": "bgp", "key": "rr"}}


def test_agents_may_do_what_their_ipam_does(built: Built) -> None:
    """It reads reservations, and makes its configuration where there is none: else it draws no SID."""
    (role,) = specs(built, CORE, "ClusterRole").values()
    (binding,) = specs(built, CORE, "ClusterRoleBinding").values()
    assert {rule["resources"][0]: rule["verbs"] for rule in role["rules"]} == {
        "ipreservations": ["get", "list", "watch"],
        "ipamconfigs": ["get", "create"],
    }
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"][0]["name"] == "calico-vpp-node-sa"


def test_agents_may_read_the_secrets_that_hold_passwords_and_no_others(built: Built) -> None:
    (role,) = specs(built, CORE, "Role").values()
    (binding,) = specs(built, CORE, "RoleBinding").values()
    assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == "calico-vpp-dataplane"
    assert role["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": ["bgp"],
            "verbs": ["get", "list", "watch"],
        }
    ]
    assert binding["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "Role",
        "name": role["metadata"]["name"],
    }
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "calico-vpp-node-sa", "namespace": "calico-vpp-dataplane"}
    ]
    found = {item.key.name: item for item in resources(built, CORE) if item.key.type in PEERS_AND_RIGHTS}
    right = found["calico-vpp-dataplane/calico-vpp-bgp-passwords"].key
    assert found["rr"].needs == (right._replace(type="RoleBinding"),)
    assert found["injector"].needs == ()
    assert "Secret" not in {item.key.type for item in resources(built, CORE)}, "values are never rendered"


def test_without_passwords_agents_get_no_right_to_secrets() -> None:
    none = CALICO.replace(", password: {kubernetes: calico-vpp-dataplane/bgp/rr}", "")
    built = build(*CALICO_BASE[:3], none)
    assert specs(built, CORE, "Role") == specs(built, CORE, "RoleBinding") == {}


def test_what_else_agents_are_told_is_kept() -> None:
    built = build(*CALICO_BASE[:3], CALICO.replace("  uplinkInterface: eth1\n", SETTINGS))
    assert built.diagnostics == ()
    data = specs(built, CORE, "ConfigMap")["calico-vpp-dataplane/calico-vpp-config"]["data"]
    assert json.loads(data["CALICOVPP_FEATURE_GATES"]) == {
        "memifEnabled": False,
        "prometheusEnabled": True,
        "srv6Enabled": True,
    }
    assert json.loads(data["CALICOVPP_DEBUG"]) == {
        "servicesEnabled": False,
        "fetchV6LLntries": 9,
        "gsoEnabled": False,
    }
    assert json.loads(data["CALICOVPP_INTERFACES"]) == {
        "maxPodIfSpec": {"rx": 10, "tx": 10, "rxqsz": 1024, "txqsz": 1024},
        "defaultPodIfSpec": {"rx": 1, "tx": 1, "isl3": True},
        "uplinkInterfaces": [
            {"interfaceName": "eth1", "vppDriver": "af_packet", "mtu": 9000, "rxMode": "adaptive"},
            {"interfaceName": "eth2", "vppDriver": "virtio", "physicalNetworkName": "blue"},
        ],
    }


def test_a_driver_that_is_empty_is_written_as_the_manifest_of_agents_has_it() -> None:
    """To agents it is as if it were not said; leaving it out would restart them for nothing."""
    uplinks = [{"interfaceName": "eth1", "vppDriver": ""}]
    said = f"  calicoVpp: {{interfaces: {{uplinkInterfaces: {json.dumps(uplinks)}}}}}\n"
    built = build(*CALICO_BASE[:3], CALICO.replace("  uplinkInterface: eth1\n", said))
    data = specs(built, CORE, "ConfigMap")["calico-vpp-dataplane/calico-vpp-config"]["data"]
    assert json.loads(data["CALICOVPP_INTERFACES"]) == {"uplinkInterfaces": uplinks}


def test_one_uplink_may_be_said_beside_other_interfaces() -> None:
    said = "  calicoVpp: {interfaces: {vppHostTapSpec: {rx: 2}}}\n  uplinkInterface: eth1\n"
    built = build(*CALICO_BASE[:3], CALICO.replace("  uplinkInterface: eth1\n", said))
    data = specs(built, CORE, "ConfigMap")["calico-vpp-dataplane/calico-vpp-config"]["data"]
    assert json.loads(data["CALICOVPP_INTERFACES"]) == {
        "vppHostTapSpec": {"rx": 2},
        "uplinkInterfaces": [{"interfaceName": "eth1"}],
    }


def test_pods_of_other_clusters_of_a_mesh_see_the_addresses_of_pods() -> None:
    """Agents translate the sources of what leaves all IPPools, disabled ones included (`natOutgoing`)."""
    near, far = (text.replace("srv6: {", "srv6: {mesh: all, ") for text in (CALICO, FAR_CALICO))
    third = calico_node(3).replace("core", "far")
    built = build(UNDERLAY, calico_node(1), calico_node(2), third, near, far)
    assert built.codes == []
    pool = specs(built, CORE, "IPPool")["mesh-far-ipv4"]
    assert pool["spec"] == {
        "cidr": "10.81.0.0/16",
        "ipipMode": "Never",
        "vxlanMode": "Never",
        "nodeSelector": "!all()",
        "blockSize": 26,
        "disabled": True,
        "natOutgoing": False,
    }
    assert {name for name in specs(built, CORE, "IPPool") if name.startswith("mesh-")} == {"mesh-far-ipv4"}
    others = specs(built, Scope("cluster", "far"), "IPPool")
    assert others["mesh-core-ipv4"]["spec"]["cidr"] == "10.80.0.0/16"


def test_the_mtu_of_pods_is_said_since_calico_does_not_know_srv6(built: Built) -> None:
    assert specs(built, CORE, "Installation")["default"]["spec"] == {"calicoNetwork": {"mtu": 9000 - 96}}


def test_the_mtu_of_pods_fits_the_uplink_that_agents_are_told() -> None:
    """Agents set it on the interface that VPP takes over, whatever the links behind it could carry."""
    for said, mtu in (("mtu: 1500, isMain: true", 1500 - 40), ("mtu: 1500", 9000 - 40)):
        one, two = (f"interfaceName: eth{at}, vppDriver: virtio" for at in (1, 2))
        uplinks = f"[{{{one}}}, {{{two}, {said}}}]"
        text = f"  calicoVpp: {{interfaces: {{uplinkInterfaces: {uplinks}}}}}\n"
        built = build(*CALICO_BASE[:3], CALICO.replace("  uplinkInterface: eth1\n", text))
        assert specs(built, CORE, "Installation")["default"]["spec"] == {"calicoNetwork": {"mtu": mtu}}


def test_an_injected_policy_is_what_the_agents_accept(built: Built) -> None:
    policies = specs(built, CORE, "sr-policy")
    assert {spec["color"] for spec in policies.values()} == {4, 6}
    for name, spec in policies.items():
        assert name == f"{spec['distinguisher']} {spec['color']} fd11::2"
        assert (spec["afi"], spec["safi"], spec["next_hop"], spec["preference"]) == (2, 73, "fd22::ffff", 200)
        assert spec["priority"] > 10, "the nodes' own policies carry 10, and the highest wins"
        assert spec["distinguisher"] == mark("core") << 16 | spec["color"], "never 0, as nodes have"
        assert (spec["no_advertise"], spec["route_targets"]) == (True, [])
        assert "name" not in json.dumps(spec), "a candidate path name crashes GoBGP"
        behavior = {4: 19, 6: 18}[spec["color"]]
        for item in spec["lists"]:
            *transit, last = item["segments"]
            assert last == {"sid": f"fcff:0:0:2::{spec['color']}", "behavior": behavior}
            assert all(set(hop) == {"sid"} for hop in transit)
        assert sorted(item["weight"] for item in spec["lists"]) == [1, 3]
    bsids = {spec["bsid"] for spec in policies.values()}
    assert len(bsids) == 2
    assert all(bsid.startswith(("cafe:2::2", "cafe:2::3")) for bsid in bsids), "not where Calico draws"


SPARE = """
    - {name: spare, preference: 50, explicit: [{segments: [{router: p2}]}]}
    - {name: best, preference: 150, explicit: [{segments: [{router: p1}]}]}
"""


def injected(*texts: str) -> dict[str, tuple[int, list[str]]]:
    """Return what is announced: by NLRI, the preference and the SIDs before the service SID."""
    built = build(*texts, policy(SPARE, headends="{clusters: [core]}", endpoints="{nodes: {names: [w2]}}"))
    assert built.codes == []
    return {
        name: (spec["preference"], [hop["sid"] for hop in spec["lists"][0]["segments"][:-1]])
        for name, spec in specs(built, CORE, "sr-policy").items()
        if len(spec["lists"]) == 1
    }


def test_only_the_active_candidate_is_injected() -> None:
    before = injected(*CALICO_BASE)
    assert list(before.values()) == [(150, ["fcbb:0:1::1"])] * 2, "one for each family, though both are valid"
    drained = UNDERLAY.replace("name: p1,", "name: p1, state: drain,")
    after = injected(drained, *CALICO_BASE[1:])
    assert after == dict.fromkeys(before, (50, ["fcbb:0:2::1"])), "the other one takes its place"


def test_where_no_candidate_is_valid_nothing_is_injected() -> None:
    drained = UNDERLAY.replace("name: p1,", "name: p1, state: drain,")
    built = build(drained, *CALICO_BASE[1:], TE)
    assert specs(built, CORE, "sr-policy") == {}
    assert built.warnings == ["IC2633"]


def test_each_headend_cluster_of_a_mesh_injects() -> None:
    far = (
        CALICO.replace("core", "far")
        .replace("10.80.", "10.81.")
        .replace("fd80:", "fd81:")
        .replace("cafe:2", "cafe:4")
        .replace("nodes: {names: [w1]}", "nodes: {all: true}")
    )
    texts = [text.replace("srv6: {", "srv6: {mesh: all, ") for text in (CALICO, far)]
    both = policy(headends="{clusters: [core, far]}", endpoints="{nodes: {names: [w2]}}")
    built = build(UNDERLAY, calico_node(1), calico_node(2), node(3, "far"), *texts, CALICO_BASE[-1], both)
    here, there = (
        {
            (spec["color"], spec["endpoint"], spec["bsid"], spec["distinguisher"] & 0xFFFF): spec[
                "distinguisher"
            ]
            for spec in specs(built, Scope("cluster", name), "sr-policy").values()
        }
        for name in ("core", "far")
    )
    assert here.keys() == there.keys() != set()
    assert set(here.values()).isdisjoint(there.values()), "one GoBGP may announce for both"


def configs(built: Built) -> dict[str, Any]:
    reader = YAML(typ="safe", pure=True)
    found = specs(built, CORE, "ConfigMap")
    assert all(list(spec["data"]) == ["srv6"] for name, spec in found.items() if "/srv6-config-" in name)
    return {name: reader.load(spec["data"]["srv6"]) for name, spec in found.items() if "srv6" in spec["data"]}


def test_the_kubernetes_control_plane_pins_everything() -> None:
    built = build(
        *CALICO_BASE[:-2],
        KUBERNETES,
        policy(ONE, headends="{nodes: {names: [w1]}}", endpoints="{nodes: {names: [w2]}}"),
    )
    found = configs(built)
    one, two = (found.pop(f"calico-vpp-dataplane/srv6-config-w{number}") for number in (1, 2))
    assert found == {}
    assert list(one) == ["localsids", "node", "policies"]
    assert one["node"] == "w1"
    assert all(sid.startswith("fcff:0:0:1::") for sid in one["localsids"].values())
    by_traffic = {row["traffic"]: row for row in one["policies"]}
    assert {tuple(row) for row in one["policies"]} == {("bsid", "node", "segment_list", "traffic")}
    assert by_traffic["IPv4"]["node"] == "fd11::2"
    assert by_traffic["IPv4"]["segment_list"] == ["fcbb:0:1::1", two["localsids"]["DT4"]]
    assert by_traffic["IPv6"]["segment_list"] == ["fcbb:0:1::1", two["localsids"]["DT6"]]
    assert [row["segment_list"] for row in two["policies"]] == [
        [one["localsids"]["DT4"]],
        [one["localsids"]["DT6"]],
    ], "headends may differ"
    assert "sr-policies-pool" not in specs(built, CORE, "IPPool")


def test_every_field_that_a_person_chose_is_explained(built: Built) -> None:
    for item in resources(built, CORE):
        assert item.origins, item.key
        assert all(origin.intent is not None for origin in item.origins)
    config = next(item for item in resources(built, CORE) if item.key.name.endswith("/calico-vpp-config"))
    assert {origin.field for origin in config.origins} >= {
        "data.CALICOVPP_SRV6",
        "data.CALICOVPP_INTERFACES",
        "data.SERVICE_PREFIX",
    }


def test_what_calico_lives_on_is_marked_against_pruning(built: Built) -> None:
    barred = set()
    for item in resources(built, CORE):
        if item.key.family == "kubernetes":
            metadata = item.spec["metadata"]
            assert metadata["labels"] == {"app.kubernetes.io/managed-by": "intentc"}, item.key
            if metadata.get("annotations", {}).get("argocd.argoproj.io/sync-options") == "Prune=false":
                assert metadata["annotations"]["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
                barred.add(f"{item.key.type}/{metadata['name']}")
    assert barred == {
        "Installation/default",
        "BGPConfiguration/default",
        "ConfigMap/calico-vpp-config",
        "IPPool/default-ipv4-ippool",
        "IPPool/default-ipv6-ippool",
    }
