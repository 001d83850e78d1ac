"""A node's slice from a folder of rendered files, whatever happens to the folder."""

from __future__ import annotations

import itertools
import os
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler.agent.accept import fault
from reconciler.agent.tree import DirectorySource
from reconciler.drivers.base import DriverError, PermanentError, TransientError
from reconciler.drivers.directory import Directory
from reconciler.plan import plan
from renderers.resource import Key, Resource
from tests.agents import LIMIT, NODE, listed, resource, resources

VIEW = Resource(Key("vpp", f"node/{NODE}", "exec", "w1.exec"), {"text": "comment\n"}, "Node/w1", view=True)
OTHER = resource("table", "10 ipv4", {"id": 10}, where="node/edge/w2")


def written(root: Path, *wanted: Resource) -> Path:
    """Bring a tree to some objects, as the controller does."""
    driver = Directory("t", root)
    found = plan({"t": wanted}, {"t": driver.observe()})
    driver.commit(driver.stage(found.actions))
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return written(tmp_path / "tree", *resources(1, 2), VIEW, OTHER)


def source(root: Path, node: str = NODE) -> DirectorySource:
    return DirectorySource(root, node, look=0.02)


@pytest.mark.parametrize("node", [NODE, "w1"])
def test_only_the_objects_of_the_node_are_read(root: Path, node: str) -> None:
    found = source(root, node).read()
    assert listed(found.resources) == listed(resources(1, 2))
    assert fault(found, node) == ""
    assert "vpp/node/edge/w1 of 20" in found.revision


def test_nothing_of_the_tree_is_changed(root: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    source(root).read()
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_a_change_is_noticed(root: Path) -> None:
    looking = source(root)
    looking.read()
    begun = time.monotonic()
    assert looking.wait(0.2) is False
    assert time.monotonic() - begun > 0.15
    writer = threading.Timer(0.1, lambda: written(root, *resources(1), OTHER))
    writer.start()
    assert looking.wait(LIMIT) is True
    writer.join()
    assert listed(looking.read().resources) == listed(resources(1))


def test_a_change_of_another_node_is_none(root: Path) -> None:
    looking = source(root)
    looking.read()
    written(root, *resources(1, 2), VIEW)
    assert looking.wait(0.2) is False


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ("edge/w9", "there is nothing for node edge/w9"),
        ("core/w1", "there is nothing for node core/w1"),
        ("edge", "there is nothing for node edge"),
    ],
)
def test_a_node_that_is_not_there_is_no_empty_node(root: Path, node: str, words: str) -> None:
    with pytest.raises(PermanentError, match=words):
        source(root, node).read()


def test_a_name_of_two_nodes_has_to_be_told_apart(root: Path) -> None:
    written(root, *resources(1), resource("table", "10 ipv4", {"id": 1}, where="node/core/w1"))
    with pytest.raises(PermanentError, match=r"several folders .* say --node CLUSTER/NODE"):
        source(root, "w1").read()
    assert source(root, "core/w1").read().resources


def test_a_tree_that_is_gone_is_a_source_that_is_gone(root: Path) -> None:
    looking = source(root)
    looking.read()
    root.rename(root.with_name("aside"))
    assert looking.wait(LIMIT) is True
    with pytest.raises(TransientError, match="there is no folder"):
        looking.read()
    assert looking.wait(0.1) is False
    root.with_name("aside").rename(root)
    assert looking.wait(LIMIT) is True
    assert looking.read().resources


def test_a_node_that_lost_its_last_file_is_not_empty(root: Path) -> None:
    written(root, OTHER)
    with pytest.raises(PermanentError):
        source(root).read()


def test_a_node_is_empty_if_a_file_says_so(root: Path) -> None:
    written(root, OTHER)
    folder = root / "vpp" / "node" / "edge" / "w1"
    folder.mkdir()
    (folder / ".empty").touch()
    found = source(root).read()
    assert (found.resources, found.emptied) == ((), True)
    assert fault(found, NODE) == ""
    written(root, *resources(1), OTHER)
    assert "says that the node is empty, and holds 3 objects" in fault(source(root).read(), NODE)


@pytest.mark.parametrize("damage", ["cut", "torn", "doubled", "renamed", "binary"])
def test_damage_is_an_error(root: Path, damage: str) -> None:
    file = root / "vpp" / "node" / "edge" / "w1" / "policy.jsonl"
    raw = file.read_bytes()
    match damage:
        case "cut":
            file.write_bytes(raw[:-2])
        case "torn":
            file.write_bytes(raw.replace(b"}", b"", 1))
        case "doubled":
            file.write_bytes(raw + raw.splitlines(keepends=True)[-1])
        case "renamed":
            file.rename(file.with_name("policies.jsonl"))
        case "binary":
            file.write_bytes(raw.replace(b"cafe", b"\xff\xfe", 1))
    with pytest.raises(DriverError):
        source(root).read()


def test_every_cut_of_a_file_is_seen_or_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that somebody copies in place may be cut anywhere; steering without its policy is refused."""
    file = root / "vpp" / "node" / "edge" / "w1" / "policy.jsonl"
    raw = file.read_bytes()
    looking = source(root)
    monkeypatch.setattr("reconciler.agent.tree._SETTLED", 0.0)
    for at in range(len(raw)):
        file.write_bytes(raw[:at])
        with suppress(DriverError):
            assert fault(looking.read(), NODE), at


def test_what_is_written_to_all_the_time_is_not_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.agent.tree._SETTLED", 0.0)
    looking = source(root)
    file = root / "vpp" / "node" / "edge" / "w1" / "policy.jsonl"
    real, times = looking._seen, itertools.count(1)  # noqa: SLF001 -- the moment to write at

    def seen() -> object:
        at = next(times)
        os.utime(file, (at, at))  # as writing it does, where times are not coarse
        return real()

    monkeypatch.setattr(DirectorySource, "_seen", lambda _: seen())
    with pytest.raises(TransientError, match="is being written to"):
        looking.read()


def test_links_and_hidden_files_are_not_followed(root: Path, tmp_path: Path) -> None:
    folder = root / "vpp" / "node" / "edge" / "w1"
    shutil.copy(folder / "policy.jsonl", tmp_path / "aside")
    (folder / "other.jsonl").symlink_to(tmp_path / "aside")
    shutil.copy(folder / "policy.jsonl", folder / ".policy.jsonl.x7Q")
    (folder / "mine.txt").write_text("mine\n")
    assert listed(source(root).read().resources) == listed(resources(1, 2))


def test_a_closed_source_does_not_wait(root: Path) -> None:
    looking = source(root)
    looking.read()
    threading.Timer(0.1, looking.close).start()
    begun = time.monotonic()
    assert looking.wait(2 * LIMIT) is False
    assert time.monotonic() - begun < LIMIT


def test_a_file_that_goes_while_it_is_read_is_read_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever changes a tree is not told as a source that fails."""
    looking = source(root)
    real, gone = looking._seen, root / "vpp" / "node" / "edge" / "w1" / "steering.jsonl"  # noqa: SLF001 -- the moment

    def seen() -> object:
        found = real()
        gone.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(DirectorySource, "_seen", lambda _: seen())
    assert {item.key.type for item in looking.read().resources} == {"table", "policy"}


def test_a_file_that_goes_while_the_folder_is_listed_is_not_there(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def scandir(folder: Path) -> list[os.DirEntry[str]]:
        found = list(real(folder))
        (Path(folder) / "steering.jsonl").unlink(missing_ok=True)
        return found

    monkeypatch.setattr("reconciler.agent.tree.os.scandir", scandir)
    assert {item.key.type for item in source(root).read().resources} == {"table", "policy"}
