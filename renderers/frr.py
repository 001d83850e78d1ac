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
from typing import Any, Final

from compiler.elements.fabric import Fabric
from compiler.graph import Element, Scope
from intent.model import Origin
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
        origins = _origins(view)
        subject, switch = view.switch.subject, view.switch.name
        values = view.values()
        done: list[Key] = []
        for type_, suffix, template in _TEXTS:
            text = fill(template, **values)
            if text:
                key = Key("frr", str(scope), type_, f"{switch}.{suffix}")
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
        if not origin.field
    )


def _origins(view: SwitchView) -> tuple[Origin, ...]:
    """Return one origin per document that has a part in the text: lines of text have no fields."""
    parts: list[Element] = [view.fabric, view.switch, *view.zones, *view.networks, *view.lags, *view.ports]
    parts += [*view.attachments, *view.links, *view.peers, *view.routes]
    found: dict[tuple[str, FieldPath], Origin] = {}
    for part in parts:
        for origin in part.origins:
            path = origin.path if not origin.field else ("spec",)
            found.setdefault((origin.intent.subject, path), Origin("text", origin.intent, path, origin.rule))
    return tuple(found.values())
