"""10,000 policies and 10,000 prefixes steered into them, on a real VPP: us, and every other way in.

Each way gets a VPP of its own that never rests, and takes turns with the others. What VPP itself needs is in
all of them, so rates are by the clock, and CPU seconds are those of the client.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from bench.timing import ROOT, line

WAYS: Final = {
    "raw": "packed beforehand, raw socket, 512 under way",
    "client": "intentc: its client alone, same messages",
    "apply": "intentc: plan applied, with guard, journal and reading back",
    "async": "vpp_papi_async, 256 under way",
    "sync": "vpp_papi",
    "exec": "`vppctl exec FILE`, checks no answer",
}
COMPARED: Final = {
    ("client", "seconds"): ("… its client alone", "", ""),
    ("apply", "sent"): ("… sent: guard, batches, replies, journal", "≥ 1.5 ×", "≥ 40 %"),
    ("apply", "seconds"): ("… sent and read back", "≥ 1.5 ×", "≥ 40 %"),
}
"""What is compared with the others, and the bars for it: way, and which part of it."""
Found = dict[str, float]


def measure(folder: Path, runs: int) -> None:
    """Print a row for each way, and how they compare."""
    from tests.vpps import BINARY  # noqa: PLC0415 -- needs pytest, which only this case does

    if not BINARY:
        line("10,000 policies and 10,000 steerings on a VPP", "skipped: set INTENTC_VPP", "", "", "", "")
        return
    turns = [{way: _run(folder, way) for way in WAYS} for _ in range(runs)]
    for way, name in WAYS.items():
        seconds = statistics.median(turn[way]["seconds"] for turn in turns)
        made = f"{seconds:.2f} s by the clock, {20_000 / seconds:,.0f} a second"
        _row(name, [turn[way]["cpu"] for turn in turns], "", made)
    parts = [statistics.median(turn["apply"][part] for turn in turns) for part in ("sent", "checked")]
    line("… of it, by the clock", "", "", "", "", f"sent {parts[0]:.2f} s, read back {parts[1]:.2f} s")
    for (way, part), (name, *bars) in COMPARED.items():
        beside, below = (_ratios(turns, other, way, part) for other in ("async", "raw"))
        line(
            f"{name} / vpp_papi_async", f"{statistics.median(beside):.2f} ×", "", "", bars[0], _spread(beside)
        )
        line(
            f"{name} / packed beforehand", f"{statistics.median(below):.0%}", "", "", bars[1], _spread(below)
        )
    cpu = [turn["async"]["cpu"] / turn["apply"]["cpu"] for turn in turns]
    words = f"in CPU seconds, {min(cpu):.2f} to {max(cpu):.2f}"
    line("… sent and read back / vpp_papi_async", f"{statistics.median(cpu):.2f} ×", "", "", "≥ 1.5 ×", words)
    _row("… observe of the same", [turn["apply"]["observe"] for turn in turns], "≤ 1.5 CPU-s", "")
    made = f"{sum(turn['apply']['written'] for turn in turns):.0f} actions"
    _row("… observe, plan, apply: no change", [turn["apply"]["resync"] for turn in turns], "0 actions", made)


def _row(name: str, seconds: list[float], bar: str, made: str) -> None:
    line(name, f"{statistics.median(seconds):.2f}", f"{min(seconds):.2f}", "", bar, made)


def _ratios(turns: list[dict[str, Found]], other: str, way: str, part: str) -> list[float]:
    """Return how much faster one way is by the clock, turn by turn: neighbours in time bear the same load."""
    return [turn[other]["seconds"] / turn[way][part] for turn in turns]


def _spread(ratios: list[float]) -> str:
    return f"by the clock, {min(ratios):.2f} to {max(ratios):.2f}"


def _run(folder: Path, way: str) -> Found:
    """Start a VPP, let a process of its own fill it, and return what that took."""
    from tests.vpps import started  # noqa: PLC0415 -- see above

    with tempfile.TemporaryDirectory(dir=folder) as name, started(Path(name), sleep=0) as socket:
        done = subprocess.run(
            [sys.executable, "-m", "bench.vpp_ways", way, str(socket)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        sys.exit(f"{WAYS[way]} failed\n{done.stderr[-2000:]}")
    found: Found = json.loads(done.stdout)
    return found
