"""Messages over VPP's API socket: framing, and an end to every wait.

Never blocks but in `receive`, and there no longer than the time limit for one whole message. Whatever goes
wrong (closed, silent, out of step) raises TransientError: the connection is of no use afterwards.
"""

from __future__ import annotations

import select
import socket
import struct
from pathlib import Path
from time import monotonic
from typing import Final

from reconciler.drivers.base import PermanentError, TransientError

FRAME: Final = struct.Struct(">QII")
"""What stands before each message: its length, between two fields that are VPP's own affair (send zeros)."""
_CHUNK: Final = 1 << 18
_LONGEST: Final = 1 << 26
"""No message is longer; the definitions of all messages are some 3 MB."""
_TELNET: Final = b"\xff\xfc"
"""How the command line greets; a frame of VPP begins with a pointer or zeros."""


def framed(message: bytes) -> bytes:
    """Return a message with its frame."""
    return FRAME.pack(0, len(message), 0) + message


class Wire:
    """One connection to the API socket of a VPP."""

    def __init__(self, path: str, timeout: float) -> None:
        """Connect; `timeout` in seconds. TransientError: nobody there; PermanentError: not allowed."""
        self._path = path
        self._timeout = timeout
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(path)
        except PermissionError as error:
            self.close()
            raise PermanentError(f"not allowed to open {path}: {error.strerror}") from error
        except OSError as error:
            self.close()
            raise TransientError(f"no VPP answers at {path}: {error.strerror or error}") from error
        self._socket.setblocking(False)
        self._poll = select.poll()
        self._out = bytearray()
        self._in = bytearray()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def started(self) -> str:
        """Return what differs between two runs of the VPP at this socket, as far as the kernel tells.

        When it bound the socket, and when its process began; the latter where the process is seen from here.
        """
        (pid,) = struct.unpack_from("i", self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        bound = began = ""
        try:
            bound = str(Path(self._path).stat().st_mtime_ns)
            # The name of a program may hold spaces and brackets: fields are counted from the last bracket.
            began = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
            began = began.rpartition(")")[2].split()[19]
        except (OSError, IndexError):
            pass
        return f"{began}-{bound}"

    def send(self, frames: bytes) -> None:
        """Send framed messages, as much as the socket takes now; the rest goes out while `receive` waits."""
        self._out += frames
        self._flush()

    def receive(self) -> list[bytes]:
        """Return the whole messages that arrived, at least one."""
        deadline = monotonic() + self._timeout
        while not (messages := self._whole()):
            wanted = select.POLLIN | (select.POLLOUT if self._out else 0)
            self._poll.register(self._socket, wanted)
            left = deadline - monotonic()
            if left <= 0 or not self._poll.poll(left * 1000):
                raise TransientError(f"VPP at {self._path} did not answer within {self._timeout:g} seconds")
            self._flush()
            self._read()
        return messages

    def _flush(self) -> None:
        while self._out:
            try:
                sent = self._socket.send(self._out)
            except BlockingIOError:
                return
            except OSError as error:
                raise self._gone(error) from error
            del self._out[:sent]

    def _read(self) -> None:
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            raise self._gone(error) from error
        if not data:
            raise self._gone(None)
        self._in += data

    def _gone(self, error: OSError | None) -> TransientError:
        why = (error.strerror or str(error)) if error else "it closed the connection"
        return TransientError(f"VPP at {self._path} is gone: {why}")

    def _whole(self) -> list[bytes]:
        """Cut whole messages off what was read."""
        messages: list[bytes] = []
        if self._in.startswith(_TELNET):
            why = "is the socket of VPP's command line; name that of its API (socksvr in startup.conf)"
            raise PermanentError(f"{self._path} {why}")
        end, head, length_of = len(self._in), FRAME.size, FRAME.unpack_from
        if end < head or end < head + length_of(self._in)[1] <= _LONGEST:
            return messages
        data, start = bytes(self._in), 0
        while end - start >= head:
            length = length_of(data, start)[1]
            if length > _LONGEST:
                raise TransientError(f"what {self._path} says is not VPP's protocol, or is out of step")
            begin = start + head
            if begin + length > end:
                break
            start = begin + length
            messages.append(data[begin:start])
        del self._in[:start]
        return messages
