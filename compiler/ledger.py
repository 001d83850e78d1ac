"""The ledger (`intentc.lock`): who holds which id of which pool, as text that git can merge.

One lease per line — `OWNER POOL VALUE`, with `freed` behind it for a tombstone —, sorted by owner and pool, so
that two branches rarely touch the same line and git's union driver merges them. A lease is never moved
silently: whatever two branches did to the same id is found here, with both lines.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from intent.diagnostics import Related, Report
from intent.source import Source, Span

HEADER: Final = "# intentc ledger 1: leases of ids; written by `intentc ledger update` only"


@dataclass(frozen=True, slots=True, order=True)
class Lease:
    """One id that one owner holds, or has held (`freed`)."""

    owner: str
    """Stable subject of what holds it."""
    pool: str
    """Pool, with its domain behind @ where the pool counts per fabric or cluster: vni, vlan@dc1, localsids@edge."""
    value: str
    """The id as text: a number, an address or a prefix."""
    freed: bool = False
    """A tombstone: nobody asks for it any more, and nobody else may get it yet."""
    line: int = 0
    """Line in the file; 0 for a lease that is not saved yet."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """All leases, sorted."""

    leases: tuple[Lease, ...] = ()
    file: str = "intentc.lock"

    def span(self, lease: Lease) -> Span:
        """Return the place of a lease."""
        return Span(self.file, lease.line, 1 if lease.line else 0)


def parse_ledger(source: Source, report: Report) -> Ledger:
    """Read the text form; lines that are no leases are errors."""
    leases: list[Lease] = []
    for number, row in enumerate(source.text.split("\n"), 1):
        words = row.split()
        if not words or row.startswith("#"):
            if row.startswith("# intentc ledger") and row.strip() != HEADER:
                report.error("IC2501", Span(source.file, number, 1), "this ledger was written by another version of intentc", "use the version of intentc that wrote it")
            continue
        if len(words) not in (3, 4) or (len(words) == 4 and words[3] != "freed"):  # noqa: PLR2004 -- owner, pool, value, mark
            what = "a merge conflict" if row[:7] in ("<<<<<<<", "=======", ">>>>>>>") else "no lease"
            report.error("IC2502", Span(source.file, number, 1), f"this line is {what}: {row[:60]!r}", "restore the file from git, keep the lines of both sides, and run `intentc ledger update`")
            continue
        leases.append(Lease(words[0], words[1], words[2], len(words) == 4, number))  # noqa: PLR2004
    return Ledger(tuple(sorted(leases)), source.file)


def write_ledger(leases: Iterable[Lease]) -> str:
    """Return the text form."""
    rows = (f"{lease.owner} {lease.pool} {lease.value}{' freed' if lease.freed else ''}" for lease in sorted(leases))
    return "\n".join([HEADER, *rows]) + "\n"


def other_place(ledger: Ledger, lease: Lease, what: str) -> Related:
    """Return the line of a lease as the related place of a diagnostic."""
    return Related(ledger.span(lease), what)
