"""Checks of SRv6Policies towards Calico-VPP nodes: what BGP can say, and what they must have announced."""

from __future__ import annotations

from typing import Final

from compiler.allocated import PODS
from compiler.check.overlay import numbers
from compiler.derived.overlay import SID_FACT, families, owns_sids
from compiler.resolved import Cluster, Resolved
from intent.diagnostics import Related, Report
from intent.kinds.srv6_policy import SRv6PolicySpec
from intent.model import Intent

FIRST_SEVERAL_LISTS: Final = (3, 33, 0)
"""First release of Calico-VPP that keeps the segment lists of a policy apart."""


def keeps_lists_apart(cluster: Cluster) -> bool:
    """Say whether the agents of a cluster keep the segment lists of an announcement apart."""
    version = cluster.spec.versions.calico_vpp
    return version is not None and numbers(version) >= FIRST_SEVERAL_LISTS


def check_calico_paths(
    intent: Intent, heads: tuple[str, ...], ends: tuple[str, ...], resolved: Resolved, report: Report
) -> None:
    """Check what a policy asks of the Calico-VPP clusters of its endpoints."""
    targets: dict[str, list[str]] = {}
    for end in ends:
        name = resolved.servers[end].cluster or ""
        if resolved.clusters[name].spec.dataplane == "calico-vpp":
            targets.setdefault(name, []).append(end)
    for name, nodes in targets.items():
        cluster = resolved.clusters[name]
        _steer(intent, cluster, report)
        _one_list(intent, cluster, resolved, report)
        if owns_sids(cluster):
            continue
        _headends(intent, cluster, (heads, tuple(nodes)), resolved, report)
        _injectors(intent, cluster, resolved, report)
        for node in nodes:
            _facts(intent, cluster, node, resolved, report)


def _steer(intent: Intent, cluster: Cluster, report: Report) -> None:
    spec: SRv6PolicySpec = intent.spec
    place = [Related(cluster.intent.span("spec", "dataplane"), "the data plane")]
    for field in ("prefixes", "networks"):
        if getattr(spec.steer, field):
            report.error(
                "IC2643",
                intent.span("spec", "steer", field),
                f"Calico-VPP steers the pod blocks of a node and nothing else: {field} at nodes of "
                f"{cluster.name!r} cannot be steered",
                "leave them out, or use a cluster with dataplane: vpp",
                place,
            )


def _one_list(intent: Intent, cluster: Cluster, resolved: Resolved, report: Report) -> None:
    """The agent's ConfigMap holds one list per policy, and older agents put all that they hear into one.

    All clusters of the mesh hear it. Candidates that are not in use count too: they come when others fail.
    """
    mesh = [other for other in map(resolved.clusters.__getitem__, cluster.mesh) if not owns_sids(other)]
    frail = next((other for other in (cluster, *mesh) if not keeps_lists_apart(other)), None)
    if owns_sids(cluster):
        why = f"the srv6-config ConfigMaps of cluster {cluster.name!r} hold one segment list per policy"
        hint = "use controlPlane: bgp"
        place = Related(cluster.intent.span("spec", "controlPlane"), "the control plane")
    elif frail:
        version = frail.spec.versions.calico_vpp
        said = f"Calico-VPP {version}" if version else "Calico-VPP, whose version is not said,"
        why = f"{said} makes one path of all segment lists at the nodes of cluster {frail.name!r}"
        first = ".".join(map(str, FIRST_SEVERAL_LISTS))
        hint = f"run Calico-VPP {first} or newer, and say it in versions.calicoVpp"
        place = Related(frail.intent.span("spec", "versions" if version else "dataplane"), "its version")
    else:
        return
    for index, path in enumerate(intent.spec.candidate_paths):
        if len(path.explicit or ()) > 1:
            report.error(
                "IC2644",
                intent.span("spec", "candidatePaths", index, "explicit"),
                f"{why}; here are {len(path.explicit)}",
                f"write one list per candidate path, or {hint}",
                [place],
            )


def _headends(
    intent: Intent,
    cluster: Cluster,
    ends: tuple[tuple[str, ...], tuple[str, ...]],
    resolved: Resolved,
    report: Report,
) -> None:
    """Every node that hears a policy installs it: a part of the nodes as headends cannot be said."""
    heads, nodes = ends
    everyone = {name for other in cluster.mesh for name in resolved.clusters[other].servers}
    missing = sorted(everyone.difference(heads) - (set(nodes) if len(nodes) == 1 else set()))
    if missing:
        names = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")  # noqa: PLR2004 -- names that a person still reads
        report.error(
            "IC2640",
            intent.span("spec", "headends"),
            f"policy {intent.name!r} is not for {names}, but every Calico-VPP node installs a policy that "
            "it receives",
            "choose all nodes of the mesh as headends; headends of their own need controlPlane: "
            "kubernetes or dataplane: vpp",
            [Related(cluster.intent.span("spec", "dataplane"), f"cluster {cluster.name!r}")],
        )


def _injectors(intent: Intent, cluster: Cluster, resolved: Resolved, report: Report) -> None:
    for name in cluster.mesh:
        other = resolved.clusters[name]
        if other.spec.bgp.injector is None:
            report.error(
                "IC2641",
                other.intent.span("spec", "bgp"),
                f"cluster {name!r} has no injector to announce policy {intent.name!r}",
                "set spec.bgp.injector to the next hop of the announcements",
                [Related(intent.span("metadata", "name"), "the policy")],
            )


def _facts(intent: Intent, cluster: Cluster, node: str, resolved: Resolved, report: Report) -> None:
    """What an injected policy ends in is drawn by Calico, so it must have been observed."""
    hint = "run `intentc facts capture`, and commit what it writes"
    fact = resolved.facts.nodes.get(node)
    wanted = [family for family in families(cluster, PODS, resolved) if family in intent.spec.steer.pods]
    if fact is None:
        report.error(
            "IC2642",
            intent.span("spec", "endpoints"),
            f"nothing is known of Calico node {node!r}: its address and service SIDs are facts",
            hint,
            [Related(resolved.servers[node].intent.span("metadata", "name"), "the node")],
        )
        return
    place = resolved.facts.origins[f"node/{node}"]
    for family in wanted:
        if getattr(fact, SID_FACT[family]) is None:
            report.error(
                "IC2642",
                place.span,
                f"the facts of node {node!r} lack {SID_FACT[family]}, in which policy {intent.name!r} "
                f"ends for {family}",
                hint,
                [Related(intent.span("spec", "endpoints"), "needed here")],
            )
    said = resolved.servers[node].ipv6
    if said and said != fact.address:
        report.warning(
            "IC2648",
            place.span,
            f"node {node!r} announces itself as {fact.address}, but intent says {said}",
            "correct spec.ipv6 of the node, or capture the facts again",
            [Related(resolved.servers[node].intent.span("spec", "ipv6"), "said here")],
        )
