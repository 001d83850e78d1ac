"""Values for mutations: near a written one, taken from other documents, or made up; the model judges them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final, Literal, NamedTuple, get_args, get_origin

from intent.model import Ref
from intent.scalars import Ranges
from intent.source import FieldPath

ABSENT: Final = object()
"""Stands for a field that is not written."""
_ADDRESSES: Final = frozenset({IPv4Address, IPv6Address})
_PREFIXES: Final = frozenset({IPv4Network, IPv6Network})


class Site(NamedTuple):
    """One field that a document has or could have."""

    path: FieldPath
    type: Any
    """Its type, without None."""
    value: Any
    """As written; ABSENT where it is not."""
    key: tuple[str, str]
    """Model and field: where to look for values that others gave it."""
    required: bool
    refs: tuple[str, ...] = ()
    """Kinds of documents that it names."""


@dataclass(slots=True)
class Words:
    """What stands in many documents: values by field, objects by model, names by kind, prefixes, labels."""

    values: defaultdict[tuple[str, str], list[Any]] = field(default_factory=lambda: defaultdict(list))
    objects: defaultdict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    names: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    prefixes: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)


def bare(kind: Any) -> Any:
    """Return a type without its annotations."""
    return get_args(kind)[0] if hasattr(kind, "__metadata__") else kind


def refs(kind: Any, metadata: Iterable[Any] = ()) -> tuple[str, ...]:
    """Return the kinds that a type, or the field around it, is marked to name."""
    marks = [*metadata, *getattr(kind, "__metadata__", ())]
    found = next((item.kinds for item in marks if isinstance(item, Ref)), ())
    return found or next((own for part in get_args(kind) if (own := refs(part))), ())


def values(site: Site, near: Words, far: Words) -> Iterator[Any]:
    """Yield values of a type, the likeliest to be valid first."""
    plain, value = bare(site.type), site.value
    if get_origin(plain) is Literal:
        yield from get_args(plain)
        return
    if plain is bool or bool in get_args(plain):
        yield from (True, False)
        return
    yield from (name for kind in site.refs for name in near.names[kind])
    near_by = list(guess(value)) if value is not ABSENT else []
    yield from near_by[:2]
    if not _PREFIXES - {plain, *get_args(plain)} and isinstance(value, str):
        yield from (text for text in ("10.78.0.0/16", "fd78::/64") if (":" in text) != (":" in value))
    yield from near_by[2:]
    yield from near.values[_SAME.get(site.key, site.key)]
    if isinstance(value, str) and "{n" not in value and site.key in _SAME:
        return
    yield from _of_family(plain, near)
    for one in (one for words in (near, far) for one in words.values[site.key]):
        yield from one if isinstance(one, list) else [one]
        if isinstance(one, str | int):
            yield from guess(one)
    yield from _samples(plain)


_SAME: Final = {
    ("Segment", "router"): ("Router", "name"),
    ("Segment", "link"): ("Link", "name"),
    ("Uplink", "router"): ("Router", "name"),
    ("End", "at"): ("Router", "name"),
    ("LinkState", "link"): ("Link", "name"),
    ("Cable", "switch"): ("Switch", "name"),
    ("Cable", "nic"): ("Nic", "name"),
    ("BorderPort", "switch"): ("Switch", "name"),
    ("ExternalPeer", "switch"): ("Switch", "name"),
    ("StaticPort", "switch"): ("Switch", "name"),
    ("RedundancyGroup", "switches"): ("Switch", "name"),
    ("StaticPort", "bond"): ("Bond", "name"),
    ("StaticPort", "nic"): ("Nic", "name"),
    ("Placement", "nic"): ("Nic", "name"),
    ("Bond", "nics"): ("Nic", "name"),
    ("NicSelector", "names"): ("Nic", "name"),
    ("NicSelector", "vendor"): ("Nic", "vendor"),
    ("NicSelector", "device"): ("Nic", "device"),
    ("NicSelector", "pci"): ("Nic", "pci"),
    ("NodeSelector", "sites"): ("NodeSpec", "site"),
    ("Link", "affinities"): ("UnderlaySpec", "affinities"),
    ("Link", "srlgs"): ("UnderlaySpec", "srlgs"),
    ("Placement", "namespace"): ("Namespace", "name"),
    ("WorkloadSpec", "namespace"): ("Namespace", "name"),
    ("SriovAttachment", "namespaces"): ("Namespace", "name"),
    ("SriovBondAttachment", "namespaces"): ("Namespace", "name"),
    ("OverlayAttachment", "namespaces"): ("Namespace", "name"),
    ("ExternalConnectionSpec", "zone"): ("VirtualNetworkSpec", "zone"),
}
"""Fields that hold names which other fields give."""
_NUMBERS: Final = (
    1,
    2,
    3,
    4,
    8,
    16,
    64,
    100,
    1400,
    1500,
    3000,
    8900,
    9000,
    9050,
    9214,
    65001,
    "10G",
    "250us",
)
_RANGES: Final = ("300-399", "5000-900000", "1-4093", "2-4094", "4096-16777214", "0-3")
_TEXTS: Final = (
    *(
        "zz",
        "zz-{n}",
        "eth7",
        "Ethernet33",
        "swp33",
        "10.77.0.0/24",
        "10.77.0.0/16",
        "fd77::/64",
        "fd77::/48",
    ),
    *(
        "10.77.0.1",
        "fd77::1",
        "192.0.2.77",
        "fd77::{n}",
        "192.0.2.{n+70}",
        "02:00:00:00:00:77",
        "10G",
        "250us",
    ),
    *(
        "65000:77",
        "8086",
        "0000:3b:00.0",
        "1.30.0",
        "3.32.0",
        "ns/secret/key",
        "00:01:02:03:04:05:06:07:08:09",
    ),
)
"""Values of many forms: the model of a field says which of them fit."""


def _samples(plain: Any) -> tuple[Any, ...]:
    if plain is int:
        return _NUMBERS
    return _RANGES if plain is Ranges else _TEXTS


def _of_family(plain: Any, near: Words) -> Iterator[str]:
    """Yield addresses and prefixes inside those that the intent speaks of."""
    parts = {plain, *get_args(plain)}
    for text in near.prefixes:
        network = ip_network(text)
        if parts & _ADDRESSES and network.num_addresses > 16:
            yield from (str(network.network_address + step) for step in (9, 0x77 % network.num_addresses))
        if parts & _PREFIXES and network.prefixlen < network.max_prefixlen - 4:
            yield str(list(network.subnets(4))[-1])


def guess(value: Any) -> Iterator[Any]:
    """Yield values near a written one, by its form."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value - 1, value + 16, value - 64, value + 128, value - 1000, value * 2)
    elif isinstance(value, str):
        found = re.search(r"\{n[^}]*\}", value)
        yield from _near_template(value, found.group()) if found else _near_text(value)


def _near_template(value: str, text: str) -> Iterator[str]:
    """Yield text that stands for many, with other text around the number or another number."""
    plain = value.replace(text, "77")
    yield from (other.replace("77", text) for other in _near_text(plain) if "77" in other)
    more = text.replace("+", "+2", 1) if "+" in text else text.replace("n", "n+100", 1)
    yield value.replace(text, more)


def _near_text(value: str) -> Iterator[str]:
    if re.fullmatch(r"[0-9a-f.:]+/[0-9]+", value):
        yield from _near_prefix(value)
    elif is_address(value):
        number = ip_address(value)
        yield from (str(number + step) for step in (1, 3, 16, 256))
        yield str(number - 1)
    elif found := re.fullmatch(r"([0-9]+)-([0-9]+)", value):
        low, high = int(found[1]), int(found[2])
        beside = f"{high + 1}-{2 * high - low + 1}"
        half = (low + high) // 2
        yield from (
            beside,
            f"{half}-{high}",
            f"{low}-{half}",
            f"{low + 1}-{high}",
            f"{low}-{high - 1}",
            f"{low}-{high + 1}",
        )
    elif found := re.fullmatch(r"([0-9]+)([A-Za-z]+)", value):
        yield from (f"{int(found[1]) + 1}{found[2]}", f"{int(found[1]) * 2}{found[2]}")
    else:
        yield from text_like(value)


def _near_prefix(value: str) -> Iterator[str]:
    """Yield prefixes beside, around and inside one."""
    network = ip_network(value)
    for step in (1, 3, 7):
        number = int(network.network_address) + (step << (network.max_prefixlen - network.prefixlen))
        if number >> network.max_prefixlen == 0:
            yield f"{type(network.network_address)(number)}/{network.prefixlen}"
    yield str(network.supernet())
    halves = list(network.subnets())
    yield from (str(halves[0]), str(halves[-1]))


def text_like(value: str) -> Iterator[str]:
    """Yield text like a given one: another last character, then a longer one."""
    at = max((at for at, letter in enumerate(value) if letter.isalnum()), default=None)
    if at is not None:
        yield from (f"{value[:at]}{new}{value[at + 1 :]}" for new in "83bf" if value[at] != new)
    yield from (f"{value}9", f"{value}-x")


def is_address(value: str) -> bool:
    """Say whether a text is an IP address."""
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


def rebased(value: Any, prefixes: Iterable[str]) -> Any:
    """Return a value with its addresses moved into the first of some prefixes that is of their family."""
    if isinstance(value, dict):
        return {key: rebased(item, prefixes) for key, item in value.items()}
    if isinstance(value, list):
        return [rebased(item, prefixes) for item in value]
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-f.:]+(/[0-9]+)?", value):
        return value
    text, slash, length = value.partition("/")
    if not is_address(text):
        return value
    address = ip_address(text)
    for one in map(ip_network, prefixes):
        if one.version == address.version:
            number = int(one.network_address) | (int(address) & int(one.hostmask))
            return f"{type(address)(number)}{slash}{length}"
    return value
