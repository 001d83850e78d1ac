"""Waiting for agents: until each node has confirmed what was written for it, or patience ends.

Patience begins anew whenever a node confirms, so a large change takes its time, and one silent node does not
hold the others up for longer than it has to. A node that was given up before is waited for more briefly,
until its agent says something new.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil

from reconciler.drivers.base import TransientError
from reconciler.kube import NODES, Expired, Kube, Object
from reconciler.overlay.objects import NodeObject, Told, read_node
from reconciler.overlay.rows import NodeId

_LOOK = 2.0
"""Seconds after which a watch ends, so that the clock is looked at."""
_PAUSE = 0.5
"""Seconds before a server that was away is asked again."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long agents are waited for, in seconds."""

    quiet: float = 60.0
    """… while no node confirms anything."""
    failing: float = 15.0
    """… that say that they have failed, since they try again by themselves, or were given up before."""


Silent = dict[NodeId, Told]
"""Nodes that were given up, with what they had said."""


@dataclass(slots=True)
class _Vigil:
    """Nodes that are waited for."""

    patience: Patience
    left: dict[NodeId, NodeObject]
    wanted: Mapping[NodeId, str]
    """Digests that they shall confirm."""
    since: float
    """When a node confirmed last."""
    doubted: Mapping[NodeId, Told]
    """What nodes had said when they were given up before."""
    failing: dict[NodeId, float] = field(default_factory=dict)
    """Since when nodes have failed, or are in doubt."""
    lost: dict[NodeId, str] = field(default_factory=dict)
    """What can never be confirmed any more, and why."""

    def see(self, seen: NodeObject, now: float) -> None:
        """Take in what a node says."""
        node = seen.node
        if node not in self.left:
            return
        self.left[node] = seen
        if seen.wanted.digest != self.wanted[node]:
            self._lose(node, f"somebody else has changed the NodeOverlay of node {node.node}")
        elif seen.is_confirmed:
            del self.left[node]
            self.since = now
        elif seen.told.failed and seen.told.generation == seen.generation:
            self.failing.setdefault(node, now)
        elif self.doubted.get(node) != seen.told:
            self.failing.pop(node, None)

    def gone(self, name: str) -> None:
        """Take in that an object was deleted."""
        for node in [node for node in self.left if node.node == name]:
            self._lose(node, f"somebody has deleted the NodeOverlay of node {name}")

    def given_up(self, now: float) -> list[NodeId]:
        """Return the nodes that patience has ended for."""
        if now - self.since >= self.patience.quiet:
            return list(self.left)
        return [
            node
            for node, since in self.failing.items()
            if node in self.left and now - since >= self.patience.failing
        ]

    def rest(self, now: float) -> float:
        """Return the seconds until the clock decides something more."""
        ends = [since + self.patience.failing for node, since in self.failing.items() if node in self.left]
        coming = [end for end in (self.since + self.patience.quiet, *ends) if end > now]
        return min([_LOOK, *(end - now for end in coming)])

    def _lose(self, node: NodeId, why: str) -> None:
        self.left.pop(node, None)
        self.lost[node] = why


def wait(
    kube: Kube, place: tuple[str, str], seen: Mapping[NodeId, NodeObject], patience: Patience, silent: Silent
) -> dict[NodeId, str]:
    """Return the nodes that did not confirm what was seen of them, and why; `silent` is kept up to date.

    `place` is a namespace and the version in which the nodes were seen.
    """
    now = time.monotonic()
    waiting = {node: one for node, one in seen.items() if not one.is_confirmed}
    wanted = {node: one.wanted.digest for node, one in waiting.items()}
    vigil = _Vigil(patience, dict(waiting), wanted, now, dict(silent))
    vigil.failing |= {node: now for node, one in waiting.items() if silent.get(node) == one.told}
    for one in waiting.values():
        vigil.see(one, now)
    given: set[NodeId] = set()
    namespace, version = place
    while vigil.left.keys() - given:
        version = _look(kube, namespace, version, vigil)
        given |= set(vigil.given_up(time.monotonic()))
    for node in seen:
        silent.pop(node, None)
    silent |= {node: vigil.left[node].told for node in given if node in vigil.left}
    return vigil.lost | {
        node: _why(vigil.left[node], patience, namespace) for node in given if node in vigil.left
    }


def _look(kube: Kube, namespace: str, version: str, vigil: _Vigil) -> str:
    """Take in what happens in the next seconds; return the version to go on from."""
    seconds = vigil.rest(time.monotonic())
    try:
        if not version:
            listing = kube.list(NODES, namespace)
            _take_in(listing.items, vigil)
            for node in list(vigil.left):
                if all(body["metadata"]["name"] != node.node for body in listing.items):
                    vigil.gone(node.node)
            return listing.version
        for event in kube.watch(NODES, namespace, version, ceil(seconds)):  # never 0, which has no end
            version = event.object["metadata"]["resourceVersion"]
            if event.type == "DELETED":
                vigil.gone(event.object["metadata"]["name"])
            elif event.type != "BOOKMARK":
                _take_in([event.object], vigil)
            if not vigil.left:
                break
    except Expired:
        return ""
    except TransientError:
        time.sleep(min(_PAUSE, seconds))
        return ""
    return version


def _take_in(bodies: Iterable[Object], vigil: _Vigil) -> None:
    now = time.monotonic()
    for body in bodies:
        with suppress(KeyError, TypeError, ValueError):  # what is none of ours
            vigil.see(read_node(body), now)


def _why(seen: NodeObject, patience: Patience, namespace: str) -> str:
    node, said = seen.node.node, seen.told.message
    if seen.told.failed and seen.told.generation == seen.generation:
        return f"node {node}: {said or 'its agent could not apply it'}"
    words = f"the agent of node {node} has not confirmed it within {patience.quiet:g} s"
    more = f", and last said: {said}" if said else ""
    return f"{words}{more}; see: kubectl -n {namespace} get nodeoverlay {node} -o wide"
