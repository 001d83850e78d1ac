"""Workloads: the annotation and the VFs that their pods must ask for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from compiler.derived.memo import remembered
from compiler.derived.offers import Offer, choose, names
from compiler.elements.pods import PodEntry, PodSnippet
from compiler.lower.vfs import resource_of
from compiler.resolved import Resolved
from intent.kinds.workload import WorkloadSpec
from intent.model import Intent, Origin
from intent.scalars import IPAddress


def lower_workloads(resolved: Resolved, cluster: str) -> Iterator[PodSnippet]:
    """Yield what the workloads of a cluster must say."""
    for intent in workloads(resolved).get(cluster, ()):
        yield _snippet(intent, resolved)


@remembered
def workloads(resolved: Resolved) -> Mapping[str, list[Intent]]:
    """Return the workloads by cluster."""
    found: defaultdict[str, list[Intent]] = defaultdict(list)
    for intent in resolved.of("Workload").values():
        found[intent.spec.cluster].append(intent)
    return found


@remembered
def fixed_macs(resolved: Resolved) -> frozenset[tuple[str, str]]:
    """Return cluster and network wherever a workload fixes the MAC of an interface."""
    return frozenset(
        (intent.spec.cluster, item.network)
        for intent in resolved.of("Workload").values()
        for item in intent.spec.interfaces
        if item.mac
    )


def _snippet(intent: Intent, resolved: Resolved) -> PodSnippet:
    spec: WorkloadSpec = intent.spec
    networks: list[PodEntry] = []
    resources: Counter[str] = Counter()
    for item in spec.interfaces:
        offer = choose(item, spec.cluster, resolved)
        if offer is None:
            continue
        # An offer that is not in the namespace of the workload is taken from where it is.
        namespace = spec.namespace if spec.namespace in offer.namespaces else offer.namespaces[0]
        networks += [PodEntry(leg.name, namespace, leg.interface) for leg in offer.legs]
        addresses = tuple(_with_length(address, offer) for address in item.addresses)
        *_, name = names(item, offer, None)
        networks.append(PodEntry(offer.name, namespace, name, addresses, item.mac))
        resources.update(resource_of(resolved.pools[pool], resolved) for pool in offer.pools)
    return PodSnippet(
        subject=intent.subject,
        origins=(
            Origin("", intent),
            Origin("networks", intent, ("spec", "interfaces")),
            Origin("resources", intent, ("spec", "interfaces"), "one VF per leg"),
        ),
        workload=intent.name,
        namespace=spec.namespace,
        kind=spec.kind,
        networks=tuple(networks),
        resources=tuple(sorted(resources.items())),
    )


def _with_length(address: IPAddress, offer: Offer) -> str:
    """Write an address with the prefix length of its subnet, as static IPAM wants it."""
    for subnet in offer.network.spec.subnets:
        if address.version == subnet.cidr.version and address in subnet.cidr:
            return f"{address}/{subnet.cidr.prefixlen}"
    return f"{address}/{address.max_prefixlen}"
