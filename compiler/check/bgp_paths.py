"""Checks of what BGP can say: one announcement of a policy reaches all of its headends."""

from __future__ import annotations

from compiler.derived.overlay import chosen
from compiler.derived.ways import ways
from compiler.resolved import Cluster, Resolved
from intent.diagnostics import Related, Report
from intent.model import Intent


def check_one_path(intent: Intent, ends: tuple[str, ...], resolved: Resolved, report: Report) -> None:
    """Check that all headends use the same lists towards each endpoint that is announced by BGP."""
    told: set[str] = set()
    for node in ends:
        cluster = resolved.clusters[resolved.servers[node].cluster or ""]
        several = [way for way in ways(intent.name, node, resolved) if way.heads - {node}]
        if cluster.spec.control_plane != "bgp" or cluster.name in told:
            continue
        if len(several) <= 1:
            if several and _brought_along(intent, node, several[0].heads, resolved, report):
                told.add(cluster.name)
            continue
        told.add(cluster.name)
        one, two = (min(way.heads - {node}) for way in several[:2])
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


def _brought_along(
    intent: Intent, node: str, heads: frozenset[str], resolved: Resolved, report: Report
) -> bool:
    """Warn where a headend has no path: it takes the default one, but Calico-VPP installs what it hears."""
    cluster: Cluster = resolved.clusters[resolved.servers[node].cluster or ""]
    asking = {
        name
        for name in chosen(intent.spec.headends, resolved)
        if resolved.servers[name].cluster in cluster.mesh
    }
    without = sorted(asking - heads - {node})
    if not without or cluster.spec.dataplane != "calico-vpp":
        return False
    report.warning(
        "IC2654",
        intent.span("spec", "candidatePaths"),
        f"headend {without[0]!r} has no valid path of policy {intent.name!r} to {node!r}, "
        f"but the announcement for {min(heads)!r} reaches it: its traffic takes the segments of that path",
        "loosen the constraints, or say explicit lists that suit all headends",
        [Related(cluster.intent.span("spec", "controlPlane"), f"cluster {cluster.name!r}")],
    )
    return True
