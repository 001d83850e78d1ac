"""Pod attachments of a cluster: pools of VFs, networks per namespace, central addresses, lines for workloads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from compiler.addresses import Share, gateway_of, share
from compiler.allocated import Allocated
from compiler.elements.pods import (
    AddressMode,
    AddressPool,
    Addressing,
    BondAttachment,
    FabricLink,
    OverlayAttachment,
    Rule,
    SriovAttachment,
)
from compiler.graph import Element
from compiler.lower.vfs import lower_pools, node_policy, resource_of
from compiler.lower.workloads import lower_workloads
from compiler.memo import remembered
from compiler.offers import Leg, Offer, offers
from compiler.resolved import Network, Pool, Resolved
from intent.kinds import virtual_network as intent_kinds
from intent.model import Intent, LabelSelectorRule, Origin, Selector

BLOCK = 16
"""Addresses that a node takes at once, where nothing is said: a constant, so that new nodes move no block."""


def lower_pods(allocated: Allocated, name: str) -> Iterator[Element]:
    """Yield the pod attachments of a cluster."""
    resolved = allocated.resolved
    yield from lower_pools(resolved, name)
    cluster = resolved.clusters[name]
    for offer in offers(resolved)[name]:
        if isinstance(offer.attachment, intent_kinds.OverlayAttachment):
            yield from _overlay(offer, allocated)
            continue
        ipam = addressing(offer.network, cluster.spec.installed.ipam, offer.cluster)
        yield from address_pools(offer, ipam, resolved)
        common = _Common(offer, ipam, allocated)
        for namespace in offer.namespaces:
            yield from _vfs(common, namespace)
    yield from lower_workloads(resolved, name)


def addressing(network: Network, installed: AddressMode | None, cluster: str) -> Addressing:
    """Return how pods of a cluster get addresses of a network."""
    spec = network.spec
    mode = spec.ipam.mode
    if not spec.subnets and mode in ("central", "hostLocal"):
        return Addressing("none")
    match mode:
        case "none" | "dhcp" | "static":
            return Addressing(mode, (), _routes(network) if mode == "static" else ())
        case _:
            shares = tuple(share(spec, subnet, cluster) for subnet in spec.subnets)
            chosen: AddressMode = "host-local" if mode == "hostLocal" else installed or "none"
            return Addressing(chosen, shares, _routes(network))


def _routes(network: Network) -> tuple[tuple[intent_kinds.Prefix, intent_kinds.IP], ...]:
    if not network.spec.ipam.routes:
        return ()
    gateways = {}
    for subnet in network.spec.subnets:
        gateway = gateway_of(network.spec, subnet)
        if gateway is not None:
            gateways.setdefault(gateway.version, gateway)
    return tuple(
        (prefix, gateways[prefix.version]) for prefix in network.spec.ipam.routes if prefix.version in gateways
    )


def address_pools(offer: Offer, ipam: Addressing, resolved: Resolved) -> Iterator[AddressPool]:
    """Yield the pools that the IPAM of the cluster keeps for a network, once for all of its attachments there."""
    if ipam.mode != "nv-ipam" or offer is not _first(resolved)[offer.cluster, offer.network.name]:
        return
    network, spec = offer.network, offer.network.spec
    namespace = resolved.clusters[offer.cluster].spec.installed.ipam_namespace
    nodes = tuple(
        dict.fromkeys(
            rules(resolved.pools[pool].intent.spec.nodes)
            for other in _by_network(resolved)[offer.cluster, network.name]
            for pool in other.pools
        )
    )
    for index, item in enumerate(ipam.shares):
        yield AddressPool(
            subject=f"{network.intent.subject}/addresses",
            origins=_pool_origins(network.intent, index),
            name=pool_name(network, item),
            namespace=namespace,
            share=item,
            block=spec.ipam.per_node_block_size or BLOCK,
            nodes=nodes,
            routes=tuple(
                prefix for prefix, _ in ipam.routes if prefix.version == item.subnet.cidr.version
            ),
        )


def _pool_origins(intent: Intent, index: int) -> tuple[Origin, ...]:
    subnet = ("spec", "subnets", index)
    return (
        Origin("", intent, subnet),
        Origin("cidr", intent, (*subnet, "cidr")),
        Origin("gateway", intent, (*subnet, "gateway"), "" if intent.spec.subnets[index].gateway else "first address"),
        Origin("exclusions", intent, ("spec", "ipam"), "gateway, fixed, excluded, or outside the ranges"),
        Origin("block", intent, ("spec", "ipam", "perNodeBlockSize")),
        Origin("nodes", intent, ("spec", "attachments"), "nodes of the pools"),
        Origin("routes", intent, ("spec", "ipam", "routes")),
    )


def pool_name(network: Network, item: Share) -> str:
    """Return the name of a central pool."""
    several = len(network.spec.subnets) > 1
    return f"{network.name}-{item.subnet.name}-ipv{item.subnet.cidr.version}" if several else network.name


def rules(selector: Selector) -> tuple[Rule, ...]:
    """Return a selector of nodes as rules on their labels."""
    found = [Rule(key="kubernetes.io/hostname", operator="In", values=selector.names)] if selector.names else []
    found += [Rule(key=key, operator="In", values=(value,)) for key, value in selector.match_labels.items()]
    return (*found, *map(_rule, selector.match_expressions))


def _rule(rule: LabelSelectorRule) -> Rule:
    return Rule(key=rule.key, operator=rule.operator, values=rule.values)
