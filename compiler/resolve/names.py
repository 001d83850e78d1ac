"""Resolve: names become the things that they name, so that later passes look nothing up a second time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from operator import attrgetter

from compiler.derived.exits import exit_fabrics
from compiler.facts import gather
from compiler.resolve.clusters import clusters, pool
from compiler.resolve.refs import check_references
from compiler.resolve.routing import vrfs, zone_of
from compiler.resolve.servers import check_hostnames, check_servers, lags, merge
from compiler.resolve.underlay import gather_underlay
from compiler.resolved import Network, Pool, Resolved
from intent.diagnostics import Report
from intent.kinds import KINDS
from intent.kinds.fabric import FabricSpec, Switch
from intent.kinds.fabric_attachment import FabricAttachmentSpec
from intent.kinds.virtual_network import (
    OverlayAttachment,
    SriovAttachment,
    SriovBondAttachment,
    VirtualNetworkSpec,
)
from intent.model import Intent


def resolve(
    project: Intent, documents: Iterable[Intent], facts: Iterable[Intent], report: Report
) -> Resolved | None:
    """Return everything with its names resolved; None where a name could not be."""
    intents: dict[str, dict[str, Intent]] = {kind: {} for kind in KINDS}
    for intent in sorted(documents, key=attrgetter("kind", "name")):
        intents[intent.kind][intent.name] = intent
    seen = {intent.name: intent for intent in sorted(facts, key=attrgetter("name"))}
    known = gather(seen.values(), report)
    check_references({**intents, "Project": {project.name: project}, "Facts": seen}, report)
    if report.failed:
        return None
    underlay = gather_underlay(intents["Underlay"], report)
    switches = _switches(intents["Fabric"])
    merged = {name: merge(intent, intents["NodeProfile"]) for name, intent in intents["Node"].items()}
    grouped, servers = clusters(intents["Cluster"], merged, report)
    check_hostnames(servers, report)
    wired = check_servers(servers, switches, report)
    resolved = Resolved(
        project=project,
        intents=intents,
        facts=known,
        underlay=underlay,
        servers=servers,
        clusters=grouped,
        fabrics=intents["Fabric"],
        switches=switches,
        pools={name: pool(one, grouped, servers, report) for name, one in intents["SriovPool"].items()},
        networks={},
        vrfs=vrfs(intents["VirtualNetwork"], intents["VirtualNetworkRouter"], report),
        lags=lags(servers, intents["Fabric"], report),
        wired=wired,
    )
    return replace(resolved, networks=_networks(resolved))


def _switches(fabrics: Mapping[str, Intent]) -> dict[tuple[str, str], Switch]:
    found: dict[tuple[str, str], Switch] = {}
    for name, intent in fabrics.items():
        spec: FabricSpec = intent.spec
        found |= {(name, switch.name): switch for switch in spec.switches}
    return found


def _networks(resolved: Resolved) -> dict[str, Network]:
    """Return the networks, whose fabrics follow from where their NICs and fixed ports are cabled."""
    by_pool = {name: _fabrics_of(pool, resolved) for name, pool in resolved.pools.items()}
    fixed = _fixed(resolved)
    exits = exit_fabrics(resolved)
    networks = {}
    for name, intent in resolved.of("VirtualNetwork").items():
        spec: VirtualNetworkSpec = intent.spec
        zone = zone_of(intent)
        fabrics: set[str] = set()
        overlay: set[str] = set()
        for attachment in spec.attachments:
            if isinstance(attachment, OverlayAttachment):
                overlay.update(attachment.clusters)
            elif spec.extend_to_fabric:
                fabrics.update(fabric for pool in pools_of(attachment) for fabric in by_pool[pool])
        if spec.extend_to_fabric:
            fabrics |= fixed.get(name, set())
            if spec.gateway == "fabric" and not fabrics:
                # Nobody is attached yet: its gateway stands where its zone leaves the fabric.
                fabrics |= exits.get(zone or "", set())
        networks[name] = Network(intent, name, spec, zone, tuple(sorted(fabrics)), tuple(sorted(overlay)))
    return networks


def _fixed(resolved: Resolved) -> Mapping[str, set[str]]:
    """Return the fabrics that networks enter through fixed ports."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for intent in resolved.of("FabricAttachment").values():
        spec: FabricAttachmentSpec = intent.spec
        for entry in spec.ports:
            if entry.node:
                points = resolved.points(entry.node, entry.nic or entry.bond or "")
                found[spec.network].update(point.fabric for point in points)
            elif entry.fabric:
                found[spec.network].add(entry.fabric)
    return found


def pools_of(attachment: object) -> tuple[str, ...]:
    """Return the SR-IOV pools that an attachment takes VFs from."""
    if isinstance(attachment, SriovAttachment):
        return (attachment.pool,)
    if isinstance(attachment, SriovBondAttachment):
        return attachment.pools
    return ()


def _fabrics_of(pool: Pool, resolved: Resolved) -> frozenset[str]:
    return frozenset(
        point.fabric
        for server, nics in pool.members.items()
        for nic in nics
        for point in resolved.points(server, nic)
    )
