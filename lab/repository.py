"""The example two-datacentres for a lab: a copy, whose cluster `edge` runs on Linux, in namespaces.

The example stays the one source: what differs is said here, line by line.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

from lab.spaces import ROOT, LabError, Spaces

EXAMPLE: Final = ROOT / "examples" / "two-datacentres"
CLUSTER: Final = "edge"
NODES: Final = ("east-1", "east-2", "east-3", "west-1", "west-2", "west-3")
POLICIES: Final = "intent/policies.yaml"


def copy(folder: Path, spaces: Spaces, nodes: tuple[str, ...] = NODES, encapsulation: str = "full") -> None:
    """Write the copy: other data plane, targets in namespaces, and no network that needs a VRF device."""
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("rendered", ".intentc"))
    edge = folder / "intent" / "edge.yaml"
    text = edge.read_text().partition("\n---\n")[
        0
    ]  # the network `metrics` and what is said about it come after
    text = _replaced(text, "dataplane: vpp", "dataplane: linux")
    text = _replaced(text, "  srv6:\n", f"  srv6:\n    encapsulation: {encapsulation}\n")
    edge.write_text(text)
    lines = ["    - {name: review, families: [frr, cni, kubernetes, srpolicy]}"]
    lines += [
        f"    - {{name: {node}, type: linux, node: {node}, netns: {spaces.name(node)}}}" for node in nodes
    ]
    root = folder / "intentc.yaml"
    root.write_text(
        _replaced(root.read_text(), "spec: {}\n", "spec:\n  targets:\n" + "\n".join(lines) + "\n")
    )


def prefer(folder: Path, candidate: str) -> None:
    """Give a candidate path of policy east-to-west the highest preference, and all others a low one."""
    path = folder / POLICIES
    head, _, rest = path.read_text().partition("\n---\n")
    found = re.sub(
        r"(- name: (\S+)\n\s+preference: )\d+",
        lambda match: f"{match[1]}{300 if match[2] == candidate else 100}",
        head,
    )
    if candidate not in head:
        raise LabError(f"policy east-to-west has no candidate path {candidate}")
    path.write_text(f"{found}\n---\n{rest}")


def _replaced(text: str, old: str, new: str) -> str:
    if text.count(old) != 1:
        raise LabError(
            f"the example does not say {old.strip()!r} once any more; bring lab/repository.py up to it"
        )
    return text.replace(old, new)
