"""One measured run: open a repository, compile it, render it (or one node of it), and count what came out.

Started by the runner as a process of its own, so that CPU seconds and memory are those of the work alone.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

from bench import generate
from compiler.graph import Scope
from compiler.ledger.allocate import update
from compiler.ledger.leases import Ledger, write_ledger
from compiler.passes import check_intent, compile_intent
from intent.diagnostics import Report, as_text
from intent.files import Folder
from intent.memory import Memory
from intent.repository import open_repository
from intentc.session import Session, begin
from reconciler.prepare import prepare
from renderers import render


def draw(root: Path) -> None:
    """Write the ledger of a generated repository (not part of what is measured)."""
    report = Report()
    repository, texts = open_repository(Folder(root), report)
    resolved = (
        check_intent(repository.project, repository.intents, repository.facts, report) if repository else None
    )
    if resolved is None:
        sys.exit(as_text(report.sorted()[:5], texts))
    (root / "intentc.lock").write_text(write_ledger(update(resolved, Ledger(), None, report)))


def run(root: Path, scope: str | None) -> dict[str, int]:
    """Compile and render; return how many resources came out, and how many lines of configuration."""
    session = begin(root)
    graph = session.compiled.graph
    if graph is None:
        sys.exit(_why(session))
    kind, _, name = (scope or "").partition("/")
    scopes = [Scope(kind, name)] if scope else None  # type: ignore[arg-type] # the runner names scopes that exist
    made = {"resources": 0, "lines of FRR": 0}
    for resource in render(graph, scopes):
        made["resources"] += 1
        if resource.key.family == "frr":
            made["lines of FRR"] += resource.spec["text"].count("\n")
    return made


def again(root: Path) -> dict[str, float]:
    """Plan, change one document, and plan again in the same process, with memories as the loop keeps them."""
    read, seen = Memory(), Memory()
    spent = []
    for turn in range(8):
        generate.edit(root, 1000 + turn)
        start = time.process_time()
        report = Report()
        repository, _ = open_repository(Folder(root), report, read)
        if repository is None:
            sys.exit("the generated repository has no project")
        intents = repository.project, repository.intents, repository.facts
        graph = compile_intent(*intents, repository.ledger, report).graph
        if graph is None:
            sys.exit(as_text(report.sorted()[:5], repository.texts))
        prepare(repository, graph, root, seen)
        read, seen = read.later(), seen.later()
        spent.append(time.process_time() - start)
    return {"cpu": statistics.median(spent[1:])}


def _why(session: Session) -> str:
    return as_text(session.report.sorted()[:5], session.texts)


if __name__ == "__main__":
    import gc

    gc.set_threshold(1_000_000, 50, 50)  # as intentc/cli.py does
    what, folder, *scope = sys.argv[1:]
    if what == "draw":
        draw(Path(folder))
    elif what == "again":
        json.dump(again(Path(folder)), sys.stdout)
    else:
        json.dump(run(Path(folder), scope[0] if scope else None), sys.stdout)
