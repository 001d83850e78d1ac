"""What must never be sent to a VPP: the requests that end it, and those that harm it without a word."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.drivers.vpp.guard import HarmfulError, check
from reconciler.drivers.vpp.model import Model
from renderers.vpp_messages import ADD, DELETE, NONE, WEIGHT, Operation
from renderers.vpp_transition import HeldList
from tests.reconciler.vpp.held import NOTHING, SOURCE, a_policy, a_route, a_sid, a_steering, seen


def sids(*several: str, weight: int = 1, count: int | None = None) -> dict[str, Any]:
    padded = [*several, *["::"] * (16 - len(several))]
    return {"num_sids": len(several) if count is None else count, "weight": weight, "sids": padded}


def steer(table: int = 5, prefix: str = "10.64.9.0/24", bsid: str = "cafe:1::1", **said: Any) -> Operation:
    arguments = {
        "is_del": False,
        "bsid_addr": bsid,
        "sr_policy_index": NONE,
        "table_id": table,
        "prefix": prefix,
        "sw_if_index": NONE,
        "traffic_type": 6 if ":" in prefix else 4,
    }
    return Operation("sr_steering_add_del", arguments | said)


def policy(bsid: str = "cafe:1::9", lists: Any = None, **said: Any) -> Operation:
    arguments = {
        "bsid_addr": bsid,
        "weight": 1,
        "is_encap": True,
        "is_spray": False,
        "fib_table": 0,
        "sids": lists or sids("fcdd:2::4"),
    }
    return Operation("sr_policy_add", arguments | said)


def changed(operation: int = ADD, index: int = NONE, lists: Any = None, **said: Any) -> Operation:
    arguments = {
        "bsid_addr": "cafe:1::1",
        "sr_policy_index": NONE,
        "fib_table": 0,
        "operation": operation,
        "sl_index": index,
        "weight": 1,
        "sids": lists or sids("fcdd:2::4"),
    }
    return Operation("sr_policy_mod", arguments | said)


def gone(bsid: str, index: int = NONE) -> Operation:
    return Operation("sr_policy_del", {"bsid_addr": bsid, "sr_policy_index": index})


def localsid(sid: str = "fcdd:1::9", behavior: int = 9, table: int = 5, **said: Any) -> Operation:
    arguments = {
        "is_del": False,
        "localsid": sid,
        "end_psp": False,
        "behavior": behavior,
        "sw_if_index": table,
        "vlan_index": 0,
        "fib_table": 0,
        "nh_addr": "::",
    }
    return Operation("sr_localsid_add_del", arguments | said)


def table(number: int, *, is_ip6: bool = False, is_add: bool = True, name: str = "intentc/zone") -> Operation:
    row = {"table_id": number, "is_ip6": is_ip6, "name": name}
    return Operation("ip_table_add_del", {"is_add": is_add, "table": row})


def route(number: int, prefix: str, *, is_add: bool = True, **said: Any) -> Operation:
    row = {**a_route(number, prefix), **said}
    if not is_add:
        row |= {"n_paths": 0, "paths": ()}
    return Operation("ip_route_add_del_v2", {"is_add": is_add, "is_multipath": False, "route": row})


def path(**said: Any) -> dict[str, Any]:
    return {"n_paths": 1, "paths": (a_route(0, "::/0")["paths"][0] | {"type": 0} | said,)}


def refused(operation: Operation, words: str, model: Model | None = None) -> None:
    with pytest.raises(HarmfulError, match=words):
        check(model or Model(seen()), operation)


def passes(*operations: Operation, model: Model | None = None) -> None:
    model = model or Model(seen())
    for operation in operations:
        check(model, operation)


# What ends VPP (each was seen to)


def test_steering_in_a_table_that_does_not_exist() -> None:
    refused(steer(table=6), "there is no IPv4 table 6")


def test_ending_steering_after_its_table_has_gone() -> None:
    model = Model(seen())
    del model.tables[5, False]
    refused(steer(prefix="10.64.1.0/24", is_del=True), "there is no IPv4 table 5", model)


def test_steering_of_a_prefix_as_the_other_family() -> None:
    refused(steer(prefix="fd64:9::/64", traffic_type=4), "traffic type 4 is not that of the prefix")
    refused(steer(traffic_type=6), "traffic type 6")


def test_a_policy_without_a_sid() -> None:
    refused(policy(lists=sids()), "1 to 16 SIDs, and not 0")


def test_ending_a_policy_after_its_table_has_gone() -> None:
    model = Model(seen(policies=[a_policy("cafe:1::2", fib_table=6)]))
    refused(gone("cafe:1::2"), "there is no IPv6 table 6", model)


def test_ending_a_localsid_with_a_table_that_does_not_exist() -> None:
    refused(localsid("fcdd:1::4", is_del=True, fib_table=6), "there is no IPv6 table 6")


@pytest.mark.parametrize("behavior", [8, 9])
def test_a_localsid_that_looks_up_in_a_missing_table(behavior: int) -> None:
    refused(localsid(behavior=behavior, table=6), "there is no IPv[46] table 6")


def test_a_table_of_the_other_family_is_none() -> None:
    model = Model(seen(tables={(0, True): "", (5, False): "intentc/pods"}, localsids=[]))
    refused(localsid(behavior=8), "there is no IPv6 table 5", model)
    passes(localsid(behavior=9), model=model)


@pytest.mark.parametrize("behavior", [14, 15, 255])
@pytest.mark.parametrize("is_del", [False, True])
def test_a_localsid_with_a_behaviour_behind_which_there_is_nothing(*, behavior: int, is_del: bool) -> None:
    refused(localsid(behavior=behavior, is_del=is_del), f"nothing behind behaviour {behavior}")


# What harms it without a word


def test_more_sids_than_vpp_has_room_for() -> None:
    refused(policy(lists=sids(*["fcdd:2::4"] * 16, count=17)), "1 to 16 SIDs, and not 17")
    refused(changed(lists=sids(*["fcdd:2::4"] * 16, count=17)), "1 to 16 SIDs, and not 17")


@pytest.mark.parametrize("behavior", [0, 4, 10])
def test_behaviours_that_mean_nothing(behavior: int) -> None:
    refused(localsid(behavior=behavior), f"nothing behind behaviour {behavior}")


@pytest.mark.parametrize("behavior", [1, 2, 3, 5, 6, 7, 11, 12, 13])
def test_only_what_looks_up_in_a_table_is_added(behavior: int) -> None:
    refused(localsid(behavior=behavior), "only End.DT4 and End.DT6")


def test_ending_a_localsid_in_another_table_than_its_own() -> None:
    refused(localsid("fcdd:1::4", is_del=True, fib_table=5), "is in table 0 and not in 5")


def test_ending_a_sid_with_an_interface_that_is_not_there() -> None:
    model = Model(seen(localsids=[a_sid("fcdd:1::7", 7, 99)]))
    refused(localsid("fcdd:1::7", 7, 99, is_del=True), "there is no interface 99", model)
    passes(localsid("fcdd:1::7", 1, 99, is_del=True), model=model)


def test_ending_a_short_sid_by_another_behaviour() -> None:
    model = Model(seen(localsids=[a_sid("fcdd:1::", 12, NOTHING)]))
    refused(localsid("fcdd:1::", 1, is_del=True), "cannot be found by 1", model)
    passes(localsid("fcdd:1::", 12, is_del=True), model=model)


@pytest.mark.parametrize(
    ("is_ip6", "words"),
    [
        (False, "interface host-vpp-pods, route 10.64.0.0/24 of table 5, SID fcdd:1::4|SID fcdd:1::4"),
        (True, "SID"),
    ],
)
def test_a_table_goes_only_after_all_that_refers_to_it(*, is_ip6: bool, words: str) -> None:
    refused(table(5, is_ip6=is_ip6, is_add=False, name="intentc/pods"), f"is still used by .*({words})")


@pytest.mark.parametrize(
    "left",
    [
        {"localsids": [a_sid("fcdd:1::4")]},
        {"steering": [a_steering(5, "10.64.1.0/24", "cafe:1::1")]},
        {"routes": [a_route(5, "10.64.0.0/24")]},
        {"routes": [a_route(0, "10.64.0.0/24", path(table_id=5)["paths"][0])]},
        {"interfaces": seen().interfaces},
    ],
    ids=lambda left: next(iter(left)),
)
def test_each_user_of_a_table_keeps_it(left: dict[str, Any]) -> None:
    nothing: dict[str, Any] = {
        "localsids": [],
        "steering": [],
        "routes": [],
        "policies": [],
        "interfaces": {},
    }
    deletion = table(5, is_add=False, name="intentc/pods")
    refused(deletion, "is still used by", Model(seen(**(nothing | left))))
    passes(deletion, model=Model(seen(**nothing)))
    refused(deletion, "interface theirs", Model(seen(**nothing), {(5, False): {"interface theirs"}}))


def test_a_policy_goes_only_after_what_is_steered_into_it() -> None:
    refused(gone("cafe:1::1"), "10.64.1.0/24 of table 5 is steered into it")
    passes(steer(prefix="10.64.1.0/24", bsid="cafe:1::2"), gone("cafe:1::1"))
    passes(steer(prefix="10.64.1.0/24", is_del=True), gone("cafe:1::1"))
    model = Model(seen())
    passes(steer(bsid="cafe:1::2"), model=model)
    refused(gone("cafe:1::2"), "10.64.9.0/24 of table 5", model)


@pytest.mark.parametrize(
    "prefix", ["10.64.9.7/24", "fd64:9::1/64", "010.64.9.0/24", "FD64::/64", "10.64.9.0", "::/129"]
)
def test_prefixes_with_host_bits_or_written_otherwise(prefix: str) -> None:
    refused(steer(prefix=prefix), "no prefix")
    refused(route(5, prefix), "no prefix")


def test_an_entry_with_host_bits_that_stands_can_go() -> None:
    model = Model(seen(steering=[a_steering(5, "10.64.9.7/24", "cafe:1::1")]))
    passes(steer(prefix="10.64.9.7/24", is_del=True), gone("cafe:1::1"), model=model)


def test_steering_over_a_route() -> None:
    refused(steer(prefix="10.64.0.0/24"), "already routed, by us; every other packet would be lost")
    model = Model(seen(), taken={(5, "10.64.9.0/24"): "interface"})
    refused(steer(), "already routed, by interface", model)
    beneath = Model(seen(), taken={(5, "10.64.1.0/24"): "API"})
    refused(steer(prefix="10.64.1.0/24", bsid="cafe:1::2"), "already routed, by API", beneath)


def test_a_route_over_steering_or_over_one_of_others() -> None:
    refused(route(5, "10.64.1.0/24"), "steered into policy cafe:1::1")
    refused(route(0, "fc77::/48"), "not ours: it is of API", Model(seen(), taken={(0, "fc77::/48"): "API"}))


@pytest.mark.parametrize("weight", [0, -1, NONE])
def test_weights_that_are_none(weight: int) -> None:
    refused(policy(lists=sids("fcdd:2::4", weight=weight)), "is not positive")
    refused(changed(lists=sids("fcdd:2::4", weight=weight)), "is not positive")
    refused(changed(WEIGHT, 3, sids("fcdd:2::4", weight=weight)), "is not positive")


def test_a_policy_is_never_named_by_its_place() -> None:
    refused(gone("::", 0), "named by its binding SID only")
    refused(changed(sr_policy_index=0), "named by its binding SID only")
    refused(steer(sr_policy_index=0), "named by its binding SID only")


def test_lists_are_named_by_their_index() -> None:
    refused(changed(DELETE), "is no list of it")
    refused(changed(ADD, 3), "is no list of it")
    refused(changed(4, 3), "4 is no operation")
    model = Model(seen(), lists={"cafe:1::1": [HeldList(3, 1, ["fcdd:2::4"]), HeldList(4, 1, ["fcdd:2::4"])]})
    passes(changed(ADD), changed(WEIGHT, 3), changed(DELETE, 3), model=model)


def test_everything_is_never_steered_at_once() -> None:
    refused(steer(prefix="0.0.0.0/0"), "every other flow is lost")
    passes(steer(prefix="0.0.0.0/1"), steer(prefix="128.0.0.0/1"))


def test_a_list_of_another_policy_is_never_named() -> None:
    """VPP looks for it one place behind the lists of the policy, and changes whatever it finds there."""
    lists = {"cafe:1::1": [HeldList(3, 1, ["fcdd:2::4"])], "cafe:1::2": [HeldList(5, 1, ["fcdd:2::4"])]}
    for operation in (WEIGHT, DELETE):
        refused(changed(operation, 5), "could change one of another policy", Model(seen(), lists=lists))
    model = Model(seen(), lists=lists)
    passes(changed(DELETE, 3), model=model)
    refused(changed(DELETE, 3), "could change one of another policy", model)


def test_one_address_is_one_thing_only() -> None:
    refused(policy("fcdd:1::4"), "would take the place of a SID")
    refused(localsid("cafe:1::1"), "would take the place of a binding SID")
    refused(route(0, "fcdd:1::4/128"), "would take the place of a SID")
    refused(route(0, "cafe:1::1/128"), "would take the place of a SID")
    model = Model(seen(routes=[a_route(0, "fcdd:1::9/128")]))
    refused(localsid("fcdd:1::9"), "or a route", model)


@pytest.mark.parametrize(
    "text", ["CAFE:1::9", "cafe:1::0:9", "cafe:1:0:0:0:0:0:9", "10.0.0.1", "", "cafe::x"]
)
def test_addresses_are_written_as_dumps_write_them(text: str) -> None:
    refused(policy(text), "write cafe:1::9|is no IPv6 address")
    refused(policy(lists=sids(text)), "write cafe:1::9|is no IPv6 address")
    refused(localsid(text), "write cafe:1::9|is no IPv6 address")
    refused(steer(bsid=text), "write cafe:1::9|is no IPv6 address")


def test_the_empty_address_is_no_segment() -> None:
    refused(policy(lists=sids("fcdd:2::4", "::")), ":: is no SID")


# What is not ours


def test_tables_of_vpp_and_of_others() -> None:
    refused(table(0), "VPP's own")
    refused(table(0xFFFFFFFF, is_ip6=True), "VPP's own")
    refused(table(7), "is not ours: it is called 'theirs'")
    refused(table(7, is_add=False, name="intentc/x"), "is not ours")
    refused(table(9, name="mine"), "is not ours")
    refused(steer(table=7), "IPv4 table 7 is not ours")
    passes(table(9), table(9, is_ip6=True), table(9, is_add=False), table(9, is_add=False))


def test_interfaces_of_others() -> None:
    flags = Operation("sw_interface_set_flags", {"sw_if_index": 1, "flags": 1})
    refused(flags, "interface eth0 is not ours")
    address = {"sw_if_index": 1, "is_add": True, "del_all": False, "prefix": "10.0.0.1/24"}
    refused(Operation("sw_interface_add_del_address", address), "interface eth0 is not ours")
    everything = {**address, "sw_if_index": 2, "is_add": False, "del_all": True}
    refused(Operation("sw_interface_add_del_address", everything), "those of others")
    bind = {"sw_if_index": 1, "is_ipv6": False, "vrf_id": 5}
    refused(Operation("sw_interface_set_table", bind), "interface eth0 is not ours")
    refused(Operation("sw_interface_set_table", {**bind, "sw_if_index": 2, "vrf_id": 6}), "no IPv4 table 6")
    refused(Operation("sw_interface_set_table", {**bind, "sw_if_index": 2}), "it still has addresses")
    refused(Operation("sw_interface_set_flags", {"sw_if_index": 77, "flags": 1}), "there is no interface 77")


def test_an_interface_goes_after_the_routes_over_it() -> None:
    deletion = Operation("af_packet_delete", {"host_if_name": "vpp-pods"})
    refused(deletion, "still used by route 10.64.0.0/24 of table 5")
    passes(route(5, "10.64.0.0/24", is_add=False), deletion)
    theirs = seen(interfaces={"host-x": seen().interfaces["eth0"]})
    refused(
        Operation("af_packet_delete", {"host_if_name": "x"}), "interface host-x is not ours", Model(theirs)
    )


def test_routes_carry_our_mark_and_no_other() -> None:
    refused(route(0, "fc77::/48", src=0), "would not carry our mark")
    refused(route(0, "fc77::/48", is_add=False, src=8), "would not carry our mark")
    refused(route(0, "fc77::/48"), "would not carry our mark", Model(seen(sources={8: "API"}, routes=[])))
    refused(route(0, "fc77::/48", n_paths=2), "has 2 paths")
    passes(route(0, "fc77::/48"), route(0, "fc77::/48", is_add=False))


def test_routes_lead_somewhere() -> None:
    refused(route(6, "fc77::/48"), "there is no IPv6 table 6")
    refused(route(5, "fc77::/48", **path(table_id=6)), "there is no IPv6 table 6")
    refused(route(5, "fc77::/48", **path(sw_if_index=77)), "there is no interface 77")
    passes(route(5, "fc77::/48", **path(sw_if_index=2)), route(5, "fc78::/48", **path(table_id=0)))


def test_policies_lie_in_a_range_of_ours() -> None:
    """On a VPP that was restarted in the middle, they would be nobody's, and have no source."""
    refused(policy("cafe:2::9"), "would not be known as ours")
    model = Model(seen())
    passes(route(0, "cafe:1::/112", is_add=False), model=model)
    refused(policy(), "would not be known as ours", model)
    passes(route(0, "cafe:1::/112"), policy(), route(0, "cafe:1::/112", **path(sw_if_index=1)), model=model)
    refused(policy("cafe:1::a"), "would not be known as ours", model)


def test_our_source_is_added_once() -> None:
    source = Operation("fib_source_add", {"src": {"priority": 1, "id": 0, "name": "intentc"}})
    refused(source, "VPP never forgets a FIB source")
    passes(source, model=Model(seen(sources={}, routes=[])))
    assert Model(seen()).source == SOURCE


@pytest.mark.parametrize(
    "message", ["sr_policy_add_v2", "ip_table_flush", "sw_interface_set_unnumbered", "cli"]
)
def test_a_message_without_a_check_is_not_sent(message: str) -> None:
    refused(Operation(message, {}), "no message that this driver may send")


def test_the_command_line_is_asked_and_never_told() -> None:
    passes(Operation("cli_inband", {"cmd": "show ip6 fib table 0 fcdd::/48"}))
    refused(Operation("cli_inband", {"cmd": "ip route del fcdd::/48"}), "is no question")


def test_what_was_sent_is_known_from_then_on() -> None:
    passes(
        table(9),
        localsid("fcdd:1::9", 9, 9),
        policy("cafe:1::9"),
        steer(9, "10.9.0.0/16", "cafe:1::9"),
        steer(9, "10.9.0.0/16", "cafe:1::9", is_del=True),
        gone("cafe:1::9"),
        localsid("fcdd:1::9", 9, 9, is_del=True),
        table(9, is_add=False),
    )


def test_trying_things_on_a_copy_changes_nothing() -> None:
    model = Model(seen())
    check(model.copied(), steer(prefix="10.64.1.0/24", is_del=True))
    check(model.copied(), table(9))
    refused(gone("cafe:1::1"), "is steered into it", model)
    refused(steer(table=9), "there is no IPv4 table 9", model)
