"""The brake on crash loops: a data plane that dies of what it is told must not be told it at full speed.

The first restarts are taken for accidents, and all is applied again at once. From then on the wait doubles
with each restart; when none came for some time, they are forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

FREE: Final = 2
"""So many restarts in a row are followed at once."""
WINDOW: Final = 600.0
"""Seconds without a restart after which those before are forgotten."""
FIRST: Final = 5.0
"""Seconds that are waited after the first restart that is not free."""
LONGEST: Final = 300.0
"""Seconds that are waited at most."""
_KEPT: Final = 16


def counted(restarts: Sequence[float], now: float) -> tuple[float, ...]:
    """Return the restarts in a row, with one more that happened now."""
    recent = restarts if restarts and now - restarts[-1] < WINDOW else ()
    return (*recent, now)[-_KEPT:]


def held_until(restarts: Sequence[float]) -> float:
    """Return when all may be applied again, on the clock that the restarts were taken on."""
    if len(restarts) <= FREE:
        return float("-inf")
    return restarts[-1] + min(FIRST * 2.0 ** (len(restarts) - FREE - 1), LONGEST)
