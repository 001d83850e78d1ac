"""The line from documents to graph, read top to bottom: resolve → check → allocate → check with ids → graph.

Errors are collected inside a pass, and the line stops between passes: what depends on a broken name is not
judged. Equal documents, ledger and facts give an equal graph, whatever order they came in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from compiler.allocate import allocate
from compiler.allocated import Allocated
from compiler.check import CHECKS, CHECKS_WITH_IDS
from compiler.graph import Graph, scopes
from compiler.ledger import Ledger, parse_ledger
from compiler.resolve import resolve
from compiler.resolved import Resolved
from intent.diagnostics import Report
from intent.model import Intent
from intent.source import Source


@dataclass(frozen=True, slots=True)
class Compiled:
    """How far the line came: what is None was stopped by an error before it."""

    resolved: Resolved | None = field(default=None, repr=False)
    ledger: Ledger | None = field(default=None, repr=False)
    allocated: Allocated | None = field(default=None, repr=False)
    graph: Graph | None = None


def compile_intent(project: Intent, documents: Iterable[Intent], facts: Iterable[Intent], ledger: Source, report: Report) -> Compiled:
    """Return the graph that intent, ledger and facts make together."""
    checked = check_intent(project, documents, facts, report)
    book = parse_ledger(ledger, report)
    if checked is None or report.failed:
        return Compiled(checked, book)
    # Ids come after the checks that need none, so that a broken network draws no lease.
    allocated = allocate(checked, book, report)
    if allocated is None:
        return Compiled(checked, book)
    # Last, what can be judged only with ids: overlaps of what was drawn, VLANs against ports.
    for check in CHECKS_WITH_IDS:
        check(allocated, report)
    if report.failed:
        return Compiled(checked, book, allocated)
    return Compiled(checked, book, allocated, Graph(allocated, scopes(allocated)))


def check_intent(project: Intent, documents: Iterable[Intent], facts: Iterable[Intent], report: Report) -> Resolved | None:
    """Return resolved intent that passed every check which needs no ids (what `ledger update` starts from)."""
    # Names first: nothing can be judged while they point nowhere.
    resolved = resolve(project, documents, facts, report)
    if resolved is None or report.failed:
        return None
    # Then each domain inside itself, and the domains against each other.
    for check in CHECKS:
        check(resolved, report)
    return None if report.failed else resolved
