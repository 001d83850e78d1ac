"""What intent says without any effect here: told as notes, so that nobody relies on it.

A field that some data plane or plugin takes is valid for all of them; which of them are in use is known only
now. One generator per kind yields paths and reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from compiler.derived.offers import offered
from compiler.derived.overlay import announces, owns_sids
from compiler.resolved import Cluster, Resolved
from intent.diagnostics import Report
from intent.kinds.cluster import ClusterSpec
from intent.kinds.node import NodeProfileSpec, NodeSpec
from intent.kinds.sriov_pool import SriovPoolSpec
from intent.kinds.srv6_policy import SRv6PolicySpec
from intent.kinds.underlay import UnderlaySpec
from intent.kinds.virtual_network import VirtualNetworkSpec
from intent.model import Intent, camel
from intent.source import FieldPath, Span

Idle = Iterator[tuple[FieldPath, str]]
"""Path below `spec`, and why it has no effect."""


def check_effects(resolved: Resolved, report: Report) -> None:
    """Say which fields have no effect."""
    for kind, find in _IDLE.items():
        told: set[tuple[Span, FieldPath]] = set()
        for intent in resolved.of(kind).values():
            for path, why in find(intent, resolved):
                span = intent.span("spec", *path, key=isinstance(path[-1], str))
                # A document with a range stands for many nodes, and a list for many items: once is enough.
                place = (intent.span("spec"), tuple(step for step in path if isinstance(step, str)))
                if place not in told:
                    told.add(place)
                    field = ".".join(str(step) for step in path)
                    report.note("IC2061", span, f"{field} of {kind} {intent.name!r} has no effect: {why}")


def _cluster(intent: Intent, resolved: Resolved) -> Idle:
    spec: ClusterSpec = intent.spec
    said = spec.model_fields_set
    calico, cluster = spec.dataplane == "calico-vpp", resolved.clusters[intent.name]
    if not calico and "bgp" in said:
        if announces(cluster):
            for field in sorted(spec.bgp.model_fields_set - {"injector", "injection"}):
                yield ("bgp", camel(field)), "only Calico-VPP is told its BGP"
        else:
            yield ("bgp",), "only Calico-VPP is told its BGP"
    if not calico and spec.srv6 is None:
        for field in ("pod_mtu", "block_sizes"):
            if field in said:
                yield (camel(field),), "without srv6 the default network of pods is left alone"
    if spec.srv6 and "hop_limit" in spec.srv6.model_fields_set and spec.dataplane != "vpp":
        who = "Calico-VPP" if calico else "Linux"
        yield ("srv6", "hopLimit"), f"{who} chooses the outer hop limit by itself"
    if spec.srv6 and "vrf_devices" in spec.srv6.model_fields_set and spec.dataplane != "linux":
        yield ("srv6", "vrfDevices"), "only nodes with dataplane: linux need VRF devices"
    yield from _agents(spec, cluster)
    yield from _surroundings(spec)


def _agents(spec: ClusterSpec, cluster: Cluster) -> Idle:
    if spec.dataplane != "calico-vpp" or spec.srv6 is None or owns_sids(cluster):
        elsewhere = {"uplink_interface": "; nodes say it in spec.uplink", "calico_vpp": ""}
        for field in sorted(spec.model_fields_set & elsewhere.keys()):
            yield (camel(field),), f"it is rendered for Calico-VPP with SRv6 under BGP{elsewhere[field]}"


def _surroundings(spec: ClusterSpec) -> Idle:
    for field in ("kubernetes", "calico", "vpp"):
        if field in spec.versions.model_fields_set:
            yield ("versions", field), "it is recorded, and decides nothing yet"
    if "ipam_namespace" in spec.installed.model_fields_set and spec.installed.ipam != "nv-ipam":
        yield ("installed", "ipamNamespace"), "only nv-ipam reads its pools from a namespace"
    for index, namespace in enumerate(spec.namespaces):
        if namespace.labels:
            yield ("namespaces", index, "labels"), "namespaces are named here, and made elsewhere"


def _hardware(intent: Intent, _resolved: Resolved) -> Idle:
    spec: NodeSpec | NodeProfileSpec = intent.spec
    for index, nic in enumerate(spec.nics):
        if nic.numa is not None:
            yield ("nics", index, "numa"), "device plugins read it from the NIC"


def _node(intent: Intent, resolved: Resolved) -> Idle:
    yield from _hardware(intent, resolved)
    server = resolved.servers[intent.name]
    cluster = resolved.clusters.get(server.cluster or "")
    for field in sorted(server.pins.model_fields_set):
        if cluster is None or cluster.spec.srv6 is None:
            yield ("pins", camel(field)), "the node is in no cluster with srv6"
        elif field != "localsids" and cluster.spec.dataplane == "calico-vpp":
            yield ("pins", camel(field)), "Calico gives out the pod blocks of its nodes"


def _underlay(intent: Intent, _resolved: Resolved) -> Idle:
    spec: UnderlaySpec = intent.spec
    for index, router in enumerate(spec.routers):
        for field in ("encaps", "end_d"):
            if field in router.max_sids.model_fields_set:
                why = "routers pass packets on; nodes encapsulate and decapsulate"
                yield ("routers", index, "maxSids", camel(field)), why


def _network(intent: Intent, resolved: Resolved) -> Idle:
    spec: VirtualNetworkSpec = intent.spec
    ipam, said = spec.ipam, spec.ipam.model_fields_set
    network = resolved.networks[intent.name]
    if spec.tenant is not None:
        yield ("tenant",), "it is for people; zones keep tenants apart"
    over = bool(network.overlay_clusters)
    if over and "mode" in said and ipam.mode != "central":
        yield ("ipam", "mode"), "over the overlay each node hands out its own block of the subnet"
    if (
        over
        and all(item.type == "overlay" for item in spec.attachments)
        and "gateway" in spec.model_fields_set
    ):
        yield ("gateway",), "over the overlay each node is the gateway of its pods"
    if "per_node_block_size" in said and not over and not _has_blocks(intent, resolved):
        yield ("ipam", "perNodeBlockSize"), "only nv-ipam and the overlay give blocks to nodes"
    for index, entry in enumerate(ipam.fixed):
        if entry.mac is not None:
            yield ("ipam", "fixed", index, "mac"), "the address is reserved, whoever asks for it"


def _has_blocks(intent: Intent, resolved: Resolved) -> bool:
    return intent.spec.ipam.mode == "central" and any(
        cluster.spec.installed.ipam == "nv-ipam" and (name, intent.name) in offered(resolved)
        for name, cluster in resolved.clusters.items()
    )


def _pool(intent: Intent, resolved: Resolved) -> Idle:
    spec: SriovPoolSpec = intent.spec
    sriov = resolved.clusters[spec.cluster].spec.installed.sriov
    if sriov is None or sriov.manager == "operator":
        return
    for field in ("priority", "e_switch_mode"):
        if field in spec.model_fields_set:
            yield (camel(field),), "the device plugin offers VFs, and sets up none"


def _policy(intent: Intent, _resolved: Resolved) -> Idle:
    spec: SRv6PolicySpec = intent.spec
    for index, path in enumerate(spec.candidate_paths):
        said = path.dynamic.constraints if path.dynamic else None
        if said and "disjointness" in said.model_fields_set and said.disjoint_from is None:
            place = ("candidatePaths", index, "dynamic", "constraints", "disjointness")
            yield place, "nothing says which policy to keep apart from (disjointFrom)"


_IDLE: Final[Mapping[str, Callable[[Intent, Resolved], Idle]]] = {
    "Cluster": _cluster,
    "NodeProfile": _hardware,
    "Node": _node,
    "Underlay": _underlay,
    "VirtualNetwork": _network,
    "SriovPool": _pool,
    "SRv6Policy": _policy,
}
