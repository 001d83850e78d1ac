"""Questions about the SRv6 overlay that allocation, checks and lowering all ask: who is where, what is steered."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.allocated import PODS, Family
from compiler.requests import Blocks
from compiler.resolved import Cluster, Network, Resolved, Server
from intent.kinds.srv6_policy import NodeSelector, SRv6PolicySpec
from intent.kinds.virtual_network import Subnet
from intent.model import Intent

BOTH: tuple[Family, ...] = ("ipv4", "ipv6")


def zones_of(cluster: Cluster, resolved: Resolved) -> tuple[str, ...]:
    """Return the overlay zones that have pods in a cluster, sorted."""
    found = {
        network.vrf for network in resolved.networks.values() if network.vrf and cluster.name in network.overlay_clusters
    }
    return tuple(sorted(found))


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
    return tuple(name for name, server in sorted(resolved.servers.items()) if _takes_part(server, resolved) and _chooses(selector, server))


def _takes_part(server: Server, resolved: Resolved) -> bool:
    return server.cluster is not None and resolved.clusters[server.cluster].spec.srv6 is not None


def _chooses(selector: NodeSelector, server: Server) -> bool:
    return (
        (not selector.clusters or server.cluster in selector.clusters)
        and (not selector.sites or server.site in selector.sites)
        and (selector.nodes is None or selector.nodes.chooses(server.name, server.labels))
    )


def steered(policy: Intent, resolved: Resolved) -> Iterator[tuple[str, str, Family, int]]:
    """Yield what a policy steers at its endpoints: endpoint, zone, family, and a running number per endpoint."""
    spec: SRv6PolicySpec = policy.spec
    for node in chosen(spec.endpoints, resolved):
        cluster = resolved.clusters[resolved.servers[node].cluster or ""]
        step = 0
        wanted = {str(family) for family in spec.steer.pods} | {f"ipv{prefix.version}" for prefix in spec.steer.prefixes}
        for family in families(cluster, PODS, resolved):
            if family in wanted:
                yield node, PODS, family, step
                step += 1
        zones = {resolved.networks[name].vrf for name in spec.steer.networks if cluster.name in resolved.networks[name].overlay_clusters}
        for zone in sorted(filter(None, zones)):
            for family in families(cluster, zone, resolved):
                yield node, zone, family, step
                step += 1


def subnet_blocks(network: Network, subnet: Subnet, resolved: Resolved) -> Blocks:
    """Return the blocks that the nodes get of an overlay subnet: as large as all of its nodes allow, or as said."""
    nodes = sum(len(resolved.clusters[name].servers) for name in network.overlay_clusters)
    bits = subnet.cidr.max_prefixlen
    if network.spec.ipam.per_node_block_size:
        length = bits - (network.spec.ipam.per_node_block_size - 1).bit_length()
    else:
        # Twice the nodes of today, so that a few more fit in without moving a block.
        length = min(bits, subnet.cidr.prefixlen + (2 * max(nodes, 1) - 1).bit_length())
    return Blocks(subnet.cidr, max(length, subnet.cidr.prefixlen))
