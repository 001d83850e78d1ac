"""Family `apstra`: the documents of one blueprint, as Apstra's API takes and shows them.

Apstra draws the ids of its nodes itself, so a reference is a mapping from the word for the node to its
label — `{"system": "leaf1"}` —, and whoever applies it puts the id there. Three fields need what only the
blueprint knows, and are left to the applier: the logical device of a new generic system, the transformation
of its ports, and the node of a port channel, which is found by the member ports. What is sent needs Apstra
5.0 or newer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from compiler.elements.fabric import (
    Attachment,
    Binding,
    Fabric,
    Lag,
    PortConfig,
    Server,
    Subnet,
    VirtualNetwork,
    Vrf,
)
from compiler.graph import Element, Scope
from intent.model import LazyOrigins, Origin
from renderers.apstra_exits import exits
from renderers.connectivity import TAG, Primitive, template, template_id
from renderers.origins import joined, only, renamed
from renderers.resource import Key, Resource

Type = tuple[str, str]

NEEDS: Final[Mapping[Type, tuple[Type, ...]]] = {
    ("apstra", "loopback-pool"): (("apstra", "routing-zone"),),
    ("apstra", "virtual-network"): (("apstra", "routing-zone"),),
    ("apstra", "connectivity-template"): (("apstra", "virtual-network"), ("apstra", "routing-zone")),
    ("apstra", "assignment"): (("apstra", "connectivity-template"), ("apstra", "generic-system")),
    # The sub-interface is made when the template is applied to its port; only then can it get addresses.
    ("apstra", "subinterface"): (("apstra", "assignment"),),
}
REPLACES: Final[Mapping[Type, frozenset[str]]] = {
    ("apstra", "routing-zone"): frozenset({"vrf_name", "sz_type"}),
    ("apstra", "virtual-network"): frozenset({"vn_type"}),
}

_ZONE_FIELDS: Final = {
    "name": ("label", "vrf_name"),
    "l3vni": ("vni_id",),
    "vlan": ("vlan_id",),
    "import_targets": ("rt_policy",),
    "export_targets": ("rt_policy",),
}
_NETWORK_FIELDS: Final = {
    "name": ("label",),
    "vni": ("vn_id",),
    "vlan": ("reserved_vlan_id",),
    "vrf": ("security_zone_id",),
    "mtu": ("l3_mtu",),
    "dhcp_relay": ("dhcp_service",),
    "description": ("description",),
}
_SUBNET_FIELDS: Final = {
    families: {
        **_NETWORK_FIELDS,
        "subnets": tuple(
            path
            for family in ("ipv4", "ipv6")
            for path in (
                (
                    f"{family}_enabled",
                    f"{family}_subnet",
                    f"virtual_gateway_{family}",
                    f"virtual_gateway_{family}_enabled",
                    "l3_mtu",
                )
                if family in families
                else (f"{family}_enabled",)
            )
        ),
    }
    for families in (frozenset(), frozenset({"ipv4"}), frozenset({"ipv6"}), frozenset({"ipv4", "ipv6"}))
}
"""Fields of a network, by the families that it has."""
_WHOLE: Final = {"tagged": ("",)}
_NAME: Final = {"name": ("policies",)}
_DYNAMIC: Final = {"": (), "dynamic": ("",)}
_RELAY_FIELDS: Final = {"dhcp_relay": ("dhcp_servers",)}
_SERVER_FIELDS: Final = {"name": ("label",), "hostname": ("hostname",)}


@dataclass(frozen=True, slots=True)
class Blueprint:
    """The elements of one fabric, as this renderer looks them up."""

    place: str
    fabric: Fabric
    zones: Mapping[str, Vrf]
    networks: Mapping[str, VirtualNetwork]
    lags: Mapping[str, Lag]
    ports: Mapping[tuple[str, str], PortConfig]
    bindings: Mapping[str, list[Binding]]
    attachments: Mapping[tuple[str, ...], list[Attachment]]
    """By (LAG,) or (switch, port)."""

    def key(self, type_: str, name: str) -> Key:
        """Return the key of an object of this blueprint."""
        return Key("apstra", self.place, type_, name)


def render(scope: Scope, elements: tuple[Element, ...]) -> Iterator[Resource]:
    """Yield zones, networks, servers, templates and their assignments of a fabric that Apstra configures."""
    fabric = next((item for item in elements if isinstance(item, Fabric)), None)
    if fabric is None or fabric.provider != "apstra":
        return
    blueprint = _index(str(scope), fabric, elements)
    yield from _zones(blueprint)
    for network in blueprint.networks.values():
        yield _network(network, blueprint)
    for server in (item for item in elements if isinstance(item, Server)):
        yield _generic_system(server, blueprint)
    yield from _templates(blueprint)
    ways_out, routed = exits(blueprint.place, fabric, elements)
    yield from ways_out
    yield from _assignments(blueprint, routed)


def _index(place: str, fabric: Fabric, elements: tuple[Element, ...]) -> Blueprint:
    bindings: defaultdict[str, list[Binding]] = defaultdict(list)
    attachments: defaultdict[tuple[str, ...], list[Attachment]] = defaultdict(list)
    for item in elements:
        if isinstance(item, Binding):
            bindings[item.network].append(item)
        elif isinstance(item, Attachment):
            attachments[(item.lag,) if item.lag else (item.switch or "", item.port or "")].append(item)
    return Blueprint(
        place,
        fabric,
        {item.name: item for item in elements if isinstance(item, Vrf)},
        {item.name: item for item in elements if isinstance(item, VirtualNetwork)},
        {item.name: item for item in elements if isinstance(item, Lag)},
        {(item.switch, item.port): item for item in elements if isinstance(item, PortConfig)},
        bindings,
        attachments,
    )


def _zones(blueprint: Blueprint) -> Iterator[Resource]:
    relays: defaultdict[str, set[str]] = defaultdict(set)
    causes: defaultdict[str, list[Sequence[Origin]]] = defaultdict(list)
    for network in blueprint.networks.values():
        if network.dhcp_relay:
            relays[network.vrf or ""].update(network.dhcp_relay)
            several = only(network.origins, ("dhcp_relay",))
            causes[network.vrf or ""].append(renamed(several, _RELAY_FIELDS))
    for zone in blueprint.zones.values():
        targets = {"import_RTs": list(zone.import_targets), "export_RTs": list(zone.export_targets)}
        spec = {
            "label": zone.name,
            "vrf_name": zone.name,
            "sz_type": "evpn",
            "vni_id": zone.l3vni,
            "vlan_id": zone.vlan,
            # Apstra adds the zone's own target (route_target) to what stands here.
            "rt_policy": targets if zone.import_targets or zone.export_targets else None,
            "junos_evpn_irb_mode": "symmetric",
            "dhcp_servers": sorted(relays[zone.name]),
            "tags": [TAG],
        }
        key = blueprint.key("routing-zone", zone.name)
        origins = joined(renamed(zone.origins, _ZONE_FIELDS), *causes[zone.name])
        yield Resource(key, spec, zone.subject, (), origins)
        if blueprint.fabric.loopback_pool:
            yield _loopback_pool(zone, key, blueprint)


def _loopback_pool(zone: Vrf, key: Key, blueprint: Blueprint) -> Resource:
    """Return the pool of a zone's loopbacks: without one, Apstra refuses to deploy."""
    spec = {
        "resource_type": "ip",
        "group": {"security_zone": zone.name, "name": "leaf_loopback_ips"},
        "pool_ids": [{"ip_pool": blueprint.fabric.loopback_pool}],
    }
    pool = renamed(blueprint.fabric.origins, {"": (), "loopback_pool": ("pool_ids",)})
    origins = joined(pool, renamed(zone.origins, {"name": ("",)}))
    return Resource(blueprint.key("loopback-pool", zone.name), spec, zone.subject, (key,), origins)


def _network(network: VirtualNetwork, blueprint: Blueprint) -> Resource:
    bound = blueprint.bindings.get(network.name, ())
    spec = {
        "label": network.name,
        "description": network.description,
        "vn_type": "vxlan",
        "vn_id": str(network.vni),
        "security_zone_id": {"security_zone": network.vrf},
        "reserved_vlan_id": network.vlan,
        "bound_to": [
            {
                "system_id": {"redundancy_group": item.group} if item.group else {"system": item.switch},
                "vlan_id": item.vlan,
                "access_switch_node_ids": [],
            }
            for item in bound
        ],
        **_gateway("ipv4", network.subnets),
        **_gateway("ipv6", network.subnets),
        "dhcp_service": "dhcpServiceEnabled" if network.dhcp_relay else "dhcpServiceDisabled",
        "l3_mtu": network.mtu if any(subnet.gateway for subnet in network.subnets) else None,
        "rt_policy": None,
        "tags": [TAG],
    }
    families = frozenset(subnet.family for subnet in network.subnets)
    origins = renamed(network.origins, _SUBNET_FIELDS[families])
    if bound:
        origins = joined(origins, LazyOrigins(partial(_bound, bound)))
    needs = (blueprint.key("routing-zone", network.vrf),) if network.vrf else ()
    return Resource(blueprint.key("virtual-network", network.name), spec, network.subject, needs, origins)


def _bound(bound: Sequence[Binding]) -> Iterator[Origin]:
    for index, item in enumerate(bound):
        for _, intent, path, rule in item.origins:
            yield Origin(f"bound_to.{index}", intent, path, rule)


def _gateway(family: str, subnets: tuple[Subnet, ...]) -> dict[str, Any]:
    """Return the fields of one family: Apstra has one subnet per family, and routes it by its gateway."""
    subnet = next((item for item in subnets if item.family == family and item.gateway), None)
    gateway = subnet.gateway if subnet else None
    return {
        f"{family}_enabled": subnet is not None,
        f"{family}_subnet": subnet.prefix if subnet else None,
        f"virtual_gateway_{family}": gateway.partition("/")[0] if gateway else None,
        f"virtual_gateway_{family}_enabled": subnet is not None,
    }


def _generic_system(server: Server, blueprint: Blueprint) -> Resource:
    links = []
    for link in server.links:
        lag = blueprint.lags.get(link.lag or "")
        links.append(
            {
                "switch": {"system_id": {"system": link.switch}, "if_name": link.port},
                "system": {"if_name": link.nic},
                "lag_mode": "lacp_active" if lag else None,
                "link_group_label": lag.name if lag else None,
            }
        )
    spec = {
        "label": server.name,
        "hostname": server.hostname,
        "system_type": "server",
        "links": links,
        "tags": [TAG],
    }
    links_origins = (origin for origin in server.origins if origin.field.startswith("links"))
    origins = (*renamed(server.origins, _SERVER_FIELDS), *links_origins)
    return Resource(blueprint.key("generic-system", server.name), spec, server.subject, (), origins)


def _label(network: str, *, tagged: bool) -> str:
    return f"{network} {'tagged' if tagged else 'untagged'}"


def _templates(blueprint: Blueprint) -> Iterator[Resource]:
    """Yield the templates of networks: tagged ahead where pods come and go, else what is in use."""
    wanted: dict[tuple[str, bool], Sequence[Origin]] = {
        (name, True): renamed(network.origins, _DYNAMIC)
        for name, network in blueprint.networks.items()
        if network.dynamic
    }
    for item in (item for several in blueprint.attachments.values() for item in several):
        wanted.setdefault((item.network, item.tagged), only(item.origins, ("", "tagged")))
    for name, tagged in sorted(wanted):
        network, label = blueprint.networks[name], _label(name, tagged=tagged)
        attributes = {
            "vn_node_id": {"virtual_network": name},
            "tag_type": "vlan_tagged" if tagged else "untagged",
        }
        spec = template(blueprint.fabric.name, label, [Primitive("AttachSingleVLAN", attributes)])
        key, needs = blueprint.key("connectivity-template", label), (blueprint.key("virtual-network", name),)
        origins = joined(renamed(network.origins, _NAME), renamed(wanted[name, tagged], _WHOLE))
        yield Resource(key, spec, network.subject, needs, origins)


def _assignments(
    blueprint: Blueprint, routed: Mapping[tuple[str, ...], list[Resource]]
) -> Iterator[Resource]:
    """Yield, for each port, LAG and switch, the set of templates that are used there."""
    for point in sorted({*blueprint.attachments, *routed}):
        labels: dict[str, tuple[Key, Sequence[Origin]]] = {}
        for item in blueprint.attachments.get(point, ()):
            label = _label(item.network, tagged=item.tagged)
            labels[label] = (blueprint.key("connectivity-template", label), item.origins)
        for resource in routed.get(point, ()):
            labels[resource.key.name] = (resource.key, only(resource.origins, ("",)))
        target, subject, server = _point(point, blueprint)
        spec = {
            "application_point": target,
            "policies": {label: template_id(blueprint.fabric.name, label) for label in labels},
        }
        needs = tuple(key for key, _ in labels.values())
        needs += (blueprint.key("generic-system", server),) if server else ()
        origins: Sequence[Origin] = LazyOrigins(partial(_assigned, labels))
        if len(point) == 1 and point[0] in blueprint.lags:
            lag = renamed(blueprint.lags[point[0]].origins, {"": ("application_point",)})
            origins = joined(origins, lag)
        key = blueprint.key("assignment", _point_name(target))
        yield Resource(key, spec, subject or origins[0].intent.subject, needs, origins)


def _assigned(labels: Mapping[str, tuple[Key, Sequence[Origin]]]) -> Iterator[Origin]:
    for label, (_, several) in labels.items():
        for field, intent, path, rule in several:
            if field != "reasons":
                yield Origin(f"policies.{label}", intent, path, rule)


def _point_name(target: Mapping[str, Any]) -> str:
    host = target.get("redundancy_group") or target["system"]
    return "/".join(filter(None, (host, target.get("lag"), target.get("interface"))))


def _point(point: tuple[str, ...], blueprint: Blueprint) -> tuple[dict[str, Any], str, str | None]:
    """Return the application point, its subject (where a server has one) and the server behind it."""
    if len(point) == 1 and point[0] in blueprint.lags:
        lag = blueprint.lags[point[0]]
        host = {"redundancy_group": lag.group} if lag.group else {"system": lag.members[0].switch}
        members = [{"system": member.switch, "interface": member.port} for member in lag.members]
        return {**host, "lag": lag.name, "members": members}, lag.subject, lag.server
    if len(point) == 1:
        return {"system": point[0]}, "", None
    port = blueprint.ports.get((point[0], point[1]))
    target = {"system": point[0], "interface": point[1]}
    return target, port.subject if port and port.server else "", port.server if port else None
