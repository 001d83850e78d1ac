"""The underlay as one topology: all Underlay documents together, checked inside themselves."""

from __future__ import annotations

from collections.abc import Mapping

from compiler.resolved import Underlay
from intent.diagnostics import Related, Report, did_you_mean
from intent.kinds.underlay import Link, Router, UnderlaySpec
from intent.model import Intent
from intent.source import FieldPath

Place = tuple[Intent, FieldPath]


def gather_underlay(documents: Mapping[str, Intent], report: Report) -> Underlay:
    """Return all routers and links by name; a name that is taken twice is an error."""
    routers: dict[str, Router] = {}
    links: dict[str, Link] = {}
    router_origin: dict[str, Place] = {}
    link_origin: dict[str, Place] = {}
    for intent in documents.values():
        spec: UnderlaySpec = intent.spec
        for index, router in enumerate(spec.routers):
            place = (intent, ("spec", "routers", index))
            if _taken("router", router.name, router_origin, place, report):
                continue
            routers[router.name], router_origin[router.name] = router, place
        for index, link in enumerate(spec.links):
            place = (intent, ("spec", "links", index))
            if _taken("link", link.name, link_origin, place, report):
                continue
            links[link.name], link_origin[link.name] = link, place
            _check_words(link, spec, place, report)
    _check_sids(routers, router_origin, report)
    return Underlay(routers, links, router_origin, link_origin)


def _taken(what: str, name: str, known: Mapping[str, Place], place: Place, report: Report) -> bool:
    if name not in known:
        return False
    intent, path = known[name]
    report.error("IC2020", place[0].span(*place[1], "name"), f"{what} {name!r} is said twice", "", [Related(intent.span(*path, "name"), "also said here")])
    return True


def _check_words(link: Link, spec: UnderlaySpec, place: Place, report: Report) -> None:
    intent, path = place
    for what, said, known in (("affinities", link.affinities, spec.affinities), ("srlgs", link.srlgs, spec.srlgs)):
        for index, word in enumerate(said):
            if word not in known:
                report.error("IC2021", intent.span(*path, what, index), f"{word!r} is not among the {what} of the underlay", did_you_mean(word, known) or f"add it to spec.{what}")


def _check_sids(routers: Mapping[str, Router], origin: Mapping[str, Place], report: Report) -> None:
    """Locators must be disjoint, loopbacks and End SIDs unique."""
    def place(name: str) -> Related:
        return Related(origin[name][0].span(*origin[name][1]), f"router {name!r}")

    ordered = sorted(routers.values(), key=lambda router: (router.locator, router.name))
    for one, two in zip(ordered, ordered[1:], strict=False):
        if one.locator.overlaps(two.locator):
            intent, path = origin[two.name]
            report.error("IC2022", intent.span(*path, "locator"), f"locator {two.locator} of {two.name!r} overlaps {one.locator} of {one.name!r}", "give each router a locator of its own", [place(one.name)])
    seen: dict[object, str] = {}
    for name, router in routers.items():
        if seen.setdefault(router.loopback, name) != name:
            intent, path = origin[name]
            report.error("IC2023", intent.span(*path, "loopback"), f"loopback {router.loopback} is taken", "", [place(seen[router.loopback])])
