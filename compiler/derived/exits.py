"""Ways out: which zone leaves which fabric, and which link a neighbour is on.

A neighbour and a next hop belong to the link whose prefix holds them; a neighbour that is several hops away
belongs to the first link of its switch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Literal

from compiler.resolved import Resolved
from intent.kinds.external_connection import BorderPort, ExternalConnectionSpec, ExternalPeer
from intent.scalars import IPAddress, IPNetwork


def exit_fabrics(resolved: Resolved) -> Mapping[str, set[str]]:
    """Return the fabrics that each zone leaves; a zone without a way out has none."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for intent in resolved.of("ExternalConnection").values():
        found[intent.spec.zone].add(intent.spec.fabric)
    return found


def family_of(value: IPNetwork | IPAddress) -> Literal["ipv4", "ipv6"]:
    """Return the address family as a word."""
    return "ipv4" if value.version == 4 else "ipv6"  # noqa: PLR2004 -- the IP version


def link_of(peer: ExternalPeer, spec: ExternalConnectionSpec) -> BorderPort | None:
    """Return the link to a neighbour: the one whose prefix holds it, or the first of its switch."""
    here = [port for port in spec.ports if port.switch == peer.switch]
    near = next((port for port in here if port.address and peer.address in port.address), None)
    return near or (here[0] if here and peer.multihop else None)


def local_address(port: BorderPort) -> str | None:
    """Return our address on a link with its prefix length."""
    if port.address is None:
        return None
    # RFC 3021 and RFC 6164: both addresses of a /31 or /127 are hosts.
    first = port.address.network_address + (
        0 if port.address.max_prefixlen - port.address.prefixlen <= 1 else 1
    )
    return f"{port.local or first}/{port.address.prefixlen}"
