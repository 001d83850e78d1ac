"""The gates that a commit has to pass before anything is done for it: history, signatures, compilation.

What a commit may not do by itself, it may not allow itself either: the rules on signatures are those of the
last good commit, and the limits of the deletion brake those of the last one that was applied completely.

Deletions are approved by trailers in the messages of commits (`Intentc-Allow-Delete: SriovNetwork=12`). One
step along the first parents is one change: what its commits approve of a type is the largest number among
them, since a merge often repeats what the merged commit says; the numbers of steps add up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from compiler.graph import Graph
from compiler.passes import compile_intent
from intent.diagnostics import Diagnostic, Report
from intent.memory import Memory
from intent.repository import Repository, open_project, open_repository
from reconciler.brake import DEFAULT, Limits, approvals_from_trailers, limits_of
from reconciler.git import GitError, open_commit
from reconciler.gitops.clone import Clone, arrived, follows, has, line, message, sound
from reconciler.gitops.signers import judge, rules_of
from reconciler.telling import place_of


@dataclass(frozen=True, slots=True)
class Candidate:
    """A commit that compiles."""

    commit: str
    repository: Repository = field(repr=False)
    graph: Graph = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bad:
    """A commit that does not compile."""

    commit: str
    found: tuple[Diagnostic, ...] = ()
    broken: str = ""
    """Where the compiler broke over it, which is a bug."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A commit that may not be applied."""

    reason: str
    """One word that tells refusals apart: rewrite, trust, signature."""
    why: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """What commits are judged by, besides what the last good one says."""

    folder: str = ""
    """Where intentc.yaml lies in the repository."""
    trust: str = ""
    """Commit that the first one has to follow; its rules are the first ones."""
    rewrite: str = ""
    """Head that may rewrite history."""


class Passed(NamedTuple):
    """What else is known of a commit whose history and signatures are as they should be."""

    approvals: Mapping[str, int]
    """Deletions that its authors, and those of the commits before it, approve."""
    rewritten: bool
    """Whether it leaves commits out that were good before, with all that they approve."""
    notes: tuple[str, ...]
    """What people should know."""


def admit(clone: Clone, accepted: str, head: str, terms: Terms) -> Passed | Refused:
    """Judge history and signatures of a new head; `accepted` is the last good commit, if there is one.

    GitError where the clone cannot be read.
    """
    base = accepted if accepted and has(clone, accepted) else ""
    if accepted and not base and not sound(clone):
        raise GitError("the clone has lost objects")  # which is no rewrite, and must not look like one
    rewritten = bool(accepted) and not (base and follows(clone, head, base))
    if rewritten and head != terms.rewrite:
        why = f"the last good commit {accepted[:12]} is gone, so {head[:12]} rewrites history"
        if base:
            why = f"commit {head[:12]} does not follow the last good commit {base[:12]} (a force-push)"
        return Refused("rewrite", f"{why}; if that is meant, name it: --accept-rewrite {head}")
    if not base and terms.trust and not (has(clone, terms.trust) and follows(clone, head, terms.trust)):
        return Refused("trust", f"commit {head[:12]} does not follow the trusted commit {terms.trust[:12]}")
    first = base or terms.trust
    if not first:
        note = f"commit {head[:12]} is trusted, because there is none before it to judge it by"
        approvals, notes = granted(clone, "", head, {head})
        return Passed(approvals, rewritten, (note, *notes))
    judged = judge(clone, first, head, terms.folder)
    if judged.faults:
        return Refused("signature", f"commit {head[:12]} brings changes without signature", judged.faults)
    approvals, notes = granted(clone, base, head, judged.trusted)
    return Passed(approvals, rewritten, notes)


def compiled(clone: Clone, commit: str, folder: str, memory: Memory | None = None) -> Candidate | Bad:
    """Compile a commit; GitError where it cannot be read from the clone."""
    files = open_commit(clone.folder, commit, folder=folder)
    report = Report()
    try:
        repository, _ = open_repository(files, report, memory)
        if repository is None or report.failed or rules_of(files, report) is None:
            return Bad(commit, tuple(report.sorted()))
        graph = compile_intent(
            repository.project, repository.intents, repository.facts, repository.ledger, report
        ).graph
    except (GitError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 -- a bug that one commit wakes must not stop the others
        return Bad(commit, broken=place_of(error))
    if graph is None or report.failed:
        return Bad(commit, tuple(report.sorted()))
    return Candidate(commit, repository, graph)


def limits_for(candidate: Candidate, clone: Clone, commit: str, folder: str) -> Limits:
    """Return how much may be deleted without an approval, as `commit` has it, else the candidate itself."""
    if not commit or commit == candidate.commit or not has(clone, commit):
        return limits_of(candidate.repository.spec)
    project, _ = open_project(open_commit(clone.folder, commit, folder=folder), Report())
    if project is None:
        return DEFAULT
    return limits_of(project.spec)


def granted(
    clone: Clone, base: str, head: str, trusted: Collection[str]
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return how many deletions the trusted commits after `base` approve, and what of it cannot be read.

    Without a base, what the head itself says counts.
    """
    total: Counter[str] = Counter()
    notes: list[str] = []
    before = base
    for step in line(clone, base, head) if base else [head]:
        most: dict[str, int] = {}
        came = arrived(clone, step, (before, base)) if base else [(step, 0)]
        for commit, _ in came:
            try:
                said = approvals_from_trailers(message(clone, commit)) if commit in trusted else {}
            except ValueError as error:
                notes.append(f"commit {commit[:12]} approves no deletion: {error}")
            else:
                most = {name: max(most.get(name, 0), said.get(name, 0)) for name in {**most, **said}}
        total.update(most)
        before = step
    return dict(total), tuple(notes)
