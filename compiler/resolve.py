"""Resolve: names become the things that they name; everything that later passes look up is looked up here once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from compiler.facts import gather
from compiler.refs import check_references
from compiler.resolved import Cluster, Network, Pool, Port, Resolved, Server
from compiler.routing import vrfs, zone_of
from compiler.servers import check_servers, lags, merge
from compiler.underlay import gather_underlay
from intent.diagnostics import Related, Report
from intent.kinds import KINDS
from intent.kinds.cluster import ClusterSpec
from intent.kinds.fabric import FabricSpec, Switch
from intent.kinds.sriov_pool import NicSelector, SriovPoolSpec
from intent.kinds.virtual_network import OverlayAttachment, SriovAttachment, SriovBondAttachment, VirtualNetworkSpec
from intent.model import Intent

Intents = Mapping[str, Mapping[str, Intent]]


def resolve(project: Intent, documents: Iterable[Intent], facts: Iterable[Intent], report: Report) -> Resolved | None:
    """Return everything with its names resolved; None where a name could not be."""
    intents: dict[str, dict[str, Intent]] = {kind: {} for kind in KINDS}
    for intent in documents:
        intents[intent.kind][intent.name] = intent
    known = gather(facts, report)
    check_references({**intents, "Project": {project.name: project}, "Facts": {intent.name: intent for intent in facts}}, report)
    if report.failed:
        return None
    underlay = gather_underlay(intents["Underlay"], report)
    switches = _switches(intents["Fabric"])
    merged = {name: merge(intent, intents["NodeProfile"]) for name, intent in intents["Node"].items()}
    clusters, servers = _clusters(intents["Cluster"], merged, report)
    wired = check_servers(servers, switches, report)
    pools = {name: _pool(intent, clusters, servers, report) for name, intent in intents["SriovPool"].items()}
    resolved = Resolved(
        project=project,
        intents=intents,
        facts=known,
        underlay=underlay,
        servers=servers,
        clusters=clusters,
        fabrics=intents["Fabric"],
        switches=switches,
        pools=pools,
        networks={},
        vrfs=vrfs(intents["VirtualNetwork"], intents["VirtualNetworkRouter"], report),
        lags=lags(servers, intents["Fabric"], report),
        wired=wired,
    )
    return _with_networks(resolved)


def _switches(fabrics: Mapping[str, Intent]) -> dict[tuple[str, str], Switch]:
    found: dict[tuple[str, str], Switch] = {}
    for name, intent in fabrics.items():
        spec: FabricSpec = intent.spec
        found |= {(name, switch.name): switch for switch in spec.switches}
    return found


def _clusters(intents: Mapping[str, Intent], servers: Mapping[str, Server], report: Report) -> tuple[dict[str, Cluster], dict[str, Server]]:
    """Return the clusters with their nodes, and the nodes with their cluster."""
    owners: dict[str, str] = {}
    members: dict[str, list[str]] = {name: [] for name in intents}
    for name, intent in intents.items():
        spec: ClusterSpec = intent.spec
        for server in servers.values():
            if server.role != "kubernetes" or not spec.nodes.chooses(server.name, server.labels):
                continue
            owner = owners.setdefault(server.name, name)
            if owner == name:
                members[name].append(server.name)
            else:
                place = Related(intents[owner].span("spec", "nodes"), f"cluster {owner!r} selects it here")
                report.error("IC2003", intent.span("spec", "nodes"), f"node {server.name!r} is selected by two clusters", "make the selectors disjoint", [place])
        if not members[name]:
            report.error("IC2004", intent.span("spec", "nodes"), f"cluster {name!r} selects no node", "check names and labels; nodes of role bareMetal belong to no cluster")
    meshes = {name: intent.spec.srv6.mesh or f"={name}" for name, intent in intents.items() if intent.spec.srv6}
    found = {}
    for name, intent in intents.items():
        mesh = tuple(sorted(other for other, label in meshes.items() if label == meshes.get(name)))
        namespaces = tuple(entry.name for entry in intent.spec.namespaces)
        found[name] = Cluster(intent, name, intent.spec, tuple(sorted(members[name])), mesh, namespaces)
    placed = {name: replace(server, cluster=owners[name]) if name in owners else server for name, server in servers.items()}
    return found, placed


def _pool(intent: Intent, clusters: Mapping[str, Cluster], servers: Mapping[str, Server], report: Report) -> Pool:
    spec: SriovPoolSpec = intent.spec
    members: dict[str, tuple[str, ...]] = {}
    for name in clusters[spec.cluster].servers:
        server = servers[name]
        if spec.nodes.chooses(name, server.labels):
            nics = tuple(sorted(nic for nic in server.nics if _matches(spec.nics, server, nic)))
            if nics:
                members[name] = nics
    if not members:
        report.error("IC2005", intent.span("spec", "nodes"), f"pool {intent.name!r} finds no NIC on any node of cluster {spec.cluster!r}", "check the node selector and the NIC selector against the nodes and their profiles")
    return Pool(intent, intent.name, spec.cluster, spec.resource_name or intent.name.replace("-", "_").replace(".", "_"), members)


def _matches(selector: NicSelector, server: Server, name: str) -> bool:
    nic = server.nics[name]
    return (
        (not selector.names or name in selector.names)
        and (selector.vendor is None or nic.vendor == selector.vendor)
        and (selector.device is None or nic.device == selector.device)
        and (not selector.pci or nic.pci in selector.pci)
    )


def _with_networks(resolved: Resolved) -> Resolved:
    """Add the networks, whose fabrics follow from where their NICs and fixed ports are cabled."""
    by_pool = {name: _fabrics_of(pool, resolved) for name, pool in resolved.pools.items()}
    fixed: dict[str, set[str]] = {}
    for intent in resolved.of("FabricAttachment").values():
        spec = intent.spec
        for entry in spec.ports:
            points = resolved.points(entry.node, entry.nic or entry.bond) if entry.node else (Port(entry.fabric, entry.switch, entry.port),)
            fixed.setdefault(spec.network, set()).update(point.fabric for point in points)
    exits = {intent.spec.zone: intent.spec.fabric for intent in resolved.of("ExternalConnection").values()}
    networks = {}
    for name, intent in resolved.of("VirtualNetwork").items():
        spec_: VirtualNetworkSpec = intent.spec
        fabrics: set[str] = set()
        overlay: set[str] = set()
        for attachment in spec_.attachments:
            if isinstance(attachment, OverlayAttachment):
                overlay.update(attachment.clusters)
            elif spec_.extend_to_fabric:
                fabrics.update(fabric for pool in pools_of(attachment) for fabric in by_pool[pool])
        if spec_.extend_to_fabric:
            fabrics |= fixed.get(name, set())
            zone = zone_of(intent)
            if spec_.gateway == "fabric" and zone in exits and not fabrics:
                fabrics.add(exits[zone])
        networks[name] = Network(intent, name, spec_, zone_of(intent), tuple(sorted(fabrics)), tuple(sorted(overlay)))
    return replace(resolved, networks=networks)


def pools_of(attachment: object) -> tuple[str, ...]:
    """Return the SR-IOV pools that an attachment takes VFs from."""
    if isinstance(attachment, SriovAttachment):
        return (attachment.pool,)
    if isinstance(attachment, SriovBondAttachment):
        return attachment.pools
    return ()


def _fabrics_of(pool: Pool, resolved: Resolved) -> frozenset[str]:
    return frozenset(
        point.fabric for server, nics in pool.members.items() for nic in nics for point in resolved.points(server, nic)
    )
