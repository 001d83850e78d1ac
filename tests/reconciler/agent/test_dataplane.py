"""What tells one run of a data plane from the next."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from reconciler.agent.dataplane import Linux


def test_a_namespace_that_got_the_number_of_one_that_is_gone_is_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.agent.dataplane._NAMESPACES", tmp_path)
    (tmp_path / "blue").touch()
    plane = Linux("w1", "blue")
    first = plane.probe()
    assert plane.probe() == first
    time.sleep(0.05)  # times of files are that coarse
    os.utime(tmp_path / "blue")
    assert plane.probe() != first


def test_the_namespace_of_this_process_stays_the_same() -> None:
    plane = Linux("w1")
    first = plane.probe()
    time.sleep(0.05)
    assert plane.probe() == first
