"""Pods of the lab: namespaces that the CNI plugins join to a node, by the configuration rendered for it.

Where the plugins are not installed, the first address of each block is given by hand, over the same cable.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_interface
from pathlib import Path
from typing import Any, Final

from lab.spaces import Spaces
from renderers.resource import Resource

PLUGINS: Final = Path("/usr/lib/cni")
PODS: Final = "intentc-pods"


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod."""

    name: str
    node: str
    ipv4: str
    ipv6: str


def able(conflist: Mapping[str, Any]) -> bool:
    """Say whether the plugins of a configuration are here."""
    wanted = [plugin["type"] for plugin in conflist["plugins"]] + ["host-local"]
    return all((PLUGINS / name).exists() for name in wanted)


def conflist_of(resources: list[Resource], node: str) -> dict[str, Any]:
    """Return the configuration of the default network of pods on a node."""
    for item in resources:
        if item.key.type == "conflist" and item.spec["name"] == PODS and item.key.scope.endswith(f"/{node}"):
            return dict(item.spec)
    raise LookupError(node)


def start(spaces: Spaces, name: str, node: str, conflist: dict[str, Any], state: Path) -> Pod:
    """Make a pod on a node."""
    spaces.add(name)
    give = _by_plugins if able(conflist) else _by_hand
    addresses = give(spaces, name, node, conflist, state)
    families = {str(ip_interface(text).version): text.partition("/")[0] for text in addresses}
    return Pod(name, node, families.get("4", ""), families.get("6", ""))


def _by_plugins(spaces: Spaces, name: str, node: str, conflist: dict[str, Any], state: Path) -> list[str]:
    """Run the plugins one after the other, as a container runtime does."""
    result: dict[str, Any] = {}
    environment = {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": name,
        "CNI_NETNS": f"/var/run/netns/{spaces.name(name)}",
        "CNI_IFNAME": "eth0",
        "CNI_PATH": str(PLUGINS),
        "PATH": os.environ["PATH"],
    }
    for plugin in conflist["plugins"]:
        config = {**plugin, "cniVersion": conflist["cniVersion"], "name": conflist["name"]}
        if "ipam" in config:
            config["ipam"] = {**config["ipam"], "dataDir": str(state / node)}
        if result:
            config["prevResult"] = result
        path = str(PLUGINS / config["type"])
        said = spaces.run(node, path, text=json.dumps(config), environment=environment)
        result = json.loads(said) if said.strip() else result
    return [item["address"] for item in result["ips"]]


def _by_hand(spaces: Spaces, name: str, node: str, conflist: dict[str, Any], _state: Path) -> list[str]:
    """Do what the plugin ptp does: a cable, and a route to each address at both ends."""
    plugin, cable = conflist["plugins"][0], f"veth-{name}"[:15]
    spaces.cable((name, "eth0"), (node, cable), plugin.get("mtu", 1500))
    addresses = []
    for (entry,) in plugin["ipam"]["ranges"]:
        address, gateway = entry["rangeStart"], entry["gateway"]
        length = 128 if ":" in address else 32
        default = "::/0" if ":" in address else "0.0.0.0/0"
        spaces.ip(node, f"address add {gateway}/{length} dev {cable}", f"route add {address} dev {cable}")
        spaces.ip(
            name,
            f"address add {address}/{length} dev eth0",
            f"route add {gateway} dev eth0",
            f"route add {default} via {gateway} dev eth0",
        )
        addresses.append(f"{address}/{length}")
    return addresses
