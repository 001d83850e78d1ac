"""The ledger under random histories: what was promised about leases holds whatever people and branches do.

A world is a set of networks, each in some of three fabrics. The pools are small, so that branches do meet.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.ledger.leases import HEADER, clashes
from compiler.resolved import Resolved
from intentc.history import settled_ledger
from tests.ledgers import (
    codes,
    compiled,
    drawn,
    fabric,
    held_twice,
    ids,
    lines,
    network,
    pools,
    read,
    tried,
    world,
)

FABRICS = ("dc1", "dc2", "dc3")
PROJECT = pools(vlan="100-139", vni="5000-5039")
NAMES = st.integers(0, 11).map(lambda number: f"n{number}")
REACH = st.sets(st.sampled_from(FABRICS), min_size=1).map(lambda found: tuple(sorted(found)))
WORLDS = st.dictionaries(NAMES, REACH, max_size=8)
SIDES = st.sampled_from(["ours", "theirs"])
"""Which branch the other one is merged into."""
Networks = Mapping[str, tuple[str, ...]]


def made(networks: Networks, *, backwards: bool = False, moved: Mapping[str, str] | None = None) -> Resolved:
    """Return a world; `moved`: earlier names of networks."""
    earlier = {name: f", moved: [{old}]" for name, old in (moved or {}).items()}
    texts = [network(name, *reach, meta=earlier.get(name, "")) for name, reach in networks.items()]
    every = [*map(fabric, FABRICS), *texts]
    return world(*(reversed(every) if backwards else every), project=PROJECT)


def active(text: str) -> set[str]:
    return {row for row in lines(text) if not row.endswith(" freed")}


def union(base: str, *branches: str) -> str:
    """Merge as git's union driver does at worst: every line that a branch has or added, in some order."""
    kept = [row for row in lines(base) if all(row in lines(branch) for branch in branches)]
    added = [row for branch in branches for row in lines(branch) if row not in lines(base)]
    return "\n".join([HEADER, *sorted({*kept, *added}), ""])


@given(WORLDS)
def test_an_update_leaves_a_ledger_that_compiles_and_needs_no_update(networks: Networks) -> None:
    resolved = made(networks)
    text = drawn(resolved)
    assert not held_twice(text)
    assert ids(resolved, text).vlan.keys() == {(name,) for name in networks}
    assert drawn(resolved, text) == text


@given(WORLDS)
def test_the_order_of_documents_does_not_matter(networks: Networks) -> None:
    assert drawn(made(networks)) == drawn(made(networks, backwards=True))


@given(WORLDS, WORLDS)
def test_what_stays_asked_for_stays_as_it_is(before: Networks, after: Networks) -> None:
    same = {name: reach for name, reach in after.items() if before.get(name) == reach}
    text = drawn(made(before))
    new, report = tried(made(after), text)
    if report.failed:
        assert set(codes(report)) == {"IC2508"}, "only growth can meet a taken VLAN"
        return
    for name in same:
        assert lines(new, f"VirtualNetwork/{name}") == lines(text, f"VirtualNetwork/{name}")
    assert not held_twice(new)
    assert drawn(made(after), new) == new


@given(WORLDS, WORLDS, WORLDS)
def test_what_was_freed_stays_reserved(one: Networks, two: Networks, three: Networks) -> None:
    history = ""
    for networks in (one, {}, two, {}, three):
        new, report = tried(made(networks), history)
        assert not report.failed
        # Every lease of before is still there: in use, or as a tombstone of the same owner.
        assert {row.removesuffix(" freed") for row in lines(history)} <= {
            row.removesuffix(" freed") for row in lines(new)
        }
        assert not held_twice(new)
        history = new


@given(WORLDS, st.data())
def test_renamed_networks_keep_their_ids(networks: Networks, data: st.DataObject) -> None:
    renamed = data.draw(st.sets(st.sampled_from(sorted(networks)))) if networks else set()
    moved = {f"new-{name}": name for name in renamed}
    now = {f"new-{name}" if name in renamed else name: reach for name, reach in networks.items()}
    text = drawn(made(networks))
    new = drawn(made(now, moved=moved), text)
    names = {f"VirtualNetwork/{name}": f"VirtualNetwork/{old}" for name, old in moved.items()}
    words = [row.split() for row in lines(new)]
    assert {" ".join([names.get(row[0], row[0]), *row[1:]]) for row in words} == set(lines(text))


@settings(max_examples=200)
@given(WORLDS, WORLDS, WORLDS, SIDES)
def test_branches_that_add_networks_merge(base: Networks, one: Networks, two: Networks, side: str) -> None:
    ours = {**{f"a{name}": reach for name, reach in one.items()}, **base}
    theirs = {**{f"b{name}": reach for name, reach in two.items()}, **base}
    text = drawn(made(base))
    left, right = drawn(made(ours), text), drawn(made(theirs), text)
    first = right if side == "theirs" else left
    both = made({**ours, **theirs})
    merged = union(text, left, right)
    found, report = compiled(both, merged)
    assert (found is None) == bool(held_twice(merged)) == any(clashes(read(merged).leases))
    if found is None:
        assert set(codes(report)) == {"IC2504"}
        for entry in report.found:
            assert entry.span.line
            assert entry.related[0].span.line
    mended = drawn(both, merged, first)
    ids(both, mended)
    assert not held_twice(mended)
    assert active(first) <= active(mended), "a lease of the first parent moved"
    assert drawn(both, mended) == mended


@settings(max_examples=100)
@given(WORLDS, WORLDS, WORLDS, SIDES)
def test_branches_that_change_anything_merge_or_say_why_not(
    base: Networks, one: Networks, two: Networks, side: str
) -> None:
    text = drawn(made(base))
    left, report = tried(made(one), text)
    right, second = tried(made(two), text)
    if report.failed or second.failed:
        return
    # Networks as git merges them, file by file; where both changed one, ours.
    both = {**base, **two, **one}
    for name in base:
        if name not in one or name not in two:
            both.pop(name, None)
    first = right if side == "theirs" else left
    mended, said = tried(made(both), union(text, left, right), first)
    if said.failed:
        assert set(codes(said)) <= {"IC2508", "IC2504"}, "a person must choose"
        return
    assert not held_twice(mended)
    ids(made(both), mended)
    assert drawn(made(both), mended) == mended
    stay = {row for row in active(first) if row in active(mended) or row.split()[0].split("/")[1] in both}
    kept = {row.removesuffix(" freed") for row in lines(mended)}
    assert stay <= kept, "a lease of the first parent moved"


# The same with git itself


class Repository:
    """A git repository with one ledger, merged line by line."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "-q", "-b", "main")
        (root / ".gitattributes").write_text("intentc.lock merge=union\n")

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", "-C", str(self.root), *who, *words], capture_output=True, text=True, check=True
        )
        return done.stdout

    def commit(self, text: str) -> None:
        (self.root / "intentc.lock").write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "ledger")

    @property
    def text(self) -> str:
        return (self.root / "intentc.lock").read_text()

    def settled(self) -> str:
        ledger = settled_ledger(self.root, "intentc.lock")
        assert ledger is not None
        return "\n".join([HEADER, *(" ".join([*row[:3], *["freed"] * row.freed]) for row in ledger.leases)])


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    return Repository(tmp_path)


BASE: Networks = {"n1": ("dc1",), "n2": ("dc1", "dc2")}
# Found by trying: both draw the same VLAN in a pool of two free ones.
FULL = pools(vlan="100-105", vni="5000-5039")


def crowded(*added: str) -> Resolved:
    texts = [network(name, *reach) for name, reach in BASE.items()]
    return world(
        *map(fabric, FABRICS), *texts, *(network(name, "dc1", "dc2") for name in added), project=FULL
    )


def diverge(repository: Repository) -> tuple[str, str]:
    """Commit a base and two branches that take the same VLAN; return both ledgers. main is checked out."""
    base = drawn(crowded())
    repository.commit(base)
    repository.git("switch", "-q", "-c", "feature")
    right = drawn(crowded("b1", "b2"), base)
    repository.commit(right)
    repository.git("switch", "-q", "main")
    left = drawn(crowded("a1", "a2"), base)
    repository.commit(left)
    return left, right


def check(repository: Repository, stays: str) -> None:
    both = crowded("a1", "a2", "b1", "b2")
    assert held_twice(repository.text)
    assert set(codes(compiled(both, repository.text)[1])) == {"IC2504"}
    mended = drawn(both, repository.text, repository.settled())
    assert not held_twice(mended)
    assert active(stays) <= active(mended)
    ids(both, mended)


def test_a_real_merge_keeps_the_leases_of_the_first_parent(repository: Repository) -> None:
    left, _ = diverge(repository)
    repository.git("merge", "-q", "--no-edit", "feature")
    check(repository, left)


def test_a_merge_that_is_under_way_keeps_those_of_head(repository: Repository) -> None:
    left, _ = diverge(repository)
    repository.git("merge", "-q", "--no-commit", "feature")
    check(repository, left)


def test_a_merge_on_top_of_a_merge_keeps_those_of_head(repository: Repository) -> None:
    """HEAD is a merge commit itself, as on every main branch of pull requests."""
    diverge(repository)
    repository.git("merge", "-q", "--no-edit", "feature")
    mended = drawn(crowded("a1", "a2", "b1", "b2"), repository.text, repository.settled())
    repository.git("reset", "-q", "--hard", "HEAD")
    (repository.root / "intentc.lock").write_text(mended)
    repository.git("add", "-A")
    repository.git("commit", "-q", "--amend", "-m", "merge, mended")
    repository.git("switch", "-q", "-c", "other", "feature~1")
    base = repository.text
    repository.commit(drawn(crowded("b1", "b2", "c1"), base))
    repository.git("switch", "-q", "main")
    repository.git("merge", "-q", "--no-commit", "other")
    assert held_twice(repository.text)
    assert set(lines(repository.settled())) == set(lines(mended))


def test_a_rebase_of_several_commits_keeps_those_of_the_branch_below(repository: Repository) -> None:
    left, _ = diverge(repository)
    repository.git("switch", "-q", "feature")
    repository.git("commit", "-q", "--allow-empty", "-m", "more")
    repository.git("rebase", "-q", "main")
    (repository.root / "note").write_text("later work\n")
    repository.git("add", "-A")
    repository.git("commit", "-q", "-m", "still more")
    check(repository, left)


def test_main_merged_into_a_feature_keeps_what_the_user_names(repository: Repository) -> None:
    left, right = diverge(repository)
    repository.git("switch", "-q", "feature")
    repository.git("merge", "-q", "--no-edit", "main")
    check(repository, right)
    named = settled_ledger(repository.root, "intentc.lock", "main")
    assert named is not None
    assert [row[:3] for row in named.leases] == [row[:3] for row in read(left).leases]


def test_a_history_without_an_answer_gives_none(repository: Repository) -> None:
    assert settled_ledger(repository.root, "intentc.lock") is None
    both = f"{HEADER}\na vni 5\nb vni 5\n"
    repository.commit(both)
    assert settled_ledger(repository.root, "intentc.lock") is None
    assert settled_ledger(repository.root, "intentc.lock", "nowhere") is None
    assert settled_ledger(repository.root, "intentc.lock", "--output=x") is None
