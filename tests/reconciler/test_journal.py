from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.drivers.base import Outcome, Status
from reconciler.journal import Entry, Journal, Part, Unwritable, latest, parse, read
from reconciler.plan import Action, Plan
from renderers.resource import Key, Resource
from renderers.rules import Impact

HOLDER = "ann@n1 (process 12 since 34 of abc/1)"
NOON = 1_700_000_000.25


def action(number: int, target: str = "east", phase: int = 2) -> Action:
    resource = Resource(Key("vpp", "node/a/n", "vrf", str(number)), {"secret": "canary"})
    return Action(target, "create", phase, None, resource, "", Impact("hitless", ""))


def planned(count: int = 20) -> Plan:
    return Plan(tuple(action(number) for number in range(count)))


def outcomes(plan: Plan, statuses: dict[int, tuple[Status, str]] | None = None) -> list[Outcome]:
    told = statuses or {}
    return [Outcome(a, *told.get(number, ("done", ""))) for number, a in enumerate(plan.actions)]


def opened(folder: Path, plan: Plan) -> Journal:
    return Journal(folder, plan, lambda: NOON).open("abc123", HOLDER, {"east": 7})


def whole(folder: Path, plan: Plan) -> Path:
    with opened(folder, plan) as journal:
        journal.begin(plan.actions)
        journal.end(outcomes(plan), str)
        journal.record({"finished": True})
    return journal.path


def test_a_run_is_read_back(tmp_path: Path) -> None:
    plan = planned()
    told: dict[int, tuple[Status, str]] = {
        3: ("failed", "no"),
        4: ("failed", "no"),
        9: ("skipped", "needs 3"),
    }
    with opened(tmp_path / "new" / "folder", plan) as journal:
        journal.begin(plan.actions)
        journal.end(outcomes(plan, told), str.upper)
        journal.record({"finished": True})
    run = read(journal.path)
    assert (run.plan, run.holder, run.started) == ("abc123", HOLDER, "2023-11-14T22:13:20.250Z")
    assert run.tokens == {"east": 7}
    assert run.entries[3] == Entry("east", "create", "vpp:node/a/n:vrf:3")
    assert len(run.entries) == 20
    assert run.parts == (
        Part("east", 2, ((0, 19),), ended=True, done=((0, 2), (5, 8), (10, 19)), failed=(("NO", ((3, 4),)),)),
    )
    assert (run.finished, run.damage, run.stopped, run.in_flight, run.summary) == (True, "", "", (), "")


def test_a_run_that_broke_off_tells_what_was_in_flight_and_by_whom(tmp_path: Path) -> None:
    plan = planned()
    with opened(tmp_path, plan) as journal:
        journal.begin(plan.actions[:6])
        journal.end(outcomes(plan)[:6], str)
        journal.begin(plan.actions[6:9])
        journal.begin(plan.actions[7:20])  # another attempt, after one object was refused
    run = read(journal.path)
    assert run.in_flight == run.entries
    assert run.summary == (
        "the run of 2023-11-14T22:13:20.250Z by ann@n1 (process 12) broke off in the middle of phase 2 "
        "at target east; 20 objects were in flight"
    )


def test_what_one_part_did_is_not_in_flight_while_another_is(tmp_path: Path) -> None:
    east, west = action(1, "east"), action(1, "west")
    with opened(tmp_path, Plan((east, west))) as journal:
        journal.begin([east])
        journal.begin([west])
        journal.end([Outcome(east, "done")], str)
    run = read(journal.path)
    assert run.in_flight == (Entry("west", "create", "vpp:node/a/n:vrf:1"),)
    assert run.summary.endswith("in the middle of phase 2 at target west; 1 object was in flight")


def test_a_run_that_broke_off_between_batches_says_so(tmp_path: Path) -> None:
    with opened(tmp_path, planned()) as journal:
        pass
    assert read(journal.path).summary.endswith("by ann@n1 (process 12) broke off")


def test_why_everything_was_stopped_is_kept(tmp_path: Path) -> None:
    with opened(tmp_path, planned()) as journal:
        journal.record({"stopped": "a bug"})
    assert read(journal.path).stopped == "a bug"


def test_nothing_of_a_spec_is_written_down_and_words_are_redacted(tmp_path: Path) -> None:
    plan = planned(2)
    with opened(tmp_path, plan) as journal:
        journal.begin(plan.actions)
        journal.end(
            outcomes(plan, {1: ("failed", "token canary is bad")}), lambda s: s.replace("canary", "***")
        )
    assert "canary" not in journal.path.read_text()
    assert "token *** is bad" in journal.path.read_text()


def test_others_cannot_read_a_journal(tmp_path: Path) -> None:
    assert whole(tmp_path, planned()).stat().st_mode & 0o077 == 0


def test_long_words_of_a_target_are_cut(tmp_path: Path) -> None:
    plan = planned(1)
    with opened(tmp_path, plan) as journal:
        journal.end(outcomes(plan, {0: ("failed", "x" * 10_000)}), str)
    assert journal.path.stat().st_size < 1500


def test_each_object_costs_the_same_number_of_bytes(tmp_path: Path) -> None:
    sizes = [whole(tmp_path, planned(count)).stat().st_size / count for count in (1000, 4000)]
    assert sizes == pytest.approx([42, 42], abs=1)


def test_each_line_is_json(tmp_path: Path) -> None:
    lines = whole(tmp_path, planned()).read_text().splitlines()
    assert [sorted(json.loads(line)) for line in lines] == [["hash", "record"]] * 4


def test_a_record_is_on_the_disk_before_it_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes] = []
    plan = planned()

    def note(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        synced.append(path.read_bytes().splitlines()[-1] if path.is_file() else b"folder")

    monkeypatch.setattr(os, "fsync", note)
    with opened(tmp_path, plan) as journal:
        assert b'"plan":"abc123"' in synced[-2]
        assert synced[-1] == b"folder"
        journal.begin(plan.actions)
        assert b'"begin"' in synced[-1]
        journal.end(outcomes(plan), str)
        assert b'"end"' in synced[-1]


def test_the_last_run_is_found(tmp_path: Path) -> None:
    assert latest(tmp_path / "nowhere") is None
    plan = planned(1)
    clock = iter([5.0, 6.0, 50_000.0, 50_001.0, 700.0, 701.0])
    for name in ("first", "last", "middle"):
        Journal(tmp_path, plan, lambda: next(clock)).open(name, "ann", {}).close()
    (tmp_path / "99999999T.txt").touch()
    os.mkfifo(tmp_path / "99999999T.journal")
    found = latest(tmp_path)
    assert found is not None
    assert found.plan == "last"


def test_a_disk_that_is_full_at_the_start_stops_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(Unwritable, match=r"cannot write the journal .*: No space left on device"):
        opened(tmp_path, planned())
    assert not list(tmp_path.iterdir()), "the loop comes again, and empty ones would crowd out what was kept"


def test_a_folder_that_cannot_be_made_stops_all(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unwritable, match="Not a directory"):
        opened(tmp_path / "file" / "journals", planned())


def test_after_a_record_that_was_cut_off_nothing_more_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned()
    journal = opened(tmp_path, plan)
    write = os.write

    def full(handle: int, content: bytes) -> int:
        write(handle, content[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(Unwritable):
            journal.begin(plan.actions)
    with pytest.raises(Unwritable, match="is closed"):
        journal.end(outcomes(plan), str)
    run = read(journal.path)
    assert (run.damage, run.plan, run.parts) == ("", "abc123", ())


def test_writes_that_come_in_parts_are_put_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, content: write(handle, content[:7]))
    assert read(whole(tmp_path, planned())).finished


def test_a_torn_tail_is_no_damage_wherever_it_was_torn(tmp_path: Path) -> None:
    path = whole(tmp_path, planned())
    raw = path.read_bytes()
    ends = [number for number, byte in enumerate(raw) if byte == ord("\n")]
    for length in range(len(raw)):
        run = parse(path, raw[:length])
        assert run.damage == ""
        assert not run.finished
        assert bool(run.plan) == (length > ends[0])
        assert len(run.in_flight) == (20 if ends[1] < length <= ends[2] else 0)


def test_a_last_line_of_noise_is_a_torn_one(tmp_path: Path) -> None:
    path = whole(tmp_path, planned())
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + b"\0" * 100 + b"\n")
    run = read(path)
    assert (run.damage, run.finished, len(run.parts)) == ("", False, 1)


def test_every_byte_that_changed_is_found_and_its_line_named(tmp_path: Path) -> None:
    path = whole(tmp_path, planned(3))
    raw = path.read_bytes()
    last = raw.rstrip(b"\n").rfind(b"\n")
    for place in range(last):
        run = parse(path, raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
        line = raw[:place].count(b"\n") + 1
        assert run.damage == f"line {line} was changed, or one before it is lost"
        assert str(path) in run.summary


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_line_that_was_taken_out_is_found(tmp_path: Path, number: int) -> None:
    path = whole(tmp_path, planned())
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
    damage = read(path).damage
    assert damage.startswith(f"line {number + 1} ") or (
        number == 2 and damage == ""
    )  # then it is the last one


def test_lines_that_changed_places_are_found(tmp_path: Path) -> None:
    path = whole(tmp_path, planned())
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[2], lines[1], lines[3]]))
    assert read(path).damage.startswith("line 2 ")


def test_what_stands_before_the_damage_is_believed(tmp_path: Path) -> None:
    path = whole(tmp_path, planned())
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"x\n", *lines[3:]]))
    run = read(path)
    assert run.damage.startswith("line 3 ")
    assert len(run.in_flight) == 20


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"format": "intentc-journal/0"},
        {"begin": ["east", 2], "actions": [[0, 10**12]]},
        {"begin": ["east", 2], "actions": [[-3, 1]]},
        {"begin": ["east", 2], "actions": 7},
        {"begin": [["east"], 2], "actions": []},
        {"begin": ["east", 2]},
        {"end": 5},
        {"end": ["east", 2], "done": [["a", "b"]], "failed": [], "skipped": []},
        [],
        "text",
        None,
    ],
)
def test_a_file_that_says_what_is_never_written_is_damaged(tmp_path: Path, record: object) -> None:
    with opened(tmp_path, planned()) as journal:
        pass
    raw = journal.path.read_bytes() if isinstance(record, dict) and "format" not in record and record else b""
    chain = json.loads(raw)["hash"] if raw else ""
    text = json.dumps(record, separators=(",", ":")).encode()
    hashed = hashlib.sha256(chain.encode() + text).hexdigest()[:32].encode()
    journal.path.write_bytes(raw + b'{"hash":"' + hashed + b'","record":' + text + b"}\n")
    assert read(journal.path).damage.startswith("it says what intentc does not write")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert read(tmp_path / "gone.journal").damage == "No such file or directory"
    assert read(tmp_path).damage == "Is a directory"


@given(st.binary(max_size=300))
def test_noise_is_read_without_an_error(raw: bytes) -> None:
    assert not parse(Path("noise.journal"), raw).finished
