"""Policy changes of the driver under a numbered stream through three real VPPs: `make lab-loss` in short."""

from __future__ import annotations

import os

from lab import vpps
from lab.loss import Loss
from tests.kernels import needed
from tests.vpps import MARKS

pytestmark = MARKS
TURNS = 3


def test_no_packet_is_lost_over_policy_changes() -> None:
    """What changes lose, they lose each time; what a busy machine loses in its queues, it does not."""
    needed()
    least: Loss | None = None
    for _ in range(TURNS):
        found = vpps.measure(20, 40_000, 20_000, f"lab-{os.getpid()}-")
        assert found.sent >= 30_000
        assert found.twice == 0
        least = found if least is None or found.lost < least.lost else least
        if not least.lost:
            break
    assert least is not None
    assert least.lost == 0, str(least)
