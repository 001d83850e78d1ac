"""A driver whose words are free of secrets, whatever goes wrong in it."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any, cast

import pytest

from reconciler.apply import apply
from reconciler.discreet import Discreet
from reconciler.drivers.base import (
    Batch,
    Driver,
    DriverError,
    Observation,
    Outcome,
    PermanentError,
    TransientError,
)
from reconciler.drivers.simulator import Simulator
from reconciler.plan import plan
from reconciler.secrets import redactor
from renderers.resource import Key, Resource

CANARY = "canary-value"
THING = Resource(Key("vpp", "node/a/n", "vrf", "1"), {"table": 1})


class Talkative(Simulator):
    """Says a secret in everything that it says."""

    error: Exception

    def observe(self) -> Observation:
        return Observation({}, complete=False, why=f"not {CANARY}")

    def commit(self, batch: Batch) -> tuple[Outcome, ...]:
        raise self.error from KeyError(CANARY, batch)


def discreet(error: Exception | None = None) -> Discreet:
    driver = Talkative()
    driver.error = error or PermanentError("")
    return Discreet(driver, redactor([CANARY]))


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (TransientError(f"401 {CANARY}"), TransientError, "401 [secret]"),
        (PermanentError(f"401 {CANARY}"), PermanentError, "401 [secret]"),
        (ValueError(CANARY), PermanentError, "ValueError: [secret]"),
        (UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, "bad"), PermanentError, "UnicodeDecodeError"),
    ],
)
def test_errors_are_redacted_with_their_causes(error: Exception, kind: type[DriverError], words: str) -> None:
    with pytest.raises(kind) as caught:
        discreet(error).commit(Batch(()))
    assert words in str(caught.value)
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


def test_reasons_of_single_objects_are_redacted() -> None:
    with pytest.raises(PermanentError) as caught:
        discreet(PermanentError("", {THING.key: f"no {CANARY}"})).commit(Batch(()))
    assert caught.value.refused == {THING.key: "no [secret]"}


def test_what_is_no_error_is_redacted_too() -> None:
    assert discreet().observe().why == "not [secret]"

    class Failing(Simulator):
        def commit(self, batch: Batch) -> tuple[Outcome, ...]:
            return tuple(Outcome(action, "failed", CANARY) for action in batch.actions)

    changes = plan({"t": [THING]}, {"t": Observation({})})
    (outcome,) = Discreet(Failing(), redactor([CANARY])).commit(Batch(changes.actions))
    assert outcome.message == "[secret]"


def test_everything_else_is_passed_on() -> None:
    inner = Simulator("t")
    driver = Discreet(inner, redactor([]))
    changes = plan({"t": [THING]}, {"t": driver.observe()})
    assert apply(changes, {"t": driver}).failed == ()
    assert inner.ours == {THING.key: THING}
    assert (driver.name, driver.fences, driver.vault) == ("t", inner.fences, None)
    driver.close()


@pytest.mark.parametrize(
    "call",
    [
        lambda driver: driver.lease(),
        lambda driver: driver.swap_lease(None, None),
        lambda driver: driver.stage([]),
        lambda driver: driver.verify(Batch(())),
        lambda driver: driver.close(),
        lambda driver: driver.observe(),
    ],
)
def test_every_method_is_guarded(call: Callable[[Any], object]) -> None:
    with pytest.raises(PermanentError, match=r"the driver broke \(RuntimeError: \[secret\]\)"):
        call(Discreet(cast("Driver", Broken()), redactor([CANARY])))


class Broken:
    """Fails in all that it is asked."""

    name, fences, vault = "t", True, None

    def __getattr__(self, name: str) -> Callable[..., None]:
        def fail(*_: object) -> None:
            raise RuntimeError(CANARY)

        return fail
