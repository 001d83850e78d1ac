"""Commits as repositories: what git holds reads as the same files on disk do."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from intent.files import MAX_FILE_BYTES, Folder, Unreadable
from intent.source import Source
from reconciler.git import Commit, GitError, ask, commit_of, git, open_commit

PATTERNS = ("intent/**/*.yaml", "*.yaml", "intent/?.yml", "facts/[a-c]*.yaml", "**/x.yaml")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "config", "user.email", "a@example.net")
    git(root, "config", "user.name", "A")
    return root


def committed(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "x")
    return commit_of(root, "HEAD")


FILES = {
    name: f"of: {name}\n"
    for name in (
        "a.yaml",
        "intent/b.yaml",
        "intent/deep/er/c.yaml",
        "intent/d.yml",
        "intent/ee.yml",
        "facts/bee.yaml",
        "facts/dee.yaml",
        "facts/x.yaml",
        "intent/.hidden.yaml",
        ".github/x.yaml",
        "x.yaml",
        "intent/ümlaut.yaml",
    )
}


def test_a_commit_matches_as_a_folder_does(repository: Path) -> None:
    committed(repository, FILES)
    commit = open_commit(repository, "HEAD")
    for pattern in PATTERNS:
        assert commit.match([pattern]) == Folder(repository).match([pattern]), pattern
    assert commit.match(PATTERNS) == Folder(repository).match(PATTERNS)
    assert commit.match(("nothing/*",)) == []
    assert commit.folders() == [".github", "facts", "intent"]


def test_a_commit_is_what_was_committed_and_not_what_lies_there(repository: Path) -> None:
    first = committed(repository, {"a.yaml": "one"})
    committed(repository, {"a.yaml": "two"})
    (repository / "a.yaml").write_text("three")
    assert open_commit(repository, first).read("a.yaml") == Source("a.yaml", "one")
    assert open_commit(repository, "HEAD~1", "main~1").read("a.yaml") == Source("main~1:a.yaml", "one")
    assert open_commit(repository, "HEAD").read("a.yaml") == Source("a.yaml", "two")
    assert open_commit(repository, "HEAD").read("b.yaml") is None


def test_a_repository_may_lie_in_a_folder_of_the_work_tree(repository: Path, tmp_path: Path) -> None:
    committed(repository, {"net/intentc.yaml": "x", "other.yaml": "y"})
    assert list(open_commit(repository / "net", "HEAD").blobs) == ["intentc.yaml"]
    git(tmp_path, "clone", "--quiet", "--bare", str(repository), "bare.git")
    assert list(open_commit(tmp_path / "bare.git", "main", folder="net").blobs) == ["intentc.yaml"]
    assert list(open_commit(tmp_path / "bare.git", "main", folder="other.yaml").blobs) == []
    assert list(open_commit(tmp_path / "bare.git", "main", folder="ne").blobs) == []
    assert set(open_commit(tmp_path / "bare.git", "main").blobs) == {"net/intentc.yaml", "other.yaml"}


def test_links_are_followed_inside_the_repository_only(repository: Path) -> None:
    for name, target in {
        "good.yaml": "real/a.yaml",
        "out.yaml": "../../etc/passwd",
        "root.yaml": "/etc/passwd",
        "gone.yaml": "nowhere.yaml",
        "loop.yaml": "loop.yaml",
        "long.yaml": "./" * 2040 + "real/a.yaml",
    }.items():
        (repository / name).symlink_to(target)
    committed(repository, {"real/a.yaml": "fine"})
    huge = (
        git(repository, "hash-object", "-w", "--stdin", stdin=b"./" * 2**20 + b"real/a.yaml").decode().strip()
    )
    git(repository, "update-index", "--add", "--cacheinfo", f"120000,{huge},huge.yaml")
    git(repository, "commit", "--quiet", "--message", "x")
    found = {
        entry.file: entry.code if isinstance(entry, Unreadable) else entry.text
        for entry in open_commit(repository, "HEAD").match(["*.yaml"])
    }
    assert found == {
        "good.yaml": "fine",
        "out.yaml": "IC1002",
        "root.yaml": "IC1002",
        "gone.yaml": "IC1001",
        "loop.yaml": "IC1001",
        "long.yaml": "fine",
        "huge.yaml": "IC1001",
    }


def test_what_is_too_large_or_no_text_is_told(repository: Path) -> None:
    (repository / "big.yaml").write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    (repository / "latin.yaml").write_bytes(b"a: \xfc\n")
    committed(repository, {})
    entries = open_commit(repository, "HEAD").match(["*.yaml"])
    assert [entry.code for entry in entries if isinstance(entry, Unreadable)] == ["IC1004", "IC1005"]


@pytest.mark.parametrize("revision", ["nowhere", "--all", "-x", "HEAD~99", ""])
def test_a_revision_that_is_none_is_an_error_and_never_an_option(repository: Path, revision: str) -> None:
    committed(repository, {"a.yaml": "x"})
    with pytest.raises(GitError):
        open_commit(repository, revision)


def test_hooks_and_filters_of_a_repository_do_not_run(repository: Path, tmp_path: Path) -> None:
    committed(repository, {"a.yaml": "x", ".gitattributes": "*.yaml filter=evil diff=evil\n"})
    ran = tmp_path / "ran"
    git(repository, "config", "filter.evil.smudge", f"touch {ran}")
    git(repository, "config", "core.fsmonitor", f"touch {ran}")
    hook = repository / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
    hook.chmod(0o755)
    assert open_commit(repository, "HEAD").read("a.yaml") == Source("a.yaml", "x")
    git(repository, "status", "--porcelain")
    assert not ran.exists()


def test_the_environment_of_a_hook_does_not_lead_elsewhere(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = committed(repository, {"a.yaml": "x"})
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere")
    assert commit_of(repository, "HEAD") == head


def test_what_git_refuses_is_none_or_an_error_with_its_words(tmp_path: Path) -> None:
    assert ask(tmp_path, "rev-parse", "HEAD") is None
    with pytest.raises(GitError, match="not a git repository"):
        git(tmp_path, "status")


class _Refusing(BaseHTTPRequestHandler):
    """A server that wants a password."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="x"')
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name in the base
        """Say nothing."""


def test_no_login_of_an_address_is_in_the_words_of_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token may stand in the settings of a user, where an address is rewritten into another one."""
    server = HTTPServer(("127.0.0.1", 0), _Refusing)
    Thread(target=server.serve_forever, daemon=True).start()
    place = f"127.0.0.1:{server.server_port}"
    config = tmp_path / "config"
    git(tmp_path, "config", "--file", str(config), f"url.http://canary@{place}/.insteadOf", "https://git/")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.delenv("GIT_ASKPASS", raising=False)
    with pytest.raises(GitError, match=f"http://{place}") as error:
        git(tmp_path, "ls-remote", "https://git/net")
    server.shutdown()
    server.server_close()
    assert "canary" not in str(error.value)


def test_what_git_says_in_several_lines_is_one_line(tmp_path: Path) -> None:
    """A log has one line for each event."""
    git(tmp_path, "init", "--quiet")
    with pytest.raises(GitError) as error:
        git(tmp_path, "fetch", "--quiet", str(tmp_path / "nowhere"), "main")
    assert "\n" not in str(error.value)
    assert "does not appear to be a git repository; fatal: Could not read" in str(error.value)


def test_a_machine_without_git_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match="git is not installed"):
        git(tmp_path, "status")


def test_a_commit_without_files_is_empty(repository: Path) -> None:
    committed(repository, {})
    assert open_commit(repository, "HEAD") == Commit(repository, commit_of(repository, "HEAD"))
