"""Policies that come by BGP: they are put to the steering that refers to them.

The slice says which policies there are; BGP says which way each of them takes. So a policy that is not
announced (any more) is no policy that nobody wants: what the data plane already has of it stays, and only
steering into a policy that exists nowhere is left out, because it would harm VPP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from compiler.elements.overlay import Policy, SegmentList
from compiler.graph import Scope
from reconciler.agent.accept import policy_of
from renderers import linux, vpp
from renderers.resource import Key, Resource


class Received(Protocol):
    """An SR policy that came by BGP."""

    @property
    def bsid(self) -> str:
        """Binding SID, in canonical text."""
        ...

    @property
    def lists(self) -> Sequence[tuple[int, Sequence[str]]]:
        """Weight and SIDs of each segment list; at least one."""
        ...


class PolicyFeed(Protocol):
    """The GoBGP beside the agent. Methods raise TransientError or PermanentError."""

    def read(self) -> tuple[Received, ...]:
        """Return the policies that this node may use, one for each BSID; an incomplete reading raises."""
        ...

    def wait(self, seconds: float) -> bool:
        """Return early, and True, when there may be others; False after so many seconds."""
        ...

    def close(self) -> None:
        """Let go of it; a waiting `wait` returns."""
        ...


@dataclass(frozen=True, slots=True)
class Merged:
    """What a data plane shall hold of a slice."""

    resources: tuple[Resource, ...]
    missing: tuple[str, ...] = ()
    """BSIDs of policies that are nowhere: steering into them is left out."""
    stale: tuple[str, ...] = ()
    """BSIDs of policies that BGP does not announce, and the data plane keeps."""


def merged(
    resources: Sequence[Resource], received: Iterable[Received], observed: Mapping[Key, Resource]
) -> Merged:
    """Return the objects of a slice with the policies that its steering refers to."""
    known = {path.bsid: path for path in received if path.lists}
    own = {item.key for item in resources}
    added: dict[Key, Resource] = {}
    kept: list[Resource] = []
    missing: set[str] = set()
    stale: set[str] = set()
    for item in resources:
        key = policy_of(item)
        if key is None:
            kept.append(item)
            continue
        if key not in own and key not in added:
            bsid, found = key.name, observed.get(key)
            if bsid in known:
                blank = Resource(key, {}, item.subject)
                added[key] = _MADE[key.family](blank, known[bsid], resources)
            elif found is not None:
                added[key] = found
                stale.add(bsid)
            else:
                missing.add(bsid)
        if key in own or key in added:
            kept.append(item if key in item.needs else replace(item, needs=(*item.needs, key)))
    return Merged((*added.values(), *kept), tuple(sorted(missing)), tuple(sorted(stale)))


def _lists(path: Received) -> tuple[SegmentList, ...]:
    found = (SegmentList(weight, tuple(sids)) for weight, sids in path.lists)
    return tuple(sorted(found, key=lambda item: (item.sids, item.weight)))


def _vpp(blank: Resource, path: Received, _slice: Sequence[Resource]) -> Resource:
    """Return the policy as it would stand in the slice."""
    element = Policy(
        subject=blank.subject, bsid=path.bsid, lists=_lists(path), endpoint="", family="ipv6", zone=""
    )
    return next(iter(vpp.render(Scope("node", blank.key.scope.partition("/")[2]), (element,))))


def _linux(blank: Resource, path: Received, resources: Sequence[Resource]) -> Resource:
    """Return the policy as it would stand in the slice, with what the settings of the node say."""
    settings = next(item for item in resources if item.key.type == "settings")
    return linux.policy(blank, _lists(path), settings.spec["interface"], settings.spec["encapsulation"])


_MADE: Final[Mapping[str, Callable[[Resource, Received, Sequence[Resource]], Resource]]] = {
    "vpp": _vpp,
    "linux": _linux,
}
