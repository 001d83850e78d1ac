"""`intentc diff` as a user meets it: which sides, exit codes, what a side lacks, and a base that is stale."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from intentc.cli import run
from tests.review_cases import CASES, ROOT, case, commit, fill, git, start

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository with the old side of a case in HEAD and the new one in its work tree."""
    folder = case(tmp_path / "repository", "node-added")
    monkeypatch.chdir(folder)
    return folder


def test_nothing_differs(repository: Path, capsys: Capture) -> None:
    fill(repository, CASES / "node-added" / "old")
    assert run(["diff"]) == 0
    out = capsys.readouterr().out
    assert "nothing to change; 32 unchanged" in out
    for form in ("json", "markdown", "html"):
        assert run(["diff", "--format", form]) == 0
        assert capsys.readouterr().out


def test_one_and_two_revisions(repository: Path, capsys: Capture) -> None:
    commit(repository, "new")
    assert run(["diff"]) == 0
    assert run(["diff", "HEAD~1"]) == 2
    one = capsys.readouterr().out
    assert "HEAD~1 (" in one
    assert "→ the work tree" in one
    assert run(["diff", "HEAD~1", "HEAD"]) == 2
    assert "22 to create" in capsys.readouterr().out
    assert run(["diff", "HEAD", "HEAD~1"]) == 2
    assert "22 to delete" in capsys.readouterr().out


def test_two_revisions_do_not_look_at_the_work_tree(repository: Path) -> None:
    commit(repository, "new")
    (repository / "intent" / "nodes.yaml").write_text("broken: [")
    assert run(["diff", "HEAD~1", "HEAD"]) == 2
    assert run(["diff"]) == 1


def test_the_work_tree_and_the_index_stay_as_they_are(repository: Path) -> None:
    before = git(repository, "status", "--porcelain")
    assert run(["diff", "HEAD", "--out", str(repository.parent / "x.html")]) == 2
    assert git(repository, "status", "--porcelain") == before


def test_a_broken_old_side_is_told_with_its_revision(repository: Path, capsys: Capture) -> None:
    (repository / "intent" / "nodes.yaml").write_text("kind: Node\n")
    commit(repository, "broken")
    fill(repository, CASES / "node-added" / "new")
    assert run(["diff", "main"]) == 1
    streams = capsys.readouterr()
    assert "main:intent/nodes.yaml:1:1: error[IC" in streams.err
    assert "does not compile, so nothing can be compared with it" in streams.err
    assert streams.out == ""
    assert run(["diff", "main", "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["diagnostics"][0]["file"] == "main:intent/nodes.yaml"


def test_a_broken_new_side_is_told(repository: Path, capsys: Capture) -> None:
    (repository / "intent" / "nodes.yaml").write_text("kind: Node\n")
    assert run(["diff"]) == 1
    err = capsys.readouterr().err
    assert "intent/nodes.yaml:1:1: error[IC" in err
    assert "nothing can be compared with it" not in err


def test_no_repository_yet_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    folder = start(tmp_path / "new")
    monkeypatch.chdir(folder)
    shutil.copytree(CASES / "node-added" / "old", folder, dirs_exist_ok=True)
    assert run(["diff"]) == 2
    assert "HEAD has no repository yet: everything is new" in capsys.readouterr().out
    (folder / "intentc.yaml").rename(folder.parent / "intentc.yaml")
    commit(folder, "no intentc.yaml")
    (folder.parent / "intentc.yaml").rename(folder / "intentc.yaml")
    assert run(["diff"]) == 2
    assert "has no repository yet: everything is new; " not in capsys.readouterr().err
    commit(folder, "with it")
    assert run(["diff", "HEAD", "HEAD~1"]) == 1
    assert "has no intentc.yaml" in capsys.readouterr().err


def test_a_repository_in_a_folder_that_an_older_commit_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    top = start(tmp_path / "top")
    commit(top, "empty")
    shutil.copytree(CASES / "node-added" / "old", top / "networks" / "site")
    commit(top, "site")
    monkeypatch.chdir(top)
    assert run(["-C", "networks/site", "diff", "HEAD~1", "HEAD"]) == 2
    assert "no repository yet" in capsys.readouterr().out
    assert run(["-C", "networks/site", "diff", "HEAD"]) == 0


def test_without_git_the_reason_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert run(["diff"]) == 1
    assert "not a git repository" in capsys.readouterr().err


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("revision", ["nowhere", "--upload-pack=x", "HEAD:intent", "main..HEAD"])
def test_what_is_no_revision_is_refused(revision: str, capsys: Capture) -> None:
    try:
        code = run(["diff", "--", revision])
    except SystemExit as stop:
        code = int(str(stop.code))
    assert code == 1
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.usefixtures("repository")
def test_three_revisions_are_too_many(capsys: Capture) -> None:
    assert run(["diff", "HEAD", "HEAD", "HEAD"]) == 1
    assert "one or two revisions" in capsys.readouterr().err


@pytest.fixture
def parted(repository: Path) -> Path:
    """Return a repository whose branch `topic` adds a node, and whose `main` has gone on since."""
    git(repository, "checkout", "--quiet", "-b", "topic")
    commit(repository, "add a node")
    git(repository, "checkout", "--quiet", "main")
    policy = repository / "intent" / "policy.yaml"
    policy.write_text(policy.read_text().replace("router: p2", "router: p3"))
    commit(repository, "over p3 \x1b[31m@someone")
    (repository / "README").write_text("x")
    commit(repository, "readme")
    git(repository, "checkout", "--quiet", "topic")
    return repository


@pytest.mark.usefixtures("parted")
def test_a_stale_base_is_said_with_what_is_missing(capsys: Capture) -> None:
    assert run(["diff", "main"]) == 2
    out = capsys.readouterr().out
    assert "stale base: main has 2 commits that HEAD does not have" in out
    assert "over p3 \\x1b[31m@someone" in out
    assert "\x1b" not in out
    assert "--merge-base" in out
    assert "1 to change" in out, "what main did appears as being undone"
    assert run(["diff", "main", "topic", "--format", "json"]) == 2
    (note,) = json.loads(capsys.readouterr().out)["notes"]
    assert len(note["more"]) == 2


@pytest.mark.usefixtures("parted")
def test_from_the_merge_base_only_the_own_changes_show(capsys: Capture) -> None:
    assert run(["diff", "--merge-base", "main"]) == 2
    out = capsys.readouterr().out
    assert "merge base of main and HEAD (" in out
    assert "stale" not in out
    assert "22 to create (22 hitless)" in out


def test_the_merge_base_stands_before_files_by_its_hash(parted: Path, capsys: Capture) -> None:
    git(parted, "rm", "--quiet", "intent/policy.yaml")
    run(["ledger", "update"])
    capsys.readouterr()
    assert run(["diff", "--merge-base", "main"]) == 2
    base = git(parted, "merge-base", "main", "HEAD")[:10]
    assert f"{base}:intent/policy.yaml:1:1" in capsys.readouterr().out


def test_a_cut_names_the_command_that_was_given(
    repository: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(repository, "new")
    monkeypatch.setattr("intentc.review.markdown.LIMIT", 3000)
    assert run(["diff", "--merge-base", "HEAD~1", "HEAD", "--format", "markdown"]) == 2
    last = capsys.readouterr().out.splitlines()[-1]
    assert "intentc diff --merge-base" in last


def test_no_common_history(parted: Path, capsys: Capture) -> None:
    git(parted, "checkout", "--quiet", "--orphan", "other")
    commit(parted, "other")
    assert run(["diff", "--merge-base", "main", "other"]) == 1
    assert "no commit in common" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "start_"), [("x.json", "{"), ("x.md", "###"), ("x.html", "<!doctype"), ("x.txt", "diff")]
)
def test_the_ending_says_the_form(repository: Path, name: str, start_: str, capsys: Capture) -> None:
    out = repository.parent / name
    assert run(["diff", "--out", str(out)]) == 2
    assert out.read_text().startswith(start_)
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("repository")
def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path, capsys: Capture) -> None:
    assert run(["diff", "--out", str(tmp_path / "no" / "folder.md")]) == 1
    assert "cannot write" in capsys.readouterr().err


def test_each_side_has_its_own_ledger(repository: Path, capsys: Capture) -> None:
    lock = repository / "intentc.lock"
    lock.write_text(lock.read_text().replace("1182", "1183"))
    assert run(["diff", "--format", "json"]) == 2
    steps = json.loads(capsys.readouterr().out)["steps"]
    tables = {
        (step["word"], step["before"] and step["before"]["name"])
        for step in steps
        if step["key"]["type"] == "table"
    }
    assert ("rename", "1182 ipv6") in tables


def test_what_the_brake_would_ask_for_is_said(repository: Path, capsys: Capture) -> None:
    commit(repository, "new")
    policy = repository / "intent" / "policy.yaml"
    policy.unlink()
    cluster = repository / "intent" / "cluster.yaml"
    text = cluster.read_text()
    cluster.write_text(text[: text.index("  srv6:")])
    run(["ledger", "update"])
    capsys.readouterr()
    assert run(["diff"]) == 2
    out = capsys.readouterr().out
    assert "the deletion brake will refuse this: the plan deletes 3 of 3 vpp localsid" in out
    assert "--allow-delete localsid=3" in out


def test_protection_is_compared_too(repository: Path, capsys: Capture) -> None:
    fill(repository, CASES / "node-added" / "old")
    policy = repository / "intent" / "policy.yaml"
    policy.write_text(
        policy.read_text().replace("  name: east-to-west", "  name: east-to-west\n  protect: true")
    )
    assert run(["diff"]) == 2
    assert "it becomes protected" in capsys.readouterr().out
    commit(repository, "protected")
    policy.unlink()
    run(["ledger", "update"])
    capsys.readouterr()
    assert run(["diff"]) == 2
    assert "what is protected" in capsys.readouterr().out


def test_a_changed_fact_is_the_line_behind_what_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    root = tmp_path / "net"
    shutil.copytree(ROOT / "examples/two-datacentres", root, ignore=shutil.ignore_patterns("rendered"))
    monkeypatch.chdir(start(root))
    commit(root, "first")
    facts = root / "facts/core.yaml"
    facts.write_text(facts.read_text().replace("dt4: fcff:0:0:8478::1a02", "dt4: fcff:0:0:8478::1a0f"))
    line = facts.read_text().split("::1a0f")[0].count("\n") + 1
    assert run(["diff"]) == 2
    changed = [text for text in capsys.readouterr().out.splitlines() if "1a0f" in text or "1a02" in text]
    assert any(f"facts/core.yaml:{line}" in text for text in changed), changed
