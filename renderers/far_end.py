"""What a policy stands on at another node: the service SID that it ends in.

Nobody shall be steered to a node that does not decapsulate yet, nor a SID be taken away while somebody may
still steer to it. So a policy needs the localsid at its egress node, whatever data plane that node has.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from compiler.elements.overlay import Policy
from renderers.resource import Key

LOCALSIDS: Final = (("vpp", "localsid"), ("linux", "localsid"))
"""Types of service SIDs, of which a policy may need one of any."""


def far_end(policy: Policy) -> tuple[Key, ...]:
    """Return the service SID at the egress node; none where that node is not ours to program."""
    if policy.egress is None:
        return ()
    return _localsid(*policy.egress, policy.endpoint)


@lru_cache(maxsize=65536)  # all headends need the same one, and share it
def _localsid(dataplane: str, cluster: str, sid: str, node: str) -> tuple[Key, ...]:
    if (dataplane, "localsid") not in LOCALSIDS:
        return ()
    return (Key(dataplane, f"node/{cluster}/{node}", "localsid", sid),)
