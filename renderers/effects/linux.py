"""What changes of Linux's objects do: measured under a numbered stream (docs/lab.md), and read in the kernel.

The kernel swaps a route, and the members of a group of nexthops, in one step; packets on the way take the one
or the other.
"""

from __future__ import annotations

from typing import Final

from renderers.rules import CREATE, DELETE, REPLACE, UPDATE, Effect, Effects, where

_LEAK: Final = where("it leads into another VRF", "lookup", lambda _: True)

EFFECTS: Final[Effects] = {
    ("linux", "settings"): (
        Effect("hitless", "it takes effect for packets from now on", CREATE | UPDATE | REPLACE),
        Effect("hitless", "nothing is encapsulated any more; sysctls stay as they are", DELETE),
    ),
    ("linux", "vrf"): (
        Effect("hitless", "nothing is in it yet", CREATE),
        Effect("brief loss", "packets have the new source a moment after the VRF knows it", UPDATE),
        Effect("destroy", "the VRF goes with everything in it", REPLACE),
        Effect("destroy", "pods of the zone are in the main table, and reach nobody", DELETE),
    ),
    ("linux", "bridge"): (
        Effect("hitless", "pods join it later", CREATE),
        Effect(
            "brief loss",
            "as it changes the VRF, the kernel forgets who is behind it",
            UPDATE | REPLACE,
        ),
        Effect("destroy", "pods on it lose their network", DELETE),
    ),
    ("linux", "route"): (
        Effect("hitless", "it only adds a way", CREATE),
        Effect("hitless", "the kernel swaps the way of a prefix in one step", UPDATE | REPLACE),
        Effect(
            "brief loss",
            "swapped in one step, but packets wait until the new next hop's neighbour is resolved",
            UPDATE | REPLACE,
            frozenset({"next_hop", "interface"}),
        ),
        Effect("hitless", "the policies over it were changed or taken away in an earlier phase", DELETE),
        Effect(
            "destroy", "pods of the one network no longer reach the other on this node", DELETE, case=_LEAK
        ),
    ),
    ("linux", "localsid"): (
        Effect("hitless", "nothing is sent to it before a later phase", CREATE),
        Effect("hitless", "the kernel swaps what a SID does in one step", UPDATE | REPLACE),
        Effect("hitless", "far ends stopped sending to it in an earlier phase", DELETE),
    ),
    ("linux", "policy"): (
        Effect("hitless", "nothing is steered into it before a later phase", CREATE),
        Effect("hitless", "the kernel swaps all lists of a group of nexthops in one step", UPDATE | REPLACE),
        Effect("hitless", "steering into it was moved or taken away in an earlier phase", DELETE),
    ),
    ("linux", "steering"): (
        Effect("hitless", "its policy stands already, and it takes effect in one step", CREATE),
        Effect(
            "hitless",
            "re-pointed in one step, to a policy that stands, before the old one goes",
            UPDATE | REPLACE,
        ),
        Effect("destroy", "the prefix is no longer reached over the overlay from this node", DELETE),
    ),
}
