"""Routing zones: which networks share a VRF, and whose routes each VRF imports.

VirtualNetworkRouters are route leaking between zones: a mesh imports every pair, a hub and its spokes import
each other, and two networks inside one hub (or one spoke) import nothing of each other.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import permutations
from typing import Final

from compiler.resolved import Vrf
from intent.diagnostics import Related, Report
from intent.kinds.virtual_network import VirtualNetworkSpec
from intent.kinds.virtual_network_router import VirtualNetworkRouterSpec
from intent.model import Intent, Selector

VRF_NAME: Final = 15
"""Longest name of a VRF (Linux interface names, Apstra)."""


def zone_of(network: Intent) -> str | None:
    """Return the routing zone of a network: the one it names, or one of its own; None at layer 2."""
    spec: VirtualNetworkSpec = network.spec
    if spec.zone:
        return spec.zone
    return short_name(network.name, VRF_NAME) if spec.subnets else None


def short_name(name: str, limit: int) -> str:
    """Return a name that fits a limit: itself, or its head and four hex digits of its hash."""
    name = name.replace(".", "-")
    if len(name) <= limit:
        return name
    return f"{name[: limit - 5]}-{hashlib.sha256(name.encode()).hexdigest()[:4]}"


def vrfs(networks: Mapping[str, Intent], routers: Mapping[str, Intent], report: Report) -> dict[str, Vrf]:
    """Return all zones by name, with their imports."""
    members: defaultdict[str, list[str]] = defaultdict(list)
    zones: dict[str, str] = {}
    for name, network in networks.items():
        zone = zone_of(network)
        if zone:
            members[zone].append(name)
            zones[name] = zone
    _check_own_zones(members, networks, report)
    imports: defaultdict[str, set[str]] = defaultdict(set)
    causes: defaultdict[str, dict[str, Intent]] = defaultdict(dict)
    for router, one, two in _joined(networks, routers, report):
        importer, exporter = zones.get(one), zones.get(two)
        if importer and exporter and importer != exporter:
            imports[importer].add(exporter)
            causes[importer][router.name] = router
    return {
        zone: _vrf(zone, tuple(names), networks, tuple(sorted(imports[zone])), tuple(causes[zone].values()))
        for zone, names in sorted(members.items())
    }


def _vrf(zone: str, names: tuple[str, ...], networks: Mapping[str, Intent], imports: tuple[str, ...], causes: tuple[Intent, ...]) -> Vrf:
    specs: list[VirtualNetworkSpec] = [networks[name].spec for name in names]
    first = networks[names[0]]
    subject = f"zone/{zone}" if first.spec.zone else f"{first.subject}/zone"
    import_targets = tuple(sorted({target for spec in specs for target in spec.route_targets.imports}))
    export_targets = tuple(sorted({target for spec in specs for target in spec.route_targets.exports}))
    return Vrf(zone, subject, first, names, imports, import_targets, export_targets, causes)


def _check_own_zones(members: Mapping[str, list[str]], networks: Mapping[str, Intent], report: Report) -> None:
    """A network without a zone gets one named after it; that name must not be taken by an explicit zone."""
    for zone, names in members.items():
        own = [name for name in names if not networks[name].spec.zone]
        if own and len(names) > 1:
            other = next(name for name in names if name != own[0])
            report.error(
                "IC2041", networks[own[0]].span("metadata", "name"), f"the zone of network {own[0]!r} would be called {zone!r}, which is taken",
                "give the network a zone", [Related(networks[other].span("spec", "zone"), "taken here")],
            )


def _joined(networks: Mapping[str, Intent], routers: Mapping[str, Intent], report: Report) -> Iterator[tuple[Intent, str, str]]:
    """Yield (router, importing network, exporting network) for all that VirtualNetworkRouters join."""
    chosen = {name: tuple(_chosen(router.spec.networks, networks)) for name, router in routers.items()}
    for name, router in routers.items():
        spec: VirtualNetworkRouterSpec = router.spec
        if not chosen[name]:
            report.warning("IC2042", router.span("spec", "networks"), f"router {name!r} selects no network")
        if spec.type == "mesh":
            yield from ((router, one, two) for one, two in permutations(chosen[name], 2))
        else:
            _check_apart(router, chosen[name], networks, report)
        for index, other in enumerate(spec.imports):
            yield from _imported(router, index, routers.get(other), chosen, report)


def _imported(router: Intent, index: int, other: Intent | None, chosen: Mapping[str, tuple[str, ...]], report: Report) -> Iterator[tuple[Intent, str, str]]:
    """Yield what one entry of `imports` joins: hub and spoke both ways, two meshes one way each."""
    if other is None:
        return
    kinds = {router.spec.type, other.spec.type}
    if kinds == {"hub", "spoke"}:
        for one in chosen[router.name]:
            for two in chosen[other.name]:
                yield router, one, two
                yield router, two, one
    elif kinds == {"mesh"}:
        if router.name not in other.spec.imports:
            report.warning("IC2043", router.span("spec", "imports", index), f"{router.name!r} imports {other.name!r}, but not the other way round: no traffic passes", f"add {router.name} to the imports of {other.name}", [Related(other.span("spec"), "the other router")])
        yield from ((router, one, two) for one in chosen[router.name] for two in chosen[other.name] if one != two)
    else:
        report.error("IC2044", router.span("spec", "imports", index), f"a {router.spec.type} cannot import a {other.spec.type}", "spokes join hubs, meshes join meshes", [Related(other.span("spec", "type"), "the other router")])


def _check_apart(router: Intent, chosen: Iterable[str], networks: Mapping[str, Intent], report: Report) -> None:
    """Networks of one hub or spoke must not share a zone: they would route to each other."""
    zones: dict[str, str] = {}
    for name in chosen:
        zone = zone_of(networks[name])
        if zone and zones.setdefault(zone, name) != name:
            report.error(
                "IC2045", router.span("spec", "networks"), f"networks {zones[zone]!r} and {name!r} of {router.spec.type} {router.name!r} share zone {zone!r}, so they route to each other",
                "give them separate zones, or use a mesh", [Related(networks[name].span("spec", "zone"), "zone said here")],
            )


def _chosen(selector: Selector, networks: Mapping[str, Intent]) -> Iterator[str]:
    """Yield the networks that a selector chooses."""
    if selector.names:
        candidates: Iterable[str] = [name for name in selector.names if name in networks]
    else:
        candidates = networks
    return (name for name in candidates if selector.chooses(name, networks[name].meta.labels))
