"""SRv6: what VPP answers."""

from __future__ import annotations

from collections.abc import Iterator

from tests.vppd.fib import Prefix
from tests.vppd.pool import NONE, Segfault
from tests.vppd.said import Fields, Request, guessed, read_address, read_prefix, write_address, write_prefix
from tests.vppd.sr import CONNECTS, IPV4, IPV6, L2, Lengths, Localsid, Policy, SidList, Steered, sid_list
from tests.vppd.state import State


def localsid(vpp: State, request: Request) -> int:
    behavior = request["behavior"]
    # An interface is looked at even to delete.
    if behavior in CONNECTS and not vpp.interfaces.valid(request["sw_if_index"]):
        return -2
    sid = Localsid(
        address=request["localsid"],
        length=128,
        psp=request["end_psp"],
        behavior=behavior,
        fib_table=request["fib_table"],
        other=request["sw_if_index"],
        next_hop=read_address(request["nh_addr"]),
    )
    names = ("locator_block_len", "locator_node_len", "function_len")
    lengths = Lengths(*(request.get(name, 0) for name in names))
    return vpp.sr.localsid(sid, lengths, is_del=request["is_del"])


def sr_localsids_dump(vpp: State, _: Request) -> Iterator[Fields]:
    for sid, other in vpp.sr.seen_localsids():
        yield {
            "addr": sid.address,
            "end_psp": sid.psp,
            "behavior": sid.behavior,
            "fib_table": sid.fib_table,
            "xconnect_nh_addr": write_address(guessed(sid.next_hop)),
            "xconnect_iface_or_vrf_table": other,
        }


def policy_add(vpp: State, request: Request) -> int:
    kind = request.get("type", int(request.get("is_spray", 0)))
    policy = Policy(request["bsid_addr"], kind, request["is_encap"], request["fib_table"])
    return vpp.sr.add_policy(policy, sid_list(dict(request)), request.get("encap_src"))


def policy_mod(vpp: State, request: Request) -> int:
    return vpp.sr.change_policy(
        request["bsid_addr"],
        request["operation"],
        request["sl_index"],
        sid_list(dict(request)),
        request.get("encap_src", b""),
    )


def _said_list(index: int, item: SidList) -> Fields:
    return {"num_sids": item.count, "weight": item.weight, "sl_index": index, "sids": list(item.sids)}


def policies_dump(vpp: State, _: Request) -> Iterator[Fields]:
    for policy in vpp.sr.policies.values():
        lists = [_said_list(index, vpp.sr.lists.read(index)) for index in policy.lists]
        yield {
            "bsid": policy.bsid,
            "encap_src": policy.encap_src,
            "type": policy.type,
            "is_spray": bool(policy.type),
            "is_encap": policy.is_encap,
            "fib_table": policy.fib_table,
            "num_sid_lists": len(lists),
            "sid_lists": lists,
        }


def set_source(vpp: State, request: Request) -> int:
    vpp.sr.source = request["encaps_source"]
    return 0


def set_hop_limit(vpp: State, request: Request) -> int:
    if not request["hop_limit"]:
        return -7
    vpp.sr.hop_limit = request["hop_limit"]
    return 0


def steering(vpp: State, request: Request) -> int:
    traffic = request["traffic_type"]
    if traffic == L2:
        return _steering_l2(vpp, request)
    _, prefix = read_prefix(request["prefix"])
    address = prefix.address
    if traffic == IPV6:
        address = address.rjust(16, b"\0")
    table_id = 0 if request["table_id"] == NONE else request["table_id"]
    key = Steered(traffic, table_id, address, prefix.length)
    if request["is_del"]:
        return vpp.sr.unsteer(key)
    if traffic == IPV4 and len(address) == 16 and request["bsid_addr"] in vpp.sr.bsids:
        raise Segfault
    # VPP shows the first bytes of a prefix, in the byte order of the machine, where an interface may be.
    shown = int.from_bytes(address.rjust(16, b"\0")[:4], "little")
    return vpp.sr.steer(key, request["bsid_addr"], shown)


def _steering_l2(vpp: State, request: Request) -> int:
    index = request["sw_if_index"]
    if not vpp.interfaces.valid(index):
        return -2
    key = Steered(L2, 0, index.to_bytes(16, "big"), 0)
    return vpp.sr.unsteer(key) if request["is_del"] else vpp.sr.steer(key, request["bsid_addr"], index)


def sr_steering_pol_dump(vpp: State, _: Request) -> Iterator[Fields]:
    for item, bsid in vpp.sr.seen_steering():
        address = bytes(16) if item.key.traffic == L2 else item.key.address
        yield {
            "traffic_type": item.key.traffic,
            "fib_table": item.key.table_id,
            "prefix": write_prefix(Prefix(guessed(address), item.key.length)),
            "sw_if_index": item.sw_if_index,
            "bsid": bsid,
        }
