"""Whatever is desired, and whatever happens meanwhile, the VPP driver gets there and harms nobody.

Random worlds of tables, interfaces, routes, SIDs, policies and steering follow each other on one VPP, with
objects of others beside them, connections that break and a VPP that ends. On the stand-in always, which also
tells what was damaged without a word; on a real VPP where there is one. INTENTC_VPP_OPERATIONS says how many
changes to single objects there shall be on each, at least.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from itertools import combinations
from pathlib import Path
from typing import Any, ClassVar, Final

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from reconciler.apply import apply
from reconciler.drivers.base import TransientError
from reconciler.drivers.vpp.driver import Vpp
from reconciler.plan import plan
from reconciler.retry import Retry
from renderers import RULES
from renderers.resource import Key, Resource
from tests import vpp_rig
from tests.vpp_rig import a_policy, a_route, a_sid, a_table, an_interface, steered, the_source, vpp
from tests.vppd.fib import API
from tests.vppd.peer import Peer
from tests.vppd.pool import NONE
from tests.vppd.requests import (
    DROP,
    END,
    Request,
    Via,
    comparable,
    localsid,
    loopback,
    no_policy,
    on_interface,
    policy,
    raw,
    route,
    sids,
    state,
    steer,
    table,
)
from tests.vppd.server import StandIn
from tests.vpps import MARKS, started

World = dict[Key, Resource]
HASTY: Final = Retry(attempts=1, sleep=lambda _: None)
STEPS: Final = 12
HOSTS: Final = tuple(f"ic{os.getpid():x}-{end}" for end in "ab")
"""Interfaces of the host; those for a real VPP are of this process alone."""
OPERATIONS: Final = int(os.environ.get("INTENTC_VPP_OPERATIONS", "0"))
TRIES: Final = 4
PATIENCE: Final = 120.0
"""Seconds that VPP may be silent: to take an interface it waits for the kernel, which may have other work."""

FAMILIES: Final = ("ipv4", "ipv6")
PREFIXES: Final = {
    "ipv4": ("10.6.0.0/24", "10.6.0.0/16", "10.6.0.64/26", "10.6.1.1/32", "0.0.0.0/1"),
    "ipv6": ("fd06::/64", "fd06::/48", "fd06::7/128", "::/1", "::1:0/112"),
}
"""What is steered or routed: each at most once in a table."""
ROUTERS: Final = ("fcbb:1::1", "fcbb:2::1", "fcbb:3::1")
LISTS: Final = tuple(
    (weight, list(path))
    for weight in (1, 3)
    for path in (*((one,) for one in ROUTERS), *combinations(ROUTERS, 2), tuple(ROUTERS))
)


@st.composite
def worlds(draw: st.DrawFn, hosts: tuple[str, ...]) -> World:
    """Draw what a node may be told: all that is needed is there."""
    made: list[Resource] = []
    tables = draw(st.sets(st.sampled_from([(number, family) for number in (7, 8) for family in FAMILIES])))
    made += [a_table(*one) for one in tables]
    if draw(st.booleans()):
        made.append(the_source(draw(st.sampled_from(["fd11::1", "fd11::2"])), draw(st.sampled_from([64, 9]))))
    made += [a_route(0, "cafe:1::/112", drop=True), a_route(0, "fcdd::/64", drop=True)]
    bsids = sorted(draw(st.sets(st.integers(1, 4))))
    for bsid in bsids:
        rows = draw(st.lists(st.sampled_from(LISTS), min_size=1, max_size=4, unique_by=str))
        made.append(a_policy(f"cafe:1::{bsid}", *sorted(rows, key=lambda row: (row[1], row[0]))))
    for number, family in sorted(tables):
        for prefix in sorted(draw(st.sets(st.sampled_from(PREFIXES[family]), max_size=3))):
            ways: list[int | str] = ["drop"]
            ways += [other for other, same in sorted(tables) if same == family and other != number]
            ways += [f"cafe:1::{bsid}" for bsid in bsids]
            way = draw(st.sampled_from(ways))
            if isinstance(way, int):
                made.append(a_route(number, prefix, lookup=way))
            elif way == "drop":
                made.append(a_route(number, prefix, drop=True))
            else:
                made.append(steered(number, prefix, way))
        if draw(st.booleans()):
            behavior = "End.DT4" if family == "ipv4" else "End.DT6"
            made.append(a_sid(f"fcdd::{number}{family[-1]}", number, behavior))
    made += draw(links(hosts, tables))
    return {one.key: one for one in made}


@st.composite
def links(draw: st.DrawFn, hosts: tuple[str, ...], tables: set[tuple[int, str]]) -> list[Resource]:
    """Draw interfaces that VPP has taken, with addresses, and a route over the one that others made."""
    made = []
    if draw(st.booleans()):
        made.append(a_route(0, "fcbb::/16", next_hop="fd11::ffff", interface="loop0"))
    for at, host in enumerate(hosts):
        if draw(st.booleans()):
            bound = {family: number for number, family in sorted(tables) if draw(st.booleans())}
            made.append(an_interface(host, draw(st.booleans()), **bound))
            addresses = (f"10.1.{at}.1/24", f"10.1.{at}.2/24", f"fd01:{at + 1}::1/64")
            for address in sorted(draw(st.sets(st.sampled_from(addresses)))):
                name = f"host-{host}"
                made.append(vpp("address", f"{name} {address}", {"interface": name, "prefix": address}))
    return made


UPLINK: Final = (loopback(), state(1), on_interface(1, "fd11::1/64"))
THEIRS: Final[dict[str, tuple[list[Request], list[Request]]]] = {
    "table": (
        [table(100, name="theirs"), route("10.50.0.0/16", DROP, table=100)],
        [route("10.50.0.0/16", table=100, add=False), table(100, add=False)],
    ),
    "routes": (
        [route("10.60.0.0/16", DROP), route("fd60::/48", DROP)],
        [route("10.60.0.0/16", add=False), route("fd60::/48", add=False)],
    ),
    "policy": (
        [policy("beef::1", sids("fcbb:9::9")), steer("10.70.0.0/16", "beef::1")],
        [steer("10.70.0.0/16", add=False), no_policy("beef::1")],
    ),
    "sid": ([localsid("feed::e", behavior=END)], [localsid("feed::e", behavior=END, add=False)]),
}
"""Objects of others: how they come, and how they go."""


def of_others(peer: Peer) -> dict[str, Any]:
    """Return all that a VPP holds and that is not ours."""
    tables = [row["table"] for row in peer.rows("ip_table_dump")]
    theirs = [one for one in tables if not one["name"].startswith("intentc/") and one["table_id"] != NONE]
    routes = [
        comparable(row["route"])
        for one in theirs
        for row in peer.rows("ip_route_v2_dump", src=API, table=one)
    ]
    return {
        "tables": theirs,
        "routes": sorted(routes, key=str),
        "sids": [row for row in peer.rows("sr_localsids_dump") if row["addr"][:2] == raw("feed::")[:2]],
        "policies": [row for row in peer.rows("sr_policies_v2_dump") if row["bsid"][:2] == raw("beef::")[:2]],
        "steering": [row for row in peer.rows("sr_steering_pol_dump") if row["fib_table"] in (0, 100)],
        "interfaces": [row for row in peer.rows("sw_interface_dump", sw_if_index=NONE) if not row["tag"]],
    }


class Machine(RuleBasedStateMachine):
    """One VPP, the driver, and another client."""

    operations: ClassVar[int] = 0
    wanted: World

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="intentc-vpp-"))
        self.socket = self.folder / "api.sock"
        self.driver = Vpp("w1", vpp_rig.SCOPE, str(self.socket), PATIENCE)
        self.wanted = {}
        self.power_on()

    def power_on(self) -> None:
        """Start VPP with the one interface that it comes with."""
        self.start()
        self.peer = Peer(self.socket)
        self.planted: set[str] = set()
        self.ask(*UPLINK)

    def ask(self, *requests: Request) -> None:
        """Have somebody else ask for something, which is done."""
        for request in requests:
            assert self.peer.retval(request.name, **request.fields) == 0
        type(self).operations += len(requests)

    def power_off(self) -> None:
        self.peer.close()
        self.stop()

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    @rule(name=st.sampled_from(sorted(THEIRS)))
    def others_come_and_go(self, name: str) -> None:
        requests = THEIRS[name][name in self.planted]
        self.ask(*requests)
        self.planted ^= {name}

    @rule(beside=st.booleans())
    def the_uplink_is_made_anew(self, beside: bool) -> None:  # noqa: FBT001 -- drawn
        """By others, whose own route over it is as dead as ours, and keeps a path like ours dead."""
        theirs = Via(1, "fd11::ffff")
        if beside:
            self.ask(route("fd99::/48", theirs))
        self.ask(Request("delete_loopback", {"sw_if_index": 1}), *UPLINK)
        self.converge()
        if beside:
            self.ask(route("fd99::/48", add=False))
        assert self.dead() == []

    def dead(self) -> list[str]:
        """Return what VPP says of our route over the uplink, where it drops."""
        said = self.peer.ask("cli_inband", cmd="show ip6 fib table 0 fcbb::/16")["reply"]
        return [row for row in said.splitlines() if "oper-flags:drop" in row]

    @rule(world=st.deferred(lambda: worlds(HOSTS)))
    def something_else_is_wanted(self, world: World) -> None:
        self.wanted = world
        self.converge()

    @rule(world=st.deferred(lambda: worlds(HOSTS)))
    def vpp_restarts(self, world: World) -> None:
        self.power_off()
        self.power_on()
        self.wanted = world
        self.converge()

    def converge(self, tries: int = TRIES) -> None:
        """Apply what is wanted until nothing is left to do; others notice nothing."""
        theirs = of_others(self.peer)
        for _ in range(tries):
            if not self.attempt():
                break
        seen = self.driver.observe()
        assert seen.complete
        assert dict(seen.resources) == self.wanted
        assert of_others(self.peer) == theirs

    def attempt(self) -> int:
        """Plan and apply once; return how many actions there were."""
        seen = {self.driver.name: self.driver.observe()}
        todo = plan({self.driver.name: self.wanted.values()}, seen, RULES)
        apply(todo, {self.driver.name: self.driver}, retry=HASTY)
        type(self).operations += len(todo.actions)
        return len(todo.actions)

    def teardown(self) -> None:
        if not hasattr(self, "folder"):
            return
        self.driver.close()
        self.power_off()
        shutil.rmtree(self.folder)


class OnStandIn(Machine):
    """The stand-in, which can be broken."""

    def start(self) -> None:
        if not hasattr(self, "server"):
            self.server = StandIn(self.socket)
            self.server.hosts = dict.fromkeys(HOSTS, 1500)
        self.server.start()

    def stop(self) -> None:
        assert (self.server.deaths, self.server.state.damage) == ([], [])
        self.server.stop()

    @rule(world=st.deferred(lambda: worlds(HOSTS)), answers=st.integers(0, 60))
    def the_connection_breaks(self, world: World, answers: int) -> None:
        self._despite(world, lambda: setattr(self.server, "hang_up_after", answers))

    @rule(world=st.deferred(lambda: worlds(HOSTS)), requests=st.integers(0, 60))
    def vpp_ends_meanwhile(self, world: World, requests: int) -> None:
        self._despite(world, lambda: setattr(self.server, "end_after", requests))

    @rule(
        world=st.deferred(lambda: worlds(HOSTS)),
        name=st.sampled_from(
            ["sr_policy_add", "sr_policy_mod", "sr_steering_add_del", "ip_route_add_del_v2"]
        ),
    )
    def a_request_is_refused(self, world: World, name: str) -> None:
        self._despite(world, lambda: self.server.refusals[name].append(-1))

    def _despite(self, world: World, fault: Callable[[], None]) -> None:
        """Let something happen while a world is applied, and expect that it is reached afterwards."""
        self.wanted = world
        fault()
        type(self).operations += 1
        with suppress(TransientError):
            self.attempt()
        self.server.hang_up_after = None
        self.server.refusals.clear()
        if not self.server.alive:
            self.peer.close()
            self.server.stop()
            self.power_on()
        self.server.end_after = None
        self.converge()


class OnVpp(Machine):
    """A real VPP."""

    def start(self) -> None:
        self.running = ExitStack()
        assert self.running.enter_context(started(self.folder)) == self.socket

    def stop(self) -> None:
        self.running.close()


def limits(budget: int, per_example: int) -> settings:
    """Return settings for some operations at least, or for a few seconds."""
    return settings(
        max_examples=budget // per_example + 6,  # some for examples that begin small
        stateful_step_count=STEPS,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
    )


OnStandIn.TestCase.settings = limits(OPERATIONS, 100)
OnVpp.TestCase.settings = limits(OPERATIONS // 10, 60)


def test_the_driver_on_the_standin() -> None:
    campaign(OnStandIn, OPERATIONS)


class TestOnVpp:
    pytestmark = MARKS

    def test_the_driver_on_a_real_vpp(self) -> None:
        with vpp_rig.cabled(*HOSTS):
            campaign(OnVpp, OPERATIONS // 10)


def campaign(machine: type[Machine], least: int) -> None:
    """Do enough operations, and say how many: how many an example has is up to chance."""
    machine.operations = 0
    while machine.operations < least:
        machine.TestCase("runTest").debug()
    print(f"{machine.__name__}: {machine.operations} operations")  # noqa: T201 -- a campaign tells its size
