"""How patiently a target is asked again that could not for now."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Retry:
    """How often, and after how many seconds, a target is asked again; the wait doubles each time."""

    attempts: int = 5
    wait: float = 0.5
    longest: float = 30.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    chance: Callable[[], float] = field(default=random.random, repr=False)
    """A number from 0 to 1: each wait is cut by up to half, so that not all come back at once."""

    def waits(self) -> Iterator[float]:
        """Yield the seconds before each further attempt."""
        wait = self.wait
        for _ in range(self.attempts - 1):
            yield wait * (1 + self.chance()) / 2
            wait = min(2 * wait, self.longest)


PATIENT: Final = Retry()
