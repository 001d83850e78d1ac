"""What others do to a VPP between two looks at it, or between a look and a message: it is seen, and mended.

On the stand-in always, and on a real VPP where there is one.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.apply import Result, apply
from reconciler.drivers.base import PermanentError, TransientError
from reconciler.drivers.vpp.driver import Vpp
from reconciler.plan import Action, Plan, plan
from reconciler.retry import Retry
from renderers import RULES
from renderers.resource import Resource
from renderers.rules import Impact
from tests.vpp_rig import GROUND, SCOPE, a_route, an_interface, cabled, steered, vpp
from tests.vppd.peer import Peer
from tests.vppd.requests import (
    DROP,
    Request,
    Via,
    into_table,
    lookup,
    loopback,
    no_policy,
    on_interface,
    policy,
    route,
    sids,
    state,
    steer,
)
from tests.vppd.server import StandIn
from tests.vpps import MARKS, started

HOP = "fd11::ffff"
STANDINS: dict[Path, StandIn] = {}
"""Those that run, by their socket."""


@contextmanager
def standin(folder: Path) -> Iterator[Path]:
    """Run a stand-in; what others harm here is no fault of the driver's."""
    with StandIn(folder / "api.sock") as server:
        STANDINS[server.path] = server
        yield server.path
        del STANDINS[server.path]
        assert server.deaths == []


@pytest.fixture(params=[standin, pytest.param(started, marks=MARKS)])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    with request.param(tmp_path) as socket:
        yield socket


@pytest.fixture
def others(path: Path) -> Iterator[Peer]:
    with Peer(path) as peer:
        yield peer


@pytest.fixture
def driver(path: Path) -> Iterator[Vpp]:
    found = Vpp("w1", SCOPE, str(path))
    yield found
    found.close()


def asked(others: Peer, *requests: Request) -> None:
    """Have others ask VPP for something, which it does."""
    assert [others.retval(one.name, **one.fields) for one in requests] == [0] * len(requests)


def uplink(others: Peer) -> int:
    """Make an interface that is not ours, with an address."""
    made = loopback()
    index: int = others.ask(made.name, **made.fields)["sw_if_index"]
    asked(others, state(index), on_interface(index, "fd11::1/64"))
    return index


def no_loopback(index: int) -> Request:
    return Request("delete_loopback", {"sw_if_index": index})


def planned(driver: Vpp, wanted: Sequence[Resource]) -> Plan:
    return plan({"w1": list(wanted)}, {"w1": driver.observe()}, RULES)


def once(driver: Vpp, wanted: Sequence[Resource]) -> Result:
    return apply(planned(driver, wanted), {"w1": driver}, retry=Retry(attempts=3, sleep=lambda _: None))


def brought(driver: Vpp, wanted: Sequence[Resource]) -> None:
    """Apply once; then nothing is left to do."""
    assert [outcome.message for outcome in once(driver, wanted).failed] == []
    assert planned(driver, wanted).actions == ()


def over(*prefixes: str, interface: str = "loop0") -> list[Resource]:
    return [a_route(0, one, next_hop=HOP, interface=interface) for one in prefixes]


def drops(others: Peer, prefix: str) -> bool:
    """Say whether VPP drops what a route of IPv6 gets, since the interface of its path was deleted."""
    said = others.ask("cli_inband", cmd=f"show ip6 fib table 0 {prefix}")["reply"]
    return "oper-flags:drop" in said.partition("forwarding")[0]


@pytest.mark.parametrize("beside", [False, True])
def test_routes_over_an_uplink_that_others_made_again_carry_packets_again(
    others: Peer,
    driver: Vpp,
    beside: bool,  # noqa: FBT001 -- a parameter
) -> None:
    """VPP shows them as they were, and takes adding them again for nothing new.

    A route of others to the same next hop keeps the dead list of paths, which ours must not take again.
    """
    uplink(others)
    wanted = over("fcb0::/32", "fcb1::/32")
    brought(driver, wanted)
    for _ in range(3):
        if beside:
            asked(others, route("fc99::/32", Via(1, HOP)))
        asked(others, no_loopback(1))
        assert uplink(others) == 1
        assert drops(others, "fcb0::/32")
        brought(driver, wanted)
        assert not drops(others, "fcb0::/32")
        assert not drops(others, "fcb1::/32")
    brought(driver, [])


def test_routes_over_an_uplink_that_is_down_are_left_alone(others: Peer, driver: Vpp) -> None:
    uplink(others)
    wanted = over("fcb0::/32")
    brought(driver, wanted)
    asked(others, state(1, up=False))
    assert planned(driver, wanted).actions == ()


def test_a_route_is_made_over_an_uplink_on_which_those_of_others_are_dead(others: Peer, driver: Vpp) -> None:
    uplink(others)
    asked(others, route("fc99::/32", Via(1, HOP)), no_loopback(1))
    uplink(others)
    wanted = over("fcb0::/32")
    once(driver, wanted)
    brought(driver, wanted)
    assert not drops(others, "fcb0::/32")


def test_an_uplink_under_another_index_gets_the_routes(others: Peer, driver: Vpp) -> None:
    uplink(others)
    wanted = over("fcb0::/32")
    brought(driver, wanted)
    asked(others, no_loopback(1))
    asked(others, Request("create_loopback_instance", {"is_specified": True, "user_instance": 7}))
    assert uplink(others) == 2
    brought(driver, wanted)
    assert not drops(others, "fcb0::/32")
    found = others.ask(*lookup("fcb0::/32")[:1], **lookup("fcb0::/32").fields)["route"]
    assert [one["sw_if_index"] for one in found["paths"]] == [2]


def test_nothing_goes_to_an_interface_that_has_taken_the_index_of_another(others: Peer, driver: Vpp) -> None:
    """Between the look and the message: what is meant for the one would end up on the other."""
    uplink(others)
    brought(driver, GROUND)
    wanted = [*GROUND, *over("fcb0::/32")]
    batch = driver.stage(planned(driver, wanted).actions)
    asked(others, no_loopback(1))
    asked(others, Request("create_loopback_instance", {"is_specified": True, "user_instance": 7}))
    with pytest.raises(TransientError, match="interface loop0"):
        driver.commit(batch)
    assert dict(driver.observe().resources) == {one.key: one for one in GROUND}
    (failed,) = once(driver, wanted).failed
    assert "there is no interface loop0" in failed.message


def test_an_interface_that_others_marked_meanwhile_is_theirs(others: Peer, driver: Vpp) -> None:
    uplink(others)
    tag = {"sw_if_index": 1, "is_add": True}
    asked(others, Request("sw_interface_tag_add_del", {**tag, "tag": "intentc/loop0"}))
    address = vpp("address", "loop0 10.1.0.1/24", {"interface": "loop0", "prefix": "10.1.0.1/24"})
    todo = [Action("w1", "create", 0, None, address, "", Impact("hitless", ""))]
    batch = driver.stage(todo)
    asked(others, Request("sw_interface_tag_add_del", {**tag, "tag": "theirs"}))
    with pytest.raises(TransientError, match="interface loop0"):
        driver.commit(batch)
    with pytest.raises(PermanentError, match="interface loop0 is not ours"):
        driver.stage(todo)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_an_interface_that_lost_its_mark_becomes_ours_again_at_once(
    path: Path,
    others: Peer,
    driver: Vpp,
    elsewhere: bool,  # noqa: FBT001 -- a parameter
) -> None:
    """It has its addresses still, or others, with which VPP puts it into no table."""
    host = f"ic{uuid.uuid4().hex[:8]}"
    with hosted(path, host):
        name = f"host-{host}"
        address = vpp("address", f"{name} 10.1.0.1/24", {"interface": name, "prefix": "10.1.0.1/24"})
        wanted = [*GROUND, an_interface(host, ipv4=7), address]
        brought(driver, wanted)
        asked(others, Request("sw_interface_tag_add_del", {"sw_if_index": 1, "is_add": False}))
        if elsewhere:
            asked(
                others,
                on_interface(1, "10.1.0.1/24", add=False),
                into_table(1, 0),
                on_interface(1, "10.9.0.1/24"),
            )
        assert not once(driver, wanted).failed
        brought(driver, wanted)
        brought(driver, [])


@contextmanager
def hosted(path: Path, host: str) -> Iterator[None]:
    """Have an interface of the host for VPP to take."""
    if path in STANDINS:
        STANDINS[path].hosts[host] = 1500
        yield
    else:
        with cabled(host, f"{host}p"):
            yield


STEERED = [steered(7, "10.6.0.0/24", "cafe:1::1"), steered(7, "fd06::/64", "cafe:1::1")]
ELSEWHERE = [steered(7, "10.6.0.0/24", "cafe:1::2"), steered(7, "fd06::/64", "cafe:1::2")]
ROUTES = [route("10.6.0.0/24", DROP, table=7), route("fd06::/64", DROP, table=7)]
NO_ROUTES = [route("10.6.0.0/24", table=7, add=False), route("fd06::/64", table=7, add=False)]


def paths(others: Peer) -> list[int]:
    """Return over how many paths VPP spreads what is steered."""
    found = [lookup("10.6.0.0/24", 7), lookup("fd06::/64", 7)]
    return [others.ask(one.name, **one.fields)["route"]["n_paths"] for one in found]


def test_steering_is_not_moved_over_routes_of_others_that_it_hides(others: Peer, driver: Vpp) -> None:
    """They are harmless until then; VPP would lay a drop beside the new path, and lose every other packet."""
    brought(driver, [*GROUND, *STEERED])
    asked(others, *ROUTES)
    failed = once(driver, [*GROUND, *ELSEWHERE]).failed
    assert ["already routed, by API" in one.message for one in failed] == [True, True]
    assert paths(others) == [1, 1]
    asked(others, *NO_ROUTES)
    brought(driver, [*GROUND, *ELSEWHERE])
    assert paths(others) == [1, 1]


def test_a_policy_of_another_sort_waits_for_routes_of_others_that_its_steering_hides(
    others: Peer, driver: Vpp
) -> None:
    brought(driver, [*GROUND, *STEERED])
    asked(others, *ROUTES)
    first = next(one for one in GROUND if one.key.name == "cafe:1::1")
    other = {**first.spec, "type": "spray"}
    changed = [Resource(first.key, other) if one is first else one for one in (*GROUND, *STEERED)]
    (failed,) = once(driver, changed).failed
    assert "already routed, by API" in failed.message
    assert paths(others) == [1, 1]
    asked(others, *NO_ROUTES)
    brought(driver, changed)


def test_steering_that_was_laid_over_routes_meanwhile_is_seen_and_mended(others: Peer, driver: Vpp) -> None:
    brought(driver, GROUND)
    batch = driver.stage(planned(driver, [*GROUND, *STEERED]).actions)
    asked(others, *ROUTES)
    driver.commit(batch)
    assert paths(others) == [2, 2], "every other packet is lost"
    failed = once(driver, [*GROUND, *STEERED]).failed
    assert ["already routed, by API" in one.message for one in failed] == [True, True]
    asked(others, *NO_ROUTES)
    assert paths(others) == [2, 2], "VPP does not mend it by itself"
    brought(driver, [*GROUND, *STEERED])
    assert paths(others) == [1, 1]


def test_steering_that_shows_and_leads_nowhere_is_seen_and_mended(others: Peer, driver: Vpp) -> None:
    """For VPP, prefixes with host bits are others, and their one route goes with either."""
    brought(driver, [*GROUND, *STEERED])
    asked(others, steer("10.6.0.7/24", "cafe:1::2", table=7), steer("10.6.0.7/24", table=7, add=False))
    brought(driver, [*GROUND, *STEERED])
    assert paths(others) == [1, 1]


def test_policies_that_others_took_away_come_back(others: Peer, driver: Vpp) -> None:
    """They may come back in each other's places, by which VPP says what is steered where."""
    wanted: list[Any] = [*GROUND, STEERED[0], ELSEWHERE[1]]
    brought(driver, wanted)
    asked(others, no_policy("cafe:1::1"), no_policy("cafe:1::2"))
    once(driver, wanted)
    brought(driver, wanted)
    assert paths(others) == [1, 1]
    asked(others, no_policy("cafe:1::2"), policy("beef::1", sids("fc99::1")))
    once(driver, wanted)
    brought(driver, wanted)
    assert paths(others) == [1, 1]


def test_a_prefix_that_was_on_an_interface_of_ours_is_steered_at_once(
    path: Path, others: Peer, driver: Vpp
) -> None:
    """As the prefix of a network whose pods move to another node does, and back."""
    host = f"ic{uuid.uuid4().hex[:8]}"
    with hosted(path, host):
        name = f"host-{host}"
        interface = an_interface(host, ipv4=7, ipv6=7)
        spec = {"interface": name}
        here = [
            vpp("address", f"{name} {one}", {**spec, "prefix": one}) for one in ("10.6.0.1/24", "fd06::1/64")
        ]
        here = [replace(one, needs=(interface.key,)) for one in here]
        for gone in ([interface], []):
            brought(driver, [*GROUND, interface, *here])
            assert paths(others) == [1, 1]
            brought(driver, [*GROUND, *gone, *STEERED])
            assert paths(others) == [1, 1]
        brought(driver, [])


def test_what_covers_a_steered_prefix_does_not_keep_it_from_coming_back(others: Peer, driver: Vpp) -> None:
    """VPP shows a route that covers a prefix where it has none for the prefix itself."""
    brought(driver, [*GROUND, *STEERED])
    asked(others, route("10.0.0.0/8", DROP, table=7), route("fd00::/8", DROP, table=7))
    for prefix in ("10.6.0.7/24", "fd06::7/64"):
        asked(others, steer(prefix, "cafe:1::2", table=7), steer(prefix, table=7, add=False))
    brought(driver, [*GROUND, *STEERED])
    assert paths(others) == [1, 1]


def test_an_interface_that_changes_tables_brings_its_prefixes_where_they_were_steered(
    path: Path, driver: Vpp
) -> None:
    """What is steered is hidden by then, and goes all the same; and is steered where they were."""
    host = f"ic{uuid.uuid4().hex[:8]}"
    with hosted(path, host):
        name = f"host-{host}"
        here = [
            vpp("address", f"{name} {one}", {"interface": name, "prefix": one})
            for one in ("10.6.0.1/24", "fd06::1/64")
        ]
        brought(driver, [*GROUND, an_interface(host, ipv4=7, ipv6=7), *here])
        brought(driver, [*GROUND, an_interface(host, ipv4=8, ipv6=8), *here, *STEERED])
        brought(driver, [*GROUND, an_interface(host, ipv4=7, ipv6=7), *here])


def test_an_address_that_others_gave_an_interface_of_ours_hides_no_steering(
    path: Path, others: Peer, driver: Vpp
) -> None:
    host = f"ic{uuid.uuid4().hex[:8]}"
    with hosted(path, host):
        wanted = [*GROUND, an_interface(host, ipv4=7, ipv6=7), *STEERED]
        brought(driver, wanted)
        asked(others, on_interface(1, "10.6.0.1/24"), on_interface(1, "fd06::1/64"))
        brought(driver, wanted)
        assert paths(others) == [1, 1]


def test_a_policy_made_anew_and_steering_that_leads_elsewhere_are_mended_at_once(
    others: Peer, driver: Vpp
) -> None:
    """The one leads what is steered aright, before the other moves it."""
    brought(driver, [*GROUND, *STEERED])
    for prefix in ("10.6.0.7/24", "fd06::7/64"):
        asked(others, steer(prefix, "cafe:1::2", table=7), steer(prefix, table=7, add=False))
    first = next(one for one in GROUND if one.key.name == "cafe:1::1")
    other = replace(first, spec={**first.spec, "type": "spray"})
    brought(driver, [*(other if one is first else one for one in GROUND), *ELSEWHERE])
    assert paths(others) == [1, 1]


@pytest.mark.parametrize("prefix", ["224.0.0.0/4", "240.0.0.0/4", "fe80::/10"])
def test_what_vpp_always_routes_itself_is_not_steered(driver: Vpp, prefix: str) -> None:
    """VPP would take the steering and never use it."""
    (failed,) = once(driver, [*GROUND, steered(7, prefix, "cafe:1::1")]).failed
    assert "VPP itself routes it" in failed.message
