"""One module per target type; each is imported when a target of its type is opened."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

from intent.kinds.project import Target
from intent.memory import Memory
from reconciler.drivers.base import Driver


def open_driver(target: Target, root: Path, memory: Memory | None = None) -> Driver:
    """Return the driver of a target; paths are relative to `root`, the folder of the repository."""
    match target.type:
        case "directory":
            from reconciler.drivers.directory import Directory

            return Directory(target.name, root / target.path, memory)
        case "vpp" | "linux" | "gobgp" | "overlay":
            raise NotImplementedError(target.type)
        case unknown:
            assert_never(unknown)
