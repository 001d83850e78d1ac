"""Messages that change what stands in VPP: new before old, lists by their index, the rest in reverse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderers.resource import Key, Resource
from renderers.vpp_messages import ADD, DELETE, ORDER, WEIGHT, Operation, Site
from renderers.vpp_transition import Held, HeldList, Pair
from tests.vpp_rig import transition

NODE = "node/edge/w1"
BSID = "cafe::1"
Row = tuple[int, tuple[str, ...]]
"""Weight and SIDs of a list."""


def an_object(kind: str, name: str, /, **spec: Any) -> Resource:
    return Resource(Key("vpp", NODE, kind, name), spec)


def policy(*rows: Row, bsid: str = BSID, **fixed: Any) -> Resource:
    lists = [{"weight": weight, "sids": list(sids)} for weight, sids in rows]
    said = {"encap": True, "type": "default", "fib_table": 0} | fixed
    return an_object("policy", bsid, bsid=bsid, lists=lists, **said)


def steering(bsid: str, prefix: str = "10.0.0.0/24") -> Resource:
    return an_object("steering", f"5 {prefix}", table=5, family="ipv4", prefix=prefix, bsid=bsid)


def table(name: str = "intentc/pods") -> Resource:
    return an_object("table", "5 ipv4", id=5, family="ipv4", name=name)


def encap(address: str) -> Resource:
    return an_object("encap", "source", address=address, hop_limit=64)


def localsid(behavior: str = "End.DT4") -> Resource:
    return an_object("localsid", "fc00::4", sid="fc00::4", behavior=behavior, table=5, fib_table=0)


def route(next_hop: str) -> Resource:
    return an_object("route", "0 fc00::/64", table=0, prefix="fc00::/64", next_hop=next_hop, interface="eth0")


def link(**tables: int) -> Resource:
    return an_object("interface", "host-vp-blue", host="vp-blue", tables=tables or {"ipv4": 5}, up=True)


def address(prefix: str = "10.9.0.1/24") -> Resource:
    return an_object("address", f"host-vp-blue {prefix}", interface="host-vp-blue", prefix=prefix)


def numbered(rows: Iterable[Row], first: int = 7) -> tuple[HeldList, ...]:
    return tuple(HeldList(first + at, weight, sids) for at, (weight, sids) in enumerate(rows))


def steps(*pairs: Pair, held: Held | None = None) -> list[Operation]:
    return transition(pairs, Site({"eth0": 3, "host-vp-blue": 4}, 23), held or Held())


def names(operations: Iterable[Operation]) -> list[str]:
    return [operation.message for operation in operations]


def of_lists(operations: Iterable[Operation]) -> list[tuple[int, int, tuple[int, tuple[str, ...]]]]:
    """Return operation, index and list of each message."""
    return [
        (
            said.arguments["operation"],
            said.arguments["sl_index"],
            (
                said.arguments["sids"]["weight"],
                tuple(said.arguments["sids"]["sids"][: said.arguments["sids"]["num_sids"]]),
            ),
        )
        for said in operations
    ]


A, B, C = ("fc00::a",), ("fc00::b",), ("fc00::c",)
NONE = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("stands", "wanted", "expected"),
    [
        pytest.param([(1, A)], [(1, B)], [(ADD, NONE, (1, B)), (DELETE, 7, (1, A))], id="another list"),
        pytest.param([(1, A)], [(3, A)], [(WEIGHT, 7, (3, A))], id="another weight"),
        pytest.param([(1, A), (2, B)], [(2, B), (1, A)], [], id="another order"),
        pytest.param([(1, A)], [(1, A), (1, B)], [(ADD, NONE, (1, B))], id="one more"),
        pytest.param(
            [(1, A), (2, B), (1, A)],
            [(2, B), (1, A)],
            [
                (ADD, NONE, (2, B)),
                (ADD, NONE, (1, A)),
                (DELETE, 7, (1, A)),
                (DELETE, 8, (2, B)),
                (DELETE, 9, (1, A)),
            ],
            id="a second copy says that some may hold the old source",
        ),
        pytest.param([(0, A)], [(1, B)], [(ADD, NONE, (1, B)), (DELETE, 7, (1, A))], id="without a weight"),
        pytest.param([(1, A)], [(1, A), (1, A)], [(ADD, NONE, (1, A))], id="a copy that is wanted"),
        pytest.param(
            [(1, A), (2, A)], [(2, A), (5, A)], [(WEIGHT, 7, (5, A))], id="what is equal is not reweighed"
        ),
        pytest.param(
            [(1, A), (1, B)],
            [(9, B), (1, C)],
            [(ADD, NONE, (1, C)), (WEIGHT, 8, (9, B)), (DELETE, 7, (1, A))],
            id="all at once",
        ),
        pytest.param([(1, ("FC00:0::A",))], [(1, A)], [], id="the same address written otherwise"),
    ],
)
def test_lists_are_added_then_weighed_then_deleted(
    stands: list[Row], wanted: list[Row], expected: list[Any]
) -> None:
    found = steps((policy(*stands), policy(*wanted)), held=Held({BSID: numbered(stands)}))
    assert of_lists(found) == expected
    assert {said.arguments["bsid_addr"] for said in found} <= {BSID}


ROWS = st.lists(st.tuples(st.integers(1, 3), st.sampled_from([A, B, C])), min_size=1, max_size=6)


@given(ROWS, ROWS)
def test_a_policy_ends_with_its_lists_and_is_never_without(stands: list[Row], wanted: list[Row]) -> None:
    pool = {item.sl_index: (item.weight, tuple(item.sids)) for item in numbered(stands)}
    added = Counter[Row]()
    for operation, index, row in of_lists(
        steps((policy(*stands), policy(*wanted)), held=Held({BSID: numbered(stands)}))
    ):
        match operation:
            case 1:
                pool[max(pool) + 1] = row
                added[row] += 1
            case 2:
                assert pool.pop(index) == row
            case 3:
                assert pool[index][1] == row[1]
                pool[index] = row
        assert pool
    assert Counter(pool.values()) == Counter(wanted)
    if all(count <= max(1, wanted.count(row)) for row, count in Counter(stands).items()):
        assert added <= Counter(wanted) - Counter(stands), "a list that stands is added"


def test_what_stands_as_wanted_is_not_touched() -> None:
    things = (table(), route("fe80::1"), encap("fd00::1"), localsid(), policy((1, A)), steering(BSID))
    held = Held({BSID: numbered([(1, A)])}, {BSID: [steering(BSID).spec]})
    assert steps(*((thing, thing) for thing in things), held=held) == []


def test_steering_moves_between_the_new_policy_and_the_end_of_the_old() -> None:
    old, new = policy((1, A)), policy((1, A), bsid="cafe::2")
    held = Held({BSID: numbered([(1, A)])}, {BSID: [steering(BSID).spec]})
    found = steps((old, None), (steering(BSID), steering("cafe::2")), (None, new), held=held)
    assert names(found) == ["sr_policy_add", "sr_steering_add_del", "sr_policy_del"]
    assert found[1].arguments["bsid_addr"] == "cafe::2"
    assert not found[1].arguments["is_del"]
    assert found[2].arguments["bsid_addr"] == BSID


def test_a_policy_does_not_go_from_under_steering() -> None:
    """Where the steering does not go with it, the guard refuses."""
    held = Held({BSID: numbered([(1, A)])}, {BSID: [steering(BSID).spec]})
    assert names(steps((policy((1, A)), None), (steering(BSID), None), held=held)) == [
        "sr_steering_add_del",
        "sr_policy_del",
    ]


def test_a_policy_of_another_sort_is_made_anew_and_steered_into_again() -> None:
    rows = [steering(BSID, prefix).spec for prefix in ("10.0.0.0/24", "10.0.1.0/24")]
    held = Held({BSID: numbered([(1, A)])}, {BSID: rows})
    found = steps((policy((1, A), encap=False), policy((1, A), (2, B))), held=held)
    assert names(found) == [
        *["sr_steering_add_del"] * 2,
        *("sr_policy_del", "sr_policy_add", "sr_policy_mod"),
        *["sr_steering_add_del"] * 2,
    ]
    assert [said.arguments["prefix"] for said in found[5:]] == ["10.0.0.0/24", "10.0.1.0/24"]


def test_a_localsid_is_taken_away_as_it_was_added() -> None:
    found = steps((localsid("End.DT6"), localsid("End.DT4")))
    assert [(said.arguments["is_del"], said.arguments["behavior"]) for said in found] == [
        (True, 8),
        (False, 9),
    ]
    assert {said.arguments["fib_table"] for said in found} == {0}


def test_a_route_is_swapped_in_place() -> None:
    (said,) = steps((route("fe80::1"), route("fe80::2")))
    assert said.arguments["is_add"]
    assert not said.arguments["is_multipath"]
    assert said.arguments["route"]["paths"][0]["nh"]["address"] == {"ip6": "fe80::2"}


def test_a_new_source_is_copied_into_every_list_before_the_old_ones_go() -> None:
    rows = [(1, A), (2, B)]
    held = Held({BSID: numbered(rows), "cafe::2": numbered([(1, C)], 20)})
    found = steps((encap("fd00::1"), encap("fd00::2")), held=held)
    assert names(found[:2]) == ["sr_set_encap_source", "sr_set_encap_hop_limit"]
    assert of_lists(found[2:]) == [
        (ADD, NONE, (1, A)),
        (ADD, NONE, (2, B)),
        (DELETE, 7, (1, A)),
        (DELETE, 8, (2, B)),
        (ADD, NONE, (1, C)),
        (DELETE, 20, (1, C)),
    ]


def test_a_policy_that_changes_with_the_source_keeps_no_old_list() -> None:
    held = Held({BSID: numbered([(1, A)])})
    found = steps((policy((1, A)), policy((1, A), (1, B))), (None, encap("fd00::2")), held=held)
    assert names(found[:2]) == ["sr_set_encap_source", "sr_set_encap_hop_limit"]
    assert of_lists(found[2:]) == [(ADD, NONE, (1, A)), (ADD, NONE, (1, B)), (DELETE, 7, (1, A))]


def test_a_table_goes_before_it_has_another_name() -> None:
    said = [one.arguments for one in steps((table(), table("intentc/zone")))]
    assert [(one["is_add"], one["table"]["name"]) for one in said] == [
        (False, "intentc/pods"),
        (True, "intentc/zone"),
    ]


def test_a_renewal_never_looks_like_what_is_wanted_before_its_end() -> None:
    before = replace(policy((1, A)), spec={**policy((1, A)).spec, "source": "fd00::7"})
    found = steps((before, policy((1, B), (1, A))), held=Held({BSID: numbered([(1, A)])}))
    assert of_lists(found) == [(ADD, NONE, (1, A)), (ADD, NONE, (1, B)), (DELETE, 7, (1, A))]


def test_a_policy_is_left_with_a_list() -> None:
    with pytest.raises(ValueError, match="cafe::1 would be left without a segment list"):
        steps((policy((1, A)), policy()), held=Held({BSID: numbered([(1, A)])}))


def test_a_policy_that_no_dump_shows_is_not_changed() -> None:
    with pytest.raises(KeyError, match="cafe::1"):
        steps((policy((1, A)), policy((1, B))))


def test_all_is_made_in_order_and_goes_in_reverse() -> None:
    things = [
        steering(BSID),
        policy((1, A)),
        localsid(),
        encap("fd00::1"),
        route("fe80::1"),
        address(),
        link(),
        table(),
    ]
    up = names(steps(*((None, thing) for thing in things)))
    down = steps(*((thing, None) for thing in things), held=Held({}, {BSID: [steering(BSID).spec]}))
    assert up == [
        "ip_table_add_del",
        "sw_interface_tag_add_del",
        *["sw_interface_set_table"] * 2,
        "sw_interface_set_flags",
        "sw_interface_add_del_address",
        "ip_route_add_del_v2",
        "sr_set_encap_source",
        "sr_set_encap_hop_limit",
        "sr_localsid_add_del",
        "sr_policy_add",
        "sr_steering_add_del",
    ]
    assert names(down) == [
        "sr_steering_add_del",
        "sr_policy_del",
        "sr_localsid_add_del",
        "sr_set_encap_source",
        "sr_set_encap_hop_limit",
        "ip_route_add_del_v2",
        "sw_interface_add_del_address",
        "af_packet_delete",
        "ip_table_add_del",
    ]
    assert all(said.arguments.get("is_del", not said.arguments.get("is_add", False)) for said in down)
    assert {thing.key.type for thing in things} == set(ORDER)


def test_an_interface_has_no_addresses_while_it_changes_tables() -> None:
    held = Held(addresses={"host-vp-blue": ("10.9.0.1/24", "fd09::1/64")})
    found = steps((link(ipv4=5, ipv6=5), link(ipv4=6, ipv6=5)), held=held)
    said = [(one.message, one.arguments.get("is_add"), one.arguments.get("vrf_id")) for one in found]
    assert said == [
        ("sw_interface_tag_add_del", True, None),
        ("sw_interface_add_del_address", False, None),
        ("sw_interface_set_table", None, 6),
        ("sw_interface_set_flags", None, None),
        ("sw_interface_add_del_address", True, None),
    ]
    assert {one.arguments.get("prefix") for one in found} == {None, "10.9.0.1/24"}


def test_a_prefix_is_steered_or_routed_and_the_other_goes_first() -> None:
    over = an_object("route", "5 10.0.0.0/24", table=5, prefix="10.0.0.0/24", lookup=6)
    steered = steering(BSID)
    for before, after in ((over, steered), (steered, over)):
        held = Held(ways={before.key[2:]: before})
        away, made = steps((None, after), held=held)
        assert (away.message, made.message) == tuple(
            "sr_steering_add_del" if one is steered else "ip_route_add_del_v2" for one in (before, after)
        )
        assert away.arguments.get("is_del", not away.arguments.get("is_add", False))


@pytest.mark.parametrize(("shown", "weight"), [((1,), 2), ((1, 2), 3), ((7, 255), 1)])
def test_routes_whose_interface_was_deleted_get_a_path_that_is_like_no_other(
    shown: tuple[int, ...], weight: int
) -> None:
    """All routes with the same path share it, also a dead one; what differs by weight alone is another."""
    wanted = [an_object("route", f"5 10.{at}.0.0/16", **over(at)) for at in range(len(shown))]
    gone = [
        replace(one, spec={**one.spec, "interface": "interface 1", "weight": held})
        for one, held in zip(wanted, shown, strict=True)
    ]
    ways = {one.key[2:]: one for one in gone}
    found = steps(*zip(gone, wanted, strict=True), held=Held(ways=ways))
    paths = [one.arguments["route"]["paths"] for one in found]
    assert [(path["weight"], path["sw_if_index"]) for (path,) in paths] == [(weight, 3)] * len(shown)


def over(at: int) -> dict[str, Any]:
    return {"table": 5, "prefix": f"10.{at}.0.0/16", "next_hop": "10.0.0.1", "interface": "eth0"}


def test_what_was_added_with_another_source_is_renewed() -> None:
    before = replace(policy((1, A)), spec={**policy((1, A)).spec, "source": "fd00::7"})
    found = steps((before, policy((1, A))), held=Held({BSID: numbered([(1, A)])}))
    assert [one.arguments["operation"] for one in found] == [ADD, DELETE]


def test_objects_of_others_are_left_out() -> None:
    other = Resource(Key("cni", NODE, "conflist", "10-x.conflist"), {"name": "x"})
    view = Resource(Key("vpp", NODE, "exec", "w1.exec"), {"text": ""}, view=True)
    assert steps((None, other), (view, None)) == []
