"""Checks of VFs: pools that share a PF, what the hardware has, and whether the expected pods find enough."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from compiler.derived.attachments import candidates
from compiler.derived.offers import choose
from compiler.resolved import Pool, Resolved
from intent.diagnostics import Related, Report
from intent.kinds.workload import WorkloadSpec
from intent.model import Intent


def check_pools(resolved: Resolved, report: Report) -> None:
    """Check pools against the NICs and against each other."""
    by_resource: dict[tuple[str, str], Pool] = {}
    on_nic: defaultdict[tuple[str, str], list[Pool]] = defaultdict(list)
    for pool in resolved.pools.values():
        twin = by_resource.setdefault((pool.cluster, pool.resource_name), pool)
        if twin is not pool:
            text = f"pools {twin.name!r} and {pool.name!r} offer the same resource {pool.resource_name!r}"
            place = [Related(twin.intent.span("spec"), "the other pool")]
            report.error("IC2331", pool.intent.span("spec"), text, "set resourceName of one of them", place)
        for node, nics in pool.members.items():
            for nic in nics:
                on_nic[node, nic].append(pool)
    _check_hardware(resolved, report)
    seen: set[tuple[str, str]] = set()
    for (node, nic), pools in on_nic.items():
        for index, one in enumerate(pools):
            for two in pools[index + 1 :]:
                if (one.name, two.name) not in seen:
                    seen.add((one.name, two.name))
                    _check_shared(one, two, f"{nic} of node {node!r}", report)
    _check_plugin(resolved, report)


def _check_hardware(resolved: Resolved, report: Report) -> None:
    for pool in resolved.pools.values():
        for node, nics in pool.members.items():
            server = resolved.servers[node]
            short = [nic for nic in nics if (have := server.nics[nic].vfs) and have < pool.intent.spec.vfs]
            if short:
                have = server.nics[short[0]].vfs
                intent, path = server.origin("nics", short[0])
                want = pool.intent.spec.vfs
                text = f"pool {pool.name!r} makes {want} VFs, but {short[0]} of node {node!r} has {have}"
                place = [Related(intent.span(*path, "vfs"), "what the NIC has")]
                report.error("IC2332", pool.intent.span("spec", "vfs"), text, "lower vfs", place)
                break


_ALIKE = (("vfs", "vfs"), ("e_switch_mode", "eSwitchMode"), ("link_type", "linkType"))


def _check_shared(one: Pool, two: Pool, place: str, report: Report) -> None:
    """Two pools on one PF: what belongs to the PF must be equal, and no VF may be in both."""
    first, second = one.intent.spec, two.intent.spec
    for field, alias in _ALIKE:
        if getattr(first, field) != getattr(second, field):
            text = f"pools {one.name!r} and {two.name!r} share {place}, but differ in {alias}"
            related = [Related(one.intent.span("spec", alias), "the other pool")]
            report.error(
                "IC2333", two.intent.span("spec", alias), text, "it belongs to the PF: say the same", related
            )
    low, high = _vf_range(one), _vf_range(two)
    if max(low[0], high[0]) <= min(low[1], high[1]):
        text = f"pools {one.name!r} and {two.name!r} share VFs of {place}"
        related = [Related(one.intent.span("spec", "vfRange"), "the other pool")]
        hint = "give each pool a vfRange of its own, for example 0-7 and 8-15"
        report.error("IC2334", two.intent.span("spec", "vfRange"), text, hint, related)


def _vf_range(pool: Pool) -> tuple[int, int]:
    spec = pool.intent.spec
    return spec.vf_range.spans[0] if spec.vf_range else (0, spec.vfs - 1)


def _check_plugin(resolved: Resolved, report: Report) -> None:
    """The bare device plugin reads one list for all nodes: a PF name means the same pool on every node."""
    claimed: defaultdict[tuple[str, str], list[Pool]] = defaultdict(list)
    for pool in resolved.pools.values():
        sriov = resolved.clusters[pool.cluster].spec.installed.sriov
        if sriov is None or sriov.manager == "operator":
            continue
        for nic in sorted({nic for nics in pool.members.values() for nic in nics}):
            twin = next((one for one in claimed[pool.cluster, nic] if _confused(one, pool, nic)), None)
            if twin:
                text = f"pools {twin.name!r} and {pool.name!r} name VFs of {nic} on different nodes"
                hint = "the device plugin reads one list for all nodes: use the operator, or other VFs"
                place = [Related(twin.intent.span("spec", "nics"), "the other pool")]
                report.error("IC2335", pool.intent.span("spec", "nics"), text, hint, place)
            claimed[pool.cluster, nic].append(pool)
        _check_beyond(pool, resolved, report)


def _check_beyond(pool: Pool, resolved: Resolved, report: Report) -> None:
    """Tell of a node whose VFs the device plugin would offer too, although the pool does not choose it."""
    named = {nic for nics in pool.members.values() for nic in nics}
    for name in resolved.clusters[pool.cluster].servers:
        server = resolved.servers[name]
        spec = pool.intent.spec.nics
        alike = (server.nics[nic] for nic in sorted(named & server.nics.keys()) if name not in pool.members)
        found = next((nic.name for nic in alike if spec.vendor is None or nic.vendor == spec.vendor), None)
        if found and not spec.pci:
            text = (
                f"pool {pool.name!r} does not choose node {name!r}, but VFs of {found} there are offered too"
            )
            hint = "the device plugin reads one list for all nodes: make no VFs there, or use the operator"
            report.note("IC2338", pool.intent.span("spec", "nodes"), text, hint)
            return


def _confused(one: Pool, two: Pool, nic: str) -> bool:
    """Say whether the list tells two pools apart by nothing but their nodes, which it does not know."""
    if any(nic in one.members.get(node, ()) and nic in nics for node, nics in two.members.items()):
        return False  # told as VFs that are in both
    first, second = one.intent.spec.nics, two.intent.spec.nics
    vendors = first.vendor and second.vendor and first.vendor != second.vendor
    devices = first.pci and second.pci and set(first.pci).isdisjoint(second.pci)
    low, high = _vf_range(one), _vf_range(two)
    return not (vendors or devices) and max(low[0], high[0]) <= min(low[1], high[1])


class Load(NamedTuple):
    """A workload as a load on VFs."""

    intent: Intent
    pods: int
    each: Mapping[str, int]
    """VFs of each pool that one pod takes."""
    nodes: tuple[str, ...]
    spread: bool


def check_capacity(resolved: Resolved, report: Report) -> None:
    """Check that the expected pods find their VFs, alone and together."""
    loads = [load for intent in resolved.of("Workload").values() if (load := _load(intent, resolved))]
    by_pool: defaultdict[str, list[Load]] = defaultdict(list)
    for load in loads:
        _check_alone(load, resolved, report)
        for pool in load.each:
            by_pool[pool].append(load)
    for name, several in by_pool.items():
        _check_together(resolved.pools[name], several, report)


def pods_of(intent: Intent, resolved: Resolved) -> int:
    """Return the most pods that a workload has at a time, those of a rolling update included."""
    spec: WorkloadSpec = intent.spec
    if spec.kind == "DaemonSet":
        return len(candidates(spec, resolved)) + spec.max_surge
    return spec.replicas + spec.max_surge


def _load(intent: Intent, resolved: Resolved) -> Load | None:
    spec: WorkloadSpec = intent.spec
    each: Counter[str] = Counter()
    for item in spec.interfaces:
        offer = choose(item, spec.cluster, resolved)
        each.update(offer.pools if offer else ())
    if not each:
        return None
    nodes = candidates(spec, resolved)
    return Load(intent, pods_of(intent, resolved), each, nodes, spec.spread or spec.kind == "DaemonSet")


def _on_node(pool: Pool, node: str) -> int:
    return pool.vfs * len(pool.members.get(node, ()))


def _room(load: Load, node: str, pools: Mapping[str, Pool]) -> int:
    """Return how many pods of a workload fit on a node that nothing else uses."""
    fit = min(_on_node(pools[pool], node) // count for pool, count in load.each.items())
    return min(fit, 1) if load.spread else fit


def _check_alone(load: Load, resolved: Resolved, report: Report) -> None:
    room = sum(_room(load, node, resolved.pools) for node in load.nodes)
    if room >= load.pods:
        return
    name = load.intent.name
    if not load.nodes:
        text = f"no node of cluster {load.intent.spec.cluster!r} can run the pods of {name!r}"
        hint = "its nodes must be chosen, not drained, and have NICs of every pool that it takes VFs from"
    else:
        text = f"{load.pods} pods of {name!r} are expected, but {len(load.nodes)} nodes have VFs for {room}"
        hint = "add nodes or VFs, or lower replicas and maxSurge"
        hint += "; spread allows one pod per node" if load.spread else ""
    report.error("IC2336", load.intent.span("spec", "replicas"), text, hint, _places(load.each, resolved))


def _places(pools: Iterable[str], resolved: Resolved) -> list[Related]:
    return [Related(resolved.pools[name].intent.span("spec", "vfs"), f"pool {name}") for name in pools]


def _check_together(pool: Pool, several: list[Load], report: Report) -> None:
    """All workloads of a pool: an error where they cannot all fit, a warning where a node may lack some."""
    nodes = {node for load in several for node in load.nodes}
    have = sum(_on_node(pool, node) for node in nodes)
    want = sum(load.pods * load.each[pool.name] for load in several)
    places = [
        Related(load.intent.span("spec"), f"{load.pods} pods of {load.intent.name}") for load in several
    ]
    span = pool.intent.span("spec", "vfs")
    if want > have and len(several) > 1:
        text = f"workloads take {want} VFs of pool {pool.name!r}, which has {have} on their nodes"
        report.error("IC2336", span, text, "add VFs or nodes, or lower replicas", places)
        return
    for node in sorted(nodes):
        worst = sum(
            (1 if load.spread else load.pods) * load.each[pool.name] for load in several if node in load.nodes
        )
        if worst > _on_node(pool, node):
            own = _on_node(pool, node)
            text = f"node {node!r} could be asked for {worst} VFs of pool {pool.name!r} and has {own}"
            hint = "pods that find no VF there wait for another node; spread: true places one per node"
            report.warning("IC2337", span, text, hint, places)
            return
