"""Tables of what each scalar takes, what it makes of it, and what it refuses with which words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from intent import scalars
from intent.scalars import Ranges, ranges_of

GOOD: list[tuple[str, Any, str]] = [
    ("Text", "any text, ü", "any text, ü"),
    ("Text", "two\nlines", "two\nlines"),
    ("Text", 7, "7"),
    ("Text", "x" * 222, "x" * 222),
    ("Name", "n3", "n3"),
    ("Name", 10, "10"),
    ("Name", "a.b-c", "a.b-c"),
    ("Name", "a" * 253, "a" * 253),
    ("Label", "dc1", "dc1"),
    ("Label", "a" * 63, "a" * 63),
    ("VrfName", "RAN_1-x", "RAN_1-x"),
    ("VrfName", "a" * 15, "a" * 15),
    ("Interface", "Ethernet1/1.100", "Ethernet1/1.100"),
    ("Interface", "et-0/0/1:3", "et-0/0/1:3"),
    ("PortRange", "Ethernet[1-48]", "Ethernet[1-48]"),
    ("PortRange", "swp7", "swp7"),
    ("LinuxInterface", "ens1f0np0", "ens1f0np0"),
    ("LinuxInterface", "eth0.100", "eth0.100"),
    ("ResourceName", "upf_left", "upf_left"),
    ("HexId", "8086", "8086"),
    ("HexId", 8086, "8086"),
    ("HexId", "159b", "159b"),
    ("Pci", "0000:3b:00.1", "0000:3b:00.1"),
    ("Mac", "00:1C:73:00:DC:01", "00:1c:73:00:dc:01"),
    ("Esi", "00:01:02:03:04:05:06:07:08:0A", "00:01:02:03:04:05:06:07:08:0a"),
    ("Version", "v3.32.0", "v3.32.0"),
    ("Version", 3, "3"),
    ("Version", "1.30.2-rc.1", "1.30.2-rc.1"),
    ("IPv4", "192.0.2.1", "192.0.2.1"),
    ("IPv6", "FD00:0:0::1", "fd00::1"),
    ("IP", "192.0.2.1", "192.0.2.1"),
    ("IP", "64:ff9b::192.0.2.1", "64:ff9b::c000:201"),
    ("Prefix4", "10.0.0.0/8", "10.0.0.0/8"),
    ("Prefix4", "192.0.2.1/32", "192.0.2.1/32"),
    ("Prefix6", "fd00::/48", "fd00::/48"),
    ("Prefix", "0.0.0.0/0", "0.0.0.0/0"),
    ("Prefix", "::/0", "::/0"),
    ("RouteTarget", "65000:10", "65000:10"),
    ("RouteTarget", "target:65000:10", "65000:10"),
    ("RouteTarget", "65000:4294967295", "65000:4294967295"),
    ("RouteTarget", "4200000000:65535", "4200000000:65535"),
    ("RouteTarget", "192.0.2.1:65535", "192.0.2.1:65535"),
    ("Microseconds", "250us", "250"),
    ("Microseconds", "1.5ms", "1500"),
    ("Microseconds", "2s", "2000000"),
    ("BitsPerSecond", "2.5G", "2500000000"),
    ("BitsPerSecond", "400G", "400000000000"),
    ("VlanRanges", "100-199", "100-199"),
    ("VlanRanges", 100, "100"),
    ("VlanRanges", ["300", 100, "101-200"], "100, 101-200, 300"),
    ("VfRange", "0-7", "0-7"),
    ("VfRange", 0, "0"),
    ("Vni", 4096, "4096"),
    ("Mtu", 9216, "9216"),
    ("Asn", 4294967294, "4294967294"),
    ("VlanId", 4094, "4094"),
]

BAD: list[tuple[str, Any, str, str]] = [
    ("Text", "", "this text is empty", "write something"),
    ("Text", "x" * 223, "223 characters", ""),
    ("Text", "a\x1b[31m", "control character U+001B", "remove it"),
    ("Text", None, "expected text, found nothing", ""),
    ("Text", True, "expected text, found a truth value", ""),
    ("Name", "N_3", "'N_3' is not a name", ": n-3"),
    ("Name", "a..b", "is not a name", ""),
    ("Name", "a.-b", "is not a name", ""),
    ("Name", "-a", "is not a name", ""),
    ("Name", "a/b", "is not a name", ""),
    ("Name", "a" * 254, "is not a name", "253"),
    ("Name", "a\n", "is not a name", ""),
    ("Name", ["a"], "expected a name, found a list", ""),
    ("Label", "a.b", "is not a DNS label", ""),
    ("Label", "a" * 64, "is not a DNS label", "63"),
    ("Label", "Leaf1", "is not a DNS label", ": leaf1"),
    ("VrfName", "a" * 16, "is not a routing-zone name", "15 characters"),
    ("VrfName", "1a", "is not a routing-zone name", ""),
    ("Interface", "Ethernet 1", "is not an interface name", ""),
    ("PortRange", "Ethernet[1-]", "is not a port", "Ethernet[1-48]"),
    ("LinuxInterface", "a" * 16, "is not a Linux interface name", "15 characters"),
    ("LinuxInterface", "eth0/1", "is not a Linux interface name", ""),
    ("ResourceName", "upf-left", "is not a device-plugin resource name", "refuses '-'"),
    ("HexId", "0x8086", "is not a PCI vendor or device id", "four lower-case hex digits"),
    ("HexId", "159B", "is not a PCI vendor or device id", ": 159b"),
    ("Pci", "3b:00.1", "is not a PCI address", "0000:3b:00.0"),
    ("Mac", "00-1c-73-00-dc-01", "is not a MAC address", "':' between"),
    ("Mac", "00:1c:73:00:dc", "is not a MAC address", "six pairs"),
    ("Version", "latest", "is not a version", "3.32.0"),
    ("IPv4", "fd00::1", "is an IPv6 address; this field takes an IPv4 address", ""),
    ("IPv4", "10.0.0.256", "is not an IPv4 address", ""),
    ("IPv4", "10.0.0.010", "is not an IPv4 address", "leading zeros"),
    ("IPv4", "10.0.0.1/24", "is not an IPv4 address", "no prefix length"),
    ("IPv4", 10, "'10' is not an IPv4 address", ""),
    ("IPv6", "fe80::1%eth0", "names an interface", "without %"),
    ("IP", "host.example", "is not an IP address", ""),
    ("IP", {}, "expected an IP address, found a mapping", ""),
    ("Prefix4", "10.0.0.1/24", "has bits set beyond its length", "did you mean 10.0.0.0/24?"),
    ("Prefix4", "10.0.0.0/33", "is not an IPv4 prefix", ""),
    ("Prefix4", "10.0.0.0", "has no prefix length", "10.0.0.0/32"),
    ("Prefix4", "10.0.0.0/255.255.255.0", "is not an IPv4 prefix", "write 10.0.0.0/24"),
    ("Prefix4", "10.0.0.0/0.0.0.255", "is not an IPv4 prefix", "write 10.0.0.0/24"),
    ("Prefix4", "fd00::/64", "is an IPv6 prefix; this field takes an IPv4 prefix", ""),
    ("Prefix6", "10.0.0.0/8", "is an IPv4 prefix; this field takes an IPv6 prefix", ""),
    ("Prefix", "x/24", "is not an IP prefix", ""),
    ("RouteTarget", 65000, "is not a route target", "65000:10"),
    ("RouteTarget", "65000:4294967296", "does not fit", "2-byte ASNs leave 32"),
    ("RouteTarget", "65536:65536", "does not fit", "16 bits"),
    ("RouteTarget", "192.0.2.1:65536", "does not fit", "16 bits"),
    ("RouteTarget", "192.0.2.300:1", "is not an IPv4 address", ""),
    ("RouteTarget", "4294967296:1", "does not fit", ""),
    ("RouteTarget", "065000:10", "is not a route target", ""),
    ("Microseconds", 250, "250 has no unit", "250us"),
    ("Microseconds", "250 us", "is not a latency", "us, ms, s"),
    ("Microseconds", "1m", "is not a latency", ""),
    ("BitsPerSecond", "100Gbps", "is not a rate", "100G"),
    ("BitsPerSecond", "9" * 400 + "G", "is not a rate", ""),
    ("VlanRanges", "199-100", "range 199-100 is empty", "write 100-199"),
    ("VlanRanges", "0-10", "does not lie in 1-4094", ""),
    ("VlanRanges", "4000-4095", "does not lie in 1-4094", ""),
    ("VlanRanges", ["1-10", "10-20"], "ranges 1-10 and 10-20 overlap", ""),
    ("VlanRanges", ["5", "5"], "ranges 5 and 5 overlap", ""),
    ("VlanRanges", [], "at least one value", "100-199"),
    ("VlanRanges", "a-b", "is not a range", "100-199"),
    ("VlanRanges", "9" * 5000, "is not a range", ""),
    ("VlanRanges", [["1"]], "expected a range such as 100-199, found a list", ""),
]

WHOLE = [
    ("Asn", 1, 4294967294),
    ("VlanId", 1, 4094),
    ("Vni", 4096, 16777214),
    ("Mtu", 1280, 9216),
    ("Metric", 1, 16777214),
    ("Color", 1, 4294967295),
    ("Preference", 1, 4294967295),
    ("Weight", 1, 1000),
    ("Count", 1, 100000),
    ("Msd", 1, 127),
    ("VfCount", 1, 256),
    ("Mbps", 0, 400000),
]


def read(kind: str, value: Any) -> Any:
    return TypeAdapter(getattr(scalars, kind)).validate_python(value)


def refusal(kind: str, value: Any) -> tuple[str, str]:
    with pytest.raises(ValidationError) as caught:
        read(kind, value)
    (error,) = caught.value.errors()
    context = error.get("ctx", {})
    return str(context.get("text", error["msg"])), str(context.get("hint", ""))


@pytest.mark.parametrize(("kind", "value", "expected"), GOOD)
def test_good_values_and_what_becomes_of_them(kind: str, value: Any, expected: str) -> None:
    found = read(kind, value)
    assert str(found) == expected


@pytest.mark.parametrize(("kind", "value", "message", "hint"), BAD)
def test_bad_values_are_refused_in_words(kind: str, value: Any, message: str, hint: str) -> None:
    text, said = refusal(kind, value)
    assert message in text
    assert hint in said


@pytest.mark.parametrize(("kind", "low", "high"), WHOLE)
def test_whole_numbers_have_limits_and_no_other_form(kind: str, low: int, high: int) -> None:
    assert (read(kind, low), read(kind, high)) == (low, high)
    for value in (low - 1, high + 1, str(low), float(low), True, None):
        refusal(kind, value)


@pytest.mark.parametrize("kind", sorted({kind for kind, _, _ in GOOD}))
def test_a_value_that_was_read_is_read_again(kind: str) -> None:
    """Models are copied and validated again; what was made of a value must stay."""
    for name, value, _ in GOOD:
        if name == kind and kind not in ("Microseconds", "BitsPerSecond"):
            once = read(kind, value)
            assert read(kind, once) == once


@given(st.text(max_size=30))
def test_no_text_is_more_than_refused(text: str) -> None:
    for kind in sorted({kind for kind, _, _ in GOOD}):
        try:
            read(kind, text)
        except ValidationError:
            continue


@given(st.lists(st.integers(1, 4094), min_size=1, max_size=20, unique=True))
def test_ranges_count_what_they_hold(values: list[int]) -> None:
    ranges = read("VlanRanges", values)
    assert len(ranges) == len(values)
    assert [ranges.at(index) for index in range(len(ranges))] == sorted(values)
    assert all(value in ranges for value in values)
    assert 4095 not in ranges
    with pytest.raises(IndexError):
        ranges.at(len(ranges))


def test_ranges_of_pairs() -> None:
    assert ranges_of((1, 3), (7, 7)) == Ranges(((1, 3), (7, 7)))
    assert str(ranges_of((1, 3), (7, 7))) == "1-3, 7"
