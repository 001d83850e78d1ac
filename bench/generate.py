"""Repositories of any size, made from numbers alone: the same arguments give the same files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

HEAD: Final = "apiVersion: intentc.dev/v1alpha1\n"
_NODES: Final = 8
_BIG: Final = """kind: Cluster
metadata:
  name: big
spec:
  nodes:
    matchLabels:
      cluster: big
  dataplane: vpp
  controlPlane: kubernetes
  podCidrs:
    ipv4: 10.0.0.0/14
    ipv6: fd64::/48
  srv6:
    localsids: fcdd:1::/48
    policies: cafe:1::/112
"""
"""The cluster of all nodes of a mesh."""


def write(root: Path, files: dict[str, Iterator[str]], project: str = "") -> None:
    """Write a repository: documents by file name."""
    spec = project or "spec: {}\n"
    files = {"intentc.yaml": iter([f"kind: Project\nmetadata:\n  name: bench\n{spec}"]), **files}
    for name, documents in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("---\n".join(HEAD + document for document in documents))


def networks(root: Path, count: int, sites: int = 4, target: str = "") -> None:
    """Write `count` networks spread over clusters and fabrics; each gives a NAD and two objects of Apstra.

    `target` names a folder of the repository that is to be a target.
    """
    files = {}
    for site in range(1, sites + 1):
        files[f"intent/site{site}.yaml"] = _site(site)
        files[f"intent/networks{site}.yaml"] = _networks(site, range(site - 1, count, sites))
    project = "spec:\n  pools:\n    vlan: 2-4094\n    vni: 1000000-1999999\n"
    if target:
        project += f"  targets:\n    - name: {target}\n      type: directory\n      path: {target}\n"
    write(root, files, project)


def edit(root: Path, turn: int) -> None:
    """Change the MTU of one network; of another one with each turn."""
    file = root / "intent/networks1.yaml"
    documents = file.read_text().split("---\n")
    number = turn * 7 % len(documents)
    documents[number] = re.sub(
        r"(?:  mtu: \d+\n)?\Z", f"  mtu: {1280 + 2 * (turn % 500)}\n", documents[number], count=1
    )
    file.write_text("---\n".join(documents))


def _site(site: int) -> Iterator[str]:
    ports = "\n".join(
        f"    - {{nic: ens1f0, fabric: dc{site}, switch: leaf1, port: 'Ethernet{{n}}'}}" for _ in range(1)
    )
    yield f"""kind: Fabric
metadata:
  name: dc{site}
spec:
  provider: apstra
  apstra:
    blueprint: dc{site}
  switches:
    - name: leaf1
"""
    yield f"""kind: Node
metadata:
  name: w{site}-{{n}}
spec:
  range:
    last: {_NODES}
  labels:
    site: s{site}
  nics:
    - {{name: ens1f0, vfs: 64, mtu: 9000}}
  cables:
{ports}
"""
    yield f"""kind: Cluster
metadata:
  name: c{site}
spec:
  nodes:
    matchLabels:
      site: s{site}
  dataplane: vpp
  controlPlane: kubernetes
  podCidrs:
    ipv4: 10.{site}.0.0/16
  installed:
    sriov:
      manager: device-plugin
    ipam: whereabouts
  namespaces:
    - name: apps
"""
    yield f"""kind: SriovPool
metadata:
  name: pool{site}
spec:
  cluster: c{site}
  nodes:
    matchLabels:
      site: s{site}
  nics:
    names: [ens1f0]
  vfs: 16
"""


def _networks(site: int, numbers: range) -> Iterator[str]:
    for number in numbers:
        yield f"""kind: VirtualNetwork
metadata:
  name: net-{number}
  labels:
    tenant: t{number % 50}
spec:
  zone: zone{number % 20}
  subnets:
    - cidr: 10.{100 + number // 256 % 100}.{number % 256}.0/24
  attachments:
    - type: sriov
      pool: pool{site}
  extendToFabric: true
  gateway: fabric
"""


def mesh(root: Path, count: int) -> None:
    """Write one cluster of `count` nodes in a full mesh, IPv4 and IPv6."""
    write(root, {"intent/mesh.yaml": _mesh(count)})


def _mesh(count: int) -> Iterator[str]:
    yield """kind: Underlay
metadata:
  name: core
spec:
  routers:
    - {name: p1, loopback: 'fd00:0:1::1', locator: 'fcbb:0:1::/48'}
    - {name: p2, loopback: 'fd00:0:2::1', locator: 'fcbb:0:2::/48'}
  links:
    - name: p1-p2
      ends: [{at: p1}, {at: p2}]
"""
    yield f"""kind: Node
metadata:
  name: n{{n}}
spec:
  range:
    last: {count}
  labels:
    cluster: big
  ipv6: "fd11::{{n:x}}"
  uplink:
    router: p1
    interface: eth0
    nextHop: fd11::ffff
"""
    yield _BIG


def paths(root: Path, routers: int, nodes: int) -> None:
    """Write `routers` in rings with chords, a node at each of the first `nodes`, and two computed policies.

    Both are for all nodes: the fastest path for IPv4, and one that shares no router with it for IPv6.
    """
    write(root, {"intent/paths.yaml": _paths(routers, nodes)})


def _paths(routers: int, nodes: int) -> Iterator[str]:
    names = "".join(
        f"    - {{name: r{n}, loopback: 'fd00::{n:x}', locator: 'fcbb:0:{n:x}::/48'}}\n"
        for n in range(1, routers + 1)
    )
    yield f"""kind: Underlay
metadata:
  name: core
spec:
  affinities: [fast, bulk]
  routers:
{names}  links:
{"".join(_ring(routers))}"""
    yield f"""kind: Node
metadata:
  name: n{{n}}
spec:
  range:
    last: {nodes}
  labels:
    cluster: big
  ipv6: "fd11::{{n:x}}"
  uplink:
    router: r{{n}}
    interface: eth0
    nextHop: fd11::ffff
"""
    yield _BIG
    everyone = "{clusters: [big]}"
    for name, family, constraints in (
        ("fast", "ipv4", "{}"),
        ("apart", "ipv6", "{disjointFrom: fast, disjointness: node}"),
    ):
        yield f"""kind: SRv6Policy
metadata:
  name: {name}
spec:
  headends: {everyone}
  endpoints: {everyone}
  color: 100
  steer: {{pods: [{family}]}}
  candidatePaths:
    - name: best
      dynamic: {{objective: latency, constraints: {constraints}}}
"""


def _ring(routers: int) -> Iterator[str]:
    """Yield links to the neighbour, the seventh and the thirty-first router, with metrics of their own."""
    number = 0
    for n in range(routers):
        for step in (1, 7, 31):
            number += 1
            one, two = n + 1, (n + step) % routers + 1
            ends = ", ".join(f"{{at: r{at}, endXSid: 'fcbb:0:{at:x}::e:{number:x}'}}" for at in (one, two))
            said = f"igpMetric: {10 + number * 7 % 11}, latency: {100 + number * 37 % 400}us"
            yield f"    - {{name: l{number}, {said}, affinities: [fast], ends: [{ends}]}}\n"


def fabric(root: Path, leaves: int, count: int = 50, zones: int = 10) -> None:
    """Write an open fabric of four spines, with `count` networks in `zones` zones on every leaf."""
    write(root, {"intent/fabric.yaml": _fabric(leaves, count, zones)})


def _fabric(leaves: int, count: int, zones: int) -> Iterator[str]:
    switches = "".join(
        f"    - {{name: leaf{n}, asn: {65100 + n}, loopback: 10.254.{n // 256}.{n % 256}, "
        f"uplinks: [swp49, swp50, swp51, swp52]}}\n"
        for n in range(1, leaves + 1)
    )
    switches += "".join(
        f"    - {{name: spine{n}, role: spine, asn: 65000, loopback: 10.255.0.{n}, "
        f"uplinks: [{', '.join(f'swp{leaf}' for leaf in range(1, leaves + 1))}]}}\n"
        for n in range(1, 5)
    )
    yield f"kind: Fabric\nmetadata:\n  name: dc1\nspec:\n  provider: frr\n  switches:\n{switches}"
    yield f"""kind: Node
metadata:
  name: w{{n}}
spec:
  range:
    last: {leaves}
  nics:
    - {{name: ens1f0, vfs: 64, mtu: 9000}}
  cables:
    - {{nic: ens1f0, fabric: dc1, switch: 'leaf{{n}}', port: swp1}}
"""
    yield """kind: Cluster
metadata:
  name: c1
spec:
  nodes:
    all: true
  dataplane: vpp
  controlPlane: kubernetes
  podCidrs:
    ipv4: 10.64.0.0/12
  installed:
    sriov:
      manager: device-plugin
    ipam: whereabouts
  namespaces:
    - name: apps
"""
    yield """kind: SriovPool
metadata:
  name: pool1
spec:
  cluster: c1
  nodes:
    all: true
  nics:
    names: [ens1f0]
  vfs: 16
"""
    for number in range(count):
        yield f"""kind: VirtualNetwork
metadata:
  name: net-{number}
spec:
  zone: zone{number % zones}
  subnets:
    - cidr: 10.1.{number}.0/24
  attachments:
    - type: sriov
      pool: pool1
  extendToFabric: true
  gateway: fabric
"""
