"""What stands between actions and messages: what cannot be done, what is done already, what is left.

Pure: it judges what was read. An object that is not ours is absent as far as actions are concerned, and in
the way of what shall be made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_interface
from typing import Any, Final

from reconciler.drivers.base import MOVED
from reconciler.drivers.vpp.dumps import Seen, Table
from reconciler.drivers.vpp.guard import HarmfulError, check
from reconciler.drivers.vpp.model import Model, Place
from reconciler.drivers.vpp.observe import Id, Object
from reconciler.plan import Action
from renderers.resource import Key, Resource
from renderers.vpp import FAMILY
from renderers.vpp_messages import MARK, Site, creation
from renderers.vpp_transition import Held, HeldList, Pair, Step, made_anew, steps

Known = Mapping[Id, Object]
_ON_INTERFACES: Final = frozenset({"interface", "address", "route"})
"""Types whose objects name interfaces."""
_UNKNOWN = 1 << 30
"""Stands for the index of an interface that VPP has not taken yet, and above for those of others."""
_NO_SOURCE = 255
"""Stands for our FIB source until VPP has it."""
_FREE: Final = frozenset({"localsid", "policy", "steering"})
"""Types whose making touches no other object, but for steering over a route of ours."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A batch as it was staged."""

    instance: str
    """Which run of VPP it was staged for."""
    model: Model
    site: Site
    held: Held
    left: tuple[Action, ...]
    """What has to be done yet, in the order of the batch."""
    steps: tuple[Step, ...] = field(default=(), repr=False)
    """How, as far as it is known before VPP has taken new interfaces."""

    @property
    def only_new(self) -> bool:
        """Whether nothing that stands is touched: a no halfway then loses nothing."""
        return all(
            action.before is None
            and action.key.type in _FREE
            and not self.held.instead(action.key.type, action.key.name)
            for action in self.left
        )

    @property
    def named(self) -> frozenset[str]:
        """Interfaces that the batch names."""
        on_them = [action for action in self.left if action.key.type in _ON_INTERFACES]
        specs = [one.spec for action in on_them for one in (action.before, action.after) if one is not None]
        keys = {action.key.name for action in on_them if action.key.type == "interface"}
        return frozenset(keys | {spec["interface"] for spec in specs if "interface" in spec})

    @property
    def opening(self) -> tuple[Resource, ...]:
        """Interfaces that VPP has to take first."""
        new = [one.after for one in self.left if one.key.type == "interface" and one.after is not None]
        return tuple([one for one in new if one.key.name not in self.site.interfaces])


def wanted(actions: Iterable[Action]) -> frozenset[str]:
    """Return what of the large dumps has to be read for some actions: policies, steering, ways."""
    found: set[str] = set()
    for kind, new in {(action.key.type, action.before is None) for action in actions}:
        match kind:
            case "steering" if not new:
                found |= {"steering", "way"}
            case "steering" | "route":
                found.add("steering")
            case "policy" if new:
                found.add("policy")
            case "policy" | "encap":
                found |= {"policy", "steering"}
            case "table" if not new:
                found |= {"policy", "steering"}
    return frozenset(found)


def as_it_is(action: Action, known: Known) -> Action:
    """Return an action that finds its object as it is now, however much of it is done."""
    found = known.get(action.key[2:])
    if stands(action, known):
        return action
    if found is not None and found.ours:
        return replace(action, before=Resource(action.key, found.spec))
    return replace(action, before=None)


def adopting(action: Action, known: Known) -> Action:
    """Return an action that makes an interface ours that is there, from what it is."""
    found = known.get(action.key[2:])
    if action.key.type != "interface" or found is None or action.before is not None:
        return action
    return replace(action, before=Resource(action.key, found.spec))


def stands(action: Action, known: Known) -> bool:
    """Say whether an object is as the action makes it."""
    found, after = known.get(action.key[2:]), action.after
    if found is None or not found.ours:
        return after is None
    return after is not None and found.spec == after.spec


def unfit(action: Action, known: Known, seen: Seen) -> str:
    """Return why what is not done yet cannot be, as far as it is about its own object; empty where it can."""
    key, before, found = action.key, action.before, known.get(action.key[2:])
    if found is None:
        return "" if before is None else f"{key} {MOVED}"
    if action.after is not None and not found.ours and not _adopted(key, seen):
        return f"{key} exists and is not ours"
    now = _settled(key, found.spec) if found.ours else None
    return "" if now == (_settled(key, before.spec) if before else None) else f"{key} {MOVED}"


def _settled(key: Key, spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a spec without what follows from other objects: where packets go that are steered.

    An interface that takes their prefix hides them, and a policy that is made anew leads them aright.
    """
    if key.type != "steering" or "paths" not in spec:
        return spec
    return {name: value for name, value in spec.items() if name != "paths"}


def unsayable(action: Action, site: Site) -> str:
    """Return why an object cannot be put into messages; empty where it can."""
    if action.after is None:
        return ""
    try:
        creation(action.after, _imagined(site, (action.after,)))
    except KeyError as error:
        missing = action.after.spec.get("interface")
        mend = "make it in VPP, or correct uplink.interface of the node"
        return f"there is no interface {missing}: {mend}" if missing else f"{error} is not known"
    except (ValueError, TypeError) as error:
        return str(error)
    return ""


def places(actions: Iterable[Action]) -> tuple[list[Place], set[Table]]:
    """Return the prefixes of new routes, and the tables that prefixes are newly steered in."""
    routes, tables = [], set()
    for action in actions:
        kind, after = action.key.type, action.after
        if action.before is None and after is not None:
            if kind == "route":
                routes.append((after.spec["table"], after.spec["prefix"]))
            elif kind == "steering":
                tables.add((after.spec["table"], after.spec["family"] == "ipv6"))
    return routes, tables


def steered_over(actions: Iterable[Action], stand: Held) -> list[Place]:
    """Return the prefixes that are steered where something of ours leads already: steering, or an address."""
    found = []
    for action in actions:
        before, after = action.before, action.after
        if after is None:
            continue
        if action.key.type == "steering" and (before is not None or action.key.name in stand.connected):
            found.append((after.spec["table"], after.spec["prefix"]))
        elif before is not None and action.key.type == "policy" and made_anew(before, after):
            rows = stand.steering.get(after.spec["bsid"], ())
            found += [(row["table"], row["prefix"]) for row in rows]
    return found


def going(actions: Iterable[Action]) -> set[Table]:
    """Return the tables that shall go, be it for one with another name."""
    gone = [action.before for action in actions if action.key.type == "table"]
    return {(one.spec["id"], one.spec["family"] == "ipv6") for one in gone if one is not None}


def held(seen: Seen, known: Known, lists: Mapping[str, Sequence[HeldList]]) -> Held:
    """Return what transitions must know of what is ours."""
    steering: dict[str, list[Mapping[str, object]]] = {}
    for (kind, _), (spec, ours) in known.items():
        if kind == "steering" and ours:
            steering.setdefault(spec["bsid"], []).append(spec)
    policies = {name for (kind, name), thing in known.items() if kind == "policy" and thing.ours}
    return Held(
        {bsid: several for bsid, several in lists.items() if bsid in policies},
        steering,
        {name: one.addresses for name, one in seen.interfaces.items()},
        {
            name: Resource(Key(FAMILY, "", *name), thing.spec)
            for name, thing in known.items()
            if name[0] in ("route", "steering") and thing.ours
        },
        _connected(seen),
    )


def _connected(seen: Seen) -> dict[str, list[Resource]]:
    """Return our addresses by the table and prefix that VPP routes to their interface."""
    found: dict[str, list[Resource]] = {}
    for name, one in seen.interfaces.items():
        for prefix in one.addresses if one.tag.startswith(MARK) else ():
            network = ip_interface(prefix).network
            place = f"{one.tables.get(f'ipv{network.version}', 0)} {network}"
            key = Key(FAMILY, "", "address", f"{name} {prefix}")
            found.setdefault(place, []).append(Resource(key, {"interface": name, "prefix": prefix}))
    return found


def rehearsed(ready: Ready, new: Iterable[Resource] = ()) -> tuple[Ready, dict[Key, str]]:
    """Return a batch with its steps, and what of it would do harm, shown to the guard beforehand."""
    model = ready.model.copied()
    site = _imagined(ready.site, (*new, *ready.opening))
    for name, index in site.interfaces.items():
        if name not in ready.site.interfaces:
            model.opened(name, index)
    model.source = site.source
    refused: dict[Key, str] = {}
    todo = tuple(steps(pairs(ready.left), site, ready.held))
    for step in todo:
        try:
            check(model, step.operation)
        except HarmfulError as error:
            refused.setdefault(step.key, str(error))
    return replace(ready, steps=todo if site == ready.site else ()), refused


def pairs(actions: Iterable[Action]) -> list[Pair]:
    """Return objects before and after."""
    return [(action.before, action.after) for action in actions]


def site_of(seen: Seen) -> Site:
    """Return what this VPP calls things."""
    return Site(_indexes(seen), seen.source)


def _adopted(key: Key, seen: Seen) -> bool:
    """Say whether an interface is one that VPP took for us and nobody has marked since."""
    return key.type == "interface" and not seen.interfaces[key.name].tag


def _indexes(seen: Seen) -> dict[str, int]:
    return {name: one.index for name, one in seen.interfaces.items()}


def _imagined(site: Site, new: Iterable[Resource]) -> Site:
    """Return a site as it may be once VPP has taken new interfaces and has our source."""
    missing = [
        one.key.name for one in new if one.key.type == "interface" and one.key.name not in site.interfaces
    ]
    numbers = {name: _UNKNOWN + at for at, name in enumerate(missing)}
    return Site({**site.interfaces, **numbers} if numbers else site.interfaces, site.source or _NO_SOURCE)
