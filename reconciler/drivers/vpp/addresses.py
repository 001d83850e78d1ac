"""Addresses and prefixes as text and as the bytes of a message, each worked out once.

The same address is looked at by the guard, packed, and read back again: whoever comes first pays. A prefix is
family, 16 bytes of address and length, with whatever host bits it has. Any thread may ask: where several ask
the same at once, or one makes room meanwhile, an answer is worked out twice, and is the same.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from ipaddress import IPv6Address
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Final, TypeVar

Known = TypeVar("Known")
Found = TypeVar("Found")

_MOST: Final = 1 << 16
_PREFIX4: Final = struct.Struct(">B4s12xB")
_PREFIX6: Final = struct.Struct(">B16sB")


class Remembered(dict[Known, Found]):
    """Answers by question, worked out where they are not known; forgotten where they become too many."""

    def __init__(self, work_out: Callable[[Known], Found]) -> None:
        super().__init__()
        self._work_out = work_out

    def __missing__(self, question: Known) -> Found:
        if len(self) >= _MOST:
            self.clear()
        found = self[question] = self._work_out(question)
        return found


class _Packed6(Remembered[str, bytes]):
    """Bytes by text; the guard asks at once how they are written, and dumps do later: both are kept."""

    def __missing__(self, question: str) -> bytes:
        if len(self) >= _MOST:
            self.clear()
            text6.clear()
        raw = self[question] = inet_pton(AF_INET6, question)
        found = inet_ntop(AF_INET6, raw)
        text6[raw] = found if "." not in found else _text6(raw)
        return raw


def _text6(raw: bytes) -> str:
    text = inet_ntop(AF_INET6, raw)
    # The system's way to write embedded IPv4 addresses is not that of the rest of this program.
    return str(IPv6Address(raw)) if "." in text else text


def _packed_prefix(text: str) -> bytes:
    address, _, length = text.partition("/")
    if ":" in address:
        return _PREFIX6.pack(1, packed6[address], int(length))
    return _PREFIX4.pack(0, inet_pton(AF_INET, address), int(length))


def _prefix_text(raw: bytes) -> str:
    family, address, length = _PREFIX6.unpack(raw)
    return f"{text6[address] if family else inet_ntop(AF_INET, address[:4])}/{length}"


def _exact(text: str) -> bool | None:
    address, _, bits = text.partition("/")
    length = int(bits)
    if ":" in address:
        raw, width = packed6[address], 128
        found = text6[raw]
    else:
        raw, width = inet_pton(AF_INET, address), 32
        found = inet_ntop(AF_INET, raw)
    if found != address or str(length) != bits or not 0 <= length <= width:
        return None
    return None if int.from_bytes(raw) & ((1 << width - length) - 1) else width > 32  # noqa: PLR2004 -- of IPv4


packed6: Final[Remembered[str, bytes]] = _Packed6(partial(inet_pton, AF_INET6))
"""16 bytes by the text of an IPv6 address; OSError, TypeError or ValueError where it is none."""
text6: Final[Remembered[bytes, str]] = Remembered(_text6)
"""Canonical text by the 16 bytes of an IPv6 address."""
packed_prefix: Final[Remembered[str, bytes]] = Remembered(_packed_prefix)
"""18 bytes by the text of a prefix; OSError, TypeError, ValueError or struct.error where it is none."""
prefix_text: Final[Remembered[bytes, str]] = Remembered(_prefix_text)
"""Text by the 18 bytes of a prefix, host bits and all."""
exact_prefix: Final[Remembered[str, bool | None]] = Remembered(_exact)
"""Whether a prefix is of IPv6; None for host bits, or where dumps write it otherwise; raises as `packed6`."""
