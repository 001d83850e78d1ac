"""A plain client that sends any request, also those that kill VPP, and shows what came back byte for byte.

It speaks by our own table of definitions, so a real VPP must lay out its messages in the same way.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from tests.vppd.definitions import IDS, MESSAGES, SOCKCLNT_CREATE, SOCKCLNT_CREATE_REPLY
from tests.vppd.wire import HEADER, message

Fields = dict[str, Any]


class Died(Exception):  # noqa: N818 -- an event, not a mistake
    """VPP closed the connection."""


class Peer:
    """One connection."""

    def __init__(self, path: Path, patience: float = 60) -> None:
        """Connect; `patience`: seconds to wait for an answer."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(patience)
        self._ids = dict(IDS)
        self._context = 0
        self._index = 0
        try:
            self._socket.connect(str(path))
            created = self.ask("sockclnt_create", name="peer")
        except (Died, OSError):
            self._socket.close()
            raise
        self._index = created["index"]
        table = {row["name"]: row["index"] for row in created["message_table"]}
        self._ids = {name: table.get(known.entry, -1) for name, known in MESSAGES.items()}
        self._ids |= {"sockclnt_create": SOCKCLNT_CREATE, "sockclnt_create_reply": SOCKCLNT_CREATE_REPLY}
        self.missing = [name for name, number in self._ids.items() if number < 0]
        """Messages that this VPP does not have, or with another CRC."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Say goodbye and hang up; a real VPP that is only hung up on may never notice."""
        with suppress(Died, OSError):
            self._send("sockclnt_delete", {"index": self._index})
        self._socket.close()

    def patience(self, seconds: float) -> None:
        """Wait no longer for an answer."""
        self._socket.settimeout(seconds)

    def ask(self, name: str, /, **fields: Any) -> Fields:
        """Send a request, and return the reply."""
        self._send(name, fields)
        return self._receive(f"{name}_reply")

    def retval(self, name: str, /, **fields: Any) -> int:
        """Send a request, and return how it went."""
        return int(self.ask(name, **fields)["retval"])

    def rows(self, name: str, /, **fields: Any) -> list[Fields]:
        """Send a dump, and return its rows."""
        self._send(name, fields)
        self._send("control_ping", {})
        details = f"{name.removesuffix('_dump')}_details"
        found: list[Fields] = []
        while True:
            body = self._read()
            if int.from_bytes(body[:2], "big") == self._ids["control_ping_reply"]:
                return found
            found.append(self._unpacked(details, body))

    def _send(self, name: str, fields: Fields) -> None:
        self._context += 1
        body = bytearray()
        head = {"_vl_msg_id": self._ids[name], "client_index": self._index, "context": self._context}
        message(name).pack({**head, **fields}, body)
        try:
            self._socket.sendall(HEADER.pack(0, len(body), 0) + body)
        except (BrokenPipeError, ConnectionResetError):
            raise Died from None

    def _receive(self, name: str) -> Fields:
        return self._unpacked(name, self._read())

    def _unpacked(self, name: str, body: bytes) -> Fields:
        assert int.from_bytes(body[:2], "big") == self._ids[name], name
        found, end = message(name).unpack(body, 0, {})
        assert body[end:] in (b"", b"\0"), name
        return {key: value for key, value in found.items() if key not in ("_vl_msg_id", "context")}

    def _read(self) -> bytes:
        _, length, _ = HEADER.unpack(self._exactly(HEADER.size))
        return self._exactly(length)

    def _exactly(self, size: int) -> bytes:
        found = bytearray()
        while len(found) < size:
            try:
                data = self._socket.recv(size - len(found))
            except ConnectionResetError:
                raise Died from None
            if not data:
                raise Died
            found += data
        return bytes(found)
