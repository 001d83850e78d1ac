"""Documents that tests of the SRv6 overlay start from: two routers, and a cluster of workers behind them."""

from __future__ import annotations

from typing import Any

from compiler.graph import Scope
from renderers.resource import Resource
from tests.support import Built

UNDERLAY = """kind: Underlay
metadata: {name: core}
spec:
  mtu: 9000
  routers:
    - {name: p1, loopback: "fd00:0:1::1", locator: "fcbb:0:1::/48"}
    - {name: p2, loopback: "fd00:0:2::1", locator: "fcbb:0:2::/48"}
  links:
    - name: p1-p2
      ends: [{at: p1, interface: eth1, endXSid: "fcbb:0:1::e1"}, {at: p2, interface: eth1}]
"""
CLUSTER = """kind: Cluster
metadata: {name: edge}
spec:
  nodes: {matchLabels: {cluster: edge}}
  dataplane: vpp
  controlPlane: kubernetes
  podCidrs: {ipv4: 10.64.0.0/16, ipv6: "fd64::/48"}
  srv6: {localsids: "fcdd::/48", policies: "cafe:1::/112"}
  namespaces: [{name: apps}]
"""
CALICO = """kind: Cluster
metadata: {name: core}
spec:
  nodes: {matchLabels: {cluster: core}}
  dataplane: calico-vpp
  controlPlane: bgp
  podCidrs: {ipv4: 10.80.0.0/16, ipv6: "fd80::/48"}
  serviceCidrs: {ipv4: 10.96.0.0/16, ipv6: "fd97::/112"}
  srv6: {localsids: "fcff::/48", policies: "cafe:2::/118"}
  uplinkInterface: eth1
  versions: {calicoVpp: 3.33.0}
  bgp:
    asn: 64512
    injector: "fd22::ffff"
    peers:
      - {name: injector, address: "fd22::ffff", asn: 64512, nodes: {names: [w1]}}
      - {name: rr, address: 192.0.2.9, asn: 64513, password: {kubernetes: calico-vpp-dataplane/bgp/rr}}
"""
FACTS = """kind: Facts
metadata: {name: seen}
spec:
  nodes:
    - {node: w1, address: "fd11::1", dt4: "fcff:0:0:1::4", dt6: "fcff:0:0:1::6"}
    - {node: w2, address: "fd11::2", dt4: "fcff:0:0:2::4", dt6: "fcff:0:0:2::6"}
"""
FAR_CALICO = (
    CALICO.replace("core", "far")
    .replace("10.80.", "10.81.")
    .replace("fd80:", "fd81:")
    .replace("10.96.", "10.97.")
    .replace("fd97:", "fd98:")
    .replace("cafe:2", "cafe:4")
    .replace("nodes: {names: [w1]}", "nodes: {all: true}")
)
SETTINGS = """  calicoVpp:
    featureGates: {memifEnabled: false, prometheusEnabled: true}
    debug: {servicesEnabled: false, fetchV6LLntries: 9}
    interfaces:
      {
        "maxPodIfSpec": {"rx": 10, "tx": 10, "rxqsz": 1024, "txqsz": 1024},
        "defaultPodIfSpec": {"rx": 1, "tx": 1, "isl3": true},
        "uplinkInterfaces": [
          {"interfaceName": "eth1", "vppDriver": "af_packet", "mtu": 9000, "rxMode": "adaptive"},
          {"interfaceName": "eth2", "vppDriver": "virtio", "physicalNetworkName": "blue"}
        ]
      }
"""
"""What else agents of Calico-VPP are told, as it stands in their ConfigMap; with all uplinks."""
VIA_BOTH = """
    - name: both
      preference: 200
      explicit:
        - {weight: 3, segments: [{router: p1}, {router: p2}]}
        - {segments: [{router: p1, link: p1-p2}]}
"""

SQUARE = """kind: Underlay
metadata: {name: core}
spec:
  affinities: [fast, bulk]
  srlgs: [north, south]
  routers:
    - {name: p1, loopback: "fd00:0:1::1", locator: "fcbb:0:1::/48"}
    - {name: p2, loopback: "fd00:0:2::1", locator: "fcbb:0:2::/48"}
    - {name: p3, loopback: "fd00:0:3::1", locator: "fcbb:0:3::/48"}
    - {name: p4, loopback: "fd00:0:4::1", locator: "fcbb:0:4::/48"}
  links:
    - name: p1-p3
      latency: 5ms
      srlgs: [north]
      affinities: [bulk]
      ends: [{at: p1, endXSid: "fcbb:0:1::e3"}, {at: p3}]
    - name: p1-p4
      igpMetric: 20
      latency: 1ms
      srlgs: [south]
      affinities: [fast]
      ends: [{at: p1}, {at: p4}]
    - {name: p2-p3, latency: 5ms, srlgs: [north], affinities: [bulk], ends: [{at: p3}, {at: p2}]}
    - {name: p2-p4, latency: 1ms, srlgs: [south], affinities: [fast], ends: [{at: p4}, {at: p2}]}
"""
"""From p1 to p2 over p3, which the IGP takes, or over p4, which is faster."""
ALL_UP = "kind: Facts\nmetadata: {name: links}\nspec: {links: [{link: p1-p3, state: up}]}\n"


def computed(objective: str = "latency", constraints: str = "", more: str = "") -> str:
    """Return a candidate path that is computed, and what stands behind it."""
    said = f"objective: {objective}, constraints: {{{constraints}}}"
    return f"\n    - {{name: best, preference: 200, dynamic: {{{said}}}}}\n{more}"


def node(number: int, cluster: str = "edge", more: str = "") -> str:
    """Return worker w1, w2 …; odd ones hang off p1 in dc1, even ones off p2 in dc2."""
    side = 1 if number % 2 else 2
    return f"""kind: Node
metadata: {{name: w{number}}}
spec:
  site: dc{side}
  labels: {{cluster: {cluster}}}
  ipv6: "fd11::{number:x}"
  uplink: {{router: p{side}, interface: eth0, nextHop: "fd11:{side}::ffff"}}
{more}"""


def calico_node(number: int) -> str:
    """Return a worker of the Calico cluster, with its localsid pool pinned."""
    ipv4 = f"10.11.{number // 250}.{number % 250 + 1}"
    return node(number, "core", f'  ipv4: {ipv4}\n  pins: {{localsids: "fcff:0:0:{number}::/64"}}\n')


def policy(paths: str = VIA_BOTH, name: str = "te", color: str = "100", **fields: str) -> str:
    """Return an SRv6Policy from dc1 to dc2, or between what fields say (YAML in flow style)."""
    said = {"headends": "{sites: [dc1]}", "endpoints": "{sites: [dc2]}"} | fields
    lines = "".join(f"  {field}: {value}\n" for field, value in said.items())
    head = f"kind: SRv6Policy\nmetadata: {{name: {name}}}\nspec:\n  color: {color}\n"
    return f"{head}{lines}  candidatePaths:{paths}"


def network(name: str, cidr: str, labels: str = "{}", zone: str = "", clusters: str = "[edge]") -> str:
    """Return an overlay network."""
    said = f"  zone: {zone}\n" if zone else ""
    return f"""kind: VirtualNetwork
metadata: {{name: {name}, labels: {labels}}}
spec:
{said}  subnets: [{{cidr: "{cidr}"}}]
  attachments: [{{type: overlay, clusters: {clusters}}}]
"""


BASE = (UNDERLAY, node(1), node(2), node(3), CLUSTER)
CALICO_BASE = (UNDERLAY, calico_node(1), calico_node(2), CALICO, FACTS)


def specs(built: Built, scope: Scope, kind: str) -> dict[str, Any]:
    """Return the specs of one type of resources of a scope, by name."""
    return {item.key.name: item.spec for item in resources(built, scope) if item.key.type == kind}


def resources(built: Built, scope: Scope) -> list[Resource]:
    """Return all that a scope renders to but views."""
    return [item for item in built.resources(scope) if not item.view]


W1, W2, W3 = (Scope("node", f"edge/w{number}") for number in (1, 2, 3))
CORE = Scope("cluster", "core")
