"""Network namespaces that vanish with the lab, and programs that run in them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

ROOT: Final = Path(__file__).parents[1]
_QUICK: Final = (
    # Nobody else can have these addresses, and waiting for that to be proven takes seconds.
    "net.ipv6.conf.default.accept_dad=0",
    "net.ipv6.conf.default.dad_transmits=0",
)
LIMIT: Final = 120.0
"""Seconds for one program."""
ENDS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that break a lab off."""
SEND_RATE: Final = 20_100
"""Packets per second of a numbered stream: a little more than the 20,000 that a slow moment shall leave."""
FORWARDS: Final = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")


class LabError(Exception):
    """The lab could not be built, or did not behave; the message says what went wrong."""


class Spaces:
    """All namespaces of one lab, and what runs in them."""

    def __init__(self, prefix: str = "lab-") -> None:
        """Name the namespaces; nothing is made yet."""
        self.prefix = prefix
        self._names: list[str] = []
        self.running: list[subprocess.Popen[Any]] = []
        """What ends with the lab at the latest."""
        self._alone: socket.socket | None = None

    def __enter__(self) -> Self:
        """Begin, where no other lab has the same names; from now on all that is made is also removed."""
        alone = socket.socket(socket.AF_UNIX)
        try:
            alone.bind(f"\0intentc-{self.prefix}")  # the kernel lets go of it, however this process ends
        except OSError:
            alone.close()
            raise LabError(f"another lab is running in {self.prefix}*; give this one a --prefix") from None
        self._alone = alone
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what runs, and remove the namespaces; a second ctrl-C does not break that off."""
        before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDS}
        try:
            for process in self.running:
                process.kill()
                process.communicate()
            for name in reversed(self._names):
                _delete(name)
        finally:
            if self._alone:
                self._alone.close()
            for number, handler in before.items():
                signal.signal(number, handler)

    def name(self, short: str) -> str:
        """Return the full name of a namespace."""
        return f"{self.prefix}{short}"

    def add(self, short: str, *sysctls: str) -> None:
        """Make a namespace with its loopback up; one that an earlier lab left behind is made anew."""
        name = self.name(short)
        _delete(name)
        self._names.append(name)
        _checked(["ip", "netns", "add", name], "")
        self.run(short, "sysctl", "-qw", *_QUICK, *sysctls)
        self.ip(short, "link set lo up")

    def cable(self, one: tuple[str, str], other: tuple[str, str], mtu: int) -> None:
        """Lay a cable between two interfaces (namespace, name), and bring both up."""
        ends = f"name {one[1]} mtu {mtu} netns {self.name(one[0])}"
        peer = f"name {other[1]} mtu {mtu} netns {self.name(other[0])}"
        batch(["ip", "-batch", "-"], [f"link add {ends} type veth peer {peer}"])
        for short, interface in (one, other):
            self.ip(short, f"link set dev {interface} up")

    def ip(self, short: str, *lines: str) -> None:
        """Run lines of iproute2 in a namespace."""
        batch(["ip", "-n", self.name(short), "-batch", "-"], lines)

    def show(self, short: str, command: str) -> list[dict[str, Any]]:
        """Return what iproute2 shows of a namespace, with counters."""
        done = _checked(["ip", "-n", self.name(short), "-j", "-s", *command.split()], "")
        found: list[dict[str, Any]] = json.loads(done or "[]")
        return found

    def run(
        self, short: str, *command: str, text: str = "", environment: dict[str, str] | None = None
    ) -> str:
        """Run a program in a namespace, and return what it says."""
        return _checked(["ip", "netns", "exec", self.name(short), *command], text, environment)

    def stream(self, short: str, *words: str) -> subprocess.Popen[str]:
        """Start one end of a stream of packets in a namespace; it ends with the lab at the latest."""
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.name(short), sys.executable, "-m", "lab.stream", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.running.append(process)
        return process

    def result(self, process: subprocess.Popen[str], limit: float = 60) -> dict[str, Any]:
        """Wait for one end of a stream, and return what it reports."""
        try:
            out, err = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            raise LabError(f"a stream did not end within {limit} s") from None
        if process.returncode:
            raise LabError(f"a stream failed: {err.strip()}")
        found: dict[str, Any] = json.loads(out.splitlines()[-1])
        return found


@contextmanager
def stream(
    spaces: Spaces, ends: tuple[str, str], address: str, rate: int = SEND_RATE, flows: int = 1
) -> Iterator[dict[str, Any]]:
    """Send numbered packets from one namespace to an address in the other while the block runs.

    The report is filled in at the end: sent, received, lost, twice, late, seconds, longest_gap (seconds).
    """
    inlet = spaces.stream(ends[1], "receive", "ipv6" if ":" in address else "ipv4")
    if inlet.stdout is None or inlet.stdout.readline().strip() != "ready":
        raise LabError("the receiving end of a stream did not start")
    outlet = spaces.stream(ends[0], "send", address, str(rate), str(flows))
    report: dict[str, Any] = {}
    yield report
    ended(outlet)
    report |= spaces.result(outlet) | spaces.result(inlet)
    if not report["sent"]:
        raise LabError("no packet was sent, so nothing is known")
    report["lost"] = report["sent"] - report["received"]


def why_not() -> str:
    """Return why there can be no lab here; empty where there can."""
    if sys.platform != "linux":
        return "network namespaces are a thing of Linux"
    for program in ("ip", "sysctl", "unshare"):
        if shutil.which(program) is None:
            return f"{program} is not installed (packages iproute2, procps, util-linux)"
    if os.geteuid() != 0:
        return "it needs root: the kernel lets nobody else set the source of the encapsulation (ip sr tunsrc)"
    try:
        with Spaces(f"lab-probe-{os.getpid()}-") as spaces:
            spaces.add("x")
            spaces.ip("x", "sr tunsrc set fd00::1")
    except LabError as error:
        return str(error)
    return ""


def batch(command: Sequence[str], lines: Sequence[str]) -> None:
    """Run lines of iproute2, all of which must succeed."""
    if lines:
        done = run(command, "\n".join(lines))
        if done.returncode:
            number = done.stderr.rpartition(":")[2].strip()
            line = lines[int(number) - 1] if number.isdecimal() else "; ".join(lines)
            raise LabError(f"{' '.join(command)}: {line}: {done.stderr.strip()}")


def _checked(command: Sequence[str], text: str, environment: dict[str, str] | None = None) -> str:
    done = run(command, text, environment)
    if done.returncode:
        raise LabError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def _delete(name: str) -> None:
    """Remove a namespace; none is as good."""
    run(["ip", "netns", "delete", name])


def run(
    command: Sequence[str], text: str = "", environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program from the root of the checkout, and wait for it; LabError where it does not end."""
    try:
        return subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env=environment,
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"{' '.join(command)} did not end within {LIMIT} s") from None


def ended(process: subprocess.Popen[str]) -> None:
    """Tell the sending end of a stream to end."""
    if process.stdin:
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.stdin = None
