"""How VFs are made and offered: objects of the SR-IOV operator, or configuration of the device plugin."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from compiler.elements.pods import DevicePluginResource, SriovAttachment, SriovNodePolicy
from compiler.graph import Scope
from intent.kinds.virtual_network import VfSettings
from renderers import ipam
from renderers.manifest import manifest
from renderers.origins import joined, renamed
from renderers.resource import Key, Resource

API: Final = "sriovnetwork.openshift.io/v1"
PLUGIN_CONFIG: Final = ("kube-system", "sriovdp-config")
"""Where the device plugin reads what it offers."""

_POLICY_FIELDS: Final = {
    "name": ("metadata.name", "metadata.annotations"),
    "operator": ("metadata.namespace",),
    "resource": ("spec.resourceName",),
    "node_labels": ("spec.nodeSelector",),
    "nics": ("spec.nicSelector",),
    "vf_range": ("spec.nicSelector.pfNames",),
    "vendor": ("spec.nicSelector.vendor",),
    "device": ("spec.nicSelector.deviceID",),
    "pci": ("spec.nicSelector.rootDevices",),
    "vfs": ("spec.numVfs",),
    "priority": ("spec.priority",),
    "mtu": ("spec.mtu",),
    "device_type": ("spec.deviceType",),
    "e_switch_mode": ("spec.eSwitchMode",),
    "link_type": ("spec.linkType",),
    "rdma": ("spec.isRdma",),
    "vhost_net": ("spec.needVhostNet",),
    "exclude_topology": ("spec.excludeTopology",),
}
_NETWORK_FIELDS: Final = {
    "name": ("metadata.name", "metadata.annotations", "spec.ipam"),
    "operator": ("metadata.namespace",),
    "namespace": ("spec.networkNamespace",),
    "resource": ("spec.resourceName",),
    "vlan": ("spec.vlan", "spec.vlanProto", "spec.vlanQoS"),
    "ipam": ("spec.ipam", "spec.capabilities"),
    "mac": ("spec.capabilities",),
    "mtu": ("spec.metaPlugins",),
    "fabric": ("metadata.annotations",),
    "settings.trust": ("spec.trust",),
    "settings.spoof_check": ("spec.spoofChk",),
    "settings.link_state": ("spec.linkState",),
    "settings.min_tx_rate": ("spec.minTxRate",),
    "settings.max_tx_rate": ("spec.maxTxRate",),
    "settings.vlan_qos": ("spec.vlanQoS",),
    "settings.vlan_proto": ("spec.vlanProto",),
}
_PLUGIN_FIELDS: Final = dict.fromkeys(
    (
        "resource",
        "prefix",
        "name",
        "nics",
        "vf_range",
        "vendor",
        "pci",
        "device_type",
        "link_type",
        "rdma",
        "vhost_net",
        "exclude_topology",
    ),
    ("data.config.json",),
)


def policy(scope: Scope, element: SriovNodePolicy) -> Resource:
    """Return the SriovNetworkNodePolicy that makes the VFs of a pool."""
    spec: dict[str, Any] = {
        "resourceName": element.resource,
        "nodeSelector": dict(element.node_labels),
        "priority": element.priority,
        "numVfs": element.vfs,
        "nicSelector": _nic_selector(element),
        "deviceType": element.device_type,
        "isRdma": element.rdma,
        "needVhostNet": element.vhost_net,
        "linkType": element.link_type,
        "eSwitchMode": element.e_switch_mode,
        "excludeTopology": element.exclude_topology,
    }
    if element.mtu is not None:
        spec["mtu"] = element.mtu
    name = (element.operator, element.name)
    return Resource(
        Key("kubernetes", str(scope), "SriovNetworkNodePolicy", "/".join(name)),
        manifest((API, "SriovNetworkNodePolicy"), name, element.subject, {"spec": spec}),
        element.subject,
        origins=renamed(element.origins, _POLICY_FIELDS),
    )


def _nic_selector(element: SriovNodePolicy) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if element.nics:
        found["pfNames"] = _pf_names(element.nics, element.vf_range)
    if element.vendor:
        found["vendor"] = element.vendor
    if element.device:
        found["deviceID"] = element.device
    if element.pci:
        found["rootDevices"] = list(element.pci)
    return found


def _pf_names(nics: tuple[str, ...], vfs: tuple[int, int] | None) -> list[str]:
    return [f"{nic}#{vfs[0]}-{vfs[1]}" if vfs else nic for nic in nics]


def network(scope: Scope, element: SriovAttachment, annotations: dict[str, str]) -> Resource:
    """Return the SriovNetwork from which the operator makes a NAD of the same name."""
    assert element.operator is not None  # noqa: S101 -- for the type checker: the caller sorted by it
    spec: dict[str, Any] = {
        "networkNamespace": element.namespace,
        "resourceName": element.resource.rpartition("/")[2],
        "vlan": element.vlan,
        **_settings(element.settings, element.vlan),
    }
    if capabilities := capabilities_of(element):
        spec["capabilities"] = json.dumps(capabilities)
    if handed_out := ipam.config(element.ipam, element.network):
        spec["ipam"] = json.dumps(handed_out)
    if element.mtu is not None:
        spec["metaPlugins"] = json.dumps(tuning(element.mtu))
    name = (element.operator, element.name)
    return Resource(
        Key("kubernetes", str(scope), "SriovNetwork", f"{name[0]}/{name[1]}"),
        manifest((API, "SriovNetwork"), name, element.subject, {"spec": spec}, annotations),
        element.subject,
        needs(scope, element),
        renamed(element.origins, _NETWORK_FIELDS),
    )


def needs(scope: Scope, element: SriovAttachment) -> tuple[Key, ...]:
    """Return the object that makes the VFs, where it is a single one."""
    if element.policy is None or element.operator is None:
        return ()
    return (Key("kubernetes", str(scope), "SriovNetworkNodePolicy", f"{element.operator}/{element.policy}"),)


def capabilities_of(element: SriovAttachment) -> dict[str, bool]:
    """Return what the annotation of a pod may say of the interface."""
    return {name: True for name, said in (("ips", element.ips), ("mac", element.mac)) if said}


def _settings(settings: VfSettings, vlan: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if vlan and settings.vlan_qos is not None:
        found["vlanQoS"] = settings.vlan_qos
    if vlan:
        found["vlanProto"] = settings.vlan_proto
    if settings.spoof_check is not None:
        found["spoofChk"] = _switch(settings.spoof_check)
    if settings.trust is not None:
        found["trust"] = _switch(settings.trust)
    if settings.link_state is not None:
        found["linkState"] = settings.link_state
    if settings.min_tx_rate is not None:
        found["minTxRate"] = settings.min_tx_rate
    if settings.max_tx_rate is not None:
        found["maxTxRate"] = settings.max_tx_rate
    return found


_CNI_KEYS: Final = {
    "spoofChk": "spoofchk",
    "linkState": "link_state",
    "minTxRate": "min_tx_rate",
    "maxTxRate": "max_tx_rate",
}


def cni_settings(settings: VfSettings, vlan: int) -> dict[str, Any]:
    """Return the settings under the names of the sriov CNI plugin."""
    return {_CNI_KEYS.get(name, name): value for name, value in _settings(settings, vlan).items()}


def tuning(mtu: int) -> dict[str, Any]:
    """Return the plugin that gives the VF in the pod an MTU of its own."""
    return {"type": "tuning", "mtu": mtu}


def _switch(value: bool) -> str:  # noqa: FBT001 -- the truth value is what is written
    return "on" if value else "off"


def plugin_config(scope: Scope, cluster: str, elements: Iterable[DevicePluginResource]) -> Resource | None:
    """Return the one ConfigMap that tells the device plugin of all pools; None without any."""
    ordered = sorted(elements, key=lambda element: (element.prefix, element.resource))
    if not ordered:
        return None
    text = json.dumps({"resourceList": [_entry(element) for element in ordered]}, indent=2)
    origins = joined(*(renamed(element.origins, _PLUGIN_FIELDS) for element in ordered))
    subject = f"Cluster/{cluster}/sriov"
    return Resource(
        Key("kubernetes", str(scope), "ConfigMap", "/".join(PLUGIN_CONFIG)),
        manifest(("v1", "ConfigMap"), PLUGIN_CONFIG, subject, {"data": {"config.json": f"{text}\n"}}),
        subject,
        origins=origins,
    )


def _entry(element: DevicePluginResource) -> dict[str, Any]:
    selectors: dict[str, Any] = {"pfNames": _pf_names(element.nics, element.vf_range)}
    if element.vendor:
        selectors["vendors"] = [element.vendor]
    if element.pci:
        selectors["rootDevices"] = list(element.pci)
    if element.device_type == "vfio-pci":
        selectors["drivers"] = ["vfio-pci"]
    if element.link_type == "ib":
        selectors["linkTypes"] = ["infiniband"]
    if element.rdma:
        selectors["isRdma"] = True
    if element.vhost_net:
        selectors["needVhostNet"] = True
    return {
        "resourceName": element.resource,
        "resourcePrefix": element.prefix,
        "deviceType": "netDevice",
        "excludeTopology": element.exclude_topology,
        "selectors": [selectors],
    }
