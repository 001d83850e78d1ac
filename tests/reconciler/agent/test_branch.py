"""A node's slice from a branch: of intent, compiled for this node alone, or of rendered files."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from compiler.graph import Graph, Scope
from intentc.cli import run
from reconciler.agent.accept import fault
from reconciler.agent.branch import GitSource
from reconciler.agent.tree import DirectorySource
from reconciler.agent.watch import BOUND, LookAtSource, Watcher
from reconciler.drivers.base import PermanentError, TransientError
from reconciler.gitops.clone import clone_of
from reconciler.gitops.commit import Terms
from renderers import render
from renderers.resource import Resource
from tests.agents import LIMIT, listed
from tests.remotes import Remote, git, template

NODE = "edge/worker-1"


@pytest.fixture(scope="session")
def intent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("intent") / "repo")


@pytest.fixture
def remote(tmp_path: Path, intent: Path) -> Remote:
    return Remote.made(tmp_path, intent)


def source(remote: Remote, node: str = NODE, **terms: str) -> GitSource:
    state = remote.bare.parent / "state"
    state.mkdir(exist_ok=True)
    return GitSource(clone_of(state, str(remote.bare), "main"), Terms(**terms), node)


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory, intent: Path) -> Path:
    """Return the tree that a `directory` target of the intent holds, as a repository."""
    work = tmp_path_factory.mktemp("rendered") / "work"
    shutil.copytree(intent, work)
    assert run(["-C", str(work), "apply", "--yes"]) == 0
    tree = work / "rendered"
    shutil.rmtree(tree / ".intentc")
    git(tree, "init", "--quiet", "--initial-branch=main")
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "--message=rendered")
    return tree


@pytest.mark.parametrize("node", [NODE, "worker-1"])
def test_intent_is_compiled_for_the_node(remote: Remote, rendered: Path, node: str) -> None:
    found = source(remote, node).read()
    assert fault(found, node) == ""
    assert found.revision == remote.head
    assert not found.policies_by_bgp
    whole = DirectorySource(rendered, NODE).read()
    assert listed(found.resources) == listed(whole.resources)
    assert found.digest == whole.digest


def test_only_the_scope_of_the_node_is_rendered(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Scope] = []

    def watched(graph: Graph, scopes: Iterable[Scope] | None = None) -> Iterator[Resource]:
        asked.extend(scopes or graph.scopes)
        return render(graph, scopes)

    monkeypatch.setattr("reconciler.agent.branch.render", watched)
    source(remote).read()
    assert [str(scope) for scope in asked] == [f"node/{NODE}"]


def test_a_branch_of_rendered_files_is_read(tmp_path: Path, rendered: Path) -> None:
    remote = Remote.made(tmp_path, rendered)
    following = source(remote)
    first = following.read()
    assert first.digest == DirectorySource(rendered, NODE).read().digest
    assert first.revision == remote.head
    name = "vpp/node/edge/worker-1/policy.jsonl"
    rows = (remote.work / name).read_text().splitlines(keepends=True)
    remote.commit({name: "".join(rows[:-1])})
    assert "is not complete" in fault(following.read(), NODE)
    remote.commit({name: "".join(rows)})
    assert following.read().digest == first.digest


def test_a_rendered_branch_that_lost_the_node_is_an_error(tmp_path: Path, rendered: Path) -> None:
    remote = Remote.made(tmp_path, rendered)
    following = source(remote)
    following.read()
    folder = "vpp/node/edge/worker-1"
    gone: dict[str, str | None] = {f"{folder}/{path.name}": None for path in (remote.work / folder).iterdir()}
    remote.commit(gone)
    with pytest.raises(PermanentError, match="there is nothing for node"):
        following.read()
    remote.commit({f"{folder}/.empty": ""})
    found = following.read()
    assert (found.resources, found.emptied) == ((), True)


def test_the_head_is_followed(remote: Remote) -> None:
    following = source(remote)
    first = following.read()
    assert following.read() is first, "the same head is not compiled twice"
    remote.commit(remote.routed("p1"))
    second = following.read()
    assert second.revision == remote.head
    assert second.digest != first.digest


def test_a_commit_that_does_not_compile_is_an_error_and_the_next_good_one_is_not(remote: Remote) -> None:
    following = source(remote)
    first = following.read()
    good = (remote.work / "intent/policy.yaml").read_text()
    remote.commit({"intent/policy.yaml": "kind: [\n"})
    with pytest.raises(PermanentError, match=r"does not compile: intent/policy.yaml:\d+:\d+: IC"):
        following.read()
    remote.commit({"intent/policy.yaml": good})
    assert following.read().digest == first.digest


def test_an_agent_that_starts_without_its_remote_has_the_last_good_commit(remote: Remote) -> None:
    first = source(remote).read()
    good = remote.head
    remote.commit({"intent/policy.yaml": "kind: [\n"})
    remote.bare.rename(remote.bare.with_name("aside"))
    following = source(remote)
    found = following.read()
    assert (found.revision, found.digest) == (good, first.digest)
    with pytest.raises(TransientError):
        following.read()


def test_what_the_clone_remembers_is_told_as_such_and_the_remote_is_asked_at_once(remote: Remote) -> None:
    """Before anybody asked, nobody knows whether it is still the newest."""
    assert not source(remote).read().remembered, "nothing was kept yet: the remote was asked"
    following = source(remote)
    first = following.read()
    assert (first.revision, first.remembered) == (remote.head, True)
    waiting: list[float] = []
    following.closed.wait = waiting.append  # type: ignore[assignment,method-assign]  # it would take a minute
    assert (following.wait(60.0), waiting) == (True, [])
    second = following.read()
    assert (second.digest, second.remembered) == (first.digest, False)
    assert (following.wait(10.0), waiting) == (False, [10.0])
    following.close()
    assert following.wait(60.0) is False


def test_it_starts_with_the_last_good_commit_where_the_head_is_bad(remote: Remote) -> None:
    source(remote).read()
    good = remote.head
    remote.commit({"intent/policy.yaml": "kind: [\n"})
    following = source(remote)
    assert following.read().revision == good
    with pytest.raises(PermanentError, match="does not compile"):
        following.read()


@pytest.mark.parametrize("kind", ["intent", "rendered"])
def test_history_is_not_rewritten_unless_it_is_named(
    tmp_path: Path, intent: Path, rendered: Path, kind: str
) -> None:
    remote = Remote.made(tmp_path, intent if kind == "intent" else rendered)
    remote.commit()
    following = source(remote)
    following.read()
    git(remote.work, "reset", "--quiet", "--hard", "HEAD~1")
    remote.commit({"other.txt": "x"}, push=False)
    remote.push("--force")
    with pytest.raises(PermanentError, match="--accept-rewrite"):
        following.read()
    assert source(remote, rewrite=remote.head).read().revision != remote.head, "the last good one comes first"
    following = source(remote, rewrite=remote.head)
    following.read()
    assert following.read().revision == remote.head


def test_a_branch_with_signers_cannot_become_one_of_rendered_files(remote: Remote, rendered: Path) -> None:
    """What asks for no signatures must not be a way around those that were asked for."""
    project = (remote.work / "intentc.yaml").read_text()
    rule = '{gates: {signers: [{paths: ["**"], allowedSigners: .signers}]}}'
    ruled = project.replace("spec: {}", f"spec: {rule}")
    remote.commit({"intentc.yaml": ruled, ".signers": "ann ssh-ed25519 AAAA\n"})
    following = source(remote)
    following.read()
    git(remote.work, "rm", "-r", "--quiet", ".")
    shutil.copytree(rendered / "vpp", remote.work / "vpp")
    remote.commit()
    with pytest.raises(PermanentError, match="without signature"):
        following.read()


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ("edge/worker-9", "has no node edge/worker-9; did you mean edge/worker-"),
        ("core/worker-1", "has no node"),
    ],
)
def test_a_node_that_intent_does_not_know_is_an_error(remote: Remote, node: str, words: str) -> None:
    with pytest.raises(PermanentError, match=words):
        source(remote, node).read()


def test_a_branch_that_is_gone_is_a_source_that_is_gone(remote: Remote) -> None:
    following = source(remote)
    following.read()
    git(remote.bare, "update-ref", "-d", "refs/heads/main")
    with pytest.raises(TransientError, match="has no branch main"):
        following.read()


def test_a_closed_source_does_not_wait(remote: Remote) -> None:
    following = source(remote)
    following.close()
    begun = time.monotonic()
    following.interval = 3 * LIMIT
    assert following.wait(2 * LIMIT) is False
    assert time.monotonic() - begun < LIMIT


def test_a_head_that_never_was_good_is_not_compiled_every_second(remote: Remote) -> None:
    following = source(remote)
    waiting: list[float] = []
    following.closed.wait = waiting.append  # type: ignore[assignment,method-assign]  # it would take a minute
    following.wait(16.0)
    following.wait(60.0)
    assert waiting == [16.0, following.interval - 16.0]


@pytest.mark.parametrize("interval", [20.0, 30.0, 100.0])
def test_the_remote_is_asked_as_often_as_was_said(remote: Remote, interval: float) -> None:
    """However long one wait of the thread that looks takes: it shows that it lives more often."""
    following = source(remote)
    following.interval = interval
    waiting: list[float] = []
    following.closed.wait = waiting.append  # type: ignore[assignment,method-assign]  # it would take minutes
    look = LookAtSource(following, lambda _: None, 300.0, lambda: 0.0)
    watcher = Watcher("source", look, lambda: 0.0)
    for turn in range(1, 4):
        look(watcher)
        assert sum(waiting) == turn * interval
        assert max(waiting) < BOUND
