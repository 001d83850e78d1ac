"""The runner: each case in a process of its own, several times; median CPU seconds and peak memory."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import generate

ROOT: Final = Path(__file__).parents[1]
ENVIRONMENT: Final = {**os.environ, "PYDANTIC_DISABLE_PLUGINS": "__all__"}  # as intentc/cli.py does


@dataclass(frozen=True, slots=True)
class Figure:
    """What one case cost."""

    cpu: float
    """CPU seconds, user and system, median of the runs."""
    memory: int
    """Peak resident set in MiB, largest of the runs."""
    output: str


def timed(command: Sequence[str], runs: int) -> Figure:
    """Run a command several times, and account for each run as the kernel does."""
    seconds, memory, output = [], 0, ""
    for _ in range(runs):
        with tempfile.TemporaryFile("w+") as out:
            process = subprocess.Popen(command, cwd=ROOT, stdout=out, env=ENVIRONMENT)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            output = out.read()
        if process.returncode:
            sys.exit(f"{' '.join(command)} failed with {process.returncode}")
        seconds.append(usage.ru_utime + usage.ru_stime)
        memory = max(memory, usage.ru_maxrss // 1024)
    return Figure(statistics.median(seconds), memory, output)


def row(name: str, figure: Figure, bar: str) -> None:
    """Print one row of the table."""
    counts = json.loads(figure.output) if figure.output.startswith("{") else {}
    made = f"{sum(counts.values()):,} resources" if counts else ""
    sys.stdout.write(f"| {name} | {figure.cpu:.2f} | {figure.memory} | {bar} | {made} |\n")
    sys.stdout.flush()


def case(folder: Path, runs: int, scope: str | None = None) -> Figure:
    """Measure one repository (or one scope of it)."""
    command = [sys.executable, "-m", "bench.measure", "run", str(folder)]
    return timed([*command, scope] if scope else command, runs)


def draw(folder: Path) -> None:
    """Write the ledger of a generated repository; in a process of its own, so that the runner stays small.

    (The kernel counts what the parent held at the fork into the peak memory of a child.)
    """
    subprocess.run([sys.executable, "-m", "bench.measure", "draw", str(folder)], cwd=ROOT, check=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of each case (default 3)")
    parser.add_argument("--only", choices=("networks", "mesh", "start"), help="only these cases")
    options = parser.parse_args()
    sys.stdout.write("| case | CPU s (median) | peak MiB | bar | made |\n|---|---|---|---|---|\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.only in (None, "networks"):
            _networks(folder, options.runs)
        if options.only in (None, "mesh"):
            _mesh(folder, options.runs)
    if options.only in (None, "start"):
        _start(options.runs)


def _networks(folder: Path, runs: int) -> None:
    figures = {}
    for count in (1_000, 10_000):
        root = folder / f"networks-{count}"
        generate.networks(root, count)
        draw(root)
        figures[count] = case(root, runs)
    row("1,000 networks: validate, compile, render", figures[1_000], "")
    row("10,000 networks: validate, compile, render", figures[10_000], "≤ 2.5 CPU-s, ≤ 300 MiB")
    drawing = timed(
        [sys.executable, "-m", "intentc", "-C", str(folder / "networks-10000"), "graph", "--format", "html"],
        runs,
    )
    row("10,000 networks: intentc graph --format html", drawing, "")
    ratio = figures[10_000].cpu / figures[1_000].cpu
    sys.stdout.write(f"| 10,000 / 1,000 | {ratio:.1f} × | | ≤ 11 × | |\n")


def _mesh(folder: Path, runs: int) -> None:
    root = folder / "mesh"
    generate.mesh(root, 300)
    draw(root)
    row("mesh of 300 nodes, IPv4 and IPv6: compile, render", case(root, runs), "≤ 12 CPU-s, ≤ 1024 MiB")
    row("… the slice of one node", case(root, runs, "node/big/n1"), "≤ 1 CPU-s")


def _start(runs: int) -> None:
    bare = timed([sys.executable, "-c", "pass"], 10 * runs)
    version = timed([sys.executable, "-m", "intentc", "--version"], 10 * runs)
    row("python3 -c pass", bare, "")
    row("intentc --version", version, "")
    sys.stdout.write(f"| intentc --version / bare | {version.cpu / bare.cpu:.2f} × | | ≤ 2.5 × | |\n")


if __name__ == "__main__":
    main()
