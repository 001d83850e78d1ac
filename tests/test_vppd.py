"""The stand-in VPP by itself: vpp-papi takes it for one, it answers as was written down, it breaks as told.

That a real VPP answers so too is tested in tests/real/.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vppd.peer import Died, Peer
from tests.vppd.requests import (
    DROP,
    END,
    Request,
    change,
    localsid,
    no_policy,
    policy,
    route,
    sids,
    steer,
    table,
)
from tests.vppd.sequences import CRASHES, GOLDEN, SEQUENCES
from tests.vppd.server import StandIn

ONE, TWO = "cafe:1::1", "cafe:1::2"
ADD, DELETE = 1, 2
A, B = sids("fcbb:1::1"), sids("fcbb:2::1")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StandIn]:
    with StandIn(tmp_path / "api.sock") as made:
        yield made


@pytest.fixture
def peer(server: StandIn) -> Iterator[Peer]:
    with Peer(server.path) as made:
        yield made


@pytest.mark.parametrize("name", SEQUENCES)
def test_requests_answer_as_vpp_does(peer: Peer, name: str) -> None:
    found = [peer.retval(request.name, **request.fields) for request in SEQUENCES[name]]
    assert found == json.loads(GOLDEN.read_text(encoding="utf-8"))[name]


@pytest.mark.parametrize("name", CRASHES)
def test_it_dies_as_vpp_does(server: StandIn, peer: Peer, name: str) -> None:
    *before, last = CRASHES[name]
    for request in before:
        assert peer.retval(request.name, **request.fields) == 0
    with pytest.raises(Died):
        (peer.rows if last.name.endswith("_dump") else peer.ask)(last.name, **last.fields)
    assert (server.alive, server.deaths) == (False, [last.name])
    with pytest.raises(ConnectionRefusedError):
        Peer(server.path)


def test_it_dies_of_a_source_that_it_does_not_have(server: StandIn, peer: Peer) -> None:
    """Let it be so always: a real VPP reads what lies there, and may live."""
    with pytest.raises(Died):
        asked(peer, route("10.7.0.0/16", DROP, src=23))
    assert server.deaths == ["ip_route_add_del_v2"]


@pytest.mark.filterwarnings("ignore:open_text is deprecated:DeprecationWarning")  # inside vpp-papi
def test_vpp_papi_takes_it_for_a_vpp(server: StandIn) -> None:
    from vpp_papi import VPPApiClient  # noqa: PLC0415 -- slow, and for this test alone

    client = VPPApiClient(server_address=str(server.path), bootstrapapi=True, read_timeout=60)
    client.connect("test")
    assert client.api.control_ping().vpe_pid == server.state.pid
    said = {"num_sids": 1, "weight": 3, "sids": ["fcbb::1"] + ["::"] * 15}
    more = {"weight": 0, "is_encap": True, "fib_table": 0, "encap_src": "fd11::1"}
    assert client.api.sr_policy_add_v2(bsid_addr=ONE, sids=said, **more).retval == 0
    (row,) = client.api.sr_policies_v2_dump()
    assert (str(row.bsid), row.sid_lists[0].weight, str(row.encap_src)) == (ONE, 3, "fd11::1")
    assert "hop-limit = 64" in client.api.cli_inband(cmd="show sr encaps hop-limit").reply
    assert client.api.cli_inband(cmd="make coffee").retval == -1
    client.disconnect()


def test_a_message_that_it_lacks_is_in_neither_table(tmp_path: Path) -> None:
    with StandIn(tmp_path / "api.sock", frozenset({"fib_source_add"})) as server, Peer(server.path) as peer:
        assert peer.missing == ["fib_source_add"]
        assert "fib_source_add" not in {
            row[0] for row in json.loads(peer.ask("get_api_json")["json"])[0]["messages"]
        }


def asked(peer: Peer, *requests: Request) -> list[int]:
    """Send requests, and return how they went."""
    return [peer.retval(request.name, **request.fields) for request in requests]


def test_after_a_restart_it_is_another_process_with_nothing_in_it(server: StandIn, peer: Peer) -> None:
    asked(peer, policy(ONE, A))
    before = peer.ask("control_ping")["vpe_pid"]
    server.restart()
    with pytest.raises(Died):
        peer.ask("control_ping")
    with Peer(server.path) as again:
        assert again.ask("control_ping")["vpe_pid"] != before
        assert again.rows("sr_policies_v2_dump") == []


def test_it_breaks_as_it_is_told(server: StandIn, peer: Peer) -> None:
    server.refusals["sr_policy_add_v2"] = [-77]
    assert asked(peer, policy(ONE, A), policy(ONE, A)) == [-77, 0]
    server.delay = 0.05
    start = time.monotonic()
    assert asked(peer, no_policy(ONE)) == [0]
    assert time.monotonic() - start >= 0.05
    server.delay = 0.0
    server.hang_up_after = 1
    assert asked(peer, policy(ONE, A)) == [0]
    with pytest.raises(Died):
        asked(peer, policy(TWO, A))
    with Peer(server.path) as again:
        assert len(again.rows("sr_policies_v2_dump")) == 2, "what was cut off was the answer, not the deed"
        server.end_after = 1
        assert asked(again, no_policy(ONE)) == [0]
        with pytest.raises(Died):
            asked(again, no_policy(TWO))
    assert not server.alive
    assert server.deaths == []


def test_deaf_it_answers_nobody(server: StandIn, peer: Peer) -> None:
    server.deaf = True
    peer.patience(0.2)
    with pytest.raises(TimeoutError):
        peer.ask("control_ping")
    server.deaf = False
    with Peer(server.path) as again:
        assert again.ask("control_ping")["retval"] == 0


@pytest.mark.parametrize(
    ("requests", "damage"),
    [
        ([table(7), localsid("fcdd::4", 7), table(7, add=False)], "a SID looks up in a table that went"),
        ([table(7), route("10.7.0.0/16", DROP, table=7), table(7, add=False)], "routes of a table wait"),
        ([policy(ONE, A), steer("10.6.0.0/24", ONE), no_policy(ONE)], "steering is left without its policy"),
        ([policy(ONE, A), steer("10.6.0.9/24", ONE)], "a prefix with host bits is steered"),
        ([policy(ONE, A), route("10.6.0.0/24", DROP), steer("10.6.0.0/24", ONE)], "half of it is dropped"),
        ([policy(ONE, A), steer("0.0.0.0/0", ONE)], "half of it is dropped"),
        (
            [
                table(7, v6=True),
                localsid("fcdd::e", behavior=END),
                localsid("fcdd::e", behavior=END, fib=7, add=False),
            ],
            "a SID is forgotten, and stays",
        ),
        (
            [policy(ONE, A), policy(TWO, A), change(ONE, ADD, B), change(ONE, DELETE, B, 1)],
            "a list of some policy",
        ),
    ],
)
def test_it_tells_what_vpp_does_not(
    server: StandIn, peer: Peer, requests: list[Request], damage: str
) -> None:
    assert server.state.damage == []
    asked(peer, *requests)
    (found,) = server.state.damage
    assert damage in found


def test_damage_beside_what_is_right_is_none(server: StandIn, peer: Peer) -> None:
    here = [table(7), policy(ONE, A), steer("10.6.0.0/24", ONE, table=7), localsid("fcdd::4", 7)]
    gone = [
        localsid("fcdd::4", 7, add=False),
        steer("10.6.0.0/24", table=7, add=False),
        no_policy(ONE),
        table(7, add=False),
    ]
    assert set(asked(peer, *here, *gone)) == {0}
    assert server.state.damage == []
