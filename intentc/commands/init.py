"""Make a small repository that validates and plans at once."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from intentc.commands import ledger
from intentc.files import reason

_HIDDEN: Final = {"gitignore": ".gitignore", "gitattributes": ".gitattributes"}
"""Files that git would read inside our own repository, so they are shipped under other names."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "folder", nargs="?", type=Path, help="where; from the folder of -C on (default: there)"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    root: Path = options.root / options.folder if options.folder else options.root
    wanted = {root / path: source for path, source in _skeleton(files("intentc") / "skeleton", Path())}
    taken = sorted(str(path) for path in wanted if path.exists())
    if taken:
        sys.stderr.write(f"intentc: nothing was written, because {taken[0]} is there already\n")
        sys.stderr.write("  hint: choose an empty folder: intentc init DIR\n")
        return 1
    try:
        for path, source in sorted(wanted.items()):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source.read_bytes())
            sys.stdout.write(f"wrote {path}\n")
    except OSError as error:
        sys.stderr.write(f"intentc: cannot write {reason(error)}\n")
        return 1
    drawn = ledger.run(argparse.Namespace(root=root, action="update", pool=None, check=False))
    if drawn == 0:
        place = "" if root == Path() else f" -C {shlex.quote(str(root))}"
        sys.stdout.write(f"next: intentc{place} plan\n")
    return drawn


def _skeleton(folder: Traversable, below: Path) -> Iterator[tuple[Path, Traversable]]:
    for entry in folder.iterdir():
        path = below / _HIDDEN.get(entry.name, entry.name)
        if entry.is_dir():
            yield from _skeleton(entry, path)
        elif not entry.name.endswith((".py", ".pyc")):
            yield path, entry
