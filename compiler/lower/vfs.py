"""Pools of VFs: what makes them, and the extended resource that pods ask for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from compiler.derived.offers import policies, policy_of
from compiler.derived.reasons import NAME, Origins, labels, memberships
from compiler.elements.pods import DevicePluginResource, SriovNodePolicy
from compiler.graph import Element
from compiler.lower.pod_origins import managers, resources
from compiler.resolved import Pool, Resolved, Server
from intent.kinds.cluster import SriovOperator
from intent.kinds.sriov_pool import SriovPoolSpec
from intent.model import Origin
from intent.source import FieldPath

HOSTNAME: Final = "kubernetes.io/hostname"
ANY_NODE: Final = ("kubernetes.io/os", "linux")
"""What every node that can have VFs is labelled with; a node selector of the operator must say something."""


def lower_pools(resolved: Resolved, cluster: str) -> Iterator[Element]:
    """Yield the pools of a cluster, as its manager of VFs takes them."""
    sriov = resolved.clusters[cluster].spec.installed.sriov
    if sriov is None:
        return
    for pool in resolved.pools.values():
        if pool.cluster != cluster:
            continue
        if sriov.manager == "operator":
            yield from _policies(pool, sriov, resolved)
        else:
            yield _resource(pool, sriov, resolved)


def resource_of(pool: Pool, resolved: Resolved) -> str:
    """Return the extended resource of a pool, with prefix."""
    sriov = resolved.clusters[pool.cluster].spec.installed.sriov
    return f"{sriov.prefix}/{pool.resource_name}" if sriov else pool.resource_name


def _policies(pool: Pool, sriov: SriovOperator, resolved: Resolved) -> Iterator[SriovNodePolicy]:
    """Yield one policy where labels say which nodes, and else one per node: policies know equality only."""
    chosen = tuple(pool.intent.spec.nodes.match_labels.items()) or (ANY_NODE,)
    for name, host in policies(pool, resolved).items():
        yield _policy(pool, sriov, name, ((HOSTNAME, host),) if host else chosen, resolved)


def _policy(
    pool: Pool, sriov: SriovOperator, name: str, chosen: tuple[tuple[str, str], ...], resolved: Resolved
) -> SriovNodePolicy:
    spec: SriovPoolSpec = pool.intent.spec
    return SriovNodePolicy(
        subject=pool.intent.subject,
        origins=(*_origins(pool, resolved), *_nodes(pool, name, resolved)),
        name=name,
        operator=sriov.namespace,
        resource=pool.resource_name,
        node_labels=chosen,
        # A range of VFs can be said of a named PF only.
        nics=spec.nics.names or (_nics(pool) if spec.vf_range else ()),
        vf_range=spec.vf_range.spans[0] if spec.vf_range else None,
        vendor=spec.nics.vendor,
        device=spec.nics.device,
        pci=spec.nics.pci,
        vfs=spec.vfs,
        priority=spec.priority,
        mtu=spec.mtu,
        device_type=spec.device_type,
        e_switch_mode=spec.e_switch_mode,
        link_type=spec.link_type,
        rdma=spec.rdma,
        vhost_net=spec.vhost_net,
        exclude_topology=spec.exclude_topology,
    )


def _resource(pool: Pool, sriov: SriovOperator, resolved: Resolved) -> DevicePluginResource:
    spec: SriovPoolSpec = pool.intent.spec
    return DevicePluginResource(
        subject=pool.intent.subject,
        origins=(*_origins(pool, resolved), *_nics_of(pool, resolved)),
        prefix=sriov.prefix,
        resource=pool.resource_name,
        # The device ids of VFs differ from those of their PF, so the PF is named instead.
        nics=_nics(pool),
        vf_range=spec.vf_range.spans[0] if spec.vf_range else None,
        vendor=spec.nics.vendor,
        pci=spec.nics.pci,
        device_type=spec.device_type,
        link_type=spec.link_type,
        rdma=spec.rdma,
        vhost_net=spec.vhost_net,
        exclude_topology=spec.exclude_topology,
    )


def _nics(pool: Pool) -> tuple[str, ...]:
    return tuple(sorted({nic for nics in pool.members.values() for nic in nics}))


_PATHS: Final[tuple[tuple[str, FieldPath], ...]] = (
    ("name", NAME),
    ("node_labels", ("spec", "nodes")),
    ("nics", ("spec", "nics")),
    ("vf_range", ("spec", "vfRange")),
    ("vendor", ("spec", "nics", "vendor")),
    ("device", ("spec", "nics", "device")),
    ("pci", ("spec", "nics", "pci")),
    ("vfs", ("spec", "vfs")),
    ("priority", ("spec", "priority")),
    ("mtu", ("spec", "mtu")),
    ("device_type", ("spec", "deviceType")),
    ("e_switch_mode", ("spec", "eSwitchMode")),
    ("link_type", ("spec", "linkType")),
    ("rdma", ("spec", "rdma")),
    ("vhost_net", ("spec", "vhostNet")),
    ("exclude_topology", ("spec", "excludeTopology")),
)


def _origins(pool: Pool, resolved: Resolved) -> Origins:
    intent = pool.intent
    unsaid = {name for name in ("vendor", "device", "pci") if not getattr(intent.spec.nics, name)}
    unsaid |= {name for name in ("mtu", "vf_range") if getattr(intent.spec, name) is None}
    own = tuple(Origin(name, intent, path) for name, path in _PATHS if name not in unsaid)
    return (*resources(resolved)[pool.name], *own, *managers(resolved)[pool.cluster])


def _nodes(pool: Pool, name: str, resolved: Resolved) -> Origins:
    """Return why a policy of one node is there, and why a policy names its NICs."""
    spec: SriovPoolSpec = pool.intent.spec
    if name == policy_of(pool):
        return _nics_of(pool, resolved) if spec.vf_range and not spec.nics.names else ()
    servers = [resolved.servers[node] for node in pool.members]
    (server,) = (server for server in servers if name == f"{pool.name}-{server.hostname}")
    return (
        *(origin._replace(field="node_labels") for origin in memberships(resolved)[server.name]),
        *labels(server, spec.nodes, "chosen by label"),
        Origin("node_labels", server.intent, ("spec", "hostname")),
        *_nics_at(server),
    )


def _nics_of(pool: Pool, resolved: Resolved) -> Origins:
    """Return where the NICs of the nodes of a pool are said, and what chooses the nodes."""
    selector = pool.intent.spec.nodes
    servers = [resolved.servers[node] for node in pool.members]
    return tuple(
        dict.fromkeys(
            origin
            for server in servers
            for origin in (*_nics_at(server), *labels(server, selector, "chosen by label"))
        )
    )


def _nics_at(server: Server) -> Iterator[Origin]:
    for intent in filter(None, (server.intent, server.profile)):
        if intent.spec.nics:
            yield Origin("nics", intent, ("spec", "nics"))
