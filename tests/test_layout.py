"""Rules on the shape of the code that no linter knows."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("intent", "compiler", "renderers", "reconciler", "intentc")
MODULES = sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

LONGEST = 400
NAMES_THAT_SAY_NOTHING = {"common", "helper", "helpers", "misc", "util", "utils"}
HEAVY = {"kubernetes", "pydantic", "rich", "vpp_papi"}


def test_modules_were_found() -> None:
    assert {module.parts[0] for module in MODULES} == set(PACKAGES)


def test_no_module_is_too_long() -> None:
    lengths = {str(module): len((ROOT / module).read_text().splitlines()) for module in MODULES}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_every_module_is_named_after_what_it_holds() -> None:
    names = {str(module): {*module.parent.parts, module.stem} for module in MODULES}
    assert [name for name, parts in names.items() if parts & NAMES_THAT_SAY_NOTHING] == []


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_the_command_starts_light(option: str) -> None:
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "intentc", option],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert result.returncode == 0, result.stderr
    # Each line ends with the dotted name of a module: "import time:  120 |  340 |   argparse".
    lines = [line for line in result.stderr.splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
    assert "intentc" in imported
    assert imported & HEAVY == set()
