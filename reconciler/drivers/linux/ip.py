"""The programs that the kernel is read and told by: `ip -batch`, `ip -j`, `sysctl`; in one namespace.

Whatever goes wrong comes back as a driver error in words of the program; nothing waits without a limit.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from reconciler.drivers.base import PermanentError, TransientError

_LIMIT: Final = 120
"""Seconds for one call; 20,000 routes take less than one."""
_FAILED: Final = re.compile(r"Command failed -:(\d+)")
DENIED: Final = "Operation not permitted"
NO_MEMORY: Final = "Cannot allocate memory"
_PLAIN: Final = re.compile(r'[\w.:/@, -]+("[\w.:/@ -]+"[\w -]*)?', re.ASCII)
"""Lines that are one command. A slice may come from far away, and whoever writes it runs nothing here."""
_INTERRUPTED: Final = "Dump was interrupted"
_PAUSE: Final = 0.01
_PATIENCE: Final = 50
"""So many times in a row nothing more than before may be done, or what is read may change meanwhile."""


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

    def show(self, *commands: str, ipv6: bool = False) -> list[list[dict[str, Any]]]:
        """Return what each command shows; rules are those of one family."""
        family = ["-6"] if ipv6 else []
        for _ in range(_PATIENCE):
            done = run([*self._ip, *family, "-j", "-N", "-batch", "-"], "\n".join(commands))
            if done.returncode:
                raise self._error(done.stderr)
            if _INTERRUPTED not in done.stderr:  # else something may be missing, and ip calls that success
                break
            time.sleep(_PAUSE)
        else:
            raise TransientError(f"{self} kept changing while it was read")
        try:
            shown = [json.loads(line, strict=False) for line in done.stdout.split("\n") if line]
        except ValueError as error:
            raise PermanentError(f"{self}: ip wrote no JSON: {error}") from None
        if len(shown) != len(commands):
            raise PermanentError(f"{self}: ip answered {len(shown)} of {len(commands)} questions")
        return shown

    def batch(self, commands: Sequence[str], *, ipv6: bool = False) -> dict[int, str]:
        """Run commands in order, also after one that failed; return why which of them failed, by index.

        With `ipv6`, nexthops without a gateway are of IPv6; routes tell by themselves. What the kernel had no
        memory for is tried again, with what failed after it, as long as it gets on: memory per CPU is made
        ready in the background.
        """
        odd = {
            at: f"{line!r} is no command" for at, line in enumerate(commands) if not _PLAIN.fullmatch(line)
        }
        lines = ["" if at in odd else line for at, line in enumerate(commands)]
        failed = self._batch(lines, ipv6=ipv6)
        stuck = 0
        while stuck < _PATIENCE and (short := [at for at, why in failed.items() if NO_MEMORY in why]):
            time.sleep(_PAUSE)
            left = [at for at in failed if at >= short[0]]
            again = self._batch([lines[at] for at in left], ipv6=ipv6)
            stuck = stuck + 1 if len(again) == len(left) else 0
            for at in left:
                del failed[at]
            failed |= {left[at]: why for at, why in again.items()}
        return failed | odd

    def _batch(self, commands: Sequence[str], *, ipv6: bool) -> dict[int, str]:
        if not any(commands):
            return {}
        family = ["-6"] if ipv6 else []
        done = run([*self._ip, *family, "-force", "-batch", "-"], "\n".join(commands))
        failed: dict[int, str] = {}
        said: list[str] = []
        for line in done.stderr.splitlines():
            if found := _FAILED.fullmatch(line):
                failed[int(found[1]) - 1] = " ".join(said) or "no reason was given"
                said = []
            elif line and not line.startswith("Warning:"):
                said.append(line.removeprefix("RTNETLINK answers: ").removeprefix("Error: "))
        if done.returncode and (said or not failed):  # it gave up: no namespace, or no such words
            raise self._error(" ".join(said))
        if any(DENIED in why for why in failed.values()):
            raise self._error(DENIED)
        return failed

    def sysctls(self, names: Sequence[str]) -> dict[str, int]:
        """Return settings of the kernel; those that it does not have are left out."""
        done = run([*self._inside, "sysctl", "-e", *names], "")
        if done.returncode:
            raise self._error(done.stderr)
        rows = (line.partition(" = ") for line in done.stdout.splitlines())
        return {name: int(value) for name, _, value in rows if value.isdecimal()}

    def set_sysctls(self, values: Mapping[str, int]) -> str:
        """Change settings of the kernel; return why not."""
        done = run([*self._inside, "sysctl", "-qw", *(f"{a}={b}" for a, b in values.items())], "")
        return done.stderr.strip()

    def _error(self, why: str) -> PermanentError | TransientError:
        why = " ".join(why.split())
        if "Cannot open network namespace" in why:
            return TransientError(f"there is no {self}")
        if DENIED in why:
            return PermanentError(f"{self}: the kernel lets only root (CAP_NET_ADMIN) change it")
        return PermanentError(f"{self}: ip: {why}")


def run(command: Sequence[str], text: str) -> subprocess.CompletedProcess[str]:
    """Run a program with a text to read. Names and aliases of links need not be text."""
    try:
        return subprocess.run(
            command,
            input=text,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=_LIMIT,
            env={**os.environ, "LC_ALL": "C"},
        )
    except FileNotFoundError:
        why = f"{command[0]} is not installed: install iproute2, procps and util-linux"
        raise PermanentError(why) from None
    except subprocess.TimeoutExpired:
        raise TransientError(f"{command[0]} did not come back within {_LIMIT} s") from None
