"""FRR text: what stands on which switch, and that no secret does."""

from __future__ import annotations

import pytest

from renderers.frr_switch import device, router_mac
from renderers.resource import Resource
from tests.fabrics import WHOLE, compiled, for_frr
from tests.renderers.test_fabric import SCOPE, frr, same_as_golden


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return {item.key.name: item.spec["text"] for item in resources() if "text" in item.spec}


def resources() -> list[Resource]:
    return [item for item in frr() if item.key.family == "frr"]


@pytest.mark.parametrize(
    "name",
    [
        "leaf1.conf",
        "leaf1.ip",
        "leaf1.bridge",
        "leaf2.ip",
        "border1.conf",
        "border1.ip",
        "spine1.conf",
        "spine1.ip",
    ],
)
def test_the_text_is_as_written(name: str, texts: dict[str, str], update_golden: bool) -> None:  # noqa: FBT001 -- a fixture
    same_as_golden(name, texts[name], update_golden)


def test_every_switch_has_its_texts(texts: dict[str, str]) -> None:
    leaves = {
        f"{name}.{suffix}" for name in ("leaf1", "leaf2", "border1") for suffix in ("conf", "ip", "bridge")
    }
    assert set(texts) == leaves | {"spine1.conf", "spine1.ip"}


def test_both_leaves_of_a_pair_carry_the_same_networks_and_segment(texts: dict[str, str]) -> None:
    def said(text: str, *words: str) -> list[str]:
        return [line for line in text.splitlines() if line.strip().startswith(words)]

    for words in (("vni", "route-target"), ("evpn mh es-id",)):
        assert said(texts["leaf1.conf"], *words) == said(texts["leaf2.conf"], *words) != []


def test_route_targets_are_said_and_never_derived(texts: dict[str, str]) -> None:
    rows = [line.strip() for line in texts["leaf1.conf"].splitlines()]
    at = rows.index("vni 1000103")
    assert rows[at + 1 : at + 3] == ["route-target import 1000103:1", "route-target export 1000103:1"]


def test_a_password_stands_in_no_text_and_its_reference_beside_them(texts: dict[str, str]) -> None:
    assert "password" not in "".join(texts.values())
    (secrets,) = [item for item in resources() if item.key.type == "secrets"]
    assert secrets.key.name == "border1"
    assert secrets.spec == {
        "neighbors": [{"vrf": "internet", "neighbor": "192.0.2.1", "secret": "env:N6_PASSWORD"}]
    }


def test_a_switch_without_secrets_has_no_such_resource() -> None:
    open_ = [item.replace(", password: {env: N6_PASSWORD}", "") for item in for_frr(*WHOLE)]
    found = compiled(*open_).resources(SCOPE)
    assert [item.key.name for item in found if item.key.type == "secrets"] == []


def test_prefix_filters_are_lists_of_the_family_of_the_peer() -> None:
    filtered = [
        item.replace(
            "password: {env: N6_PASSWORD}", "imports: [0.0.0.0/0], exports: [10.10.6.0/24, 10.10.0.0/16]"
        )
        for item in for_frr(*WHOLE)
    ]
    found = compiled(*filtered).resources(SCOPE)
    text = next(item.spec["text"] for item in found if item.key.name == "border1.conf")
    assert [line for line in text.splitlines() if "prefix-list" in line] == [
        "ip prefix-list internet-192.0.2.1-in seq 5 permit 0.0.0.0/0",
        "ip prefix-list internet-192.0.2.1-out seq 5 permit 10.10.6.0/24",
        "ip prefix-list internet-192.0.2.1-out seq 10 permit 10.10.0.0/16",
        "  neighbor 192.0.2.1 prefix-list internet-192.0.2.1-in in",
        "  neighbor 192.0.2.1 prefix-list internet-192.0.2.1-out out",
    ]


def test_a_further_neighbour_leaves_the_filters_of_the_others_alone() -> None:
    filtered = [
        item.replace("password: {env: N6_PASSWORD}", "imports: [0.0.0.0/0]") for item in for_frr(*WHOLE)
    ]
    further = [
        item.replace(
            "  peers:\n", "  peers:\n    - {switch: border1, address: 192.0.2.9, asn: 64998, multihop: 3}\n"
        )
        for item in filtered
    ]
    before, after = (
        next(
            item.spec["text"]
            for item in compiled(*documents).resources(SCOPE)
            if item.key.name == "border1.conf"
        )
        for documents in (filtered, further)
    )
    assert set(before.splitlines()) <= set(after.splitlines())


def test_router_macs_are_local_and_follow_the_router_id() -> None:
    assert router_mac("10.0.0.1") == "02:00:0a:00:00:01"


def test_names_of_links_fit_and_stay_apart() -> None:
    assert device("ext", "swp49.3001") == "swp49.3001"
    long = [device("ext", f"enp129s0f0np0.{vlan}") for vlan in (3001, 3002)]
    assert all(len(name) <= 15 for name in long)
    assert len(set(long)) == 2


def test_a_router_that_joins_zones_is_a_cause_of_the_text() -> None:
    leaf = next(item for item in resources() if item.key.name == "leaf1.conf")
    assert "VirtualNetworkRouter" in {origin.intent.kind for origin in leaf.origins}


def test_a_neighbour_in_the_own_as_is_not_external() -> None:
    inside = (item.replace("asn: 64999, multihop", "asn: 65003, multihop") for item in for_frr(*WHOLE))
    text = next(item for item in compiled(*inside).resources() if item.key.name == "border1.conf").spec[
        "text"
    ]
    assert "remote-as 65003" in text
    assert "ebgp-multihop" not in text
