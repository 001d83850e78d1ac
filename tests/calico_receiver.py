"""How an agent of Calico-VPP chooses among SR policies that it hears: rules as they stand in its code.

3.32.0 keeps to them for announcements of one segment list; of several it makes one, which the compiler
does not let pass (IC2644).

It keeps every announcement that it ever heard, in the order of their coming, and forgets none when it is
withdrawn; only a restart empties the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reconciler.drivers.gobgp.paths import Announced

MOST_SIDS: Final = 16


def rejected(said: Announced) -> str:
    """Say why the agent does not take an announcement; empty where it does."""
    if not said.lists:
        return "no segment list"
    if said.bsid in (None, "::"):
        return "no BSID of 16 bytes"
    for item in said.lists:
        if not 0 < len(item.segments) <= MOST_SIDS:
            return f"{len(item.segments)} segments"
        if item.segments[-1].behavior is None:
            return "the last segment does not say what it does"
    if len({item.segments[-1].behavior for item in said.lists}) > 1:
        return "lists of several behaviours"
    if said.unknown:
        return f"{said.unknown[0]} in it"
    return ""


def in_force(heard: Sequence[Announced], endpoint: str, behavior: int) -> Announced | None:
    """Return the policy that traffic to a node takes: of the numerically highest priority, the latest."""
    chosen, priority = None, 0
    for said in heard:
        if said.nlri.endpoint == endpoint and not rejected(said) and said.behavior == behavior:
            rank = said.priority or 0
            if rank >= priority:
                chosen, priority = said, rank
    return chosen
