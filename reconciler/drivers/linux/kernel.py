"""What a kernel can do, found out by doing it in a network namespace that is thrown away.

Versions tell little: distributions leave parts out, and iproute2 must know the words as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from reconciler.drivers.base import PermanentError, TransientError
from reconciler.drivers.linux.ip import DENIED, NO_MEMORY, run
from renderers.resource import Resource

NEEDED: Final = {
    "encap": "CONFIG_IPV6_SEG6_LWTUNNEL (Linux 4.10)",
    "encap.red": "Linux 6.0 and iproute2 6.0",
    "End.DX4": "CONFIG_IPV6_SEG6_LWTUNNEL (Linux 4.14)",
    "End.DT6": "CONFIG_IPV6_SEG6_LWTUNNEL (Linux 4.14)",
    "End.DT4 vrftable": "Linux 5.11 with CONFIG_NET_VRF",
    "End.DT6 vrftable": "Linux 5.11 with CONFIG_NET_VRF",
    "VRF devices": "CONFIG_NET_VRF; set srv6.vrfDevices to false where the nodes have none",
    "nexthop groups": "Linux 5.3",
}
"""What each ability comes with."""

_VRF: Final = ("link add vrf9 type vrf table 9", "link set vrf9 up")
_ENCAP: Final = "nexthop add id 9 encap seg6 mode {} segs fd00::9 dev lo"
_LOCAL: Final = "route add fd00::9/128 encap seg6local action {} dev lo"
_PROBES: Final = {
    "encap": (f"-6 {_ENCAP.format('encap')}",),
    "encap.red": (f"-6 {_ENCAP.format('encap.red')}",),
    "End.DX4": (_LOCAL.format("End.DX4 nh4 0.0.0.0"),),
    "End.DT6": (_LOCAL.format("End.DT6 table 254"),),
    "End.DT4 vrftable": (*_VRF, _LOCAL.format("End.DT4 vrftable 9")),
    "End.DT6 vrftable": (*_VRF, _LOCAL.format("End.DT6 vrftable 9")),
    "VRF devices": _VRF,
    "nexthop groups": ("nexthop add id 9 dev lo", "nexthop add id 10 group 9"),
}


def abilities(resource: Resource) -> Iterator[str]:
    """Yield what a kernel must be able to do for an object."""
    spec: Any = resource.spec
    match resource.key.type:
        case "policy":
            yield "nexthop groups"
            yield from sorted({item["mode"] for item in spec["lists"]})
        case "localsid":
            words = spec["action"].split()
            yield f"{words[0]} vrftable" if "vrftable" in words else words[0]
        case "vrf":
            yield "VRF devices"


class Kernel:
    """The kernel that this process runs on: each ability is tried once."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._known: dict[str, str] = {}

    def lacks(self, ability: str) -> str:
        """Return why a kernel cannot do something; empty where it can."""
        if ability not in _PROBES:
            return f"{ability} is nothing that a Linux node of ours does"
        if ability not in self._known:
            script = "ip link set lo up; sysctl -eqw net.vrf.strict_mode=1\n"
            script += "".join(f"ip {line} || exit 1\n" for line in _PROBES[ability])
            done = run(["unshare", "--net", "sh", "-c", script], "")
            said = " ".join(done.stderr.replace("RTNETLINK answers: ", "").split())
            if done.returncode and (said.startswith("unshare:") or NO_MEMORY in said):
                kind = PermanentError if DENIED in said else TransientError
                raise kind(f"what this kernel can do could not be tried (needs CAP_SYS_ADMIN): {said}")
            why = f"this kernel has no {ability} ({said}); needed: {NEEDED[ability]}"
            self._known[ability] = why if done.returncode else ""
        return self._known[ability]
