"""Ports in use: which network is needed on which port or LAG, and who needs it.

    pods where they run (facts) + workloads with preProvision + FabricAttachments

Invariant: linear in what it yields, sorted, and the same whatever order documents and facts came in. A leg
of a bond uses the ports of its partners as well, so a failover finds its VLAN already there.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from compiler.derived.entrances import cabling
from compiler.derived.memo import remembered
from compiler.derived.reasons import NAME, Origins, labels, memberships
from compiler.facts import Facts
from compiler.resolve.names import pools_of
from compiler.resolved import Lag, Network, Port, Resolved
from intent.kinds.fabric_attachment import FabricAttachmentSpec, StaticPort
from intent.kinds.virtual_network import SriovAttachment, SriovBondAttachment, VfSettings
from intent.kinds.workload import PodInterface, WorkloadSpec
from intent.model import Intent, Origin
from intent.scalars import Ranges
from intent.source import FieldPath

Point = Port | Lag
"""Where a network enters a fabric."""
Choice = Mapping[str, tuple[str, ...]]
"""NICs by node."""


class Claim(NamedTuple):
    """One reason for a network to be on a point."""

    network: str
    point: Point
    tagged: bool
    reason: str
    origin: Origin
    """The line that asks for it."""
    causes: Origins = ()
    """What else decides about it; shared by many claims."""


@dataclass(frozen=True, slots=True)
class PortUse:
    """A network on a point, with everyone who needs it there."""

    network: str
    point: Point
    tagged: bool
    reasons: tuple[str, ...]
    origins: Origins = field(repr=False)
    """Of each reason the line that asks for it; behind them what else decides."""

    @property
    def asked(self) -> Origins:
        """The lines that ask for it, one per reason."""
        return self.origins[: len(self.reasons)]


def where(point: Point) -> tuple[str, str, str]:
    """Return fabric, switch and port, or fabric, group (or switch) and name of a LAG; points sort by it."""
    if isinstance(point, Port):
        return point
    return point.fabric, point.group or point.members[0].switch, point.name


def ports_of(point: Point) -> tuple[Port, ...]:
    """Return the switch ports of a point: itself, or the members of a LAG."""
    return (point,) if isinstance(point, Port) else point.members


@remembered
def ports_in_use(resolved: Resolved) -> tuple[PortUse, ...]:
    """Return every network on every point, sorted by fabric, point and network."""
    found: defaultdict[tuple[tuple[str, str, str], str], list[Claim]] = defaultdict(list)
    for claim in claims(resolved):
        found[where(claim.point), claim.network].append(claim)
    return tuple(_use(found[key]) for key in sorted(found))


def _use(several: list[Claim]) -> PortUse:
    first = several[0]
    if len(several) == 1:
        origins = (first.origin, *first.causes)
        return PortUse(first.network, first.point, first.tagged, (first.reason,), origins)
    reasons = {claim.reason: claim for claim in several}
    ordered = sorted(reasons)
    tagged = all(claim.tagged for claim in several)
    found = dict.fromkeys(reasons[reason].origin for reason in ordered)
    found |= dict.fromkeys(origin for reason in ordered for origin in reasons[reason].causes)
    return PortUse(first.network, first.point, tagged, tuple(ordered), tuple(found))


def claims(resolved: Resolved) -> Iterator[Claim]:
    """Yield every reason of every network for every point in the fabrics that it extends to."""
    found = (_of_pods(resolved), _of_workloads(resolved), _of_attachments(resolved))
    for claim in chain.from_iterable(found):
        # A partner leg, or a stale fact, may lead into a fabric where the network has no VLAN.
        if claim.point.fabric in resolved.networks[claim.network].fabrics:
            yield claim


def entries(port: StaticPort, resolved: Resolved) -> tuple[Point, ...]:
    """Return the points that one entry of a FabricAttachment names; none where a NIC has no cable."""
    if port.fabric and port.switch and port.port:
        named = Port(port.fabric, port.switch, port.port)
        lag = lag_of_port(resolved).get(named)
        return (lag,) if lag else (named,)
    return resolved.points(port.node or "", port.nic or port.bond or "")


@remembered
def lag_of_port(resolved: Resolved) -> Mapping[Port, Lag]:
    """Return the LAG of each port that is a member of one."""
    return {member: lag for lag in resolved.lags.values() for member in lag.members}


def pool_nics(attachment: object, resolved: Resolved) -> Choice:
    """Return the NICs that an SR-IOV attachment may use, by node; a bond needs nodes in both pools."""
    if isinstance(attachment, SriovAttachment):
        return resolved.pools[attachment.pool].members
    if isinstance(attachment, SriovBondAttachment):
        one, two = (resolved.pools[pool].members for pool in attachment.pools)
        return {node: tuple(sorted({*nics, *two[node]})) for node, nics in one.items() if node in two}
    return {}


def legs(server: str, nic: str, resolved: Resolved) -> tuple[Point, ...]:
    """Return the points of a NIC, with those of its partners in an active-backup bond of the host."""
    for bond in resolved.servers[server].bonds.values():
        if bond.mode == "active-backup" and nic in bond.nics:
            return tuple(point for leg in bond.nics for point in resolved.points(server, leg))
    return resolved.points(server, nic)


def extended(name: str, resolved: Resolved) -> Network | None:
    """Return the network, if it extends to a fabric."""
    network = resolved.networks[name]
    return network if network.spec.extend_to_fabric else None


def _of_pods(resolved: Resolved) -> Iterator[Claim]:
    facts = resolved.facts
    used = _nics_of_pods(facts)
    memo: dict[tuple[str, str], tuple[Point, ...]] = {}
    for index, item in enumerate(facts.placements):
        network = extended(item.network, resolved)
        if network is None:
            continue
        origin, reason = facts.origins[f"placement/{index}"], f"pod {item.namespace}/{item.pod}"
        bonded = _bonded(network, resolved)
        mine = used[item.cluster, item.namespace, item.pod, item.network]
        for nic in (item.nic, *_other_legs(network, item.node, mine, resolved)):
            if (item.node, nic) not in memo:
                memo[item.node, nic] = legs(item.node, nic, resolved)
            causes = (*cabling(item.node, nic, resolved), *bonded)
            for point in memo[item.node, nic]:
                yield Claim(item.network, point, tagged=True, reason=reason, origin=origin, causes=causes)
                for other in trunked(resolved).get(item.network, ()):
                    trunk = (*causes, *_trunk(item.network, other, resolved))
                    yield Claim(other, point, tagged=True, reason=reason, origin=origin, causes=trunk)


@remembered
def trunked(resolved: Resolved) -> Mapping[str, tuple[str, ...]]:
    """Return the further networks that pods of a network reach by tagging their pinned VLANs themselves."""
    trunks = {
        name: tuple(
            item.trunk_vlans
            for item in network.spec.attachments
            if isinstance(item, VfSettings) and item.trunk_vlans
        )
        for name, network in resolved.networks.items()
        if network.fabrics
    }
    pinned: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for network in resolved.networks.values():
        for fabric in network.fabrics if network.spec.vlan else ():
            insort(pinned[fabric], (network.spec.vlan or 0, network.name))
    return {
        name: tuple(
            sorted({other for item in several for other in _pinned_in(item, resolved.networks[name], pinned)})
        )
        for name, several in trunks.items()
        if several
    }


def _trunk(network: str, other: str, resolved: Resolved) -> Origins:
    """Return why pods of a network reach another by tagging its VLAN themselves."""
    trunk = Origin("", resolved.networks[network].intent, ("spec", "attachments"), "trunk VLANs")
    return (trunk, Origin("", resolved.networks[other].intent, ("spec", "vlan"), "one of the trunk"))


def _pinned_in(trunk: Ranges, network: Network, pinned: Mapping[str, list[tuple[int, str]]]) -> Iterator[str]:
    for fabric in network.fabrics:
        known = pinned.get(fabric, [])
        for low, high in trunk.spans:
            found = known[bisect_left(known, (low, "")) : bisect_left(known, (high + 1, ""))]
            yield from (name for _, name in found if name != network.name)


def _nics_of_pods(facts: Facts) -> Mapping[tuple[str, str, str, str], set[str]]:
    """Return the NICs that each pod has on each network."""
    used: defaultdict[tuple[str, str, str, str], set[str]] = defaultdict(set)
    for item in facts.placements:
        used[item.cluster, item.namespace, item.pod, item.network].add(item.nic)
    return used


def _other_legs(network: Network, node: str, used: set[str], resolved: Resolved) -> tuple[str, ...]:
    """Return the NICs of the other leg of a pod's bond, where facts name only one of its legs."""
    for attachment in network.spec.attachments:
        if isinstance(attachment, SriovBondAttachment):
            one, two = (resolved.pools[pool].members.get(node, ()) for pool in attachment.pools)
            if used.isdisjoint(one) != used.isdisjoint(two):
                return two if used.isdisjoint(two) else one
    return ()


def _bonded(network: Network, resolved: Resolved) -> Origins:
    """Return why a pod uses the other leg of a bond too."""
    pools = [
        pool
        for item in network.spec.attachments
        if isinstance(item, SriovBondAttachment)
        for pool in item.pools
    ]
    legs = tuple(Origin("", resolved.pools[pool].intent, ("spec", "nics"), "legs") for pool in pools)
    return (Origin("", network.intent, ("spec", "attachments"), "both legs"), *legs) if pools else ()


def _of_workloads(resolved: Resolved) -> Iterator[Claim]:
    for intent in resolved.of("Workload").values():
        if intent.spec.pre_provision:
            yield from _of_workload(intent, resolved)


def _of_workload(intent: Intent, resolved: Resolved) -> Iterator[Claim]:
    origin = Origin("", intent, ("spec", "preProvision"), "every node that it may run on")
    spec: WorkloadSpec = intent.spec
    reason = f"workload {intent.name}"
    paths: tuple[FieldPath, ...] = (("spec", "cluster"), ("spec", "interfaces"), ("spec", "nodes"))
    # A node counts only if it has VFs for every interface.
    pools = dict.fromkeys(
        pool
        for entry in spec.interfaces
        for item in resolved.networks[entry.network].spec.attachments
        for pool in pools_of(item)
    )
    asked = (
        Origin("reasons", intent, NAME),
        *(Origin("", intent, path) for path in paths),
        *(Origin("", resolved.pools[pool].intent, ("spec", "nodes"), "nodes with VFs") for pool in pools),
    )
    choices = [(entry.network, _choice(entry, spec.cluster, resolved)) for entry in spec.interfaces]
    for node in candidates(spec, resolved):
        runs = _runs(node, spec, resolved)
        for name, choice in choices:
            if extended(name, resolved) is None:
                continue
            points = [(point, nic) for nic in choice.get(node, ()) for point in legs(node, nic, resolved)]
            for network in (name, *trunked(resolved).get(name, ())):
                trunk = _trunk(name, network, resolved) if network != name else ()
                for point, nic in points:
                    causes = (
                        *trunk,
                        *asked,
                        *runs,
                        *_offering(name, nic, resolved),
                        *cabling(node, nic, resolved),
                    )
                    yield Claim(network, point, tagged=True, reason=reason, origin=origin, causes=causes)


def _offering(name: str, nic: str, resolved: Resolved) -> Origins:
    """Return which attachment of a network offers a NIC, and the pool that holds it."""
    intent = resolved.networks[name].intent
    pools = [resolved.pools[pool] for item in intent.spec.attachments for pool in pools_of(item)]
    holding = [pool.intent for pool in pools if any(nic in nics for nics in pool.members.values())]
    places: list[tuple[Intent, FieldPath]] = [(intent, NAME), (intent, ("spec", "attachments"))]
    places += [(pool, ("spec", "nics")) for pool in holding]
    return tuple(Origin("", *place, "NICs that it may get") for place in places)


def _runs(node: str, spec: WorkloadSpec, resolved: Resolved) -> Origins:
    """Return why a workload may run on a node."""
    server = resolved.servers[node]
    return (
        *(origin for origin in memberships(resolved)[node] if origin.path != NAME),
        *labels(server, spec.nodes, "chosen by label"),
        Origin("", server.intent, ("spec", "state"), "not drained"),
    )


def candidates(spec: WorkloadSpec, resolved: Resolved) -> tuple[str, ...]:
    """Return the nodes that a workload may run on: chosen, not drained, with NICs for its networks."""
    needed = [
        _choice(entry, spec.cluster, resolved)
        for entry in spec.interfaces
        if any(pools_of(item) for item in resolved.networks[entry.network].spec.attachments)
    ]
    return tuple(
        node
        for node in resolved.clusters[spec.cluster].servers
        if (spec.nodes is None or spec.nodes.chooses(node, resolved.servers[node].labels))
        and not resolved.servers[node].drained
        and all(node in choice for choice in needed)
    )


def _choice(entry: PodInterface, cluster: str, resolved: Resolved) -> Choice:
    """Return the NICs that an interface of a workload may get, by node of its cluster."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for attachment in resolved.networks[entry.network].spec.attachments:
        pools = pools_of(attachment)
        if not pools or (entry.pool and entry.pool not in pools):
            continue
        if all(resolved.pools[pool].cluster == cluster for pool in pools):
            for node, nics in pool_nics(attachment, resolved).items():
                found[node].update(nics)
    return {node: tuple(sorted(nics)) for node, nics in found.items()}


def _of_attachments(resolved: Resolved) -> Iterator[Claim]:
    for intent in resolved.of("FabricAttachment").values():
        spec: FabricAttachmentSpec = intent.spec
        of_document = (
            Origin("reasons", intent, NAME),
            Origin("tagged", intent, ("spec", "tagging")),
            Origin("", intent, ("spec", "network")),
        )
        for index, port in enumerate(spec.ports):
            origin = Origin("", intent, ("spec", "ports", index))
            cables = cabling(port.node, port.nic or port.bond or "", resolved) if port.node else ()
            causes = (*of_document, *cables)
            # A switch that does not exist is reported by the checks; here it is no port.
            known = port.fabric is None or (port.fabric, port.switch) in resolved.switches
            for point in entries(port, resolved) if known else ():
                tagged = spec.tagging == "tagged"
                yield Claim(spec.network, point, tagged, f"attachment {intent.name}", origin, causes)
