"""Policy changes of the driver under a numbered stream through three real VPPs: `make lab-loss` in short."""

from __future__ import annotations

import os

import pytest

from lab import vpps
from tests.kernels import needed
from tests.vpps import MARKS

pytestmark = MARKS
CHANGES = 100
RATE = 5000
"""Packets per second: the rings between VPP and the pods hold 200 ms of them, for a machine that is busy."""


def test_no_packet_is_lost_over_policy_changes() -> None:
    """Loss counts against the changes, unless the machine loses packets where nothing is changed, too."""
    needed()
    prefix = f"lab-{os.getpid()}-"
    found = vpps.measure(CHANGES, 4 * RATE, RATE, prefix)
    for _ in range(2):  # what changes lose, they lose each time
        if found.lost or found.sent < RATE:
            found = vpps.measure(CHANGES, 4 * RATE, RATE, prefix)
    assert found.sent >= RATE
    assert found.twice == 0
    if found.lost and vpps.measure(0, 4 * RATE, RATE, prefix).lost:
        pytest.skip(f"packets are lost here without any change as well ({found})")
    assert found.lost == 0, str(found)
