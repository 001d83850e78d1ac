"""Apstra documents: shapes, identities, and what is applied where."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid5

import pytest

from renderers.connectivity import NAMESPACE, Primitive, template, template_id
from renderers.resource import Resource
from tests.fabrics import N3, WHOLE, compiled, placed
from tests.renderers.test_fabric import SCOPE, apstra, as_lines, same_as_golden


@pytest.fixture(scope="module")
def documents() -> list[Resource]:
    return [resource for resource in apstra() if resource.key.family == "apstra"]


def spec(documents: list[Resource], type_: str, name: str) -> Any:
    return next(item.spec for item in documents if (item.key.type, item.key.name) == (type_, name))


def test_the_documents_are_as_written(documents: list[Resource], update_golden: bool) -> None:  # noqa: FBT001 -- a fixture
    same_as_golden("apstra.txt", as_lines(documents), update_golden)


def test_a_vni_is_text_on_networks_and_a_number_on_zones(documents: list[Resource]) -> None:
    assert spec(documents, "virtual-network", "n3")["vn_id"] == "1000103"
    assert spec(documents, "routing-zone", "ran")["vni_id"] == 2000003


def test_a_network_is_bound_to_the_pair_and_not_to_one_leaf(documents: list[Resource]) -> None:
    bound = spec(documents, "virtual-network", "n3")["bound_to"]
    assert [item["system_id"] for item in bound] == [{"redundancy_group": "rack1"}]


def test_a_network_without_ports_is_bound_nowhere_and_not_null() -> None:
    resources = compiled(*WHOLE).resources(SCOPE)
    assert (
        spec([item for item in resources if item.key.family == "apstra"], "virtual-network", "n3")["bound_to"]
        == []
    )


def test_both_families_have_their_gateway(documents: list[Resource]) -> None:
    network = spec(documents, "virtual-network", "n6")
    assert (network["virtual_gateway_ipv4"], network["virtual_gateway_ipv6"]) == ("10.10.6.1", "fd10:6::fe")
    assert network["dhcp_service"] == "dhcpServiceEnabled"
    assert spec(documents, "routing-zone", "internet")["dhcp_servers"] == ["10.99.0.1"]


def test_a_network_that_the_fabric_does_not_route_has_no_subnet_there() -> None:
    quiet = N3.replace("  gateway: fabric\n", "")
    resources = compiled(*[quiet if item == N3 else item for item in WHOLE]).resources(SCOPE)
    network = spec([item for item in resources if item.key.family == "apstra"], "virtual-network", "n3")
    assert (network["ipv4_enabled"], network["ipv4_subnet"], network["l3_mtu"]) == (False, None, None)


def test_the_smallest_template_is_three_policies() -> None:
    attributes = {"vn_node_id": {"virtual_network": "n3"}, "tag_type": "vlan_tagged"}
    batch, pipeline, primitive = template("dc1", "n3 tagged", [Primitive("AttachSingleVLAN", attributes)])[
        "policies"
    ]
    assert (batch["policy_type_name"], batch["visible"]) == ("batch", True)
    assert batch["attributes"] == {"subpolicies": [pipeline["id"]]}
    assert pipeline["attributes"] == {
        "first_subpolicy": primitive["id"],
        "second_subpolicy": None,
        "resolver": None,
    }
    assert primitive["attributes"] == attributes
    assert json.loads(batch["user_data"]) == {"isSausage": True, "positions": {primitive["id"]: [290, 80, 1]}}


def test_primitives_below_others_hang_on_a_batch() -> None:
    tree = Primitive(
        "AttachLogicalLink", {}, children=(Primitive("AttachIpEndpointWithBgpNsxt", {}, "192.0.2.1"),)
    )
    policies = template("dc1", "out", [tree])["policies"]
    by_id = {policy["id"]: policy for policy in policies}
    below = by_id[policies[1]["attributes"]["second_subpolicy"]]
    assert (below["policy_type_name"], below["visible"]) == ("batch", False)
    inner = by_id[by_id[below["attributes"]["subpolicies"][0]]["attributes"]["first_subpolicy"]]
    assert inner["policy_type_name"] == "AttachIpEndpointWithBgpNsxt"
    positions = json.loads(policies[0]["user_data"])["positions"]
    assert positions == {policies[2]["id"]: [290, 80, 1], inner["id"]: [290, 150, 1]}


def test_ids_of_policies_follow_from_fabric_and_label_alone() -> None:
    one = template("dc1", "n3 tagged", [Primitive("AttachSingleVLAN", {"a": 1})])
    two = template("dc1", "n3 tagged", [Primitive("AttachSingleVLAN", {"a": 2})])
    ids = [policy["id"] for policy in one["policies"]]
    assert ids == [policy["id"] for policy in two["policies"]]
    assert {UUID(text).version for text in ids} == {5}
    assert len(set(ids)) == 3
    assert template_id("dc1", "n3 tagged") == ids[0] != template_id("dc2", "n3 tagged")
    assert ids[0] == str(uuid5(UUID(NAMESPACE), "dc1/n3 tagged"))


def test_assignments_name_templates_that_exist(documents: list[Resource]) -> None:
    made = {
        item.key.name: item.spec["policies"][0]["id"]
        for item in documents
        if item.key.type == "connectivity-template"
    }
    used = [item.spec["policies"] for item in documents if item.key.type == "assignment"]
    assert used
    assert all(made[label] == policy for several in used for label, policy in several.items())


def test_a_port_gets_the_set_of_templates_that_its_pods_need(documents: list[Resource]) -> None:
    assert sorted(spec(documents, "assignment", "leaf1/Ethernet1")["policies"]) == ["n3 tagged", "n6 tagged"]
    assert sorted(spec(documents, "assignment", "leaf2/Ethernet1")["policies"]) == ["n6 tagged"]


def test_a_lag_over_a_pair_is_applied_to_the_group_and_never_to_its_members(
    documents: list[Resource],
) -> None:
    point = spec(documents, "assignment", "rack1/fw-bond0")["application_point"]
    assert point["redundancy_group"] == "rack1"
    assert not [
        item for item in documents if item.key.type == "assignment" and item.key.name.endswith("Ethernet9")
    ]


def test_a_pod_that_goes_takes_its_assignment_and_leaves_the_template() -> None:
    def names(*pods: tuple[str, str, str, str]) -> set[tuple[str, str]]:
        facts = [placed(*pods)] if pods else []
        resources = compiled(*WHOLE, *facts).resources(SCOPE)
        return {(item.key.type, item.key.name) for item in resources if item.key.family == "apstra"}

    gone = names(("upf-0", "w1", "n3", "ens1f0")) - names()
    assert gone == {("assignment", "leaf1/Ethernet1")}


def test_passwords_are_references(documents: list[Resource]) -> None:
    policies = spec(documents, "connectivity-template", "out border1 Ethernet49 3001")["policies"]
    peers = [
        item["attributes"] for item in policies if item["policy_type_name"] == "AttachIpEndpointWithBgpNsxt"
    ]
    assert [peer["password"] for peer in peers] == [{"secret": "env:N6_PASSWORD"}, None]
    assert [(peer["ipv4_addr"], peer["ipv6_addr"], peer["ttl"]) for peer in peers] == [
        ("192.0.2.1", None, 1),
        (None, "2001:db8::1", 2),
    ]


def test_a_server_carries_its_cables_with_the_names_of_its_pfs(documents: list[Resource]) -> None:
    links = spec(documents, "generic-system", "fw")["links"]
    assert [(link["system"]["if_name"], link["lag_mode"], link["link_group_label"]) for link in links] == [
        ("eth0", "lacp_active", "fw-bond0"),
        ("eth1", "lacp_active", "fw-bond0"),
    ]
    assert [link["lag_mode"] for link in spec(documents, "generic-system", "w1")["links"]] == [None, None]


def test_templates_are_made_ahead_for_pods_and_on_demand_for_fixed_ports() -> None:
    resources = compiled(*WHOLE).resources(SCOPE)
    labels = [item.key.name for item in resources if item.key.type == "connectivity-template"]
    assert labels[:3] == ["n3 tagged", "n6 untagged", "n6 tagged"]


def test_dhcp_servers_of_a_zone_come_from_the_networks_that_relay(documents: list[Resource]) -> None:
    zone = next(item for item in documents if (item.key.type, item.key.name) == ("routing-zone", "internet"))
    assert zone.spec["dhcp_servers"] == ["10.99.0.1"]
    causes = [(item.intent.name, item.path) for item in zone.origins if item.field == "dhcp_servers"]
    assert causes == [("n6", ("spec", "dhcpRelay"))]
