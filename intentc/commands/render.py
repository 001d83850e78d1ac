"""Write the rendered objects to a folder, or as JSON lines to standard output."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from intentc.session import begin, tell
from reconciler.drivers.directory import Directory
from reconciler.plan import plan
from renderers import NEEDS, render


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--out", type=Path, metavar="DIR", help="write files below this folder instead of JSON lines")
    parser.add_argument("--scope", action="append", default=[], metavar="SCOPE", help="only this scope, for example node/edge/worker-1; may be repeated")


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
        sys.stderr.write(f"intentc: no such scope: {', '.join(unknown)}\n  hint: scopes: {', '.join(map(str, graph.scopes[:20]))}\n")
        return 1
    if options.out is None:
        for resource in render(graph, scopes):
            json.dump({**resource.key._asdict(), "spec": resource.spec}, sys.stdout, sort_keys=True)
            sys.stdout.write("\n")
        return 0
    return _write(options.out, list(render(graph, scopes)))


def _write(folder: Path, resources: list) -> int:
    driver = Directory("out", folder)
    work = plan({"out": resources}, {"out": driver.observe()}, NEEDS)
    if not work.actions:
        return 0
    outcomes = driver.commit(driver.stage(work.actions))
    failed = [outcome for outcome in outcomes if outcome.status != "done"]
    for outcome in failed:
        sys.stderr.write(f"{outcome.action.key}: {outcome.message}\n")
    sys.stdout.write(f"{len(outcomes) - len(failed)} objects written below {folder}\n")
    return 1 if failed else 0
