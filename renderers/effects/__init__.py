"""What a change of each type of object does to traffic: one module per world, all of them in `EFFECTS`.

A table names level and reason by operation, by field and by case; of what holds, the worst counts. Levels are
what the target really does, read from its code or measured, with the change made in the order of the plan.

    hitless      nothing that runs loses a packet
    brief loss   traffic is lost for moments, and comes back by itself
    drain        pods are evicted, or have to be made anew before they are reached again
    reboot       nodes restart
    destroy      what is in use goes, and does not come back by this action
"""

from __future__ import annotations

from typing import Final

from renderers.effects import apstra, calico, frr, linux, pods, sriov, srpolicy, views, vpp
from renderers.rules import Effects, joined

EFFECTS: Final[Effects] = joined(
    module.EFFECTS for module in (vpp, linux, calico, srpolicy, pods, sriov, apstra, frr, views)
)
