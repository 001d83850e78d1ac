"""The legend of a topology picture: clusters, policies, networks, and the sorts of lines that it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from compiler.resolved import Resolved
from renderers.picture.model import Entry, Marks
from renderers.picture.scene import Scene
from renderers.picture.tips import count
from renderers.picture.traces import Trace

LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Policies are lettered, so that they can be told apart without colours."""

Policies = Sequence[tuple[str, tuple[Trace, ...]]]
"""Policies that are drawn, by name, with their ways."""

_LINES: Final = (
    ("link", "SRv6 link: IGP metric (there/back) · latency"),
    ("uplink", "uplink to the underlay"),
    ("cable", "cable"),
    ("implied", "fabric link (implied)"),
)


def tag(tone: int, trace: Trace) -> str:
    """Return the words beside a path: the letter of its policy, and its share of the traffic."""
    return LETTERS[tone] if trace.share == 1 else f"{LETTERS[tone]} {trace.share:.0%}"


def mark_entries(marks: Marks) -> Iterator[Entry]:
    """Yield what the signs of changes mean."""
    for mark in sorted(set(marks.exact.values())):
        yield Entry("mark", mark, mark=mark)


def legend(
    resolved: Resolved, seen: Scene, policies: Policies, left_out: int, tones: Mapping[str, int]
) -> Iterator[Entry]:
    """Yield the entries; `left_out` policies are not drawn, `tones` are those of networks."""
    for name, tone in seen.clusters.items():
        cluster = resolved.clusters[name]
        says = (
            f"{count(len(cluster.servers), 'node')}, {cluster.spec.dataplane}, {cluster.spec.control_plane}"
        )
        yield Entry("cluster", f"cluster {name}: {says}", tone)
    for tone, (name, ways) in enumerate(policies):
        color = resolved.of("SRv6Policy")[name].spec.color
        lists = " and ".join(f"{way.share:.0%} {way.words}" if len(ways) > 1 else way.words for way in ways)
        yield Entry("path", f"{LETTERS[tone]}  policy {name} (colour {color}): {lists}", tone)
    if left_out:
        yield Entry("text", f"and {left_out:,} more policies")
    for name, tone in tones.items():
        yield Entry("network", f"network {name}", tone)
    if seen.networks and not tones:
        yield Entry("network", f"port with networks ({len(seen.networks):,} in all)")
    yield from _lines(seen)


def _lines(seen: Scene) -> Iterator[Entry]:
    roles = {tie.role for tie in seen.ties}
    yield from (Entry(role, text) for role, text in _LINES if role in roles)
    if any(tie.lag for tie in seen.ties):
        yield Entry("ring", "LAG or ESI-LAG")
    if any(tie.state == "down" for tie in seen.ties):
        yield Entry("down", "link that is down")
