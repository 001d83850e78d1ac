"""What the agent of a node takes from the GoBGP beside it, and how it hears of changes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import grpc
import pytest

from reconciler.drivers.base import TransientError
from reconciler.drivers.gobgp.client import Api
from reconciler.drivers.gobgp.messages import new, packed
from reconciler.drivers.gobgp.paths import NO_ADVERTISE, Announced, Nlri, Segment, Weighted, path_of
from reconciler.drivers.gobgp.received import ReceivedPolicy, Watch, received
from tests.agents import LIMIT, until
from tests.gobgpd import stand_in
from tests.ports import free_port
from tests.reconciler.gobgp.test_paths import PLAIN

HOP = Segment("fcff::4", 19)


def seen(*policies: Announced) -> tuple[ReceivedPolicy, ...]:
    with stand_in() as server:
        for number, policy in enumerate(policies):
            server.policy(policy, f"fd00::{number + 1}")
        return received(Api(server.address))


def test_a_policy_is_taken_as_it_was_announced() -> None:
    assert seen(PLAIN) == (
        ReceivedPolicy("cafe::1", ((3, ("fcbb:0:1::", "fcff::4")),), "fd11::2", 100, 7, 200, 128),
    )


def test_own_announcements_count_as_well() -> None:
    with stand_in() as server:
        api = Api(server.address)
        api.announce(PLAIN)
        assert [policy.bsid for policy in received(api)] == ["cafe::1"]


def test_what_was_not_said_has_the_defaults_of_the_rfc() -> None:
    (policy,) = seen(replace(PLAIN, preference=None, priority=None))
    assert (policy.preference, policy.priority) == (100, 128)


@pytest.mark.parametrize(
    "case",
    [
        ((), True, True),
        ((), False, False),
        (("10.0.0.1",), False, True),
        (("10.0.0.9", "10.0.0.1"), True, True),
        (("10.0.0.9",), False, False),
        (("10.0.0.9",), True, False),
    ],
)
def test_only_what_is_meant_for_this_headend(case: tuple[tuple[str, ...], bool, bool]) -> None:
    targets, no_advertise, taken = case
    assert bool(seen(replace(PLAIN, route_targets=targets, no_advertise=no_advertise))) is taken


@pytest.mark.parametrize(
    "broken",
    [
        replace(PLAIN, bsid=None),
        replace(PLAIN, lists=()),
        replace(PLAIN, lists=(Weighted(0, (HOP,)), Weighted(1, ()), Weighted(1, (HOP,) * 17))),
    ],
)
def test_what_cannot_be_installed_is_left_out(broken: Announced) -> None:
    assert seen(broken) == ()


@pytest.mark.parametrize(
    "tagged",
    [
        packed("CommunitiesAttribute", communities=[NO_ADVERTISE, 0xFFFF0006]),
        packed("ExtendedCommunitiesAttribute", communities=[packed("SRWeight", weight=1)]),
        new("Any", type_url="type.googleapis.com/apipb.LargeCommunitiesAttribute"),
    ],
)
def test_what_speakers_on_the_way_tag_stays_usable(tagged: Any) -> None:
    """A session that breaks makes paths long-lived stale (RFC 9494): to keep them is what that is for."""
    path = path_of(PLAIN)
    path.pattrs.append(tagged)
    with stand_in() as server:
        server.learn(path)
        assert [policy.bsid for policy in received(Api(server.address))] == ["cafe::1"]


def test_what_cannot_be_read_as_a_whole_is_left_out() -> None:
    path = path_of(replace(PLAIN, lists=()))
    label = new("Any", type_url="type.googleapis.com/apipb.SegmentTypeA")
    part = packed("TunnelEncapSubTLVSRSegmentList", segments=[label])
    path.pattrs.append(packed("TunnelEncapAttribute", tlvs=[new("TunnelEncapTLV", type=15, tlvs=[part])]))
    with stand_in() as server:
        server.learn(path)
        assert received(Api(server.address)) == ()


def test_lists_stand_in_the_order_of_their_sids() -> None:
    lists = (Weighted(1, (Segment("fcbb:2::"), HOP)), Weighted(2, (Segment("fcbb:1::"), HOP)))
    (policy,) = seen(replace(PLAIN, lists=lists))
    assert policy.lists == ((2, ("fcbb:1::", "fcff::4")), (1, ("fcbb:2::", "fcff::4")))


def test_of_several_with_one_bsid_the_highest_preference_counts_then_the_distinguisher() -> None:
    low = replace(PLAIN, nlri=Nlri(9, 1, "fd11::2"), preference=100)
    high = replace(PLAIN, nlri=Nlri(5, 1, "fd11::2"), preference=200)
    higher = replace(high, nlri=Nlri(6, 1, "fd11::2"))
    assert [policy.distinguisher for policy in seen(low, high, higher)] == [6]
    assert [policy.distinguisher for policy in seen(higher, low)] == [6]


def test_a_table_that_cannot_be_read_is_no_empty_one() -> None:
    with stand_in() as server:
        server.policy(PLAIN)
        server.failures.append(("ListPath", grpc.StatusCode.UNAVAILABLE, "gone"))
        with pytest.raises(TransientError):
            received(Api(server.address))


def test_a_change_ends_the_waiting() -> None:
    with stand_in() as server:
        watch = Watch(server.address)
        until(lambda: server.watchers)
        assert not watch.wait(0.3)
        server.policy(PLAIN)
        assert watch.wait(LIMIT)
        assert not watch.wait(0.1)
        server.prefix("10.0.0.0/8", "fd11::1")
        assert not watch.wait(0.3), "unicast is no policy"
        Api(server.address).withdraw(PLAIN)
        assert watch.wait(LIMIT)
        assert watch.alive
        watch.close()
        until(lambda: not watch.alive)


def test_what_stands_in_the_table_when_the_watch_begins_is_a_change() -> None:
    with stand_in() as server:
        server.policy(PLAIN)
        watch = Watch(server.address)
        assert watch.wait(LIMIT)
        watch.close()


def test_a_large_table_is_watched_too() -> None:
    """Its whole content comes as one message, of more than the four megabytes that gRPC takes by itself."""
    lists = tuple(Weighted(1, (Segment(f"fcbb:{row:x}::"),) * 15 + (HOP,)) for row in range(16))
    with stand_in() as server, ThreadPoolExecutor(1) as pool:
        large = path_of(replace(PLAIN, lists=lists))
        copies = 5_000_000 // large.ByteSize()
        server.paths = {(2, 73, b"%d" % number): [large] for number in range(copies)}
        api = Api(server.address)
        with api.changes() as events:
            assert pool.submit(next, events, "broken").result(LIMIT) is None
        api.close()


def test_a_server_that_went_and_came_back_is_a_change_and_is_watched_again() -> None:
    port = free_port()
    with stand_in(port=port) as server:
        watch = Watch(server.address)
        until(lambda: server.watchers)
    assert watch.wait(LIMIT)
    with stand_in(port=port) as server:
        until(lambda: server.watchers)
        while watch.wait(0.3):
            pass
        server.policy(PLAIN)
        assert watch.wait(LIMIT)
    watch.close()


def test_closing_ends_a_wait() -> None:
    watch = Watch(f"127.0.0.1:{free_port()}")
    watch.close()
    assert watch.wait(LIMIT)


def test_a_connection_that_was_closed_is_transient() -> None:
    """As where a watch is closed while its thread opens the stream again."""
    with stand_in() as server:
        api = Api(server.address)
        api.speaker()
        assert api._channel is not None  # noqa: SLF001 -- what another thread does in between
        api._channel.close()  # noqa: SLF001 -- as above
        with pytest.raises(TransientError, match="was closed"), api.changes():
            pass


def test_a_watch_that_is_closed_while_it_reconnects_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    reached, closed = threading.Event(), threading.Event()
    plain = Api._open  # noqa: SLF001 -- the moment between looking and opening

    def late(api: Api) -> grpc.Channel:
        if threading.current_thread().name.startswith("gobgp"):
            reached.set()
            closed.wait(LIMIT)
        return plain(api)

    with stand_in() as server:
        monkeypatch.setattr(Api, "_open", late)
        watch = Watch(server.address)
        assert reached.wait(LIMIT)
        shut = watch._api.close  # noqa: SLF001 -- as above

        def close() -> None:
            shut()
            closed.set()

        monkeypatch.setattr(watch._api, "close", close)  # noqa: SLF001 -- as above
        watch.close()
        until(lambda: not watch.alive)
