"""What changes of VPP's objects do: measured under traffic, and read in its SRv6 code.

VPP handles one message with its workers stopped, so what one message changes costs no packet.
"""

from __future__ import annotations

from typing import Final

from renderers.rules import CREATE, DELETE, REPLACE, UPDATE, Effect, Effects, where

_LEAK: Final = where("it leads to a lookup in another table", "lookup", lambda _: True)
_INWARD: Final = where("it is in a table of pods", "table", bool)

EFFECTS: Final[Effects] = {
    ("vpp", "table"): (
        Effect("hitless", "nothing is looked up in it yet", CREATE | UPDATE),
        Effect("destroy", "a table has no second name: it has to go with all that stands in it", REPLACE),
        Effect("destroy", "nothing is routed by it any more", DELETE),
    ),
    ("vpp", "interface"): (
        Effect("hitless", "nothing is routed over it yet", CREATE),
        Effect(
            "brief loss",
            "it loses its addresses while it changes to another table: what goes over it is dropped",
            UPDATE | REPLACE,
        ),
        Effect("destroy", "the pods behind it are no longer reached", DELETE),
    ),
    ("vpp", "address"): (
        Effect("hitless", "nothing goes over the link yet", CREATE),
        Effect("brief loss", "what has it as its gateway is cut off for a moment", UPDATE | REPLACE),
        Effect("destroy", "what has it as its gateway is cut off", DELETE),
    ),
    ("vpp", "route"): (
        Effect("hitless", "it only adds a way", CREATE),
        Effect("hitless", "VPP swaps the way of a prefix in one step", UPDATE | REPLACE),
        Effect(
            "brief loss",
            "swapped in one step, but packets are dropped until the new next hop's neighbour is resolved",
            UPDATE | REPLACE,
            frozenset({"next_hop", "interface"}),
        ),
        Effect("hitless", "the policies over it were changed or taken away in an earlier phase", DELETE),
        Effect(
            "destroy",
            "pods of the one network no longer reach the other on this node",
            DELETE,
            case=_LEAK,
        ),
        Effect("destroy", "the pods of this node are no longer reached over it", DELETE, case=_INWARD),
    ),
    ("vpp", "encap"): (
        Effect("hitless", "no policy has copied it yet", CREATE),
        Effect(
            "hitless",
            "policies keep the source that they copied; each list is added anew before the old one goes",
            UPDATE | REPLACE,
        ),
        Effect("hitless", "the policies that copied it went in an earlier phase", DELETE),
    ),
    ("vpp", "localsid"): (
        Effect("hitless", "nothing is sent to it before a later phase", CREATE | UPDATE),
        Effect(
            "brief loss",
            "VPP holds a SID once: it is taken away and added anew, and what arrives in between is dropped",
            REPLACE,
        ),
        Effect("hitless", "far ends stopped sending to it in an earlier phase", DELETE),
    ),
    ("vpp", "policy"): (
        Effect("hitless", "nothing is steered into it before a later phase", CREATE),
        Effect("hitless", "new segment lists are added before old ones are taken away", UPDATE),
        Effect(
            "brief loss",
            "a binding SID holds one policy: between the old and the new, what is steered into it is dropped",
            REPLACE,
        ),
        Effect("hitless", "steering into it was moved or taken away in an earlier phase", DELETE),
    ),
    ("vpp", "steering"): (
        Effect("hitless", "its policy stands already, and it takes effect in one step", CREATE),
        Effect(
            "hitless",
            "re-pointed in one step, to a policy that stands, before the old one goes",
            UPDATE | REPLACE,
        ),
        Effect("destroy", "the prefix is no longer reached over the overlay from this node", DELETE),
    ),
}
