"""What tells one run of a data plane from the next."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.agent.dataplane import Linux
from tests.agents import until


def test_a_namespace_that_got_the_number_of_one_that_is_gone_is_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.agent.dataplane._NAMESPACES", tmp_path)
    blue = tmp_path / "blue"
    blue.touch()
    plane = Linux("w1", "blue")
    first, made = plane.probe(), blue.stat().st_ctime_ns
    assert plane.probe() == first

    def touched() -> bool:
        os.utime(blue)
        return blue.stat().st_ctime_ns != made

    until(touched)  # times of files are coarse
    assert plane.probe() != first


def test_the_namespace_of_this_process_stays_the_same() -> None:
    plane = Linux("w1")
    assert plane.probe() == plane.probe()
