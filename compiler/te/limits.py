"""How long a list may be: what its headend pushes, and what routers on the way forward and pop (RFC 9352 §4).

What counts is addresses, as the data plane sees them: of a list that is packed, carriers. Lists are made
from their end, since Segments Left counts from there, and so each SID that comes in front is judged at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from compiler.te.carriers import NOTHING, SLOTS, Compressed, Fill
from compiler.te.topology import ENDLESS, Sid, Topology


@dataclass(frozen=True, slots=True)
class Headend:
    """What headends push: how many addresses and SIDs, and which of these they pack."""

    addresses: int = ENDLESS
    """Most addresses of a list, the service SID included."""
    sids: int = ENDLESS
    """Most SIDs of a list, the service SID left out."""
    small: Mapping[Sid, Compressed] = field(default_factory=dict)
    """SIDs that are packed."""
    services: tuple[Compressed | None, ...] = (None,)
    """How service SIDs look that lists end in; a list must do for all of them."""


class Tail(NamedTuple):
    """The end of a list with a service SID of one form."""

    fill: Fill
    most: int
    """Most addresses of the list that it may become the end of."""


Tails = tuple[Tail, ...]
"""The end of a list, with each form of the service SIDs."""


def ends(headend: Headend) -> Tails:
    """Return the ends of an empty list."""
    return tuple(Tail(NOTHING.before(small), headend.addresses) for small in headend.services)


def before(sid: Sid, tails: Tails, headend: Headend, net: Topology) -> Tails | None:
    """Return what a list becomes with one SID in front; None where somebody does not take that."""
    small, bounds = headend.small.get(sid), net.routers[sid.router].max_sids
    found = []
    for tail in tails:
        fill, most = tail.fill.before(small), tail.most
        if bounds.segments_left is not None and fill.addresses - 1 > bounds.segments_left:
            return None
        # Whose SID ends the address before the last one takes Segments Left to 0, and may pop.
        if bounds.end_pop is not None and fill.addresses == 2 and tail.fill.addresses == 1:  # noqa: PLR2004 -- the last address, and the one before
            most = min(most, bounds.end_pop)
        if fill.addresses > most:
            return None
        found.append(Tail(fill, most))
    return tuple(found)


def no_worse(one: Tails, two: Tails, net: Topology) -> bool:
    """Say whether whatever may come in front of the second list may come in front of the first, too."""
    return all(_no_worse(here, there, net) for here, there in zip(one, two, strict=True))


def _no_worse(one: Tail, two: Tail, net: Topology) -> bool:
    here, there = one.fill, two.fill
    if here.addresses > there.addresses:
        return False
    if here.addresses == there.addresses and here != there:
        joins = here.block == there.block and here.taken <= there.taken
        if there.taken < SLOTS and not joins:
            return False
    # Who pops a list of one address shows only when it gets longer.
    open_ = here.addresses == 1 and here != there
    return (min(one.most, net.least_pop) if open_ else one.most) >= two.most
