"""The last look at every message before it leaves: what ends VPP, or harms it silently, is never sent.

VPP checks little. So each message that we may send has a check here, over a model of what exists at that
moment; what passes is taken into the model, as if VPP had done it. A message without a check is refused.
Whoever is told no by VPP makes the model anew from dumps, before anything that rests on it is sent.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from ipaddress import ip_interface
from typing import Any, Final

from reconciler.drivers.base import PermanentError
from reconciler.drivers.vpp.addresses import exact_prefix, packed6, text6
from reconciler.drivers.vpp.dumps import OWN, SOURCE, Table
from reconciler.drivers.vpp.model import Model, way
from reconciler.drivers.vpp.observe import DT, inside
from renderers.vpp import MOST_SIDS
from renderers.vpp_messages import ADD, BEHAVIORS, DELETE, MARK, NONE, WEIGHT, Operation

Arguments = Mapping[str, Any]
What = str | tuple[object, ...]
"""What a check is about: words that are put together only where something is wrong."""
_QUESTIONS: Final = frozenset({"sw_interface_get_table", "ip_route_lookup_v2"})
_COMMAND: Final = "show "
"""What a command begins with that is a question."""
_NEEDS_INTERFACE: Final = frozenset({2, 5, 6, 7, 13})
"""Behaviours for which VPP looks at the interface, even to delete."""
_SPECIAL: Final = frozenset({"224.0.0.0/4", "240.0.0.0/4", "fe80::/10"})
"""Prefixes that VPP routes in each table by its best source."""
_WITH_LENGTH: Final = frozenset({11, 12, 13})
"""Behaviours whose SIDs are shorter than 128 bits: they are found by the same behaviour only."""
_TELL: Final = 3


class HarmfulError(PermanentError):
    """A message would end VPP, corrupt it, or touch what is not ours."""


def check(model: Model, operation: Operation) -> None:
    """Raise HarmfulError for what must not be sent now; else the model has it done."""
    found = _CHECKS.get(operation.message)
    if found is not None:
        found(model, operation.arguments)
    elif operation.message not in _QUESTIONS:
        raise HarmfulError(f"{operation.message} is no message that this driver may send")


def _table(model: Model, arguments: Arguments) -> None:
    row = arguments["table"]
    table, name = (row["table_id"], bool(row["is_ip6"])), row["name"]
    if table[0] in (0, OWN):
        raise HarmfulError(f"{_words(table)} is VPP's own")
    if not model.tables.get(table, MARK).startswith(MARK) or not name.startswith(MARK):
        raise HarmfulError(f"{_words(table)} is not ours: it is called {model.tables.get(table, name)!r}")
    if arguments["is_add"]:
        model.tables.setdefault(table, name)
        return
    if users := model.users(table):
        more = f" and {len(users) - _TELL} more" if len(users) > _TELL else ""
        raise HarmfulError(f"{_words(table)} is still used by {', '.join(users[:_TELL])}{more}")
    model.tables.pop(table, None)


def _exists(model: Model, table: Table, what: What) -> None:
    if table not in model.tables:
        raise HarmfulError(f"{_said(what)}: there is no {_words(table)}, and VPP would not check")


def _take(model: Model, arguments: Arguments) -> None:
    name = f"host-{arguments['host_if_name']}"
    for known, tag in model.interfaces.values():
        if known == name and tag and not tag.startswith(MARK):
            raise HarmfulError(f"interface {name} is not ours: its tag is {tag!r}")


def _release(model: Model, arguments: Arguments) -> None:
    name = f"host-{arguments['host_if_name']}"
    index = next((index for index, (known, _) in model.interfaces.items() if known == name), None)
    if index is None:
        return
    _ours(model, index, f"deleting {name}")
    if over := [
        f"route {prefix} of table {at}" for (at, prefix), (_, out) in model.routes.items() if out == index
    ]:
        raise HarmfulError(f"interface {name} is still used by {', '.join(over[:_TELL])}")
    del model.interfaces[index]
    for pair in [pair for pair in model.bound if pair[0] == index]:
        del model.bound[pair]
    model.addresses -= {pair for pair in model.addresses if pair[0] == index}


def _ours(model: Model, index: int, what: What) -> None:
    name, tag = model.interfaces.get(index, ("", ""))
    if not name:
        raise HarmfulError(f"{_said(what)}: there is no interface {index}")
    if not tag.startswith(MARK):
        raise HarmfulError(f"{_said(what)}: interface {name} is not ours")


def _tag(model: Model, arguments: Arguments) -> None:
    index, tag = arguments["sw_if_index"], arguments["tag"]
    name, held = model.interfaces.get(index, ("", ""))
    if (
        not name
        or (held and not held.startswith(MARK))
        or not tag.startswith(MARK)
        or not arguments["is_add"]
    ):
        raise HarmfulError(f"interface {name or index} cannot become ours by tag {tag!r}")
    model.interfaces[index] = (name, tag)


def _bind(model: Model, arguments: Arguments) -> None:
    index, table = arguments["sw_if_index"], (arguments["vrf_id"], bool(arguments["is_ipv6"]))
    what = f"putting interface {model.interfaces.get(index, ('?',))[0]} into a table"
    _ours(model, index, what)
    _exists(model, table, what)
    if any(at == index and (":" in prefix) is table[1] for at, prefix in model.addresses):
        raise HarmfulError(f"{_said(what)}: it still has addresses")
    model.bound[index, table[1]] = table[0]


def _flags(model: Model, arguments: Arguments) -> None:
    _ours(model, arguments["sw_if_index"], "changing an interface")


def _address(model: Model, arguments: Arguments) -> None:
    index, prefix = arguments["sw_if_index"], arguments["prefix"]
    if arguments["del_all"]:
        raise HarmfulError("taking all addresses of an interface would take those of others")
    _address_text(prefix)
    _ours(model, index, f"address {prefix}")
    if arguments["is_add"]:
        model.addresses.add((index, prefix))
    else:
        model.addresses.discard((index, prefix))
        model.disconnected(index, prefix)


def _source(model: Model, arguments: Arguments) -> None:
    if model.source or arguments["src"]["name"] != SOURCE:
        raise HarmfulError("VPP never forgets a FIB source, and there is one of ours already")


def _route(model: Model, arguments: Arguments) -> None:
    route = arguments["route"]
    number, prefix = place = (route["table_id"], route["prefix"])
    what = "route", prefix, "of table", number
    is_ip6 = _prefix(prefix, what)
    if not model.source or route["src"] != model.source or arguments["is_multipath"]:
        raise HarmfulError(f"{_said(what)} would not carry our mark")
    _exists(model, (number, is_ip6), what)
    if not arguments["is_add"]:
        model.routed(place, None)
        return
    if place in model.taken:
        raise HarmfulError(f"{_said(what)} exists and is not ours: it is of {model.taken[place]}")
    if place in model.steering:
        raise HarmfulError(f"{_said(what)}: the prefix is steered into policy {model.steering[place]}")
    host = prefix.removesuffix("/128")
    if number == 0 and host != prefix and (host in model.sids or host in model.policies):
        raise HarmfulError(f"{_said(what)} would take the place of a SID")
    if route["n_paths"] != 1:
        raise HarmfulError(f"{_said(what)} has {route['n_paths']} paths, and not one")
    lookup, out = way(route)
    if lookup is not None:
        _exists(model, (lookup, is_ip6), what)
    if out is not None and out not in model.interfaces:
        raise HarmfulError(f"{_said(what)}: there is no interface {out}")
    model.routed(place, (lookup, out))


def _source_address(_: Model, arguments: Arguments) -> None:
    _canonical(arguments["encaps_source"], "the encapsulation source")


def _hop_limit(_: Model, arguments: Arguments) -> None:
    if not 1 <= arguments["hop_limit"] <= 255:  # noqa: PLR2004 -- what one byte holds
        raise HarmfulError(f"hop limit {arguments['hop_limit']} is none")


def _localsid(model: Model, arguments: Arguments) -> None:
    sid, behavior, target = arguments["localsid"], arguments["behavior"], arguments["sw_if_index"]
    where, what = arguments["fib_table"], ("SID", sid)
    _canonical(sid, what)
    _exists(model, (where, True), what)
    if behavior not in BEHAVIORS.values():
        raise HarmfulError(f"{_said(what)}: VPP has nothing behind behaviour {behavior}, and would not check")
    held = model.sids.get(sid)
    if not arguments["is_del"]:
        if behavior not in DT:
            raise HarmfulError(f"{_said(what)}: only End.DT4 and End.DT6 are added here")
        _exists(model, (target, DT[behavior]), what)
        if sid in model.policies or (where, f"{sid}/128") in model.routes:
            raise HarmfulError(f"{_said(what)} would take the place of a binding SID or a route")
        model.sids.setdefault(sid, (where, behavior, target))
        return
    if held and held[0] != where:
        raise HarmfulError(
            f"{_said(what)} is in table {held[0]} and not in {where}: VPP would forget it and keep it"
        )
    if held and behavior != held[1] and (behavior in _WITH_LENGTH or held[1] in _WITH_LENGTH):
        raise HarmfulError(f"{_said(what)} has behaviour {held[1]}, and cannot be found by {behavior}")
    if behavior in _NEEDS_INTERFACE and target not in model.interfaces:
        raise HarmfulError(f"{_said(what)}: there is no interface {target}; it can go with behaviour 1")
    model.sids.pop(sid, None)


def _policy_add(model: Model, arguments: Arguments) -> None:
    bsid, where = arguments["bsid_addr"], arguments["fib_table"]
    what = "policy", bsid
    _canonical(bsid, what)
    _exists(model, (where, True), what)
    _segments(arguments["sids"], what)
    if not inside(bsid, model.owned):
        raise HarmfulError(f"{_said(what)} would not be known as ours: no discard route of ours covers it")
    if bsid in model.sids or (where, f"{bsid}/128") in model.routes:
        raise HarmfulError(f"{_said(what)} would take the place of a SID or a route")
    model.policies.setdefault(bsid, where)


def _policy_mod(model: Model, arguments: Arguments) -> None:
    bsid, operation, index = arguments["bsid_addr"], arguments["operation"], arguments["sl_index"]
    what = "policy", bsid
    _canonical(bsid, what)
    _by_sid(arguments, what)
    if operation not in (ADD, DELETE, WEIGHT):
        raise HarmfulError(f"{_said(what)}: {operation} is no operation on its lists")
    if (index == NONE) is not (operation == ADD):
        raise HarmfulError(f"{_said(what)}: {index} is no list of it")
    if operation != DELETE:  # of which VPP reads the index only: what goes may hold anything
        _segments(arguments["sids"], what)
    known = model.lists.get(bsid, set())
    if operation != ADD and index not in known:
        # Where it does not find an index, VPP reads on behind the last one, and may take what lies there.
        raise HarmfulError(
            f"{_said(what)}: {index} is no list of it, and VPP could change one of another policy"
        )
    if operation == DELETE:
        known.discard(index)


def _policy_del(model: Model, arguments: Arguments) -> None:
    bsid = arguments["bsid_addr"]
    what = "policy", bsid
    _by_sid(arguments, what)
    if steered := model.attached.get(bsid):
        number, prefix = min(steered)
        raise HarmfulError(
            f"{_said(what)} cannot go while {prefix} of table {number} is steered into it: "
            "VPP would point that to whichever policy comes next"
        )
    if bsid in model.bridged:
        raise HarmfulError(
            f"{_said(what)} cannot go while interface {model.bridged[bsid]} is steered into it"
        )
    if bsid in model.policies:
        _exists(model, (model.policies.pop(bsid), True), what)


def _steer(model: Model, arguments: Arguments) -> None:
    number, prefix = place = (arguments["table_id"], arguments["prefix"])
    bsid, what = arguments["bsid_addr"], ("steering of", prefix, "in table", number)
    _by_sid(arguments, what)
    going = arguments["is_del"]
    # One entry with host bits may stand, from somebody else: it goes as it came.
    is_ip6 = ":" in prefix if going and place in model.steering else _prefix(prefix, what)
    if arguments["traffic_type"] != (6 if is_ip6 else 4):
        raise HarmfulError(
            f"{_said(what)}: traffic type {arguments['traffic_type']} is not that of the prefix"
        )
    table = (number, is_ip6)
    _exists(model, table, what)
    if not model.tables[table].startswith(MARK):
        raise HarmfulError(f"{_said(what)}: {_words(table)} is not ours")
    before = model.steering.get(place)
    if prefix.endswith("/0") and not going:
        raise HarmfulError(
            f"{_said(what)}: VPP has an entry for everything itself, so that every other flow is lost"
        )
    if prefix in _SPECIAL and not going:
        raise HarmfulError(f"{_said(what)}: VPP itself routes it, and would never use this; steer its halves")
    if going:
        model.steering.pop(place, None)
    else:
        _canonical(bsid, what)
        found = model.taken.get(place) or ("us" if before is None and place in model.routes else "")
        if found:
            raise HarmfulError(
                f"{_said(what)}: the prefix is already routed, by {found}; every other packet would be lost"
            )
        model.steering[place] = bsid
        if bsid in model.attached:
            model.attached[bsid].add(place)
        else:
            model.attached[bsid] = {place}
    if before is not None and (going or before != bsid):
        model.attached[before].discard(place)


def _ask(_: Model, arguments: Arguments) -> None:
    if not arguments["cmd"].startswith(_COMMAND):
        raise HarmfulError(f"`{arguments['cmd']}` is no question")


def _said(what: What) -> str:
    return what if isinstance(what, str) else " ".join(map(str, what))


def _words(table: Table) -> str:
    return f"{'IPv6' if table[1] else 'IPv4'} table {table[0]}"


def _canonical(address: str, what: What) -> None:
    """Raise for anything but an IPv6 address as dumps write it: else it would never be found again."""
    try:
        text = text6[packed6[address]]
    except (OSError, TypeError, ValueError) as error:
        raise HarmfulError(f"{_said(what)}: {address!r} is no IPv6 address") from error
    if text != address:
        raise HarmfulError(f"{_said(what)}: write {text}, not {address}")


def _prefix(prefix: str, what: What) -> bool:
    """Return whether a prefix is of IPv6; VPP would keep one with host bits as a second entry."""
    try:
        is_ip6 = exact_prefix[prefix]
    except (OSError, TypeError, ValueError, struct.error) as error:
        raise HarmfulError(f"{_said(what)}: that is no prefix") from error
    if is_ip6 is None:
        raise HarmfulError(f"{_said(what)}: that is no prefix without host bits, as dumps write it")
    return is_ip6


def _address_text(prefix: str) -> None:
    try:
        found = str(ip_interface(prefix))
    except ValueError as error:
        raise HarmfulError(f"{prefix!r} is no address with a length") from error
    if found != prefix:
        raise HarmfulError(f"write address {found}, not {prefix}")


def _segments(item: Arguments, what: What) -> None:
    """Raise for a list that VPP would read past the end of, or that would get no traffic."""
    count, sids = item["num_sids"], item["sids"]
    if not 1 <= count <= MOST_SIDS or len(sids) != MOST_SIDS:
        raise HarmfulError(f"{_said(what)}: a segment list holds 1 to {MOST_SIDS} SIDs, and not {count}")
    if not 1 <= item["weight"] < NONE:
        raise HarmfulError(f"{_said(what)}: weight {item['weight']} of a segment list is not positive")
    for sid in sids[:count]:
        if sid == "::":
            raise HarmfulError(f"{_said(what)}: :: is no SID")
        _canonical(sid, "a segment list")


def _by_sid(arguments: Arguments, what: What) -> None:
    """Raise where a policy is named by its place in VPP's pool, which may be another one by now."""
    if arguments["sr_policy_index"] != NONE:
        raise HarmfulError(f"{_said(what)}: a policy is named by its binding SID only")


_CHECKS: Final[Mapping[str, Callable[[Model, Arguments], None]]] = {
    "sr_steering_add_del": _steer,
    "sr_policy_add": _policy_add,
    "sr_policy_mod": _policy_mod,
    "sr_policy_del": _policy_del,
    "sr_localsid_add_del": _localsid,
    "sr_set_encap_source": _source_address,
    "sr_set_encap_hop_limit": _hop_limit,
    "ip_table_add_del": _table,
    "ip_route_add_del_v2": _route,
    "fib_source_add": _source,
    "af_packet_create_v3": _take,
    "af_packet_delete": _release,
    "sw_interface_tag_add_del": _tag,
    "sw_interface_set_table": _bind,
    "sw_interface_set_flags": _flags,
    "sw_interface_add_del_address": _address,
    "cli_inband": _ask,
}
