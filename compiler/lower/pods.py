"""Pod attachments of a cluster: pools of VFs, networks per namespace, addresses, lines for workloads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from compiler.allocated import Allocated
from compiler.derived.offers import Leg, Offer, offers, policy_of
from compiler.elements.pods import (
    Addressing,
    BondAttachment,
    FabricLink,
    OverlayAttachment,
    SriovAttachment,
)
from compiler.graph import Element
from compiler.lower.addressing import address_pools, addressing
from compiler.lower.pod_origins import mtus, of_addresses, of_offer, of_vf
from compiler.lower.vfs import lower_pools, resource_of
from compiler.lower.workloads import fixed_macs, lower_workloads
from compiler.resolved import Network, Pool, Resolved
from intent.kinds import virtual_network as kinds
from intent.model import LazyOrigins, Origin, camel


def lower_pods(allocated: Allocated, name: str) -> Iterator[Element]:
    """Yield the pod attachments of a cluster."""
    resolved = allocated.resolved
    yield from lower_pools(resolved, name)
    for offer in offers(resolved)[name]:
        if isinstance(offer.attachment, kinds.OverlayAttachment):
            yield from _overlay(offer, allocated)
            continue
        ipam = addressing(offer, resolved)
        yield from address_pools(offer, ipam, resolved)
        if isinstance(offer.attachment, kinds.SriovAttachment):
            yield from _single(offer, ipam, allocated)
        else:
            yield from _bond(offer, ipam, allocated)
    yield from lower_workloads(resolved, name)


def _single(offer: Offer, ipam: Addressing, allocated: Allocated) -> Iterator[Element]:
    yield from _vfs(offer, Leg(offer.name, offer.pools[0], ""), ipam, allocated)


def _bond(offer: Offer, ipam: Addressing, allocated: Allocated) -> Iterator[Element]:
    """Yield the legs, which have no addresses, and the bond, which has them."""
    attachment, resolved = offer.attachment, allocated.resolved
    assert isinstance(attachment, kinds.SriovBondAttachment)  # noqa: S101 -- for the type checker
    for leg in offer.legs:
        yield from _vfs(offer, leg, Addressing("none"), allocated)
    origins = LazyOrigins(partial(_bond_origins, offer, resolved))
    for index, namespace in enumerate(offer.namespaces):
        yield BondAttachment(
            subject=offer.network.intent.subject,
            origins=origins,
            network=offer.network.name,
            name=offer.name,
            namespace=namespace,
            links=tuple(leg.interface for leg in offer.legs),
            legs=tuple(leg.name for leg in offer.legs),
            operator=_operator(offer, allocated, index),
            mode=attachment.mode,
            fail_over_mac=attachment.fail_over_mac,
            miimon=attachment.miimon,
            mtu=offer.network.spec.mtu or _common_mtu(offer, resolved),
            ipam=ipam,
            ips=_ips(ipam),
            fabric=_fabric(offer.network, allocated),
        )


def _bond_origins(offer: Offer, resolved: Resolved) -> Iterator[Origin]:
    intent, path = offer.network.intent, offer.path
    yield from of_offer(offer, resolved)
    for field in ("mode", "fail_over_mac", "miimon"):
        yield Origin(field, intent, (*path, camel(field)))
    yield Origin("links", intent, (*path, "interface"), "named after the bond")
    yield from mtus(offer, tuple(resolved.pools[pool] for pool in offer.pools), made=False)
    yield from of_addresses(offer, resolved)


def _common_mtu(offer: Offer, resolved: Resolved) -> int | None:
    """Return the MTU that both legs of a bond have; None where one of them does not say."""
    said = [resolved.pools[pool].intent.spec.mtu for pool in offer.pools]
    return None if None in said else min(said)


def _vfs(offer: Offer, leg: Leg, ipam: Addressing, allocated: Allocated) -> Iterator[Element]:
    """Yield the attachment of one VF, once per namespace."""
    resolved, network, settings = allocated.resolved, offer.network, offer.attachment
    assert isinstance(settings, kinds.VfSettings)  # noqa: S101 -- for the type checker
    pool = resolved.pools[leg.pool]
    vlan = allocated.vlan.get((network.name,), 0) if settings.tagging == "nic" else 0
    own = _own_mtu(network, pool, resolved)
    resource, policy, fabric = resource_of(pool, resolved), policy_of(pool), _fabric(network, allocated)
    fixed = fixed_macs(resolved).get((offer.cluster, network.name), ())
    origins = LazyOrigins(partial(_vf_origins, offer, pool, fixed, resolved))
    for index, namespace in enumerate(offer.namespaces):
        yield SriovAttachment(
            subject=network.intent.subject,
            origins=origins,
            network=network.name,
            name=leg.name,
            namespace=namespace,
            pool=pool.name,
            resource=resource,
            operator=_operator(offer, allocated, index),
            policy=policy,
            vlan=vlan,
            settings=settings,
            ipam=ipam,
            mtu=own,
            ips=_ips(ipam),
            mac=bool(fixed),
            fabric=fabric,
        )


def _vf_origins(offer: Offer, pool: Pool, fixed: Iterable[Origin], resolved: Resolved) -> Iterator[Origin]:
    """Yield why a VF is as it is; the legs of a bond have no addresses."""
    yield from of_offer(offer, resolved)
    yield from of_vf(offer, pool, resolved)
    if not offer.legs:
        yield from of_addresses(offer, resolved)
    yield from fixed


def _own_mtu(network: Network, pool: Pool, resolved: Resolved) -> int | None:
    """Return the MTU that a VF is given in the pod, where whoever made the VF did not give it already."""
    spec = pool.intent.spec
    if spec.device_type != "netdevice":
        return None  # a VF that belongs to DPDK has no kernel device whose MTU could be set
    sriov = resolved.clusters[pool.cluster].spec.installed.sriov
    wanted: int | None = network.spec.mtu or spec.mtu
    made = spec.mtu if sriov and sriov.manager == "operator" else None  # the device plugin sets up nothing
    return None if wanted == made else wanted


def _overlay(offer: Offer, allocated: Allocated) -> Iterator[OverlayAttachment]:
    zone = offer.network.vrf or ""
    origins = LazyOrigins(partial(of_offer, offer, allocated.resolved))
    for namespace in offer.namespaces:
        yield OverlayAttachment(
            subject=offer.network.intent.subject,
            origins=origins,
            network=offer.network.name,
            name=offer.name,
            namespace=namespace,
            zone=zone,
            table=allocated.table.get((offer.cluster, zone), 0),
            fabric=_fabric(offer.network, allocated),
        )


def _operator(offer: Offer, allocated: Allocated, index: int) -> str | None:
    """Return the namespace of the operator, if it shall make the NAD.

    It names the NAD after its own object, which can exist once: it serves the first namespace. NADs in the
    others are ours, equal to what it would write.
    """
    sriov = allocated.resolved.clusters[offer.cluster].spec.installed.sriov
    return sriov.namespace if sriov and sriov.manager == "operator" and index == 0 else None


def _ips(ipam: Addressing) -> bool:
    return ipam.mode in ("static", "nv-ipam")


def _fabric(network: Network, allocated: Allocated) -> FabricLink | None:
    if not network.fabrics:
        return None
    key = (network.name,)
    return FabricLink(allocated.vni.get(key), allocated.vlan.get(key), network.vrf)
