"""What tests of the ledger need: small worlds of networks, fabrics and nodes, resolved and allocated."""

from __future__ import annotations

from compiler.allocated import Allocated
from compiler.ledger.allocate import allocate, update
from compiler.ledger.leases import HEADER, Ledger, domain, parse_ledger, write_ledger
from compiler.resolve.names import resolve
from compiler.resolved import Resolved
from intent.diagnostics import Report, as_text
from intent.load import load
from intent.source import Source
from tests.support import PROJECT, documents


def world(*texts: str, project: str = PROJECT) -> Resolved:
    """Load and resolve documents, which must be right; the checks of other domains do not run."""
    report = Report()
    (root,) = load([Source("intentc.yaml", project)], report)
    loaded = load([Source("intent.yaml", documents(*texts))], report)
    facts = [intent for intent in loaded if intent.kind == "Facts"]
    found = resolve(root, [intent for intent in loaded if intent.kind != "Facts"], facts, report)
    assert found is not None, as_text(report.sorted(), {})
    assert not report.failed, as_text(report.sorted(), {})
    return found


def pools(**ranges: str) -> str:
    """Return a project with other pools."""
    rows = "\n".join(f"    {name}: {said}" for name, said in ranges.items())
    return PROJECT.replace("spec: {}", f"spec:\n  pools:\n{rows}")


def fabric(name: str, pools: str = "{}", moved: str = "[]") -> str:
    return f"""kind: Fabric
metadata: {{name: {name}, moved: {moved}}}
spec:
  provider: apstra
  apstra: {{blueprint: {name}}}
  switches: [{{name: leaf1}}]
  pools: {pools}
"""


def network(name: str, *fabrics: str, meta: str = "", spec: str = "") -> str:
    """Return a layer-2 network, and its fixed ports in fabrics."""
    text = f"""kind: VirtualNetwork
metadata: {{name: {name}{meta}}}
spec:
  attachments: [{{type: bareMetal}}]
  extendToFabric: true
  {spec}
"""
    ports = ", ".join(f"{{fabric: {one}, switch: leaf1, port: e{name}}}" for one in fabrics)
    if not ports:
        return text
    apiversion = "apiVersion: intentc.dev/v1alpha1"
    return f"""{text}---
{apiversion}
kind: FabricAttachment
metadata: {{name: {name}}}
spec: {{network: {name}, ports: [{ports}]}}
"""


def cluster(name: str, spec: str = "", meta: str = "") -> str:
    """Return a cluster on VPP of all nodes with the label cluster=NAME, each with an overlay of its own."""
    number = sum(map(ord, name)) % 100
    return f"""kind: Cluster
metadata: {{name: {name}{meta}}}
spec:
  nodes: {{matchLabels: {{cluster: {name}}}}}
  dataplane: vpp
  controlPlane: kubernetes
  podCidrs: {{ipv4: 10.{number}.0.0/16}}
  srv6: {{localsids: "fcdd:{number}::/48", policies: "cafe:{number}::/112"}}
  {spec}
"""


def node(name: str, cluster: str = "edge", meta: str = "", spec: str = "") -> str:
    return f"""kind: Node
metadata: {{name: "{name}"{meta}}}
spec:
  labels: {{cluster: {cluster}}}
  {spec}
"""


def drawn(resolved: Resolved, ledger: str = "", settled: str | None = None) -> str:
    """Return the ledger that an update writes; it must succeed."""
    text, report = tried(resolved, ledger, settled)
    assert not report.failed, as_text(report.sorted(), {"intentc.lock": ledger})
    return text


def tried(resolved: Resolved, ledger: str = "", settled: str | None = None) -> tuple[str, Report]:
    """Return what an update would write, and what it said."""
    report = Report()
    older = None if settled is None else read(settled)
    return write_ledger(update(resolved, read(ledger), older, report)), report


def ids(resolved: Resolved, ledger: str) -> Allocated:
    """Allocate; it must succeed."""
    found, report = compiled(resolved, ledger)
    assert found is not None, as_text(report.sorted(), {"intentc.lock": ledger})
    return found


def compiled(resolved: Resolved, ledger: str) -> tuple[Allocated | None, Report]:
    report = Report()
    return allocate(resolved, read(ledger), report), report


def codes(report: Report) -> list[str]:
    return [entry.code for entry in report.sorted()]


def read(text: str) -> Ledger:
    report = Report()
    ledger = parse_ledger(Source("intentc.lock", text), report)
    assert not report.failed, as_text(report.sorted(), {"intentc.lock": text})
    return ledger


def lines(text: str, *words: str) -> list[str]:
    """Return the lines of a ledger that hold all of some words."""
    rows = [row for row in text.splitlines() if not row.startswith("#")]
    return [row for row in rows if all(word in row.split() for word in words)]


def held_twice(text: str) -> list[tuple[str, str]]:
    """Return the values that two owners hold in one domain, tombstones included."""
    seen: dict[tuple[str, str], str] = {}
    leases = read(text).leases
    return [
        (domain(lease.pool), lease.value)
        for lease in leases
        if seen.setdefault((domain(lease.pool), lease.value), lease.owner) != lease.owner
    ]


def overlay(cidr: str = "10.200.0.0/24", extra: str = "", meta: str = "", name: str = "metrics") -> str:
    return f"""kind: VirtualNetwork
metadata: {{name: {name}{meta}}}
spec:
  zone: metrics
  subnets: [{{cidr: {cidr}}}]
  attachments: [{{type: overlay, clusters: [edge]}}]
  {extra}
"""


def ledger(*rows: str) -> str:
    """Return the text of a ledger with these lines."""
    return "\n".join([HEADER, *rows]) + "\n"


def vlan(text: str, name: str, where: str = "dc1") -> str:
    """Return the VLAN that a network holds in a fabric."""
    (row,) = [row for row in lines(text, f"VirtualNetwork/{name}", f"vlan@{where}") if "freed" not in row]
    return row.split()[2]
