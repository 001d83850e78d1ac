"""Calls to GoBGP 3, each with a time limit, and each failure as the error that a driver may raise.

Invariant: nothing is asked of a server before it has said that it speaks this API and runs BGP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from reconciler.drivers.base import PermanentError, TransientError
from reconciler.drivers.gobgp.messages import SERVICE, SERVICE_OF_4, SR_POLICY, UNICAST, new, read, unpacked
from reconciler.drivers.gobgp.paths import Announced, announced, path_of, srpolicy, withdrawal_of

if TYPE_CHECKING:
    import grpc

TIMEOUT: Final = 10.0
"""Seconds that a call may take."""
LISTING: Final = 60.0
"""Seconds that reading a table may take."""
_NOT_STARTED: Final = "hasn't started"
"""What GoBGP answers before somebody configured it."""
_LATER: Final = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED", "CANCELLED"})


class Speaker(NamedTuple):
    """The BGP speaker behind the API."""

    asn: int
    router_id: str


class Reachable(NamedTuple):
    """A prefix of unicast, as a peer announced it."""

    prefix: str
    next_hop: str


class Api:
    """A connection to one GoBGP; it is made with the first call, and made again after it broke."""

    def __init__(self, address: str, timeout: float = TIMEOUT) -> None:
        """Take `host:port` of the gRPC API."""
        self.address = address
        self.timeout = timeout
        self._channel: grpc.Channel | None = None
        self._known: Speaker | None = None

    def speaker(self) -> Speaker:
        """Return who speaks BGP there; PermanentError for another API than that of GoBGP 3."""
        found = self._call("GetBgp", new("GetBgpRequest"), "GetBgpResponse")
        if not found.HasField("global") or not getattr(found, "global").asn:
            raise TransientError(f"GoBGP at {self.address} has no BGP configuration yet")
        said = getattr(found, "global")
        self._known = Speaker(said.asn, said.router_id)
        return self._known

    def policies(self) -> tuple[Announced, ...]:
        """Return every SR policy of IPv6 in the table, those of one NLRI together, the best path first."""
        found = (announced(path) for paths in self._table(srpolicy()) for path in paths)
        return tuple(item for item in found if item is not None)

    def prefixes(self, afi: int) -> tuple[Reachable, ...]:
        """Return the best path to every prefix of unicast that a peer announced."""
        paths = (paths[0] for paths in self._table(new("Family", afi=afi, safi=UNICAST)) if paths)
        return tuple(item for item in map(_reachable, paths) if item is not None)

    def announce(self, wanted: Announced) -> None:
        """Announce a policy, in the place of what this speaker announced under its NLRI."""
        self._ready()
        self._call("AddPath", new("AddPathRequest", path=path_of(wanted)), "AddPathResponse")

    def withdraw(self, found: Announced) -> None:
        """Take back what this speaker announced; no error where it does not."""
        self._ready()
        request = new("DeletePathRequest", family=srpolicy(), path=withdrawal_of(found))
        self._call("DeletePath", request, "Empty")

    @contextmanager
    def changes(self) -> Iterator[Iterator[None]]:
        """Open a stream that yields as often as best paths of SR policies may have changed."""
        self._ready()
        table = new("WatchTable", filters=[new("Filter", init=True)])
        with self._refusals():
            call = self._stream("WatchEvent", "WatchEventResponse")(new("WatchEventRequest", table=table))
        try:
            yield self._events(call)
        finally:
            call.cancel()

    def close(self) -> None:
        """Let go of the connection."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _events(self, call: Any) -> Iterator[None]:
        with self._refusals():
            for event in call:
                if any(path.family.safi == SR_POLICY for path in event.table.paths):
                    yield

    def _table(self, family: Any) -> Iterator[list[Any]]:
        self._ready()
        stream = self._stream("ListPath", "ListPathResponse")
        with self._refusals():
            for answer in stream(new("ListPathRequest", family=family), timeout=LISTING):
                yield list(answer.destination.paths)

    def _ready(self) -> None:
        if self._known is None:
            self.speaker()

    def _call(self, method: str, request: Any, answer: str) -> Any:
        call = self._open().unary_unary(
            f"/{SERVICE}/{method}",
            request_serializer=_write,
            response_deserializer=lambda data: read(answer, data),
        )
        with self._refusals():
            return call(request, timeout=self.timeout)

    def _stream(self, method: str, answer: str) -> Callable[..., Any]:
        return self._open().unary_stream(
            f"/{SERVICE}/{method}",
            request_serializer=_write,
            response_deserializer=lambda data: read(answer, data),
        )

    def _open(self) -> grpc.Channel:
        if self._channel is None:
            import grpc

            # The API is one's own machine or network: a proxy for the web has no part in it. GoBGP tells
            # watchers its whole table in one message.
            options = [("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", -1)]
            self._channel = grpc.insecure_channel(self.address, options=options)
        return self._channel

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Turn what gRPC raises into errors with words for people."""
        import grpc

        try:
            yield
        except ValueError as error:  # what gRPC raises where another thread has closed the connection
            raise TransientError(f"the connection to GoBGP at {self.address} was closed") from error
        except grpc.RpcError as error:
            known, self._known = self._known, None  # another server may be there next time
            code, details = error.code(), error.details() or ""
            if code is grpc.StatusCode.UNIMPLEMENTED and known is None:
                raise PermanentError(self._other_api()) from error
            if code is grpc.StatusCode.UNAVAILABLE:
                self.close()  # a new connection is tried at once, an old one waits longer and longer
            if code.name in _LATER or _NOT_STARTED in details:
                words = details if code.name != "DEADLINE_EXCEEDED" else "it did not answer in time"
                raise TransientError(f"GoBGP at {self.address} is out of reach: {words}") from error
            raise PermanentError(f"GoBGP at {self.address} refused: {details or code.name}") from error

    def _other_api(self) -> str:
        """Say which API the server speaks, where it is not that of GoBGP 3."""
        import grpc

        ask: Callable[..., bytes] = self._open().unary_unary(f"/{SERVICE_OF_4}/GetBgp")
        try:
            ask(b"", timeout=self.timeout)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return f"what listens at {self.address} is not GoBGP 3 (it has no service {SERVICE})"
        return (
            f"GoBGP at {self.address} speaks the API of GoBGP 4, which has other messages; "
            "run GoBGP 3 (3.10 or newer)"
        )


def _write(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data


def _reachable(path: Any) -> Reachable | None:
    """Return the prefix of a path; None for what was not learnt, and for what is no plain prefix."""
    _, nlri = unpacked(path.nlri)
    if path.neighbor_ip in ("", "<nil>") or not path.nlri.type_url.endswith(".IPAddressPrefix"):
        return None
    hops = [""]
    for box in path.pattrs:
        name, value = unpacked(box)
        if name == "NextHopAttribute":
            hops = [value.next_hop]
        elif name == "MpReachNLRIAttribute":
            hops = list(value.next_hops)
    return Reachable(str(ip_network(f"{nlri.prefix}/{nlri.prefix_len}", strict=False)), hops[0])
