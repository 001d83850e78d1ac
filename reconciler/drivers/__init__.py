"""One module per target type; each is imported when a target of its type is opened."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

from intent.kinds.project import Target
from intent.memory import Memory
from reconciler.drivers.base import Driver


def open_driver(target: Target, root: Path, memory: Memory | None = None, scope: str = "") -> Driver:
    """Return the driver of a target; paths are relative to `root`, the folder of the repository.

    `scope` is that of the objects of a target that is one node, where intent has such a node.
    """
    match target.type:
        case "directory":
            from reconciler.drivers.directory import Directory

            return Directory(target.name, root / target.path, memory)
        case "gobgp":
            from reconciler.drivers.gobgp.driver import open_gobgp

            return open_gobgp(target)
        case "linux":
            from reconciler.drivers.linux.driver import Linux

            return Linux(target.name, target.netns)
        case "vpp":
            from reconciler.drivers.vpp.driver import Vpp

            return Vpp(target.name, scope or f"node//{target.node}", target.socket)
        case "overlay":
            from reconciler.drivers.overlay import open_overlay

            return open_overlay(target, root)
        case unknown:
            assert_never(unknown)
