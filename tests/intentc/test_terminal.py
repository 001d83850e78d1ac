"""What people see while something is applied that takes its time."""

from __future__ import annotations

import re
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
        limit, said = time.monotonic() + 60, ""
        while "still at work after" not in said and time.monotonic() < limit:
            time.sleep(0.02)
            said += capfd.readouterr().err
        display(Finished("nodes", action.phase, ()))
        assert display.running == {}
    assert re.match(r"nodes: phase 1 of 1: 1 object\nnodes: phase 1 of 1: still at work after \d+ s\n", said)
    display.reminder.join(60)
    assert not display.reminder.is_alive()
    said = capfd.readouterr().err
    assert "phase 1 of 1: done" in said


def test_what_is_done_is_not_said_again(capfd: pytest.CaptureFixture[str]) -> None:
    (action,) = PLAN.actions
    with Display(PLAN, often=0.02) as display:
        display(Started("nodes", action.phase, 1))
        display(Finished("nodes", action.phase, ()))
        capfd.readouterr()
        time.sleep(0.2)
    assert capfd.readouterr().err.count("still at work") <= 1, "one who looked before may say it late"
