"""The lines of a topology picture: cables, ways out, links inside fabrics, links and uplinks of the core."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from compiler.resolved import Port, Resolved
from intent.kinds.underlay import Link
from renderers.picture.fold import Folded
from renderers.picture.scene import Tie, router_id
from renderers.picture.text import DASH, natural
from renderers.picture.things import bare_key, plug_key
from renderers.picture.tips import latency, place, ways, words


def cables(resolved: Resolved, folded: Folded) -> Iterator[Tie]:
    """Yield the cables of servers, one for each NIC of a box."""
    lag_of = {(lag.server, nic): lag for lag in resolved.lags.values() for nic in lag.bond.nics}
    for box in dict.fromkeys(folded.server_box[name] for name in sorted(resolved.servers, key=natural)):
        names = folded.members[box]
        server = resolved.servers[names[0]]
        for nic, wire in sorted(server.wires.items()):
            lag = lag_of.get((server.name, nic))
            alike = f" and {len(names) - 1} alike" if len(names) > 1 else ""
            tip = words(
                f"{server.name} {nic} {DASH} {wire.port.switch} {wire.port.port}{alike}",
                place(server.intent, wire.path),
                f"leg of {lag.name}" if lag else None,
            )
            yield Tie(
                f"{box}/cable/{nic}",
                "cable",
                (box, folded.switch_box[wire.port[:2]]),
                tip,
                (nic, plug_key(folded, wire.port, server.name, nic)),
                many=len(names),
                lag=lag,
            )


def exits(resolved: Resolved, folded: Folded) -> Iterator[Tie]:
    """Yield the links to the outside."""
    for intent in resolved.of("ExternalConnection").values():
        for index, entry in enumerate(intent.spec.ports):
            port = Port(intent.spec.fabric, entry.switch, entry.port)
            box = folded.switch_box.get(port[:2])
            if not box:
                continue
            where = place(intent, ("spec", "ports", index))
            tip = words(f"{entry.switch} {entry.port}, VLAN {entry.vlan}", where)
            subject = f"{intent.subject}/port/{entry.switch}/{entry.port}"
            plugs = ("", bare_key(folded, port))
            label = f"VLAN {entry.vlan}"
            yield Tie(
                f"{subject}/{entry.vlan}", "cable", (intent.subject, box), tip, plugs, label, (subject,)
            )


def implied(resolved: Resolved, folded: Folded) -> Iterator[Tie]:
    """Yield the links between spines and the rest, which no intent says and every fabric has."""
    for name in resolved.fabrics:
        roles: defaultdict[str, list[str]] = defaultdict(list)
        for switch in sorted(resolved.fabric(name).switches, key=lambda switch: natural(switch.name)):
            roles[switch.role].append(folded.switch_box[name, switch.name])
        for spine in dict.fromkeys(roles["spine"]):
            for other in dict.fromkeys((*roles["border"], *roles["leaf"])):
                tip = "every leaf reaches every spine (implied)"
                yield Tie(f"{spine}--{other}", "implied", (spine, other), tip)


def links(resolved: Resolved, folded: Folded) -> Iterator[Tie]:
    """Yield the links of the underlay; those of folded servers to one router are one line."""
    seen: set[tuple[str, str]] = set()
    for name, link in sorted(resolved.underlay.links.items(), key=lambda item: natural(item[0])):
        one, two = (_end(resolved, folded, end.at) for end in link.ends)
        to_server = any(end.at in resolved.servers for end in link.ends)
        if not (one and two) or one == two or (to_server and (one, two) in seen):
            continue
        seen |= {(one, two), (two, one)}
        intent, _ = resolved.underlay.link_origin[name]
        subject = f"{intent.subject}/link/{name}"
        yield Tie(
            subject,
            "uplink" if to_server else "link",
            (one, two),
            _link_tip(resolved, link),
            label=metric(link) + (f" · {latency(link.latency)}" if link.latency else ""),
            subjects=(subject,),
            state="down" if name in resolved.facts.down else "",
            link=name,
        )


def uplinks(resolved: Resolved, folded: Folded, drawn: AbstractSet[tuple[str, str]]) -> Iterator[Tie]:
    """Yield the uplinks of servers, where no link of the underlay is drawn between the same boxes."""
    for box in dict.fromkeys(folded.server_box[name] for name in sorted(resolved.servers, key=natural)):
        names = folded.members[box]
        server = resolved.servers[names[0]]
        router = _end(resolved, folded, server.uplink.router) if server.uplink else ""
        if server.uplink and router and (box, router) not in drawn:
            where = place(server.intent, ("spec", "uplink"))
            tip = words(f"uplink of {server.name} to {server.uplink.router}", where)
            subjects = tuple(f"{resolved.servers[name].intent.subject}/uplink" for name in names)
            yield Tie(f"{box}/uplink", "uplink", (box, router), tip, subjects=subjects, many=len(names))


def metric(link: Link) -> str:
    """Write the IGP metric of a link, there and back."""
    there, back = (link.igp_metric if end.igp_metric is None else end.igp_metric for end in link.ends)
    return ways(there, back)


def _link_tip(resolved: Resolved, link: Link) -> str:
    return words(
        f"link {link.name}",
        place(*resolved.underlay.link_origin[link.name]),
        f"IGP metric {metric(link)}",
        f"TE metric {link.te_metric}" if link.te_metric is not None else None,
        f"latency {latency(link.latency)}" if link.latency else None,
        f"{link.bandwidth / 10**9:g} Gbit/s" if link.bandwidth else None,
        f"affinities {', '.join(link.affinities)}" if link.affinities else None,
        f"shared risks {', '.join(link.srlgs)}" if link.srlgs else None,
        "down" if link.name in resolved.facts.down else None,
    )


def _end(resolved: Resolved, folded: Folded, name: str) -> str:
    if name in resolved.underlay.routers:
        return router_id(resolved, name)
    return folded.server_box.get(name, "")
