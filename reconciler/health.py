"""Whether a process that runs for long is alive, and the server that says so over HTTP.

The server answers from its own threads with what the process last told it, so it answers while the process
is stuck, and says so: alive is who made progress within a bound, by a clock that nobody sets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6
from socketserver import TCPServer
from threading import Thread
from typing import Final, NamedTuple

_PATIENCE: Final = 10
"""Seconds that a client may take to ask."""


class Pulse:
    """When something last made progress; written by its thread, read by anybody."""

    def __init__(self, ticks: Callable[[], float], bound: float) -> None:
        """Begin to count; `bound` is how many seconds may pass without progress."""
        self.ticks = ticks
        self.bound = bound
        self.last = ticks()

    def beat(self, rest: float = 0.0) -> None:
        """Note progress; for `rest` seconds none is expected."""
        self.last = self.ticks() + rest

    @property
    def silent(self) -> float:
        """Seconds without the progress that is expected."""
        return max(0.0, self.ticks() - self.last)

    @property
    def alive(self) -> bool:
        """Whether the last progress is not too long ago."""
        return self.silent <= self.bound


class Answer(NamedTuple):
    """What a page says."""

    good: bool
    """Status 200, and else 503."""
    body: bytes
    kind: str = "text/plain; charset=utf-8"


Page = Callable[[], Answer]


class Health:
    """The server of some pages."""

    def __init__(self, place: tuple[str, int], pages: Mapping[str, Page]) -> None:
        """Listen; raises OSError where that is not possible."""
        names = ", ".join(pages)

        def answer(path: str) -> tuple[int, Answer]:
            page = pages.get(path)
            if page is None:
                return 404, Answer(good=False, body=f"there are {names}\n".encode())
            found = page()
            return 200 if found.good else 503, found

        class Handler(BaseHTTPRequestHandler):
            timeout = _PATIENCE
            server_version = "intentc"
            sys_version = ""

            def do_GET(self) -> None:
                code, found = answer(self.path.partition("?")[0])
                self.send_response(code)
                self.send_header("Content-Type", found.kind)
                self.send_header("Content-Length", str(len(found.body)))
                self.end_headers()
                self.wfile.write(found.body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name in the base
                """Say nothing: a probe every few seconds would drown the log."""

        class Server(ThreadingHTTPServer):
            address_family = AF_INET6 if ":" in place[0] else AF_INET

            def server_bind(self) -> None:
                """Listen without asking DNS for our name, which takes long where the network is away."""
                TCPServer.server_bind(self)

            def handle_error(self, request: object, client_address: object) -> None:
                """Say nothing of a client that has gone."""

        try:
            self.server = Server(place, Handler)
        except OSError as error:
            words = f"cannot listen on {place[0]}:{place[1]}: {error.strerror}"
            raise OSError(f"{words}; say another --listen HOST:PORT") from error
        self.thread = Thread(target=self.server.serve_forever, name="health", daemon=True)
        self.thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server.server_address[1])

    def close(self) -> None:
        """Answer no more."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
