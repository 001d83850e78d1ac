"""The nouns of a topology picture before anything has a place: things, ties between them, groups of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from compiler.resolved import Lag, Resolved
from renderers.picture.fold import Folded
from renderers.picture.model import FrameRole, LineRole, Role, State


@dataclass(frozen=True, slots=True)
class Plug:
    """A port of a thing, where a tie can end."""

    key: str
    text: str
    tip: str
    subjects: tuple[str, ...]
    networks: tuple[str, ...] = ()
    """Networks that are on the port."""
    carried: tuple[str, ...] = ()
    """Subjects of those networks."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One box to be."""

    id: str
    role: Role
    site: str
    title: str
    lines: tuple[str, ...]
    tip: str
    subjects: tuple[str, ...]
    """What can be marked."""
    group: str = ""
    """Id of the group that it stands in."""
    fabric: str = ""
    cluster: str = ""
    many: int = 1
    drained: bool = False
    plugs: tuple[Plug, ...] = ()


@dataclass(frozen=True, slots=True)
class Tie:
    """One line to be, between two things or two of their plugs."""

    id: str
    role: LineRole
    ends: tuple[str, str]
    tip: str
    plugs: tuple[str, str] = ("", "")
    label: str = ""
    subjects: tuple[str, ...] = ()
    state: State = ""
    many: int = 1
    link: str = ""
    """The underlay link that it is."""
    lag: Lag | None = None
    """The LAG that a cable is part of."""


@dataclass(frozen=True, slots=True)
class Group:
    """One frame to be."""

    id: str
    """Its subject."""
    role: FrameRole
    title: str
    tip: str
    tone: int | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a topology picture shows."""

    things: Mapping[str, Thing]
    ties: tuple[Tie, ...]
    groups: Mapping[str, Group]
    fabrics: Mapping[str, str]
    """Groups of fabrics by name."""
    folded: Folded
    clusters: Mapping[str, int]
    """Tones of clusters."""
    networks: tuple[str, ...] = field(repr=False)
    """Networks that are on ports, sorted."""


def router_id(resolved: Resolved, name: str) -> str:
    """Return the subject of a router."""
    return f"{resolved.underlay.router_origin[name][0].subject}/router/{name}"


def switch_id(resolved: Resolved, fabric: str, name: str) -> str:
    """Return the subject of a switch."""
    return f"{resolved.fabrics[fabric].subject}/switch/{name}"
