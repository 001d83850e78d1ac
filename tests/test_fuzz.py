"""The targets of the fuzzer hold for what it begins with, and for what a few cuts and flips make of it.

`make fuzz` looks further, guided by coverage; this keeps the targets working, and finds what is plain.
"""

from __future__ import annotations

import pytest

from fuzz.seeds import seeds, words
from fuzz.targets import TARGETS, BrokenError, check

STEPS = 60


@pytest.fixture(scope="module", params=TARGETS)
def target(request: pytest.FixtureRequest) -> tuple[str, list[bytes]]:
    return request.param, seeds(request.param)


def test_a_target_holds_for_what_it_begins_with(target: tuple[str, list[bytes]]) -> None:
    name, inputs = target
    assert inputs
    for data in inputs:
        TARGETS[name](data)


def test_a_target_holds_for_damaged_inputs(target: tuple[str, list[bytes]]) -> None:
    name, inputs = target
    signs = [word.encode() for word in words()] + [b"\0", b"\xff", b"\xe2\x80\xae", b"9" * 5000, b"[" * 2000]
    for data in inputs:
        step = max(1, len(data) // STEPS)
        for number, at in enumerate(range(0, len(data), step)):
            sign = signs[number % len(signs)]
            for damaged in (
                data[:at],
                data[at:],
                data[:at] + sign + data[at:],
                data[:at] + sign + data[at + 9 :],
            ):
                TARGETS[name](damaged)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("loader", b"a: 1\nbc"),
        ("loader", b"a: \x00\n"),
        ("loader", b'a: "\\e"\n'),
        ("journal", b'{"hash":"","record":nonsense}\n'),
        ("plan", b'{"format": "intentc-plan/1", "\\u001b[31m": 1}'),
        ("ledger", b"# intentc ledger 1: x\nA pods@c 1.0.0.0/" + b"9" * 5000 + b"\nB pods@c 1.0.0.0/8\n"),
    ],
)
def test_what_was_found_once(name: str, data: bytes) -> None:
    TARGETS[name](data)


def test_a_broken_invariant_is_a_finding() -> None:
    with pytest.raises(BrokenError):
        check(False, "this cannot be")
