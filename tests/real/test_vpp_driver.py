"""The driver and a real VPP: what is applied is observed as it was rendered, and nothing else is touched.

Runs where a `vpp` binary is found (see tests/vpps.py); the driver contract runs against it in tests/contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from reconciler.apply import Result, apply
from reconciler.drivers.vpp.driver import PRIORITY, Vpp
from reconciler.plan import Plan, plan
from renderers import RULES
from renderers.resource import Key, Resource
from tests.real.test_vpp import node as rendered
from tests.vpps import MARKS, ask

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
