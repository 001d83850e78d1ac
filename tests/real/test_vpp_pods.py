"""Pods of two nodes reach each other through two real VPPs, set up by intent and the links of the host alone.

Each node is a network namespace with a VPP in it. The links are made by the rendered script, pods as the CNI
plugins ptp and bridge make them from the rendered configuration.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from vpp_papi import VPPApiClient

from compiler.graph import Scope
from lab.spaces import FORWARDS, Spaces
from reconciler.apply import apply
from reconciler.drivers.vpp.driver import Vpp
from reconciler.plan import plan
from renderers import RULES
from renderers.resource import Resource
from tests.support import Built, build
from tests.vpps import MARKS, ask, started

pytestmark = MARKS

INTENT = (
    """kind: Underlay
metadata: {name: core}
spec:
  mtu: 1500
  routers:
    - {name: p1, loopback: "fd00:0:1::1", locator: "fcbb:0:1::/48"}
""",
    *(
        f"""kind: Node
metadata: {{name: w{number}}}
spec:
  labels: {{cluster: edge}}
  ipv6: "fd11::{number}"
  uplink: {{router: p1, interface: host-up0, nextHop: "fd11::{3 - number}"}}
"""
        for number in (1, 2)
    ),
    """kind: Cluster
metadata: {name: edge}
spec:
  nodes: {matchLabels: {cluster: edge}}
  dataplane: vpp
  controlPlane: kubernetes
  podCidrs: {ipv4: 10.64.0.0/16, ipv6: "fd64::/48"}
  srv6: {localsids: "fcdd:1::/48", policies: "cafe:1::/112"}
  namespaces: [{name: apps}]
""",
    """kind: VirtualNetwork
metadata: {name: blue}
spec:
  subnets: [{cidr: 10.200.0.0/20}, {cidr: "fd20::/64"}]
  attachments: [{type: overlay, clusters: [edge]}]
""",
)
SIZE = 1 << 20
"""Bytes: enough to fill packets."""
RECEIVE = """
import socket
with socket.create_server(("", 7777), family=socket.AF_INET6, dualstack_ipv6=True) as server:
    print("ready", flush=True)
    connection, _ = server.accept()
    connection.settimeout(60)
    count = 0
    while data := connection.recv(65536):
        count += len(data)
    print(count)
"""
SEND = """
import socket, sys
with socket.create_connection((sys.argv[1], 7777), 60) as connection:
    connection.sendall(bytes(int(sys.argv[2])))
"""
CHECKSUMS = """
import ctypes, fcntl, socket, struct, sys
option, name, *features = sys.argv[1:]
assert (option, features) == ("-K", ["tx", "off"])
value = ctypes.create_string_buffer(struct.pack("II", 0x17, 0))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, 0x8946, struct.pack("16sP", name.encode(), ctypes.addressof(value)))
"""
"""What `ethtool -K NAME tx off` does (SIOCETHTOOL, ETHTOOL_STXCSUM), where there is no ethtool."""
ENOUGH = 3
"""Answers of eight."""
TRIES = 10
PREFIXES = {"intentc-pods": ("10.64.0.0/16", "fd64::/48"), "blue": ("10.200.0.0/20", "fd20::/64")}


@dataclass(frozen=True)
class Node:
    """One node, and the addresses of its two pods by network."""

    number: int
    client: Any
    driver: Vpp
    wanted: list[Resource]
    pods: dict[str, list[str]]


def resources(built: Built, number: int) -> list[Resource]:
    return built.resources(Scope("node", f"edge/w{number}"))


def links(spaces: Spaces, host: str, script: Resource, folder: Path) -> None:
    """Run the rendered script, twice as after a second apply, where `ethtool` may not be installed."""
    file, tool = folder / script.key.name, folder / "ethtool"
    file.write_text(script.spec["text"])
    tool.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{CHECKSUMS}' \"$@\"\n")
    tool.chmod(0o755)
    for _ in range(2):
        spaces.run(host, "env", f"PATH={folder}:{os.environ['PATH']}", "sh", str(file))


def pod(spaces: Spaces, host: str, conflist: Resource) -> list[str]:
    """Make a pod as the CNI plugins would, and return its addresses."""
    plugin, name = conflist.spec["plugins"][0], conflist.spec["name"]
    short = f"{host}-{name}"[:12]
    spaces.add(short)
    end = f"v-{name}"[:15]
    spaces.cable((host, end), (short, "eth0"), plugin["mtu"])
    found = []
    for (space,), prefix in zip(plugin["ipam"]["ranges"], PREFIXES[name], strict=True):
        address, gateway, length = space["rangeStart"], space["gateway"], space["subnet"].split("/")[1]
        found.append(address)
        whole = 32 if ip_address(address).version == 4 else 128
        if plugin["type"] == "bridge":
            spaces.ip(host, f"link set {end} master {plugin['bridge']}")
            spaces.ip(short, f"address add {address}/{length} dev eth0", f"route add {prefix} via {gateway}")
        else:
            spaces.ip(
                host, f"address add {gateway}/{whole} dev {end}", f"route add {address}/{whole} dev {end}"
            )
            spaces.ip(
                short, f"address add {address}/{whole} dev eth0", f"route add {gateway}/{whole} dev eth0"
            )
            spaces.ip(short, f"route add default via {gateway} dev eth0")
    return found


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[Spaces, list[Node]]]:
    """Return two nodes that are up, with what they need below the overlay."""
    built = build(*INTENT)
    with ExitStack() as stack:
        spaces = stack.enter_context(Spaces(f"pods-{uuid4().hex[:6]}-"))
        for number in (1, 2):
            spaces.add(f"w{number}", *FORWARDS)
        spaces.cable(("w1", "up0"), ("w2", "up0"), 1500)
        yield spaces, [stack.enter_context(_node(spaces, built, number, tmp_path)) for number in (1, 2)]


@contextmanager
def _node(spaces: Spaces, built: Built, number: int, folder: Path) -> Iterator[Node]:
    """Run a node with its pods."""
    host, mine = f"w{number}", folder / f"{uuid4().hex[:6]}-{number}"
    mine.mkdir()
    wanted = resources(built, number)
    (script,) = [one for one in wanted if one.key.type == "host-links"]
    links(spaces, host, script, mine)
    pods = {one.spec["name"]: pod(spaces, host, one) for one in wanted if one.key.type == "conflist"}
    with started(mine, within=("ip", "netns", "exec", spaces.name(host))) as socket:
        client = VPPApiClient(server_address=str(socket), bootstrapapi=True, read_timeout=60)
        client.connect("intentc-test")
        for command in (
            "create host-interface name up0",
            "set interface state host-up0 up",
            f"set interface ip address host-up0 fd11::{number}/64",
        ):
            ask(client, command)
        ours = [one for one in wanted if one.key.family == "vpp" and not one.view]
        driver = Vpp(host, f"node/edge/{host}", str(socket))
        yield Node(number, client, driver, ours, pods)
        driver.close()
        client.disconnect()


def brought(node: Node) -> None:
    seen = node.driver.observe()
    result = apply(plan({"w": node.wanted}, {"w": seen}, RULES), {"w": node.driver})
    assert [(one.action.key, one.message) for one in result.failed] == []
    assert plan({"w": node.wanted}, {"w": node.driver.observe()}, RULES).actions == ()


def reached(spaces: Spaces, short: str, address: str) -> bool:
    """Say whether an address answers; the first packets are lost while neighbours are found."""
    found = spaces.result(spaces.stream(short, "ping", address, "8", "0.05"))
    return bool(found["received"] >= ENOUGH)


def answers(spaces: Spaces, short: str, address: str) -> bool:
    """Say whether an address answers soon, if not at once: a VPP may be held up."""
    return any(reached(spaces, short, address) for _ in range(TRIES))


def gateway(node: Node) -> str:
    """Return the address of VPP in the network of its node."""
    prefixes = [one.spec["prefix"] for one in node.wanted if one.key.name.startswith("host-vp-blue 10.")]
    return str(prefixes[0].partition("/")[0])


def carried(spaces: Spaces, one: str, other: str, address: str) -> int:
    """Send so many bytes over TCP, and return how many arrived."""
    listening = subprocess.Popen(
        ["ip", "netns", "exec", spaces.name(other), sys.executable, "-c", RECEIVE],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert listening.stdout
        assert listening.stdout.readline().strip() == "ready"
        spaces.run(one, sys.executable, "-c", SEND, address, str(SIZE))
        return int(listening.communicate(timeout=60)[0])
    finally:
        listening.kill()
        listening.communicate()


def test_pods_of_two_nodes_reach_each_other(nodes: tuple[Spaces, list[Node]]) -> None:
    spaces, both = nodes
    one, two = both
    for network in PREFIXES:
        assert not reached(spaces, f"w1-{network}"[:12], two.pods[network][0]), "nothing leads there yet"
    for node in both:
        brought(node)
    for network in PREFIXES:
        for address in two.pods[network]:
            assert answers(spaces, f"w1-{network}"[:12], address), (network, address)
        for address in one.pods[network]:
            assert answers(spaces, f"w2-{network}"[:12], address), (network, address)
    for network in PREFIXES:
        assert carried(spaces, f"w1-{network}"[:12], f"w2-{network}"[:12], two.pods[network][0]) == SIZE
    # Another zone is not reached, even by who tries.
    spaces.ip("w1-blue", f"route add 10.64.0.0/16 via {gateway(one)}")
    assert not reached(spaces, "w1-blue", two.pods["intentc-pods"][0])
    for node in both:
        node.wanted.clear()
        brought(node)
