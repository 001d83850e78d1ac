"""What changes of SR policies that are announced by BGP do: at agents of Calico-VPP 3.32, and at ours.

An agent of Calico-VPP that hears of a policy for a node takes every policy that it uses for that node, of
both families, out of VPP and adds it anew. It ignores withdrawals: the driver announces the node's own path.
"""

from __future__ import annotations

from typing import Final

from compiler.derived.announcements import calico_family
from renderers.rules import CREATE, DELETE, REPLACE, UPDATE, Effect, Effects, where

_CALICO: Final = where(
    "towards a Calico-VPP node", "distinguisher", lambda found: calico_family(int(found)) is not None
)

EFFECTS: Final[Effects] = {
    ("srpolicy", "sr-policy"): (
        Effect(
            "brief loss",
            "agents take what they use for the node out of VPP and add it anew, dropping packets in between",
            CREATE | UPDATE | REPLACE,
            case=_CALICO,
        ),
        Effect(
            "brief loss",
            "agents ignore withdrawals: the node's own path takes its place, so that traffic returns to it",
            DELETE,
            case=_CALICO,
        ),
        Effect("hitless", "nothing is steered into it before a later phase", CREATE),
        Effect("hitless", "agents add new segment lists before they take old ones away", UPDATE | REPLACE),
        Effect("hitless", "nothing is steered into it any more, or another one has its BSID", DELETE),
    ),
    ("srpolicy", "remainder"): (
        Effect("brief loss", "it led to a SID that the node gave up: agents follow to the new one", DELETE),
    ),
}
