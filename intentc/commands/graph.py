"""Draw the topology that intent describes, and which documents lean on which, as SVG or one HTML page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from intentc.session import begin, tell
from renderers.picture import dependencies_svg, page_html, topology_svg

_DRAW = {"topology": topology_svg, "dependencies": dependencies_svg}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "picture",
        nargs="?",
        choices=_DRAW,
        default="topology",
        help="which picture (default: topology); HTML holds both",
    )
    parser.add_argument(
        "--format", choices=("svg", "html"), help="default: what the ending of --out says; svg without --out"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write to this file instead of standard output"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command; names must resolve, but a missing lease is no reason not to draw."""
    ending = options.out.suffix.lstrip(".") if options.out else "svg"
    form = options.format or ending
    if form not in ("svg", "html"):
        sys.stderr.write(f"intentc: {options.out} ends neither in .svg nor in .html\n")
        sys.stderr.write("  hint: rename it, or say --format svg\n")
        return 1
    session = begin(options.root)
    if session.compiled.resolved is None:
        tell(session)
        return 1
    text = (
        page_html(session.compiled.resolved)
        if form == "html"
        else _DRAW[options.picture](session.compiled.resolved)
    )
    if options.out is None:
        sys.stdout.write(text)
        return 0
    try:
        options.out.write_text(text, encoding="utf-8")
    except OSError as error:
        sys.stderr.write(f"intentc: cannot write {options.out}: {error.strerror}\n")
        return 1
    sys.stdout.write(f"wrote {options.out}\n")
    return 0
