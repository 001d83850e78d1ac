"""SR policies by BGP, and the pools of Calico: what cannot be said, and what is too small."""

from __future__ import annotations

import re

import pytest

from compiler.derived.announcements import LARGEST_MESSAGE, mark, update_size
from compiler.graph import Scope
from tests.overlays import (
    CALICO,
    CALICO_BASE,
    CLUSTER,
    FACTS,
    FAR_CALICO,
    SQUARE,
    UNDERLAY,
    calico_node,
    computed,
    network,
    node,
    policy,
)
from tests.support import PROJECT, build

BGP = CLUSTER.replace("controlPlane: kubernetes", 'controlPlane: bgp\n  bgp: {injector: "fd22::ffff"}')
OURS = (UNDERLAY, node(1), node(2), node(3))
REFLECTED = BGP.replace('"fd22::ffff"', '"fd22::ffff", injection: reflected')

NEAR_AND_FAR = (
    calico_node(1),
    calico_node(2),
    *(calico_node(number).replace("core", "far").replace("fcff", "fcfe") for number in (3, 4)),
)
NEWER = FAR_CALICO.replace("fcff", "fcfe")
FAR_FACTS = """kind: Facts
metadata: {name: seen}
spec:
  nodes:
    - {node: w3, address: "fd11::3", dt4: "fcfe:0:0:3::4", dt6: "fcfe:0:0:3::6"}
    - {node: w4, address: "fd11::4", dt4: "fcfe:0:0:4::4", dt6: "fcfe:0:0:4::6"}
"""


def at_router(number: int, cluster: str, router: str) -> str:
    """Return a worker behind another router than that of its side."""
    return re.sub("router: p[12]", f"router: {router}", node(number, cluster))


def test_without_an_injector_nobody_announces() -> None:
    assert build(*OURS, BGP).codes == []
    assert build(*OURS, BGP.replace('injector: "fd22::ffff"', "")).codes == ["IC2641"]
    assert build(*OURS, CLUSTER).codes == []


def test_a_route_target_needs_the_identifier_of_its_headend() -> None:
    addressed = [node(number, more=f"  ipv4: 192.0.2.{number}\n") for number in (1, 2, 3)]
    assert build(UNDERLAY, *addressed, REFLECTED).codes == []
    assert build(UNDERLAY, *addressed[:2], node(3), REFLECTED).codes == ["IC2670"]
    assert build(*OURS, BGP).codes == []


def test_more_headends_than_a_message_holds_need_direct_sessions() -> None:
    most = (LARGEST_MESSAGE - update_size((1,), 0)) // 8
    nodes = [
        node(number, more=f"  ipv4: 10.0.{number // 250}.{number % 250 + 1}\n")
        for number in range(1, most + 3)
    ]
    assert build(UNDERLAY, *nodes[:-1], REFLECTED).codes == []
    assert build(UNDERLAY, *nodes, REFLECTED).codes == ["IC2671"]
    assert build(UNDERLAY, *nodes, BGP).codes == []


def lists(number: int) -> str:
    """Return a candidate path of so many lists, each with fourteen SIDs of its own."""
    rows = [
        ", ".join(f'{{sid: "fcbb:0:1::{row:x}:{at:x}"}}' for at in range(1, 15))
        for row in range(1, number + 1)
    ]
    return "\n    - name: many\n      explicit:\n" + "".join(f"        - segments: [{row}]\n" for row in rows)


def test_lists_that_fit_into_no_message_are_refused() -> None:
    assert build(*OURS, BGP, policy(lists(13))).codes == ["IC2671"]
    assert build(*OURS, BGP, policy(lists(12))).codes == []
    assert build(*OURS, CLUSTER, policy(lists(13))).codes == []


def test_the_injector_of_each_cluster_of_a_mesh_must_fit_all_lists_into_a_message() -> None:
    """Policies towards Calico nodes are announced by every cluster of their mesh, each in its own way."""
    near = CALICO.replace("srv6: {", "srv6: {mesh: all, ").replace(", nodes: {names: [w1]}", "")
    near = near.replace("cafe:2::/118", "cafe:2::/108")
    far = near.replace("core", "far").replace("10.80.", "10.81.").replace("fd80:", "fd81:")
    far = far.replace("10.96.", "10.97.").replace("fd97:", "fd98:").replace("cafe:2:", "cafe:3:")
    nodes = [calico_node(1), calico_node(2)]
    nodes += [calico_node(number).replace("core", "far") for number in range(3, 300)]
    te = policy(lists(6), headends="{clusters: [core, far]}", endpoints="{nodes: {names: [w2]}}")
    through = far.replace("injector: ", "injection: reflected\n    injector: ", 1)
    assert build(UNDERLAY, *nodes, near, far, FACTS, te).codes == []
    built = build(UNDERLAY, *nodes, near, through, FACTS, te)
    assert built.codes == ["IC2671"]
    assert build(UNDERLAY, *nodes, near, through, FACTS).codes == []


THIRD = FACTS + '    - {node: w3, address: "fd11::3", dt4: "fcff:0:0:3::4", dt6: "fcff:0:0:3::6"}\n'
AT_P3 = calico_node(3).replace("router: p1", "router: p3")


@pytest.mark.parametrize(
    ("constraints", "codes", "warnings"),
    [
        ("", ["IC2654"], []),
        ("excludeAny: [bulk]", [], ["IC2630", "IC2633", "IC2654"]),
        ("excludeRouters: [p3]", [], ["IC2630", "IC2633", "IC2654"]),
    ],
)
def test_one_announcement_brings_its_path_to_all_headends(
    constraints: str, codes: list[str], warnings: list[str]
) -> None:
    nodes = (calico_node(1), calico_node(2), AT_P3)
    te = policy(
        computed(constraints=constraints), headends="{clusters: [core]}", endpoints="{nodes: {names: [w2]}}"
    )
    built = build(SQUARE, *nodes, CALICO.replace("/118", "/112"), THIRD, te)
    assert (built.codes, sorted(built.warnings)) == (codes, warnings)
    if warnings:
        (told,) = [item for item in built.diagnostics if item.code == "IC2654"]
        assert "'w3'" in told.message, "which would have no path of its own"


def test_candidates_with_the_same_list_are_one_announcement() -> None:
    nodes = (calico_node(1), calico_node(2), AT_P3)
    spare = "    - {name: spare, explicit: [{segments: [{router: p4}]}]}\n"
    te = policy(
        computed(constraints="excludeRouters: [p3]", more=spare),
        headends="{clusters: [core]}",
        endpoints="{nodes: {names: [w2]}}",
    )
    built = build(SQUARE, *nodes, CALICO.replace("/118", "/112"), THIRD, te)
    assert (built.codes, built.warnings) == ([], ["IC2630"])
    found = [item for item in built.resources(Scope("cluster", "core")) if item.key.family == "srpolicy"]
    assert {item.spec["preference"] for item in found if not item.view} == {200}
    sids = {item.spec["lists"][0]["segments"][0]["sid"] for item in found if not item.view}
    assert sids == {"fcbb:0:4::1"}
    said = {origin.rule for item in found for origin in item.origins if origin.field == "lists.0"}
    assert said >= {"active candidate best", "active candidate spare"}


FORK = (
    UNDERLAY.partition("  routers:")[0].replace("mtu: 9000", "mtu: 9000\n  affinities: [one, two]")
    + """
  routers:
    - {name: p1, loopback: "fd00:0:1::1", locator: "fcbb:0:1::/48"}
    - {name: p2, loopback: "fd00:0:2::1", locator: "fcbb:0:2::/48"}
    - {name: p3, loopback: "fd00:0:3::1", locator: "fcbb:0:3::/48"}
    - {name: hub, loopback: "fd00:0:4::1", locator: "fcbb:0:4::/48"}
  links:
    - {name: p1-hub, affinities: [one], ends: [{at: p1}, {at: hub}]}
    - {name: p2-hub, affinities: [two], ends: [{at: p2}, {at: hub}]}
    - {name: hub-p3, affinities: [one, two], ends: [{at: hub}, {at: p3}]}
    - {name: p1-p3, igpMetric: 1, ends: [{at: p1}, {at: p3}]}
    - {name: p2-p3, igpMetric: 1, ends: [{at: p2}, {at: p3}]}
"""
)
"""Both p1 and p2 have a way to p3 over the hub, each with an affinity of its own."""


def test_two_policies_cannot_share_the_announcement_towards_a_calico_node() -> None:
    """Each is valid at a headend where the other is not: for nodes of ours that is no conflict."""

    def codes(cluster: str, *texts: str) -> list[str]:
        both = [
            policy(
                computed("igp", f"includeAll: [{word}]"),
                name=word,
                color=color,
                headends=f"{{clusters: [{cluster}]}}",
                endpoints="{nodes: {names: [w3]}}",
            )
            for word, color in (("one", "100"), ("two", "200"))
        ]
        return build(FORK, *texts, *both).codes

    calico = CALICO.replace(", nodes: {names: [w1]}", "")
    assert codes("core", calico_node(1), calico_node(2), AT_P3, calico, THIRD) == ["IC2634"] * 2
    at_p3 = node(3).replace("router: p1", "router: p3")
    assert codes("edge", node(1), node(2), at_p3, BGP) == []


def test_headends_of_ours_without_a_path_take_the_default_one() -> None:
    nodes = (node(1), node(2), node(3).replace("router: p1", "router: p3"))
    te = policy(computed(constraints="excludeRouters: [p3]"))
    assert build(SQUARE, *nodes, BGP, te).warnings == ["IC2633", "IC2630"]


@pytest.mark.parametrize(("color", "codes"), [("4", ["IC2672"]), ("6", ["IC2672"]), ("5", []), ("100", [])])
def test_the_colours_of_default_paths_are_taken(color: str, codes: list[str]) -> None:
    assert build(*OURS, BGP, policy(color=color)).codes == codes
    assert build(*OURS, CLUSTER, policy(color=color)).codes == []


def test_policies_to_one_node_differ_in_colour() -> None:
    one = policy(name="one", headends="{nodes: {names: [w1]}}", endpoints="{nodes: {names: [w2]}}")
    two = policy(name="two", headends="{nodes: {names: [w3]}}", endpoints="{nodes: {names: [w2]}}")
    assert build(*OURS, BGP, one, two).codes == ["IC2672"]
    assert build(*OURS, BGP, one, two.replace("color: 100", "color: 101")).codes == []
    assert build(*OURS, CLUSTER, one, two).codes == []


def test_a_colour_may_come_again_in_another_family_or_zone() -> None:
    one = policy(name="one", steer="{pods: [ipv4]}")
    two = policy(name="two", steer="{pods: [ipv6]}")
    three = policy(name="three", steer="{pods: [], networks: [blue]}")
    assert build(*OURS, BGP, network("blue", "10.9.0.0/16"), one, two, three).codes == []


def test_a_function_must_fit_into_a_distinguisher() -> None:
    wide = PROJECT.replace("spec: {", "spec: {pools: {sidFunction: 70000-80000}, ")
    assert wide != PROJECT
    assert build(*OURS, BGP, project=wide).codes == ["IC2674"] * 2
    assert build(*OURS, CLUSTER, project=wide).codes == []


@pytest.mark.parametrize(
    ("peers", "warnings"),
    [
        ("{name: rr, address: 192.0.2.9, asn: 64512}", []),
        ("{name: rr, address: 192.0.2.9, asn: 64512, nodes: {all: true}}", []),
        ("{name: rr, address: 192.0.2.9, asn: 64512, nodes: {names: [w1]}}", ["IC2678"]),
        ("{name: rr, address: 192.0.2.9, asn: 64512, nodes: {matchLabels: {rack: a}}}", ["IC2678"]),
        ("", []),  # sessions may be configured elsewhere
    ],
)
def test_a_calico_node_without_a_session_hears_no_announcement(peers: str, warnings: list[str]) -> None:
    head = CALICO.partition("    peers:")[0]
    cluster = f"{head}    peers: [{peers}]\n"
    assert build(*CALICO_BASE[:3], cluster).warnings == warnings
    assert build(*CALICO_BASE[:3], cluster.replace('    injector: "fd22::ffff"\n', "")).warnings == []


def test_a_calico_node_without_an_ipv4_address_opens_no_session() -> None:
    """Its agent sends 0.0.0.0 as BGP identifier, which no speaker takes, and tells nobody of IPv4 pods."""
    bare = node(2, "core", '  pins: {localsids: "fcff:0:0:2::/64"}\n')
    cluster = CALICO.replace(", nodes: {names: [w1]}", "")
    built = build(UNDERLAY, calico_node(1), bare, cluster)
    assert (built.codes, built.warnings) == ([], ["IC2670"])
    assert "'w2'" in built.diagnostics[0].message
    reflected = cluster.replace("injector: ", "injection: reflected\n    injector: ", 1)
    built = build(UNDERLAY, calico_node(1), bare, reflected)
    assert (built.codes, built.warnings) == (["IC2670"], []), "told once"


@pytest.mark.parametrize(
    ("version", "sids", "targets", "codes"),
    [
        ("3.32.0", 8, "[core, edge]", ["IC2644"]),
        ("3.32.0", 7, "[core, edge]", []),  # and the service SID of each list
        ("3.33.0", 8, "[core, edge]", []),
        ("3.32.0", 8, "[edge]", []),
    ],
)
def test_calico_nodes_survive_what_else_their_injector_announces(
    version: str, sids: int, targets: str, codes: list[str]
) -> None:
    """An agent of 3.32 crashes when it hears of more than sixteen SIDs, for whichever node they are."""
    one, two = (
        ", ".join(f'{{sid: "fcbb:0:1::{row:x}:{at:x}"}}' for at in range(1, sids + 1)) for row in (1, 2)
    )
    many = f"\n    - name: many\n      explicit:\n        - segments: [{one}]\n        - segments: [{two}]\n"
    te = policy(many, headends="{clusters: [edge]}", endpoints="{clusters: [edge]}")
    said = f'{{name: bgp, type: gobgp, address: "127.0.0.1:50051", clusters: {targets}}}'
    project = PROJECT.replace("spec: {", f"spec: {{targets: [{said}], ")
    cluster = CALICO.replace("3.33.0", version).replace(", nodes: {names: [w1]}", "")
    built = build(UNDERLAY, calico_node(1), node(3), node(5), cluster, BGP, te, project=project)
    assert built.codes == codes


@pytest.mark.parametrize(
    ("version", "targets", "codes"),
    [
        ("3.32.0", "[core, far]", ["IC2644"]),
        ("3.33.0", "[core, far]", []),
        ("3.32.0", "[far]", []),
    ],
)
def test_calico_nodes_survive_what_is_announced_to_newer_ones(
    version: str, targets: str, codes: list[str]
) -> None:
    one, two = (", ".join(f'{{sid: "fcbb:0:1::{row}:{at:x}"}}' for at in range(1, 9)) for row in (1, 2))
    many = f"\n    - name: many\n      explicit:\n        - segments: [{one}]\n        - segments: [{two}]\n"
    te = policy(many, headends="{clusters: [far]}", endpoints="{clusters: [far]}")
    said = f'{{name: bgp, type: gobgp, address: "127.0.0.1:50051", clusters: {targets}}}'
    project = PROJECT.replace("spec: {", f"spec: {{targets: [{said}], ")
    built = build(
        UNDERLAY, *NEAR_AND_FAR, CALICO.replace("3.33.0", version), NEWER, FAR_FACTS, te, project=project
    )
    assert built.codes == codes


@pytest.mark.parametrize(("version", "codes"), [("3.32.0", ["IC2644"]), ("3.33.0", [])])
def test_lists_are_kept_apart_in_the_whole_mesh(version: str, codes: list[str]) -> None:
    """Each cluster of a mesh hears what is announced for the nodes of all."""
    near = CALICO.replace("3.33.0", version).replace("srv6: {", "srv6: {mesh: one, ")
    far = FAR_CALICO.replace("srv6: {", "srv6: {mesh: one, ")
    nodes = [text.replace("fcfe", "fcff") for text in NEAR_AND_FAR]
    te = policy(headends="{clusters: [core, far]}", endpoints="{clusters: [far]}")
    built = build(UNDERLAY, *nodes, near, far, FAR_FACTS.replace("fcfe", "fcff"), te)
    assert built.codes == codes


def test_headends_of_another_mesh_need_no_announcement() -> None:
    """Nodes of two clusters that no tunnel joins may have a policy in common, each with its own lists."""
    edge = (at_router(1, "edge", "p1"), at_router(2, "edge", "p2"), BGP)
    other = CLUSTER.replace("edge", "kube").replace("10.64", "10.65").replace("fd64", "fd65")
    other = other.replace("fcdd::", "fcde::").replace("cafe:1", "cafe:7")
    kube = [at_router(number, "kube", router) for number, router in ((3, "p3"), (4, "p2"), (6, "p2"))]
    te = policy(computed(), headends="{clusters: [edge, kube]}", endpoints="{sites: [dc2]}")
    built = build(SQUARE, *edge, *kube, other, te)
    assert built.codes == []
    found = [item.spec for item in built.resources(Scope("cluster", "edge")) if item.key.family == "srpolicy"]
    said = [[hop["sid"] for hop in one["lists"][0]["segments"][:-1]] for one in found]
    assert ["fcbb:0:4::1"] in said
    # They differ where headends of one mesh do.
    joined = [text.replace("kube", "edge") for text in kube]
    assert build(SQUARE, *edge, *joined, te.replace("edge, kube", "edge")).codes == ["IC2654"]


@pytest.mark.parametrize(
    ("other", "codes"),
    [
        ("address: 192.0.2.9, asn: 64514", ["IC2621"]),
        ("address: 192.0.2.9, asn: 64513, nodes: {names: [w2]}", ["IC2621"]),
        ("address: 192.0.2.9, asn: 64513, password: {kubernetes: calico-vpp-dataplane/bgp/rr}", []),
        ("address: 192.0.2.10, asn: 64514", []),
    ],
)
def test_a_node_has_one_session_with_a_neighbour(other: str, codes: list[str]) -> None:
    """Agents know a session by its address: of two, each takes the place of the other again and again."""
    cluster = f"{CALICO}      - {{name: other, {other}}}\n"
    assert build(*CALICO_BASE[:3], cluster).codes == codes


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        ("asn: 64513", ["IC2621"]),
        ("asn: 64512, password: {kubernetes: calico-vpp-dataplane/bgp/rr}", ["IC2621"]),
        ("asn: 64512", []),
        ("asn: 64513, nodes: {names: [w2]}", []),  # itself
    ],
)
def test_a_neighbour_that_is_a_node_has_its_session_by_the_mesh(said: str, codes: list[str]) -> None:
    """The mesh has it by the AS number of the cluster and no password: agents would change over and over."""
    for address in ("fd11::2", "10.11.0.3"):
        cluster = f'{CALICO}      - {{name: reflector, address: "{address}", {said}}}\n'
        assert build(*CALICO_BASE[:3], cluster).codes == codes
        alone = cluster.replace("    asn: 64512\n", "    asn: 64512\n    nodeMesh: false\n", 1)
        assert "IC2621" not in build(*CALICO_BASE[:3], alone).codes


def test_nodes_may_have_one_neighbour_each_in_their_own_way() -> None:
    head = CALICO.partition("    peers:")[0].replace('    injector: "fd22::ffff"\n', "")
    one, two = (f"address: 192.0.2.9, asn: 6451{at}, nodes: {{names: [w{at}]}}" for at in (1, 2))
    cluster = f"{head}    peers: [{{name: one, {one}}}, {{name: two, {two}}}]\n"
    assert build(*CALICO_BASE[:3], cluster).codes == []


def clash() -> tuple[str, str]:
    """Return two names of clusters with one mark."""
    seen: dict[int, str] = {}
    for number in range(100_000):
        name = f"c{number}"
        if mark(name) in seen:
            return seen[mark(name)], name
        seen[mark(name)] = name
    raise AssertionError


def test_two_clusters_of_one_target_have_two_marks() -> None:
    one, two = clash()
    texts = [
        BGP.replace("name: edge", f"name: {name}").replace("cluster: edge", f"cluster: {name}")
        for name in (one, two)
    ]
    second = texts[1].replace("10.64.", "10.65.").replace("fd64:", "fd65:").replace("fcdd:", "fcde:")
    second = second.replace("cafe:1:", "cafe:2:")
    nodes = (node(1, one), node(2, two))

    def codes(*targets: str) -> list[str]:
        said = ", ".join(
            f'{{name: t{at}, type: gobgp, address: "127.0.0.1:{at}", clusters: [{one}]}}'
            for at, one in enumerate(targets)
        )
        project = PROJECT.replace("spec: {", f"spec: {{targets: [{said}], ")
        return build(UNDERLAY, *nodes, texts[0], second, project=project).codes

    assert codes(f"{one}, {two}") == ["IC2673"]
    assert codes(one, two) == []


@pytest.mark.parametrize(
    ("pool", "nodes", "found"),
    [
        ("cafe:2::/118", 8, ([], [])),
        ("cafe:2::/118", 9, ([], ["IC2675"])),
        ("cafe:2::/121", 1, ([], [])),
        ("cafe:2::/121", 2, ([], ["IC2675"])),
        ("cafe:2::/121", 32, ([], ["IC2675"])),
        ("cafe:2::/121", 33, (["IC2675"], [])),
        ("cafe:2::/122", 1, (["IC2613"], [])),
    ],
)
def test_calico_draws_two_bsids_for_each_node(
    pool: str, nodes: int, found: tuple[list[str], list[str]]
) -> None:
    text = CALICO.replace("cafe:2::/118", pool).replace(", nodes: {names: [w1]}", "")
    built = build(UNDERLAY, *map(calico_node, range(1, nodes + 1)), text)
    assert (built.codes, built.warnings) == found


def test_a_node_without_a_block_of_pods_borrows() -> None:
    nodes = [calico_node(number) for number in (1, 2, 3)]
    text = CALICO.replace("10.80.0.0/16", "10.80.0.0/25").replace(", nodes: {names: [w1]}", "")
    assert build(UNDERLAY, *nodes, text).warnings == ["IC2676"]
    assert build(UNDERLAY, *nodes[:2], text).warnings == []


def test_ipv6_pods_alone_need_an_ipv6_service_prefix() -> None:
    alone = CALICO.replace('{ipv4: 10.80.0.0/16, ipv6: "fd80::/48"}', '{ipv6: "fd80::/48"}')
    none = alone.replace('  serviceCidrs: {ipv4: 10.96.0.0/16, ipv6: "fd97::/112"}\n', "")
    assert build(*CALICO_BASE[:3], alone).codes == []
    assert build(*CALICO_BASE[:3], none).codes == ["IC2677"]
    assert build(*CALICO_BASE[:3], alone.replace(', ipv6: "fd97::/112"}', "}")).codes == ["IC2677"]
