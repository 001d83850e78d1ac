"""Addresses of pods: what the IPAM of a cluster is told of a network."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.derived.addresses import gateway_of, node_block
from compiler.derived.addresses import shares as shares_of
from compiler.derived.offers import Offer, offered, pool_name
from compiler.derived.reasons import NAME, Origins
from compiler.elements.pods import Addressing, AddressPool, Rule
from compiler.resolved import Network, Resolved
from intent.model import Origin, Selector
from intent.scalars import IPAddress, IPNetwork


def addressing(offer: Offer, resolved: Resolved) -> Addressing:
    """Return how the pods of an offer get addresses."""
    spec = offer.network.spec
    mode = spec.ipam.mode
    if mode in {"none", "dhcp"}:
        return Addressing(mode)
    if not spec.subnets:
        return Addressing("static" if mode == "static" else "none")
    routes = _routes(offer.network) if spec.ipam.routes else ()
    if mode == "static":
        return Addressing(mode, routes=routes)
    shares = shares_of(offer.network, offer.cluster, resolved)
    if mode == "hostLocal":
        return Addressing("host-local", shares, routes=routes)
    central = resolved.clusters[offer.cluster].spec.installed.ipam or "none"
    pools = tuple(pool_name(offer.network, item.subnet) for item in shares) if central == "nv-ipam" else ()
    return Addressing(central, shares, pools, routes)


def _routes(network: Network) -> tuple[tuple[IPNetwork, IPAddress], ...]:
    """Return the routes of pods, each over the first gateway of its family."""
    gateways: dict[int, IPAddress] = {}
    for subnet in network.spec.subnets:
        gateway = gateway_of(network.spec, subnet)
        if gateway is not None:
            gateways.setdefault(gateway.version, gateway)
    routes = network.spec.ipam.routes
    return tuple((prefix, gateways[prefix.version]) for prefix in routes if prefix.version in gateways)


def address_pools(offer: Offer, ipam: Addressing, resolved: Resolved) -> Iterator[AddressPool]:
    """Yield the pools that the IPAM of the cluster keeps, once for all offers of the network there."""
    if ipam.mode != "nv-ipam":
        return
    network, spec = offer.network, offer.network.spec
    others = [other for other in offered(resolved)[offer.cluster, network.name] if other.pools]
    if others[0] is not offer:
        return
    pools = dict.fromkeys(pool for other in others for pool in other.pools)
    nodes = tuple(dict.fromkeys(rules(resolved.pools[pool].intent.spec.nodes, resolved) for pool in pools))
    for index, (item, name) in enumerate(zip(ipam.shares, ipam.pools, strict=True)):
        version = item.subnet.cidr.version
        yield AddressPool(
            subject=f"{network.intent.subject}/addresses",
            origins=_origins(offer, others, index, resolved),
            name=name,
            namespace=resolved.clusters[offer.cluster].spec.installed.ipam_namespace,
            share=item,
            block=node_block(spec),
            nodes=() if () in nodes else nodes,
            routes=tuple(prefix for prefix, _ in ipam.routes if prefix.version == version),
        )


def _origins(offer: Offer, others: list[Offer], index: int, resolved: Resolved) -> Origins:
    """Return why a pool is as it is; the offers of the network in the cluster share it."""
    intent, cluster = offer.network.intent, resolved.clusters[offer.cluster].intent
    subnet = ("spec", "subnets", index)
    said = intent.spec.subnets[index].gateway is not None
    pools = dict.fromkeys(pool for other in others for pool in other.pools)
    return (
        Origin("", intent, subnet),
        Origin("", intent, ("spec", "ipam", "mode")),
        Origin("", intent, ("spec", "attachments")),
        *(Origin("", resolved.pools[pool].intent, ("spec", "cluster")) for pool in pools),
        Origin("", cluster, ("spec", "installed", "ipam")),
        Origin("namespace", cluster, ("spec", "installed", "ipamNamespace")),
        Origin("name", intent, NAME),
        Origin("name", intent, ("spec", "subnets"), "named apart from the others"),
        Origin("cidr", intent, (*subnet, "cidr")),
        Origin("gateway", intent, (*subnet, "gateway"), "" if said else "the first address"),
        Origin("gateway", intent, ("spec", "gateway")),
        Origin("taken", intent, ("spec", "ipam"), "gateway, fixed, excluded, or outside the ranges"),
        Origin("taken", intent, ("spec", "gateway")),
        Origin("block", intent, ("spec", "ipam", "perNodeBlockSize")),
        Origin("nodes", intent, ("spec", "attachments"), "nodes of the pools"),
        *(Origin("nodes", resolved.pools[pool].intent, ("spec", "nodes")) for pool in pools),
        Origin("routes", intent, ("spec", "ipam", "routes")),
        Origin("routes", intent, ("spec", "gateway")),
    )


def rules(selector: Selector, resolved: Resolved) -> tuple[Rule, ...]:
    """Return a selector of nodes as rules on the labels that Kubernetes knows them by; none for all nodes."""
    found = [Rule(key=key, operator="In", values=(value,)) for key, value in selector.match_labels.items()]
    if selector.names:
        hosts = tuple(resolved.servers[name].hostname for name in selector.names)
        found.append(Rule(key="kubernetes.io/hostname", operator="In", values=hosts))
    found += [
        Rule(key=rule.key, operator=rule.operator, values=rule.values) for rule in selector.match_expressions
    ]
    return tuple(found)
