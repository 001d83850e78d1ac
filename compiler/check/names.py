"""Names that are put together: no two documents may come to the same one.

What is made of a document is mostly called as it is. Where a name is made of several, two documents with
names of their own can meet in it, and what one makes would overwrite what the other does.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from compiler.derived.offers import offers, policies, pool_name
from compiler.resolved import Resolved
from intent.diagnostics import Related, Report
from intent.kinds.virtual_network import OverlayAttachment
from intent.model import Intent


class _Made(NamedTuple):
    """An object that a document makes under a name of several parts."""

    cluster: str
    what: str
    name: str
    intent: Intent
    noun: str
    """What people call the document."""
    parts: str
    """Which names it is made of."""


def check_names(resolved: Resolved, report: Report) -> None:
    """Check that no two documents make an object of the same name."""
    taken: dict[tuple[str, str, str], Intent] = {}
    for made in chain(_node_policies(resolved), _address_pools(resolved)):
        twin = taken.setdefault((made.cluster, made.what, made.name), made.intent)
        if twin is not made.intent:
            both = f"{made.noun}s {twin.name!r} and {made.intent.name!r}"
            text = f"{both} would both make {made.what} {made.name!r}"
            place = [Related(twin.span("metadata", "name"), f"the other {made.noun}")]
            span = made.intent.span("metadata", "name")
            report.error("IC2316", span, text, f"rename one of the {made.parts}", place)


def _node_policies(resolved: Resolved) -> Iterator[_Made]:
    """The operator keeps all its policies in one namespace, and some are named after pool and node."""
    for pool in resolved.pools.values():
        sriov = resolved.clusters[pool.cluster].spec.installed.sriov
        if sriov is not None and sriov.manager == "operator":
            for name in policies(pool, resolved):
                yield _Made(pool.cluster, "a node policy", name, pool.intent, "pool", "pools")


def _address_pools(resolved: Resolved) -> Iterator[_Made]:
    """The pools of nv-ipam are in one namespace, and those of several subnets named after these."""
    for offer in chain.from_iterable(offers(resolved).values()):
        spec, installed = offer.network.spec, resolved.clusters[offer.cluster].spec.installed
        overlay = isinstance(offer.attachment, OverlayAttachment)
        if installed.ipam == "nv-ipam" and spec.ipam.mode == "central" and not overlay:
            for subnet in spec.subnets:
                name, intent = pool_name(offer.network, subnet), offer.network.intent
                yield _Made(offer.cluster, "an address pool", name, intent, "network", "networks or subnets")
