"""Saved plans and journals that are damaged or forged: refused with words, and nothing is applied."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from fuzz.seeds import seeds
from fuzz.targets import TARGETS
from intentc.cli import run
from reconciler import bound, journal
from tests.hostile import MIB, check_refusal, intentc

WRONG: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    10**400,
    1e308,
    "",
    "\x1b[31m",
    [],
    [[]],
    {},
    {"x": 1},
    "x" * 5000,
)


@pytest.fixture(scope="module")
def saved() -> str:
    """Return a small plan as it is saved."""
    return seeds("plan")[0].decode()


@pytest.fixture(scope="module")
def recorded() -> bytes:
    """Return the journal of a run of that plan."""
    return seeds("journal")[0]


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value; of lists the first and the last entry."""
    yield path
    entries = data.items() if isinstance(data, dict) else ()
    if isinstance(data, list):
        entries = {0: data[0], len(data) - 1: data[-1]}.items() if data else ()
    for step, child in entries:
        yield from places(child, (*path, step))


def put(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a copy with another value at a path."""
    if not path:
        return value
    new = deepcopy(data)
    node = new
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return new


def written(data: Any) -> str:
    """Return a file that says this, laid out as a plan is, so that only what it says can be wrong."""
    laid_out = isinstance(data, dict) and all(
        isinstance(data.get(name), list) for name in ("intent", "actions")
    )
    return "".join(bound.write(data)) if laid_out else json.dumps(data)


def refusal(raw: str) -> str:
    with pytest.raises(ValueError, match=r"plan") as found:
        bound.read(raw)
    return str(found.value)


def test_every_cut_of_a_plan_is_refused(saved: str) -> None:
    for length in range(0, len(saved) - 1, 37):
        assert "plan" in refusal(saved[:length])


def test_every_flipped_bit_of_a_plan_is_refused(saved: str) -> None:
    raw = saved.encode()
    for at in range(0, len(raw), 11):
        changed = raw[:at] + bytes([raw[at] ^ (1 << at % 7)]) + raw[at + 1 :]
        refusal(changed.decode("utf-8", "replace"))


def test_a_wrong_value_at_any_place_of_a_plan_is_refused(saved: str) -> None:
    data = json.loads(saved)
    found = list(places(data))
    assert len(found) > 100
    for path in found:
        node = data
        for step in path:
            node = node[step]
        for value in WRONG:
            if value == node and type(value) is type(node):
                continue
            with pytest.raises(ValueError, match=r"plan") as refused:
                bound.read(written(put(data, path, value)))
            assert str(refused.value).isprintable()


def test_a_field_too_many_or_too_few_is_refused(saved: str) -> None:
    data = json.loads(saved)
    for path in places(data):
        node = data
        for step in path:
            node = node[step]
        if isinstance(node, dict):
            with pytest.raises(ValueError, match=r"plan"):
                bound.read(written(put(data, (*path, "\x1b[31m more"), 1)))
            for name in node:
                less = {key: child for key, child in node.items() if key != name}
                with pytest.raises(ValueError, match=r"plan"):
                    bound.read(written(put(data, path, less)))


PLANS: Mapping[str, Callable[[str], str | bytes]] = {
    "empty": lambda _: "",
    "cut in the middle": lambda text: text[: len(text) // 2],
    "without its end": lambda text: text.rstrip()[:-1],
    "something behind it": lambda text: text + "{}",
    "twice": lambda text: text * 2,
    "a key twice": lambda text: text.replace('"project":', '"project": "x",\n"project":', 1),
    "other blanks": lambda text: text.replace(": ", ":  ", 1),
    "a number of a million digits": lambda text: text.replace(
        '"unchanged":', '"unchanged": ' + "9" * 10**6 + ', "x":'
    ),
    "a number that is none": lambda _: '{"format": NaN}',
    "lists 100,000 deep": lambda _: "[" * 100_000,
    "plan in a deep list": lambda text: (
        f'{{"format": "intentc-plan/1", "id": {"[" * 900}{"]" * 900}}}' + text[:0]
    ),
    "mappings 100,000 deep": lambda _: '{"a":' * 100_000,
    "10 MiB of text": lambda _: "x" * 10 * MIB,
    "10 MiB in one string": lambda _: '{"format": "' + "x" * 10 * MIB + '"}',
    "NULs": lambda _: b"\0" * 4096,
    "UTF-16": lambda text: text.encode("utf-16"),
    "byte-order mark": lambda text: "\ufeff" + text,
    "lone surrogate": lambda text: text.replace('"project": "', '"project": "\\ud800', 1),
    "terminal codes": lambda text: text.replace('"project":', '"\\u001b[31m":', 1),
    "of another format": lambda text: text.replace("intentc-plan/", "intentc-plan/9", 1),
    "of another sort": lambda _: "apiVersion: v1\nkind: ConfigMap\n",
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with a plan that was saved and not applied."""
    root = tmp_path_factory.mktemp("hostile") / "repo"
    assert run(["init", str(root)]) == 0
    assert run(["-C", str(root), "plan", "--out", str(root / "plan.json")]) == 2
    return root


@pytest.mark.parametrize("case", PLANS)
def test_a_corrupt_plan_is_refused_and_applies_nothing(case: str, repository: Path) -> None:
    made = PLANS[case]((repository / "plan.json").read_text())
    bad = repository / "bad.json"
    bad.write_bytes(made if isinstance(made, bytes) else made.encode("utf-8", "surrogatepass"))
    ran = intentc(repository, "apply", "--yes", "bad.json")
    check_refusal(ran)
    assert "bad.json" in ran.text
    assert not (repository / "rendered").exists()


ODD: Mapping[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "zeros without end": lambda path: path.symlink_to("/dev/zero"),
    "a folder": Path.mkdir,
    "a link to itself": lambda path: path.symlink_to(path.name),
    "nothing": lambda path: path,
}


@pytest.mark.parametrize("case", ODD)
def test_a_plan_that_is_no_file_is_refused(case: str, repository: Path, tmp_path: Path) -> None:
    ODD[case](tmp_path / "bad.json")
    ran = intentc(repository, "apply", "--yes", str(tmp_path / "bad.json"))
    check_refusal(ran)
    assert not (repository / "rendered").exists()


# Journals: a record, never the truth, so damage is told and stops nobody


def read(raw: bytes, folder: Path) -> journal.Run:
    path = folder / "a.journal"
    path.write_bytes(raw)
    TARGETS["journal"](raw)
    return journal.read(path)


def test_a_journal_that_was_cut_is_believed_as_far_as_it_goes(recorded: bytes, tmp_path: Path) -> None:
    whole = read(recorded, tmp_path)
    assert not whole.damage
    lines = recorded.count(b"\n")
    for length in range(len(recorded)):
        found = read(recorded[:length], tmp_path)
        assert not found.damage, "a write that was cut off is no damage"
        assert len(found.parts) <= len(whole.parts)
        assert found.plan in ("", whole.plan)
    assert lines > 5


def test_a_journal_that_was_changed_says_so(recorded: bytes, tmp_path: Path) -> None:
    last = recorded.rstrip(b"\n").rindex(b"\n")  # behind it, a line may be torn
    for at in range(0, last, 3):
        changed = recorded[:at] + bytes([recorded[at] ^ 1]) + recorded[at + 1 :]
        assert read(changed, tmp_path).damage, f"byte {at}"


@pytest.mark.parametrize(
    "record",
    [
        *(
            "1",
            "null",
            "[]",
            "{}",
            '"x"',
            "{",
            "nonsense",
            "[" * 50_000,
            "9" * 5000,
            '{"begin": 1}',
            '{"begin": [[], {}]}',
        ),
        *('{"begin": ["a", 0], "actions": [[0, 99]]}', '{"begin": ["a", 0], "actions": [[1e999, 2]]}'),
        *('{"end": ["a", 0], "done": 1, "failed": []}', '{"end": ["a", 0], "done": [], "failed": [1]}'),
        '{"begin": ["\\u001b[31m", "x"], "actions": [[0, 0]]}',
    ],
)
def test_a_journal_that_was_forged_is_damage_and_no_crash(
    record: str, recorded: bytes, tmp_path: Path
) -> None:
    found = read(recorded + b'{"hash":"","record":' + record.encode() + b"}\n", tmp_path)
    assert found.summary is not None
    assert read(b'{"hash":"","record":' + record.encode() + b"}\n", tmp_path).parts == ()


def test_bytes_that_are_no_journal(tmp_path: Path) -> None:
    for raw in (b"", b"\n", b"\0" * 4096, b"\n" * 100_000, bytes(range(256)) * 100, b"x" * 10 * MIB + b"\n"):
        assert read(raw, tmp_path).entries == ()
