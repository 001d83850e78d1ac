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
from compiler.te.carriers import BLOCK_BITS, CSID_BITS, SLOTS, Compressed, compressed, pack
from compiler.te.encode import Sid
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
    return pack([*_rows(steps, resolved), (service, compressed(IPv6Address(service), 2))])


def _rows(steps: Iterable[Step], resolved: Resolved) -> list[tuple[str, Compressed | None]]:
    return [(step.sid, csids_of(step, resolved)) for step in steps]


def csids_of(step: Step, resolved: Resolved) -> Compressed | None:
    """Return a step as C-SIDs; None where its router has no such SID."""
    router = resolved.underlay.routers[step.router]
    if router.locator.prefixlen != NODE_BITS:
        return None
    return compressed(IPv6Address(step.sid), 2 if step.link else 1)


def width(steps: Iterable[Step], intent: Intent, resolved: Resolved) -> int:
    """Return how many addresses a list fills with its service SID; the most, where endpoints differ."""
    if not packs(intent, resolved):
        return len(tuple(steps)) + 1
    rows = _rows(steps, resolved)
    return max(len(pack([*rows, ("", service)])) for service in _services(resolved)[intent.name])


def widest(most: int, intent: Intent, resolved: Resolved) -> int:
    """Return how many addresses a list of so many SIDs may fill with its service SID, whatever SIDs they are.

    Where all have C-SIDs of one block, a carrier holds six of them, or three of which each takes two places:
    one that is closed has at most one place left.
    """
    forms = {*_forms(resolved), *_services(resolved)[intent.name]}
    if not packs(intent, resolved) or None in forms or len({form.block for form in forms if form}) > 1:
        return most + 1
    if any(form and len(form.csids) > 1 for form in _forms(resolved)):
        return -(-(most + 1) * 2 // SLOTS)
    return -(-(most + 2) // SLOTS)


@remembered
def _forms(resolved: Resolved) -> frozenset[Compressed | None]:
    """Return how the SIDs of all routers look; None where one cannot be packed."""
    routers, links = resolved.underlay.routers, resolved.underlay.links.values()
    sids = [Sid(name) for name in routers]
    sids += [Sid(end.at, link.name) for link in links for end in link.ends if end.end_x_sid]
    return frozenset(csids_of(step_at(sid, resolved), resolved) for sid in sids if sid.router in routers)


def filled(steps: Iterable[Step], intent: Intent, resolved: Resolved) -> int:
    """Return how many addresses the steps of a list fill by themselves."""
    if not packs(intent, resolved):
        return len(tuple(steps))
    return len(pack(_rows(steps, resolved)))


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
