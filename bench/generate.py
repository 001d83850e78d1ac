"""Repositories of any size, made from numbers alone: the same arguments give the same files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

HEAD: Final = "apiVersion: intentc.dev/v1alpha1\n"
_NODES: Final = 8


def write(root: Path, files: dict[str, Iterator[str]], project: str = "") -> None:
    """Write a repository: documents by file name."""
    spec = project or "spec: {}\n"
    files = {"intentc.yaml": iter([f"kind: Project\nmetadata:\n  name: bench\n{spec}"]), **files}
    for name, documents in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("---\n".join(HEAD + document for document in documents))


def networks(root: Path, count: int, sites: int = 4) -> None:
    """Write `count` networks spread over clusters and fabrics; each gives a NAD and a fabric network."""
    files = {}
    for site in range(1, sites + 1):
        files[f"intent/site{site}.yaml"] = _site(site)
        files[f"intent/networks{site}.yaml"] = _networks(site, range(site - 1, count, sites))
    write(root, files, "spec:\n  pools:\n    vlan: 2-4094\n    vni: 1000000-1999999\n")


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
    yield """kind: Cluster
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
