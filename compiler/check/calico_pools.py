"""Checks of Calico's address pools against the nodes that draw from them."""

from __future__ import annotations

from typing import Final

from compiler.allocated import PODS
from compiler.derived.overlay import families, owns_sids
from compiler.resolved import Cluster, Resolved
from intent.diagnostics import Related, Report

BSID_BLOCK: Final = 64
"""BSIDs in a block of Calico (/122)."""


def check_calico_pools(resolved: Resolved, report: Report) -> None:
    """Check that Calico finds BSIDs, pod blocks and a service prefix for every node."""
    for cluster in resolved.clusters.values():
        if cluster.spec.dataplane != "calico-vpp":
            continue
        if cluster.spec.srv6 and not owns_sids(cluster):
            _bsids(cluster, resolved, report)
            _services(cluster, report)
            _uplink(cluster, report)
        _pods(cluster, report)


def _bsids(cluster: Cluster, resolved: Resolved, report: Report) -> None:
    """An agent draws a BSID per family, and again whenever it restarts; none comes back."""
    pool = cluster.spec.srv6.policies if cluster.spec.srv6 else None
    if pool is None or pool.prefixlen > 121:  # noqa: PLR2004 -- told elsewhere: too small for any cluster
        return
    drawn, nodes = 1 << (pool.max_prefixlen - pool.prefixlen - 1), len(cluster.servers)
    needed, blocks = nodes * len(families(cluster, PODS, resolved)), drawn // BSID_BLOCK
    place, related = cluster.intent.span("spec", "srv6", "policies"), _nodes(cluster)
    if drawn < needed:
        report.error(
            "IC2675",
            place,
            f"Calico draws {needed} BSIDs for {nodes} nodes; the first half of {pool} has {drawn}",
            "use a larger pool",
            related,
        )
    elif blocks < nodes:
        report.warning(
            "IC2675",
            place,
            f"the first half of {pool} has {_blocks(blocks)} of BSIDs for {nodes} nodes",
            f"an agent that restarts draws new BSIDs and gives none back: use a /{_fitting(nodes)} or larger",
            related,
        )


def _uplink(cluster: Cluster, report: Report) -> None:
    """What agents are told of interfaces is one value: leaving it out could take away what they have."""
    spec = cluster.spec
    if spec.uplink_interface is None and not spec.calico_vpp.interfaces.uplink_interfaces:
        report.error(
            "IC2680",
            cluster.intent.span("spec"),
            f"cluster {cluster.name!r} does not say which interface Calico-VPP takes over",
            "say uplinkInterface, and in calicoVpp what else the running agents are told "
            "(CALICOVPP_INTERFACES, _FEATURE_GATES and _DEBUG in calico-vpp-config)",
        )


def _fitting(nodes: int) -> int:
    """Return the prefix length of a pool whose first half has a block for each node."""
    return 121 - (nodes - 1).bit_length()


def _pods(cluster: Cluster, report: Report) -> None:
    """A node without a block of its own borrows addresses, each with a route of its own."""
    for family in ("ipv4", "ipv6"):
        pool, length = getattr(cluster.spec.pod_cidrs, family), getattr(cluster.spec.block_sizes, family)
        if pool is None or length < pool.prefixlen:
            continue
        blocks, nodes = 1 << (length - pool.prefixlen), len(cluster.servers)
        if blocks < nodes:
            report.warning(
                "IC2676",
                cluster.intent.span("spec", "podCidrs", family),
                f"{pool} has {_blocks(blocks)} of /{length} for {nodes} nodes: "
                "nodes without one borrow single addresses",
                "use a larger prefix, or smaller blocks (spec.blockSizes)",
                _nodes(cluster),
            )


def _services(cluster: Cluster, report: Report) -> None:
    """Without SERVICE_PREFIX agents take Calico-VPP's own default, which is an IPv4 prefix."""
    services = cluster.spec.service_cidrs
    if cluster.spec.pod_cidrs.ipv4 is None and (services is None or services.ipv6 is None):
        report.error(
            "IC2677",
            cluster.intent.span("spec", "serviceCidrs" if services else "podCidrs"),
            f"cluster {cluster.name!r} has IPv6 pods only, and its agents are told no IPv6 service prefix",
            "say serviceCidrs.ipv6",
        )


def _nodes(cluster: Cluster) -> list[Related]:
    return [Related(cluster.intent.span("spec", "nodes"), f"the nodes of {cluster.name!r}")]


def _blocks(number: int) -> str:
    return "1 block" if number == 1 else f"{number} blocks"
