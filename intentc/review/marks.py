"""Which parts of a topology picture a change adds, changes or removes, by the subjects that are drawn.

Marked are the documents that differ (routers, links and switches one by one), and the nodes, paths and ports
that the plan touches although their own documents stay as they were.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from compiler.resolved import Resolved
from intent.model import Intent
from reconciler.review import Review
from renderers.picture import Mark

_PARTS: Final[Mapping[str, Mapping[str, str]]] = {
    "Underlay": {"routers": "router", "links": "link"},
    "Fabric": {"switches": "switch", "redundancy_groups": "group"},
}
"""Lists in documents whose items are drawn one by one, and the word for an item in its subject."""

Marks = dict[str, Mark]


def marks(found: Review, old: Resolved | None, new: Resolved) -> tuple[Marks, Marks]:
    """Return the marks for the picture of what was (removed only), and for the picture of what shall be."""
    before, after = _parts(old) if old else {}, _parts(new)
    was = {entry.was: entry.subject for entry in found.renamed}
    before = {_renamed(name, was): part for name, part in before.items()}
    here: Marks = dict.fromkeys(_touched(found, new), "changed")
    for name, part in after.items():
        if name not in before:
            here[name] = "added"
        elif before[name] != part:
            here[name] = "changed"
    back = {now: then for then, now in was.items()}
    gone: Marks = {_renamed(name, back): "removed" for name in before if name not in after}
    return gone, here


def _renamed(subject: str, names: Mapping[str, str]) -> str:
    head, rest = subject.split("/")[:2], subject.split("/")[2:]
    document = "/".join(head)
    return "/".join([names.get(document, document), *rest])


def _parts(resolved: Resolved) -> dict[str, Any]:
    """Return what documents say, by the subject of each part that is drawn by itself."""
    found: dict[str, Any] = {}
    for kind in resolved.intents.values():
        for intent in kind.values():
            found |= _of_document(intent)
    return found


def _of_document(intent: Intent) -> dict[str, Any]:
    parts = _PARTS.get(intent.kind, {})
    rest = intent.spec.model_dump(exclude=set(parts))
    found: dict[str, Any] = {intent.subject: (intent.name, intent.meta.labels, rest)}
    for field, word in parts.items():
        found |= {f"{intent.subject}/{word}/{item.name}": item for item in getattr(intent.spec, field)}
    return found


def _touched(found: Review, resolved: Resolved) -> Iterator[str]:
    """Yield the documents that the plan concerns, and the nodes, policies, networks and ports it touches."""
    radius = found.radius
    yield from (step.resource.document for step in found.steps)
    servers, policies, networks = resolved.servers, resolved.of("SRv6Policy"), resolved.networks
    yield from (servers[name].intent.subject for name in radius.get("nodes", ()) if name in servers)
    yield from (policies[name].subject for name in radius.get("policies", ()) if name in policies)
    yield from (networks[name].intent.subject for name in radius.get("networks", ()) if name in networks)
    for port in radius.get("leaf ports", ()):
        fabric, switch, name = port.split("/", 2)
        if fabric in resolved.fabrics:
            yield f"{resolved.fabrics[fabric].subject}/switch/{switch}/{name}"
