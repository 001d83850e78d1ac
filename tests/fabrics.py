"""Documents that tests of fabrics start from: two leaves, a border, two workers, a firewall."""

from __future__ import annotations

import re

from tests.support import Built, build

APSTRA = """kind: Fabric
metadata: {name: dc1}
spec:
  provider: apstra
  apstra: {blueprint: metro, loopbackPool: zone-loopbacks}
  switches:
    - name: leaf1
      ports: [{name: "Ethernet[1-48]", mtu: 9100}]
    - name: leaf2
      ports: [{name: "Ethernet[1-48]", mtu: 9100}]
    - {name: border1, role: border}
    - {name: spine1, role: spine}
  redundancyGroups: [{name: rack1, switches: [leaf1, leaf2]}]
"""
FRR = """kind: Fabric
metadata: {name: dc1}
spec:
  provider: frr
  switches:
    - name: leaf1
      asn: 65001
      loopback: 10.0.0.1
      uplinks: [swp51]
      ports: [{name: "swp[1-48]", mtu: 9100}]
    - name: leaf2
      asn: 65002
      loopback: 10.0.0.2
      vtep: 10.0.1.2
      uplinks: [swp51]
      ports: [{name: "swp[1-48]", mtu: 9100}]
    - {name: border1, role: border, asn: 65003, loopback: 10.0.0.3, uplinks: [swp51]}
    - {name: spine1, role: spine, asn: 65100, loopback: 10.0.0.100, uplinks: [swp1, swp2, swp3]}
  redundancyGroups: [{name: rack1, switches: [leaf1, leaf2]}]
"""
NODES = """kind: Node
metadata: {name: "w{n}"}
spec:
  range: {last: 2}
  nics: [{name: ens1f0, vfs: 64, mtu: 9000}, {name: ens1f1, vfs: 64, mtu: 9000}]
  cables:
    - {nic: ens1f0, fabric: dc1, switch: leaf1, port: "Ethernet{n}"}
    - {nic: ens1f1, fabric: dc1, switch: leaf2, port: "Ethernet{n}"}
"""
FIREWALL = """kind: Node
metadata: {name: fw}
spec:
  role: bareMetal
  nics: [{name: eth0}, {name: eth1}]
  bonds: [{name: bond0, nics: [eth0, eth1], lacpRate: fast}]
  cables:
    - {nic: eth0, fabric: dc1, switch: leaf1, port: Ethernet9}
    - {nic: eth1, fabric: dc1, switch: leaf2, port: Ethernet9}
"""
CLUSTER = """kind: Cluster
metadata: {name: edge}
spec:
  nodes: {all: true}
  dataplane: vpp
  controlPlane: kubernetes
  podCidrs: {ipv4: 10.64.0.0/16}
  installed: {sriov: {manager: operator}, ipam: whereabouts, bond: true}
  namespaces: [{name: upf}]
"""
LEFT = """kind: SriovPool
metadata: {name: left}
spec: {cluster: edge, nodes: {all: true}, nics: {names: [ens1f0]}, vfs: 16}
"""
RIGHT = LEFT.replace("name: left", "name: right").replace("ens1f0", "ens1f1")
N3 = """kind: VirtualNetwork
metadata: {name: n3}
spec:
  zone: ran
  subnets: [{cidr: 10.10.3.0/24}]
  attachments: [{type: sriov, pool: left}, {type: bareMetal}]
  extendToFabric: true
  gateway: fabric
  mtu: 9000
  vlan: 103
  vni: 1000103
  description: user plane
"""
N6 = """kind: VirtualNetwork
metadata: {name: n6}
spec:
  zone: internet
  subnets: [{cidr: 10.10.6.0/24}, {cidr: "fd10:6::/64", gateway: "fd10:6::fe"}]
  attachments: [{type: sriovBond, pools: [left, right]}, {type: bareMetal}]
  extendToFabric: true
  gateway: fabric
  dhcpRelay: [10.99.0.1]
  routeTargets: {imports: ["65000:1"], exports: ["65000:2"]}
  vlan: 106
  vni: 1000106
"""
STATIC = """kind: FabricAttachment
metadata: {name: firewall}
spec:
  network: n6
  tagging: untagged
  ports: [{node: fw, bond: bond0}]
"""
EXIT = """kind: ExternalConnection
metadata: {name: out}
spec:
  fabric: dc1
  zone: internet
  ports:
    - {switch: border1, port: Ethernet49, vlan: 3001, address: 192.0.2.0/31}
    - {switch: border1, port: Ethernet49, vlan: 3001, address: "2001:db8::/127"}
  peers:
    - {switch: border1, address: 192.0.2.1, asn: 64999, bfd: true, password: {env: N6_PASSWORD}}
    - {switch: border1, address: "2001:db8::1", asn: 64999, multihop: 2}
  staticRoutes: [{prefix: 0.0.0.0/0, nextHop: 192.0.2.1}]
"""
JOIN = """kind: VirtualNetworkRouter
metadata: {name: user-plane}
spec: {type: mesh, networks: {all: true}}
"""
BASE = (APSTRA, NODES, CLUSTER, LEFT, RIGHT)
"""Cluster nodes are chosen by `all`, so a bare-metal server must be left out or have its role."""
WHOLE = (*BASE, FIREWALL, N3, N6, STATIC, EXIT, JOIN)


def compiled(*documents: str) -> Built:
    """Compile with ids of zones that people can read: 2000003 and 2003 for ran, …6 for internet."""
    ledger = build(*documents).ledger
    for zone, number in (("ran", "003"), ("internet", "006")):
        ledger = re.sub(rf"(zone/{zone}\S* l3vni) [0-9]+", rf"\g<1> 2000{number}", ledger)
        ledger = re.sub(rf"(zone/{zone}\S* vlan@dc1) [0-9]+", rf"\g<1> 2{number}", ledger)
    return build(*documents, ledger=ledger)


def placed(*rows: tuple[str, str, str, str]) -> str:
    """Return facts: pods by name, node, network and NIC."""
    lines = "".join(
        f"    - {{cluster: edge, namespace: upf, pod: {pod}, node: {node}, network: {network}, nic: {nic}}}\n"
        for pod, node, network, nic in rows
    )
    return f"kind: Facts\nmetadata: {{name: pods}}\nspec:\n  placements:\n{lines}"


def for_frr(*documents: str) -> tuple[str, ...]:
    """Return documents with the fabric run by FRR, with names of ports that Linux takes."""
    return tuple(
        (FRR if document == APSTRA else document)
        .replace("Ethernet", "swp")
        .replace("  dhcpRelay: [10.99.0.1]\n", "")
        for document in documents
    )
