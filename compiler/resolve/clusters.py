"""Clusters with their nodes, and the SR-IOV pools of their NICs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from compiler.resolve.routing import short_name
from compiler.resolved import Cluster, Pool, Server
from intent.diagnostics import Related, Report
from intent.kinds.cluster import ClusterSpec
from intent.kinds.sriov_pool import NicSelector, SriovPoolSpec
from intent.model import Intent, Selector

_SHOWN: Final = 5
"""So many names tell which nodes are meant."""
_RESOURCE_NAME: Final = 63
"""Longest name of an extended resource, behind its prefix."""


def clusters(
    intents: Mapping[str, Intent], servers: Mapping[str, Server], report: Report
) -> tuple[dict[str, Cluster], dict[str, Server]]:
    """Return the clusters with their nodes, and the nodes with their cluster."""
    owners: dict[str, str] = {}
    members: dict[str, list[str]] = {}
    bare = {server.name for server in servers.values() if server.role != "kubernetes"}
    for name, intent in intents.items():
        spec: ClusterSpec = intent.spec
        chosen = [server.name for server in servers.values() if _chooses(spec.nodes, server)]
        if not chosen:
            hint = "check names and labels; nodes of role bareMetal belong to no cluster"
            text = f"cluster {name!r} selects no node"
            report.error("IC2004", intent.span("spec", "nodes"), text, hint)
        members[name] = [server for server in chosen if owners.setdefault(server, name) == name]
        _report_twice(name, [server for server in chosen if owners[server] != name], owners, intents, report)
        _report_named(intent, spec.nodes, bare, "is no Kubernetes node (role: bareMetal)", report)
    meshes = {
        name: intent.spec.srv6.mesh or f"={name}" for name, intent in intents.items() if intent.spec.srv6
    }
    found = {}
    for name, intent in intents.items():
        mesh = tuple(sorted(other for other, label in meshes.items() if label == meshes.get(name)))
        namespaces = tuple(entry.name for entry in intent.spec.namespaces)
        found[name] = Cluster(intent, name, intent.spec, tuple(sorted(members[name])), mesh, namespaces)
    return found, dict(_placed(servers, owners))


def _chooses(selector: Selector, server: Server) -> bool:
    return server.role == "kubernetes" and selector.chooses(server.name, server.labels)


def _placed(servers: Mapping[str, Server], owners: Mapping[str, str]) -> Iterator[tuple[str, Server]]:
    for name, server in servers.items():
        yield name, replace(server, cluster=owners[name]) if name in owners else server


def _report_twice(
    name: str,
    nodes: list[str],
    owners: Mapping[str, str],
    intents: Mapping[str, Intent],
    report: Report,
) -> None:
    """Report nodes that an earlier cluster chose too, once for each such cluster."""
    for owner in sorted({owners[node] for node in nodes}):
        shared = [node for node in nodes if owners[node] == owner]
        more = f" and {len(shared) - _SHOWN} more" if len(shared) > _SHOWN else ""
        text = f"clusters {owner!r} and {name!r} both select {', '.join(shared[:_SHOWN])}{more}"
        place = Related(intents[owner].span("spec", "nodes"), f"cluster {owner!r} selects them here")
        hint = "make the selectors disjoint: a node belongs to one cluster"
        report.error("IC2003", intents[name].span("spec", "nodes"), text, hint, [place])


def _report_named(intent: Intent, selector: Selector, refused: set[str], why: str, report: Report) -> None:
    """Report nodes that are asked for by name, but cannot be had."""
    for index, name in enumerate(selector.names):
        if name in refused:
            text = f"node {name!r}, which {intent.kind} {intent.name!r} names, {why}"
            span = intent.span("spec", "nodes", "names", index)
            report.error("IC2006", span, text, "take it out of the list, or correct the node")


def pool(intent: Intent, found: Mapping[str, Cluster], servers: Mapping[str, Server], report: Report) -> Pool:
    """Return a pool with the NICs that it finds on the nodes of its cluster."""
    spec: SriovPoolSpec = intent.spec
    members: dict[str, tuple[str, ...]] = {}
    for name in found[spec.cluster].servers:
        server = servers[name]
        if spec.nodes.chooses(name, server.labels):
            nics = tuple(sorted(nic for nic in server.nics if _matches(spec.nics, server, nic)))
            if nics:
                members[name] = nics
    if not members:
        text = f"pool {intent.name!r} finds no NIC on any node of cluster {spec.cluster!r}"
        hint = "check the node selector and the NIC selector against the nodes and their profiles"
        report.error("IC2005", intent.span("spec", "nodes"), text, hint)
    outside = servers.keys() - set(found[spec.cluster].servers)
    _report_named(intent, spec.nodes, outside, f"is not in cluster {spec.cluster!r}", report)
    name = spec.resource_name or short_name(intent.name, _RESOURCE_NAME).replace("-", "_")
    return Pool(intent, intent.name, spec.cluster, name, members)


def _matches(selector: NicSelector, server: Server, name: str) -> bool:
    nic = server.nics[name]
    return (
        (not selector.names or name in selector.names)
        and (selector.vendor is None or nic.vendor == selector.vendor)
        and (selector.device is None or nic.device == selector.device)
        and (not selector.pci or nic.pci in selector.pci)
    )
