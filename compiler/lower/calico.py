"""Lowering of Calico-VPP clusters: Calico's own configuration, and the part of the overlay that we say.

Under BGP every node announces a policy towards itself (what we announce beside them is in
`compiler.lower.announced`). Under the Kubernetes control plane of the paper's agent build, each node reads
its SIDs and all its policies from one object, and both are ours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from compiler.allocated import PODS, Allocated
from compiler.derived.mtu import mtu_in_force
from compiler.derived.reasons import memberships, sid_block_origins
from compiler.derived.tunnels import Exit, tunnels
from compiler.elements.overlay import (
    BgpConfiguration,
    BgpPeering,
    CalicoNodeConfig,
    CalicoOverlay,
    CalicoPool,
    MtuSetting,
    Policy,
)
from compiler.graph import Element
from compiler.resolved import Cluster, Resolved
from intent.calico_vpp import told
from intent.kinds.cluster import BgpPeer, Overlay
from intent.model import Origin, Selector, camel

POLICY_BLOCK: Final = 122
"""Prefix length of the blocks that Calico draws BSIDs from."""


def cluster(allocated: Allocated, name: str) -> Iterator[Element]:
    """Yield what one Calico-VPP cluster holds."""
    found = allocated.resolved.clusters[name]
    if found.spec.dataplane != "calico-vpp":
        return
    yield from _pod_pools(found)
    yield from _far_pods(found, allocated.resolved)
    yield from _bgp(found, allocated.resolved)
    yield from _mtu(found, allocated.resolved)
    if found.spec.srv6 is None:
        return
    if found.spec.control_plane == "kubernetes":
        yield from _node_configs(found, allocated)
    else:
        yield from _sid_pools(found, found.spec.srv6, allocated)


def _dataplane(found: Cluster) -> Origin:
    return Origin("", found.intent, ("spec", "dataplane"), "nodes of Calico-VPP")


def _hosts(selector: Selector | None, resolved: Resolved) -> Iterator[Origin]:
    """Yield where the host names of nodes are said that a selector names."""
    for name in selector.names if selector else ():
        yield Origin("selector", resolved.servers[name].intent, ("spec", "hostname"))


def _pod_pools(found: Cluster) -> Iterator[Element]:
    for family in ("ipv4", "ipv6"):
        prefix = getattr(found.spec.pod_cidrs, family)
        if prefix is None:
            continue
        size = getattr(found.spec.block_sizes, family)
        yield CalicoPool(
            subject=f"{found.intent.subject}/pods/{family}",
            origins=(
                _dataplane(found),
                Origin("cidr", found.intent, ("spec", "podCidrs", family)),
                Origin("block_size", found.intent, ("spec", "blockSizes", family)),
            ),
            name=f"default-{family}-ippool",
            cidr=str(prefix),
            block_size=size,
            nat_outgoing=family == "ipv4",
        )


def _far_pods(found: Cluster, resolved: Resolved) -> Iterator[Element]:
    """Yield the pods of other clusters of the mesh as pools that nothing is drawn from.

    Agents put a node's address in the place of the source of what leaves all pools: pods over there would
    answer the node, over no tunnel.
    """
    for name in found.mesh:
        other = resolved.clusters[name]
        prefix = other.spec.pod_cidrs.ipv4
        if name == found.name or prefix is None or found.spec.pod_cidrs.ipv4 is None:
            continue
        yield CalicoPool(
            subject=f"{found.intent.subject}/pods/ipv4/{other.intent.uid}",
            origins=(
                _dataplane(found),
                Origin("", found.intent, ("spec", "podCidrs", "ipv4"), "their sources are translated"),
                Origin("", found.intent, ("spec", "srv6", "mesh"), f"meshed with {name}"),
                Origin("", other.intent, ("spec", "srv6", "mesh"), "of the same mesh"),
                Origin("", other.intent, ("metadata", "name")),
                Origin("cidr", other.intent, ("spec", "podCidrs", "ipv4")),
                Origin("block_size", other.intent, ("spec", "blockSizes", "ipv4")),
            ),
            name=f"mesh-{name}-ipv4",
            cidr=str(prefix),
            block_size=other.spec.block_sizes.ipv4,
            selector="!all()",
            disabled=True,
        )


def _sid_pools(found: Cluster, overlay: Overlay, allocated: Allocated) -> Iterator[Element]:
    """Yield the SID pool of each node, the BSID pool, and the configuration that names them."""
    intent = found.intent
    for name in found.servers:
        server = allocated.resolved.servers[name]
        yield CalicoPool(
            subject=f"{server.intent.subject}/localsids",
            origins=(
                _dataplane(found),
                *sid_block_origins("cidr", server, found, f"block of {name}"),
                *memberships(allocated.resolved)[name],
                Origin("name", server.intent, ("spec", "hostname")),
            ),
            name=f"sr-localsids-pool-{server.hostname}",
            cidr=str(allocated.localsids[name,]),
            selector=f"kubernetes.io/hostname == '{server.hostname}'",
            tunnels_only=True,
        )
    drawn = str(next(overlay.policies.subnets(1)))
    bsids = Origin("cidr", intent, ("spec", "srv6", "policies"), "first half, for Calico to draw from")
    subject = f"{intent.subject}/overlay"
    yield CalicoPool(
        subject=subject,
        origins=(_dataplane(found), bsids),
        name="sr-policies-pool",
        cidr=drawn,
        block_size=POLICY_BLOCK,
        selector="!all()",
        tunnels_only=True,
    )
    services = found.spec.service_cidrs
    prefixes = (services.ipv4, services.ipv6) if services else ()
    settings, uplink = found.spec.calico_vpp, found.spec.uplink_interface
    yield CalicoOverlay(
        subject=subject,
        origins=(
            _dataplane(found),
            Origin("", intent, ("spec", "srv6")),
            Origin("localsids", intent, ("spec", "srv6", "localsids")),
            Origin("policies", bsids.intent, bsids.path, bsids.rule),
            Origin("interfaces", intent, ("spec", "uplinkInterface")),
            *(
                Origin(field, intent, ("spec", "calicoVpp", camel(field)))
                for field in sorted(settings.model_fields_set)
            ),
            *((Origin("service_prefixes", intent, ("spec", "serviceCidrs")),) if services else ()),
        ),
        cluster=found.name,
        localsids=str(overlay.localsids),
        policies=drawn,
        service_prefixes=tuple(str(prefix) for prefix in prefixes if prefix),
        feature_gates=told(settings.feature_gates),
        debug=told(settings.debug),
        interfaces={
            # Said, or there would have been an error.
            **({"uplinkInterfaces": [{"interfaceName": uplink}]} if uplink else {}),
            **told(settings.interfaces),
        },
    )


def _bgp(found: Cluster, resolved: Resolved) -> Iterator[Element]:
    intent, bgp = found.intent, found.spec.bgp
    yield BgpConfiguration(
        subject=f"{intent.subject}/bgp",
        origins=(
            _dataplane(found),
            Origin("asn", intent, ("spec", "bgp", "asn")),
            Origin("node_mesh", intent, ("spec", "bgp", "nodeMesh")),
            *(
                Origin("secrets", intent, ("spec", "bgp", "peers", index, "password"))
                for index, peer in enumerate(bgp.peers)
                if peer.password
            ),
        ),
        asn=bgp.asn,
        node_mesh=bgp.node_mesh,
        secrets=tuple(sorted({secret.partition("/")[0] for secret in map(_secret, bgp.peers) if secret})),
    )
    for index, peer in enumerate(bgp.peers):
        where = ("spec", "bgp", "peers", index)
        yield BgpPeering(
            subject=f"{intent.subject}/bgp/{peer.name}",
            origins=(
                _dataplane(found),
                *(Origin(field, intent, (*where, key)) for field, key in _PEER_FIELDS),
                *_hosts(peer.nodes, resolved),
            ),
            name=peer.name,
            address=str(peer.address),
            asn=peer.asn,
            selector=calico_selector(peer.nodes, resolved),
            secret=_secret(peer),
        )


_PEER_FIELDS: Final = (
    ("name", "name"),
    ("address", "address"),
    ("asn", "asn"),
    ("selector", "nodes"),
    ("secret", "password"),
)


def _secret(peer: BgpPeer) -> str | None:
    """Return name/key of the Secret with the password; its namespace is that of Calico."""
    place = peer.password.kubernetes if peer.password else None
    return place.partition("/")[2] if place else None


def calico_selector(selector: Selector | None, resolved: Resolved) -> str:
    """Return a node selector in Calico's own words."""
    if selector is None or selector.all:
        return "all()"
    terms = [f"{key} == '{value}'" for key, value in sorted(selector.match_labels.items())]
    if selector.names:
        names = ", ".join(f"'{resolved.servers[name].hostname}'" for name in sorted(selector.names))
        terms.append(f"kubernetes.io/hostname in {{ {names} }}")
    for rule in selector.match_expressions:
        values = ", ".join(f"'{value}'" for value in rule.values)
        words = {
            "In": f"{rule.key} in {{ {values} }}",
            "NotIn": f"{rule.key} not in {{ {values} }}",
            "Exists": f"has({rule.key})",
            "DoesNotExist": f"!has({rule.key})",
        }
        terms.append(words[rule.operator])
    return " && ".join(terms)


def _mtu(found: Cluster, resolved: Resolved) -> Iterator[Element]:
    mtu, origins = mtu_in_force(found, resolved)
    if mtu is not None:
        overlay = Origin("", found.intent, ("spec", "srv6"), "Calico leaves no room for its headers")
        origins = (_dataplane(found), *(() if found.spec.pod_mtu else (overlay,)), *origins)
        yield MtuSetting(subject=f"{found.intent.subject}/mtu", origins=origins, mtu=mtu)


def _node_configs(found: Cluster, allocated: Allocated) -> Iterator[Element]:
    """Yield SIDs and policies of each node, for the agent that reads them from Kubernetes."""
    resolved, known = allocated.resolved, tunnels(allocated)
    exits = [item for name in found.mesh for item in known.exits.get(name, ()) if item.zone == PODS]
    own: defaultdict[str, list[Exit]] = defaultdict(list)
    for item in exits:
        own[item.node].append(item)
    here = {item.family for item in exits if item.cluster == found.name}
    rows: dict[object, dict[str, Any]] = {}
    causes: dict[object, tuple[Origin, ...]] = {}
    for name in found.servers:
        server = resolved.servers[name]
        ways = [(item, item.policy_at(name)) for item in exits if item.node != name and item.family in here]
        yield CalicoNodeConfig(
            subject=f"{server.intent.subject}/overlay",
            origins=(
                _dataplane(found),
                Origin("node", server.intent, ("spec", "hostname")),
                *(origin._replace(field="localsids") for item in own[name] for origin in item.sid_origins),
                *memberships(resolved)[name],
                *dict.fromkeys(origin for item, way in ways for origin in _why(item, way, causes, resolved)),
            ),
            node=server.hostname,
            localsids=tuple((item.family, item.sid) for item in own[name]),
            policies=tuple(_row(item, way, rows, resolved) for item, way in ways),
        )


def _why(
    item: Exit, policy: Policy, causes: dict[object, tuple[Origin, ...]], resolved: Resolved
) -> tuple[Origin, ...]:
    """Return why the row of a policy is as it is; made once for all headends with the same list."""
    key = policy.bsid, policy.lists
    if key not in causes:
        address = Origin("policies", resolved.servers[item.node].intent, ("spec", "ipv6"), "its endpoint")
        causes[key] = (*(origin._replace(field="policies") for origin in policy.origins), address)
    return causes[key]


def _row(
    item: Exit, policy: Policy, rows: dict[object, dict[str, Any]], resolved: Resolved
) -> Mapping[str, Any]:
    """Return a policy as the agent reads it; made once for all headends with the same list."""
    row = rows.get((policy.bsid, policy.lists))
    if row is None:
        row = rows[policy.bsid, policy.lists] = {
            "bsid": policy.bsid,
            "node": str(resolved.servers[item.node].ipv6),
            "segment_list": list(policy.lists[0].sids),
            "traffic": "IPv4" if item.family == "ipv4" else "IPv6",
        }
    return row
