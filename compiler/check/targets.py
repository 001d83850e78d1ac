"""Checks of targets against what intent has for them: one that gets nothing, or not all, is a mistake."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.derived.overlay import announces
from compiler.resolved import Resolved
from intent.diagnostics import Report
from intent.kinds.project import Target
from intent.source import FieldPath


def check_targets(resolved: Resolved, report: Report) -> None:
    """Warn of targets that nothing goes to; an error would keep them from being cleared."""
    for index, target in enumerate(resolved.spec.targets):
        _check_heard(index, target, resolved, report)
        for path, why in _idle(target, resolved):
            report.warning(
                "IC2679",
                resolved.project.span("spec", "targets", index, *path),
                f"nothing goes to target {target.name!r} for this: {why}",
                "what is ours there is taken away; correct the target, or take it out once it is empty",
            )


def _check_heard(index: int, target: Target, resolved: Resolved, report: Report) -> None:
    """Warn of a data plane that is steered into policies which nobody brings there."""
    server = resolved.servers.get(target.node or "")
    cluster = resolved.clusters[server.cluster] if server and server.cluster else None
    if cluster and target.type == cluster.spec.dataplane and announces(cluster):
        report.warning(
            "IC2679",
            resolved.project.span("spec", "targets", index, "type"),
            f"target {target.name!r} hears no BGP, by which the policies of cluster {cluster.name!r} come: "
            "what is steered into them cannot be applied",
            "run `intentc agent --gobgp` on the node in place of this target (docs/agent.md)",
        )


def _idle(target: Target, resolved: Resolved) -> Iterator[tuple[FieldPath, str]]:
    """Yield fields of a target, and why nothing goes there because of them."""
    if target.node is not None:
        server = resolved.servers.get(target.node)
        cluster = resolved.clusters[server.cluster] if server and server.cluster else None
        if cluster is None:
            yield ("node",), f"node {target.node!r} is in no cluster"
        elif cluster.spec.srv6 is None:
            yield ("node",), f"cluster {cluster.name!r} has no SRv6 overlay (`srv6`)"
        elif cluster.spec.dataplane != target.type:
            yield ("node",), f"the data plane of cluster {cluster.name!r} is {cluster.spec.dataplane}"
    for number, name in enumerate(target.clusters):
        spec = resolved.clusters[name].spec
        if target.type == "gobgp" and not announces(resolved.clusters[name]):
            yield ("clusters", number), f"cluster {name!r} has no control plane `bgp`"
        elif target.type == "overlay" and (spec.srv6 is None or spec.dataplane == "calico-vpp"):
            yield ("clusters", number), f"no node of cluster {name!r} has an agent of intentc"
