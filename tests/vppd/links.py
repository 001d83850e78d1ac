"""Interfaces: what VPP answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.vppd.interfaces import ADMIN_UP, Interface
from tests.vppd.pool import NONE
from tests.vppd.said import Fields, Request, read_prefix, write_prefix
from tests.vppd.state import State


def interface(then: Callable[[State, Request], int]) -> Callable[[State, Request], int]:
    """Answer -2 where there is no such interface."""
    return lambda vpp, request: then(vpp, request) if vpp.interfaces.valid(request["sw_if_index"]) else -2


def sw_interface_dump(vpp: State, request: Request) -> Iterator[Fields]:
    wanted = request["sw_if_index"]
    for index, item in vpp.interfaces.pool.items():
        if request["name_filter_valid"]:
            if request["name_filter"].lower() in item.name.lower():
                yield _said_interface(index, item)
        elif wanted in (0, NONE, index):
            yield _said_interface(index, item)


def _said_interface(index: int, item: Interface) -> Fields:
    return {
        "sw_if_index": index,
        "sup_sw_if_index": index,
        "l2_address": item.mac,
        "flags": item.flags,
        "link_mtu": item.link_mtu,
        "mtu": item.mtu,
        "interface_name": item.name,
        "interface_dev_type": item.device,
        "tag": item.tag,
    }


def set_flags(vpp: State, request: Request) -> int:
    vpp.interfaces.set_up(request["sw_if_index"], up=bool(request["flags"] & ADMIN_UP))
    return 0


def set_mtu(vpp: State, request: Request) -> int:
    vpp.interfaces.pool.read(request["sw_if_index"]).mtu = list(request["mtu"])
    return 0


def tag(vpp: State, request: Request) -> int:
    if request["is_add"] and not request["tag"]:
        return -7
    vpp.interfaces.pool.read(request["sw_if_index"]).tag = request["tag"] if request["is_add"] else ""
    return 0


def set_table(vpp: State, request: Request) -> int:
    version = 6 if request["is_ipv6"] else 4
    return vpp.interfaces.set_table(request["sw_if_index"], version, request["vrf_id"])


def get_table(vpp: State, request: Request) -> Fields:
    index = request["sw_if_index"]
    if not vpp.interfaces.valid(index):
        return {"retval": -2, "vrf_id": NONE}
    version = 6 if request["is_ipv6"] else 4
    table = vpp.interfaces.pool.read(index).tables[version]
    return {"vrf_id": vpp.routes.families[version].pool.read(table).table_id}


def change_address(vpp: State, request: Request) -> int:
    index = request["sw_if_index"]
    if request["del_all"]:
        for version, addresses in vpp.interfaces.pool.read(index).addresses.items():
            for address in list(addresses):
                vpp.interfaces.remove_address(index, version, address)
        return 0
    change = vpp.interfaces.add_address if request["is_add"] else vpp.interfaces.remove_address
    return change(index, *read_prefix(request["prefix"]))


def ip_address_dump(vpp: State, request: Request) -> Iterator[Fields]:
    index = request["sw_if_index"]
    if vpp.interfaces.valid(index):
        for address in vpp.interfaces.pool.read(index).addresses[6 if request["is_ipv6"] else 4]:
            yield {"sw_if_index": index, "prefix": write_prefix(address)}


def created(found: tuple[int, int]) -> Fields:
    return {"retval": found[0], "sw_if_index": found[1]}


def create_instance(vpp: State, request: Request) -> Fields:
    instance = request["user_instance"] if request["is_specified"] else None
    return created(vpp.interfaces.create_loopback(request["mac_address"], instance))


def create_host(vpp: State, request: Request) -> Fields:
    mac = b"" if request["use_random_hw_addr"] else request["hw_addr"]
    return created(vpp.interfaces.create_host(request["host_if_name"], mac))


def af_packet_dump(vpp: State, _: Request) -> Iterator[Fields]:
    for index, item in vpp.interfaces.pool.items():
        if item.host:
            yield {"sw_if_index": index, "host_if_name": item.host}
