"""Repositories that together hold every kind and every way of rendering it, for campaigns over all."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests import fabrics, overlays, pods
from tests.support import PROJECT, documents

ROOT: Final = Path(__file__).parents[1]


def texts() -> dict[str, list[str]]:
    """Return all of them, by name: the files of each, that of the project first."""
    found = {}
    for root in sorted((ROOT / "examples").glob("*/intentc.yaml")):
        files = [
            root,
            *sorted(root.parent.glob("intent/**/*.yaml")),
            *sorted(root.parent.glob("facts/*.yaml")),
        ]
        found[root.parent.name] = [file.read_text() for file in files]
    return found | {name: [PROJECT, documents(*several)] for name, several in BUILT.items()}


def router(name: str, role: str, more: str = "") -> str:
    """Return a VirtualNetworkRouter of the networks that are labelled like it."""
    head = f"kind: VirtualNetworkRouter\nmetadata: {{name: {name}}}\nspec:\n"
    return f"{head}  type: {role}\n  networks: {{matchLabels: {{role: {name}}}}}\n{more}"


OTHER_SIDE: Final = """kind: Node
metadata: {name: m1}
spec:
  site: dc2
  labels: {cluster: far}
  ipv6: "fd12::1"
  uplink: {router: p2, interface: eth0, nextHop: "fd11:2::ffff"}
  pins: {localsids: "fcdf:0:0:7::/64", podsIpv4: 10.66.5.0/26}
"""
FAR: Final = """kind: Cluster
metadata: {name: far}
spec:
  nodes: {names: [m1]}
  dataplane: vpp
  controlPlane: kubernetes
  podCidrs: {ipv4: 10.66.0.0/16, ipv6: "fd66::/48"}
  srv6: {localsids: "fcdf::/48", policies: "cafe:6::/112", mesh: wan}
  namespaces: [{name: apps}]
"""
MESHED: Final = overlays.CLUSTER.replace('"cafe:1::/112"', '"cafe:1::/112", mesh: wan')
REFLECTED: Final = overlays.CLUSTER.replace(
    "controlPlane: kubernetes", 'controlPlane: bgp\n  bgp: {injector: "fd22::ffff", injection: reflected}'
)
JOINED: Final = ("srv6: {", "srv6: {mesh: all, ")
AGENT: Final = """kind: Cluster
metadata: {name: core}
spec:
  nodes: {matchLabels: {cluster: core}}
  dataplane: calico-vpp
  controlPlane: kubernetes
  podCidrs: {ipv4: 10.80.0.0/16, ipv6: "fd80::/48"}
  srv6: {localsids: "fcff::/48", policies: "cafe:2::/118"}
"""
ONE_LIST: Final = """
    - name: one
      explicit: [{segments: [{router: p2}]}]
"""
PROFILE: Final = """kind: NodeProfile
metadata: {name: server}
spec:
  labels: {role: upf}
  nics:
    - {name: ens1f0, vfs: 64, mtu: 9000, vendor: "8086", device: 159b, pci: "0000:3b:00.0"}
    - {name: ens1f1, vfs: 64, mtu: 9000, vendor: "8086", device: 159b, pci: "0000:3b:00.1"}
    - {name: ens2f0, vfs: 64, mtu: 9000, vendor: "15b3", device: 101d, pci: "0000:af:00.0"}
    - {name: ens9, vfs: 8}
    - {name: eno1}
    - {name: eno2}
  bonds: [{name: bond0, nics: [eno1, eno2]}]
"""
OTHER_PROFILE: Final = PROFILE.replace("name: server", "name: other").replace("]}]", "], lacpRate: fast}]")


def server(number: int) -> str:
    """Return a node with five cabled NICs."""
    nics = enumerate(("ens1f0", "ens1f1", "ens2f0", "eno1", "eno2"))
    cables = "".join(
        f'    - {{nic: {nic}, fabric: dc1, switch: leaf{1 + at % 2}, port: "Ethernet{number * 10 + at}"}}\n'
        for at, nic in nics
    )
    return f"""kind: Node
metadata: {{name: s{number}}}
spec:
  profile: server
  labels: {{cluster: edge}}
  ipv6: "fd11::{number}"
  uplink: {{router: p1, interface: eth0, nextHop: "fd11::ffff"}}
  cables:
{cables}"""


TWO_LEAVES: Final = """kind: Fabric
metadata: {name: dc1}
spec:
  provider: apstra
  apstra: {blueprint: metro, loopbackPool: loopbacks}
  switches: [{name: leaf1}, {name: leaf2}, {name: leaf3}]
  redundancyGroups: [{name: rack1, switches: [leaf1, leaf2]}]
"""
FAR_LEAVES: Final = TWO_LEAVES.replace("name: dc1", "name: dc2").replace("metro", "far")
HOSTS: Final = """kind: FabricAttachment
metadata: {name: hosts}
spec:
  network: oam
  ports: [{node: s1, bond: bond0}, {node: s2, bond: bond0}, {fabric: dc1, switch: leaf3, port: Ethernet7}]
"""
MEMBERS: Final = (
    pods.network("n3", "subnets: [{cidr: 10.3.0.0/24}]\nextendToFabric: true\ngateway: fabric\nmtu: 1500"),
    pods.network(
        "n4", "zone: n3z\nsubnets: [{cidr: 10.4.0.0/24}]\nextendToFabric: true", "{type: sriov, pool: right}"
    ),
    pods.network("n5", "ipam: {mode: none}", "{type: sriovBond, pools: [left, right], namespaces: [upf]}"),
    pods.network(
        "oam", "zone: oam\nsubnets: [{cidr: 10.9.0.0/24}]\nextendToFabric: true", "{type: bareMetal}"
    ),
)
BY_NAME: Final = pods.RIGHT.replace("nodes: {matchLabels: {role: upf}}", "nodes: {names: [s1, s2]}")

BUILT: Final[dict[str, tuple[str, ...]]] = {
    "overlay": (
        *overlays.BASE,
        overlays.network("n1", "10.1.0.0/16", "{role: hub}"),
        overlays.network("n2", "10.2.0.0/16", "{role: spoke}"),
        overlays.policy(),
        router("hub", "hub"),
        router("spoke", "spoke", "  imports: [hub]\n"),
    ),
    "mesh": (
        overlays.UNDERLAY,
        *(overlays.node(number) for number in (1, 2, 3)),
        OTHER_SIDE,
        MESHED,
        FAR,
        overlays.network("n1", "10.1.0.0/16", zone="wan", clusters="[edge, far]"),
        overlays.policy(
            steer="{pods: [], networks: [n1], prefixes: [10.99.0.0/16]}", endpoints="{nodes: {names: [m1]}}"
        ),
    ),
    "te": (
        overlays.SQUARE,
        *(overlays.node(number) for number in (1, 2, 3)),
        overlays.CLUSTER,
        overlays.ALL_UP,
        overlays.policy(overlays.computed("igp"), steer="{pods: [ipv4]}"),
        overlays.policy(
            overlays.computed(
                "latency",
                "includeAny: [fast], excludeSrlgs: [north], maxSids: 3, disjointFrom: te, disjointness: node",
                "    - {name: spare, explicit: [{segments: [{router: p4}]}]}\n",
            ),
            name="tf",
            steer="{pods: [ipv6]}",
        ),
    ),
    "sites": (
        overlays.SQUARE,
        *map(overlays.node, (1, 2)),
        overlays.node(5).replace("router: p1", "router: p4"),
        overlays.CLUSTER,
        overlays.ALL_UP.replace("up", "down").replace("p1-p3", "p2-p3"),
        overlays.policy(overlays.computed("latency", "includeAny: [fast]")),
        overlays.policy(
            overlays.computed(
                "te",
                "excludeRouters: [p4]",
                "    - {name: spare, preference: 300, explicit: [{segments: [{router: p3}]}]}\n",
            ),
            name="tf",
            headends="{sites: [dc2]}",
            endpoints="{sites: [dc1]}",
        ),
    ),
    "calico": (*overlays.CALICO_BASE, overlays.policy()),
    "calico mesh": (
        overlays.UNDERLAY,
        overlays.calico_node(1),
        overlays.calico_node(3).replace("core", "far"),
        overlays.CALICO.replace("  uplinkInterface: eth1\n", overlays.SETTINGS).replace(*JOINED),
        overlays.FAR_CALICO.replace(*JOINED),
    ),
    "announced": (
        overlays.UNDERLAY,
        *(overlays.node(number, more=f"  ipv4: 192.0.2.{number}\n") for number in (1, 2, 3)),
        REFLECTED,
        overlays.network("n1", "10.1.0.0/16"),
        overlays.policy(steer="{networks: [n1]}"),
    ),
    "agents": (
        overlays.UNDERLAY,
        *map(overlays.calico_node, (1, 2)),
        AGENT,
        overlays.policy(ONE_LIST, endpoints="{nodes: {names: [w2]}}"),
    ),
    "pods": (
        *pods.BASE,
        pods.network(
            "n3", "subnets: [{cidr: 10.3.0.0/24}]\nextendToFabric: true\ngateway: fabric\nmtu: 1500"
        ),
        pods.workload("upf", "{network: n3}", "preProvision: true"),
    ),
    "plugin": (
        pods.UNDERLAY,
        TWO_LEAVES,
        FAR_LEAVES,
        PROFILE,
        OTHER_PROFILE,
        *map(server, (1, 2, 3)),
        pods.NV_CLUSTER,
        pods.LEFT,
        pods.RIGHT,
        *MEMBERS,
        HOSTS,
        pods.workload(
            "upf", "{network: n3}, {network: n4}", "preProvision: true\nnodes: {matchLabels: {role: upf}}"
        ),
    ),
    "operator": (
        pods.UNDERLAY,
        TWO_LEAVES,
        FAR_LEAVES,
        PROFILE,
        OTHER_PROFILE,
        *map(server, (1, 2, 3)),
        pods.CLUSTER,
        pods.LEFT,
        BY_NAME,
        *MEMBERS,
        HOSTS,
        pods.workload("upf", "{network: n3}, {network: n4, mac: '02:00:00:00:00:01'}", "preProvision: true"),
    ),
    "apstra": (*fabrics.WHOLE, fabrics.placed(("upf-0", "w1", "n3", "ens1f0"))),
    "frr": (*fabrics.for_frr(*fabrics.WHOLE), fabrics.placed(("upf-0", "w1", "n3", "ens1f0"))),
}
