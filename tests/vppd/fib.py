"""VPP's routing tables: entries with several sources, and tables that live as long as somebody holds them.

An entry shows the paths of its best source. A table goes with the last lock on it, whatever routes lie in it
and whoever keeps its index; the next table takes that index, and if it is of IPv4, the routes too. Tables of
one family share one pool with the two that SR hides and with those of link-local addresses, all of which call
themselves NONE. Entries with the same paths share one list of them: where an interface in it was deleted, the
list drops for as long as any entry has it, also once another interface has that index.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tests.vppd.pool import NONE, Pool

SPECIAL, INTERFACE, SR, API, CLI, ADJ, RR, DEFAULT = 1, 4, 5, 8, 9, 15, 18, 20
"""Identifiers of the sources that the stand-in uses itself."""
SOURCES: Final = (
    (255, "invalid"),
    (0, "special"),
    (1, "classify"),
    (2, "proxy"),
    (3, "interface"),
    (16, "SR"),
    (32, "BIER"),
    (48, "6RD"),
    (128, "API"),
    (129, "CLI"),
    (144, "LISP"),
    (160, "MAP"),
    (176, "DHCP"),
    (192, "IPv6-proxy-nd"),
    (193, "IPv6-nd"),
    (208, "adjacency"),
    (224, "mpls"),
    (240, "attached_export"),
    (251, "recursive-resolution"),
    (252, "urpf-exempt"),
    (253, "default-route"),
    (254, "interpose"),
    (16, "path-mtu"),
)
"""Priority and name by identifier: the smallest priority wins."""
NORMAL, LOCAL, DROP = 0, 1, 2
"""Types of paths."""


class Prefix(NamedTuple):
    """A prefix without host bits."""

    address: bytes
    length: int


class Path(NamedTuple):
    """One path; `fib` is the index of the table that it goes on in, where it does."""

    proto: int
    type: int = NORMAL
    sw_if_index: int = NONE
    nh: bytes = bytes(16)
    fib: int | None = None
    weight: int = 1
    preference: int = 0
    exclusive: bool = False


@dataclass
class Fib:
    """One table."""

    table_id: int
    name: str
    version: int
    link_local: bool = False
    locks: Counter[int] = field(default_factory=Counter)
    """By source; API and CLI hold at most one each."""
    entries: dict[Prefix, dict[int, list[Path]]] = field(default_factory=dict)
    """Paths by source."""


class Sources:
    """Who may add routes, in which order of precedence; each name asked for gets a new identifier."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, str]] = list(SOURCES)

    def add(self, priority: int, name: str) -> int:
        """Return the identifier of a new source, and 0 where there is none left."""
        if len(self.rows) == 255:
            return 0
        self.rows.append((priority, name))
        return len(self.rows) - 1

    def best(self, sources: Iterable[int]) -> int:
        """Return the source that counts: of equal priority, the older one."""
        return min(sources, key=lambda source: (self.rows[source][0], source))


def masked(address: bytes, length: int) -> Prefix:
    """Return a prefix without its host bits."""
    size = len(address) * 8
    bits = int.from_bytes(address, "big") >> (size - length) << (size - length)
    return Prefix(bits.to_bytes(len(address), "big"), length)


class Tables:
    """All tables of one family."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.size = 4 if version == 4 else 16
        self.pool: Pool[Fib] = Pool()
        self.by_id: dict[int, int] = {}
        self.damage: list[str] = []
        self.create(0, API, f"ipv{version}-VRF:0")

    @property
    def proto(self) -> int:
        """The family, as paths say it."""
        return 0 if self.version == 4 else 1

    def find(self, table_id: int) -> int | None:
        """Return the index of a table."""
        return self.by_id.get(table_id)

    def create(self, table_id: int, source: int, name: str, *, link_local: bool = False) -> int:
        """Make a table, and return its index."""
        fib = Fib(table_id, name, self.version, link_local)
        left = self.pool.stale() if self.version == 4 else None
        if left:
            fib.entries = left.entries
        index = self.by_id[table_id] = self.pool.put(fib)
        fib.locks[source] = 1
        for prefix, origin, path in self._specials():
            fib.entries.setdefault(prefix, {})[origin] = [path]
        return index

    def _specials(self) -> tuple[tuple[Prefix, int, Path], ...]:
        """Return the entries that every table has."""
        drop = Path(self.proto, DROP)
        if self.version == 6:
            links = masked(bytes.fromhex("fe80").ljust(16, b"\0"), 10)
            return (Prefix(bytes(16), 0), DEFAULT, drop), (links, SPECIAL, Path(1))
        return (
            (Prefix(bytes(4), 0), DEFAULT, drop),
            (Prefix(b"\xf0\0\0\0", 4), SPECIAL, drop),
            (Prefix(b"\xe0\0\0\0", 4), SPECIAL, drop),
            (Prefix(bytes(4), 32), DEFAULT, drop),
            (Prefix(b"\xff" * 4, 32), DEFAULT, drop),
        )

    def lock(self, index: int, source: int) -> None:
        """Hold a table; API and CLI hold it once, however often they say so."""
        locks = self.pool.read(index).locks
        locks[source] = 1 if source in (API, CLI) else locks[source] + 1

    def unlock(self, index: int, source: int) -> None:
        """Let go of a table; without a lock it is gone, and what lay in it is lost."""
        fib = self.pool.read(index)
        if source not in (API, CLI) or fib.locks[source]:
            fib.locks[source] -= 1
        if not fib.locks.total() and self.pool.holds(index):
            if fib.table_id != NONE:
                del self.by_id[fib.table_id]
            if self.version == 4 and len(fib.entries) > len(self._specials()):
                self.damage.append("routes of a table wait for the next one")
            for prefix, origin, _ in self._specials():
                entry = fib.entries.get(prefix, {})
                entry.pop(origin, None)
                if not entry:
                    fib.entries.pop(prefix, None)
            self.pool.free(index)

    def add(self, table_id: int, source: int, name: str) -> None:
        """Add a table as a client does: once more, it is only held again, under its first name."""
        if not table_id:
            return
        index = self.find(table_id)
        if index is None:
            self.create(table_id, source, name or f"ipv{self.version}-VRF:{table_id}")
        else:
            self.lock(index, source)

    def remove(self, table_id: int, source: int) -> None:
        """Let go of a table as a client does; it goes if nothing else holds it."""
        index = self.find(table_id)
        if table_id and index is not None:
            self.unlock(index, source)

    def details(self) -> Iterator[Fib]:
        """Yield the tables that a dump shows."""
        return (fib for fib in self.pool.values() if not fib.link_local)


class Routes:
    """The tables of both families, and the routes in them."""

    def __init__(self) -> None:
        self.sources = Sources()
        self.families = {version: Tables(version) for version in (4, 6)}
        self.dead: set[tuple[Path, ...]] = set()
        """Lists of paths over interfaces that were deleted."""

    def of(self, path: Path) -> Tables:
        """Return the tables that a path goes on in."""
        return self.families[4 if path.proto == 0 else 6]

    def exists(self, version: int, index: int, prefix: Prefix) -> bool:
        """Say whether a table has an entry for exactly this prefix, from whichever source."""
        return prefix in self.families[version].pool.read(index).entries

    def replace(self, version: int, index: int, prefix: Prefix, source: int, paths: list[Path]) -> None:
        """Give an entry the paths of a source, in place of those it had from it."""
        entry = self.families[version].pool.read(index).entries.setdefault(prefix, {})
        old = entry.get(source, [])
        entry[source] = [_mended(path, prefix) for path in paths]
        self._made(tuple(entry[source]), but=old)
        for path in entry[source]:
            self._hold(path)
        for path in old:
            self._let_go(path)

    def extend(self, version: int, index: int, prefix: Prefix, source: int, paths: list[Path]) -> None:
        """Add paths of a source to an entry.

        Where the entry stands for another source only, VPP begins with a path that drops.
        """
        entry = self.families[version].pool.read(index).entries.setdefault(prefix, {})
        known = entry.get(source, [Path(0 if version == 4 else 1, exclusive=True)] if entry else [])
        mended = dict.fromkeys(_mended(path, prefix) for path in paths)
        new = [path for path in mended if path not in known]
        entry[source] = known + new
        for path in new:
            self._hold(path)

    def shrink(self, version: int, index: int, prefix: Prefix, source: int, paths: list[Path]) -> None:
        """Take paths of a source from an entry, which goes with the last one."""
        entry = self.families[version].pool.read(index).entries.get(prefix, {})
        left = [path for path in entry.get(source, []) if path not in paths]
        if source in entry and not left:
            self.delete(version, index, prefix, source)
        elif source in entry:
            gone = [path for path in entry[source] if path in paths]
            entry[source] = left
            for path in gone:
                self._let_go(path)

    def delete(self, version: int, index: int, prefix: Prefix, source: int) -> None:
        """Take a source from an entry, which goes with the last one."""
        entries = self.families[version].pool.read(index).entries
        entry = entries.get(prefix)
        if entry is None or source not in entry:
            return
        old = entry.pop(source)
        if not entry:
            del entries[prefix]
        for path in old:
            self._let_go(path)

    def dump(self, version: int, index: int, source: int = 0) -> Iterator[tuple[Prefix, int, list[Path]]]:
        """Yield entries with their best source and its paths; all, or those of one best source."""
        for prefix, entry in self.families[version].pool.read(index).entries.items():
            best = self.sources.best(entry)
            if source in (0, best):
                yield prefix, best, entry[best]

    def deleted(self, interface: int) -> None:
        """Take note that an interface is gone: nobody tells its paths when another one gets its index."""
        for paths in self._lists():
            if any(path.sw_if_index == interface for path in paths):
                self.dead.add(tuple(paths))

    def _made(self, paths: tuple[Path, ...], but: list[Path]) -> None:
        """Have an entry take a list of paths; one that no entry had until now is made anew."""
        if paths in self.dead and tuple(but) != paths:
            holders = [one for one in self._lists() if tuple(one) == paths]
            if len(holders) == 1:
                self.dead.discard(paths)

    def _lists(self) -> Iterator[list[Path]]:
        for tables in self.families.values():
            for fib in tables.pool.values():
                for entry in fib.entries.values():
                    yield from entry.values()

    def _hold(self, path: Path) -> None:
        """Hold the table that a path goes on in, and the entry there that it resolves through."""
        if path.fib is None:
            return
        tables = self.of(path)
        tables.lock(path.fib, RR)
        if any(path.nh):
            entry = tables.pool.read(path.fib).entries.setdefault(_host(path, tables), {})
            entry[RR] = [*entry.get(RR, []), path]

    def _let_go(self, path: Path) -> None:
        if path.fib is None:
            return
        tables = self.of(path)
        if any(path.nh):
            entries = tables.pool.read(path.fib).entries
            entry = entries.get(_host(path, tables), {})
            if path in entry.get(RR, []):
                entry[RR].remove(path)
            if not entry.get(RR, [path]):
                del entry[RR]
            if not entry:
                entries.pop(_host(path, tables), None)
        tables.unlock(path.fib, RR)


def _mended(path: Path, prefix: Prefix) -> Path:
    """Return a path as VPP keeps it: one to the prefix itself drops, and a host on a link is its own hop."""
    own = prefix.address.ljust(16, b"\0")
    if path.fib is not None and path.nh == own and any(own):
        return path._replace(type=DROP, nh=bytes(16), fib=None)
    host = prefix.length == len(prefix.address) * 8 and path.type == NORMAL and not path.exclusive
    if host and path.sw_if_index != NONE and not any(path.nh):
        return path._replace(nh=own)
    return path


def _host(path: Path, tables: Tables) -> Prefix:
    return Prefix(path.nh[: tables.size], tables.size * 8)
