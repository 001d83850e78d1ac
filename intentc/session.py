"""What most commands begin with: open the repository, run the line, print what was found."""

from __future__ import annotations

import argparse
import gc
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from compiler.passes import Compiled, compile_intent
from intent import documents
from intent.diagnostics import Report, as_json, as_text
from intent.files import Files, Folder
from intent.repository import Repository, open_repository
from intentc.cache import remembering


@dataclass(frozen=True, slots=True)
class Session:
    """A repository and what the line made of it."""

    root: Path
    report: Report
    texts: Mapping[str, str]
    repository: Repository | None
    compiled: Compiled


def add_format(parser: argparse.ArgumentParser) -> None:
    """Add `--format text|json`."""
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="text for people, json for machines"
    )


def begin(root: Path, files: Files | None = None) -> Session:
    """Compile the repository at `root`, or another state of its files; what is wrong is in the report."""
    report = Report()
    with remembering(root, "intent", documents) as memory:
        repository, texts = open_repository(files or Folder(root, Path.cwd()), report, memory)
        if memory and report.failed:
            memory.news.clear()  # a secret may stand in what was refused: it is not kept anywhere
    gc.freeze()  # what was read lives to the end: the collector need not walk it again and again
    compiled = Compiled()
    if repository is not None and not report.failed:
        compiled = compile_intent(
            repository.project, repository.intents, repository.facts, repository.ledger, report
        )
    return Session(root, report, texts, repository, compiled)


def tell(session: Session, form: str = "text") -> None:
    """Print the diagnostics: text to standard error, JSON to standard output."""
    found = session.report.sorted()
    if form == "json":
        json.dump({"diagnostics": as_json(found)}, sys.stdout, indent=2)
        sys.stdout.write("\n")
    elif found:
        sys.stderr.write(as_text(found, session.texts))
        sys.stderr.write(_total(session.report))


def _total(report: Report) -> str:
    counts = {
        severity: sum(entry.severity == severity for entry in report.sorted())
        for severity in ("error", "warning")
    }
    words = [
        f"{number} {severity}{'s' if number > 1 else ''}" for severity, number in counts.items() if number
    ]
    return f"{', '.join(words)}; `intentc explain CODE` says more\n" if words else ""
