"""The driver on a stand-in VPP that breaks, and that tells of damage which VPP does without a word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.apply import apply
from reconciler.drivers.base import Outcome, PermanentError, TransientError
from reconciler.drivers.vpp.driver import Vpp
from reconciler.plan import Action, plan
from reconciler.retry import Retry
from renderers import RULES
from renderers.resource import Resource
from renderers.rules import Impact, Operation
from tests.agents import LIMIT
from tests.vpp_rig import (
    FIRST,
    GROUND,
    SCOPE,
    SECOND,
    a_policy,
    a_route,
    a_sid,
    a_table,
    an_interface,
    steered,
    the_source,
)
from tests.vppd.peer import Peer
from tests.vppd.requests import (
    END,
    Request,
    change,
    localsid,
    lookup,
    loopback,
    no_policy,
    policy,
    raw,
    route,
    sids,
    source,
    steer,
)
from tests.vppd.server import StandIn
from tests.vppd.sr import SidList

NOTHING = Impact("hitless", "")
ADD, DELETE = 1, 2
ONE, TWO = (1, ["fcbb:1::1"]), (1, ["fcbb:2::1"])
BOTH = a_policy("cafe:1::9", ONE, TWO)
LESS = a_policy("cafe:1::9", ONE)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StandIn]:
    with StandIn(tmp_path / "api.sock") as made:
        yield made
        assert (made.deaths, made.state.damage) == ([], [])


@pytest.fixture
def driver(server: StandIn) -> Iterator[Vpp]:
    made = Vpp("w1", SCOPE, str(server.path), LIMIT)
    yield made
    made.close()


def action(before: Resource | None, after: Resource | None) -> Action:
    operation: Operation = "create" if before is None else "delete" if after is None else "update"
    return Action("w1", operation, 0, before, after, "", NOTHING)


def make(driver: Vpp, *resources: Resource) -> Sequence[Outcome]:
    return driver.commit(driver.stage([action(None, one) for one in resources]))


def asked(server: StandIn, *requests: Request) -> list[int]:
    with Peer(server.path) as peer:
        return [peer.retval(request.name, **request.fields) for request in requests]


def test_ipv6_prefixes_that_vpp_shows_as_ipv4_are_read_as_they_are(driver: Vpp) -> None:
    """VPP guesses the family of what is steered: by its first 96 bits, ::/1 is 0.0.0.0/1."""
    made = [
        steered(7, "::/1", "cafe:1::1"),
        steered(7, "0.0.0.0/1", "cafe:1::2"),
        steered(7, "::1:0/112", "cafe:1::1"),
    ]
    make(driver, *GROUND, *made)
    seen = driver.observe().resources
    assert {one.key: seen.get(one.key) for one in made} == {one.key: one for one in made}


def test_a_list_that_others_replaced_meanwhile_is_not_deleted(server: StandIn, driver: Vpp) -> None:
    make(driver, *GROUND, BOTH)
    batch = driver.stage([action(BOTH, LESS)])
    taken = change("cafe:1::9", DELETE, sids("fcbb:2::1"), 3)
    assert asked(server, taken, policy("cafe:1::8", sids("fcbb:8::8"))) == [0, 0]
    with pytest.raises(PermanentError, match="3 is no list of it"):
        driver.commit(batch)
    found = driver.observe().resources
    assert found[LESS.key] == LESS
    driver.commit(driver.stage([action(found[LESS.key], BOTH)]))
    assert driver.observe().resources[BOTH.key] == BOTH
    assert asked(server, no_policy("cafe:1::8")) == [0]


def test_nothing_is_written_to_a_vpp_that_was_restarted_meanwhile(server: StandIn, driver: Vpp) -> None:
    """The id of our FIB source means nothing there: a route with it could end VPP."""
    make(driver, *GROUND)
    batch = driver.stage([action(None, a_route(7, "10.7.0.0/16", drop=True))])
    server.restart()
    with pytest.raises(TransientError):
        driver.commit(batch)
    assert driver.observe().resources == {}
    assert {outcome.status for outcome in make(driver, *GROUND)} == {"done"}


def test_what_vpp_refuses_fails_and_the_rest_is_done(server: StandIn, driver: Vpp) -> None:
    make(driver, *GROUND)
    server.refusals["sr_steering_add_del"] = [-5]
    wanted = [steered(7, "10.6.0.0/24", "cafe:1::1"), steered(7, "10.6.1.0/24", "cafe:1::1")]
    first, second = make(driver, *wanted)
    assert (first.status, second.status) == ("failed", "done")
    assert "does not encapsulate" in first.message
    assert driver.observe().resources.keys() == {*(one.key for one in GROUND), wanted[1].key}


def test_steering_waits_for_the_route_in_its_place_to_go(server: StandIn, driver: Vpp) -> None:
    """Over a route that VPP did not take away it would be laid, and half of what it gets be dropped."""
    before, after = a_route(7, "10.6.0.0/24", drop=True), steered(7, "10.6.0.0/24", "cafe:1::1")
    make(driver, *GROUND, before)
    server.refusals["ip_route_add_del_v2"] = [-1]
    (outcome, *_) = driver.commit(driver.stage([action(None, after), action(before, None)]))
    assert outcome.status == "failed"
    server.refusals.clear()
    driver.commit(driver.stage([action(None, after)]))
    assert after.key in driver.observe().resources


def test_a_vpp_that_hears_nothing_is_not_waited_for(server: StandIn, driver: Vpp) -> None:
    make(driver, *GROUND)
    hasty = Vpp("w1", SCOPE, str(server.path), 0.3)
    server.deaf = True
    with pytest.raises(TransientError, match=r"did not answer within 0\.3 seconds"):
        hasty.observe()
    hasty.close()
    server.deaf = False
    assert driver.observe().resources.keys() == {one.key for one in GROUND}


@pytest.mark.parametrize("answers", [0, 1, 2, 5, 9])
def test_an_answer_cut_in_half_is_no_answer(server: StandIn, driver: Vpp, answers: int) -> None:
    make(driver, *GROUND)
    batch = driver.stage(
        [action(None, BOTH), action(FIRST, a_policy("cafe:1::1", TWO)), action(SECOND, None)]
    )
    server.hang_up_after = answers
    try:
        driver.commit(batch)
    except TransientError:
        assert server.hang_up_after is None
    server.hang_up_after = None
    todo = [action(None, BOTH), action(FIRST, a_policy("cafe:1::1", TWO)), action(SECOND, None)]
    found = driver.observe().resources
    left = [one for one in todo if found.get(one.key) != one.after]
    driver.commit(driver.stage([action(found.get(one.key), one.after) for one in left]))
    assert [driver.observe().resources.get(one.key) for one in todo] == [one.after for one in todo]


def test_nobody_at_the_socket_is_said_so(server: StandIn, driver: Vpp) -> None:
    server.stop()
    with pytest.raises(TransientError, match="no VPP answers"):
        driver.observe()
    server.start()
    assert driver.observe().resources == {}


def test_who_hangs_up_has_said_goodbye(server: StandIn, driver: Vpp) -> None:
    """A real VPP may not notice the end of a connection, and after a few of them answer nobody any more."""
    make(driver, *GROUND)
    driver.close()
    driver.close()
    assert driver.observe().resources.keys() == {one.key for one in GROUND}
    assert server.asked["sockclnt_delete"] == 1


def test_a_vpp_without_sources_of_routes_is_too_old(tmp_path: Path) -> None:
    with StandIn(tmp_path / "api.sock", frozenset({"fib_source_add"})) as server:
        driver = Vpp("w1", SCOPE, str(server.path))
        with pytest.raises(PermanentError, match="too old: it does not have fib_source_add"):
            driver.observe()
        driver.close()


def test_a_new_source_reaches_policies_that_stand(server: StandIn, driver: Vpp) -> None:
    make(driver, *GROUND, the_source("fd11::1"))
    driver.commit(driver.stage([action(the_source("fd11::1"), the_source("fd11::2"))]))
    assert {policy.encap_src.hex() for policy in server.state.sr.policies.values()} == {f"fd11{2:028x}"}


def lists_of(server: StandIn, bsid: str) -> dict[int, SidList]:
    """Return the segment lists of a policy by their index."""
    (found,) = [one for one in server.state.sr.policies.values() if one.bsid == raw(bsid)]
    return {index: server.state.sr.lists.read(index) for index in found.lists}


@pytest.mark.parametrize("wanted", [(ONE, TWO), (TWO, (1, ["fcbb:3::1"])), ((2, TWO[1]),)])
@pytest.mark.parametrize("requests", range(3, 6))
def test_no_list_keeps_the_old_source_when_its_renewal_was_broken_off(
    server: StandIn, driver: Vpp, requests: int, wanted: tuple[tuple[int, list[str]], ...]
) -> None:
    """VPP shows the source of the list added last: an old list beside a new one cannot be seen to be old."""
    make(driver, *GROUND, the_source("fd11::1"), BOTH)
    old = lists_of(server, "cafe:1::9")
    renewal = [change("cafe:1::9", ADD, sids(*row[1])) for row in (ONE, TWO)]
    renewal.append(change("cafe:1::9", DELETE, sids("::1"), min(old)))
    asked(server, source("fd11::2"), *renewal[: requests - 2])
    result = a_policy("cafe:1::9", *wanted)
    driver.commit(driver.stage([action(driver.observe().resources[BOTH.key], result)]))
    assert driver.observe().resources[BOTH.key] == result
    left = lists_of(server, "cafe:1::9").values()
    assert not [one for one in left if any(one is other for other in old.values())]


def test_lists_of_others_go_whatever_they_weigh(server: StandIn, driver: Vpp) -> None:
    make(driver, *GROUND, LESS)
    assert asked(server, change("cafe:1::9", ADD, sids("::", weight=0))) == [0]
    found = driver.observe().resources[LESS.key]
    driver.commit(driver.stage([action(found, LESS)]))
    assert driver.observe().resources[LESS.key] == LESS


def test_steering_with_host_bits_goes_and_its_twin_stays(server: StandIn, driver: Vpp) -> None:
    """Both are one route for VPP: with the one, it takes away what the other needs, and shows it still."""
    twin = steered(7, "10.6.0.0/24", "cafe:1::1")
    make(driver, *GROUND, twin)
    assert asked(server, steer("10.6.0.7/24", "cafe:1::2", table=7)) == [0]
    server.state.sr.damage.clear()
    seen = driver.observe().resources
    (odd,) = [one for key, one in seen.items() if key.name == "7 10.6.0.7/24"]
    driver.commit(driver.stage([action(odd, None)]))
    assert driver.observe().resources.keys() == {*(one.key for one in GROUND), twin.key}
    assert asked(server, lookup("10.6.0.0/24", 7)) == [0]


def test_an_empty_table_of_ours_takes_another_name_and_a_used_one_does_not(driver: Vpp) -> None:
    before, used = a_table(9, "ipv4"), a_table(7, "ipv4")
    make(driver, *GROUND, before, a_sid("fcdd::4", 7))
    after, other = (replace(one, spec={**one.spec, "name": "intentc/zone"}) for one in (before, used))
    driver.commit(driver.stage([action(before, after)]))
    assert driver.observe().resources[after.key] == after
    with pytest.raises(PermanentError, match="is still used by SID fcdd::4"):
        driver.stage([action(used, other)])


def test_what_others_put_into_the_place_of_a_policy_of_ours_is_theirs(server: StandIn, driver: Vpp) -> None:
    """Steering refers to a place in VPP's pool: its dump shows whatever policy lies there now."""
    make(driver, *GROUND, steered(7, "10.6.0.0/24", "cafe:1::2"))
    assert asked(server, no_policy("cafe:1::2"), policy("beef::1", sids("fc99::1"))) == [0, 0]
    server.state.sr.damage.clear()
    found = driver.observe().resources
    assert "beef::1" not in {key.name for key in found if key.type == "policy"}
    assert asked(server, no_policy("beef::1")) == [0]
    server.state.sr.damage.clear()


def test_a_policy_stays_while_an_interface_is_steered_into_it(server: StandIn, driver: Vpp) -> None:
    make(driver, *GROUND)
    assert asked(server, loopback(), steer("::/0", "cafe:1::2", traffic=2, interface=1)) == [0, 0]
    with pytest.raises(PermanentError, match="cafe:1::2 cannot go while interface 1 is steered into it"):
        driver.stage([action(SECOND, None)])


def test_sids_stay_ours_when_somebody_deletes_the_route_that_marks_their_range(
    server: StandIn, driver: Vpp
) -> None:
    marks, mine, theirs = a_route(0, "fcdd::/64", drop=True), a_sid("fcdd::4", 7), "fcdd::99"
    make(driver, *GROUND, marks, mine)
    assert asked(server, localsid(theirs, behavior=END)) == [0]
    assert {key.name for key in driver.observe().resources if key.type == "localsid"} == {"fcdd::4", theirs}
    with Peer(server.path) as peer:
        (source_of_ours,) = [
            row["src"]["id"] for row in peer.rows("fib_source_dump") if row["src"]["name"] == "intentc"
        ]
    assert asked(server, route("fcdd::/64", src=source_of_ours, add=False)) == [0]
    found = driver.observe().resources
    assert {key.name for key in found if key.type == "localsid"} == {"fcdd::4"}, "no SID outside our ranges"
    assert [
        one.key for one in plan({"w1": [*GROUND, marks, mine]}, {"w1": driver.observe()}, RULES).actions
    ] == [marks.key]
    make(driver, marks)
    assert mine.key in driver.observe().resources


def test_a_table_stays_while_a_sid_of_others_looks_up_in_it(server: StandIn, driver: Vpp) -> None:
    """VPP would look up in the table that comes next."""
    table = a_table(9, "ipv6")
    make(driver, *GROUND, table)
    assert asked(server, localsid("fc99::1", 9, behavior=3)) == [0]
    with pytest.raises(PermanentError, match="is still used by SID fc99::1"):
        driver.stage([action(table, None)])


def test_objects_that_stand_are_not_written_again(server: StandIn, driver: Vpp) -> None:
    many = [a_policy(f"cafe:1::1{at:03x}", ONE) for at in range(300)]
    many += [steered(7, f"10.{at >> 8}.{at & 255}.0/24", f"cafe:1::1{at:03x}") for at in range(300)]
    make(driver, *GROUND, *many)
    written = server.asked["sr_policy_add"] + server.asked["sr_steering_add_del"]
    make(driver, *GROUND, *many)
    assert server.asked["sr_policy_add"] + server.asked["sr_steering_add_del"] == written


@pytest.mark.parametrize("answers", range(0, 180, 2))
def test_an_apply_goes_on_where_its_connection_was_lost(server: StandIn, driver: Vpp, answers: int) -> None:
    """What was half done is ours to finish: nobody else has moved it."""
    server.hosts["pods0"] = 1500
    make(driver, *GROUND, the_source("fd11::1"), LESS)
    wanted = [*GROUND, the_source("fd11::2", 9), BOTH, a_policy("cafe:1::a", ONE, (2, ONE[1]), TWO)]
    wanted += [an_interface("pods0", ipv4=7, ipv6=8)]
    todo = plan({"w1": wanted}, {"w1": driver.observe()}, RULES)
    server.hang_up_after = answers
    result = apply(todo, {"w1": driver}, retry=Retry(attempts=3, sleep=lambda _: None))
    assert [outcome.message for outcome in result.failed] == []
    server.hang_up_after = None
    assert plan({"w1": wanted}, {"w1": driver.observe()}, RULES).actions == ()
