"""The client against a real VPP: what it says and hears is what vpp-papi does, and it never waits in vain.

Runs where a `vpp` binary is found (see tests/vpps.py).
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.drivers.base import PermanentError, TransientError
from reconciler.drivers.vpp.client import Client
from reconciler.drivers.vpp.codec import PACKERS, SHY
from reconciler.drivers.vpp.definitions import Definitions
from reconciler.drivers.vpp.rows import UNPACKERS
from reconciler.drivers.vpp.session import Session
from reconciler.drivers.vpp.wire import Wire
from renderers.vpp_messages import NONE, Operation
from tests.agents import LIMIT
from tests.vpp_arguments import REQUESTS, ROWS
from tests.vpps import MARKS, running, started

pytestmark = MARKS
HEAD = {"_vl_msg_id": 1, "client_index": 2, "context": 3}
HEAD_SIZE = 10
UNCHECKED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.fixture(scope="module")
def alive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Run one VPP for all tests that leave it as it was; a client of vpp-papi, and the API socket."""
    folder = tmp_path_factory.mktemp("vpp")
    with running(folder) as papi:
        yield papi, folder / "api.sock"


@pytest.fixture
def client(alive: Any) -> Iterator[Client]:
    ours = Client(str(alive[1]))
    ours.connect()
    yield ours
    ours.close()


@pytest.fixture(scope="module")
def real(alive: Any) -> Definitions:
    """Return the definitions of this VPP."""
    wire = Wire(str(alive[1]), 10)
    session = Session(wire)
    wire.close()
    return session.definitions


def table(number: int, *, is_add: bool = True) -> Operation:
    named = {"table_id": number, "is_ip6": False, "name": f"intentc/{number}"}
    return Operation("ip_table_add_del", {"is_add": is_add, "table": named})


def policy(bsid: str, *sids: str, weight: int = 1) -> Operation:
    listed = {"num_sids": len(sids), "weight": weight, "sids": [*sids, *["::"] * (16 - len(sids))]}
    arguments = {"bsid_addr": bsid, "weight": 1, "is_encap": True, "is_spray": False, "fib_table": 0}
    return Operation("sr_policy_add", {**arguments, "sids": listed})


def no_policy(bsid: str) -> Operation:
    return Operation("sr_policy_del", {"bsid_addr": bsid, "sr_policy_index": NONE})


def steer(prefix: str, bsid: str, number: int, *, is_del: bool = False) -> Operation:
    arguments = {"bsid_addr": bsid, "sr_policy_index": NONE, "table_id": number, "sw_if_index": NONE}
    return Operation(
        "sr_steering_add_del", {**arguments, "is_del": is_del, "prefix": prefix, "traffic_type": 4}
    )


@pytest.mark.parametrize("message", REQUESTS)
@settings(suppress_health_check=UNCHECKED)
@given(data=st.data())
def test_requests_are_packed_as_this_vpp_defines_them(
    real: Definitions, message: str, data: st.DataObject
) -> None:
    pack = PACKERS.get((message, real.crc(message)))
    if pack is None:
        pytest.skip(f"this VPP has another {message}: vpp-papi packs it")
    arguments = data.draw(REQUESTS[message])
    assert pack(arguments) == real.pack(message, arguments, HEAD)[HEAD_SIZE:]


@pytest.mark.parametrize("message", ROWS)
@settings(suppress_health_check=UNCHECKED)
@given(data=st.data())
def test_rows_are_read_as_this_vpp_defines_them(real: Definitions, message: str, data: st.DataObject) -> None:
    unpack = UNPACKERS.get((message, real.crc(message)))
    if unpack is None:
        pytest.skip(f"this VPP has another {message}: vpp-papi reads it")
    row = data.draw(ROWS[message])
    try:
        found = unpack(row)
    except SHY:
        return
    wanted = real.unpack(message, row)
    wanted.pop("retval", None)
    assert repr(found) == repr(wanted)


def test_what_is_sent_is_there_and_is_read_as_vpp_papi_reads_it(alive: Any, client: Client) -> None:
    papi = alive[0].api
    localsid = {"is_del": False, "localsid": "fcdd:1::4", "end_psp": False, "behavior": 9, "sw_if_index": 10}
    sid = Operation("sr_localsid_add_del", {**localsid, "vlan_index": 0, "fib_table": 0, "nh_addr": "::"})
    made = [
        table(10),
        sid,
        policy("cafe:1::1", "fcbb::1", "fcbb::2"),
        policy("cafe:1::2", "fcbb::3", weight=7),
    ]
    made += [steer("10.9.0.0/16", "cafe:1::1", 10)]
    assert [reply.retval for reply in client.send(made)] == [0] * len(made)
    (row,) = client.dump("sr_localsids_dump")
    assert (row["addr"], row["behavior"], row["xconnect_iface_or_vrf_table"]) == ("fcdd:1::4", 9, 10)
    rows = client.dump("sr_policies_v2_dump")
    assert [(item["bsid"], item["sid_lists"]) for item in rows] == [
        ("cafe:1::1", ({"num_sids": 2, "weight": 1, "sids": ("fcbb::1", "fcbb::2")},)),
        ("cafe:1::2", ({"num_sids": 1, "weight": 7, "sids": ("fcbb::3",)},)),
    ]
    assert [str(item.bsid) for item in papi.sr_policies_v2_dump()] == [item["bsid"] for item in rows]
    indexed = papi.sr_policies_with_sl_index_dump()
    wanted = [item.sl_index for one in indexed for item in one.sid_lists]
    found = client.dump("sr_policies_with_sl_index_dump")
    assert [item["sl_index"] for one in found for item in one["sid_lists"]] == wanted
    (row,) = client.dump("sr_steering_pol_dump")
    assert (row["prefix"], row["bsid"], row["fib_table"]) == ("10.9.0.0/16", "cafe:1::1", 10)
    routes = client.dump("ip_route_dump", table={"table_id": 10, "is_ip6": False})
    assert {item["route"]["prefix"] for item in routes} == {
        str(item.route.prefix) for item in papi.ip_route_dump(table={"table_id": 10, "is_ip6": False})
    }
    gone = Operation(sid.message, {**sid.arguments, "is_del": True})
    away = [
        steer("10.9.0.0/16", "cafe:1::1", 10, is_del=True),
        no_policy("cafe:1::1"),
        no_policy("cafe:1::2"),
    ]
    assert [reply.retval for reply in client.send([*away, gone, table(10, is_add=False)])] == [0] * 5


def test_each_answer_is_that_of_its_request_however_many_are_under_way(client: Client) -> None:
    twice = [policy(f"cafe:2::{number // 2:x}", "fcbb::1") for number in range(2, 6002)]
    assert [reply.retval for reply in client.send(twice)] == [0, -12] * 3000
    gone = [no_policy(f"cafe:2::{number // 2:x}") for number in range(2, 6002)]
    assert [reply.retval for reply in client.send(gone)] == [0, -1] * 3000


def test_answers_that_say_more(client: Client) -> None:
    reply, again = client.send(
        [Operation("create_loopback_instance", {"is_specified": True, "user_instance": 5})] * 2
    )
    assert (reply.retval, again.retval) == (0, -31)
    (row,) = [
        row for row in client.dump("sw_interface_dump", sw_if_index=NONE) if row["interface_name"] == "loop5"
    ]
    assert row["sw_if_index"] == reply.fields["sw_if_index"]
    client.send([Operation("delete_loopback", {"sw_if_index": row["sw_if_index"]})])


def test_the_command_line(client: Client) -> None:
    assert "addr = ::" in client.cli("show sr encaps source addr")
    with pytest.raises(PermanentError, match="no to `show nothing at all`"):
        client.cli("show nothing at all")


def test_a_vpp_that_dies_with_thousands_of_requests_under_way_is_known_to_be_gone(tmp_path: Path) -> None:
    with started(tmp_path, dies=True) as path:
        client = Client(str(path), timeout=LIMIT)
        client.connect()
        pid = int(client.instance.partition("-")[0])
        killer = threading.Timer(0.5, os.kill, (pid, signal.SIGKILL))
        killer.start()
        with pytest.raises(TransientError, match="is gone"):
            client.send(
                policy(f"cafe:{number >> 16:x}:1::{number & 0xFFFF:x}", "fcbb::1") for number in count()
            )
        killer.join()
        with pytest.raises(TransientError):
            client.connect()
    old = client.instance
    (tmp_path / "api.sock").unlink(missing_ok=True)
    with started(tmp_path) as path:
        client.connect()
        assert client.instance != old
        assert client.dump("sr_policies_v2_dump") == []
        again, first = Client(str(path)), client.instance
        again.connect()
        assert again.instance == first
        again.close()
        client.close()


def test_a_vpp_that_stands_still_is_not_waited_for(tmp_path: Path) -> None:
    with started(tmp_path) as path:
        client = Client(str(path), timeout=LIMIT)
        client.connect()
        assert client._session is not None  # noqa: SLF001 -- to connect, it may need longer on a busy machine
        client._session.wire._timeout = 0.5  # noqa: SLF001 -- as above
        pid = int(client.instance.partition("-")[0])
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(TransientError, match=r"did not answer within 0\.5 seconds"):
                client.send([table(10)])
            with pytest.raises(TransientError, match="not connected"):
                client.send([table(10)])
        finally:
            os.kill(pid, signal.SIGCONT)
        client.connect()
        assert client.send([table(10)]) == [(0, {})]
        client.close()
