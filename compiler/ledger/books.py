"""The books: who holds what while one run allocates; opened from ledger and pins, and dropped at its end.

Opening them finds everything that is held twice. While compiling that is an error with both lines; while the
ledger is updated, the lease that the settled ledger (git's first parent) does not have gives way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Final

from compiler.ledger.leases import MANY, Lease, Ledger, domain, other_place
from compiler.ledger.prefixes import Prefixes
from compiler.ledger.requests import Request, Space
from intent.diagnostics import Related, Report
from intent.source import Span

Holder = Lease | Request
"""What keeps a value: a lease, active or freed, or a pin."""
_MEND: Final = (
    "two branches took the same id: run `intentc ledger update`, which moves the lease that git's first "
    "parent does not have (--base REV names another revision to keep)"
)
_TWO_NAMES: Final = (
    "an update frees the second one; where two branches drew one each, and the second is in use, run "
    "`intentc ledger update --base REV` with the revision whose lease shall stay"
)


@dataclass(slots=True)
class Books:
    """Who holds what; filled by `open_books`, and by draws."""

    ledger: Ledger
    report: Report
    asked: Mapping[tuple[str, str], Request]
    """Requests by owner and pool (without domain)."""
    owners: frozenset[str]
    """Everybody who asks for something."""
    aliases: Mapping[str, set[str]]
    """Present owners by an earlier name that nobody has now."""
    settled: frozenset[tuple[str, str, str]] | None
    """Owner, pool and value of the leases that must not give way; None where no lease may."""
    held: dict[tuple[str, str], Lease] = field(default_factory=dict)
    """Active leases by owner and pool."""
    holders: set[str] = field(default_factory=set)
    """Everybody who holds an active lease, or held one that gave way."""
    freed: defaultdict[tuple[str, str], list[Lease]] = field(default_factory=lambda: defaultdict(list))
    """Tombstones by owner and pool."""
    lost: set[tuple[str, str, str]] = field(default_factory=set)
    """Owner, pool (without domain) and value of the leases that gave way."""
    taken: defaultdict[str, dict[str, Holder]] = field(default_factory=lambda: defaultdict(dict))
    """Holders by domain and value; tombstones count."""
    blocks: dict[str, Prefixes[Holder]] = field(default_factory=dict)
    """Holders of prefixes, by domain."""
    claims: dict[tuple[str, str], str] = field(default_factory=dict)
    """Who took over a lease from an earlier name, by that name and pool."""
    clashes: int = 0
    """Leases that cannot stand beside another one, and that nothing mends."""
    full: set[tuple[tuple[str, ...], Space]] = field(default_factory=set)
    """Pools and spaces in which nothing is left."""

    def same(self, one: str, two: str) -> bool:
        """Say whether two names are one owner, before and after a rename."""
        if one == two:
            return True
        first, second = self.aliases.get(one), self.aliases.get(two)
        return bool((first or second) and ({one} | (first or set())) & ({two} | (second or set())))

    def other(self, pool: str, text: str, owner: str) -> Holder | None:
        """Return who else holds a value, or a prefix that overlaps it; None where the owner may have it."""
        where = domain(pool)
        holder = self.taken[where].get(text)
        if holder is not None and not self.same(holder.owner, owner):
            return holder
        if holder is None and "/" in text:
            index = self.blocks.get(where)
            if index is not None:
                return next((one for one in index.over(text) if not self.same(one.owner, owner)), None)
        return None

    def take(self, pool: str, text: str, holder: Holder) -> None:
        """Enter who holds a value."""
        where = domain(pool)
        self.taken[where][text] = holder
        if "/" in text:
            self.blocks.setdefault(where, Prefixes()).add(text, holder)

    def find(self, request: Request, pool: str) -> Lease | None:
        """Return the lease that a request has in a pool, under its name or an earlier one."""
        lease = self.held.get((request.owner, pool))
        if lease is not None or not request.formerly:
            return lease
        for name in request.formerly:
            lease = self.held.get((name, pool))
            if lease is None or (name in self.owners and request.owner in self.holders):
                continue
            claimant = name if name in self.owners else self.claims.setdefault((name, pool), request.owner)
            if claimant != request.owner:
                self._refuse_claim(request, lease, claimant)
            return lease
        return None

    def stays(self, lease: Lease) -> bool:
        """Say whether the settled ledger has a lease, under its owner's name or an earlier one."""
        request = self.asked.get((lease.owner, lease.pool.partition("@")[0]))
        earlier = (name for name in request.formerly if name not in self.owners) if request else ()
        names = (lease.owner, *earlier)
        return any((name, lease.pool, lease.value) in (self.settled or ()) for name in names)

    def place(self, holder: Holder) -> Iterator[Related]:
        """Yield where a value was leased or pinned, and where it is asked for."""
        if isinstance(holder, Request):
            yield Related(holder.intent.span(*holder.path), f"pinned by {holder.owner}")
            return
        state = "freed by" if holder.freed else "leased to"
        yield other_place(self.ledger, holder, f"{state} {holder.owner}")
        request = self.asked.get((holder.owner, holder.pool.partition("@")[0]))
        if request and not holder.freed:
            yield Related(request.intent.span("metadata", "name"), f"asked for by {holder.owner}")

    def _refuse_claim(self, request: Request, lease: Lease, claimant: str) -> None:
        self.report.error(
            "IC2510",
            request.intent.span("metadata", "moved"),
            f"{request.owner} was {lease.owner} before, but {claimant} asks for the same lease",
            "only one can take over the leases of an earlier name: correct metadata.moved",
            self.place(lease),
        )


def open_books(
    requests: Iterable[Request],
    ledger: Ledger,
    renamed: Mapping[str, str],
    settled: Ledger | None,
    report: Report,
) -> Books:
    """Enter all leases and pins; report what is held twice, or (with `settled`) let the newer lease give way.

    `renamed`: present names of pools by earlier ones.
    """
    asked: dict[tuple[str, str], Request] = {}
    aliases: defaultdict[str, set[str]] = defaultdict(set)
    for request in requests:
        asked[request.owner, request.pool] = request
    owners = frozenset(owner for owner, _ in asked)
    for request in requests:
        # Who is still there under a name is nobody else: one branch renamed it, and another one kept it.
        for name in request.formerly:
            if name not in owners:
                aliases[name].add(request.owner)
    kept = None
    if settled is not None:
        kept = frozenset((lease.owner, lease.pool, lease.value) for lease in _present(settled, renamed))
    books = Books(ledger, report, asked, owners, aliases, kept)
    _enter(books, _present(ledger, renamed))
    # Whose lease gave way had one of its own, and does not ask for that of an earlier name any more.
    books.holders.update(owner for owner, _ in books.held)
    books.holders.update(owner for owner, _, _ in books.lost)
    for request in requests:
        if request.pinned is not None:
            _pin(request, str(request.pinned), books)
    return books


def _present(ledger: Ledger, renamed: Mapping[str, str]) -> Iterable[Lease]:
    """Return leases with the present names of their pools."""
    if not renamed:
        return ledger.leases
    return [lease._replace(pool=renamed.get(lease.pool, lease.pool)) for lease in ledger.leases]


def _enter(books: Books, leases: Iterable[Lease]) -> None:
    """Enter leases in the order of their right to stay: settled ones first, tombstones after what is used."""
    if books.settled is None:
        entries = sorted(leases, key=lambda lease: lease.freed)
    else:
        entries = sorted(leases, key=lambda lease: (not books.stays(lease), lease.freed, lease))
    for lease in entries:
        twin: Holder | None = None if lease.freed else books.held.get((lease.owner, lease.pool))
        if isinstance(twin, Lease) and twin.value == lease.value:
            continue  # the same line twice, as a union merge leaves it
        holder = twin or books.other(lease.pool, lease.value, lease.owner)
        if isinstance(holder, Lease) and not (holder.freed and lease.freed):
            _give_way(books, lease, holder)
        else:
            _keep(books, lease)
    if books.clashes > MANY:
        text = f"{books.clashes - MANY} more leases of this ledger clash"
        books.report.error("IC2504", Span(books.ledger.file, 1, 1), text, _MEND)
    _under_two_names(books)
    _forget_lost(books)


def _keep(books: Books, lease: Lease) -> None:
    if lease.freed:
        books.freed[lease.owner, lease.pool].append(lease)
        if lease.value in books.taken[domain(lease.pool)]:
            return  # its owner has it in use again
    else:
        books.held[lease.owner, lease.pool] = lease
    books.take(lease.pool, lease.value, lease)


def _give_way(books: Books, lease: Lease, holder: Lease) -> None:
    """Drop a lease that cannot stand, or report it with both lines of the ledger and of intent."""
    if not lease.freed:
        books.lost.add((lease.owner, lease.pool.partition("@")[0], lease.value))
    if books.settled is not None:
        return
    books.clashes += 1
    if books.clashes > MANY:
        return
    if holder.owner == lease.owner:
        text = f"{lease.owner} holds two leases of {lease.pool}: {holder.value} and {lease.value}"
    elif lease.freed:
        text = (
            f"{lease.pool} {lease.value} is leased to {holder.owner}, but {lease.owner} freed it only lately"
        )
    else:
        text = f"{lease.pool} {lease.value} is leased to both {holder.owner} and {lease.owner}"
        if lease.value != holder.value:
            text = f"{lease.pool} {lease.value} of {lease.owner} overlaps {holder.value} of {holder.owner}"
    places = dict.fromkeys((*books.place(holder), *list(books.place(lease))[1:]))
    books.report.error("IC2504", books.ledger.span(lease), text, _MEND, places)


def _under_two_names(books: Books) -> None:
    """Find ids that were drawn under two names of one owner: the settled one stays, else both are told.

    No error: a merge brings that, but so does a document that had an earlier name of another one, and went.
    """
    told: defaultdict[Span, list[tuple[Lease, Lease]]] = defaultdict(list)
    for request in books.asked.values():
        gone = [name for name in request.formerly if name not in books.owners]
        for name, pool in product(gone, request.pools):
            own, old = books.held.get((request.owner, pool)), books.held.get((name, pool))
            if own is None or old is None or own.value == old.value:
                continue
            if books.settled is not None and books.stays(old) and not books.stays(own):
                books.lost.add((own.owner, request.pool, own.value))
            else:
                told[request.intent.span("metadata", "name")].append((own, old))
    for span, pairs in told.items():
        own, old = pairs[0]
        more = f" (and {len(pairs) - 1} more)" if len(pairs) > 1 else ""
        text = f"{own.owner} holds {own.pool} {own.value}, and {old.value} as {old.owner} before{more}"
        places = [other_place(books.ledger, one, f"leased to {one.owner}") for one in pairs[0]]
        books.report.warning("IC2512", span, text, _TWO_NAMES, places)


def _forget_lost(books: Books) -> None:
    """Drop what a lease that gave way holds in other domains, so that one new id can be drawn for all."""
    if not books.lost or books.settled is None:
        return
    for key, lease in list(books.held.items()):
        if (lease.owner, lease.pool.partition("@")[0], lease.value) in books.lost and not books.stays(lease):
            where = domain(lease.pool)
            del books.held[key]
            if books.taken[where].get(lease.value) is lease:
                del books.taken[where][lease.value]
            if where in books.blocks:
                books.blocks[where].remove(lease.value)


def _pin(request: Request, text: str, books: Books) -> None:
    """Enter a pinned value; it must be free, or held by its own owner."""
    span = request.intent.span(*request.path)
    if request.slot in ("localsids", "pods") and request.space.read(text) is None:
        message = f"pinned {request.pool} {text} of {request.owner} is none of the {request.space}"
        books.report.error("IC2505", span, message, "pin a block of that length inside the prefix")
        return
    for pool in request.pools:
        holder = books.other(pool, text, request.owner)
        if holder is None:
            books.take(pool, text, request)
            continue
        hint = "pin another value"
        if isinstance(holder, Lease):
            where = books.ledger.span(holder)
            hint += (
                ", or wait until the other is gone: give it another value (or remove it), apply, "
                f"`intentc ledger gc`; what was never applied may simply be deleted at {where}"
            )
        message = f"pinned {pool} {text} of {request.owner} is taken by {holder.owner}"
        books.report.error("IC2506", span, message, hint, books.place(holder))
