"""The messages that the stand-in knows, as a compact table of our own, and the JSON that vpp-papi expects.

One line per type or message: a name, for messages the CRC that a real VPP announces, and fields as
`name:type`, `name:type[length]`, `name:type[]` (a string with its length before it), `name:type[field]` (as
many as another field says) or `name:type=default`. Identifier, client and context are added by rule. Real and
stand-in are compared by tests/real/test_vppd_like_vpp.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

SOCKCLNT_CREATE: Final = 15
SOCKCLNT_CREATE_REPLY: Final = 16
FIRST_ID: Final = 17
"""Identifiers of all other messages follow, in the order of the table."""

_TYPES: Final = """
alias interface_index u32
alias ip4_address u8[4]
alias ip6_address u8[16]
alias mac_address u8[6]
alias address_with_prefix prefix
enum u8 address_family ADDRESS_ IP4=0 IP6=1
enum u32 if_status_flags IF_STATUS_API_FLAG_ ADMIN_UP=1 LINK_UP=2
enum u32 if_type IF_API_TYPE_ HARDWARE=0 SUB=1 P2P=2 PIPE=3
enum u32 link_duplex LINK_DUPLEX_API_ UNKNOWN=0 HALF=1 FULL=2
enum u32 sub_if_flags SUB_IF_API_FLAG_ NO_TAGS=1 ONE_TAG=2 TWO_TAGS=4 DOT1AD=8 EXACT_MATCH=16 DEFAULT=32 \
OUTER_VLAN_ID_ANY=64 INNER_VLAN_ID_ANY=128 MASK_VNET=254 DOT1AH=256
enum u8 sr_policy_op SR_POLICY_OP_API_ NONE=0 ADD=1 DEL=2 MOD=3
enum u8 sr_policy_type SR_API_POLICY_TYPE_ DEFAULT=0 SPRAY=1 TEF=2
enum u8 sr_steer SR_STEER_API_ L2=2 IPV4=4 IPV6=6
enum u8 sr_behavior SR_BEHAVIOR_API_ END=1 X=2 T=3 D_FIRST=4 DX2=5 DX6=6 DX4=7 DT6=8 DT4=9 LAST=10 \
END_UN_PERF=11 END_UN=12 UA=13
enum u32 fib_path_nh_proto FIB_API_PATH_NH_PROTO_ IP4=0 IP6=1 MPLS=2 ETHERNET=3 BIER=4
enum u32 fib_path_flags FIB_API_PATH_FLAG_ NONE=0 RESOLVE_VIA_ATTACHED=1 RESOLVE_VIA_HOST=2 POP_PW_CW=4
enum u32 fib_path_type FIB_API_PATH_TYPE_ NORMAL=0 LOCAL=1 DROP=2 UDP_ENCAP=3 BIER_IMP=4 ICMP_UNREACH=5 \
ICMP_PROHIBIT=6 SOURCE_LOOKUP=7 DVR=8 INTERFACE_RX=9 CLASSIFY=10
enum u32 af_packet_mode AF_PACKET_API_MODE_ ETHERNET=1 IP=2
enum u32 af_packet_flags AF_PACKET_API_FLAG_ QDISC_BYPASS=1 CKSUM_GSO=2 VERSION_2=8
union address_union ip4:ip4_address ip6:ip6_address
type address af:address_family un:address_union
type prefix address:address len:u8
type module_version major:u32 minor:u32 patch:u32 name:string[64]
type message_table_entry index:u16 name:string[64]
type srv6_sid_list num_sids:u8 weight:u32 sids:ip6_address[16]
type srv6_sid_list_with_sl_index num_sids:u8 weight:u32 sl_index:u32 sids:ip6_address[16]
type ip_table table_id:u32 is_ip6:bool name:string[64]
type fib_mpls_label is_uniform:u8 label:u32 ttl:u8 exp:u8
type fib_path_nh address:address_union via_label:u32 obj_id:u32 classify_table_index:u32
type fib_path sw_if_index:u32 table_id:u32 rpf_id:u32 weight:u8 preference:u8 type:fib_path_type \
flags:fib_path_flags proto:fib_path_nh_proto nh:fib_path_nh n_labels:u8 label_stack:fib_mpls_label[16]
type fib_source priority:u8 id:u8 name:string[64]
type ip_route table_id:u32 stats_index:u32 prefix:prefix n_paths:u8 paths:fib_path[n_paths]
type ip_route_v2 table_id:u32 stats_index:u32 prefix:prefix n_paths:u8 src:u8 paths:fib_path[n_paths]
"""

_MESSAGES: Final = """
sockclnt_create 455fb9c4 name:string[64]
sockclnt_create_reply 35166268 response:i32 index:u32 count:u16 message_table:message_table_entry[count]
sockclnt_delete 8ac76db6 index:u32
sockclnt_delete_reply 8f38b1ee response:i32
get_api_json 51077d14
get_api_json_reply ea715b59 retval:i32 json:string[]
api_versions 51077d14
api_versions_reply 5f0d99d6 retval:i32 count:u32 api_versions:module_version[count]
control_ping 51077d14
control_ping_reply f6b0b8ca retval:i32 client_index:u32 vpe_pid:u32
show_version 51077d14
show_version_reply c919bde1 retval:i32 program:string[32] version:string[32] build_date:string[32] \
build_directory:string[256]
cli_inband f8377302 cmd:string[]
cli_inband_reply 05879051 retval:i32 reply:string[]
fib_source_add b3ac2aec src:fib_source
fib_source_add_reply 604fd6f1 retval:i32 id:u8
fib_source_dump 51077d14
fib_source_details 8668acdb src:fib_source
ip_table_add_del 0ffdaec0 is_add:bool=true table:ip_table
ip_table_add_del_reply e8d4e804 retval:i32
ip_table_add_del_v2 14e5081f table:ip_table create_mfib:bool=true is_add:bool=true
ip_table_add_del_v2_reply e8d4e804 retval:i32
ip_table_dump 51077d14
ip_table_details c79fca0f table:ip_table
ip_route_add_del b8ecfe0d is_add:bool=true is_multipath:bool route:ip_route
ip_route_add_del_reply 1992deab retval:i32 stats_index:u32
ip_route_add_del_v2 521ef330 is_add:bool=true is_multipath:bool route:ip_route_v2
ip_route_add_del_v2_reply 1992deab retval:i32 stats_index:u32
ip_route_dump b9d2e09e table:ip_table
ip_route_details bda8f315 route:ip_route
ip_route_v2_dump d16f72e6 src:u8 table:ip_table
ip_route_v2_details b09aa6c0 route:ip_route_v2
ip_route_lookup_v2 710d6471 table_id:u32 exact:u8 prefix:prefix
ip_route_lookup_v2_reply 84cc9e03 retval:i32 route:ip_route_v2
ip_route_lookup 710d6471 table_id:u32 exact:u8 prefix:prefix
ip_route_lookup_reply 5d8febcb retval:i32 route:ip_route
ip_route_lookup_v2 710d6471 table_id:u32 exact:u8 prefix:prefix
ip_route_lookup_v2_reply 84cc9e03 retval:i32 route:ip_route_v2
ip_address_dump 2d033de4 sw_if_index:interface_index is_ipv6:bool
ip_address_details ee29b797 sw_if_index:interface_index prefix:address_with_prefix
sw_interface_dump aa610c27 sw_if_index:interface_index=4294967295 name_filter_valid:bool \
name_filter:string[]
sw_interface_details 6c221fc7 sw_if_index:interface_index sup_sw_if_index:u32 l2_address:mac_address \
flags:if_status_flags type:if_type link_duplex:link_duplex link_speed:u32 link_mtu:u16 mtu:u32[4] sub_id:u32 \
sub_number_of_tags:u8 sub_outer_vlan_id:u16 sub_inner_vlan_id:u16 sub_if_flags:sub_if_flags vtr_op:u32 \
vtr_push_dot1q:u32 vtr_tag1:u32 vtr_tag2:u32 outer_tag:u16 b_dmac:mac_address b_smac:mac_address \
b_vlanid:u16 i_sid:u32 interface_name:string[64] interface_dev_type:string[64] tag:string[64]
sw_interface_set_flags f5aec1b8 sw_if_index:interface_index flags:if_status_flags
sw_interface_set_flags_reply e8d4e804 retval:i32
sw_interface_set_mtu 5cbe85e5 sw_if_index:interface_index mtu:u32[4]
sw_interface_set_mtu_reply e8d4e804 retval:i32
sw_interface_add_del_address 5463d73b sw_if_index:interface_index is_add:bool del_all:bool \
prefix:address_with_prefix
sw_interface_add_del_address_reply e8d4e804 retval:i32
sw_interface_set_table df42a577 sw_if_index:interface_index is_ipv6:bool vrf_id:u32
sw_interface_set_table_reply e8d4e804 retval:i32
sw_interface_get_table 2d033de4 sw_if_index:interface_index is_ipv6:bool
sw_interface_get_table_reply a6eb0109 retval:i32 vrf_id:u32
sw_interface_tag_add_del 426f8bc1 is_add:bool sw_if_index:interface_index tag:string[64]
sw_interface_tag_add_del_reply e8d4e804 retval:i32
create_loopback 42bb5d22 mac_address:mac_address
create_loopback_reply 5383d31f retval:i32 sw_if_index:interface_index
create_loopback_instance d36a3ee2 mac_address:mac_address is_specified:bool user_instance:u32
create_loopback_instance_reply 5383d31f retval:i32 sw_if_index:interface_index
delete_loopback f9e6675e sw_if_index:interface_index
delete_loopback_reply e8d4e804 retval:i32
af_packet_create_v3 b3a809d4 mode:af_packet_mode hw_addr:mac_address use_random_hw_addr:bool \
host_if_name:string[64] rx_frame_size:u32 tx_frame_size:u32 rx_frames_per_block:u32 tx_frames_per_block:u32 \
flags:af_packet_flags num_rx_queues:u16=1 num_tx_queues:u16=1
af_packet_create_v3_reply 5383d31f retval:i32 sw_if_index:interface_index
af_packet_delete 863fa648 host_if_name:string[64]
af_packet_delete_reply e8d4e804 retval:i32
af_packet_dump 51077d14
af_packet_details 58c7c042 sw_if_index:interface_index host_if_name:string[64]
sr_localsid_add_del 5a36c324 is_del:bool=false localsid:ip6_address end_psp:bool behavior:sr_behavior \
sw_if_index:interface_index=4294967295 vlan_index:u32 fib_table:u32 nh_addr:address
sr_localsid_add_del_reply e8d4e804 retval:i32
sr_localsid_add_del_v2 8da7805a is_del:bool=false localsid:ip6_address end_psp:bool behavior:sr_behavior \
sw_if_index:interface_index=4294967295 vlan_index:u32 fib_table:u32 nh_addr:address locator_block_len:u8 \
locator_node_len:u8 function_len:u8
sr_localsid_add_del_v2_reply e8d4e804 retval:i32
sr_policy_add 44ac92e8 bsid_addr:ip6_address weight:u32 is_encap:bool is_spray:bool fib_table:u32 \
sids:srv6_sid_list
sr_policy_add_reply e8d4e804 retval:i32
sr_policy_add_v2 f6297f36 bsid_addr:ip6_address weight:u32 is_encap:bool type:sr_policy_type=0 fib_table:u32 \
sids:srv6_sid_list encap_src:ip6_address
sr_policy_add_v2_reply e8d4e804 retval:i32
sr_policy_mod b97bb56e bsid_addr:ip6_address sr_policy_index:u32 fib_table:u32 operation:sr_policy_op \
sl_index:u32 weight:u32 sids:srv6_sid_list
sr_policy_mod_reply e8d4e804 retval:i32
sr_policy_mod_v2 c0544823 bsid_addr:ip6_address sr_policy_index:u32 fib_table:u32 operation:sr_policy_op \
sl_index:u32 weight:u32 sids:srv6_sid_list encap_src:ip6_address
sr_policy_mod_v2_reply e8d4e804 retval:i32
sr_policy_del cb4d48d5 bsid_addr:ip6_address sr_policy_index:u32
sr_policy_del_reply e8d4e804 retval:i32
sr_set_encap_source d3bad5e1 encaps_source:ip6_address
sr_set_encap_source_reply e8d4e804 retval:i32
sr_set_encap_hop_limit aa75d7d0 hop_limit:u8
sr_set_encap_hop_limit_reply e8d4e804 retval:i32
sr_steering_add_del e46b0a0f is_del:bool=false bsid_addr:ip6_address sr_policy_index:u32 table_id:u32 \
prefix:prefix sw_if_index:interface_index traffic_type:sr_steer
sr_steering_add_del_reply e8d4e804 retval:i32
sr_localsids_dump 51077d14
sr_localsids_details 2e9221b9 addr:ip6_address end_psp:bool behavior:sr_behavior fib_table:u32 \
vlan_index:u32 xconnect_nh_addr:address xconnect_iface_or_vrf_table:u32
sr_policies_dump 51077d14
sr_policies_details db6ff2a1 bsid:ip6_address is_spray:bool is_encap:bool fib_table:u32 num_sid_lists:u8 \
sid_lists:srv6_sid_list[num_sid_lists]
sr_policies_v2_dump 51077d14
sr_policies_v2_details 96dcb699 bsid:ip6_address encap_src:ip6_address type:sr_policy_type is_encap:bool \
fib_table:u32 num_sid_lists:u8 sid_lists:srv6_sid_list[num_sid_lists]
sr_policies_with_sl_index_dump 51077d14
sr_policies_with_sl_index_details ca2e9bc8 bsid:ip6_address is_spray:bool is_encap:bool fib_table:u32 \
num_sid_lists:u8 sid_lists:srv6_sid_list_with_sl_index[num_sid_lists]
sr_steering_pol_dump 51077d14
sr_steering_pol_details d41258c9 traffic_type:sr_steer fib_table:u32 prefix:prefix \
sw_if_index:interface_index bsid:ip6_address
"""

_BASE: Final = frozenset(["u8", "u16", "u32", "u64", "i32", "f64", "bool", "string"])
_FIELD: Final = re.compile(r"(\w+):(\w+)(?:\[(\w*)\])?(?:=(\w+))?")


class Field(NamedTuple):
    """One field of a type or message."""

    name: str
    type: str
    length: int | str | None = None
    """None: one value; 0: a string of any length; a name: as many as that field says."""
    default: str | None = None


class Message(NamedTuple):
    """One message."""

    name: str
    crc: str
    fields: tuple[Field, ...]
    """All of them, the identifier first."""

    @property
    def entry(self) -> str:
        """Its name in the message table."""
        return f"{self.name}_{self.crc}"


def _lines(table: str) -> Iterator[list[str]]:
    return (line.split() for line in table.strip().splitlines())


def _field(text: str) -> Field:
    found = _FIELD.fullmatch(text)
    assert found, text
    name, kind, length, default = found.groups()
    if length is not None and length.isdigit():
        return Field(name, kind, int(length), default)
    return Field(name, kind, 0 if length == "" else length, default)


def _head(name: str) -> tuple[Field, ...]:
    """Return the fields before those of the table: who is known as a client already, says so in requests."""
    known = (Field("_vl_msg_id", "u16"), Field("client_index", "u32"), Field("context", "u32"))
    if name == "sockclnt_create_reply":
        return known
    anonymous = name.endswith(("_reply", "_details")) or name == "sockclnt_create"
    return (known[0], known[2]) if anonymous else known


MESSAGES: Final = {
    name: Message(name, crc, (*_head(name), *map(_field, fields))) for name, crc, *fields in _lines(_MESSAGES)
}
TYPES: Final = {name: tuple(map(_field, fields)) for kind, name, *fields in _lines(_TYPES) if kind == "type"}
UNIONS: Final = {
    name: tuple(map(_field, fields)) for kind, name, *fields in _lines(_TYPES) if kind == "union"
}
ALIASES: Final = {row[1]: _field(f"{row[1]}:{row[2]}") for row in _lines(_TYPES) if row[0] == "alias"}
ENUMS: Final = {
    row[2]: (row[1], [(row[3] + name, int(number)) for name, number in (item.split("=") for item in row[4:])])
    for row in _lines(_TYPES)
    if row[0] == "enum"
}
IDS: Final = {
    name: {"sockclnt_create": SOCKCLNT_CREATE, "sockclnt_create_reply": SOCKCLNT_CREATE_REPLY}.get(
        name, FIRST_ID + at
    )
    for at, name in enumerate(MESSAGES)
}


def _long(name: str) -> str:
    return name if name in _BASE else f"vl_api_{name}_t"


def _written(field: Field) -> list[Any]:
    row: list[Any] = [_long(field.type), field.name]
    if isinstance(field.length, int):
        row.append(field.length)
    elif field.length is not None:
        row += [0, field.length]
    if field.default is not None:
        row.append({"default": int(field.default) if field.default.isdigit() else field.default == "true"})
    return row


def _services() -> dict[str, Any]:
    services: dict[str, Any] = {}
    for name in MESSAGES:
        if f"{name}_reply" in MESSAGES:
            services[name] = {"reply": f"{name}_reply"}
        elif name.endswith("_dump"):
            services[name] = {"reply": f"{name.removesuffix('_dump')}_details", "stream": True}
    return services


def api_json(without: frozenset[str] = frozenset()) -> str:
    """Return what `get_api_json` answers: one module with everything but some messages."""
    aliases = {
        name: {"type": _long(field.type), **({"length": field.length} if field.length else {})}
        for name, field in ALIASES.items()
    }
    return json.dumps(
        [
            {
                "types": [[name, *map(_written, fields)] for name, fields in TYPES.items()],
                "unions": [[name, *map(_written, fields)] for name, fields in UNIONS.items()],
                "enums": [
                    [name, *map(list, values), {"enumtype": base}] for name, (base, values) in ENUMS.items()
                ],
                "enumflags": [],
                "aliases": aliases,
                "messages": [
                    [name, *map(_written, item.fields), {"crc": f"0x{item.crc}", "options": {}}]
                    for name, item in MESSAGES.items()
                    if name not in without
                ],
                "services": {name: item for name, item in _services().items() if name not in without},
            }
        ]
    )
