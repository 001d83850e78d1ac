"""SR policies that reach a node by BGP: what its agent may use of the table of the GoBGP beside it.

Invariant: one policy per BSID, and only such that this node is a headend of. Where several announce one BSID,
that with the highest preference counts, and of those with the highest distinguisher (RFC 9256 §2.9).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, NamedTuple

from compiler.derived.announcements import PREFERENCE, PRIORITY
from reconciler.drivers.base import DriverError
from reconciler.drivers.gobgp.client import Api
from reconciler.drivers.gobgp.paths import Announced

MOST_SIDS: Final = 16
"""SIDs of one list that VPP takes; Linux takes more."""
_PAUSE: Final = 1.0
"""Seconds before a stream of changes that broke is opened again."""


class ReceivedPolicy(NamedTuple):
    """An SR policy, as a headend may install it."""

    bsid: str
    lists: tuple[tuple[int, tuple[str, ...]], ...]
    """Weight and SIDs of each list, in the order of their SIDs."""
    endpoint: str
    color: int
    distinguisher: int
    preference: int
    priority: int


def received(api: Api) -> tuple[ReceivedPolicy, ...]:
    """Return the policies that peers or this speaker itself announce, by BSID; raises as a driver does."""
    me = api.speaker().router_id
    found: dict[str, ReceivedPolicy] = {}
    for policy in sorted(filter(None, (_usable(item, me) for item in _best(api.policies()))), key=_rank):
        found[policy.bsid] = policy
    return tuple(found[bsid] for bsid in sorted(found))


def _best(listed: Iterable[Announced]) -> Iterable[Announced]:
    """Return the best path of each NLRI, which stands first."""
    found: dict[object, Announced] = {}
    for item in listed:
        found.setdefault(item.nlri, item)
    return found.values()


def _usable(item: Announced, me: str) -> ReceivedPolicy | None:
    """Return what a headend may install; None where RFC 9830 §4.2.1 or RFC 9256 §5.1 forbids it."""
    meant = me in item.route_targets if item.route_targets else item.no_advertise
    # Speakers on the way tag paths, for example as long-lived stale (RFC 9494).
    garbled = any(not what.startswith("community ") for what in item.unknown)
    if not meant or item.bsid is None or garbled:
        return None
    lists = sorted(
        (part.weight, tuple(hop.sid for hop in part.segments))
        for part in item.lists
        if part.weight and 0 < len(part.segments) <= MOST_SIDS
    )
    if not lists:
        return None
    return ReceivedPolicy(
        item.bsid,
        tuple(sorted(lists, key=lambda row: row[1])),
        item.nlri.endpoint,
        item.nlri.color,
        item.nlri.distinguisher,
        PREFERENCE if item.preference is None else item.preference,
        PRIORITY if item.priority is None else item.priority,
    )


def _rank(policy: ReceivedPolicy) -> tuple[int, int]:
    return policy.preference, policy.distinguisher


class Watch:
    """Tells when the received policies may have changed: open it before they are read for the first time.

    A thread holds a stream of GoBGP's events. Where it breaks, that counts as a change, and it is opened
    again.
    """

    def __init__(self, address: str) -> None:
        """Take `host:port` of the API; the thread runs until `close`."""
        self._changed = threading.Event()
        self._closed = threading.Event()
        self._address = address
        self._api = Api(address)
        self._thread = threading.Thread(target=self._run, name=f"gobgp {address}", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Return early, and True, when policies may have changed since the last call; False otherwise."""
        changed = self._changed.wait(seconds)
        self._changed.clear()
        return changed

    @property
    def alive(self) -> bool:
        """Whether changes would still be noticed."""
        return self._thread.is_alive()

    def close(self) -> None:
        """End the thread; a waiting `wait` returns."""
        self._closed.set()
        self._changed.set()
        self._api.close()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._closed.is_set():
            with suppress(DriverError), self._api.changes() as events:
                if self._closed.is_set():  # by now nobody else would end the stream
                    break
                for _ in events:
                    self._changed.set()
            self._changed.set()
            self._closed.wait(_PAUSE)
        self._api.close()
