"""Show or update the leases of ids (intentc.lock). Nothing else writes that file."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from compiler.allocate import summary, update
from compiler.ledger import Ledger, parse_ledger, write_ledger
from compiler.passes import Compiled, check_intent
from intent.diagnostics import Report
from intent.repository import Repository, open_repository
from intent.source import Source
from intentc.session import Session, tell


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("action", choices=("show", "update"), help="show: print leases; update: draw what is missing, free what is not asked for")
    parser.add_argument("--pool", help="show only leases of this pool, for example vlan@dc1")
    parser.add_argument("--check", action="store_true", help="update: write nothing, exit 2 where something would change")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    report = Report()
    repository, texts = open_repository(options.root, report, Path.cwd())
    session = Session(options.root, report, texts, repository, Compiled())
    if repository is None or report.failed:
        tell(session)
        return 1
    ledger = parse_ledger(repository.ledger, report)
    if options.action == "show":
        return _show(session, ledger, options.pool)
    return _update(session, repository, ledger, check=options.check)


def _show(session: Session, ledger: Ledger, pool: str | None) -> int:
    tell(session)
    for lease in ledger.leases:
        if pool in (None, lease.pool, lease.pool.partition("@")[0]):
            sys.stdout.write(f"{lease.pool:24} {lease.value:40} {lease.owner}{'  (freed)' if lease.freed else ''}\n")
    return 1 if session.report.failed else 0


def _update(session: Session, repository: Repository, ledger: Ledger, *, check: bool) -> int:
    report = session.report
    resolved = check_intent(repository.project, repository.intents, repository.facts, report)
    if resolved is None or report.failed:
        tell(session)
        return 1
    leases = update(resolved, ledger, _first_parent(repository), report)
    tell(session)
    if report.failed:
        return 1
    text, counts = write_ledger(leases), summary(ledger, leases)
    words = ", ".join(f"{number} {word}" for word, number in counts.items() if number)
    if text == repository.ledger.text:
        sys.stdout.write(f"{ledger.file} is up to date: {words or 'no leases'}\n")
        return 0
    if check:
        sys.stdout.write(f"{ledger.file} is not up to date: {words}; run `intentc ledger update`\n")
        return 2
    _write(repository.root / repository.spec.ledger, text)
    sys.stdout.write(f"wrote {ledger.file}: {words}\n")
    return 0


def _first_parent(repository: Repository) -> Ledger:
    """Return the ledger of git's first parent (empty where there is none): its leases were there first.

    While a merge is under way HEAD is the first parent; after it, HEAD^1 is.
    """
    merged = _git(repository.root, "rev-parse", "--verify", "--quiet", "HEAD^2") is not None
    text = _git(repository.root, "show", f"{'HEAD^1' if merged else 'HEAD'}:./{repository.spec.ledger}")
    return parse_ledger(Source(repository.ledger.file, text or ""), Report())


def _git(root: Path, *words: str) -> str | None:
    """Return what git prints; None where it refuses, or is not installed."""
    program = shutil.which("git")
    if program is None:
        return None
    done = subprocess.run([program, "-C", str(root), *words], capture_output=True, text=True, check=False)  # noqa: S603 -- fixed program and words, no shell
    return done.stdout if done.returncode == 0 else None


def _write(path: Path, text: str) -> None:
    """Replace the ledger as a whole: a crash leaves the old one."""
    beside = path.with_name(path.name + ".new")
    with beside.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)
