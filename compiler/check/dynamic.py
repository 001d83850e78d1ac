"""Checks of candidate paths against the topology: words of constraints, and where there is no path."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from compiler.derived.access import Pair
from compiler.derived.candidate import Candidate
from compiler.derived.policy import references
from compiler.resolved import Resolved
from compiler.te.encode import follow
from compiler.te.topology import topology
from intent.diagnostics import Report, did_you_mean
from intent.kinds.srv6_policy import Constraints
from intent.model import Intent, camel

_SHOWN: Final = 3


def check_constraints(intent: Intent, resolved: Resolved, report: Report) -> None:
    """Check that constraints name what exists, and that policies do not wait for each other."""
    for index, path in enumerate(intent.spec.candidate_paths):
        if path.dynamic is None:
            continue
        where = ("spec", "candidatePaths", index, "dynamic", "constraints")
        for field, at, word, known in _words(path.dynamic.constraints, resolved):
            if word not in known:
                hint = did_you_mean(word, sorted(known)) or "nothing in the underlay is called so"
                text = f"{field} names {word!r}, which no underlay has"
                report.error("IC2652", intent.span(*where, field, at), text, hint)
        other = path.dynamic.constraints.disjoint_from
        if other and _circle(intent.name, other, resolved):
            what = "itself" if other == intent.name else f"{other!r}, which waits for it in turn"
            text = f"a path of policy {intent.name!r} cannot be kept apart from that of {what}"
            hint = "say it at one of the two: the pair is found together"
            hint = "name the other one of the pair" if other == intent.name else hint
            report.error("IC2653", intent.span(*where, "disjointFrom"), text, hint)


def _words(said: Constraints, resolved: Resolved) -> Iterator[tuple[str, int, str, set[str]]]:
    """Yield each word of the constraints, and the words that there are."""
    specs = [intent.spec for intent in resolved.of("Underlay").values()]
    affinities = {word for spec in specs for word in spec.affinities}
    srlgs = {word for spec in specs for word in spec.srlgs}
    for field in ("include_any", "include_all", "exclude_any", "exclude_srlgs", "exclude_routers"):
        known = srlgs if field == "exclude_srlgs" else affinities
        known = set(resolved.underlay.routers) if field == "exclude_routers" else known
        for at, word in enumerate(getattr(said, field)):
            yield camel(field), at, word, known


def _circle(name: str, other: str, resolved: Resolved) -> bool:
    """Say whether a policy is among those that another one waits for."""
    seen, edge = {other}, [other]
    while edge:
        found = [more for one in edge for more in references(resolved.of("SRv6Policy")[one])]
        edge = [one for one in dict.fromkeys(found) if one not in seen]
        seen.update(edge)
    return name in seen


def check_refusals(intent: Intent, candidate: Candidate, report: Report) -> None:
    """Say where a candidate has no path, or not all of its lists."""
    reasons: defaultdict[tuple[str, bool], list[Pair]] = defaultdict(list)
    for pair, refusal in candidate.refused.items():
        reasons[refusal.message, refusal.passing].append(pair)
    where = ("spec", "candidatePaths", candidate.index)
    name = candidate.path.name
    for (message, passing), several in reasons.items():
        places = some(map(str, several))
        if candidate.path.dynamic is None:
            text = f"a list of candidate path {name!r} is out of use {places}: {message}"
            report.note("IC2632", intent.span(*where, "explicit"), text)
        elif passing:
            text = f"candidate path {name!r} has no path {places}: {message}"
            report.note("IC2632", intent.span(*where, "dynamic"), text)
        else:
            text = f"candidate path {name!r} has no path {places}: {message}"
            hint = "loosen the constraints, or add what is missing to the underlay"
            report.warning("IC2630", intent.span(*where, "dynamic"), text, hint)


def some(words: Iterable[str]) -> str:
    """Return the first few of some words, and how many more there are."""
    several = list(words)
    rest = f" and {len(several) - _SHOWN} more" if len(several) > _SHOWN else ""
    return ", ".join(several[:_SHOWN]) + rest


def check_loops(intent: Intent, candidate: Candidate, resolved: Resolved, report: Report) -> None:
    """Note lists that were said and bring packets through a router twice, or back over a link."""
    net = topology(resolved)
    for item in candidate.lists:
        for pair, several in candidate.ways.items():
            # Who goes out and comes back to one router means it.
            if item not in several or not (pair.start and pair.end) or pair.start == pair.end:
                continue
            legs = follow(pair.start, tuple(step.name for step in item.steps), pair.end, net) or ()
            routers = [frozenset(arc.end for arc in leg) for leg in legs]
            seen = {pair.start}
            twice = next((sorted(seen & later) for later in _later(routers, seen) if seen & later), None)
            if twice:
                text = f"list {item.index + 1} of {candidate.path.name!r} may pass {twice[0]!r} twice {pair}"
                place = intent.span("spec", "candidatePaths", candidate.index, "explicit", item.index)
                report.note("IC2655", place, text)
                break


def _later(routers: Iterable[frozenset[str]], seen: set[str]) -> Iterator[frozenset[str]]:
    """Yield the routers of leg after leg, and add them to those that were seen when the next is asked for."""
    for leg in routers:
        yield leg
        seen |= leg
