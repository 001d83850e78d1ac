"""All that a VPP remembers, and nothing survives its end."""

from __future__ import annotations

from tests.vppd.fib import Routes
from tests.vppd.interfaces import Interfaces
from tests.vppd.sr import DT4, DT6, Sr, T


class State:
    """One run of VPP."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.routes = Routes()
        self.interfaces = Interfaces(self.routes)
        self.sr = Sr(self.routes)

    @property
    def damage(self) -> list[str]:
        """What was broken without a word, by requests that were all answered."""
        dangling = [
            "a SID looks up in a table that went"
            for sid in self.sr.localsids.values()
            if sid.behavior in (DT4, DT6, T)
            and not self.routes.families[4 if sid.behavior == DT4 else 6].pool.holds(sid.other)
        ]
        tables = [item for family in self.routes.families.values() for item in family.damage]
        return self.sr.damage + tables + dangling
