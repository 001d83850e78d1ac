"""VirtualNetworkRouter: which networks route to each other, chosen by label (semantics of CN2)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from intent.model import Ref, Selector, Spec
from intent.scalars import Name, Text


class VirtualNetworkRouterSpec(Spec):
    """Routing between the networks that it selects.

    `mesh`: each network reaches each other. `hub` and `spoke`: networks of a hub reach networks of the spokes
    that are joined to it, and the other way round; two networks inside one hub, or inside one spoke, do not
    talk. A network may be in several routers.
    """

    type: Literal["mesh", "hub", "spoke"]
    """Role."""
    networks: Annotated[Selector, Ref("VirtualNetwork")]
    """Networks, usually by label."""
    imports: tuple[Annotated[Name, Ref("VirtualNetworkRouter")], ...] = Field(default=())
    """Routers to join: a spoke names its hubs (or a hub its spokes); two meshes name each other."""
    description: Text | None = None
    """For people."""

    example: ClassVar[str] = """\
apiVersion: intentc.dev/v1alpha1
kind: VirtualNetworkRouter
metadata:
  name: user-plane
spec:
  type: mesh
  networks:
    matchLabels:
      plane: user
"""
