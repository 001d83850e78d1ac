"""What an agent adds to a slice from BGP: on every data plane what Kubernetes would have brought it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from compiler.graph import Scope
from reconciler.agent.policies import merged
from reconciler.drivers.gobgp.client import Api
from reconciler.drivers.gobgp.paths import announced_as
from reconciler.drivers.gobgp.received import received
from renderers.resource import Key, Resource
from tests.gobgpd import stand_in
from tests.overlays import CLUSTER, UNDERLAY, VIA_BOTH, W1, node, policy, resources
from tests.support import build

EDGE = Scope("cluster", "edge")
UPLINKS = {"vpp": "loop0", "linux": "eth0"}
"""What the uplink is called; VPP's is the only sort of interface that it makes by itself."""


def cluster(plane: str, encapsulation: str, *, bgp: bool) -> str:
    """Return the cluster under one of the control planes."""
    said = CLUSTER.replace("dataplane: vpp", f"dataplane: {plane}")
    said = said.replace("srv6: {", f"srv6: {{encapsulation: {encapsulation}, ")
    if encapsulation == "usid":
        said = said.replace('localsids: "fcdd::/48"', 'localsidBlockSize: 48, localsids: "fcbb:0:8000::/33"')
    if bgp:
        said = said.replace("kubernetes", 'bgp\n  bgp: {injector: "fd22::ffff"}')
    return said


def slice_and_announcements(
    plane: str, encapsulation: str, *, bgp: bool, paths: str = VIA_BOTH
) -> tuple[list[Resource], list[Resource]]:
    """Return the objects of w1's data plane, and what the cluster announces."""
    nodes = (node(number).replace("interface: eth0", f"interface: {UPLINKS[plane]}") for number in (1, 2, 3))
    built = build(UNDERLAY, *nodes, cluster(plane, encapsulation, bgp=bgp), policy(paths))
    assert built.codes == []
    mine = [item for item in resources(built, W1) if item.key.family == plane]
    return mine, [item for item in resources(built, EDGE) if item.key.family == "srpolicy"]


@pytest.mark.parametrize(
    ("plane", "encapsulation"),
    [("vpp", "full"), ("vpp", "usid"), ("linux", "full"), ("linux", "reduced"), ("linux", "usid")],
)
def test_both_control_planes_bring_a_node_the_same(plane: str, encapsulation: str) -> None:
    slim, announcements = slice_and_announcements(plane, encapsulation, bgp=True)
    plain, none = slice_and_announcements(plane, encapsulation, bgp=False)
    assert announcements
    assert none == []
    assert "policy" not in {item.key.type for item in slim}
    with stand_in() as server:
        for item in announcements:
            server.policy(announced_as(item.spec))
        api = Api(server.address)
        found = merged(slim, received(api), {})
        api.close()
    assert (found.missing, found.stale) == ((), ())
    assert specs(found.resources) == specs(plain)


def specs(found: Iterable[Resource]) -> dict[Key, object]:
    """Return what each object says."""
    return {item.key: dict(item.spec) for item in found}
