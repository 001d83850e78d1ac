"""Plans as files: written by `plan --out`, applied by `apply FILE` without compiling or rendering again.

Invariant: what is applied is what the file says, less what is already so. If one of its objects has become a
third thing since — neither as it was nor as it shall be —, nothing at all is applied.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from intent.diagnostics import Report, as_text
from intent.files import Folder
from intent.kinds.project import ProjectSpec
from intent.repository import open_project
from intentc.files import replace_file
from intentc.work import Work, observe
from reconciler.codec import as_json, from_json, places
from reconciler.plan import Action, Plan, resume
from renderers.resource import Key

_NAMED: Final = 20
"""So many objects that moved are named."""
MAX_BYTES: Final = 512 * 1024 * 1024
"""A larger file is no plan of ours."""


def save(plan: Plan, path: Path) -> None:
    """Write a plan, as a whole or not at all; raises OSError."""
    replace_file(path, json.dumps(as_json(plan), indent=1) + "\n")


def open_saved(path: Path, root: Path) -> tuple[ProjectSpec, Work] | None:
    """Return what is left to do of a saved plan; None, with the reason told, where it cannot be applied.

    Of the repository only intentc.yaml is read: it says where the targets are.
    """
    report = Report()
    project, texts = open_project(Folder(root, Path.cwd()), report)
    if project is None:
        sys.stderr.write(as_text(report.sorted(), texts))
        return None
    spec: ProjectSpec = project.spec
    data = _read(path)
    if data is None:
        return None
    try:
        approved, lines = from_json(data), places(data)
    except ValueError as error:
        _refuse(f"{path}: {error}")
        return None
    unknown = {action.target for action in approved.actions} - {target.name for target in spec.targets}
    if unknown:
        _refuse(f"{path}: intentc.yaml has no target {', '.join(sorted(unknown))}")
        return None
    seen = observe(spec.targets, root)
    if seen is None:
        return None
    drivers, observed = seen
    left, moved = resume(approved, observed)
    if moved:
        _tell_moved(moved, lines)
        return None
    return spec, Work(left, drivers, observed, 0)


def _read(path: Path) -> Any:
    """Return what a file holds; None, with the reason told, where it holds nothing that could be a plan."""
    try:
        if path.stat().st_size <= MAX_BYTES:
            return json.loads(path.read_text(encoding="utf-8"))
        _refuse(f"{path} is too large for a plan")
    except OSError as error:
        _refuse(f"cannot read {path}: {error.strerror}")
    except (ValueError, RecursionError):
        _refuse(f"{path} is no plan; make one with `intentc plan --out {path.name}`")
    return None


def _tell_moved(moved: tuple[Action, ...], lines: Mapping[tuple[str, Key], tuple[str, ...]]) -> None:
    """Name what changed since the plan was made, with the lines of intent that the plan has for it."""
    sys.stderr.write("intentc: nothing was applied, because the targets moved since the plan was made\n")
    for action in moved[:_NAMED]:
        known = lines[action.id]
        because = f"   (planned for {', '.join(known[:3])})" if known else ""
        sys.stderr.write(f"  moved: {action.target}: {action.key}{because}\n")
    if len(moved) > _NAMED:
        sys.stderr.write(f"  … and {len(moved) - _NAMED:,} more\n")
    sys.stderr.write("  hint: plan again, and have the new plan approved\n")


def _refuse(message: str) -> None:
    sys.stderr.write(f"intentc: {message}\n")
