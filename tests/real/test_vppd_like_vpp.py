"""The stand-in answers as a real VPP does: each request of each sequence, and all that both show after it.

What a real VPP answers is written down (`--update-golden`), for tests of the stand-in alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from reconciler.drivers.vpp.driver import Vpp
from tests.vpp_rig import SCOPE
from tests.vppd.definitions import api_json
from tests.vppd.peer import Died, Peer
from tests.vppd.requests import Request, comparable, everything
from tests.vppd.sequences import CRASHES, GOLDEN, SEQUENCES
from tests.vppd.server import StandIn
from tests.vpps import MARKS, started

pytestmark = MARKS


@dataclass
class Pair:
    """Both, with a client each."""

    real: Peer
    like: Peer

    def same(self, request: Request) -> int:
        """Ask both, and expect the same of both; return how it went."""
        answers = [peer.ask(request.name, **request.fields) for peer in (self.real, self.like)]
        assert comparable(answers[1]) == comparable(answers[0]), request
        shown, like = everything(self.real), everything(self.like)
        for part in shown.keys() | like.keys():
            assert like.get(part) == shown.get(part), (part, request)
        return int(answers[0]["retval"])


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    like = StandIn(tmp_path / "like.sock")
    with started(tmp_path) as socket, like, Peer(socket) as real, Peer(like.path) as peer:
        yield Pair(real, peer)


@pytest.mark.parametrize("name", SEQUENCES)
def test_the_same_requests_do_the_same(pair: Pair, name: str) -> None:
    retvals = [pair.same(request) for request in SEQUENCES[name]]
    assert retvals == json.loads(GOLDEN.read_text(encoding="utf-8"))[name]


def test_answers_are_written_down(tmp_path: Path, update_golden: bool) -> None:  # noqa: FBT001 -- a fixture
    if not update_golden:
        pytest.skip("only with --update-golden")
    rows = []
    for at, (name, requests) in enumerate(SEQUENCES.items()):
        folder = tmp_path / str(at)
        folder.mkdir()
        with started(folder) as socket, Peer(socket) as peer:
            found = [peer.retval(request.name, **request.fields) for request in requests]
        rows.append(f"  {json.dumps(name)}: {found}")
    GOLDEN.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


@pytest.mark.parametrize("name", CRASHES)
def test_the_same_requests_kill(tmp_path: Path, name: str) -> None:
    *before, last = CRASHES[name]
    with started(tmp_path, dies=True) as real, StandIn(tmp_path / "like.sock") as like:
        for path in (real, like.path):
            with Peer(path) as peer:
                for request in before:
                    assert peer.retval(request.name, **request.fields) == 0
                with pytest.raises(Died):
                    (peer.rows if last.name.endswith("_dump") else peer.ask)(last.name, **last.fields)
        assert like.deaths == [last.name]


def test_vpp_answers_after_many_clients_have_come_and_gone(tmp_path: Path) -> None:
    with started(tmp_path) as socket, Peer(socket) as peer:
        for _ in range(20):
            driver = Vpp("w1", SCOPE, str(socket))
            assert driver.observe().resources == {}
            driver.close()
            assert peer.ask("control_ping")["retval"] == 0


def test_messages_are_laid_out_as_vpp_says(tmp_path: Path) -> None:
    with started(tmp_path) as socket, Peer(socket) as peer:
        assert peer.missing == []
        said = json.loads(peer.ask("get_api_json")["json"])
    bundled = resources.files("vpp_papi.data").joinpath("memclnt.api.json").read_text()
    (like,) = json.loads(api_json())
    for part in ("messages", "types", "unions", "enums"):
        known = {
            row[0]: _plain(row) for module in [*said, json.loads(bundled)] for row in module.get(part, [])
        }
        for row in like[part]:
            assert _plain(row) == known[row[0]]
    services = {
        name: row for module in [*said, json.loads(bundled)] for name, row in module["services"].items()
    }
    for name, row in like["services"].items():
        assert {key: services[name].get(key) for key in row} == row
    aliases = {name: row for module in said for name, row in module["aliases"].items()}
    assert like["aliases"] == {name: aliases[name] for name in like["aliases"]}


def _plain(said: Any) -> Any:
    """Return a definition without comments and options, and without cases of unions."""
    if isinstance(said, list):
        return [_plain(part) for part in said if _plain(part) != {}]
    if isinstance(said, dict):
        return {key: str(said[key]).lower() for key in ("crc", "enumtype", "default") if key in said}
    return said
