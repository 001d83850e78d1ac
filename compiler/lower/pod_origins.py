"""Why pod attachments are as they are: origins by network, by pool and by cluster, put together per offer.

What many networks share (the operator of a cluster, the name of a pool's resource, the pools of ids) is made
once for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from compiler.derived.entrances import pooled
from compiler.derived.memo import remembered
from compiler.derived.offers import Offer
from compiler.derived.reasons import NAME, Origins, zone_place
from compiler.resolved import Pool, Resolved
from intent.model import Origin, camel
from intent.source import FieldPath

_SRIOV: Final[FieldPath] = ("spec", "installed", "sriov")


@remembered
def managers(resolved: Resolved) -> Mapping[str, Origins]:
    """Return who makes the VFs of each cluster, in which namespace and under which prefix."""
    return {
        name: (
            Origin("", cluster.intent, (*_SRIOV, "manager")),
            Origin("operator", cluster.intent, (*_SRIOV, "namespace")),
            Origin("prefix", cluster.intent, (*_SRIOV, "resourcePrefix")),
        )
        for name, cluster in resolved.clusters.items()
    }


@remembered
def resources(resolved: Resolved) -> Mapping[str, Origins]:
    """Return why the extended resource of each pool is called as it is, and where it is."""
    found = {}
    for name, pool in resolved.pools.items():
        intent, said = pool.intent, pool.intent.spec.resource_name is not None
        place = ("spec", "resourceName") if said else NAME
        found[name] = (
            Origin("resource", intent, place, "" if said else "named after the pool"),
            Origin("", intent, ("spec", "cluster")),
        )
    return found


def of_offer(offer: Offer, resolved: Resolved) -> Origins:
    """Return what holds for every form of an offer: name, namespaces, ids in the fabric."""
    network, intent, spec = offer.network, offer.network.intent, offer.network.spec
    found = [Origin("", intent, offer.path), Origin("name", intent, NAME)]
    if len(spec.attachments) > 1:
        found.append(Origin("name", intent, ("spec", "attachments"), "named apart from the others"))
    if offer.attachment.namespaces:
        found.append(Origin("namespace", intent, (*offer.path, "namespaces")))
    else:
        cluster = resolved.clusters[offer.cluster].intent
        found.append(Origin("namespace", cluster, ("spec", "namespaces"), "all of the cluster"))
    if network.fabrics:
        found += (
            Origin("fabric", intent, ("spec", "extendToFabric")),
            Origin("fabric", intent, ("spec", "vni"), "" if spec.vni else "leased"),
            Origin("fabric", intent, ("spec", "vlan"), "" if spec.vlan else "leased"),
            *(() if spec.vni else pooled("fabric", "vni", network.fabrics, resolved)),
            *(() if spec.vlan else pooled("fabric", "vlan", network.fabrics, resolved)),
        )
        if network.vrf:
            found.append(Origin("fabric", intent, zone_place(intent)))
    return tuple(found)


_WRITTEN: Final = tuple(
    (name, f"settings.{name}", camel(name))
    for name in (
        "vlan_qos",
        "vlan_proto",
        "spoof_check",
        "trust",
        "link_state",
        "min_tx_rate",
        "max_tx_rate",
    )
)
"""Settings of VFs: as the model, the element and the document call them."""


def of_vf(offer: Offer, pool: Pool, resolved: Resolved) -> Iterator[Origin]:
    """Yield what holds for one VF of an offer."""
    network, intent, spec, path = offer.network, offer.network.intent, offer.network.spec, offer.path
    yield from managers(resolved)[offer.cluster]
    yield from resources(resolved)[pool.name]
    said_here = offer.attachment.model_fields_set
    if "tagging" in said_here:
        yield Origin("vlan", intent, (*path, "tagging"))
    if network.fabrics and getattr(offer.attachment, "tagging", "") == "nic":
        yield Origin("vlan", intent, ("spec", "vlan"), "" if spec.vlan else "leased")
        yield Origin("vlan", intent, ("spec", "extendToFabric"))
        if not spec.vlan:
            yield from pooled("vlan", "vlan", network.fabrics, resolved)
    for name, settings, alias in _WRITTEN:
        if name in said_here:
            yield Origin(settings, intent, (*path, alias))
    if pool.intent.spec.device_type == "netdevice":
        sriov = resolved.clusters[pool.cluster].spec.installed.sriov
        yield from mtus(offer, (pool,), made=sriov is not None and sriov.manager == "operator")
    if spec.mtu or pool.intent.spec.mtu:
        yield Origin("mtu", pool.intent, ("spec", "deviceType"), "kernel devices only")


def mtus(offer: Offer, pools: tuple[Pool, ...], *, made: bool) -> Iterator[Origin]:
    """Yield why an interface has its MTU: that of the network, or of its VFs (`made`: these have theirs)."""
    said = offer.network.spec.mtu is not None
    yield Origin("mtu", offer.network.intent, ("spec", "mtu"))
    for pool in pools if said == made else ():
        # Of two legs, both must say one.
        if all(other is pool or other.intent.spec.mtu for other in pools):
            yield Origin("mtu", pool.intent, ("spec", "mtu"), "MTU of the VFs")


def of_addresses(offer: Offer, resolved: Resolved) -> Iterator[Origin]:
    """Yield why pods get these addresses."""
    intent, spec = offer.network.intent, offer.network.spec
    yield Origin("ipam", intent, ("spec", "ipam"))
    if spec.ipam.mode in ("none", "dhcp"):
        return
    yield Origin("ipam", intent, ("spec", "subnets"))
    if spec.subnets and spec.ipam.mode != "static":
        yield Origin("ipam", intent, ("spec", "gateway"), "the gateway is never handed out")
    if spec.ipam.mode == "central":
        cluster = resolved.clusters[offer.cluster].intent
        yield Origin("ipam", cluster, ("spec", "installed", "ipam"))
