"""Assertions: whether what must pass can pass, and what must not cannot, judged by zones and their imports.

Networks meet in zones: one zone, or two that import each other. Pods of clusters meet over the mesh, and
never meet networks, whose zones are tables of their own. An external connection leads out of its zone.
To reach each other, places also need a family and a medium in common; to be isolated, it is not enough that
they lack one today.
"""

from __future__ import annotations

from typing import NamedTuple

from compiler.check.path_claims import check_latency, check_path, check_survival
from compiler.resolved import Network, Resolved
from intent.diagnostics import Related, Report
from intent.kinds.assertion import AssertionSpec, Pair, Place
from intent.model import Intent
from intent.source import FieldPath


class Spot(NamedTuple):
    """A place, as far as reachability goes."""

    text: str
    network: str | None
    zone: str | None
    cluster: str | None
    related: Related


class Verdict(NamedTuple):
    """Whether traffic passes, and why."""

    forth: bool
    back: bool
    why: str
    places: tuple[Related, ...] = ()


def check_assertions(resolved: Resolved, report: Report) -> None:
    """Check every assertion; one that cannot be judged is said."""
    for intent in resolved.of("Assertion").values():
        spec: AssertionSpec = intent.spec
        if spec.reach:
            _check_reach(intent, spec.reach, resolved, report)
        elif spec.isolate:
            _check_isolate(intent, spec.isolate, resolved, report)
        elif spec.path:
            check_path(intent, spec.path, resolved, report)
        elif spec.latency:
            check_latency(intent, spec.latency, resolved, report)
        elif spec.survives:
            check_survival(intent, spec.survives, resolved, report)


def _check_reach(intent: Intent, pair: Pair, resolved: Resolved, report: Report) -> None:
    one, two = spot(pair.source, resolved), spot(pair.destination, resolved)
    verdict = judge(one, two, resolved)
    if verdict.forth and verdict.back and (why := _gap(one, two, resolved)):
        verdict = Verdict(forth=False, back=False, why=why)
    if not (verdict.forth and verdict.back):
        text = f"assertion {intent.name!r} fails: {one.text} does not reach {two.text}: {verdict.why}"
        path: FieldPath = ("spec", "reach")
        report.error(
            "IC2380", intent.span(*path), text, _hint(intent), (one.related, two.related, *verdict.places)
        )


def _check_isolate(intent: Intent, pair: Pair, resolved: Resolved, report: Report) -> None:
    one, two = spot(pair.source, resolved), spot(pair.destination, resolved)
    verdict = judge(one, two, resolved)
    if verdict.forth or verdict.back:
        text = f"assertion {intent.name!r} fails: {one.text} and {two.text} are not isolated: {verdict.why}"
        path: FieldPath = ("spec", "isolate")
        report.error(
            "IC2381", intent.span(*path), text, _hint(intent), (one.related, two.related, *verdict.places)
        )


def _hint(intent: Intent) -> str:
    reason = intent.spec.description
    return f"it was made because: {reason}" if reason else ""


def spot(place: Place, resolved: Resolved) -> Spot:
    """Return where a place is."""
    if place.network:
        network = resolved.networks[place.network]
        span = (
            network.intent.span("spec", "zone")
            if network.spec.zone
            else network.intent.span("metadata", "name")
        )
        zone = f"zone {network.vrf}" if network.vrf else "layer 2 only"
        text = f"network {network.name!r}"
        return Spot(text, network.name, network.vrf, None, Related(span, f"{network.name}: {zone}"))
    if place.external:
        intent = resolved.of("ExternalConnection")[place.external]
        related = Related(intent.span("spec", "zone"), f"{intent.name}: zone {intent.spec.zone}")
        return Spot(f"external connection {intent.name!r}", None, intent.spec.zone, None, related)
    if place.node:
        server = resolved.servers[place.node]
        cluster = server.cluster
        related = Related(server.intent.span("metadata", "name"), f"node of cluster {cluster}")
        return Spot(f"the pods of node {server.name!r}", None, None, cluster or "", related)
    found = resolved.clusters[place.cluster or ""]
    mesh = f"mesh of {', '.join(found.mesh)}" if found.mesh else "no SRv6 overlay"
    related = Related(found.intent.span("metadata", "name"), f"{found.name}: {mesh}")
    return Spot(f"the pods of cluster {found.name!r}", None, None, found.name, related)


def judge(one: Spot, two: Spot, resolved: Resolved) -> Verdict:
    """Say whether traffic passes between two places, and why."""
    if one.cluster is not None or two.cluster is not None:
        return _judge_pods(one, two, resolved)
    if one.network is not None and one.network == two.network:
        return Verdict(forth=True, back=True, why="it is one network")
    if one.zone is None or two.zone is None:
        bare = one if one.zone is None else two
        return Verdict(forth=False, back=False, why=f"{bare.text} has no subnet, so nothing routes for it")
    if one.zone == two.zone:
        return Verdict(forth=True, back=True, why=f"both are in zone {one.zone!r}")
    return _judge_zones(one.zone, two.zone, resolved)


def _gap(one: Spot, two: Spot, resolved: Resolved) -> str:
    """Say what two places lack that zones and meshes let meet; empty where traffic has a way."""
    if one.cluster and two.cluster:
        pods, others = (resolved.clusters[name].spec.pod_cidrs for name in (one.cluster, two.cluster))
        common = (pods.ipv4 and others.ipv4) or (pods.ipv6 and others.ipv6)
        return "" if common else "their pods have no address family in common"
    networks = [resolved.networks[spot.network] for spot in (one, two) if spot.network]
    if len(networks) == 1 and not _routed(networks[0]):
        return f"nobody routes {networks[0].name!r} to the fabric: it has no gateway there"
    return _gap_of_networks(networks[0], networks[1], resolved) if len(networks) > 1 else ""


def _gap_of_networks(one: Network, two: Network, resolved: Resolved) -> str:
    if one is two:
        return "" if _on_wire(one) else _parted(one, one, resolved)
    versions = [{subnet.cidr.version for subnet in network.spec.subnets} for network in (one, two)]
    if not versions[0] & versions[1]:
        return "they have no address family in common"
    if _routed(one) and _routed(two):
        return ""
    if one.overlay_clusters and two.overlay_clusters:
        return _parted(one, two, resolved)
    bare = one if not _routed(one) else two
    return f"{bare.name!r} has no gateway" if _on_wire(bare) else f"{bare.name!r} is on the overlay only"


def _on_wire(network: Network) -> bool:
    """Say whether anything takes part over NICs and switch ports."""
    return any(attachment.type != "overlay" for attachment in network.spec.attachments)


def _routed(network: Network) -> bool:
    """Say whether somebody routes what is on the wire."""
    return _on_wire(network) and network.spec.gateway != "none"


def _parted(one: Network, two: Network, resolved: Resolved) -> str:
    """Say which clusters no tunnel joins, of those whose pods take part over the overlay."""
    for first in one.overlay_clusters:
        for second in two.overlay_clusters:
            if first != second and second not in resolved.clusters[first].mesh:
                return f"no tunnel joins clusters {first!r} and {second!r}, which are in no common mesh"
    return ""


def _judge_pods(one: Spot, two: Spot, resolved: Resolved) -> Verdict:
    if one.cluster is None or two.cluster is None:
        why = "the default network of pods is in no zone"
        return Verdict(forth=False, back=False, why=why)
    if "" in (one.cluster, two.cluster):
        return Verdict(forth=False, back=False, why="the node belongs to no cluster")
    if one.cluster == two.cluster:
        return Verdict(forth=True, back=True, why=f"both are in cluster {one.cluster!r}")
    passes = two.cluster in resolved.clusters[one.cluster].mesh
    why = "their clusters are in one mesh" if passes else "their clusters are in no common mesh"
    return Verdict(forth=passes, back=passes, why=why)


def _judge_zones(one: str, two: str, resolved: Resolved) -> Verdict:
    first, second = resolved.vrfs.get(one), resolved.vrfs.get(two)
    if first is None or second is None:
        return Verdict(
            forth=False, back=False, why=f"no network is in zone {one if first is None else two!r}"
        )
    forth, back = two in first.imports, one in second.imports
    if not (forth or back):
        return Verdict(forth=False, back=False, why=f"no router joins zones {one!r} and {two!r}")
    # A router that joined both sides is the one; where each side was joined by its own, all of them are told.
    routers = [router for router in first.causes if router in second.causes] or [
        *first.causes,
        *second.causes,
    ]
    names = ", ".join(repr(router.name) for router in routers)
    word = "routers" if len(routers) > 1 else "router"
    places = tuple(Related(router.span("spec", "networks"), f"router {router.name}") for router in routers)
    if forth and back:
        return Verdict(forth, back, f"{word} {names} joins zones {one!r} and {two!r}", places)
    knows, other = (one, two) if forth else (two, one)
    why = f"{word} {names} gives zone {knows!r} the routes of {other!r}, but not the other way round"
    return Verdict(forth, back, why, places)
