"""Address space of the overlay: what is routed in the underlay or in one mesh must not overlap.

SIDs, loopbacks and node addresses share the underlay; pods and BSIDs share their mesh; services are their
cluster's own. One sorted sweep finds every overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_network
from typing import Final, NamedTuple

from compiler.allocated import Allocated
from compiler.derived.overlay import chosen
from compiler.resolved import Cluster, Resolved
from intent.diagnostics import Related, Report
from intent.model import Intent
from intent.scalars import IPNetwork
from intent.source import FieldPath, Span

UNDERLAY: Final = ""
"""Stands for the underlay where a mesh is asked for."""


class Space(NamedTuple):
    """A prefix with its meaning and place."""

    prefix: IPNetwork
    what: str
    kind: str
    owner: str
    """Cluster, node or router that it belongs to; the mesh, for the localsid pool of Calico clusters."""
    mesh: str
    """Mesh that it is routed in; UNDERLAY where it is the underlay."""
    intent: Intent
    path: FieldPath

    @property
    def span(self) -> Span:
        """Where it was said."""
        return self.intent.span(*self.path)


def check_address_space(resolved: Resolved, report: Report) -> None:
    """Report overlaps of pools, pods, services, locators, loopbacks and node addresses."""
    for first, second in _overlaps(_spaces(resolved), _clash):
        report.error(
            "IC2606",
            second.span,
            f"{second.what} {second.prefix} overlaps {first.what} {first.prefix}",
            "make them disjoint",
            [Related(first.span, first.what)],
        )


def _overlaps(
    spaces: Iterable[Space], clash: Callable[[Space, Space], bool]
) -> Iterator[tuple[Space, Space]]:
    """Yield each prefix that clashes with one around it (the closest such), in the order of places."""
    around: list[Space] = []
    for space in sorted(spaces, key=lambda item: (item.prefix.version, item.prefix, item.kind, item.owner)):
        while around and not _inside(space.prefix, around[-1].prefix):
            around.pop()
        outer = next((item for item in reversed(around) if clash(item, space)), None)
        if outer:
            yield (outer, space) if outer.span <= space.span else (space, outer)
        around.append(space)


def _inside(inner: IPNetwork, outer: IPNetwork) -> bool:
    return (
        inner.version == outer.version
        and inner.network_address in outer
        and inner.prefixlen >= outer.prefixlen
    )


def _clash(one: Space, two: Space) -> bool:
    """Say whether two overlapping prefixes are an error."""
    kinds = {one.kind, two.kind}
    if kinds == {"locator"}:
        return False  # found where the underlay is gathered
    if kinds == {"locator", "loopback"}:
        return one.owner != two.owner
    if kinds == {"services"}:
        return one.owner == two.owner
    if kinds == {"localsids"}:
        return one.owner != two.owner
    return UNDERLAY in (one.mesh, two.mesh) or one.mesh == two.mesh


def _spaces(resolved: Resolved) -> Iterator[Space]:
    underlay = resolved.underlay
    for name, router in underlay.routers.items():
        intent, path = underlay.router_origin[name]
        yield Space(
            router.locator,
            f"locator of router {name!r}",
            "locator",
            name,
            UNDERLAY,
            intent,
            (*path, "locator"),
        )
        yield Space(
            ip_network(router.loopback),
            f"loopback of router {name!r}",
            "loopback",
            name,
            UNDERLAY,
            intent,
            (*path, "loopback"),
        )
    for cluster in resolved.clusters.values():
        if cluster.spec.srv6:
            yield from _cluster(cluster)
            yield from _nodes(cluster, resolved)


def _cluster(cluster: Cluster) -> Iterator[Space]:
    spec, name = cluster.spec, cluster.name
    mesh = cluster.mesh[0]
    rows = [("pods", "pod", spec.pod_cidrs, "podCidrs")]
    if spec.service_cidrs:
        rows.append(("services", "service", spec.service_cidrs, "serviceCidrs"))
    for kind, word, cidrs, field in rows:
        for family in ("ipv4", "ipv6"):
            prefix = getattr(cidrs, family)
            if prefix:
                yield Space(
                    prefix,
                    f"{word} prefix of cluster {name!r}",
                    kind,
                    name,
                    mesh,
                    cluster.intent,
                    ("spec", field, family),
                )
    if spec.srv6:
        holder = mesh if spec.dataplane == "calico-vpp" else name
        where = ("spec", "srv6")
        yield Space(
            spec.srv6.localsids,
            f"localsid pool of cluster {name!r}",
            "localsids",
            holder,
            UNDERLAY,
            cluster.intent,
            (*where, "localsids"),
        )
        yield Space(
            spec.srv6.policies,
            f"BSID pool of cluster {name!r}",
            "policies",
            name,
            mesh,
            cluster.intent,
            (*where, "policies"),
        )


def _nodes(cluster: Cluster, resolved: Resolved) -> Iterator[Space]:
    for name in cluster.servers:
        server = resolved.servers[name]
        for family in ("ipv4", "ipv6"):
            address = getattr(server, family)
            if address:
                yield Space(
                    ip_network(address),
                    f"address of node {name!r}",
                    "node",
                    name,
                    UNDERLAY,
                    server.intent,
                    ("spec", family),
                )


def check_sid_blocks(resolved: Resolved, report: Report) -> None:
    """Report locators and localsid pools outside the SID block of their underlay."""
    underlay = resolved.underlay
    for name, router in underlay.routers.items():
        intent, path = underlay.router_origin[name]
        block = intent.spec.block
        if block and not _inside(router.locator, block):
            report.error(
                "IC2607",
                intent.span(*path, "locator"),
                f"locator {router.locator} of router {name!r} lies outside block {block}",
                "move it, or widen the block",
                [Related(intent.span("spec", "block"), "the block")],
            )
    for cluster in resolved.clusters.values():
        if not cluster.spec.srv6:
            continue
        pool = cluster.spec.srv6.localsids
        for intent in _underlays(cluster, resolved):
            if intent.spec.block and not _inside(pool, intent.spec.block):
                report.error(
                    "IC2607",
                    cluster.intent.span("spec", "srv6", "localsids"),
                    f"localsid pool {pool} of cluster {cluster.name!r} lies outside block "
                    f"{intent.spec.block}",
                    "move it, or widen the block",
                    [Related(intent.span("spec", "block"), "the block")],
                )


def _underlays(cluster: Cluster, resolved: Resolved) -> list[Intent]:
    """Return the underlays that the nodes of a cluster hang off; the only one, where no uplink is said."""
    origin = resolved.underlay.router_origin
    uplinks = [server.uplink for name in cluster.servers if (server := resolved.servers[name]).uplink]
    found = {
        origin[uplink.router][0].name: origin[uplink.router][0]
        for uplink in uplinks
        if uplink.router in origin
    }
    every = list(resolved.of("Underlay").values())
    return list(found.values()) if found or len(every) != 1 else every


def check_steered(resolved: Resolved, report: Report) -> None:
    """Report steered prefixes that take SIDs, or the way to the underlay, from under the tunnels."""
    steering = [intent for intent in resolved.of("SRv6Policy").values() if intent.spec.steer.prefixes]
    if not steering:
        return
    sids = [space for space in _spaces(resolved) if space.kind in ("locator", "localsids", "policies")]
    for intent in steering:
        spaces = [*sids, *_next_hops(intent, resolved)]
        for index, prefix in enumerate(intent.spec.steer.prefixes):
            found = next((space for space in spaces if _inside(prefix, space.prefix)), None)
            if found:
                word = "is the" if prefix == found.prefix else f"lies in {found.prefix}, the"
                report.error(
                    "IC2639",
                    intent.span("spec", "steer", "prefixes", index),
                    f"{prefix} {word} {found.what}, which tunnels themselves need",
                    "leave it out; a larger prefix around it does no harm",
                    [Related(found.span, found.what)],
                )


def _next_hops(policy: Intent, resolved: Resolved) -> Iterator[Space]:
    """Yield what the headends send all tunnels to; only on Linux pods share the table of the underlay."""
    for name in chosen(policy.spec.headends, resolved):
        server = resolved.servers[name]
        if server.uplink and resolved.clusters[server.cluster or ""].spec.dataplane == "linux":
            prefix, what = ip_network(server.uplink.next_hop), f"next hop of node {name!r}"
            place = (server.intent, ("spec", "uplink", "nextHop"))
            yield Space(prefix, what, "next hop", name, UNDERLAY, *place)


def check_leases(allocated: Allocated, report: Report) -> None:
    """Compare with leases what can be judged only with them: facts of Calico nodes, and steered prefixes."""
    resolved = allocated.resolved
    for name, fact in resolved.facts.nodes.items():
        pool = allocated.localsids.get((name,))
        outside = [str(sid) for sid in (fact.dt4, fact.dt6) if sid and pool and sid not in pool]
        if outside:
            report.warning(
                "IC2648",
                resolved.facts.origins[f"node/{name}"].span,
                f"node {name!r} announced {' and '.join(outside)}, outside its localsid pool {pool}",
                "the facts are older than the pool: apply, wait for the agent, and capture them again; "
                "or pin the pool with pins.localsids of the node",
            )
    for intent in resolved.of("SRv6Policy").values():
        for index, prefix in enumerate(intent.spec.steer.prefixes):
            found = next(
                ((node, block) for (node, _), block in allocated.pods.items() if _inside(prefix, block)),
                None,
            )
            if found:
                node, block = found
                word = "is" if prefix == block else f"lies in {block},"
                report.error(
                    "IC2649",
                    intent.span("spec", "steer", "prefixes", index),
                    f"{prefix} {word} the pod block of node {node!r}, which is steered already",
                    "leave it out; steer.pods covers it",
                )
