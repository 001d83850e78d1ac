"""SRv6Policy: traffic between chosen nodes takes a chosen path (SR policy architecture, RFC 9256)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from intent.model import Model, Ref, Selector, Spec, repeated
from intent.scalars import Color, Label, Name, Preference, Prefix, Sid, Text, Weight, wrong


class NodeSelector(Model):
    """Nodes of chosen clusters."""

    clusters: tuple[Annotated[Name, Ref("Cluster")], ...] = ()
    """Only nodes of these clusters; any, where not said."""
    sites: tuple[Label, ...] = ()
    """Only nodes of these sites."""
    nodes: Annotated[Selector, Ref("Node")] | None = None
    """Only these nodes."""


class Segment(Model):
    """One step of a path: a router, one link of it, or a SID as it is."""

    router: Label | None = None
    """Pass this router (its End SID)."""
    link: Label | None = None
    """Leave over this link (its End.X SID at `router`)."""
    sid: Sid | None = None
    """Any SID of the underlay."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.sid is not None and (self.router or self.link):
            raise wrong("a segment is a sid, or a router with or without a link", "remove one of them", "sid")
        if self.sid is None and not self.router:
            raise wrong("a segment needs a router or a sid", "a link is forced at a router: give both")
        return self


class SegmentList(Model):
    """One explicit path; the service SID of the egress node is added at its end."""

    weight: Weight = 1
    """Share of the traffic, relative to the other lists."""
    segments: Annotated[tuple[Segment, ...], Field(min_length=1, max_length=15)]
    """Steps in the order of travel."""


class Constraints(Model):
    """What a computed path must keep to."""

    include_any: tuple[Label, ...] = ()
    """Each link has one of these affinities."""
    include_all: tuple[Label, ...] = ()
    """Each link has all these affinities."""
    exclude_any: tuple[Label, ...] = ()
    """No link has one of these affinities."""
    exclude_srlgs: tuple[Label, ...] = ()
    """No link is in one of these shared-risk groups."""
    exclude_routers: tuple[Label, ...] = ()
    """The path does not pass these routers."""
    max_sids: Annotated[int, Field(strict=True, ge=1, le=15)] | None = None
    """Most SIDs before the service SID."""
    disjoint_from: Annotated[Name, Ref("SRv6Policy")] | None = None
    """Share nothing with the path of that policy between the same routers; it makes room where it must."""
    disjointness: Literal["link", "node", "srlg"] = "link"
    """What is not shared."""


class Dynamic(Model):
    """A path that is computed from the underlay."""

    objective: Literal["igp", "te", "latency"]
    """What is made small."""
    constraints: Constraints = Constraints()
    """What must hold."""


class CandidatePath(Model):
    """One candidate, `explicit` or `dynamic`; the valid one with the highest preference is used."""

    name: Label
    """Name of the path."""
    preference: Preference = 100
    """The highest valid preference wins; of equal ones, the later candidate."""
    explicit: Annotated[tuple[SegmentList, ...], Field(min_length=1)] | None = None
    """Weighted segment lists."""
    dynamic: Dynamic | None = None
    """Computed path."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.explicit is not None and self.dynamic is not None:
            words = f"candidate path {self.name!r} is both explicit and dynamic"
            raise wrong(words, "keep one of them; several paths are several candidates")
        if self.explicit is None and self.dynamic is None:
            hint = "write its segment lists into explicit, or its objective into dynamic"
            raise wrong(f"candidate path {self.name!r} says no path", hint)
        return self


class Steer(Model):
    """Which traffic to the endpoints takes the policy."""

    pods: Annotated[tuple[Literal["ipv4", "ipv6"], ...], Field()] = ("ipv4", "ipv6")
    """Traffic to the pods of the endpoints, by family."""
    networks: tuple[Annotated[Name, Ref("VirtualNetwork")], ...] = ()
    """Traffic to these overlay networks at the endpoints."""
    prefixes: tuple[Prefix, ...] = ()
    """Traffic of the pod table to these prefixes behind the endpoint (one endpoint only)."""


class SRv6PolicySpec(Spec):
    """Traffic from headends to endpoints takes a chosen path."""

    headends: NodeSelector
    """Where traffic enters."""
    endpoints: NodeSelector
    """Where traffic leaves."""
    color: Color
    """Colour: tells policies between the same nodes apart."""
    candidate_paths: Annotated[tuple[CandidatePath, ...], Field(min_length=1)]
    """Candidates."""
    steer: Steer = Steer()
    """Traffic that takes it."""
    bsids: dict[Annotated[Name, Ref("Node")], Sid] = Field(default_factory=dict)
    """Pin the BSID of an endpoint, by node: of the first steered family; the second gets the next address."""
    description: Text | None = None
    """For people."""

    example: ClassVar[str] = """\
apiVersion: intentc.dev/v1alpha1
kind: SRv6Policy
metadata:
  name: low-latency
spec:
  headends:
    sites: [dc1]
  endpoints:
    sites: [dc2]
  color: 100
  candidatePaths:
    - name: via-p3
      preference: 200
      explicit:
        - weight: 3
          segments:
            - router: p1
            - router: p3
        - weight: 1
          segments:
            - router: p1
              link: p1-p2
    - name: fallback
      preference: 100
      explicit:
        - segments:
            - router: p2
"""

    @model_validator(mode="after")
    def _names(self) -> Self:
        twin = repeated(path.name for path in self.candidate_paths)
        if twin:
            message = f"two candidate paths are called {twin[1]!r}"
            raise wrong(message, "", "candidatePaths", twin[0], "name")
        return self
