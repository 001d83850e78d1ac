"""Workloads: the annotation and the VFs that their pods must ask for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from compiler.derived.memo import remembered
from compiler.derived.offers import Offer, choose, names
from compiler.derived.reasons import NAME, Origins
from compiler.elements.pods import PodEntry, PodSnippet
from compiler.lower.pod_origins import managers
from compiler.lower.pod_origins import resources as resource_names
from compiler.lower.vfs import resource_of
from compiler.resolved import Resolved
from intent.kinds.workload import PodInterface, WorkloadSpec
from intent.model import Intent, Origin
from intent.scalars import IPAddress
from intent.source import FieldPath


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
def fixed_macs(resolved: Resolved) -> Mapping[tuple[str, str], Origins]:
    """Return, by cluster and network, where a workload fixes the MAC of an interface."""
    found: dict[tuple[str, str], Origins] = {}
    for intent in resolved.of("Workload").values():
        for index, item in enumerate(intent.spec.interfaces):
            if item.mac:
                place = Origin("mac", intent, ("spec", "interfaces", index), "pods may say a MAC")
                found.setdefault((intent.spec.cluster, item.network), (place,))
    return found


def _snippet(intent: Intent, resolved: Resolved) -> PodSnippet:
    spec: WorkloadSpec = intent.spec
    networks: list[PodEntry] = []
    resources: Counter[str] = Counter()
    taken: list[Origin] = []
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
        taken += _taken(offer, item, resolved)
        resources.update(resource_of(resolved.pools[pool], resolved) for pool in offer.pools)
    return PodSnippet(
        subject=intent.subject,
        origins=(
            *(
                Origin("", intent, path)
                for path in (NAME, ("spec", "cluster"), ("spec", "namespace"), ("spec", "kind"))
            ),
            Origin("networks", intent, ("spec", "interfaces")),
            Origin("resources", intent, ("spec", "interfaces"), "one VF per leg"),
            *dict.fromkeys(taken),
        ),
        workload=intent.name,
        namespace=spec.namespace,
        kind=spec.kind,
        networks=tuple(networks),
        resources=tuple(sorted(resources.items())),
    )


def _taken(offer: Offer, item: PodInterface, resolved: Resolved) -> Iterator[Origin]:
    """Yield what the lines of a workload take from an offer: its name, its namespaces, its resources."""
    intent = offer.network.intent
    paths: list[FieldPath] = [NAME, ("spec", "attachments")]
    paths += [("spec", "subnets")] if item.addresses else []
    yield from (Origin("networks", intent, path) for path in paths)
    if not offer.attachment.namespaces:
        yield Origin("networks", resolved.clusters[offer.cluster].intent, ("spec", "namespaces"))
    for pool in offer.pools:
        yield resource_names(resolved)[pool][0]._replace(field="resources")
    if offer.pools:
        who, _, prefix = managers(resolved)[offer.cluster]
        yield from (origin._replace(field="resources") for origin in (who, prefix))


def _with_length(address: IPAddress, offer: Offer) -> str:
    """Write an address with the prefix length of its subnet, as static IPAM wants it."""
    for subnet in offer.network.spec.subnets:
        if address.version == subnet.cidr.version and address in subnet.cidr:
            return f"{address}/{subnet.cidr.prefixlen}"
    return f"{address}/{address.max_prefixlen}"
