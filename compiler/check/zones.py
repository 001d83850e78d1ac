"""Zones against routers: routes leak by zone, so a router that joins zones must choose whole zones."""

from __future__ import annotations

from typing import Final

from compiler.resolved import Resolved, Vrf
from intent.diagnostics import Related, Report
from intent.model import Intent

SHOWN: Final = 3
"""So many names tell which networks are meant."""


def check_zone_leaks(resolved: Resolved, report: Report) -> None:
    """Check that joining zones makes no network reachable that no router chose."""
    for vrf in resolved.vrfs.values():
        routed = [name for name in vrf.networks if resolved.networks[name].spec.subnets]
        if len(routed) > 1:
            for router in vrf.causes:
                _check_router(router, vrf, routed, resolved, report)


def _check_router(router: Intent, vrf: Vrf, routed: list[str], resolved: Resolved, report: Report) -> None:
    routers = resolved.of("VirtualNetworkRouter")
    selectors = [router.spec.networks, *(routers[name].spec.networks for name in router.spec.imports)]
    networks = resolved.networks
    others = [
        name
        for name in routed
        if not any(selector.chooses(name, networks[name].intent.meta.labels) for selector in selectors)
    ]
    if others:
        some = ", ".join(map(repr, others[:SHOWN])) + (" …" if len(others) > SHOWN else "")
        report.error(
            "IC2216",
            router.span("spec", "networks"),
            f"router {router.name!r} joins zone {vrf.name!r} to others, and with it {some}, which it does "
            "not choose",
            "choose every network of the zone, or give the others a zone of their own",
            [Related(networks[others[0]].intent.span("spec", "zone"), "in the zone by this line")],
        )
