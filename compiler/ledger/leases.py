"""The ledger (`intentc.lock`): who holds which id of which pool, as text that git can merge.

One lease per line — `OWNER POOL VALUE`, with `freed` behind it for a tombstone —, sorted by owner and pool,
so that two branches rarely touch the same line and git's union driver merges them. An owner holds one active
lease of a pool, and any number of tombstones. A lease is never moved silently: whatever two branches did to
the same id is found from here, with both lines.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from compiler.ledger.prefixes import Prefixes
from intent.diagnostics import Related, Report
from intent.source import Source, Span

HEADER: Final = "# intentc ledger 1: leases of ids; written by `intentc ledger update` only"
_VERSION: Final = re.compile(r"# intentc ledger (\S+?):? ")
MANY: Final = 100
"""Faults of one sort that are told one by one; a ledger with more of them was damaged as a whole."""
_MARKS: Final = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")
"""What git writes around the two sides of a conflict, and around their base."""
_SAME: Final = {"l3vni": "vni"}
"""Pools whose values meet on one wire: a VXLAN header does not say whether its VNI is of layer 2 or 3."""
_GLOBAL: Final = frozenset({"vni", "localsids", "bsid"})
"""Pools whose values must be unique over all domains: clusters may draw from one supernet, and join later."""


class Lease(NamedTuple):
    """One id that one owner holds, or has held (`freed`)."""

    owner: str
    """Stable subject of what holds it."""
    pool: str
    """Pool, behind @ its domain where it counts per fabric, cluster or subnet: vni, vlan@dc1, table@edge."""
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


@lru_cache(4096)
def domain(pool: str) -> str:
    """Return where values of a pool must be unique; pools that name the same domain share its values."""
    name, at, where = pool.partition("@")
    name = _SAME.get(name, name)
    return name if name in _GLOBAL else f"{name}{at}{where}"


def parse_ledger(source: Source, report: Report) -> Ledger:
    """Read the text form; lines that are no leases are errors."""
    leases: list[Lease] = []
    wrong: list[tuple[str, int]] = []
    known = False
    for number, row in enumerate(source.text.split("\n"), 1):
        if row.startswith("#"):
            known |= _is_header(row, Span(source.file, number, 1), report)
            continue
        words = row.split()
        if not words:
            continue
        freed = len(words) == 4 and words[3] == "freed"  # noqa: PLR2004 -- owner, pool, value, mark
        if not (len(words) == 3 or freed) or row.startswith(_MARKS):  # noqa: PLR2004 -- owner, pool, value
            wrong.append((row, number))
            continue
        leases.append(Lease(words[0], words[1], words[2], freed, number))
    for row, number in wrong[:MANY]:
        _refuse(row, Span(source.file, number, 1), report)
    if wrong[MANY:]:
        text = f"{len(wrong) - MANY} more lines are no leases"
        report.error("IC2502", Span(source.file, wrong[MANY][1], 1), text, "restore the file from git")
    if leases and not known:
        text = "the first line of this ledger, which names its version, is missing"
        report.error("IC2501", Span(source.file, 1, 1), text, "restore the file from git")
    return Ledger(tuple(sorted(leases)), source.file)


def _is_header(row: str, span: Span, report: Report) -> bool:
    found = _VERSION.match(f"{row} ")
    if found and found[1] != "1":
        text = f"this ledger is of version {found[1]}, and this intentc knows version 1"
        report.error("IC2501", span, text, "use the version of intentc that wrote it")
    return found is not None


def _refuse(row: str, span: Span, report: Report) -> None:
    if row.startswith(_MARKS):
        text = f"this line is the mark of a merge conflict: {row[:60]!r}"
        hint = "delete the marks, keep the lines of both sides, and run `intentc ledger update`"
    else:
        text, hint = f"this line is no lease: {row[:60]!r}", "restore the line from git"
    report.error("IC2502", span, text, hint)


def write_ledger(leases: Iterable[Lease]) -> str:
    """Return the text form."""
    rows = (f"{lease.owner} {lease.pool} {lease.value}{' freed' * lease.freed}" for lease in sorted(leases))
    return "\n".join([HEADER, *rows]) + "\n"


def clashes(leases: Iterable[Lease]) -> Iterator[tuple[Lease, Lease]]:
    """Yield leases that cannot both stand, judged by the lines alone: equal ids, or two ids of one owner."""
    held: dict[tuple[str, str], Lease] = {}
    taken: dict[tuple[str, str], Lease] = {}
    blocks: defaultdict[str, Prefixes[Lease]] = defaultdict(Prefixes)
    for lease in sorted(leases, key=lambda lease: (lease.freed, lease)):
        where = domain(lease.pool)
        near = [taken.setdefault((where, lease.value), lease)]
        if not lease.freed:
            twin = held.setdefault((lease.owner, lease.pool.partition("@")[0]), lease)
            near += [twin] if twin.value != lease.value else []
        if "/" in lease.value and near[0] is lease:
            near += blocks[where].over(lease.value)
            blocks[where].add(lease.value, lease)
        for one in near:
            apart = one.owner == lease.owner and (one.freed or lease.freed or one.value == lease.value)
            if not apart and not (one.freed and lease.freed):
                yield one, lease
                break


def other_place(ledger: Ledger, lease: Lease, what: str) -> Related:
    """Return the line of a lease as the related place of a diagnostic."""
    return Related(ledger.span(lease), what)
