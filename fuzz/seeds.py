"""What fuzzing begins with: the example of every kind, a real plan and its journal, and the words in them."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from compiler.ledger.leases import HEADER
from intent.kinds import KINDS
from intentc.cli import run
from reconciler import bound
from reconciler.drivers.base import Outcome
from reconciler.journal import Journal

_INTENT: Final = {
    "intentc.yaml": "apiVersion: intentc.dev/v1alpha1\nkind: Project\nmetadata: {name: p}\nspec: {}\n",
    "intent/a.yaml": """\
apiVersion: intentc.dev/v1alpha1
kind: Fabric
metadata: {name: dc1}
spec:
  provider: frr
  switches: [{name: leaf1, loopback: 10.0.0.1, asn: 65001}]
---
apiVersion: intentc.dev/v1alpha1
kind: VirtualNetwork
metadata: {name: red}
spec:
  attachments: [{type: bareMetal}]
  extendToFabric: true
---
apiVersion: intentc.dev/v1alpha1
kind: FabricAttachment
metadata: {name: red}
spec: {network: red, ports: [{fabric: dc1, switch: leaf1, port: e1}]}
""",
}
"""A repository whose plan is small."""
_LEDGERS: Final = (
    f"{HEADER}\nVirtualNetwork/a vni 5\nVirtualNetwork/b vni 6 freed\n".encode(),
    f"{HEADER}\nNode/a pods@c 10.0.0.0/24\n<<<<<<< ours\nNode/b pods@c 10.0.0.0/16\n".encode(),
)
_ODD: Final = (
    "a: &a [x]\nb: *a\n? c\n: {d: |\n  e\n}\n",
    "- !x 1\n- <<: 2\n- 010\n- 1:30\n- no\n- 'it''s'\n- \"\\u00fc\"\n- >-\n  folded\n  text\n",
    "%YAML 1.1\n---\na: 1\n...\n---\n# nothing\n--- null\n",
    "a: \u202e\n",
    "a: 1\na: 2\n",
)


def seeds(target: str) -> list[bytes]:
    """Return inputs of one target: some that are good, and some that are not."""
    if target == "loader":
        return [text.encode() for text in (*(kind.example for kind in KINDS.values()), *_ODD)]
    if target == "ledger":
        return list(_LEDGERS)
    with TemporaryDirectory() as folder:
        saved = _saved(Path(folder))
        return [saved.encode()] if target == "plan" else [_journal(saved, Path(folder))]


def words() -> list[str]:
    """Return words that mean something in one of the inputs."""
    known = {word for kind in KINDS.values() for word in re.findall(r"[A-Za-z0-9./:-]{2,30}", kind.example)}
    signs = (
        "---\n",
        "\n- ",
        ": ",
        "  ",
        "&a ",
        "*a",
        "<<: ",
        "!!",
        "? ",
        "| \n",
        "{n}",
        "{n+1:02}",
        "[[",
        "}}",
    )
    return sorted({*known, *signs, "begin", "actions", "freed", "before", "after", "digest"})


def _saved(root: Path) -> str:
    """Return a small plan as it is saved."""
    for name, text in _INTENT.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    plan = root / "plan.json"
    run(["-C", str(root), "ledger", "update"])
    run(["-C", str(root), "plan", "--out", str(plan)])
    return plan.read_text(encoding="utf-8")


def _journal(saved: str, folder: Path) -> bytes:
    """Return the journal of a run of a plan in which one phase was done, one failed, and one broke off."""
    plan = bound.read(saved).plan
    one, two, *rest = plan.actions
    with Journal(folder / "journal", plan, float).open("plan-1", "somebody", {"default": 7}) as journal:
        journal.begin([one])
        journal.end([Outcome(one, "done")], str)
        journal.begin([two])
        journal.end([Outcome(two, "failed", "no such switch")], str)
        journal.begin(rest)
        journal.record({"stopped": "the lease was lost"})
    return journal.path.read_bytes()
