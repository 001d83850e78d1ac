"""What the SR-IOV operator does with a node when one of its policies changes.

Read in its config daemon (August 2026). A PF without VFs is set up without a drain; a PF whose VFs no longer
fit, or are not asked for any more, costs a drain of the pods that hold VFs. Kernel arguments for vfio-pci,
OVS offload for switchdev, and the firmware of Mellanox NICs cost a reboot, before which all pods are evicted.
"""

from __future__ import annotations

from typing import Final

from renderers.rules import CREATE, DELETE, REPLACE, UPDATE, Effect, Effects, where

MELLANOX: Final = "15b3"
"""PCI vendor id of NICs whose firmware holds the number of VFs."""


_DPDK: Final = where("deviceType is vfio-pci", "spec.deviceType", lambda found: found == "vfio-pci")
_SWITCHDEV: Final = where("eSwitchMode is switchdev", "spec.eSwitchMode", lambda found: found == "switchdev")
_FIRMWARE: Final = where(
    f"nicSelector.vendor is {MELLANOX}", "spec.nicSelector.vendor", lambda found: found == MELLANOX
)
_SHARED: Final = where(
    "nicSelector.pfNames names a range of VFs",
    "spec.nicSelector.pfNames",
    lambda found: any("#" in str(name) for name in found),
)

EFFECTS: Final[Effects] = {
    ("kubernetes", "SriovNetworkNodePolicy"): (
        Effect("hitless", "the operator makes VFs on PFs that have none without a drain", CREATE),
        Effect(
            "drain",
            "its PF may have VFs of other policies: where they do not fit, the operator evicts pods with VFs",
            CREATE,
            case=_SHARED,
        ),
        Effect(
            "hitless",
            "VFs stay as they are: at most the device plugin restarts, and pods keep theirs",
            UPDATE,
        ),
        Effect(
            "drain",
            "VFs in use are made or set up anew: the operator evicts pods with VFs, node after node",
            UPDATE,
            frozenset({"spec.numVfs", "spec.mtu", "spec.deviceType", "spec.eSwitchMode"}),
        ),
        Effect(
            "drain",
            "PFs that it chooses no longer lose their VFs: the operator evicts the pods that hold them",
            UPDATE,
            frozenset({"spec.nicSelector", "spec.nodeSelector", "spec.priority"}),
        ),
        Effect(
            "reboot",
            "vfio-pci needs the IOMMU: where it is off, the operator sets kernel arguments and reboots",
            CREATE | UPDATE,
            frozenset({"spec.deviceType"}),
            _DPDK,
        ),
        Effect(
            "reboot",
            "switchdev needs Open vSwitch to offload: where it does not, the operator sets it up and reboots",
            CREATE | UPDATE,
            frozenset({"spec.eSwitchMode"}),
            _SWITCHDEV,
        ),
        Effect(
            "reboot",
            "the NIC's firmware holds the number of VFs: where it differs, the operator sets it and reboots",
            CREATE | UPDATE,
            frozenset({"spec.numVfs"}),
            _FIRMWARE,
        ),
        Effect(
            "reboot",
            "the NIC's firmware holds the type of its links: the operator sets it and reboots",
            UPDATE,
            frozenset({"spec.linkType"}),
        ),
        Effect(
            "drain", "VFs are taken away and made anew: the operator evicts the pods that hold them", REPLACE
        ),
        Effect(
            "destroy",
            "the operator evicts pods with its VFs, and takes these away: nothing that asks for them starts",
            DELETE,
        ),
    ),
}
