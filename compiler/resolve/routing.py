"""Routing zones: which networks share a VRF, and whose routes each VRF imports.

VirtualNetworkRouters are route leaking between zones: a mesh imports every pair, a hub and its spokes import
each other, and two networks inside one hub (or one spoke) import nothing of each other.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import permutations, product
from typing import Final

from compiler.resolved import Vrf
from intent.diagnostics import Related, Report
from intent.kinds.virtual_network import VirtualNetworkSpec
from intent.kinds.virtual_network_router import VirtualNetworkRouterSpec
from intent.model import Intent, Selector

VRF_NAME: Final = 15
"""Longest name of a VRF (Linux interface names, Apstra)."""
_RESERVED: Final = frozenset({"all", "default", "lo"})
"""Names that mean something else to Linux, FRR and Apstra."""


def zone_of(network: Intent) -> str | None:
    """Return the routing zone of a network: the one it names, or one of its own; None at layer 2."""
    spec: VirtualNetworkSpec = network.spec
    if spec.zone or not spec.subnets:
        return spec.zone
    # Names of zones start with a letter, those of networks need not.
    name = network.name if network.name[0].isalpha() else f"v{network.name}"
    return short_name(name, VRF_NAME)


def short_name(name: str, limit: int) -> str:
    """Return a name that fits a limit: itself, or its head and four hex digits of its hash."""
    name = name.replace(".", "-")
    if len(name) <= limit:
        return name
    return f"{name[: limit - 5]}-{hashlib.sha256(name.encode()).hexdigest()[:4]}"


def vrfs(networks: Mapping[str, Intent], routers: Mapping[str, Intent], report: Report) -> dict[str, Vrf]:
    """Return all zones by name, with their imports."""
    members: defaultdict[str, list[str]] = defaultdict(list)
    for name, network in networks.items():
        zone = zone_of(network)
        if zone:
            members[zone].append(name)
    _check_names(members, networks, report)
    imports: defaultdict[str, set[str]] = defaultdict(set)
    causes: defaultdict[str, dict[str, Intent]] = defaultdict(dict)
    for router, importer, exporter in _joined(networks, routers, report):
        if importer != exporter:
            imports[importer].add(exporter)
            causes[importer][router.name] = router
    return {
        zone: _vrf(zone, tuple(names), networks, tuple(sorted(imports[zone])), tuple(causes[zone].values()))
        for zone, names in sorted(members.items())
    }


def _vrf(
    zone: str,
    names: tuple[str, ...],
    networks: Mapping[str, Intent],
    imports: tuple[str, ...],
    causes: tuple[Intent, ...],
) -> Vrf:
    specs: list[VirtualNetworkSpec] = [networks[name].spec for name in names]
    first = networks[names[0]]
    subject = f"zone/{zone}" if first.spec.zone else f"{first.subject}/zone"
    import_targets = tuple(sorted({target for spec in specs for target in spec.route_targets.imports}))
    export_targets = tuple(sorted({target for spec in specs for target in spec.route_targets.exports}))
    return Vrf(zone, subject, first, names, imports, import_targets, export_targets, causes)


def _check_names(members: Mapping[str, list[str]], networks: Mapping[str, Intent], report: Report) -> None:
    """A zone name must be free: the one of a network without a zone is made from the network's."""
    for zone, names in members.items():
        own = [name for name in names if not networks[name].spec.zone]
        place = networks[own[0]].span("metadata", "name") if own else networks[names[0]].span("spec", "zone")
        if zone in _RESERVED:
            text = f"a routing zone cannot be called {zone!r}: Linux, FRR or Apstra mean something else by it"
            report.error("IC2046", place, text, "give the network a zone with another name")
        if own and len(names) > 1:
            other = next(name for name in names if name != own[0])
            text = f"the zone of network {own[0]!r} would be called {zone!r}, which is taken"
            related = [Related(networks[other].span("spec", "zone"), "taken here")]
            report.error("IC2041", place, text, "give the network a zone", related)


def _joined(
    networks: Mapping[str, Intent], routers: Mapping[str, Intent], report: Report
) -> Iterator[tuple[Intent, str, str]]:
    """Yield (router, importing zone, exporting zone) for all that VirtualNetworkRouters join."""
    chosen = {name: tuple(_chosen(router.spec.networks, networks)) for name, router in routers.items()}
    # Routes leak between zones, and zones are far fewer than networks.
    zones = {name: _zones(several, networks) for name, several in chosen.items()}
    for name, router in routers.items():
        spec: VirtualNetworkRouterSpec = router.spec
        if not chosen[name]:
            hint = "compare the selector with the labels of the networks"
            place = router.span("spec", "networks")
            report.warning("IC2042", place, f"router {name!r} selects no network", hint)
        if spec.type == "mesh":
            yield from ((router, one, two) for one, two in permutations(zones[name], 2))
        else:
            _check_apart(router, chosen[name], networks, report)
        for index, other in enumerate(spec.imports):
            yield from _imported(router, index, routers.get(other), zones, report)


def _zones(chosen: Iterable[str], networks: Mapping[str, Intent]) -> tuple[str, ...]:
    return tuple(sorted({zone for name in chosen if (zone := zone_of(networks[name]))}))


def _imported(
    router: Intent, index: int, other: Intent | None, zones: Mapping[str, tuple[str, ...]], report: Report
) -> Iterator[tuple[Intent, str, str]]:
    """Yield what one entry of `imports` joins: hub and spoke both ways, two meshes one way each."""
    if other is None:
        return
    if other is router:
        text = f"router {router.name!r} imports itself"
        report.error("IC2044", router.span("spec", "imports", index), text, "remove the entry")
        return
    mine, theirs = router.spec.type, other.spec.type
    pairs = tuple(product(zones[router.name], zones[other.name]))
    if {mine, theirs} == {"hub", "spoke"}:
        for one, two in pairs:
            yield router, one, two
            yield router, two, one
    elif mine == theirs == "mesh":
        if router.name not in other.spec.imports:
            text = f"{router.name!r} imports {other.name!r}, but not the other way round: no traffic passes"
            hint = f"add {router.name} to the imports of {other.name}"
            place = Related(other.span("spec"), "the other router")
            report.warning("IC2043", router.span("spec", "imports", index), text, hint, [place])
        yield from ((router, one, two) for one, two in pairs)
    else:
        text = f"a {mine} cannot import a {theirs}"
        place = Related(other.span("spec", "type"), "the other router")
        span = router.span("spec", "imports", index)
        report.error("IC2044", span, text, "spokes join hubs, meshes join meshes", [place])


def _check_apart(
    router: Intent, chosen: Iterable[str], networks: Mapping[str, Intent], report: Report
) -> None:
    """Networks of one hub or spoke must not share a zone: they would route to each other."""
    zones: dict[str, str] = {}
    for name in chosen:
        zone = zone_of(networks[name])
        if zone and zones.setdefault(zone, name) != name:
            pair = f"networks {zones[zone]!r} and {name!r} of {router.spec.type} {router.name!r}"
            place = Related(networks[name].span("spec", "zone"), "zone said here")
            report.error(
                "IC2045",
                router.span("spec", "networks"),
                f"{pair} share zone {zone!r}, so they route to each other",
                "give them separate zones, or use a mesh",
                [place],
            )


def _chosen(selector: Selector, networks: Mapping[str, Intent]) -> Iterator[str]:
    """Yield the networks that a selector chooses, in the order of their names."""
    candidates = sorted(networks.keys() & set(selector.names)) if selector.names else networks
    return (name for name in candidates if selector.chooses(name, networks[name].meta.labels))
