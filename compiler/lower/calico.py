"""Lowering of Calico-VPP clusters: Calico's own configuration, and the part of the overlay that we say.

Under BGP every node announces a policy towards itself; we inject only what SRv6Policies change, with the
SIDs that the egress node announced (facts). Under the Kubernetes control plane of the paper's agent build,
each node reads its SIDs and all its policies from one object, and both are ours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from compiler.allocated import PODS, Allocated, Family
from compiler.derived.memo import remembered
from compiler.derived.mtu import mtu_in_force
from compiler.derived.overlay import SID_FACT, steered
from compiler.derived.policy import Candidate, active, bsid_origins, endpoint_origins
from compiler.derived.reasons import memberships, sid_block_origins, zone_origins
from compiler.derived.tunnels import Exit, segment_lists, tunnels
from compiler.elements.overlay import (
    BgpConfiguration,
    BgpPeering,
    CalicoNodeConfig,
    CalicoOverlay,
    CalicoPool,
    Hop,
    MtuSetting,
    Policy,
    PolicyInjection,
)
from compiler.graph import Element
from compiler.resolved import Cluster, Resolved, Server
from intent.kinds.cluster import BgpPeer, Overlay
from intent.kinds.facts import NodeSids
from intent.model import Intent, Origin, Selector

POLICY_BLOCK: Final = 122
"""Prefix length of the blocks that Calico draws BSIDs from."""
BEHAVIORS: Final[Mapping[str, int]] = {"ipv4": 19, "ipv6": 18}
"""IANA code points of End.DT4 and End.DT6."""
DISTINGUISHERS: Final[Mapping[str, int]] = {"ipv4": 4, "ipv6": 6}
"""Keep our announcements apart by family, and from those of the nodes, which are (0, 4) and (0, 6)."""
PRIORITY: Final = 128
"""Calico-VPP takes the highest; its nodes announce 10. It is also the default of RFC 9256 §2.12."""


def cluster(allocated: Allocated, name: str) -> Iterator[Element]:
    """Yield what one Calico-VPP cluster holds."""
    found = allocated.resolved.clusters[name]
    if found.spec.dataplane != "calico-vpp":
        return
    yield from _pod_pools(found)
    yield from _bgp(found, allocated.resolved)
    yield from _mtu(found, allocated.resolved)
    if found.spec.srv6 is None:
        return
    if found.spec.control_plane == "kubernetes":
        yield from _node_configs(found, allocated)
    else:
        yield from _sid_pools(found, found.spec.srv6, allocated)
        yield from _injections(found, allocated)


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
    yield CalicoOverlay(
        subject=subject,
        origins=(
            _dataplane(found),
            Origin("", intent, ("spec", "srv6")),
            Origin("localsids", intent, ("spec", "srv6", "localsids")),
            Origin("policies", bsids.intent, bsids.path, bsids.rule),
            Origin("interface", intent, ("spec", "uplinkInterface")),
            *((Origin("service_prefixes", intent, ("spec", "serviceCidrs")),) if services else ()),
        ),
        cluster=found.name,
        localsids=str(overlay.localsids),
        policies=drawn,
        service_prefixes=tuple(str(prefix) for prefix in prefixes if prefix),
        interface=found.spec.uplink_interface,
    )


def _bgp(found: Cluster, resolved: Resolved) -> Iterator[Element]:
    intent, bgp = found.intent, found.spec.bgp
    yield BgpConfiguration(
        subject=f"{intent.subject}/bgp",
        origins=(
            _dataplane(found),
            Origin("asn", intent, ("spec", "bgp", "asn")),
            Origin("node_mesh", intent, ("spec", "bgp", "nodeMesh")),
        ),
        asn=bgp.asn,
        node_mesh=bgp.node_mesh,
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
            port=peer.port,
            asn=peer.asn,
            selector=calico_selector(peer.nodes, resolved),
            secret=_secret(peer),
        )


_PEER_FIELDS: Final = (
    ("name", "name"),
    ("address", "address"),
    ("port", "port"),
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
        origins = (_dataplane(found), *origins)
        yield MtuSetting(subject=f"{found.intent.subject}/mtu", origins=origins, mtu=mtu)


def _node_configs(found: Cluster, allocated: Allocated) -> Iterator[Element]:
    """Yield SIDs and policies of each node, for the agent that reads them from Kubernetes."""
    resolved, known = allocated.resolved, tunnels(allocated)
    exits = [item for name in found.mesh for item in known.exits.get(name, ()) if item.zone == PODS]
    own: defaultdict[str, list[Exit]] = defaultdict(list)
    for item in exits:
        own[item.node].append(item)
    here = {item.family for item in exits if item.cluster == found.name}
    rows: dict[str, dict[str, Any]] = {}
    causes: dict[str, tuple[Origin, ...]] = {}
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
    item: Exit, policy: Policy, causes: dict[str, tuple[Origin, ...]], resolved: Resolved
) -> tuple[Origin, ...]:
    """Return why the row of a policy is as it is; made once for all headends."""
    if policy.bsid not in causes:
        address = Origin("policies", resolved.servers[item.node].intent, ("spec", "ipv6"), "its endpoint")
        causes[policy.bsid] = (*(origin._replace(field="policies") for origin in policy.origins), address)
    return causes[policy.bsid]


def _row(
    item: Exit, policy: Policy, rows: dict[str, dict[str, Any]], resolved: Resolved
) -> Mapping[str, Any]:
    """Return a policy as the agent reads it; made once for all headends."""
    row = rows.get(policy.bsid)
    if row is None:
        row = rows[policy.bsid] = {
            "bsid": policy.bsid,
            "node": str(resolved.servers[item.node].ipv6),
            "segment_list": list(policy.lists[0].sids),
            "traffic": "IPv4" if item.family == "ipv4" else "IPv6",
        }
    return row


def _injections(found: Cluster, allocated: Allocated) -> Iterator[Element]:
    """Yield the policies that SRv6Policies put in the place of the nodes' own."""
    if found.spec.bgp.injector is None:
        return
    resolved = allocated.resolved
    for name, targets in injected(resolved).items():
        intent, candidate = resolved.of("SRv6Policy")[name], active(resolved)[name]
        for node, family in targets if candidate else ():
            server, sids = resolved.servers[node], resolved.facts.nodes.get(node)
            sid = getattr(sids, SID_FACT[family]) if sids else None
            if candidate and sids and sid and server.cluster in found.mesh:
                yield _injection(found, _Aim(server, family, sids, str(sid)), (intent, candidate), allocated)


@remembered
def injected(resolved: Resolved) -> Mapping[str, tuple[tuple[str, Family], ...]]:
    """Return the endpoints and families that each SRv6Policy engineers in Calico clusters under BGP."""
    found = {}
    for name, intent in resolved.of("SRv6Policy").items():
        rows = []
        for node, zone, family, _ in steered(intent, resolved):
            spec = resolved.clusters[resolved.servers[node].cluster or ""].spec
            if (
                zone == PODS
                and spec.dataplane == "calico-vpp"
                and spec.control_plane == "bgp"
                and family in intent.spec.steer.pods
            ):
                rows.append((node, family))
        found[name] = tuple(rows)
    return found


@dataclass(frozen=True, slots=True)
class _Aim:
    """Where an injected policy leads: endpoint, family, and what the endpoint announced."""

    server: Server
    family: Family
    facts: NodeSids
    sid: str


def _injection(
    found: Cluster, aim: _Aim, policy: tuple[Intent, Candidate], allocated: Allocated
) -> PolicyInjection:
    """Return what the injector of a cluster announces for one endpoint and family."""
    intent, candidate = policy
    node = aim.server.name
    lists, places = segment_lists(candidate, aim.sid, intent)
    fact = allocated.resolved.facts.origins[f"node/{node}"]
    cluster = allocated.resolved.clusters[aim.server.cluster or ""]
    where = ("spec", "candidatePaths", candidate.index)
    behavior = BEHAVIORS[aim.family]
    return PolicyInjection(
        subject=f"{intent.subject}/{aim.server.intent.uid}/{aim.family}",
        origins=(
            _dataplane(found),
            *endpoint_origins(intent, aim.server, PODS, allocated.resolved),
            *memberships(allocated.resolved)[node],
            *zone_origins(cluster, PODS, aim.family, allocated.resolved),
            Origin("distinguisher", intent, ("spec", "steer", "pods"), f"says the family: {aim.family}"),
            Origin("color", intent, ("spec", "color")),
            Origin("endpoint", fact.intent, (*fact.path, "address"), "announced by the node"),
            *bsid_origins(intent, aim.server, cluster),
            Origin("preference", intent, (*where, "preference")),
            Origin("next_hop", found.intent, ("spec", "bgp", "injector")),
            *places,
            Origin(
                "lists",
                fact.intent,
                (*fact.path, SID_FACT[aim.family]),
                "service SID that the node announced",
            ),
        ),
        distinguisher=DISTINGUISHERS[aim.family],
        color=intent.spec.color,
        endpoint=str(aim.facts.address),
        bsid=str(allocated.bsid[node, PODS, aim.family, intent.name]),
        preference=candidate.path.preference,
        priority=PRIORITY,
        next_hop=str(found.spec.bgp.injector),
        lists=tuple(
            (item.weight, (*(Hop(sid) for sid in item.sids[:-1]), Hop(item.sids[-1], behavior)))
            for item in lists
        ),
    )
