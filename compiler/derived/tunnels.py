"""Tunnels by where they end: what each egress node offers to every headend, built once for all of them.

A policy and its steering depend on the egress node, and of the headend only on its cluster's tables and on
the SRv6Policies that choose it. So each is made once, and the slices of a mesh of n nodes share n elements,
not n².
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from compiler.allocated import DEFAULT, PODS, Allocated, Family
from compiler.derived.memo import remembered
from compiler.derived.overlay import chosen, families, owns_sids, steered, zones_of
from compiler.derived.reasons import (
    Origins,
    block_origins,
    clusters,
    imported,
    memberships,
    pod_block_origins,
    sid_block_origins,
    table_origins,
    zone_origins,
)
from compiler.derived.ways import Way, bsid_origins, endpoint_origins, segment_lists, ways
from compiler.elements.overlay import Policy, SegmentList, Steering
from compiler.resolved import Cluster, Resolved, Server
from intent.kinds.srv6_policy import SRv6PolicySpec
from intent.model import Intent, Origin


@dataclass(frozen=True, slots=True)
class Block:
    """Addresses of pods behind an egress node."""

    prefix: str
    network: str
    """Overlay network; empty for the default network of pods."""
    origins: Origins = field(compare=False)
    """Whose block it is, and why it is this one."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Headends whose traffic to some networks behind an exit takes an SRv6Policy."""

    headends: frozenset[str]
    policy: str
    way: Way
    """What these headends use; others of the policy may use something else."""
    networks: frozenset[str]
    """Overlay networks, or PODS for the default network; none where only prefixes are steered."""


@dataclass(frozen=True, slots=True)
class Exit:
    """One egress node for one zone and family."""

    node: str
    cluster: str
    zone: str
    family: Family
    subject: str
    sid: str
    sid_origins: Origins
    """Why the SID is what it is, and why the exit is there."""
    blocks: tuple[Block, ...]
    policies: Mapping[str, Policy]
    """Policies towards it: by the key of a way, and the default path as DEFAULT. Those of one SRv6Policy have
    one BSID, and each headend has one of them."""
    claims: tuple[Claim, ...]

    def policy_at(self, headend: str, network: str = PODS) -> Policy:
        """Return the policy that carries a headend's traffic to a network."""
        return self.policies[
            next(
                (
                    item.way.key
                    for item in self.claims
                    if headend in item.headends and network in item.networks
                ),
                DEFAULT,
            )
        ]

    def ways(self, headend: str) -> tuple[tuple[Policy, tuple[Block, ...]], ...]:
        """Return the policies that carry a headend's traffic, each with its blocks."""
        if not any(headend in item.headends for item in self.claims):
            return ((self.policies[DEFAULT], self.blocks),)
        found: dict[str, tuple[Policy, list[Block]]] = {}
        for block in self.blocks:
            policy = self.policy_at(headend, block.network)
            found.setdefault(policy.bsid, (policy, []))[1].append(block)
        return tuple((policy, tuple(blocks)) for policy, blocks in found.values())


@dataclass(frozen=True, slots=True)
class Tunnels:
    """All exits, by cluster, in the order of nodes, zones and families."""

    exits: Mapping[str, tuple[Exit, ...]]
    prefixes: tuple[tuple[frozenset[str], Exit, str, str, Origin], ...]
    """Prefixes that SRv6Policies steer: headends, exit, policy, prefix, place."""
    _steerings: dict[tuple[str, str, str, tuple[Block, ...]], tuple[Steering, ...]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def steerings(
        self, cluster: Cluster, zone: str, way: tuple[Policy, tuple[Block, ...]], allocated: Allocated
    ) -> tuple[Steering, ...]:
        """Return the steering of blocks into a policy, in the table of a zone of a headend's cluster."""
        policy, blocks = way
        key = (cluster.name, zone, policy.bsid, blocks)
        made = self._steerings.get(key)
        if made is None:
            table = allocated.table_of(cluster.name, zone)
            resolved = allocated.resolved
            here = zone_origins(cluster, zone, policy.family, resolved)
            causes = (*table_origins("table", zone, resolved), *here)
            if zone != policy.zone:
                causes += imported(resolved.vrfs[zone], (policy.zone,), "", resolved)
            bsid = chosen_by(policy)
            made = self._steerings[key] = tuple(
                Steering(
                    subject=policy.subject,
                    origins=tuple(dict.fromkeys((*block.origins, *bsid, *causes))),
                    table=table,
                    family=policy.family,
                    prefix=block.prefix,
                    bsid=policy.bsid,
                )
                for block in blocks
            )
        return made


def chosen_by(policy: Policy) -> Origins:
    """Return why traffic takes a policy, as its steering says it."""
    return tuple(origin for origin in policy.origins if origin.field in ("bsid", ""))


@remembered
def tunnels(allocated: Allocated) -> Tunnels:
    """Return all exits of clusters whose SIDs are ours."""
    resolved = allocated.resolved
    wanted = claims(resolved)
    exits: dict[str, tuple[Exit, ...]] = {}
    for cluster in resolved.clusters.values():
        if owns_sids(cluster):
            exits[cluster.name] = tuple(_exits(cluster, wanted, allocated))
    return Tunnels(exits, tuple(_prefixes(exits, allocated)))


def claims(resolved: Resolved) -> Mapping[tuple[str, str, str], list[Claim]]:
    """Return what SRv6Policies claim where they have a valid candidate, by endpoint, zone and family."""
    found: defaultdict[tuple[str, str, str], list[Claim]] = defaultdict(list)
    for name, intent in resolved.of("SRv6Policy").items():
        spec: SRv6PolicySpec = intent.spec
        named = {zone: frozenset(names) for zone, names in _by_zone(spec.steer.networks, resolved).items()}
        pods = {family: frozenset({PODS}) for family in spec.steer.pods}
        for node, zone, family, _ in steered(intent, resolved):
            networks = named[zone] if zone else pods.get(family, frozenset())
            found[node, zone, family] += [
                Claim(way.heads, name, way, networks) for way in ways(name, node, resolved)
            ]
    return found


def _by_zone(networks: Iterable[str], resolved: Resolved) -> Mapping[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name in networks:
        found[resolved.networks[name].vrf or ""].append(name)
    return found


def _exits(
    cluster: Cluster, wanted: Mapping[tuple[str, str, str], list[Claim]], allocated: Allocated
) -> Iterator[Exit]:
    resolved = allocated.resolved
    calico = cluster.spec.dataplane == "calico-vpp"
    own = () if calico else zones_of(cluster, resolved)
    zones = [(zone, families(cluster, zone, resolved)) for zone in (PODS, *own)]
    subnets = {zone: _subnets(cluster, zone, resolved) for zone, _ in zones if zone}
    for name in cluster.servers:
        server = resolved.servers[name]
        for zone, several in zones:
            about = resolved.vrfs[zone].intent if zone else server.intent
            for family in several:
                subject = f"{about.subject}/overlay/{server.intent.uid}/{family}"
                sid = str(allocated.sid(name, zone, family))
                who = wanted.get((name, zone, family), [])
                spot = _Spot(server, cluster, zone, family, subject, sid, resolved.project)
                policies = {DEFAULT: _default(spot, allocated)}
                policies |= {claim.way.key: _engineered(spot, claim, allocated) for claim in who}
                blocks = (
                    _zone_blocks(spot, subnets[zone], allocated) if zone else _pod_blocks(spot, allocated)
                )
                taken = tuple(claim for claim in who if claim.networks)
                yield Exit(
                    name,
                    cluster.name,
                    zone,
                    family,
                    subject,
                    sid,
                    (*spot.sid_origins("sid"), *spot.origins(resolved)),
                    tuple(blocks),
                    policies,
                    taken,
                )


@dataclass(frozen=True, slots=True)
class _Spot:
    """An exit while it is being made."""

    server: Server
    cluster: Cluster
    zone: str
    family: Family
    subject: str
    sid: str
    project: Intent

    @property
    def egress(self) -> tuple[str, str, str, str]:
        """Where traffic is decapsulated: data plane, cluster, node, service SID."""
        return self.cluster.spec.dataplane, self.cluster.name, self.server.name, self.sid

    def sid_origins(self, field_: str) -> Origins:
        """Return why the service SID is what it is."""
        function = Origin(field_, self.project, ("spec", "pools", "sidFunction"), "leased")
        rule = f"service SID of {self.server.name}"
        return (*sid_block_origins(field_, self.server, self.cluster, rule), function)

    def origins(self, resolved: Resolved) -> Origins:
        """Return why there is an exit at all: its node, and what its zone has there."""
        return (
            *memberships(resolved)[self.server.name],
            *clusters(resolved)[self.cluster.name],
            *zone_origins(self.cluster, self.zone, self.family, resolved),
        )


def _default(spot: _Spot, allocated: Allocated) -> Policy:
    bsid = allocated.bsid[spot.server.name, spot.zone, spot.family, DEFAULT]
    return Policy(
        subject=spot.subject,
        origins=(
            Origin("bsid", spot.cluster.intent, ("spec", "srv6", "policies"), "leased"),
            *spot.sid_origins("lists"),
            *spot.origins(allocated.resolved),
        ),
        bsid=str(bsid),
        lists=(SegmentList(1, (spot.sid,)),),
        endpoint=spot.server.name,
        family=spot.family,
        zone=spot.zone,
        egress=spot.egress,
    )


def _engineered(spot: _Spot, claim: Claim, allocated: Allocated) -> Policy:
    """Return the policy of an SRv6Policy towards an exit, as some of its headends have it."""
    resolved, name = allocated.resolved, claim.policy
    intent = resolved.of("SRv6Policy")[name]
    node = spot.server.name
    return Policy(
        subject="/".join(filter(None, (intent.subject, spot.server.intent.uid, spot.zone, spot.family))),
        origins=(
            Origin("", intent, ("spec", "headends")),
            *endpoint_origins(intent, spot.server, spot.zone, resolved),
            *bsid_origins(intent, spot.server, spot.cluster),
            *claim.way.places,
            *spot.sid_origins("lists"),
            *spot.origins(resolved),
        ),
        bsid=str(allocated.bsid[node, spot.zone, spot.family, name]),
        lists=segment_lists(claim.way, spot.sid, intent, resolved),
        endpoint=node,
        family=spot.family,
        zone=spot.zone,
        path=f"{name}/{claim.way.choice.candidate.path.name}",
        egress=spot.egress,
    )


def _pod_blocks(spot: _Spot, allocated: Allocated) -> Iterator[Block]:
    if spot.cluster.spec.dataplane == "calico-vpp":
        return  # Calico gives out the blocks of its nodes by itself
    origins = pod_block_origins("", spot.server, spot.cluster, spot.family)
    yield Block(str(allocated.pods[spot.server.name, spot.family]), PODS, origins)


Subnets = tuple[tuple[str, int, str, Family], ...]


def _subnets(cluster: Cluster, zone: str, resolved: Resolved) -> Subnets:
    """Return the subnets of a zone that have pods in a cluster: network, index, prefix, family."""
    return tuple(
        (name, index, str(subnet.cidr), "ipv4" if subnet.cidr.version == 4 else "ipv6")  # noqa: PLR2004 -- the IP version
        for name in resolved.vrfs[zone].networks
        if cluster.name in resolved.networks[name].overlay_clusters
        for index, subnet in enumerate(resolved.networks[name].spec.subnets)
    )


def _zone_blocks(spot: _Spot, subnets: Subnets, allocated: Allocated) -> Iterator[Block]:
    node, networks = spot.server.name, allocated.resolved.networks
    for name, index, prefix, family in subnets:
        if family == spot.family:
            origins = block_origins("", networks[name], index, spot.cluster, f"block leased to {node}")
            yield Block(str(allocated.block[name, prefix, node]), name, origins)


def _prefixes(
    exits: Mapping[str, tuple[Exit, ...]], allocated: Allocated
) -> Iterator[tuple[frozenset[str], Exit, str, str, Origin]]:
    """Yield the prefixes that SRv6Policies steer towards their endpoint."""
    resolved = allocated.resolved
    by_node = {
        (item.node, item.family): item for several in exits.values() for item in several if item.zone == PODS
    }
    for name, intent in resolved.of("SRv6Policy").items():
        spec: SRv6PolicySpec = intent.spec
        if not spec.steer.prefixes:
            continue
        heads = frozenset(chosen(spec.headends, resolved))
        for node in chosen(spec.endpoints, resolved):
            several = [(way.heads, way.key) for way in ways(name, node, resolved)]
            several.append((heads.difference(*(some for some, _ in several)), DEFAULT))
            for index, prefix in enumerate(spec.steer.prefixes):
                found = by_node.get((node, "ipv4" if prefix.version == 4 else "ipv6"))  # noqa: PLR2004 -- the IP version
                place = Origin("prefix", intent, ("spec", "steer", "prefixes", index))
                for some, key in several if found else ():
                    if found and some:
                        yield some, found, key if key in found.policies else DEFAULT, str(prefix), place
