"""Which message is answered by what.

A request that stands in neither table is one between client and server alone (see server).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from tests.vppd import cli, links, routing, srv6
from tests.vppd.said import Fields, Request
from tests.vppd.state import State


def _show_version(_: State, __: Request) -> Fields:
    return {"program": "vpe", "version": "stand-in", "build_date": "", "build_directory": ""}


REQUESTS: Final[Mapping[str, Callable[[State, Request], int | Fields]]] = {
    "control_ping": lambda vpp, _: {"vpe_pid": vpp.pid},
    "api_versions": lambda *_: 0,
    "show_version": _show_version,
    "cli_inband": cli.cli,
    "fib_source_add": routing.fib_source_add,
    "ip_table_add_del": routing.ip_table_add_del,
    "ip_table_add_del_v2": routing.ip_table_add_del,
    "ip_route_add_del": routing.route,
    "ip_route_add_del_v2": routing.route,
    "ip_route_lookup": routing.lookup,
    "ip_route_lookup_v2": routing.lookup,
    "sw_interface_set_flags": links.interface(links.set_flags),
    "sw_interface_set_mtu": links.interface(links.set_mtu),
    "sw_interface_add_del_address": links.interface(links.change_address),
    "sw_interface_set_table": links.interface(links.set_table),
    "sw_interface_get_table": links.get_table,
    "sw_interface_tag_add_del": links.interface(links.tag),
    "create_loopback": lambda vpp, said: links.created(
        vpp.interfaces.create_loopback(said["mac_address"], None)
    ),
    "create_loopback_instance": links.create_instance,
    "delete_loopback": lambda vpp, said: vpp.interfaces.delete_loopback(said["sw_if_index"]),
    "af_packet_create_v3": links.create_host,
    "af_packet_delete": lambda vpp, said: vpp.interfaces.delete_host(said["host_if_name"]),
    "sr_localsid_add_del": srv6.localsid,
    "sr_localsid_add_del_v2": srv6.localsid,
    "sr_policy_add": srv6.policy_add,
    "sr_policy_add_v2": srv6.policy_add,
    "sr_policy_mod": srv6.policy_mod,
    "sr_policy_mod_v2": srv6.policy_mod,
    "sr_policy_del": lambda vpp, said: vpp.sr.delete_policy(said["bsid_addr"]),
    "sr_set_encap_source": srv6.set_source,
    "sr_set_encap_hop_limit": srv6.set_hop_limit,
    "sr_steering_add_del": srv6.steering,
}
"""What answers with one message: a retval, or fields of the reply (retval 0 where they do not say it)."""

DUMPS: Final[Mapping[str, Callable[[State, Request], Iterator[Fields]]]] = {
    "fib_source_dump": routing.fib_source_dump,
    "ip_table_dump": routing.ip_table_dump,
    "ip_route_dump": routing.ip_route_dump,
    "ip_route_v2_dump": routing.ip_route_dump,
    "ip_address_dump": links.ip_address_dump,
    "sw_interface_dump": links.sw_interface_dump,
    "af_packet_dump": links.af_packet_dump,
    "sr_localsids_dump": srv6.sr_localsids_dump,
    "sr_policies_dump": srv6.policies_dump,
    "sr_policies_v2_dump": srv6.policies_dump,
    "sr_policies_with_sl_index_dump": srv6.policies_dump,
    "sr_steering_pol_dump": srv6.sr_steering_pol_dump,
}
"""What answers with any number of rows."""
