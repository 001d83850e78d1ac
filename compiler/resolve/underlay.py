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
            if not _taken("router", router.name, router_origin, place, report):
                routers[router.name], router_origin[router.name] = router, place
        for index, link in enumerate(spec.links):
            place = (intent, ("spec", "links", index))
            if not _taken("link", link.name, link_origin, place, report):
                links[link.name], link_origin[link.name] = link, place
                _check_words(link, spec, place, report)
    _check_locators(routers, router_origin, report)
    _check_loopbacks(routers, router_origin, report)
    return Underlay(routers, links, router_origin, link_origin)


def _taken(what: str, name: str, known: Mapping[str, Place], place: Place, report: Report) -> bool:
    if name not in known:
        return False
    other = _related(known, name, "also said here", "name")
    hint = "names count over all Underlay documents together: rename or remove one"
    span = place[0].span(*place[1], "name")
    report.error("IC2020", span, f"{what} {name!r} is said twice", hint, [other])
    return True


def _related(origin: Mapping[str, Place], name: str, what: str, *field: str) -> Related:
    intent, path = origin[name]
    return Related(intent.span(*path, *field), what)


def _check_words(link: Link, spec: UnderlaySpec, place: Place, report: Report) -> None:
    intent, path = place
    for what, said, known in (
        ("affinities", link.affinities, spec.affinities),
        ("srlgs", link.srlgs, spec.srlgs),
    ):
        for index, word in enumerate(said):
            if word not in known:
                text = f"{word!r} is not among the {what} of the underlay"
                hint = did_you_mean(word, known) or f"add it to spec.{what}"
                report.error("IC2021", intent.span(*path, what, index), text, hint)


def _check_locators(routers: Mapping[str, Router], origin: Mapping[str, Place], report: Report) -> None:
    """Locators must be disjoint; then End SIDs are, which lie inside."""
    around: Router | None = None
    # Sorted, a prefix stands before all that it holds: what overlaps lies in the last one that did not.
    for router in sorted(routers.values(), key=lambda router: (router.locator, router.name)):
        if around is None or not router.locator.subnet_of(around.locator):
            around = router
            continue
        intent, path = origin[router.name]
        text = f"locator {router.locator} of {router.name!r} overlaps {around.locator} of {around.name!r}"
        place = _related(origin, around.name, f"router {around.name!r}")
        span = intent.span(*path, "locator")
        report.error("IC2022", span, text, "give each router a locator of its own", [place])


def _check_loopbacks(routers: Mapping[str, Router], origin: Mapping[str, Place], report: Report) -> None:
    seen: dict[object, str] = {}
    for name, router in routers.items():
        twin = seen.setdefault(router.loopback, name)
        if twin != name:
            intent, path = origin[name]
            text = f"loopback {router.loopback} of {name!r} is that of {twin!r} too"
            place = _related(origin, twin, f"router {twin!r}")
            hint = "give each router a loopback of its own"
            report.error("IC2023", intent.span(*path, "loopback"), text, hint, [place])
