"""The loop that follows a branch: fetch, judge what is new, bring the targets to the last good commit.

A commit that does not compile, lacks a signature, rewrites history or deletes too much changes nothing: the
last good commit stays, and what drifts from it is still put right. Two commits are told apart: `accepted`
passed every gate, and `applied` is the last one of which nothing was left to do. Until they are the same, the
approvals of the commits between them hold, so an apply that was cut off goes on with what was approved.

Invariant: a turn ends with every problem known, told once, and saved; nothing that goes wrong ends the loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from intent.diagnostics import Diagnostic
from intent.memory import Memory
from reconciler.drift import Drift, drift
from reconciler.drivers.base import DriverError
from reconciler.git import GitError
from reconciler.gitops.bring import Done, Look, Means, Stopping, carry_out, look
from reconciler.gitops.clone import Clone, fetch, keep, kept, recover, renew, sound, tidy
from reconciler.gitops.commit import (
    Bad,
    Candidate,
    Passed,
    Refused,
    admit,
    compiled,
    granted,
    limits_for,
)
from reconciler.gitops.signers import judge
from reconciler.gitops.state import (
    Area,
    Event,
    News,
    State,
    Word,
    load,
    news,
    problem,
    save,
    settled,
)
from reconciler.gitops.turn import Settings, Turn, World
from reconciler.prepare import let_go
from reconciler.telling import place_of

_KEPT: Final = 2
"""So many compiled commits are kept: the last good one and the newest."""


class Loop:
    """Follows one branch; all of it is called by one thread."""

    def __init__(self, settings: Settings, clone: Clone, means: Means, world: World) -> None:
        """Take up what the last process left in the state folder."""
        self.settings = settings
        self.clone = clone
        self.means = means
        self.world = world
        self.file = settings.state / "state.json"
        self.judged = ""
        """The head that was judged last."""
        self.look_at = float("-inf")
        """Ticks at which the targets are looked at next."""
        self.failures = 0
        """Applies in a row that left something."""
        self.compiled: dict[str, Candidate | Bad] = {}
        self.read, self.observed = Memory(), Memory()
        """What the last compile read, and what the last look at the targets saw: not parsed a second time."""
        recover(clone)
        self.state = self.saved = self._recalled()
        self.now = Turn(self.state)

    def turn(self) -> Turn:
        """Do one turn. What stops it in the middle comes through, with everything known saved."""
        begun = self.world.ticks()
        before = self.state
        turn = self.now = Turn(before)
        try:
            self._step_again_if_broken()
        finally:
            if turn.seen:
                let_go(turn.seen.work.drivers)
            problems = settled(before.problems, turn.found)
            turn.events += news(before.problems, problems)
            self.state = turn.state = replace(self.state, problems=problems)
            turn.seconds = self.world.ticks() - begun
            for event in turn.events:
                self.world.tell(event)
            if self.state != self.saved:
                self._save()
        return turn

    def _recalled(self) -> State:
        """Return the saved state; where that is lost, one from the refs of the clone."""
        found = load(self.file)
        if isinstance(found, State):
            return found
        accepted, applied = kept(self.clone, "accepted"), kept(self.clone, "applied")
        if not accepted:
            self.world.log("warning", f"state.json: {found}; starting as on the first day")
            return State()
        self.world.log("warning", f"state.json: {found}; going on from commit {accepted} of the clone")
        approvals: dict[str, int] = {}
        if applied and applied != accepted:
            try:
                trusted = judge(self.clone, applied, accepted, self.settings.terms.folder).trusted
                approvals, _ = granted(self.clone, applied, accepted, trusted)
            except GitError as error:
                self.world.log("warning", f"approvals after commit {applied} are lost: {error}")
        rewritten = kept(self.clone, "rewritten")
        return State(accepted, accepted, applied, approvals, (rewritten,) if rewritten else ())

    def _step_again_if_broken(self) -> None:
        try:
            self._step()
        except GitError as error:
            self.now.git_errors += 1
            self.world.log("warning", f"the clone cannot be read, cloning again: {error}")
            self.judged = ""
            try:
                renew(self.clone)
                self._step()
            except GitError as second:
                self.now.git_errors += 1
                self._wrong("remote", "unreachable", f"the clone is broken: {second}", key=["clone"])

    def _step(self) -> None:
        head = self._head()
        due = self.world.ticks() >= self.look_at
        worked = False
        if head and head != self.state.accepted:
            if head != self.judged or due:
                worked = self._try(head)
        elif head and self.now.found["remote"] is None:
            self.now.found["commit"] = None
        if self.state.accepted and due and not worked:
            self._keep()

    def _head(self) -> str:
        """Return the head of the branch, as far as it is known; empty where the branch is gone."""
        try:
            head = fetch(self.clone)
        except GitError as error:
            self.now.git_errors += 1
            self._wrong("remote", "unreachable", f"the remote cannot be read: {error}", key=["remote"])
            return self.state.head
        self.now.found["remote"] = None
        if head is None:
            self.judged = ""
            why = f"the remote has no branch {self.clone.branch}"
            self._wrong("commit", "refused", why, key=["branch"])
            return ""
        self.state = replace(self.state, head=head)
        return head

    def _try(self, head: str) -> bool:
        """Advance; whatever one commit breaks, the last good one is looked after all the same."""
        try:
            return self._advance(head)
        except Stopping:
            raise
        except GitError as error:
            if not sound(self.clone):
                raise
            why = str(error)
        except OSError as error:
            why = str(error.strerror)
        except Exception as error:  # noqa: BLE001 -- a bug that one commit wakes must not stop the others
            why = place_of(error)
        self._hindered(head, f"commit {head[:12]} cannot be dealt with: {why}", "judge")
        return False

    def _advance(self, head: str) -> bool:
        """Judge a commit and bring the targets to it; say whether they were worked on."""
        self.judged = head
        terms = self.settings.terms
        if terms.rewrite in self.state.rewrites:
            terms = replace(terms, rewrite="")  # each name counts once: it may not undo what came later
        passed = admit(self.clone, self.state.accepted, head, terms)
        if isinstance(passed, Refused):
            self._wrong(
                "commit", "refused", passed.why, key=[passed.reason], commit=head, details=passed.details
            )
            return False
        candidate = self._compiled(head)
        if isinstance(candidate, Bad):
            self._bad(candidate, "commit")
            return False
        for note in passed.notes:
            self.world.log("warning", note)
        return self._bring(candidate, passed)

    def _bring(self, candidate: Candidate, passed: Passed) -> bool:
        """Bring the targets to a new commit, if the brake lets it; say whether they were worked on."""
        unfinished = self.state.accepted != self.state.applied
        approvals = dict(self.state.approvals) if unfinished and not passed.rewritten else {}
        for name, number in passed.approvals.items():
            approvals[name] = approvals.get(name, 0) + number
        seen = self._look(candidate, approvals)
        if seen is None:
            return False
        commit = candidate.commit
        if seen.refusals:
            why = f"commit {commit[:12]} needs an approval for what it deletes"
            self._wrong("commit", "refused", why, key=["brake"], commit=commit, details=seen.refusals)
            return False
        rewrites = self.state.rewrites
        if commit == self.settings.terms.rewrite:
            rewrites = (*rewrites, commit)
        before = self.state
        self.state = replace(before, accepted=commit, approvals=approvals, rewrites=rewrites)
        if not self._save():
            # Without a record of what was accepted, nothing is begun.
            self.state = before
            self._failed("the state cannot be written", ["state"])
            return True
        if rewrites != before.rewrites:
            keep(self.clone, "rewritten", commit)
        keep(self.clone, "accepted", commit)
        self.now.found["commit"] = None
        if self._carry_out(seen):
            self.now.found["drift"] = None
        return True

    def _keep(self) -> None:
        """Finish what is left of the last good commit, or see what drifted from it."""
        candidate = self._compiled(self.state.accepted)
        if isinstance(candidate, Bad):
            self._bad(candidate, "apply")
            self._later(failed=True)
            return
        finished = self.state.accepted == self.state.applied
        seen = self._look(candidate, {} if finished else self.state.approvals)
        if seen is None:
            return
        drifted = drift(seen.work.plan, seen.work.incomplete) if finished else ()
        self.now.drifted = drifted if finished else None
        if drifted:
            self._drift(drifted)
        else:
            self.now.found["drift"] = None
        if finished and not self.settings.correct:
            self._well(seen)
        elif seen.refusals:
            commit, details = candidate.commit, (*seen.refusals, *seen.unread)
            why = f"the deletion brake stops what commit {commit[:12]} asks for"
            self._wrong("apply", "refused", why, key=["brake"], commit=commit, details=details)
            self._later()
        elif self._carry_out(seen) and drifted:
            self.now.found["drift"] = None
            self._tell("drift-corrected", f"{_objects(drifted)} put right", map(str, drifted))

    def _carry_out(self, seen: Look) -> bool:
        """Apply what was planned; say whether all of it was done."""
        done = self.now.done = Done()
        begun = self.world.ticks()
        if seen.work.plan.actions:
            done = self.now.done = carry_out(seen, self.means)
            self.now.applying = self.world.ticks() - begun
        if done.failure:
            self._failed(done.failure, ["begin" if done.held else "held"])
            return False
        if left := done.result.failed:
            commit, total = seen.candidate.commit, len(done.result.outcomes)
            why = f"{len(left):,} of {total:,} objects of commit {commit[:12]} were not done"
            key, details = [*done.targets, *seen.work.incomplete], [*seen.unread, *done.details]
            self._failed(f"{why} on {', '.join(done.targets)}", key, details)
            return False
        self._well(seen)
        return True

    def _well(self, seen: Look) -> None:
        """Note that nothing is left to do, unless a target showed only a part of what it has."""
        if unread := seen.work.incomplete:
            self._failed(f"{', '.join(unread)} cannot be read completely", unread, seen.unread)
            return
        self.now.found["apply"] = None
        self._later()
        commit = self.state.accepted
        if commit != self.state.applied:
            self.state = replace(self.state, applied=commit, applied_at=self.world.now(), approvals={})
            count = sum(seen.work.plan.counts.values())
            self._tell("applied", f"commit {commit[:12]}, with {count:,} objects changed")
            keep(self.clone, "applied", commit)
            tidy(self.clone)

    def _look(self, candidate: Candidate, approvals: Mapping[str, int]) -> Look | None:
        """Observe and plan; None, with the problem noted, where that is not possible."""
        if self.now.seen:
            let_go(self.now.seen.work.drivers)
        before = self.state.applied or self.state.accepted
        limits = limits_for(candidate, self.clone, before, self.settings.terms.folder)
        new = candidate.commit != self.state.accepted
        # A target out of reach keeps the others from what is new, not from what was applied to all of them.
        partly = candidate.commit == self.state.accepted == self.state.applied
        try:
            seen = self.now.seen = look(
                candidate, self.means, approvals, limits, self.observed, partly=partly
            )
            self.observed = self.observed.later()
        except DriverError as error:
            why = f"a target is out of reach: {error}"
            if new:
                self._hindered(candidate.commit, f"commit {candidate.commit[:12]}: {why}", "reach")
            else:
                self._failed(why, ["reach"])
            return None
        except (GitError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 -- a bug that one commit wakes must not stop the others
            self._bad(Bad(candidate.commit, broken=place_of(error)), "commit" if new else "apply")
            self._later(failed=True)
            return None
        return seen

    def _compiled(self, commit: str) -> Candidate | Bad:
        found = self.compiled.pop(commit, None)
        if found is None:
            found = compiled(self.clone, commit, self.settings.terms.folder, self.read)
            self.read = self.read.later()
        self.compiled[commit] = found
        while len(self.compiled) > _KEPT:
            self.compiled.pop(next(iter(self.compiled)))
        return found

    def _bad(self, bad: Bad, area: Area) -> None:
        errors = sum(entry.severity == "error" for entry in bad.found)
        why = bad.broken or f"{errors} error{'s' if errors != 1 else ''}"
        word: Word = "bad-commit" if area == "commit" else "failed"
        message = f"commit {bad.commit[:12]} does not compile: {why}"
        self._wrong(area, word, message, key=["compile"], commit=bad.commit, details=map(_line, bad.found))

    def _drift(self, drifted: tuple[Drift, ...]) -> None:
        key = [f"{entry.kind} {entry.target} {entry.key}" for entry in drifted]
        why = f"{_objects(drifted)} drifted from commit {self.state.applied[:12]}"
        self._wrong("drift", "drift", why, key=key, commit=self.state.applied, details=map(str, drifted))

    def _failed(self, why: str, key: Iterable[str], details: Iterable[str] = ()) -> None:
        commit = self.state.accepted or self.judged
        self._wrong("apply", "failed", why, key=key, commit=commit, details=details)
        self._later(failed=True)

    def _hindered(self, commit: str, why: str, key: str) -> None:
        """Note what keeps a new commit from being applied and is perhaps no fault of it."""
        self._wrong("commit", "failed", why, key=[key], commit=commit)
        self._later(failed=True)

    def _wrong(
        self,
        area: Area,
        word: Word,
        why: str,
        *,
        key: Iterable[str],
        commit: str = "",
        details: Iterable[str] = (),
    ) -> None:
        found = problem(word, why, self.world.now(), key=key, commit=commit, details=details)
        self.now.found[area] = found

    def _later(self, *, failed: bool = False) -> None:
        """Say when the targets are looked at again: sooner after a failure, and then ever later."""
        now, wait = self.world.ticks(), self.settings.look
        commit = self.now.found.get("commit")
        if failed:
            self.failures += 1
            wait = min(self.settings.interval * 2 ** min(self.failures, 20), wait)
            if self.look_at > now:
                wait = min(wait, self.look_at - now)
        elif commit and commit.word == "failed":
            return  # a new commit was hindered in this turn, and is tried again when that said
        else:
            self.failures = 0
        self.look_at = now + wait

    def _tell(self, what: News, message: str, details: Iterable[str] = ()) -> None:
        self.now.events.append(Event(what, message, self.state.accepted, tuple(details)))

    def _save(self) -> bool:
        try:
            save(self.file, self.state)
        except OSError as error:
            self.world.log("error", f"cannot write {self.file}: {error.strerror}")
            return False
        self.saved = self.state
        return True


def _objects(drifted: tuple[Drift, ...]) -> str:
    return f"{len(drifted):,} object{'s' if len(drifted) != 1 else ''}"


def _line(found: Diagnostic) -> str:
    hint = f" (hint: {found.hint})" if found.hint else ""
    return f"{found.span}: {found.severity}[{found.code}]: {found.message}{hint}"
