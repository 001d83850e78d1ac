"""Facts as a value: what others decide, from all Facts documents, sorted and hashable.

The digest binds a plan to the facts that it was made from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from intent.diagnostics import Related, Report
from intent.kinds.facts import FactsSpec, LinkState, NodeSids, Placement
from intent.model import API_VERSION, Intent, Origin


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
        """Hash of all facts, whatever files they came from and in whatever order."""
        lines = [item.model_dump_json(by_alias=True) for _, item in sorted(self.nodes.items())]
        lines += [item.model_dump_json(by_alias=True) for item in self.placements]
        return hashlib.sha256("\n".join([*lines, *sorted(self.down)]).encode()).hexdigest()[:32]


def gather(documents: Iterable[Intent], report: Report) -> Facts:
    """Return the facts of all documents; what two of them say differently is an error."""
    nodes: dict[str, NodeSids] = {}
    states: dict[str, str] = {}
    found: list[tuple[Placement, Origin]] = []
    origins: dict[str, Origin] = {}
    for intent in documents:
        spec: FactsSpec = intent.spec
        for index, said in enumerate(spec.nodes):
            origin = Origin("", intent, ("spec", "nodes", index))
            # The order in which a node announces its blocks means nothing.
            node = said.model_copy(update={"blocks": tuple(sorted(set(said.blocks), key=str))})
            if nodes.setdefault(node.node, node) != node:
                _contradiction(report, f"node {node.node!r}", origin, origins[f"node/{node.node}"])
            origins.setdefault(f"node/{node.node}", origin)
        for index, link in enumerate(spec.links):
            origin = Origin("", intent, ("spec", "links", index))
            if states.setdefault(link.link, link.state) != link.state:
                _contradiction(report, f"link {link.link!r}", origin, origins[f"link/{link.link}"])
            origins.setdefault(f"link/{link.link}", origin)
        for index, item in enumerate(spec.placements):
            found.append((item, Origin("", intent, ("spec", "placements", index))))
    found.sort(key=lambda entry: (_order(entry[0]), entry[1].intent.name, entry[1].path[-1]))
    _check_placements(found, report)
    origins |= {f"placement/{index}": origin for index, (_, origin) in enumerate(found)}
    down = frozenset(name for name, state in states.items() if state == "down")
    return Facts(dict(sorted(nodes.items())), tuple(item for item, _ in found), down, origins)


def document(facts: Facts, name: str, captured: str = "") -> dict[str, Any]:
    """Return the saved form: one Facts document as plain values, which `gather` reads back as equal facts."""
    links = [LinkState.model_validate({"link": link, "state": "down"}) for link in sorted(facts.down)]
    spec = FactsSpec.model_construct(
        captured=captured or None,
        nodes=tuple(facts.nodes.values()),
        placements=facts.placements,
        links=tuple(links),
    )
    plain = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    said = {field: value for field, value in plain.items() if value}
    return {"apiVersion": API_VERSION, "kind": "Facts", "metadata": {"name": name}, "spec": said}


def _order(item: Placement) -> tuple[str, ...]:
    return (item.cluster, item.namespace, item.pod, item.network, item.node, item.nic, item.pci or "")


def _check_placements(found: Iterable[tuple[Placement, Origin]], report: Report) -> None:
    """A pod runs on one node: two files that say different nodes are of different times."""
    seen: dict[tuple[str, str, str], tuple[Placement, Origin]] = {}
    for item, origin in found:
        twin, place = seen.setdefault((item.cluster, item.namespace, item.pod), (item, origin))
        if twin.node != item.node:
            _contradiction(report, f"pod {item.namespace}/{item.pod!r} ({item.cluster})", origin, place)


def _contradiction(report: Report, what: str, second: Origin, first: Origin) -> None:
    text = f"two facts about {what} contradict each other"
    place = Related(first.span, "the other one")
    report.error("IC2040", second.span, text, "capture the facts again, and keep one file", [place])
