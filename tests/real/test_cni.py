"""The rendered CNI configuration of nodes, run by the real plugins in network namespaces of the kernel.

Every node is a namespace of its own, so bridges and veths vanish with it; state of host-local lies in a
temporary folder per node, as it lies on the disk of each node.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

import pytest

from compiler.elements.pods import Addressing
from compiler.graph import Scope
from renderers import ipam
from tests.pods import BASE, LEFT, network
from tests.support import Built, build

PLUGINS = Path("/usr/lib/cni")
pytestmark = pytest.mark.real


@pytest.fixture(autouse=True)
def _able() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to make network namespaces")
    if shutil.which("ip") is None:
        pytest.skip("ip is not installed")
    for plugin in ("ptp", "bridge", "host-local", "static", "portmap"):
        if not (PLUGINS / plugin).exists():
            pytest.skip(f"CNI plugin {plugin} is not in {PLUGINS}")
    name = f"intentc-probe-{uuid.uuid4().hex[:8]}"
    probe = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"no network namespaces here: {probe.stderr.strip()}")
    subprocess.run(["ip", "netns", "del", name], check=True)


@dataclass
class Lab:
    """Namespaces that are removed at the end."""

    folder: Path
    spaces: list[str] = field(default_factory=list)

    def space(self) -> str:
        """Make a namespace with its loopback up."""
        name = f"intentc-{uuid.uuid4().hex[:8]}"
        subprocess.run(["ip", "netns", "add", name], check=True)
        self.spaces.append(name)
        self.run(name, "ip", "link", "set", "lo", "up")
        # Nobody else can have these addresses, and waiting for that to be proven takes seconds per pod.
        self.run(name, "sysctl", "-qw", "net.ipv6.conf.default.dad_transmits=0")
        return name

    def run(self, space: str, *command: str) -> str:
        """Run a command in a namespace."""
        done = subprocess.run(
            ["ip", "netns", "exec", space, *command], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def plugin(self, node: str, pod: str, config: dict[str, Any], verb: str) -> dict[str, Any]:
        """Run one plugin on a node for a pod."""
        env = {
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": pod,
            "CNI_NETNS": f"/var/run/netns/{pod}",
            "CNI_IFNAME": "eth0",
            "CNI_PATH": str(PLUGINS),
            "PATH": os.environ["PATH"],
        }
        done = subprocess.run(
            ["ip", "netns", "exec", node, str(PLUGINS / config["type"])],
            input=json.dumps(config),
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{config['type']} {verb}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def chain(self, node: str, pod: str, conflist: dict[str, Any], verb: str) -> dict[str, Any]:
        """Run a configuration list as a container runtime does."""
        result: dict[str, Any] = {}
        plugins = conflist["plugins"] if verb == "ADD" else reversed(conflist["plugins"])
        for plugin in plugins:
            config = {**plugin, "cniVersion": conflist["cniVersion"], "name": conflist["name"]}
            if "ipam" in plugin:
                config["ipam"] = {**plugin["ipam"], "dataDir": str(self.folder / node)}
            if result:
                config["prevResult"] = result
            result = self.plugin(node, pod, config, verb) or result
        return result

    def reaches(self, space: str, address: IPv4Address | IPv6Address) -> None:
        """Expect an answer, after duplicate address detection at the latest."""
        self.run(space, sys.executable, "-c", _KNOCK, str(address))


_KNOCK = """
import socket, sys, time
for _ in range(40):
    try:
        socket.create_connection((sys.argv[1], 9), timeout=0.5)
    except ConnectionRefusedError:
        sys.exit(0)  # whoever refuses has been reached
    except OSError as error:
        last = error
        time.sleep(0.2)
sys.exit(f"no answer from {sys.argv[1]}: {last}")
"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Give a lab, and leave no namespace behind."""
    made = Lab(tmp_path)
    try:
        yield made
    finally:
        for name in made.spaces:
            subprocess.run(["ip", "netns", "del", name], check=False)


@pytest.fixture(scope="module")
def built() -> Built:
    """Compile a cluster with an overlay network of both families."""
    subnets = "subnets: [{cidr: 10.2.0.0/16}, {cidr: 'fd02::/64'}]\nmtu: 1400"
    return build(*BASE, network("blue", subnets, "{type: overlay, clusters: [edge]}"))


def conflist(built: Built, node: str, name: str) -> dict[str, Any]:
    """Return a rendered configuration list of a node."""
    scope = Scope("node", f"edge/{node}")
    (found,) = [
        item for item in built.resources(scope) if item.key.family == "cni" and item.spec["name"] == name
    ]
    return json.loads(json.dumps(found.spec))  # type: ignore[no-any-return] # a mapping, as it was rendered


@pytest.mark.parametrize("name", ["intentc-pods", "blue"])
def test_pods_get_addresses_of_their_node(lab: Lab, built: Built, name: str) -> None:
    seen: list[str] = []
    for node in ("w1", "w2"):
        config = conflist(built, node, name)
        blocks = [ip_network(entries[0]["subnet"]) for entries in config["plugins"][0]["ipam"]["ranges"]]
        host = lab.space()
        for _ in range(3):
            pod = lab.space()
            result = lab.chain(host, pod, config, "ADD")
            addresses = [ip_interface(item["address"]) for item in result["ips"]]
            assert [item.version for item in addresses] == [4, 6]
            for address, block, item in zip(addresses, blocks, result["ips"], strict=True):
                assert address.ip in block
                assert address.ip != ip_address(item["gateway"])
                seen.append(str(address.ip))
                if config["plugins"][0].get("isGateway", True):  # else the gateway is an interface of VPP
                    lab.reaches(pod, ip_address(item["gateway"]))
                    lab.reaches(host, address.ip)
    assert len(seen) == 12
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("name", ["intentc-pods", "blue"])
def test_pods_of_one_node_reach_each_other(lab: Lab, built: Built, name: str) -> None:
    config, host = conflist(built, "w1", name), lab.space()
    lab.run(host, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    one, two = lab.space(), lab.space()
    lab.chain(host, one, config, "ADD")
    for item in lab.chain(host, two, config, "ADD")["ips"]:
        lab.reaches(one, ip_interface(item["address"]).ip)


def test_bridge_mtu_and_routes_are_as_rendered(lab: Lab, built: Built) -> None:
    config, host, pod = conflist(built, "w1", "blue"), lab.space(), lab.space()
    lab.chain(host, pod, config, "ADD")
    (link,) = json.loads(lab.run(pod, "ip", "-j", "link", "show", "eth0"))
    assert link["mtu"] == 1400
    assert json.loads(lab.run(host, "ip", "-j", "link", "show", "br-blue"))
    gateway = config["plugins"][0]["ipam"]["ranges"][0][0]["gateway"]
    routes = {route["dst"]: route.get("gateway") for route in json.loads(lab.run(pod, "ip", "-j", "route"))}
    assert routes["10.2.0.0/16"] == gateway


def test_addresses_come_back(lab: Lab, built: Built) -> None:
    config, host, pod = conflist(built, "w1", "blue"), lab.space(), lab.space()
    lab.chain(host, pod, config, "ADD")
    kept = lab.folder / host / "blue"
    assert len([item for item in kept.iterdir() if item.name[0].isdigit() or ":" in item.name]) >= 2
    lab.chain(host, pod, config, "DEL")
    assert [item.name for item in kept.iterdir() if item.read_text().startswith(pod)] == []


def test_ipam_of_networks_on_one_node(lab: Lab) -> None:
    """What a NAD says to host-local is what it hands out: the gaps and the gateway are left out."""
    text = (
        "subnets: [{cidr: 10.9.0.0/29}]\ngateway: external\n"
        "ipam: {mode: hostLocal, fixed: [{owner: a, address: 10.9.0.3}],"
        " ranges: [{first: 10.9.0.1, last: 10.9.0.5}]}"
    )
    left = LEFT.replace("nodes: {matchLabels: {role: upf}}", "nodes: {names: [w1]}")
    made = build(*BASE[:-2], left, network("n9", text))
    (nad,) = [item for item in made.resources(Scope("cluster", "edge")) if item.key.type == "SriovNetwork"]
    config = {
        "cniVersion": "1.0.0",
        "name": "n9",
        "type": "host-local",
        "ipam": json.loads(nad.spec["spec"]["ipam"]),
    }
    config["ipam"]["dataDir"] = str(lab.folder)
    host = lab.space()
    given = [lab.plugin(host, lab.space(), config, "ADD")["ips"][0]["address"] for _ in range(3)]
    assert given == ["10.9.0.2/29", "10.9.0.4/29", "10.9.0.5/29"]


def test_static_addresses(lab: Lab) -> None:
    config = {
        "cniVersion": "1.0.0",
        "name": "n9",
        "type": "static",
        "ipam": ipam.config(Addressing("static"), "n9"),
        "runtimeConfig": {"ips": ["10.9.0.7/29"]},
        "capabilities": {"ips": True},
    }
    result = lab.plugin(lab.space(), lab.space(), config, "ADD")
    assert [item["address"] for item in result["ips"]] == ["10.9.0.7/29"]
