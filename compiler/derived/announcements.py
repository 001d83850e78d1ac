"""What SR policies carry over BGP beside their paths: whose they are, what they end in, how they rank.

    distinguisher = mark of the announcing cluster (16 bits) | what it ends in (16 bits)

The mark follows from the name of the cluster, so whoever reads a table of BGP knows what is ours. The other
half is the function of the service SID (a zone and family of nodes that are ours), or 4 or 6 for the pods of
Calico-VPP nodes, whose SIDs Calico draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Final

FAMILY_COLORS: Final[Mapping[str, int]] = {"ipv4": 4, "ipv6": 6}
"""Colours of default paths, as Calico's nodes have them, and what policies to Calico-VPP nodes end in."""
BEHAVIORS: Final[Mapping[str, int]] = {"ipv4": 19, "ipv6": 18}
"""IANA code points of End.DT4 and End.DT6."""
PRIORITY: Final = 128
"""Calico-VPP takes the highest; its nodes announce 10. It is also the default of RFC 9256 §2.12."""
PREFERENCE: Final = 100
"""Default of RFC 9256 §2.7."""
LARGEST_FUNCTION: Final = 0xFFFF
FIRST_FUNCTION: Final = 16
"""Functions of service SIDs that have a distinguisher; those below are left to Calico-VPP."""
LARGEST_MESSAGE: Final = 4096
"""Bytes of a BGP message (RFC 4271 §4)."""
_FRAME: Final = 240
"""Most bytes of an UPDATE for one SR policy, without its lists and route targets: header, ORIGIN, AS_PATH,
LOCAL_PREF, MP_REACH_NLRI, what reflectors add, and the fixed sub-TLVs."""


def mark(cluster: str) -> int:
    """Return the mark of a cluster; never 0, with which the nodes of Calico announce themselves."""
    return int.from_bytes(sha256(cluster.encode()).digest()[:2]) or 1


def distinguisher(cluster: str, ends_in: int) -> int:
    """Return the distinguisher of what a cluster announces."""
    return mark(cluster) << 16 | ends_in


def marked(number: int) -> int:
    """Return the mark in a distinguisher."""
    return number >> 16


def calico_family(number: int) -> str | None:
    """Return the family of a policy of ours towards a Calico-VPP node; None for other distinguishers."""
    ends_in = number & LARGEST_FUNCTION
    return next((family for family, color in FAMILY_COLORS.items() if color == ends_in), None)


def update_size(lists: Iterable[int], targets: int) -> int:
    """Return at least the bytes of the UPDATE for a policy: the SIDs of each list, and its route targets.

    RFC 9830 §2.4.4: 4 bytes for a list, 8 for its weight, 20 for a SID, 8 more for the behaviour of the last.
    """
    return _FRAME + sum(4 + 8 + 20 * sids + 8 for sids in lists) + 8 * targets
