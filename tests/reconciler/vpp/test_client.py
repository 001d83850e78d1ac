"""The client against a server that does what it is told: slow, torn, wrong, or gone in the middle."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reconciler.drivers.base import PermanentError, TransientError
from reconciler.drivers.vpp.client import NEEDED, Client
from renderers.vpp_messages import Operation
from tests.agents import LIMIT
from tests.vppd.definitions import IDS, MESSAGES, api_json
from tests.vppd.wire import HEADER, message, packed

NAMES = {number: name for name, number in IDS.items()}
SILENCE = 0.5
"""Seconds that a server may be silent where that is tested."""


class Peer:
    """The other end of one connection, read and answered by hand."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.received = b""

    def waiting(self) -> bool:
        """Whether the client says more within a moment."""
        self.link.settimeout(0.1)
        try:
            self.received += self.link.recv(1 << 20)
        except TimeoutError:
            return False
        return True

    def read(self) -> tuple[str, dict[str, Any]]:
        self.link.settimeout(LIMIT)
        while len(self.received) < HEADER.size or len(self.received) < self._end():
            data = self.link.recv(1 << 20)
            if not data:
                raise EOFError
            self.received += data
        body, self.received = self.received[HEADER.size : self._end()], self.received[self._end() :]
        name = NAMES[int.from_bytes(body[:2], "big")]
        fields: dict[str, Any] = message(name).unpack(body, 0, {})[0]
        return name, fields

    def _end(self) -> int:
        return HEADER.size + int(HEADER.unpack_from(self.received)[1])

    def say(self, name: str, **fields: Any) -> None:
        self.link.sendall(packed(name, **fields))

    def answer(self, retval: int = 0, **fields: Any) -> dict[str, Any]:
        """Read one request, answer it, and return what it was."""
        name, request = self.read()
        self.say(f"{name}_reply", context=request["context"], **{"retval": retval, **fields})
        return request

    def greet(self, entries: dict[str, str], definitions: str) -> None:
        """Do all that belongs to a connect."""
        table = [{"index": IDS[name], "name": f"{name}_{crc}"} for name, crc in entries.items()]
        self.answer(response=0, index=7, count=len(table), message_table=table)
        self.answer(json=definitions)
        self.answer(vpe_pid=4711)


def entries(**other: str) -> dict[str, str]:
    """Return the message table by name, with other CRCs for some."""
    return {name: item.crc for name, item in MESSAGES.items()} | other


@contextmanager
def serving(path: Path, *scripts: Callable[[Peer], object]) -> Iterator[None]:
    """Serve one connection after the other, each by its script."""
    failures: list[BaseException] = []
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()

        def run() -> None:
            for script in scripts:
                link, _ = listener.accept()
                with link:
                    try:
                        script(Peer(link))
                    except (EOFError, ConnectionError):
                        pass  # the client went away, as it does where something is wrong
                    except BaseException as error:  # noqa: BLE001 -- shown in the test's own thread
                        failures.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield
        thread.join(LIMIT)
        assert not thread.is_alive(), "a script still waits for the client"
    assert not failures, failures


def greeted(script: Callable[[Peer], object], **other: str) -> Callable[[Peer], object]:
    """Connect as VPP does, then do something else."""

    def run(peer: Peer) -> None:
        peer.greet(entries(**other), api_json())
        script(peer)

    return run


@contextmanager
def connected(path: Path, script: Callable[[Peer], object], **options: Any) -> Iterator[Client]:
    """Give a client of a server that follows a script once the client is connected."""
    with serving(path, greeted(script)):
        client = Client(str(path), timeout=LIMIT, **options)
        try:
            client.connect()
            yield client
        finally:
            client.close()


def steps(count: int) -> list[Operation]:
    return [Operation("sr_set_encap_hop_limit", {"hop_limit": number % 200}) for number in range(count)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "api.sock"


def hasty(client: Client) -> Client:
    """Have a client that is connected wait no longer than where silence is tested."""
    assert client._session is not None  # noqa: SLF001 -- to connect, it may need longer on a busy machine
    client._session.wire._timeout = SILENCE  # noqa: SLF001 -- as above
    return client


def broken(client: Client) -> str:
    """Send something that must fail, and find the client closed; the message, which says why it failed."""
    with pytest.raises(TransientError) as caught:
        client.send(steps(3))
    closed(client)
    return str(caught.value)


def closed(client: Client) -> None:
    for call in (lambda: client.send([]), lambda: client.dump("ip_table_dump"), lambda: client.cli("x")):
        with pytest.raises(TransientError, match="not connected"):
            call()


def test_many_are_under_way_and_answers_keep_the_order_of_the_requests(path: Path) -> None:
    def script(peer: Peer) -> None:
        held = [peer.read() for _ in range(256)]
        assert not peer.waiting(), "more than the window"
        left = 1000 - 256
        while held:
            reply(peer, *held.pop(0))
            if left and len(held) < 100:
                held.append(peer.read())
                left -= 1

    def reply(peer: Peer, name: str, request: dict[str, Any]) -> None:
        peer.say(f"{name}_reply", context=request["context"], retval=-request["hop_limit"])

    with connected(path, script, window=256) as client:
        replies = client.send(iter(steps(1000)))
    assert [reply.retval for reply in replies] == [-(number % 200) for number in range(1000)]
    assert not replies[0].fields


def test_answers_may_come_in_any_order_and_say_more(path: Path) -> None:
    def script(peer: Peer) -> None:
        held = [peer.read() for _ in range(4)]
        for name, request in reversed(held):
            more = {"sw_if_index": request["user_instance"]} if "user_instance" in request else {}
            peer.say(f"{name}_reply", context=request["context"], retval=-3, **more)

    loops = [
        Operation("create_loopback_instance", {"is_specified": True, "user_instance": number})
        for number in (5, 6)
    ]
    with connected(path, script) as client:
        replies = client.send([*loops, *steps(2)])
    assert replies == [(-3, {"sw_if_index": 5}), (-3, {"sw_if_index": 6}), (-3, {}), (-3, {})]


def test_torn_frames_are_put_together(path: Path) -> None:
    def script(peer: Peer) -> None:
        for _ in range(3):
            name, request = peer.read()
            for byte in packed(f"{name}_reply", context=request["context"], retval=0):
                peer.link.sendall(bytes([byte]))
                time.sleep(0.002)

    with connected(path, script) as client:
        assert client.send(steps(3)) == [(0, {})] * 3


def test_large_requests_go_out_while_answers_come_in(path: Path) -> None:
    """Neither side may wait for the other to read: answers are given only where requests are read slowly."""

    def script(peer: Peer) -> None:
        peer.link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(300):
            peer.answer(reply="x" * 20_000)

    long = [Operation("cli_inband", {"cmd": "y" * 20_000})] * 300
    with connected(path, script) as client:
        assert len(client.send(long)) == 300


def test_silence_ends_after_the_time_limit(path: Path) -> None:
    done = threading.Event()
    with connected(path, lambda _: done.wait(LIMIT)) as client:
        assert f"within {SILENCE:g} seconds" in broken(hasty(client))
        done.set()


def test_a_message_that_drips_in_does_not_prolong_the_wait(path: Path) -> None:
    def script(peer: Peer) -> None:
        peer.read()
        peer.link.sendall(HEADER.pack(0, 100_000, 0))
        for _ in range(60_000):  # until the client hangs up
            peer.link.sendall(b"x")
            time.sleep(0.001)

    with connected(path, script) as client:
        assert f"within {SILENCE:g} seconds" in broken(hasty(client))


def test_a_server_that_stops_reading_is_given_up(path: Path) -> None:
    done = threading.Event()
    with connected(path, lambda _: done.wait(LIMIT)) as client:
        with pytest.raises(TransientError, match="within"):
            hasty(client).send([Operation("cli_inband", {"cmd": "y" * 100_000})] * 100)
        done.set()


def test_death_in_the_middle_is_known_at_once(path: Path) -> None:
    def script(peer: Peer) -> None:
        peer.answer()
        name, request = peer.read()
        half = packed(f"{name}_reply", context=request["context"])[:20]
        peer.link.sendall(half)

    with connected(path, script) as client:
        assert "is gone" in broken(client)


def test_death_between_two_calls_is_known_at_once(path: Path) -> None:
    with connected(path, lambda _: None) as client:
        time.sleep(0.1)
        assert "is gone" in broken(client)


def _other_context(peer: Peer) -> None:
    name, request = peer.read()
    peer.say(f"{name}_reply", context=request["context"] + 1000)


def _twice(peer: Peer) -> None:
    name, request = peer.read()
    for _ in range(2):
        peer.say(f"{name}_reply", context=request["context"])


def _other_kind(peer: Peer) -> None:
    _, request = peer.read()
    peer.say("sr_policy_del_reply", context=request["context"])


def _endless_frame(peer: Peer) -> None:
    peer.read()
    peer.link.sendall(HEADER.pack(0, 1 << 31, 0))


def _no_message(peer: Peer) -> None:
    peer.read()
    peer.link.sendall(HEADER.pack(0, 1, 0) + b"x")


@pytest.mark.parametrize("script", [_other_context, _twice, _other_kind, _endless_frame, _no_message])
def test_what_is_out_of_step_closes_the_connection(path: Path, script: Callable[[Peer], None]) -> None:
    with connected(path, script) as client:
        assert "out of step" in broken(client)


class _HarmfulError(Exception):
    pass


def test_what_the_check_refuses_is_not_sent_nor_anything_after_it(path: Path) -> None:
    seen: list[int] = []

    def check(operation: Operation) -> None:
        if operation.arguments.get("hop_limit") == 9:
            raise _HarmfulError

    def script(peer: Peer) -> None:
        while True:  # until the client hangs up
            name, request = peer.read()
            if "hop_limit" in request:
                seen.append(request["hop_limit"])
            peer.say(f"{name}_reply", context=request["context"], retval=0)

    with connected(path, script, check=check, window=4) as client:
        with pytest.raises(_HarmfulError):
            client.send(steps(20))
        sent = seen.copy()
        assert sent == list(range(len(sent)))
        assert 4 <= len(sent) <= 9
        assert len(client.send(steps(1))) == 1, "the connection is still of use"
    assert seen == [*sent, 0]


def test_what_cannot_be_packed_is_not_sent_nor_anything_after_it(path: Path) -> None:
    tried, looked = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        try:
            assert tried.wait(LIMIT)
            assert not peer.waiting()
        finally:
            looked.set()
        peer.answer()

    with connected(path, script) as client:
        for name, arguments in (
            ("sr_set_encap_hop_limit", {"hop_limit": 256}),
            ("sr_set_encap_hop_limit", {"limit": 1}),
            ("sr_policy_del", {"bsid_addr": "10.0.0.1", "sr_policy_index": 0}),
            ("sr_policy_destroy", {}),
            ("sr_policy_del_reply", {}),
        ):
            with pytest.raises(PermanentError, match=name):
                client.send([*steps(1), Operation(name, arguments)])
        with pytest.raises(PermanentError, match="not a dump"):
            client.dump("sr_policy_del", bsid_addr="::1")
        tried.set()
        assert looked.wait(LIMIT)
        client.send(steps(1))


def test_an_interrupt_in_the_middle_closes_the_connection(path: Path) -> None:
    def check(operation: Operation) -> None:
        if operation.arguments["hop_limit"] == 9:
            raise KeyboardInterrupt

    def script(peer: Peer) -> None:
        while True:
            peer.answer()

    with connected(path, script, check=check, window=4) as client:
        with pytest.raises(KeyboardInterrupt):
            client.send(steps(20))
        closed(client)


def test_a_dump_is_all_rows_up_to_the_ping(path: Path) -> None:
    def script(peer: Peer) -> None:
        name, request = peer.read()
        assert name == "sr_localsids_dump"
        for number in (1, 2):
            peer.say("sr_localsids_details", context=request["context"], addr=bytes([number]), behavior=9)
        peer.answer()
        assert peer.read()[0] == "ip_table_dump"
        peer.answer()

    with connected(path, script) as client:
        rows = client.dump("sr_localsids_dump")
        assert [(row["addr"], row["behavior"]) for row in rows] == [("100::", 9), ("200::", 9)]
        assert client.dump("ip_table_dump") == []


def test_a_row_of_another_dump_is_out_of_step(path: Path) -> None:
    def script(peer: Peer) -> None:
        _, request = peer.read()
        peer.say("sr_localsids_details", context=request["context"] + 50)

    with connected(path, script) as client:
        with pytest.raises(TransientError, match="out of step"):
            client.dump("sr_localsids_dump")
        closed(client)


def test_the_command_line_answers_or_says_no(path: Path) -> None:
    def script(peer: Peer) -> None:
        assert peer.answer(reply="addr = ::\n")["cmd"] == "show sr encaps source addr"
        peer.answer(retval=-1, reply="unknown input `x'\n")

    with connected(path, script) as client:
        assert client.cli("show sr encaps source addr") == "addr = ::\n"
        with pytest.raises(PermanentError, match="no to `x`: unknown input `x'"):
            client.cli("x")


def test_the_socket_of_the_command_line_is_known_by_its_greeting(path: Path) -> None:
    """It lies beside that of the API; waiting for what never comes tells nobody of the mistake."""

    def telnet(peer: Peer) -> None:
        peer.link.sendall(bytes.fromhex("fffc22fffe22fffb03fffd03fffb01fffe01fffd18"))
        peer.read()

    with (
        serving(path, telnet),
        pytest.raises(PermanentError, match=r"api\.sock is the socket of VPP's command line; name that of"),
    ):
        Client(str(path), timeout=LIMIT).connect()


def test_nobody_there(path: Path) -> None:
    client = Client(str(path))
    with pytest.raises(TransientError, match=r"no VPP answers at .*No such file"):
        client.connect()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
    with pytest.raises(TransientError, match="refused"):
        client.connect()
    closed(client)


def _deaf(peer: Peer) -> None:
    while True:  # until the client hangs up
        peer.read()


def _full(peer: Peer) -> None:
    peer.answer(response=-1, index=0, count=0)


def _another_program(peer: Peer) -> None:
    peer.link.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    peer.waiting()


def _half_a_table(peer: Peer) -> None:
    name, request = peer.read()
    peer.say(f"{name}_reply", context=request["context"], count=9)


@pytest.mark.parametrize("script", [_deaf, _full, _another_program, _half_a_table])
def test_who_does_not_greet_as_vpp_does_is_given_up(path: Path, script: Callable[[Peer], None]) -> None:
    with serving(path, script), pytest.raises(TransientError):
        Client(str(path), timeout=SILENCE).connect()


def refused(path: Path, table: dict[str, str]) -> str:
    """Connect to a VPP with another message table; the reason why it is not taken."""

    def script(peer: Peer) -> None:
        peer.greet(table, api_json())

    with serving(path, script), pytest.raises(PermanentError) as caught:
        Client(str(path), timeout=LIMIT).connect()
    return str(caught.value)


def test_messages_that_are_missing_or_other_are_named(path: Path) -> None:
    table = entries(sr_policy_add="00000001")
    del table["sr_steering_add_del"]
    said = refused(path, table)
    assert "does not have sr_steering_add_del" in said
    assert "sr_policy_add_00000001" in said
    table = entries()
    del table["get_api_json"]
    assert "too old" in refused(path, table)


def test_what_is_needed_is_what_a_real_vpp_has() -> None:
    assert {name: MESSAGES[name].crc for name in NEEDED} == NEEDED


def test_a_message_with_another_crc_is_read_as_this_vpp_defines_it(path: Path) -> None:
    """Allowed for messages that VPP still changes: the packer written for another layout is left aside."""
    name = "sr_policies_with_sl_index_details"
    changed = (
        api_json().replace("ca2e9bc8", "ca2e9bc9").replace('"is_spray"], ["bool"', '"is_spray"], ["u32"')
    )
    assert changed.count('"u32", "is_encap"') == 2

    def script(peer: Peer) -> None:
        peer.greet(entries(**{name: "ca2e9bc9"}), changed)
        _, request = peer.read()
        row = IDS[name].to_bytes(2, "big") + request["context"].to_bytes(4, "big") + bytes(16) + b"\1"
        row += (70_000).to_bytes(4, "big") + bytes(5)
        peer.link.sendall(HEADER.pack(0, len(row), 0) + row)
        peer.answer()

    with serving(path, script):
        client = Client(str(path), timeout=LIMIT)
        client.connect()
        (row,) = client.dump("sr_policies_with_sl_index_dump")
        client.close()
    assert row["is_encap"] == 70_000


def test_what_is_not_in_the_message_table_is_not_known(path: Path) -> None:
    table = entries(sr_policy_add_v2="00000001")
    del table["fib_source_dump"]

    def script(peer: Peer) -> None:
        peer.greet(table, api_json())
        peer.waiting()

    with serving(path, script):
        client = Client(str(path), timeout=LIMIT)
        client.connect()
        assert client.knows("sr_policy_add")
        for name in ("sr_policy_add_v2", "fib_source_dump", "sr_policy_destroy"):
            assert not client.knows(name)
        with pytest.raises(PermanentError, match="fib_source_dump"):
            client.dump("fib_source_dump")
        client.close()


def test_a_restart_is_noticed_and_a_reconnect_is_not_one(path: Path) -> None:
    def script(peer: Peer) -> None:
        peer.waiting()

    client = Client(str(path), timeout=LIMIT)
    found = []
    with serving(path, greeted(script), greeted(script)):
        for _ in range(2):
            client.connect()
            found.append(client.instance)
    with serving(path, greeted(script)):
        os.utime(path, (1, 1))  # else it might have been made at the same time
        client.connect()
        found.append(client.instance)
    client.close()
    assert found[0] == found[1], "the same VPP, asked twice"
    assert found[2] != found[1], "another one, though its process has the same number"
