"""The stand-in: a VPP at a Unix socket, in a thread of this process, that can be broken in any way.

It answers in order, and everything that it was asked before it died. What kills a VPP closes all connections
and the socket; nothing answers until `start`, and then the state is empty and the process another one.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self

from tests.vppd.definitions import IDS, MESSAGES, api_json
from tests.vppd.handlers import DUMPS, REQUESTS
from tests.vppd.pool import Segfault
from tests.vppd.state import State
from tests.vppd.wire import HEADER, message, packed

NAMES: Final = {number: name for name, number in IDS.items()}
FIRST_PID: Final = 1000


class Connection:
    """One client."""

    def __init__(self, link: socket.socket, index: int) -> None:
        self.link = link
        self.index = index
        self.received = bytearray()
        self.answers = bytearray()

    def requests(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the whole messages that arrived."""
        while len(self.received) >= HEADER.size:
            _, length, _ = HEADER.unpack_from(self.received)
            end = HEADER.size + length
            if len(self.received) < end:
                return
            body = bytes(self.received[HEADER.size : end])
            del self.received[:end]
            name = NAMES[int.from_bytes(body[:2], "big")]
            yield name, message(name).unpack(body, 0, {})[0]


class StandIn:
    """A VPP for tests; also a context manager that starts and stops it."""

    def __init__(self, path: Path, without: frozenset[str] = frozenset()) -> None:
        """`without`: messages that this VPP does not have."""
        self.path = path
        self.state = State(FIRST_PID)
        self.deaths: list[str] = []
        """Each request that killed it."""
        self.asked: Counter[str] = Counter()
        """How often each message arrived."""
        self.hosts: dict[str, int] = {}
        """Interfaces of the host, and their MTU; they survive VPP."""
        self.delay = 0.0
        """Seconds before each answer."""
        self.refusals: defaultdict[str, list[int]] = defaultdict(list)
        """Retvals that the next requests of a name get; nothing is done then."""
        self.hang_up_after: int | None = None
        """Answers until one is cut in half, and the connection with it."""
        self.end_after: int | None = None
        """Requests until it ends, as if somebody killed it."""
        self.deaf = False
        """Whether it stopped reading."""
        self._without = without
        self._living = False
        self._thread: threading.Thread | None = None
        self._lock = threading.RLock()
        self._connections: dict[socket.socket, Connection] = {}
        self._last_index = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin empty, as another process."""
        assert self._thread is None, "it runs"
        self.path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self.path))
        listener.listen(16)
        listener.setblocking(False)
        self.state = State(self.state.pid + 1)
        self.state.interfaces.hosts = self.hosts
        self.hang_up_after = self.end_after = None
        self._living = True
        self._wake, waker = socket.socketpair()
        self._thread = threading.Thread(target=self._run, args=(listener, waker), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, as if killed: the socket file stays behind."""
        if self._thread:
            self._wake.close()
            self._thread.join(60)
            assert not self._thread.is_alive()
        self._thread = None
        self._living = False

    def restart(self) -> None:
        """End and begin anew, with nothing left."""
        self.stop()
        self.start()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._living

    def do(self, name: str, **fields: Any) -> Any:
        """Do a request as another client would; the retval or fields of the answer, or the rows of a dump."""
        with self._lock:
            body = bytearray()
            message(name).pack(fields, body)
            request = message(name).unpack(bytes(body), 0, {})[0]
            if name in DUMPS:
                return list(DUMPS[name](self.state, request))
            return REQUESTS[name](self.state, request)

    def _run(self, listener: socket.socket, waker: socket.socket) -> None:
        with selectors.DefaultSelector() as selector, listener, waker:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(waker, selectors.EVENT_READ)
            try:
                while self._turn(selector, listener, waker):
                    pass
            finally:
                listener.close()  # first, so that nobody who sees it end gets in once more
                for link in self._connections:
                    link.close()
                self._connections.clear()

    def _turn(self, selector: selectors.BaseSelector, listener: socket.socket, waker: socket.socket) -> bool:
        """Serve whoever is ready; False at the end."""
        for key, events in selector.select(0.05 if self.deaf else None):
            link = key.fileobj
            if link is waker:
                return False
            if link is listener:
                self._accept(selector, listener)
            elif isinstance(link, socket.socket) and not self.deaf:
                connection = self._connections[link]
                goes_on = self._serve(connection, events)
                if not self._living:
                    return False
                if not goes_on:
                    selector.unregister(link)
                    link.close()
                    del self._connections[link]
                else:
                    wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.answers else 0)
                    selector.modify(link, wanted)
            if self.deaf:
                time.sleep(0.01)
        return True

    def _accept(self, selector: selectors.BaseSelector, listener: socket.socket) -> None:
        link, _ = listener.accept()
        link.setblocking(False)
        self._last_index += 1
        self._connections[link] = Connection(link, self._last_index)
        selector.register(link, selectors.EVENT_READ)

    def _serve(self, connection: Connection, events: int) -> bool:
        """Read, do and answer; False where the connection is over."""
        try:
            if events & selectors.EVENT_READ:
                data = connection.link.recv(1 << 20)
                if not data:
                    return False
                connection.received += data
                for name, request in connection.requests():
                    if not self._handle(connection, name, request):
                        _send_all(connection)
                        return False
            if connection.answers:
                sent = connection.link.send(connection.answers)
                del connection.answers[:sent]
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True

    def _handle(self, connection: Connection, name: str, request: dict[str, Any]) -> bool:
        """Do one request and queue its answers; False where the connection ends with it."""
        self.asked[name] += 1
        if self.end_after is not None:
            self.end_after -= 1
            if self.end_after < 0:
                self._living = False
                return False
        if self.delay:
            time.sleep(self.delay)
        try:
            with self._lock:
                for answer in self._answers(connection, name, request):
                    if self.hang_up_after == 0:
                        self.hang_up_after = None
                        connection.answers += answer[: len(answer) // 2]
                        return False
                    if self.hang_up_after is not None:
                        self.hang_up_after -= 1
                    connection.answers += answer
        except Segfault:
            self.deaths.append(name)
            self._living = False
            return False
        return name != "sockclnt_delete"

    def _answers(self, connection: Connection, name: str, request: dict[str, Any]) -> Iterator[bytes]:
        context = request["context"]
        if request.get("client_index", connection.index) != connection.index:
            return  # VPP does not know whom to answer
        if name in DUMPS:
            for row in DUMPS[name](self.state, request):
                yield packed(f"{name.removesuffix('_dump')}_details", context=context, **row)
        elif name in REQUESTS:
            refused = self.refusals[name]
            found = refused.pop(0) if refused else REQUESTS[name](self.state, request)
            fields = {"retval": found} if isinstance(found, int) else found
            yield packed(f"{name}_reply", **{"context": context, "retval": 0, **fields})
        else:
            yield packed(f"{name}_reply", context=context, **self._of_clients(connection, name))

    def _of_clients(self, connection: Connection, name: str) -> dict[str, Any]:
        if name == "get_api_json":
            return {"retval": 0, "json": api_json(self._without)}
        if name == "sockclnt_delete":
            return {"response": 1}
        table = [
            {"index": number, "name": MESSAGES[known].entry}
            for known, number in IDS.items()
            if known not in self._without
        ]
        return {"response": 0, "index": connection.index, "count": len(table), "message_table": table}


def _send_all(connection: Connection) -> None:
    """Send what was answered before the end, as far as the client still takes it."""
    try:
        connection.link.settimeout(30)
        connection.link.sendall(connection.answers)
    except OSError:
        pass
