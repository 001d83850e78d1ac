"""The line from documents to graph, read top to bottom: resolve → check → allocate → check with ids → graph.

Errors are collected inside a pass, and the line stops between passes: what depends on a broken name is not
judged. Equal documents, ledger and facts give an equal graph, whatever order they came in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from compiler.allocated import Allocated
from compiler.check import CHECKS, CHECKS_WITH_IDS
from compiler.graph import Graph, scopes
from compiler.ledger.allocate import allocate
from compiler.ledger.leases import Ledger, parse_ledger
from compiler.lower import LOWER
from compiler.resolve.names import resolve
from compiler.resolved import Resolved
from intent.diagnostics import Report
from intent.model import Intent
from intent.source import Source

Noun = TypeVar("Noun", Resolved, Allocated)


@dataclass(frozen=True, slots=True)
class Compiled:
    """How far the line came: what is None was stopped by an error before it."""

    resolved: Resolved | None = field(default=None, repr=False)
    ledger: Ledger | None = field(default=None, repr=False)
    allocated: Allocated | None = field(default=None, repr=False)
    graph: Graph | None = None


def compile_intent(
    project: Intent, documents: Iterable[Intent], facts: Iterable[Intent], ledger: Source, report: Report
) -> Compiled:
    """Return the graph that intent, ledger and facts make together."""
    resolved = check_intent(project, documents, facts, report)
    book = parse_ledger(ledger, report)
    if resolved is None or report.failed:
        return Compiled(resolved, book)
    # Ids come after the checks that need none, so that a broken network draws no lease.
    allocated = allocate(resolved, book, report)
    if allocated is None:
        return Compiled(resolved, book)
    # Last, what can be judged only with ids: overlaps of what was drawn, VLANs against ports.
    if not _passes(CHECKS_WITH_IDS, allocated, report):
        return Compiled(resolved, book, allocated)
    return Compiled(resolved, book, allocated, Graph(allocated, LOWER, scopes(allocated)))


def check_intent(
    project: Intent, documents: Iterable[Intent], facts: Iterable[Intent], report: Report
) -> Resolved | None:
    """Return resolved intent that passed every check which needs no ids; `ledger update` starts from it."""
    # Names first: nothing can be judged while they point nowhere.
    resolved = resolve(project, documents, facts, report)
    if resolved is None or report.failed:
        return None
    # Then each domain inside itself, and the domains against each other.
    return resolved if _passes(CHECKS, resolved, report) else None


def _passes(checks: Iterable[Callable[[Noun, Report], None]], noun: Noun, report: Report) -> bool:
    """Run all checks, so that all errors of a pass are told at once; say whether none was found."""
    for check in checks:
        check(noun, report)
    return not report.failed
