"""The stop-watch: each case in a process of its own, several times; CPU seconds as the kernel counts them."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
_CHANGES: Final = 2
"""Exit code of a plan that has changes."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What one case cost."""

    cpu: float
    """CPU seconds, user and system, median of the runs."""
    least: float
    """… and the smallest: what the noise of a shared machine leaves alone."""
    memory: int
    """Peak resident set in MiB, largest of the runs."""
    output: str


def timed(
    command: Sequence[str],
    runs: int,
    before: Callable[[], None] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    where: Path = ROOT,
) -> Figure:
    """Run a command once for nothing (its modules are compiled, its cache is filled), then several times."""
    seconds, memory, output = [], 0, ""
    for turn in range(runs + 1):
        if before:
            before()
        with tempfile.TemporaryFile("w+") as out:
            process = subprocess.Popen(
                command,
                cwd=where,
                stdout=out,
                stderr=subprocess.PIPE,
                env={**os.environ, **(environment or {})},
            )
            complaint = process.stderr.read() if process.stderr else b""
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            output = out.read()
        if process.returncode not in (0, _CHANGES):
            sys.exit(f"{' '.join(command)} failed with {process.returncode}\n{complaint.decode()[-2000:]}")
        if turn:
            seconds.append(usage.ru_utime + usage.ru_stime)
        memory = max(memory, usage.ru_maxrss // 1024)
    found = json.loads(output) if output.startswith('{"') else {}
    if "cpu" in found:  # the process measured a part of its work itself
        seconds = [found["cpu"]]
    return Figure(statistics.median(seconds), min(seconds), memory, output)


def row(name: str, figure: Figure, bar: str, made: str = "") -> None:
    """Print one row of the table."""
    found = json.loads(figure.output) if figure.output.startswith('{"') else {}
    counts = [f"{number:,} {what}" for what, number in found.items() if number and what != "cpu"]
    line(
        name,
        f"{figure.cpu:.2f}",
        f"{figure.least:.2f}",
        str(figure.memory),
        bar,
        made or ", ".join(counts),
    )


def line(*cells: str) -> None:
    """Print cells side by side."""
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()
