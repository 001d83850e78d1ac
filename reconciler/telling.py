"""How a process that runs for long tells what it knows: a log, JSON files that are replaced as a whole.

Invariant: what cannot be told stops nothing, and a reader of a file sees the old content or the new one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from traceback import extract_tb
from typing import Any, Final, Literal, TextIO

_SHOWN: Final = 20
"""So many details of an event stand in a log of text."""


@dataclass(frozen=True, slots=True)
class Log:
    """Lines for people, or one JSON object on each line."""

    stream: TextIO
    form: Literal["text", "json"]
    now: Callable[[], float] = field(repr=False)

    def __call__(self, level: str, message: str, **fields: Any) -> None:
        """Write one entry; where nobody takes it, it is lost."""
        stamp = iso(self.now())
        if self.form == "json":
            entry = {"time": stamp, "level": level, "message": message, **fields}
            text = json.dumps(entry, ensure_ascii=True)
        else:
            details = [str(line) for line in fields.get("details", ())]
            more = [f"and {len(details) - _SHOWN} more"] if len(details) > _SHOWN else []
            rows = [f"{stamp} {level:7} {message}", *(f"    {row}" for row in (*details[:_SHOWN], *more))]
            text = "\n".join(map(printable, rows))
        with suppress(OSError, ValueError):
            self.stream.write(text + "\n")
            self.stream.flush()


def iso(seconds: float) -> str:
    """Write a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def printable(text: str) -> str:
    """Names of files and words of targets may hold control characters; a log is read in terminals."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def place_of(error: Exception) -> str:
    """Say where a bug showed itself, without the words of the error, which might hold a secret."""
    frames = extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"intentc broke ({type(error).__name__}{where}); please report this as a bug"


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a JSON file as a whole, durably; raises OSError."""
    beside = path.with_name(f"{path.name}.new")
    with beside.open("w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=1)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
