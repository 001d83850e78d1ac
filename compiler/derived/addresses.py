"""Which addresses of a subnet pods may get: the arithmetic that checks, lowering and capacity share.

Spans are pairs of whole numbers (first and last address, both included); networks of ten thousand subnets are
judged with them, so nothing here builds address objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise
from typing import Final, NamedTuple

from compiler.derived.memo import remembered
from compiler.resolved import Network, Resolved
from intent.kinds.virtual_network import Subnet, VirtualNetworkSpec
from intent.scalars import IPAddress, IPNetwork

Span = tuple[int, int]
_BLOCK: Final = 16
"""Addresses that a node takes at once, where nothing is said: a constant, so that new nodes move no block."""


class Share(NamedTuple):
    """What the pods of one cluster may get of a subnet: everything from first to last that is not taken."""

    subnet: Subnet
    gateway: IPAddress | None
    """The gateway in force; one of the taken addresses."""
    span: Span | None
    """First and last address; None where nothing is left."""
    taken: tuple[Span, ...]
    """Sorted, separate spans inside `span` that are not handed out."""

    @property
    def size(self) -> int:
        """How many addresses pods may get."""
        return sum(last - first + 1 for first, last in self.free())

    def free(self, within: Span | None = None) -> Iterator[Span]:
        """Yield the spans that pods may get, in order; only those parts that lie inside `within`."""
        if self.span is None:
            return
        low, high = self.span if within is None else clip(self.span, within) or (1, 0)
        for first, last in self.taken:
            if first > low:
                yield low, min(first - 1, high)
            low = max(low, last + 1)
            if low > high:
                return
        if low <= high:
            yield low, high


class BlockShare(NamedTuple):
    """What one node hands out of its own block of a subnet."""

    block: IPNetwork
    gateway: IPAddress
    """First address of the block: the node itself."""
    spans: tuple[Span, ...]
    """Addresses for pods."""


def hosts(cidr: IPNetwork) -> Span:
    """Return the addresses of hosts: without network and broadcast (RFC 3021 keeps both ends of a /31)."""
    low, bits = int(cidr.network_address), cidr.max_prefixlen - cidr.prefixlen
    high = low + (1 << bits) - 1
    if bits < 2:  # noqa: PLR2004 -- two addresses or one: all of them are hosts
        return low, high
    return low + 1, high - (cidr.version == 4)  # noqa: PLR2004 -- IPv6 has no broadcast


def gateway_of(spec: VirtualNetworkSpec, subnet: Subnet) -> IPAddress | None:
    """Return the gateway of a subnet, where somebody routes or an address was said."""
    return subnet.gateway if spec.gateway == "none" else subnet.gateway_address


def node_block(spec: VirtualNetworkSpec) -> int:
    """Return how many addresses a node takes at once from an IPAM that hands out blocks (nv-ipam)."""
    return spec.ipam.per_node_block_size or _BLOCK


@remembered
def _shares(_: Resolved) -> dict[tuple[str, str], tuple[Share, ...]]:
    """Return the shares that were asked for already, by network and cluster."""
    return {}


def shares(network: Network, cluster: str, resolved: Resolved) -> tuple[Share, ...]:
    """Return what the pods of a cluster may get of a network, subnet by subnet."""
    known, key = _shares(resolved), (network.name, cluster)
    if key not in known:
        known[key] = tuple(share(network.spec, subnet, cluster) for subnet in network.spec.subnets)
    return known[key]


def share(spec: VirtualNetworkSpec, subnet: Subnet, cluster: str) -> Share:
    """Return what the pods of a cluster may get of a subnet."""
    cidr, ipam = subnet.cidr, spec.ipam
    version, whole = cidr.version, hosts(cidr)
    gateway = gateway_of(spec, subnet)
    if not (ipam.ranges or ipam.fixed or ipam.excludes):
        return Share(subnet, gateway, whole, () if gateway is None else _within(int(gateway), whole))
    wanted = [whole]
    if ipam.ranges:
        inside = [
            (entry.cluster, part)
            for entry in ipam.ranges
            if entry.first.version == version and (part := clip((int(entry.first), int(entry.last)), whole))
        ]
        if inside:
            wanted = sorted(part for owner, part in inside if owner in (None, cluster))
    if not wanted:
        return Share(subnet, gateway, None, ())
    span = (wanted[0][0], max(last for _, last in wanted))
    taken = [(one[1] + 1, two[0] - 1) for one, two in pairwise(wanted)]
    if gateway is not None:
        number = int(gateway)
        taken.append((number, number))
    taken += [(int(entry.address),) * 2 for entry in ipam.fixed if entry.address.version == version]
    taken += [ends(prefix) for prefix in ipam.excludes if prefix.version == version]
    return Share(subnet, gateway, span, merged(part for item in taken if (part := clip(item, span))))


def _within(number: int, span: Span) -> tuple[Span, ...]:
    return ((number, number),) if span[0] <= number <= span[1] else ()


def block_share(block: IPNetwork, whole: Share | None = None) -> BlockShare:
    """Return what a node hands out of its block: what pods may get, without the node's own address."""
    low, high = hosts(block)
    if block.max_prefixlen - block.prefixlen < 2:  # noqa: PLR2004 -- host-local refuses blocks of two addresses
        return BlockShare(block, address(low, block.version), ())
    free = [(low, high)] if whole is None else list(whole.free((low, high)))
    spans = [(max(first, low + 1), last) for first, last in free if last > low]
    return BlockShare(block, address(low, block.version), tuple(spans))


def ends(prefix: IPNetwork) -> Span:
    """Return the first and last address of a prefix."""
    low = int(prefix.network_address)
    return low, low + (1 << (prefix.max_prefixlen - prefix.prefixlen)) - 1


def clip(span: Span, within: Span) -> Span | None:
    """Return the part of a span that lies inside another."""
    low, high = max(span[0], within[0]), min(span[1], within[1])
    return (low, high) if low <= high else None


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return spans sorted, with those that touch or overlap made one."""
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return tuple(found)


def prefixes(span: Span, version: int) -> Iterator[str]:
    """Yield the fewest prefixes that together are a span."""
    bits = 32 if version == 4 else 128  # noqa: PLR2004 -- the two versions of IP
    low, high = span
    if low == high:
        yield f"{address(low, version)}/{bits}"
        return
    while low <= high:
        size = min((low & -low).bit_length() - 1 if low else bits, (high - low + 1).bit_length() - 1)
        yield f"{address(low, version)}/{bits - size}"
        low += 1 << size


def address(value: int, version: int) -> IPAddress:
    """Return the address that a number stands for."""
    return IPv4Address(value) if version == 4 else IPv6Address(value)  # noqa: PLR2004 -- the two versions of IP
