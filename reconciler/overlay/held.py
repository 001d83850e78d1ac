"""What the API server holds of the overlay of some clusters, read as a whole.

Slices never change, so each is read once. Invariant: a NodeOverlay that cannot be read completely is named,
and nothing is concluded from what it does not show.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from reconciler.drivers.base import TransientError
from reconciler.kube import NODES, SLICES, Kube, Object
from reconciler.overlay.encoding import Missing, Part, Piece, decode, named
from reconciler.overlay.objects import NodeObject, cluster_of, is_ours, read_node, read_slice
from reconciler.overlay.rows import Identity, NodeId, Row
from reconciler.plan import Observation
from renderers.resource import Key, Resource

Rows = Mapping[Identity, Row]
LEFTOVERS = "leftovers"
"""Type that stands for all that a node holds and nobody asked for, which its agent keeps."""
_TRIES = 3
_FEW = 8
"""So many slices are read one by one, and not with all others."""


@dataclass(frozen=True, slots=True)
class Held:
    """All NodeOverlays of some clusters, and what they say."""

    version: str
    """Version of the list, from which a watch can go on."""
    objects: Mapping[NodeId, NodeObject]
    wanted: Mapping[NodeId, Rows]
    confirmed: Mapping[NodeId, Rows]
    """What the agents have confirmed, of all nodes that can be read."""
    broken: Mapping[NodeId, str]
    """What cannot be read, and why."""
    foreign: frozenset[str]
    """Names of objects that are not ours, or of other clusters."""
    slices: Mapping[str, Piece]
    """All slices that are there and were read."""
    found: Mapping[str, Object] = field(repr=False)
    """Metadata of all slices that are there."""

    @property
    def unsure(self) -> tuple[NodeId, ...]:
        """Nodes that were asked for something else than they have confirmed."""
        return tuple(node for node, rows in self.wanted.items() if rows is not self.confirmed[node])

    def observation(self) -> Observation:
        """Return what nodes have, as far as their agents have confirmed it."""
        resources = dict(self._resources(self.confirmed))
        for node, seen in self.objects.items():
            if seen.told.kept and node in self.wanted:
                family = next((name.family for name in self.wanted[node]), "vpp")
                key = Key(family, node.scope, LEFTOVERS, "all")
                resources[key] = Resource(key, {}, f"Node/{node.node}")
        pending: dict[Key, Resource | None] = {}
        for node in self.unsure:
            wanted, confirmed = self.wanted[node], self.confirmed[node]
            differing = [name for name in {**wanted, **confirmed} if wanted.get(name) != confirmed.get(name)]
            for name in differing:
                row = wanted.get(name)
                resource = (row or confirmed[name]).resource(node)
                pending[resource.key] = resource if row else None
        why = "; ".join(f"node {node.node}: {why}" for node, why in sorted(self.broken.items()))
        return Observation(resources, complete=not self.broken, why=why, pending=pending)

    def _resources(self, rows: Mapping[NodeId, Rows]) -> Iterator[tuple[Key, Resource]]:
        for node, held in rows.items():
            for row in held.values():
                resource = row.resource(node)
                yield resource.key, resource


def between(confirmed: Rows, asked: Rows, after: Rows) -> Rows:
    """Return what a node may hold when `after` is asked of it, and it never confirmed what was asked before.

    That is what it confirmed last, but for objects that shall be again as they were then, or not be again:
    what was asked for meanwhile may be there in their place. So each object that may differ from what is
    asked for does differ in what is returned, however often something else is asked for.
    """
    if asked is confirmed:
        return confirmed
    found = {}
    for name in {**confirmed, **asked}:
        row = confirmed.get(name)
        if row == after.get(name):
            row = asked.get(name)
        if row is not None:
            found[name] = row
    return found


@dataclass(slots=True)
class Reader:
    """Reads the overlay of some clusters again and again."""

    namespace: str
    clusters: Collection[str]
    """All clusters, where it is empty."""
    slices: dict[str, Piece] = field(default_factory=dict)
    """Those that were read before."""
    _known: dict[tuple[str, int, str], Rows] = field(default_factory=dict)
    """Rows by uid and generation of the NodeOverlay, and the digest of the state."""

    def read(self, kube: Kube) -> Held:
        """Return what is there."""
        for left in reversed(range(_TRIES)):
            listing = kube.list(NODES, self.namespace)
            found = self._found(kube)
            objects, broken, foreign = self._objects(listing.items)
            self._fetch(kube, objects.values(), found)
            held = self._held(listing.version, objects, broken, foreign, found)
            # Where one is not there, it went while the rest was read, or it is lost.
            if not left or all(
                name in found for node in objects.values() for name in node.names(held.slices)
            ):
                return held
        raise AssertionError("the last reading is returned")

    def loose(self, kube: Kube) -> list[Object]:
        """Return the metadata of slices that no NodeOverlay names."""
        objects, broken, _ = self._objects(kube.list(NODES, self.namespace).items)
        found = self._found(kube)
        self._fetch(kube, objects.values(), found)
        needed = {name for seen in objects.values() for name in seen.names(self.slices)}
        return [] if broken else [body for name, body in found.items() if name not in needed]

    def takes(self, node: NodeId) -> bool:
        """Say whether a node is of the clusters."""
        return not self.clusters or node.cluster in self.clusters

    def _found(self, kube: Kube) -> dict[str, Object]:
        """Return the metadata of the slices of the clusters."""
        bodies = kube.list(SLICES, self.namespace, metadata=True).items
        return {
            body["metadata"]["name"]: body
            for body in bodies
            if is_ours(body) and (not self.clusters or cluster_of(body) in self.clusters)
        }

    def _objects(
        self, bodies: Iterable[Object]
    ) -> tuple[dict[NodeId, NodeObject], dict[NodeId, str], frozenset[str]]:
        objects: dict[NodeId, NodeObject] = {}
        broken: dict[NodeId, str] = {}
        foreign: set[str] = set()
        for body in bodies:
            name, spec = body["metadata"]["name"], body.get("spec") or {}
            node = NodeId(str(spec.get("cluster", "")), name)
            if not is_ours(body) or not self.takes(node):
                foreign.add(name)
                continue
            try:
                objects[node] = read_node(body)
            except (KeyError, TypeError, ValueError) as error:
                broken[node] = f"its NodeOverlay cannot be read ({error})"
        return objects, broken, frozenset(foreign)

    def _fetch(self, kube: Kube, objects: Iterable[NodeObject], found: Mapping[str, Object]) -> None:
        """Read the slices that are named and were never read."""
        wanted = {name for node in objects for name in (*node.wanted.shared, *self._shared(node.before))}
        while missing := [name for name in sorted(wanted) if name in found and name not in self.slices]:
            if len(missing) > _FEW:
                bodies = [body for body in kube.list(SLICES, self.namespace).items if is_ours(body)]
            else:
                bodies = [body for name in missing if (body := kube.get(SLICES, self.namespace, name))]
            for body in bodies:
                self.slices[body["metadata"]["name"]] = read_slice(body)
            if all(name not in self.slices for name in missing):
                raise TransientError("slices went while they were read")
            wanted = set(named(wanted, self.slices))

    def _shared(self, part: Part | None) -> tuple[str, ...]:
        return part.shared if part else ()

    def _held(
        self,
        version: str,
        objects: Mapping[NodeId, NodeObject],
        broken: dict[NodeId, str],
        foreign: frozenset[str],
        found: Mapping[str, Object],
    ) -> Held:
        every = self.slices
        slices = self.slices = {name: piece for name, piece in every.items() if name in found}
        wanted: dict[NodeId, Rows] = {}
        confirmed: dict[NodeId, Rows] = {}
        known: dict[tuple[str, int, str], Rows] = {}

        def rows(seen: NodeObject, part: Part | None) -> Rows:
            if part is None:
                return {}
            for name in named(part.shared, every):
                if name not in found:
                    raise Missing(name)
            key = (seen.body["metadata"]["uid"], seen.generation, part.digest)
            made = self._known.get(key)
            if made is None:
                made = {row.identity: row for row in decode(seen.node, part, slices)}
            known[key] = made
            return made

        for node, seen in objects.items():
            try:
                wanted[node], confirmed[node] = rows(seen, seen.wanted), rows(seen, seen.confirmed)
            except Missing as error:
                broken[node] = f"its NodeOverlay names {error}, which is not there"
            except ValueError as error:
                broken[node] = f"its NodeOverlay cannot be read ({error})"
        self._known = known
        for node in broken:
            wanted.pop(node, None)
            confirmed.pop(node, None)
        return Held(version, objects, wanted, confirmed, broken, foreign, slices, found)
