"""Pins: they hold, they are recorded, and they take nothing from anybody."""

from __future__ import annotations

from tests.ledgers import (
    cluster,
    codes,
    compiled,
    drawn,
    fabric,
    ids,
    lines,
    network,
    node,
    pools,
    tried,
    vlan,
    world,
)

DC1, DC2 = fabric("dc1"), fabric("dc2")


def test_a_pin_is_the_id_and_is_recorded() -> None:
    resolved = world(DC1, network("n1", "dc1", spec="vlan: 7"))
    text = drawn(resolved)
    assert vlan(text, "n1") == "7"
    assert ids(resolved, text).vlan["n1",] == 7
    assert ids(resolved, text.replace("VirtualNetwork/n1 vlan@dc1 7\n", "")).vlan["n1",] == 7


def test_removing_a_pin_keeps_the_value() -> None:
    pinned, free = (world(DC1, network("n1", "dc1", spec=spec)) for spec in ("vlan: 700", ""))
    text = drawn(pinned)
    assert vlan(drawn(free, text), "n1") == "700"
    assert ids(free, text).vlan["n1",] == 700


def test_removing_a_pin_from_outside_the_pool_is_an_error_and_moves_nothing() -> None:
    pinned, free = (world(DC1, network("n1", "dc1", spec=spec)) for spec in ("vlan: 7", ""))
    assert codes(tried(free, drawn(pinned))[1]) == ["IC2507"]


def test_changing_a_pin_frees_the_old_value() -> None:
    one, two = (world(DC1, network("n1", "dc1", spec=f"vlan: {value}")) for value in (700, 701))
    text = drawn(two, drawn(one))
    assert lines(text, "vlan@dc1") == [
        "VirtualNetwork/n1 vlan@dc1 700 freed",
        "VirtualNetwork/n1 vlan@dc1 701",
    ]
    assert drawn(two, text) == text
    assert lines(drawn(one, text), "vlan@dc1", "700") == ["VirtualNetwork/n1 vlan@dc1 700"]


def test_a_pin_that_another_holds_is_refused_with_both_places() -> None:
    text = drawn(world(DC1, network("n1", "dc1")))
    resolved = world(DC1, network("n1", "dc1"), network("n2", "dc1", spec=f"vlan: {vlan(text, 'n1')}"))
    for report in (compiled(resolved, text)[1], tried(resolved, text)[1]):
        (error,) = [entry for entry in report.sorted() if entry.code == "IC2506"]
        assert error.span.file == "intent.yaml"
        assert [place.span.file for place in error.related] == ["intentc.lock", "intent.yaml"]


def test_two_equal_pins_are_refused_where_each_was_said() -> None:
    resolved = world(
        DC1,
        network("n1", "dc1", spec="vlan: 7\n  vni: 5000"),
        network("n2", "dc1", spec="vlan: 7\n  vni: 5001"),
    )
    (error,) = tried(resolved)[1].sorted()
    assert error.code == "IC2506"
    assert error.related[0].message == "pinned by VirtualNetwork/n1"
    assert error.related[0].span.line < error.span.line


def test_a_pin_may_not_take_what_was_only_just_freed() -> None:
    text = drawn(world(DC1, network("n1", "dc1")))
    value = vlan(text, "n1")
    freed = drawn(world(DC1), text)
    report = tried(world(DC1, network("n2", "dc1", spec=f"vlan: {value}")), freed)[1]
    assert codes(report) == ["IC2506"]
    assert "gc" in report.found[0].hint


def test_a_pin_takes_over_only_after_the_other_gave_up_its_value() -> None:
    text = drawn(world(DC1, network("n1", "dc1")))
    value = vlan(text, "n1")
    swapped = world(DC1, network("n1", "dc1", spec="vlan: 9"), network("n2", "dc1", spec=f"vlan: {value}"))
    assert codes(tried(swapped, text)[1]) == ["IC2506"]
    without = "".join(row + "\n" for row in text.splitlines() if "vlan" not in row)
    assert vlan(drawn(swapped, without), "n2") == value


def test_a_pin_may_say_what_is_leased_already() -> None:
    text = drawn(world(DC1, network("n1", "dc1")))
    assert drawn(world(DC1, network("n1", "dc1", spec=f"vlan: {vlan(text, 'n1')}")), text) == text


def test_a_deleted_pin_leaves_a_tombstone_too() -> None:
    text = drawn(world(DC1), drawn(world(DC1, network("n1", "dc1", spec="vlan: 700"))))
    assert lines(text, "vlan@dc1") == ["VirtualNetwork/n1 vlan@dc1 700 freed"]


def test_a_block_pinned_outside_its_pool_is_refused() -> None:
    nodes = (
        node("w1", spec="pins: {podsIpv4: 10.99.0.0/26}"),
        node("w2", spec='pins: {localsids: "fcdd::/60"}'),
    )
    assert codes(tried(world(*nodes, cluster("edge")))[1]) == ["IC2505", "IC2505"]


def test_a_layer_2_vni_may_not_be_a_layer_3_vni() -> None:
    zone = "zone: red\n  subnets: [{cidr: 10.0.0.0/24}]"
    project = pools(l3vni="1000000-1000001", vni="1000000-1000001")
    resolved = world(DC1, network("n1", "dc1", spec=zone), project=project)
    got = ids(resolved, drawn(resolved))
    assert {got.vni["n1",], got.l3vni["red",]} == {1000000, 1000001}
    project = pools(l3vni="1000000", vni="1000000-1000001")
    pinned = world(DC1, network("n1", "dc1", spec=f"vni: 1000000\n  {zone}"), project=project)
    assert codes(tried(pinned)[1]) == ["IC2509"]
