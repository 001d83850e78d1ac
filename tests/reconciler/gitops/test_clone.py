"""Addresses of remotes, and what is read from the clone of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.git import GitError
from reconciler.git import git as run_git
from reconciler.gitops.clone import Clone, arrived, clone_of, fetch, follows, line
from tests.lifeline import Lifeline
from tests.remotes import git


@pytest.mark.parametrize(
    "address",
    [
        "https://example.net/net.git",
        "ssh://git@example.net:22/net.git",
        "git@example.net:net.git",
        "file:///srv/net.git",
    ],
)
def test_addresses_that_may_be_used(tmp_path: Path, address: str) -> None:
    assert clone_of(tmp_path, address, "main").url == address


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("ext::sh -c date", "ext::"),
        ("fd::17", "ext::"),
        ("http://example.net/net.git", "http is not allowed"),
        ("git://example.net/net.git", "git is not allowed"),
        ("https://user:canary@example.net/net.git", "credential"),
        ("https://canary@example.net/net.git", "credential"),
        ("https://example.net/net.git?token=canary", "credential"),
        ("ssh://git:canary@example.net/net.git", "credential"),
        ("--upload-pack=canary", "no address"),
        ("", "no address"),
        ("a\nb", "no address"),
        ("https://[canary/x", "no address"),
    ],
)
def test_addresses_that_may_not(tmp_path: Path, address: str, why: str) -> None:
    with pytest.raises(GitError, match=why) as error:
        clone_of(tmp_path, address, "main")
    assert "canary" not in str(error.value)


@pytest.mark.parametrize("branch", ["", "a..b", "-x y", "a b", "a\n", "x.lock"])
def test_names_that_no_branch_has(tmp_path: Path, branch: str) -> None:
    with pytest.raises(GitError, match="no name of a branch"):
        clone_of(tmp_path, "/srv/x", branch)


def test_a_path_is_meant_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert clone_of(tmp_path, "net.git", "main").url == str(tmp_path / "net.git")


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A history with a merge: 1 - 2 - m, and 1 - s beside it."""
    work = tmp_path / "work"
    git(tmp_path, "init", "--quiet", "--initial-branch=main", "work")

    def commit(name: str) -> None:
        git(work, "commit", "--quiet", "--allow-empty", f"--message={name}")
        git(work, "tag", name)

    commit("1")
    git(work, "checkout", "--quiet", "-b", "side")
    commit("s")
    git(work, "checkout", "--quiet", "main")
    commit("2")
    git(work, "merge", "--quiet", "--no-ff", "--message=m", "side")
    git(work, "tag", "m")
    (tmp_path / "state").mkdir()
    found = clone_of(tmp_path / "state", str(work), "main")
    fetch(found)
    return found


def named(clone: Clone) -> dict[str, str]:
    work = Path(clone.url)
    return {name: git(work, "rev-parse", f"{name}^{{commit}}") for name in ("1", "2", "s", "m")}


def test_only_the_branch_is_fetched(clone: Clone) -> None:
    refs = git(clone.folder, "for-each-ref", "--format=%(refname)")
    assert refs == "refs/intentc/head"


def test_steps_go_along_the_first_parents(clone: Clone) -> None:
    at = named(clone)
    assert line(clone, at["1"], at["m"]) == [at["2"], at["m"]]
    assert line(clone, at["m"], at["m"]) == []
    assert arrived(clone, at["m"], [at["2"]]) == [(at["s"], 1), (at["m"], 2)]
    assert line(clone, at["s"], at["m"]) == [at["m"]], "s is no first parent, so all of it is one step"


def test_what_follows_what(clone: Clone) -> None:
    at = named(clone)
    assert follows(clone, at["m"], at["s"])
    assert follows(clone, at["m"], at["m"])
    assert not follows(clone, at["2"], at["s"])
    with pytest.raises(GitError):
        follows(clone, at["m"], "0" * 40)


def test_a_call_that_hangs_is_ended_with_its_helpers(tmp_path: Path) -> None:
    helper = Lifeline(tmp_path / "alive")
    alias = f"alias.hang=!sh -c '{helper.script}'"
    for limit in (0.2, 5, 60):  # a busy machine may not start it sooner
        with pytest.raises(GitError, match=rf"git hang did not end within {limit} s"):
            run_git(tmp_path, "-c", alias, "hang", timeout=limit)
        if helper.was_cut():
            break
    else:
        pytest.fail("it never began")
    helper.close()


def test_settings_of_a_work_tree_around_the_state_folder_do_not_count(clone: Clone) -> None:
    around = clone.folder.parents[1]
    git(around, "init", "--quiet")
    git(around, "config", f"url.{around / 'nowhere'}.insteadOf", clone.url)
    assert fetch(clone) == named(clone)["m"]
