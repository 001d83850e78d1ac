"""What a slice must be like before anything is done for it; one that is refused changes nothing.

Invariant: what is lost on the way to a node is never taken for what nobody wants any more. A slice that
refers to what it does not hold is not all of it, and one that holds nothing has to say that this is meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from reconciler.agent.slice import Slice
from renderers.resource import Key, Resource

FAMILIES: Final = ("vpp", "linux")
"""Families of objects that a node holds."""
POLICY: Final = "policy"
"""Type of the objects that say which way traffic takes; they may come by BGP."""
_NAMED: Final = 3
"""So many objects are named in one message."""


def is_of(scope: str, node: str) -> bool:
    """Say whether a scope is that of a node, which is called CLUSTER/NODE, or NODE alone."""
    kind, _, name = scope.partition("/")
    return kind == "node" and (name == node or ("/" not in node and name.partition("/")[2] == node))


def fault(found: Slice, node: str, family: str = "") -> str:
    """Say why a slice may not be applied to a node, whose data plane is of a family; "" where it may."""
    resources = found.resources
    if not resources:
        return "" if found.emptied else "it holds nothing, and does not say that this is meant"
    if found.emptied:
        return f"it says that the node is empty, and holds {len(resources)} objects"
    if strange := _named(item.key for item in resources if not is_of(item.key.scope, node)):
        return f"it is not of node {node}: {strange}"
    families = sorted({item.key.family for item in resources})
    if len({item.key.scope for item in resources}) > 1 or len(families) > 1:
        return f"it mixes nodes or data planes: {_named(_one_of_each(resources))}"
    if families[0] not in FAMILIES or family not in ("", families[0]):
        return f"it is for a data plane of type {families[0]}, and this one is {family or 'vpp or linux'}"
    keys = {item.key for item in resources}
    if len(keys) < len(resources):
        return "it holds an object twice"
    return _holes(resources, keys, by_bgp=found.policies_by_bgp)


def _holes(resources: Sequence[Resource], keys: set[Key], *, by_bgp: bool) -> str:
    """Say which objects are needed and are not there; "" where there are none."""
    lost: dict[Key, Key] = {}
    for item in resources:
        for need in (*item.needs, *_policies(item)):
            if need[:2] == item.key[:2] and need not in keys and not (by_bgp and need.type == POLICY):
                lost.setdefault(need, item.key)
    if not lost:
        return ""
    need, user = min(lost.items())
    more = f" ({len(lost)} such objects)" if len(lost) > 1 else ""
    hint = "; if policies come by BGP, say --gobgp" if need.type == POLICY else ""
    return f"it is not complete: {user} needs {need}, which is not in it{more}{hint}"


def policy_of(steering: Resource) -> Key | None:
    """Return the policy that an object sends traffic into, by its binding SID; None where it sends none."""
    bsid = steering.spec.get("bsid")
    if steering.key.type == POLICY or not isinstance(bsid, str):
        return None
    return Key(steering.key.family, steering.key.scope, POLICY, bsid)


def _policies(item: Resource) -> tuple[Key, ...]:
    found = policy_of(item)
    return (found,) if found else ()


def _one_of_each(resources: Iterable[Resource]) -> list[Key]:
    return list({item.key[:2]: item.key for item in resources}.values())


def _named(keys: Iterable[Key]) -> str:
    found = sorted(keys)
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(map(str, found[:_NAMED])) + more
