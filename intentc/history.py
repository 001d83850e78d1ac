"""What git knows of the ledger's past: which leases were there first, when two branches took one id.

The answer is the newest version on the first-parent line in which nothing is held twice: the first parent
while a merge is under way and after it, the branch below after a rebase or squash. What it holds stays.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from compiler.ledger.leases import Ledger, clashes, parse_ledger
from intent.diagnostics import Report
from intent.source import Source
from reconciler.git import ask

_VERSIONS: Final = 100
"""So many versions are looked through; a clash is mended long before."""


def settled_ledger(root: Path, name: str, base: str | None = None) -> Ledger | None:
    """Return the ledger whose leases stay (that of `base`, where it is said); None where git has none."""
    lines = [base] if base else ["HEAD", *_changes(root, name)]
    for revision in lines:
        text = ask(root, "show", "--no-textconv", "--end-of-options", f"{revision}:./{name}")
        report = Report()
        ledger = parse_ledger(Source(name, text or ""), report)
        if text is not None and not report.failed and not any(clashes(ledger.leases)):
            return ledger
    return None


def _changes(root: Path, name: str) -> list[str]:
    """Return the commits of the first-parent line that changed the ledger, newest first."""
    limit = f"--max-count={_VERSIONS}"
    return (ask(root, "rev-list", "--first-parent", limit, "HEAD", "--", name) or "").split()
