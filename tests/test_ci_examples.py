"""The pipelines under examples/ci: valid, careful with what others may write, and they do what they say.

The shell of every step is run here, with the real `intentc` and git on PATH; only the programs that would
talk to a server are stand-ins that note what they were asked.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from ruamel.yaml import YAML

from tests.review_cases import CASES, ROOT, commit, fill, git, start

CI: Final = ROOT / "examples" / "ci"
GITHUB: Final = sorted((CI / "github").glob("*.yml"))
GITLAB: Final = CI / "gitlab" / ".gitlab-ci.yml"
CONFIG: Final = CI / "pre-commit" / ".pre-commit-config.yaml"
HOOKS: Final = ROOT / ".pre-commit-hooks.yaml"
GITLAB_WORDS: Final = {"variables", "stages", "default"}
PINNED: Final = re.compile(r"[\w./-]+@[0-9a-f]{40}")


def load(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text())


def jobs(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = load(path)["jobs"]
    return found


def gitlab_jobs() -> dict[str, Any]:
    return {name: job for name, job in load(GITLAB).items() if name not in GITLAB_WORDS}


def scripts() -> Iterator[tuple[str, str]]:
    """Yield the shell of every step."""
    for path in GITHUB:
        for name, job in jobs(path).items():
            for step in job["steps"]:
                if "run" in step:
                    yield f"{path.stem}-{name}-{step['name']}", step["run"]
    for name, job in gitlab_jobs().items():
        yield f"gitlab-{name}", "\n".join(job["script"])


SCRIPTS: Final = dict(scripts())


def check_schema(*words: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_they_have_the_form_that_their_servers_want() -> None:
    assert len(GITHUB) == 2
    check_schema("vendor.github-workflows", *map(str, GITHUB))
    check_schema("custom.github-workflows-require-timeout", *map(str, GITHUB))
    check_schema("vendor.gitlab-ci", "--data-transform", "gitlab-ci", str(GITLAB))


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_step_is_shell_without_text_of_others_in_it(name: str) -> None:
    done = subprocess.run(["bash", "-n"], input=SCRIPTS[name], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "${{" not in SCRIPTS[name], "what others write reaches a shell only as a variable"
    unquoted = re.sub(r"'[^']*'|\"[^\"]*\"|\[\[.*?\]\]|<<<.*|>>?.*|\$\(", "", SCRIPTS[name])
    assert not re.search(r"(?<![=\w])\$\w", unquoted), unquoted


@pytest.mark.parametrize("path", GITHUB, ids=lambda path: path.stem)
def test_github_jobs_have_no_more_rights_than_they_need(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {}
    assert "pull_request_target" not in workflow["on"]
    assert workflow["defaults"] == {"run": {"shell": "bash"}}, "bash ends at the first error of a pipe"
    for name, job in workflow["jobs"].items():
        rights = {"pull-requests": "write"} if name == "comment" else {"contents": "read"}
        assert job["permissions"] == rights
        for step in job["steps"]:
            if "uses" in step:
                assert PINNED.fullmatch(step["uses"]), step["uses"]
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False
    writes = [name for name, job in workflow["jobs"].items() if "write" in job["permissions"].values()]
    checkouts = [
        name
        for name in writes
        for step in workflow["jobs"][name]["steps"]
        if "checkout" in step.get("uses", "")
    ]
    assert checkouts == [], "a job that can write runs nothing of the pull request"


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """Return a clone of a server's repository, as a runner has it: `main`, and a change merged into it."""
    origin = start(tmp_path / "origin")
    fill(origin, CASES / "network-removed" / "old")
    commit(origin, "old")
    git(origin, "checkout", "--quiet", "-b", "topic")
    fill(origin, CASES / "network-removed" / "new")
    commit(origin, "remove green")
    git(origin, "checkout", "--quiet", "main")
    message = "merge\n\nIntentc-Allow-Delete: SriovNetwork=1\nIntentc-Allow-Delete: virtual-network=1"
    git(origin, "merge", "--quiet", "--no-ff", "--message", message, "topic")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(origin), str(clone))
    return clone


class Runner:
    """Runs steps as a server would."""

    def __init__(self, folder: Path, tmp_path: Path) -> None:
        self.folder = folder
        self.bin = tmp_path / "bin"
        self.bin.mkdir()
        self.asked = tmp_path / "asked"
        self.summary, self.output = tmp_path / "summary", tmp_path / "output"
        self.answers = tmp_path / "answers"
        self.answers.mkdir()
        self.stand_in("intentc", f'exec {shlex.quote(sys.executable)} -m intentc "$@"')

    def stand_in(self, name: str, text: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/usr/bin/env bash\n{text}\n")
        path.chmod(0o755)

    def run(self, script: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        variables = {
            **os.environ,
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "INTENTC_ROOT": ".",
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_OUTPUT": str(self.output),
            **(env or {}),
        }
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        return subprocess.run(
            command, cwd=self.folder, env=variables, check=False, capture_output=True, text=True
        )

    def calls(self) -> list[list[str]]:
        """Return what the stand-ins were asked, call by call."""
        text = self.asked.read_text() if self.asked.exists() else ""
        return [shlex.split(row) for row in text.splitlines()]


@pytest.fixture
def runner(there: Path, tmp_path: Path) -> Runner:
    return Runner(there, tmp_path)


def done(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_github_reviews_a_pull_request(runner: Runner) -> None:
    done(runner.run(SCRIPTS["intentc-review-review-Validate"]))
    done(runner.run(SCRIPTS["intentc-review-review-Compare"]))
    review = runner.folder / "review"
    assert "3 to delete" in (review / "comment.md").read_text()
    assert (review / "review.html").read_text().startswith("<!doctype html>")
    assert json.loads((review / "review.json").read_text())["classes"]["destroy"] == 4
    assert runner.summary.read_text() == (review / "comment.md").read_text()


def test_github_fails_where_the_intent_does(runner: Runner) -> None:
    (runner.folder / "intent" / "networks.yaml").write_text("kind: VirtualNetwork\n")
    commit(runner.folder, "broken")
    assert runner.run(SCRIPTS["intentc-review-review-Validate"]).returncode == 1
    assert runner.run(SCRIPTS["intentc-review-review-Compare"]).returncode == 1


GH: Final = r"""
printf '%q ' "$@" >> "$ASKED"; echo >> "$ASKED"
for word in "$@"; do [[ $word == --jq ]] && cat "$ANSWERS/ids"; done; true
"""


@pytest.mark.parametrize(
    ("ids", "method", "path"),
    [("", "POST", "issues/7/comments"), ("41\n42\n", "PATCH", "issues/comments/41")],
)
def test_github_keeps_one_comment(runner: Runner, ids: str, method: str, path: str) -> None:
    runner.stand_in("gh", GH)
    (runner.answers / "ids").write_text(ids)
    (runner.folder / "review").mkdir()
    (runner.folder / "review" / "comment.md").write_text("text\n")
    env = {
        "ASKED": str(runner.asked),
        "ANSWERS": str(runner.answers),
        "GITHUB_REPOSITORY": "a/b",
        "NUMBER": "7",
        "GH_TOKEN": "x",
    }
    done(runner.run(SCRIPTS["intentc-review-comment-Comment"], env))
    listing, writing = runner.calls()
    assert "repos/a/b/issues/7/comments" in listing
    assert writing[writing.index("--method") + 1] == method
    assert f"repos/a/b/{path}" in writing
    assert "body=@body.md" in writing
    assert (runner.folder / "body.md").read_text() == "<!-- intentc-review -->\ntext\n"


def test_github_plans_and_applies_what_was_merged(runner: Runner) -> None:
    fill(runner.folder, CASES / "network-removed" / "old")
    done(runner.run("intentc apply --yes"))
    git(runner.folder, "checkout", "--quiet", "--force", "HEAD")
    done(runner.run(SCRIPTS["intentc-apply-plan-Plan"]))
    assert runner.output.read_text() == "changes=true\n"
    assert "3 to delete" in runner.summary.read_text()
    done(runner.run(SCRIPTS["intentc-apply-apply-Apply"]))
    done(runner.run("intentc plan"))
    runner.output.unlink()
    done(runner.run(SCRIPTS["intentc-apply-plan-Plan"]))
    assert runner.output.read_text() == "changes=false\n"


def test_a_trailer_that_says_something_else_runs_nothing(runner: Runner) -> None:
    evil = "x=1; touch $(pwd)/pwned `touch pwned`"
    git(runner.folder, "commit", "--quiet", "--allow-empty", "-m", f"x\n\nIntentc-Allow-Delete: {evil}")
    result = runner.run(SCRIPTS["intentc-apply-plan-Plan"])
    assert result.returncode == 1
    assert "is not TYPE=N" in result.stderr
    assert not (runner.folder / "pwned").exists()


MERGE_REQUEST: Final = {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}


def test_gitlab_reviews_a_merge_request(runner: Runner) -> None:
    git(runner.folder, "fetch", "--quiet", "origin", "topic")
    git(runner.folder, "checkout", "--quiet", "FETCH_HEAD")
    origin = runner.folder.parent / "origin"
    git(origin, "reset", "--quiet", "--hard", "HEAD~1")
    done(runner.run(SCRIPTS["gitlab-review"], MERGE_REQUEST))
    assert "3 to delete" in (runner.folder / "review" / "comment.md").read_text()
    assert (runner.folder / "review" / "review.html").exists()


def test_gitlab_fetches_no_option_that_a_branch_is_called_like(runner: Runner) -> None:
    evil = {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "--upload-pack=touch pwned"}
    assert runner.run(SCRIPTS["gitlab-review"], evil).returncode != 0
    assert not (runner.folder / "pwned").exists()


CURL: Final = r"""
printf '%q ' "$@" >> "$ASKED"; echo >> "$ASKED"
case "${*: -1}" in
  */user) echo '{"id": 5}' ;;
  *notes\?*) cat "$ANSWERS/notes" ;;
esac
"""


@pytest.mark.parametrize(("author", "method", "path"), [(5, "PUT", "notes/41"), (6, "POST", "notes")])
def test_gitlab_keeps_one_note_of_its_own(runner: Runner, author: int, method: str, path: str) -> None:
    runner.stand_in("curl", CURL)
    body = "<!-- intentc-review -->\nold"
    notes = [{"id": 40, "author": {"id": 5}, "body": "x"}, {"id": 41, "author": {"id": author}, "body": body}]
    (runner.answers / "notes").write_text(json.dumps(notes))
    (runner.folder / "review").mkdir()
    (runner.folder / "review" / "comment.md").write_text("text\n")
    env = {
        "ASKED": str(runner.asked),
        "ANSWERS": str(runner.answers),
        "CI_API_V4_URL": "https://gitlab.example/api/v4",
        "CI_PROJECT_ID": "3",
        "CI_MERGE_REQUEST_IID": "9",
        "INTENTC_NOTE_TOKEN": "token",
    }
    done(runner.run(SCRIPTS["gitlab-note"], env))
    writing = runner.calls()[-1]
    assert writing[writing.index("--request") + 1] == method
    assert writing[-1] == f"https://gitlab.example/api/v4/projects/3/merge_requests/9/{path}"
    assert (runner.folder / "body.md").read_text() == "<!-- intentc-review -->\ntext\n"


def test_gitlab_plans_and_applies_what_was_merged(runner: Runner) -> None:
    fill(runner.folder, CASES / "network-removed" / "old")
    done(runner.run("intentc apply --yes"))
    git(runner.folder, "checkout", "--quiet", "--force", "HEAD")
    done(runner.run(SCRIPTS["gitlab-plan"]))
    done(runner.run(SCRIPTS["gitlab-apply"]))
    done(runner.run("intentc plan"))


def test_hooks_are_the_same_wherever_they_come_from() -> None:
    (local,) = load(CONFIG)["repos"]
    own = {hook["id"]: (hook["entry"], hook["files"], hook["pass_filenames"]) for hook in load(HOOKS)}
    assert local["repo"] == "local"
    assert own == {
        hook["id"]: (hook["entry"], hook["files"], hook["pass_filenames"]) for hook in local["hooks"]
    }
    pattern = re.compile(next(iter(own.values()))[1])
    assert all(map(pattern.search, ("intentc.yaml", "intent/a.yml", "facts/x.yaml", "intentc.lock")))
    assert not pattern.search("README.md")


def test_hooks_draw_leases_and_stop_what_is_wrong(runner: Runner) -> None:
    shutil.copytree(
        CASES / "network-removed" / "old" / "intent", runner.folder / "intent", dirs_exist_ok=True
    )
    assert runner.run("intentc validate").returncode == 1, "the network that is back has no leases"
    entries = [hook["entry"] for hook in load(HOOKS)]
    for entry in entries:
        done(runner.run(entry))
    assert "intentc.lock" in git(runner.folder, "status", "--porcelain")
    networks = runner.folder / "intent" / "networks.yaml"
    networks.write_text(networks.read_text().replace("zone: user", "zona: user"))
    assert any(runner.run(entry).returncode for entry in entries)


def test_the_folder_says_what_is_where() -> None:
    text = (CI / "README.md").read_text()
    for path in sorted(path for path in CI.rglob("*") if path.is_file() and path.name != "README.md"):
        assert path.relative_to(CI).as_posix() in text
    assert shutil.which("bash")
