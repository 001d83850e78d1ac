"""Allocate: requests and ledger become ids; what is leased stays, what is missing is an error (or is drawn).

Invariant: no value is ever held by two owners in one domain, and no lease moves unless two branches took the
same id — then the lease that the settled ledger does not have gives way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import Any, Final

from compiler.allocated import Allocated
from compiler.ledger.books import Books, open_books
from compiler.ledger.demand import demand, renamed_pools
from compiler.ledger.leases import Lease, Ledger, domain
from compiler.ledger.requests import Request
from compiler.ledger.trouble import (
    report_exhausted,
    report_missing,
    report_outside,
    report_stuck,
    report_uneven,
    report_unrecorded,
)
from compiler.resolved import Resolved
from intent.diagnostics import Report

SLOTS: Final = (
    *("vni", "vlan", "l3vni", "zone_vlan"),
    *("table", "function", "localsids", "pods", "block", "bsid"),
)


def allocate(resolved: Resolved, ledger: Ledger, report: Report) -> Allocated | None:
    """Return every id from pins and leases; a missing lease is an error that says how to get it."""
    requests = _requests(resolved)
    books = open_books(requests, ledger, renamed_pools(resolved), None, report)
    values: dict[str, dict[tuple[str, ...], Any]] = {slot: {} for slot in SLOTS}
    missing, outside, unrecorded = [], [], []
    for request in requests:
        if request.pinned is not None:
            values[request.slot][request.key] = request.pinned
            if not _recorded(request, books):
                unrecorded.append(request)
            continue
        lease = _leased(request, books)
        if lease is None:
            missing.append(request)
        elif (value := request.space.read(lease.value)) is None:
            outside.append((request, lease))
        else:
            values[request.slot][request.key] = value
    # A lease that clashes was reported as that, and is not missing too.
    clashed = {(owner, pool) for owner, pool, _ in books.lost}
    missing = [one for one in missing if (one.owner, one.pool) not in clashed]
    report_missing(missing, requests, ledger, report)
    report_outside(outside, ledger, report)
    if report.failed:
        return None
    report_unrecorded(unrecorded, report)
    return Allocated.of(resolved, values)


def update(resolved: Resolved, ledger: Ledger, settled: Ledger | None, report: Report) -> tuple[Lease, ...]:
    """Return what the ledger should hold: leases kept, renamed, drawn and freed; void if the report failed.

    `settled` is the ledger of the first parent: where two branches took one id, the lease that it does not
    hold gives way. Without it nothing gives way: such a clash is an error.
    """
    requests = _requests(resolved)
    books = open_books(requests, ledger, renamed_pools(resolved), settled, report)
    texts: list[tuple[Request, str]] = []
    outside: list[tuple[Request, Lease]] = []
    undrawn: list[Request] = []
    exhausted: list[Request] = []
    for request in requests:
        lease = None if request.pinned is not None else _leased(request, books)
        if request.pinned is not None:
            texts.append((request, str(request.pinned)))
        elif lease is None:
            undrawn.append(request)
        elif request.space.read(lease.value) is None:
            outside.append((request, lease))
        else:
            texts.append((request, lease.value))
    # Draws come last: nobody may draw what another one keeps.
    for request in undrawn:
        text = _draw(request, books, exhausted)
        if text is not None:
            texts.append((request, text))
    report_outside(outside, ledger, report)
    report_exhausted(exhausted, report)
    leases = [Lease(request.owner, pool, text) for request, text in texts for pool in request.pools]
    return tuple(sorted([*leases, *_tombstones(books, leases)]))


def _requests(resolved: Resolved) -> list[Request]:
    return sorted(demand(resolved), key=attrgetter("owner", "pool"))


def _leased(request: Request, books: Books) -> Lease | None:
    """Return the lease that the owner holds, under its name or an earlier one, in every domain alike."""
    first = books.find(request, request.pools[0])
    for pool in request.pools[1:]:
        lease = books.find(request, pool)
        if first is None or lease is None:
            return None
        if lease.value != first.value:
            if books.settled is None:
                books.lost.add((request.owner, request.pool, lease.value))
                report_uneven(request, [first, lease], books.ledger, books.report)
            return None
    return first


def _recorded(request: Request, books: Books) -> bool:
    """Say whether the ledger has a pinned value, so that it is remembered once the pin goes."""
    if request.space.read(str(request.pinned)) is None:
        return True  # a pin outside its pool is an error, and no update would write it down
    leases = [books.find(request, pool) for pool in request.pools]
    return all(lease is not None and request.space.read(lease.value) == request.pinned for lease in leases)


def _draw(request: Request, books: Books, exhausted: list[Request]) -> str | None:
    """Take the value that the owner holds in other domains, or one it held before, or the first free one."""
    leases = [lease for pool in request.pools if (lease := books.find(request, pool)) is not None]
    fixed = [lease for lease in leases if books.settled is None or books.stays(lease)] or leases[:1]
    if any(lease.value != fixed[0].value for lease in fixed):
        if books.settled is not None:
            report_uneven(request, fixed, books.ledger, books.report)
        return None
    for text in [fixed[0].value] if fixed else _candidates(request, books):
        if _fits(request, text, books):
            for pool in request.pools:
                lease = Lease(request.owner, pool, text)
                books.held[request.owner, pool] = lease
                books.take(pool, text, lease)
            return text
    if fixed:
        report_stuck(request, fixed[0], books)
    else:
        books.full.add((request.pools, request.space))
        exhausted.append(request)
    return None


def _fits(request: Request, text: str, books: Books) -> bool:
    return request.space.read(text) is not None and all(
        books.other(pool, text, request.owner) is None for pool in request.pools
    )


def _candidates(request: Request, books: Books) -> Iterator[str]:
    """Yield what the owner held before, then all values, beginning where the owner's name points to."""
    for name in (request.owner, *request.formerly):
        for pool in request.pools:
            yield from (lease.value for lease in books.freed.get((name, pool), ()))
    if (request.pools, request.space) in books.full:
        return
    size, start, at = request.space.size, request.start(), request.space.at
    for step in range(size):
        yield str(at((start + step) % size))


def _tombstones(books: Books, leases: Iterable[Lease]) -> set[Lease]:
    """Return what was held before and is not any more; a value that is in use again needs no tombstone."""
    standing = {(domain(lease.pool), lease.value) for lease in leases}
    old = [*books.held.values(), *chain.from_iterable(books.freed.values())]
    return {
        Lease(lease.owner, lease.pool, lease.value, freed=True)
        for lease in old
        if (domain(lease.pool), lease.value) not in standing
    }


@dataclass(frozen=True, slots=True)
class Changes:
    """What an update changes in the ledger, for people."""

    counts: Mapping[str, int]
    """Leases that are new, renamed, freed, moved and kept."""
    moved: tuple[tuple[Lease, Lease], ...]
    """Leases whose value changed, before and after: what they stand for changes on the targets."""


def changes(before: Ledger, after: Iterable[Lease]) -> Changes:
    """Compare the ledger with what an update made of it."""
    old = {(lease.owner, lease.pool): lease for lease in before.leases if not lease.freed}
    stones = {lease[:3] for lease in before.leases if lease.freed}
    present = list(after)
    standing = {(lease.owner, lease.pool) for lease in present if not lease.freed}
    gone = {(domain(lease.pool), lease.value) for key, lease in old.items() if key not in standing}
    counts = dict.fromkeys(("new", "renamed", "moved", "freed", "kept"), 0)
    moved = []
    for lease in present:
        twin = old.get((lease.owner, lease.pool))
        if lease.freed:
            counts["kept" if lease[:3] in stones else "freed"] += 1
        elif twin is None:
            counts["renamed" if (domain(lease.pool), lease.value) in gone else "new"] += 1
        elif twin.value != lease.value:
            counts["moved"] += 1
            moved.append((twin, lease))
        else:
            counts["kept"] += 1
    return Changes(counts, tuple(moved))
