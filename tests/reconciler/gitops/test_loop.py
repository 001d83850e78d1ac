"""The loop on real git remotes: what it applies, what it refuses, and what it survives."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler import journal
from reconciler.apply import Event as Progress
from reconciler.apply import Started
from reconciler.drivers.base import Batch, Observation, PermanentError, TransientError
from reconciler.drivers.directory import Directory
from reconciler.git import GitError
from reconciler.gitops import bring as gitops_bring
from reconciler.gitops import loop as gitops
from reconciler.gitops.bring import Done, Look, Stopping, look
from reconciler.gitops.clone import Clone, renew
from reconciler.gitops.commit import Candidate, Terms, admit, granted
from reconciler.gitops.state import State, load
from reconciler.lease import Lease
from tests.remotes import POLICY, Follower, Remote, git, template

PROJECT = "apiVersion: intentc.dev/v1alpha1\nkind: Project\nmetadata: {name: my-network}\n"
ONLY_FRR = {"intentc.yaml": PROJECT + "spec: {targets: [{name: default, families: [frr]}]}\n"}
BROKEN = {
    POLICY: "apiVersion: intentc.dev/v1alpha1\nkind: SRv6Policy\nmetadata: {name: x}\nspec: {colour: 1}\n"
}


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("source") / "repo")


@pytest.fixture
def remote(tmp_path: Path, source: Path) -> Remote:
    return Remote.made(tmp_path, source)


@pytest.fixture
def following(tmp_path: Path, remote: Remote) -> Follower:
    """Return a loop that has applied the first commit."""
    follower = Follower(remote, tmp_path / "state")
    follower.turn()
    assert follower.news() == ["applied"]
    return follower


def damage(follower: Follower) -> None:
    """Remove a file of the target by hand."""
    next((follower.state / "rendered").rglob("policy.jsonl")).unlink()


def trailers(details: tuple[str, ...]) -> str:
    """Return the trailers that a refusal of the brake asks for."""
    return "".join(f"{line}\n" for line in sorted({line.partition(" the trailer ")[2] for line in details}))


def test_commits_are_applied_as_they_come_and_nothing_is_told_between(following: Follower) -> None:
    first = following.tree()
    assert first
    assert following.turn().outcome == "idle"
    second = following.remote.commit(following.remote.routed("p2"))
    assert following.turn().state.applied == second
    assert following.news() == ["applied"]
    assert following.tree() != first
    assert following.turn(300).state.problems == {}
    assert following.news() == []


def test_a_rollback_is_a_revert_commit(following: Follower) -> None:
    first = following.tree()
    following.remote.commit(following.remote.routed("p2"))
    following.turn()
    git(following.remote.work, "revert", "--no-edit", "HEAD")
    following.remote.push()
    following.turn()
    assert following.news() == ["applied", "applied"]
    assert following.tree() == first


def test_a_bad_commit_is_reported_once_and_the_last_good_one_is_kept(following: Follower) -> None:
    good, tree = following.remote.head, following.tree()
    bad = following.remote.commit(BROKEN)
    turn = following.turn()
    assert (turn.outcome, turn.state.accepted) == ("bad-commit", good)
    (told,) = following.told
    assert told.commit == bad
    assert any(line.startswith(f"{POLICY}:4:") and "error[IC" in line for line in told.details)
    assert following.news() == ["bad-commit"]
    damage(following)
    assert following.turn(300).outcome == "bad-commit"
    assert following.tree() == tree
    assert following.news() == ["drift-corrected"]
    following.start()
    assert following.turn().state.problems["commit"].since < following.time - 300
    assert following.news() == []
    git(following.remote.work, "revert", "--no-edit", "HEAD")
    following.remote.push()
    assert following.turn().outcome == "applied"
    assert following.news() == ["applied", "recovered"]


def test_a_commit_that_breaks_the_compiler_is_a_bad_commit(
    following: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = following.remote.commit(following.remote.routed("p2"))

    def breaking(candidate: Candidate, *words: Any, **more: Any) -> Look:
        if candidate.commit == bad:
            raise KeyError("a secret")
        return look(candidate, *words, **more)

    monkeypatch.setattr(gitops, "look", breaking)
    turn = following.turn(300)
    assert turn.state.problems["commit"].word == "bad-commit"
    assert "KeyError" in turn.state.problems["commit"].why
    assert "secret" not in turn.state.problems["commit"].why
    assert turn.drifted == (), "the last good commit is looked after all the same"


def test_a_force_push_is_refused_until_it_is_named_and_each_name_counts_once(following: Follower) -> None:
    remote, first = following.remote, following.remote.head
    second = remote.commit(remote.routed("p2"))
    following.turn()
    git(remote.work, "reset", "--quiet", "--hard", first)
    rewritten = remote.commit(remote.routed("p1"), push=False)
    remote.push("--force")
    turn = following.turn()
    assert (turn.outcome, turn.state.accepted) == ("refused", second)
    assert rewritten in turn.state.problems["commit"].why
    assert following.turn(300).state.applied == second
    assert following.news() == ["applied", "refused"]
    following.loop.settings = replace(following.loop.settings, terms=Terms(rewrite=rewritten))
    assert following.turn(300).state.applied == rewritten
    third = remote.commit(remote.routed("p2"))
    following.turn()
    assert following.news() == ["applied", "recovered", "applied"]
    git(remote.work, "reset", "--quiet", "--hard", rewritten)
    remote.push("--force")
    assert following.turn().state.accepted == third
    assert following.news() == ["refused"]


def test_a_name_counts_once_even_if_the_state_is_lost(following: Follower) -> None:
    remote, first = following.remote, following.remote.head
    remote.commit(remote.routed("p2"))
    following.turn()
    git(remote.work, "reset", "--quiet", "--hard", first)
    rewritten = remote.commit(remote.routed("p1"), push=False)
    remote.push("--force")
    following.terms = Terms(rewrite=rewritten)
    following.start()
    assert following.turn().state.applied == rewritten
    third = remote.commit(remote.routed("p2"))
    following.turn()
    renew(following.loop.clone)
    (following.state / "state.json").unlink()
    git(remote.work, "reset", "--quiet", "--hard", rewritten)
    remote.push("--force")
    following.start()
    assert following.turn().state.accepted == third


def test_going_back_by_force_is_refused_as_well(following: Follower) -> None:
    first = following.remote.head
    second = following.remote.commit(following.remote.routed("p2"))
    following.turn()
    git(following.remote.work, "reset", "--quiet", "--hard", first)
    following.remote.push("--force")
    assert following.turn().state.accepted == second


def test_a_branch_that_is_deleted_changes_nothing(following: Follower) -> None:
    head, tree = following.remote.head, following.tree()
    git(following.remote.bare, "update-ref", "-d", "refs/heads/main")
    turn = following.turn()
    assert (turn.outcome, turn.state.accepted) == ("refused", head)
    aside = following.remote.bare.with_name("aside")
    following.remote.bare.rename(aside)
    assert set(following.turn().state.problems) == {"remote", "commit"}, "nobody knows of a branch"
    aside.rename(following.remote.bare)
    damage(following)
    following.turn(300)
    assert following.tree() == tree
    following.remote.push()
    assert following.turn().state.problems == {}
    assert following.news() == ["refused", "unreachable", "drift-corrected", "recovered"]


def test_a_bad_commit_is_still_bad_when_its_branch_comes_back(following: Follower) -> None:
    following.remote.commit(BROKEN)
    following.turn()
    git(following.remote.bare, "update-ref", "-d", "refs/heads/main")
    following.turn()
    following.remote.push()
    assert following.turn().outcome == "bad-commit"
    assert following.news() == ["bad-commit", "refused", "bad-commit"]


def test_a_tag_or_a_longer_name_is_not_the_branch(tmp_path: Path, remote: Remote) -> None:
    git(remote.bare, "update-ref", "refs/other/refs/heads/main", remote.head)
    git(remote.bare, "update-ref", "refs/tags/main", remote.head)
    git(remote.bare, "update-ref", "-d", "refs/heads/main")
    turn = Follower(remote, tmp_path / "state").turn()
    assert (turn.outcome, turn.state.head) == ("refused", "")


def test_a_remote_that_is_gone_does_not_stop_the_loop(following: Follower) -> None:
    tree, aside = following.tree(), following.remote.bare.with_name("aside")
    following.remote.bare.rename(aside)
    assert following.turn().outcome == "unreachable"
    following.start()
    damage(following)
    following.turn(300)
    assert following.tree() == tree
    aside.rename(following.remote.bare)
    assert following.turn().outcome == "idle"
    assert following.news() == ["unreachable", "drift-corrected", "recovered"]


def ruin_objects(clone: Path) -> None:
    for path in clone.joinpath("objects").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            path.write_bytes(path.read_bytes()[:20])


def ruin_head(clone: Path) -> None:
    (clone / "HEAD").unlink()


def ruin_refs(clone: Path) -> None:
    for path in clone.joinpath("refs", "intentc").iterdir():
        path.write_text("rubbish\n")


def leave_locks(clone: Path) -> None:
    for name in ("HEAD.lock", "config.lock", "refs/intentc/head.lock"):
        (clone / name).touch()


@pytest.mark.parametrize(
    "ruin", [ruin_objects, ruin_head, ruin_refs, leave_locks, shutil.rmtree], ids=lambda ruin: ruin.__name__
)
def test_a_clone_that_is_broken_is_made_anew(following: Follower, ruin: Callable[[Path], None]) -> None:
    ruin(following.loop.clone.folder)
    following.start()
    second = following.remote.commit(following.remote.routed("p2"))
    assert following.turn().state.applied == second
    assert following.news() == ["applied"]


def test_a_broken_clone_is_not_mistaken_for_a_repository_around_it(following: Follower) -> None:
    around = following.state.parent
    git(around, "init", "--quiet", "--bare", ".")
    ruin_head(following.loop.clone.folder)
    second = following.remote.commit(following.remote.routed("p2"))
    assert following.turn().state.applied == second
    assert git(around, "for-each-ref") == ""


def test_a_clone_that_breaks_while_the_remote_is_away_is_told(following: Follower) -> None:
    ruin_objects(following.loop.clone.folder)
    following.remote.bare.rename(following.remote.bare.with_name("aside"))
    following.start()
    assert following.turn().outcome == "unreachable"
    following.remote.bare.with_name("aside").rename(following.remote.bare)
    assert following.turn().outcome == "idle"
    assert following.news() == ["unreachable", "recovered"]


def test_a_killed_swap_of_clones_is_mended(following: Follower) -> None:
    folder = following.loop.clone.folder
    folder.rename(folder.with_name("clone.old"))
    following.remote.bare.rename(following.remote.bare.with_name("aside"))
    following.start()
    assert following.turn(300).drifted == ()


@pytest.mark.parametrize(
    "content", [None, b"", b"{", b'{"format": "intentc-state/1", "state": {}}', b"\xff" * 9]
)
def test_a_state_that_is_lost_is_rebuilt_from_the_clone(following: Follower, content: bytes | None) -> None:
    file, head = following.state / "state.json", following.remote.head
    git(following.remote.work, "reset", "--quiet", "--soft", "HEAD")
    file.unlink() if content is None else file.write_bytes(content)
    following.start()
    assert following.loop.state.accepted == following.loop.state.applied == head
    assert any("going on from commit" in line for line in following.logged)
    git(following.remote.work, "commit", "--quiet", "--amend", "--message=rewritten")
    following.remote.push("--force")
    assert following.turn().outcome == "refused"


def test_without_state_and_clone_the_first_day_begins_again_and_says_so(following: Follower) -> None:
    (following.state / "state.json").unlink()
    shutil.rmtree(following.loop.clone.folder)
    following.logged.clear()
    following.start()
    following.turn()
    assert any("first day" in line for line in following.logged)
    assert any("is trusted, because there is none before it" in line for line in following.logged)
    assert following.news() == ["applied"]


def test_with_state_and_without_clone_a_rewrite_is_still_seen(following: Follower) -> None:
    git(following.remote.work, "commit", "--quiet", "--amend", "--message=rewritten")
    following.remote.push("--force")
    git(following.remote.bare, "gc", "--quiet", "--prune=now")
    shutil.rmtree(following.loop.clone.folder)
    following.start()
    turn = following.turn(30)
    assert turn.state.problems["commit"].word == "refused"
    assert "is gone" in turn.state.problems["commit"].why
    following.loop.settings = replace(following.loop.settings, terms=Terms(rewrite=following.remote.head))
    assert following.turn(300).state.applied == following.remote.head


def test_deletions_need_a_trailer_of_a_commit_that_is_not_applied_yet(following: Follower) -> None:
    tree = following.tree()
    following.remote.commit(ONLY_FRR)
    turn = following.turn()
    assert turn.state.problems["commit"].word == "refused"
    asked = turn.state.problems["commit"].details
    assert any("the plan deletes" in line for line in asked)
    damage(following)
    following.turn(300)
    assert following.tree() == tree, "the last good commit is kept"
    following.remote.commit(message="Approve\n\nIntentc-Allow-Delete: nonsense\n")
    assert following.turn().state.problems["commit"].word == "refused"
    assert any("is not TYPE=N" in line for line in following.logged)
    last = following.remote.commit(message=f"Approve\n\n{trailers(asked)}")
    turn = following.turn()
    assert (turn.state.applied, turn.state.approvals) == (last, {})
    assert {name.split("/")[0] for name in following.tree()} == {"frr"}
    assert following.news() == ["refused", "drift-corrected", "refused", "applied", "recovered"]


def test_a_commit_cannot_loosen_the_brake_for_itself(following: Follower) -> None:
    strict = "spec: {gates: {deletionBrake: {percent: 0, few: 0}}}\n"
    good = following.remote.commit({"intentc.yaml": PROJECT + strict})
    assert following.turn().state.applied == good
    following.remote.commit({"intentc.yaml": PROJECT + "spec: {}\n", POLICY: None})
    turn = following.turn()
    assert turn.state.accepted == good
    (asked,) = turn.state.problems["commit"].details
    assert asked.startswith("the plan deletes 2 of 4 vpp policy")
    git(following.remote.work, "reset", "--quiet", "--hard", good)
    following.remote.commit({"intentc.yaml": PROJECT + "spec: {}\n"}, push=False)
    following.remote.push("--force")
    following.turn()
    last = following.remote.commit({POLICY: None})
    assert following.turn().state.applied == last, "the limits of the commit before it let it pass"


def test_a_repeated_trailer_of_a_merge_counts_once_and_those_of_two_changes_add_up(
    following: Follower,
) -> None:
    remote, base = following.remote, following.remote.head
    for name in ("one", "two"):
        git(remote.work, "checkout", "--quiet", "-b", name, "main")
        remote.commit({f"{name}.txt": name}, f"{name}\n\nIntentc-Allow-Delete: policy=3\n", push=False)
        git(remote.work, "checkout", "--quiet", "main")
        words = f"--message=merge\n\nIntentc-Allow-Delete: policy=3\nIntentc-Allow-Delete: {name}=1\n"
        git(remote.work, "merge", "--quiet", "--no-ff", words, name)
    remote.push()
    following.turn()
    trusted = git(remote.work, "rev-list", "HEAD").split()
    approvals, _ = granted(following.loop.clone, base, remote.head, trusted)
    assert approvals == {"policy": 6, "one": 1, "two": 1}


def test_drift_can_be_only_reported(tmp_path: Path, remote: Remote) -> None:
    following = Follower(remote, tmp_path / "state", correct=False)
    following.turn()
    damage(following)
    tree = following.tree()
    turn = following.turn(300)
    assert turn.outcome == "drift"
    assert turn.drifted is not None
    assert {entry.kind for entry in turn.drifted} == {"missing"}
    (told,) = [event for event in following.told if event.news == "drift"]
    assert any(line.startswith("removed: vpp policy") and "intent/" in line for line in told.details)
    following.turn(300)
    assert following.tree() == tree
    assert following.news() == ["applied", "drift"]
    remote.commit({"README.md": "a commit that changes no object"})
    assert following.turn().state.problems == {}
    assert following.tree() != tree, "a commit brings everything to what it says"


def test_a_pending_commit_is_no_drift(following: Follower) -> None:
    following.remote.commit(BROKEN)
    assert following.turn(300).drifted == ()
    git(following.remote.work, "revert", "--no-edit", "HEAD")
    following.remote.commit(following.remote.routed("p2"))
    turn = following.turn(300)
    assert (turn.outcome, turn.drifted) == ("applied", None)


def test_what_cannot_be_done_is_told_once_and_tried_ever_more_rarely(following: Follower) -> None:
    victim = next((following.state / "rendered").rglob("policy.jsonl"))
    victim.write_text("somebody else's\n")
    turn = following.turn(300)
    assert turn.outcome == "failed"
    assert any("is not ours" in line and "intent/" in line for line in turn.state.problems["apply"].details)
    looked = [following.turn(30).seen is not None for _ in range(14)]
    assert looked.count(True) == 3, "after 60, 120 and 240 seconds"
    victim.unlink()
    following.turn(300)
    assert following.news() == ["failed", "drift", "drift-corrected", "recovered"]


class _Crash(BaseException):
    """Stands for kill -9: nothing is caught, nothing is cleaned up by the loop."""


def test_a_kill_at_any_write_loses_nothing(
    following: Follower, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The change needs approvals, which must outlive every kill as well."""
    remote = following.remote
    asked = _asked(following)
    target = remote.commit({**ONLY_FRR}, f"Only FRR\n\n{trailers(asked)}")
    reference = Follower(remote, tmp_path / "reference")
    reference.turn()
    wanted = reference.tree()
    before = tmp_path / "before"
    shutil.copytree(following.state, before)
    countdown = 0

    def counted(call: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*words: object, **named: object) -> object:
            nonlocal countdown
            countdown -= 1
            if countdown == 0:
                raise _Crash
            result = call(*words, **named)
            countdown -= 1
            if countdown == 0:
                raise _Crash
            return result

        return wrapped

    for owner, name in ((gitops, "save"), (gitops, "keep"), (Directory, "stage"), (Directory, "commit")):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))
    for point in range(1, 100):
        shutil.rmtree(following.state)
        shutil.copytree(before, following.state)
        following.start()
        countdown = point
        try:
            following.turn()
        except _Crash:
            countdown = 0
            following.start()
            following.turn()
        else:
            assert point > 10, "every write was a point"
            break
        assert following.loop.state.applied == target, f"after a kill at write {point}"
        assert following.tree() == wanted
    else:
        pytest.fail("the sweep came to no end")


def _asked(following: Follower) -> tuple[str, ...]:
    """Return what the brake asks for, and leave history as it was."""
    head = following.remote.head
    following.remote.commit(ONLY_FRR)
    asked = following.turn().state.problems["commit"].details
    git(following.remote.work, "reset", "--quiet", "--hard", head)
    following.remote.push("--force")
    following.turn()
    return asked


def cut_off(following: Follower) -> str:
    """Stop in the middle of an apply that needed approvals; return its commit."""
    asked = _asked(following)
    target = following.remote.commit({**ONLY_FRR}, f"Only FRR\n\n{trailers(asked)}")
    started = 0

    def stopping(event: Progress) -> None:
        nonlocal started
        started += isinstance(event, Started)
        if started == 2:
            raise Stopping

    following.listener = stopping
    following.start()
    with pytest.raises(Stopping):
        following.turn()
    following.listener = lambda _: None
    return target


def test_approvals_of_an_apply_that_was_cut_off_hold_for_the_next_commit(following: Follower) -> None:
    cut_off(following)
    following.start()
    last = following.remote.commit({"README.md": "nothing of importance"})
    assert (following.turn().state.applied, following.loop.state.approvals) == (last, {})


def test_a_lost_state_in_the_middle_of_an_apply_keeps_its_approvals(following: Follower) -> None:
    target = cut_off(following)
    saved = load(following.state / "state.json")
    assert not isinstance(saved, str)
    assert (saved.accepted, saved.applied == target) == (target, False)
    (following.state / "state.json").unlink()
    following.start()
    assert following.loop.state == replace(saved, applied_at=0.0)
    assert following.turn().state.applied == target


def test_a_state_that_cannot_be_written_stops_before_anything_is_done(
    following: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = following.tree()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(gitops, "save", full)
        following.remote.commit(following.remote.routed("p2"))
        assert following.turn().outcome == "failed"
        assert following.tree() == tree
    assert following.turn(300).state.applied == following.remote.head
    assert following.news() == ["failed", "applied", "recovered"]


def within(remote: Remote, folder: str) -> None:
    """Move the repository into a folder."""
    (remote.work / folder).mkdir()
    for name in ("intent", "intentc.yaml", "intentc.lock"):
        (remote.work / name).rename(remote.work / folder / name)


def kept_all_the_same(following: Follower) -> None:
    """Fail where the last good commit is not looked after, or the clone is made anew for nothing."""
    accepted, tree = following.loop.state.accepted, following.tree()
    damage(following)
    following.news()
    turn = following.turn(300)
    assert (turn.state.accepted, turn.git_errors) == (accepted, 0)
    assert following.tree() == tree
    assert following.news() == ["drift-corrected"]


def test_a_commit_without_the_folder_is_a_bad_one(tmp_path: Path, remote: Remote) -> None:
    within(remote, "net")
    remote.commit()
    following = Follower(remote, tmp_path / "state", Terms("net"))
    assert following.turn().outcome == "applied"
    (remote.work / "net").rename(remote.work / "other")
    remote.commit({"net": "no folder"})
    turn = following.turn()
    assert turn.outcome == "bad-commit"
    assert any("IC1030" in line for line in turn.state.problems["commit"].details)
    kept_all_the_same(following)


def test_a_commit_for_which_a_target_is_out_of_reach_does_not_stop_the_last_good_one(
    following: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = following.remote.commit(following.remote.routed("p2"))

    def away(candidate: Candidate, *words: Any, **more: Any) -> Look:
        if candidate.commit == new:
            raise PermanentError("no such cluster")
        return look(candidate, *words, **more)

    with monkeypatch.context() as patched:
        patched.setattr(gitops, "look", away)
        problem = following.turn().state.problems["commit"]
        assert (problem.word, problem.commit) == ("failed", new)
        assert "no such cluster" in problem.why
        kept_all_the_same(following)
    assert following.turn(300).state.applied == new


def test_a_target_out_of_reach_leaves_no_other_to_its_drift(
    following: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was applied everywhere is kept where it can be; what is new waits for all targets."""
    both = PROJECT + "spec: {targets: [{name: default}, {name: far, path: far, families: [vpp]}]}\n"
    first = following.remote.commit({"intentc.yaml": both})
    assert following.turn().state.applied == first
    tree = following.tree()
    following.news()
    real, gone = Directory.observe, [True]

    def observe(target: Directory) -> Observation:
        if target.name == "far" and gone:
            raise TransientError("no route to host")
        return real(target)

    monkeypatch.setattr(Directory, "observe", observe)
    damage(following)
    shutil.rmtree(following.state / "far")
    turn = following.turn(300)
    assert following.tree() == tree
    assert not (following.state / "far").exists()
    assert "far" in turn.state.problems["apply"].why
    assert turn.state.problems["apply"].details == ("far: out of reach: no route to host",)
    assert {entry.target for entry in turn.drifted or ()} == {"default"}
    assert following.news() == ["drift-corrected", "failed"]
    second = following.remote.commit(following.remote.routed("p2"))
    for _ in range(30):
        turn = following.turn()
    assert turn.state.problems["commit"].commit == second
    assert "target far: no route to host" in turn.state.problems["commit"].why
    assert following.tree() == tree
    damage(following)
    following.turn(300)
    assert following.tree() == tree
    gone.clear()
    assert following.turn(300).state.applied == second
    assert following.turn().state.problems == {}
    assert (following.state / "far").exists()
    gone.append(True)
    third = following.remote.commit({"intentc.yaml": PROJECT + "spec: {}\n"})
    assert following.turn().state.applied == third, "nothing is asked of it any more"


@pytest.mark.parametrize("why", ["fails", "brake"])
def test_a_target_out_of_reach_is_told_whatever_else_is_wrong(
    following: Follower, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    both = PROJECT + "spec: {targets: [{name: default}, {name: far, path: far, families: [vpp]}]}\n"
    following.remote.commit({"intentc.yaml": both})
    following.turn()
    real = Directory.observe

    def observe(target: Directory) -> Observation:
        if target.name == "far":
            raise PermanentError("no such cluster")
        return real(target)

    def stage(target: Directory, *_: object) -> Batch:
        raise PermanentError(f"{target.name} refuses")

    def refuse(candidate: Candidate, *words: Any, **more: Any) -> Look:
        return replace(look(candidate, *words, **more), refusals=("too much",))

    monkeypatch.setattr(Directory, "observe", observe)
    if why == "fails":
        monkeypatch.setattr(Directory, "stage", stage)
    else:
        monkeypatch.setattr(gitops, "look", refuse)
    damage(following)
    problem = following.turn(300).state.problems["apply"]
    assert "far: out of reach: no such cluster" in problem.details
    assert any("default refuses" in line or line == "too much" for line in problem.details)


def test_what_a_target_out_of_reach_may_stand_on_is_not_cleared_up_elsewhere(
    following: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = PROJECT + "spec: {targets: [{name: default}, {name: far, path: far, families: [vpp]}]}\n"
    following.remote.commit({"intentc.yaml": both})
    following.turn()
    place = next((following.state / "rendered").rglob("localsid.jsonl"))
    lines = place.read_text(encoding="utf-8").splitlines()
    record = json.loads(lines[-1]) | {"name": "fcff::99"}
    place.write_text("\n".join([*lines, json.dumps(record), ""]), encoding="utf-8")
    real = Directory.observe

    def observe(target: Directory) -> Observation:
        if target.name == "far":
            raise PermanentError("no such cluster")
        return real(target)

    with monkeypatch.context() as patched:
        patched.setattr(Directory, "observe", observe)
        following.turn(300)
        assert "fcff::99" in place.read_text(encoding="utf-8")
    following.turn(300)
    assert "fcff::99" not in place.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "target",
    [
        "type: vpp, node: worker-1, socket: missing.sock",
        "type: gobgp, address: '127.0.0.1:9', clusters: [edge]",
        "type: overlay, kubeconfig: missing.yaml, clusters: [edge]",
        "type: linux, node: worker-1, netns: intentc-missing",
    ],
    ids=["vpp", "gobgp", "overlay", "linux"],
)
def test_a_target_that_is_away_is_told_once_and_tried_ever_more_rarely(
    following: Follower, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    """That all is well with the last good commit is no reason to try the new one less often."""
    new = following.remote.commit(
        {"intentc.yaml": PROJECT + f"spec: {{targets: [{{name: default}}, {{name: away, {target}}}]}}\n"}
    )
    tried: list[float] = []
    begun = following.time

    def looked(candidate: Candidate, *words: Any, **more: Any) -> Look:
        if candidate.commit == new:
            tried.append(following.time - begun)
        return look(candidate, *words, **more)

    with monkeypatch.context() as patched:
        patched.setattr(gitops, "look", looked)
        for _ in range(30):
            following.turn()
    assert tried == [30, 90, 210, 450, 750]
    problem = following.loop.state.problems["commit"]
    assert (problem.word, problem.commit) == ("failed", new)
    assert following.news() == ["failed"]
    kept_all_the_same(following)


@pytest.mark.parametrize(
    "error", [GitError("no ssh-keygen"), OSError(28, "No space left on device"), KeyError("a secret")]
)
def test_a_commit_that_cannot_be_judged_does_not_stop_the_last_good_one(
    following: Follower, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def breaking(*_: object) -> None:
        raise error

    new = following.remote.commit(following.remote.routed("p2"))
    with monkeypatch.context() as patched:
        patched.setattr(gitops, "admit", breaking)
        turn = following.turn()
        assert turn.state.problems["commit"].word == "failed"
        assert "secret" not in turn.state.problems["commit"].why
        monkeypatch.setattr(gitops, "renew", breaking)
        following.turn(300)
        damage(following)
        assert following.turn(300).drifted
    assert following.turn(300).state.applied == new


def test_a_clone_that_breaks_under_a_new_commit_does_not_delay_it(
    following: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = following.remote.commit(following.remote.routed("p2"))

    def breaking(*words: object) -> object:
        monkeypatch.setattr(gitops, "admit", admit)
        ruin_objects(following.loop.clone.folder)
        return admit(*words)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(gitops, "admit", breaking)
    assert following.turn().state.applied == second


def test_names_that_are_no_utf_8_stop_nothing(following: Follower) -> None:
    name = os.fsdecode(b"\xff.yaml")
    bad = following.remote.commit({f"intent/{name}": "kind: [\n"})
    assert following.turn().state.problems["commit"].commit == bad
    assert isinstance(load(following.state / "state.json"), State)
    kept_all_the_same(following)


def test_limits_that_a_commit_loosens_do_not_count_before_it_is_applied_completely(
    following: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A target that was not read completely deletes nothing, so the brake is asked in earnest only later."""
    strict = "spec: {gates: {deletionBrake: {percent: 0, few: 0}}}\n"
    following.remote.commit({"intentc.yaml": PROJECT + strict})
    following.turn()
    victim = next((following.state / "rendered").rglob("policy.jsonl"))
    policies = re.findall('cafe:[^"]*', victim.read_text())
    assert len(policies) > 1
    loose = strict.replace("0", "100")
    last = following.remote.commit({"intentc.yaml": PROJECT + loose, POLICY: None})
    observe = Directory.observe
    with monkeypatch.context() as patched:
        patched.setattr(Directory, "observe", lambda self: replace(observe(self), complete=False, why="cut"))
        assert following.turn().state.accepted == last
    assert following.turn(300).state.problems["apply"].word == "refused"
    following.remote.commit({"README.md": "nothing of importance"})
    assert following.turn(300).state.problems["commit"].word == "refused"
    assert set(policies) <= set(re.findall('cafe:[^"]*', victim.read_text()))


def test_what_a_rewrite_leaves_out_approves_nothing_any_more(following: Follower) -> None:
    first = following.remote.head
    cut_off(following)
    assert following.loop.state.approvals
    git(following.remote.work, "reset", "--quiet", "--hard", first)
    rewritten = following.remote.commit({**ONLY_FRR}, push=False)
    following.remote.push("--force")
    following.terms = Terms(rewrite=rewritten)
    following.start()
    turn = following.turn(300)
    assert turn.state.problems["commit"].word == "refused"
    assert any("the plan deletes" in line for line in turn.state.problems["commit"].details)


def test_an_apply_is_told_though_the_clone_cannot_record_it(
    following: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Clone, name: str, __: str) -> None:
        if name == "applied":
            raise GitError("No space left on device")

    second = following.remote.commit(following.remote.routed("p2"))
    monkeypatch.setattr(gitops, "keep", full)
    assert following.turn().state.applied == second
    assert "applied" in following.news()


def test_an_apply_that_never_begins_is_told_once_whatever_the_words_are(
    following: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Targets say ports, times and numbers of requests."""
    following.remote.commit(following.remote.routed("p2"))
    monkeypatch.setattr(gitops, "carry_out", lambda *_: Done(failure=f"request {following.time:g} failed"))
    for _ in range(3):
        following.turn(300)
    assert following.news() == ["failed"]


def test_journals_of_corrected_drift_do_not_fill_the_disk(
    following: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "KEPT", 2)
    for _ in range(4):
        damage(following)
        following.turn(300)
    assert following.news() == ["drift-corrected"] * 4
    assert len(list((following.state / "journals").iterdir())) == 2


def test_targets_are_closed_after_every_look(following: Follower, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(Directory, "observe", counting(Directory.observe, opened, "+"))
    monkeypatch.setattr(Directory, "close", counting(Directory.close, opened, "-"))
    following.remote.commit(ONLY_FRR)
    following.turn(300)
    assert opened == ["+", "-", "+", "-"], "the commit that is refused, and the last good one"


def counting(call: Callable[..., Any], calls: list[str], name: str) -> Callable[..., Any]:
    def counted(*words: object) -> Any:
        calls.append(name)
        return call(*words)

    return counted


def test_a_repository_with_sha_256(tmp_path: Path, source: Path) -> None:
    work = tmp_path / "work"
    shutil.copytree(source, work, ignore=shutil.ignore_patterns(".git"))
    git(work, "init", "--quiet", "--object-format=sha256", "--initial-branch=main")
    git(tmp_path, "init", "--quiet", "--object-format=sha256", "--bare", "remote.git")
    git(work, "remote", "add", "origin", str(tmp_path / "remote.git"))
    remote = Remote(work, tmp_path / "remote.git")
    head = remote.commit()
    assert len(head) == 64
    assert Follower(remote, tmp_path / "state").turn().state.applied == head


def test_a_shallow_remote_is_refused(tmp_path: Path, remote: Remote) -> None:
    remote.commit()
    shallow = tmp_path / "shallow.git"
    git(tmp_path, "clone", "--quiet", "--bare", "--depth=1", f"file://{remote.bare}", str(shallow))
    turn = Follower(Remote(remote.work, shallow), tmp_path / "state").turn()
    assert turn.outcome == "unreachable"
    assert turn.state.accepted == ""


def test_the_first_commit_must_follow_the_trusted_one(tmp_path: Path, remote: Remote) -> None:
    trusted = remote.commit()
    later = remote.commit()
    assert Follower(remote, tmp_path / "a", Terms(trust=trusted)).turn().state.applied == later
    other = git(remote.work, "commit-tree", "-m", "other", f"{later}^{{tree}}")
    turn = Follower(remote, tmp_path / "b", Terms(trust=other)).turn()
    assert (turn.outcome, turn.state.accepted) == ("refused", "")


def test_somebody_else_at_a_target_is_waited_for(following: Follower) -> None:
    driver = Directory("default", following.state / "rendered")
    before = driver.lease()
    assert before is not None
    assert driver.swap_lease(before, Lease("bob@elsewhere", time.time() + 60, before.token + 1))
    following.remote.commit(following.remote.routed("p2"))
    turn = following.turn()
    assert turn.done is not None
    assert (turn.outcome, turn.done.held) == ("failed", False)
    assert "bob@elsewhere is changing target default" in turn.state.problems["apply"].why
    assert following.turn(300).outcome == "failed"
    mine = driver.lease()
    assert mine is not None
    assert driver.swap_lease(mine, Lease("", 0, mine.token))
    assert following.turn(300).state.applied == following.remote.head
    assert following.news() == ["failed", "applied", "recovered"]


def test_a_submodule_is_not_followed(following: Follower) -> None:
    work = following.remote.work
    modules = '[submodule "x"]\n\tpath = intent/x\n\turl = ext::sh -c "touch owned"\n'
    (work / ".gitmodules").write_text(modules)
    git(work, "add", ".gitmodules")
    git(work, "update-index", "--add", "--cacheinfo", f"160000,{following.remote.head},intent/x")
    git(work, "commit", "--quiet", "--message=submodule")
    following.remote.push()
    assert following.turn().state.applied == following.remote.head
    assert following.news() == ["applied"]


def test_an_apply_that_breaks_is_told_and_tried_again(
    following: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaking(*_: object) -> None:
        raise KeyError("a secret")

    following.remote.commit(following.remote.routed("p2"))
    with monkeypatch.context() as patched:
        patched.setattr(gitops_bring, "execute", breaking)
        problem = following.turn().state.problems["apply"]
    assert "KeyError" in problem.why
    assert "secret" not in problem.why
    assert following.turn(300).state.applied == following.remote.head
