"""Carriers as they are packed here, through the NEXT-C-SID of the kernel: packets take the forced link."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv6Address

import pytest

from compiler.te.carriers import compressed, pack

pytestmark = pytest.mark.real
A, R, B = (f"te-{os.getpid()}-{name}" for name in "arb")
"""Headend, router, egress node."""
RECEIVE = """
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("fd99::1", 9))
s.settimeout(60)
print("ready", flush=True)
n = 0
while n < 20:
    s.recv(9)
    n += 1
print(n)
"""
SEND = """
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
for _ in range(20):
    s.sendto(b"x", ("fd99::1", 9))
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def inside(name: str, *words: str) -> list[str]:
    return ["ip", "netns", "exec", name, *words]


def wire(one: tuple[str, str, str], two: tuple[str, str, str]) -> None:
    """Join two namespaces: namespace, interface and address of each end."""
    ip("link", "add", one[1], "netns", one[0], "type", "veth", "peer", "name", two[1], "netns", two[0])
    for name, interface, address in (one, two):
        ip("-n", name, "addr", "add", address, "dev", interface, "nodad")
        ip("-n", name, "link", "set", interface, "up")


def local(name: str, prefix: str, *action: str) -> None:
    ip("-n", name, "-6", "route", "add", prefix, "encap", "seg6local", "action", *action)


@pytest.fixture
def net() -> Iterator[None]:
    """Lay a headend, a router, and an egress node behind two links of the router; the IGP takes the first."""
    if os.geteuid() or not shutil.which("ip"):
        pytest.skip("needs root and iproute2")
    try:
        for name in (A, R, B):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
            said = ["net.ipv6.conf.all.forwarding=1", "net.ipv6.conf.default.accept_dad=0"]
            subprocess.run(inside(name, "sysctl", "-qw", *said), check=True)
        wire((A, "ar", "fd01::1/64"), (R, "ra", "fd01::2/64"))
        wire((R, "rb1", "fd02::1/64"), (B, "br1", "fd02::2/64"))
        wire((R, "rb2", "fd03::1/64"), (B, "br2", "fd03::2/64"))
        ip("-n", B, "addr", "add", "fd99::1/128", "dev", "lo", "nodad")
        ip("-n", R, "-6", "route", "add", "fcbb:0:2::/48", "via", "fd02::2")
        ip("-n", A, "-6", "route", "add", "fcbb::/32", "via", "fd01::2")
        local(R, "fcbb:0:1::/48", "End", "flavors", "next-csid", "lblen", "32", "nflen", "16", "dev", "rb1")
        local(B, "fcbb:0:2:d6::/64", "End.DT6", "table", "255", "dev", "br1")
        yield
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this kernel or machine refuses {error.cmd}: {error.stderr}")
    finally:
        for name in (A, R, B):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def crossing() -> int:
    counted = subprocess.run(
        inside(B, "cat", "/sys/class/net/br2/statistics/rx_packets"), check=True, capture_output=True
    )
    return int(counted.stdout)


def sent(addresses: tuple[str, ...]) -> tuple[int, bool]:
    """Send twenty packets with a list; return how many arrived, and whether they took the second link."""
    encap = ["encap", "seg6", "mode", "encap.red", "segs", ",".join(addresses), "dev", "ar"]
    ip("-n", A, "-6", "route", "replace", "fd99::/64", *encap)
    before = crossing()
    with subprocess.Popen(
        inside(B, sys.executable, "-c", RECEIVE), stdout=subprocess.PIPE, text=True
    ) as there:
        assert there.stdout is not None
        assert there.stdout.readline() == "ready\n"
        subprocess.run(inside(A, sys.executable, "-c", SEND), check=True)
        arrived = there.stdout.read().strip()
    return int(arrived or 0), crossing() - before >= 20


SERVICE = ("fcbb:0:2:d6::", 2)
FUNCTIONS = {
    "behind the locator": ("fcbb:0:1:e1::/64", "32"),
    "local to the router": ("fcbb:0:e1::/48", "16"),
}


@pytest.mark.parametrize("form", FUNCTIONS)
def test_packets_take_the_links_of_the_carrier(net: None, form: str) -> None:  # noqa: ARG001 -- a fixture
    prefix, bits = FUNCTIONS[form]
    flavour = ["flavors", "next-csid", "lblen", "32", "nflen", bits, "dev", "rb2"]
    local(R, prefix, "End.X", "nh6", "fd03::2", *flavour)
    for sids, forced in (
        ([("fcbb:0:1::", 1), SERVICE], False),
        ([("fcbb:0:1:e1::", 2), SERVICE], True),
    ):
        several = [(text, compressed(IPv6Address(text), length)) for text, length in sids]
        whole, apart = pack(several), (sids[0][0], SERVICE[0])
        assert len(whole) == 1
        assert sent(whole) == (20, forced)
        # What does not fit goes on in the next address of the SRH.
        assert sent(apart) == (20, forced)
