"""Files that are replaced as a whole: a crash leaves the old one."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def reason(error: Exception) -> str:
    """Say what went wrong; what the system refused, and for which file, in words and without numbers."""
    if not isinstance(error, OSError):
        return str(error)
    why = error.strerror or str(error)
    return f"{error.filename}: {why}" if isinstance(error.filename, str | Path) else why


def replace_file(path: Path, text: str | Iterable[str]) -> None:
    """Write a file beside the old one, make it durable, and put it in its place; raises OSError.

    A large text may come in pieces, so that it is never held as a whole.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    beside = path.with_name(path.name + ".new")
    try:
        with beside.open("w", encoding="utf-8") as stream:
            stream.writelines([text] if isinstance(text, str) else text)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
