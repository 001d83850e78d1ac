"""One SRv6Policy as `intentc explain policy` shows it: its candidates, and why which one is used where.

The text is written from the same plain values that `--format json` prints.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from compiler.derived.access import Pair, heads_at, pairs, tails_at
from compiler.derived.candidate import Candidate, PathList
from compiler.derived.dynamic import unconstrained
from compiler.derived.policy import active, candidates
from compiler.derived.segments import Step
from compiler.resolved import Resolved
from compiler.te.encode import follow
from compiler.te.measure import Legs, spread
from compiler.te.search import metric
from compiler.te.topology import Arc, Sid, topology
from intentc.plan_text import Line

_SHOWN: Final = 6
_UNITS: Final = {"igp": "", "te": "", "latency": " µs"}


def view(name: str, resolved: Resolved) -> dict[str, Any]:
    """Return all that is to say of a policy, as plain values."""
    intent = resolved.of("SRv6Policy")[name]
    heads, tails = heads_at(intent, resolved), tails_at(intent, resolved)
    return {
        "policy": name,
        "color": intent.spec.color,
        "pairs": [
            {
                "from": pair.start,
                "to": pair.end,
                "headends": sorted(heads[pair.start]),
                "endpoints": sorted(tails[pair.end]),
                "candidates": [
                    _candidate(name, path, pair, resolved)
                    for path in sorted(candidates(resolved)[name], key=lambda path: path.rank, reverse=True)
                ],
                "default": _way(pair, (), resolved),
            }
            for pair in pairs(intent, resolved)
        ],
    }


def _candidate(name: str, path: Candidate, pair: Pair, resolved: Resolved) -> dict[str, Any]:
    chosen, lists = active(resolved)[name].get(pair), path.ways.get(pair, ())
    used = chosen is not None and chosen.candidate is path
    found: dict[str, Any] = {
        "name": path.path.name,
        "preference": path.path.preference,
        "kind": "dynamic" if path.path.dynamic else "explicit",
        "state": "in use" if used else "valid" if lists else "not valid",
        "why": _why(path, pair, used=used, best=chosen.candidate if chosen else None),
        "lists": [_list(item, pair, resolved) for item in lists],
    }
    said = path.path.dynamic
    if said:
        found["objective"] = said.objective
        free = unconstrained(said, pair, resolved)
        if lists and free is not None and free != lists[0].path:
            found["without constraints"] = {
                "links": [arc.link for arc in free],
                said.objective: sum(metric(arc, said.objective) for arc in free),
            }
    return found


def _why(path: Candidate, pair: Pair, *, used: bool, best: Candidate | None) -> str:
    """Say why a candidate is used, or why it is not (RFC 9256 §2.9)."""
    said = [f"list {item.index + 1}: {fault.message}" for item in path.lists for _, fault in item.faults]
    said += [path.refused[pair].message] if pair in path.refused else []
    if used:
        rest = f"; out of use: {'; '.join(said)}" if said else ""
        return f"the valid candidate with the highest preference{rest}"
    if path.ways.get(pair):
        higher = best and best.path.preference > path.path.preference
        return (
            f"preference {path.path.preference} is lower than {best.path.preference}"
            if best and higher
            else "of equal preference, and earlier in the document"
        )
    return "; ".join(dict.fromkeys(said)) or "none of its lists is valid"


def _list(item: PathList, pair: Pair, resolved: Resolved) -> dict[str, Any]:
    return {"weight": item.weight, **_way(pair, item.steps, resolved)}


def _way(pair: Pair, steps: tuple[Step, ...], resolved: Resolved) -> dict[str, Any]:
    """Return the SIDs of a list, the hops that its packets take, and what they cost."""
    sids = [
        {"sid": step.sid, "router": step.router, **({"link": step.link} if step.link else {})}
        for step in steps
    ]
    net = topology(resolved)
    legs = None
    if pair.start in net.routers and pair.end in net.routers:
        legs = follow(pair.start, tuple(Sid(step.router, step.link) for step in steps), pair.end, net)
    if legs is None:
        return {"sids": sids, "legs": None}
    return {
        "sids": sids,
        "legs": [
            [{"from": arc.start, "link": arc.link, "to": arc.end} for arc in leg] for leg in legs if leg
        ],
        "splits": any(len({arc.start for arc in leg}) < len(leg) for leg in legs),
        **{objective: _cost(legs, objective) for objective in _UNITS},
    }


def _cost(legs: Legs, objective: str) -> Any:
    """Return what all ways cost, or the least and the most; None where a latency is not said."""

    def value(arc: Arc) -> int | None:
        return {"igp": arc.igp, "te": arc.te, "latency": arc.latency}[objective]

    found = spread(legs, value)
    if isinstance(found, Arc):
        return None
    return found.least if found.least == found.most else [found.least, found.most]


def lines(seen: dict[str, Any], *, full: bool) -> Iterator[Line]:
    """Yield what is said of a policy, for people."""
    yield Line(f"SRv6Policy/{seen['policy']}, colour {seen['color']}", "bold")
    shown = seen["pairs"] if full else seen["pairs"][:_SHOWN]
    for pair in shown:
        ends = (
            f"{pair[side] or '?'} ({_names(pair[who])})"
            for side, who in (("from", "headends"), ("to", "endpoints"))
        )
        yield Line(f"  {' to '.join(ends)}", "cyan")
        for path in pair["candidates"]:
            style = {"in use": "green", "valid": "", "not valid": "yellow"}[path["state"]]
            kind = f"dynamic, {path['objective']}" if "objective" in path else "explicit"
            yield Line(
                f"    {path['name']} ({kind}, preference {path['preference']}): {path['state']}", style
            )
            yield Line(f"      {path['why']}", "dim")
            for item in path["lists"]:
                yield from _list_lines(item, f"list of weight {item['weight']}")
            free = path.get("without constraints")
            if free:
                cost = f"{free[path['objective']]:,}{_UNITS[path['objective']]}"
                text = f"without its constraints: {path['objective']} {cost}, over {', '.join(free['links'])}"
                yield Line(f"      {text}", "dim")
        yield from _list_lines(pair["default"], "default path", "    ")
    if len(shown) < len(seen["pairs"]):
        yield Line(
            f"  … and {len(seen['pairs']) - len(shown):,} more pairs of routers (--full shows all)", "dim"
        )


def _names(names: list[str]) -> str:
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""  # noqa: PLR2004 -- names that one still reads
    return ", ".join(names[:3]) + rest


def _list_lines(item: dict[str, Any], what: str, indent: str = "      ") -> Iterator[Line]:
    sids = [
        f"{sid['sid']} ({sid['router']}{' ' + sid['link'] if 'link' in sid else ''})" for sid in item["sids"]
    ]
    yield Line(f"{indent}{what}: {' → '.join([*sids, 'service SID'])}")
    if item["legs"] is None:
        yield Line(f"{indent}  its way through the underlay is not known", "dim")
        return
    yield Line(f"{indent}  {_hops(item)}")
    costs = (f"{name} {_number(item[name])}{_UNITS[name]}" for name in _UNITS if item[name] is not None)
    yield Line(f"{indent}  {', '.join(costs)}", "dim")


def _hops(item: dict[str, Any]) -> str:
    """Write a way hop by hop; where a leg splits over several ways, the links that they use."""
    if not item["legs"]:
        return "no link: both hang off the same router"
    text: str = item["legs"][0][0]["from"]
    for leg in item["legs"]:
        if len({hop["from"] for hop in leg}) < len(leg):
            left = {hop["from"] for hop in leg}
            end = next(hop["to"] for hop in leg if hop["to"] not in left)
            text += f" ⇉ {end} (over {', '.join(hop['link'] for hop in leg)})"
        else:
            text += "".join(f" ─{hop['link']}→ {hop['to']}" for hop in leg)
    return text


def _number(value: Any) -> str:
    return f"{value[0]:,} to {value[1]:,}" if isinstance(value, list) else f"{value:,}"
