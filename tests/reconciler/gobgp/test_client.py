"""Calls to GoBGP: time limits, and errors in words for people."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from reconciler.drivers.base import PermanentError, TransientError
from reconciler.drivers.gobgp.client import Api, Reachable, Speaker
from tests.gobgpd import stand_in
from tests.ports import free_port
from tests.reconciler.gobgp.test_paths import PLAIN


def test_a_speaker_says_who_it_is() -> None:
    with stand_in() as server:
        assert Api(server.address).speaker() == Speaker(64512, "10.0.0.1")


def test_nobody_there_is_transient() -> None:
    with pytest.raises(TransientError, match="out of reach"):
        Api(f"127.0.0.1:{free_port()}", timeout=60).policies()


def test_a_server_without_configuration_is_transient() -> None:
    with stand_in() as server:
        server.asn = 0
        with pytest.raises(TransientError, match="no BGP configuration yet"):
            Api(server.address).announce(PLAIN)
        assert server.written == 0


def test_gobgp_4_is_refused_with_words() -> None:
    with stand_in(version=4) as server, pytest.raises(PermanentError, match="API of GoBGP 4"):
        Api(server.address).policies()


def test_what_is_no_gobgp_is_refused_with_words() -> None:
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with pytest.raises(PermanentError, match="is not GoBGP 3"):
        Api(f"127.0.0.1:{port}").policies()
    server.stop(None).wait(5)


def test_a_call_that_takes_too_long_is_transient() -> None:
    with stand_in() as server:
        api = Api(server.address, timeout=60)
        api.speaker()
        api.timeout = 0.2
        server.awake.clear()
        with pytest.raises(TransientError, match="did not answer in time"):
            api.announce(PLAIN)
        server.awake.set()


@pytest.mark.parametrize(
    ("code", "words", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, "draining", TransientError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "full", TransientError),
        (grpc.StatusCode.UNKNOWN, "bgp server hasn't started yet", TransientError),
        (grpc.StatusCode.UNKNOWN, "duplicated path attribute type", PermanentError),
        (grpc.StatusCode.INVALID_ARGUMENT, "no", PermanentError),
        (grpc.StatusCode.UNIMPLEMENTED, "method AddPath not implemented", PermanentError),
    ],
)
def test_refusals_are_told_apart(code: grpc.StatusCode, words: str, kind: type[Exception]) -> None:
    with stand_in() as server:
        api = Api(server.address)
        server.failures.append(("AddPath", code, words))
        with pytest.raises(kind, match=words):
            api.announce(PLAIN)
        api.announce(PLAIN)
        assert api.policies() == (PLAIN,)


def test_a_listing_that_breaks_off_is_no_listing() -> None:
    with stand_in() as server:
        api = Api(server.address)
        api.announce(PLAIN)
        server.failures.append(("ListPath", grpc.StatusCode.UNAVAILABLE, "gone"))
        with pytest.raises(TransientError):
            api.policies()


def test_unicast_is_what_peers_announced() -> None:
    with stand_in() as server:
        server.prefix("10.80.0.0/26", "fd11::1")
        server.prefix("fd80::/122", "fd11::1")
        server.prefix("10.81.0.0/26", "fd11::1", neighbor="<nil>")
        api = Api(server.address)
        assert api.prefixes(1) == (Reachable("10.80.0.0/26", "fd11::1"),)
        assert api.prefixes(2) == (Reachable("fd80::/122", "fd11::1"),)


def test_it_reconnects_to_a_server_that_came_back() -> None:
    port = free_port()
    with stand_in(port=port) as first:
        api = Api(first.address, timeout=60)
        api.announce(PLAIN)
    with pytest.raises(TransientError):
        api.policies()
    with stand_in(port=port):
        assert api.policies() == ()
    api.close()
