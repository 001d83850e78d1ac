"""Documents that tests of pod attachments start from: one cluster with two PFs per node, and its fabric."""

from __future__ import annotations

UNDERLAY = """kind: Underlay
metadata: {name: metro}
spec:
  mtu: 9216
  routers: [{name: p1, loopback: "fd00::1", locator: "fcbb:0:1::/48"}]
"""
FABRIC = """kind: Fabric
metadata: {name: dc1}
spec:
  provider: apstra
  apstra: {blueprint: metro, loopbackPool: loopbacks}
  switches: [{name: leaf1}, {name: leaf2}]
"""
NODES = """kind: Node
metadata: {name: "w{n}"}
spec:
  range: {last: 3}
  labels: {cluster: edge, role: upf}
  ipv6: "fd11::{n}"
  uplink: {router: p1, interface: eth0, nextHop: "fd11::ffff"}
  nics: [{name: ens1f0, vfs: 64, mtu: 9000}, {name: ens1f1, vfs: 64, mtu: 9000}]
  cables:
    - {nic: ens1f0, fabric: dc1, switch: leaf1, port: "Ethernet{n}"}
    - {nic: ens1f1, fabric: dc1, switch: leaf2, port: "Ethernet{n}"}
"""
CLUSTER = """kind: Cluster
metadata: {name: edge}
spec:
  nodes: {matchLabels: {cluster: edge}}
  dataplane: vpp
  controlPlane: kubernetes
  podCidrs: {ipv4: 10.64.0.0/16, ipv6: "fd64::/48"}
  serviceCidrs: {ipv4: 10.96.0.0/16}
  blockSizes: {ipv4: 24, ipv6: 112}
  srv6: {localsids: "fcdd::/48", policies: "cafe:1::/112"}
  installed: {sriov: {manager: operator}, ipam: whereabouts, bond: true}
  namespaces: [{name: upf}, {name: ran}]
"""
PLUGIN_CLUSTER = CLUSTER.replace("manager: operator", "manager: device-plugin")
NV_CLUSTER = PLUGIN_CLUSTER.replace("ipam: whereabouts", "ipam: nv-ipam")
LEFT = """kind: SriovPool
metadata: {name: left}
spec:
  cluster: edge
  nodes: {matchLabels: {role: upf}}
  nics: {names: [ens1f0]}
  vfs: 16
  mtu: 9000
"""
RIGHT = LEFT.replace("name: left", "name: right").replace("ens1f0", "ens1f1")
GROUND = (UNDERLAY, FABRIC, NODES)
BASE = (*GROUND, CLUSTER, LEFT, RIGHT)


def network(name: str, more: str = "", attachment: str = "{type: sriov, pool: left}") -> str:
    """Return a network; `more` is YAML of its spec, on one line each."""
    lines = "".join(f"  {line}\n" for line in more.splitlines())
    return f"kind: VirtualNetwork\nmetadata: {{name: {name}}}\nspec:\n  attachments: [{attachment}]\n{lines}"


def workload(name: str, interfaces: str, more: str = "") -> str:
    """Return a workload in namespace upf."""
    lines = "".join(f"  {line}\n" for line in more.splitlines())
    return (
        f"kind: Workload\nmetadata: {{name: {name}}}\nspec:\n  cluster: edge\n  namespace: upf\n"
        f"  interfaces: [{interfaces}]\n{lines}"
    )
