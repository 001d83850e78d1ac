"""Carriers of compressed SIDs (NEXT-C-SID, RFC 9800): several SIDs in one address, each of 16 bits.

    block (32 bits) | C-SID | C-SID | ... up to six | zeros

A router that finds its own C-SID behind the block moves the rest to the left and sends the packet on; with
nothing behind it, it takes the next address of the SRH. So a carrier is a plain SID to whoever writes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv6Address
from typing import Final, NamedTuple

BLOCK_BITS: Final = 32
CSID_BITS: Final = 16
SLOTS: Final = 6
"""C-SIDs that an address holds behind its block."""
ALONE: Final = -1
"""In the place of a block: of an address that is no carrier."""


class Compressed(NamedTuple):
    """A SID as C-SIDs of a block: of a router, and where it has one, of a function of it."""

    block: int
    csids: tuple[int, ...]


def compressed(sid: IPv6Address, length: int) -> Compressed | None:
    """Return a SID as C-SIDs; None where it has bits elsewhere than in its first so many 16-bit parts."""
    number = int(sid)
    parts = tuple(number >> (128 - BLOCK_BITS - CSID_BITS * at) & 0xFFFF for at in range(1, SLOTS + 1))
    if not all(parts[:length]) or any(parts[length:]):
        return None
    return Compressed(number >> (128 - BLOCK_BITS), parts[:length])


class Fill(NamedTuple):
    """What the end of a list fills: addresses, and the first of them, where what comes in front may join."""

    addresses: int
    taken: int
    """Places of the first address that are taken; all, where it is no carrier."""
    block: int

    def before(self, small: Compressed | None) -> Fill:
        """Return what it is with one more SID in front."""
        if small is None:
            return Fill(self.addresses + 1, SLOTS, ALONE)
        taken = self.taken + len(small.csids)
        if small.block == self.block and taken <= SLOTS:
            return Fill(self.addresses, taken, self.block)
        return Fill(self.addresses + 1, len(small.csids), small.block)


NOTHING: Final = Fill(0, SLOTS, ALONE)


def pack(sids: Iterable[tuple[str, Compressed | None]]) -> tuple[str, ...]:
    """Return the addresses of a list: neighbours of one block share carriers, as few as hold them.

    Carriers are filled from the end, so that every router sees the fewest Segments Left. A router and its
    function stay in one carrier; what has no C-SIDs has an address of its own.
    """
    found: list[tuple[str, int, tuple[int, ...]]] = []
    fill = NOTHING
    for text, small in reversed(tuple(sids)):
        more = fill.before(small)
        if small and more.addresses == fill.addresses:
            found[-1] = ("", small.block, (*small.csids, *found[-1][2]))
        else:
            found.append(("", *small) if small else (text, ALONE, ()))
        fill = more
    return tuple(text or _address(block, csids) for text, block, csids in reversed(found))


def steps_down(address: str) -> tuple[str, ...]:
    """Return an address, and all that routers make of it on the way where it is a carrier."""
    number, rest_of = int(IPv6Address(address)), (1 << 128 - BLOCK_BITS) - 1
    found, rest = [address], number & rest_of
    while rest := rest << CSID_BITS & rest_of:
        found.append(str(IPv6Address(number & ~rest_of | rest)))
    return tuple(found)


def _address(block: int, csids: tuple[int, ...]) -> str:
    number = block
    for csid in (*csids, *[0] * (SLOTS - len(csids))):
        number = number << CSID_BITS | csid
    return str(IPv6Address(number))
