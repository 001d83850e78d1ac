"""What people see while something is applied that takes its time."""

from __future__ import annotations

import time

import pytest

from intentc.terminal import Display
from reconciler.apply import Finished, Started
from reconciler.plan import Observation, plan
from renderers.resource import Key, Resource

THING = Resource(Key("vpp", "node/a/n1", "table", "7 ipv4"), {"id": 7})
PLAN = plan({"nodes": [THING]}, {"nodes": Observation({})})


def test_what_takes_long_is_said_again_until_it_is_done(capfd: pytest.CaptureFixture[str]) -> None:
    (action,) = PLAN.actions
    with Display(PLAN, often=0.05) as display:
        display(Started("nodes", action.phase, 1))
        limit, said = time.monotonic() + 10, ""
        while "still at work after 0 s" not in said and time.monotonic() < limit:
            time.sleep(0.02)
            said += capfd.readouterr().err
        display(Finished("nodes", action.phase, ()))
        capfd.readouterr()
        time.sleep(0.2)
        quiet = capfd.readouterr().err
    assert said.startswith("nodes: phase 1 of 1: 1 object\nnodes: phase 1 of 1: still at work after 0 s\n")
    assert "still" not in quiet
    display.reminder.join(5)
    assert not display.reminder.is_alive()
