"""What VPP's answers mean, message by message: its handlers use the same numbers for different things.

What is there already, and what is gone already, is no failure: reading back tells whether it is what was
wanted. A number that is not listed here is a failure that says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from renderers.vpp_messages import ADD, DELETE, Operation

Case = tuple[str, bool | int]
"""Message, and whether it takes away (of sr_policy_mod: the operation)."""
_OK: Final = ""
"""No words, no failure."""
_NO_TABLE: Final = "VPP has no such table"
_NO_INTERFACE: Final = "VPP has no such interface"
_NO_POLICY: Final = "VPP has no such policy"

_MEANING: Final[Mapping[Case, Mapping[int, str]]] = {
    ("sr_localsid_add_del", False): {
        -1: _OK,
        -2: _NO_INTERFACE,
        -3: _NO_TABLE,
        -4: "something else routes this address already, in the table where the SID shall be",
    },
    ("sr_localsid_add_del", True): {-2: _OK},
    ("sr_policy_add", False): {
        -12: "the binding SID is taken: by a policy that was made meanwhile, or by a route",
        -13: _NO_TABLE,
    },
    ("sr_policy_mod", ADD): {-1: _NO_POLICY},
    ("sr_policy_mod", DELETE): {
        -1: _NO_POLICY,
        -21: "it would lose its last segment list",
        -22: "its segment lists were changed meanwhile",
    },
    ("sr_policy_mod", 3): {
        -1: _NO_POLICY,
        -32: "its segment lists were changed meanwhile",
    },
    ("sr_policy_del", True): {-1: _OK},
    ("sr_steering_add_del", False): {
        -1: "VPP does not steer this kind of traffic",
        -2: "the policy that it shall be steered into is not there",
        -3: _NO_INTERFACE,
        -5: "IPv4 cannot be steered into a policy that inserts, and does not encapsulate",
    },
    ("sr_steering_add_del", True): {-4: _OK},
    ("sr_set_encap_hop_limit", False): {-7: "VPP does not take this hop limit"},
    ("ip_route_add_del_v2", False): {-3: _NO_TABLE},
    ("ip_route_add_del_v2", True): {-3: _OK},
    ("sw_interface_add_del_address", False): {
        -2: _NO_INTERFACE,
        -59: "VPP takes link-local addresses with length 128 only",
        -105: "an interface of this table has this address, or one of the same subnet",
    },
    ("sw_interface_add_del_address", True): {-2: _OK, -60: _OK},
    ("sw_interface_set_table", False): {
        -2: _NO_INTERFACE,
        -3: _NO_TABLE,
        -114: "the interface still has an address",
    },
    ("af_packet_create_v3", False): {
        -13: "VPP may not open it; does it run as root?",
        -71: "the host has no such interface; make the link first (docs/vpp.md)",
        -79: "VPP has taken it already, a moment ago or under another name; plan again, or rename it back",
    },
    ("af_packet_delete", True): {-11: _OK},
}
_GOES: Final = frozenset({"sr_policy_del", "af_packet_delete"})


def meaning(operation: Operation, retval: int) -> str:
    """Return what went wrong with a message, for people; empty where nothing did."""
    if retval == 0:
        return _OK
    unknown = f"VPP answers {operation.message} with error {retval}"
    return _MEANING.get(_case(operation), {}).get(retval, unknown)


def _case(operation: Operation) -> Case:
    message, arguments = operation.message, operation.arguments
    if message == "sr_policy_mod":
        return message, arguments["operation"]
    if message in _GOES:
        return message, True
    return message, bool(arguments.get("is_del", not arguments.get("is_add", True)))
