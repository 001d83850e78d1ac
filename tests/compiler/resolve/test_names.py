"""Resolution: nodes find their clusters, pools their NICs, networks their fabrics, in any order."""

from __future__ import annotations

import pytest

from compiler.resolve.names import resolve
from intent.diagnostics import Report
from intent.load import load
from intent.source import Source
from tests.ledgers import cluster, fabric, network, world
from tests.support import PROJECT, build, documents

DC1, DC2 = fabric("dc1"), fabric("dc2")


def node(name: str, labels: str = "cluster: edge", spec: str = "", role: str = "kubernetes") -> str:
    return f"""kind: Node
metadata: {{name: "{name}"}}
spec:
  role: {role}
  labels: {{{labels}}}
  nics: [{{name: a, vendor: "8086", pci: "0000:01:00.0"}}, {{name: b, vendor: "15b3"}}]
  {spec}
"""


def pool(name: str, nics: str = "names: [a]", nodes: str = "all: true") -> str:
    return f"""kind: SriovPool
metadata: {{name: {name}}}
spec: {{cluster: edge, nodes: {{{nodes}}}, nics: {{{nics}}}, vfs: 8}}
"""


def cabled(name: str, *fabrics: str) -> str:
    legs = ", ".join(
        f"{{nic: {nic}, fabric: {one}, switch: leaf1, port: {name}{nic}}}"
        for nic, one in zip("ab", fabrics, strict=False)
    )
    return node(name, spec=f"cables: [{legs}]")


def vf(name: str, *pools: str, extend: bool = True, zone: str = "") -> str:
    several = ", ".join(f"{{type: sriov, pool: {pool}}}" for pool in pools) or "{type: bareMetal}"
    return f"""kind: VirtualNetwork
metadata: {{name: {name}}}
spec: {{{zone} attachments: [{several}], extendToFabric: {str(extend).lower()}}}
"""


EDGE = cluster("edge")


# Clusters


def test_a_cluster_has_the_nodes_that_it_chooses() -> None:
    found = world(EDGE, node("w2"), node("w1"), node("x", "cluster: core"), node("s", role="bareMetal"))
    assert found.clusters["edge"].servers == ("w1", "w2")
    assert {name: server.cluster for name, server in found.servers.items()} == {
        "s": None,
        "w1": "edge",
        "w2": "edge",
        "x": None,
    }


def test_a_node_in_two_clusters_is_told_once_for_both() -> None:
    many = node("w{n}", spec="range: {last: 20}")
    built = build(many, EDGE, cluster("core").replace("cluster: core", "cluster: edge"))
    assert built.codes == ["IC2003"]
    assert "15 more" in str(built)


def test_a_cluster_without_nodes() -> None:
    assert build(EDGE, node("s", role="bareMetal")).codes == ["IC2004"]


def test_a_bare_metal_server_cannot_be_named() -> None:
    text = EDGE.replace("matchLabels: {cluster: edge}", "names: [w1, s]")
    assert build(text, node("w1"), node("s", role="bareMetal")).codes == ["IC2006"]


def test_clusters_of_one_mesh_know_each_other() -> None:
    three = [
        cluster(name).replace("srv6: {", "srv6: {mesh: m, " if name != "far" else "srv6: {")
        for name in ("edge", "core", "far")
    ]
    none = cluster("none").split("  srv6:", maxsplit=1)[0]
    nodes = [node(f"w-{name}", f"cluster: {name}") for name in ("edge", "core", "far", "none")]
    found = world(*three, none, *nodes).clusters
    assert {name: one.mesh for name, one in found.items()} == {
        "core": ("core", "edge"),
        "edge": ("core", "edge"),
        "far": ("far",),
        "none": (),
    }


def test_a_mesh_called_like_a_cluster_is_not_that_cluster() -> None:
    one, two = EDGE.replace("srv6: {", "srv6: {mesh: core, "), cluster("core")
    found = world(one, two, node("w1"), node("w2", "cluster: core")).clusters
    assert (found["edge"].mesh, found["core"].mesh) == (("edge",), ("core",))


def test_host_names_are_unique_in_a_cluster() -> None:
    many = node("w{n}", spec="hostname: worker\n  range: {last: 9}")
    assert build(EDGE, many).codes == ["IC2018"]
    assert build(EDGE, node("w1"), node("w2", spec="hostname: w1")).codes == ["IC2018"]
    other = cluster("core"), node("w2", "cluster: core", "hostname: w1")
    assert "IC2018" not in build(EDGE, node("w1"), *other).codes
    assert "IC2018" not in build(EDGE, node("w1"), node("s", spec="hostname: w1", role="bareMetal")).codes


# Pools


@pytest.mark.parametrize(
    ("nics", "found"),
    [
        ("names: [a]", ("a",)),
        ("names: [b, a]", ("a", "b")),
        ("vendor: '8086'", ("a",)),
        ("names: [b], vendor: '15b3'", ("b",)),
        ("pci: ['0000:01:00.0']", ("a",)),
    ],
)
def test_a_pool_finds_nics(nics: str, found: tuple[str, ...]) -> None:
    assert world(EDGE, node("w1"), pool("p", nics)).pools["p"].members == {"w1": found}


def test_a_pool_without_nics() -> None:
    assert build(EDGE, node("w1"), pool("p", "names: [b], vendor: '8086'")).codes == ["IC2005"]
    assert build(EDGE, node("w1"), pool("p", nodes="matchLabels: {role: upf}")).codes == ["IC2005"]


def test_a_pool_cannot_name_a_node_of_another_cluster() -> None:
    texts = EDGE, cluster("core"), node("w1"), node("w2", "cluster: core")
    assert build(*texts, pool("p", nodes="names: [w1, w2]")).codes == ["IC2006"]


@pytest.mark.parametrize("name", ["upf-left", "a.b", "x" * 80])
def test_the_resource_of_a_pool_is_a_resource_name(name: str) -> None:
    found = world(EDGE, node("w1"), pool(name)).pools[name].resource_name
    assert len(found) <= 63
    assert found.replace("_", "").isalnum()


# Networks


def test_a_network_reaches_the_fabrics_of_its_pools() -> None:
    texts = (
        EDGE,
        DC1,
        DC2,
        cabled("w1", "dc1", "dc2"),
        cabled("w2", "dc1"),
        pool("left"),
        pool("right", "names: [b]"),
    )
    found = world(
        *texts, vf("n1", "left"), vf("n2", "left", "right"), vf("n3", "right", extend=False)
    ).networks
    assert {name: one.fabrics for name, one in found.items()} == {
        "n1": ("dc1",),
        "n2": ("dc1", "dc2"),
        "n3": (),
    }


def test_a_network_reaches_the_fabrics_of_its_fixed_ports() -> None:
    by_node = """kind: FabricAttachment
metadata: {name: f}
spec: {network: n1, ports: [{node: w1, nic: b}]}
"""
    found = world(EDGE, DC1, DC2, cabled("w1", "dc1", "dc2"), vf("n1"), by_node, network("n2", "dc1"))
    assert (found.networks["n1"].fabrics, found.networks["n2"].fabrics) == (("dc2",), ("dc1",))


def test_a_gateway_alone_stands_wherever_its_zone_leaves() -> None:
    text = """kind: VirtualNetwork
metadata: {name: n1}
spec:
  zone: red
  subnets: [{cidr: 10.0.0.0/24}]
  attachments: [{type: bareMetal}]
  extendToFabric: true
  gateway: fabric
"""
    exits = [
        f"""kind: ExternalConnection
metadata: {{name: exit-{one}}}
spec: {{fabric: {one}, zone: red, ports: [{{switch: leaf1, port: e1, vlan: 10}}]}}
"""
        for one in ("dc1", "dc2")
    ]
    assert world(DC1, DC2, text, *exits).networks["n1"].fabrics == ("dc1", "dc2")
    assert world(DC1, DC2, text, exits[1]).networks["n1"].fabrics == ("dc2",)
    assert world(DC1, DC2, text).networks["n1"].fabrics == ()


def test_documents_and_facts_may_come_in_any_order_and_only_once() -> None:
    texts = [EDGE, node("w2"), node("w1"), DC2, DC1, pool("p"), vf("n2", "p"), vf("n1", "p")]
    texts += [f"kind: Facts\nmetadata: {{name: {name}}}\nspec: {{}}\n" for name in "ba"]
    report = Report()
    (root,) = load([Source("intentc.yaml", PROJECT)], report)
    loaded = load([Source("intent.yaml", documents(*texts))], report)
    intents = [intent for intent in loaded if intent.kind != "Facts"]
    facts = [intent for intent in loaded if intent.kind == "Facts"]
    one = resolve(root, intents, facts, report)
    two = resolve(root, iter(intents[::-1]), iter(facts[::-1]), report)
    assert one is not None
    assert one == two
    for part in ("servers", "clusters", "pools", "networks", "vrfs", "fabrics"):
        assert [*getattr(one, part)] == [*getattr(two, part)] == sorted(getattr(one, part))
