"""MTU of pods: what is left of the underlay's after the outer IPv6 header and the longest SRH in use.

The underlay's MTU is the least over all links and the uplinks of the mesh: both the IGP and a TE path may
take any link, and packets that are too large are lost without an ICMP error. For the same reason the
longest list counts that any candidate path has, also those that are not active now: the MTU of running pods
cannot follow a failover.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from compiler.derived.access import Pair, access_of, heads_at, tails_at
from compiler.derived.candidate import Candidate
from compiler.derived.memo import remembered
from compiler.derived.overlay import chosen
from compiler.derived.packing import packs, widest, width
from compiler.derived.policy import candidates
from compiler.derived.ways import underlay_origins
from compiler.resolved import Cluster, Network, Resolved
from intent.kinds.cluster import ClusterSpec
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


def overhead(sids: int, *, reduced: bool) -> int:
    """Return the bytes that encapsulation adds to a packet (RFC 8986 §5); for one SID nobody writes an SRH.

    `sids` are the addresses of the list: carriers count once. `reduced` leaves the first out of the SRH.
    """
    return OUTER if sids == 1 else OUTER + 8 + 16 * (sids - 1 if reduced else sids)


def reduces(spec: ClusterSpec) -> bool:
    """Say whether headends of a cluster leave the first SID out of the SRH."""
    return spec.dataplane == "linux" and spec.srv6 is not None and spec.srv6.encapsulation != "full"


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
    written = Origin("mtu", cluster.intent, ("spec", "srv6", "encapsulation"), "SIDs of the SRH")
    return left.value, (left.least_link, *left.longest, *((written,) if left.longest else ()))


def mtu_of(network: Network, cluster: Cluster, resolved: Resolved) -> tuple[int | None, tuple[Origin, ...]]:
    """Return the MTU of an overlay network in a cluster, and what says so: its own, or that of all pods."""
    if network.spec.mtu:
        return network.spec.mtu, (Origin("mtu", network.intent, ("spec", "mtu")),)
    return mtu_in_force(cluster, resolved)


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
        size = overhead(sids, reduced=reduces(cluster.spec))
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
    told = cluster.spec.calico_vpp.interfaces
    uplink = told.uplink_interfaces[told.main] if told.uplink_interfaces else None
    if uplink and uplink.mtu and cluster.spec.dataplane == "calico-vpp":
        place = ("spec", "calicoVpp", "interfaces", "uplinkInterfaces", told.main, "mtu")
        yield uplink.mtu, cluster.intent, place
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
    for name, paths in candidates(resolved).items():
        intent = resolved.of("SRv6Policy")[name]
        rows = [row for path in paths for row in _lengths(intent, path, resolved)]
        if not rows:
            continue
        sids, causes = max(rows, key=lambda row: row[0])
        heads = chosen(intent.spec.headends, resolved)
        for cluster in {resolved.servers[head].cluster or "" for head in heads}:
            if sids > found.get(cluster, (1, ()))[0]:
                rule = f"longest list: {sids} SIDs"
                chooses = Origin("mtu", intent, ("spec", "headends"), rule)
                rest = [cause._replace(field="mtu", rule=cause.rule or rule) for cause in causes]
                found[cluster] = (sids, (rest[0], chooses, *rest[1:]))
    return found


def _lengths(intent: Intent, path: Candidate, resolved: Resolved) -> Iterator[tuple[int, tuple[Origin, ...]]]:
    """Yield the lengths of the lists of a candidate, also of those out of use, and where they are said.

    A list that will be computed may be as long as `maxSids` allows; where nothing limits it, the longest of
    today counts.
    """
    where = ("spec", "candidatePaths", path.index)
    for item in path.lists:
        sids = width(item.steps, intent, resolved) + len(item.faults)
        yield sids, (Origin("", intent, (*where, "explicit", item.index)),)
    said = path.path.dynamic
    if said is None:
        return
    place = Origin("", intent, (*where, "dynamic"))
    if said.constraints.max_sids is not None:
        forms = underlay_origins(resolved) if packs(intent, resolved) else ()
        yield widest(said.constraints.max_sids, intent, resolved), (place, *forms)
        return
    lengths = {pair: width(lists[0].steps, intent, resolved) for pair, lists in path.ways.items()}
    if lengths:
        pair = max(lengths, key=lambda one: (lengths[one], one))
        yield lengths[pair], (place, *_computed(intent, pair, resolved))


def _computed(intent: Intent, pair: Pair, resolved: Resolved) -> tuple[Origin, ...]:
    """Return what makes the longest computed list: its ends, and the underlay between them."""
    heads, tails = heads_at(intent, resolved)[pair.start], tails_at(intent, resolved)[pair.end]
    ends = [resolved.servers[min(names)] for names in (heads, tails)]
    return (
        Origin("", intent, ("spec", "endpoints")),
        *(access_of(server, resolved, "where the longest path ends") for server in ends),
        *underlay_origins(resolved),
    )
