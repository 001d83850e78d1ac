"""SRv6Policies, judged: the candidates of each, and the one in use between each two routers.

Policies are judged one after the other, those first that others must share nothing with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from compiler.derived.access import Pair, pairs
from compiler.derived.candidate import Candidate, Choice, PathList, Refusal, choose
from compiler.derived.dynamic import Before, Solved, solve
from compiler.derived.memo import remembered
from compiler.derived.segments import Fault, Step, step_of
from compiler.resolved import Resolved
from compiler.te.constraints import component
from compiler.te.topology import arcs_of, topology
from intent.kinds.srv6_policy import CandidatePath, SRv6PolicySpec
from intent.model import Intent


@remembered
def candidates(resolved: Resolved) -> Mapping[str, tuple[Candidate, ...]]:
    """Return the judged candidate paths of each SRv6Policy by name."""
    found: dict[str, tuple[Candidate, ...]] = {}
    fixed: set[tuple[str, Pair]] = set()
    for name in _order(resolved):
        intent = resolved.of("SRv6Policy")[name]
        spec: SRv6PolicySpec = intent.spec
        paths: dict[int, Candidate] = {}
        for index, path in sorted(enumerate(spec.candidate_paths), key=_last_wins, reverse=True):
            if path.dynamic is None:
                paths[index] = _explicit(index, path, intent, resolved)
                continue
            served = frozenset(pair for other in paths.values() for pair in other.ways)
            solved = solve(intent, path.dynamic, Before(found, fixed, served), resolved)
            paths[index] = Candidate(index, path, (), solved.ways, solved.refused)
            _make_room(solved, found)
            fixed |= solved.asked
        found[name] = tuple(paths[index] for index in sorted(paths))
    return {name: found[name] for name in sorted(found)}


def _last_wins(row: tuple[int, CandidatePath]) -> tuple[int, int]:
    return row[1].preference, row[0]


def _make_room(solved: Solved, found: dict[str, tuple[Candidate, ...]]) -> None:
    """Put the paths of other policies where they were moved to."""
    for (name, pair), moved in solved.moved.items():
        choice = choose(found[name], pair)
        if choice:
            ways = {**choice.candidate.ways, pair: (moved,)}
            found[name] = tuple(
                replace(path, ways=ways) if path is choice.candidate else path for path in found[name]
            )


def _order(resolved: Resolved) -> Iterator[str]:
    """Yield policies so that those come first that others refer to; circles (which are errors) are cut."""
    seen: set[str] = set()

    def visit(name: str) -> Iterator[str]:
        if name in seen:
            return
        seen.add(name)
        for other in references(resolved.of("SRv6Policy")[name]):
            yield from visit(other)
        yield name

    for name in resolved.of("SRv6Policy"):
        yield from visit(name)


def references(intent: Intent) -> tuple[str, ...]:
    """Return the policies that paths of a policy must share nothing with, sorted."""
    said = (path.dynamic.constraints.disjoint_from for path in intent.spec.candidate_paths if path.dynamic)
    return tuple(sorted({name for name in said if name}))


@remembered
def active(resolved: Resolved) -> Mapping[str, Mapping[Pair, Choice]]:
    """Return what is in use of each SRv6Policy, by pair of routers; elsewhere it is the default path."""
    found = {}
    for name, paths in candidates(resolved).items():
        choices = {pair: choose(paths, pair) for pair in pairs(resolved.of("SRv6Policy")[name], resolved)}
        found[name] = {pair: choice for pair, choice in choices.items() if choice}
    return found


def _explicit(index: int, path: CandidatePath, intent: Intent, resolved: Resolved) -> Candidate:
    """Return a candidate of lists that were said, each used where all its steps are reached."""
    lists = []
    for number, said in enumerate(path.explicit or ()):
        steps = [step_of(segment, resolved) for segment in said.segments]
        good = tuple(step for step in steps if isinstance(step, Step))
        faults = tuple((place, fault) for place, fault in enumerate(steps) if isinstance(fault, Fault))
        lists.append(PathList(number, said.weight, good, faults))
    ways: dict[Pair, tuple[PathList, ...]] = {}
    refused = {}
    for pair in pairs(intent, resolved):
        lost = {item.index: lack for item in lists if item.valid and (lack := _parted(item, pair, resolved))}
        ways[pair] = tuple(item for item in lists if item.valid and item.index not in lost)
        if lost:
            refused[pair] = Refusal(next(iter(lost.values())), passing=bool(resolved.facts.down))
    return Candidate(index, path, tuple(lists), {pair: some for pair, some in ways.items() if some}, refused)


def _parted(item: PathList, pair: Pair, resolved: Resolved) -> str:
    """Say which step of a list cannot be reached; empty where all are, or where not even the end is."""
    islands = _islands(resolved)
    here, there = islands.get(pair.start), islands.get(pair.end)
    if here is None or here != there:
        return ""
    lost = next((step.router for step in item.steps if islands.get(step.router, here) != here), None)
    return f"router {lost!r} is not reached from router {pair.start!r}" if lost else ""


@remembered
def _islands(resolved: Resolved) -> Mapping[str, int]:
    """Return which routers reach each other, by a number; routers without any link say nothing of that."""
    net = topology(resolved)
    found: dict[str, int] = {}
    for name in sorted({arc.start for arc in arcs_of(resolved)}):
        if name not in found:
            found |= dict.fromkeys(component(net.arcs, name, net.routers), len(found))
    return found
