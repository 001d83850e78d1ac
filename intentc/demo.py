"""`make demo`: the two-datacentres example, planned, applied and planned again, in a copy of its own."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

from intentc.cli import run

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = Path("build/demo")


def main() -> int:
    """Run the demonstration; the exit code is 0 when the last plan is empty."""
    source = ROOT / "examples" / "two-datacentres"
    shutil.rmtree(FOLDER, ignore_errors=True)
    shutil.copytree(source, FOLDER, ignore=shutil.ignore_patterns("rendered"))
    for words in (["validate"], ["plan"], ["apply", "--yes"]):
        code = _show(words)
        if code not in ((0, 2) if words == ["plan"] else (0,)):
            return code
    code = _show(["plan"])
    if code == 0:
        sys.stdout.write(f"\nWhat was applied lies below {FOLDER / 'rendered'}.\n")
        sys.stdout.write(f"Change a line below {FOLDER / 'intent'}, and plan again:\n")
        sys.stdout.write(f"    .venv/bin/python -m intentc -C {FOLDER} plan\n")
    return code


def _show(words: list[str]) -> int:
    line = ["-C", str(FOLDER), *words]
    sys.stdout.write(f"\n$ intentc {' '.join(line)}\n")
    sys.stdout.flush()
    return run(line)


if __name__ == "__main__":
    sys.exit(main())
