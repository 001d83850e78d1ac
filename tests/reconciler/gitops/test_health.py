"""Health and metrics over HTTP, also of a loop that is stuck."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import RemoteDisconnected
from pathlib import Path
from threading import Event
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from reconciler.gitops.health import Metrics, pages
from reconciler.health import Health, Pulse
from tests.remotes import Follower, Remote, template


@dataclass
class Server:
    """A server on a clock that tests turn."""

    time: float = 1000.0

    def __post_init__(self) -> None:
        self.pulse = Pulse(lambda: self.time, 60)
        self.metrics = Metrics(lambda: self.time)
        self.health = Health(("127.0.0.1", 0), pages(self.pulse, self.metrics))

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urlopen(f"http://127.0.0.1:{self.health.port}{path}", timeout=60) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.health.close()


def figures(text: str) -> dict[str, float]:
    rows = [row.rpartition(" ") for row in text.splitlines() if not row.startswith("#")]
    return {name: float(value) for name, _, value in rows}


def test_a_loop_that_is_stuck_is_not_alive(server: Server) -> None:
    assert server.get("/livez") == (200, "last progress 0 s ago\n")
    server.time += 60
    assert server.get("/livez")[0] == 200
    server.time += 1
    assert server.get("/livez") == (503, "last progress 61 s ago\n")
    server.pulse.beat()
    assert server.get("/livez?verbose")[0] == 200


def test_a_loop_that_rests_is_alive(server: Server) -> None:
    """An interval may be longer than the silence that is borne."""
    server.pulse.beat(3600)
    server.time += 3660
    assert server.get("/livez") == (200, "last progress 60 s ago\n")
    server.time += 1
    assert server.get("/livez")[0] == 503


def test_a_client_that_goes_away_leaves_no_traceback(
    server: Server, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Event()

    def gone() -> tuple[bytes, str]:
        told.set()
        raise BrokenPipeError

    monkeypatch.setattr(server.metrics, "text", gone)
    with pytest.raises(RemoteDisconnected):
        server.get("/metrics")
    assert told.is_set()
    assert server.get("/livez")[0] == 200
    assert capfd.readouterr().err == ""


def test_ready_is_who_has_applied_a_commit(server: Server) -> None:
    assert server.get("/readyz")[0] == 503
    server.metrics.ready = True
    assert server.get("/readyz") == (200, "ready\n")
    assert server.get("/secrets")[0] == 404


def test_figures_follow_the_turns(server: Server, tmp_path: Path) -> None:
    remote = Remote.made(tmp_path, template(tmp_path / "source"))
    following = Follower(remote, tmp_path / "state", correct=False)
    first = following.turn()
    server.metrics.turn(first)
    found = figures(server.get("/metrics")[1])
    assert found[f'intentc_applied_commit_info{{commit="{remote.head}"}}'] == 1
    assert found['intentc_turns_total{outcome="applied"}'] == 1
    assert first.done is not None
    made = len(first.done.result.outcomes)
    assert found['intentc_actions_total{operation="create",outcome="done"}'] == made > 0
    assert found["intentc_apply_duration_seconds_count"] == 1
    assert found["intentc_lease_held"] == 1
    assert found["intentc_applied_timestamp_seconds"] == following.time
    next((following.state / "rendered").rglob("policy.jsonl")).unlink()
    remote.bare.rename(tmp_path / "aside")
    turn = following.turn(300)
    server.time += 50
    server.metrics.turn(turn)
    found = figures(server.get("/metrics")[1])
    assert turn.drifted
    assert found["intentc_drift_objects"] == len(turn.drifted)
    assert found["intentc_git_errors_total"] == 1
    assert found["intentc_seconds_since_success"] == 50
    assert found['intentc_problem{area="remote"}'] == 1
    assert found['intentc_problem{area="commit"}'] == 0
    assert found['intentc_turns_total{outcome="unreachable"}'] == 1


def test_every_metric_of_the_manual_is_there(server: Server) -> None:
    page = (Path(__file__).parents[3] / "docs" / "run.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(intentc_[a-z_]+)", page))
    assert named
    text = server.get("/metrics")[1]
    assert [name for name in sorted(named) if f"# TYPE {name} " not in text] == []


def test_nobody_is_asked_for_our_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the network is away, DNS takes half a minute to say so."""
    asked: list[str] = []
    monkeypatch.setattr("socket.getfqdn", asked.append)
    Health(("127.0.0.1", 0), {}).close()
    assert asked == []


def test_where_it_cannot_listen_it_says_where() -> None:
    first = Health(("127.0.0.1", 0), {})
    words = f"^cannot listen on 127.0.0.1:{first.port}: Address already in use; say another"
    with pytest.raises(OSError, match=words):
        Health(("127.0.0.1", first.port), {})
    first.close()
