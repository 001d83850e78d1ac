"""How each IPAM is told what pods may get: whereabouts, nv-ipam, host-local, static, DHCP.

whereabouts hands out the gateway like any other address, so the gateway is always excluded by name. A list of
ranges in one subnet becomes one range with its gaps excluded, because several ranges mean several addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from compiler.derived.addresses import Share, Span, address, hosts, prefixes
from compiler.elements.pods import Addressing, AddressPool, Rule
from compiler.graph import Scope
from intent.scalars import IPAddress, IPNetwork
from renderers.manifest import manifest
from renderers.origins import renamed
from renderers.resource import Key, Resource

_POOL_FIELDS: Final = {
    "name": ("metadata.name", "metadata.annotations"),
    "namespace": ("metadata.namespace",),
    "cidr": ("spec.subnet",),
    "gateway": ("spec.gateway",),
    "taken": ("spec.exclusions",),
    "block": ("spec.perNodeBlockSize",),
    "nodes": ("spec.nodeSelector",),
    "routes": ("spec.routes",),
}


def config(ipam: Addressing, network: str) -> dict[str, Any]:
    """Return the `ipam` of a CNI configuration; empty where nobody hands out addresses."""
    routes = [{"dst": str(prefix), "gw": str(gateway)} for prefix, gateway in ipam.routes]
    extra = {"routes": routes} if routes else {}
    match ipam.mode:
        case "none":
            return {}
        case "dhcp":
            return {"type": "dhcp"}
        case "static":
            return {"type": "static", **extra}
        case "nv-ipam":
            return {"type": "nv-ipam", "poolName": ",".join(ipam.pools)}
        case "host-local":
            sets = [range_set(item.subnet.cidr, item.gateway, item.free()) for item in ipam.shares]
            return {"type": "host-local", "ranges": sets, **extra}
        case "whereabouts":
            return _whereabouts(ipam, network, extra)


def _whereabouts(ipam: Addressing, network: str, extra: dict[str, Any]) -> dict[str, Any]:
    ranges = [_range(item) for item in ipam.shares]
    result: dict[str, Any] = {"type": "whereabouts"}
    result |= ranges[0] if len(ranges) == 1 else {"ipRanges": ranges}
    if len(ranges) == 1 and ipam.shares[0].gateway is not None:
        result["gateway"] = str(ipam.shares[0].gateway)
    # The name keeps equal addresses of separate zones apart; overlapping ranges inside it are still guarded.
    return {**result, **extra, "enable_overlapping_ranges": True, "network_name": network}


def _range(item: Share) -> dict[str, Any]:
    cidr = item.subnet.cidr
    version = cidr.version
    result: dict[str, Any] = {"range": str(cidr)}
    if item.span is not None and item.span != hosts(cidr):
        result["range_start"] = str(address(item.span[0], version))
        result["range_end"] = str(address(item.span[1], version))
    # The gateway is excluded even where the range leaves it out: the range may be widened later.
    taken = [prefix for span in _with_gateway(item) for prefix in prefixes(span, version)]
    if taken:
        result["exclude"] = taken
    return result


def _with_gateway(item: Share) -> list[Span]:
    if item.gateway is None:
        return list(item.taken)
    number = int(item.gateway)
    if any(first <= number <= last for first, last in item.taken):
        return list(item.taken)
    return sorted([*item.taken, (number, number)])


def range_set(cidr: IPNetwork, gateway: IPAddress | None, spans: Iterable[Span]) -> list[dict[str, str]]:
    """Return a range set of host-local: all spans of one subnet, of which each pod gets one address."""
    version = cidr.version
    return [
        {
            "subnet": str(cidr),
            "rangeStart": str(address(first, version)),
            "rangeEnd": str(address(last, version)),
            **({"gateway": str(gateway)} if gateway is not None else {}),
        }
        for first, last in spans
    ]


def pool(scope: Scope, element: AddressPool) -> Resource:
    """Return an IPPool of nv-ipam, which gives every node a block of its own."""
    item = element.share
    version = item.subnet.cidr.version
    spec: dict[str, Any] = {"subnet": str(item.subnet.cidr), "perNodeBlockSize": element.block}
    if item.gateway is not None:
        spec["gateway"] = str(item.gateway)
    exclusions = [
        {"startIP": str(address(first, version)), "endIP": str(address(last, version))}
        for first, last in _exclusions(item)
    ]
    if exclusions:
        spec["exclusions"] = exclusions
    if element.routes:
        spec["routes"] = [{"dst": str(prefix)} for prefix in element.routes]
    if element.nodes:
        terms = [{"matchExpressions": [_expression(rule) for rule in term]} for term in element.nodes]
        spec["nodeSelector"] = {"nodeSelectorTerms": terms}
    name = (element.namespace, element.name)
    return Resource(
        Key("kubernetes", str(scope), "IPPool", "/".join(name)),
        manifest(("nv-ipam.nvidia.com/v1alpha1", "IPPool"), name, element.subject, {"spec": spec}),
        element.subject,
        origins=renamed(element.origins, _POOL_FIELDS),
    )


def _exclusions(item: Share) -> Iterator[Span]:
    """Yield all of the subnet that pods may not get."""
    low, high = hosts(item.subnet.cidr)
    for first, last in item.free():
        if low < first:
            yield low, first - 1
        low = last + 1
    if low <= high:
        yield low, high


def _expression(rule: Rule) -> dict[str, Any]:
    values = {"values": list(rule.values)} if rule.values else {}
    return {"key": rule.key, "operator": rule.operator, **values}
