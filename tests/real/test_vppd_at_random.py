"""Stand-in and real VPP side by side under random requests: same answers, and the same to see after each.

What the stand-in dies of is tried on a copy of it first and not sent to the real one, so that a request which
kills the real one alone is found. INTENTC_VPP_REQUESTS says how many requests there shall be, at least.
"""

from __future__ import annotations

import copy
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.vppd.handlers import DUMPS
from tests.vppd.peer import Peer
from tests.vppd.pool import NONE, Segfault
from tests.vppd.requests import (
    DROP,
    Request,
    Via,
    change,
    comparable,
    everything,
    hop_limit,
    into_table,
    localsid,
    loopback,
    no_policy,
    on_interface,
    policy,
    route,
    sids,
    source,
    state,
    steer,
    table,
)
from tests.vppd.server import StandIn
from tests.vppd.sr import UNDEFINED
from tests.vpps import MARKS, started

pytestmark = MARKS

STEPS: Final = 50
PER_EXAMPLE: Final = 30
"""Requests that an example sends to both, more or less."""
REQUESTS: Final = int(os.environ.get("INTENTC_VPP_REQUESTS", "600"))

TABLES = st.sampled_from([0, 7, 8, 9])
BSIDS = st.sampled_from(["cafe:1::1", "cafe:1::2", "cafe:1::3"])
SIDS = st.sampled_from(["fcdd::1", "fcdd::2", "fcdd:1::", "cafe:1::3"])
PREFIXES = st.sampled_from(
    [
        "10.6.0.0/24",
        "10.6.0.9/24",
        "10.6.0.0/16",
        "0.0.0.0/0",
        "fd06::/64",
        "fd06::5/64",
        "cafe:1::1/128",
        "::/0",
    ]
)
ADDRESSES = st.sampled_from(
    ["10.1.0.1/24", "10.1.0.2/24", "10.1.0.3/25", "10.1.1.0/31", "fd01::1/64", "fd01::2/80"]
)
INTERFACES = st.sampled_from([1, 2, 3])
INDICES = st.sampled_from([0, 1, 2, 3, NONE])
YES = st.booleans()
LISTS = st.builds(
    lambda items, weight: sids(*items, weight=weight),
    st.lists(st.sampled_from(["fcbb::1", "fcbb::2", "fcbb::3"]), max_size=3),
    st.sampled_from([0, 1, 3, NONE]),
)
HOPS = st.one_of(
    st.just(DROP),
    st.sampled_from([Via(table=number) for number in (0, 7, 8, 9)]),
    st.sampled_from([Via(index, hop) for index in (1, 2, 3) for hop in ("", "10.1.0.9", "fd01::9")]),
)


def _route(to: str, via: list[Via], number: int, src: int, add: bool) -> Request:  # noqa: FBT001 -- a strategy's argument
    fits = [hop for hop in via if not hop.next_hop or (":" in hop.next_hop) == (":" in to)]
    return route(to, *fits[:1], table=number, src=src, add=add)


REQUEST = st.one_of(
    st.builds(lambda number, v6, add: table(number, v6=v6, add=add), TABLES, YES, YES),
    st.builds(
        lambda sid, other, behavior, fib, add: localsid(sid, other, behavior=behavior, fib=fib, add=add),
        SIDS,
        st.sampled_from([0, 1, 7, 8, 9, NONE]),
        st.sampled_from([1, 3, 8, 9, 9, 6, 7, 11, 12, 13, 14]),
        TABLES,
        YES,
    ),
    st.builds(
        lambda bsid, said, fib, encap, kind: policy(bsid, said, fib=fib, encap=encap, kind=kind),
        BSIDS,
        LISTS,
        TABLES,
        st.sampled_from([True, True, True, False]),
        st.sampled_from([0, 0, 1, 2]),
    ),
    st.builds(change, BSIDS, st.sampled_from([0, 1, 1, 2, 2, 3]), LISTS, INDICES),
    st.builds(no_policy, BSIDS),
    st.builds(
        lambda to, bsid, number, add: steer(to, bsid, table=number, add=add), PREFIXES, BSIDS, TABLES, YES
    ),
    st.builds(_route, PREFIXES, st.lists(HOPS, max_size=2), TABLES, st.sampled_from([0, 9, 23]), YES),
    st.just(Request("fib_source_add", {"src": {"priority": 0x80, "name": "intentc"}})),
    st.builds(source, st.sampled_from(["fd11::1", "fd11::2", "::"])),
    st.builds(hop_limit, st.sampled_from([0, 9, 64])),
    st.just(loopback()),
    st.builds(lambda index: Request("delete_loopback", {"sw_if_index": index}), INTERFACES),
    st.builds(lambda index, up: state(index, up=up), INTERFACES, YES),
    st.builds(lambda index, to, add: on_interface(index, to, add=add), INTERFACES, ADDRESSES, YES),
    st.builds(lambda index, number, v6: into_table(index, number, v6=v6), INTERFACES, TABLES, YES),
)


class SideBySide(RuleBasedStateMachine):
    """A stand-in and a real VPP, started together."""

    sent = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="intentc-vpp-"))
        self.running = started(self.folder)
        self.real = Peer(self.running.__enter__())
        self.standin = StandIn(self.folder / "like.sock")
        self.standin.start()
        self.like = Peer(self.standin.path)

    @rule(request=REQUEST)
    def ask(self, request: Request) -> None:
        if not self._survives(request):
            return
        type(self).sent += 1
        answers = [peer.ask(request.name, **request.fields) for peer in (self.real, self.like)]
        assert comparable(answers[1]) == comparable(answers[0])
        shown, like = everything(self.real), everything(self.like)
        assert {part: like[part] for part in shown if like.get(part) != shown[part]} == {}
        assert like.keys() == shown.keys()

    def _survives(self, request: Request) -> bool:
        trial = copy.copy(self.standin)
        trial.state = copy.deepcopy(self.standin.state)
        try:
            trial.do(request.name, **request.fields)
            for name in DUMPS:
                trial.do(name)
        except Segfault:
            return False
        return UNDEFINED not in trial.state.sr.damage

    def teardown(self) -> None:
        self.real.close()
        self.like.close()
        self.standin.stop()
        self.running.__exit__(None, None, None)
        shutil.rmtree(self.folder)


SideBySide.TestCase.settings = settings(
    max_examples=max(1, REQUESTS // PER_EXAMPLE),
    stateful_step_count=STEPS,
    phases=(Phase.generate, Phase.shrink),
)


def test_random_requests() -> None:
    SideBySide.sent = 0
    while SideBySide.sent < REQUESTS:  # how many an example sends is up to chance
        SideBySide.TestCase("runTest").debug()
    print(f"{SideBySide.__name__}: {SideBySide.sent} requests")  # noqa: T201 -- a campaign tells its size
