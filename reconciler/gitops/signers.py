"""Who may change which files: commits that touch them must carry a good signature by a key that is allowed.

The rules stand in intentc.yaml (`gates.signers`), and those of the commit before judge a commit, so that none
can weaken the gate that it has to pass. History is followed along the first parents: all that one step brings
in is judged by the rules of the commit before the step, so it does not matter how often somebody looks.

A merge changes a file where it holds something else than git itself would have merged, or where git guessed a
rename, since that carries what was changed in an open place into a guarded one. The rules are guarded too:
where no pattern names them, each file of keys by its own rule, and intentc.yaml by the first one.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from posixpath import normpath
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from intent.diagnostics import Report
from intent.kinds.project import ProjectSpec, Signers
from intent.repository import PROJECT_FILE, open_project
from intent.source import Source
from reconciler.git import Commit, GitError, git, named, open_commit
from reconciler.gitops.clone import Clone, arrived, line

_PROGRAMS: Final = {"ssh": "ssh-keygen", "gpg": "gpg"}
_FALSE: Final = "false"
"""A program that finds no signature good."""
_COMMON: Final = ("-c", "gpg.x509.program=false", "-c", "gpg.minTrustLevel=undefined")
_NAMED: Final = 3
"""So many files of one commit are named."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of `gates.signers`, with the keys as they were in the commit that has it."""

    says: Signers
    keys: str
    """Text of the file with the keys."""


class Judgement(NamedTuple):
    """What came between two commits, as the rules see it."""

    faults: tuple[str, ...]
    """For each commit that lacks a signature: which, what it changes, and what it lacks."""
    trusted: frozenset[str]
    """Commits whose signers may approve deletions, or from which no signature was asked."""


def rules_of(files: Commit, report: Report) -> tuple[Rule, ...] | None:
    """Return the rules that a commit says; None where its intentc.yaml is unusable.

    What guards must be guarded itself, so intentc.yaml and the keys may not be links to other files.
    """
    project, _ = open_project(files, report)
    if project is None:
        return None
    spec: ProjectSpec = project.spec
    found = []
    for number, says in enumerate(spec.gates.signers):
        name = says.allowed_signers
        place = project.span("spec", "gates", "signers", number, "allowedSigners")
        source = None if files.is_link(name) else files.read(name)
        if not isinstance(source, Source):
            hint = "commit the file with the keys, as a regular file"
            report.error("IC4001", place, f"the keys of signers cannot be read: {name}", hint)
        elif files.is_link(PROJECT_FILE):
            hint = "commit intentc.yaml as a regular file"
            report.error("IC4001", place, "intentc.yaml with gates.signers cannot be a link", hint)
        for index, pattern in enumerate(says.paths):
            place = project.span("spec", "gates", "signers", number, "paths", index)
            if hint := _aimless(files, pattern):
                report.error("IC4002", place, f"{pattern!r} names no file, so nothing would be guarded", hint)
        found.append(Rule(says, source.text if isinstance(source, Source) else ""))
    return None if report.failed else tuple(found)


def _aimless(files: Commit, pattern: str) -> str:
    """Say what to write instead of a pattern that can never name a file; "" for one that can."""
    if normpath(pattern) != pattern:
        return "write paths relative to intentc.yaml, such as core/**"
    if any(name.startswith(f"{pattern}/") for name in files.blobs):
        return f"for all that is below this folder write {pattern}/**"
    return ""


def judge(clone: Clone, base: str, head: str, folder: str) -> Judgement:
    """Judge what came between two commits, `base` exclusive, by the rules of `base` and those after it.

    GitError where an object, or the program that verifies, is missing.
    """
    rules = _rules(clone, base, folder)
    if rules is None:
        why = f"nobody knows who may sign, because intentc.yaml of commit {base[:12]} cannot be read"
        return Judgement((why,), frozenset())
    faults: list[str] = []
    trusted: set[str] = set()
    before = base
    for step in line(clone, base, head):
        came = arrived(clone, step, (before, base))
        if rules:
            with _verifier(clone, rules) as verifier:
                for commit, parents in came:
                    faults += verifier.faults(commit, _changed(clone, commit, parents, folder))
                    trusted |= {commit} if verifier.may_approve(commit) else set()
        else:
            trusted |= {commit for commit, _ in came}
        # What a commit with an unusable intentc.yaml would ask for is unknown: the rules before it stay.
        found = _rules(clone, step, folder)
        before, rules = step, rules if found is None else found
    return Judgement(tuple(faults), frozenset(trusted))


def _rules(clone: Clone, commit: str, folder: str) -> tuple[Rule, ...] | None:
    return rules_of(open_commit(clone.folder, commit, folder=folder), Report())


def _changed(clone: Clone, commit: str, parents: int, folder: str) -> list[str]:
    """Return the files below the folder that a commit itself changes."""
    plain = ("--no-renames", "--name-only", "-z")
    words: tuple[str, ...]
    if parents == 2:  # noqa: PLR2004 -- a merge of two, which git can do again
        merged = ("show", "--no-show-signature", "--remerge-diff", "--format=", "--ignore-submodules=none")
        words = (*merged, *plain, commit, "--")
    elif parents < 2:  # noqa: PLR2004 -- an ordinary commit, or the first one
        words = ("diff-tree", "-r", "--root", "--no-commit-id", *plain, commit, "--")
    else:
        words = ("diff-tree", "-r", "-m", "--no-commit-id", *plain, commit, "--")
    names = {*_parts(clone, *words), *(_carried(clone, commit) if parents == 2 else ())}  # noqa: PLR2004 -- as above
    below = f"{folder}/" if folder else ""
    return sorted({name.removeprefix(below) for name in names if name and name.startswith(below)})


def _carried(clone: Clone, commit: str) -> Iterator[str]:
    """Yield the files that a merge has otherwise than all its parents, of which one has none: renames."""
    entries = _parts(clone, "diff-tree", "-r", "-c", "-z", "--raw", "--no-renames", "--no-commit-id", commit)
    for about, name in zip(entries[::2], entries[1::2], strict=False):
        if "A" in about.rpartition(" ")[2]:
            yield name


def _parts(clone: Clone, *words: str) -> list[str]:
    return git(clone.folder, *words).decode("utf-8", "surrogateescape").split("\0")


@dataclass(frozen=True, slots=True)
class _Verifier:
    """Verifies signatures with the keys of rules, and with no others."""

    clone: Clone
    rules: Sequence[Rule]
    homes: Sequence[Path]
    """For each rule a private folder with its keys."""

    def faults(self, commit: str, files: Sequence[str]) -> Iterator[str]:
        """Yield what rules ask for a change of files, and the commit does not have."""
        for number in range(len(self.rules)):
            touched = [name for name in files if number in self._guards(name)]
            if touched and (why := self._fault(commit, number)):
                more = f" and {len(touched) - _NAMED} more" if len(touched) > _NAMED else ""
                yield f"commit {commit[:12]} changes {', '.join(touched[:_NAMED])}{more}, and {why}"

    def may_approve(self, commit: str) -> bool:
        """Say whether a commit is signed by somebody who may change intentc.yaml, where the brake is set."""
        return not any(self._fault(commit, number) for number in self._guards(PROJECT_FILE))

    def _guards(self, name: str) -> list[int]:
        """Return the rules that guard a file."""
        said = [number for number, rule in enumerate(self.rules) if named(name, _patterns(rule))]
        if said:
            return said
        if name == PROJECT_FILE:
            return [0]
        return [number for number, rule in enumerate(self.rules) if rule.says.allowed_signers == name]

    def _fault(self, commit: str, number: int) -> str:
        """Say what is wrong with the signature of a commit by the keys of a rule; "" if nothing is."""
        rule, home = self.rules[number], self.homes[number]
        ssh = rule.says.method == "ssh"
        settings = {
            "gpg.openpgp.program": _FALSE if ssh else "gpg",
            "gpg.ssh.program": "ssh-keygen" if ssh else _FALSE,
            "gpg.ssh.allowedSignersFile": str(home / "keys"),
            "gpg.ssh.revocationFile": "",
        }
        given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        try:
            git(self.clone.folder, *_COMMON, *given, "verify-commit", "--raw", commit, env=_home(home))
        except GitError as error:
            return _said(str(error), rule)
        return ""


@contextmanager
def _verifier(clone: Clone, rules: Sequence[Rule]) -> Iterator[_Verifier]:
    """Write the keys of each rule into a private folder, for as long as it is needed."""
    with TemporaryDirectory(prefix="intentc-") as folder:
        homes = []
        for number, rule in enumerate(rules):
            program = _PROGRAMS[rule.says.method]
            if shutil.which(program) is None:
                raise GitError(f"signatures cannot be verified: {program} is not installed")
            home = Path(folder, str(number))
            home.mkdir(mode=0o700)
            (home / "keys").write_text(rule.keys, encoding="utf-8")
            if rule.says.method == "gpg":
                _import(home)
            homes.append(home)
        yield _Verifier(clone, rules, homes)


def _import(home: Path) -> None:
    """Fill a keyring; keys that cannot be read are none."""
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--no-autostart", "--import", "keys"]
    try:
        subprocess.run(command, cwd=home, capture_output=True, check=False, timeout=60)
    except subprocess.TimeoutExpired as error:
        raise GitError("signatures cannot be verified: gpg did not read the keys within 60 s") from error


def _home(home: Path) -> Mapping[str, str]:
    return {"GNUPGHOME": str(home)}


def _patterns(rule: Rule) -> list[str]:
    """Return the patterns of a rule, where a last `**` names all files below."""
    paths = rule.says.paths
    return [f"{path}/*" if path == "**" or path.endswith("/**") else path for path in paths]


def _said(words: str, rule: Rule) -> str:
    """Put into our words why git finds a signature not good."""
    who = rule.says.allowed_signers
    if words == "git verify-commit failed":
        return "it is not signed"
    if "expired" in words or "EXPKEYSIG" in words or "EXPSIG" in words:
        return f"its signature is by a key of {who} that had expired"
    if "REVKEYSIG" in words:
        return f"its signature is by a key of {who} that was revoked"
    if "No principal matched" in words or "NO_PUBKEY" in words:
        return f"its signature is by a key that {who} does not allow"
    return f"its signature cannot be verified with {who}"
