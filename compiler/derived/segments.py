"""Segments of explicit paths as the SIDs that they stand for, or what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Literal

from compiler.derived.memo import remembered
from compiler.resolved import Resolved
from compiler.te.topology import Sid
from intent.diagnostics import did_you_mean
from intent.kinds.srv6_policy import Segment
from intent.kinds.underlay import Link
from intent.model import Intent
from intent.source import FieldPath


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a segment cannot be used."""

    kind: Literal["unknown", "unusable"]
    """`unknown`: wrong in intent, now and always. `unusable`: drained or down, so it may come back."""
    field: str
    """Field of the segment that is at fault."""
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One segment as the SID that it stands for."""

    sid: str
    router: str
    """Router that holds the SID."""
    link: str = ""
    """Link that the SID forces."""
    place: tuple[Intent, FieldPath] | None = None
    """Where the SID was said, if not in the segment itself."""

    @property
    def name(self) -> Sid:
        """What it is in the topology."""
        return Sid(self.router, self.link)


def step_of(segment: Segment, resolved: Resolved) -> Step | Fault:
    """Return the SID of a segment."""
    routers = resolved.underlay.routers
    if segment.sid is not None:
        return _plain(segment.sid, resolved)
    name = segment.router or ""
    router = routers.get(name)
    if router is None:
        return Fault("unknown", "router", f"no underlay has a router {name!r}", did_you_mean(name, routers))
    if router.state == "drain":
        return Fault("unusable", "router", f"router {name!r} is drained")
    if segment.link is None:
        return step_at(Sid(name), resolved)
    link = resolved.underlay.links.get(segment.link)
    if link is None:
        return Fault(
            "unknown",
            "link",
            f"no underlay has a link {segment.link!r}",
            did_you_mean(segment.link, resolved.underlay.links),
        )
    return _forced(name, link, resolved)


def step_at(sid: Sid, resolved: Resolved) -> Step:
    """Return a SID of the topology as an address, and where that is said."""
    known = _steps(resolved)
    if sid not in known:
        known[sid] = _stepped(sid, resolved)
    return known[sid]


@remembered
def _steps(_resolved: Resolved) -> dict[Sid, Step]:
    """Hold the steps that were made: thousands of paths share them."""
    return {}


def _stepped(sid: Sid, resolved: Resolved) -> Step:
    router = resolved.underlay.routers[sid.router]
    if not sid.link:
        intent, path = resolved.underlay.router_origin[sid.router]
        place = (intent, (*path, "endSid" if router.end_sid else "locator"))
        return Step(str(router.sid), sid.router, "", place)
    link = resolved.underlay.links[sid.link]
    at = next(index for index, end in enumerate(link.ends) if end.at == sid.router)
    intent, path = resolved.underlay.link_origin[sid.link]
    return Step(str(link.ends[at].end_x_sid), sid.router, sid.link, (intent, (*path, "ends", at, "endXSid")))


def _forced(name: str, link: Link, resolved: Resolved) -> Step | Fault:
    """Return the End.X SID that forces a link at a router."""
    here = next((end for end in link.ends if end.at == name), None)
    if here is None:
        ends = " and ".join(end.at for end in link.ends)
        return Fault(
            "unknown",
            "link",
            f"link {link.name!r} does not end at router {name!r}",
            f"it runs between {ends}",
        )
    if here.end_x_sid is None:
        hint = f"add endXSid to the end at {name} of link {link.name}, or leave the link out"
        return Fault("unknown", "link", f"link {link.name!r} has no End.X SID at router {name!r}", hint)
    why = _closed(name, link, resolved)
    return Fault("unusable", "link", why) if why else step_at(Sid(name, link.name), resolved)


def _closed(name: str, link: Link, resolved: Resolved) -> str:
    """Say why a link is not to be forced at a router now; empty where it may be."""
    if link.name in resolved.facts.down:
        return f"link {link.name!r} is down"
    there = next(end.at for end in link.ends if end.at != name)
    far = resolved.underlay.routers.get(there)
    drained = far is not None and far.state == "drain"
    return f"router {there!r}, at the other end of link {link.name!r}, is drained" if drained else ""


def _plain(sid: IPv6Address, resolved: Resolved) -> Step | Fault:
    """Return a SID that was said as it is; it must lie in a locator, so that it is routed."""
    name = locator_of(sid, resolved)
    if name is None:
        return Fault(
            "unknown",
            "sid",
            f"SID {sid} lies in no locator of the underlay",
            "a transit SID belongs to a router; check the address",
        )
    if resolved.underlay.routers[name].state == "drain":
        return Fault("unusable", "sid", f"router {name!r}, which holds SID {sid}, is drained")
    link = link_of(sid, resolved)
    why = _closed(name, link, resolved) if link else ""
    if why:
        return Fault("unusable", "sid", f"SID {sid} is of no use: {why}")
    return Step(str(sid), name, link.name if link else "")


def link_of(sid: IPv6Address, resolved: Resolved) -> Link | None:
    """Return the link that a SID forces; None where it is no End.X SID."""
    return _links_by_sid(resolved).get(sid)


@remembered
def _links_by_sid(resolved: Resolved) -> Mapping[IPv6Address, Link]:
    """Return links by the End.X SIDs that force them."""
    links = resolved.underlay.links.values()
    return {end.end_x_sid: link for link in links for end in link.ends if end.end_x_sid}


def locator_of(sid: IPv6Address, resolved: Resolved) -> str | None:
    """Return the router whose locator holds a SID."""
    number = int(sid)
    for length, routers in _locators(resolved).items():
        found = routers.get(number >> (128 - length))
        if found:
            return found
    return None


@remembered
def _locators(resolved: Resolved) -> Mapping[int, Mapping[int, str]]:
    """Return routers by the length and the leading bits of their locators."""
    found: dict[int, dict[int, str]] = {}
    for name, router in resolved.underlay.routers.items():
        length = router.locator.prefixlen
        found.setdefault(length, {})[int(router.locator.network_address) >> (128 - length)] = name
    return found
