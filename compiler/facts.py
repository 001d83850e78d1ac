"""Facts as a value: what others decide, from all Facts documents, sorted and hashable.

The digest binds a plan to the facts that it was made from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from intent.diagnostics import Related, Report
from intent.kinds.facts import FactsSpec, NodeSids, Placement
from intent.model import Intent, Origin


@dataclass(frozen=True, slots=True)
class Facts:
    """What was observed and saved."""

    nodes: Mapping[str, NodeSids] = field(default_factory=dict)
    """What Calico-VPP nodes announce, by node."""
    placements: tuple[Placement, ...] = ()
    """Pods with interfaces on networks, sorted."""
    down: frozenset[str] = frozenset()
    """Links that are known to be down."""
    origins: Mapping[str, Origin] = field(default_factory=dict, compare=False, repr=False)
    """Where a fact was said: by `node/NAME`, `link/NAME`, `placement/INDEX` of `placements`."""

    @property
    def digest(self) -> str:
        """Hash of all facts, whatever files they came from."""
        lines = [item.model_dump_json(by_alias=True) for _, item in sorted(self.nodes.items())]
        lines += [item.model_dump_json(by_alias=True) for item in self.placements]
        return hashlib.sha256("\n".join([*lines, *sorted(self.down)]).encode()).hexdigest()[:32]


def gather(documents: Iterable[Intent], report: Report) -> Facts:
    """Return the facts of all documents; what two of them say differently is an error."""
    nodes: dict[str, NodeSids] = {}
    states: dict[str, str] = {}
    found: list[tuple[tuple[str, ...], Placement, Origin]] = []
    origins: dict[str, Origin] = {}
    for intent in documents:
        spec: FactsSpec = intent.spec
        for index, node in enumerate(spec.nodes):
            origin = Origin("", intent, ("spec", "nodes", index))
            if nodes.setdefault(node.node, node) != node:
                _contradiction(report, f"node {node.node!r}", origin, origins[f"node/{node.node}"])
            origins.setdefault(f"node/{node.node}", origin)
        for index, link in enumerate(spec.links):
            origin = Origin("", intent, ("spec", "links", index))
            if states.setdefault(link.link, link.state) != link.state:
                _contradiction(report, f"link {link.link!r}", origin, origins[f"link/{link.link}"])
            origins.setdefault(f"link/{link.link}", origin)
        for index, item in enumerate(spec.placements):
            order = (item.cluster, item.namespace, item.pod, item.network, item.node, item.nic)
            found.append((order, item, Origin("", intent, ("spec", "placements", index))))
    found.sort(key=lambda entry: entry[0])
    for index, (_, _, origin) in enumerate(found):
        origins[f"placement/{index}"] = origin
    down = frozenset(name for name, state in states.items() if state == "down")
    return Facts(dict(sorted(nodes.items())), tuple(item for _, item, _ in found), down, origins)


def _contradiction(report: Report, what: str, second: Origin, first: Origin) -> None:
    report.error("IC2040", second.span, f"two facts about {what} contradict each other", "capture the facts again, and keep one file", [Related(first.span, "the other one")])
