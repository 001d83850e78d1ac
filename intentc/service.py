"""What commands share that run for long: types of arguments, a state folder for one process, who runs it."""

from __future__ import annotations

import argparse
import fcntl
import getpass
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from posixpath import normpath
from typing import Final

_HASH: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_SECONDS: Final = re.compile(r"([0-9.]+)\s*(s|m|h|)")
_UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """Read a time: seconds, or with a unit (90, 90s, 5m, 1h)."""
    found = _SECONDS.fullmatch(text)
    try:
        number = float(found[1]) * _UNITS[found[2]] if found else 0.0
    except ValueError:
        number = 0.0
    if not 0 < number < 1e7:  # noqa: PLR2004 -- some months
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds; write for example 90 or 5m")
    return number


def folder(text: str) -> str:
    """Return a folder as git names it; empty for the top."""
    found = normpath(text.strip("/") or ".")
    if found.split("/")[0] == "..":
        raise argparse.ArgumentTypeError(f"{text!r} is no folder inside the repository")
    return "" if found == "." else found


def commit(text: str) -> str:
    """Take the full hash of a commit."""
    if not _HASH.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no full hash of a commit, as `git rev-parse` prints it"
        )
    return text


def place(text: str) -> tuple[str, int]:
    """Read HOST:PORT."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004 -- the largest port
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


class Taken(Exception):  # noqa: N818 -- somebody else is at it, which is no error of the program
    """The state folder belongs to another process, or cannot be had."""


@contextmanager
def alone(state: Path, command: str) -> Iterator[None]:
    """Make and hold the state folder; the system lets go of it when the process ends, however it does."""
    try:
        state.mkdir(parents=True, exist_ok=True)
        handle = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Taken(f"cannot keep the state in {state}: {error.strerror}; say another --state DIR") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise Taken(f"another intentc {command} is at work in {state}; give each its own --state") from error
    try:
        yield
    finally:
        os.close(handle)


def user() -> str:
    """Return the name of who runs this."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a name for its user
        return f"user {os.getuid()}"
