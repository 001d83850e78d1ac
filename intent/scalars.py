"""The scalars of network intent: addresses, prefixes, MACs, ids, ranges, rates, names.

Each is an annotated type that pydantic checks once, at the edge. A refusal says what is wrong and, where it
can, what was probably meant. Units are written with the value (`250us`, `100G`) and held in one unit. Beside
each stands how JSON Schema and the reference pages describe it (`x-type`, `x-unit`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import pairwise
from typing import Annotated, Any, Final

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network


def wrong(message: str, hint: str = "", *at: str | int) -> PydanticCustomError:
    """Return the error that the loader turns into a located diagnostic with a hint.

    `at`: path of the field to point at, inside the mapping whose fields do not go together.
    """
    return PydanticCustomError("intent", "{text}", {"text": message, "hint": hint, "at": at})


def is_host(address: IPAddress, prefix: IPNetwork) -> bool:
    """Say whether an address of a prefix can be that of a host: neither the network's own, nor broadcast."""
    # RFC 3021: both ends of a /31 are hosts; IPv6 has no broadcast, and its first address is a router's.
    ends = (prefix.network_address, prefix.broadcast_address)
    return prefix.version == 6 or prefix.prefixlen > 30 or address not in ends  # noqa: PLR2004 -- said above


def scalar(parse: Callable[[Any], Any], words: str, **schema: Any) -> tuple[Any, ...]:
    """Return the annotations of a scalar type: how it is read, written, and described."""
    return (
        PlainValidator(parse),
        PlainSerializer(str, return_type=str),
        WithJsonSchema({**schema, "x-type": words}),
    )


def _text(value: Any, what: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise PydanticCustomError("intent_type", "{text}", {"text": f"expected {what}, found {_name(value)}"})


def _name(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", bool: "a truth value", type(None): "nothing", int: "a number"}
    return names.get(type(value), repr(value))


def _plain(value: Any) -> str:
    """Read free text of one to 222 characters; escape codes would reach terminals and switches."""
    text = _text(value, "text")
    if not text:
        raise wrong("this text is empty", "write something, or remove the field")
    if len(text) > MAX_TEXT:
        raise wrong(f"this text has {len(text)} characters; at most {MAX_TEXT} are allowed")
    control = re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)
    if control:
        raise wrong(f"this text holds control character U+{ord(control.group()):04X}", "remove it")
    return text


def _perhaps(value: Any) -> str:
    return "" if value == "" else _plain(value)


def _address(version: int | None) -> Callable[[Any], IPAddress]:
    what = f"an IPv{version} address" if version else "an IP address"

    def parse(value: Any) -> IPAddress:
        if isinstance(value, IPv4Address | IPv6Address):
            return value
        text = _text(value, what)
        try:
            address = ip_address(text)
        except ValueError:
            raise wrong(f"{text!r} is not {what}", _address_hint(text)) from None
        if version and address.version != version:
            raise wrong(f"{text!r} is an IPv{address.version} address; this field takes {what}")
        if isinstance(address, IPv6Address) and address.scope_id:
            raise wrong(f"{text!r} names an interface", "write the address without %")
        return address

    return parse


def _address_hint(text: str) -> str:
    if "/" in text:
        return "an address has no prefix length"
    if re.fullmatch(r"[0-9]+(\.[0-9]+){3}", text) and re.search(r"(^|\.)0[0-9]", text):
        return "write numbers without leading zeros"
    return ""


def _prefix(version: int | None) -> Callable[[Any], IPNetwork]:
    what = f"an IPv{version} prefix" if version else "an IP prefix"

    def parse(value: Any) -> IPNetwork:
        if isinstance(value, IPv4Network | IPv6Network):
            return value
        text = _text(value, what)
        try:
            network = ip_network(text)
        except ValueError:
            raise _wrong_prefix(text, what) from None
        length = text.partition("/")[2]
        if not length:
            raise wrong(f"{text!r} has no prefix length", f"for this one address write {network}")
        if not length.isdecimal() or "%" in text:
            raise wrong(f"{text!r} is not {what}", f"write {network}")
        if version and network.version != version:
            raise wrong(f"{text!r} is an IPv{network.version} prefix; this field takes {what}")
        return network

    return parse


def _wrong_prefix(text: str, what: str) -> PydanticCustomError:
    try:
        meant = ip_network(text, strict=False)
    except ValueError:
        return wrong(f"{text!r} is not {what}")
    return wrong(f"{text!r} has bits set beyond its length", f"did you mean {meant}?")


def _pattern(pattern: str, what: str, hint: str, normal: Callable[[str], str] = str) -> tuple[Any, ...]:
    matches = re.compile(pattern).fullmatch

    def parse(value: Any) -> str:
        text = _text(value, what)
        if not matches(text):
            meant = text.lower().replace("_", "-")
            raise wrong(f"{text!r} is not {what}", f"{hint}: {meant}" if matches(meant) else hint)
        return normal(text)

    return scalar(parse, what.partition(" ")[2], type="string", pattern=f"^(?:{pattern})$")


def _quantity(units: dict[str, int], what: str, example: str) -> tuple[Any, ...]:
    matches = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)([A-Za-z]+)").fullmatch

    def parse(value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            raise wrong(f"{value} has no unit", f"write for example {example}")
        text = _text(value, what)
        found = matches(text)
        if not found or found[2] not in units:
            hint = f"write a number and one of {', '.join(units)}, for example {example}"
            raise wrong(f"{text!r} is not {what}", hint)
        return round(float(found[1]) * units[found[2]])

    pattern = rf"^[0-9]{{1,12}}(\.[0-9]{{1,6}})?({'|'.join(units)})$"
    return scalar(parse, f"{what.partition(' ')[2]}, such as {example}", type="string", pattern=pattern)


@dataclass(frozen=True, slots=True)
class Ranges:
    """Whole numbers as sorted, separate, inclusive ranges; written `100-199` or `[100-199, 300]`."""

    spans: tuple[tuple[int, int], ...]

    def __contains__(self, value: int) -> bool:
        """Say whether the value lies in one of the ranges."""
        return any(low <= value <= high for low, high in self.spans)

    def __len__(self) -> int:
        """Count the values."""
        return sum(high - low + 1 for low, high in self.spans)

    def __str__(self) -> str:
        """Write the ranges as the user does."""
        return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in self.spans)

    def at(self, index: int) -> int:
        """Return the value with that index, counting through the ranges."""
        for low, high in self.spans:
            if index <= high - low:
                return low + index
            index -= high - low + 1
        raise IndexError(index)


def _ranges(low: int, high: int, words: str) -> tuple[Any, ...]:
    def parse(value: Any) -> Ranges:
        if isinstance(value, Ranges):
            return value
        spans = sorted(_span(item, low, high) for item in (value if isinstance(value, list) else [value]))
        if not spans:
            raise wrong("a range must hold at least one value", "write for example 100-199")
        for one, two in pairwise(spans):
            if two[0] <= one[1]:
                raise wrong(f"ranges {_range(one)} and {_range(two)} overlap")
        return Ranges(tuple(spans))

    number = {"type": "integer", "minimum": low, "maximum": high}
    text = {"type": "string", "pattern": "^[0-9]{1,10}(-[0-9]{1,10})?$"}
    several = {"type": "array", "minItems": 1, "items": {"anyOf": [number, text]}}
    return scalar(parse, words, anyOf=[number, text, several])


def _span(item: Any, low: int, high: int) -> tuple[int, int]:
    text = _text(item, "a range such as 100-199")
    found = re.fullmatch(r"(0|[1-9][0-9]{0,9})(?:-(0|[1-9][0-9]{0,9}))?", text)
    if not found:
        raise wrong(f"{text!r} is not a range", "write for example 100-199")
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first:
        raise wrong(f"range {text} is empty", f"write {last}-{first}")
    if not low <= first <= last <= high:
        raise wrong(f"range {text} does not lie in {low}-{high}")
    return first, last


def _range(span: tuple[int, int]) -> str:
    return str(Ranges((span,)))


def ranges_of(*spans: tuple[int, int]) -> Ranges:
    """Build ranges from pairs (for defaults)."""
    return Ranges(tuple(spans))


def _whole(low: int, high: int, words: str, unit: str = "") -> Any:
    return Field(
        strict=True,
        ge=low,
        le=high,
        json_schema_extra={"x-type": words, **({"x-unit": unit} if unit else {})},
    )


def _route_target(value: Any) -> str:
    text = _text(value, "a route target")
    found = re.fullmatch(rf"(?:target:)?({_NUMBER}|[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+):({_NUMBER})", text)
    if not found:
        raise wrong(
            f"{text!r} is not a route target", "write ASN:number or IPv4:number, for example 65000:10"
        )
    admin, number = found[1], int(found[2])
    if "." in admin:
        _address(4)(admin)
    wide = "." in admin or int(admin) > 0xFFFF  # noqa: PLR2004 -- RFC 4360 and 5668: 2-byte ASNs leave 4 bytes
    if number > (0xFFFF if wide else 0xFFFFFFFF) or ("." not in admin and int(admin) > 0xFFFFFFFF):  # noqa: PLR2004 -- see above
        hint = "4-byte ASNs and addresses leave 16 bits for the number, 2-byte ASNs leave 32"
        raise wrong(f"{text!r} does not fit a route target", hint)
    return f"{admin}:{number}"


MAX_TEXT: Final = 222
"""Characters of free text: Apstra takes no longer descriptions."""
_NUMBER: Final = "(?:0|[1-9][0-9]{0,9})"
_PART: Final = "[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_IFACE: Final = r"[A-Za-z][A-Za-z0-9_.:/-]{0,62}"
_LETTERS: Final = "lower-case letters, digits and '-', starting and ending with a letter or digit"
_IPV4: Final = r"[0-9]{1,3}(\.[0-9]{1,3}){3}"
_IPV6: Final = "[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*"


def _hex_pairs(count: int, what: str, words: str) -> tuple[Any, ...]:
    hint = f"{words} pairs of hex digits with ':' between"
    return _pattern(rf"[0-9A-Fa-f]{{2}}(:[0-9A-Fa-f]{{2}}){{{count - 1}}}", what, hint, str.lower)


Text = Annotated[str, *scalar(_plain, "text", type="string", minLength=1, maxLength=MAX_TEXT)]
PerhapsText = Annotated[str, *scalar(_perhaps, "text", type="string", maxLength=MAX_TEXT)]
Name = Annotated[
    str,
    *_pattern(
        rf"(?=.{{1,253}}$){_PART}(?:\.{_PART})*",
        "a name",
        f"use {_LETTERS}; parts may be joined by '.'; at most 253 characters",
    ),
]
Label = Annotated[
    str, *_pattern(rf"(?=.{{1,63}}$){_PART}", "a DNS label", f"use {_LETTERS}; at most 63 characters")
]
VrfName = Annotated[
    str,
    *_pattern(
        "[A-Za-z][A-Za-z0-9_-]{0,14}",
        "a routing-zone name",
        "start with a letter; letters, digits, '_' and '-'; at most 15 characters, since it names a VRF",
    ),
]
Interface = Annotated[
    str, *_pattern(_IFACE, "an interface name", "start with a letter; letters, digits and _ . : / -")
]
PortRange = Annotated[
    str,
    *_pattern(
        _IFACE + r"(\[[0-9]{1,5}-[0-9]{1,5}\])?",
        "a port or a range of ports",
        "write for example Ethernet7 or Ethernet[1-48]",
    ),
]
LinuxInterface = Annotated[
    str,
    *_pattern(
        "[A-Za-z][A-Za-z0-9_.-]{0,14}",
        "a Linux interface name",
        "start with a letter; letters, digits and _ . -; at most 15 characters",
    ),
]
ResourceName = Annotated[
    str,
    *_pattern(
        "[A-Za-z0-9]([A-Za-z0-9_]{0,61}[A-Za-z0-9])?",
        "a device-plugin resource name",
        "letters, digits and '_' (the SR-IOV device plugin refuses '-'), at most 63 characters",
    ),
]
HexId = Annotated[
    str,
    *_pattern("[0-9a-f]{4}", "a PCI vendor or device id", "four lower-case hex digits, for example '8086'"),
]
Pci = Annotated[
    str,
    *_pattern(
        r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", "a PCI address", "write for example 0000:3b:00.0"
    ),
]
SecretName = Annotated[
    str,
    *_pattern(
        "[a-z0-9.-]{1,63}/[a-z0-9.-]{1,253}/[A-Za-z0-9._-]{1,253}",
        "a reference to a Kubernetes Secret",
        "write namespace/name/key",
    ),
]
Mac = Annotated[str, *_hex_pairs(6, "a MAC address", "six")]
Esi = Annotated[str, *_hex_pairs(10, "an Ethernet segment identifier", "ten")]
Version = Annotated[
    str,
    *_pattern(
        r"v?[0-9]+(\.[0-9]+){0,3}([-+][0-9A-Za-z.-]+)?",
        "a version",
        "write for example 3.32.0",
    ),
]

IPv4 = Annotated[IPv4Address, *scalar(_address(4), "IPv4 address", type="string", format="ipv4")]
IPv6 = Annotated[IPv6Address, *scalar(_address(6), "IPv6 address", type="string", format="ipv6")]
IP = Annotated[
    IPAddress, *scalar(_address(None), "IP address", type="string", pattern=f"^({_IPV4}|{_IPV6})$")
]
Prefix4 = Annotated[
    IPv4Network, *scalar(_prefix(4), "IPv4 prefix", type="string", pattern=f"^{_IPV4}/[0-9]{{1,2}}$")
]
Prefix6 = Annotated[
    IPv6Network, *scalar(_prefix(6), "IPv6 prefix", type="string", pattern=f"^{_IPV6}/[0-9]{{1,3}}$")
]
Prefix = Annotated[
    IPNetwork,
    *scalar(_prefix(None), "IP prefix", type="string", pattern=f"^({_IPV4}|{_IPV6})/[0-9]{{1,3}}$"),
]
Sid = IPv6

RouteTarget = Annotated[
    str,
    *scalar(_route_target, "route target", type="string", pattern=r"^(target:)?[0-9.]+:[0-9]{1,10}$"),
]

Asn = Annotated[int, _whole(1, 4294967294, "AS number")]
VlanId = Annotated[int, _whole(1, 4094, "VLAN id")]
# EVPN fabrics refuse VNIs below 4096.
Vni = Annotated[int, _whole(4096, 16777214, "VNI")]
# 1280 is the least that IPv6 allows.
Mtu = Annotated[int, _whole(1280, 9216, "MTU", "bytes of IP packet")]
Metric = Annotated[int, _whole(1, 16777214, "metric")]
# RFC 9256 §2.1: not zero.
Color = Annotated[int, _whole(1, 4294967295, "colour")]
Preference = Annotated[int, _whole(1, 4294967295, "preference")]
Weight = Annotated[int, _whole(1, 1000, "weight")]
Count = Annotated[int, _whole(1, 100000, "number")]
Msd = Annotated[int, _whole(1, 127, "number", "SIDs")]
VfCount = Annotated[int, _whole(1, 256, "number", "virtual functions")]
Mbps = Annotated[int, _whole(0, 400000, "rate", "Mbit/s, 0 for no limit")]

VlanRanges = Annotated[Ranges, *_ranges(1, 4094, "range of VLAN ids, or a list of ranges")]
VniRanges = Annotated[Ranges, *_ranges(4096, 16777214, "range of VNIs, or a list of ranges")]
TableRanges = Annotated[Ranges, *_ranges(1, 4294967294, "range of numbers, or a list of ranges")]
VfRange = Annotated[Ranges, *_ranges(0, 255, "range of VF indexes")]

Microseconds = Annotated[int, *_quantity({"us": 1, "ms": 1000, "s": 1_000_000}, "a latency", "250us")]
BitsPerSecond = Annotated[int, *_quantity({"M": 10**6, "G": 10**9, "T": 10**12}, "a rate", "100G")]
