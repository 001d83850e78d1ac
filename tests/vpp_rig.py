"""The VPP driver under the driver contract: on the stand-in, and on a real VPP.

Most of VPP's objects stand on others, which are there throughout. What is ours is so by a name, a tag, a FIB
source or a range, and some keys alone say it: nobody else can steer in a table of ours.
"""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from reconciler.drivers.vpp.client import Reply
from reconciler.drivers.vpp.driver import Vpp
from reconciler.drivers.vpp.dumps import SOURCE as MARK
from renderers.resource import Key, Resource
from renderers.vpp_messages import Operation, Site
from renderers.vpp_transition import Held, Pair, steps
from tests.vppd.peer import Peer
from tests.vppd.pool import NONE
from tests.vppd.requests import (
    DROP,
    END,
    Request,
    comparable,
    localsid,
    lookup,
    route,
)
from tests.vppd.server import StandIn
from tests.vpps import SOCKET, WHY, started

SCOPE: Final = "node/east/w1"
READS: Final = frozenset({"sw_interface_get_table", "ip_route_lookup_v2"})


def vpp(kind: str, name: str, spec: dict[str, Any]) -> Resource:
    """Return an object of the node."""
    return Resource(Key("vpp", SCOPE, kind, name), spec)


def transition(pairs: Iterable[Pair], site: Site, held: Held) -> list[Operation]:
    """Return the messages of `steps` alone."""
    return [step.operation for step in steps(pairs, site, held)]


def made(resources: Iterable[Resource], site: Site) -> list[Operation]:
    """Return the messages that make objects, where there is nothing yet."""
    return transition(((None, one) for one in resources), site, Held())


def a_table(number: int, family: str) -> Resource:
    """Return a table of ours."""
    return vpp(
        "table",
        f"{number} {family}",
        {"id": number, "family": family, "name": f"intentc/t{number}"},
    )


def a_route(number: int, to: str, **way: Any) -> Resource:
    """Return a route."""
    return vpp("route", f"{number} {to}", {"table": number, "prefix": to, **way})


def a_policy(bsid: str, *lists: tuple[int, list[str]]) -> Resource:
    """Return a policy."""
    rows = [{"weight": weight, "sids": sids} for weight, sids in lists]
    spec = {"bsid": bsid, "encap": True, "type": "default", "fib_table": 0, "lists": rows}
    return vpp("policy", bsid, spec)


def a_sid(sid: str, number: int, behavior: str = "End.DT4") -> Resource:
    """Return a SID that looks up in a table."""
    return vpp("localsid", sid, {"sid": sid, "behavior": behavior, "table": number, "fib_table": 0})


def steered(number: int, to: str, bsid: str) -> Resource:
    """Return what steers a prefix."""
    family = "ipv6" if ":" in to else "ipv4"
    spec = {"table": number, "family": family, "prefix": to, "bsid": bsid}
    return vpp("steering", f"{number} {to}", spec)


def the_source(address: str, hop_limit: int = 64) -> Resource:
    """Return the source of what is encapsulated."""
    return vpp("encap", "source", {"address": address, "hop_limit": hop_limit})


def an_interface(host: str, up: bool = True, **tables: int) -> Resource:  # noqa: FBT001, FBT002 -- a field of the spec
    """Return an interface of the host that VPP has taken."""
    return vpp("interface", f"host-{host}", {"host": host, "tables": tables, "up": up})


RANGE: Final = a_route(0, "cafe:1::/112", drop=True)
FIRST, SECOND = (a_policy(f"cafe:1::{at}", (1, [f"fcbb:{at}::1"])) for at in (1, 2))
GROUND: Final = (
    *(a_table(number, family) for number in (7, 8) for family in ("ipv4", "ipv6")),
    RANGE,
    FIRST,
    SECOND,
)
"""What the objects under test stand on."""


def objects(host: str) -> tuple[Resource, ...]:
    """Return five objects; an interface among them where there is one for VPP to take."""
    return (
        a_policy("cafe:1::3", (1, ["fcbb:3::1"]), (3, ["fcbb:3::1", "fcbb:4::1"])),
        steered(7, "10.6.0.0/24", "cafe:1::1"),
        a_route(7, "10.7.0.0/16", drop=True),
        a_sid("fcdd::4", 7),
        an_interface(host, ipv4=7, ipv6=7) if host else a_route(8, "10.8.0.0/16", drop=True),
    )


SIX: Final = (
    the_source("fd11::1"),
    steered(7, "fd06::/64", "cafe:1::2"),
    a_route(0, "fcbb::/16", lookup=7),
    a_sid("fcdd::6", 8, "End.DT6"),
    a_policy("cafe:1::6", (1, ["fcbb:3::1"])),
)
"""Five others, of IPv6."""
_OTHERWISE: Final[dict[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "policy": lambda spec: {"lists": [{"weight": 7, "sids": ["fcbb:1::1"]}, *spec["lists"][1:]]},
    "steering": lambda spec: {"bsid": "cafe:1::2" if spec["bsid"] == "cafe:1::1" else "cafe:1::1"},
    "route": lambda spec: {"lookup": 8} if "drop" in spec else {"drop": True},
    "localsid": lambda spec: {"table": 15 - spec["table"]},
    "interface": lambda _: {"tables": {"ipv4": 8}},
    "encap": lambda _: {"address": "fd11::2", "hop_limit": 32},
}


def otherwise(resource: Resource) -> Resource:
    """Return an object with another content."""
    kept = {name: value for name, value in resource.spec.items() if name not in ("drop", "lookup")}
    return replace(resource, spec={**kept, **_OTHERWISE[resource.key.type](dict(resource.spec))})


UNMISTAKABLE: Final = frozenset({"policy", "steering", "encap"})
"""Types of which the keys used here say that they are ours: by range, by table, or since we were here."""


class Watched(Vpp):
    """A driver whose every message is seen as it leaves, whether the guard sees it then or saw it before."""

    def __init__(self, name: str, scope: str, socket: str, timeout: float = 10.0, run: str = "") -> None:
        super().__init__(name, scope, socket, timeout, run)
        send = self._client.send

        def watched(operations: Iterable[Operation], *, shown: bool = False) -> list[Reply]:
            return send(map(self.leaving, operations), shown=shown)

        setattr(self._client, "send", watched)  # noqa: B010 -- mypy knows a method when it sees one

    def leaving(self, operation: Operation) -> Operation:
        """Look at a message."""
        return operation


class Counting(Watched):
    """A driver that counts what it writes."""

    written = 0

    def leaving(self, operation: Operation) -> Operation:
        """Count a message."""
        self.written += operation.message not in READS
        return operation


class Others:
    """Another client of the same VPP, and what it made."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.planted: dict[Key, Any] = {}

    def plant(self, resource: Resource) -> None:
        """Put something of somebody else where an object shall be."""
        for request in _foreign(resource, self.peer):
            assert self.peer.retval(request.name, **request.fields) == 0, request
        self.planted[resource.key] = self._look(resource)

    def stands(self, resource: Resource) -> bool:
        """Say whether it is as it was made."""
        return bool(self.planted[resource.key] == self._look(resource))

    def _look(self, resource: Resource) -> Any:
        spec, ask = resource.spec, self.peer
        match resource.key.type:
            case "route":
                request = lookup(spec["prefix"], spec["table"])
                return comparable(ask.ask(request.name, **request.fields))
            case "localsid":
                return ask.rows("sr_localsids_dump")
            case kind:
                assert kind == "interface"
                return [
                    row for row in ask.rows("sw_interface_dump", sw_if_index=NONE) if row["tag"] == "theirs"
                ]


def _foreign(resource: Resource, peer: Peer) -> Iterator[Request]:
    spec = resource.spec
    match resource.key.type:
        case "route":
            yield route(spec["prefix"], DROP, table=spec["table"])
        case "localsid":
            yield localsid(spec["sid"], behavior=END)
        case kind:
            assert kind == "interface"
            host = {"mode": 1, "use_random_hw_addr": True, "host_if_name": spec["host"]}
            made = peer.ask("af_packet_create_v3", **host)
            said = {"is_add": True, "sw_if_index": made["sw_if_index"], "tag": "theirs"}
            yield Request("sw_interface_tag_add_del", said)


At = Callable[[Path], AbstractContextManager[tuple[Path, str]]]
"""Runs a VPP in a folder; gives its socket, and the name of an interface of its host."""


@contextmanager
def standin(folder: Path) -> Iterator[tuple[Path, str]]:
    """Run a stand-in; give its socket and an interface of its host."""
    with StandIn(folder / "api.sock") as server:
        server.hosts["pods0"] = 1500
        yield server.path, "pods0"
        assert (server.deaths, server.state.damage) == ([], [])


EMPTY: Final = {"ip_table_dump": 2, "sr_localsids_dump": 0, "sr_policies_v2_dump": 0}
"""Rows that a VPP shows before anybody has used it."""


def empty(peer: Peer) -> None:
    """Take everything away that tests make, in the order that is safe."""
    for row in peer.rows("sr_steering_pol_dump"):
        said = {"table_id": row["fib_table"], "prefix": row["prefix"], "traffic_type": row["traffic_type"]}
        peer.ask("sr_steering_add_del", is_del=True, sr_policy_index=NONE, sw_if_index=NONE, **said)
    for row in peer.rows("sr_policies_v2_dump"):
        peer.ask("sr_policy_del", bsid_addr=row["bsid"], sr_policy_index=NONE)
    for row in peer.rows("sr_localsids_dump"):
        said = {"localsid": row["addr"], "behavior": END, "fib_table": row["fib_table"]}
        peer.ask("sr_localsid_add_del", is_del=True, sw_if_index=NONE, **said)
    tables = [row["table"] for row in peer.rows("ip_table_dump") if row["table"]["table_id"] != NONE]
    sources = [
        row["src"]["id"] for row in peer.rows("fib_source_dump") if row["src"]["name"] in ("API", MARK)
    ]
    for said in tables:
        for source in sources:
            for row in peer.rows("ip_route_v2_dump", src=source, table=said):
                gone = {**row["route"], "n_paths": 0, "paths": []}
                peer.ask("ip_route_add_del_v2", is_add=False, route=gone)
    for said in tables:
        peer.ask("ip_table_add_del", is_add=False, table=said)
    peer.ask("sr_set_encap_source", encaps_source=bytes(16))
    peer.ask("sr_set_encap_hop_limit", hop_limit=64)


@contextmanager
def cabled(one: str, other: str) -> Iterator[None]:
    """Have two interfaces of the host joined by a cable; skip where the kernel does not let us."""
    command = ["ip", "link", "add", one, "type", "veth", "peer", other]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no interface for VPP: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "del", one], check=True)


@contextmanager
def unharmed(peer: Peer) -> Iterator[None]:
    """Leave a VPP as it was found, which must be unused."""
    leases = Path(f"{SOCKET}.intentc")
    if leases.exists() or any(len(peer.rows(name)) > few for name, few in EMPTY.items()):
        pytest.skip(f"the VPP at {SOCKET} is in use: it has tables, SIDs or policies that tests might harm")
    try:
        yield
    finally:
        empty(peer)
        shutil.rmtree(leases, ignore_errors=True)


@contextmanager
def real(folder: Path) -> Iterator[tuple[Path, str]]:
    """Run a real VPP, or use the one in INTENTC_VPP_SOCKET; give its socket and an interface of its host."""
    if WHY:
        pytest.skip(WHY)
    if SOCKET:
        with Peer(Path(SOCKET)) as peer, unharmed(peer):
            yield Path(SOCKET), ""
        return
    host = f"ic{uuid.uuid4().hex[:8]}"
    with cabled(host, f"{host}p"), started(folder) as socket:
        yield socket, host
