"""What a packet costs, encapsulated in every way: on Linux namespaces, and on a real VPP.

Linux: from a pod over A, C and B to a pod; one process sends as fast as it goes, and its CPU time covers all
hops, so that other load on the machine shows little. Each way has a destination of its own, ways take turns,
and only ratios within one run are compared. VPP: clocks of its graph nodes (bench/dataplane_vpp.py).
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bench import dataplane_vpp
from bench.timing import line
from lab.spaces import FORWARDS, LabError, Spaces, ended, why_not

COUNT: Final = 60_000
"""Packets of one turn."""
SIZES: Final = (64, 1200)
"""Bytes of the inner packet."""
_HEADERS: Final = 28
_LOST: Final = 0.01
"""More than this share lost makes a turn worthless."""

WAYS: Final[Mapping[str, tuple[str, str]]] = {
    "plain": ("plain IPv4, no tunnel", "via inet6 fd00:a::c dev c"),
    "ipip": (
        "SRv6 reduced, 1 SID: byte by byte IPv4-in-IPv6",
        "encap seg6 mode encap.red segs fcbb:0:b:d4:: dev c",
    ),
    "one": ("SRv6, 1 SID in an SRH", "encap seg6 mode encap segs fcbb:0:b:d4:: dev c"),
    "two": ("SRv6, 2 SIDs (TE)", "encap seg6 mode encap segs fcbb:0:c::1,fcbb:0:b:d4:: dev c"),
    "reduced": (
        "SRv6 reduced, 2 SIDs (TE)",
        "encap seg6 mode encap.red segs fcbb:0:c::1,fcbb:0:b:d4:: dev c",
    ),
    "usid": ("SRv6, uSID carrier over C (TE)", "encap seg6 mode encap.red segs fcbb:0:c:b:d4:: dev c"),
    "vxlan": ("VXLAN over UDP and IPv6", "via inet6 fd00:ff::b dev vx"),
}
"""What each way is called, and the route of A that makes it."""


def measure(folder: Path, runs: int) -> None:
    """Print the rows of Linux, then those of VPP."""
    if why := why_not():
        line("cost of a packet on Linux", f"skipped: {why}", "", "", "", "")
    else:
        _linux(runs)
    dataplane_vpp.measure(folder, runs)


def _linux(runs: int) -> None:
    with Spaces("lab-bench-") as spaces:
        _build(spaces)
        ways = {}
        for number, (name, (_, route)) in enumerate(WAYS.items(), start=1):
            try:
                spaces.ip("a", f"route add 10.2.{number}.0/24 {route}")
                ways[name] = f"10.2.{number}.2"
            except LabError as error:
                line(WAYS[name][0], f"skipped: {error}", "", "", "", "")
        for size in SIZES:
            _rows(spaces, ways, size, 2 * runs + 1)


def _rows(spaces: Spaces, ways: Mapping[str, str], size: int, turns: int) -> None:
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(turns):
        for name, address in ways.items():
            found[name].append(_turn(spaces, address, size))
    middle = {name: statistics.median(times) for name, times in found.items()}
    for name, times in found.items():
        made = f"{times_of(middle, name, 'plain')} plain, {times_of(middle, name, 'ipip')} IPv4-in-IPv6"
        line(
            f"Linux, {size} B: {WAYS[name][0]}",
            f"{middle[name]:,.0f} ns",
            f"{min(times):,.0f} ns",
            "",
            "",
            made,
        )


def times_of(middle: Mapping[str, float], name: str, other: str) -> str:
    """Return how many times as much one way costs as another."""
    return f"{middle[name] / middle[other]:.2f} ×" if other in middle else "?"


def _turn(spaces: Spaces, address: str, size: int) -> float:
    """Send the packets of one turn; return the nanoseconds for each."""
    sink = spaces.stream("pod-b", "sink")
    if sink.stdout is None or sink.stdout.readline() != "ready\n":
        raise LabError("nobody listens")
    before = _arrived(spaces)
    report = spaces.result(spaces.stream("pod-a", "blast", address, str(COUNT), str(size - _HEADERS)))
    share = (_arrived(spaces) - before) / COUNT
    ended(sink)
    spaces.result(sink)
    if share < 1 - _LOST:
        raise LabError(f"only {share:.1%} of the packets to {address} arrived")
    return float(report["nanoseconds"])


def _arrived(spaces: Spaces) -> int:
    (link,) = spaces.show("pod-b", "link show eth0")
    stats: Any = link["stats64"]
    return int(stats["rx"]["packets"])


def _build(spaces: Spaces) -> None:
    """Make both pods, A, C and B between them; B takes every way out of its tunnel."""
    for name in ("pod-a", "a", "c", "b", "pod-b"):
        spaces.add(name, *FORWARDS)
    spaces.cable(("pod-a", "eth0"), ("a", "pod"), 9000)
    spaces.cable(("a", "c"), ("c", "a"), 9000)
    spaces.cable(("c", "b"), ("b", "c"), 9000)
    spaces.cable(("b", "pod"), ("pod-b", "eth0"), 9000)
    several = range(1, len(WAYS) + 1)
    spaces.ip("pod-a", "address add 10.1.0.2/24 dev eth0", "route add default via 10.1.0.1")
    spaces.ip("pod-b", *(f"address add 10.2.{number}.2/24 dev eth0" for number in several))
    spaces.ip("pod-b", "route add default via 10.2.1.1")
    spaces.ip(
        "a",
        "address add 10.1.0.1/24 dev pod",
        "address add fd00:a::a/64 dev c",
        "route add fd00:b::/64 via fd00:a::c",
        "route add fcbb::/32 via fd00:a::c",
        "sr tunsrc set fd00:a::a",
    )
    spaces.ip(
        "c",
        "address add fd00:a::c/64 dev a",
        "address add fd00:b::c/64 dev b",
        "route add fcbb:0:b::/48 via fd00:b::b",
        "route add fcbb:0:c::1/128 encap seg6local action End dev a",
        "route add fcbb:0:c::/48 encap seg6local action End flavors next-csid lblen 32 nflen 16 dev a",
        "route add 10.2.0.0/16 via inet6 fd00:b::b dev b",
    )
    spaces.ip(
        "b",
        "address add fd00:b::b/64 dev c",
        *(f"address add 10.2.{number}.1/24 dev pod" for number in several),
        "route add fd00:a::/64 via fd00:b::c",
        "route add 10.1.0.0/16 via inet6 fd00:b::c dev c",
        "route add fcbb:0:b:d4::/64 encap seg6local action End.DX4 nh4 0.0.0.0 dev c",
    )
    for here, own, other in (("a", "fd00:a::a", "fd00:b::b"), ("b", "fd00:b::b", "fd00:a::a")):
        _vxlan(spaces, here, own, other)


def _vxlan(spaces: Spaces, here: str, own: str, other: str) -> None:
    """Join A and B by VXLAN, where the kernel can; without, the route into it is refused later."""
    try:
        tunnel = f"type vxlan id 5 local {own} remote {other} dstport 4789"
        spaces.ip(
            here, f"link add vx mtu 8900 {tunnel}", "link set vx up", f"address add fd00:ff::{here}/64 dev vx"
        )
    except LabError:
        return
