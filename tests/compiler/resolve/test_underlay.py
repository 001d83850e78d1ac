"""The underlay: all documents are one topology, and what names or addresses it twice is refused."""

from __future__ import annotations

from compiler.resolve.underlay import gather_underlay
from compiler.resolved import Underlay
from intent.diagnostics import Report
from intent.load import load
from intent.source import Source
from tests.support import documents


def gathered(*specs: str) -> tuple[Underlay, Report]:
    report = Report()
    texts = [f"kind: Underlay\nmetadata: {{name: u{n}}}\nspec: {spec}\n" for n, spec in enumerate(specs)]
    loaded = load([Source("intent.yaml", documents(*texts))], report)
    assert not report.found
    return gather_underlay({intent.name: intent for intent in loaded}, report), report


def router(name: str, locator: str = "", loopback: str = "") -> str:
    number = sum(map(ord, name)) + len(name)
    address, prefix = loopback or f"fd00::{number:x}", locator or f"fcbb:{number:x}::/48"
    return f"{{name: {name}, loopback: '{address}', locator: '{prefix}'}}"


def codes(report: Report) -> list[str]:
    return [entry.code for entry in report.sorted()]


LINK = "{name: a-b, ends: [{at: a}, {at: b}]}"


def test_documents_make_one_topology() -> None:
    found, report = gathered(
        f"{{routers: [{router('a')}], mtu: 9000}}",
        f"{{routers: [{router('b')}], links: [{LINK}], mtu: 1500}}",
    )
    assert not report.found
    assert (set(found.routers), set(found.links)) == ({"a", "b"}, {"a-b"})
    assert tuple(found.router_origin[name][0].spec.mtu for name in "ab") == (9000, 1500)
    assert found.link_origin["a-b"][1] == ("spec", "links", 0)


def test_names_count_over_all_documents() -> None:
    for one, two in (
        (f"{{routers: [{router('a')}]}}", f"{{routers: [{router('a', 'fcbb:9::/48', 'fd00::9')}]}}"),
        (f"{{routers: [], links: [{LINK}]}}", f"{{routers: [], links: [{LINK}]}}"),
    ):
        _, report = gathered(one, two)
        (error,) = report.found
        assert error.code == "IC2020"
        assert error.hint
        assert error.related[0].span.line < error.span.line


def test_affinities_and_risk_groups_are_declared() -> None:
    link = LINK.replace("ends", "affinities: [gold], srlgs: [duct], ends")
    _, report = gathered(f"{{affinities: [golden], routers: [], links: [{link}]}}")
    assert codes(report) == ["IC2021", "IC2021"]
    assert "golden" in report.sorted()[0].hint
    assert "spec.srlgs" in report.sorted()[1].hint
    assert not gathered(f"{{affinities: [gold], srlgs: [duct], routers: [], links: [{link}]}}")[1].found


def test_equal_locators_and_locators_in_another_one() -> None:
    several = [
        router("wide", "fcbb::/32"),
        router("a", "fcbb:0:1::/48"),
        router("b", "fcbb:0:2::/48"),
        router("c", "fcbb:0:2::/48", "fd00::c"),
        router("apart", "fcbc:0:1::/48"),
    ]
    _, report = gathered(f"{{routers: [{', '.join(several)}]}}")
    assert codes(report) == ["IC2022"] * 3
    assert {entry.related[0].message for entry in report.found} == {"router 'wide'"}


def test_neighbouring_locators_are_fine() -> None:
    several = [router(f"r{n}", f"fcbb:0:{n}::/48", f"fd00::{n}") for n in range(4)]
    assert not gathered(f"{{routers: [{', '.join(several)}]}}")[1].found


def test_loopbacks_are_unique() -> None:
    same = [router(name, f"fcbb:0:{n}::/48", "fd00::1") for n, name in enumerate("abc")]
    _, report = gathered(f"{{routers: [{', '.join(same)}]}}")
    assert codes(report) == ["IC2023", "IC2023"]
    assert all(entry.hint for entry in report.found)
