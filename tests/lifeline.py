"""A pipe that programs hold open while they live: at its end all of them have ended, whoever started them."""

from __future__ import annotations

import os
import time
from pathlib import Path

LIMIT = 60.0
"""Seconds that a program may take to end."""


class Lifeline:
    """A pipe by name; `script` is for a shell, which holds it and then does nothing for long."""

    def __init__(self, path: Path) -> None:
        """Make it."""
        os.mkfifo(path)
        self._end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.script = f"exec 9>{path}; echo >&9; sleep 600"

    def was_cut(self) -> bool:
        """Wait until nobody holds it any more; False where nobody ever did."""
        held, limit = False, time.monotonic() + LIMIT
        while time.monotonic() < limit:
            try:
                data = os.read(self._end, 100)
            except BlockingIOError:
                time.sleep(0.01)
                continue
            if not data:
                return held
            held = True
        raise AssertionError("somebody lives on")

    def close(self) -> None:
        """Let go of it."""
        os.close(self._end)
