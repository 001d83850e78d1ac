"""Show what changes between two git revisions, as rendered for the targets; no target is asked.

No revision: HEAD against the work tree; one: that revision against the work tree; two: the first against the
second. Exit code 0: nothing changes, 1: error, 2: something does.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from intent.diagnostics import as_json as found_as_json
from intentc.files import replace_file
from intentc.review.sheet import Sheet, as_json, sheet_of_diff, text
from intentc.review.sides import Side, Sides, open_sides
from intentc.session import tell
from intentc.terminal import show
from reconciler.git import GitError

_ENDINGS: Final = {".json": "json", ".md": "markdown", ".html": "html"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "revisions", nargs="*", metavar="REV", help="one or two commits, branches or tags (default: HEAD)"
    )
    parser.add_argument(
        "--merge-base",
        action="store_true",
        help="compare from where the two parted, so that commits which one does not have yet do not show",
    )
    parser.add_argument(
        "--format",
        choices=("text", "json", "markdown", "html"),
        help="default: what the ending of --out says (.json, .md, .html); else text",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write to this file, not to standard output")
    parser.add_argument("--full", action="store_true", help="leave nothing out of the text")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    form = options.format or _ENDINGS.get(options.out.suffix if options.out else "", "text")
    if len(options.revisions) > 2:  # noqa: PLR2004 -- a comparison has two sides
        sys.stderr.write("intentc: diff takes one or two revisions\n")
        return 1
    try:
        sides = open_sides(options.root, options.revisions, merge_base=options.merge_base)
    except GitError as error:
        sys.stderr.write(f"intentc: {error}\n")
        return 1
    if not _usable(sides, form):
        return 1
    sheet = sheet_of_diff(sides)
    written = _write(sheet, sides, form, options)
    return written or (2 if sheet.review.plan.actions else 0)


def _usable(sides: Sides, form: str) -> bool:
    """Say whether both sides compiled; tell what is wrong with the others."""
    if sides.new.session is None:
        sys.stderr.write(f"intentc: {sides.new.title} has no intentc.yaml\n")
        return False
    broken = [side for side in (sides.old, sides.new) if _broken(side)]
    if broken and form == "json":
        found = [entry for side in broken if side.session for entry in side.session.report.sorted()]
        json.dump({"diagnostics": found_as_json(found)}, sys.stdout, indent=2)
        sys.stdout.write("\n")
    for side in broken:
        if side.session and form != "json":
            tell(side.session)
    if _broken(sides.old):
        sys.stderr.write(f"intentc: {sides.old.title} does not compile, so nothing can be compared with it\n")
        sys.stderr.write("  hint: name a revision that compiles, or see `intentc plan`\n")
    return not broken


def _broken(side: Side) -> bool:
    return side.session is not None and side.session.compiled.graph is None


def _write(sheet: Sheet, sides: Sides, form: str, options: argparse.Namespace) -> int:
    if form == "text" and options.out is None:
        if sides.new.session:
            tell(sides.new.session)
        show(text(sheet, full=options.full))
        return 0
    written = _formed(sheet, sides, form, full=options.full)
    if options.out is None:
        sys.stdout.write(written)
        return 0
    try:
        replace_file(options.out, written)
    except OSError as error:
        sys.stderr.write(f"intentc: cannot write {options.out}: {error.strerror}\n")
        return 1
    sys.stderr.write(f"wrote {options.out}\n")
    return 0


def _formed(sheet: Sheet, sides: Sides, form: str, *, full: bool) -> str:
    if form == "json":
        return json.dumps(as_json(sheet), indent=2) + "\n"
    if form == "markdown":
        from intentc.review.markdown import markdown

        return markdown(sheet)
    if form == "html":
        from intentc.review.html import page

        return page(sheet, sides)
    return "".join(f"{line.text}\n" for line in text(sheet, full=full))
