"""SIDs that headends pack into carriers (NEXT-C-SID, RFC 9800): who packs, what can be packed.

A SID says by its form that it can be: the locator of its router is 48 bits long, and behind it stand zeros
(End), or one function of 16 bits and zeros (End.X). Service SIDs of clusters that pack have such a form.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address
from typing import Final

from compiler.derived.memo import remembered
from compiler.derived.overlay import chosen, owns_sids
from compiler.derived.segments import Step, step_at
from compiler.resolved import Resolved
from compiler.te.carriers import BLOCK_BITS, CSID_BITS, NOTHING, SLOTS, Compressed, compressed, pack
from compiler.te.limits import Headend
from compiler.te.topology import ENDLESS, Sid
from intent.model import Intent

NODE_BITS: Final = BLOCK_BITS + CSID_BITS
"""Length of a locator whose router has a C-SID."""


def packs(intent: Intent, resolved: Resolved) -> bool:
    """Say whether the headends of a policy pack SIDs."""
    return _packing(resolved)[intent.name]


@remembered
def _packing(resolved: Resolved) -> Mapping[str, bool]:
    found = {}
    for name, intent in resolved.of("SRv6Policy").items():
        clusters = {resolved.servers[head].cluster or "" for head in chosen(intent.spec.headends, resolved)}
        overlays = [resolved.clusters[cluster].spec.srv6 for cluster in clusters]
        found[name] = bool(overlays) and all(one and one.encapsulation == "usid" for one in overlays)
    return found


def packed(steps: Iterable[Step], service: str, resolved: Resolved) -> tuple[str, ...]:
    """Return the addresses that a list with its service SID fills."""
    rows = [(step.sid, csids_of(step, resolved)) for step in steps]
    return pack([*rows, (service, compressed(IPv6Address(service), 2))])


def csids_of(step: Step, resolved: Resolved) -> Compressed | None:
    """Return a step as C-SIDs; None where its router has no such SID."""
    router = resolved.underlay.routers[step.router]
    if router.locator.prefixlen != NODE_BITS:
        return None
    return compressed(IPv6Address(step.sid), 2 if step.link else 1)


def width(steps: Iterable[Step], intent: Intent, resolved: Resolved) -> int:
    """Return how many addresses a list fills with its service SID; the most, where endpoints differ."""
    return max(left[0] for left in filled(steps, intent, resolved)) + 1


def filled(steps: Iterable[Step], intent: Intent, resolved: Resolved) -> tuple[tuple[int, ...], ...]:
    """Return how many addresses are left behind that of each step, and of the service SID.

    Endpoints may have service SIDs of several forms: there is a row for each of these.
    """
    packing, found = packs(intent, resolved), []
    small = [csids_of(step, resolved) if packing else None for step in steps]
    for service in service_forms(intent, resolved):
        fills = [NOTHING.before(service)]
        for one in reversed(small):
            fills.append(fills[-1].before(one))
        found.append(tuple(fill.addresses - 1 for fill in reversed(fills)))
    return tuple(found)


def widest(most: int, intent: Intent, resolved: Resolved) -> int:
    """Return how many addresses a list of so many SIDs may fill with its service SID, whatever SIDs they are.

    Where all have C-SIDs of one block, a carrier holds six of them, or three of which each takes two places:
    one that is closed has at most one place left.
    """
    forms = {*_forms(resolved), *service_forms(intent, resolved)}
    if None in forms or len({form.block for form in forms if form}) > 1:
        return most + 1
    if any(form and len(form.csids) > 1 for form in _forms(resolved)):
        return -(-(most + 1) * 2 // SLOTS)
    return -(-(most + 2) // SLOTS)


@remembered
def _forms(resolved: Resolved) -> frozenset[Compressed | None]:
    """Return how the SIDs of all routers look; None where one cannot be packed."""
    return frozenset(_every(resolved).values())


@remembered
def _every(resolved: Resolved) -> Mapping[Sid, Compressed | None]:
    routers, links = resolved.underlay.routers, resolved.underlay.links.values()
    sids = [Sid(name) for name in routers]
    sids += [Sid(end.at, link.name) for link in links for end in link.ends if end.end_x_sid]
    return {sid: csids_of(step_at(sid, resolved), resolved) for sid in sids if sid.router in routers}


@remembered
def _small(resolved: Resolved) -> Mapping[Sid, Compressed]:
    return {sid: small for sid, small in _every(resolved).items() if small}


def headend(intent: Intent, addresses: int, sids: int | None, resolved: Resolved) -> Headend:
    """Return what headends of a policy push: so many addresses, and so many SIDs before the service SID."""
    if packs(intent, resolved):
        forms = service_forms(intent, resolved)
        return Headend(addresses, ENDLESS if sids is None else sids, _small(resolved), forms)
    return Headend(addresses if sids is None else min(addresses, sids + 1))


def service_forms(intent: Intent, resolved: Resolved) -> tuple[Compressed | None, ...]:
    """Return how service SIDs of the endpoints of a policy look to its headends: None where not packed."""
    return _services(resolved)[intent.name] if packs(intent, resolved) else (None,)


@remembered
def _services(resolved: Resolved) -> Mapping[str, tuple[Compressed | None, ...]]:
    """Return how service SIDs of the endpoints of each policy look; None where they are not ours."""
    found = {}
    for name, intent in resolved.of("SRv6Policy").items():
        rows: dict[Compressed | None, None] = {}
        for node in chosen(intent.spec.endpoints, resolved):
            cluster = resolved.clusters[resolved.servers[node].cluster or ""]
            overlay = cluster.spec.srv6 if owns_sids(cluster) else None
            block = int(overlay.localsids.network_address) >> (128 - BLOCK_BITS) if overlay else 0
            rows[Compressed(block, (1, 1)) if overlay else None] = None
        found[name] = tuple(rows) or (None,)
    return found
