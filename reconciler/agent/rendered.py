"""The slice of a node in a tree of rendered files, whether the tree lies in a folder or in a commit.

Only the folders FAMILY/node/CLUSTER/NODE are looked at. A tree where nothing is left for the node has no
such folder any more, and neither has one that was not copied completely; so who means it leaves a file
`.empty` in the folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from reconciler.agent.accept import FAMILIES
from reconciler.agent.slice import Slice
from reconciler.drivers.base import PermanentError
from reconciler.drivers.layout import Damaged, decode, is_ours
from renderers.resource import Resource

EMPTY: Final = ".empty"
"""Name of the file that says that a node shall hold nothing."""


def places(node: str) -> tuple[str, ...]:
    """Return the patterns of the folders that a node may have in a tree."""
    name = node if "/" in node else f"*/{node}"
    return tuple(f"{family}/node/{name}" for family in FAMILIES)


def folder_of(node: str, folders: Iterable[str]) -> str:
    """Return the folder of a node, of those that match its places; PermanentError where it is not one."""
    found = sorted(set(folders))
    if not found:
        raise PermanentError(
            f"there is nothing for node {node}, that is no folder {' or '.join(places(node))}"
        )
    if len(found) > 1:
        hint = "" if "/" in node else "; say --node CLUSTER/NODE"
        raise PermanentError(f"there are several folders for node {node}: {', '.join(found)}{hint}")
    return found[0]


def slice_of(files: Mapping[str, bytes], revision: str, *, by_bgp: bool) -> Slice:
    """Return the slice that the files of a node hold, without views; PermanentError where one is damaged."""
    resources: list[Resource] = []
    emptied = False
    for path, raw in sorted(files.items()):
        if path.rpartition("/")[2] == EMPTY:
            emptied = True
        elif is_ours(raw):
            try:
                resources += [item for item in decode(path, raw).values() if not item.view]
            except Damaged as error:
                raise PermanentError(str(error)) from error
    return Slice(tuple(resources), revision, policies_by_bgp=by_bgp, emptied=emptied)
