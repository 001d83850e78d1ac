"""A GoBGP for tests: real ones in network namespaces, and a stand-in that answers like one over gRPC.

The stand-in keeps a table and has no peers; what a peer would have announced is put there by `learn`.
"""

from __future__ import annotations

import queue
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from reconciler.drivers.base import DriverError
from reconciler.drivers.gobgp.client import Api
from reconciler.drivers.gobgp.messages import SERVICE, SERVICE_OF_4, new, packed, read, unpacked
from reconciler.drivers.gobgp.paths import Announced, announced, path_of

GOBGPD = shutil.which("gobgpd")
ASN = 64512


@dataclass
class StandIn:
    """The table of one speaker, and how it misbehaves."""

    port: int = 0
    asn: int = ASN
    router_id: str = "10.0.0.1"
    paths: dict[tuple[int, int, bytes], list[Any]] = field(default_factory=dict)
    written: int = 0
    failures: list[tuple[str, grpc.StatusCode, str]] = field(default_factory=list)
    """Calls that fail once: method, code, words."""
    history: list[Any] = field(default_factory=list)
    awake: threading.Event = field(default_factory=threading.Event)
    """Whether it writes what it is told to; else it waits for this."""
    watchers: list[queue.Queue[Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin awake."""
        self.awake.set()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def learn(self, path: Any, neighbor: str = "fd00::2") -> None:
        """Hold a path as if a peer had announced it."""
        self._put(path, neighbor)

    def forget(self, neighbor: str = "fd00::2") -> None:
        """Lose what a peer had announced."""
        for key, paths in list(self.paths.items()):
            self.paths[key] = [path for path in paths if path.neighbor_ip != neighbor]

    def listed(self) -> list[Announced]:
        """Return the policies in the table."""
        found = (announced(path) for paths in self.paths.values() for path in paths)
        return [item for item in found if item is not None]

    def heard(self) -> list[Announced]:
        """Return every announcement of a policy that a peer of old has heard, in their order."""
        return [item for item in map(announced, self.history) if item is not None]

    def policy(self, said: Announced, neighbor: str = "fd00::2") -> None:
        self.learn(path_of(said), neighbor)

    def prefix(self, prefix: str, next_hop: str, neighbor: str = "fd00::2") -> None:
        address, _, length = prefix.partition("/")
        afi = 2 if ":" in prefix else 1
        hop = packed("MpReachNLRIAttribute", family=new("Family", afi=afi, safi=1), next_hops=[next_hop])
        nlri = packed("IPAddressPrefix", prefix=address, prefix_len=int(length))
        self.learn(new("Path", nlri=nlri, pattrs=[hop], family=new("Family", afi=afi, safi=1)), neighbor)

    def answer(self, method: str, request: Any, context: grpc.ServicerContext) -> Any:
        for index, (name, code, words) in enumerate(self.failures):
            if name == method:
                del self.failures[index]
                context.abort(code, words)
        if method == "GetBgp":
            return new("GetBgpResponse", **{"global": new("Global", asn=self.asn, router_id=self.router_id)})
        if not self.asn:
            context.abort(grpc.StatusCode.UNKNOWN, "bgp server hasn't started yet")
        self.awake.wait(60)
        if method == "AddPath":
            if not _next_hop(request.path):
                context.abort(grpc.StatusCode.UNKNOWN, "nexthop not found")
            self.written += 1
            self._put(request.path, "<nil>")
            return new("AddPathResponse", uuid=b"0" * 16)
        if not (request.path.is_withdraw or _next_hop(request.path)):
            context.abort(grpc.StatusCode.UNKNOWN, "nexthop not found")
        self.written += 1
        paths = self.paths.get(_key(request.path), [])
        paths[:] = [path for path in paths if path.neighbor_ip != "<nil>"]
        self._tell(request.path)
        return new("Empty")

    def listing(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        self._fail("ListPath", context)
        family = request.family
        for (afi, safi, _), paths in list(self.paths.items()):
            if (afi, safi) == (family.afi, family.safi) and paths:
                yield new("ListPathResponse", destination=new("Destination", prefix="", paths=paths))

    def watching(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        self._fail("WatchEvent", context)
        events: queue.Queue[Any] = queue.Queue()
        self.watchers.append(events)
        if request.table.filters[0].init:
            # GoBGP tells the whole table in one message, however large that is.
            best = [paths[0] for paths in list(self.paths.values()) if paths]
            if best:
                events.put(new("WatchEventResponse", table=new("TableEvent", paths=best)))
        while context.is_active():
            with suppress(queue.Empty):
                event = events.get(timeout=0.05)
                if event is None:
                    context.abort(grpc.StatusCode.UNAVAILABLE, "going away")
                yield event

    def _fail(self, method: str, context: grpc.ServicerContext) -> None:
        for index, (name, code, words) in enumerate(self.failures):
            if name == method:
                del self.failures[index]
                context.abort(code, words)

    def _put(self, path: Any, neighbor: str) -> None:
        """Keep a path as GoBGP shows it: the next hop in MP_REACH_NLRI, the NLRI's length in octets."""
        name, nlri = unpacked(path.nlri)
        kept = [box for box in path.pattrs if not box.type_url.endswith("NextHopAttribute")]
        if len(kept) != len(path.pattrs):
            hop = packed("MpReachNLRIAttribute", family=path.family, next_hops=[_next_hop(path)])
            kept.append(hop)
        if name == "SRPolicyNLRI":
            nlri.length //= 8
        box = new("Any", type_url=path.nlri.type_url, value=nlri.SerializeToString())
        shown = new("Path", nlri=box, pattrs=kept, family=path.family, neighbor_ip=neighbor)
        paths = self.paths.setdefault(_key(path), [])
        paths[:] = [shown, *(other for other in paths if other.neighbor_ip != neighbor)]
        self._tell(shown)

    def _tell(self, path: Any) -> None:
        if not path.is_withdraw:
            self.history.append(path)
        for events in self.watchers:
            events.put(new("WatchEventResponse", table=new("TableEvent", paths=[path])))


def _next_hop(path: Any) -> str:
    hops = [value for name, value in map(unpacked, path.pattrs) if name == "NextHopAttribute"]
    return str(hops[0].next_hop) if hops else ""


def _key(path: Any) -> tuple[int, int, bytes]:
    _, nlri = unpacked(path.nlri)
    if hasattr(nlri, "endpoint"):
        identity = b"%d %d " % (nlri.distinguisher, nlri.color) + nlri.endpoint
    else:
        identity = nlri.SerializeToString()
    return path.family.afi, path.family.safi, identity


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, stand_in: StandIn, version: int) -> None:
        self.stand_in = stand_in
        self.version = version

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        service, _, method = call.method.lstrip("/").partition("/")
        if service != (SERVICE if self.version == 3 else SERVICE_OF_4):
            return None
        unary = {"GetBgp", "AddPath", "DeletePath"}
        if self.version != 3:
            return grpc.unary_unary_rpc_method_handler(lambda *_: b"")
        decode: Callable[[bytes], Any] = lambda data: read(f"{method}Request", data)  # noqa: E731 -- short
        encode: Callable[[Any], bytes] = lambda message: message.SerializeToString()  # noqa: E731 -- short
        if method in unary:
            return grpc.unary_unary_rpc_method_handler(
                lambda request, context: self.stand_in.answer(method, request, context), decode, encode
            )
        several = {"ListPath": self.stand_in.listing, "WatchEvent": self.stand_in.watching}
        return grpc.unary_stream_rpc_method_handler(several[method], decode, encode)


@contextmanager
def stand_in(version: int = 3, port: int = 0) -> Iterator[StandIn]:
    """Serve a stand-in on a port of its own."""
    made = StandIn()
    server = grpc.server(ThreadPoolExecutor(8), handlers=[_Handler(made, version)])
    made.port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield made
    finally:
        server.stop(None).wait(60)


@dataclass(frozen=True)
class Neighbor:
    """A peer of a real GoBGP."""

    address: str
    client: bool = False
    """It is a client of this route reflector."""


@contextmanager
def real(router_id: str, netns: str = "", neighbors: Sequence[Neighbor] = ()) -> Iterator[Api]:
    """Run a real gobgpd, in a network namespace where one is said, and without peers where none is.

    Its API listens on a Unix socket, which is reached from every network namespace.
    """
    if GOBGPD is None:
        pytest.skip("gobgpd is not installed")
    with tempfile.TemporaryDirectory(prefix="gobgpd-") as name:
        folder = Path(name)
        (folder / "gobgpd.toml").write_text(configuration(router_id, neighbors))
        address = f"unix://{folder}/api"
        command = [GOBGPD, "-t", "toml", "-f", str(folder / "gobgpd.toml"), "--api-hosts", address]
        if netns:
            command = ["ip", "netns", "exec", netns, *command]
        with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            api = Api(address, timeout=60.0)
            try:
                _wait_for(api, folder)
                yield api
            finally:
                api.close()
                process.terminate()


def configuration(router_id: str, neighbors: Sequence[Neighbor]) -> str:
    lines = ["[global.config]", f"as = {ASN}", f'router-id = "{router_id}"']
    if not neighbors:
        lines.append("port = -1")
    for neighbor in neighbors:
        lines += ["[[neighbors]]", "[neighbors.config]", f'neighbor-address = "{neighbor.address}"']
        lines += [f"peer-as = {ASN}", "[neighbors.timers.config]", "connect-retry = 1"]
        lines.append("idle-hold-time-after-reset = 1")
        if neighbor.client:
            lines += ["[neighbors.route-reflector.config]", "route-reflector-client = true"]
            lines.append(f'route-reflector-cluster-id = "{router_id}"')
        for family in ("ipv6-srpolicy", "ipv6-unicast", "ipv4-unicast"):
            lines += ["[[neighbors.afi-safis]]", "[neighbors.afi-safis.config]"]
            lines.append(f'afi-safi-name = "{family}"')
    return "\n".join(lines) + "\n"


def _wait_for(api: Api, folder: Path) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            # gRPC waits a second before it tries a second time.
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(folder / "api"))
            api.speaker()
        except (DriverError, OSError) as error:
            if time.monotonic() > end:
                log = (folder / "log").read_text()
                raise AssertionError(f"gobgpd does not answer: {error}\n{log}") from error
            time.sleep(0.02)
        else:
            return
