"""The table of benchmarks: which cases there are, and what each is held to."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from bench import control_planes, dataplane, generate, rivals, vpp
from bench.timing import ROOT, Figure, line, row, timed

SMALL: Final = 1_000
LARGE: Final = 10_000
_GROWTH: Final = "10,000 / 1,000"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of each case (default 3)")
    parser.add_argument("--only", choices=CASES, help="only these cases")
    options = parser.parse_args()
    flags = sysconfig.get_config_var("CONFIG_ARGS") or ""
    optimised = "" if "--enable-optimizations" in flags else ", built without profile-guided optimisation"
    sys.stdout.write(
        f"Python {platform.python_version()}{optimised}; {platform.machine()}, {os.cpu_count()} CPUs\n\n"
    )
    line("case", "CPU s (median)", "least", "peak MiB", "bar", "made")
    line(*["---"] * 6)
    with tempfile.TemporaryDirectory() as name:
        # As an installed package has it: modules are compiled once, and no run leaves traces anywhere.
        os.environ |= {"PYTHONPYCACHEPREFIX": f"{name}/bytecode"}
        os.environ |= {"XDG_CACHE_HOME": f"{name}/cache", "XDG_STATE_HOME": f"{name}/state"}
        os.environ |= {"INTENTC_CACHE": "off", "PYDANTIC_DISABLE_PLUGINS": "__all__"}
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        for case in [options.only] if options.only else CASES:
            CASES[case](Path(name), options.runs)


def _networks(folder: Path, runs: int) -> None:
    figures = {}
    for count in (SMALL, LARGE):
        root = folder / f"networks-{count}"
        generate.networks(root, count)
        _draw(root)
        figures[count] = _compile(root, runs)
    row("1,000 networks: validate, compile, render", figures[SMALL], "")
    row("10,000 networks: validate, compile, render", figures[LARGE], "≤ 2.5 CPU-s, ≤ 300 MiB")
    drawing = timed(_intentc(folder / f"networks-{LARGE}", "graph", "--format", "html"), runs)
    row("10,000 networks: intentc graph --format html", drawing, "")
    _ratio(_GROWTH, figures[LARGE], figures[SMALL], "≤ 11 ×")


def _mesh(folder: Path, runs: int) -> None:
    root = folder / "mesh"
    generate.mesh(root, 300)
    _draw(root)
    row("mesh of 300 nodes, IPv4 and IPv6: compile, render", _compile(root, runs), "≤ 12 CPU-s, ≤ 1024 MiB")
    row("… the slice of one node", _compile(root, runs, "node/big/n1"), "≤ 1 CPU-s")


def _paths(folder: Path, runs: int) -> None:
    figures = {}
    for routers in (100, 200):
        root = folder / f"paths-{routers}"
        generate.paths(root, routers, routers // 2)
        _draw(root)
        figures[routers] = _compile(root, runs)
    name = "computed paths, half of them disjoint: compile, render"
    row(f"100 routers, 50 nodes, 4,900 {name}", figures[100], "")
    row(f"200 routers, 100 nodes, 19,800 {name}", figures[200], "")
    _ratio("200 / 100, for four times the paths and objects", figures[200], figures[100], "≤ 5 ×")


def _start(_: Path, runs: int) -> None:
    bare = timed([sys.executable, "-c", "pass"], 10 * runs)
    version = timed([sys.executable, "-m", "intentc", "--version"], 10 * runs)
    row("python3 -c pass", bare, "")
    row("intentc --version", version, "")
    _ratio("intentc --version / bare", version, bare, "≤ 2.5 ×")


def _plan(folder: Path, runs: int) -> None:
    figures = {}
    for objects, bar in ((SMALL, ""), (LARGE, "≤ 2.5 CPU-s")):
        root = _applied(folder, objects)
        figures[objects] = timed(_intentc(root, "plan"), runs)
        row(f"{objects:,} objects: intentc plan, nothing changed, no cache", figures[objects], bar)
    _ratio(_GROWTH, figures[LARGE], figures[SMALL], "≤ 11 ×")


def _warm(folder: Path, runs: int) -> None:
    root = _applied(folder, LARGE)
    plan, cached = _intentc(root, "plan"), {"INTENTC_CACHE": "on"}
    turns = iter(range(1, 10_000))
    row("10,000 objects: intentc plan, nothing changed, warm", timed(plan, runs, environment=cached), "")
    edited = timed(plan, runs, lambda: generate.edit(root, next(turns)), environment=cached)
    row("10,000 objects: intentc plan, one document changed, warm", edited, "≤ 0.6 CPU-s")
    again = timed([sys.executable, "-m", "bench.measure", "again", str(root)], 1, environment=cached)
    row("… the same inside a process that goes on, as `run` does", again, "≤ 0.6 CPU-s")


def _apply(folder: Path, runs: int) -> None:
    figures = {}
    for objects in (SMALL, LARGE):
        root = _applied(folder, objects)
        figures[objects] = timed(_intentc(root, "apply", "--yes"), runs, partial(_forget, root))
        row(f"{objects:,} objects: intentc apply --yes to an empty directory", figures[objects], "")
        line("… for each object", f"{1000 * figures[objects].cpu / objects:.2f} ms", "", "", "≤ 1 ms", "")
    _ratio(_GROWTH, figures[LARGE], figures[SMALL], "≤ 11 ×")


CASES: Final[dict[str, Callable[[Path, int], None]]] = {
    "networks": _networks,
    "mesh": _mesh,
    "paths": _paths,
    "start": _start,
    "plan": _plan,
    "warm": _warm,
    "apply": _apply,
    "rivals": rivals.measure,
    "dataplane": dataplane.measure,
    "vpp": vpp.measure,
    "control_planes": control_planes.measure,
}
"""What `--only` takes."""


def _compile(folder: Path, runs: int, scope: str | None = None) -> Figure:
    """Measure one repository (or one scope of it)."""
    command = [sys.executable, "-m", "bench.measure", "run", str(folder)]
    return timed([*command, scope] if scope else command, runs)


def _intentc(root: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "intentc", "-C", str(root), *words]


def _draw(folder: Path) -> None:
    """Write the ledger of a generated repository; in a process of its own, so that the runner stays small.

    (The kernel counts what the parent held at the fork into the peak memory of a child.)
    """
    subprocess.run([sys.executable, "-m", "bench.measure", "draw", str(folder)], cwd=ROOT, check=True)


def _applied(folder: Path, objects: int) -> Path:
    """Return a repository of so many objects, three of each network, that its directory target has."""
    root = folder / f"objects-{objects}"
    if not root.exists():
        generate.networks(root, objects // 3, target="tree")
        _draw(root)
        timed(_intentc(root, "apply", "--yes"), 1)
    return root


def _forget(root: Path) -> None:
    shutil.rmtree(root / "tree")


def _ratio(name: str, large: Figure, small: Figure, bar: str) -> None:
    line(name, f"{large.cpu / small.cpu:.1f} ×", "", "", bar, "")


if __name__ == "__main__":
    main()
