"""What changes of pod attachments do: CNI acts when a pod starts and when it ends, and never in between.

So a running pod keeps its VF, its VLAN and its addresses, whatever becomes of the objects they came from.
"""

from __future__ import annotations

from typing import Final

from renderers.rules import ALWAYS, CREATE, DELETE, REPLACE, UPDATE, Effect, Effects, where

_BLOCKS: Final = where(
    "a pool of nv-ipam", "apiVersion", lambda found: str(found).startswith("nv-ipam.nvidia.com/")
)
_PLUGIN: Final = where("sriovdp-config", "metadata.name", lambda found: found == "sriovdp-config")
_KEPT: Final = "running pods keep what they were given until they are made anew"

EFFECTS: Final[Effects] = {
    ("kubernetes", "NetworkAttachmentDefinition"): (
        Effect("hitless", "pods take it when they start", CREATE),
        Effect("hitless", _KEPT, UPDATE),
        Effect("hitless", f"{_KEPT}; who starts meanwhile is tried again", REPLACE),
        Effect("destroy", "pods that name it no longer start; the running keep their interface", DELETE),
    ),
    ("kubernetes", "SriovNetwork"): (
        Effect("hitless", "the operator writes its NAD; pods take it when they start", CREATE),
        Effect("hitless", f"the operator rewrites its NAD: {_KEPT}", UPDATE | REPLACE),
        Effect(
            "destroy",
            "the operator takes the NAD away from the old namespace: pods there that name it no longer start",
            ALWAYS - DELETE - CREATE,
            frozenset({"spec.networkNamespace"}),
        ),
        Effect(
            "destroy",
            "the operator takes its NAD away: pods that name it no longer start; the running keep their VF",
            DELETE,
        ),
    ),
    ("kubernetes", "IPPool"): (
        Effect(
            "hitless", "nodes get blocks of it; pods take addresses when they start", CREATE, case=_BLOCKS
        ),
        Effect("hitless", _KEPT, UPDATE | REPLACE, case=_BLOCKS),
        Effect(
            "drain",
            "nodes get other blocks and forget who holds the old: make pods anew, or addresses come twice",
            UPDATE | REPLACE,
            frozenset({"spec.subnet", "spec.perNodeBlockSize"}),
            _BLOCKS,
        ),
        Effect("destroy", "pods that start get no address; the running keep theirs", DELETE, case=_BLOCKS),
    ),
    ("kubernetes", "ConfigMap"): (
        Effect(
            "hitless",
            "the device plugin reads it when it starts, and running pods keep their VFs",
            CREATE | UPDATE | REPLACE,
            case=_PLUGIN,
        ),
        Effect(
            "destroy",
            "a device plugin that starts offers no VFs: pods that ask for them are not scheduled",
            DELETE,
            case=_PLUGIN,
        ),
    ),
    ("cni", "conflist"): (
        Effect("hitless", "pods take it when they start", CREATE),
        Effect("hitless", _KEPT, UPDATE | REPLACE),
        Effect("destroy", "pods of the network no longer start on the node; the running stay", DELETE),
    ),
}
