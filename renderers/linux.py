"""Linux as the data plane of nodes: what iproute2 shall make, named as the kernel names it.

A policy is a group of nexthops, one per segment list, so that a change of it is one step for all that is
steered into it. The kernel knows no binding SIDs: a route to the BSID, in a table that nothing looks up,
remembers which group is which. The mark of ownership is a protocol number.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from compiler.allocated import MAIN
from compiler.elements.overlay import (
    Bridge,
    EncapSource,
    LinuxHost,
    Localsid,
    Policy,
    Route,
    SegmentList,
    Steering,
    Table,
)
from compiler.graph import Element, Scope
from intent.model import LazyOrigins, Origin
from renderers.far_end import LOCALSIDS, far_end
from renderers.origins import joined, only, renamed
from renderers.resource import Key, Resource

FAMILY: Final = "linux"
NUMBER: Final = 151
"""Protocol of all routes and nexthops of ours, metric of the routes, and table of the BSIDs."""
MAIN_TABLE: Final = 254
HEAVIEST: Final = 255
"""Largest weight of a nexthop in a group."""

NEEDS: Final[Mapping[tuple[str, str], tuple[tuple[str, str], ...]]] = {
    (FAMILY, "bridge"): ((FAMILY, "vrf"),),
    (FAMILY, "route"): ((FAMILY, "vrf"),),
    (FAMILY, "localsid"): ((FAMILY, "vrf"), (FAMILY, "settings")),
    # Far ends decapsulate, and the way there exists, before traffic is sent.
    (FAMILY, "policy"): (
        *LOCALSIDS,
        (FAMILY, "route"),
        (FAMILY, "settings"),
        ("frr", "static-routes"),
    ),
    (FAMILY, "steering"): ((FAMILY, "policy"), ("srpolicy", "sr-policy"), (FAMILY, "vrf")),
}
REPLACES: Final[Mapping[tuple[str, str], frozenset[str]]] = {}

_SETTINGS_FIELDS: Final = {"address": ("source",), "hop_limit": ()}


def render(scope: Scope, elements: tuple[Element, ...]) -> Iterator[Resource]:
    """Yield the resources of one node, where Linux is its data plane."""
    host = host_of(elements)
    if host is None:
        return
    where = str(scope)
    vrfs: set[int] = set()
    # By BGP policies come to the node by themselves.
    known = {element.bsid for element in elements if isinstance(element, Policy)}
    source = next((element for element in elements if isinstance(element, EncapSource)), None)
    for element in elements:
        if isinstance(element, Steering):
            yield _steering(where, element, known)
        elif isinstance(element, Table):
            if element.number not in vrfs:  # one device has both families
                vrfs.add(element.number)
                yield _vrf(where, element, source)
        elif how := _HOW.get(type(element)):
            yield how(where, element, host)


def host_of(elements: Iterable[Element]) -> LinuxHost | None:
    """Return what says that a node has Linux as its data plane; None where it has another."""
    return next((element for element in elements if isinstance(element, LinuxHost)), None)


def vrf_device(table: int) -> str:
    """Return the name of the VRF device of a table: at most 13 characters."""
    return f"vrf{table}"


def _vrf(where: str, element: Table, source: EncapSource | None) -> Resource:
    """Return a VRF. What was encapsulated in it is known by its source, and goes on in the main table."""
    key = Key(FAMILY, where, "vrf", str(element.number))
    spec = {
        "table": element.number,
        "device": vrf_device(element.number),
        "source": source.address if source else "",
    }
    origins = joined(
        renamed(element.origins, {"number": ("table", "device"), "name": ()}),
        only(renamed(source.origins, _SETTINGS_FIELDS), ("source",)) if source else (),
    )
    return Resource(key, spec, element.subject, (), origins)


def _bridge(where: str, element: Bridge, _host: LinuxHost) -> Resource:
    key = Key(FAMILY, where, "bridge", element.name)
    spec = {"name": element.name, "table": element.table}
    return Resource(key, spec, element.subject, _within(where, element.table), element.origins)


def _policy(where: str, element: Policy, host: LinuxHost) -> Resource:
    origins = joined(element.origins, only(host.origins, ("interface", "encapsulation")))
    key = Key(FAMILY, where, "policy", element.bsid)
    blank = Resource(key, {}, element.subject, far_end(element), origins)
    return policy(blank, element.lists, host.interface, host.encapsulation)


def policy(
    blank: Resource,
    lists: Iterable[SegmentList],
    interface: str,
    encapsulation: Literal["full", "reduced", "usid"],
) -> Resource:
    """Return a policy, given a resource without a spec; also of lists that came by BGP.

    One SID is written without an SRH on every data plane, which for Linux is the reduced form of it.
    """
    rows = sorted(lists, key=lambda item: item.sids)
    largest = max(item.weight for item in rows)
    spec = {
        "bsid": blank.key.name,
        "interface": interface,
        "lists": [
            {
                "weight": max(1, item.weight * HEAVIEST // largest) if largest > HEAVIEST else item.weight,
                "mode": "encap" if encapsulation == "full" and len(item.sids) > 1 else "encap.red",
                "sids": list(item.sids),
            }
            for item in rows
        ],
    }
    modes = tuple(f"lists.{number}.mode" for number in range(len(rows)))
    return Resource(blank.key, spec, blank.subject, blank.needs, _shown(blank.origins, modes))


def _shown(origins: Sequence[Origin], modes: tuple[str, ...]) -> Sequence[Origin]:
    """Return origins with the encapsulation where it shows: in the mode of each list."""

    def shown() -> Iterator[Origin]:
        for origin in origins:
            if origin.field == "encapsulation":
                yield from (Origin(mode, origin.intent, origin.path, origin.rule) for mode in modes)
            else:
                yield origin

    return LazyOrigins(shown)


def _settings(where: str, element: EncapSource, host: LinuxHost) -> Resource:
    spec = {
        "source": element.address,
        "interface": host.interface,
        "encapsulation": host.encapsulation,
        "sysctls": sysctls(host.interface),
    }
    origins = (
        *renamed(element.origins, _SETTINGS_FIELDS),
        *renamed(host.origins, {"interface": ("interface", "sysctls"), "encapsulation": ("encapsulation",)}),
    )
    return Resource(Key(FAMILY, where, "settings", "srv6"), spec, element.subject, (), origins)


def sysctls(interface: str) -> dict[str, int]:
    """Return what the kernel must be set to.

    Packets of pods come out of a SID on the uplink, which the strict reverse path filter does not expect. The
    larger of `all` and the interface's value counts, and 2 is the loose one. Weighted lists share by flow.
    """
    return {
        "net.ipv4.ip_forward": 1,
        "net.ipv6.conf.all.forwarding": 1,
        f"net.ipv4.conf.{interface.replace('.', '/')}.rp_filter": 2,
        "net.ipv4.fib_multipath_hash_policy": 1,
        "net.ipv6.fib_multipath_hash_policy": 1,
    }


def _localsid(where: str, element: Localsid, host: LinuxHost) -> Resource:
    """Return a service SID. Linux looks IPv4 up in the table of a VRF device; for main there is End.DX4."""
    if element.table != MAIN:
        action = f"{element.behavior} vrftable {element.table}"
    elif element.behavior == "End.DT4":
        action = "End.DX4 nh4 0.0.0.0"  # the kernel then looks up the inner destination itself
    else:
        action = f"End.DT6 table {MAIN_TABLE}"
    spec = {"sid": element.sid, "action": action, "interface": host.interface}
    origins = (
        *renamed(element.origins, {"table": ("action",), "behavior": ("action",)}),
        *only(host.origins, ("interface",)),
    )
    key = Key(FAMILY, where, "localsid", element.sid)
    return Resource(key, spec, element.subject, _within(where, element.table), origins)


def _route(where: str, element: Route, _host: LinuxHost) -> Resource:
    table = element.table or MAIN_TABLE
    spec: dict[str, Any] = {"table": table, "prefix": element.prefix}
    needs = _within(where, element.table)
    if element.drop:
        spec["drop"] = True
    elif element.lookup is None:
        spec |= {"next_hop": element.next_hop, "interface": element.interface}
    else:
        spec["lookup"] = element.lookup
        needs += _within(where, element.lookup)
    key = Key(FAMILY, where, "route", f"{table} {element.prefix}")
    return Resource(key, spec, element.subject, needs, element.origins)


def _steering(where: str, element: Steering, known: Collection[str]) -> Resource:
    table = element.table or MAIN_TABLE
    spec = {"table": table, "family": element.family, "prefix": element.prefix, "bsid": element.bsid}
    policies = (Key(FAMILY, where, "policy", element.bsid),) if element.bsid in known else ()
    needs = (*policies, *_within(where, element.table))
    key = Key(FAMILY, where, "steering", f"{table} {element.prefix}")
    return Resource(key, spec, element.subject, needs, element.origins)


def _within(where: str, table: int) -> tuple[Key, ...]:
    return (Key(FAMILY, where, "vrf", str(table)),) if table != MAIN else ()


_HOW: Final[Mapping[type[Element], Callable[[str, Any, LinuxHost], Resource]]] = {
    Bridge: _bridge,
    Route: _route,
    EncapSource: _settings,
    Localsid: _localsid,
    Policy: _policy,
}
