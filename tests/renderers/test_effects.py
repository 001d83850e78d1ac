"""What changes do to traffic: declared for every type that is rendered, and nothing declared in vain."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest

from reconciler.drivers.directory import Directory
from renderers import RULES
from renderers.changes import ABSENT, value
from renderers.resource import Resource
from renderers.rules import ALWAYS, LEVELS, NO_RULES, Effect, Operation, Rules
from tests import overlays, pods
from tests.overlays import CALICO_BASE
from tests.renderers.test_calico_vpp import KUBERNETES, TE
from tests.renderers.test_cni import CLUSTERS, NETWORKS
from tests.renderers.test_fabric import apstra, frr
from tests.renderers.test_linux import ZONES
from tests.renderers.test_srpolicy import OURS
from tests.renderers.test_vpp import FULL
from tests.support import build

GOLDEN = Path(__file__).parents[1] / "golden" / "examples"
NODES = pods.NODES.replace("name: ens1f1, vfs", 'name: ens1f1, vendor: "15b3", vfs')
DPDK = pods.LEFT + "  deviceType: vfio-pci\n"
NVIDIA = pods.RIGHT.replace("{names: [ens1f1]}", '{names: [ens1f1], vendor: "15b3"}') + (
    "  eSwitchMode: switchdev\n"
)


LINE = 100
"""A reason stands at the end of a line of a plan."""
IDENTITY = {("apiVersion",), ("kind",), ("metadata",), ("metadata", "name")}
"""What no object that we render lacks."""


@cache
def world() -> tuple[Resource, ...]:
    """Return what the examples and the tests of the renderers make."""
    found: list[Resource] = []
    for tree in sorted(GOLDEN.iterdir()):
        seen = Directory("golden", tree / "rendered").observe()
        assert seen.complete, seen.why
        found += seen.resources.values()
    calico = [KUBERNETES if text == overlays.CALICO else text for text in CALICO_BASE]
    for documents in (
        FULL,
        (*CALICO_BASE, TE),
        OURS,
        ZONES,
        calico,
        *((*pods.GROUND, cluster, pods.LEFT, pods.RIGHT, *NETWORKS) for cluster in CLUSTERS.values()),
        (pods.UNDERLAY, pods.FABRIC, NODES, pods.CLUSTER, DPDK, NVIDIA),
    ):
        found += build(*documents).resources()
    return (*found, *apstra(), *frr())


@cache
def by_type() -> Mapping[tuple[str, str], list[Resource]]:
    found: dict[tuple[str, str], list[Resource]] = {}
    for item in world():
        found.setdefault((item.key.family, item.key.type), []).append(item)
    return found


def impact(item: Resource, operation: Operation, before: Any = ABSENT, after: Any = ABSENT) -> str:
    """Return the level of an operation, which must be declared."""
    name = (item.key.family, item.key.type)
    found = RULES.impact(name, operation, before, after)
    assert found != NO_RULES.impact(name, operation, before, after), (
        f"{operation} of {item.key} falls through"
    )
    return found.level


def leaves(spec: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of each scalar, and of each list and mapping."""
    if path:
        yield path
    parts = spec.items() if isinstance(spec, Mapping) else enumerate(spec) if isinstance(spec, list) else ()
    for step, part in parts:
        yield from leaves(part, (*path, step))


def without(spec: Any, path: tuple[str | int, ...]) -> Any:
    """Return a copy of a spec that lacks one part."""
    changed = copy.deepcopy(spec)
    place = changed
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    return changed


RENDERED = sorted(RULES.effects.keys() - RULES.cleared)


def test_every_type_that_is_rendered_is_declared_and_no_other() -> None:
    assert by_type().keys() == set(RENDERED)
    assert RULES.cleared < RULES.effects.keys()


@pytest.mark.parametrize("name", RENDERED, ids="/".join)
def test_no_change_of_a_rendered_object_falls_to_the_default(name: tuple[str, str]) -> None:
    for item in {resource.digest: resource for resource in by_type()[name]}.values():
        impact(item, "create", after=item.spec)
        impact(item, "delete", before=item.spec)
        for path in leaves(item.spec):
            less = without(item.spec, path)
            impact(item, "update", less, item.spec)
            impact(item, "replace", less, item.spec)
            if path not in IDENTITY:
                impact(item, "update", item.spec, less)
                impact(item, "replace", item.spec, less)


@pytest.mark.parametrize("name", RENDERED, ids="/".join)
def test_every_field_that_is_declared_is_rendered_somewhere(name: tuple[str, str]) -> None:
    declared = {path for effect in RULES.effects[name] for path in effect.fields}
    declared |= RULES.replaces.get(name, frozenset())
    found = {path for path in declared for item in by_type()[name] if value(item.spec, path) is not ABSENT}
    assert found == declared


@pytest.mark.parametrize("name", RENDERED, ids="/".join)
def test_every_effect_tells_of_something_that_is_rendered(name: tuple[str, str]) -> None:
    """What needs both sides of a change to hold is proved below."""
    silent = {effect.reason for effect in RULES.effects[name] if effect.case is None}
    for item in by_type()[name]:
        for operation, before, after in changes_of(item):
            silent.discard(RULES.impact(name, operation, before, after).reason)
    assert silent == set()


def changes_of(item: Resource) -> Iterator[tuple[Operation, Any, Any]]:
    yield "create", ABSENT, item.spec
    yield "delete", item.spec, ABSENT
    yield "update", item.spec, item.spec
    for path in leaves(item.spec):
        less = without(item.spec, path)
        for operation in ("update", "replace"):
            yield operation, less, item.spec
            yield operation, item.spec, less


def told(kind: str, operation: Operation, before: Any = ABSENT, after: Any = ABSENT) -> str:
    """Return the level of a change of an object of a type, written family/type."""
    family, _, name = kind.partition("/")
    return RULES.impact((family, name), operation, before, after).level


def sriov(**spec: Any) -> dict[str, Any]:
    """Return a policy of 8 VFs on one PF, but for what is said; None leaves a field out."""
    said: dict[str, Any] = {
        "resourceName": "left",
        "nodeSelector": {"role": "upf"},
        "priority": 99,
        "numVfs": 8,
        "mtu": 1500,
        "nicSelector": {"pfNames": ["ens1f0"]},
        "deviceType": "netdevice",
        "isRdma": False,
        "linkType": "eth",
        "eSwitchMode": "legacy",
        "excludeTopology": False,
    }
    wanted = {name: value for name, value in (said | spec).items() if value is not None}
    return {"metadata": {"name": "left", "labels": {}}, "spec": wanted}


MELLANOX = {"pfNames": ["ens1f0"], "vendor": "15b3"}
RANGE = {"pfNames": ["ens1f0#0-3"]}


@pytest.mark.parametrize(
    ("after", "level"),
    [
        pytest.param({}, "hitless", id="a PF without VFs is set up without a drain"),
        pytest.param({"nicSelector": RANGE}, "drain", id="a PF that policies share may have VFs"),
        pytest.param({"deviceType": "vfio-pci"}, "reboot", id="the IOMMU may be off"),
        pytest.param({"eSwitchMode": "switchdev"}, "reboot", id="offload of Open vSwitch may be off"),
        pytest.param({"nicSelector": MELLANOX}, "reboot", id="the firmware holds the number of VFs"),
    ],
)
def test_the_sriov_operator_and_a_new_policy(after: dict[str, Any], level: str) -> None:
    assert told("kubernetes/SriovNetworkNodePolicy", "create", after=sriov(**after)) == level


@pytest.mark.parametrize(
    ("before", "after", "level"),
    [
        pytest.param({}, {"numVfs": 16}, "drain", id="more VFs"),
        pytest.param({}, {"numVfs": 4}, "drain", id="fewer VFs"),
        pytest.param({}, {"mtu": 9000}, "drain", id="MTU"),
        pytest.param({"mtu": None}, {"mtu": 9000}, "drain", id="an MTU where none was said"),
        pytest.param({}, {"deviceType": "vfio-pci"}, "reboot", id="to vfio-pci"),
        pytest.param({"deviceType": "vfio-pci"}, {}, "drain", id="from vfio-pci"),
        pytest.param(
            {"deviceType": "vfio-pci"},
            {"deviceType": "vfio-pci", "numVfs": 16},
            "drain",
            id="the IOMMU is on where vfio-pci was",
        ),
        pytest.param({}, {"eSwitchMode": "switchdev"}, "reboot", id="to switchdev"),
        pytest.param({"eSwitchMode": "switchdev"}, {}, "drain", id="from switchdev"),
        pytest.param({}, {"linkType": "ib"}, "reboot", id="link type"),
        pytest.param(
            {"nicSelector": MELLANOX}, {"nicSelector": MELLANOX, "numVfs": 16}, "reboot", id="firmware"
        ),
        pytest.param(
            {"nicSelector": MELLANOX}, {"nicSelector": MELLANOX, "mtu": 9000}, "drain", id="no firmware"
        ),
        pytest.param({}, {"nicSelector": {"pfNames": ["ens1f1"]}}, "drain", id="another PF"),
        pytest.param({}, {"nodeSelector": {"role": "n6"}}, "drain", id="other nodes"),
        pytest.param({}, {"priority": 10}, "drain", id="another policy may win"),
        pytest.param({}, {"resourceName": "west"}, "hitless", id="another name of the resource"),
        pytest.param({}, {"isRdma": True}, "hitless", id="RDMA devices are offered"),
        pytest.param({}, {"excludeTopology": True}, "hitless", id="NUMA is not told"),
    ],
)
def test_the_sriov_operator_and_a_changed_policy(
    before: dict[str, Any], after: dict[str, Any], level: str
) -> None:
    assert told("kubernetes/SriovNetworkNodePolicy", "update", sriov(**before), sriov(**after)) == level


def network(*leaves_: tuple[str, int], **spec: Any) -> dict[str, Any]:
    bound = [{"system_id": {"system": leaf}, "vlan_id": vlan} for leaf, vlan in leaves_]
    said = {
        "label": "n3",
        "vn_id": "10300",
        "reserved_vlan_id": 300,
        "security_zone_id": {"security_zone": "a"},
    }
    return {
        **said,
        "l3_mtu": 9000,
        "virtual_gateway_ipv4": None,
        "virtual_gateway_ipv6": None,
        "bound_to": bound,
        **spec,
    }


ONE = ("leaf1", 300)


@pytest.mark.parametrize(
    ("before", "after", "level"),
    [
        (network(ONE), network(ONE, description="words"), "hitless"),
        (network(ONE), network(("leaf0", 300), ONE), "hitless"),
        (network(ONE), network(ONE, vn_id="10301"), "brief loss"),
        (network(ONE), network(ONE, security_zone_id={"security_zone": "b"}), "brief loss"),
        (network(ONE), network(ONE, l3_mtu=1500), "brief loss"),
        (network(ONE), network(("leaf1", 301)), "drain"),
        (network(ONE), network(("leaf0", 300), ("leaf1", 301)), "drain"),
        (network(ONE), network(ONE, reserved_vlan_id=301), "drain"),
        (network(("leaf0", 300), ONE), network(ONE), "destroy"),
        (network(ONE), network(ONE, virtual_gateway_ipv4="10.0.0.1"), "hitless"),
        (
            network(ONE, virtual_gateway_ipv4="10.0.0.1"),
            network(ONE, virtual_gateway_ipv4="10.0.0.2"),
            "drain",
        ),
        (network(ONE, virtual_gateway_ipv4="10.0.0.1"), network(ONE), "drain"),
        (
            network(ONE, virtual_gateway_ipv4="10.0.0.1"),
            network(ONE, virtual_gateway_ipv4="10.0.0.1", virtual_gateway_ipv6="fd00::1"),
            "hitless",
        ),
    ],
)
def test_a_network_of_apstra_changes(before: Any, after: Any, level: str) -> None:
    assert told("apstra/virtual-network", "update", before, after) == level


def steps(*primitives: tuple[str, int], description: str = "") -> dict[str, Any]:
    """Return a connectivity template: id and VLAN of each step, and the policies that hold them."""
    batch: dict[str, Any] = {"id": "0", "policy_type_name": "batch", "description": description}
    batch |= {"attributes": {"subpolicies": [name for name, _ in primitives]}}
    rows = [
        {"id": name, "policy_type_name": "AttachLogicalLink", "attributes": {"vlan_id": vlan}}
        for name, vlan in primitives
    ]
    return {"policies": [batch, *rows]}


def links(*rows: tuple[str, str | None]) -> dict[str, Any]:
    return {"links": [{"switch": {"if_name": port}, "lag_mode": mode} for port, mode in rows]}


@pytest.mark.parametrize(
    ("kind", "before", "after", "level"),
    [
        ("connectivity-template", steps(("a", 1)), steps(("a", 1), description="words"), "hitless"),
        ("connectivity-template", steps(("a", 1)), steps(("b", 2), ("a", 1)), "hitless"),
        ("connectivity-template", steps(("a", 1)), steps(("a", 2)), "brief loss"),
        ("connectivity-template", steps(("a", 1), ("b", 2)), steps(("b", 2)), "destroy"),
        ("assignment", {"policies": {"a": "1"}}, {"policies": {"a": "1", "b": "2"}}, "hitless"),
        ("assignment", {"policies": {"a": "1"}}, {"policies": {"b": "2"}}, "destroy"),
        ("assignment", {"application_point": 1}, {"application_point": 2}, "brief loss"),
        ("generic-system", links(("e1", None)), links(("e0", None), ("e1", None)), "hitless"),
        ("generic-system", links(("e1", None)), links(("e1", "lacp_active")), "brief loss"),
        ("generic-system", links(("e1", None), ("e2", None)), links(("e2", None)), "destroy"),
        ("routing-zone", {"vni_id": 1}, {"vni_id": 2}, "brief loss"),
        ("routing-zone", {"dhcp_servers": []}, {"dhcp_servers": ["192.0.2.1"]}, "hitless"),
    ],
)
def test_an_apstra_document_changes(kind: str, before: Any, after: Any, level: str) -> None:
    assert told(f"apstra/{kind}", "update", before, after) == level


CONF = """frr defaults datacenter
vrf ran
 ip route 10.9.0.0/16 192.0.2.1
 vni 1000
exit-vrf
!
interface bond-1
 evpn mh es-id 1
exit
router bgp 65001 vrf ran
 bgp router-id 10.0.0.1
 neighbor 192.0.2.1 remote-as 65002
 !
 address-family ipv4 unicast
  neighbor 192.0.2.1 activate
 exit-address-family
exit
"""
IP = "link add br0 type bridge\nlink set swp1 up\n"
BOND = "link set swp2 down\nlink set swp2 master bond-1\n"
BRIDGE = "vlan add dev swp1 vid 300\n"
ROUTE = "ipv6 route fc00:1::/64 fe80::1 eth0\n"


@pytest.mark.parametrize(
    ("kind", "before", "after", "level"),
    [
        ("configuration", CONF, CONF + "vrf n6\n vni 1001\nexit-vrf\n", "hitless"),
        (
            "configuration",
            CONF,
            CONF.replace(" vni 1000", " ip route 10.8.0.0/16 192.0.2.1\n vni 1000"),
            "hitless",
        ),
        (
            "configuration",
            CONF,
            CONF.replace(" !\n", " neighbor 192.0.2.9 remote-as 65009\n neighbor 192.0.2.9 bfd\n !\n"),
            "hitless",
        ),
        ("configuration", CONF, CONF.replace(" !\n", " neighbor 192.0.2.1 bfd\n !\n"), "brief loss"),
        ("configuration", CONF, CONF.replace("es-id 1\n", "es-id 1\n description x\n"), "brief loss"),
        ("configuration", CONF, CONF.replace("router-id 10.0.0.1", "router-id 10.0.0.2"), "brief loss"),
        ("configuration", CONF, CONF.replace("remote-as 65002", "remote-as 65003"), "brief loss"),
        ("configuration", CONF, CONF.replace("bgp 65001", "bgp 65009"), "brief loss"),
        ("configuration", CONF, CONF.replace("/16 192.0.2.1", "/16 192.0.2.2"), "brief loss"),
        ("configuration", CONF, CONF.replace("10.9.0.0/16", "10.7.0.0/16"), "destroy"),
        ("configuration", CONF, CONF.replace("vni 1000", "vni 1001"), "destroy"),
        ("configuration", CONF, CONF.replace("192.0.2.1 ", "192.0.2.2 "), "destroy"),
        ("links", IP, IP + "link add vni1 type vxlan\n", "hitless"),
        ("links", IP, IP + BOND, "brief loss"),
        ("links", IP + BOND, IP + BOND + "link add vni1 type vxlan\n", "brief loss"),
        ("links", IP + "link set swp3 up\n", IP, "brief loss"),
        ("vlans", BRIDGE, BRIDGE + "vlan add dev swp1 vid 301\n", "hitless"),
        ("vlans", BRIDGE, BRIDGE.replace("300", "301"), "destroy"),
        ("static-routes", ROUTE, ROUTE + "ipv6 route fc00:2::/64 fe80::2\n", "hitless"),
        ("static-routes", ROUTE, ROUTE.replace("fe80::1", "fe80::9"), "brief loss"),
    ],
)
def test_text_of_frr_is_judged_by_its_lines(kind: str, before: str, after: str, level: str) -> None:
    assert told(f"frr/{kind}", "update", {"text": before}, {"text": after}) == level


POOL = {"apiVersion": "crd.projectcalico.org/v1", "spec": {"cidr": "10.0.0.0/16", "natOutgoing": True}}
FAR = {"apiVersion": "crd.projectcalico.org/v1", "spec": {"cidr": "10.1.0.0/16", "disabled": True}}
BLOCKS = {"apiVersion": "nv-ipam.nvidia.com/v1alpha1", "spec": {"subnet": "10.0.0.0/16"}}
AGENTS = {
    "metadata": {"name": "calico-vpp-config"},
    "data": {"CALICOVPP_INTERFACES": "{}", "SERVICE_PREFIX": "a"},
}
PLUGIN = {"metadata": {"name": "sriovdp-config"}, "data": {"config.json": "{}"}}
ONE_NODE = {"metadata": {"name": "srv6-config-w1"}, "data": {"srv6": ""}}


def changed(spec: dict[str, Any], path: str, to: Any) -> dict[str, Any]:
    found = copy.deepcopy(spec)
    *steps_, last = path.split(".", 1) if path.startswith("data.") else path.split(".")
    place = found
    for step in steps_:
        place = place[step]
    place[last] = to
    return found


@pytest.mark.parametrize(
    ("kind", "before", "path", "to", "level"),
    [
        ("IPPool", POOL, "spec.nodeSelector", "all()", "hitless"),
        ("IPPool", POOL, "spec.natOutgoing", False, "brief loss"),
        ("IPPool", BLOCKS, "spec.exclusions", [], "hitless"),
        ("IPPool", BLOCKS, "spec.subnet", "10.1.0.0/16", "drain"),
        ("ConfigMap", AGENTS, "data.SERVICE_PREFIX", "b", "brief loss"),
        ("ConfigMap", AGENTS, "metadata.labels", {"a": "b"}, "hitless"),
        ("ConfigMap", AGENTS, "data.CALICOVPP_INTERFACES", "[]", "drain"),
        ("ConfigMap", ONE_NODE, "data.srv6", "x", "brief loss"),
        ("ConfigMap", PLUGIN, "data.config.json", "x", "hitless"),
    ],
)
def test_one_kind_of_several_consumers_is_told_apart(
    kind: str, before: dict[str, Any], path: str, to: Any, level: str
) -> None:
    assert told(f"kubernetes/{kind}", "update", before, changed(before, path, to)) == level


@pytest.mark.parametrize(("spec", "level"), [(POOL, "destroy"), (FAR, "brief loss"), (BLOCKS, "destroy")])
def test_a_pool_that_goes_is_told_apart_too(spec: dict[str, Any], level: str) -> None:
    assert told("kubernetes/IPPool", "delete", before=spec) == level


@pytest.mark.parametrize(
    ("operation", "before", "after", "level"),
    [
        ("update", {"next_hop": "fe80::1"}, {"next_hop": "fe80::2"}, "brief loss"),
        ("update", {"lookup": 1}, {"lookup": 2}, "hitless"),
        ("delete", {"lookup": 1}, ABSENT, "destroy"),
        ("delete", {"next_hop": "fe80::1"}, ABSENT, "hitless"),
    ],
)
def test_a_route_of_vpp_changes(operation: Operation, before: Any, after: Any, level: str) -> None:
    assert told("vpp/route", operation, before, after) == level


def test_a_view_has_no_impact() -> None:
    views = {(item.key.family, item.key.type) for item in world() if item.view}
    assert views
    for family, name in views:
        assert {told(f"{family}/{name}", operation, {}, {}) for operation in get_args(Operation)} == {
            "hitless"
        }


def test_the_worst_counts_and_the_first_of_the_worst() -> None:
    thing = ("a", "b")
    rules = Rules(
        effects={
            thing: (
                Effect("hitless", "base"),
                Effect("drain", "first", fields=frozenset({"x"})),
                Effect("drain", "second", fields=frozenset({"x"})),
                Effect("destroy", "elsewhere", ALWAYS - {"update"}),
            )
        }
    )
    assert rules.impact(thing, "update", {"x": 1, "y": 1}, {"x": 2, "y": 2}) == ("drain", "first")
    assert rules.impact(thing, "update", {"y": 1}, {"y": 2}) == ("hitless", "base")
    assert rules.impact(thing, "delete", {"x": 1}, ABSENT) == ("destroy", "elsewhere")


def test_reasons_are_for_people() -> None:
    for effects in RULES.effects.values():
        for effect in effects:
            assert effect.level in LEVELS
            assert 0 < len(effect.reason) <= LINE, effect.reason
            assert not effect.reason.endswith(".")
            assert effect.case is None or effect.case.words
