"""Candidate paths: which one of an SRv6Policy is used now (RFC 9256 §2.9 and §5.1).

A candidate is valid while at least one of its segment lists is: every router known and not drained, every
forced link known, not down by facts, and with an End.X SID at that router. Of the valid candidates the
highest preference wins, and of equal ones the later in the document (its place is its discriminator, §2.9
rule 4). This follows what intent and facts say; it is no liveness check of the data plane.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Literal

from compiler.derived.memo import remembered
from compiler.derived.reasons import NAME, Origins, labels, site
from compiler.resolved import Cluster, Resolved, Server
from intent.diagnostics import did_you_mean
from intent.kinds.srv6_policy import CandidatePath, Segment, SRv6PolicySpec
from intent.kinds.underlay import Link
from intent.model import Intent, Origin
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
    router: str | None
    """Router that holds the SID."""
    place: tuple[Intent, FieldPath] | None = None
    """Where the SID was said, if not in the segment itself."""


@dataclass(frozen=True, slots=True)
class PathList:
    """A segment list: its steps, or what is wrong with them."""

    index: int
    weight: int
    steps: tuple[Step, ...]
    faults: tuple[tuple[int, Fault], ...]
    """Faults by the index of their segment."""

    @property
    def valid(self) -> bool:
        """Whether traffic can take it."""
        return not self.faults


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate path, judged."""

    index: int
    path: CandidatePath
    lists: tuple[PathList, ...]

    @property
    def valid(self) -> tuple[PathList, ...]:
        """Segment lists that traffic can take."""
        return tuple(item for item in self.lists if item.valid)


@remembered
def candidates(resolved: Resolved) -> Mapping[str, tuple[Candidate, ...]]:
    """Return the judged candidate paths of each SRv6Policy by name; a dynamic one has no lists."""
    return {name: tuple(_judged(intent, resolved)) for name, intent in resolved.of("SRv6Policy").items()}


@remembered
def active(resolved: Resolved) -> Mapping[str, Candidate | None]:
    """Return the candidate in use of each SRv6Policy; None where none is valid: the default path is used."""
    return {name: choose(paths) for name, paths in candidates(resolved).items()}


def choose(paths: tuple[Candidate, ...]) -> Candidate | None:
    """Return the valid candidate that wins."""
    return max(
        (path for path in paths if path.valid),
        key=_rank,
        default=None,
    )


def _rank(path: Candidate) -> tuple[int, int]:
    return path.path.preference, path.index


def _judged(intent: Intent, resolved: Resolved) -> list[Candidate]:
    spec: SRv6PolicySpec = intent.spec
    found = []
    for index, path in enumerate(spec.candidate_paths):
        lists = []
        for number, said in enumerate(path.explicit or ()):
            steps = [_step(segment, resolved) for segment in said.segments]
            good = tuple(step for step in steps if isinstance(step, Step))
            faults = tuple((place, fault) for place, fault in enumerate(steps) if isinstance(fault, Fault))
            lists.append(PathList(number, said.weight, good, faults))
        found.append(Candidate(index, path, tuple(lists)))
    return found


def _step(segment: Segment, resolved: Resolved) -> Step | Fault:
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
        intent, path = resolved.underlay.router_origin[name]
        return Step(str(router.sid), name, (intent, (*path, "endSid" if router.end_sid else "locator")))
    link = resolved.underlay.links.get(segment.link)
    if link is None:
        return Fault(
            "unknown",
            "link",
            f"no underlay has a link {segment.link!r}",
            did_you_mean(segment.link, resolved.underlay.links),
        )
    return _forced(name, link, resolved)


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
    if link.name in resolved.facts.down:
        return Fault("unusable", "link", f"link {link.name!r} is down")
    there = next(end.at for end in link.ends if end is not here)
    far = resolved.underlay.routers.get(there)
    if far is not None and far.state == "drain":
        return Fault(
            "unusable", "link", f"router {there!r}, at the other end of link {link.name!r}, is drained"
        )
    intent, path = resolved.underlay.link_origin[link.name]
    return Step(str(here.end_x_sid), name, (intent, (*path, "ends", link.ends.index(here), "endXSid")))


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
    return Step(str(sid), name)


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


def endpoint_origins(intent: Intent, server: Server, zone: str, resolved: Resolved) -> Origins:
    """Return why an SRv6Policy leads to an endpoint: what it selects and steers, and what makes it usable."""
    spec: SRv6PolicySpec = intent.spec
    ends = spec.endpoints
    return (
        Origin("", intent, ("spec", "endpoints")),
        Origin("", intent, ("spec", "steer", "networks") if zone else ("spec", "steer")),
        *(site(server, "chosen as endpoint") if ends.sites else ()),
        *labels(server, ends.nodes, "chosen as endpoint"),
        *usable(resolved)[intent.name],
    )


def bsid_origins(intent: Intent, server: Server, cluster: Cluster) -> Origins:
    """Return why a policy towards an endpoint has its BSID: pinned, or leased by the policy."""
    if server.name in intent.spec.bsids:
        return (Origin("bsid", intent, ("spec", "bsids", server.name), "pinned"),)
    pool = Origin("bsid", cluster.intent, ("spec", "srv6", "policies"), "leased")
    return (Origin("bsid", intent, NAME, "leased"), pool)


@remembered
def usable(resolved: Resolved) -> Mapping[str, Origins]:
    """Return what decides which lists of each policy are in use: the paths, and what their steps stand on."""
    found = {}
    for name, paths in candidates(resolved).items():
        intent, now = resolved.of("SRv6Policy")[name], choose(paths)
        least = _rank(now) if now else (0, 0)
        rows = {Origin("lists", intent, ("spec", "candidatePaths"), "the best usable candidate"): None}
        usable_lists = []
        for path in paths:
            for item in path.lists:
                segments = (path.path.explicit or ())[item.index].segments
                watched = [place for segment in segments for place in _watched(segment, resolved)]
                if item.valid:
                    usable_lists.append(set(watched))
                if _rank(path) >= least:
                    rows |= dict.fromkeys(watched)
        # Without what all of them stand on, the policy gives way to the default path.
        needed = set.intersection(*usable_lists) if usable_lists else set()
        rows |= {origin._replace(field=""): None for origin in rows if origin in needed}
        found[name] = tuple(row for row in rows if row not in needed)
    return found


def _watched(segment: Segment, resolved: Resolved) -> Iterator[Origin]:
    """Yield what can take a segment out of use: routers that are drained, links that are down."""
    own = locator_of(segment.sid, resolved) if segment.sid else segment.router
    names = [own or ""]
    link = resolved.underlay.links.get(segment.link or "")
    if link:
        names += [end.at for end in link.ends if end.at != segment.router]
    for name in names:
        if name in resolved.underlay.routers:
            intent, path = resolved.underlay.router_origin[name]
            yield Origin("lists", intent, (*path, "state"), "drained or not")
    if link and f"link/{link.name}" in resolved.facts.origins:
        yield resolved.facts.origins[f"link/{link.name}"]._replace(field="lists")
