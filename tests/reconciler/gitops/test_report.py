"""What the loop tells: state on disk, what is news, the log, the status file, and the user's command."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from reconciler.gitops.report import Reporter
from reconciler.gitops.state import Area, Event, Problem, State, load, news, problem, save, settled
from reconciler.gitops.turn import Turn
from reconciler.telling import Log
from tests.lifeline import Lifeline

NOW = 1_700_000_000.0
HASH = "a" * 40


def test_a_state_reads_as_it_was_written(tmp_path: Path) -> None:
    wrong = problem("refused", "why", NOW, key=["brake"], commit=HASH, details=["x"] * 200)
    state = State(HASH, HASH, "b" * 40, {"policy": 3}, (HASH,), {"commit": wrong})
    save(tmp_path / "state.json", state)
    assert load(tmp_path / "state.json") == state
    assert len(wrong.details) == 101
    assert wrong.details[-1] == "and 100 more"
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_every_damage_to_a_state_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    save(file, State(HASH, HASH, HASH))
    whole = file.read_bytes()
    for at in range(len(whole) - 2):
        file.write_bytes(whole[:at])
        assert isinstance(load(file), str), f"cut at {at}"
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        found = load(file)
        assert isinstance(found, str) or found == State(HASH, HASH, HASH), f"flipped at {at}"
    file.write_text("[" * 100_000)
    assert isinstance(load(file), str)
    file.unlink()
    assert load(file) == "there is none"


def test_a_remote_cannot_fill_the_state_with_its_words() -> None:
    said = problem("unreachable", "x" * 10**6, NOW, details=["y" * 10**6, "\udcff"])
    assert len(said.why) == 2000
    assert [len(line) for line in said.details] == [2000, len(r"\udcff")]


def test_a_problem_is_news_when_it_appears_or_becomes_another() -> None:
    first = problem("failed", "1 of 2", NOW, key=["t"])
    again = problem("failed", "2 of 2", NOW + 9, key=["t"])
    other = problem("failed", "1 of 2", NOW + 9, key=["t", "u"])
    none: dict[Area, Problem] = {}
    one = settled(none, {"apply": first})
    assert [event.news for event in news(none, one)] == ["failed"]
    two = settled(one, {"apply": again})
    assert two["apply"].since == NOW
    assert two["apply"].why == "2 of 2"
    assert news(one, two) == []
    three = settled(two, {"apply": other})
    assert [event.message for event in news(two, three)] == ["1 of 2"]
    assert settled(three, {}) == three, "what nobody looked at stays"
    four = settled(three, {"apply": None})
    assert four == {}
    assert [event.news for event in news(three, four)] == ["recovered"]
    assert news(four, four) == []


def test_a_log_is_lines_for_people_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    Log(stream, "text", lambda: NOW)("error", "bad\x1b[2J", details=["a\nb"] * 30)
    rows = stream.getvalue().splitlines()
    assert rows[0] == "2023-11-14T22:13:20Z error   bad?[2J"
    assert rows[1] == "    a?b"
    assert rows[-1] == "    and 10 more"
    stream = io.StringIO()
    Log(stream, "json", lambda: NOW)("error", "bad\x1b[2J", details=["a\nb"])
    (row,) = stream.getvalue().splitlines()
    assert json.loads(row) == {
        "time": "2023-11-14T22:13:20Z",
        "level": "error",
        "message": "bad\x1b[2J",
        "details": ["a\nb"],
    }
    stream.close()
    Log(stream, "text", lambda: NOW)("error", "nobody listens")
    assert capsys.readouterr().err == ""


def reporter(tmp_path: Path, *notify: str, patience: float = 10.0) -> tuple[Reporter, io.StringIO]:
    stream = io.StringIO()
    log = Log(stream, "text", lambda: NOW)
    return Reporter(log, tmp_path / "status.json", notify, patience, {"branch": "main"}), stream


def test_the_command_of_the_user_gets_the_event_and_no_shell(tmp_path: Path) -> None:
    out = tmp_path / "out; touch shell"
    script = (
        "import os, sys; open(sys.argv[1], 'w').write(os.environ['INTENTC_EVENT'] + ' ' + sys.stdin.read())\n"
        "print('noise'); sys.exit(3)"
    )
    found, stream = reporter(tmp_path, sys.executable, "-c", script, str(out))
    found.event(Event("bad-commit", "why", HASH, ("intent/a.yaml:1:1: error",)))
    word, _, content = out.read_text().partition(" ")
    assert word == "bad-commit"
    assert json.loads(content) == {
        "time": "2023-11-14T22:13:20Z",
        "event": "bad-commit",
        "message": "why",
        "commit": HASH,
        "details": ["intent/a.yaml:1:1: error"],
    }
    assert "warning notify command: exit code 3" in stream.getvalue()
    assert sorted(path.name for path in tmp_path.iterdir()) == [out.name]


def test_a_command_that_hangs_or_is_none_stops_nothing(tmp_path: Path) -> None:
    helper = Lifeline(tmp_path / "alive")
    script = f"import subprocess; subprocess.run(['sh', '-c', {helper.script!r}])"
    for patience in (0.3, 5.0, 60.0):  # a busy machine may not start it sooner
        found, stream = reporter(tmp_path, sys.executable, "-c", script, patience=patience)
        found.event(Event("failed", "why"))
        assert "did not end in time" in stream.getvalue()
        if helper.was_cut():
            break
    else:
        pytest.fail("it never began")
    helper.close()
    found, stream = reporter(tmp_path, str(tmp_path / "no-such-command"))
    found.event(Event("failed", "why"))
    assert "could not be run" in stream.getvalue()


def test_the_status_says_what_is_wrong_and_keeps_what_was_known(tmp_path: Path) -> None:
    found, stream = reporter(tmp_path)
    wrong = problem("bad-commit", "2 errors", NOW, key=["compile"], commit=HASH, details=["a.yaml:1:1: x"])
    remote = problem("unreachable", "no route", NOW - 60, key=["remote"])
    found.turn(Turn(State(HASH, applied="b" * 40), drifted=()))
    found.turn(Turn(State(HASH, applied="b" * 40, problems={"remote": remote, "commit": wrong})))
    said = json.loads((tmp_path / "status.json").read_text())
    assert said["condition"] == "bad-commit"
    assert said["since"] == "2023-11-14T22:12:20Z"
    assert (said["head"], said["applied"], said["branch"]) == (HASH, "b" * 40, "main")
    assert said["problems"][1] == {
        "area": "commit",
        "word": "bad-commit",
        "why": "2 errors",
        "since": "2023-11-14T22:13:20Z",
        "commit": HASH,
        "details": ["a.yaml:1:1: x"],
    }
    assert said["drift"] == []
    (tmp_path / "status.json").unlink()
    (tmp_path / "status.json").mkdir()
    found.turn(Turn(State()))
    assert "cannot write" in stream.getvalue()
