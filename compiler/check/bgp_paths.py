"""Checks of what BGP can say: one announcement of a policy reaches all of its headends."""

from __future__ import annotations

from compiler.derived.ways import ways
from compiler.resolved import Resolved
from intent.diagnostics import Related, Report
from intent.model import Intent


def check_one_path(intent: Intent, ends: tuple[str, ...], resolved: Resolved, report: Report) -> None:
    """Check that all headends use the same lists towards each endpoint that is announced by BGP."""
    told: set[str] = set()
    for node in ends:
        cluster = resolved.clusters[resolved.servers[node].cluster or ""]
        several = ways(intent.name, node, resolved)
        if cluster.spec.control_plane != "bgp" or cluster.name in told or len(several) <= 1:
            continue
        told.add(cluster.name)
        one, two = (min(way.heads) for way in several[:2])
        report.error(
            "IC2654",
            intent.span("spec", "candidatePaths"),
            f"policy {intent.name!r} needs other lists at headend {two!r} than at {one!r} to reach {node!r}, "
            "but one announcement reaches all headends",
            "say explicit lists that suit all headends, or use controlPlane: kubernetes"
            if cluster.spec.dataplane == "calico-vpp"
            else "write a policy for the headends of each access router, or use controlPlane: kubernetes",
            [Related(cluster.intent.span("spec", "controlPlane"), f"cluster {cluster.name!r}")],
        )
