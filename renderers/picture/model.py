"""A picture as a value: boxes, frames around them, lines between them and words, all with their places.

Nothing here knows SVG or the intent language; positions are in pixels from the top left corner.
Invariant: boxes never overlap, and a frame holds its boxes wholly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal, NamedTuple

Mark = Literal["added", "changed", "removed"]
Point = tuple[float, float]
Role = Literal["external", "border", "spine", "leaf", "node", "server", "router", "document"]
FrameRole = Literal["site", "fabric", "group", "cluster", "kind"]
LineRole = Literal["link", "uplink", "cable", "implied", "path", "name", "selector"]
State = Literal["", "down", "drained"]


class Rect(NamedTuple):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> Point:
        """Its centre."""
        return (self.x + self.width / 2, self.y + self.height / 2)

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height

    def grown(self, by: float) -> Rect:
        """Return it with a margin on every side."""
        return Rect(self.x - by, self.y - by, self.width + 2 * by, self.height + 2 * by)

    def holds(self, point: Point) -> bool:
        """Say whether a point lies strictly inside."""
        return self.x < point[0] < self.right and self.y < point[1] < self.bottom

    def meets(self, other: Rect) -> bool:
        """Say whether two rectangles share an area."""
        across = self.x < other.right and other.x < self.right
        return across and self.y < other.bottom and other.y < self.bottom


class Curve(NamedTuple):
    """A cubic Bézier curve; a straight line has its two middle points on it."""

    start: Point
    leave: Point
    arrive: Point
    end: Point


@dataclass(frozen=True, slots=True)
class Tab:
    """A port at the edge of a box."""

    id: str
    rect: Rect
    text: str
    tip: str
    stripes: tuple[int, ...] = ()
    """Tones of the networks on it."""
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class Box:
    """One thing, or several alike."""

    id: str
    """Subject of (the first of) what it shows, unique in the picture."""
    role: Role
    rect: Rect
    title: str
    lines: tuple[str, ...]
    tip: str
    """Everything that has no room in the box; starts with the full name."""
    subjects: tuple[str, ...] = ()
    """Everything that it shows."""
    tone: int | None = None
    """Colour and symbol of the cluster."""
    many: int = 1
    """How many things the box stands for."""
    drained: bool = False
    mark: Mark | None = None
    tabs: tuple[Tab, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """What holds boxes: a site, a fabric, a redundancy group, nodes of a cluster, documents of a kind."""

    id: str
    role: FrameRole
    rect: Rect
    title: str
    tip: str
    tone: int | None = None
    mark: Mark | None = None
    subject: str = ""
    """What it shows; nothing for a site or a kind."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line along one or more curves."""

    id: str
    role: LineRole
    curves: tuple[Curve, ...]
    tip: str
    ends: tuple[str, str]
    """Ids of the boxes at its ends."""
    state: State = ""
    width: float = 1.5
    tone: int | None = None
    """Colour and dashes of a path."""
    arrow: bool = False
    mark: Mark | None = None
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Ring:
    """The mark around the cables of one LAG."""

    id: str
    rect: Rect
    tip: str
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Words beside a line, on a plain ground."""

    rect: Rect
    text: str
    role: Literal["link", "down", "path", "ring"]
    tone: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the legend: a sample and what it means."""

    sample: Literal[
        "cluster",
        "path",
        "network",
        "link",
        "uplink",
        "cable",
        "implied",
        "name",
        "selector",
        "ring",
        "down",
        "mark",
        "text",
    ]
    text: str
    tone: int | None = None
    mark: Mark | None = None
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A whole picture."""

    name: Literal["topology", "dependencies", "before"]
    title: str
    subtitle: str
    width: float
    height: float
    """Height above the legend."""
    boxes: tuple[Box, ...] = ()
    frames: tuple[Frame, ...] = ()
    """Outer frames first."""
    lines: tuple[Line, ...] = ()
    rings: tuple[Ring, ...] = ()
    notes: tuple[Note, ...] = ()
    legend: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Marks:
    """What a change did to subjects; a change below a thing that is drawn changes that thing."""

    exact: Mapping[str, Mark] = field(default_factory=dict)
    above: frozenset[str] = frozenset()
    """Every subject that has a marked part."""

    @classmethod
    def of(cls, marks: Mapping[str, Mark]) -> Marks:
        """Index marks by subject."""
        joined = (accumulate(subject.split("/")[:-1], "{}/{}".format) for subject in marks)
        return cls(marks, frozenset(prefix for prefixes in joined for prefix in prefixes))

    def find(self, subjects: Iterable[str]) -> Mark | None:
        """Return what happened to a thing with these subjects; a mixture is a change."""
        if not self.exact:
            return None
        found = [
            self.exact.get(subject) or ("changed" if subject in self.above else None) for subject in subjects
        ]
        kinds = set(found)
        return found[0] if len(kinds) == 1 else "changed" if kinds else None
