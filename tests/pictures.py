"""Intents that pictures are tested on, as resolved by the compiler."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from compiler.resolve.names import resolve
from compiler.resolved import Resolved
from intent.diagnostics import Report, as_text
from intent.load import load
from intent.source import Source
from renderers.picture.dependencies import dependencies
from renderers.picture.model import Mark
from renderers.picture.topology import topology

HEAD: Final = "apiVersion: intentc.dev/v1alpha1\n"
PROJECT: Final = HEAD + "kind: Project\nmetadata:\n  name: metro\nspec: {}\n"
HERE: Final = Path(__file__).parent / "renderers" / "picture"
SVG: Final = "{http://www.w3.org/2000/svg}"


def resolved(text: str, order: Callable[[list[int]], list[int]] = list) -> Resolved:
    """Resolve documents, handed over in the given order."""
    report = Report()
    (project,) = load([Source("intentc.yaml", PROJECT)], report)
    found = load([Source("intent/metro.yaml", text)], report)
    shuffled = [found[index] for index in order(list(range(len(found))))]
    facts = [intent for intent in shuffled if intent.kind == "Facts"]
    result = resolve(project, [intent for intent in shuffled if intent.kind != "Facts"], facts, report)
    assert result is not None, as_text(report.sorted(), {})
    assert not report.failed, as_text(report.sorted(), {})
    return result


@cache
def metro() -> Resolved:
    return resolved((HERE / "metro.yaml").read_text())


@cache
def small() -> Resolved:
    return resolved((HERE / "small.yaml").read_text())


def document(kind: str, name: str, spec: str) -> str:
    return f"{HEAD}kind: {kind}\nmetadata: {{name: '{name}', labels: {{plane: user}}}}\nspec: {spec}\n"


def racks(sites: int, leaves: int, per_rack: int) -> Iterator[str]:
    """Yield sites with one router per pair of leaves, and servers cabled to both leaves of their rack."""
    routers, links = [], []
    for site in range(1, sites + 1):
        pairs = range(1, leaves // 2 + 1)
        switches = "".join(f"{{name: leaf{number}}}, " for number in range(1, leaves + 1))
        groups = "".join(f"{{name: rack{n}, switches: [leaf{2 * n - 1}, leaf{2 * n}]}}, " for n in pairs)
        yield document(
            "Fabric",
            f"f{site}",
            f"{{provider: apstra, apstra: {{blueprint: b}}, site: dc{site}, redundancyGroups: [{groups}], "
            f"switches: [{switches}{{name: spine1, role: spine}}, {{name: border1, role: border}}]}}",
        )
        names = [f"s{site}-r{n}" for n in pairs]
        for n, name in enumerate(names):
            group = f"{site * 256 + n:x}"
            loopback, locator = f"'fd00:0:{group}::1'", f"'fcbb:0:{group}::/48'"
            routers.append(f"{{name: {name}, site: dc{site}, loopback: {loopback}, locator: {locator}}}")
        links += [f"{{name: {a}-{b}, ends: [{{at: {a}}}, {{at: {b}}}]}}" for a, b in combinations(names, 2)]
        links += [f"{{name: {names[0]}-to-{site}, ends: [{{at: {names[0]}}}, {{at: s1-r1}}]}}"] * (site > 1)
        for n in pairs:
            cables = ", ".join(
                f"{{nic: ens1f{leg}, fabric: f{site}, switch: leaf{2 * n - 1 + leg}, port: 'Ethernet{{n}}'}}"
                for leg in (0, 1)
            )
            yield document(
                "Node",
                f"s{site}-rack{n}-{{n:02}}",
                f"{{range: {{last: {per_rack}}}, site: dc{site}, labels: {{cluster: c{n % 2}}}, "
                f"cables: [{cables}], "
                f"nics: [{{name: ens1f0, vfs: 64}}, {{name: ens1f1, vfs: 64}}], "
                f"uplink: {{router: s{site}-r{n}, interface: eth0, nextHop: 'fd11::1'}}}}",
            )
    yield document("Underlay", "core", f"{{routers: [{', '.join(routers)}], links: [{', '.join(links)}]}}")
    for number in (0, 1):
        yield document(
            "Cluster",
            f"c{number}",
            f"{{nodes: {{matchLabels: {{cluster: c{number}}}}}, dataplane: vpp, controlPlane: kubernetes, "
            f"podCidrs: {{ipv4: 10.{number}.0.0/16}}}}",
        )


def networks(count: int) -> Iterator[str]:
    for number in (0, 1):
        yield document(
            "SriovPool",
            f"pool{number}",
            f"{{cluster: c{number}, nodes: {{all: true}}, nics: {{names: [ens1f0]}}, vfs: 8}}",
        )
    for index in range(count):
        subnet = f"{{cidr: 10.{index // 256}.{index % 256}.0/24}}"
        attachments = f"[{{type: sriov, pool: pool{index % 2}}}]"
        yield document(
            "VirtualNetwork", f"net-{index:05}", f"{{subnets: [{subnet}], attachments: {attachments}}}"
        )


@cache
def unfolded() -> Resolved:
    return resolved("---\n".join(racks(2, 10, 4)))


@cache
def large() -> Resolved:
    return resolved("---\n".join((*racks(3, 20, 10), *networks(10_000))))


@cache
def long_names() -> Resolved:
    long = "a-long-name" + "-and-more" * 5
    name = "a-very-long-name-of-a-server-in-the-third-row-of-the-basement.rack-" + "w" * 60
    address = "fd11:1111:2222:3333:4444:5555:6666:7777"
    cable = f"{{nic: e0, fabric: {long}, switch: l1, port: 'Ethernet1/1/1'}}"
    outside = f"{{fabric: {long}, zone: z, ports: [{{switch: {long}, port: 'Ethernet1/1/1', vlan: 7}}]}}"
    return resolved(
        "---\n".join(
            (
                document("Node", name, f"{{role: bareMetal, ipv6: '{address}'}}"),
                document("Node", "w1", f"{{site: {long}, cables: [{cable}]}}"),
                document(
                    "Cluster",
                    long * 4,
                    "{nodes: {all: true}, dataplane: vpp, controlPlane: kubernetes, "
                    "podCidrs: {ipv4: 10.0.0.0/16}}",
                ),
                document(
                    "Fabric",
                    long,
                    f"{{provider: apstra, apstra: {{blueprint: {long}}}, site: {long}, "
                    f"switches: [{{name: l1}}, {{name: l2}}, {{name: {long}, role: border}}], "
                    f"redundancyGroups: [{{name: {long}-pair, switches: [l1, l2]}}]}}",
                ),
                document("ExternalConnection", long * 3, outside),
            )
        )
    )


@cache
def odd() -> Resolved:
    """Things without a site, a server between two fabrics, a link to a node, a router with no link."""
    return resolved(
        "---\n".join(
            (
                document("Fabric", "a", "{provider: apstra, apstra: {blueprint: a}, switches: [{name: l1}]}"),
                document("Fabric", "b", "{provider: apstra, apstra: {blueprint: b}, switches: [{name: l1}]}"),
                document(
                    "Node",
                    "between",
                    "{role: bareMetal, cables: [{nic: e0, fabric: a, switch: l1, port: swp1}, "
                    "{nic: e1, fabric: b, switch: l1, port: swp1}]}",
                ),
                document("Node", "linked", "{site: far}"),
                document(
                    "Underlay",
                    "core",
                    "{routers: [{name: p1, site: far, loopback: 'fd00::1', locator: 'fcbb:0:1::/48'}, "
                    "{name: alone, loopback: 'fd00::2', locator: 'fcbb:0:2::/48'}], "
                    "links: [{name: to-node, ends: [{at: p1}, {at: linked}]}]}",
                ),
            )
        )
    )


CASES: Final = {
    "metro": metro, "small": small, "unfolded": unfolded, "large": large, "long names": long_names, "odd": odd
}  # fmt: skip
DRAW: Final = (topology, dependencies)


def titles(svg: str) -> dict[str, str]:
    """Return the tooltips of a picture by the id of what they stand on."""
    root = ET.fromstring(svg)  # noqa: S314 -- our own output
    found = {element.get("id", ""): element.find(f"{SVG}title") for element in root.iter()}
    return {ident: title.text or "" for ident, title in found.items() if ident and title is not None}


MARKS: Final[Mapping[str, Mark]] = {
    "Node/edge-1": "added",
    "Node/db-1/bond/bond0": "changed",
    "Fabric/metro/switch/leaf3/Ethernet11": "removed",
    "Underlay/core/link/p1-p3": "changed",
    "SRv6Policy/bulk": "removed",
    "VirtualNetwork/n3": "added",
}
