"""What pods plug into: NADs, bonds of VFs, the CNI configuration of nodes, and the lines for workloads.

The configuration inside a NAD is text that no API server checks; it is made of the same values in the same
order every time, so that it differs only where something differs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from compiler.elements.pods import (
    AddressPool,
    BondAttachment,
    DevicePluginResource,
    FabricLink,
    NodeConflist,
    OverlayAttachment,
    PodSnippet,
    SriovAttachment,
    SriovNodePolicy,
)
from compiler.graph import Element, Scope
from renderers import ipam, snippets, sriov
from renderers.manifest import manifest
from renderers.origins import renamed
from renderers.resource import Key, Resource

CNI_VERSION: Final = "1.0.0"
NAD: Final = ("k8s.cni.cncf.io/v1", "NetworkAttachmentDefinition")
RESOURCE: Final = "k8s.v1.cni.cncf.io/resourceName"
"""Annotation of a NAD: pods that take it get a device of this extended resource."""
FABRIC: Final = "intentc.dev/fabric"
"""Annotation of a NAD: what the fabric knows the network by."""

_FABRIC: Final = (("apstra", "virtual-network"), ("apstra", "assignment"), ("frr", "configuration"))
_BEFORE_NADS: Final = (
    ("kubernetes", "SriovNetworkNodePolicy"),
    ("kubernetes", "IPPool"),
    ("kubernetes", "ConfigMap"),
    ("cni", "conflist"),
    *_FABRIC,
)
NEEDS: Final = {
    # Pods may start once the NAD is there: VFs, addresses and the fabric must be ready by then.
    ("kubernetes", "NetworkAttachmentDefinition"): (*_BEFORE_NADS, ("kubernetes", "SriovNetwork")),
    ("kubernetes", "SriovNetwork"): _BEFORE_NADS,
}
REPLACES: Final[dict[tuple[str, str], frozenset[str]]] = {}

_SRIOV_NAD: Final = {
    "name": ("metadata.name", "metadata.annotations", "spec.config"),
    "namespace": ("metadata.namespace",),
    "resource": ("metadata.annotations",),
    "prefix": ("metadata.annotations",),
    "fabric": ("metadata.annotations",),
    **dict.fromkeys(
        (
            "vlan",
            "ipam",
            "mac",
            "mtu",
            *(f"settings.{name}" for name in ("trust", "spoof_check", "link_state")),
        ),
        ("spec.config",),
    ),
    **dict.fromkeys(
        (f"settings.{name}" for name in ("min_tx_rate", "max_tx_rate", "vlan_qos", "vlan_proto")),
        ("spec.config",),
    ),
}
_OTHER_NAD: Final = {
    "name": ("metadata.name", "metadata.annotations", "spec.config"),
    "namespace": ("metadata.namespace",),
    "fabric": ("metadata.annotations",),
    **dict.fromkeys(("mode", "fail_over_mac", "miimon", "links", "ipam", "mtu"), ("spec.config",)),
}
_CONFLIST: Final = {
    "name": ("name", "plugins.0.bridge"),
    # A block that is also a prefix that pods reach is no route of theirs.
    "blocks": ("plugins.0.ipam",),
    "mtu": ("plugins.0.mtu",),
    "routes": ("plugins.0.ipam.routes",),
}


def render(scope: Scope, elements: tuple[Element, ...]) -> Iterator[Resource]:
    """Yield the resources of pod attachments of a cluster or node."""
    for element in elements:
        how = _HOW.get(type(element))
        if how is not None:
            yield how(scope, element)
    resources = (element for element in elements if isinstance(element, DevicePluginResource))
    config = sriov.plugin_config(scope, scope.name, resources)
    if config is not None:
        yield config


def _sriov(scope: Scope, element: SriovAttachment) -> Resource:
    """Return what stands for one VF: the operator's object, or the NAD itself."""
    if element.operator is None:
        return _sriov_nad(scope, element)
    return sriov.network(scope, element, _annotations(element.fabric))


def _overlay(scope: Scope, element: OverlayAttachment) -> Resource:
    """Return a NAD that says nothing: Multus then looks on each node for a configuration of its name."""
    return _nad(scope, element, {})


def _annotations(fabric: FabricLink | None) -> dict[str, str]:
    if fabric is None:
        return {}
    return {FABRIC: json.dumps({"vni": fabric.vni, "vlan": fabric.vlan, "vrf": fabric.zone})}


def _sriov_nad(scope: Scope, element: SriovAttachment) -> Resource:
    """Return the NAD of one VF, as the operator would write it."""
    plugin: dict[str, Any] = {
        "type": "sriov",
        "vlan": element.vlan,
        **sriov.cni_settings(element.settings, element.vlan),
    }
    if capabilities := sriov.capabilities_of(element):
        plugin["capabilities"] = capabilities
    if handed_out := ipam.config(element.ipam, element.network):
        plugin["ipam"] = handed_out
    head = {"cniVersion": CNI_VERSION, "name": element.name}
    if element.mtu is None:
        config = {**head, **plugin}
    else:
        config = {**head, "plugins": [plugin, sriov.tuning(element.mtu)]}
    name = (element.namespace, element.name)
    annotations = {RESOURCE: element.resource, **_annotations(element.fabric)}
    return Resource(
        Key("kubernetes", str(scope), NAD[1], "/".join(name)),
        manifest(NAD, name, element.subject, {"spec": {"config": json.dumps(config)}}, annotations),
        element.subject,
        sriov.needs(scope, element),
        renamed(element.origins, _SRIOV_NAD),
    )


def _nad(scope: Scope, element: BondAttachment | OverlayAttachment, spec: dict[str, str]) -> Resource:
    """Return a NAD without a device of its own."""
    name = (element.namespace, element.name)
    return Resource(
        Key("kubernetes", str(scope), NAD[1], "/".join(name)),
        manifest(NAD, name, element.subject, {"spec": spec}, _annotations(element.fabric)),
        element.subject,
        _legs(scope, element) if isinstance(element, BondAttachment) else (),
        renamed(element.origins, _OTHER_NAD),
    )


def _legs(scope: Scope, element: BondAttachment) -> tuple[Key, ...]:
    kind, namespace = ("SriovNetwork", element.operator) if element.operator else (NAD[1], element.namespace)
    return tuple(Key("kubernetes", str(scope), kind, f"{namespace}/{leg}") for leg in element.legs)


def _bond(scope: Scope, element: BondAttachment) -> Resource:
    return _nad(scope, element, {"config": json.dumps(_bond_config(element))})


def _bond_config(element: BondAttachment) -> dict[str, Any]:
    config: dict[str, Any] = {
        "cniVersion": CNI_VERSION,
        "name": element.name,
        "type": "bond",
        "mode": element.mode,
        "failOverMac": element.fail_over_mac,
        "linksInContainer": True,
        "miimon": str(element.miimon),
        "links": [{"name": link} for link in element.links],
    }
    if element.mtu is not None:
        config["mtu"] = element.mtu
    if element.ips:
        config["capabilities"] = {"ips": True}
    if handed_out := ipam.config(element.ipam, element.network):
        config["ipam"] = handed_out
    return config


def _conflist(scope: Scope, element: NodeConflist) -> Resource:
    """Return the CNI configuration list of a network on one node."""
    plugin: dict[str, Any] = {"type": "ptp", "ipMasq": False}
    if element.bridge is not None:
        plugin = {"type": "bridge", "bridge": element.bridge, "isGateway": element.gateway, "ipMasq": False}
    if element.mtu is not None:
        plugin["mtu"] = element.mtu
    own = {str(item.block) for item in element.blocks}
    routes = [{"dst": text} for prefix in element.routes if (text := str(prefix)) not in own]
    plugin["ipam"] = {
        "type": "host-local",
        "ranges": [ipam.range_set(item.block, item.gateway, item.spans) for item in element.blocks],
        **({"routes": routes} if routes else {}),
    }
    plugins = [plugin]
    if element.bridge is None:
        plugins.append({"type": "portmap", "capabilities": {"portMappings": True}})
    # The runtime takes the first file of the folder for the default network, so networks of Multus come last.
    file = f"10-{element.name}.conflist" if element.bridge is None else f"zz-{element.name}.conflist"
    return Resource(
        Key("cni", str(scope), "conflist", file),
        {"cniVersion": CNI_VERSION, "name": element.name, "plugins": plugins},
        element.subject,
        origins=renamed(element.origins, _CONFLIST),
    )


_HOW: Final[Mapping[type[Element], Callable[[Scope, Any], Resource]]] = {
    SriovNodePolicy: sriov.policy,
    AddressPool: ipam.pool,
    SriovAttachment: _sriov,
    BondAttachment: _bond,
    OverlayAttachment: _overlay,
    PodSnippet: snippets.snippet,
    NodeConflist: _conflist,
}
