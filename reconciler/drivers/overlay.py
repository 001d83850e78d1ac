"""Nodes as delegated targets: a controller writes their NodeOverlays, and the agents of the nodes apply them.

`commit` writes what a phase changes, each object over the version that was read; `verify` waits until the
agent of each touched node has applied it. A node goes from one whole state to the next by one write, so an
agent never sees half of a phase. What an agent has not confirmed counts as not there, and as asked for.

Invariant: objects without our mark, or of other clusters, are never written. The API server has no write
over several objects, so a late applier is not kept out by it (`fences` is False): it can write at most the
batch in flight, and nothing over what its successor wrote.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from intent.kinds.project import Target
from reconciler.drivers.base import (
    MOVED,
    Batch,
    DriverError,
    Lease,
    Observation,
    Outcome,
    PermanentError,
    TransientError,
)
from reconciler.kube import NODES, SLICES, Conflict, Kube, connect
from reconciler.overlay.encoding import Part, Piece, encode
from reconciler.overlay.held import LEFTOVERS, Held, Reader, Rows, between
from reconciler.overlay.lease import read_lease, swap_lease
from reconciler.overlay.objects import NodeObject, is_ours, node_object, read_node, slice_object
from reconciler.overlay.rows import Identity, NodeId, Row, node_of, row_of
from reconciler.overlay.wait import Patience, Silent, wait
from reconciler.plan import Action, same
from renderers.resource import Key, Resource, digest

if TYPE_CHECKING:
    from reconciler.secrets import Vault

_THREADS: Final = 8
"""Writes at the same time; more do not make the API server faster."""

_TRIES: Final = 5
"""Times that a NodeOverlay is written whose agent reports at the same time."""

_NAMED: Final = 3
"""So many nodes are named in one message."""

_LONGEST: Final = 200
"""Characters of cluster names in the name of a lease; an object's name has at most 253."""


@dataclass(slots=True)
class _Prepared:
    """What a batch needs to be written."""

    token: int
    held: Held
    rows: dict[NodeId, dict[Identity, Row]]
    """What the touched nodes shall hold."""
    cleaned: set[NodeId]
    """Nodes that shall keep nothing else any more."""


class Overlay:
    """The NodeOverlays of some clusters in one namespace."""

    vault: Vault | None = None
    fences = False

    def __init__(
        self,
        name: str,
        open_api: Callable[[], Kube],
        namespace: str,
        clusters: Sequence[str] = (),
        patience: Patience | None = None,
    ) -> None:
        """Say where they are; nothing is asked yet."""
        self.name = name
        self.patience = patience or Patience()
        self._open = open_api
        self._kube: Kube | None = None
        self._reader = Reader(namespace, frozenset(clusters))
        self._lease = (namespace, _lease_name(clusters))
        self._silent: Silent = {}

    @property
    def kube(self) -> Kube:
        """The API server."""
        if self._kube is None:
            self._kube = self._open()
        return self._kube

    def observe(self) -> Observation:
        """Return what the agents have confirmed, and what they were asked for."""
        return self._read().observation()

    def lease(self) -> Lease | None:
        """Return the lease."""
        return read_lease(self.kube, self._lease)

    def swap_lease(self, expected: Lease | None, new: Lease) -> bool:
        """Put a lease in the place of the expected one."""
        return swap_lease(self.kube, self._lease, expected, new)

    def stage(self, actions: Sequence[Action], token: int = 0) -> Batch:
        """Look whether every object is as its action found it, and say what the nodes shall hold."""
        held = self._read()
        rows: dict[NodeId, dict[Identity, Row]] = {}
        refused: dict[Key, str] = {}
        cleaned: set[NodeId] = set()
        for action in actions:
            why = self._fault(action, held)
            if why:
                refused[action.key] = why
                continue
            node = node_of(action.key)
            if node.node in held.foreign:
                continue  # to be deleted, and not ours: that is done
            own = rows.setdefault(node, dict(held.wanted.get(node, {})))
            identity = _identity(action.key)
            if identity.type == LEFTOVERS:
                cleaned |= {node} & held.objects.keys()
            elif action.after is None:
                own.pop(identity, None)
            elif not same(_at(held.wanted, node, identity), action.after):
                own[identity] = row_of(action.after)
        if refused:
            raise PermanentError("; ".join(refused.values()), refused)
        return Batch(tuple(actions), _Prepared(token, held, rows, cleaned))

    def commit(self, batch: Batch) -> tuple[Outcome, ...]:
        """Write slices first, then the nodes that name them; then remove slices that nobody names."""
        prepared: _Prepared = batch.prepared
        held = prepared.held
        cleaned = {node for node in prepared.cleaned if held.objects[node].keeps}
        changed = {
            node: rows
            for node, rows in prepared.rows.items()
            if node in cleaned or rows != held.wanted.get(node, {})
        }
        failed: dict[NodeId, DriverError] = {}
        if changed:
            touched = {node.cluster for node in changed}
            whole = {node: rows for node, rows in held.wanted.items() if node.cluster in touched} | changed
            encoded = encode({node: rows.values() for node, rows in whole.items()})
            before, slices = _before(whole, held)
            self._write_slices({**encoded.slices, **slices}, held)
            failed = self._write_nodes(encoded.nodes, before, held, cleaned)
            self._sweep(prepared.token)
        passing = [error for error in failed.values() if isinstance(error, TransientError)]
        if passing:
            raise passing[0]
        return tuple(_outcome(action, failed) for action in batch.actions)

    def verify(self, batch: Batch) -> tuple[Key, ...]:
        """Wait for the agents; a PermanentError names what a node did not confirm, and why."""
        held = self._read()
        moved, touched = [], defaultdict[NodeId, list[Key]](list)
        refused: dict[Key, str] = {}
        for action in batch.actions:
            node = node_of(action.key)
            if node.node in held.foreign:
                continue
            if node in held.broken:
                refused[action.key] = self._broken(node, held)
            elif not same(_at(held.wanted, node, _identity(action.key)), action.after):
                moved.append(action.key)
            elif node in held.objects:
                touched[node].append(action.key)
        seen = {node: held.objects[node] for node in touched}
        place = (self._reader.namespace, held.version)
        silent = wait(self.kube, place, seen, self.patience, self._silent)
        # Also those that should have gone before, when the API server or this process went away.
        emptied = [
            node
            for node, rows in held.wanted.items()
            if not rows and node not in silent and (node in touched or held.objects[node].is_confirmed)
        ]
        if emptied:
            self._remove(emptied, held, touched)
            self._sweep(batch.prepared.token)
        refused |= {key: why for node, why in silent.items() for key in touched[node]}
        if refused:
            raise PermanentError("; ".join(sorted(set(refused.values()))), refused)
        return tuple(moved)

    def close(self) -> None:
        """Close the connections."""
        if self._kube is not None:
            self._kube.close()

    def _read(self) -> Held:
        return self._reader.read(self.kube)

    def _fault(self, action: Action, held: Held) -> str:
        """Say why an action cannot be done; "" where it can."""
        key = action.key
        try:
            node = node_of(key)
        except ValueError as error:
            return str(error)
        if not self._reader.takes(node):
            return f"{key} is of no cluster of target {self.name}"
        if node.node in held.foreign:
            return (
                f"NodeOverlay {node.node} exists and is not ours, so {key} cannot be made"
                if action.after
                else ""
            )
        if node in held.broken:
            return self._broken(node, held)
        identity = _identity(key)
        if identity.type == LEFTOVERS and (late := sorted({*held.unsure} - {node})):
            # No plan can tell: nobody has written down what a node keeps, and it may be a SID.
            names = ", ".join(other.node for other in late[:_NAMED])
            return f"what node {node.node} keeps may still be used by {names}, not confirmed yet"
        wanted, confirmed = _at(held.wanted, node, identity), _at(held.confirmed, node, identity)
        known = [wanted] if same(wanted, confirmed) else [wanted, confirmed]
        sides = (action.before, action.after)
        return "" if any(same(side, state) for side in sides for state in known) else f"{key} {MOVED}"

    def _broken(self, node: NodeId, held: Held) -> str:
        words = f"kubectl -n {self._reader.namespace} delete nodeoverlay {node.node}"
        return f"node {node.node}: {held.broken[node]}; mend it, or delete it: {words}"

    def _write_slices(self, slices: Mapping[str, Piece], held: Held) -> None:
        def write(name: str) -> None:
            with suppress(Conflict):  # it is there: the name says what is in it
                self.kube.create(SLICES, self._reader.namespace, slice_object(name, slices[name]))

        missing = [name for name in slices if name not in held.found]
        with ThreadPoolExecutor(_THREADS) as pool:
            for _ in pool.map(write, missing):
                pass  # an error is raised here, before any node names the slice

    def _write_nodes(
        self,
        nodes: Mapping[NodeId, Part],
        before: Mapping[NodeId, Part | None],
        held: Held,
        cleaned: Collection[NodeId],
    ) -> dict[NodeId, DriverError]:
        """Write the nodes whose object differs; return those that could not be written."""

        def write(node: NodeId) -> None:
            part, seen = nodes[node], held.objects.get(node)
            if seen is None:
                self.kube.create(NODES, self._reader.namespace, node_object(node, part, None))
            else:
                self._replace(part, seen, before[node], cleans=node in cleaned)

        differing = [
            node
            for node, part in nodes.items()
            if node not in held.objects or held.objects[node].wanted != part or node in cleaned
        ]
        failed: dict[NodeId, DriverError] = {}
        with ThreadPoolExecutor(_THREADS) as pool:
            running = [(node, pool.submit(write, node)) for node in differing]
        for node, job in running:
            try:
                job.result()
            except DriverError as error:
                failed[node] = error
        return failed

    def _replace(self, part: Part, seen: NodeObject, before: Part | None, *, cleans: bool) -> None:
        """Write over what was seen; that its agent reports meanwhile is no conflict."""
        space, node = self._reader.namespace, seen.node
        for left in reversed(range(_TRIES)):
            try:
                body = node_object(node, part, seen, before=before, cleans=cleans)
                self.kube.replace(NODES, space, body)
            except Conflict:
                there = self.kube.get(NODES, space, node.node)
                if not left or there is None or not is_ours(there) or not seen.is_spec_of(there):
                    raise
                seen = read_node(there)
            else:
                return

    def _sweep(self, token: int) -> None:
        """Remove slices that no node names; what goes wrong is left for the next time."""
        with suppress(DriverError):
            loose = self._reader.loose(self.kube)
            lease = self.lease() if loose else None
            if lease is None or lease.token == token:
                for body in loose:
                    self.kube.delete(SLICES, self._reader.namespace, body)

    def _remove(self, nodes: Iterable[NodeId], held: Held, touched: Collection[NodeId]) -> None:
        """Remove the objects of nodes that have nothing any more, as their agents have confirmed."""
        for node in nodes:
            # It stays, and says that there is nothing; who may not remove it is told once, for that node.
            with suppress(TransientError if node in touched else DriverError):
                self._remove_one(held.objects[node])

    def _remove_one(self, seen: NodeObject) -> None:
        """Remove what was seen; that its agent reports meanwhile is no conflict."""
        for left in reversed(range(_TRIES)):
            body = self.kube.get(NODES, self._reader.namespace, seen.node.node)
            if body is None or not seen.is_spec_of(body) or not read_node(body).is_known:
                return
            try:
                self.kube.delete(NODES, self._reader.namespace, body)
            except Conflict:
                if not left:
                    raise
            else:
                return


def open_overlay(target: Target, root: Path) -> Overlay:
    """Return the driver of a target; its kubeconfig is relative to the repository, or below the home."""
    named = Path(target.kubeconfig).expanduser() if target.kubeconfig else None
    config = root / named if named else None
    return Overlay(target.name, lambda: connect(config, target.context), target.namespace, target.clusters)


def _before(
    whole: Mapping[NodeId, Rows], held: Held
) -> tuple[dict[NodeId, Part | None], Mapping[str, Piece]]:
    """Return what nodes may hold before they hold what they shall, and the slices that this needs.

    Mostly that is one of two states that are written down already.
    """
    found: dict[NodeId, Part | None] = {}
    new: dict[NodeId, Rows] = {}
    for node, after in whole.items():
        if node in held.objects:
            seen, confirmed, asked = held.objects[node], held.confirmed[node], held.wanted[node]
            rows = between(confirmed, asked, after)
            if rows == confirmed:
                found[node] = seen.confirmed
            elif rows == asked:
                found[node] = seen.wanted
            else:
                new[node] = rows
    encoded = encode({node: rows.values() for node, rows in new.items()})
    return {**found, **encoded.nodes}, encoded.slices


def _identity(key: Key) -> Identity:
    return Identity(key.family, key.type, key.name)


def _at(rows: Mapping[NodeId, Mapping[Identity, Row]], node: NodeId, identity: Identity) -> Resource | None:
    row = rows.get(node, {}).get(identity)
    return row.resource(node) if row else None


def _outcome(action: Action, failed: Mapping[NodeId, DriverError]) -> Outcome:
    error = failed.get(node_of(action.key))
    return Outcome(action, "failed", str(error)) if error else Outcome(action, "done")


def _lease_name(clusters: Iterable[str]) -> str:
    """Return the name of the lease of some clusters, which is a DNS name."""
    names = ".".join(sorted(clusters))
    if len(names) > _LONGEST:
        names = digest(names)
    return f"intentc-overlay.{names}" if names else "intentc-overlay"
