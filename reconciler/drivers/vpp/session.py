"""What is said on one connection: who we are, what VPP understands, requests and their answers.

Requests go out many at a time, and every answer is matched by its context and its kind. An answer that nobody
waits for means that both sides are out of step: TransientError, and the connection is of no use any more.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from reconciler.drivers.base import PermanentError, TransientError
from reconciler.drivers.vpp.codec import PACKERS, SHY, Packer
from reconciler.drivers.vpp.definitions import Definitions, definitions
from reconciler.drivers.vpp.rows import UNPACKERS, Unpacker
from reconciler.drivers.vpp.wire import Wire, framed
from renderers.vpp_messages import Operation

__all__ = ["Reply", "Session"]

Check = Callable[[Operation], None]

_FRAMED: Final = struct.Struct(">QIIHII")
"""A frame (zero, length, zero), and what every request begins with: number, client, context."""
_FRAME_SIZE: Final = 16
_HEAD_SIZE: Final = 10
_CREATE: Final = struct.Struct(">QIIHI64s")
_CREATED: Final = struct.Struct(">HIIiIH")
_ENTRY: Final = struct.Struct(">H64s")
_LEAVE: Final = struct.Struct(">HIII")
_HEAD: Final = struct.Struct(">HI")
_ANSWER: Final = struct.Struct(">HIi")
_TEXT: Final = struct.Struct(">HIiI")
_CREATE_ID: Final = 15
_CREATED_ID: Final = 16
"""Numbers of sockclnt_create and its reply: the only ones known before the message table is."""
_NAP: Final = 0.0001
"""Seconds between two looks at answers while VPP has half a window of requests, or more, before it."""
_CONTEXTS: Final = 1 << 31
"""Contexts begin anew before they no longer fit."""
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Reply(NamedTuple):
    """What VPP answered to a request."""

    retval: int
    """0 is success; what else it means depends on the message."""
    fields: Mapping[str, Any] = _NOTHING
    """What the answer says beside it."""


_DONE: Final = Reply(0)


class Entry(NamedTuple):
    """A row of VPP's message table."""

    number: int
    crc: str


class _Kind(NamedTuple):
    """How a request is said, and what answers it."""

    message: str
    number: int
    pack: Packer | None
    answer: str
    answered: int


@dataclass(slots=True)
class _Asked:
    """Requests with contexts in a row, and their answers as far as they came."""

    first: int
    kinds: list[_Kind]
    replies: list[Reply | None]
    awaited: int = 0

    @property
    def after(self) -> int:
        """The context of the next request."""
        return self.first + len(self.kinds)

    def add(self, kinds: list[_Kind]) -> None:
        """Take note of requests that are sent."""
        self.kinds += kinds
        self.replies += [None] * len(kinds)
        self.awaited += len(kinds)


class Session:
    """One connection, as far as both sides understand each other."""

    def __init__(self, wire: Wire) -> None:
        """Say who we are, and ask how all messages are laid out."""
        self.wire = wire
        self.quiet = True
        """Whether no answer is awaited: only then can something else be asked."""
        self.index, self.table = _greet(wire)
        self._context = 0
        self._kinds: dict[str, _Kind] = {}
        self.definitions = self._ask_definitions()

    def leave(self) -> None:
        """Say goodbye.

        VPP may miss that a client has hung up: where its last read or write had to wait, it takes the end for
        more to come, watches the connection for ever, and at times answers nobody any more.
        """
        row = self.table.get("sockclnt_delete")
        if row is not None:
            with suppress(TransientError):
                self.wire.send(framed(_LEAVE.pack(row.number, self.index, 0, self.index)))

    def knows(self, message: str) -> bool:
        """Whether VPP understands a message, and says how it is laid out."""
        row = self.table.get(message)
        return row is not None and row.crc == self.definitions.crc(message)

    def send(self, operations: Iterable[Operation], check: Check | None, window: int) -> list[Reply]:
        """Send requests, `window` of them under way, and return the answers in the order of the requests.

        What `check` (None: nothing is checked) or packing raises is raised once all before it is answered.
        """
        source, refused = iter(operations), None
        asked = _Asked(self._next(), [], [])
        more = True
        while more or asked.awaited:
            if more and asked.awaited <= window // 2:
                room = window - asked.awaited
                try:
                    frames, kinds = self._chunk(islice(source, room), check, asked.after)
                except Exception as error:  # noqa: BLE001 -- raised below, when nothing is under way any more
                    refused, more = error, False
                    continue
                more = len(frames) == room
                asked.add(kinds)
                self._say(frames)
            if asked.awaited:
                self._take(self.wire.receive(), asked)
                if asked.awaited > window // 2:
                    # VPP answers one by one, and waking us for each costs both sides more than the answer.
                    time.sleep(_NAP)
        self._context, self.quiet = asked.after - 1, True
        if refused is not None:
            raise refused
        return [reply for reply in asked.replies if reply is not None]

    def ask(self, message: str, arguments: Mapping[str, Any]) -> Reply:
        """Send one request and return its answer."""
        (reply,) = self.send([Operation(message, arguments)], None, 1)
        return reply

    def dump(self, message: str, arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return all rows that answer a message; PermanentError where it is not answered by rows."""
        if not self.definitions.is_dump(message):
            raise PermanentError(f"{message} is not a dump of this VPP")
        kind, ping = self._kind(message), self._kind("control_ping")
        first, last = self._next(), self._next()
        self._say([self._packed(kind, arguments, first), self._packed(ping, {}, last)])
        unpack = self._unpacker(kind.answer)
        rows = []
        while True:
            for frame in self.wire.receive():
                seen = _HEAD.unpack_from(frame)
                if seen == (kind.answered, first) and not self.quiet:
                    rows.append(unpack(frame))
                elif seen == (ping.answered, last) and not self.quiet:
                    self.quiet = True
                else:
                    raise _out_of_step(seen)
            if self.quiet:
                return rows

    def _chunk(
        self, operations: Iterable[Operation], check: Check | None, context: int
    ) -> tuple[list[bytes], list[_Kind]]:
        """Check and pack requests with contexts in a row; nothing is sent yet."""
        known, packed = self._kinds, self._packed
        frames, kinds = [], []
        for at, operation in enumerate(operations, context):
            if check is not None:
                check(operation)
            kind = known.get(operation.message) or self._kind(operation.message)
            frames.append(packed(kind, operation.arguments, at))
            kinds.append(kind)
        return frames, kinds

    def _say(self, frames: list[bytes]) -> None:
        if frames:
            self.quiet = False
            self.wire.send(b"".join(frames))

    def _next(self) -> int:
        self._context = self._context % _CONTEXTS + 1
        return self._context

    def _kind(self, message: str) -> _Kind:
        found = self._kinds.get(message)
        if found is None:
            if not self.knows(message):
                raise PermanentError(f"this VPP has no message {message}")
            answer = self.definitions.answer(message)
            if answer not in self.table:
                raise PermanentError(f"this VPP has no message {answer}")
            row = self.table[message]
            pack = PACKERS.get((message, row.crc))
            found = self._kinds[message] = _Kind(message, row.number, pack, answer, self.table[answer].number)
        return found

    def _packed(self, kind: _Kind, arguments: Mapping[str, Any], context: int) -> bytes:
        """Return a request with its frame."""
        if kind.pack:
            try:
                body = kind.pack(arguments)
            except SHY:
                pass  # vpp-papi knows more forms of arguments, and says best what is wrong with others
            else:
                head = _FRAMED.pack(0, _HEAD_SIZE + len(body), 0, kind.number, self.index, context)
                return head + body
        names = {"_vl_msg_id": kind.number, "client_index": self.index, "context": context}
        return framed(self.definitions.pack(kind.message, arguments, names))

    def _take(self, frames: list[bytes], asked: _Asked) -> None:
        """Read answers, each the only one to its request."""
        first, kinds, replies = asked.first, asked.kinds, asked.replies
        for frame in frames:
            if len(frame) < _ANSWER.size:
                raise _out_of_step(frame)
            number, context, retval = _ANSWER.unpack_from(frame)
            at = context - first
            if not 0 <= at < len(kinds) or replies[at] is not None or kinds[at].answered != number:
                raise _out_of_step((number, context))
            if len(frame) > _ANSWER.size:
                fields = self._unpacker(kinds[at].answer)(frame)
                fields.pop("retval", None)
                replies[at] = Reply(retval, fields)
            else:
                replies[at] = Reply(retval) if retval else _DONE
        asked.awaited -= len(frames)

    def _unpacker(self, message: str) -> Unpacker:
        crc = self.table[message].crc
        slow = partial(self.definitions.unpack, message)
        quick = UNPACKERS.get((message, crc))
        return _either(quick, slow) if quick else slow

    def _ask_definitions(self) -> Definitions:
        """Ask for the definitions of all messages, with the only request that needs none."""
        request, answer = self.table.get("get_api_json"), self.table.get("get_api_json_reply")
        if not request or not answer:
            raise PermanentError("this VPP does not say how its messages are laid out: it is too old")
        context = self._next()
        self._say([_FRAMED.pack(0, _HEAD_SIZE, 0, request.number, self.index, context)])
        frame = _only(self.wire.receive())
        if len(frame) < _TEXT.size or _HEAD.unpack_from(frame) != (answer.number, context):
            raise _out_of_step(frame[:6])
        _, _, retval, length = _TEXT.unpack_from(frame)
        if retval:
            raise PermanentError(f"this VPP does not say how its messages are laid out (error {retval})")
        self.quiet = True
        return definitions(frame[_TEXT.size : _TEXT.size + length].decode())


def _greet(wire: Wire) -> tuple[int, dict[str, Entry]]:
    """Say who we are; return the number that VPP gives us, and its message table by name."""
    wire.send(_CREATE.pack(0, _CREATE.size - _FRAME_SIZE, 0, _CREATE_ID, 1, b"intentc"))
    frame = _only(wire.receive())
    if len(frame) < _CREATED.size:
        raise _out_of_step(frame)
    number, _, _, response, index, count = _CREATED.unpack_from(frame)
    if number != _CREATED_ID or len(frame) < _CREATED.size + count * _ENTRY.size:
        raise _out_of_step(number)
    if response:
        raise TransientError(f"VPP takes no more clients (error {response})")
    table = {}
    for at in range(_CREATED.size, _CREATED.size + count * _ENTRY.size, _ENTRY.size):
        number, raw = _ENTRY.unpack_from(frame, at)
        name, _, crc = raw.rstrip(b"\0").decode("ascii", "replace").rpartition("_")
        table[name] = Entry(number, crc)
    return index, table


def _only(frames: list[bytes]) -> bytes:
    if len(frames) != 1:
        raise _out_of_step(len(frames))
    return frames[0]


def _either(quick: Unpacker, slow: Unpacker) -> Unpacker:
    def unpack(frame: bytes) -> dict[str, Any]:
        try:
            return quick(frame)
        except SHY:
            return slow(frame)

    return unpack


def _out_of_step(what: object) -> TransientError:
    return TransientError(f"VPP says what nobody asked ({what!r}): out of step, connect again")
