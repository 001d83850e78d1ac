"""What changes in an Apstra blueprint do on its switches, once they are deployed.

Apstra renders the difference of each switch's configuration, so that what does not change stays. A deployment
carries everything that is staged, also the changes of others: it is theirs too that act then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from renderers.changes import ABSENT, value
from renderers.resource import canonical
from renderers.rules import CREATE, DELETE, REPLACE, UPDATE, Case, Effect, Effects

Parts = Callable[[Any], Mapping[str, str]]
"""Reads what a spec consists of: identity of each part, and what it says."""


def _mappings(spec: Any, path: str) -> list[Mapping[str, Any]]:
    found = value(spec, path)
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def _bindings(spec: Any) -> Mapping[str, str]:
    rows = _mappings(spec, "bound_to")
    return {canonical(row.get("system_id")): canonical(row.get("vlan_id")) for row in rows}


def _links(spec: Any) -> Mapping[str, str]:
    rows = _mappings(spec, "links")
    return {canonical(row.get("switch")): canonical(row) for row in rows}


def _used(spec: Any) -> Mapping[str, str]:
    found = value(spec, "policies")
    return dict.fromkeys(found, "") if isinstance(found, Mapping) else {}


def _primitives(spec: Any) -> Mapping[str, str]:
    """Return the steps of a template that configure something, without the policies that only hold them."""
    return {
        str(row.get("id")): canonical(row.get("attributes"))
        for row in _mappings(spec, "policies")
        if row.get("policy_type_name") not in ("batch", "pipeline")
    }


def _gone(words: str, parts: Parts) -> Case:
    return Case(words, lambda before, after: not parts(before).keys() <= parts(after).keys())


def _other(words: str, parts: Parts) -> Case:
    return Case(words, lambda before, after: any(_differ(parts(before), parts(after))))


def _differ(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    return [name for name in old.keys() & new.keys() if old[name] != new[name]]


def _gateway_moves(family: str) -> Effect:
    address = f"virtual_gateway_{family}"
    had = Case(
        f"it had an {family.replace('ip', 'IP')} gateway",
        lambda before, _: value(before, address) not in (None, ABSENT),
    )
    return Effect(
        "drain",
        "running pods and hosts keep the old gateway, and reach no other network until made anew or told",
        UPDATE,
        frozenset({address, f"{address}_enabled", f"{family}_subnet", f"{family}_enabled"}),
        had,
    )


_TAG: Final = "ports change to the other tag at once: running pods keep the old one, cut off until made anew"

EFFECTS: Final[Effects] = {
    ("apstra", "routing-zone"): (
        Effect("hitless", "no network is in it yet", CREATE),
        Effect("hitless", "nothing that forwards changes", UPDATE),
        Effect(
            "brief loss",
            "leaves withdraw the routes of the zone and advertise them anew",
            UPDATE,
            frozenset({"vni_id", "vlan_id", "rt_policy", "junos_evpn_irb_mode"}),
        ),
        Effect(
            "destroy",
            "the zone goes from all leaves, and Apstra lets it go only after the networks in it",
            REPLACE | DELETE,
        ),
    ),
    ("apstra", "loopback-pool"): (
        Effect("hitless", "the zone has no loopbacks yet", CREATE),
        Effect(
            "brief loss",
            "leaves may get other loopbacks in the zone, and BGP sessions from them open anew",
            UPDATE | REPLACE,
        ),
        Effect("destroy", "the zone loses the loopbacks without which Apstra deploys nothing", DELETE),
    ),
    ("apstra", "virtual-network"): (
        Effect("hitless", "no port carries it yet", CREATE),
        Effect("hitless", "leaves are added, or nothing that forwards changes", UPDATE),
        Effect(
            "brief loss",
            "leaves withdraw the routes of the network and advertise them anew",
            UPDATE,
            frozenset({"vn_id", "rt_policy"}),
        ),
        Effect(
            "brief loss",
            "leaves move its gateway into another routing zone, and learn its hosts anew",
            UPDATE,
            frozenset({"security_zone_id"}),
        ),
        Effect(
            "brief loss",
            "leaves set up its gateway anew; larger packets than before pass, or are dropped, from then on",
            UPDATE,
            frozenset({"l3_mtu"}),
        ),
        Effect("drain", _TAG, UPDATE, frozenset({"reserved_vlan_id"})),
        Effect("drain", _TAG, UPDATE, frozenset({"bound_to"}), _other("a leaf gets another VLAN", _bindings)),
        *(_gateway_moves(family) for family in ("ipv4", "ipv6")),
        Effect(
            "destroy",
            "the leaf drops the network, with all ports of it there",
            UPDATE,
            frozenset({"bound_to"}),
            _gone("a leaf is no longer bound", _bindings),
        ),
        Effect(
            "destroy",
            "the network goes from all leaves, and Apstra lets it go only after its templates",
            REPLACE | DELETE,
        ),
    ),
    ("apstra", "connectivity-template"): (
        Effect("hitless", "no port uses it yet", CREATE),
        Effect("hitless", "words change, or steps are added: what is there stays", UPDATE),
        Effect(
            "brief loss",
            "every port that uses it gets the step anew, and sessions over it open anew",
            UPDATE,
            frozenset({"policies"}),
            _other("a step changes", _primitives),
        ),
        Effect(
            "destroy",
            "every port that uses it loses the step: a session, or a route",
            UPDATE,
            frozenset({"policies"}),
            _gone("a step goes", _primitives),
        ),
        Effect("brief loss", "every port that uses it loses it and gets it anew", REPLACE),
        Effect("hitless", "it was taken from all ports in an earlier phase", DELETE),
    ),
    ("apstra", "assignment"): (
        Effect("hitless", "the port carries nothing of ours yet", CREATE),
        Effect("hitless", "networks are added to the port: those that it carries stay", UPDATE),
        Effect(
            "brief loss",
            "the templates move with the LAG to other ports",
            UPDATE,
            frozenset({"application_point"}),
        ),
        Effect(
            "destroy",
            "the port loses a network or a way out",
            UPDATE,
            frozenset({"policies"}),
            _gone("a template is no longer used", _used),
        ),
        Effect("brief loss", "the port loses what it carries and gets it anew", REPLACE),
        Effect("destroy", "the port loses all that it carries of ours", DELETE),
    ),
    ("apstra", "generic-system"): (
        Effect("hitless", "its ports carry nothing yet", CREATE),
        Effect("hitless", "links are added, or words change", UPDATE),
        Effect(
            "brief loss",
            "the links of the server are bundled otherwise: LACP comes up anew",
            UPDATE,
            frozenset({"links"}),
            _other("a link changes", _links),
        ),
        Effect(
            "destroy",
            "a port is taken from the server",
            UPDATE,
            frozenset({"links"}),
            _gone("a link goes", _links),
        ),
        Effect(
            "destroy",
            "the server loses its ports, and Apstra lets it go only without templates",
            REPLACE | DELETE,
        ),
    ),
    ("apstra", "subinterface"): (
        Effect("hitless", "nothing is routed over it yet", CREATE),
        Effect(
            "brief loss",
            "sessions from the old address close, and open anew from the new one",
            UPDATE | REPLACE,
        ),
        Effect("destroy", "the way out loses its address, and its sessions close", DELETE),
    ),
}
