"""Offers: under which name each network stands ready for the pods of each cluster.

Checks, lowering and workloads must agree on these names, so they are made here and nowhere else. An offer
becomes one NetworkAttachmentDefinition per namespace (three, with a bond: one for each leg).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from compiler.derived.memo import remembered
from compiler.resolved import Network, Pool, Resolved
from intent.kinds.virtual_network import OverlayAttachment, SriovAttachment, SriovBondAttachment, Subnet
from intent.kinds.workload import PodInterface
from intent.source import FieldPath

NAD_NAME: Final = 63
"""Longest name that the short form of Multus takes (a DNS label)."""


class Leg(NamedTuple):
    """One VF of a bond."""

    name: str
    """Name of its NAD."""
    pool: str
    interface: str
    """Name in the pod; the bond looks for its legs by it."""


class Offer(NamedTuple):
    """A network for the pods of one cluster."""

    network: Network
    number: int
    """Which attachment of the network."""
    attachment: SriovAttachment | SriovBondAttachment | OverlayAttachment
    cluster: str
    name: str
    """Name of the NAD."""
    namespaces: tuple[str, ...]
    legs: tuple[Leg, ...] = ()

    @property
    def path(self) -> FieldPath:
        """Return where the attachment was said."""
        return "spec", "attachments", self.number

    @property
    def pools(self) -> tuple[str, ...]:
        """Return the pools that it takes one VF each from."""
        if isinstance(self.attachment, SriovAttachment):
            return (self.attachment.pool,)
        return tuple(leg.pool for leg in self.legs)


@remembered
def offers(resolved: Resolved) -> Mapping[str, tuple[Offer, ...]]:
    """Return the offers by cluster, in the order of networks and attachments."""
    found: dict[str, list[Offer]] = {name: [] for name in resolved.clusters}
    for network in resolved.networks.values():
        for offer in _offers(network, resolved):
            found[offer.cluster].append(offer)
    return {name: tuple(entries) for name, entries in found.items()}


@remembered
def offered(resolved: Resolved) -> Mapping[tuple[str, str], tuple[Offer, ...]]:
    """Return the offers by cluster and network."""
    found: dict[tuple[str, str], tuple[Offer, ...]] = {}
    for cluster, entries in offers(resolved).items():
        for offer in entries:
            key = (cluster, offer.network.name)
            found[key] = (*found.get(key, ()), offer)
    return found


def choose(item: PodInterface, cluster: str, resolved: Resolved) -> Offer | None:
    """Return the offer that an interface of a workload takes: the one of its pool, else the first."""
    for offer in offered(resolved).get((cluster, item.network), ()):
        if item.pool is None or item.pool in offer.pools:
            return offer
    return None


def names(item: PodInterface, offer: Offer, default: str | None) -> Iterator[str | None]:
    """Yield the names of the interfaces that an entry makes in the pod: legs first, the bond after them."""
    yield from (leg.interface for leg in offer.legs)
    attachment = offer.attachment
    yield item.name or (attachment.interface if isinstance(attachment, SriovBondAttachment) else default)


def policy_of(pool: Pool) -> str | None:
    """Return the name of the pool's node policy, where it is a single one."""
    selector = pool.intent.spec.nodes
    return None if selector.names or selector.match_expressions else pool.name


def policies(pool: Pool, resolved: Resolved) -> Mapping[str, str | None]:
    """Return the node policies of a pool by name, each with its host; None where one is for all."""
    whole = policy_of(pool)
    if whole:
        return {whole: None}
    hosts = (resolved.servers[node].hostname for node in pool.members)
    return {f"{pool.name}-{host}": host for host in hosts}


def pool_name(network: Network, subnet: Subnet) -> str:
    """Return the name of the central pool of one subnet, where the IPAM keeps pools."""
    if len(network.spec.subnets) == 1:
        return network.name
    return f"{network.name}-{subnet.name}-ipv{subnet.cidr.version}"


def _offers(network: Network, resolved: Resolved) -> Iterator[Offer]:
    places = tuple(_places(network, resolved))
    vfs = Counter(
        cluster for _, attachment, cluster in places if not isinstance(attachment, OverlayAttachment)
    )
    for index, attachment, cluster in places:
        namespaces = attachment.namespaces or resolved.clusters[cluster].namespaces
        name = network.name
        legs: tuple[Leg, ...] = ()
        match attachment:
            case OverlayAttachment():
                name = f"{name}-overlay" if vfs[cluster] else name
            case SriovAttachment():
                name = f"{name}-{attachment.pool}" if vfs[cluster] > 1 else name
            case SriovBondAttachment():
                name = f"{name}-{'-'.join(attachment.pools)}" if vfs[cluster] > 1 else name
                legs = _legs(name, attachment)
        yield Offer(network, index, attachment, cluster, name, namespaces, legs)


def _places(
    network: Network, resolved: Resolved
) -> Iterator[tuple[int, SriovAttachment | SriovBondAttachment | OverlayAttachment, str]]:
    """Yield each attachment of pods, with the clusters that it is for."""
    for index, attachment in enumerate(network.spec.attachments):
        match attachment:
            case SriovAttachment():
                yield index, attachment, resolved.pools[attachment.pool].cluster
            case SriovBondAttachment():
                yield index, attachment, resolved.pools[attachment.pools[0]].cluster
            case OverlayAttachment():
                for cluster in attachment.clusters:
                    yield index, attachment, cluster


def _legs(name: str, attachment: SriovBondAttachment) -> tuple[Leg, ...]:
    # An interface has 15 characters at most, and the letter must fit.
    stem = attachment.interface[:14]
    return tuple(
        Leg(f"{name}-{pool}", pool, f"{stem}{letter}")
        for pool, letter in zip(attachment.pools, "ab", strict=True)
    )
