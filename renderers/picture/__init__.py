"""Pictures of intent for people: the topology that it describes, and which documents lean on which.

    Resolved → Picture (places of boxes, lines and words) → SVG, or one HTML page with both

Pictures are pure functions of resolved intent: the same intent gives the same bytes, whatever order its
documents came in. What a change did is passed as marks, by subject: of a document (`Node/edge-1`), or of a
part of one (`Underlay/core/router/p1`, `Underlay/core/link/p1-p2`, `Fabric/dc1/switch/leaf1/Ethernet1`,
`Node/edge-1/bond/bond0`). A mark on anything deeper marks what is drawn above it as changed.
"""

from __future__ import annotations

from collections.abc import Mapping

from compiler.resolved import Resolved
from renderers.picture.dependencies import dependencies
from renderers.picture.model import Mark
from renderers.picture.page import page
from renderers.picture.svg import write
from renderers.picture.topology import topology

__all__ = ["Mark", "dependencies_svg", "page_html", "topology_svg"]


def topology_svg(resolved: Resolved, marks: Mapping[str, Mark] | None = None) -> str:
    """Return the topology as an SVG file."""
    return write(topology(resolved, marks))


def dependencies_svg(resolved: Resolved, marks: Mapping[str, Mark] | None = None) -> str:
    """Return the documents and their references as an SVG file."""
    return write(dependencies(resolved, marks))


def page_html(resolved: Resolved, marks: Mapping[str, Mark] | None = None) -> str:
    """Return one self-contained HTML page: both pictures, and a table of all objects to search."""
    return page(resolved, marks)
