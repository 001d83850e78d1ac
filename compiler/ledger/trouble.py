"""What a run of allocation could not do, told so that a person reads it: grouped, and the first of many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from compiler.ledger.books import Books
from compiler.ledger.leases import Lease, Ledger
from compiler.ledger.requests import Request
from intent.diagnostics import Related, Report
from intent.source import Span

_SHOWN: Final = 10
"""Errors of one kind that are shown one by one."""
_NAMES: Final = 3
"""Earlier names that a hint offers; among more, nobody finds the right one."""
_UPDATE: Final = "run `intentc ledger update` and commit the ledger"
_DELETE: Final = "widen the pool, or delete this line and run `intentc ledger update` (the id changes)"
Entry = TypeVar("Entry")


def report_missing(
    missing: Sequence[Request], requests: Sequence[Request], ledger: Ledger, report: Report
) -> None:
    """Report leases that nobody drew yet: once per document, and the first documents only."""
    held = _heads(ledger) if missing else set()
    deserted = _deserted(held, requests)
    documents: defaultdict[int, list[Request]] = defaultdict(list)
    for request in missing:
        documents[id(request.intent)].append(request)

    def one(several: list[Request]) -> None:
        first, pools = several[0], ", ".join(sorted({request.pool for request in several}))
        count = f"{len(several)} leases are" if len(several) > 1 else "a lease is"
        whose = "the first for" if len(several) > 1 else "for"
        text = f"{count} missing ({pools}), {whose} {first.owner}"
        old = deserted.get(first.intent.kind, [])
        # A new document takes the ids of an old one only if it says so, and after an update it is late.
        hint = f"if it was {' or '.join(old)} before, say so in metadata.moved first; {_UPDATE}"
        few = 0 < len(old) <= _NAMES and first.intent.subject not in held
        report.error("IC2503", first.intent.span("metadata", "name"), text, hint if few else _UPDATE)

    left = _first(list(documents.values()), one)
    if left:
        report.error("IC2503", Span(ledger.file), f"leases are missing for {left} more documents", _UPDATE)


def _deserted(held: set[str], requests: Iterable[Request]) -> dict[str, list[str]]:
    """Return the documents, by kind, that hold leases and are not there any more."""
    if not held:
        return {}
    names = {name for request in requests for name in (request.owner, *request.formerly)}
    present = {"/".join(name.split("/")[:2]) for name in names}
    found: defaultdict[str, list[str]] = defaultdict(list)
    for head in sorted(held - present):
        kind, _, name = head.partition("/")
        found[kind].append(repr(name))
    return found


def _heads(ledger: Ledger) -> set[str]:
    """Return the documents that hold leases, as Kind/uid."""
    return {"/".join(lease.owner.split("/")[:2]) for lease in ledger.leases if not lease.freed}


def report_unrecorded(unrecorded: Sequence[Request], report: Report) -> None:
    """Tell once of pins that the ledger does not have: nothing keeps such an id from others once it goes."""
    if not unrecorded:
        return
    first, pools = unrecorded[0], ", ".join(sorted({request.pool for request in unrecorded}))
    count = f"{len(unrecorded)} pinned ids are" if len(unrecorded) > 1 else "a pinned id is"
    whose = "the first of" if len(unrecorded) > 1 else "of"
    report.warning(
        "IC2513",
        first.intent.span(*first.path),
        f"{count} not in the ledger ({pools}), {whose} {first.owner}",
        f"{_UPDATE} before you apply: else others may get it while it is still configured somewhere",
    )


def report_outside(outside: Sequence[tuple[Request, Lease]], ledger: Ledger, report: Report) -> None:
    """Report leases that lie outside their pool, mostly because it was narrowed."""

    def one(entry: tuple[Request, Lease]) -> None:
        request, lease = entry
        text = f"lease {lease.value} of {lease.owner} lies outside pool {request.pool}: {request.space}"
        place = Related(request.intent.span(*request.path), "asked for here")
        report.error("IC2507", ledger.span(lease), text, _DELETE, [place])

    left = _first(outside, one)
    if left:
        report.error("IC2507", Span(ledger.file), f"{left} more leases lie outside their pools", _DELETE)


def report_uneven(request: Request, leases: Sequence[Lease], ledger: Ledger, report: Report) -> None:
    """Report that a value which must be the same in several domains was leased differently."""
    said = " and ".join(dict.fromkeys(f"{lease.pool} {lease.value}" for lease in leases))
    text = f"{request.owner} must have one {request.pool} everywhere, but holds {said}"
    hint = f"run `intentc ledger update`; where that does not help, pin the {request.pool} that shall stay"
    places = [Related(ledger.span(lease), "leased here") for lease in leases]
    report.error("IC2504", request.intent.span(*request.path), text, hint, places)


def report_stuck(request: Request, lease: Lease, books: Books) -> None:
    """Report that a value which is held in one domain cannot be had in the others."""
    if request.space.read(lease.value) is None:
        report_outside([(request, lease)], books.ledger, books.report)
        return
    for pool in request.pools:
        holder = books.other(pool, lease.value, request.owner)
        if holder is not None:
            said = f"{lease.pool} {lease.value}, but {pool} {lease.value}"
            text = f"{request.owner} holds {said} is taken by {holder.owner}"
            hint = f"pin a {request.pool} that is free in all of {', '.join(request.pools)}"
            places = [Related(books.ledger.span(lease), "held here"), *books.place(holder)]
            books.report.error("IC2508", request.intent.span(*request.path), text, hint, places)
            return


def report_exhausted(exhausted: Sequence[Request], report: Report) -> None:
    """Report pools that have no free value left: once per pool and document."""
    pools: defaultdict[tuple[int, tuple[str, ...]], list[Request]] = defaultdict(list)
    for request in exhausted:
        pools[id(request.intent), request.pools].append(request)
    for several in pools.values():
        first = several[0]
        more = f" and {len(several) - 1} more" if len(several) > 1 else ""
        pool = f"pool {', '.join(first.pools)} ({first.space})"
        text = f"{pool} is exhausted: nothing is left for {first.owner}{more}"
        hint = "widen the pool, or free leases (`intentc ledger gc`)"
        report.error("IC2509", first.intent.span(*first.path), text, hint)


def _first(entries: Sequence[Entry], show: Callable[[Entry], None]) -> int:
    """Show the first entries, and return how many are left; one that is left is shown as well."""
    shown = len(entries) if len(entries) <= _SHOWN + 1 else _SHOWN
    for entry in entries[:shown]:
        show(entry)
    return len(entries) - shown
