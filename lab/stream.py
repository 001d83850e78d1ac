"""Numbered packets: `python -m lab.stream send|receive|ping|blast|sink` in a namespace; reports are JSON.

Every packet carries its number, so the receiver knows which are missing; a stream ends with a few packets
that carry no number. Only the standard library is imported, since each end is a process of its own.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

PORT: Final = 7000
END: Final = 2**64 - 1
"""Stands in the place of a number once all packets are sent."""
_NUMBER: Final = struct.Struct("!Q")
_ECHO: Final = struct.Struct("!BBHHH")
_BURST: Final = 64
"""So many packets go out at once: queues of the kernel hold a thousand."""
_BUFFER: Final = 64 << 20
_SETTLED: Final = 0.5
"""Seconds without a packet after which nothing more comes, once standard input is closed."""


def main(words: list[str]) -> None:
    """Run one end of a stream."""
    what, *rest = words
    ends: dict[str, Callable[..., dict[str, float]]]
    ends = {"send": send, "receive": receive, "ping": ping, "blast": blast, "sink": sink}
    report = ends[what](*rest)
    sys.stdout.write(json.dumps(report) + "\n")


def send(address: str, rate: str, flows: str = "1", size: str = "64") -> dict[str, float]:
    """Send packets/s from some ports, until standard input is closed."""
    sockets = [_connected(address) for _ in range(int(flows))]
    padding = bytes(int(size) - _NUMBER.size)
    sent, wanted, start = 0, float(rate), time.perf_counter()
    while not (sent % _BURST == 0 and select.select([sys.stdin], [], [], 0)[0]):
        due = int((time.perf_counter() - start) * wanted) - sent
        if due <= 0:
            time.sleep(0.0002)
            if select.select([sys.stdin], [], [], 0)[0]:
                break
            continue
        for _ in range(min(due, _BURST)):
            sockets[sent % len(sockets)].send(_NUMBER.pack(sent) + padding)
            sent += 1
    seconds = time.perf_counter() - start
    time.sleep(0.2)
    with suppress(ConnectionRefusedError):  # the first one ended the receiver
        for _ in range(3):
            sockets[0].send(_NUMBER.pack(END))
            time.sleep(0.05)
    return {"sent": sent, "seconds": seconds}


def receive(family: str) -> dict[str, float]:
    """Receive until the end of the stream; report what came, and the longest time in which nothing did.

    Where the packets that end it are lost, it is over once standard input is closed: a sender may be held up.
    """
    kind = socket.AF_INET6 if family == "ipv6" else socket.AF_INET
    inlet = socket.socket(kind, socket.SOCK_DGRAM)
    inlet.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_RCVBUFFORCE", 33), _BUFFER)
    inlet.bind(("::" if family == "ipv6" else "0.0.0.0", PORT))  # noqa: S104 -- of a namespace
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    seen, received, twice, late, highest = bytearray(1 << 20), 0, 0, 0, -1
    last, longest, clock = 0.0, 0.0, time.perf_counter
    inlet.settimeout(_SETTLED)
    while True:
        try:
            number = int.from_bytes(inlet.recv(2048)[:8], "big")
        except TimeoutError:
            if select.select([sys.stdin], [], [], 0)[0]:
                break
            continue
        if number == END:
            break
        now = clock()
        if last:
            longest = max(longest, now - last)
        last = now
        if number >= len(seen):
            seen.extend(bytes(max(len(seen), number)))
        if seen[number]:
            twice += 1
            continue
        seen[number] = 1
        received += 1
        if number < highest:
            late += 1
        else:
            highest = number
    return {"received": received, "twice": twice, "late": late, "longest_gap": longest}


def ping(address: str, count: str, interval: str) -> dict[str, float]:
    """Send echo requests, and count the answers."""
    sixth = ":" in address
    kind, protocol = (
        (socket.AF_INET6, socket.IPPROTO_ICMPV6) if sixth else (socket.AF_INET, socket.IPPROTO_ICMP)
    )
    outlet = socket.socket(kind, socket.SOCK_RAW, protocol)
    outlet.connect((address, 0))
    request, reply, skipped = (128, 129, 0) if sixth else (8, 0, 20)
    answered: set[int] = set()
    for number in range(int(count)):
        body = struct.pack("!d", time.time())
        header = _ECHO.pack(request, 0, 0, 4711, number)
        outlet.send(_ECHO.pack(request, 0, _checksum(header + body), 4711, number) + body)
        _listen(outlet, time.perf_counter() + float(interval), (reply, skipped), answered)
    _listen(outlet, time.perf_counter() + 1, (reply, skipped), answered, int(count))
    return {"sent": int(count), "received": len(answered)}


def _listen(
    inlet: socket.socket,
    until: float,
    expected: tuple[int, int],
    answered: set[int],
    enough: int = 0,
) -> None:
    """Take answers until a time, or until there are enough; those that are there already in any case."""
    reply, skipped = expected
    while not (enough and len(answered) >= enough):
        if not select.select([inlet], [], [], max(0.0, until - time.perf_counter()))[0]:
            return
        packet = inlet.recv(2048)[skipped:]
        kind, _, _, name, number = _ECHO.unpack_from(packet)
        if (kind, name) == (reply, 4711):
            answered.add(number)


def blast(address: str, count: str, size: str) -> dict[str, float]:
    """Send as fast as it goes; report the CPU time of this process, in which the kernel forwards as well."""
    outlet, packet = _connected(address), bytes(int(size))
    before, start = time.process_time(), time.perf_counter()
    for _ in range(int(count)):
        outlet.send(packet)
    return {
        "sent": int(count),
        "nanoseconds": (time.process_time() - before) / int(count) * 1e9,
        "seconds": time.perf_counter() - start,
    }


def sink() -> dict[str, float]:
    """Be there for packets and read none, until standard input is closed."""
    inlet = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    inlet.bind(("0.0.0.0", PORT))  # noqa: S104 -- of a namespace
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    return {}


def _connected(address: str) -> socket.socket:
    outlet = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    outlet.connect((address, PORT))
    return outlet


def _checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071); for ICMPv6 the kernel writes its own."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


if __name__ == "__main__":
    main(sys.argv[1:])
