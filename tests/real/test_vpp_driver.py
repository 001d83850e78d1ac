"""The driver and a real VPP: what is applied is observed as it was rendered, and nothing else is touched.

Runs where a `vpp` binary is found (see tests/vpps.py); the driver contract runs against it in tests/contract.
"""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.apply import Result, apply
from reconciler.drivers.vpp.driver import Vpp
from reconciler.drivers.vpp.writing import PRIORITY
from reconciler.plan import Plan, plan
from reconciler.retry import Retry
from renderers import RULES
from renderers.resource import Key, Resource
from renderers.vpp_messages import Operation
from tests.real.test_vpp import node as rendered
from tests.vpp_rig import (
    GROUND,
    READS,
    Watched,
    a_policy,
    a_route,
    a_sid,
    a_table,
    an_interface,
    cabled,
    steered,
    the_source,
)
from tests.vpps import MARKS, ask, started

pytestmark = MARKS

SCOPE = "node/edge/w1"


def node(*changes: tuple[str, str]) -> list[Resource]:
    """Return the objects of VPP that a changed intent makes of the node."""
    return [one for one in rendered(*changes) if one.key.family == "vpp" and not one.view]


@pytest.fixture
def driver(vpp: Any, tmp_path: Path) -> Iterator[Vpp]:
    del vpp
    found = Vpp("w1", SCOPE, str(tmp_path / "api.sock"))
    yield found
    found.close()


def planned(driver: Vpp, wanted: Iterable[Resource]) -> Plan:
    return plan({"w1": list(wanted)}, {"w1": driver.observe()}, RULES)


def brought(driver: Vpp, wanted: Sequence[Resource]) -> Result:
    """Apply what is wanted; afterwards nothing is left to do."""
    result = apply(planned(driver, wanted), {"w1": driver})
    assert result.failed == ()
    assert planned(driver, wanted).actions == ()
    return result


def foreign(client: Any) -> str:
    """Return everything that somebody else has put there, as VPP shows it."""
    commands = ("show ip6 fib table 77", "show ip fib table 77", "show int addr", "show ip6 fib fc99::/48")
    return "\n".join(ask(client, command) for command in commands)


def test_a_node_comes_up_changes_and_goes_and_others_stay(vpp: Any, driver: Vpp) -> None:
    for command in (
        "ip6 table add 77 name theirs",
        "ip table add 77 name theirs",
        "ip route add fc99::/48 via drop",
        "sr localsid address fc99:1::1 behavior end",
        "sr policy add bsid beef::1 next fc99:1::9 encap",
        "sr steer l3 10.77.0.0/16 via bsid beef::1 fib-table 77",
    ):
        ask(vpp, command)
    before = foreign(vpp)
    assert driver.observe().resources == {}
    brought(driver, node())
    changed = node(("weight: 3", "weight: 5"), ('ipv6: "fd11::{n}"', 'ipv6: "fd11::1{n}"'))
    assert {one.operation for one in planned(driver, changed).actions} == {"update"}
    brought(driver, changed)
    brought(driver, node(("blue", "cyan")))
    brought(driver, [])
    assert driver.observe().resources == {}
    assert foreign(vpp) == before
    assert [str(row.bsid) for row in vpp.api.sr_policies_v2_dump()] == ["beef::1"]
    assert [str(row.addr) for row in vpp.api.sr_localsids_dump()] == ["fc99:1::1"]
    assert [row.fib_table for row in vpp.api.sr_steering_pol_dump()] == [77]


def test_our_routes_are_told_from_others_by_their_source(vpp: Any, driver: Vpp) -> None:
    brought(driver, node())
    sources = [row.src for row in vpp.api.fib_source_dump() if row.src.name == "intentc"]
    assert [source.priority for source in sources] == [PRIORITY], "VPP adds a source again with each request"
    ask(vpp, "ip route add fc77::/48 via drop")
    drop = Resource(
        Key("vpp", SCOPE, "route", "0 fc77::/48"), {"table": 0, "prefix": "fc77::/48", "drop": True}
    )
    (failed,) = apply(planned(driver, [*node(), drop]), {"w1": driver}).failed
    assert "not ours: it is of CLI" in failed.message


def test_steering_is_not_laid_over_a_route(vpp: Any, driver: Vpp) -> None:
    brought(driver, node())
    (one, *_) = [item for item in node() if item.key.type == "steering"]
    number, prefix = one.spec["table"], "10.99.0.0/24"
    ask(vpp, f"ip route add {prefix} table {number} via drop")
    more = Resource(Key("vpp", SCOPE, "steering", f"{number} {prefix}"), {**one.spec, "prefix": prefix})
    (failed,) = apply(planned(driver, [*node(), more]), {"w1": driver}).failed
    assert "already routed, by CLI" in failed.message


def test_what_drifts_is_seen_and_mended(vpp: Any, driver: Vpp) -> None:
    wanted = node()
    brought(driver, wanted)
    policy, steering, sid = (
        next(item.spec for item in wanted if item.key.type == kind and item.spec.get("family") != "ipv4")
        for kind in ("policy", "steering", "localsid")
    )
    place = f"via bsid {steering['bsid']} fib-table {steering['table']}"
    ask(vpp, f"sr policy mod bsid {policy['bsid']} add sl next fcbb:0:9::1 next fcdd:1::9")
    ask(vpp, f"sr steer del l3 {steering['prefix']} {place}")
    vpp.api.sr_localsid_add_del(is_del=True, localsid=sid["sid"], behavior=9, fib_table=0)
    ask(vpp, "set sr encaps hop-limit 9")
    found = {action.key.type: action.operation for action in planned(driver, wanted).actions}
    assert found == {"policy": "update", "steering": "create", "localsid": "create", "encap": "update"}
    brought(driver, wanted)


def test_policies_with_an_old_source_are_renewed(vpp: Any, driver: Vpp) -> None:
    wanted = node()
    brought(driver, wanted)
    # As when an apply was broken off right after the new source was set.
    ask(vpp, "set sr encaps source addr fd11::77")
    moved = node(('ipv6: "fd11::{n}"', 'ipv6: "fd11::7{n}"'))
    brought(driver, wanted)
    brought(driver, moved)
    source = next(item.spec["address"] for item in moved if item.key.type == "encap")
    assert {str(row.encap_src) for row in vpp.api.sr_policies_v2_dump()} == {source}


def test_a_policy_of_another_sort_keeps_its_steering(vpp: Any, driver: Vpp) -> None:
    wanted = node()
    brought(driver, wanted)
    steered = next(item.spec["bsid"] for item in wanted if item.key.type == "steering")
    other = [
        Resource(item.key, {**item.spec, "type": "spray"}) if item.key.name == steered else item
        for item in wanted
    ]
    (action,) = planned(driver, other).actions
    assert action.operation == "replace"
    brought(driver, other)
    assert steered in {str(row.bsid) for row in vpp.api.sr_steering_pol_dump()}


def linked(host: str) -> list[Resource]:
    """Return a table with two routes over one interface of the host, to the same next hop."""
    name = f"host-{host}"
    address = Resource(
        Key("vpp", SCOPE, "address", f"{name} 10.1.0.1/24"), {"interface": name, "prefix": "10.1.0.1/24"}
    )
    ways = [a_route(7, f"10.{at}.0.0/16", next_hop="10.1.0.2", interface=name) for at in (8, 9)]
    return [item_of_this_node(one) for one in (a_table(7, "ipv4"), an_interface(host, ipv4=7), *ways)] + [
        address
    ]


def item_of_this_node(resource: Resource) -> Resource:
    return replace(resource, key=resource.key._replace(scope=SCOPE))


@pytest.mark.parametrize("made_by_others", [False, True])
def test_routes_come_back_with_their_interface(vpp: Any, driver: Vpp, made_by_others: bool) -> None:  # noqa: FBT001 -- a parameter
    """VPP shows a route as it was when its interface is made anew with the same index, and drops on it.

    An apply that broke off right after VPP took the interface leaves what others leave who made it.
    """
    host = f"ic{uuid.uuid4().hex[:8]}"
    with cabled(host, f"{host}p"):
        wanted = linked(host)
        brought(driver, wanted)
        ask(vpp, f"delete host-interface name {host}")
        assert "unresolved" in ask(vpp, "show ip fib table 7 10.8.0.0/16")
        if made_by_others:
            ask(vpp, f"create host-interface name {host}")
        apply(planned(driver, wanted), {"w1": driver})
        brought(driver, wanted)
        for prefix in ("10.8.0.0/16", "10.9.0.0/16"):
            assert "oper-flags:resolved" in ask(vpp, f"show ip fib table 7 {prefix}")
        brought(driver, [])


class Killing(Watched):
    """A driver whose VPP is killed right before a message is sent."""

    left = 0

    def leaving(self, operation: Operation) -> Operation:
        self.left -= operation.message not in READS
        if not self.left:
            os.kill(int(self.instance.partition("-")[0]), signal.SIGKILL)
        return operation


@pytest.mark.parametrize("messages", [1, 3, 14, 300, 700, 800])
def test_a_vpp_that_is_killed_during_an_apply_gets_everything_anew(tmp_path: Path, messages: int) -> None:
    many = [a_policy(f"cafe:1::1{at:03x}", (1, ["fcbb:1::1"])) for at in range(400)]
    many += [steered(7, f"10.{at >> 8}.{at & 255}.0/24", f"cafe:1::1{at:03x}") for at in range(400)]
    ground = (*GROUND, the_source("fd11::1"), a_sid("fcdd::4", 7), a_route(7, "10.77.0.0/16", lookup=8))
    wanted = [item_of_this_node(one) for one in (*ground, *many)]
    driver = Killing("w1", SCOPE, str(tmp_path / "api.sock"))
    with ExitStack() as lives:
        lives.enter_context(started(tmp_path, dies=True))
        lives.callback(driver.close)
        again: list[Path] = []

        def restarted(_: float) -> None:
            if not again:
                again.append(lives.enter_context(started(tmp_path)))
            time.sleep(0.1)

        todo = planned(driver, wanted)
        driver.left, first = messages, driver.instance
        apply(todo, {"w1": driver}, retry=Retry(attempts=50, sleep=restarted))
        assert again
        brought(driver, wanted)
        assert driver.instance != first
        driver.close()
