"""What Calico-VPP nodes say of themselves over BGP: service SIDs (SAFI 73), and prefixes (unicast)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from compiler.derived.announcements import BEHAVIORS, FAMILY_COLORS
from reconciler.drivers.gobgp.client import Api, Reachable
from reconciler.drivers.gobgp.messages import AFI_IP, AFI_IP6
from reconciler.drivers.gobgp.paths import Announced

_OWN: Final = 0
"""Distinguisher of what a node announces towards itself."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What one node announced."""

    address: str
    sids: Mapping[str, str]
    """Service SID by family."""
    prefixes: tuple[str, ...]
    """Everything that has the node as next hop, sorted."""


def heard(api: Api) -> dict[str, Heard]:
    """Return what each node announced, by address; raises as a driver does where a table cannot be read."""
    return by_address(api.policies(), (*api.prefixes(AFI_IP), *api.prefixes(AFI_IP6)))


def by_address(policies: Iterable[Announced], prefixes: Iterable[Reachable]) -> dict[str, Heard]:
    """Return what each node announced; a speaker without service SIDs is none."""
    sids: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for item in policies:
        families = [family for family, code in BEHAVIORS.items() if code == item.behavior]
        own = item.nlri.distinguisher == _OWN and item.neighbor and item.service_sid
        for family in families if own else ():
            if item.nlri.color == FAMILY_COLORS[family] and item.service_sid:
                # The best path of an NLRI stands first.
                sids[item.nlri.endpoint].setdefault(family, item.service_sid)
    behind: defaultdict[str, set[str]] = defaultdict(set)
    for entry in prefixes:
        behind[entry.next_hop].add(entry.prefix)
    return {
        address: Heard(address, dict(sorted(found.items())), tuple(sorted(behind[address])))
        for address, found in sorted(sids.items())
    }
