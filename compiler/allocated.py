"""The noun after allocation: every id, by what it is for.

This is all that one scope may know of another: a node's slice reads the SIDs, BSIDs and blocks of its peers
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network
from typing import Any, Literal

from compiler.resolved import Resolved
from intent.scalars import IPNetwork

Family = Literal["ipv4", "ipv6"]
PODS = ""
"""Stands for the default network of pods where a zone is asked for."""
MAIN = 0
"""Table of the underlay, on nodes and routers."""
DEFAULT = ""
"""Stands for the default path where an SRv6Policy is asked for."""
CSID_SHIFT = 64
"""Where the function of a service SID stands that headends pack: in the fourth 16 bits of the address."""


@dataclass(frozen=True, slots=True)
class Allocated:
    """Resolved intent, and every id that is ours."""

    resolved: Resolved
    vni: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    """Layer-2 VNI by (network,)."""
    vlan: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    """VLAN by (network,), the same in all its fabrics."""
    l3vni: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    """Layer-3 VNI by (zone,)."""
    zone_vlan: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    """VLAN that carries the layer-3 VNI on switches, by (zone, fabric)."""
    table: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    """Routing table by (cluster, zone); zone PODS is the default network of pods. Ask `table_of`."""
    function: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    """Function part of service SIDs by (cluster, zone, family)."""
    localsids: Mapping[tuple[str, ...], IPv6Network] = field(default_factory=dict)
    """Block of service SIDs by (node,)."""
    pods: Mapping[tuple[str, ...], IPNetwork] = field(default_factory=dict)
    """Block of pod addresses by (node, family)."""
    block: Mapping[tuple[str, ...], IPNetwork] = field(default_factory=dict)
    """Block of an overlay network by (network, subnet prefix, node)."""
    bsid: Mapping[tuple[str, ...], IPv6Address] = field(default_factory=dict)
    """Binding SID by (egress node, zone, family, policy); the same at every headend."""
    built: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Indexes that were built from it (compiler/derived/memo.py)."""

    def sid(self, node: str, zone: str, family: Family) -> IPv6Address:
        """Return the service SID (End.DT4 or End.DT6) of a zone on a node of ours."""
        cluster = self.resolved.servers[node].cluster or ""
        overlay, function = self.resolved.clusters[cluster].spec.srv6, self.function[cluster, zone, family]
        # To be packed, it stands right behind the C-SID of the node (RFC 9800).
        shift = CSID_SHIFT if overlay and overlay.encapsulation == "usid" else 0
        return self.localsids[node,].network_address + (function << shift)

    def table_of(self, cluster: str, zone: str) -> int:
        """Return the routing table of a zone in a cluster; pods of Linux nodes have none but the main one."""
        return self.table.get((cluster, zone), MAIN)

    @classmethod
    def of(cls, resolved: Resolved, values: Mapping[str, Mapping[tuple[str, ...], Any]]) -> Allocated:
        """Build from tables by slot."""
        return cls(resolved, **values)
