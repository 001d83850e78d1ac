"""Interfaces of VPP: loopbacks and host interfaces, their addresses, and the table that each lies in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from tests.vppd.fib import DROP, INTERFACE, LOCAL, Path, Prefix, Routes, masked
from tests.vppd.pool import NONE, Pool

ADMIN_UP, LINK_UP = 1, 2
LOOPBACK_MTU: Final = 9000
HOST_MTU: Final = 9000
CONFLICTS: Final = {4: -105, 6: -127}
"""What an address answers that overlaps another one, by family."""


@dataclass
class Interface:
    """One interface."""

    name: str
    device: str
    mac: bytes = bytes(6)
    link_mtu: int = 0
    flags: int = 0
    host: str = ""
    instance: int = -1
    mtu: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    tag: str = ""
    tables: dict[int, int] = field(default_factory=lambda: {4: 0, 6: 0})
    """Index of its table by IP version."""
    addresses: dict[int, list[Prefix]] = field(default_factory=lambda: {4: [], 6: []})
    """By IP version, host bits included."""
    link_local: int | None = None
    """Index of its table of link-local addresses, while it has IPv6."""


class Interfaces:
    """All interfaces; the first one is VPP itself and cannot be used."""

    def __init__(self, routes: Routes) -> None:
        self.routes = routes
        self.pool: Pool[Interface] = Pool()
        self.pool.put(Interface("local0", "local"))
        self.hosts: dict[str, int] = {}
        """Interfaces of the host that exist, and their MTU: only to these can VPP bind."""

    def valid(self, index: int) -> bool:
        """Say whether there is such an interface."""
        return self.pool.holds(index)

    def create_loopback(self, mac: bytes, instance: int | None) -> tuple[int, int]:
        """Make a loopback, and return retval and index."""
        taken = {item.instance for item in self.pool.values()}
        if instance in taken:
            return -31, NONE
        number = next(at for at in range(len(taken) + 1) if at not in taken) if instance is None else instance
        address = mac if any(mac) else bytes([0xDE, 0xAD, 0, 0, 0, number & 0xFF])
        item = Interface(f"loop{number}", "Loopback", address, LOOPBACK_MTU, instance=number)
        item.mtu[0] = LOOPBACK_MTU
        return 0, self.pool.put(item)

    def delete_loopback(self, index: int) -> int:
        """Delete a loopback."""
        if not self.valid(index) or self.pool.read(index).device != "Loopback":
            return -2
        self._delete(index)
        return 0

    def create_host(self, host: str, mac: bytes) -> tuple[int, int]:
        """Bind to an interface of the host, and return retval and index."""
        for index, item in self.pool.items():
            if item.host == host:
                return -79, index
        if host not in self.hosts:
            return -71, 0
        item = Interface(f"host-{host}", "af-packet", mac or b"\2\xfe\0\0\0\1", HOST_MTU, LINK_UP, host)
        item.mtu[0] = HOST_MTU
        return 0, self.pool.put(item)

    def delete_host(self, host: str) -> int:
        """Let go of an interface of the host."""
        for index, item in self.pool.items():
            if item.host == host:
                self._delete(index)
                return 0
        return -11

    def _delete(self, index: int) -> None:
        item = self.pool.read(index)
        for version in (4, 6):
            for address in list(item.addresses[version]):
                self.remove_address(index, version, address)
            self._bind(item, version, 0)
        self.routes.deleted(index)
        self.pool.free(index)

    def set_table(self, index: int, version: int, table_id: int) -> int:
        """Put an interface into a table."""
        found = self.routes.families[version].find(table_id)
        item = self.pool.read(index)
        if found is None:
            return -3
        if item.addresses[version]:
            return -114
        self._bind(item, version, found)
        return 0

    def _bind(self, item: Interface, version: int, table: int) -> None:
        tables = self.routes.families[version]
        if item.tables[version]:
            tables.unlock(item.tables[version], INTERFACE)
        if table:
            tables.lock(table, INTERFACE)
        item.tables[version] = table

    def add_address(self, index: int, version: int, address: Prefix) -> int:
        """Give an interface an address, unless it overlaps another one of its table."""
        item = self.pool.read(index)
        for at, other in self.pool.items():
            if other.tables[version] == item.tables[version]:
                for known in other.addresses[version]:
                    alike = at == index and known.length == address.length
                    if _overlap(known, address) and not (alike and known.address != address.address):
                        return CONFLICTS[version]
        if version == 6 and not item.addresses[6]:
            item.link_local = self.routes.families[6].create(
                NONE, INTERFACE, f"{item.name}-ll", link_local=True
            )
        item.addresses[version].append(address)
        if item.flags & ADMIN_UP:
            self._connect(index, version, address)
        return 0

    def remove_address(self, index: int, version: int, address: Prefix) -> int:
        """Take an address from an interface."""
        item = self.pool.read(index)
        if address not in item.addresses[version]:
            return -60
        item.addresses[version].remove(address)
        if item.flags & ADMIN_UP:
            self._disconnect(index, version, address, item.addresses[version])
        if version == 6 and not item.addresses[6] and item.link_local is not None:
            self.routes.families[6].unlock(item.link_local, INTERFACE)
            item.link_local = None
        return 0

    def set_up(self, index: int, *, up: bool) -> None:
        """Let an interface work, with the routes that its addresses bring, or not."""
        item = self.pool.read(index)
        if up == bool(item.flags & ADMIN_UP):
            return
        item.flags ^= ADMIN_UP
        if not item.host:
            item.flags = item.flags & ~LINK_UP | (LINK_UP if up else 0)
        for version in (4, 6):
            for address in item.addresses[version]:
                if up:
                    self._connect(index, version, address)
                else:
                    self._disconnect(index, version, address, [])

    def _connect(self, index: int, version: int, address: Prefix) -> None:
        table = self.pool.read(index).tables[version]
        for prefix, path in _connected(index, version, address).items():
            self.routes.replace(version, table, prefix, INTERFACE, [path])

    def _disconnect(self, index: int, version: int, address: Prefix, others: list[Prefix]) -> None:
        table = self.pool.read(index).tables[version]
        kept = {prefix for other in others for prefix in _connected(index, version, other)}
        for prefix in _connected(index, version, address).keys() - kept:
            self.routes.delete(version, table, prefix, INTERFACE)


def _connected(index: int, version: int, address: Prefix) -> dict[Prefix, Path]:
    """Return the routes that an address brings."""
    proto, size = (0, 32) if version == 4 else (1, 128)
    raw = address.address
    found = {Prefix(raw, size): Path(proto, LOCAL, index, raw.ljust(16, b"\0"))}
    if address.length < size:
        found[masked(*address)] = Path(proto, sw_if_index=index)
    if version == 4 and address.length <= 30:
        first = int.from_bytes(masked(*address).address, "big")
        last = first | ((1 << (32 - address.length)) - 1)
        for edge in (first, last):
            found.setdefault(Prefix(edge.to_bytes(4, "big"), 32), Path(proto, DROP))
    elif version == 4 and address.length == 31:
        other = bytes([*raw[:3], raw[3] ^ 1])
        found[Prefix(other, 32)] = Path(proto, sw_if_index=index, nh=other.ljust(16, b"\0"))
    return found


def _overlap(one: Prefix, other: Prefix) -> bool:
    length = min(one.length, other.length)
    return masked(one.address, length) == masked(other.address, length)
