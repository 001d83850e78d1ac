"""Write the rendered objects to a folder, or as JSON lines to standard output."""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

from compiler.graph import Graph, Scope
from intent.diagnostics import did_you_mean
from intentc.plan_text import number
from intentc.session import begin, tell
from reconciler.apply import apply
from reconciler.drivers.directory import Directory
from reconciler.plan import plan
from renderers import RULES, render


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write files below this folder instead of JSON lines"
    )
    parser.add_argument(
        "--scope",
        action="append",
        default=[],
        metavar="SCOPE",
        help="only this scope, for example node/edge/worker-1; may be repeated",
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    session = begin(options.root)
    tell(session)
    graph = session.compiled.graph
    if graph is None:
        return 1
    scopes = [scope for scope in graph.scopes if not options.scope or str(scope) in options.scope]
    unknown = sorted(set(options.scope) - {str(scope) for scope in scopes})
    if unknown:
        sys.stderr.write(f"intentc: no such scope: {', '.join(unknown)}\n")
        sys.stderr.write(f"  hint: {did_you_mean(unknown[0], map(str, graph.scopes))}\n")
        return 1
    if options.out is None:
        for resource in render(graph, scopes):
            json.dump({**resource.key._asdict(), "spec": resource.spec}, sys.stdout, sort_keys=True)
            sys.stdout.write("\n")
        return 0
    return _write(options.out, graph, scopes)


def _write(folder: Path, graph: Graph, scopes: list[Scope]) -> int:
    """Make the folder hold exactly the given scopes; what it holds of others stays."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
    except OSError as error:
        sys.stderr.write(f"intentc: cannot write {folder}: {error.strerror}\n")
        return 1
    driver = Directory("out", folder)
    chosen = {str(scope) for scope in scopes}
    seen = driver.observe()
    there = {key: resource for key, resource in seen.resources.items() if key.scope in chosen}
    work = plan({"out": render(graph, scopes)}, {"out": replace(seen, resources=there)}, RULES)
    result = apply(work, {"out": driver})
    for outcome in result.failed:
        sys.stderr.write(f"{outcome.action.key}: {outcome.message}\n")
    done = len(result.outcomes) - len(result.failed)
    sys.stdout.write(
        f"{number(done, 'object')} written below {folder}, {work.unchanged:,} were there already\n"
    )
    return 1 if result.failed else 0
