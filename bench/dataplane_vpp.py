"""Clocks of VPP's graph nodes for a packet: SRv6 beside true IP-in-IP, made by its own packet generator.

Packets enter at ip4-input or ip6-input and leave by a port of the generator; what a case costs is the sum
over the nodes that see them, without the generator. Vectors are full, caches hot, there is one destination:
ratios of one run are worth something, and single clocks are not.
"""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from struct import pack
from typing import Any, Final

from bench.timing import line

COUNT: Final = 500_000
_OWN: Final = "fd11:9::1"
_PEER: Final = "fd11:9::2"
_NODE: Final = re.compile(
    r"^(?P<name>\S+)\s+(?:active|polling)\s+\d+\s+(?P<packets>\d+)\s+\d+\s+(?P<clocks>\S+)", re.MULTILINE
)
_SETUP: Final = (
    "create packet-generator interface pg0",
    "create packet-generator interface pg1",
    "set interface state pg0 up",
    "set interface state pg1 up",
    "set interface ip address pg0 10.64.1.254/24",
    "set interface ip address pg0 fd64:1::254/64",
    "set interface ip address pg1 10.99.0.1/24",
    f"set interface ip address pg1 {_OWN}/64",
    "set ip neighbor pg1 10.99.0.2 02:fe:00:00:00:02",
    f"set ip neighbor pg1 {_PEER} 02:fe:00:00:00:02",
    "ip route add 10.64.2.0/24 via 10.99.0.2 pg1",
    f"ip route add fcbb::/16 via {_PEER} pg1",
    f"ip route add fcdd::/16 via {_PEER} pg1",
    f"set sr encaps source addr {_OWN}",
    "sr policy add bsid cafe::1 next fcdd::4 encap",
    "sr policy add bsid cafe::2 next fcbb::1 next fcdd::4 encap",
    "sr policy add bsid cafe::3 next fcbb::1 next fcbb::2 next fcdd::4 encap",
    "sr steer l3 10.64.11.0/24 via bsid cafe::1",
    "sr steer l3 10.64.12.0/24 via bsid cafe::2",
    "sr steer l3 10.64.13.0/24 via bsid cafe::3",
    "sr localsid address fcaa::4 behavior end.dt4 0",
)
_TUNNELS: Final = (
    f"create ipip tunnel src {_OWN} dst {_PEER}",
    "create ipip tunnel src 10.99.0.1 dst 10.99.0.2",
    "set interface state ipip0 up",
    "set interface state ipip1 up",
    "set interface unnumbered ipip0 use pg1",
    "set interface unnumbered ipip1 use pg1",
    "ip route add 10.64.21.0/24 via ipip0",
    "ip route add 10.64.22.0/24 via ipip1",
)


def _ipv4(source: str, target: str, protocol: int, payload: bytes) -> bytes:
    total = 20 + len(payload)
    head = pack("!BBHHHBBH", 0x45, 0, total, 0, 0, 64, protocol, 0)
    head += ip_address(source).packed + ip_address(target).packed
    words = sum(int.from_bytes(head[at : at + 2], "big") for at in range(0, 20, 2))
    words = (words & 0xFFFF) + (words >> 16)
    return head[:10] + pack("!H", ~(words + (words >> 16)) & 0xFFFF) + head[12:] + payload


def _ipv6(source: str, target: str, following: int, payload: bytes) -> bytes:
    head = pack("!IHBB", 6 << 28, len(payload), following, 64)
    return head + ip_address(source).packed + ip_address(target).packed + payload


def _inner(target: str) -> bytes:
    return _ipv4("10.64.1.1", target, 17, pack("!HHHH", 1000, 2000, 44, 0) + bytes(36))


CASES: Final[Mapping[str, tuple[str, bytes]]] = {
    "plain IPv4": ("ip4-input", _inner("10.64.2.9")),
    "encapsulate: IPv4-in-IPv6 (ipip)": ("ip4-input", _inner("10.64.21.9")),
    "encapsulate: IPv4-in-IPv4 (ipip)": ("ip4-input", _inner("10.64.22.9")),
    "encapsulate: SRv6, 1 SID": ("ip4-input", _inner("10.64.11.9")),
    "encapsulate: SRv6, 2 SIDs": ("ip4-input", _inner("10.64.12.9")),
    "encapsulate: SRv6, 3 SIDs": ("ip4-input", _inner("10.64.13.9")),
    "decapsulate: IPv4-in-IPv6 (ipip)": ("ip6-input", _ipv6(_PEER, _OWN, 4, _inner("10.64.2.9"))),
    "decapsulate: IPv4-in-IPv4 (ipip)": (
        "ip4-input",
        _ipv4("10.99.0.2", "10.99.0.1", 4, _inner("10.64.2.9")),
    ),
    "decapsulate: SRv6 End.DT4": ("ip6-input", _ipv6(_PEER, "fcaa::4", 4, _inner("10.64.2.9"))),
}
"""Where packets enter, and what they are."""
_BESIDE: Final = {
    "encapsulate": "encapsulate: IPv4-in-IPv6 (ipip)",
    "decapsulate": "decapsulate: IPv4-in-IPv6 (ipip)",
}


def measure(folder: Path, runs: int) -> None:
    """Print a row for each case."""
    from tests.vpps import BINARY, running  # noqa: PLC0415 -- needs pytest, which only this case does

    if BINARY is None:
        line("cost of a packet on VPP", "skipped: set INTENTC_VPP", "", "", "", "")
        return
    found: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(dir=folder) as name, running(Path(name)) as client:
        streams = _prepare(client)
        for _ in range(2 * runs + 1):
            for case, stream in streams.items():
                found[case].append(_turn(client, stream))
    middle = {case: statistics.median(clocks) for case, clocks in found.items()}
    for case, clocks in found.items():
        other = _BESIDE.get(case.partition(":")[0], "plain IPv4")
        ratio = f"{middle[case] / middle[other]:.2f} × {other.rpartition(': ')[2]}" if other in middle else ""
        line(f"VPP, {case}", f"{middle[case]:.0f} clocks", f"{min(clocks):.0f} clocks", "", "", ratio)
    if middle.keys() >= set(_BESIDE.values()):
        _sums(middle)
    else:
        line("VPP, IP-in-IP", "skipped: this VPP has no plugin ipip", "", "", "", "")


def _sums(middle: Mapping[str, float]) -> None:
    """Compare both ends of a tunnel together."""
    tunnel = sum(middle[case] for case in _BESIDE.values())
    srv6 = middle["encapsulate: SRv6, 1 SID"] + middle["decapsulate: SRv6 End.DT4"]
    made = f"{srv6 / tunnel:.2f} × IPv4-in-IPv6 (ipip), {tunnel:.0f} clocks"
    line("VPP, both ends of SRv6 with 1 SID", f"{srv6:.0f} clocks", "", "", "", made)


def _prepare(client: Any) -> dict[str, str]:
    """Configure VPP; return the stream of each case that it can do."""
    from tests.vpps import ask  # noqa: PLC0415 -- see above

    tunnels = "ipip" in ask(client, "show plugins")
    for command in (*_SETUP, *(_TUNNELS if tunnels else ())):
        ask(client, command)
    streams = {}
    for number, (case, (node, packet)) in enumerate(CASES.items()):
        if tunnels or "ipip" not in case:
            streams[case] = f"s{number}"
            how = f"limit {COUNT} rate 0 size {len(packet)}-{len(packet)} interface pg0 node {node}"
            ask(client, f"packet-generator new {{ name s{number} {how} data {{ hex 0x{packet.hex()} }} }}")
    return streams


def _turn(client: Any, stream: str) -> float:
    """Send the packets of one case; return the clocks that each took."""
    from tests.vpps import ask  # noqa: PLC0415 -- see above

    ask(client, "clear runtime")
    ask(client, f"packet-generator enable-stream {stream}")
    sent: dict[str, int] = {}
    for _ in range(200):
        time.sleep(0.05)
        nodes = _NODE.findall(ask(client, "show runtime"))
        sent = {name: int(packets) for name, packets, _ in nodes}
        if sent.get("pg1-tx", 0) >= COUNT:
            return sum(float(clocks) for name, packets, clocks in nodes if _counts(name, int(packets)))
    raise RuntimeError(f"stream {stream}: only {sent.get('pg1-tx', 0)} packets came out")


def _counts(name: str, packets: int) -> bool:
    return packets >= COUNT and name != "pg-input"
