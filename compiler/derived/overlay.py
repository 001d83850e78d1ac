"""What allocation, checks and lowering ask of the SRv6 overlay: who is where, and what is steered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from compiler.allocated import PODS, Family
from compiler.derived.memo import remembered
from compiler.ledger.requests import Blocks
from compiler.resolved import Cluster, Network, Resolved, Server
from intent.kinds.srv6_policy import NodeSelector, SRv6PolicySpec
from intent.kinds.virtual_network import Subnet
from intent.model import Intent

BOTH: tuple[Family, ...] = ("ipv4", "ipv6")
SID_FACT: Mapping[str, str] = {"ipv4": "dt4", "ipv6": "dt6"}
"""Field of the facts of a Calico node that holds the SID of a family."""
_AMPLE = 4
"""A block of an overlay subnet is large from so many bits of addresses on."""


@remembered
def _members(resolved: Resolved) -> Mapping[str, tuple[Network, ...]]:
    """Return the overlay networks by cluster."""
    found: dict[str, list[Network]] = {name: [] for name in resolved.clusters}
    for network in resolved.networks.values():
        for name in network.overlay_clusters:
            found[name].append(network)
    return {name: tuple(networks) for name, networks in found.items()}


def networks_of(cluster: Cluster, resolved: Resolved) -> tuple[Network, ...]:
    """Return the networks that pods of a cluster take part in over the overlay."""
    return _members(resolved)[cluster.name]


def zones_of(cluster: Cluster, resolved: Resolved) -> tuple[str, ...]:
    """Return the overlay zones that have pods in a cluster, sorted."""
    return tuple(sorted({network.vrf for network in networks_of(cluster, resolved) if network.vrf}))


def owns_sids(cluster: Cluster) -> bool:
    """Say whether the service SIDs and BSIDs of a cluster are ours, and not drawn by Calico's own BGP."""
    return cluster.spec.srv6 is not None and (
        cluster.spec.dataplane != "calico-vpp" or cluster.spec.control_plane == "kubernetes"
    )


def announces(cluster: Cluster) -> bool:
    """Say whether SR policies of a cluster travel by BGP."""
    return cluster.spec.srv6 is not None and cluster.spec.control_plane == "bgp"


def families(cluster: Cluster, zone: str, resolved: Resolved) -> tuple[Family, ...]:
    """Return the address families of a zone in a cluster (of the pods' default network for PODS)."""
    if zone == PODS:
        cidrs = cluster.spec.pod_cidrs
        return tuple(family for family in BOTH if getattr(cidrs, family) is not None)
    versions = {
        subnet.cidr.version
        for name in resolved.vrfs[zone].networks
        if cluster.name in resolved.networks[name].overlay_clusters
        for subnet in resolved.networks[name].spec.subnets
    }
    return tuple(family for family in BOTH if int(family[3]) in versions)


def chosen(selector: NodeSelector, resolved: Resolved) -> tuple[str, ...]:
    """Return the Kubernetes nodes with an SRv6 overlay that a selector chooses, sorted."""
    servers = sorted(resolved.servers.items())
    return tuple(
        name for name, server in servers if _takes_part(server, resolved) and _chooses(selector, server)
    )


def _takes_part(server: Server, resolved: Resolved) -> bool:
    return server.cluster is not None and resolved.clusters[server.cluster].spec.srv6 is not None


def _chooses(selector: NodeSelector, server: Server) -> bool:
    return (
        (not selector.clusters or server.cluster in selector.clusters)
        and (not selector.sites or server.site in selector.sites)
        and (selector.nodes is None or selector.nodes.chooses(server.name, server.labels))
    )


def steered(policy: Intent, resolved: Resolved) -> Iterator[tuple[str, str, Family, int]]:
    """Yield what a policy steers at its endpoints: endpoint, zone, family, and a running number for each."""
    spec: SRv6PolicySpec = policy.spec
    for node in chosen(spec.endpoints, resolved):
        cluster = resolved.clusters[resolved.servers[node].cluster or ""]
        step = 0
        wanted = {str(family) for family in spec.steer.pods} | {
            f"ipv{prefix.version}" for prefix in spec.steer.prefixes
        }
        for family in families(cluster, PODS, resolved):
            if family in wanted:
                yield node, PODS, family, step
                step += 1
        networks = (resolved.networks[name] for name in spec.steer.networks)
        zones = {network.vrf for network in networks if cluster.name in network.overlay_clusters}
        for zone in sorted(filter(None, zones)):
            for family in families(cluster, zone, resolved):
                yield node, zone, family, step
                step += 1


def subnet_blocks(network: Network, subnet: Subnet, resolved: Resolved) -> Blocks:
    """Return the blocks that nodes get of an overlay subnet: as large as all of them allow, or as said."""
    cidr, size = subnet.cidr, network.spec.ipam.per_node_block_size
    if size:
        length = cidr.max_prefixlen - (size - 1).bit_length()
        return Blocks(cidr, max(length, cidr.prefixlen))
    nodes = sum(len(resolved.clusters[name].servers) for name in network.overlay_clusters)
    # With more nodes new blocks become smaller, and the old ones stay. Were there room for twice the nodes of
    # today only, the first four would take it all; small blocks have no more to give.
    ample, scant = (cidr.prefixlen + (times * max(nodes, 1) - 1).bit_length() for times in (4, 2))
    length = ample if cidr.max_prefixlen - ample >= _AMPLE else min(cidr.max_prefixlen, scant)
    return Blocks(cidr, length, elastic=True)
