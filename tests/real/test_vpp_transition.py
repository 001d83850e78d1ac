"""What pods notice of a change: nothing, told by transitions; VPP itself makes and counts the packets."""

from __future__ import annotations

import re
from typing import Any

import pytest

from renderers.resource import Key, Resource
from renderers.vpp_messages import Site
from renderers.vpp_transition import Held, HeldList, Pair
from tests.agents import until
from tests.vpp_rig import transition
from tests.vpps import MARKS, ask

pytestmark = MARKS

ROUTER = "fd11:9::2"
ENOUGH = 1000
"""Packets that show a gap of a millisecond."""
TARGET = "10.64.2.0/24"
STREAM = (
    "packet-generator new { name pods limit 0 rate 20000 size 100-100 interface pg0 node ip4-input "
    "data { UDP: 10.64.1.1 -> 10.64.2.9 UDP: 1000 -> 2000 incrementing 60 } }"
)
TABLE = Resource(
    Key("vpp", "node/edge/w1", "table", "5 ipv4"), {"id": 5, "family": "ipv4", "name": "intentc/pods"}
)


def traffic(client: Any) -> None:
    """Let VPP make packets on pg0 for the target, and count on pg1 what leaves towards a router."""
    for command in (
        "create packet-generator interface pg0",
        "create packet-generator interface pg1",
        "set interface state pg0 up",
        "set interface state pg1 up",
        "set interface ip table pg0 5",
        "set interface ip address pg0 10.64.1.254/24",
        "set interface ip address pg1 fd11:9::1/64",
        f"set ip neighbor pg1 {ROUTER} 02:fe:00:00:00:02",
        f"ip route add fcbb::/16 via {ROUTER} pg1",
        f"ip route add fcdd::/16 via {ROUTER} pg1",
        STREAM,
    ):
        ask(client, command)


def an_object(kind: str, name: str, spec: dict[str, Any]) -> Resource:
    return Resource(Key("vpp", "node/edge/w1", kind, name), spec)


def a_policy(bsid: str, *lists: tuple[int, list[str]], sort: str = "default") -> Resource:
    rows = [{"weight": weight, "sids": sids} for weight, sids in lists]
    spec = {"bsid": bsid, "encap": True, "type": sort, "fib_table": 0, "lists": rows}
    return an_object("policy", bsid, spec)


def into(bsid: str) -> Resource:
    spec = {"table": 5, "family": "ipv4", "prefix": TARGET, "bsid": bsid}
    return an_object("steering", f"5 {TARGET}", spec)


def held(client: Any) -> Held:
    """Read what transitions must know of VPP."""
    lists = {
        str(row.bsid): tuple(
            HeldList(item.sl_index, item.weight, [str(sid) for sid in item.sids[: item.num_sids]])
            for item in row.sid_lists[: row.num_sid_lists]
        )
        for row in client.api.sr_policies_with_sl_index_dump()
    }
    steering: dict[str, list[dict[str, Any]]] = {}
    for row in client.api.sr_steering_pol_dump():
        family = "ipv4" if row.traffic_type == 4 else "ipv6"
        spec = {"table": row.fib_table, "family": family, "prefix": str(row.prefix), "bsid": str(row.bsid)}
        steering.setdefault(spec["bsid"], []).append(spec)
    return Held(lists, steering)


def change(client: Any, *pairs: Pair) -> list[int]:
    """Send a transition; return how many lists the poorest policy had after each of its messages."""
    counts = []
    interfaces = {row.interface_name: row.sw_if_index for row in client.api.sw_interface_dump()}
    for operation in transition(pairs, Site(interfaces), held(client)):
        reply = getattr(client.api, operation.message)(**operation.arguments)
        assert reply.retval == 0, (operation, reply)
        counts.append(min((row.num_sid_lists for row in client.api.sr_policies_v2_dump()), default=0))
    return counts


def shown(client: Any) -> dict[str, list[tuple[int, list[str]]]]:
    """Return the lists of each policy as VPP shows them, sorted: it keeps no order."""
    found = held(client).lists
    return {bsid: sorted((item.weight, list(item.sids)) for item in lists) for bsid, lists in found.items()}


def counted(client: Any) -> tuple[int, int]:
    """Return how many packets came in on pg0 so far, and how many of them VPP dropped."""
    found = dict(re.findall(r"(ip4|drops) +(\d+)", ask(client, "show interface pg0")))
    return int(found.get("ip4", 0)), int(found.get("drops", 0))


def lost(client: Any) -> int:
    """Let some more packets run, stop them, and return how many of all VPP dropped."""
    flowing(client)
    ask(client, "packet-generator disable-stream pods")
    return counted(client)[1]


def flowing(client: Any) -> None:
    """Wait until so many more packets were made that a loss shows."""
    before, _ = counted(client)
    until(lambda: counted(client)[0] > before + ENOUGH)


FIRST = "cafe:9::1"
SECOND = "cafe:9::2"
SPRAY = 1


@pytest.fixture
def steered(vpp: Any) -> Any:
    """Return a VPP whose packets run into a policy with one list."""
    source = an_object("encap", "source", {"address": "fd11:9::1", "hop_limit": 64})
    change(vpp, (None, TABLE), (None, source))
    traffic(vpp)
    change(vpp, (None, a_policy(FIRST, (1, ["fcbb:1::1", "fcdd::4"]))), (None, into(FIRST)))
    ask(vpp, "packet-generator enable-stream pods")
    flowing(vpp)
    return vpp


def test_lists_are_replaced_and_no_packet_is_lost(steered: Any) -> None:
    now = a_policy(FIRST, (1, ["fcbb:1::1", "fcdd::4"]))
    for turn in range(100):
        then = a_policy(
            FIRST, (1 + turn % 3, [f"fcbb:{turn + 1:x}::1", "fcdd::4"]), (2, ["fcbb:ffff::1", "fcdd::4"])
        )
        assert min(change(steered, (now, then))) >= 1
        assert shown(steered) == {FIRST: sorted((row["weight"], row["sids"]) for row in then.spec["lists"])}
        now = then
    assert lost(steered) == 0


def test_what_stands_as_wanted_is_not_touched(steered: Any) -> None:
    policy = a_policy(FIRST, (1, ["fcbb:1::1", "fcdd::4"]))
    assert change(steered, (policy, policy)) == []
    heavier = a_policy(FIRST, (7, ["fcbb:1::1", "fcdd::4"]))
    assert change(steered, (policy, heavier)) == [1]
    assert shown(steered) == {FIRST: [(7, ["fcbb:1::1", "fcdd::4"])]}


def test_steering_moves_to_another_policy_and_no_packet_is_lost(steered: Any) -> None:
    old, new = FIRST, SECOND
    for _ in range(100):
        going, coming = (a_policy(bsid, (1, ["fcbb:1::1", "fcdd::4"])) for bsid in (old, new))
        change(steered, (None, coming), (into(old), into(new)), (going, None))
        assert shown(steered).keys() == {new}
        old, new = new, old
    assert lost(steered) == 0


def test_a_new_source_reaches_policies_that_stand_and_no_packet_is_lost(steered: Any) -> None:
    before, after = (
        an_object("encap", "source", {"address": f"fd11:9::{at}", "hop_limit": 64}) for at in (1, 7)
    )
    change(steered, (before, after))
    (row,) = steered.api.sr_policies_v2_dump()
    assert str(row.encap_src) == "fd11:9::7"
    assert lost(steered) == 0


def test_a_route_takes_another_next_hop_and_no_packet_is_lost(steered: Any) -> None:
    ask(steered, "set ip neighbor pg1 fd11:9::3 02:fe:00:00:00:03")
    hops = [
        an_object(
            "route",
            "0 fcbb::/16",
            {"table": 0, "prefix": "fcbb::/16", "next_hop": f"fd11:9::{at}", "interface": "pg1"},
        )
        for at in (2, 3)
    ]
    for turn in range(100):
        change(steered, (hops[turn % 2], hops[1 - turn % 2]))
    assert lost(steered) == 0


def test_a_policy_of_another_sort_is_made_anew_and_its_steering_works_again(steered: Any) -> None:
    lists = (1, ["fcbb:1::1", "fcdd::4"])
    change(steered, (None, a_policy(SECOND, lists)))
    change(steered, (a_policy(FIRST, lists), a_policy(FIRST, lists, sort="spray")))
    sorts = {str(row.bsid): int(row.type) for row in steered.api.sr_policies_v2_dump()}
    assert sorts == {FIRST: SPRAY, SECOND: 0}
    assert held(steered).steering == {FIRST: [into(FIRST).spec]}
    _, once = counted(steered)
    assert lost(steered) == once, "packets are still dropped"


def test_packets_show_a_policy_that_is_gone(steered: Any) -> None:
    steered.api.sr_policy_del(bsid_addr=FIRST, sr_policy_index=0xFFFFFFFF)
    assert lost(steered) > ENOUGH / 10
