"""Which failures part two routers: so many links and so many routers between them, failing together.

Whatever parts two routers takes something out of every way between them. So one way is looked at, each link
and router of it is failed by turns, and what is left is looked at again. The ways are taken from one tree of
the whole underlay for each set of failures, which serves all pairs of routers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from compiler.te.topology import Arc, Topology


class Failure(NamedTuple):
    """Links and routers that fail together."""

    links: frozenset[str]
    routers: frozenset[str]

    def __str__(self) -> str:
        """Name what fails."""
        parts = [f"link {name}" for name in sorted(self.links)]
        return " and ".join([*parts, *(f"router {name}" for name in sorted(self.routers))])


NOTHING = Failure(frozenset(), frozenset())
Tree = dict[str, Arc | None]
"""The arc by which each router was reached; None for the first of an island."""


@dataclass(frozen=True, slots=True)
class Cuts:
    """The answers for one topology, kept for further pairs of routers."""

    net: Topology
    _trees: dict[Failure, Tree] = field(default_factory=dict)

    def parts(self, start: str, end: str, links: int, routers: int) -> Failure | None:
        """Return a failure of at most so many links and routers that parts two routers; None if none does."""
        return self._search((start, end), NOTHING, (links, routers), set())

    def _search(
        self, ends: tuple[str, str], failed: Failure, left: tuple[int, int], seen: set[Failure]
    ) -> Failure | None:
        if failed in seen:
            return None
        seen.add(failed)
        way = self._way(ends, failed)
        if way is None:
            return failed
        links, routers = left
        for name in dict.fromkeys(arc.link for arc in way) if links else ():
            found = self._search(
                ends, Failure(failed.links | {name}, failed.routers), (links - 1, routers), seen
            )
            if found:
                return found
        between = dict.fromkeys(name for arc in way for name in (arc.start, arc.end) if name not in ends)
        for name in between if routers else ():
            found = self._search(
                ends, Failure(failed.links, failed.routers | {name}), (links, routers - 1), seen
            )
            if found:
                return found
        return None

    def _way(self, ends: tuple[str, str], failed: Failure) -> list[Arc] | None:
        """Return a way between two routers in the tree; None where they are on different islands."""
        tree = self._trees.get(failed)
        if tree is None:
            tree = self._trees[failed] = _tree(self.net, failed)
        one, two = (_up(tree, end) for end in ends)
        if (one[-1].start if one else ends[0]) != (two[-1].start if two else ends[1]):
            return None
        while one and two and one[-1] is two[-1]:
            one.pop()
            two.pop()
        return one + two


def _up(tree: Tree, at: str) -> list[Arc]:
    """Return the arcs from a router up to the first of its island."""
    found = []
    while arc := tree[at]:
        found.append(arc)
        at = arc.start
    return found


def _tree(net: Topology, failed: Failure) -> Tree:
    tree: Tree = {}
    for root in sorted(net.routers):
        if root in tree or root in failed.routers:
            continue
        tree[root] = None
        edge = [root]
        for at in edge:
            for arc in net.out[at]:
                if arc.end not in tree and arc.end not in failed.routers and arc.link not in failed.links:
                    tree[arc.end] = arc
                    edge.append(arc.end)
    return tree
