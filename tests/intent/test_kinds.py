"""Each kind: its example loads, and the rules between its fields hold."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from intent.diagnostics import Report
from intent.kinds import KINDS
from intent.load import envelope, load
from intent.model import camel
from intent.source import Source
from intentc.docstrings import field_docs

HEAD = "apiVersion: intentc.dev/v1alpha1\n"
BARE = "attachments: [{type: bareMetal}]"
SRIOV = "attachments: [{{type: sriov, pool: a, {}}}]"
CLUSTER = "nodes: {all: true}\ndataplane: vpp\ncontrolPlane: bgp\npodCidrs: {ipv4: 10.0.0.0/8}\n"
POOL = "cluster: a\nnodes: {all: true}\nnics: {names: [a]}\nvfs: 8\n"
POLICY = "headends: {}\nendpoints: {}\ncolor: 1\ncandidatePaths:\n"
WORKLOAD = "cluster: a\nnamespace: a\ninterfaces:\n  - network: a\n"
APSTRA = "provider: apstra\napstra: {blueprint: a}\n"
PAIRS = "redundancyGroups: [{name: g, switches: [a, b]}, {name: h, switches: [b, a]}]"
EXIT = "fabric: a\nzone: a\nports:\n  - switch: a\n    port: e1\n    vlan: 1\n"


def told(kind: str, spec: str) -> list[str]:
    """Return messages of a document with this spec."""
    body = "".join(f"  {line}\n" for line in spec.splitlines())
    report = Report()
    load([Source("a.yaml", f"{HEAD}kind: {kind}\nmetadata: {{name: n}}\nspec:\n{body}")], report)
    return [entry.message for entry in report.sorted()]


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_loads(kind: str) -> None:
    report = Report()
    found = load([Source("a.yaml", KINDS[kind].example)], report)
    assert report.found == []
    assert {intent.kind for intent in found} == {kind}


@pytest.mark.parametrize("kind", KINDS)
def test_models_are_frozen_documented_and_named_in_camel_case(kind: str) -> None:
    seen: set[type[BaseModel]] = set()
    queue: list[Any] = [envelope(kind).model_fields["spec"].annotation]
    while queue:
        model = queue.pop()
        if not (isinstance(model, type) and issubclass(model, BaseModel)) or model in seen:
            queue.extend(getattr(model, "__args__", ()))
            continue
        seen.add(model)
        assert model.model_config.get("frozen"), model
        assert model.__doc__, model
        for name, info in model.model_fields.items():
            assert (info.alias or name) in field_docs(model), f"{model.__name__}.{name} has no docstring"
            assert info.alias == camel(name)
            queue.append(info.annotation)
    assert seen


TWO_LEAVES = "provider: frr\nswitches: [{{name: a, asn: 1, loopback: 10.0.0.1}}, {{name: b, asn: 2, {}}}]"
RULES = [
    ("VirtualNetwork", BARE + "\ngateway: fabric", "gateway: fabric needs extendToFabric: true"),
    ("VirtualNetwork", BARE + "\ngateway: fabric\nextendToFabric: true", "a gateway needs a subnet"),
    ("VirtualNetwork", BARE + "\ndhcpRelay: [10.0.0.1]", "dhcpRelay needs gateway: fabric"),
    ("VirtualNetwork", BARE + "\nvlan: 5", "vlan belongs to the fabric"),
    ("VirtualNetwork", BARE + "\nvni: 5000", "vni belongs to the fabric"),
    (
        "VirtualNetwork",
        BARE + "\nipam: {excludes: [10.0.0.0/30]}",
        "ipam says addresses, but the network has no subnet",
    ),
    (
        "VirtualNetwork",
        BARE + "\nsubnets: [{cidr: 10.0.0.0/24}, {cidr: 10.0.1.0/24}]",
        "two IPv4 subnets are called 'main'",
    ),
    (
        "VirtualNetwork",
        BARE + "\nsubnets: [{cidr: 10.0.0.0/24, gateway: 10.0.1.1}]",
        "gateway 10.0.1.1 lies outside subnet 10.0.0.0/24",
    ),
    (
        "VirtualNetwork",
        BARE + "\nsubnets: [{cidr: 10.0.0.0/24, gateway: 'fd00::1'}]",
        "gateway fd00::1 lies outside subnet 10.0.0.0/24",
    ),
    *(
        (
            "VirtualNetwork",
            BARE + f"\nsubnets: [{{cidr: 10.0.0.0/24, gateway: {address}}}]",
            f"gateway {address} is no host of subnet 10.0.0.0/24",
        )
        for address in ("10.0.0.0", "10.0.0.255")
    ),
    *(
        ("VirtualNetwork", BARE + f"\nsubnets: [{{cidr: '{cidr}'}}]", f"{cidr} cannot be a subnet of hosts")
        for cidr in ("224.0.0.0/24", "ff02::/64", "127.0.0.0/8", "0.0.0.0/0", "::/0")
    ),
    (
        "VirtualNetwork",
        BARE + "\nsubnets: [{cidr: 10.0.0.0/24}]\nipam: {ranges: [{first: 10.0.0.9, last: 10.0.0.2}]}",
        "range 10.0.0.9-10.0.0.2 is empty",
    ),
    (
        "VirtualNetwork",
        BARE + "\nsubnets: [{cidr: 10.0.0.0/24}]\nipam: {ranges: [{first: 10.0.0.9, last: 'fd00::1'}]}",
        "range 10.0.0.9-fd00::1 is empty",
    ),
    (
        "VirtualNetwork",
        SRIOV.format("minTxRate: 20, maxTxRate: 10"),
        "minTxRate 20 is more than maxTxRate 10",
    ),
    (
        "VirtualNetwork",
        SRIOV.format("tagging: pod, vlanQos: 3"),
        "vlanQos and vlanProto need a NIC that tags",
    ),
    ("VirtualNetwork", SRIOV.format("trunkVlans: 1-2"), "trunkVlans needs a pod that tags by itself"),
    ("Cluster", CLUSTER.replace("ipv4: 10.0.0.0/8", ""), "give at least one of ipv4 and ipv6"),
    ("Cluster", CLUSTER.replace("all: true", ""), "this selector says nothing"),
    (
        "Cluster",
        CLUSTER.replace("all: true", "all: true, names: [a]"),
        "all: true cannot stand beside other conditions",
    ),
    (
        "Cluster",
        CLUSTER.replace("all: true", "matchExpressions: [{key: a, operator: In}]"),
        "In and NotIn take values; Exists and DoesNotExist take none",
    ),
    (
        "Cluster",
        CLUSTER + "bgp: {peers: [{name: a, address: 10.0.0.1, asn: 1, password: {}}]}",
        "a secret is referred to by exactly one of env, file and kubernetes",
    ),
    ("SriovPool", POOL.replace("names: [a]", ""), "this NIC selector says nothing"),
    ("SriovPool", POOL + "deviceType: vfio-pci\nrdma: true", "rdma needs deviceType: netdevice"),
    ("SriovPool", POOL + "vfRange: 0-8", "vfRange 0-8 goes beyond the 8 VFs, which count from 0"),
    ("SriovPool", POOL + "vfRange: [0-1, 4-5]", "vfRange is one range"),
    ("Fabric", "provider: apstra\nswitches: [{name: a}]", "provider apstra needs the field apstra"),
    (
        "Fabric",
        "provider: frr\napstra: {blueprint: a}\nswitches: [{name: a, loopback: 10.0.0.1, asn: 1}]",
        "the field apstra does not go with provider frr",
    ),
    (
        "Fabric",
        "provider: frr\nswitches: [{name: a, asn: 1}]",
        "switch 'a' needs loopback and asn, because the provider is frr",
    ),
    (
        "Fabric",
        APSTRA + "switches: [{name: a}, {name: a}]",
        "switch 'a' is said twice",
    ),
    (
        "Fabric",
        APSTRA + "switches: [{name: a}]\nredundancyGroups: [{name: g, switches: [a, b]}]",
        "redundancy group 'g' names switch 'b', which the fabric does not have",
    ),
    (
        "Fabric",
        APSTRA + "switches: [{name: a}, {name: b}]\n" + PAIRS,
        "switch 'b' is in two redundancy groups",
    ),
    (
        "Fabric",
        APSTRA
        + "switches: [{name: a}, {name: b}, {name: c}, {name: d}]\n"
        + "redundancyGroups: [{name: g, switches: [a, b]}, {name: g, switches: [c, d]}]",
        "redundancy group 'g' is said twice",
    ),
    (
        "Fabric",
        APSTRA
        + "switches: [{name: a}, {name: b}, {name: c}]\nredundancyGroups: [{name: c, switches: [a, b]}]",
        "redundancy group 'c' is called like a switch",
    ),
    (
        "Fabric",
        TWO_LEAVES.format("loopback: 10.0.0.1"),
        "10.0.0.1 is an address of switch 'a' already",
    ),
    (
        "Fabric",
        TWO_LEAVES.format("loopback: 10.0.0.2, vtep: 10.0.0.1"),
        "10.0.0.1 is an address of switch 'a' already",
    ),
    *(
        (
            "Fabric",
            APSTRA
            + f"switches: [{{name: a, ports: [{{name: '{first}'}}, {{name: '{second}', mtu: 1500}}]}}]",
            f"port {second} has no effect: {first} before it speaks of it too",
        )
        for first, second in (
            ("Ethernet7", "Ethernet7"),
            ("Ethernet[1-48]", "Ethernet7"),
            ("Ethernet[1-48]", "Ethernet[7-9]"),
        )
    ),
    (
        "FabricAttachment",
        "network: a\nports: [{fabric: a, switch: b}]",
        "say a port either by fabric, switch and port, or by node and one of nic and bond",
    ),
    (
        "FabricAttachment",
        "network: a\nports: [{node: a, nic: b, bond: c}]",
        "say a port either by fabric, switch and port, or by node and one of nic and bond",
    ),
    (
        "ExternalConnection",
        EXIT + "    address: 192.0.2.0/31\n    local: 192.0.2.9",
        "local address 192.0.2.9 lies outside the link's prefix",
    ),
    *(
        (
            "ExternalConnection",
            EXIT + f"    address: 192.0.2.0/30\n    local: {address}",
            f"local address {address} is no host of the link",
        )
        for address in ("192.0.2.0", "192.0.2.3")
    ),
    (
        "ExternalConnection",
        EXIT + "    local: 192.0.2.9",
        "local address 192.0.2.9 lies outside the link's prefix",
    ),
    (
        "ExternalConnection",
        EXIT + "staticRoutes: [{prefix: 0.0.0.0/0, nextHop: 'fd00::1'}]",
        "next hop fd00::1 is of another family than 0.0.0.0/0",
    ),
    ("Node", "nics: [{name: a}, {name: a}]", "NIC or bond 'a' is said twice"),
    ("SRv6Policy", POLICY + "  - name: a", "candidate path 'a' says no path"),
    (
        "SRv6Policy",
        POLICY + "  - name: a\n    dynamic: {objective: te}\n    explicit: [{segments: [{router: p}]}]",
        "candidate path 'a' is both explicit and dynamic",
    ),
    (
        "SRv6Policy",
        POLICY + "  - {name: a, dynamic: {objective: te}}\n  - {name: a, dynamic: {objective: igp}}",
        "two candidate paths are called 'a'",
    ),
    (
        "SRv6Policy",
        POLICY + "  - {name: a, explicit: [{segments: [{sid: 'fd00::1', router: p}]}]}",
        "a segment is a sid, or a router with or without a link",
    ),
    (
        "SRv6Policy",
        POLICY + "  - {name: a, explicit: [{segments: [{link: p}]}]}",
        "a segment needs a router or a sid",
    ),
    (
        "Underlay",
        "routers: [{name: a, loopback: 'fd00::1', locator: 'fcbb::/48', endSid: 'fd00::2'}]",
        "End SID fd00::2 lies outside locator fcbb::/48",
    ),
    (
        "Underlay",
        "routers: []\nlinks: [{name: l, ends: [{at: a}, {at: a}]}]",
        "both ends of link 'l' are at 'a'",
    ),
    ("Assertion", "description: nothing", "give exactly one of reach, isolate, path, latency and survives"),
    (
        "Assertion",
        "reach: {source: {}, destination: {network: a}}",
        "name exactly one of network, cluster, node and external",
    ),
    (
        "Workload",
        WORKLOAD + "    mac: 02:00:00:00:00:01\nreplicas: 2",
        "fixed addresses and MACs need a single replica",
    ),
    ("Project", "targets: [{name: a}, {name: a}]", "two targets are called 'a'"),
    (
        "Project",
        "targets: [{name: a, type: gobgp, clusters: [a]}, {name: b, type: gobgp, clusters: [b]}]",
        "two targets are the GoBGP at '127.0.0.1:50051'",
    ),
    (
        "Project",
        "targets: [{name: a, type: vpp, node: a}, {name: b, type: vpp, node: b}]",
        "two targets are the VPP at '/run/vpp/api.sock'",
    ),
    (
        "Project",
        "targets: [{name: a, type: linux, node: a}, {name: b, type: linux, node: b}]",
        "two targets are the kernel of this machine",
    ),
    (
        "Project",
        "targets: [{name: a, type: overlay}, {name: b, type: overlay, clusters: [east]}]",
        "targets 'a' and 'b' write the same NodeOverlay objects",
    ),
    ("Project", "targets: [{name: a}, {name: b}]", "targets 'a' and 'b' both write into 'rendered'"),
    (
        "Project",
        "targets: [{name: a}, {name: b, path: rendered/b}]",
        "targets 'a' and 'b' both write into 'rendered'",
    ),
    ("Project", "targets: [{name: a, path: .}]", "target 'a' would write among the files of the repository"),
    ("Project", "targets: [{name: a, path: .git/x}]", "target 'a' would write into git's own folder"),
    (
        "Project",
        "targets: [{name: a, path: ./intent}]",
        "target 'a' would write into 'intent', where intent/**/*.yaml reads",
    ),
    (
        "Project",
        "targets: [{name: a, path: intent/out}]",
        "target 'a' would write into 'intent/out', where intent/**/*.yaml reads",
    ),
    (
        "Project",
        "facts: [net/facts/*.yaml]\ntargets: [{name: a, path: net}]",
        "target 'a' would write into 'net', where net/facts/*.yaml reads",
    ),
    (
        "Project",
        "intent: ['**/*.yaml']",
        "target 'default' would write into 'rendered', where **/*.yaml reads",
    ),
    (
        "Project",
        "targets: [{name: a, path: intentc.lock}]",
        "target 'a' would write into 'intentc.lock', where intentc.lock lies",
    ),
    (
        "Project",
        "ledger: ids/lock\ntargets: [{name: a, path: ids}]",
        "target 'a' would write into 'ids', where ids/lock lies",
    ),
    (
        "Project",
        "targets: [{name: a, path: intentc.yaml/x}]",
        "target 'a' would write into 'intentc.yaml/x', where intentc.yaml lies",
    ),
    (
        "Project",
        "targets: [{name: a, type: gobgp, clusters: [a], address: 127.0.0.1}]",
        "'127.0.0.1' is not HOST:PORT",
    ),
    (
        "Project",
        "targets: [{name: a, type: gobgp, clusters: [a], address: '::1:50051'}]",
        "'::1:50051' is not HOST:PORT",
    ),
    ("Project", "ledger: ../x.lock", "'../x.lock' leaves the repository"),
    ("Project", "intent: [/etc/*.yaml]", "'/etc/*.yaml' leaves the repository"),
    ("Project", "intent: ['intent/**.yaml']", "'intent/**.yaml' is not a pattern of files"),
]


@pytest.mark.parametrize(("kind", "spec", "expected"), RULES)
def test_rules_between_fields(kind: str, spec: str, expected: str) -> None:
    assert expected in told(kind, spec)


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("VirtualNetwork", BARE + "\nsubnets: [{cidr: 10.0.0.0/24}, {cidr: 'fd00::/64'}]"),
        ("VirtualNetwork", SRIOV.format("tagging: pod, trunkVlans: 1-2")),
        ("VirtualNetwork", BARE + "\nextendToFabric: true\nvlan: 5\nvni: 5000"),
        ("SriovPool", POOL + "vfRange: 0-7"),
        ("Workload", WORKLOAD + "    mac: 02:00:00:00:00:01\nreplicas: 1"),
        ("FabricAttachment", "network: a\nports: [{node: a, bond: c}, {fabric: a, switch: b, port: e1}]"),
        ("ExternalConnection", EXIT + "    address: 192.0.2.0/31\n    local: 192.0.2.1"),
        ("Project", "intent: ['*.yaml', 'a/**/*.yml']"),
        ("Project", "intent: ['**/*.yaml']\ntargets: [{name: a, path: .rendered}]"),
        ("Project", "targets: [{name: a, path: intents}, {name: b, path: out/intent}]"),
        ("Project", "targets: [{name: a, type: gobgp, clusters: [a], address: '[::1]:50051'}]"),
        ("Project", "targets: [{name: a, type: gobgp, clusters: [a], address: 'unix:///run/gobgp.sock'}]"),
    ],
)
def test_what_the_rules_allow(kind: str, spec: str) -> None:
    assert told(kind, spec) == []
