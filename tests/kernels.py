"""Network namespaces of the real kernel for tests, and objects for them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from uuid import uuid4

import pytest

from lab.spaces import Spaces, why_not
from reconciler.drivers.linux.ip import Ip
from renderers.linux import sysctls
from renderers.resource import Key, Resource

NODE = "node/east/w1"


@cache
def why() -> str:
    """Return why no namespaces can be made here."""
    return why_not()


def needed() -> None:
    """Skip the test where no namespaces can be made."""
    if why():
        pytest.skip(f"no network namespaces: {why()}")


@contextmanager
def namespace() -> Iterator[tuple[str, Spaces]]:
    """Make a namespace with an uplink `eth0`; give its full name, and what holds it (as `node`)."""
    needed()
    with Spaces(f"lab-{uuid4().hex[:8]}-") as spaces:
        spaces.add("node")
        spaces.cable(("node", "eth0"), ("node", "peer"), 1500)
        spaces.ip("node", "address add fd11::1/64 dev eth0")
        yield spaces.name("node"), spaces


class Counting(Ip):
    """A kernel of which is known how often it was written to."""

    written = 0

    def batch(self, commands: Sequence[str], *, ipv6: bool = False) -> dict[int, str]:
        """Count what is not empty."""
        self.written += bool(commands)
        return super().batch(commands, ipv6=ipv6)


def an_object(kind: str, key: str, **spec: object) -> Resource:
    """Return an object of the node."""
    return Resource(Key("linux", NODE, kind, key), spec)


def a_policy(bsid: str, *lists: tuple[int, str, Sequence[str]]) -> Resource:
    """Return a policy of lists: weight, mode, SIDs."""
    rows = [{"weight": weight, "mode": mode, "sids": list(sids)} for weight, mode, sids in lists]
    return an_object("policy", bsid, bsid=bsid, interface="eth0", lists=rows)


def a_steering(prefix: str, bsid: str, table: int = 254) -> Resource:
    """Return steering of a prefix into a policy."""
    family = "ipv6" if ":" in prefix else "ipv4"
    return an_object("steering", f"{table} {prefix}", table=table, family=family, prefix=prefix, bsid=bsid)


POLICY = a_policy(
    "cafe:1::1",
    (3, "encap", ["fcbb:0:1::1", "fcdd:0:0:2::4"]),
    (1, "encap.red", ["fcdd:0:0:2::4"]),
)
LOCALSID = an_object(
    "localsid", "fcdd:0:0:1::4", sid="fcdd:0:0:1::4", action="End.DX4 nh4 0.0.0.0", interface="eth0"
)
ROUTE = an_object(
    "route", "254 fcbb::/32", table=254, prefix="fcbb::/32", next_hop="fd11::ffff", interface="eth0"
)
RANGE = an_object("route", "254 cafe:1::/112", table=254, prefix="cafe:1::/112", drop=True)
SETTINGS = an_object(
    "settings", "srv6", source="fd11::1", interface="eth0", encapsulation="full", sysctls=sysctls("eth0")
)
OBJECTS = (POLICY, LOCALSID, ROUTE, RANGE, SETTINGS)


def changed(resource: Resource) -> Resource:
    """Return one of the objects with another content."""
    other: dict[str, dict[str, object]] = {
        "policy": {"lists": [{"weight": 1, "mode": "encap", "sids": ["fcbb:0:2::1", "fcdd:0:0:2::4"]}]},
        "localsid": {"action": "End.DT6 table 254"},
        "settings": {"source": "fd11::2"},
    }
    if resource.key.type == "route":
        spec = {name: resource.spec[name] for name in ("table", "prefix")}
        drops = {"next_hop": "fd11::fffe", "interface": "eth0"}
        return Resource(resource.key, spec | ({"drop": True} if resource is ROUTE else drops))
    return Resource(resource.key, {**resource.spec, **other[resource.key.type]})


FOREIGN = {
    "policy": "route add cafe:1::1/128 dev eth0 table 151 proto static",
    "localsid": "route add fcdd:0:0:1::4/128 dev eth0 proto static",
    "route": "route add {prefix} dev eth0 proto static",
    "settings": "sr tunsrc set fd99::1",
}
"""How somebody else would make something in the place of ours."""


def plant(spaces: Spaces, resource: Resource) -> None:
    """Make something of somebody else's."""
    spaces.ip("node", FOREIGN[resource.key.type].format(**resource.spec))


def stands(spaces: Spaces, resource: Resource) -> bool:
    """Say whether what somebody else made is there as it was made."""
    if resource.key.type == "settings":
        shown = subprocess.run(
            ["ip", "-n", spaces.name("node"), "sr", "tunsrc", "show"],
            check=True,
            capture_output=True,
            text=True,
        )
        return "fd99::1" in shown.stdout
    words = FOREIGN[resource.key.type].format(**resource.spec).split()
    table = words[words.index("table") + 1] if "table" in words else "main"
    shown = subprocess.run(
        ["ip", "-n", spaces.name("node"), "-6", "route", "show", words[2], "table", table],
        check=True,
        capture_output=True,
        text=True,
    )
    return shown.stdout.count("proto static") == 1
