"""Assertion: what must stay true whatever else changes; a compile that breaks one is refused.

Each makes one claim: exactly one of the fields beside the description.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from intent.model import Model, Ref, Spec
from intent.scalars import Label, Microseconds, Name, Text, wrong


class Place(Model):
    """Where traffic starts or ends: one of network, pods of a cluster, node, or external connection."""

    network: Annotated[Name, Ref("VirtualNetwork")] | None = None
    """A network."""
    cluster: Annotated[Name, Ref("Cluster")] | None = None
    """The pods of a cluster."""
    node: Annotated[Name, Ref("Node")] | None = None
    """The pods of a node."""
    external: Annotated[Name, Ref("ExternalConnection")] | None = None
    """What lies behind an external connection."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(item is not None for item in (self.network, self.cluster, self.node, self.external)) != 1:
            raise wrong("name exactly one of network, cluster, node and external")
        return self


class Pair(Model):
    """Two places."""

    source: Place
    """From here."""
    destination: Place
    """To here."""


class PathClaim(Pair):
    """Routers that the paths between two places pass, or keep away from."""

    through: tuple[Label, ...] = ()
    """Routers that every path passes."""
    avoids: tuple[Label, ...] = ()
    """Routers that no path passes."""


class LatencyClaim(Pair):
    """The latency of the slowest path between two places."""

    at_most: Microseconds
    """Bound, one way."""


class SurvivalClaim(Pair):
    """Reachability under failures."""

    links: Annotated[int, Field(strict=True, ge=0, le=3)] = 1
    """Links that may fail together, between the access routers."""
    routers: Annotated[int, Field(strict=True, ge=0, le=3)] = 0
    """Routers that may fail together, between the access routers."""


class AssertionSpec(Spec):
    """One claim."""

    reach: Pair | None = None
    """Traffic passes, in both directions."""
    isolate: Pair | None = None
    """No traffic passes, in either direction."""
    path: PathClaim | None = None
    """Paths pass and avoid routers."""
    latency: LatencyClaim | None = None
    """Every path is fast enough."""
    survives: SurvivalClaim | None = None
    """Traffic passes whatever links and routers fail, as many as are said."""
    description: Text | None = None
    """For people: why it must hold."""

    example: ClassVar[str] = """\
apiVersion: intentc.dev/v1alpha1
kind: Assertion
metadata:
  name: ran-is-isolated
spec:
  description: the RAN never talks to the management network
  isolate:
    source:
      network: n3
    destination:
      network: management
"""

    @model_validator(mode="after")
    def _one(self) -> Self:
        claims = (self.reach, self.isolate, self.path, self.latency, self.survives)
        if sum(claim is not None for claim in claims) != 1:
            raise wrong(
                "give exactly one of reach, isolate, path, latency and survives",
                "write one document per claim",
            )
        return self
