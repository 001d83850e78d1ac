"""The real command under a clock and a scale: exit code, words, processor time and most memory held."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAD = "apiVersion: intentc.dev/v1alpha1\n"
PROJECT = f"{HEAD}kind: Project\nmetadata: {{name: test}}\nspec: {{}}\n"
MIB = 1024 * 1024

# The scale is a small process of its own: what a child is said to have held includes what its parent held
# when it was made, and a test runner holds a lot.
_SCALE = """
import json, os, resource, sys
child = os.fork()
if child == 0:
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    os.execv(sys.argv[2], sys.argv[2:])
_, status, used = os.wait4(child, 0)
with open(sys.argv[1], "w") as report:
    json.dump([os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss], report)
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of one command."""

    code: int
    text: str
    """Both streams."""
    seconds: float
    """Processor time, the start of the interpreter included."""
    mebibytes: float

    @property
    def is_quick(self) -> bool:
        """Whether a second was enough, or where all is slow, not much more than doing nothing takes."""
        return self.seconds < 1 or self.seconds < 3 * ordinary()


def ordinary() -> float:
    """Return the processor time of a command with nothing to do, as it is on this machine now."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "repo"
        root.mkdir()
        (root / "intentc.yaml").write_text(PROJECT)
        return max(intentc(root, "validate").seconds for _ in range(3))


def intentc(root: Path, *words: str) -> Ran:
    """Run the command in a folder."""
    report = root.parent / f"{root.name}.used"
    command = [sys.executable, "-I", "-S", "-c", _SCALE, str(report), sys.executable, "-m", "intentc", *words]
    path = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(root)}
    done = subprocess.run(command, cwd=root, env=path, capture_output=True, check=False, timeout=600)
    code, seconds, kibibytes = json.loads(report.read_text())
    text = (done.stdout + done.stderr).decode()
    return Ran(code, text, seconds, kibibytes / 1024)


def check_refusal(ran: Ran) -> None:
    """Check what every refusal promises: exit code 1, words, within a second and 200 MiB."""
    assert "Traceback" not in ran.text
    assert ran.code == 1, ran.text[:2000]
    assert ran.text.replace("\n", "").isprintable(), "escape codes reach the terminal"
    assert 20 < len(ran.text) < 500_000
    assert ran.is_quick, ran.seconds
    assert ran.mebibytes < 200
