"""Allocate: requests and ledger become ids; what is leased stays, what is missing is an error (or, to update, a draw).

Invariant: no value is ever held by two owners in one domain, and no lease moves unless two branches took the
same id — then the lease that the first parent does not have gives way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from compiler.allocated import Allocated
from compiler.demand import demand
from compiler.ledger import Lease, Ledger, other_place
from compiler.requests import Request, Value
from compiler.resolved import Resolved
from intent.diagnostics import Related, Report
from intent.source import Span

SLOTS: Final = ("vni", "vlan", "l3vni", "zone_vlan", "table", "function", "localsids", "pods", "block", "bsid")
_SHOWN: Final = 10
_UPDATE: Final = "run `intentc ledger update` and commit intentc.lock"


@dataclass(slots=True)
class _Books:
    """Who holds what while one run allocates; local to this module and dropped at its end."""

    ledger: Ledger
    report: Report
    held: dict[tuple[str, str], Lease] = field(default_factory=dict)
    """Leases by owner and pool."""
    taken: dict[tuple[str, str], str] = field(default_factory=dict)
    """Owner by pool and value; tombstones count."""
    places: dict[str, Request] = field(default_factory=dict)
    """A request of each owner, for its place in intent."""


def allocate(resolved: Resolved, ledger: Ledger, report: Report) -> Allocated | None:
    """Return every id from pins and leases; a missing lease is an error that says how to get it."""
    requests = sorted(demand(resolved), key=lambda request: (request.owner, request.pool))
    books = _open(requests, ledger, None, report)
    values: dict[str, dict[tuple[str, ...], Any]] = {slot: {} for slot in SLOTS}
    missing: list[Request] = []
    for request in requests:
        value = request.pinned if request.pinned is not None else _leased(request, books)
        if value is None:
            missing.append(request)
        else:
            values[request.slot][request.key] = value
    _report_missing(missing, ledger, report)
    return None if report.failed else Allocated.of(resolved, values)


def _report_missing(missing: Iterable[Request], ledger: Ledger, report: Report) -> None:
    """Report leases that nobody drew yet: once per document, and the first documents only."""
    documents: defaultdict[int, list[Request]] = defaultdict(list)
    for request in missing:
        documents[id(request.intent)].append(request)
    for several in list(documents.values())[:_SHOWN]:
        first, pools = several[0], ", ".join(sorted({request.pool for request in several}))
        count = f"{len(several)} leases are" if len(several) > 1 else "a lease is"
        report.error("IC2503", first.intent.span("metadata", "name"), f"{count} missing ({pools}), the first for {first.owner}", _UPDATE)
    if len(documents) > _SHOWN:
        report.error("IC2503", Span(ledger.file), f"leases are missing for {len(documents) - _SHOWN} more documents", _UPDATE)


def update(resolved: Resolved, ledger: Ledger, settled: Ledger | None, report: Report) -> tuple[Lease, ...]:
    """Return the leases that the ledger should hold: kept, renamed, drawn anew, and freed.

    `settled` is the ledger of the first parent: where two branches took one id, the lease that it does not hold gives way.
    """
    requests = sorted(demand(resolved), key=lambda request: (request.owner, request.pool))
    books = _open(requests, ledger, settled, report)
    leases: dict[tuple[str, str], Lease] = {}
    used: set[tuple[str, str]] = set()
    for request in requests:
        if request.pinned is not None:
            continue
        value = _leased(request, books)
        text = str(value) if value is not None else _draw(request, books)
        if text is None:
            continue
        for pool in request.pools:
            leases[request.owner, pool] = Lease(request.owner, pool, text)
            used.update((name, pool) for name in (request.owner, *request.formerly))
    for key, lease in books.held.items():
        if key not in used:
            leases.setdefault(key, Lease(lease.owner, lease.pool, lease.value, freed=True))
    return tuple(sorted(leases.values()))


def _open(requests: Iterable[Request], ledger: Ledger, settled: Ledger | None, report: Report) -> _Books:
    """Enter all leases and pins; report what is held twice."""
    books = _Books(ledger, report, places={request.owner: request for request in requests})
    kept = {(lease.owner, lease.pool, lease.value) for lease in settled.leases} if settled else None
    entries = sorted(ledger.leases, key=lambda lease: (lease.freed, kept is not None and (lease.owner, lease.pool, lease.value) not in kept, lease))
    for lease in entries:
        twin = books.held.get((lease.owner, lease.pool))
        if twin is not None:
            if twin.value != lease.value and not lease.freed and kept is None:
                _clash(books, lease, twin, f"{lease.owner} holds two leases of {lease.pool}: {twin.value} and {lease.value}")
            continue
        holder = books.taken.get((lease.pool, lease.value))
        if holder is not None and holder != lease.owner:
            if kept is None and not lease.freed:
                _clash(books, lease, books.held[holder, lease.pool], f"{lease.pool} {lease.value} is leased to both {holder} and {lease.owner}")
            continue
        books.held[lease.owner, lease.pool] = lease
        books.taken[lease.pool, lease.value] = lease.owner
    for request in requests:
        if request.pinned is not None:
            _pin(request, books)
    return books


def _clash(books: _Books, lease: Lease, twin: Lease, message: str) -> None:
    """Report two leases that cannot both stand, with both lines of the ledger and of intent."""
    related = [other_place(books.ledger, twin, "the other lease")]
    for name in dict.fromkeys((twin.owner, lease.owner)):
        request = books.places.get(name)
        if request:
            related.append(Related(request.intent.span("metadata", "name"), f"asked for by {name}"))
    books.report.error("IC2504", books.ledger.span(lease), message, "two branches took the same id: run `intentc ledger update`, which moves the newer one", related)


def _pin(request: Request, books: _Books) -> None:
    """Enter a pinned value; it must be free, or held by its own owner."""
    text, span = str(request.pinned), request.intent.span(*request.path)
    inside = request.space.read(text) is not None
    if not inside and request.slot in ("localsids", "pods"):
        books.report.error("IC2505", span, f"pinned {request.pool} {text} of {request.owner} lies outside {request.space}")
        return
    for pool in request.pools:
        holder = books.taken.get((pool, text))
        if holder is None or holder in (request.owner, *request.formerly):
            books.taken[pool, text] = request.owner
            continue
        lease = books.held.get((holder, pool))
        other = books.places.get(holder)
        if lease is not None:
            place = other_place(books.ledger, lease, f"leased to {holder}")
        else:
            place = Related(other.intent.span(*other.path) if other else span, f"pinned by {holder}")
        books.report.error("IC2506", span, f"pinned {pool} {text} of {request.owner} is taken by {holder}", "pin another value, or pin a value for the other one too and update the ledger", [place])


def _leased(request: Request, books: _Books) -> Value | None:
    """Return the value that the owner holds, under its name or an earlier one, in every domain."""
    texts = {text for pool in request.pools if (text := _held(request, pool, books)) is not None}
    if len(texts) != 1 or any(_held(request, pool, books) is None for pool in request.pools):
        return None
    text = texts.pop()
    value = request.space.read(text)
    if value is None:
        lease = next(lease for name in (request.owner, *request.formerly) if (lease := books.held.get((name, request.pools[0]))))
        books.report.error(
            "IC2507", books.ledger.span(lease), f"lease {text} of {request.owner} lies outside the pool: {request.space}", "widen the pool, or delete this line and run `intentc ledger update` (the id changes)",
            [Related(request.intent.span(*request.path), "asked for here")],
        )
        return request.space.at(0) if request.space.size else None
    return value


def _held(request: Request, pool: str, books: _Books) -> str | None:
    for name in (request.owner, *request.formerly):
        lease = books.held.get((name, pool))
        if lease is not None and (name == request.owner or name not in books.places):
            return lease.value
    return None


def _draw(request: Request, books: _Books) -> str | None:
    """Take the first free value after the one that the owner's name points to."""
    size = request.space.size
    already = next((text for pool in request.pools if (text := _held(request, pool, books)) is not None), None)
    candidates = [already] if already is not None else (str(request.space.at((request.start() + step) % size)) for step in range(size))
    for text in candidates:
        if all(books.taken.get((pool, text), request.owner) == request.owner or (already is not None and _held(request, pool, books) == text) for pool in request.pools):
            for pool in request.pools:
                books.taken[pool, text] = request.owner
                books.held.setdefault((request.owner, pool), Lease(request.owner, pool, text))
            return text
    span = request.intent.span(*request.path)
    if already is not None:
        books.report.error("IC2508", span, f"{request.pool} {already} of {request.owner} is taken in one of {', '.join(request.domains)}", "pin a value that is free in all of them")
    else:
        books.report.error("IC2509", span, f"pool {request.pools[0]} is exhausted: {request.space} has no free value for {request.owner}", "widen the pool, or free leases")
    return None


def summary(before: Ledger, after: Iterable[Lease]) -> Mapping[str, int]:
    """Count what an update changes: leases drawn, freed, moved to another owner or value, kept."""
    old = {(lease.owner, lease.pool): lease for lease in before.leases}
    counts = {"new": 0, "freed": 0, "changed": 0, "kept": 0}
    for lease in after:
        twin = old.get((lease.owner, lease.pool))
        if twin is None:
            counts["new"] += 1
        elif twin.freed != lease.freed:
            counts["freed" if lease.freed else "new"] += 1
        else:
            counts["kept" if twin.value == lease.value else "changed"] += 1
    return counts
