"""What influences what: a repository is compiled before and after a mutation, and what changed is looked up.

The rule that is judged here is that of docs/decisions/0013: a resource that changed has, before or after, an
origin that names the mutated field.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from compiler.allocated import Allocated
from compiler.check import CHECKS_WITH_IDS
from compiler.graph import Graph, scopes
from compiler.ledger.allocate import allocate, update
from compiler.ledger.leases import Lease, Ledger
from compiler.lower import LOWER
from compiler.passes import check_intent
from intent.diagnostics import Report
from intent.documents import parse
from intent.load import load
from intent.model import Intent, Origin
from intent.source import FieldPath, Source
from renderers import render
from renderers.resource import Key, Resource
from tests.mutations import Change, Mutation, mutations, words
from tests.values import Words

UID: Final = ("metadata", "uid")
NAME: Final = ("metadata", "name")
"""Stands for the identity of a document, and so for its uid too."""
SHOWS_ALL: Final = frozenset({("vpp", "exec"), ("vpp", "host-links")})
"""Views of a whole scope: caused by whatever caused a part of it."""
VALID: Final = 3
"""Valid mutations of each field …"""
TRIES: Final = 120
"""… or so many that were refused."""
LEAST: Final = 2
"""No origin says less than a field right below metadata or spec."""


class Seen(NamedTuple):
    """One resource as it is compared."""

    digest: str
    resource: Resource
    why: tuple[Origin, ...]
    """The lines that put its scope there."""


@dataclass(slots=True)
class Repository:
    """Documents as plain values, what they compile to, and the ledger that they have."""

    name: str
    data: list[Any]
    loaded: list[tuple[Intent, ...]]
    leases: tuple[Lease, ...]
    seen: Mapping[Key, Seen]
    named: Mapping[str, list[tuple[Key, FieldPath]]]
    """Resources and the paths that their own origins name, by document."""


def read(name: str, texts: Iterable[str]) -> Repository:
    """Compile a repository; its Project stands first."""
    report = Report()
    data = [one.data for at, text in enumerate(texts) for one in parse(Source(f"{at}", text), report)]
    loaded = [_loaded(at, document, report) for at, document in enumerate(data)]
    found = compiled(loaded, (), report)
    assert found, [f"{name}: {entry.span} {entry.code} {entry.message}" for entry in report.sorted()]
    leases, seen = found
    named: defaultdict[str, list[tuple[Key, FieldPath]]] = defaultdict(list)
    for key, one in seen.items():
        for file, path in dict.fromkeys(
            (origin.intent.doc.file, origin.path) for origin in one.resource.origins
        ):
            named[file].append((key, path))
    return Repository(name, data, loaded, leases, seen, named)


def _loaded(at: int, document: Any, report: Report) -> tuple[Intent, ...]:
    """Load one document; its file is its number."""
    return load([Source(str(at), json.dumps(document))], report)


def compiled(
    loaded: list[tuple[Intent, ...]], leases: tuple[Lease, ...], report: Report
) -> tuple[tuple[Lease, ...], Mapping[Key, Seen]] | None:
    """Return ledger and resources; leases are kept where they still fit, and drawn where they are missing."""
    project = next(one for several in loaded for one in several if one.kind == "Project")
    facts = [one for several in loaded for one in several if one.kind == "Facts"]
    rest = [one for several in loaded for one in several if one.kind not in ("Facts", "Project")]
    names = Counter((one.kind, one.name) for one in rest)
    if report.failed or any(count > 1 for count in names.values()):
        return None
    resolved = check_intent(project, rest, facts, report)
    if resolved is None:
        return None
    for _ in range(3):
        trial = Report()
        kept = tuple(lease._replace(line=at) for at, lease in enumerate(leases, 1))
        drawn = update(resolved, Ledger(kept), None, trial)
        if not trial.failed:
            break
        # What its pool does not hold any more is drawn anew, as after deleting the line.
        wrong = {entry.span.line for entry in trial.sorted() if entry.span.file == "intentc.lock"}
        leases = tuple(lease for lease in kept if lease.line not in wrong)
    else:
        return None
    allocated = allocate(resolved, Ledger(drawn), report)
    if allocated is None or not _passes(allocated, report):
        return None
    graph = Graph(allocated, LOWER, scopes(allocated))
    return drawn, _rendered(graph)


def _passes(allocated: Allocated, report: Report) -> bool:
    for check in CHECKS_WITH_IDS:
        check(allocated, report)
    return not report.failed


def _rendered(graph: Graph) -> Mapping[Key, Seen]:
    seen: dict[Key, Seen] = {}
    for scope in graph.scopes:
        why = graph.why(scope)
        for resource in render(graph, [scope]):
            assert resource.key not in seen, resource.key
            seen[resource.key] = Seen(resource.digest, resource, why)
    return seen


def mutated(repository: Repository, mutation: Mutation) -> Mapping[Key, Seen] | None:
    """Return the resources after a mutation; None where the compiler refuses it."""
    report = Report()
    loaded = list(repository.loaded)
    same = True
    for at, document in mutation.data.items():
        loaded[at] = _loaded(at, document, report)
        if report.failed:
            return None
        same &= _said(loaded[at]) == _said(repository.loaded[at])
    if same:  # a default that is written out is no mutation
        return None
    found = compiled(loaded, repository.leases, report)
    return found[1] if found else None


def without(repository: Repository, at: int) -> Mapping[Key, Seen] | None:
    """Return the resources without one of the documents; None where the others need it."""
    rest = [() if number == at else intents for number, intents in enumerate(repository.loaded)]
    found = compiled(rest, repository.leases, Report())
    return found[1] if found else None


def _said(intents: Iterable[Intent]) -> list[Any]:
    return [(one.meta.model_dump(), one.spec.model_dump()) for one in intents]


def names(origin: Origin, changes: Iterable[Change], *, after: bool) -> bool:
    """Say whether an origin names one of the fields: the field itself, what holds it, or a part of it."""
    for change in changes:
        if origin.intent.doc.file != str(change.document):
            continue
        path = change.after if after else change.before
        if path == UID:
            path = NAME
        if path is None:
            # The item is not on this side: only its list, or what holds that, can speak of it.
            there = (change.before or change.after or ())[:-1]
            if there[: len(origin.path)] == origin.path:
                return True
        elif _meet(path, origin.path):
            return True
    return False


def _meet(one: FieldPath, two: FieldPath) -> bool:
    least = min(len(one), len(two))
    return one[:least] == two[:least]


class Gap(NamedTuple):
    """A resource that changed, and no origin of which names what was mutated."""

    repository: str
    site: str
    field: str
    """Rendered field; empty for the resource as a whole."""
    key: Key


Pair = tuple[str, Key, str, FieldPath]
"""Repository, resource, document and named path."""


@dataclass(slots=True)
class Tally:
    """What a campaign found."""

    gaps: list[Gap] = field(default_factory=list)
    sites: int = 0
    mutated: int = 0
    """Sites with at least one valid mutation."""
    stuck: list[str] = field(default_factory=list)
    """Sites without."""
    runs: int = 0
    """Valid mutations."""
    displaced: int = 0
    """Resources that only made room for another one."""
    pairs: dict[Pair, bool | None] = field(default_factory=dict)
    """Whether a mutation of the path (or below it) ever changed the resource; None where none was valid."""
    coarse: set[str] = field(default_factory=set)
    """Origins that say no more than the document."""

    def __str__(self) -> str:
        """Write the figures of the campaign."""
        told = [hit for hit in self.pairs.values() if hit is not None]
        share = self.mutated / max(1, self.sites)
        return (
            f"{self.mutated:,} of {self.sites:,} fields could be mutated ({share:.1%}), {self.runs:,} times; "
            f"{len(self.gaps)} changes without a cause, {self.displaced} that made room; "
            f"of {len(told):,} named pairs {told.count(False):,} without influence ({self.idle:.1%}), "
            f"{len(self.pairs) - len(told):,} more not tried"
        )

    @property
    def idle(self) -> float:
        """The share of named pairs without influence, of those whose path could be mutated."""
        told = [hit for hit in self.pairs.values() if hit is not None]
        return told.count(False) / max(1, len(told))


def campaign(repository: Repository, far: Words, tally: Tally, documents: Iterable[int]) -> None:
    """Mutate every field of some documents of a repository, and judge what changes."""
    near = words(repository.data)
    for file, rows in repository.named.items():
        tally.pairs |= dict.fromkeys(((repository.name, key, file, path) for key, path in rows), None)
    for key, seen in repository.seen.items():
        for origin in seen.resource.origins:
            if len(origin.path) < LEAST:
                tally.coarse.add(
                    f"{key.family}:{key.type} {origin.field!r} {origin.intent.kind}{origin.path}"
                )
    for at in documents:
        for site, several in mutations(repository.data, at, near, far):
            tally.sites += 1
            if _tried(repository, several, tally):
                tally.mutated += 1
            else:
                tally.stuck.append(f"{repository.name} {repository.data[at]['kind']} {_dotted(site.path)}")


def _tried(repository: Repository, several: Iterable[Mutation], tally: Tally) -> bool:
    """Judge the first valid mutations of each field; say whether there was one."""
    good: Counter[FieldPath] = Counter()
    bad: Counter[FieldPath] = Counter()
    for mutation in several:
        if good[mutation.site] >= VALID or bad[mutation.site] >= TRIES:
            continue
        after = mutated(repository, mutation)
        if after is None:
            bad[mutation.site] += 1
            continue
        good[mutation.site] += 1
        judge(repository, mutation, after, tally)
    tally.runs += good.total()
    return bool(good)


def judge(repository: Repository, mutation: Mutation, after: Mapping[Key, Seen], tally: Tally) -> None:
    """Look for the causes of every resource that changed, and count the pairs that had influence."""
    before = repository.seen
    changed = {
        key
        for key in before.keys() | after.keys()
        if key not in before or key not in after or before[key].digest != after[key].digest
    }
    _count(repository, mutation.changes, changed, tally)
    kind = repository.data[mutation.changes[0].document]["kind"]
    where = f"{kind}.{_dotted(mutation.site)}"
    gaps = [
        Gap(repository.name, where, field_, key)
        for key in sorted(changed)
        for field_ in _unnamed(before.get(key), after.get(key), mutation.changes)
    ]
    explained = changed - {gap.key for gap in gaps if not gap.field}
    for gap in gaps:
        if not gap.field and _goes_along(gap.key, explained, before, after):
            tally.displaced += 1
        else:
            tally.gaps.append(gap)


def _unnamed(old: Seen | None, new: Seen | None, changes: tuple[Change, ...]) -> Iterator[str]:
    """Yield the rendered fields that changed without an origin that names the cause; "" for all of it."""
    named = [one for one in _all(old) if names(one, changes, after=False)]
    named += [one for one in _all(new) if names(one, changes, after=True)]
    if not named:
        yield ""
    elif old and new:
        for path in differences(old.resource.spec, new.resource.spec, ()):
            if not any(covers(one.field, path) for one in named):
                yield _dotted(path)


def _goes_along(key: Key, explained: set[Key], before: Mapping[Key, Seen], after: Mapping[Key, Seen]) -> bool:
    """Say whether a change is explained by another one: it shows it, serves it, or makes room for it."""
    if (key.family, key.type) in SHOWS_ALL:
        return any(one.scope == key.scope for one in explained)
    if (key in before) == (key in after):
        return False
    sides = [side[one] for one in explained for side in (before, after) if one in side]
    if any(key in seen.resource.needs for seen in sides):
        return True
    twins = (one for one in explained if (one.scope, one.type) == (key.scope, key.type))
    return any((one in after) == (key in before) and (one in before) == (key in after) for one in twins)


def _count(repository: Repository, changes: tuple[Change, ...], changed: set[Key], tally: Tally) -> None:
    """Mark the pairs whose path was mutated, or a part of it."""
    for number, change in enumerate(changes):
        path = change.before or change.after or ()
        path, file = NAME if path == UID else path, str(change.document)
        for key, named in repository.named.get(file, ()):
            if path[: len(named)] != named:
                continue
            pair = (repository.name, key, file, named)
            # What changed along with the field (a name where it is referred to) tells only where it had one.
            if key in changed:
                tally.pairs[pair] = True
            elif number == 0 and not tally.pairs.get(pair):
                tally.pairs[pair] = False


def _all(seen: Seen | None) -> Iterator[Origin]:
    if seen:
        yield from seen.resource.origins
        yield from seen.why


def covers(said: str, path: FieldPath) -> bool:
    """Say whether a field of an origin and a rendered field hold one another."""
    text = ".".join(map(str, path))
    return not said or f"{text}.".startswith(f"{said}.") or said.startswith(f"{text}.")


def differences(old: Any, new: Any, path: FieldPath) -> Iterator[FieldPath]:
    """Yield the rendered fields that differ; a list whose length changed is one field."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted({*old, *new}):
            if name not in old or name not in new:
                yield (*path, name)
            elif old[name] != new[name]:
                yield from differences(old[name], new[name], (*path, name))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, two) in enumerate(zip(old, new, strict=True)):
            if one != two:
                yield from differences(one, two, (*path, index))
    else:
        yield path


def _dotted(path: FieldPath) -> str:
    return ".".join(str(step) for step in path)


def shape(path: FieldPath) -> str:
    """Return a path with its numbers left out, to count what is alike."""
    return ".".join("N" if isinstance(step, int) else step for step in path)
