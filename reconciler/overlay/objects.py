"""NodeOverlays and OverlaySlices as the API server holds them, and what an agent has confirmed.

A NodeOverlay says what the node shall hold, and what it may have held when that was written: what its agent
had confirmed, and what it was asked for since. Until the agent confirms the new state, the node has the one,
the other, or something between. Who makes one does not know what the node holds already, so a new one says
that the agent shall keep it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from reconciler.kube import NODES, SLICES, Kind, Object
from reconciler.overlay.encoding import Part, Piece, Some, named
from reconciler.overlay.rows import NodeId, read_row
from renderers.manifest import MANAGED_BY, OWNER

CLUSTER: Final = "intentc.dev/cluster"
APPLIED: Final = "Applied"
"""Condition of a node: whether all of its slice was applied."""
FAILED: Final = "Failed"
"""Reason of that condition where the agent has tried, and could not."""


class Told(NamedTuple):
    """What the agent of a node says."""

    applied: str
    """Digest of what it applied last."""
    generation: int
    """The newest generation that it had taken over when it said so."""
    message: str
    failed: bool
    """Whether it tried what it read last, and could not."""
    kept: int
    """Objects that are not wanted, and that it keeps because it was told so."""


@dataclass(frozen=True, slots=True)
class NodeObject:
    """One NodeOverlay of ours."""

    node: NodeId
    wanted: Part
    before: Part | None
    """What the agent had confirmed when this was written, and may have done since; None where that was
    nothing."""
    told: Told
    keeps: bool
    """Whether the agent shall keep what is not wanted."""
    body: Object

    @property
    def is_confirmed(self) -> bool:
        """Whether the agent has applied what is wanted, and knows that it is."""
        is_done = self.keeps or not self.told.kept
        return is_done and (self.told.applied, self.told.generation) == (self.wanted.digest, self.generation)

    @property
    def is_known(self) -> bool:
        """Whether the node holds nothing but what it was told to, as far as its agent has told."""
        return not self.told.kept and (not self.keeps or self.is_confirmed)

    @property
    def confirmed(self) -> Part | None:
        """What the agent confirmed last."""
        same = self.before is not None and self.before.digest == self.wanted.digest
        return self.wanted if same or self.is_confirmed else self.before

    @property
    def generation(self) -> int:
        """Counts the changes of what is wanted."""
        return int(self.body["metadata"]["generation"])

    def is_spec_of(self, body: Object) -> bool:
        """Say whether an object still asks for what this one does: nobody but its agent has written it.

        Where a backup of etcd was played back, generations are given again, and to something else.
        """
        metadata = body["metadata"]
        same = (metadata["uid"], metadata["generation"]) == (self.body["metadata"]["uid"], self.generation)
        return same and body.get("spec") == self.body["spec"]

    def names(self, slices: Mapping[str, Piece]) -> Iterable[str]:
        """Return the slices that it needs."""
        before = self.before.shared if self.before else ()
        return named((*self.wanted.shared, *before), slices)


def is_ours(body: Object) -> bool:
    """Say whether an object carries our mark."""
    return (body["metadata"].get("labels") or {}).get(MANAGED_BY) == OWNER


def cluster_of(body: Object) -> str:
    """Return the cluster of a slice, which its metadata says too."""
    return str((body["metadata"].get("annotations") or {}).get(CLUSTER, ""))


def read_node(body: Object) -> NodeObject:
    """Return what a NodeOverlay says; KeyError, TypeError or ValueError where it is none of ours."""
    spec, status = body["spec"], body.get("status") or {}
    node = NodeId(spec["cluster"], spec["node"])
    if body["metadata"]["name"] != node.node:
        raise ValueError(f"it is called {body['metadata']['name']}, and is about node {node.node}")
    generation = status.get("observedGeneration", 0)
    found = [entry for entry in status.get("conditions", ()) if entry["type"] == APPLIED]
    failed = any((entry["status"], entry["reason"]) == ("False", FAILED) for entry in found)
    message = status.get("message") or " ".join(entry["message"] for entry in found)
    before = _part(spec["confirmed"]) if "confirmed" in spec else None
    told = Told(status.get("applied", ""), generation, message, failed, status.get("kept", 0))
    return NodeObject(node, _part(spec), before, told, spec.get("keep", False), body)


def node_object(
    node: NodeId, part: Part, seen: NodeObject | None, *, before: Part | None = None, cleans: bool = False
) -> Object:
    """Return the NodeOverlay that shall stand in the place of the one that was seen.

    `before` is what the node may hold where it has not confirmed what it was asked for last; `cleans` says
    that what it holds besides shall go.
    """
    spec = {"cluster": node.cluster, "node": node.node, **_values(part)}
    if not seen or (seen.keeps and not cleans and not seen.is_known):
        spec["keep"] = True
    if seen is not None and seen.is_confirmed:
        before = seen.wanted
    if before is not None:
        # What is the same as it shall be need not be said twice.
        spec["confirmed"] = _values(Part(part.digest) if before.digest == part.digest else before)
    metadata: dict[str, Any] = {"name": node.node, "labels": {MANAGED_BY: OWNER}}
    if seen is not None:
        metadata = seen.body["metadata"]
    return {**_head(NODES), "metadata": metadata, "spec": spec}


def read_slice(body: Object) -> Piece:
    """Return what an OverlaySlice says; KeyError or TypeError where it is none of ours.

    One whose name does not say what is in it was made by hand, and counts as empty: who names it then does
    not have the digest that it should, and none of those that are read names itself.
    """
    spec = body["spec"]
    sets = tuple(
        Some(tuple(one["except"]), tuple(read_row(row) for row in one["rows"]))
        for one in spec.get("sets", ())
    )
    found = Piece(spec["cluster"], sets, tuple(spec.get("parts", ())))
    return found if found.name == body["metadata"]["name"] else Piece(found.cluster)


def slice_object(name: str, piece: Piece) -> Object:
    """Return an OverlaySlice."""
    spec: dict[str, Any] = {"cluster": piece.cluster}
    if piece.parts:
        spec["parts"] = list(piece.parts)
    else:
        spec["sets"] = [
            {"except": list(one.besides), "rows": [row.values for row in one.rows]} for one in piece.sets
        ]
    metadata = {"name": name, "labels": {MANAGED_BY: OWNER}, "annotations": {CLUSTER: piece.cluster}}
    return {**_head(SLICES), "metadata": metadata, "spec": spec}


def _head(kind: Kind) -> Object:
    return {"apiVersion": kind.api, "kind": kind.kind}


def _part(values: Mapping[str, Any]) -> Part:
    rows = tuple(read_row(row) for row in values.get("rows", ()))
    return Part(values["digest"], tuple(values.get("shared", ())), rows)


def _values(part: Part) -> dict[str, Any]:
    return {
        "digest": part.digest,
        "shared": list(part.shared),
        "rows": [row.values for row in part.rows],
    }
