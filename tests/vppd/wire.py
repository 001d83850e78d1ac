"""Framing and packing of VPP's binary API, worked out from the table of definitions.

Numbers are big-endian without padding. Values are plain: an address field is its bytes, a structure is a
dict, a union its bytes up to the longest case. What a dict does not say is zero.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from tests.vppd.definitions import ALIASES, ENUMS, IDS, MESSAGES, TYPES, UNIONS, Field

HEADER: Final = struct.Struct(">QII")
"""Zero, length of the message, zero."""
_NUMBERS: Final = {"u8": "B", "bool": "?", "u16": "H", "u32": "I", "u64": "Q", "i32": "i", "f64": "d"}

Pack = Callable[[Any, bytearray], None]
Unpack = Callable[[bytes, int, Mapping[str, Any]], tuple[Any, int]]
"""From bytes at an offset, with the fields that came before: the value, and where the next one starts."""


class Codec(NamedTuple):
    """Both directions of one type."""

    pack: Pack
    unpack: Unpack
    zero: Callable[[], Any]


@cache
def message(name: str) -> Codec:
    """Return the codec of a message, its identifier included."""
    return _structure(MESSAGES[name].fields)


def packed(name: str, **fields: Any) -> bytes:
    """Return a message with its frame."""
    body = bytearray()
    message(name).pack({"_vl_msg_id": IDS[name], **fields}, body)
    return HEADER.pack(0, len(body), 0) + body


@cache
def _codec(kind: str) -> Codec:
    """Return the codec of one value of a type."""
    if kind in _NUMBERS:
        return _number(_NUMBERS[kind])
    if kind in ENUMS:
        return _number(_NUMBERS[ENUMS[kind][0]])
    if kind in ALIASES:
        return _field(ALIASES[kind])
    if kind in UNIONS:
        return _bytes(max(len(_field(case).zero()) for case in UNIONS[kind]))
    return _structure(TYPES[kind])


def _field(field: Field) -> Codec:
    if field.length is None:
        return _codec(field.type)
    if field.type == "string":
        return _string(field.length) if isinstance(field.length, int) and field.length else _long_string()
    if field.type == "u8" and isinstance(field.length, int):
        return _bytes(field.length)
    return _array(_codec(field.type), field.length)


def _number(code: str) -> Codec:
    kind = struct.Struct(f">{code}")
    size = kind.size

    def pack(value: Any, out: bytearray) -> None:
        out += kind.pack(value)

    def unpack(data: bytes, at: int, _: Mapping[str, Any]) -> tuple[Any, int]:
        return kind.unpack_from(data, at)[0], at + size

    return Codec(pack, unpack, lambda: 0)


def _bytes(length: int) -> Codec:
    def pack(value: bytes, out: bytearray) -> None:
        out += value.ljust(length, b"\0")

    def unpack(data: bytes, at: int, _: Mapping[str, Any]) -> tuple[bytes, int]:
        return data[at : at + length], at + length

    return Codec(pack, unpack, lambda: bytes(length))


def _string(length: int) -> Codec:
    def pack(value: str, out: bytearray) -> None:
        out += value.encode()[: length - 1].ljust(length, b"\0")

    def unpack(data: bytes, at: int, _: Mapping[str, Any]) -> tuple[str, int]:
        return data[at : at + length].partition(b"\0")[0].decode(), at + length

    return Codec(pack, unpack, str)


def _long_string() -> Codec:
    def pack(value: str, out: bytearray) -> None:
        out += struct.pack(">I", len(value.encode())) + value.encode()

    def unpack(data: bytes, at: int, _: Mapping[str, Any]) -> tuple[str, int]:
        end = at + 4 + struct.unpack_from(">I", data, at)[0]
        return data[at + 4 : end].rstrip(b"\0").decode(), end

    return Codec(pack, unpack, str)


def _array(item: Codec, length: int | str) -> Codec:
    def pack(value: list[Any], out: bytearray) -> None:
        for one in value:
            item.pack(one, out)
        for _ in range(length - len(value) if isinstance(length, int) else 0):
            item.pack(item.zero(), out)

    def unpack(data: bytes, at: int, before: Mapping[str, Any]) -> tuple[list[Any], int]:
        found = []
        for _ in range(length if isinstance(length, int) else before[length]):
            one, at = item.unpack(data, at, before)
            found.append(one)
        return found, at

    return Codec(pack, unpack, list)


def _structure(fields: tuple[Field, ...]) -> Codec:
    parts = [(field.name, _field(field)) for field in fields]

    def pack(value: Mapping[str, Any], out: bytearray) -> None:
        for name, codec in parts:
            codec.pack(value[name] if name in value else codec.zero(), out)

    def unpack(data: bytes, at: int, _: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        for name, codec in parts:
            found[name], at = codec.unpack(data, at, found)
        return found, at

    return Codec(pack, unpack, dict)
