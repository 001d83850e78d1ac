"""Which assertions hold, and what is said of those that do not."""

from __future__ import annotations

import pytest

from tests.pods import BASE, CLUSTER, NODES, network
from tests.support import build


def net(name: str, label: str, zone: str = "", cidr: str = "") -> str:
    """Return a network with a label; with a zone or a subnet where said."""
    spec = f", zone: {zone}" if zone else ""
    spec += f", gateway: external, subnets: [{{cidr: {cidr}}}]" if cidr else ""
    return (
        f"kind: VirtualNetwork\nmetadata: {{name: {name}, labels: {{plane: {label}}}}}\n"
        f"spec: {{attachments: [{{type: sriov, pool: left}}]{spec}}}\n"
    )


def router(name: str, kind: str, label: str, imports: str = "") -> str:
    """Return a router of the networks with a label."""
    more = f", imports: [{imports}]" if imports else ""
    return (
        f"kind: VirtualNetworkRouter\nmetadata: {{name: {name}}}\n"
        f"spec: {{type: {kind}, networks: {{matchLabels: {{plane: {label}}}}}{more}}}\n"
    )


def claim(kind: str, source: str, destination: str, more: str = "") -> str:
    """Return an assertion."""
    return (
        "kind: Assertion\nmetadata: {name: rule}\n"
        f"spec: {{description: said so, {kind}: "
        f"{{source: {{{source}}}, destination: {{{destination}}}{more}}}}}\n"
    )


NETS = (
    net("a1", "a", cidr="10.1.0.0/24"),
    net("a2", "a", cidr="10.2.0.0/24"),
    net("b1", "b", cidr="10.3.0.0/24"),
    net("c1", "c", "shared", "10.4.0.0/24"),
    net("c2", "d", "shared", "10.5.0.0/24"),
    net("flat", "e"),
)
EXTERNAL = """kind: ExternalConnection
metadata: {name: n6}
spec:
  fabric: dc1
  zone: shared
  ports: [{switch: leaf1, port: Ethernet48, vlan: 3001, address: 192.0.2.0/31, local: 192.0.2.0}]
"""
JOINED = [
    ("network: a1", "network: a1", (), "it is one network"),
    ("network: c1", "network: c2", (), "both are in zone 'shared'"),
    ("network: a1", "network: a2", (router("mesh", "mesh", "a"),), "router 'mesh' joins zones 'a1' and 'a2'"),
    (
        "network: a1",
        "network: b1",
        (router("spoke", "spoke", "a", "hub"), router("hub", "hub", "b")),
        "router 'spoke' joins",
    ),
    (
        "network: a1",
        "network: b1",
        (router("one", "mesh", "a", "two"), router("two", "mesh", "b", "one")),
        "routers 'one', 'two' join",
    ),
    ("cluster: edge", "cluster: edge", (), "both are in cluster 'edge'"),
    ("node: w1", "cluster: edge", (), "both are in cluster 'edge'"),
    ("network: c1", "external: n6", (EXTERNAL,), "both are in zone 'shared'"),
]
PARTED = [
    ("network: a1", "network: b1", (), "no router joins zones 'a1' and 'b1'"),
    (
        "network: a1",
        "network: a2",
        (router("spoke", "spoke", "a", "hub"), router("hub", "hub", "b")),
        "no router joins",
    ),
    ("network: a1", "network: flat", (), "has no subnet"),
    ("network: a1", "cluster: edge", (), "the default network of pods is in no zone"),
    ("node: w1", "network: a1", (), "the default network of pods is in no zone"),
    ("network: a1", "external: n6", (EXTERNAL,), "no router joins zones"),
]


@pytest.mark.parametrize(("one", "two", "routers", "why"), JOINED)
def test_joined(one: str, two: str, routers: tuple[str, ...], why: str) -> None:
    assert [
        c for c in build(*BASE, *NETS, *routers, claim("reach", one, two)).codes if c.startswith("IC238")
    ] == []
    built = build(*BASE, *NETS, *routers, claim("isolate", one, two))
    assert "IC2381" in built.codes
    assert why in str(built)
    assert "said so" in str(built)


@pytest.mark.parametrize(("one", "two", "routers", "why"), PARTED)
def test_parted(one: str, two: str, routers: tuple[str, ...], why: str) -> None:
    assert [
        c for c in build(*BASE, *NETS, *routers, claim("isolate", one, two)).codes if c.startswith("IC238")
    ] == []
    built = build(*BASE, *NETS, *routers, claim("reach", one, two))
    assert "IC2380" in built.codes
    assert why in str(built)


FAR = tuple(
    text.replace("edge", "far")
    .replace('"w{n}"', '"x{n}"')
    .replace("fd11::{n}", "fd11::1{n}")
    .replace("Ethernet{n}", "Ethernet{n+10}")
    .replace("10.64.", "10.65.")
    .replace("10.96.", "10.97.")
    .replace("fd64:", "fd65:")
    .replace("fcdd:", "fcde:")
    .replace("cafe:1", "cafe:2")
    for text in (NODES, CLUSTER)
)
SAME = "zone: z"
OVER, OVER_FAR, OVER_BOTH = (
    f"{{type: overlay, clusters: [{names}]}}" for names in ("edge", "far", "edge, far")
)


def meshed(*texts: str) -> tuple[str, ...]:
    return tuple(text.replace("srv6: {", "srv6: {mesh: all, ") for text in texts)


@pytest.mark.parametrize(
    ("base", "one", "two", "why"),
    [
        (
            (*BASE, *FAR),
            network("one", f"{SAME}\nsubnets: [{{cidr: 10.1.0.0/24}}]", OVER),
            network("two", f"{SAME}\nsubnets: [{{cidr: 10.2.0.0/24}}]", OVER_FAR),
            "no tunnel joins clusters 'edge' and 'far'",
        ),
        (
            (*BASE, *FAR),
            network("one", f"{SAME}\nsubnets: [{{cidr: 10.1.0.0/24}}]", OVER_BOTH),
            "",
            "no tunnel joins clusters 'edge' and 'far'",
        ),
        (
            BASE,
            network("one", f"{SAME}\nsubnets: [{{cidr: 10.1.0.0/24}}]", OVER),
            network("two", f"{SAME}\nsubnets: [{{cidr: 'fd01::/64'}}]", OVER),
            "no address family in common",
        ),
        (
            BASE,
            network("one", f"{SAME}\nsubnets: [{{cidr: 10.1.0.0/24}}]", OVER),
            network("two", f"{SAME}\ngateway: external\nsubnets: [{{cidr: 10.2.0.0/24}}]"),
            "'one' is on the overlay only",
        ),
        (
            BASE,
            network("one", f"{SAME}\nsubnets: [{{cidr: 10.1.0.0/24}}]"),
            network("two", f"{SAME}\ngateway: external\nsubnets: [{{cidr: 10.2.0.0/24}}]"),
            "'one' has no gateway",
        ),
    ],
)
def test_one_zone_is_not_enough_to_reach(base: tuple[str, ...], one: str, two: str, why: str) -> None:
    source, destination = "network: one", "network: two" if two else "network: one"
    others = [two] if two else []
    built = build(*base, one, *others, claim("reach", source, destination))
    assert "IC2380" in built.codes
    assert why in str(built)
    # What lacks a way today is not isolated by intent.
    assert "IC2381" in build(*base, one, *others, claim("isolate", source, destination)).codes


def test_a_mesh_joins_networks_and_pods_of_its_clusters() -> None:
    nets = [
        network("one", f"{SAME}\nsubnets: [{{cidr: 10.1.0.0/24}}]", OVER),
        network("two", f"{SAME}\nsubnets: [{{cidr: 10.2.0.0/24}}]", OVER_FAR),
    ]
    base = meshed(*BASE, *FAR)
    assert build(*base, *nets, claim("reach", "network: one", "network: two")).codes == []
    assert build(*base, claim("reach", "cluster: edge", "cluster: far")).codes == []


def test_pods_of_a_mesh_need_a_family_in_common() -> None:
    base = meshed(*BASE, *FAR)
    four = [text.replace(', ipv6: "fd64::/48"', "") for text in base]
    parted = [text.replace('ipv4: 10.65.0.0/16, ipv6: "fd65::/48"', 'ipv6: "fd65::/48"') for text in four]
    built = build(*parted, claim("reach", "cluster: edge", "cluster: far"))
    assert "their pods have no address family in common" in str(built)


@pytest.mark.parametrize(("one", "two"), [("a1", "b1"), ("b1", "a1")])
def test_one_way_neither_reaches_nor_isolates(one: str, two: str) -> None:
    routers = (router("one", "mesh", "a", "two"), router("two", "mesh", "b"))
    for kind, code in (("reach", "IC2380"), ("isolate", "IC2381")):
        built = build(*BASE, *NETS, *routers, claim(kind, f"network: {one}", f"network: {two}"))
        assert code in built.codes
        assert "gives zone 'a1' the routes of 'b1', but not the other way round" in str(built)


@pytest.mark.parametrize(
    ("kind", "more"), [("path", ", through: [p1]"), ("latency", ", atMost: 5ms"), ("survives", ", links: 1")]
)
def test_what_is_not_judged_is_said(kind: str, more: str) -> None:
    built = build(*BASE, *NETS, claim(kind, "node: w1", "node: w2", more))
    assert built.codes == []
    assert [entry.code for entry in built.diagnostics if entry.severity == "note"] == ["IC2382"]
