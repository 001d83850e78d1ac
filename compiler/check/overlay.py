"""Checks of SRv6 clusters: what their data plane can do, how they mesh, and what their nodes must say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv6Address
from itertools import combinations
from typing import Final

from compiler.check.packing import check_packing
from compiler.derived.mtu import LEAST, pod_mtu
from compiler.resolved import Cluster, Resolved, Server
from intent.diagnostics import Related, Report, did_you_mean
from intent.kinds.cluster import BgpPeer, Overlay
from intent.source import FieldPath

PLANES: Final = (
    "calico-vpp with bgp (3.32.0 or newer); calico-vpp with kubernetes (only the agent build that reads "
    "srv6-config ConfigMaps); "
    "vpp or linux with bgp or kubernetes"
)
FIRST_CALICO_VPP: Final = (3, 32, 0)
"""First release with colours that keep the families apart in BGP."""
LARGEST_CALICO_ASN: Final = 2**31 - 1
"""Calico's CRDs hold AS numbers as int32."""
CALICO_NAMESPACE: Final = "calico-vpp-dataplane"
"""Where its agents run, and look for Secrets."""
CALICO_BLOCKS: Final = {"ipv4": (20, 32), "ipv6": (116, 128)}
"""Block sizes that Calico's IPAM takes."""


def check_clusters(resolved: Resolved, report: Report) -> None:
    """Check each cluster inside itself, and most of it only where it has an SRv6 overlay."""
    for cluster in resolved.clusters.values():
        _names(cluster, report)
        if cluster.spec.dataplane == "calico-vpp":
            _calico(cluster, report)
            _neighbours_apart(cluster, resolved, report)
        if cluster.spec.srv6 is None:
            continue
        _planes(cluster, cluster.spec.srv6, resolved, report)
        if cluster.spec.dataplane == "calico-vpp":
            _calico_overlay(cluster, cluster.spec.srv6, report)
        _nodes(cluster, resolved, report)
        _mtu(cluster, resolved, report)


def _names(cluster: Cluster, report: Report) -> None:
    """What is rendered under a name must have it alone."""
    spec, intent = cluster.spec, cluster.intent
    peers = [(("spec", "bgp", "peers", at, "name"), peer.name) for at, peer in enumerate(spec.bgp.peers)]
    spaces = [(("spec", "namespaces", at, "name"), entry.name) for at, entry in enumerate(spec.namespaces)]
    for what, rows in (("BGP peers", peers), ("namespaces", spaces)):
        first: dict[str, FieldPath] = {}
        for path, name in rows:
            if first.setdefault(name, path) != path:
                text = f"two {what} of cluster {cluster.name!r} are called {name!r}"
                place = Related(intent.span(*first[name]), "the other one")
                report.error("IC2621", intent.span(*path), text, "rename or remove one", [place])


def _planes(cluster: Cluster, overlay: Overlay, resolved: Resolved, report: Report) -> None:
    spec, intent = cluster.spec, cluster.intent
    if spec.dataplane != "linux" and overlay.encapsulation == "reduced":
        report.error(
            "IC2603",
            intent.span("spec", "srv6", "encapsulation"),
            f"{spec.dataplane} writes the full SRH and knows no reduced encapsulation",
            "leave it out, or write encapsulation: full, or usid where the routers know it",
        )
    if overlay.encapsulation == "usid":
        check_packing(cluster, overlay, resolved, report)


def _calico_overlay(cluster: Cluster, overlay: Overlay, report: Report) -> None:
    if cluster.spec.control_plane == "kubernetes":
        _agent_build(cluster, report)
    else:
        _version(cluster, report)
    if overlay.policies.prefixlen > 121:  # noqa: PLR2004 -- two halves of at least one /122 block
        report.error(
            "IC2613",
            cluster.intent.span("spec", "srv6", "policies"),
            f"BSID pool {overlay.policies} is too small for Calico-VPP",
            "use a /121 or larger: the first half is Calico's, in blocks of /122",
        )


def _calico(cluster: Cluster, report: Report) -> None:
    """Check what Calico is told whether it has an overlay or not: block sizes and BGP."""
    spec, intent = cluster.spec, cluster.intent
    for family, (low, high) in CALICO_BLOCKS.items():
        size = getattr(spec.block_sizes, family)
        if getattr(spec.pod_cidrs, family) and not low <= size <= high:
            report.error(
                "IC2613",
                intent.span("spec", "blockSizes", family),
                f"Calico takes no {family} blocks of /{size}",
                f"use /{low} to /{high}",
            )
    for index, peer in enumerate(spec.bgp.peers):
        where = ("spec", "bgp", "peers", index)
        if peer.password and not (peer.password.kubernetes or "").startswith(f"{CALICO_NAMESPACE}/"):
            report.error(
                "IC2615",
                intent.span(*where, "password"),
                f"Calico-VPP reads the password of peer {peer.name!r} from a Secret beside its agents only",
                f"write password: {{kubernetes: {CALICO_NAMESPACE}/name/key}}",
            )
        if peer.asn > LARGEST_CALICO_ASN:
            report.error(
                "IC2619",
                intent.span(*where, "asn"),
                f"Calico cannot hold AS number {peer.asn}",
                f"its CRDs end at {LARGEST_CALICO_ASN}",
            )
    if spec.bgp.asn > LARGEST_CALICO_ASN:
        report.error(
            "IC2619",
            intent.span("spec", "bgp", "asn"),
            f"Calico cannot hold AS number {spec.bgp.asn}",
            f"its CRDs end at {LARGEST_CALICO_ASN}",
        )


def _neighbours_apart(cluster: Cluster, resolved: Resolved, report: Report) -> None:
    """Agents know a session by its address: two that differ take each other's place again and again."""
    intent, peers = cluster.intent, cluster.spec.bgp.peers
    for (first, one), (second, two) in combinations(enumerate(peers), 2):
        if one.address != two.address or (one.asn, one.password) == (two.asn, two.password):
            continue
        others = set(_with(two, cluster, resolved))
        both = [name for name in _with(one, cluster, resolved) if name in others]
        if both:
            report.error(
                "IC2621",
                intent.span("spec", "bgp", "peers", second, "address"),
                f"BGP peers {one.name!r} and {two.name!r} of node {both[0]!r} have one address, and differ",
                "a node has one session with an address: remove one, or choose other nodes for it",
                [Related(intent.span("spec", "bgp", "peers", first, "address"), "the other one")],
            )
    if cluster.spec.bgp.node_mesh:
        _apart_from_mesh(cluster, resolved, report)


def _with(peer: BgpPeer, cluster: Cluster, resolved: Resolved) -> list[str]:
    """Return the nodes that have a session with a peer."""
    labels = {name: resolved.servers[name].labels for name in cluster.servers}
    return [name for name in labels if peer.nodes is None or peer.nodes.chooses(name, labels[name])]


def _apart_from_mesh(cluster: Cluster, resolved: Resolved, report: Report) -> None:
    """The mesh of nodes has sessions, too: each with the AS number of the cluster, and no password."""
    servers = [resolved.servers[name] for name in cluster.servers]
    nodes = {str(address): server.name for server in servers for address in (server.ipv4, server.ipv6)}
    for index, peer in enumerate(cluster.spec.bgp.peers):
        there = nodes.get(str(peer.address))
        if there is None or (peer.asn, peer.password) == (cluster.spec.bgp.asn, None):
            continue
        others = [name for name in _with(peer, cluster, resolved) if name != there]
        if others:
            report.error(
                "IC2621",
                cluster.intent.span("spec", "bgp", "peers", index, "address"),
                f"BGP peer {peer.name!r} of node {others[0]!r} is node {there!r}: the mesh of nodes has a "
                "session with it that differs",
                "say nodeMesh: false, or remove the peer",
                [Related(cluster.intent.span("spec", "bgp", "nodeMesh"), "the mesh of nodes")],
            )


def _agent_build(cluster: Cluster, report: Report) -> None:
    """A plain release of Calico-VPP reads no objects of the Kubernetes control plane; only one build does."""
    version = cluster.spec.versions.calico_vpp
    if version and "-" not in version:
        report.error(
            "IC2601",
            cluster.intent.span("spec", "controlPlane"),
            f"Calico-VPP {version} takes its overlay over BGP; it reads no srv6-config ConfigMaps",
            f"can be combined: {PLANES}",
            [Related(cluster.intent.span("spec", "versions", "calicoVpp"), "the version")],
        )


def numbers(version: str) -> tuple[int, ...]:
    """Return the three numbers of a version, for comparison; what stands behind them does not count."""
    said = re.findall(r"[0-9]+", re.split(r"[-+]", version)[0])
    return (*map(int, said), 0, 0)[:3]


def _version(cluster: Cluster, report: Report) -> None:
    version = cluster.spec.versions.calico_vpp
    if version is None:
        report.warning(
            "IC2612",
            cluster.intent.span("spec", "dataplane"),
            f"cluster {cluster.name!r} does not say its Calico-VPP version",
            "the SRv6 overlay needs 3.32.0 or newer: say versions.calicoVpp",
        )
        return
    if numbers(version) < FIRST_CALICO_VPP:
        report.error(
            "IC2611",
            cluster.intent.span("spec", "versions", "calicoVpp"),
            f"the SRv6 overlay needs Calico-VPP 3.32.0 or newer; this is {version}",
            "older releases announce IPv4 and IPv6 policies under one key",
        )


def _nodes(cluster: Cluster, resolved: Resolved, report: Report) -> None:
    """Each node needs an IPv6 address and, where the overlay is ours, a way to the underlay."""
    routers = resolved.underlay.routers
    overlay = Related(cluster.intent.span("spec", "srv6"), f"the overlay of cluster {cluster.name!r}")
    for name in cluster.servers:
        server = resolved.servers[name]
        if server.ipv6 is None:
            report.error(
                "IC2608",
                server.intent.span("metadata", "name"),
                f"node {name!r} has no IPv6 address, which is the source of its SRv6 encapsulation",
                "add spec.ipv6",
                [overlay],
            )
        elif not _routable(server.ipv6):
            report.error(
                "IC2620",
                server.intent.span("spec", "ipv6"),
                f"{server.ipv6} cannot be the source of the SRv6 encapsulation of node {name!r}",
                "give the node a global or unique local address",
                [overlay],
            )
        if server.uplink is None:
            if cluster.spec.dataplane != "calico-vpp":
                report.error(
                    "IC2609",
                    server.intent.span("metadata", "name"),
                    f"node {name!r} does not say how it reaches the underlay",
                    "add spec.uplink",
                    [overlay],
                )
        elif server.uplink.router not in routers:
            report.error(
                "IC2610",
                server.intent.span("spec", "uplink", "router"),
                f"no underlay has a router {server.uplink.router!r}",
                did_you_mean(server.uplink.router, routers),
            )
        else:
            _way_back(server, resolved, report)


def _routable(address: IPv6Address) -> bool:
    special = (address.is_link_local, address.is_multicast, address.is_unspecified, address.is_loopback)
    return not any(special)


def _way_back(server: Server, resolved: Resolved, report: Report) -> None:
    """The access router routes SIDs to the node: a link-local next hop means nothing without an interface."""
    uplink = server.uplink
    if uplink is None or uplink.address is None or _routable(uplink.address):
        return
    interfaces = [
        end.interface
        for link in resolved.underlay.links.values()
        for end, other in (link.ends, link.ends[::-1])
        if end.at == uplink.router and other.at == server.name
    ]
    if not (uplink.address.is_link_local and any(interfaces)):
        report.error(
            "IC2620",
            server.intent.span("spec", "uplink", "address"),
            f"router {uplink.router!r} cannot send SIDs of node {server.name!r} to {uplink.address}",
            "give an address that is not link-local, or describe the link with the router's interface",
        )


def _mtu(cluster: Cluster, resolved: Resolved, report: Report) -> None:
    left, pinned = pod_mtu(cluster, resolved), cluster.spec.pod_mtu
    intent = cluster.intent
    if left is None:
        if pinned is None:
            report.error(
                "IC2616",
                intent.span("spec", "srv6"),
                f"the MTU of pods of cluster {cluster.name!r} cannot be computed: no underlay is described",
                "add an Underlay, or pin spec.podMtu",
            )
        return
    related = [Related(left.least_link.span, "lowest MTU on the way")]
    if left.longest:
        related.append(Related(left.longest[0].span, "longest segment list"))
    if left.value < LEAST:
        report.error(
            "IC2618",
            intent.span("spec", "srv6"),
            f"too little is left for pods of cluster {cluster.name!r}: {left}; IPv6 needs {LEAST}",
            "raise the MTU of the underlay, or shorten the segment lists",
            related,
        )
    elif pinned and pinned > left.value:
        report.error(
            "IC2617",
            intent.span("spec", "podMtu"),
            f"podMtu {pinned} does not fit: {left}",
            "larger packets are lost without an ICMP error; lower podMtu, or leave it out",
            related,
        )


def check_meshes(resolved: Resolved, report: Report) -> None:
    """Check what clusters of one mesh must have in common."""
    for first, second in _neighbours(resolved):
        one, two = first.spec, second.spec
        place = [
            Related(first.intent.span("spec", "srv6", "mesh"), f"cluster {first.name!r} of the same mesh")
        ]
        span = second.intent.span("spec", "srv6", "mesh")
        both = f"clusters {first.name!r} and {second.name!r} cannot mesh"
        if (one.dataplane == "calico-vpp") != (two.dataplane == "calico-vpp"):
            report.error(
                "IC2604",
                span,
                f"{both}: Calico-VPP learns tunnels only from nodes that announce themselves as Calico does",
                "mesh Calico clusters with each other, and vpp clusters with each other",
                place,
            )
        elif (one.srv6 and one.srv6.encapsulation == "usid") != (
            two.srv6 and two.srv6.encapsulation == "usid"
        ):
            report.error(
                "IC2604",
                span,
                f"{both}: only one of them packs SIDs, so their service SIDs differ in form",
                "write encapsulation: usid in both, or in none",
                place,
            )
        elif one.control_plane != two.control_plane:
            report.error(
                "IC2604",
                span,
                f"{both}: {one.control_plane} and {two.control_plane} are different control planes",
                "use one control plane in a mesh",
                place,
            )
        elif (
            one.dataplane == "calico-vpp"
            and one.srv6
            and two.srv6
            and one.srv6.localsids != two.srv6.localsids
        ):
            report.error(
                "IC2605",
                second.intent.span("spec", "srv6", "localsids"),
                f"{both}: their localsid pools differ ({one.srv6.localsids} and {two.srv6.localsids})",
                "give both the same localsids: a Calico node takes a route for SIDs only inside its own pool",
                [Related(first.intent.span("spec", "srv6", "localsids"), "the other pool")],
            )


def _neighbours(resolved: Resolved) -> Iterator[tuple[Cluster, Cluster]]:
    """Yield each meshed cluster with the first of its mesh."""
    for cluster in resolved.clusters.values():
        if len(cluster.mesh) > 1 and cluster.name != cluster.mesh[0]:
            yield resolved.clusters[cluster.mesh[0]], cluster
