"""Two zones over the overlay of two Linux nodes: packets come through, each in its own zone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from lab.spaces import Spaces
from reconciler.apply import apply
from reconciler.drivers.linux.driver import Linux
from reconciler.drivers.linux.kernel import Kernel
from reconciler.plan import plan
from renderers import RULES
from renderers.linux import sysctls
from renderers.resource import Key, Resource
from tests.kernels import needed

pytestmark = pytest.mark.real
ZONES = {1: 4711, 2: 4712}
"""Both with the same addresses."""
RECEIVE = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 9))
s.settimeout(60)
print("ready", flush=True)
print(*(s.recv(9).decode() for _ in range(3)))
"""
SEND = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM)
for _ in range(3):
    s.sendto(sys.argv[2].encode(), (sys.argv[1], 9))
"""


def overlay(here: int, there: int) -> tuple[Resource, ...]:
    """Return what a node has: for each zone a VRF, a bridge, and one SID and one policy per family."""

    def thing(kind: str, key: str, /, **spec: object) -> Resource:
        return Resource(Key("linux", f"node/e/n{here}", kind, key), spec)

    source = f"fd11:{here}::1"
    settings = {"source": source, "interface": "eth0", "encapsulation": "full", "sysctls": sysctls("eth0")}
    way = {"next_hop": f"fd11:{here}::ff", "interface": "eth0"}
    found = [
        thing("settings", "srv6", **settings),
        thing("route", "254 fcdd::/48", table=254, prefix="fcdd::/48", **way),
    ]
    for zone, table in ZONES.items():
        found.append(thing("vrf", str(table), table=table, device=f"vrf{table}", source=source))
        found.append(thing("bridge", f"br-{zone}", name=f"br-{zone}", table=table))
        for family, prefix in (("ipv4", f"10.{there}.0.0/24"), ("ipv6", f"fd64:{there}::/64")):
            number = f"{zone}{family[-1]}"
            own, bsid, far = f"fcdd:0:0:{here}::{number}", f"cafe:1::{number}", f"fcdd:0:0:{there}::{number}"
            action = f"End.DT{family[-1]} vrftable {table}"
            lists = [{"weight": 1, "mode": "encap.red", "sids": [far]}]
            steered = {"table": table, "family": family, "prefix": prefix, "bsid": bsid}
            found += [
                thing("localsid", own, sid=own, action=action, interface="eth0"),
                thing("policy", bsid, bsid=bsid, interface="eth0", lists=lists),
                thing("steering", f"{table} {prefix}", **steered),
            ]
    return tuple(found)


@pytest.fixture
def zones(tmp_path: Path) -> Iterator[Spaces]:
    """Lay two nodes behind a router, with a pod of each zone."""
    needed()
    if why := Kernel().lacks("VRF devices"):
        pytest.skip(why)
    with Spaces(f"lab-{uuid4().hex[:8]}-") as spaces:
        spaces.add("r")
        spaces.run("r", "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
        for here, there in ((1, 2), (2, 1)):
            node = f"n{here}"
            spaces.add(node)
            spaces.cable((node, "eth0"), ("r", node), 1500)
            spaces.ip(node, f"address add fd11:{here}::1/64 dev eth0 nodad")
            spaces.ip("r", f"address add fd11:{here}::ff/64 dev {node} nodad")
            spaces.ip("r", f"route add fcdd:0:0:{here}::/64 via fd11:{here}::1")
            driver = Linux("t", spaces.name(node), tmp_path / node)
            work = plan({"t": overlay(here, there)}, {"t": driver.observe()}, RULES)
            assert [outcome.message for outcome in apply(work, {"t": driver}).failed] == []
            for zone in ZONES:
                pod(spaces, here, zone)
        yield spaces


def pod(spaces: Spaces, here: int, zone: int) -> None:
    name, port, bridge = f"p{here}{zone}", f"v{zone}", f"br-{zone}"
    spaces.add(name)
    spaces.cable((name, "eth0"), (f"n{here}", port), 1400)
    spaces.ip(
        f"n{here}",
        f"link set {port} master {bridge}",
        f"address add 10.{here}.0.1/24 dev {bridge}",
        f"address add fd64:{here}::1/64 dev {bridge} nodad",
    )
    spaces.ip(
        name,
        f"address add 10.{here}.0.9/24 dev eth0",
        f"address add fd64:{here}::9/64 dev eth0 nodad",
        f"route add default via 10.{here}.0.1",
        f"route add ::/0 via fd64:{here}::1",
    )


def python(spaces: Spaces, name: str, *words: str) -> subprocess.Popen[str]:
    command = ["ip", "netns", "exec", spaces.name(name), sys.executable, "-c", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("address", ["10.2.0.9", "fd64:2::9"])
def test_what_is_sent_in_a_zone_arrives_in_that_zone(zones: Spaces, address: str) -> None:
    listening = {zone: python(zones, f"p2{zone}", RECEIVE, address) for zone in ZONES}
    for waiting in listening.values():
        assert waiting.stdout
        waiting.stdout.readline()
    for zone in ZONES:
        python(zones, f"p1{zone}", SEND, address, str(zone)).communicate()
    assert {zone: waiting.communicate()[0].split() for zone, waiting in listening.items()} == {
        zone: [str(zone)] * 3 for zone in ZONES
    }
