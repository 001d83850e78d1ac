"""MTU of pods: what is left of the underlay's after the outer IPv6 header and the longest SRH in use.

The underlay's MTU is the least over all links and the uplinks of the mesh: both the IGP and a TE path may
take any link, and packets that are too large are lost without an ICMP error. For the same reason the
longest list counts that any candidate path has, also those that are not active now: the MTU of running pods
cannot follow a failover.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from compiler.derived.memo import remembered
from compiler.derived.overlay import chosen
from compiler.resolved import Cluster, Resolved
from intent.kinds.srv6_policy import SRv6PolicySpec
from intent.model import Intent, Origin
from intent.source import FieldPath

OUTER = 40
"""Bytes of an IPv6 header."""
LEAST = 1280
"""Least MTU that IPv6 allows."""


@dataclass(frozen=True, slots=True)
class PodMtu:
    """The arithmetic: `value` = `underlay` - `overhead`."""

    underlay: int
    overhead: int
    sids: int
    """SIDs of the longest list, service SID included."""
    least_link: Origin
    """What has the least MTU."""
    longest: tuple[Origin, ...]
    """Longest segment list, and whose it is; none where all traffic takes the default path."""

    @property
    def value(self) -> int:
        """Largest packet that a pod may send."""
        return self.underlay - self.overhead

    def __str__(self) -> str:
        """Write the arithmetic for people."""
        srh = self.overhead - OUTER
        header = f"{OUTER} outer IPv6 header" + (f" - {srh} SRH" if srh else "")
        sids = f"{self.sids} SIDs" if self.sids > 1 else "1 SID"
        return f"{self.underlay} underlay - {header} ({sids}) = {self.value}"


def overhead(sids: int, encapsulation: str) -> int:
    """Return the bytes that encapsulation adds (RFC 8986 §5, RFC 9800; VPP writes no SRH for one SID)."""
    if encapsulation == "usid":
        return OUTER
    listed = sids - 1 if encapsulation == "reduced" else sids
    return OUTER if sids == 1 else OUTER + 8 + 16 * listed


def pod_mtu(cluster: Cluster, resolved: Resolved) -> PodMtu | None:
    """Return the MTU that the pods of a cluster can have; None without SRv6 or where no underlay is known."""
    return _pod_mtus(resolved).get(cluster.name)


def mtu_in_force(cluster: Cluster, resolved: Resolved) -> tuple[int | None, tuple[Origin, ...]]:
    """Return the MTU that pods of a cluster get, pinned or computed, and why; None where nothing says one."""
    if cluster.spec.pod_mtu:
        return cluster.spec.pod_mtu, (Origin("mtu", cluster.intent, ("spec", "podMtu")),)
    left = pod_mtu(cluster, resolved)
    if left is None:
        return None, ()
    written = Origin("mtu", cluster.intent, ("spec", "srv6", "encapsulation"), "bytes of the SRH")
    return left.value, (left.least_link, *left.longest, *((written,) if left.longest else ()))


@remembered
def _pod_mtus(resolved: Resolved) -> Mapping[str, PodMtu]:
    longest = _longest(resolved)
    links = sorted(_links(resolved), key=lambda row: row[0])[:1]
    uplinks = {
        cluster.name: sorted(_uplinks(cluster, resolved), key=lambda row: row[0])[:1]
        for cluster in resolved.clusters.values()
    }
    found = {}
    for cluster in resolved.clusters.values():
        rows = links + [row for other in cluster.mesh for row in uplinks[other]]
        if cluster.spec.srv6 is None or not rows:
            continue
        least, intent, path = min(rows, key=lambda row: row[0])
        sids, place = longest.get(cluster.name, (1, ()))
        size = overhead(sids, cluster.spec.srv6.encapsulation)
        found[cluster.name] = PodMtu(
            least, size, sids, Origin("mtu", intent, path, "lowest MTU on the way"), place
        )
    return found


def _links(resolved: Resolved) -> Iterator[tuple[int, Intent, FieldPath]]:
    for name, link in resolved.underlay.links.items():
        intent, path = resolved.underlay.link_origin[name]
        yield (link.mtu, intent, (*path, "mtu")) if link.mtu else (intent.spec.mtu, intent, ("spec", "mtu"))
    for intent in resolved.of("Underlay").values():
        if not intent.spec.links:
            yield intent.spec.mtu, intent, ("spec", "mtu")


def _uplinks(cluster: Cluster, resolved: Resolved) -> Iterator[tuple[int, Intent, FieldPath]]:
    for server in map(resolved.servers.__getitem__, cluster.servers):
        if server.uplink is None:
            continue
        if server.uplink.mtu:
            yield server.uplink.mtu, server.intent, ("spec", "uplink", "mtu")
        elif server.uplink.router in resolved.underlay.routers:
            intent, _ = resolved.underlay.router_origin[server.uplink.router]
            yield intent.spec.mtu, intent, ("spec", "mtu")
        name, bond = server.uplink.interface, server.bonds.get(server.uplink.interface)
        if bond and bond.mtu:
            where, path = server.origin("bonds", bond.name)
            yield bond.mtu, where, (*path, "mtu")
        for nic in (server.nics.get(leg) for leg in (bond.nics if bond else (name,))):
            if nic and nic.mtu:
                where, path = server.origin("nics", nic.name)
                yield nic.mtu, where, (*path, "mtu")


def _longest(resolved: Resolved) -> Mapping[str, tuple[int, tuple[Origin, ...]]]:
    """Return the most SIDs that headends of each cluster write, and where that was said."""
    found: dict[str, tuple[int, tuple[Origin, ...]]] = {}
    for intent in resolved.of("SRv6Policy").values():
        spec: SRv6PolicySpec = intent.spec
        lists = [
            (len(item.segments) + 1, ("spec", "candidatePaths", at, "explicit", index))
            for at, path in enumerate(spec.candidate_paths)
            for index, item in enumerate(path.explicit or ())
        ]
        if not lists:
            continue
        sids, where = max(lists, key=lambda row: row[0])
        for cluster in {resolved.servers[name].cluster or "" for name in chosen(spec.headends, resolved)}:
            if sids > found.get(cluster, (1, ()))[0]:
                rule = f"longest list: {sids} SIDs"
                places = (where, ("spec", "headends"))
                found[cluster] = (sids, tuple(Origin("mtu", intent, place, rule) for place in places))
    return found
