"""The topology of resolved intent as a picture: sites, routers, fabrics, servers, cables, paths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from compiler.resolved import Resolved
from renderers.picture.curves import lowest
from renderers.picture.legend import Policies, legend, mark_entries, tag
from renderers.picture.measure import plug_rects
from renderers.picture.model import Box, Frame, Mark, Marks, Picture, Rect, Tab
from renderers.picture.place import Placed, around, place_scene
from renderers.picture.scene import Plug, Scene, Thing
from renderers.picture.survey import survey
from renderers.picture.text import fit, natural, width
from renderers.picture.tips import count, words
from renderers.picture.traces import Trace, edges_of, traces
from renderers.picture.wiring import Plugs, notes, rings, wire

MOST_PATHS: Final = 8
"""Most policies whose ways are drawn; marked ones first."""
MOST_NETWORKS: Final = 6
"""Most networks that get a tone of their own."""
_FRAME_TITLE: Final = 11.0
_SITE_TITLE: Final = 15.0
"""Font sizes."""


def topology(resolved: Resolved, marks: Mapping[str, Mark] | None = None) -> Picture:
    """Return the topology; `marks` says by subject what a change did to it."""
    found = Marks.of(marks or {})
    seen = survey(resolved)
    placed = place_scene(seen)
    plugs = {
        (name, key): rect
        for name, thing in seen.things.items()
        for key, rect in plug_rects(thing, placed.sizes[name], placed.boxes[name]).items()
    }
    tones = (
        {name: tone for tone, name in enumerate(seen.networks)} if len(seen.networks) <= MOST_NETWORKS else {}
    )
    boxes = tuple(_box(thing, placed, plugs, tones, seen, found) for thing in seen.things.values())
    frames = tuple(_frames(resolved, seen, placed, found))
    policies, left_out = _policies(resolved, found)
    ways = [(tone, trace) for tone, (_, found_ways) in enumerate(policies) for trace in found_ways]
    lines = wire(seen, placed, plugs, ways, found)
    solid = [*(box.rect for box in boxes), *(title_rect(frame) for frame in frames)]
    tags = {f"{trace.policy.subject}/list/{trace.index}": tag(tone, trace) for tone, trace in ways}
    size = (
        around([*(frame.rect for frame in frames), *(box.rect for box in boxes)])
        if boxes
        else Rect(0, 0, 400, 60)
    )
    return Picture(
        name="topology",
        title=f"{resolved.project.name}: topology",
        subtitle=_counts(resolved),
        width=size.right,
        height=max(size.bottom, lowest(curve for line in lines for curve in line.curves)),
        boxes=boxes,
        frames=frames,
        lines=lines,
        rings=rings(seen, plugs, found),
        notes=notes(seen, lines, tags, solid),
        legend=(*legend(resolved, seen, policies, left_out, tones), *mark_entries(found)),
    )


def title_rect(frame: Frame) -> Rect:
    """Return where the title of a frame stands: on its upper edge, and inside it for a site."""
    if frame.role == "site":
        return Rect(frame.rect.x + 14, frame.rect.y + 8, width(frame.title, _SITE_TITLE, bold=True) + 8, 20)
    return Rect(frame.rect.x + 10, frame.rect.y - 8, width(frame.title, _FRAME_TITLE, bold=True) + 10, 16)


def _box(
    thing: Thing, placed: Placed, plugs: Plugs, tones: Mapping[str, int], seen: Scene, marks: Marks
) -> Box:
    size = placed.sizes[thing.id]
    tabs = tuple(
        Tab(
            f"{thing.id}/port/{plug.key}", plugs[thing.id, plug.key], text, plug.tip,
            tuple(tones.get(name, -1) for name in plug.networks) if tones else (-1,) * bool(plug.networks),
            _port_mark(plug, marks),
        )
        for plug, text, _ in size.plugs
    )  # fmt: skip
    return Box(
        thing.id, thing.role, placed.boxes[thing.id], size.title, size.lines, thing.tip, thing.subjects,
        tone=seen.clusters.get(thing.cluster), many=thing.many, drained=thing.drained,
        mark=marks.find(thing.subjects), tabs=tabs,
    )  # fmt: skip


def _port_mark(plug: Plug, marks: Marks) -> Mark | None:
    """Return the mark of a port: its own, or a change where one of its networks is marked."""
    own = marks.find(plug.subjects)
    return own or ("changed" if any(marks.find((network,)) for network in plug.carried) else None)


def _frames(resolved: Resolved, seen: Scene, placed: Placed, marks: Marks) -> Iterator[Frame]:
    """Yield frames from the outside to the inside: sites, fabrics, groups."""
    for site, rect in placed.sites.items():
        title = site or ("no site said" if len(placed.sites) > 1 else resolved.project.name)
        short = fit(title, _SITE_TITLE, rect.width - 36, bold=True)
        yield Frame(f"site/{site}", "site", rect, short, words(f"site {title}"))
    for name, rect in sorted(placed.fabrics.items()):
        group = seen.groups[seen.fabrics[name]]
        mark = marks.find((group.id,))
        yield Frame(group.id, "fabric", rect, group.title, group.tip, mark=mark, subject=group.id)
    for unit, rect in placed.units:
        group = seen.groups[unit.group]
        site = seen.things[unit.ids[0]].site
        ident = f"{group.id}/in/{site}" if group.role == "cluster" else group.id
        yield Frame(
            ident,
            group.role,
            rect,
            group.title,
            group.tip,
            group.tone,
            marks.find((group.id,)),
            group.id,
        )


def _policies(resolved: Resolved, marks: Marks) -> tuple[Policies, int]:
    """Return the policies to draw with their ways, and how many are left out."""
    edges = edges_of(resolved)
    names = sorted(
        resolved.of("SRv6Policy"),
        key=lambda name: (marks.find((f"SRv6Policy/{name}",)) is None, natural(name)),
    )
    found: list[tuple[str, tuple[Trace, ...]]] = []
    for at, name in enumerate(names):
        if len(found) == MOST_PATHS:
            return found, len(names) - at
        ways = traces(resolved, resolved.of("SRv6Policy")[name], edges)
        if ways:
            found.append((name, ways))
    return found, 0


def _counts(resolved: Resolved) -> str:
    sites = {router.site for router in resolved.underlay.routers.values()}
    sites |= {server.site for server in resolved.servers.values()}
    counts = (
        (len(sites - {None}), "site"),
        (len(resolved.underlay.routers), "SRv6 router"),
        (len(resolved.fabrics), "fabric"),
        (len(resolved.clusters), "cluster"),
        (len(resolved.servers), "server"),
        (len(resolved.networks), "network"),
    )
    return " · ".join(count(many, what) for many, what in counts if many)
