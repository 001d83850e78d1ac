"""Checks of what pods are offered: what clusters have installed, names of NADs, bonds, overlay, workloads."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from compiler.derived.mtu import mtu_in_force, pod_mtu
from compiler.derived.offers import NAD_NAME, Offer, choose, names, offered, offers
from compiler.resolved import Cluster, Resolved
from intent.diagnostics import Related, Report, did_you_mean
from intent.kinds.virtual_network import OverlayAttachment, SriovAttachment, SriovBondAttachment
from intent.kinds.workload import PodInterface, WorkloadSpec
from intent.model import Intent
from intent.source import FieldPath


def check_offers(resolved: Resolved, report: Report) -> None:
    """Check every network against the clusters that it is offered in."""
    faults: dict[tuple[str, ...], tuple[str, str, str] | None] = {}
    for name, entries in offers(resolved).items():
        cluster = resolved.clusters[name]
        _check_installed(cluster, entries, report)
        _check_names(entries, report)
        for offer in entries:
            _check_namespaces(offer, cluster, report)
            match offer.attachment:
                case SriovAttachment():
                    _check_vfs(offer, resolved, report)
                case SriovBondAttachment():
                    _check_vfs(offer, resolved, report)
                    if offer.pools not in faults:
                        faults[offer.pools] = _fault_of_pair(offer.pools, resolved)
                    if fault := faults[offer.pools]:
                        code, text, hint = fault
                        report.error(code, offer.network.intent.span(*offer.path, "pools"), text, hint)
                case OverlayAttachment():
                    _check_overlay(offer, cluster, resolved, report)


def _check_installed(cluster: Cluster, entries: tuple[Offer, ...], report: Report) -> None:
    """Say once per cluster and missing part what is missing, at the first network that needs it."""
    wanted: dict[str, list[Offer]] = defaultdict(list)
    for offer in entries:
        for part in _missing(offer, cluster):
            wanted[part].append(offer)
    for part, several in wanted.items():
        first = several[0]
        more = len(several) - 1
        others = f" (and {more} {'other' if more == 1 else 'others'})" if more else ""
        report.error(
            "IC2301",
            first.network.intent.span(*first.path),
            f"network {first.network.name!r}{others} needs {part}, which cluster {cluster.name!r} lacks",
            _HOW_TO_SAY[part],
            [Related(cluster.intent.span("spec", "installed"), "what the cluster has")],
        )


_HOW_TO_SAY = {
    "Multus": "set spec.installed.multus of the cluster to true",
    "SR-IOV": "say in spec.installed.sriov of the cluster who manages it",
    "the bond CNI plugin": "set spec.installed.bond of the cluster to true",
    "a cluster-wide IPAM": "set spec.installed.ipam of the cluster to whereabouts or nv-ipam, "
    "or choose another ipam.mode for the network",
}


def _missing(offer: Offer, cluster: Cluster) -> Iterator[str]:
    installed, spec = cluster.spec.installed, offer.network.spec
    if not installed.multus:
        yield "Multus"
    if isinstance(offer.attachment, OverlayAttachment):
        return
    if installed.sriov is None:
        yield "SR-IOV"
    if isinstance(offer.attachment, SriovBondAttachment) and not installed.bond:
        yield "the bond CNI plugin"
    if spec.ipam.mode == "central" and spec.subnets and installed.ipam is None:
        yield "a cluster-wide IPAM"


def _check_names(entries: tuple[Offer, ...], report: Report) -> None:
    """Names are unique over all namespaces: the operator and the CNI folder of a node know nothing else."""
    taken: dict[str, Offer] = {}
    for offer in entries:
        for name in (offer.name, *(leg.name for leg in offer.legs)):
            if len(name) > NAD_NAME or "." in name:
                wrong = "has a dot" if "." in name else f"has {len(name)} characters"
                hint = f"rename the network or its pool: no dots, at most {NAD_NAME} characters in all"
                text = f"pods would name this network {name!r}, which {wrong}: Multus cannot read that"
                report.error("IC2302", offer.network.intent.span("metadata", "name"), text, hint)
            other = taken.setdefault(name, offer)
            if other is not offer:
                place = Related(other.network.intent.span(*other.path), f"{other.network.name} takes it here")
                text = f"two attachments in cluster {offer.cluster!r} would be called {name!r}"
                hint = "rename one of the networks or pools"
                report.error("IC2303", offer.network.intent.span(*offer.path), text, hint, [place])


def _check_namespaces(offer: Offer, cluster: Cluster, report: Report) -> None:
    intent = offer.network.intent
    if not offer.namespaces:
        text = f"network {offer.network.name!r} is offered in no namespace of cluster {cluster.name!r}"
        hint = "list the namespaces of its pods in spec.namespaces of the cluster"
        report.error("IC2304", intent.span(*offer.path), text, hint)
    if not offer.attachment.namespaces:
        return
    for index, name in enumerate(offer.attachment.namespaces):
        if name in offer.attachment.namespaces[:index]:
            text = f"namespace {name!r} is named twice"
            report.error("IC2621", intent.span(*offer.path, "namespaces", index), text, "remove one")
        if name not in cluster.namespaces:
            text = f"cluster {cluster.name!r} has no namespace {name!r}"
            hint = did_you_mean(name, cluster.namespaces) or "add it to spec.namespaces of the cluster"
            place = Related(cluster.intent.span("spec", "namespaces"), "its namespaces")
            report.error("IC2304", intent.span(*offer.path, "namespaces", index), text, hint, [place])


def _check_vfs(offer: Offer, resolved: Resolved, report: Report) -> None:
    network, settings = offer.network, offer.attachment
    intent = network.intent
    if not isinstance(settings, OverlayAttachment) and settings.vlan_qos is not None and not network.fabrics:
        text = f"vlanQos of network {network.name!r} has no VLAN to stand in"
        hint = "set extendToFabric: true, which gives the network a VLAN, or remove vlanQos"
        report.error("IC2305", intent.span(*offer.path, "vlanQos"), text, hint)
    if not isinstance(settings, OverlayAttachment) and settings.vlan_proto != "802.1q" and network.fabrics:
        text = f"VFs of network {network.name!r} tag by 802.1ad, but ports of the fabric carry 802.1Q tags"
        hint = "remove vlanProto, unless the ports were told to take 0x88a8 by other means"
        report.warning("IC2317", intent.span(*offer.path, "vlanProto"), text, hint)
    for name in offer.pools:
        pool = resolved.pools[name].intent
        if pool.spec.link_type == "ib":
            place = Related(pool.span("spec", "linkType"), "said here")
            text = f"pool {name!r} is InfiniBand: its VFs carry no Ethernet network"
            hint = "take a pool of linkType eth"
            report.error("IC2306", intent.span(*offer.path), text, hint, [place])


def _fault_of_pair(pools: tuple[str, ...], resolved: Resolved) -> tuple[str, str, str] | None:
    """Return code, text and hint of what stands against a bond over two pools; many networks share a pair."""
    one, two = (resolved.pools[name] for name in pools)
    if one.cluster != two.cluster:
        text = f"pools {one.name!r} and {two.name!r} are of two clusters: {one.cluster!r} and {two.cluster!r}"
        return "IC2307", text, "a bond takes both legs from one node"
    for pool in (one, two):
        if pool.intent.spec.device_type == "vfio-pci":
            text = f"pool {pool.name!r} gives its VFs to DPDK, and only the kernel can bond"
            return "IC2308", text, "take a pool of deviceType netdevice"
    common = [node for node in one.members if node in two.members]
    if not common:
        text = f"no node has VFs of both {one.name!r} and {two.name!r}"
        return "IC2307", text, "make the node selectors of the pools meet"
    for node in common:
        shared = set(one.members[node]) & set(two.members[node])
        if shared:
            text = f"both legs of the bond could be on {', '.join(sorted(shared))} of node {node!r}"
            return "IC2309", text, "take pools on different PFs, or one cable takes both legs down"
    return None


def _check_overlay(offer: Offer, cluster: Cluster, resolved: Resolved, report: Report) -> None:
    network, intent = offer.network, offer.network.intent
    found = []
    if cluster.spec.srv6 is None:
        found.append((f"cluster {cluster.name!r} has no SRv6 overlay", "add spec.srv6 to the cluster"))
    if cluster.spec.dataplane == "calico-vpp":
        text = f"the data plane of cluster {cluster.name!r} is Calico's, which has no VRFs for networks"
        found.append((text, "the data plane must be vpp or linux"))
    if cluster.spec.dataplane == "linux" and cluster.spec.srv6 and not cluster.spec.srv6.vrf_devices:
        report.error(
            "IC2602",
            intent.span(*offer.path),
            f"network {network.name!r} needs VRF devices on the nodes of cluster {cluster.name!r}",
            "set srv6.vrfDevices: true where their kernels have CONFIG_NET_VRF, or use dataplane: vpp",
            [Related(cluster.intent.span("spec", "srv6"), "the overlay")],
        )
    if not network.spec.subnets:
        text = f"network {network.name!r} has no subnet: the overlay carries packets, not frames"
        found.append((text, "add subnets to the network"))
    for text, hint in found:
        place = Related(cluster.intent.span("spec", "dataplane"), "the cluster")
        report.error("IC2310", intent.span(*offer.path), text, hint, [place])
    limit, _ = mtu_in_force(cluster, resolved)
    if limit is not None and network.spec.mtu and network.spec.mtu > limit:
        pinned = f"podMtu of the cluster is {limit}"
        why = pinned if cluster.spec.pod_mtu else str(pod_mtu(cluster, resolved))
        text = (
            f"network {network.name!r} has MTU {network.spec.mtu}; pods of {cluster.name!r} can have {limit}"
        )
        report.error("IC2311", intent.span("spec", "mtu"), text, f"lower it: {why}")


def check_workloads(resolved: Resolved, report: Report) -> None:
    """Check what workloads take against what they are offered."""
    for intent in resolved.of("Workload").values():
        spec: WorkloadSpec = intent.spec
        taken: Counter[str] = Counter()
        for index, item in enumerate(spec.interfaces):
            path: FieldPath = ("spec", "interfaces", index)
            offer = _offer_of(item, intent, path, resolved, report)
            # Multus counts all its networks, and names those that nobody named.
            default = f"net{sum(taken.values()) + 1 + (len(offer.legs) if offer else 0)}"
            chosen = (
                [name for name in names(item, offer, default) if name] if offer else [item.name or default]
            )
            for name in chosen:
                if name in taken or name == "eth0":
                    text = f"interface {name!r} of the pods of {intent.name!r} is made twice"
                    hint = "eth0 is that of the cluster's own network" if name == "eth0" else _TWICE
                    report.error("IC2314", intent.span(*path), text, hint)
            taken.update(chosen)


_TWICE = "name each interface differently; a bond is named in the attachment of its network"


def _offer_of(
    item: PodInterface, intent: Intent, path: FieldPath, resolved: Resolved, report: Report
) -> Offer | None:
    """Return the offer that an interface takes, and report where there is none, or no single one."""
    spec: WorkloadSpec = intent.spec
    several = offered(resolved).get((spec.cluster, item.network), ())
    network = resolved.networks[item.network].intent
    place = [Related(network.span("spec", "attachments"), "its attachments")]
    if not several:
        text = f"network {item.network!r} is not offered in cluster {spec.cluster!r}"
        hint = "give it an attachment there"
        report.error("IC2312", intent.span(*path, "network"), text, hint, place)
        return None
    offer = choose(item, spec.cluster, resolved)
    if offer is None:
        pools = {pool for other in several for pool in other.pools}
        text = f"network {item.network!r} takes no VFs from pool {item.pool!r}"
        report.error("IC2312", intent.span(*path, "pool"), text, did_you_mean(item.pool or "", pools), place)
        return None
    if item.pool is None and len(several) > 1:
        text = f"network {item.network!r} has {len(several)} attachments in cluster {spec.cluster!r}"
        report.error("IC2312", intent.span(*path), text, "say by pool which one is meant", place)
    if spec.namespace not in offer.namespaces:
        text = f"network {item.network!r} is not offered in namespace {spec.namespace!r}"
        hint = did_you_mean(spec.namespace, offer.namespaces)
        place = [Related(network.span(*offer.path), "offered here")]
        report.error("IC2313", intent.span(*path, "network"), text, hint, place)
    chooses = resolved.clusters[spec.cluster].spec.installed.ipam != "nv-ipam"
    _check_fixed(item, offer, (intent, path), report, chooses=chooses)
    return offer


def _check_fixed(
    item: PodInterface, offer: Offer, where: tuple[Intent, FieldPath], report: Report, *, chooses: bool
) -> None:
    """A pod can have a chosen address or MAC only where the plugins that serve it take one."""
    intent, path = where
    mode = offer.network.spec.ipam.mode
    takes = mode == "static" or (mode == "central" and not chooses)
    if item.addresses and (not takes or isinstance(offer.attachment, OverlayAttachment)):
        text = f"the pods of {intent.name!r} cannot have a chosen address on network {offer.network.name!r}"
        hint = "set ipam.mode of the network to static; what serves it now chooses by itself"
        report.error("IC2315", intent.span(*path, "addresses"), text, hint)
    if item.mac and not isinstance(offer.attachment, SriovAttachment):
        text = f"the pods of {intent.name!r} cannot have a chosen MAC on network {offer.network.name!r}"
        hint = "only single VFs take one: a bond has the MAC of its active leg"
        report.error("IC2315", intent.span(*path, "mac"), text, hint)
