"""The line of intent that is named behind a field that changes: the one that was edited, and no neighbour."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from intentc.cli import run
from tests.review_cases import commit, start

EXAMPLES = Path(__file__).parents[3] / "examples"
Capture = pytest.CaptureFixture[str]
EDITS = {
    "vlan": ("upf-sriov", "networks.yaml", "  vlan: 1404", "  vlan: 1405"),
    "mtu": ("upf-sriov", "networks.yaml", "  mtu: 9000", "  mtu: 8900"),
    "next hop": ("two-datacentres", "nodes.yaml", "    nextHop: fd11::ffff", "    nextHop: fd11::fffe"),
}
ROWS = {
    "vlan": (
        "bound_to: - ",
        "reserved_vlan_id: ",
        "metadata.annotations.intentc.dev/fabric.vlan: ",
        "spec.vlan: ",
    ),
    "mtu": ("l3_mtu: ",),
    "next hop": ("next_hop: ",),
}


def copied(folder: Path, example: str) -> Path:
    root = start(folder)
    ignored = shutil.ignore_patterns("rendered", ".git")
    shutil.copytree(EXAMPLES / example, root, ignore=ignored, dirs_exist_ok=True)
    commit(root, "as it was")
    return root


def edit(root: Path, file: str, old: str, new: str) -> int:
    """Replace one line and return its number."""
    path = root / "intent" / file
    lines = path.read_text().splitlines()
    at = lines.index(old)
    lines[at] = new
    path.write_text("\n".join(lines) + "\n")
    return at + 1


@pytest.mark.parametrize("command", ["plan", "diff"])
@pytest.mark.parametrize("name", EDITS)
def test_a_field_names_the_line_that_was_edited(
    name: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    example, file, old, new = EDITS[name]
    root = copied(tmp_path / "repo", example)
    monkeypatch.chdir(root)
    if command == "plan":
        assert run(["apply", "--yes"]) == 0
    line = edit(root, file, old, new)
    capsys.readouterr()
    assert run([command]) == 2
    rows = capsys.readouterr().out.splitlines()
    for field in ROWS[name]:
        row = next(row for row in rows if row.strip().startswith(field))
        assert f"   intent/{file}:{line}:" in row, row


def test_what_is_far_from_a_field_and_was_edited_is_named_before_its_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    root = copied(tmp_path / "repo", "two-datacentres")
    monkeypatch.chdir(root)
    line = edit(root, "underlay.yaml", "    - name: p3", "    - name: p3\n      state: drain")
    assert run(["ledger", "update"]) == 0
    capsys.readouterr()
    assert run(["diff"]) == 2
    rows = capsys.readouterr().out.splitlines()
    changes = [row for row in rows if row.strip().startswith(("lists: -", "bsid: "))]
    assert {row.strip().partition(":")[0] for row in changes} == {"lists", "bsid"}
    # Where the policy goes, only the old side says what it took from p3.
    places = (f"   HEAD:intent/underlay.yaml:{line}:", f"   intent/underlay.yaml:{line + 1}:")
    assert all(any(place in row for place in places) for row in changes), changes


def test_what_a_removed_line_caused_names_it_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    root = copied(tmp_path / "repo", "two-datacentres")
    monkeypatch.chdir(root)
    policies = root / "intent/policies.yaml"
    start = policies.read_text().splitlines().index("  name: core-by-p2") - 2  # the document begins there
    policies.unlink()
    assert run(["ledger", "update"]) == 0
    capsys.readouterr()
    assert run(["diff"]) == 2
    rows = capsys.readouterr().out.splitlines()
    assert any(
        "delete srpolicy" in row
        and row.endswith(f"(SRv6Policy/core-by-p2)   HEAD:intent/policies.yaml:{start}:1")
        for row in rows
    )
    mtu = [row for row in rows if row.strip().startswith("plugins.0.mtu: ")]
    assert mtu
    assert all("   HEAD:intent/policies.yaml:" in row and "(longest list" in row for row in mtu)


def test_a_deletion_names_the_line_that_was_edited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    root = copied(tmp_path / "repo", "upf-sriov")
    monkeypatch.chdir(root)
    line = edit(root, "workloads.yaml", "  preProvision: true", "  preProvision: false")
    assert run(["diff"]) == 2
    out = capsys.readouterr().out
    (row, *_) = [row for row in out.splitlines() if "- delete" in row]
    assert f"(Node/upf-1)   HEAD:intent/workloads.yaml:{line}:17 (every node" in row
    assert "end the commit message with 'Intentc-Allow-Delete: assignment=6'" in out
