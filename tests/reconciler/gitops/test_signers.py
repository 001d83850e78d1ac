"""Signatures on commits, with the real ssh-keygen and gpg: who may change what, and since when."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.git import GitError
from reconciler.git import git as run_git
from reconciler.gitops import signers as signers_module
from reconciler.gitops.clone import clone_of, fetch
from reconciler.gitops.commit import Terms
from reconciler.gitops.signers import Judgement, judge
from tests.agents import until
from tests.remotes import Follower, Remote, git, template

needs_ssh = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
needs_gpg = pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")
pytestmark = pytest.mark.real

RULES = """\
apiVersion: intentc.dev/v1alpha1
kind: Project
metadata: {name: my-network}
spec:
  gates:
    signers:
      - paths: ["core/**"]
        allowedSigners: keys/core
      - paths: ["edge/*", "shared/?.yaml"]
        allowedSigners: keys/edge
"""


@dataclass(frozen=True)
class Signer:
    """Somebody with an SSH key."""

    name: str
    key: Path

    @property
    def options(self) -> tuple[str, ...]:
        """Return what makes git sign with it."""
        return ("--gpg-sign",)

    @property
    def env(self) -> dict[str, str]:
        settings = {"gpg.format": "ssh", "user.signingkey": str(self.key)}
        found = {"GIT_CONFIG_COUNT": str(len(settings))}
        for number, (name, value) in enumerate(settings.items()):
            found |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
        return found

    def allowed(self, options: str = "") -> str:
        """Return the line that allows it."""
        kind, text = self.key.with_suffix(".pub").read_text().split()[:2]
        return f"{self.name} {options}{' ' if options else ''}{kind} {text}\n"


@pytest.fixture(scope="session")
def signers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Signer]:
    folder = tmp_path_factory.mktemp("keys")
    found = {}
    for name in ("ann", "ben", "eve"):
        key = folder / name
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)]
        subprocess.run(command, check=True, capture_output=True)
        found[name] = Signer(name, key)
    return found


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("source") / "repo")


@dataclass
class Case:
    """A repository with rules, and the commit that has them."""

    remote: Remote
    signers: dict[str, Signer]
    state: Path
    base: str = ""

    def commit(self, files: dict[str, str | None], who: str = "", **more: str) -> str:
        """Commit files, signed by somebody or nobody."""
        if not who:
            return self.remote.commit(files, push=False, env=more)
        signer = self.signers[who]
        return self.remote.commit(files, "change", *signer.options, env={**signer.env, **more}, push=False)

    def judge(self, base: str = "") -> Judgement:
        """Push, and judge what came after the base."""
        self.remote.push("--force")
        clone = clone_of(self.state, str(self.remote.bare), "main")
        head = fetch(clone)
        assert head is not None
        return judge(clone, base or self.base, head, "")


@pytest.fixture
def case(tmp_path: Path, source: Path, signers: dict[str, Signer]) -> Case:
    """Ann may change core, ben edge; nobody else may change any of it."""
    state = tmp_path / "state"
    state.mkdir()
    case = Case(Remote.made(tmp_path, source), signers, state)
    keys = {"keys/core": signers["ann"].allowed(), "keys/edge": signers["ben"].allowed()}
    case.base = case.commit({"intentc.yaml": RULES, **keys, "core/a.yaml": "1\n", "core/b.yaml": "1\n"})
    return case


@needs_ssh
@pytest.mark.parametrize(
    ("path", "who", "fault"),
    [
        ("README.md", "", None),
        ("core/a.yaml", "ann", None),
        ("core/deep/er/a.yaml", "ann", None),
        ("core/deep/er/.hidden", "", "is not signed"),
        ("core/a.yaml", "", "is not signed"),
        ("core/a.yaml", "eve", "a key that keys/core does not allow"),
        ("core/a.yaml", "ben", "a key that keys/core does not allow"),
        ("edge/a.yaml", "ben", None),
        ("edge/a.yaml", "ann", "a key that keys/edge does not allow"),
        ("edge/deep/a.yaml", "", None),
        ("shared/x.yaml", "", "is not signed"),
        ("intentc.yaml", "", "is not signed"),
        ("intentc.yaml", "eve", "a key that keys/core does not allow"),
        ("intentc.yaml", "ben", "a key that keys/core does not allow"),
        ("intentc.yaml", "ann", None),
        ("keys/core", "", "is not signed"),
        ("keys/core", "ben", "a key that keys/core does not allow"),
        ("keys/core", "ann", None),
        ("keys/edge", "ann", "a key that keys/edge does not allow"),
        ("keys/edge", "ben", None),
    ],
)
def test_a_path_needs_its_signature(case: Case, path: str, who: str, fault: str | None) -> None:
    commit = case.commit({path: "apiVersion: x\n"}, who)
    judged = case.judge()
    assert len(judged.faults) == (fault is not None)
    for found in judged.faults:
        assert found.startswith(f"commit {commit[:12]} changes {path}, and ")
        assert fault is not None
        assert fault in found
    assert (commit in judged.trusted) == (who == "ann"), "approvals are of those who may change intentc.yaml"


@needs_ssh
def test_a_commit_needs_all_the_signatures_of_what_it_changes(case: Case) -> None:
    case.commit({"core/a.yaml": "2", "edge/a.yaml": "2"}, "ann")
    (fault,) = case.judge().faults
    assert "edge/a.yaml" in fault


@needs_ssh
def test_deleting_and_renaming_are_changes(case: Case) -> None:
    case.commit({"core/a.yaml": None, "elsewhere.yaml": "1\n"})
    assert "changes core/a.yaml" in case.judge().faults[0]


@needs_ssh
def test_every_commit_counts_and_not_only_what_they_come_to(case: Case) -> None:
    case.commit({"core/a.yaml": "2"})
    case.commit({"core/a.yaml": "1\n"}, "ann")
    assert len(case.judge().faults) == 1


@needs_ssh
def test_an_expired_key_signs_nothing_more(case: Case) -> None:
    ann = case.signers["ann"]
    until = ann.allowed('valid-before="20300101"')
    case.base = case.commit({"keys/core": until}, "ann")
    case.commit({"core/a.yaml": "2"}, "ann", GIT_COMMITTER_DATE="2029-06-01T00:00:00Z")
    assert case.judge().faults == ()
    case.commit({"core/a.yaml": "3"}, "ann", GIT_COMMITTER_DATE="2031-01-01T00:00:00Z")
    (fault,) = case.judge().faults
    assert "had expired" in fault


@needs_ssh
def test_a_commit_cannot_open_the_gate_for_itself(case: Case) -> None:
    eve = case.signers["eve"].allowed()
    case.commit({"keys/core": eve, "core/a.yaml": "2"}, "eve")
    assert len(case.judge().faults) == 1
    unruly = case.commit({"intentc.yaml": RULES.partition("spec:")[0] + "spec: {}\n"})
    case.commit({"core/a.yaml": "3"})
    assert any(unruly[:12] in fault for fault in case.judge().faults)


@needs_ssh
def test_a_new_signer_counts_from_the_next_commit_on_however_seldom_somebody_looks(case: Case) -> None:
    both = case.signers["ann"].allowed() + case.signers["eve"].allowed()
    case.commit({"keys/core": both}, "ann")
    case.commit({"core/a.yaml": "2"}, "eve")
    assert case.judge().faults == ()
    case.commit({"keys/core": case.signers["eve"].allowed()}, "eve")
    late = case.commit({"core/a.yaml": "3"}, "ann")
    assert [fault.split()[1] for fault in case.judge().faults] == [late[:12]]


@needs_ssh
def test_an_unusable_intentc_yaml_leaves_the_rules_before_it(case: Case) -> None:
    case.commit({"intentc.yaml": "spec: ["}, "ann")
    case.commit({"core/a.yaml": "2"})
    assert len(case.judge().faults) == 1
    broken = case.commit({})
    (fault,) = case.judge(broken).faults
    assert "nobody knows who may sign" in fault


@needs_ssh
def test_a_clean_merge_needs_no_signature_and_what_it_merges_does(case: Case) -> None:
    work = case.remote.work
    git(work, "checkout", "--quiet", "-b", "side")
    side = case.commit({"core/b.yaml": "2"}, "ann")
    git(work, "checkout", "--quiet", "main")
    case.commit({"core/a.yaml": "2"}, "ann")
    git(work, "merge", "--quiet", "--no-ff", "--message=merge", "side")
    assert case.judge().faults == ()
    git(work, "checkout", "--quiet", "-b", "bad", side)
    bad = case.commit({"core/c.yaml": "2"})
    git(work, "checkout", "--quiet", "main")
    git(work, "merge", "--quiet", "--no-ff", "--message=merge", "bad")
    assert [fault.split()[1] for fault in case.judge().faults] == [bad[:12]]


@needs_ssh
def test_a_merge_that_brings_something_of_its_own_needs_a_signature(case: Case) -> None:
    """Among them one that silently goes back to an old state of a guarded file, equal to that of a parent."""
    work, old = case.remote.work, case.base
    case.base = case.commit({"core/a.yaml": "fixed\n"}, "ann")
    git(work, "checkout", "--quiet", "-b", "side", old)
    case.commit({"README.md": "harmless"})
    git(work, "checkout", "--quiet", "main")
    git(work, "merge", "--quiet", "--no-ff", "--no-commit", "side")
    (work / "core/a.yaml").write_text("1\n")
    merge = case.commit({})
    assert git(work, "rev-list", "--parents", "-1", merge).count(" ") == 2
    (fault,) = case.judge().faults
    assert fault.startswith(f"commit {merge[:12]} changes core/a.yaml, and it is not signed")
    git(work, "commit", "--quiet", "--amend", "--no-edit", "--gpg-sign", env=case.signers["ann"].env)
    assert case.judge().faults == ()


@needs_ssh
def test_a_merge_of_three_counts_for_all_it_changes(case: Case) -> None:
    work = case.remote.work
    for name in ("x", "y"):
        git(work, "checkout", "--quiet", "-b", name, case.base)
        case.commit({f"core/{name}.yaml": "2"}, "ann")
    git(work, "checkout", "--quiet", "main")
    case.commit({"README.md": "z"})
    git(work, "merge", "--quiet", "--message=merge", "x", "y")
    (fault,) = case.judge().faults
    assert "core/x.yaml, core/y.yaml" in fault


@needs_ssh
def test_a_merge_of_three_cannot_quietly_go_back(case: Case) -> None:
    """Its first parent has the old state, so against that one nothing is changed."""
    work, old = case.remote.work, case.base
    case.base = case.commit({"core/a.yaml": "fixed\n"}, "ann")
    git(work, "checkout", "--quiet", "-b", "side", old)
    side = case.commit({"README.md": "harmless"})
    parents = [word for name in (old, case.base, side) for word in ("-p", name)]
    merge = git(work, "commit-tree", "-m", "merge", *parents, f"{side}^{{tree}}")
    git(work, "checkout", "--quiet", "main")
    git(work, "reset", "--quiet", "--hard", merge)
    (fault,) = case.judge().faults
    assert fault.startswith(f"commit {merge[:12]} changes core/a.yaml, and it is not signed")


@needs_ssh
@pytest.mark.parametrize("evil", ["drafts/x.yaml", "drafts/new.yaml"])
def test_a_rename_does_not_carry_into_a_guarded_place_what_nobody_signed(case: Case, evil: str) -> None:
    work, text = case.remote.work, "".join(f"line {number}\n" for number in range(30))
    case.base = case.commit({"drafts/x.yaml": text})
    git(work, "checkout", "--quiet", "-b", "side")
    case.commit({evil: text.replace("line 7\n", "evil\n")})
    git(work, "checkout", "--quiet", "main")
    case.commit({"drafts/x.yaml": None, "core/x.yaml": text}, "ann")
    renaming = ("-c", "merge.directoryRenames=true")
    git(work, *renaming, "merge", "--quiet", "--no-ff", "--message=merge", "side")
    assert "evil" in (work / evil.replace("drafts", "core")).read_text(), "git merged it without a conflict"
    (fault,) = case.judge().faults
    assert evil.replace("drafts", "core") in fault


@needs_ssh
def test_the_log_settings_of_a_user_do_not_hide_what_a_merge_changes(
    case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    work = case.remote.work
    git(work, "checkout", "--quiet", "-b", "side")
    case.commit({"README.md": "x"})
    git(work, "checkout", "--quiet", "main")
    case.commit({"LICENSE": "x"})
    git(work, "merge", "--quiet", "--no-ff", "--no-commit", "side")
    (work / "core/a.yaml").write_text("evil\n")
    case.commit({}, "eve")
    config = tmp_path / "gitconfig"
    git(tmp_path, "config", "--file", str(config), "log.showSignature", "true")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    assert len(case.judge().faults) == 1


@needs_ssh
def test_a_name_that_is_no_utf_8_is_guarded_as_it_is_read(case: Case) -> None:
    case.commit({"shared/" + os.fsdecode(b"\xff.yaml"): "x"})
    assert len(case.judge().faults) == 1


@needs_ssh
@pytest.mark.parametrize("pattern", ["./core/**", "core/", "core", "core//*"])
def test_a_path_that_guards_nothing_is_an_error(case: Case, pattern: str) -> None:
    case.commit({"intentc.yaml": RULES.replace("core/**", pattern)}, "ann")
    case.remote.push()
    turn = Follower(case.remote, case.state).turn()
    (line,) = turn.state.problems["commit"].details
    assert line.startswith(f"intentc.yaml:7:17: error[IC4002]: {pattern!r} names no file")
    assert "core/**" in line


@needs_ssh
def test_a_merge_the_wrong_way_round_does_not_bring_old_rules_back(case: Case) -> None:
    """The first parent of the new head has rules in which eve was still allowed."""
    work, signers = case.remote.work, case.signers
    case.base = case.commit({"keys/core": signers["ann"].allowed() + signers["eve"].allowed()}, "ann")
    git(work, "branch", "old")
    case.base = case.commit({"keys/core": signers["ann"].allowed()}, "ann")
    git(work, "checkout", "--quiet", "old")
    case.commit({"README.md": "harmless"})
    git(work, "merge", "--quiet", "--no-ff", "--no-commit", "main")
    (work / "core/a.yaml").write_text("evil\n")
    case.commit({}, "eve")
    assert any("core/a.yaml" in fault for fault in case.judge().faults)


@needs_ssh
def test_links_to_rules_or_keys_are_refused(case: Case) -> None:
    (case.remote.work / "keys/core").unlink()
    (case.remote.work / "keys/core").symlink_to("other")
    linked = case.commit({"keys/other": case.signers["ann"].allowed()}, "ann")
    assert "nobody knows" in case.judge(linked).faults[0]


@needs_ssh
def test_the_settings_of_a_user_do_not_make_a_signature_good(
    case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "gitconfig"
    lying = tmp_path / "lying"
    good = 'Good "git" signature for eve with ED25519 key SHA256:x'
    lying.write_text(
        f"#!/bin/sh\ncase \"$2\" in find-principals) echo eve;; *) cat >/dev/null; echo '{good}';; esac\n"
    )
    lying.chmod(0o755)
    git(tmp_path, "config", "--file", str(config), "gpg.ssh.program", str(lying))
    git(tmp_path, "config", "--file", str(config), "gpg.ssh.allowedSignersFile", str(lying))
    git(tmp_path, "config", "--file", str(config), "log.showRoot", "false")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    bad = case.commit({"core/a.yaml": "2"}, "eve", GIT_CONFIG_GLOBAL=os.devnull)
    run_git(case.remote.work, "verify-commit", bad)  # who believes the settings is lied to
    assert len(case.judge().faults) == 1


@needs_ssh
def test_without_the_program_nothing_passes(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signers_module, "_PROGRAMS", {"ssh": "no-such-program", "gpg": "no-such-program"})
    case.commit({"core/a.yaml": "2"}, "ann")
    with pytest.raises(GitError, match="no-such-program is not installed"):
        case.judge()


@needs_ssh
def test_the_loop_refuses_what_lacks_a_signature_and_unsigned_approvals(case: Case) -> None:
    work = case.remote.work
    case.remote.push()
    following = Follower(case.remote, case.state)
    assert following.turn().state.applied == case.base
    case.commit({"core/a.yaml": "evil"})
    case.remote.push()
    turn = following.turn()
    assert (turn.outcome, turn.state.accepted) == ("refused", case.base)
    assert any("core/a.yaml, and it is not signed" in line for line in turn.state.problems["commit"].details)
    git(work, "reset", "--quiet", "--hard", case.base)
    frr = RULES + "  targets: [{name: default, families: [frr]}]\n"
    case.commit({"intentc.yaml": frr}, "ann")
    case.remote.push("--force")
    asked = following.turn().state.problems["commit"].details
    assert asked[0].startswith("the plan deletes")
    words = "Approve\n\n" + "".join(f"{line.partition(' the trailer ')[2]}\n" for line in asked)
    case.remote.commit({}, words)
    assert following.turn().state.accepted == case.base, "an approval without signature is none"
    ann, ben = case.signers["ann"], case.signers["ben"]
    case.remote.commit({}, words, *ben.options, env=ben.env)
    assert following.turn().state.accepted == case.base, "who may not change intentc.yaml may not approve"
    last = case.remote.commit({}, words, *ann.options, env=ann.env)
    assert following.turn().state.applied == last
    assert following.news() == ["applied", *["refused"] * 4, "applied", "recovered"]


@needs_ssh
def test_the_first_head_is_judged_by_the_trusted_commit(case: Case) -> None:
    bad = case.commit({"core/a.yaml": "evil"})
    case.remote.push()
    turn = Follower(case.remote, case.state, Terms(trust=case.base)).turn()
    assert (turn.outcome, turn.state.accepted) == ("refused", "")
    (case.state / "other").mkdir()
    turn = Follower(case.remote, case.state / "other").turn()
    assert turn.state.applied == bad, "without a trusted commit, the first one is taken as it is"


@needs_ssh
def test_a_commit_whose_keys_are_missing_is_bad(case: Case) -> None:
    case.remote.push()
    following = Follower(case.remote, case.state)
    following.turn()
    case.commit({"keys/core": None}, "ann")
    case.remote.push()
    turn = following.turn()
    assert (turn.outcome, turn.state.accepted) == ("bad-commit", case.base)
    (line,) = turn.state.problems["commit"].details
    assert line.startswith("intentc.yaml:8:25: error[IC4001]: the keys of signers cannot be read: keys/core")


@pytest.fixture
def gnupg() -> Iterator[Path]:
    """Return a folder for gpg: sockets need a short path."""
    home = Path(tempfile.mkdtemp(prefix="intentc-gpg-", dir="/tmp"))
    launch = ["gpgconf", "--homedir", str(home), "--launch", "gpg-agent"]
    # Whoever needs an agent starts one, and gives it five seconds, which may be too few.
    until(lambda: subprocess.run(launch, check=False, capture_output=True).returncode == 0)
    yield home
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)
    shutil.rmtree(home, ignore_errors=True)


def gpg(home: Path, *words: str) -> str:
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--passphrase", "", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@needs_gpg
def test_keys_of_gpg_are_those_of_the_file_and_no_others(case: Case, gnupg: Path) -> None:
    for name in ("ann", "eve"):
        gpg(gnupg, "--quick-generate-key", f"{name} <{name}@example.net>", "ed25519", "sign", "never")
    ring = gpg(gnupg, "--armor", "--export", "ann@example.net")
    rules = RULES.replace("allowedSigners: keys/core\n", "allowedSigners: keys/core\n        method: gpg\n")
    case.base = case.commit({"intentc.yaml": rules, "keys/core": ring})
    config = {"GNUPGHOME": str(gnupg), "GIT_CONFIG_COUNT": "0"}

    def commit(text: str, who: str) -> str:
        files: dict[str, str | None] = {"core/a.yaml": text}
        key = f"--gpg-sign={who}@example.net"
        return case.remote.commit(files, "change", key, env=config, push=False)

    commit("2", "ann")
    assert case.judge().faults == ()
    commit("3", "eve")
    (fault,) = case.judge().faults
    assert "a key that keys/core does not allow" in fault
    case.base = case.remote.head
    case.commit({"core/a.yaml": "4"}, "ann")
    assert len(case.judge().faults) == 1, "a rule of gpg takes no signature of ssh"
    fingerprint = gpg(gnupg, "--list-keys", "--with-colons", "ann@example.net").partition("fpr:::::::::")[2][
        :40
    ]
    commit("5", "ann")
    case.base = case.remote.head
    gpg(gnupg, "--quick-set-expire", fingerprint, "seconds=1")
    expired = gpg(gnupg, "--armor", "--export", "ann@example.net")
    case.base = case.commit({"keys/core": expired})
    case.commit({"core/a.yaml": "6"})
    assert "is not signed" in case.judge().faults[0]
