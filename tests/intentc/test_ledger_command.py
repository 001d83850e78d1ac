"""`intentc ledger`: the only writer of the file, and never of half a truth."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from intentc.cli import COMMANDS, run
from tests.ledgers import fabric, held_twice, lines, node
from tests.ledgers import network as bare
from tests.support import HEAD

LOCK = "intentc.lock"


def network(name: str, fabric: str, spec: str = "") -> str:
    """Return a network that a repository accepts; its zone takes one VLAN more."""
    return bare(name, fabric, spec=f"zone: red\n  {spec}")


def write(root: Path, *texts: str, name: str = "net.yaml", pools: str = "vlan: 100-103") -> None:
    """Write a repository, or replace one of its files."""
    (root / "intent").mkdir(exist_ok=True)
    (root / "intentc.yaml").write_text(
        f"{HEAD}kind: Project\nmetadata: {{name: t}}\nspec: {{pools: {{{pools}}}}}\n"
    )
    (root / "intent" / name).write_text("---\n".join(HEAD + text for text in texts))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, fabric("dc1"), network("n1", "dc1"))
    return tmp_path


def ledger(root: Path, *words: str) -> int:
    return run(["-C", str(root), "ledger", *words])


def test_an_update_writes_once_and_then_changes_no_byte(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ledger(root, "update") == 0
    assert "4 new" in capsys.readouterr().out
    before = (root / LOCK).stat()
    assert ledger(root, "update") == 0
    assert "is up to date: 4 kept" in capsys.readouterr().out
    after = (root / LOCK).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert sorted(path.name for path in root.iterdir()) == ["intent", LOCK, "intentc.yaml"]


def test_check_writes_nothing_and_says_2(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ledger(root, "update", "--check") == 2
    assert "not up to date: 4 new; run `intentc ledger update`" in capsys.readouterr().out
    assert not (root / LOCK).exists()
    assert ledger(root, "update") == 0
    assert ledger(root, "update", "--check") == 0


def test_removed_networks_are_freed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger(root, "update")
    write(root, fabric("dc1"))
    assert ledger(root, "update") == 0
    assert "4 freed" in capsys.readouterr().out
    assert all(row.endswith(" freed") for row in lines((root / LOCK).read_text()))


def test_show_prints_leases_of_a_pool(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger(root, "update")
    capsys.readouterr()
    assert ledger(root, "show") == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    for pool in ("vlan", "vlan@dc1"):
        assert ledger(root, "show", "--pool", pool) == 0
        rows = [row.split()[::2] for row in capsys.readouterr().out.splitlines()]
        assert rows == [["vlan@dc1", "VirtualNetwork/n1"], ["vlan@dc1", "zone/red/carrier/Fabric/dc1"]]
    assert ledger(root, "show", "--pool", "vlan@dc2") == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (network("n2", "dc9"), "IC2001"),
        (network("n2", "dc1", spec="nonsense: 1"), "IC1020"),
        (node("w1", spec="cables: [{nic: a, fabric: dc1, switch: leaf9, port: e1}]"), "IC2002"),
        (
            network("n2", "dc1", spec="vlan: 7") + "---\n" + HEAD + network("n3", "dc1", spec="vlan: 7"),
            "IC2506",
        ),
        ("\n---\n".join(HEAD * bool(n) + network(f"m{n}", "dc1") for n in range(9)), "IC2509"),
    ],
)
def test_nothing_is_written_while_intent_has_errors(
    root: Path, capsys: pytest.CaptureFixture[str], broken: str, code: str
) -> None:
    assert ledger(root, "update") == 0
    before = (root / LOCK).read_bytes()
    write(root, broken, name="broken.yaml")
    assert ledger(root, "update") == 1
    assert f"[{code}]" in capsys.readouterr().err
    assert (root / LOCK).read_bytes() == before
    assert not (root / f"{LOCK}.new").exists()


def test_nothing_is_written_over_a_ledger_that_cannot_be_read(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger(root, "update")
    (root / LOCK).write_text("<<<<<<< HEAD\n" + (root / LOCK).read_text())
    before = (root / LOCK).read_bytes()
    assert ledger(root, "update") == 1
    assert "[IC2502]" in capsys.readouterr().err
    assert ledger(root, "show") == 1
    assert (root / LOCK).read_bytes() == before


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"ledger", "init", "schema", "explain"}))
def test_no_other_command_writes_the_ledger(root: Path, command: str) -> None:
    words = {
        "graph": ["--out", str(root / "picture.svg")],
        "facts": ["show"],
        "render": ["--out", str(root / "out")],
        "run": ["--remote", str(root), "--state", str(root / "state"), "--once"],
        "agent": [*["--node", "w1", "--once", "--from"], f"git+{root}", "--state", str(root / "agent")],
    }
    try:
        run(["-C", str(root), command, *words.get(command, [])])
    except SystemExit:
        pytest.fail(f"{command} does not take the arguments of this test")
    assert not (root / LOCK).exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_no_traceback(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root.chmod(0o500)
    try:
        assert ledger(root, "update") == 1
    finally:
        root.chmod(0o700)
    assert "cannot write" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_no_traceback(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / f"{LOCK}.new").mkdir()
    assert ledger(root, "update") == 1
    assert "cannot write" in capsys.readouterr().err


# Two branches, with git


class Branches:
    """A git repository of intent."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / ".gitattributes").write_text(f"{LOCK} merge=union\n")
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> None:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", "-C", str(self.root), *who, *words], check=True, capture_output=True)

    def commit(self, *networks: str) -> None:
        for name in networks:
            write(self.root, network(name, "dc1"), name=f"{name}.yaml")
        assert ledger(self.root, "update") == 0
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "work")

    @property
    def text(self) -> str:
        return (self.root / LOCK).read_text()


@pytest.fixture
def branches(root: Path) -> Branches:
    """Two branches that took the same VLAN; main is checked out."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    found = Branches(root)
    found.commit()
    found.git("switch", "-q", "-c", "feature")
    found.commit("b1", "b2")
    found.git("switch", "-q", "main")
    found.commit("a1", "a2")
    write(root, fabric("dc1"), network("n1", "dc1"), pools="vlan: 100-109")
    return found


def test_after_a_merge_the_lease_of_the_first_parent_stays_and_the_move_is_named(
    branches: Branches, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = set(lines(branches.text))
    branches.git("stash", "-q")
    branches.git("merge", "-q", "--no-edit", "feature")
    branches.git("stash", "pop", "-q")
    assert held_twice(branches.text)
    capsys.readouterr()
    assert run(["-C", str(branches.root), "validate"]) == 1
    assert "[IC2504]" in capsys.readouterr().err
    assert ledger(branches.root, "update") == 0
    assert "moved: VirtualNetwork/b" in capsys.readouterr().out
    assert ours <= set(lines(branches.text))
    assert not held_twice(branches.text)
    assert run(["-C", str(branches.root), "validate"]) == 0


def test_base_names_the_leases_that_stay(branches: Branches) -> None:
    branches.git("stash", "-q")
    branches.git("merge", "-q", "--no-edit", "feature")
    branches.git("stash", "pop", "-q")
    assert ledger(branches.root, "update", "--base", "feature") == 0
    assert any("VirtualNetwork/b1 vlan" in row for row in lines(branches.text))
    kept = subprocess.run(
        ["git", "-C", str(branches.root), "show", f"feature:{LOCK}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(lines(kept.stdout)) <= set(lines(branches.text))


def test_an_unknown_base_is_an_error(branches: Branches, capsys: pytest.CaptureFixture[str]) -> None:
    branches.git("stash", "-q")
    branches.git("merge", "-q", "--no-edit", "feature")
    before = branches.text
    assert ledger(branches.root, "update", "--base", "nowhere") == 1
    assert "nowhere" in capsys.readouterr().err
    assert branches.text == before


def test_an_unknown_base_is_an_error_where_nothing_clashes_too(
    branches: Branches, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ledger(branches.root, "update", "--base", "nowhere") == 1
    assert "nowhere" in capsys.readouterr().err


def test_without_git_a_clash_is_left_to_a_person(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, fabric("dc1"), network("n1", "dc1"), network("n2", "dc1"))
    ledger(root, "update")
    rows = (root / LOCK).read_text().splitlines()
    value = next(row for row in rows if row.startswith("VirtualNetwork/n1 vlan")).split()[2]
    rows = [f"{row.rsplit(' ', 1)[0]} {value}" if "vlan" in row else row for row in rows]
    (root / LOCK).write_text("\n".join([*rows, ""]))
    monkeypatch.setenv("PATH", "")
    before = (root / LOCK).read_bytes()
    assert ledger(root, "update") == 1
    assert "[IC2504]" in capsys.readouterr().err
    assert (root / LOCK).read_bytes() == before


def test_a_hook_of_another_work_tree_does_not_mislead(
    branches: Branches, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = set(lines(branches.text))
    branches.git("stash", "-q")
    branches.git("merge", "-q", "--no-edit", "feature")
    branches.git("stash", "pop", "-q")
    monkeypatch.setenv("GIT_DIR", ".git")
    monkeypatch.chdir(branches.root / "intent")
    assert ledger(Path(".."), "update") == 0
    assert ours <= set(lines(branches.text))


def test_a_ledger_that_is_lost_is_not_drawn_anew(
    branches: Branches, capsys: pytest.CaptureFixture[str]
) -> None:
    (branches.root / LOCK).unlink()
    capsys.readouterr()
    assert ledger(branches.root, "update") == 1
    assert "restore it from git" in capsys.readouterr().err
    assert not (branches.root / LOCK).exists()
    branches.git("commit", "-q", "-a", "-m", "new ids, on purpose")
    assert ledger(branches.root, "update") == 0
