"""Family `frr`: an open EVPN fabric, per switch — FRR's configuration and the Linux links below it.

    SWITCH.conf      FRR: zones, BGP unnumbered on the uplinks, EVPN with our route targets, Ethernet segments
    SWITCH.ip        for `ip -force -batch`: bridge, VRFs, VXLAN, SVIs with gateways, bonds, sub-interfaces
    SWITCH.bridge    for `bridge -batch`: VLANs of bridge ports

FRR derives route targets from the AS number, which would not match other fabrics, so every target is said.
There is one VXLAN device per VNI: a single one with a VNI filter needs a newer FRR than 8.4. Routing table
of a zone is its layer-3 VNI. The text holds no secret: neighbours with a password are listed in a resource
of their own, and whoever applies the text adds `neighbor ADDRESS password …` from it. Forwarding
(`net.ipv4.ip_forward`, `net.ipv6.conf.all.forwarding`) is switched on by whoever installs the switch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from compiler.elements.fabric import (
    Attachment,
    Binding,
    ExternalLink,
    ExternalPeer,
    Fabric,
    Lag,
    PortConfig,
    StaticRoute,
    Switch,
    VirtualNetwork,
    Vrf,
)
from compiler.graph import Element, Scope
from intent.model import Intent, LazyOrigins, Origin
from intent.source import FieldPath
from renderers.frr_switch import SwitchView, views
from renderers.resource import Key, Resource
from renderers.text import fill

Type = tuple[str, str]

NEEDS: Final[Mapping[Type, tuple[Type, ...]]] = {
    ("frr", "vlans"): (("frr", "links"),),
    ("frr", "configuration"): (("frr", "links"), ("frr", "vlans")),
    ("frr", "secrets"): (("frr", "configuration"),),
}
REPLACES: Final[Mapping[Type, frozenset[str]]] = {}

_TEXTS: Final = (
    ("links", "ip", "fabric.ip.j2"),
    ("vlans", "bridge", "fabric.bridge.j2"),
    ("configuration", "conf", "fabric.frr.j2"),
)
"""Type, suffix and template of each text."""


def render(scope: Scope, elements: tuple[Element, ...]) -> Iterator[Resource]:
    """Yield the texts of each switch of a fabric that runs FRR, and the secrets that they leave out."""
    fabric = next((item for item in elements if isinstance(item, Fabric)), None)
    if fabric is None or fabric.provider != "frr":
        return
    for view in views(fabric, elements):
        subject, switch = view.switch.subject, view.switch.name
        values = view.values()
        done: list[Key] = []
        for type_, suffix, template in _TEXTS:
            text = fill(template, **values)
            if text:
                key = Key("frr", str(scope), type_, f"{switch}.{suffix}")
                origins = LazyOrigins(partial(_origins, view, type_))
                yield Resource(key, {"text": text}, subject, tuple(done), origins)
                done.append(key)
        secrets = _secrets(view)
        if secrets:
            key = Key("frr", str(scope), "secrets", switch)
            yield Resource(key, {"neighbors": secrets}, subject, (done[-1],), _peers(view))


def _secrets(view: SwitchView) -> list[dict[str, Any]]:
    """Return where the password of each neighbour is found."""
    return [
        {"vrf": peer.zone, "neighbor": peer.address, "secret": peer.password}
        for peer in view.peers
        if peer.password
    ]


def _peers(view: SwitchView) -> tuple[Origin, ...]:
    protected = [peer for peer in view.peers if peer.password]
    return tuple(
        Origin(f"neighbors.{index}", origin.intent, origin.path)
        for index, peer in enumerate(protected)
        for origin in peer.origins
        if origin.field in ("", "zone")
    )


_ALL: Final = frozenset[str]()
_FEEDS: Final[Mapping[str, Mapping[type[Element], frozenset[str]]]] = {
    "links": {
        Fabric: frozenset({"underlay_mtu", "gateway_mac"}),
        Switch: _ALL,
        Vrf: frozenset({"", "name", "l3vni", "vlan"}),
        Binding: _ALL,
        VirtualNetwork: frozenset({"", "vni", "vlan", "vrf", "subnets", "mtu"}),
        Lag: _ALL,
        PortConfig: frozenset({"", "mtu"}),
        Attachment: frozenset({"", "lag"}),
        ExternalLink: frozenset({"", "zone"}),
    },
    "vlans": {
        Switch: frozenset({""}),
        ExternalLink: frozenset({"zone"}),
        Vrf: frozenset({"", "l3vni", "vlan"}),
        Binding: _ALL,
        VirtualNetwork: frozenset({"", "vni", "vlan", "subnets"}),
        Attachment: frozenset({"", "lag", "tagged"}),
        Lag: frozenset({""}),
    },
    "configuration": {
        Switch: _ALL,
        ExternalLink: frozenset({"zone"}),
        Vrf: frozenset({"", "name", "l3vni", "route_target", "import_targets", "export_targets"}),
        Binding: _ALL,
        VirtualNetwork: frozenset({"", "vni", "route_target"}),
        Lag: frozenset({"", "esi"}),
        ExternalPeer: _ALL,
        StaticRoute: _ALL,
    },
}
"""Which elements each text shows, and which of their fields (all, where none is said)."""


def _origins(view: SwitchView, text: str) -> tuple[Origin, ...]:
    """Return what has a part in a text, each field of intent once: lines of text have no fields."""
    shown = _FEEDS[text]
    found: dict[tuple[Intent, FieldPath], Origin] = {}
    for part in view.parts():
        fields = shown.get(type(part))
        if fields is None:
            continue
        for field, intent, path, rule in part.origins:
            if (not fields or field in fields) and (intent, path) not in found:
                found[intent, path] = Origin("text", intent, path, rule)
    return tuple(found.values())
