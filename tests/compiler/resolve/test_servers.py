"""Servers: profiles, cables, and the LAGs that bonds need."""

from __future__ import annotations

import re

import pytest

from compiler.resolve.servers import merge
from compiler.resolved import Lag, Port, Resolved
from intent.diagnostics import Report
from intent.load import load
from intent.source import Source
from tests.ledgers import world
from tests.support import build, documents

GROUPS = "redundancyGroups: [{name: rack1, switches: [leaf1, leaf2]}]"
FABRIC = f"""kind: Fabric
metadata: {{name: dc1}}
spec:
  provider: apstra
  apstra: {{blueprint: dc1}}
  switches: [{{name: leaf1}}, {{name: leaf2}}, {{name: leaf3}}]
  {GROUPS}
"""
DC2 = FABRIC.replace("dc1", "dc2")
NICS = "nics: [{name: a}, {name: b}, {name: c}]"
BOND = "bonds: [{name: bond0, nics: [a, b]}]"


def cable(nic: str, switch: str, port: str = "e1", fabric: str = "dc1") -> str:
    return f"{{nic: {nic}, fabric: {fabric}, switch: {switch}, port: '{port}'}}"


def server(*parts: str, name: str = "s1", meta: str = "") -> str:
    body = "\n  ".join(parts)
    return f'kind: Node\nmetadata: {{name: "{name}"{meta}}}\nspec:\n  role: bareMetal\n  {body}\n'


def cables(*said: str) -> str:
    return f"cables: [{', '.join(said)}]"


def bonded(*switches: str, bond: str = BOND, name: str = "s1", ports: str = "e1", meta: str = "") -> str:
    legs = cables(*(cable(nic, switch, ports) for nic, switch in zip("ab", switches, strict=True)))
    return server(NICS, bond, legs, name=name, meta=meta)


def lag(*texts: str, name: str = "s1") -> Lag:
    return world(FABRIC, *texts).lags[name, "bond0"]


def codes(*texts: str) -> list[str]:
    return build(*texts).codes


# Profiles


def merged(node: str, profile: str) -> Resolved:
    return world(
        server("profile: p", node), f"kind: NodeProfile\nmetadata: {{name: p}}\nspec:\n  {profile}\n"
    )


def test_a_node_says_fields_of_a_nic_on_top_of_its_profile() -> None:
    found = merged(
        "nics: [{name: a, numa: 1}, {name: z, vfs: 2}]",
        "nics: [{name: a, vfs: 64, mtu: 9000, numa: 0}, {name: b}]",
    ).servers["s1"]
    assert [*found.nics] == ["a", "b", "z"]
    nic = found.nics["a"]
    assert (nic.vfs, nic.mtu, nic.numa) == (64, 9000, 1)


def test_a_node_says_fields_of_a_bond_on_top_of_its_profile() -> None:
    base = f"{NICS}\n  bonds: [{{name: bond0, nics: [a, b], mode: active-backup, mtu: 9000}}]"
    bond = merged("bonds: [{name: bond0, nics: [a, c]}]", base).servers["s1"].bonds["bond0"]
    assert (bond.nics, bond.mode, bond.mtu) == (("a", "c"), "active-backup", 9000)


def test_site_labels_and_sids_of_the_profile_hold_where_the_node_says_nothing() -> None:
    base = "site: dc1\n  labels: {role: upf, rack: r1}\n  maxSids: 8"
    one, two = (
        merged("labels: {rack: r2}", base).servers["s1"],
        merged("site: dc2\n  maxSids: 4", base).servers["s1"],
    )
    assert (one.site, one.max_sids, one.labels["role"], one.labels["rack"]) == ("dc1", 8, "upf", "r2")
    assert (two.site, two.max_sids) == ("dc2", 4)
    assert one.labels["kubernetes.io/hostname"] == "s1"


def test_a_part_knows_the_document_that_says_it() -> None:
    found = merged("nics: [{name: z}]", "nics: [{name: a}]").servers["s1"]
    assert found.origin("nics", "z") == (found.intent, ("spec", "nics", 0))
    assert found.origin("nics", "a") == (found.profile, ("spec", "nics", 0))


def test_an_unknown_profile_merges_as_none() -> None:
    (intent,) = load([Source("intent.yaml", documents(server("profile: p")))], Report())
    assert merge(intent, {}).profile is None


def test_a_nic_and_a_bond_of_one_name() -> None:
    texts = (
        server("profile: p", NICS),
        "kind: NodeProfile\nmetadata: {name: p}\nspec: {bonds: [{name: a, nics: [b, c]}]}\n",
    )
    assert codes(*texts) == ["IC2019"]


# Cables


def test_cables_are_found_by_port_and_by_nic() -> None:
    found = world(FABRIC, server(NICS, cables(cable("a", "leaf1"), cable("b", "leaf3", "e7"))))
    assert found.wired[Port("dc1", "leaf3", "e7")].nic == "b"
    assert found.points("s1", "a") == (Port("dc1", "leaf1", "e1"),)
    assert found.points("s1", "c") == ()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ((cable("a", "leaf1"), cable("a", "leaf2")), "IC2010"),
        ((cable("z", "leaf1"),), "IC2011"),
        ((cable("a", "leaf9"),), "IC2002"),
        ((cable("a", "leaf1"), cable("b", "leaf1")), "IC2012"),
    ],
)
def test_wrong_cables(said: tuple[str, ...], code: str) -> None:
    assert codes(FABRIC, server(NICS, cables(*said))) == [code]


def test_a_node_that_lists_no_nics_may_cable_any() -> None:
    assert codes(FABRIC, server(cables(cable("a", "leaf1")))) == []


def test_two_nics_of_one_node_in_a_range_are_not_told_to_use_its_number() -> None:
    wrong = cables(cable("a", "leaf1", "e{n}"), cable("b", "leaf1", "e{n}"))
    found = build(FABRIC, server(NICS, "range: {last: 2}", wrong, name="w{n}")).diagnostics
    assert {(entry.code, entry.hint) for entry in found} == {("IC2012", "a port takes one cable")}


def test_a_mistake_of_a_range_is_told_once() -> None:
    many = "range: {last: 40}"
    for wrong, code in (
        (cables(cable("a", "leaf1")), "IC2012"),
        (cables(cable("z", "leaf1", "e{n}")), "IC2011"),
        (cables(cable("a", "leaf9", "e{n}")), "IC2002"),
    ):
        built = build(FABRIC, server(NICS, many, wrong, name="w{n}"))
        assert built.codes == [code]
    assert (
        "{n}"
        in build(FABRIC, server(NICS, many, cables(cable("a", "leaf1")), name="w{n}")).diagnostics[0].hint
    )


# Bonds and LAGs


def test_a_bond_on_one_switch_is_a_lag() -> None:
    found = lag(bonded("leaf3", "leaf3").replace("port: 'e1'}]", "port: 'e2'}]"))
    assert (found.name, found.group, found.esi, found.system_id) == ("s1-bond0", None, None, None)
    assert found.members == (Port("dc1", "leaf3", "e1"), Port("dc1", "leaf3", "e2"))


def test_a_bond_over_a_pair_is_an_esi_lag_with_derived_ids() -> None:
    found = lag(bonded("leaf1", "leaf2"))
    assert found.group == "rack1"
    assert re.fullmatch(r"00(:[0-9a-f]{2}){9}", found.esi or "")
    assert re.fullmatch(r"02(:[0-9a-f]{2}){5}", found.system_id or "")
    assert lag(bonded("leaf2", "leaf1")).esi == found.esi, "the order of legs does not matter"


def test_derived_ids_differ_between_servers_and_follow_the_uid() -> None:
    one, two = lag(bonded("leaf1", "leaf2")), lag(bonded("leaf1", "leaf2", name="s2"), name="s2")
    same = lag(bonded("leaf1", "leaf2", name="s3", meta=", uid: s1"), name="s3")
    assert len({one.esi, two.esi}) == len({one.system_id, two.system_id}) == 2
    assert (same.esi, same.system_id) == (one.esi, one.system_id)


def test_pinned_ids() -> None:
    esi, system = "00:11:22:33:44:55:66:77:88:99", "02:00:00:00:00:07"
    bond = BOND.replace("nics:", f"esi: '{esi}', systemId: '{system}', nics:")
    found = lag(bonded("leaf1", "leaf2", bond=bond))
    assert (found.esi, found.system_id) == (esi, system)


def test_an_mlag_pair_has_no_segment() -> None:
    text = FABRIC.replace("name: rack1", "name: rack1, type: mlag")
    found = world(text, bonded("leaf1", "leaf2")).lags["s1", "bond0"]
    assert (found.group, found.esi) == ("rack1", None)
    assert found.system_id


def test_both_legs_and_the_bond_enter_by_the_lag() -> None:
    found = world(FABRIC, bonded("leaf1", "leaf2"))
    (one,) = {found.points("s1", name) for name in ("a", "b", "bond0")}
    assert one == (found.lags["s1", "bond0"],)


def test_active_backup_is_two_ports_and_may_span_anything() -> None:
    bond = BOND.replace("nics:", "mode: active-backup, nics:")
    for two in (cable("b", "leaf3", "e9"), cable("b", "leaf1", "e1", "dc2")):
        found = world(FABRIC, DC2, server(NICS, bond, cables(cable("a", "leaf1"), two)))
        assert not found.lags
        assert len(found.points("s1", "bond0")) == 2
        assert len(found.points("s1", "a")) == 1


def test_a_bond_without_any_cable_is_no_lag() -> None:
    assert not world(FABRIC, server(NICS, BOND)).lags


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (server(NICS, BOND, cables(cable("a", "leaf1"))), "IC2014"),
        (server(NICS, BOND, cables(cable("a", "leaf1"), cable("b", "leaf1", "e1", "dc2"))), "IC2015"),
        (bonded("leaf1", "leaf3"), "IC2016"),
        (server(NICS, BOND.replace("a, b", "a, z")), "IC2011"),
        (server(NICS, BOND.replace("a, b", "a, a")), "IC2013"),
        (server(NICS, BOND.replace("}]", "}, {name: bond1, nics: [b, c]}]")), "IC2013"),
        (server(NICS, BOND, cables(cable("a", "leaf1"), cable("b", "leaf9"))), "IC2002"),
    ],
)
def test_bonds_that_cannot_be(text: str, code: str) -> None:
    assert codes(FABRIC, DC2, text) == [code]


def test_three_switches_are_no_pair() -> None:
    bond = BOND.replace("a, b", "a, b, c")
    legs = cables(cable("a", "leaf1"), cable("b", "leaf2"), cable("c", "leaf3"))
    assert codes(FABRIC, server(NICS, bond, legs)) == ["IC2016"]


def test_a_segment_belongs_to_one_bond() -> None:
    bond = BOND.replace("nics:", "esi: '00:11:22:33:44:55:66:77:88:99', nics:")
    both = bonded("leaf1", "leaf2", bond=bond), bonded("leaf1", "leaf2", bond=bond, name="s2", ports="e2")
    built = build(FABRIC, *both)
    assert built.codes == ["IC2017"]
    assert built.diagnostics[0].related[0].message == "the other bond"
    profile = f"kind: NodeProfile\nmetadata: {{name: p}}\nspec:\n  {NICS}\n  {bond}\n"
    legs = cables(cable("a", "leaf1", "e{n}"), cable("b", "leaf2", "e{n}"))
    many = server("profile: p", "range: {last: 9}", legs, name="w{n}")
    assert codes(FABRIC, profile, many) == ["IC2017"]


def test_two_bonds_of_one_lag_name() -> None:
    one = bonded("leaf1", "leaf2", bond=BOND.replace("bond0", "b-x"), name="a")
    two = bonded("leaf1", "leaf2", bond=BOND.replace("bond0", "x"), name="a-b", ports="e2")
    assert codes(FABRIC, one, two) == ["IC2019"]


@pytest.mark.parametrize("esi", ["00:00:00:00:00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff:ff:ff:ff:ff"])
def test_reserved_segments_are_refused(esi: str) -> None:
    bond = BOND.replace("nics:", f"esi: '{esi}', nics:")
    assert codes(FABRIC, bonded("leaf1", "leaf2", bond=bond)) == ["IC1024"]


@pytest.mark.parametrize("mac", ["00:00:00:00:00:00", "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff"])
def test_a_system_id_is_the_address_of_one_station(mac: str) -> None:
    bond = BOND.replace("nics:", f"systemId: '{mac}', nics:")
    assert codes(FABRIC, bonded("leaf1", "leaf2", bond=bond)) == ["IC1024"]
