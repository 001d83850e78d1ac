"""Which document leans on which, by name or by a selector as it was resolved; documents that are alike fold.

Folding refines a partition: two documents of a large kind stay together while what they lean on, and what
leans on them, is the same. A kind that would fall into too many parts keeps the coarser ones.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from compiler.derived.overlay import chosen
from compiler.resolve.refs import references
from compiler.resolved import Resolved
from intent.kinds.srv6_policy import SRv6PolicySpec
from intent.model import Intent
from renderers.picture.model import Marks
from renderers.picture.text import natural

MANY: Final = 20
"""More documents of one kind than this are folded, and into at most so many boxes."""
_ROUNDS: Final = 3

How = Literal["name", "selector"]
Edges = Mapping[tuple[str, str], How]
"""How one document leans on another, by their subjects."""


@dataclass(frozen=True, slots=True)
class Pile:
    """Documents of one kind that one box stands for."""

    kind: str
    id: str
    members: tuple[Intent, ...]
    """In natural order of names."""


def documents(resolved: Resolved) -> tuple[Intent, ...]:
    """Return all documents, sorted by kind and natural order; the project only where it names others."""
    found = [intent for kind in resolved.intents.values() for intent in kind.values()]
    if any(references(resolved.project)):
        found.append(resolved.project)
    return tuple(sorted(found, key=lambda intent: (intent.kind, natural(intent.name))))


def edges(resolved: Resolved) -> Edges:
    """Return who leans on whom; where a name and a selector say the same, the name counts."""
    found: dict[tuple[str, str], How] = {}
    for one, two, how in _all(resolved):
        if one.subject != two.subject and found.get((one.subject, two.subject)) != "name":
            found[one.subject, two.subject] = how
    return found


def _all(resolved: Resolved) -> Iterator[tuple[Intent, Intent, How]]:
    for intent in documents(resolved):
        for kinds, name, _ in references(intent):
            for kind in kinds:
                other = resolved.of(kind).get(name)
                if other:
                    yield intent, other, "name"
    yield from _of_nodes(resolved)
    yield from _of_networks(resolved)
    yield from _of_policies(resolved)


def _of_nodes(resolved: Resolved) -> Iterator[tuple[Intent, Intent, How]]:
    for cluster in resolved.clusters.values():
        for name in cluster.servers:
            yield cluster.intent, resolved.servers[name].intent, "selector"
    for pool in resolved.pools.values():
        for name in pool.members:
            yield pool.intent, resolved.servers[name].intent, "selector"
    for server in resolved.servers.values():
        if server.uplink and server.uplink.router in resolved.underlay.routers:
            yield server.intent, resolved.underlay.router_origin[server.uplink.router][0], "name"
    for name, link in resolved.underlay.links.items():
        for end in link.ends:
            if end.at in resolved.servers:
                # Said by the underlay, but it is the node that reaches it by this link.
                yield resolved.servers[end.at].intent, resolved.underlay.link_origin[name][0], "name"


def _of_networks(resolved: Resolved) -> Iterator[tuple[Intent, Intent, How]]:
    for router in resolved.of("VirtualNetworkRouter").values():
        selector = router.spec.networks
        for name, network in resolved.networks.items():
            if selector.chooses(name, network.intent.meta.labels):
                yield router, network.intent, "selector"
    for outside in resolved.of("ExternalConnection").values():
        zone = resolved.vrfs.get(outside.spec.zone)
        for name in zone.networks if zone else ():
            yield outside, resolved.networks[name].intent, "selector"


def _of_policies(resolved: Resolved) -> Iterator[tuple[Intent, Intent, How]]:
    for policy in resolved.of("SRv6Policy").values():
        spec: SRv6PolicySpec = policy.spec
        for selector in (spec.headends, spec.endpoints):
            for name in chosen(selector, resolved):
                yield policy, resolved.servers[name].intent, "selector"
        for path in spec.candidate_paths:
            for segment in (segment for item in path.explicit or () for segment in item.segments):
                if segment.router and segment.router in resolved.underlay.routers:
                    yield policy, resolved.underlay.router_origin[segment.router][0], "name"


def piles(found: tuple[Intent, ...], leaning: Edges, marks: Marks) -> tuple[Pile, ...]:
    """Return the boxes: one document each, or many alike; marked ones stand alone where they are few."""
    kinds = {intent.subject: intent.kind for intent in found}
    colours = _refined(found, _starting(found, marks), leaning)
    parts: defaultdict[str, list[Intent]] = defaultdict(list)
    for intent in found:
        parts[colours[intent.subject]].append(intent)
    return tuple(
        Pile(
            kinds[members[0].subject],
            members[0].subject + ("/and-alike" if len(members) > 1 else ""),
            tuple(members),
        )
        for members in parts.values()
    )


def _starting(found: tuple[Intent, ...], marks: Marks) -> dict[str, str]:
    """Return the first partition: documents of small kinds, and marked ones, alone; the rest by kind."""
    counts = Counter(intent.kind for intent in found)
    marked = {intent.subject: intent.kind for intent in found if marks.find((intent.subject,))}
    alone = Counter(marked.values())
    return {
        intent.subject: intent.subject
        if counts[intent.kind] <= MANY or (intent.subject in marked and alone[intent.kind] <= MANY)
        else intent.kind
        for intent in found
    }


def _refined(found: tuple[Intent, ...], colours: dict[str, str], leaning: Edges) -> dict[str, str]:
    """Return a finer partition, each part named after its first member."""
    down: defaultdict[str, list[str]] = defaultdict(list)
    up: defaultdict[str, list[str]] = defaultdict(list)
    for one, two in leaning:
        down[one].append(two)
        up[two].append(one)
    for _ in range(_ROUNDS):
        names: dict[tuple[object, ...], str] = {}
        finer: dict[str, str] = {}
        for intent in found:
            one = intent.subject
            key = (
                colours[one],
                frozenset(colours[two] for two in down[one]),
                frozenset(colours[two] for two in up[one]),
            )
            finer[one] = names.setdefault(key, one)
        parts = Counter(kind for kind, _ in {(intent.kind, finer[intent.subject]) for intent in found})
        colours = {
            intent.subject: finer[intent.subject] if parts[intent.kind] <= MANY else colours[intent.subject]
            for intent in found
        }
    return colours
