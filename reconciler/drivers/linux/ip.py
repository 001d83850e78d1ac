"""The programs that the kernel is read and told by: `ip -batch`, `ip -j`, `sysctl`; in one namespace.

Whatever goes wrong comes back as a driver error in words of the program; nothing waits without a limit.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from reconciler.drivers.base import PermanentError, TransientError

_LIMIT: Final = 120
"""Seconds for one call; 20,000 routes take less than one."""
_FAILED: Final = re.compile(r"Command failed -:(\d+)")
_DENIED: Final = "Operation not permitted"
_NO_MEMORY: Final = "Cannot allocate memory"
_PAUSE: Final = 0.01
_PATIENCE: Final = 50
"""So many times in a row nothing more than before may be done."""


class Ip:
    """One network namespace: by name, or that of this process."""

    def __init__(self, netns: str | None = None) -> None:
        """Nothing is opened; a namespace that is not there shows with the first call."""
        self.netns = netns
        self._ip = ["ip", "-n", netns] if netns else ["ip"]
        self._inside = ["ip", "netns", "exec", netns] if netns else []

    def __str__(self) -> str:
        """Name it in messages."""
        return f"network namespace {self.netns}" if self.netns else "this network namespace"

    def show(self, *commands: str) -> list[list[dict[str, Any]]]:
        """Return what each command shows."""
        done = self._run([*self._ip, "-j", "-N", "-batch", "-"], "\n".join(commands))
        if done.returncode:
            raise self._error(done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def batch(self, commands: Sequence[str], *, ipv6: bool = False) -> dict[int, str]:
        """Run commands in order, also after one that failed; return why which of them failed, by index.

        With `ipv6`, nexthops without a gateway are of IPv6; routes tell by themselves. What the kernel had no
        memory for is tried again, as long as it gets on: memory per CPU is made ready in the background.
        """
        failed = self._batch(commands, ipv6=ipv6)
        stuck = 0
        while stuck < _PATIENCE and (left := [at for at, why in failed.items() if _NO_MEMORY in why]):
            time.sleep(_PAUSE)
            again = self._batch([commands[at] for at in left], ipv6=ipv6)
            stuck = stuck + 1 if len(again) == len(left) else 0
            for at in left:
                del failed[at]
            failed |= {left[at]: why for at, why in again.items()}
        return failed

    def _batch(self, commands: Sequence[str], *, ipv6: bool) -> dict[int, str]:
        if not commands:
            return {}
        family = ["-6"] if ipv6 else []
        done = self._run([*self._ip, *family, "-force", "-batch", "-"], "\n".join(commands))
        failed: dict[int, str] = {}
        said: list[str] = []
        for line in done.stderr.splitlines():
            if found := _FAILED.fullmatch(line):
                failed[int(found[1]) - 1] = " ".join(said) or "no reason was given"
                said = []
            elif line:
                said.append(line.removeprefix("RTNETLINK answers: ").removeprefix("Error: "))
        if done.returncode and (said or not failed):  # it gave up: no namespace, or no such words
            raise self._error(" ".join(said))
        if any(_DENIED in why for why in failed.values()):
            raise self._error(_DENIED)
        return failed

    def sysctls(self, names: Sequence[str]) -> dict[str, int]:
        """Return settings of the kernel; those that it does not have are left out."""
        done = self._run([*self._inside, "sysctl", "-e", *names], "")
        rows = (line.partition(" = ") for line in done.stdout.splitlines())
        return {name: int(value) for name, _, value in rows if value.isdecimal()}

    def set_sysctls(self, values: Mapping[str, int]) -> str:
        """Change settings of the kernel; return why not."""
        done = self._run([*self._inside, "sysctl", "-qw", *(f"{a}={b}" for a, b in values.items())], "")
        return done.stderr.strip()

    def _run(self, command: Sequence[str], text: str) -> subprocess.CompletedProcess[str]:
        try:
            return run(command, text)
        except FileNotFoundError:
            raise PermanentError(f"{command[0]} is not installed: install iproute2 and procps") from None
        except subprocess.TimeoutExpired:
            raise TransientError(f"{command[0]} did not come back within {_LIMIT} s") from None

    def _error(self, why: str) -> PermanentError | TransientError:
        why = " ".join(why.split())
        if "Cannot open network namespace" in why:
            return TransientError(f"there is no {self}")
        if _DENIED in why:
            return PermanentError(f"{self}: the kernel lets only root (CAP_NET_ADMIN) change it")
        return PermanentError(f"{self}: ip: {why}")


def run(command: Iterable[str], text: str) -> subprocess.CompletedProcess[str]:
    """Run a program with a text to read."""
    return subprocess.run(
        list(command), input=text, capture_output=True, text=True, check=False, timeout=_LIMIT
    )
