"""From resolved intent to the scene of a topology picture: which things, ties and groups it shows.

Invariant: the same intent gives the same scene in the same order, whatever order its documents came in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from compiler.derived.attachments import ports_in_use, ports_of
from compiler.resolved import Port, Resolved
from intent.model import Intent
from renderers.picture.fold import fold
from renderers.picture.measure import SMALL
from renderers.picture.scene import Group, Scene
from renderers.picture.text import fit, natural
from renderers.picture.things import externals, routers, servers, switches
from renderers.picture.ties import cables, exits, implied, links, uplinks
from renderers.picture.tips import count, place, words

_ROOM: Final = 320.0
"""Longest title of a frame."""


def survey(resolved: Resolved) -> Scene:
    """Return all that a topology picture of this intent shows."""
    folded = fold(resolved)
    on_port = _networks(resolved)
    things = (
        *externals(resolved),
        *switches(resolved, folded, on_port),
        *servers(resolved, folded),
        *routers(resolved),
    )
    underlay = tuple(links(resolved, folded))
    ties = (
        *cables(resolved, folded),
        *exits(resolved, folded),
        *implied(resolved, folded),
        *underlay,
        *uplinks(resolved, folded, {pair for tie in underlay for pair in (tie.ends, tie.ends[::-1])}),
    )
    tones = {name: index for index, name in enumerate(sorted(resolved.clusters, key=natural))}
    networks = {name for names in on_port.values() for name in names}
    return Scene(
        things={thing.id: thing for thing in things},
        ties=ties,
        groups={group.id: group for group in (*_clusters(resolved, tones), *_fabrics(resolved))},
        fabrics={name: intent.subject for name, intent in resolved.fabrics.items()},
        folded=folded,
        clusters=tones,
        networks=tuple(sorted(networks, key=natural)),
    )


def _heading(text: str) -> str:
    return fit(text, SMALL, _ROOM, bold=True)


def _networks(resolved: Resolved) -> dict[Port, list[str]]:
    """Return the networks on each port; those of a LAG are on all its ports."""
    found: defaultdict[Port, list[str]] = defaultdict(list)
    for use in ports_in_use(resolved):
        for port in ports_of(use.point):
            found[port].append(use.network)
    return found


def _clusters(resolved: Resolved, tones: Mapping[str, int]) -> Iterator[Group]:
    for name, cluster in resolved.clusters.items():
        spec = cluster.spec
        says = f"{count(len(cluster.servers), 'node')}, {spec.dataplane}, control plane {spec.control_plane}"
        tip = words(f"Cluster {name}", place(cluster.intent), says)
        yield Group(cluster.intent.subject, "cluster", _heading(f"cluster {name}"), tip, tones[name])


def _fabrics(resolved: Resolved) -> Iterator[Group]:
    for name, intent in resolved.fabrics.items():
        fabric = resolved.fabric(name)
        blueprint = f" {fabric.apstra.blueprint}" if fabric.apstra else ""
        tip = words(f"Fabric {name}", place(intent), f"{len(fabric.switches)} switches")
        yield Group(intent.subject, "fabric", _heading(f"fabric {name} · {fabric.provider}{blueprint}"), tip)
        yield from _pairs(name, intent, resolved)


def _pairs(name: str, intent: Intent, resolved: Resolved) -> Iterator[Group]:
    for index, group in enumerate(resolved.fabric(name).redundancy_groups):
        where = place(intent, ("spec", "redundancyGroups", index))
        tip = words(f"Redundancy group {group.name}", where, f"{group.type}: {' and '.join(group.switches)}")
        title = f"{group.name} · {group.type.upper()}"
        yield Group(f"{intent.subject}/group/{group.name}", "group", title, tip)
