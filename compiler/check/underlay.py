"""Checks of links, of the SIDs that force them, and of what facts say about them."""

from __future__ import annotations

from ipaddress import IPv6Address

from compiler.resolved import Resolved
from intent.diagnostics import Related, Report, did_you_mean
from intent.kinds.underlay import End
from intent.model import Intent
from intent.source import FieldPath


def check_links(resolved: Resolved, report: Report) -> None:
    """Check that links end somewhere, and that each End.X SID is routed to its router and means one thing."""
    routers = resolved.underlay.routers
    taken: dict[IPv6Address, tuple[str, Intent, FieldPath]] = {}
    for name, router in routers.items():
        intent, path = resolved.underlay.router_origin[name]
        taken[router.sid] = (f"the End SID of router {name!r}", intent, path)
    for name, link in resolved.underlay.links.items():
        intent, path = resolved.underlay.link_origin[name]
        for index, end in enumerate(link.ends):
            where: FieldPath = (*path, "ends", index)
            if end.at not in routers and end.at not in resolved.servers:
                text = f"link {name!r} ends at {end.at!r}, which is neither a router nor a node"
                hint = did_you_mean(end.at, [*routers, *resolved.servers])
                report.error("IC2024", intent.span(*where, "at"), text, hint)
            elif end.end_x_sid is not None:
                _check_sid(end, name, (intent, (*where, "endXSid")), taken, resolved, report)
    for link_name in sorted(resolved.facts.down - resolved.underlay.links.keys()):
        place = resolved.facts.origins[f"link/{link_name}"]
        text = f"the facts say that link {link_name!r} is down, but no underlay has it"
        hint = did_you_mean(link_name, resolved.underlay.links) or "capture the facts again"
        report.warning("IC2026", place.intent.span(*place.path, "link"), text, hint)


def _check_sid(
    end: End,
    link: str,
    place: tuple[Intent, FieldPath],
    taken: dict[IPv6Address, tuple[str, Intent, FieldPath]],
    resolved: Resolved,
    report: Report,
) -> None:
    sid, router = end.end_x_sid, resolved.underlay.routers.get(end.at)
    if sid is None:
        return
    intent, path = place
    if router is None:
        text = f"End.X SID {sid} stands at node {end.at!r}: only routers forward by SIDs"
        report.error("IC2025", intent.span(*path), text, "remove it")
        return
    if sid not in router.locator:
        text = f"End.X SID {sid} lies outside locator {router.locator}, which leads to router {end.at!r}"
        other, where = resolved.underlay.router_origin[end.at]
        related = [Related(other.span(*where, "locator"), "the locator")]
        report.error("IC2025", intent.span(*path), text, "take an address of the locator", related)
    what, other, where = taken.setdefault(
        sid, (f"the End.X SID of link {link!r} at {end.at!r}", intent, path)
    )
    if (other, where) != (intent, path):
        related = [Related(other.span(*where), "taken here")]
        text = f"End.X SID {sid} is {what} too"
        report.error("IC2025", intent.span(*path), text, "give each a SID of its own", related)
