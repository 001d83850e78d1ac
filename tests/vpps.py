"""A real VPP for tests, without hugepages and beside others.

INTENTC_VPP names its binary where it is not on the path, INTENTC_VPP_PLUGINS the folder of its plugins.
INTENTC_VPP_SOCKET names the API socket of one that runs already and that tests may fill and empty.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.vppd.peer import Died, Peer

BINARY = os.environ.get("INTENTC_VPP") or shutil.which("vpp")
PLUGINS = os.environ.get("INTENTC_VPP_PLUGINS")
SOCKET = os.environ.get("INTENTC_VPP_SOCKET")

WHY = (
    "no VPP here: install vpp, or name its binary in INTENTC_VPP, or the socket of one in INTENTC_VPP_SOCKET"
    if BINARY is None and SOCKET is None
    else "VPP needs root"
    if SOCKET is None and os.geteuid() != 0
    else ""
)
"""Why there is no VPP for tests that need nothing but its API; empty where there is one."""

MARKS = [
    pytest.mark.real,
    pytest.mark.skipif(BINARY is None, reason="no VPP here: install vpp, or name its binary in INTENTC_VPP"),
    pytest.mark.skipif(os.geteuid() != 0, reason="VPP needs root"),
    pytest.mark.filterwarnings("ignore:open_text is deprecated:DeprecationWarning"),  # inside vpp-papi
]


@contextmanager
def started(
    folder: Path, *, dies: bool = False, sleep: int = 100, within: Sequence[str] = ()
) -> Iterator[Path]:
    """Run a VPP without hugepages; give its API socket. It must live to the end, or die, as is said.

    `sleep`: microseconds of rest whenever it has nothing to do; without any it takes a whole CPU. `within`:
    the beginning of a command that runs the rest of it elsewhere.
    """
    assert BINARY
    plugins = f"path {PLUGINS}" if PLUGINS else ""
    memory = f"intentc-{uuid.uuid4().hex[:12]}"  # folders of tests at the same time have the same names
    (folder / "startup.conf").write_text(f"""
unix {{ nodaemon cli-listen {folder}/cli.sock runtime-dir {folder} poll-sleep-usec {sleep} }}
socksvr {{ socket-name {folder}/api.sock }}
api-segment {{ prefix {memory} }}
memory {{ main-heap-size 512M main-heap-page-size 4k }}
buffers {{ page-size 4k buffers-per-numa 4096 }}
statseg {{ size 32M page-size 4k socket-name {folder}/stats.sock }}
plugins {{ {plugins} plugin default {{ disable }} plugin af_packet_plugin.so {{ enable }}
  plugin ipip_plugin.so {{ enable }} }}
""")
    command = [*within, "sh", "-c", 'ulimit -c 0; exec "$0" -c "$1"', BINARY, str(folder / "startup.conf")]
    process = _launched(command, folder)
    try:
        yield folder / "api.sock"
        if dies:
            assert process.wait(60) != 0
        assert dies or process.poll() is None, "VPP did not survive"
    finally:
        _end(process)
        for left in Path("/dev/shm").glob(f"{memory}-*"):  # noqa: S108 -- where VPP puts it, and leaves it
            left.unlink()


def _launched(command: Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
    """Start a VPP that answers; one that does not is ended, and another one started.

    VPP learns how fast its CPU is by looking at two clocks. Where it loses the CPU in between, its time runs
    thousands of times too fast, and it does nothing but look for timers that have expired.
    """
    path = folder / "api.sock"
    for patience in (5, 20, 60):
        path.unlink(missing_ok=True)  # of the one before
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            for _ in range(600):
                if _listens(path, process.pid):
                    break
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
            with Peer(path, patience):
                return process
        except (Died, OSError):
            _end(process)
        except BaseException:
            _end(process)
            raise
    raise AssertionError(f"no VPP answers: {(folder / 'log').read_text()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        # VPP allocates memory in its handler of signals, and waits for ever where one came in between; one
        # that is busy with its timers never gets to its end.
        process.kill()
        process.wait()


@contextmanager
def running(folder: Path) -> Iterator[Any]:
    """Run a VPP with one interface; give a client of its binary API."""
    from vpp_papi import VPPApiClient  # noqa: PLC0415 -- only where there is a VPP

    with started(folder) as path:
        client = VPPApiClient(server_address=str(path), bootstrapapi=True, read_timeout=60)
        client.connect("intentc-test")
        for command in (
            "create loopback interface",
            "set interface state loop0 up",
            "set interface ip address loop0 fd11::1/64",
        ):
            ask(client, command)
        yield client
        client.disconnect()


def _listens(path: Path, pid: int) -> bool:
    """Say whether somebody listens at a socket, without knocking: VPP may miss that a visitor has gone.

    Only who is in the network namespace of a process sees its sockets.
    """
    try:
        rows = Path(f"/proc/{pid}/net/unix").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False  # it has ended, which is told elsewhere
    return any(row.endswith(f" {path}") and row.split()[3] == "00010000" for row in rows)


def ask(client: Any, command: str) -> str:
    """Run one CLI command and return what it says; VPP refusing it fails the test."""
    reply = client.api.cli_inband(cmd=command)
    assert reply.retval == 0, f"{command}: {reply.reply}"
    return str(reply.reply)
