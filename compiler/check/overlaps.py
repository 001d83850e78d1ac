"""Checks that address space is used once wherever routes meet: inside a zone, between zones that are joined.

Tenants that never meet may use the same subnets, so subnets are compared only inside groups of zones that are
joined by imports; one sweep over the sorted subnets of a group finds all overlaps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from compiler.derived.addresses import ends
from compiler.derived.offers import offers
from compiler.resolved import Resolved, Vrf
from intent.diagnostics import Related, Report
from intent.kinds.virtual_network import OverlayAttachment
from intent.model import Intent
from intent.scalars import IPNetwork
from intent.source import FieldPath, Span

MOST = 50
"""So many overlaps of one group are told; the rest follows from the same mistake."""


class Used(NamedTuple):
    """A prefix that somebody uses."""

    version: int
    first: int
    last: int
    zone: str
    network: str
    number: int
    cidr: IPNetwork

    def span(self, resolved: Resolved) -> Span:
        """Return where it was said."""
        return resolved.networks[self.network].intent.span("spec", "subnets", self.number, "cidr")


def check_overlaps(resolved: Resolved, report: Report) -> None:
    """Check subnets against each other."""
    groups = _groups(resolved.vrfs)
    used: defaultdict[str, list[Used]] = defaultdict(list)
    for network in resolved.networks.values():
        if network.vrf is None:
            continue
        for index, subnet in enumerate(network.spec.subnets):
            first, last = ends(subnet.cidr)
            row = Used(subnet.cidr.version, first, last, network.vrf, network.name, index, subnet.cidr)
            used[groups[network.vrf]].append(row)
    for rows in used.values():
        if len(rows) > 1:
            _check_group(rows, resolved, report)


def _groups(vrfs: Mapping[str, Vrf]) -> dict[str, str]:
    """Return a representative of the group of each zone: zones that imports join, directly or not."""
    parent = {name: name for name in vrfs}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for name, vrf in vrfs.items():
        for other in vrf.imports:
            parent[root(other)] = root(name)
    return {name: root(name) for name in vrfs}


def _check_group(rows: list[Used], resolved: Resolved, report: Report) -> None:
    told = 0
    for one, two in _overlapping(sorted(rows, key=lambda row: (row.version, row.first, -row.last))):
        meeting = _meeting(one.zone, two.zone, resolved.vrfs)
        if not meeting:
            continue
        text = f"subnet {two.cidr} of {two.network!r} overlaps {one.cidr} of {one.network!r}, and {meeting}"
        place = [Related(one.span(resolved), f"network {one.network}")]
        report.error(
            "IC2361", two.span(resolved), text, "change one of the subnets, or part the zones", place
        )
        told += 1
        if told == MOST:
            return


def _overlapping(rows: list[Used]) -> Iterator[tuple[Used, Used]]:
    """Yield the pairs of prefixes that overlap: of sorted prefixes, the open ones enclose each other."""
    opened: list[Used] = []
    for row in rows:
        while opened and (opened[-1].version != row.version or opened[-1].last < row.first):
            opened.pop()
        for other in opened:
            yield other, row
        opened.append(row)


def _meeting(one: str, two: str, vrfs: Mapping[str, Vrf]) -> str:
    """Say where routes of two zones meet; empty where they do not."""
    if one == two:
        return f"both are in zone {one!r}"
    if two in vrfs[one].imports or one in vrfs[two].imports:
        return f"zones {one!r} and {two!r} are joined"
    common = next((name for name, vrf in vrfs.items() if one in vrf.imports and two in vrf.imports), None)
    return f"zone {common!r} takes the routes of both" if common else ""


def check_pod_space(resolved: Resolved, report: Report) -> None:
    """Check the networks that pods have beside the default one against the space of pods and services."""
    for name, entries in offers(resolved).items():
        cluster = resolved.clusters[name]
        taken = [
            (cidr, *ends(cidr), ("spec", field))
            for field, cidrs in (
                ("podCidrs", cluster.spec.pod_cidrs),
                ("serviceCidrs", cluster.spec.service_cidrs),
            )
            for cidr in ((cidrs.ipv4, cidrs.ipv6) if cidrs else ())
            if cidr is not None
        ]
        seen: set[tuple[str, int]] = set()
        for offer in entries:
            for index, subnet in enumerate(offer.network.spec.subnets):
                first, last = ends(subnet.cidr)
                for cidr, low, high, path in taken:
                    if cidr.version != subnet.cidr.version or max(first, low) > min(last, high):
                        continue
                    if (offer.network.name, index) not in seen:
                        seen.add((offer.network.name, index))
                        place = Related(cluster.intent.span(*path), f"{path[1]} of {name}")
                        overlay = isinstance(offer.attachment, OverlayAttachment)
                        _tell(offer.network.intent, (index, cidr, overlay), place, report)


def _tell(intent: Intent, what: tuple[int, IPNetwork, bool], place: Related, report: Report) -> None:
    index, cidr, overlay = what
    path: FieldPath = ("spec", "subnets", index, "cidr")
    text = f"subnet {intent.spec.subnets[index].cidr} of {intent.name!r} overlaps {cidr} of the cluster"
    hint = "pods with both networks would send traffic of one to the other; change the subnet"
    if overlay:
        report.error("IC2362", intent.span(*path), text, hint, [place])
    else:
        report.warning("IC2362", intent.span(*path), text, hint, [place])
