"""What a policy stands on at another node: the service SID that it ends in.

Nobody shall be steered to a node that does not decapsulate yet, nor a SID be taken away while somebody may
still steer to it. So a policy needs the localsid at its egress node, whatever data plane that node has.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from compiler.elements.overlay import Policy, PolicyInjection
from compiler.te.carriers import steps_down
from renderers.resource import Key
from renderers.rules import Through

LOCALSIDS: Final = (("vpp", "localsid"), ("linux", "localsid"))
"""Types of service SIDs, of which a policy may need one of any."""


def far_end(policy: Policy | PolicyInjection) -> tuple[Key, ...]:
    """Return the service SID at the egress node; none where that node is not ours to program."""
    if policy.egress is None:
        return ()
    return _localsid(*policy.egress)


@lru_cache(maxsize=65536)  # all headends need the same one, and share it
def _localsid(dataplane: str, cluster: str, node: str, sid: str) -> tuple[Key, ...]:
    if (dataplane, "localsid") not in LOCALSIDS:
        return ()
    return (Key(dataplane, f"node/{cluster}/{node}", "localsid", sid),)


def _sids(spec: Any) -> Iterator[str]:
    """Yield the SIDs in the lists of a policy, and other words beside them; what is odd has none."""
    return _words(spec.get("lists", ()))


def _words(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield from _steps(part)
    elif isinstance(part, list | tuple | dict):
        for inner in part.values() if isinstance(part, dict) else part:
            yield from _words(inner)


@lru_cache(maxsize=65536)  # headends share them
def _steps(word: str) -> tuple[str, ...]:
    """Return a SID, and all that routers make of it on the way where it carries several (RFC 9800)."""
    try:
        return steps_down(word)
    except ValueError:
        return (word,)


THROUGH: Final[Through] = {
    ("vpp", "policy"): _sids,
    ("linux", "policy"): _sids,
    ("srpolicy", "sr-policy"): _sids,
}
"""Types that send packets to SIDs; no target knows that another has these, so what stands is asked itself."""
