"""Saved plans: `apply FILE` does exactly what was saved, resumes what was begun, or refuses and names why."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from intentc.cli import run
from reconciler.bound import read
from reconciler.drivers.base import Lease
from reconciler.drivers.directory import Directory
from reconciler.journal import Journal
from reconciler.lease import here
from reconciler.local import journals
from reconciler.secrets import SecretError, Vault
from renderers.resource import Resource

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Path:
    """Return an applied repository with one change that is planned and saved as `plan.json`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path.with_name(f"{tmp_path.name}-state")))
    assert run(["init"]) == 0
    assert run(["apply", "--yes"]) == 0
    policy = tmp_path / "intent" / "policy.yaml"
    policy.write_text(policy.read_text().replace("            - router: p1\n", ""))
    assert run(["plan", "--out", "plan.json"]) == 2
    capsys.readouterr()
    return tmp_path


def files(root: Path) -> dict[str, str]:
    """Return what is rendered, without what the target keeps for itself."""
    found = sorted((root / "rendered").rglob("*"))
    return {str(path): path.read_text() for path in found if path.is_file() and ".intentc" not in path.parts}


def test_a_plan_is_saved_even_if_nobody_reads_on(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "plan.json").unlink()
    with monkeypatch.context() as patched:

        def gone(*_: object, **__: object) -> None:
            raise BrokenPipeError

        patched.setattr("intentc.commands.plan.show", gone)
        patched.setattr("sys.stderr", io.StringIO())
        run(["plan", "--out", "plan.json"])
    assert run(["apply", "plan.json", "--yes"]) == 0


@pytest.mark.usefixtures("repository")
def test_a_saved_plan_is_applied_as_it_is(capsys: Capture) -> None:
    assert run(["apply", "plan.json", "--yes"]) == 0
    assert "read back and verified" in capsys.readouterr().out
    assert run(["plan"]) == 0


def test_nothing_is_compiled_while_intent_is_what_it_was(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = repository / "intent" / "policy.yaml"
    policy.write_text(f"# a comment changes nothing\n{policy.read_text()}")

    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("intentc.saved.compile_intent", never)
    assert run(["apply", "plan.json", "--yes"]) == 0


BROKEN = (
    "apiVersion: intentc.dev/v1alpha1\nkind: Workload\nmetadata: {name: w}\n"
    "spec: {cluster: nowhere, namespace: x, networks: [none]}\n"
)


IDLE = "apiVersion: intentc.dev/v1alpha1\nkind: Node\nmetadata: {name: idle}\nspec: {site: dc3}\n"


def test_what_only_adds_is_applied_though_intent_elsewhere_is_broken(repository: Path) -> None:
    """A cluster that names no node cannot be compiled, and is not behind anything in the plan."""
    shutil.rmtree(repository / "rendered")
    assert run(["plan", "--out", "plan.json"]) == 2
    (repository / "intent" / "other.yaml").write_text(BROKEN)
    assert run(["plan"]) == 1
    assert run(["apply", "plan.json", "--yes"]) == 0


def test_nothing_is_taken_away_by_intent_that_does_not_compile(repository: Path, capsys: Capture) -> None:
    (repository / "intent" / "other.yaml").write_text(BROKEN)
    before = files(repository)
    assert run(["apply", "plan.json", "--yes"]) == 1
    err = capsys.readouterr().err
    assert "intent/other.yaml:4" in err
    assert "this intent does not compile, and the plan takes away what it may ask for" in err
    assert files(repository) == before


def without_ipv6(repository: Path, capsys: Capture) -> str:
    """Plan what a cluster without IPv6 loses, with all approvals; return the cluster as it was."""
    assert run(["apply", "plan.json", "--yes"]) == 0
    cluster = repository / "intent" / "cluster.yaml"
    said = cluster.read_text()
    change(cluster, "    ipv6: fd64::/48\n", "")
    assert run(["ledger", "update"]) == 0
    capsys.readouterr()
    assert run(["plan", "--format", "json"]) == 2
    approvals = [entry["approve"] for entry in json.loads(capsys.readouterr().out)["brake"]]
    words = [word for approval in approvals for word in ("--allow-delete", approval)]
    assert run(["plan", "--out", "plan.json", *words]) == 2
    return said


def test_what_is_asked_for_again_is_not_deleted(repository: Path, capsys: Capture) -> None:
    """What goes was observed and names no lines; what took it away is a value in another document."""
    said = without_ipv6(repository, capsys)
    (repository / "intent" / "cluster.yaml").write_text(said)
    assert run(["ledger", "update"]) == 0
    before = files(repository)
    capsys.readouterr()
    assert run(["apply", "plan.json", "--yes"]) == 1
    err = capsys.readouterr().err
    assert "nothing was applied, because intent" in err
    assert files(repository) == before


def test_an_unrelated_document_is_no_reason_to_keep_what_goes(repository: Path, capsys: Capture) -> None:
    without_ipv6(repository, capsys)
    (repository / "intent" / "more.yaml").write_text(IDLE)
    assert run(["apply", "plan.json", "--yes"]) == 0
    assert run(["plan"]) == 0


def test_a_plan_that_was_done_has_nothing_left(repository: Path, capsys: Capture) -> None:
    assert run(["apply", "plan.json", "--yes"]) == 0
    before = files(repository)
    capsys.readouterr()
    assert run(["apply", "plan.json", "--yes"]) == 0
    assert "nothing to change" in capsys.readouterr().out
    assert files(repository) == before


def test_a_plan_that_was_half_done_is_finished(repository: Path) -> None:
    before = files(repository)
    assert run(["apply", "plan.json", "--yes"]) == 0
    after = files(repository)
    (changed, *_) = [name for name in after if before.get(name) != after[name] and "policy" in name]
    Path(changed).write_text(before[changed])
    assert run(["apply", "plan.json", "--yes"]) == 0
    assert files(repository) == after


def test_what_moved_since_is_named_and_nothing_is_applied(repository: Path, capsys: Capture) -> None:
    file = repository / "rendered" / "vpp" / "node" / "edge" / "worker-1" / "policy.jsonl"
    file.write_text(file.read_text().replace("fcbb:0:1::1", "fcbb:0:9::9"))
    before = files(repository)
    assert run(["apply", "plan.json", "--yes"]) == 1
    err = capsys.readouterr().err
    assert "nothing was applied" in err
    assert "moved: default: vpp:node/edge/worker-1:policy:" in err
    assert "intent/policy.yaml:" in err
    assert files(repository) == before


def test_an_unrelated_change_is_no_reason_to_refuse(repository: Path) -> None:
    file = repository / "rendered" / "vpp" / "node" / "edge" / "worker-2" / "policy.jsonl"
    file.unlink()
    assert run(["apply", "plan.json", "--yes"]) == 0
    assert not file.exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no plan"),
        ("{}", "is no plan"),
        ("\xff\xfe", "is no plan"),
        ("[" * 100_000, "is no plan"),
        ('{"format": "intentc-plan/1"}', "damaged"),
        ('{"format": "intentc-plan/9"}', "intentc-plan/9"),
    ],
)
def test_a_damaged_plan_is_refused(repository: Path, capsys: Capture, text: str, words: str) -> None:
    (repository / "plan.json").write_text(text)
    assert run(["apply", "plan.json", "--yes"]) == 1
    assert words in capsys.readouterr().err


def test_a_plan_changed_by_hand_is_refused(repository: Path, capsys: Capture) -> None:
    file = repository / "plan.json"
    file.write_text(file.read_text().replace("fcbb:0:2::1", "fcbb:0:9::1"))
    before = files(repository)
    assert run(["apply", "plan.json", "--yes"]) == 1
    assert "changed by hand" in capsys.readouterr().err
    assert files(repository) == before


@pytest.mark.usefixtures("repository")
def test_files_that_cannot_be_read_or_written(capsys: Capture) -> None:
    assert run(["apply", "missing.json", "--yes"]) == 1
    assert "cannot read missing.json" in capsys.readouterr().err
    for name in ("missing/plan.json", ".", "/", "", "intent"):
        assert run(["plan", "--out", name]) == 1
        assert "cannot write" in capsys.readouterr().err
    assert not Path("intent.new").exists()


def test_what_is_no_file_is_refused_at_once(repository: Path, capsys: Capture) -> None:
    os.mkfifo(repository / "pipe")
    for name in ("pipe", "/dev/zero"):
        assert run(["apply", name, "--yes"]) == 1
        assert f"{name} is no file" in capsys.readouterr().err


def test_a_large_file_that_is_no_plan_is_not_read(repository: Path, capsys: Capture) -> None:
    with (repository / "large").open("wb") as stream:
        stream.truncate(400 * 1024 * 1024)
    tracemalloc.start()
    assert run(["apply", "large", "--yes"]) == 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * 1024 * 1024
    assert "this is no plan" in capsys.readouterr().err


def test_a_target_that_is_gone_is_named(repository: Path, capsys: Capture) -> None:
    project = repository / "intentc.yaml"
    project.write_text(project.read_text().replace("spec: {}", "spec:\n  targets: [{name: other}]"))
    assert run(["apply", "plan.json", "--yes"]) == 1
    assert "no target default" in capsys.readouterr().err


@pytest.mark.parametrize("now", ["{name: default, path: other}", "{name: default, families: [vpp]}"])
def test_a_target_that_is_another_now_is_named(repository: Path, capsys: Capture, now: str) -> None:
    """What was approved for one place is not done in another."""
    project = repository / "intentc.yaml"
    project.write_text(project.read_text().replace("spec: {}", f"spec:\n  targets:\n    - {now}"))
    before = files(repository)
    assert run(["apply", "plan.json", "--yes"]) == 1
    line = project.read_text().splitlines().index(f"    - {now}") + 1
    assert f"target default is another now (intentc.yaml:{line}:7); plan again" in capsys.readouterr().err
    assert files(repository) == before
    assert not (repository / "other").exists()


def test_another_target_beside_it_is_no_reason_to_refuse(repository: Path) -> None:
    change(
        repository / "intentc.yaml", "spec: {}", "spec: {targets: [{name: more, path: m}, {name: default}]}"
    )
    assert run(["apply", "plan.json", "--yes"]) == 0


def test_a_broken_project_is_explained(repository: Path, capsys: Capture) -> None:
    (repository / "intentc.yaml").write_text("kind: Project\n")
    assert run(["apply", "plan.json", "--yes"]) == 1
    assert "error[IC1016]" in capsys.readouterr().err


def test_a_plan_without_its_lines_is_damaged(repository: Path, capsys: Capture) -> None:
    data = json.loads((repository / "plan.json").read_text())
    del data["actions"][0]["origins"]
    (repository / "plan.json").write_text(json.dumps(data))
    assert run(["apply", "plan.json", "--yes"]) == 1
    assert "damaged (actions.0.origins: Field required)" in capsys.readouterr().err


def change(file: Path, old: str, new: str) -> None:
    said = file.read_text()
    assert old in said
    file.write_text(said.replace(old, new))


def test_intent_that_moved_since_is_named_with_its_line(repository: Path, capsys: Capture) -> None:
    change(repository / "intent" / "policy.yaml", "- router: p2\n", "- router: p1\n")
    before = files(repository)
    assert run(["apply", "plan.json", "--yes"]) == 1
    err = capsys.readouterr().err
    assert "nothing was applied, because intent moved since the plan was made" in err
    assert "intent/policy.yaml:" in err
    assert "SRv6Policy/east-to-west spec.candidatePaths.0" in err
    assert "moved: default: vpp:node/edge/worker-1:policy:" in err
    assert files(repository) == before


def test_an_unrelated_commit_is_no_reason_to_refuse(repository: Path) -> None:
    policy = repository / "intent" / "policy.yaml"
    policy.write_text("# about the policy\n\n" + policy.read_text())
    (repository / "intent" / "more.yaml").write_text(IDLE)
    assert run(["apply", "plan.json", "--yes"]) == 0


def test_intent_that_cannot_be_read_is_not_taken_for_gone(repository: Path, capsys: Capture) -> None:
    policy = repository / "intent" / "policy.yaml"
    policy.write_text(policy.read_text() + "  colour: [")
    assert run(["apply", "plan.json", "--yes"]) == 1
    err = capsys.readouterr().err
    assert "error[IC1006]" in err
    assert "this intent does not compile" in err


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("latency: 2ms", "latency: 3ms"),
        ("  links:\n", "  links:\n    - {name: other, latency: 9ms, ends: [{at: p1}, {at: p2}]}\n"),
    ],
    ids=["a field that is not behind it", "another place in a list"],
)
def test_what_ends_as_planned_is_no_reason_to_refuse(repository: Path, old: str, new: str) -> None:
    """The link as a whole is behind the policy, and what changes of it is not."""
    change(repository / "intent" / "underlay.yaml", old, new)
    assert run(["apply", "plan.json", "--yes"]) == 0
    assert run(["plan"]) == 0


def test_intent_that_moved_and_is_broken_is_not_said_to_take_away(repository: Path, capsys: Capture) -> None:
    shutil.rmtree(repository / "rendered")
    assert run(["plan", "--out", "plan.json"]) == 2
    change(repository / "intent" / "policy.yaml", "- router: p2\n", "- router: p1\n")
    (repository / "intent" / "other.yaml").write_text(BROKEN)
    capsys.readouterr()
    assert run(["apply", "plan.json", "--yes"]) == 1
    err = capsys.readouterr().err
    assert "this intent does not compile, and what is behind the plan moved" in err
    assert "takes away" not in err
    assert files(repository) == {}


@pytest.mark.parametrize("mark", ["<<<<<<< HEAD\n", "no lease\n"])
def test_a_ledger_that_cannot_be_read_is_not_what_it_was(
    repository: Path, capsys: Capture, mark: str
) -> None:
    ledger = repository / "intentc.lock"
    ledger.write_text(ledger.read_text() + mark)
    before = files(repository)
    assert run(["apply", "plan.json", "--yes"]) == 1
    err = capsys.readouterr().err
    assert "error[IC25" in err
    assert "this intent does not compile" in err
    assert files(repository) == before


def test_a_secret_that_cannot_be_sealed_is_told(
    repository: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What intent asks for by now may refer to a secret that this machine does not have."""

    def missing(_: Vault, resource: Resource) -> Resource:
        raise SecretError(f"no secret for {resource.key.type}")

    monkeypatch.setattr(Vault, "seal", missing)
    made = Directory.__init__

    def with_vault(driver: Directory, *words: Any) -> None:
        made(driver, *words)
        driver.vault = Vault(b"key", str)

    monkeypatch.setattr(Directory, "__init__", with_vault)
    (repository / "intent" / "more.yaml").write_text(IDLE)
    before = files(repository)
    assert run(["apply", "plan.json", "--yes"]) == 1
    assert "intentc: no secret for " in capsys.readouterr().err
    assert files(repository) == before


def test_intent_that_says_nothing_is_no_missing_intent(repository: Path, capsys: Capture) -> None:
    before = files(repository)
    for file in (repository / "intent").iterdir():
        file.write_text("# nothing is asked for any more\n")
    assert run(["apply", "plan.json", "--yes"]) == 1
    assert "nothing was applied, because intent" in capsys.readouterr().err
    assert files(repository) == before


def test_without_any_intent_the_plan_and_the_targets_are_enough(repository: Path, capsys: Capture) -> None:
    shutil.rmtree(repository / "intent")
    assert run(["apply", "plan.json", "--yes"]) == 0
    assert "there is no intent here to compare with" in capsys.readouterr().err


def test_a_plan_is_applied_on_another_machine(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path_factory.mktemp("other")
    shutil.copytree(repository / "rendered", other / "rendered")
    shutil.copy(repository / "intentc.yaml", other)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
    assert run(["-C", str(other), "apply", str(repository / "plan.json"), "--yes"]) == 0
    assert run(["apply", "plan.json", "--yes"]) == 0
    here, there = (
        {name.removeprefix(str(root)): said for name, said in files(root).items()}
        for root in (repository, other)
    )
    assert here == there


def test_a_git_repository_that_lost_an_object_names_no_commit(repository: Path) -> None:
    words = "-c user.name=a -c user.email=a@b commit -qm all"
    for line in ("init -q", "add intent intentc.yaml intentc.lock", words):
        subprocess.run(["git", *line.split()], check=True, capture_output=True)
    lost = subprocess.run(
        ["git", "rev-parse", "HEAD:intent/policy.yaml"], check=True, capture_output=True, text=True
    ).stdout.strip()
    (repository / ".git" / "objects" / lost[:2] / lost[2:]).unlink()
    assert run(["plan", "--out", "plan.json"]) == 2
    assert read((repository / "plan.json").read_text()).revision.commit == ""


def test_a_user_without_a_home_is_told_what_to_set(
    repository: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(_: int) -> None:
        raise KeyError

    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", nobody)
    before = files(repository)
    assert run(["apply", "plan.json", "--yes"]) == 1
    assert "this user has no home; set XDG_STATE_HOME" in capsys.readouterr().err
    assert files(repository) == before


def test_a_plan_of_another_project_is_refused(repository: Path, capsys: Capture) -> None:
    text = (repository / "intentc.yaml").read_text()
    name = re.search(r"name: (\S+)", text)
    assert name
    change(repository / "intentc.yaml", name[1], "another")
    assert run(["apply", "plan.json", "--yes"]) == 1
    assert "and here is 'another'" in capsys.readouterr().err


def test_the_commit_is_in_the_plan(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "a@b")

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout.strip()

    def bound() -> tuple[str, bool]:
        assert run(["plan", "--out", "again.json"]) == 2
        data = json.loads((repository / "again.json").read_text())
        return data["commit"], data["dirty"]

    assert bound() == ("", False)
    git("init", "--quiet")
    git("add", "intentc.yaml", "intentc.lock", "intent")
    git("commit", "--quiet", "--message", "x")
    assert bound() == (git("rev-parse", "HEAD"), False)  # rendered/ is no intent
    policy = repository / "intent" / "policy.yaml"
    said = policy.read_text()
    policy.write_text("# x\n" + said)
    assert bound()[1]
    policy.write_text(said)
    assert not bound()[1]
    (repository / "intent" / "new.yaml").write_text("# nothing\n")
    assert bound()[1]
    (repository / "intent" / "new.yaml").unlink()
    other = repository / "intent" / "kept.yaml"
    other.write_text("# nothing\n")
    git("add", "intent")
    git("commit", "--quiet", "--message", "y")
    other.unlink()
    assert bound() == (git("rev-parse", "HEAD"), True)


def protect(repository: Path, *, on: bool) -> None:
    names = ("  name: east-to-west\n", "  name: east-to-west\n  protect: true\n")
    change(repository / "intent" / "policy.yaml", *(names if on else names[::-1]))


def test_what_is_protected_goes_with_an_approval_only(repository: Path, capsys: Capture) -> None:
    assert run(["apply", "plan.json", "--yes"]) == 0
    protect(repository, on=True)
    capsys.readouterr()
    assert run(["plan"]) == 2
    assert "it becomes protected" in capsys.readouterr().out
    assert run(["apply", "--yes"]) == 0
    assert run(["plan"]) == 0
    (repository / "intent" / "policy.yaml").write_text("# nothing left\n")
    before = files(repository)
    capsys.readouterr()
    assert run(["plan", "--out", "plan.json"]) == 2
    out = capsys.readouterr().out
    assert "the deletion brake will refuse this: the plan deletes or replaces what is protected" in out
    assert "--allow-delete policy=2" in out
    assert run(["apply", "plan.json", "--yes"]) == 1
    assert "--out plan.json --allow-delete policy=2" in capsys.readouterr().err
    assert run(["apply", "plan.json", "--yes", "--allow-delete", "policy=2"]) == 1
    assert "a saved plan holds its own approvals" in capsys.readouterr().err
    assert files(repository) == before
    approvals = ["--allow-delete", "policy=2"]
    if "steering" in out.partition("the deletion brake")[2]:
        approvals += ["--allow-delete", "steering=9"]
    assert run(["plan", "--out", "plan.json", *approvals]) == 2
    assert run(["apply", "plan.json", "--yes"]) == 0
    assert run(["plan"]) == 0


def test_protection_can_be_taken_back(repository: Path, capsys: Capture) -> None:
    assert run(["apply", "plan.json", "--yes"]) == 0
    protect(repository, on=True)
    assert run(["apply", "--yes"]) == 0
    protect(repository, on=False)
    capsys.readouterr()
    assert run(["plan", "--out", "plan.json"]) == 2
    assert "it is no longer protected" in capsys.readouterr().out
    assert run(["apply", "plan.json", "--yes"]) == 0
    assert run(["plan"]) == 0


def test_json_says_what_the_brake_refuses(repository: Path, capsys: Capture) -> None:
    shutil.rmtree(repository / "intent")
    (repository / "intent").mkdir()
    (repository / "intent" / "none.yaml").write_text("# nothing\n")
    assert run(["plan", "--format", "json"]) == 2
    data = json.loads(capsys.readouterr().out)
    assert data["brake"]
    assert {entry["approve"].partition("=")[0] for entry in data["brake"]} >= {"policy"}
    assert len(data["id"]) == 64
    words = [word for entry in data["brake"] for word in ("--allow-delete", entry["approve"])]
    assert run(["plan", "--format", "json", *words]) == 2
    assert json.loads(capsys.readouterr().out)["brake"] == []


def test_somebody_else_who_is_at_it_is_named(repository: Path, capsys: Capture) -> None:
    driver = Directory("default", repository / "rendered")
    lease = driver.lease()
    assert driver.swap_lease(lease, Lease("ann@laptop", time.time() + 60, (lease.token if lease else 0) + 1))
    assert run(["apply", "plan.json", "--yes"]) == 1
    err = capsys.readouterr().err
    assert "nothing was applied: ann@laptop is changing target default, until" in err


def test_a_failure_of_a_saved_plan_names_lines_of_intent(repository: Path, capsys: Capture) -> None:
    shutil.rmtree(repository / "rendered")
    assert run(["plan", "--out", "plan.json"]) == 2
    foreign = repository / "rendered" / "vpp" / "node" / "edge" / "worker-1" / "policy.jsonl"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("somebody else's\n")
    capsys.readouterr()
    assert run(["apply", "plan.json", "--yes"]) == 1
    err = capsys.readouterr().err
    assert "policy.jsonl exists and is not ours" in err
    assert "  because of intent/policy.yaml:" in err
    assert foreign.read_text() == "somebody else's\n"


def test_an_apply_that_broke_off_is_told_of(repository: Path, capsys: Capture) -> None:
    plan = read((repository / "plan.json").read_text())
    holder = here("ann@laptop")
    journal = Journal(journals(repository, os.environ), plan.plan, time.time)
    journal.open(plan.id, holder, {"default": 1})
    journal.begin([action for action in plan.plan.actions if action.phase == plan.plan.actions[0].phase])
    journal.close()
    assert run(["apply", "plan.json", "--yes"]) == 0
    assert "by ann@laptop (process" in capsys.readouterr().err
    assert run(["apply", "plan.json", "--yes"]) == 0
    assert "ann@laptop" not in capsys.readouterr().err
