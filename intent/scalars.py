"""The scalars of network intent: addresses, prefixes, MACs, ids, ranges, rates, names.

Each is an annotated type that pydantic checks once, at the edge. A refusal says what is wrong and, where it
can, what was probably meant. Units are written with the value (`250us`, `100G`) and held in one unit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated, Any, Final

from pydantic import Field, PlainSerializer, PlainValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network


def wrong(message: str, hint: str = "") -> PydanticCustomError:
    """Return the error that the loader turns into a located diagnostic with a hint."""
    return PydanticCustomError("intent", "{text}", {"text": message, "hint": hint})


def scalar(parse: Callable[[Any], Any], schema: dict[str, Any]) -> tuple[Any, ...]:
    """Return the annotations of a scalar type: how it is read, written, and described in JSON Schema."""
    return (PlainValidator(parse), PlainSerializer(str, return_type=str), WithJsonSchema(schema))


def _text(value: Any, what: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise wrong(f"expected {what}, found {_name(value)}")


def _name(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", bool: "a truth value", type(None): "nothing", int: "a number"}
    return names.get(type(value), repr(value))


def _address(version: int | None) -> Callable[[Any], IPAddress]:
    what = f"an IPv{version} address" if version else "an IP address"

    def parse(value: Any) -> IPAddress:
        if isinstance(value, IPv4Address | IPv6Address):
            return value
        text = _text(value, what)
        try:
            address = ip_address(text)
        except ValueError:
            hint = "an address has no prefix length" if "/" in text else ""
            raise wrong(f"{text!r} is not {what}", hint) from None
        if version and address.version != version:
            raise wrong(f"{text!r} is an IPv{address.version} address; this field takes {what}")
        if isinstance(address, IPv6Address) and address.scope_id:
            raise wrong(f"{text!r} names an interface", "write the address without %")
        return address

    return parse


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
        if "/" not in text:
            raise wrong(f"{text!r} has no prefix length", f"write {network}")
        if version and network.version != version:
            raise wrong(f"{text!r} is an IPv{network.version} prefix; this field takes {what}")
        return network

    return parse


def _wrong_prefix(text: str, what: str) -> PydanticCustomError:
    try:
        return wrong(f"{text!r} has bits set beyond its length", f"did you mean {ip_network(text, strict=False)}?")
    except ValueError:
        return wrong(f"{text!r} is not {what}")


def _pattern(pattern: str, what: str, hint: str, normal: Callable[[str], str] = str) -> Callable[[Any], str]:
    matches = re.compile(pattern).fullmatch

    def parse(value: Any) -> str:
        text = _text(value, what)
        if not matches(text):
            raise wrong(f"{text!r} is not {what}", hint)
        return normal(text)

    return parse


def _quantity(units: dict[str, int], what: str, example: str) -> Callable[[Any], int]:
    matches = re.compile(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]+)").fullmatch

    def parse(value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            raise wrong(f"{value} has no unit", f"write for example {example}")
        text = _text(value, what)
        found = matches(text)
        if not found or found[2] not in units:
            raise wrong(f"{text!r} is not {what}", f"write a number and one of {', '.join(units)}, for example {example}")
        return round(float(found[1]) * units[found[2]])

    return parse


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


def _ranges(low: int, high: int) -> Callable[[Any], Ranges]:
    def parse(value: Any) -> Ranges:
        if isinstance(value, Ranges):
            return value
        spans = sorted(_span(item, low, high) for item in (value if isinstance(value, list) else [value]))
        if not spans:
            raise wrong("a range must hold at least one value")
        for one, two in zip(spans, spans[1:], strict=False):
            if two[0] <= one[1]:
                raise wrong(f"ranges {one[0]}-{one[1]} and {two[0]}-{two[1]} overlap")
        return Ranges(tuple(spans))

    return parse


def _span(item: Any, low: int, high: int) -> tuple[int, int]:
    text = _text(item, "a range such as 100-199")
    found = re.fullmatch(r"(0|[1-9][0-9]*)(?:-([1-9][0-9]*))?", text)
    if not found:
        raise wrong(f"{text!r} is not a range", "write for example 100-199")
    first, last = int(found[1]), int(found[2] or found[1])
    if not low <= first <= last <= high:
        raise wrong(f"range {text} does not lie in {low}-{high}")
    return first, last


def ranges_of(*spans: tuple[int, int]) -> Ranges:
    """Build ranges from pairs (for defaults)."""
    return Ranges(tuple(spans))


def _whole(low: int, high: int, what: str) -> tuple[Any, ...]:
    return (Field(strict=True, ge=low, le=high, description=what),)


NAME_PATTERN: Final = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
_LABEL = "lower-case letters, digits and '-', starting and ending with a letter or digit"
_IFACE: Final = r"[A-Za-z][A-Za-z0-9_.:/-]{0,62}"

Text = Annotated[str, StringConstraints(min_length=1, max_length=222)]
Name = Annotated[str, *scalar(_pattern(NAME_PATTERN, "a name", f"use {_LABEL} or '.', at most 253 characters"), {"type": "string", "pattern": f"^{NAME_PATTERN}$"})]
Label = Annotated[str, *scalar(_pattern(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", "a DNS label", f"use {_LABEL}, at most 63 characters"), {"type": "string", "maxLength": 63})]
VrfName = Annotated[str, *scalar(_pattern(r"[A-Za-z][A-Za-z0-9_-]{0,14}", "a routing-zone name", "start with a letter; letters, digits, '_' and '-'; at most 15 characters, because it names a VRF"), {"type": "string", "maxLength": 15})]
Interface = Annotated[str, *scalar(_pattern(_IFACE, "an interface name", "start with a letter; letters, digits and _ . : / -"), {"type": "string", "pattern": f"^{_IFACE}$"})]
PortRange = Annotated[str, *scalar(_pattern(_IFACE + r"(\[[0-9]+-[0-9]+\])?", "a port or a range of ports", "write for example Ethernet7 or Ethernet[1-48]"), {"type": "string"})]
LinuxInterface = Annotated[str, *scalar(_pattern(r"[A-Za-z][A-Za-z0-9_.-]{0,14}", "a Linux interface name", "start with a letter; letters, digits and _ . -; at most 15 characters"), {"type": "string", "maxLength": 15})]
ResourceName = Annotated[str, *scalar(_pattern(r"[A-Za-z0-9]([A-Za-z0-9_]{0,61}[A-Za-z0-9])?", "a device-plugin resource name", "letters, digits and '_' (the SR-IOV device plugin refuses '-'), at most 63 characters"), {"type": "string", "maxLength": 63})]
HexId = Annotated[str, *scalar(_pattern(r"[0-9a-f]{4}", "a PCI vendor or device id", "four lower-case hex digits, quoted when all are digits: '8086'"), {"type": "string", "pattern": "^[0-9a-f]{4}$"})]
Pci = Annotated[str, *scalar(_pattern(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", "a PCI address", "write for example 0000:3b:00.0"), {"type": "string"})]
Mac = Annotated[str, *scalar(_pattern(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}", "a MAC address", "six pairs of hex digits with ':' between", str.lower), {"type": "string", "pattern": "^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$"})]
Esi = Annotated[str, *scalar(_pattern(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){9}", "an Ethernet segment identifier", "ten pairs of hex digits with ':' between", str.lower), {"type": "string"})]
Version = Annotated[str, *scalar(_pattern(r"v?[0-9]+(\.[0-9]+){0,3}([-+][0-9A-Za-z.-]+)?", "a version", "write for example 3.32.0"), {"type": "string"})]

IPv4 = Annotated[IPv4Address, *scalar(_address(4), {"type": "string", "format": "ipv4"})]
IPv6 = Annotated[IPv6Address, *scalar(_address(6), {"type": "string", "format": "ipv6"})]
IP = Annotated[IPAddress, *scalar(_address(None), {"type": "string", "description": "IPv4 or IPv6 address"})]
Prefix4 = Annotated[IPv4Network, *scalar(_prefix(4), {"type": "string", "description": "IPv4 prefix, a.b.c.d/n"})]
Prefix6 = Annotated[IPv6Network, *scalar(_prefix(6), {"type": "string", "description": "IPv6 prefix, a::/n"})]
Prefix = Annotated[IPNetwork, *scalar(_prefix(None), {"type": "string", "description": "IPv4 or IPv6 prefix"})]
Sid = IPv6


def _route_target(value: Any) -> str:
    text = _text(value, "a route target")
    found = re.fullmatch(r"(?:target:)?([0-9]+|[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+):([0-9]+)", text)
    if not found:
        raise wrong(f"{text!r} is not a route target", "write ASN:number or IPv4:number, for example 65000:10")
    admin, number = found[1], int(found[2])
    if "." in admin:
        _address(4)(admin)
    wide = "." in admin or int(admin) > 0xFFFF  # noqa: PLR2004 -- RFC 4360 and 5668: 2-byte ASNs leave 4 bytes
    if number > (0xFFFF if wide else 0xFFFFFFFF) or ("." not in admin and int(admin) > 0xFFFFFFFF):  # noqa: PLR2004
        raise wrong(f"{text!r} does not fit a route target", "4-byte ASNs and addresses leave 16 bits for the number, 2-byte ASNs leave 32")
    return f"{admin}:{number}"


RouteTarget = Annotated[str, *scalar(_route_target, {"type": "string", "description": "ASN:number or IPv4:number"})]

Asn = Annotated[int, *_whole(1, 4294967294, "autonomous system number, plain (4-byte) notation")]
VlanId = Annotated[int, *_whole(1, 4094, "VLAN id")]
Vni = Annotated[int, *_whole(4096, 16777214, "VXLAN network id, as EVPN fabrics accept it")]
TableId = Annotated[int, *_whole(1, 4294967294, "VPP or Linux routing table id")]
Mtu = Annotated[int, *_whole(1280, 9216, "bytes of IP packet; 1280 is the least that IPv6 allows")]
Port = Annotated[int, *_whole(1, 65535, "TCP or UDP port")]
Metric = Annotated[int, *_whole(1, 16777214, "IGP or TE metric")]
Color = Annotated[int, *_whole(1, 4294967295, "SR policy colour (RFC 9256 §2.1: not zero)")]
Preference = Annotated[int, *_whole(1, 4294967295, "candidate-path preference (RFC 9256 §2.7), highest valid wins")]
Weight = Annotated[int, *_whole(1, 1000, "share of the traffic, relative to the other lists")]
Count = Annotated[int, *_whole(1, 100000, "how many")]
Msd = Annotated[int, *_whole(1, 127, "SIDs (RFC 9352 §4)")]
VfCount = Annotated[int, *_whole(1, 256, "virtual functions")]
Mbps = Annotated[int, *_whole(0, 400000, "megabits per second; 0 is no limit")]

VlanRanges = Annotated[Ranges, *scalar(_ranges(1, 4094), {"description": "VLAN ids: 100-199, or a list of ranges"})]
VniRanges = Annotated[Ranges, *scalar(_ranges(4096, 16777214), {"description": "VNIs: 10000-19999, or a list of ranges"})]
AsnRanges = Annotated[Ranges, *scalar(_ranges(1, 4294967294), {"description": "AS numbers: a range, or a list of ranges"})]
TableRanges = Annotated[Ranges, *scalar(_ranges(1, 4294967294), {"description": "routing table ids: a range, or a list of ranges"})]
VfRange = Annotated[Ranges, *scalar(_ranges(0, 255), {"description": "VF indexes: 0-7"})]

Microseconds = Annotated[int, *scalar(_quantity({"us": 1, "ms": 1000, "s": 1_000_000}, "a latency", "250us"), {"type": "string", "description": "latency: 250us, 3ms"})]
BitsPerSecond = Annotated[int, *scalar(_quantity({"M": 10**6, "G": 10**9, "T": 10**12}, "a rate", "100G"), {"type": "string", "description": "rate: 25G, 400G"})]


def masked(networks: Iterable[IPNetwork]) -> list[str]:
    """Write prefixes in their canonical text form, sorted by family and address."""
    return [str(network) for network in sorted(networks, key=lambda item: (item.version, item))]  # type: ignore[type-var] # families never mix: version comes first in the key
