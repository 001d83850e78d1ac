"""A node's slice from its NodeOverlay: what an agent reads, waits for, and reports to.

Slices that the NodeOverlay names never change, so each is read once, and only one object is watched. What was
read is taken only if it has the digest that the NodeOverlay says. Reports go into the status, when they
differ from the last one, and not too often; each names the generation that the agent had taken over when it
said so, which may be an older one than was read since.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC
from math import ceil
from threading import Event
from typing import Any, ClassVar, Final

from reconciler.agent.slice import NodeStatus, Slice
from reconciler.drivers.base import PermanentError, TransientError
from reconciler.kube import NODES, SLICES, Conflict, Expired, Kube, Object, Watch
from reconciler.overlay.encoding import Missing, Piece, decode, named
from reconciler.overlay.objects import NodeObject, is_ours, read_node, read_slice
from reconciler.overlay.rows import resources_of

_AT_ONCE: Final = 4
"""So many reports may come one after the other: what an agent says of one change."""
_TRIES: Final = 5
_SHARE: Final = 0.5
"""Of the time that a reading may take, what new requests begin in: the last has a limit of its own."""
_LONGEST_MESSAGE: Final = 4096
_REST: Final = 1.0
"""Seconds before a watch that ended at once is begun anew, as where a proxy lets no stream pass."""


class KubernetesSource:
    """The NodeOverlay of one node; `node` is NODE or CLUSTER/NODE."""

    longest: ClassVar[float] = 60.0

    def __init__(self, kube: Kube, namespace: str, node: str, often: float = 2.0) -> None:
        """Say which, and the seconds in which one more report is allowed; nothing is asked yet."""
        self.kube = kube
        self.namespace = namespace
        self.often = often
        self.cluster, _, self.name = node.rpartition("/")
        self._slice: Slice | None = None
        self._there: NodeObject | None = None
        """The object as it is, as far as is known."""
        self._seen: NodeObject | None = None
        """… as it was when the slice was read."""
        self._pieces: dict[str, Piece] = {}
        self._version = ""
        self._expired = ""
        """A version that the server does not keep: that of an object nobody has written for long is one."""
        self._watch: Watch | None = None
        self._over = Event()
        self._written: tuple[str, Object] = ("", {})
        """What was reported last, and the uid of the object that it was written to."""
        self._allowed = 0.0
        """When so many reports are allowed again as may come at once."""

    def read(self) -> Slice:
        """Return the slice that the NodeOverlay says; TransientError where it is not there (yet)."""
        limit = time.monotonic() + self.longest * _SHARE
        for _ in range(_TRIES):
            seen = self._get()
            if self._slice is not None and self._seen is not None and self._seen.is_spec_of(seen.body):
                return self._slice
            try:
                self._fetch(seen.wanted.shared, limit)
                rows = decode(seen.node, seen.wanted, self._pieces)
            except Missing:
                continue  # the NodeOverlay was written again, and what it named is gone
            except ValueError as error:
                raise PermanentError(f"{error}; see: {self._words}") from error
            kept = set(named(seen.wanted.shared, self._pieces))
            self._pieces = {name: piece for name, piece in self._pieces.items() if name in kept}
            self._seen = seen
            resources = tuple(resources_of(seen.node, rows))
            revision, reading = f"generation {seen.generation}", f"{_uid(seen.body)}/{seen.generation}"
            self._slice = Slice(resources, revision, emptied=not resources, keeps=seen.keeps, reading=reading)
            return self._slice
        raise TransientError(f"slices that NodeOverlay {self.name} names are not there; see: {self._words}")

    def wait(self, seconds: float) -> bool:
        """Return True when the NodeOverlay was written, or when it is not known whether it was."""
        version = self._version
        if version in ("", self._expired):
            version = "0"  # what is there is told first, and is no news where it was read
        earliest = time.monotonic() + min(seconds, _REST)
        try:
            self._watch = self.kube.watch(NODES, self.namespace, version, max(1, ceil(seconds)), self.name)
            if self._over.is_set():
                self._watch.close()
            for event in self._watch:
                self._version = event.object["metadata"]["resourceVersion"]
                if event.type == "BOOKMARK":
                    continue
                if event.type == "DELETED" or self._is_news(event.object):
                    return True
                self._compare(event.object)
        except Expired:
            self._version, self._expired = "", version
            return True
        finally:
            watch, self._watch = self._watch, None
            if watch is not None:
                watch.close()
        self._over.wait(max(0.0, earliest - time.monotonic()))
        return False

    def report(self, status: NodeStatus) -> None:
        """Write the status, if it differs from what was written last."""
        wait = self._allowed - (_AT_ONCE - 1) * self.often - time.monotonic()
        if wait > 0:
            self._over.wait(wait)
        self._write(status)

    def close(self) -> None:
        """End a wait, and close the connections."""
        self._over.set()
        watch = self._watch
        if watch is not None:
            watch.close()
        self.kube.close()

    @property
    def _words(self) -> str:
        return f"kubectl -n {self.namespace} get nodeoverlay {self.name} -o yaml"

    def _get(self) -> NodeObject:
        body = self.kube.get(NODES, self.namespace, self.name)
        if body is None:
            self._version, self._there = "", None
            raise TransientError(f"there is no NodeOverlay {self.name} in namespace {self.namespace}")
        try:
            seen = read_node(body)
        except (KeyError, TypeError, ValueError) as error:
            raise PermanentError(f"NodeOverlay {self.name} cannot be read: {error}") from error
        if not is_ours(body) or self.cluster not in ("", seen.node.cluster):
            words = f"NodeOverlay {self.name} in namespace {self.namespace} is none of ours"
            raise PermanentError(f"{words}, or of another cluster; see: {self._words}")
        self._compare(body)
        self._version, self._there = body["metadata"]["resourceVersion"], seen
        return seen

    def _fetch(self, names: Iterable[str], limit: float) -> None:
        """Read the slices below some names that were not read before; Missing where one is not there.

        What was read stays, so where the time is over the next reading goes on from here.
        """
        pending = list(names)
        while pending:
            name = pending.pop()
            if name not in self._pieces:
                if time.monotonic() > limit:
                    words = f"{len(self._pieces)} slices of NodeOverlay {self.name} are read, and not yet all"
                    raise TransientError(f"{words}: the Kubernetes API at {self.kube.host} is slow")
                body = self.kube.get(SLICES, self.namespace, name)
                if body is None:
                    raise Missing(name)
                self._pieces[name] = read_slice(body)
            pending += self._pieces[name].parts

    def _is_news(self, body: Object) -> bool:
        """Say whether an object says something else than what was read: our own reports do not."""
        seen = self._seen
        return seen is None or not seen.is_spec_of(body)

    def _compare(self, body: Object) -> None:
        """Forget what was reported where the object does not say it, so that it is written again.

        Somebody wrote over it, or it was lost with all that followed a backup.
        """
        if self._written != (_uid(body), body.get("status")):
            self._written = ("", {})

    def _write(self, said: NodeStatus) -> None:
        there = self._there
        if there is None:
            return  # there is no object to write to
        there_uid = _uid(there.body)
        uid, _, generation = said.reading.partition("/")
        status = _status(said, int(generation) if uid == there_uid else 0)
        if self._written == (there_uid, status):
            return
        for _ in range(_TRIES):
            body = self.kube.get(NODES, self.namespace, self.name)
            if body is None or _uid(body) != there_uid:
                return  # it is another one, which was not read yet
            with suppress(Conflict):
                if body.get("status") != status:
                    self.kube.replace(NODES, self.namespace, {**body, "status": status}, status=True)
                self._written = (there_uid, status)
                self._allowed = max(self._allowed, time.monotonic()) + self.often
                return
        raise TransientError(f"many write NodeOverlay {self.name} at the same time")


def _uid(body: Object) -> str:
    return str(body["metadata"]["uid"])


def _status(said: NodeStatus, generation: int) -> dict[str, Any]:
    return {
        "applied": said.applied,
        "revision": said.revision,
        "observedGeneration": generation,
        "drift": said.drift,
        "kept": said.kept,
        "message": said.message[:_LONGEST_MESSAGE],
        "conditions": [
            {
                "type": entry.type,
                "status": "True" if entry.status else "False",
                "reason": entry.reason,
                "message": entry.message[:_LONGEST_MESSAGE],
                "lastTransitionTime": entry.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
            for entry in said.conditions
        ],
    }
