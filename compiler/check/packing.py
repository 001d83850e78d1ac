"""Checks of clusters whose headends pack SIDs into carriers: form of service SIDs, locators of routers.

32 bits of block and 16 bits for each SID (F3216, RFC 9800). What has another form is written as it is, in an
address of its own, so a wrong form loses no packet; only of service SIDs, which are ours, it is an error.
"""

from __future__ import annotations

from ipaddress import IPv6Address

from compiler.derived.overlay import owns_sids
from compiler.derived.packing import NODE_BITS, csids_of
from compiler.derived.segments import step_at
from compiler.resolved import Cluster, Resolved
from compiler.te.carriers import BLOCK_BITS, CSID_BITS
from compiler.te.topology import Sid
from intent.diagnostics import Related, Report
from intent.kinds.cluster import Overlay

LARGEST_CSID = 0xFFFF


def check_packing(cluster: Cluster, overlay: Overlay, resolved: Resolved, report: Report) -> None:
    """Check that service SIDs can be packed, and say which routers have no SID that can be."""
    if owns_sids(cluster):
        _service_sids(cluster, overlay, resolved, report)
    block = int(overlay.localsids.network_address) >> (128 - BLOCK_BITS) if owns_sids(cluster) else None
    for name, router in resolved.underlay.routers.items():
        small = csids_of(step_at(Sid(name), resolved), resolved)
        intent, path = resolved.underlay.router_origin[name]
        if small is None:
            why = f"its locator is a /{router.locator.prefixlen}, not a /{NODE_BITS}"
            if router.locator.prefixlen == NODE_BITS:
                why = f"its End SID {router.sid} has bits behind the locator"
            hint = f"where it does NEXT-C-SID, say endSid: {router.locator.network_address}"
        elif block not in (None, small.block):
            why, hint = f"its locator lies in another /{BLOCK_BITS} than {overlay.localsids}", ""
        else:
            continue
        text = f"SIDs of router {name!r} take an address each in lists of cluster {cluster.name!r}: {why}"
        report.note("IC2651", intent.span(*path, "name"), text, hint)
    _functions(overlay if owns_sids(cluster) else None, resolved, report)


def _functions(overlay: Overlay | None, resolved: Resolved, report: Report) -> None:
    """Check that no function of a router is a C-SID of somebody else: behind its own they look the same."""
    routers = {}
    for name in resolved.underlay.routers:
        small = csids_of(step_at(Sid(name), resolved), resolved)
        if small:
            routers[small.block, small.csids[0]] = f"router {name!r}"
    for name, link in resolved.underlay.links.items():
        for at, end in enumerate(link.ends):
            if end.at not in resolved.underlay.routers or end.end_x_sid is None:
                continue
            small = csids_of(step_at(Sid(end.at, name), resolved), resolved)
            if small is None:
                continue
            block, function = small.block, small.csids[1]
            whose = routers.get((block, function), "")
            if overlay and _lies_in(block, function, overlay):
                whose = "nodes, which localsids give out"
            if whose:
                intent, path = resolved.underlay.link_origin[name]
                report.error(
                    "IC2650",
                    intent.span(*path, "ends", at, "endXSid"),
                    f"End.X SID {end.end_x_sid} of link {name!r} cannot be told from a carrier that passes "
                    f"{end.at!r} first: its function {function:x} is the C-SID of {whose}",
                    "take a function that nobody has as its C-SID",
                )


def _lies_in(block: int, csid: int, overlay: Overlay) -> bool:
    """Say whether a C-SID may be that of a node of ours."""
    address = IPv6Address((block << CSID_BITS | csid) << (128 - NODE_BITS))
    return address in overlay.localsids


def _service_sids(cluster: Cluster, overlay: Overlay, resolved: Resolved, report: Report) -> None:
    intent = cluster.intent
    if overlay.localsid_block_size != NODE_BITS:
        report.error(
            "IC2650",
            intent.span("spec", "srv6", "localsidBlockSize"),
            f"service SIDs of cluster {cluster.name!r} cannot be packed: each node has a "
            f"/{overlay.localsid_block_size}, not a /{NODE_BITS}",
            f"write localsidBlockSize: {NODE_BITS}, and localsids with room in the block of the routers",
            [Related(intent.span("spec", "srv6", "encapsulation"), "packed because of this")],
        )
    if overlay.localsids.prefixlen < BLOCK_BITS:
        report.error(
            "IC2650",
            intent.span("spec", "srv6", "localsids"),
            f"localsids {overlay.localsids} spread over several blocks of {BLOCK_BITS} bits",
            f"use a part of one /{BLOCK_BITS}, that of the routers",
        )
    if any(high > LARGEST_CSID for _, high in resolved.spec.pools.sid_function.spans):
        report.error(
            "IC2650",
            resolved.project.span("spec", "pools", "sidFunction"),
            f"functions of SIDs that are packed have 16 bits: at most {LARGEST_CSID}",
            "end the pool there",
            [Related(intent.span("spec", "srv6", "encapsulation"), "packed because of this")],
        )
