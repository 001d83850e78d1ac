"""Checks of SRv6Policies: segments exist, paths are found, lists fit the hardware, traffic is claimed once.

What is wrong in intent is an error. What is drained or down takes its list out of use, and is only said.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import chain

from compiler.allocated import PODS
from compiler.check.bgp_paths import check_one_path
from compiler.check.calico_paths import check_calico_paths
from compiler.check.dynamic import check_constraints, check_loops, check_refusals, some
from compiler.check.sids import check_limits
from compiler.derived.access import pairs
from compiler.derived.candidate import Candidate
from compiler.derived.overlay import chosen, families, owns_sids, steered
from compiler.derived.policy import active, candidates
from compiler.derived.tunnels import claims
from compiler.ledger.demand import bsid_pool
from compiler.resolved import Resolved
from intent.diagnostics import Related, Report
from intent.kinds.srv6_policy import SRv6PolicySpec
from intent.model import Intent


def check_policies(resolved: Resolved, report: Report) -> None:
    """Check each SRv6Policy, and all of them against each other."""
    for name, intent in resolved.of("SRv6Policy").items():
        heads, ends = _ends(intent, resolved, report)
        paths = candidates(resolved)[name]
        check_constraints(intent, resolved, report)
        _candidates(intent, paths, resolved, report)
        if heads and ends:
            _steering(intent, ends, resolved, report)
            check_limits(intent, paths, heads, resolved, report)
            check_one_path(intent, ends, resolved, report)
            check_calico_paths(intent, heads, ends, resolved, report)
    _claimed_twice(resolved, report)


def _ends(intent: Intent, resolved: Resolved, report: Report) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return headends and endpoints; both must exist and share a mesh."""
    spec: SRv6PolicySpec = intent.spec
    heads, ends = chosen(spec.headends, resolved), chosen(spec.endpoints, resolved)
    for field, found in (("headends", heads), ("endpoints", ends)):
        if not found:
            report.error(
                "IC2637",
                intent.span("spec", field),
                f"the {field} of policy {intent.name!r} are no node of a cluster with an SRv6 overlay",
                "check clusters, sites, names and labels",
            )
    meshes = {server: resolved.clusters[resolved.servers[server].cluster or ""].mesh for server in heads}
    if heads and ends and not _meet(meshes, ends, resolved):
        report.error(
            "IC2638",
            intent.span("spec", "headends"),
            f"no headend of policy {intent.name!r} has a tunnel to one of its endpoints",
            "headends and endpoints are different nodes of one mesh",
            [Related(intent.span("spec", "endpoints"), "the endpoints")],
        )
        return (), ()
    return heads, ends


def _meet(meshes: Mapping[str, tuple[str, ...]], ends: tuple[str, ...], resolved: Resolved) -> bool:
    """Say whether a headend and another endpoint are in one mesh."""
    by_cluster: defaultdict[str, set[str]] = defaultdict(set)
    for end in ends:
        by_cluster[resolved.servers[end].cluster or ""].add(end)
    return any(by_cluster[cluster] - {head} for head, mesh in meshes.items() for cluster in mesh)


def _candidates(intent: Intent, paths: tuple[Candidate, ...], resolved: Resolved, report: Report) -> None:
    """Report segments that do not exist, lists out of use, and where no candidate is valid."""
    wrong = False
    for candidate in paths:
        where = ("spec", "candidatePaths", candidate.index)
        for item in candidate.lists:
            for place, fault in item.faults:
                span = intent.span(*where, "explicit", item.index, "segments", place, fault.field)
                if fault.kind == "unknown":
                    wrong = True
                    report.error("IC2631", span, fault.message, fault.hint)
                else:
                    report.note(
                        "IC2632",
                        span,
                        f"segment list {item.index + 1} of {candidate.path.name!r} is out of use: "
                        f"{fault.message}",
                    )
        check_refusals(intent, candidate, report)
        check_loops(intent, candidate, resolved, report)
    without = [str(pair) for pair in pairs(intent, resolved) if pair not in active(resolved)[intent.name]]
    if not wrong and without:
        everywhere = len(without) == len(pairs(intent, resolved))
        report.warning(
            "IC2633",
            intent.span("spec", "candidatePaths"),
            f"policy {intent.name!r} has no valid candidate path{'' if everywhere else ' ' + some(without)}: "
            "nothing steers its traffic any more",
            "add a fallback candidate, or let it take the default path",
        )


def _steering(intent: Intent, ends: tuple[str, ...], resolved: Resolved, report: Report) -> None:
    """Check that what is steered exists at the endpoints."""
    steer = intent.spec.steer
    if steer.prefixes and len(ends) > 1:
        report.error(
            "IC2639",
            intent.span("spec", "steer", "prefixes"),
            f"policy {intent.name!r} steers prefixes and has {len(ends)} endpoints",
            "a prefix lies behind one node: choose one endpoint",
        )
    clusters = [
        resolved.clusters[name] for name in sorted({resolved.servers[end].cluster or "" for end in ends})
    ]
    served = {family for cluster in clusters for family in families(cluster, PODS, resolved)}
    for index, prefix in enumerate(steer.prefixes):
        if prefix in steer.prefixes[:index]:
            report.error(
                "IC2639",
                intent.span("spec", "steer", "prefixes", index),
                f"policy {intent.name!r} steers {prefix} twice",
                "leave one of them out",
            )
        if f"ipv{prefix.version}" not in served:
            report.error(
                "IC2639",
                intent.span("spec", "steer", "prefixes", index),
                f"the endpoint decapsulates no IPv{prefix.version}: its cluster has no "
                f"IPv{prefix.version} pods",
                "add podCidrs of that family to the cluster",
            )
    for index, name in enumerate(steer.networks):
        if not set(resolved.networks[name].overlay_clusters) & {cluster.name for cluster in clusters}:
            report.error(
                "IC2647",
                intent.span("spec", "steer", "networks", index),
                f"network {name!r} is no overlay network of the endpoints' clusters",
                "add an overlay attachment to the network, or leave it out",
            )
    if next(steered(intent, resolved), None) is None:
        report.error(
            "IC2647",
            intent.span("spec", "steer"),
            f"policy {intent.name!r} steers nothing",
            "say pods, networks or prefixes that the endpoints have",
        )
    _pins(intent, ends, resolved, report)


def _pins(intent: Intent, ends: tuple[str, ...], resolved: Resolved, report: Report) -> None:
    """Check pinned BSIDs: what lies outside our pool can be neither told from foreign ones nor observed."""
    several = Counter(node for node, *_ in steered(intent, resolved))
    for node, pin in intent.spec.bsids.items():
        if node not in ends:
            report.error(
                "IC2645",
                intent.span("spec", "bsids", node, key=True),
                f"node {node!r} is no endpoint of policy {intent.name!r}",
                "pin BSIDs of endpoints only",
            )
            continue
        cluster = resolved.clusters[resolved.servers[node].cluster or ""]
        overlay = cluster.spec.srv6
        if overlay is None:
            continue
        ours = overlay.policies if owns_sids(cluster) else bsid_pool(cluster, overlay)
        if pin not in ours or int(pin) + max(several[node], 1) - 1 > int(ours.broadcast_address):
            drawn = "" if ours == overlay.policies else "; Calico draws from the first half of the pool"
            each = f", with the {several[node] - 1} behind it," if several[node] > 1 else ""
            report.error(
                "IC2646",
                intent.span("spec", "bsids", node),
                f"BSID {pin}{each} does not lie in {ours}, what is ours of the pool of {cluster.name!r}",
                f"pin one of {ours}{drawn}",
                [Related(cluster.intent.span("spec", "srv6", "policies"), "the pool")],
            )


def _claimed_twice(resolved: Resolved, report: Report) -> None:
    """Report traffic of a headend that two policies want."""
    policies = resolved.of("SRv6Policy")
    for one, two, what in dict.fromkeys(chain(_twice(resolved), _same_prefixes(resolved))):
        report.error(
            "IC2634",
            policies[two].span("metadata", "name"),
            f"policies {one!r} and {two!r} both steer {what}",
            "make their headends, endpoints or steer disjoint",
            [Related(policies[one].span("metadata", "name"), f"policy {one!r}")],
        )


def _twice(resolved: Resolved) -> Iterator[tuple[str, str, str]]:
    """Yield pairs of policies that share a headend and what they steer, once for each pair and endpoint."""
    for (node, zone, family), several in claims(resolved).items():
        if len(several) < 2:  # noqa: PLR2004 -- one alone is no pair
            continue
        apart = owns_sids(resolved.clusters[resolved.servers[node].cluster or ""])
        taken: dict[tuple[str, str], str] = {}
        for claim in several:
            for network in sorted(claim.networks):
                # One announcement towards a Calico node is for all of them.
                for head in sorted(claim.headends) if apart else ("",):
                    other = taken.setdefault((head, network), claim.policy)
                    if other != claim.policy:
                        yield (
                            other,
                            claim.policy,
                            f"{family} traffic to {f'network {network!r}' if zone else 'pods'} at {node!r}",
                        )
                        break


def _same_prefixes(resolved: Resolved) -> Iterator[tuple[str, str, str]]:
    taken: dict[tuple[str, str], str] = {}
    for name, intent in resolved.of("SRv6Policy").items():
        spec: SRv6PolicySpec = intent.spec
        for prefix in map(str, spec.steer.prefixes):
            for head in chosen(spec.headends, resolved):
                other = taken.setdefault((head, prefix), name)
                if other != name:
                    yield other, name, f"prefix {prefix}"
                    break
