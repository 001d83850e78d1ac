"""VPP's messages as VPP itself defines them, packed and unpacked by vpp-papi: right for any, and slow.

The only module that knows vpp-papi; what leaves it are bytes and plain values. Addresses are canonical text,
prefixes keep their host bits, enums are ints, and arrays with a count beside them are cut to it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntFlag
from functools import lru_cache
from importlib import resources
from socket import AF_INET, inet_ntop
from threading import Lock
from typing import Any, Final

from reconciler.drivers.base import PermanentError
from reconciler.drivers.vpp.addresses import text6

HEADER: Final = frozenset({"_vl_msg_id", "client_index", "context"})
_CUT: Final = {"sids": "num_sids", "label_stack": "n_labels"}
"""Arrays of fixed length, and how many of their entries count."""
_ONE_AT_A_TIME: Final = Lock()
"""Held by whoever uses vpp-papi: its table of types is one for the process, and each VPP replaces it."""


@dataclass(frozen=True)
class Definitions:
    """What VPP says of its messages: how each is laid out, and by which it is answered."""

    messages: Mapping[str, Any] = field(repr=False)
    services: Mapping[str, Mapping[str, Any]] = field(repr=False)

    def crc(self, message: str) -> str:
        """Return the CRC of a message as the message table has it; empty where there is no such message."""
        found = self.messages.get(message)
        return str(found.crc).removeprefix("0x") if found else ""

    def answer(self, message: str) -> str:
        """Return the name of the message that answers a request, or of each row of a dump."""
        service = self.services.get(message, {})
        if "reply" not in service:
            raise PermanentError(f"{message} is not a request of this VPP")
        return str(service["reply"])

    def is_dump(self, message: str) -> bool:
        """Whether rows answer a message, and a control_ping must follow to know that they are all."""
        service = self.services.get(message, {})
        return "stream" in service and "stream_msg" not in service

    def pack(self, message: str, arguments: Mapping[str, Any], head: Mapping[str, int]) -> bytes:
        """Return a message as bytes; PermanentError where the arguments do not fit its definition."""
        definition = self.messages[message]
        if unknown := sorted(set(arguments) - set(definition.fields) | set(arguments) & HEADER):
            raise PermanentError(f"this VPP's {message} has no {', '.join(unknown)}")
        try:
            with _ONE_AT_A_TIME:
                return bytes(definition.pack({**arguments, **head}))
        except Exception as error:
            raise PermanentError(f"{message} cannot be packed: {error.__cause__ or error}") from error

    def unpack(self, message: str, data: bytes | memoryview) -> dict[str, Any]:
        """Return the fields of a message; PermanentError where the bytes do not fit its definition."""
        try:
            # Conversions by vpp-papi would drop the host bits of prefixes.
            with _ONE_AT_A_TIME:
                found, _ = self.messages[message].unpack(bytes(data), ntc=True)
            return {
                name: value
                for name, value in _fields(found, self.messages[message]).items()
                if name not in HEADER
            }
        except (struct.error, ValueError, IndexError) as error:
            raise PermanentError(f"{message} cannot be unpacked: {error}") from error


def definitions(json: str) -> Definitions:
    """Read what VPP answers to get_api_json; PermanentError where vpp-papi does not understand it."""
    with _ONE_AT_A_TIME:
        return _definitions(json)


@lru_cache(maxsize=2)
def _definitions(json: str) -> Definitions:
    from vpp_papi import vpp_papi, vpp_serializer

    # vpp-papi keeps types by name for the whole process, and would read a newer VPP by an older one's types.
    types, before = vpp_serializer.types, vpp_serializer.types.copy()
    for name in [name for name in types if name.startswith("vl_api_")]:
        del types[name]
    vpp_serializer.message_cache.clear()
    try:
        # VPP leaves out the messages of memclnt.api, which a client must know before it can ask.
        core, answered = vpp_papi.VPPApiJSONFiles.process_json_str(
            resources.files("vpp_papi.data").joinpath("memclnt.api.json").read_text("utf-8")
        )
        messages, services = vpp_papi.VPPApiJSONFiles.process_json_array_str(json)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        types |= before  # messages that were read before look some of them up
        raise PermanentError(f"vpp-papi does not understand this VPP's definitions: {error}") from error
    return Definitions({**core, **messages}, {**answered, **services})


def _text4(raw: bytes) -> str:
    return inet_ntop(AF_INET, raw)


def _text(value: Any) -> str:
    return text6[value.un.ip6] if value.af else _text4(value.un.ip4)


def _with_length(address: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: f"{address(value.address)}/{value.len}"


_AS_TEXT: Final[Mapping[str, Callable[[Any], str]]] = {
    "vl_api_ip6_address_t": text6.__getitem__,
    "vl_api_ip4_address_t": _text4,
    "vl_api_address_t": _text,
    "vl_api_prefix_t": _with_length(_text),
    "vl_api_address_with_prefix_t": _with_length(_text),
    "vl_api_ip6_prefix_t": _with_length(text6.__getitem__),
    "vl_api_ip6_address_with_prefix_t": _with_length(text6.__getitem__),
    "vl_api_ip4_prefix_t": _with_length(_text4),
    "vl_api_ip4_address_with_prefix_t": _with_length(_text4),
    "vl_api_mac_address_t": lambda raw: raw.hex(":"),
}


def _fields(value: Any, definition: Any) -> dict[str, Any]:
    """Return the fields of a message or of a type as plain values."""
    found = {
        name: _plain(item, packer)
        for name, item, packer in zip(definition.fields, value, definition.packers, strict=True)
    }
    for name, count in _CUT.items():
        if name in found and count in found:
            found[name] = found[name][: found[count]]
    return found


def _plain(value: Any, packer: Any) -> Any:
    """Return a value that vpp-papi's packer unpacked without the names of vpp-papi."""
    if isinstance(value, IntFlag):
        return int(value)
    if as_text := _AS_TEXT.get(getattr(packer, "name", "")):
        return as_text(value)
    if isinstance(value, list):
        return tuple(_plain(item, packer.packer) for item in value)
    if not hasattr(value, "_fields"):
        return value
    if hasattr(packer, "fields"):
        return _fields(value, packer)
    if hasattr(packer, "packers"):
        arms = zip(value._fields, value, strict=True)
        return {name: _plain(item, packer.packers[name]) for name, item in arms}
    return _plain(value, packer.packer)
