"""What exists in one VPP at this moment: read from dumps, and kept up with what is sent since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from ipaddress import ip_interface
from typing import Any, Final

from reconciler.drivers.vpp.dumps import CONNECTED, Seen, Table
from reconciler.drivers.vpp.observe import DT, ranges, span
from renderers.vpp_messages import DROP, NONE
from renderers.vpp_transition import HeldList

_LOOKUPS: Final = {**DT, 3: True}
"""Behaviours that look up in a table, also those that only others use, and whether it is of IPv6."""
Place = tuple[int, str]
"""Table and prefix."""
Way = tuple[int | None, int | None]
"""The table that a route looks up in, and the interface that it leaves by."""
_NOWHERE: Final[Way] = (None, None)


class Model:
    """Tables, interfaces, routes, SIDs, policies and steering, by what the messages call them."""

    def __init__(
        self,
        seen: Seen,
        users: Mapping[Table, Iterable[str]] | None = None,
        taken: Mapping[Place, str] | None = None,
        lists: Mapping[str, Sequence[HeldList]] | None = None,
    ) -> None:
        """Take what was read; `users`: what else refers to tables, `taken`: prefixes that others route.

        `lists`: segment lists by binding SID, where a message is to name one.
        """
        self.others = {table: set(words) for table, words in (users or {}).items()}
        self.taken = dict(taken or {})
        self.learn_lists(lists or {})
        self.learn(seen)

    def learn(self, seen: Seen) -> None:
        """Forget what was sent, and take what was read instead."""
        self.source = seen.source
        self.tables = dict(seen.tables)
        self.interfaces = {one.index: (name, one.tag) for name, one in seen.interfaces.items()}
        self.sids = {
            sid: (row["fib_table"], row["behavior"], row["xconnect_iface_or_vrf_table"])
            for sid, row in seen.localsids.items()
        }
        self.policies = {bsid: row["fib_table"] for bsid, row in seen.policies.items()}
        self.steering = {place: row["bsid"] for place, row in seen.steering.items()}
        self.attached: dict[str, set[Place]] = {}
        for place, bsid in self.steering.items():
            self.attached.setdefault(bsid, set()).add(place)
        self.bridged = dict(seen.bridged)
        self.routes = {place: way(row) for place, row in seen.routes.items()}
        self.owned = ranges(seen)
        self.bound = {
            (one.index, family == "ipv6"): table
            for one in seen.interfaces.values()
            for family, table in one.tables.items()
        }
        self.addresses = {(one.index, prefix) for one in seen.interfaces.values() for prefix in one.addresses}

    def learn_lists(self, lists: Mapping[str, Sequence[HeldList]]) -> None:
        """Take the segment lists of policies as they were read."""
        self.lists = {bsid: {one.sl_index for one in several} for bsid, several in lists.items()}

    def copied(self) -> Model:
        """Return another model of the same, to try things on."""
        other = copy(self)
        for name, held in vars(self).items():
            if isinstance(held, dict | set):
                setattr(other, name, held.copy())
        other.lists = {bsid: set(indexes) for bsid, indexes in self.lists.items()}
        other.attached = {bsid: set(places) for bsid, places in self.attached.items()}
        return other

    def opened(self, name: str, index: int) -> None:
        """Take note of the index of an interface that VPP has just taken."""
        self.interfaces[index] = (name, "")

    def disconnected(self, index: int, prefix: str) -> None:
        """Take note that a prefix is no longer on interfaces, once none has an address in it."""
        network = ip_interface(prefix).network
        is_ip6 = ":" in prefix
        table = self.bound.get((index, is_ip6), 0)
        left = (
            ip_interface(other).network == network and self.bound.get((at, is_ip6), 0) == table
            for at, other in self.addresses
        )
        place = table, str(network)
        if self.taken.get(place) == CONNECTED and not any(left):
            del self.taken[place]

    def routed(self, place: Place, to: Way | None) -> None:
        """Take note of a route of ours, or that there is none; those that discard own their range."""
        before = self.routes.pop(place, None)
        if to is not None:
            self.routes[place] = to
        if place[0] == 0 and ":" in place[1] and _NOWHERE in (before, to):
            discards = [prefix for (at, prefix), way in self.routes.items() if at == 0 and way == _NOWHERE]
            self.owned = tuple(span(prefix) for prefix in discards if ":" in prefix)

    def users(self, table: Table) -> list[str]:
        """Return what refers to a table; what VPP has there would go on with the table that comes next."""
        number, is_ip6 = table
        found = set(self.others.get(table, ()))
        found |= {
            f"SID {sid}"
            for sid, (where, behavior, target) in self.sids.items()
            if (target == number and _LOOKUPS.get(behavior) is is_ip6) or (is_ip6 and where == number)
        }
        found |= {f"policy {bsid}" for bsid, where in self.policies.items() if is_ip6 and where == number}
        found |= {
            f"steering of {prefix}"
            for at, prefix in self.steering
            if at == number and (":" in prefix) is is_ip6
        }
        found |= {
            f"route {prefix} of table {at}"
            for (at, prefix), (lookup, _) in self.routes.items()
            if (":" in prefix) is is_ip6 and number in (at, lookup)
        }
        found |= {
            f"interface {self.interfaces[index][0]}"
            for (index, six), at in self.bound.items()
            if at == number and six is is_ip6
        }
        return sorted(found)


def way(route: Mapping[str, Any]) -> Way:
    """Return where a route leads; of several paths the first counts."""
    path = route["paths"][0] if route["paths"] else None
    if path is None or path["type"] == DROP:
        return _NOWHERE
    if path["sw_if_index"] == NONE:
        return path["table_id"], None
    return None, path["sw_if_index"]
