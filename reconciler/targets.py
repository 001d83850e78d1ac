"""Which target takes which resource: each takes what its families, clusters and fabrics let through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from intent.kinds.project import TAKEN, Target
from renderers.resource import Key, Resource


def takes(target: Target, key: Key) -> bool:
    """Say whether a target takes objects with this key."""
    families = target.families or TAKEN[target.type]
    if families and key.family not in families:
        return False
    kind, _, name = key.scope.partition("/")
    if target.node is not None:
        return kind == "node" and name.partition("/")[2] == target.node
    if not (target.clusters or target.fabrics):
        return True
    if kind in ("cluster", "node"):
        return name.partition("/")[0] in target.clusters
    return kind == "fabric" and name in target.fabrics


def route(
    targets: Sequence[Target], resources: Iterable[Resource]
) -> tuple[dict[str, list[Resource]], list[Resource]]:
    """Return the resources of each target, and those that no target takes; only folders take views."""
    taken: dict[str, list[Resource]] = {target.name: [] for target in targets}
    left: list[Resource] = []
    folders = {target.name for target in targets if target.type == "directory"}
    known: dict[tuple[str, str], list[str]] = {}
    for resource in resources:
        key = resource.key
        names = known.get((key.family, key.scope))
        if names is None:  # type and name have no part in it
            names = [target.name for target in targets if takes(target, key)]
            known[key.family, key.scope] = names
        for name in names:
            if name in folders or not resource.view:
                taken[name].append(resource)
        if not names:
            left.append(resource)
    return taken, left
