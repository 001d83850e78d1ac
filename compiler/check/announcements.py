"""Checks of SR policies that travel by BGP: each has an NLRI of its own, and fits into a message."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from typing import Final

from compiler.allocated import Allocated
from compiler.check.calico_paths import FIRST_SEVERAL_LISTS, keeps_lists_apart
from compiler.derived.announcements import (
    FAMILY_COLORS,
    FIRST_FUNCTION,
    LARGEST_FUNCTION,
    LARGEST_MESSAGE,
    mark,
    update_size,
)
from compiler.derived.overlay import SID_FACT, announces, chosen, owns_sids
from compiler.derived.policy import active
from compiler.derived.tunnels import claims, tunnels
from compiler.derived.ways import segment_lists
from compiler.resolved import Cluster, Resolved
from intent.diagnostics import Related, Report

MOST_HEARD: Final = 16
"""SIDs of all lists of an announcement together that agents of Calico-VPP 3.32 have room for."""


def check_announcements(resolved: Resolved, report: Report) -> None:
    """Check clusters whose policies are announced, and the policies."""
    clusters = [cluster for cluster in resolved.clusters.values() if announces(cluster)]
    for cluster in clusters:
        if owns_sids(cluster) and cluster.spec.bgp.injector is None:
            report.error(
                "IC2641",
                cluster.intent.span("spec", "controlPlane"),
                f"the SR policies of cluster {cluster.name!r} travel by BGP, and nobody announces them",
                "set spec.bgp.injector to the next hop of the announcements, or use controlPlane: kubernetes",
            )
        if cluster.spec.bgp.injection == "reflected":
            _reflected(cluster, resolved, report)
        elif not owns_sids(cluster):
            _identified(cluster, resolved, report)
        if not owns_sids(cluster) and cluster.spec.bgp.injector and cluster.spec.bgp.peers:
            _sessions(cluster, resolved, report)
    _sizes(resolved, report)
    _colors(resolved, report)
    _marks(resolved, report)


def _heads(cluster: Cluster, resolved: Resolved) -> int:
    """Return how many route targets an announcement of a cluster carries."""
    if cluster.spec.bgp.injection != "reflected":
        return 0
    return sum(len(resolved.clusters[other].servers) for other in cluster.mesh) - 1


def _reflected(cluster: Cluster, resolved: Resolved, report: Report) -> None:
    """Behind a reflector headends are told apart by their BGP identifier, which is an IPv4 address."""
    place = [Related(cluster.intent.span("spec", "bgp", "injection"), "through a reflector")]
    for name in sorted(name for other in cluster.mesh for name in resolved.clusters[other].servers):
        server = resolved.servers[name]
        if server.ipv4 is None:
            report.error(
                "IC2670",
                server.intent.span("metadata", "name"),
                f"node {name!r} has no IPv4 address, the BGP identifier that a route target names",
                "add spec.ipv4, or announce over direct sessions (bgp.injection: direct)",
                place,
            )
    heads = _heads(cluster, resolved)
    if update_size((1,), heads) > LARGEST_MESSAGE:
        report.error(
            "IC2671",
            cluster.intent.span("spec", "bgp", "injection"),
            f"the route targets of {heads} headends do not fit into a BGP message of {LARGEST_MESSAGE} bytes",
            "announce over direct sessions (injection: direct)",
        )


def _identified(cluster: Cluster, resolved: Resolved, report: Report) -> None:
    """An agent of Calico-VPP without an IPv4 address has 0.0.0.0 as BGP identifier, which peers refuse."""
    bare = [name for name in cluster.servers if resolved.servers[name].ipv4 is None]
    if bare:
        more = f" and {len(bare) - 1} more" if len(bare) > 1 else ""
        report.warning(
            "IC2670",
            resolved.servers[bare[0]].intent.span("metadata", "name"),
            f"node {bare[0]!r}{more} of cluster {cluster.name!r} says no IPv4 address: agents of Calico-VPP "
            "make their BGP identifier of it, and without one no session opens and no tunnel comes up",
            "give the node any IPv4 address that is its own, and say it in spec.ipv4",
            [Related(cluster.intent.span("spec", "controlPlane"), "the overlay comes by BGP")],
        )


def _sessions(cluster: Cluster, resolved: Resolved, report: Report) -> None:
    """Calico-VPP nodes pass on nothing that they hear: each needs a neighbour beside the other nodes."""
    selectors = [peer.nodes for peer in cluster.spec.bgp.peers]
    servers = {name: resolved.servers[name] for name in cluster.servers}
    deaf = [
        name
        for name, server in servers.items()
        if not any(nodes is None or nodes.chooses(name, server.labels) for nodes in selectors)
    ]
    if deaf:
        more = f" and {len(deaf) - 1} more" if len(deaf) > 1 else ""
        report.warning(
            "IC2678",
            cluster.intent.span("spec", "bgp", "peers"),
            f"node {deaf[0]!r}{more} of cluster {cluster.name!r} has no session to hear policies over",
            "choose all nodes for the peer that announces, or that reflects what is announced",
            [Related(cluster.intent.span("spec", "bgp", "injector"), "policies are announced")],
        )


def _sizes(resolved: Resolved, report: Report) -> None:
    """A list has a size in BGP, and so have all lists of a policy together."""
    for name, choices in active(resolved).items():
        intent = resolved.of("SRv6Policy")[name]
        ends = {resolved.servers[node].cluster or "" for node in chosen(intent.spec.endpoints, resolved)}
        choice = max(
            choices.values(), key=lambda one: sum(len(item.steps) for item in one.lists), default=None
        )
        if choice is None:
            continue
        for found in _announcers(ends, resolved):
            # Lists with the same SIDs become one.
            sids = [
                len(steps) + 1 for steps in {tuple(step.sid for step in item.steps) for item in choice.lists}
            ]
            heads = _heads(found, resolved)
            size = update_size(sids, heads)
            if size > LARGEST_MESSAGE >= update_size((1,), heads):
                report.error(
                    "IC2671",
                    intent.span("spec", "candidatePaths", choice.candidate.index),
                    f"{len(sids)} segment lists with {sum(sids)} SIDs make a BGP message of {size} bytes; "
                    f"there are at most {LARGEST_MESSAGE}",
                    "say fewer or shorter lists",
                    [Related(found.intent.span("spec", "controlPlane"), f"cluster {found.name!r}")],
                )


def _announcers(ends: set[str], resolved: Resolved) -> list[Cluster]:
    """Return who announces policies towards nodes of some clusters: towards Calico's, the whole mesh does."""
    names: set[str] = set()
    for name in ends:
        cluster = resolved.clusters[name]
        if announces(cluster):
            names.update((name,) if owns_sids(cluster) else cluster.mesh)
    return [resolved.clusters[name] for name in sorted(names)]


def _colors(resolved: Resolved, report: Report) -> None:
    """Of policies to one node, zone and family only the colour differs in BGP; the default path has one."""
    told: set[tuple[str, str]] = set()
    policies = resolved.of("SRv6Policy")
    for (node, _, family), several in claims(resolved).items():
        cluster = resolved.clusters[resolved.servers[node].cluster or ""]
        if not (announces(cluster) and owns_sids(cluster)):
            continue
        names = sorted({claim.policy for claim in several})
        for one, two in _same_color(names, FAMILY_COLORS[family], resolved):
            if (one, two) in told:
                continue
            told.add((one, two))
            color = policies[two].spec.color
            other = f"policy {one!r}" if one else f"the default paths of {family}"
            plane = cluster.intent.span("spec", "controlPlane")
            place = policies[one].span("spec", "color") if one else plane
            report.error(
                "IC2672",
                policies[two].span("spec", "color"),
                f"policies {two!r} and {one!r} lead to {node!r} with colour {color}"
                if one
                else f"colour {color} is that of {other}, and policy {two!r} leads to {node!r} beside them",
                "choose another colour: BGP tells policies to one node apart by it",
                [Related(place, other)],
            )


def _same_color(names: list[str], default: int, resolved: Resolved) -> Iterator[tuple[str, str]]:
    """Yield pairs of policies with one colour; an empty name stands for the default path."""
    found: defaultdict[int, list[str]] = defaultdict(list, {default: [""]})
    for name in names:
        found[resolved.of("SRv6Policy")[name].spec.color].append(name)
    for several in found.values():
        yield from combinations(several, 2)


def _marks(resolved: Resolved, report: Report) -> None:
    """What a GoBGP announces is known to be ours by a mark that is made of the name of its cluster."""
    for index, target in enumerate(resolved.spec.targets):
        if target.type != "gobgp":
            continue
        seen: dict[int, str] = {}
        for number, cluster in enumerate(target.clusters):
            other = seen.setdefault(mark(cluster), cluster)
            if other != cluster:
                report.error(
                    "IC2673",
                    resolved.project.span("spec", "targets", index, "clusters", number),
                    f"in BGP the policies of clusters {other!r} and {cluster!r} have the same mark",
                    "announce them from two GoBGPs: give each cluster a target of its own",
                )


def check_hearers(allocated: Allocated, report: Report) -> None:
    """Check that nodes of Calico-VPP survive what their GoBGP announces to others: they hear all of it."""
    resolved = allocated.resolved
    for target in resolved.spec.targets:
        names = target.clusters if target.type == "gobgp" else ()
        clusters = [resolved.clusters[name] for name in names if announces(resolved.clusters[name])]
        frail = next((one for one in clusters if not owns_sids(one) and not keeps_lists_apart(one)), None)
        told: set[str] = set()
        for cluster in clusters if frail else ():
            for policy, node, number in _announced(cluster, allocated):
                if frail and number > MOST_HEARD and policy not in told:
                    told.add(policy)
                    _deadly(resolved, (policy, node, number), (target.name, frail), report)


def _announced(cluster: Cluster, allocated: Allocated) -> Iterator[tuple[str, str, int]]:
    """Yield what is announced for a cluster: SRv6Policy, endpoint, and the SIDs of all lists together."""
    resolved = allocated.resolved
    if owns_sids(cluster):
        for item in tunnels(allocated).exits.get(cluster.name, ()):
            for which, policy in item.policies.items():
                if which:
                    yield which, item.node, sum(len(one.sids) for one in policy.lists)
        return
    for (node, _, family), several in claims(resolved).items():
        facts = resolved.facts.nodes.get(node)
        sid = getattr(facts, SID_FACT[family]) if facts else None
        for claim in several if sid and resolved.servers[node].cluster in cluster.mesh else ():
            intent = resolved.of("SRv6Policy")[claim.policy]
            lists = segment_lists(claim.way, str(sid), intent, resolved)
            yield claim.policy, node, sum(len(one.sids) for one in lists)


def _deadly(
    resolved: Resolved, what: tuple[str, str, int], hearer: tuple[str, Cluster], report: Report
) -> None:
    (policy, node, number), (target, cluster) = what, hearer
    report.error(
        "IC2644",
        resolved.of("SRv6Policy")[policy].span("spec", "candidatePaths"),
        f"policy {policy!r} has {number} SIDs towards {node!r}; agents of Calico-VPP before "
        f"{'.'.join(map(str, FIRST_SEVERAL_LISTS))} crash over more than {MOST_HEARD}, and those of cluster "
        f"{cluster.name!r} hear it from the same GoBGP (target {target!r})",
        "say fewer or shorter lists, announce it from a GoBGP of its own (another target), or run a newer "
        "Calico-VPP and say it in versions.calicoVpp",
        [Related(cluster.intent.span("spec", "dataplane"), f"cluster {cluster.name!r}")],
    )


def check_functions(allocated: Allocated, report: Report) -> None:
    """Check that the function of each service SID fits into a distinguisher."""
    resolved = allocated.resolved
    for (name, zone, family), function in allocated.function.items():
        cluster = resolved.clusters[name]
        if announces(cluster) and owns_sids(cluster) and not FIRST_FUNCTION <= function <= LARGEST_FUNCTION:
            what = f"zone {zone!r}" if zone else "the pods"
            report.error(
                "IC2674",
                resolved.project.span("spec", "pools", "sidFunction"),
                f"function {function} of {what} of cluster {name!r} ({family}) fits into no distinguisher",
                f"draw functions from {FIRST_FUNCTION}-{LARGEST_FUNCTION}",
                [Related(cluster.intent.span("spec", "controlPlane"), "its policies travel by BGP")],
            )
