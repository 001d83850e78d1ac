"""Show, update or clean up the leases of ids (intentc.lock). Nothing else writes that file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from compiler.ledger.allocate import changes, update
from compiler.ledger.leases import Lease, Ledger, clashes, parse_ledger, write_ledger
from compiler.passes import Compiled, check_intent
from intent.diagnostics import Report, did_you_mean
from intent.files import Folder
from intent.repository import Repository, open_repository
from intentc.files import replace_file
from intentc.history import settled_ledger
from intentc.session import Session, begin, tell
from intentc.work import prepare

_GOES_WITH: Final = {"--pool": "show", "--check": "update", "--base": "update"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    action = (
        "show: print leases; update: draw what is missing, free what is not asked for; "
        "gc: take freed leases away, once the targets show that nothing is left of them"
    )
    parser.add_argument("action", choices=("show", "update", "gc"), help=action)
    parser.add_argument("--pool", help="show: only leases of this pool, for example vlan@dc1")
    check = "update: write nothing, exit 2 where something would change"
    parser.add_argument("--check", action="store_true", help=check)
    base = (
        "update: the revision whose leases stay where two branches took one id (default: git's first parent)"
    )
    parser.add_argument("--base", metavar="REV", help=base)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    given = {"--pool": options.pool, "--check": options.check, "--base": vars(options).get("base")}
    for option, said in given.items():
        if said and _GOES_WITH[option] != options.action:
            sys.stderr.write(f"intentc: {option} goes with `ledger {_GOES_WITH[option]}`\n")
            return 1
    if options.action == "gc":
        return _collect(begin(options.root))
    report = Report()
    repository, texts = open_repository(Folder(options.root, Path.cwd()), report)
    session = Session(options.root, report, texts, repository, Compiled())
    if repository is None or report.failed:
        tell(session)
        return 1
    ledger = parse_ledger(repository.ledger, report)
    if options.action == "show":
        return _show(session, ledger, options.pool)
    if not repository.ledger.text and settled_ledger(session.root, repository.spec.ledger, "HEAD"):
        sys.stderr.write(f"intentc: {ledger.file} is gone, but the last commit has it: ids would change\n")
        sys.stderr.write("  hint: restore it from git; if new ids are meant, commit its removal first\n")
        return 1
    settled, base = None, vars(options).get("base")
    # Whose lease is older matters only where two clash, or where somebody says that it does.
    if base or any(clashes(ledger.leases)):
        settled = settled_ledger(session.root, repository.spec.ledger, base)
        if base and settled is None:
            sys.stderr.write(f"intentc: revision {base} holds no ledger that nothing clashes in\n")
            return 1
    return _update(session, repository, (ledger, settled), check=options.check)


def _show(session: Session, ledger: Ledger, pool: str | None) -> int:
    tell(session)
    chosen = [lease for lease in ledger.leases if pool in (None, lease.pool, lease.pool.partition("@")[0])]
    for lease in chosen:
        mark = "  (freed)" if lease.freed else ""
        sys.stdout.write(f"{lease.pool:24} {lease.value:40} {lease.owner}{mark}\n")
    if pool is not None and not chosen:
        known = {name for lease in ledger.leases for name in (lease.pool, lease.pool.partition("@")[0])}
        hint = did_you_mean(pool, (name for name in known if ("@" in name) == ("@" in pool)))
        sys.stderr.write(
            f"intentc: {ledger.file} holds no lease of pool {pool!r}{'; ' + hint if hint else ''}\n"
        )
    return 1 if session.report.failed else 0


def _update(
    session: Session, repository: Repository, ledgers: tuple[Ledger, Ledger | None], *, check: bool
) -> int:
    report, (ledger, settled) = session.report, ledgers
    resolved = check_intent(repository.project, repository.intents, repository.facts, report)
    leases = update(resolved, ledger, settled, report) if resolved is not None and not report.failed else ()
    tell(session)
    # Half of the leases would be worse than none: what is wrong is mended first.
    if report.failed:
        return 1
    found = changes(ledger, leases)
    words = ", ".join(f"{number} {word}" for word, number in found.counts.items() if number)
    if write_ledger(leases) == repository.ledger.text:
        sys.stdout.write(f"{ledger.file} is up to date: {words or 'no leases'}\n")
        return 0
    for before, after in found.moved:
        sys.stdout.write(f"moved: {after.owner} {after.pool} {before.value} → {after.value}\n")
    if check:
        sys.stdout.write(f"{ledger.file} is not up to date: {words}; run `intentc ledger update`\n")
        return 2
    return _write(session.root, repository, leases, words or "no leases")


def _collect(session: Session) -> int:
    """Take freed leases away: only when every target was read as a whole and is as intent wants it."""
    tell(session)
    repository, ledger = session.repository, session.compiled.ledger
    if repository is None or ledger is None or session.compiled.graph is None:
        return 1
    kept = [lease for lease in ledger.leases if not lease.freed]
    freed = len(ledger.leases) - len(kept)
    if not freed:
        sys.stdout.write(f"{ledger.file} holds no freed lease\n")
        return 0
    work = prepare(session)
    if work is None:
        return 1
    if work.plan.actions or work.incomplete:
        sys.stderr.write("intentc: the targets are not as intent wants them: freed ids may be in use\n")
        sys.stderr.write("  hint: run `intentc apply` until `intentc plan` is empty; no lease was removed\n")
        return 1
    return _write(session.root, repository, kept, f"{freed} freed leases removed")


def _write(root: Path, repository: Repository, leases: Iterable[Lease], words: str) -> int:
    """Replace the ledger, and say what became of it."""
    path, shown = root / repository.spec.ledger, repository.ledger.file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, write_ledger(leases))
    except OSError as error:
        sys.stderr.write(f"intentc: cannot write {shown}: {error.strerror}; it is as it was\n")
        return 1
    sys.stdout.write(f"wrote {shown}: {words}\n")
    return 0
