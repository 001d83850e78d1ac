"""Stand-ins for the agents of all nodes of a namespace: each applies at once what its NodeOverlay says.

They read as real agents do, through `KubernetesSource`, and keep what they applied in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Self

from reconciler.agent.slice import Condition, NodeStatus, Slice
from reconciler.drivers.base import DriverError
from reconciler.kube import NODES, Conflict, Kube, Object, Watch
from reconciler.overlay.source import KubernetesSource

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class Agents:
    """One thread that looks after all NodeOverlays of a namespace, until it is stopped."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self.kube = kube
        self.namespace = namespace
        self.silent: set[str] = set()
        """Nodes whose agent says nothing."""
        self.failing: dict[str, str] = {}
        """Nodes whose agent cannot apply anything, and why."""
        self.applied: dict[str, list[Slice]] = {}
        """What each node applied, one after the other."""
        self.on_apply: Callable[[str, Slice], None] = lambda _node, _slice: None
        self._looking = threading.Lock()
        self._anew = threading.Event()
        self._sources: dict[str, KubernetesSource] = {}
        self._watch: Watch | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._watch is not None:
            self._watch.close()
        self._thread.join(60)
        self.kube.close()

    def silence(self, *nodes: str) -> None:
        """Let the agents of some nodes say nothing from now on."""
        with self._looking:
            self.silent |= set(nodes)

    def hear(self) -> None:
        """Let all agents speak again, and look at all nodes anew."""
        self.silent.clear()
        self._anew.set()
        if self._watch is not None:
            self._watch.close()

    def _run(self) -> None:
        while not self._over.is_set():
            self._anew.clear()
            with suppress(DriverError):
                listing = self.kube.list(NODES, self.namespace)
                for body in listing.items:
                    self._look(body["metadata"]["name"])
                self._watch = self.kube.watch(NODES, self.namespace, listing.version, 30)
                if self._over.is_set() or self._anew.is_set():
                    self._watch.close()
                for event in self._watch:
                    if event.type in ("ADDED", "MODIFIED"):
                        self._look(event.object["metadata"]["name"])
                    if self._over.is_set():
                        return

    def _look(self, node: str) -> None:
        with self._looking:
            if node not in self.silent:
                self._apply(node)

    def _apply(self, node: str) -> None:
        source = self._sources.setdefault(node, KubernetesSource(self.kube, self.namespace, node, 0.0))
        with suppress(DriverError):
            found = source.read()
            applied = self.applied.setdefault(node, [])
            if node in self.failing:
                earlier = applied[-1] if applied else None
                source.report(_status(earlier, self.failing[node], found.reading))
                return
            if not applied or applied[-1] is not found:
                applied.append(found)
                self.on_apply(node, found)
            source.report(_status(found, "", found.reading))


def overwrite(kube: Kube, namespace: str, node: str, change: Callable[[Object], Object]) -> bool:
    """Change the object of a node by hand, also while its agent reports; False where there is none.

    `change` gets the object as it is and returns the fields that differ; where `status` is one, it alone is
    written.
    """
    while body := kube.get(NODES, namespace, node):
        new = change(body)
        with suppress(Conflict):
            kube.replace(NODES, namespace, {**body, **new}, status="status" in new)
            return True
    return False


def remove(kube: Kube, namespace: str, node: str) -> bool:
    """Delete the object of a node by hand, also while its agent reports; False where there is none."""
    while body := kube.get(NODES, namespace, node):
        with suppress(Conflict):
            kube.delete(NODES, namespace, body)
            return True
    return False


def _status(found: Slice | None, failure: str, reading: str) -> NodeStatus:
    condition = Condition("Applied", not failure, "Failed" if failure else "Done", failure, BEGINNING)
    digest, revision = (found.digest, found.revision) if found else ("", "")
    return NodeStatus(digest, revision, 0, (condition,), failure, reading=reading)
