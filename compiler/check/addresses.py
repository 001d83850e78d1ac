"""Checks of addresses: inside their subnets, handed out once, and enough for the expected pods."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from compiler.allocated import Allocated
from compiler.check.vfs import pods_of
from compiler.derived.addresses import (
    Span,
    block_share,
    clip,
    ends,
    gateway_of,
    hosts,
    node_block,
    share,
    shares,
)
from compiler.derived.attachments import pool_nics
from compiler.derived.offers import Offer, choose, offers
from compiler.resolve.names import pools_of
from compiler.resolved import Network, Resolved
from intent.diagnostics import Related, Report
from intent.kinds.virtual_network import OverlayAttachment, VirtualNetworkSpec
from intent.model import Intent
from intent.scalars import IPAddress
from intent.source import FieldPath

IPAM: FieldPath = ("spec", "ipam")


def check_addresses(resolved: Resolved, report: Report) -> None:
    """Check what each network says of its addresses."""
    for network in resolved.networks.values():
        ipam = network.spec.ipam
        if ipam.ranges:
            _check_ranges(network, resolved, report)
        if ipam.excludes or ipam.fixed:
            _check_reserved(network, report)
        if ipam.routes:
            _check_routes(network, report)
    _check_chosen(resolved, report)


def _check_ranges(network: Network, resolved: Resolved, report: Report) -> None:
    intent, spec = network.intent, network.spec
    subnets = [(subnet.cidr.version, hosts(subnet.cidr)) for subnet in spec.subnets]
    clusters = {resolved.pools[pool].cluster for item in spec.attachments for pool in pools_of(item)}
    rows = sorted(
        (entry.first.version, int(entry.first), int(entry.last), index)
        for index, entry in enumerate(spec.ipam.ranges)
    )
    for position, (version, first, last, index) in enumerate(rows):
        entry = spec.ipam.ranges[index]
        path: FieldPath = (*IPAM, "ranges", index)
        if not any(version == own and clip((first, last), span) == (first, last) for own, span in subnets):
            text = f"range {entry.first}-{entry.last} does not lie among the hosts of one subnet"
            report.error("IC2351", intent.span(*path), text, _subnets_of(spec))
        if entry.cluster and entry.cluster not in clusters:
            text = f"network {network.name!r} has no VFs in cluster {entry.cluster!r}"
            report.error("IC2352", intent.span(*path, "cluster"), text, "attach a pool of that cluster")
        if position and rows[position - 1][0] == version and rows[position - 1][2] >= first:
            other = rows[position - 1][3]
            text = f"range {entry.first}-{entry.last} overlaps another"
            place = [Related(intent.span(*IPAM, "ranges", other), "the other range")]
            report.error("IC2353", intent.span(*path), text, "make the ranges separate", place)


def _subnets_of(spec: VirtualNetworkSpec) -> str:
    return "the subnets are " + ", ".join(str(subnet.cidr) for subnet in spec.subnets)


def _check_reserved(network: Network, report: Report) -> None:
    intent, spec = network.intent, network.spec
    gateways = {gateway for subnet in spec.subnets if (gateway := gateway_of(spec, subnet))}
    for index, prefix in enumerate(spec.ipam.excludes):
        if not any(
            prefix.version == s.cidr.version and clip(ends(prefix), ends(s.cidr)) for s in spec.subnets
        ):
            text = f"{prefix} excludes nothing: it lies outside every subnet"
            report.error("IC2351", intent.span(*IPAM, "excludes", index), text, _subnets_of(spec))
    owners: dict[IPAddress, int] = {}
    for index, entry in enumerate(spec.ipam.fixed):
        span_of: FieldPath = (*IPAM, "fixed", index, "address")
        number, version = int(entry.address), entry.address.version
        if not any(version == s.cidr.version and clip((number, number), hosts(s.cidr)) for s in spec.subnets):
            text = f"{entry.address} of {entry.owner!r} is no host address of any subnet"
            report.error("IC2351", intent.span(*span_of), text, _subnets_of(spec))
        if entry.address in gateways:
            text = f"{entry.address} of {entry.owner!r} is the gateway"
            report.error("IC2354", intent.span(*span_of), text, "give it another address")
        first = owners.setdefault(entry.address, index)
        if first != index:
            text = f"{entry.address} is fixed twice"
            place = [Related(intent.span(*IPAM, "fixed", first), f"for {spec.ipam.fixed[first].owner}")]
            report.error("IC2354", intent.span(*span_of), text, "give each owner its own address", place)


def _check_chosen(resolved: Resolved, report: Report) -> None:
    """Check the addresses and MACs that workloads choose: hosts of the network, and each of one pod."""
    taken: dict[tuple[str, str], Related] = {}
    for intent in resolved.of("Workload").values():
        for index, item in enumerate(intent.spec.interfaces):
            path: FieldPath = ("spec", "interfaces", index)
            spec: VirtualNetworkSpec = resolved.networks[item.network].spec
            for at, address in enumerate(item.addresses):
                _check_host(address, spec, (intent, (*path, "addresses", at)), report)
            chosen: list[tuple[str, FieldPath]] = [
                (str(address), (*path, "addresses", at)) for at, address in enumerate(item.addresses)
            ]
            chosen += [(item.mac, (*path, "mac"))] if item.mac else []
            for text, where in chosen:
                span = intent.span(*where)
                first = taken.setdefault((item.network, text), Related(span, f"workload {intent.name}"))
                if first.span != span:
                    message = f"{text} is chosen twice on network {item.network!r}"
                    report.error("IC2354", span, message, "give each pod its own", [first])


def _check_host(
    address: IPAddress, spec: VirtualNetworkSpec, where: tuple[Intent, FieldPath], report: Report
) -> None:
    """Check that an address that a workload chooses is one that a host of the network can have."""
    span, number = where[0].span(*where[1]), int(address)
    own = [subnet for subnet in spec.subnets if subnet.cidr.version == address.version]
    if not any(clip((number, number), hosts(subnet.cidr)) for subnet in own):
        text = f"{address} of {where[0].name!r} is no host address of any subnet"
        report.error("IC2351", span, text, _subnets_of(spec))
    elif any(gateway_of(spec, subnet) == address for subnet in own):
        text = f"{address} of {where[0].name!r} is the gateway"
        report.error("IC2354", span, text, "give it another address")


def _check_routes(network: Network, report: Report) -> None:
    spec = network.spec
    versions = {s.cidr.version for s in spec.subnets if gateway_of(spec, s)}
    if any(isinstance(item, OverlayAttachment) for item in spec.attachments):
        versions |= {s.cidr.version for s in spec.subnets}
    for index, prefix in enumerate(spec.ipam.routes):
        if prefix.version not in versions:
            text = f"pods cannot reach {prefix}: network {network.name!r} has no IPv{prefix.version} gateway"
            hint = "set gateway, or the gateway of a subnet"
            report.error("IC2355", network.intent.span(*IPAM, "routes", index), text, hint)


def check_ipam(resolved: Resolved, report: Report) -> None:
    """Check that nobody hands out an address twice, and that there are enough."""
    pods = _expected(resolved)
    seen: dict[str, Offer] = {}
    local: defaultdict[str, list[Offer]] = defaultdict(list)
    for entries in offers(resolved).values():
        for offer in entries:
            spec = offer.network.spec
            if isinstance(offer.attachment, OverlayAttachment) or not spec.subnets:
                continue
            if spec.ipam.mode in ("central", "hostLocal") and offer.network.overlay_clusters:
                _report_both(offer, report)
            if spec.ipam.mode == "hostLocal":
                local[offer.network.name].append(offer)
            elif spec.ipam.mode == "central":
                first = seen.setdefault(offer.network.name, offer)
                if first.cluster != offer.cluster:
                    _check_shared(first, offer, report)
            else:
                continue
            _check_enough(offer, pods.get((offer.cluster, offer.network.name), []), resolved, report)
    for several in local.values():
        _check_host_local(several, resolved, report)


def _report_both(offer: Offer, report: Report) -> None:
    """Nodes hand out blocks of a subnet over the overlay, whoever else hands out the whole of it."""
    network = offer.network
    overlay = next(
        index for index, item in enumerate(network.spec.attachments) if isinstance(item, OverlayAttachment)
    )
    report.error(
        "IC2363",
        network.intent.span(*offer.path),
        f"addresses of network {network.name!r} would be handed out twice: by the IPAM of its VFs, "
        "and by each node over the overlay",
        "make two networks, each with subnets of its own, and join them by a VirtualNetworkRouter or a zone",
        [Related(network.intent.span("spec", "attachments", overlay), "the overlay")],
    )


def _check_host_local(several: list[Offer], resolved: Resolved, report: Report) -> None:
    """Each node counts for itself, and on a node each attachment, so there can be one of both."""
    network = several[0].network
    places = [(offer, node) for offer in several for node in sorted(pool_nics(offer.attachment, resolved))]
    if len(places) > 1:
        nodes = list(dict.fromkeys(node for _, node in places))
        text = f"host-local addresses of network {network.name!r} would be handed out {len(places)} times"
        hint = "each node counts for itself, and so does each attachment; set ipam.mode: central"
        where = f"pods can run on {', '.join(nodes[:3])}{' …' if len(nodes) > 3 else ''}"  # noqa: PLR2004 -- three are enough to see it
        place = [Related(network.intent.span(*offer.path), where) for offer in several]
        report.error("IC2356", network.intent.span(*IPAM, "mode"), text, hint, place)


def _check_shared(one: Offer, two: Offer, report: Report) -> None:
    """Central IPAM is central in one cluster: two of them need separate ranges."""
    intent, spec = two.network.intent, two.network.spec
    for subnet in spec.subnets:
        low, high = share(spec, subnet, one.cluster), share(spec, subnet, two.cluster)
        common = next((part for span in low.free() for part in high.free(span)), None)
        if common:
            text = (
                f"clusters {one.cluster!r} and {two.cluster!r} would both hand out addresses of {subnet.cidr}"
            )
            hint = "give each cluster ranges of its own: ipam.ranges with the field cluster"
            place = [
                Related(intent.span(*one.path), one.cluster),
                Related(intent.span(*two.path), two.cluster),
            ]
            report.error("IC2357", intent.span(*IPAM), text, hint, place)
            return


Expected = Mapping[tuple[str, str], list[tuple[str, int, Related]]]
"""Workload, its most pods, and its place, by cluster and network."""


def _expected(resolved: Resolved) -> Expected:
    found: defaultdict[tuple[str, str], list[tuple[str, int, Related]]] = defaultdict(list)
    for intent in resolved.of("Workload").values():
        pods = pods_of(intent, resolved)
        place = Related(intent.span("spec", "replicas"), f"{pods} pods of {intent.name}")
        for item in intent.spec.interfaces:
            if not item.addresses and choose(item, intent.spec.cluster, resolved):
                found[intent.spec.cluster, item.network].append((intent.name, pods, place))
    return found


def _check_enough(
    offer: Offer, pods: list[tuple[str, int, Related]], resolved: Resolved, report: Report
) -> None:
    spec, intent = offer.network.spec, offer.network.intent
    central = resolved.clusters[offer.cluster].spec.installed.ipam if spec.ipam.mode == "central" else None
    want = sum(count for _, count, _ in pods)
    for subnet, item in zip(spec.subnets, shares(offer.network, offer.cluster, resolved), strict=True):
        have = item.size if item.span else 0
        cidr = subnet.cidr
        if central == "whereabouts" and cidr.max_prefixlen - cidr.prefixlen < 2:  # noqa: PLR2004 -- two addresses
            text = (
                f"whereabouts hands out nothing of {cidr}: it takes such a subnet for network and broadcast"
            )
            hint = f"use a /{cidr.max_prefixlen - 2} or larger, or ipam.mode: static"
            report.error("IC2358", intent.span("spec", "subnets"), text, hint)
        elif have < max(want, 1):
            text = f"{want} pods need an address of {subnet.cidr}, which has {have} in {offer.cluster!r}"
            if not want:
                text = f"no address of {subnet.cidr} is left for pods of cluster {offer.cluster!r}"
            hint = "widen the subnet or its ranges, or exclude less"
            report.error(
                "IC2358", intent.span("spec", "subnets"), text, hint, [place for _, _, place in pods]
            )
        elif central == "whereabouts" and subnet.cidr.version == 6 and item.span:  # noqa: PLR2004 -- IPv6
            _check_half(offer, ends(subnet.cidr), item.span, report)
        elif central == "nv-ipam":
            _check_blocks(offer, hosts(subnet.cidr), list(item.free()), resolved, report)


def _check_half(offer: Offer, whole: Span, used: Span, report: Report) -> None:
    """Offsets of whereabouts are signed 64-bit numbers: of a /64 and larger the second half is lost."""
    size = whole[1] - whole[0] + 1
    if size >= 1 << 64 and used[0] >= whole[0] + size // 2:
        text = "whereabouts reaches only the first half of an IPv6 subnet of /64 or larger"
        hint = "move the ranges down, or make the subnet smaller than /64"
        report.error("IC2359", offer.network.intent.span(*IPAM, "ranges"), text, hint)


def _check_blocks(offer: Offer, whole: Span, free: list[Span], resolved: Resolved, report: Report) -> None:
    """nv-ipam cuts the subnet into blocks from its start: each node needs one with addresses for pods."""
    spec, intent = offer.network.spec, offer.network.intent
    size = node_block(spec)
    nodes = len(pool_nics(offer.attachment, resolved))
    blocks = (whole[1] - whole[0] + 1) // size
    low, empty = whole[0], False
    for first, last in [*free, (whole[1] + 1, whole[1] + 1)]:
        # The first block that begins in the gap before this span, and whether it ends in it too.
        number = -((whole[0] - low) // size)
        empty = empty or (number < nodes and whole[0] + (number + 1) * size <= first)
        low = last + 1
    if nodes > blocks or empty:
        why = f"only {blocks} blocks fit" if nodes > blocks else "a block has no address for pods"
        text = f"{nodes} nodes take blocks of {size} addresses of network {offer.network.name!r}: {why}"
        hint = "change ipam.perNodeBlockSize, or let the ranges begin where the subnet does"
        report.error("IC2360", intent.span(*IPAM, "perNodeBlockSize"), text, hint)


def check_blocks(allocated: Allocated, report: Report) -> None:
    """Check that each node has addresses of each overlay network, and all nodes together enough."""
    resolved = allocated.resolved
    pods: Expected | None = None
    for name, entries in offers(resolved).items():
        for offer in entries:
            if not isinstance(offer.attachment, OverlayAttachment):
                continue
            pods = _expected(resolved) if pods is None else pods
            expected = pods.get((name, offer.network.name), [])
            _check_node_blocks(offer, expected, allocated, report)


def _check_node_blocks(
    offer: Offer, pods: list[tuple[str, int, Related]], allocated: Allocated, report: Report
) -> None:
    network, intent = offer.network, offer.network.intent
    want = sum(count for _, count, _ in pods)
    for index, subnet in enumerate(network.spec.subnets):
        whole, have = share(network.spec, subnet, offer.cluster), 0
        empty = ""
        for node in allocated.resolved.clusters[offer.cluster].servers:
            block = allocated.block.get((network.name, str(subnet.cidr), node))
            if block is None:
                continue
            own = sum(last - first + 1 for first, last in block_share(block, whole).spans)
            have += own
            empty = empty or (f"{node!r} ({block})" if own == 0 else "")
        span = intent.span("spec", "subnets", index)
        if empty:
            text = f"node {empty} has no address of {subnet.cidr} for pods"
            report.error("IC2358", span, text, "blocks follow nodes: let ranges and excludes leave each some")
        elif want > have:
            text = f"{want} pods need an address of {subnet.cidr}; the nodes of {offer.cluster!r} have {have}"
            report.error("IC2358", span, text, "widen the subnet", [place for _, _, place in pods])
