"""What is rendered for pods: objects that the real CRDs take, and the configuration inside them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from compiler.graph import Scope
from renderers import RULES
from renderers.resource import Resource
from tests import crds
from tests.pods import BASE, CLUSTER, GROUND, LEFT, NV_CLUSTER, PLUGIN_CLUSTER, RIGHT, network, workload
from tests.support import Built, build

N3 = network(
    "n3",
    "zone: ran\nsubnets: [{cidr: 10.1.0.0/24}]\nextendToFabric: true\ngateway: fabric\nvlan: 300\n"
    "vni: 10300\nmtu: 9000\nipam: {perNodeBlockSize: 10, ranges: [{first: 10.1.0.10, last: 10.1.0.19},"
    " {first: 10.1.0.24, last: 10.1.0.31}], fixed: [{owner: a, address: 10.1.0.12}], routes: [10.9.0.0/16]}",
    "{type: sriov, pool: left, namespaces: [upf], trust: true, spoofCheck: false, vlanQos: 5,"
    " linkState: auto, minTxRate: 0, maxTxRate: 1000}",
)
BOND = network(
    "n6",
    "subnets: [{cidr: 10.6.0.0/24}, {cidr: 'fd06::/64'}]\nextendToFabric: true\nvlan: 600\nmtu: 8000",
    "{type: sriovBond, pools: [left, right], namespaces: [upf], miimon: 50}",
)
BLUE = network(
    "blue", "subnets: [{cidr: 10.2.0.0/16}]", "{type: overlay, clusters: [edge], namespaces: [upf]}"
)
TRUNK = network(
    "trunk",
    "zone: ran\nextendToFabric: true\nipam: {mode: none}",
    "{type: sriov, pool: right, namespaces: [upf], tagging: pod}",
)
POD = workload(
    "upf", "{network: n3, name: n3}, {network: n6}, {network: blue}, {network: trunk}", "replicas: 2"
)
NETWORKS = (N3, BOND, BLUE, TRUNK, POD)
CLUSTERS = {"operator": CLUSTER, "plugin": PLUGIN_CLUSTER, "nv": NV_CLUSTER}


@pytest.fixture(scope="module", params=CLUSTERS)
def built(request: pytest.FixtureRequest) -> Built:
    """Compile the networks for each way of managing VFs and addresses."""
    return build(*GROUND, CLUSTERS[request.param], LEFT, RIGHT, *NETWORKS)


UNSET = LEFT.replace("  mtu: 9000\n", "")


def of(built: Built, *scopes: Scope) -> dict[str, Resource]:
    """Return resources by type and name."""
    found = built.resources(*(scopes or (Scope("cluster", "edge"),)))
    return {f"{item.key.type} {item.key.name}": item for item in found}


def rendered(cluster: str) -> dict[str, Resource]:
    """Render the networks for a cluster."""
    return of(build(*GROUND, cluster, LEFT, RIGHT, *NETWORKS))


def config(resource: Resource) -> Any:
    """Return the CNI configuration of a NAD."""
    return json.loads(resource.spec["spec"]["config"])


def test_objects_are_as_the_crds_want_them(built: Built) -> None:
    crds.need_crds()
    judged = 0
    for resource in of(built).values():
        if resource.key.type in {"NetworkAttachmentDefinition", "SriovNetwork", "SriovNetworkNodePolicy"}:
            assert crds.problems(resource.spec) == [], resource.key
            judged += 1
    assert judged >= 6


def test_unknown_fields_are_caught() -> None:
    crds.need_crds()
    wrong = {
        "apiVersion": "sriovnetwork.openshift.io/v1",
        "kind": "SriovNetwork",
        "metadata": {},
        "spec": {"resourceName": "x", "spoofchk": "on", "trust": True},
    }
    found = " ".join(crds.problems(wrong))
    assert "'spoofchk' was unexpected" in found
    assert "$.spec.trust: True is not of type 'string'" in found


def test_every_object_is_marked_and_named_by_its_key(built: Built) -> None:
    for resource in of(built).values():
        if resource.key.family != "kubernetes":
            continue
        meta = resource.spec["metadata"]
        assert meta["labels"] == {"app.kubernetes.io/managed-by": "intentc"}
        assert meta["annotations"]["intentc.dev/subject"] == resource.subject
        assert resource.key.name == f"{meta['namespace']}/{meta['name']}"
        assert resource.key.type == resource.spec["kind"]


def test_what_is_needed_exists(built: Built) -> None:
    keys = {resource.key for resource in of(built).values()}
    for resource in of(built).values():
        assert set(resource.needs) <= keys
        for need in resource.needs:
            assert (need.family, need.type) in RULES.needs[
                resource.key.family, resource.key.type
            ] or need.type == resource.key.type


def test_every_field_that_a_user_said_has_an_origin() -> None:
    found = rendered(CLUSTER)["SriovNetwork sriov-network-operator/n3"]
    fields = {origin.field for origin in found.origins}
    missing = {f"spec.{name}" for name in found.spec["spec"]} - fields
    assert missing == set()
    (trust,) = [origin for origin in found.origins if origin.field == "spec.trust"]
    assert trust.path == ("spec", "attachments", 0, "trust")
    assert trust.intent.name == "n3"


def test_network_of_the_operator() -> None:
    spec = rendered(CLUSTER)["SriovNetwork sriov-network-operator/n3"].spec["spec"]
    assert json.loads(spec.pop("ipam")) == {
        "type": "whereabouts",
        "range": "10.1.0.0/24",
        "range_start": "10.1.0.10",
        "range_end": "10.1.0.31",
        "exclude": ["10.1.0.1/32", "10.1.0.12/32", "10.1.0.20/30"],
        "gateway": "10.1.0.1",
        "routes": [{"dst": "10.9.0.0/16", "gw": "10.1.0.1"}],
        "enable_overlapping_ranges": True,
        "network_name": "n3",
    }
    assert spec == {
        "networkNamespace": "upf",
        "resourceName": "left",
        "vlan": 300,
        "vlanQoS": 5,
        "vlanProto": "802.1q",
        "spoofChk": "off",
        "trust": "on",
        "linkState": "auto",
        "minTxRate": 0,
        "maxTxRate": 1000,
    }


def test_network_of_the_device_plugin() -> None:
    nad = rendered(PLUGIN_CLUSTER)["NetworkAttachmentDefinition upf/n3"]
    assert nad.spec["metadata"]["annotations"]["k8s.v1.cni.cncf.io/resourceName"] == "intel.com/left"
    fabric = json.loads(nad.spec["metadata"]["annotations"]["intentc.dev/fabric"])
    assert fabric == {"vni": 10300, "vlan": 300, "vrf": "ran"}
    found = config(nad)
    assert list(found) == ["cniVersion", "name", "plugins"]
    plugin, tuning = found["plugins"]
    # The device plugin sets up no VF, so that of the pool is given in the pod.
    assert tuning == {"type": "tuning", "mtu": 9000}
    assert plugin.pop("ipam")["type"] == "whereabouts"
    assert list(plugin.items()) == [
        ("type", "sriov"),
        ("vlan", 300),
        ("vlanQoS", 5),
        ("vlanProto", "802.1q"),
        ("spoofchk", "off"),
        ("trust", "on"),
        ("link_state", "auto"),
        ("min_tx_rate", 0),
        ("max_tx_rate", 1000),
    ]


def test_the_mtu_of_a_pool_reaches_pods_whoever_makes_the_vfs() -> None:
    text = network("n3", "subnets: [{cidr: 10.1.0.0/24}]")
    for cluster, kind in ((PLUGIN_CLUSTER, "NetworkAttachmentDefinition upf/n3"), (CLUSTER, "")):
        found = of(build(*GROUND, cluster, LEFT, text))
        if kind:
            assert config(found[kind])["plugins"][1] == {"type": "tuning", "mtu": 9000}
        else:
            assert found["SriovNetworkNodePolicy sriov-network-operator/left"].spec["spec"]["mtu"] == 9000
            assert "metaPlugins" not in found["SriovNetwork sriov-network-operator/n3"].spec["spec"]


def test_other_mtu_is_tuned() -> None:
    left = LEFT.replace("mtu: 9000", "mtu: 4000")
    same = N3.replace("mtu: 9000", "mtu: 4000")
    plugins = of(build(*GROUND, PLUGIN_CLUSTER, LEFT, N3.replace("mtu: 9000", "mtu: 4000")))
    assert config(plugins["NetworkAttachmentDefinition upf/n3"])["plugins"][1] == {
        "type": "tuning",
        "mtu": 4000,
    }
    operator = of(build(*GROUND, CLUSTER, LEFT, same))["SriovNetwork sriov-network-operator/n3"]
    assert json.loads(operator.spec["spec"]["metaPlugins"]) == {"type": "tuning", "mtu": 4000}
    assert (
        "metaPlugins"
        not in of(build(*GROUND, CLUSTER, left, same))["SriovNetwork sriov-network-operator/n3"].spec["spec"]
    )


def test_dpdk_device_is_not_tuned() -> None:
    left = LEFT + "  deviceType: vfio-pci\n"
    found = of(build(*GROUND, CLUSTER, left, N3.replace("mtu: 9000", "mtu: 4000")))
    assert "metaPlugins" not in found["SriovNetwork sriov-network-operator/n3"].spec["spec"]
    assert (
        found["SriovNetworkNodePolicy sriov-network-operator/left"].spec["spec"]["deviceType"] == "vfio-pci"
    )


def test_pod_that_tags_gets_no_vlan() -> None:
    spec = rendered(CLUSTER)["SriovNetwork sriov-network-operator/trunk"].spec["spec"]
    assert spec == {"networkNamespace": "upf", "resourceName": "right", "vlan": 0}


def test_bond_and_its_legs() -> None:
    found = rendered(PLUGIN_CLUSTER)
    for leg in ("n6-left", "n6-right"):
        plugins = config(found[f"NetworkAttachmentDefinition upf/{leg}"])["plugins"]
        assert [plugin["type"] for plugin in plugins] == ["sriov", "tuning"]
        assert plugins[0]["vlan"] == 600
        assert "ipam" not in plugins[0]
    bond = found["NetworkAttachmentDefinition upf/n6"]
    body = config(bond)
    ranges = body.pop("ipam")["ipRanges"]
    assert [entry["range"] for entry in ranges] == ["10.6.0.0/24", "fd06::/64"]
    assert body == {
        "cniVersion": "1.0.0",
        "name": "n6",
        "type": "bond",
        "mode": "active-backup",
        "failOverMac": 1,
        "linksInContainer": True,
        "miimon": "50",
        "links": [{"name": "bond0a"}, {"name": "bond0b"}],
        "mtu": 8000,
    }
    assert "k8s.v1.cni.cncf.io/resourceName" not in bond.spec["metadata"]["annotations"]


def test_operator_serves_one_namespace_and_we_the_others() -> None:
    text = N3.replace("namespaces: [upf]", "namespaces: [upf, ran]")
    found = of(build(*GROUND, CLUSTER, LEFT, text))
    assert "NetworkAttachmentDefinition upf/n3" not in found
    assert found["SriovNetwork sriov-network-operator/n3"].spec["spec"]["networkNamespace"] == "upf"
    nad = found["NetworkAttachmentDefinition ran/n3"]
    assert nad.spec["metadata"]["annotations"]["k8s.v1.cni.cncf.io/resourceName"] == "openshift.io/left"


def test_several_attachments_are_named_after_their_pools() -> None:
    text = network(
        "n3",
        "",
        "{type: sriov, pool: left}, {type: sriov, pool: right}, {type: sriovBond, pools: [left, right]}",
    )
    names = {
        name for name in of(build(*GROUND, PLUGIN_CLUSTER, LEFT, RIGHT, text)) if name.startswith("Netw")
    }
    assert {name.partition("/")[2] for name in names} == {
        "n3-left",
        "n3-right",
        "n3-left-right",
        "n3-left-right-left",
        "n3-left-right-right",
    }


def test_overlay_network_says_nothing_and_the_node_says_all() -> None:
    built = build(*BASE, BLUE)
    assert of(built)["NetworkAttachmentDefinition upf/blue"].spec["spec"] == {}
    blocks = []
    for node in ("w1", "w2", "w3"):
        found = of(built, Scope("node", f"edge/{node}"))
        blue = found["conflist zz-blue.conflist"].spec
        # Multus looks for the name inside the file.
        assert blue["name"] == "blue"
        plugin = blue["plugins"][0]
        # The node's VPP is the gateway.
        assert (plugin["type"], plugin["bridge"], plugin["isGateway"]) == ("bridge", "br-blue", False)
        ((entry,),) = plugin["ipam"]["ranges"]
        blocks.append(entry["subnet"])
        assert built.compiled.allocated is not None
        assert entry["subnet"] == str(built.compiled.allocated.block["blue", "10.2.0.0/16", node])
        pods = found["conflist 10-intentc-pods.conflist"].spec["plugins"]
        assert [plugin["type"] for plugin in pods] == ["ptp", "portmap"]
        assert pods[0]["ipam"]["routes"] == [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]
    assert len(set(blocks)) == 3


def test_policy_of_a_pool() -> None:
    pool = LEFT.replace("nics: {names: [ens1f0]}", "nics: {names: [ens1f0], vendor: '8086', device: 159b}")
    nodes = GROUND[2].replace("{name: ens1f0,", "{name: ens1f0, vendor: '8086', device: 159b,")
    pool += "  vfRange: 0-7\n  rdma: true\n"
    built = build(*GROUND[:2], nodes, CLUSTER, pool)
    assert of(built)["SriovNetworkNodePolicy sriov-network-operator/left"].spec["spec"] == {
        "resourceName": "left",
        "nodeSelector": {"role": "upf"},
        "priority": 99,
        "numVfs": 16,
        "nicSelector": {"pfNames": ["ens1f0#0-7"], "vendor": "8086", "deviceID": "159b"},
        "deviceType": "netdevice",
        "isRdma": True,
        "needVhostNet": False,
        "linkType": "eth",
        "eSwitchMode": "legacy",
        "excludeTopology": False,
        "mtu": 9000,
    }


@pytest.mark.parametrize(
    ("selector", "labels"),
    [
        ("{all: true}", {"left": {"kubernetes.io/os": "linux"}}),
        (
            "{names: [w1, w3]}",
            {"left-w1": {"kubernetes.io/hostname": "w1"}, "left-w3": {"kubernetes.io/hostname": "w3"}},
        ),
    ],
)
def test_policies_choose_the_nodes(selector: str, labels: dict[str, dict[str, str]]) -> None:
    found = of(build(*GROUND, CLUSTER, LEFT.replace("{matchLabels: {role: upf}}", selector)))
    policies = {
        item.spec["metadata"]["name"]: item.spec["spec"]["nodeSelector"]
        for item in found.values()
        if item.key.type == "SriovNetworkNodePolicy"
    }
    assert policies == labels


def test_configuration_of_the_device_plugin() -> None:
    found = rendered(PLUGIN_CLUSTER.replace("device-plugin", "device-plugin, resourcePrefix: acme.com"))
    body = json.loads(found["ConfigMap kube-system/sriovdp-config"].spec["data"]["config.json"])
    assert [entry["resourceName"] for entry in body["resourceList"]] == ["left", "right"]
    assert body["resourceList"][0] == {
        "resourceName": "left",
        "resourcePrefix": "acme.com",
        "deviceType": "netDevice",
        "excludeTopology": False,
        "selectors": [{"pfNames": ["ens1f0"]}],
    }


def test_pools_of_nv_ipam() -> None:
    found = rendered(NV_CLUSTER)
    pool = found["IPPool kube-system/n3"].spec
    assert pool["apiVersion"] == "nv-ipam.nvidia.com/v1alpha1"
    assert pool["spec"] == {
        "subnet": "10.1.0.0/24",
        "perNodeBlockSize": 10,
        "gateway": "10.1.0.1",
        "exclusions": [
            {"startIP": "10.1.0.1", "endIP": "10.1.0.9"},
            {"startIP": "10.1.0.12", "endIP": "10.1.0.12"},
            {"startIP": "10.1.0.20", "endIP": "10.1.0.23"},
            {"startIP": "10.1.0.32", "endIP": "10.1.0.254"},
        ],
        "routes": [{"dst": "10.9.0.0/16"}],
        "nodeSelector": {
            "nodeSelectorTerms": [
                {"matchExpressions": [{"key": "role", "operator": "In", "values": ["upf"]}]}
            ]
        },
    }
    assert config(found["NetworkAttachmentDefinition upf/n6"])["ipam"] == {
        "type": "nv-ipam",
        "poolName": "n6-main-ipv4,n6-main-ipv6",
    }


@pytest.mark.parametrize(
    ("mode", "ipam"),
    [("none", None), ("dhcp", {"type": "dhcp"}), ("static", {"type": "static"})],
)
def test_other_ways_to_addresses(mode: str, ipam: dict[str, Any] | None) -> None:
    text = network("n3", f"subnets: [{{cidr: 10.1.0.0/24}}]\nipam: {{mode: {mode}}}")
    found = of(build(*GROUND, PLUGIN_CLUSTER, UNSET, text))["NetworkAttachmentDefinition upf/n3"]
    assert config(found).get("ipam") == ipam
    assert ("capabilities" in config(found)) == (mode == "static")


def test_lines_for_a_workload() -> None:
    text = rendered(CLUSTER)["snippet upf.yaml"].spec["text"]
    annotation = text.partition("|-\n")[2].partition("    spec:")[0]
    names = [(entry["name"], entry.get("interface")) for entry in json.loads(annotation)]
    assert names == [
        ("n3", "n3"),
        ("n6-left", "bond0a"),
        ("n6-right", "bond0b"),
        ("n6", "bond0"),
        ("blue", None),
        ("trunk", None),
    ]
    assert text.count('openshift.io/left: "2"') == 2
    assert text.count('openshift.io/right: "2"') == 2


def test_fixed_address_and_mac_of_a_workload() -> None:
    static = network("n3", "subnets: [{cidr: 10.1.0.0/24}]\nipam: {mode: static}")
    pod = workload("upf", '{network: n3, addresses: [10.1.0.5], mac: "02:00:00:00:00:01"}')
    found = of(build(*GROUND, PLUGIN_CLUSTER, UNSET, static, pod))
    assert config(found["NetworkAttachmentDefinition upf/n3"])["capabilities"] == {"ips": True, "mac": True}
    text = found["snippet upf.yaml"].spec["text"]
    assert '"ips": ["10.1.0.5/24"], "mac": "02:00:00:00:00:01"' in text


def test_order_of_documents_changes_nothing() -> None:
    documents = (*GROUND, CLUSTER, LEFT, RIGHT, *NETWORKS)
    one, two = build(*documents), build(*reversed(documents))
    assert of(one) == of(two)
