"""Checks of segment lists against the hardware: what headends push, and routers forward and pop."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.derived.candidate import Candidate, PathList
from compiler.derived.dynamic import MOST_SIDS
from compiler.derived.packing import filled, packs, width
from compiler.resolved import Resolved
from intent.diagnostics import Related, Report
from intent.model import Intent


def check_limits(
    intent: Intent, paths: tuple[Candidate, ...], heads: tuple[str, ...], resolved: Resolved, report: Report
) -> None:
    """Check each list that was said against its headends and routers on the way; computed ones keep to it."""
    weakest = min(heads, key=lambda name: (resolved.servers[name].max_sids or MOST_SIDS, name))
    most = resolved.servers[weakest].max_sids or MOST_SIDS
    for candidate in paths:
        for item in candidate.lists:
            span = intent.span("spec", "candidatePaths", candidate.index, "explicit", item.index)
            sids = len(item.steps) + len(item.faults) + 1
            if packs(intent, resolved) and item.valid:
                sids = width(item.steps, intent, resolved)
            what = "addresses of SIDs" if packs(intent, resolved) else "SIDs"
            if sids > most:
                server = resolved.servers[weakest]
                report.error(
                    "IC2635",
                    span,
                    f"{sids} {what} (service SID included) are more than headend {weakest!r} can push: "
                    f"{most}",
                    "shorten the list",
                    [Related(server.intent.span("spec", "maxSids"), "the headend")],
                )
            for message, router in _router_limits(item, intent, resolved):
                place, path = resolved.underlay.router_origin[router]
                report.error(
                    "IC2636",
                    span,
                    message,
                    "shorten the list, or avoid the router",
                    [Related(place.span(*path, "maxSids"), f"router {router!r}")],
                )


def _router_limits(item: PathList, intent: Intent, resolved: Resolved) -> Iterator[tuple[str, str]]:
    """Yield what is too much for routers on the way (RFC 9352 §4): message, router."""
    if not item.valid:
        return
    found: dict[tuple[str, str], None] = {}
    for lefts in filled(item.steps, intent, resolved):
        sids = lefts[0] + 1
        for step, left, later in zip(item.steps, lefts, lefts[1:], strict=False):
            limits = resolved.underlay.routers[step.router].max_sids
            if limits.segments_left is not None and left > limits.segments_left:
                text = f"is reached with Segments Left {left}; it takes {limits.segments_left}"
                found[f"router {step.router!r} {text}", step.router] = None
            if left == 1 and later == 0 and limits.end_pop is not None and sids > limits.end_pop:
                text = f"would pop an SRH of {sids} SIDs; it pops at most {limits.end_pop}"
                found[f"router {step.router!r} {text}", step.router] = None
    yield from found
