"""A TCP relay that counts what passes, and can be cut."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit


class Meter:
    """Stands before one server."""

    def __init__(self, address: str) -> None:
        """Take the URL of the server."""
        url = urlsplit(address)
        self.server = (url.hostname or "", url.port or 0)
        self.passed = 0
        """Bytes in both directions."""
        self._links: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port = self._listener.getsockname()[1]
        self.address = f"{url.scheme}://127.0.0.1:{self._port}"
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()

    def cut(self) -> None:
        """Break off everything, and let nobody in."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for link in list(self._links):
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let everybody in again."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._listen()

    def _listen(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                link, _ = listener.accept()
                far = socket.create_connection(self.server)
                for one, other in ((link, far), (far, link)):
                    self._links.add(one)
                    threading.Thread(target=self._relay, args=(one, other), daemon=True).start()

    def _relay(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError), one:
            while data := one.recv(65536):
                with self._lock:
                    self.passed += len(data)
                other.sendall(data)
        with suppress(OSError):
            other.shutdown(socket.SHUT_WR)
        self._links.discard(one)
