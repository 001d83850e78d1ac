"""What is read from a folder, and what is refused before it is parsed."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from intent.files import MAX_FILE_BYTES, Folder, Unreadable
from intent.source import Source

ALL = ("**/*.yaml",)


def refused(root: Path) -> dict[str, str]:
    """Return the codes of what could not be read, by file."""
    return {entry.file: entry.code for entry in Folder(root).match(ALL) if isinstance(entry, Unreadable)}


def texts(root: Path, *patterns: str) -> dict[str, str]:
    found = Folder(root).match(patterns or ALL)
    assert all(isinstance(entry, Source) for entry in found), found
    return {entry.file: entry.text for entry in found if isinstance(entry, Source)}


def test_files_come_sorted_and_once(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.yaml", "a.yaml", "sub/c.yaml", "notes.txt"):
        (tmp_path / name).write_text(name)
    found = Folder(tmp_path).match(("**/*.yaml", "*.yaml", "sub/*"))
    assert [entry.file for entry in found] == ["a.yaml", "b.yaml", "sub/c.yaml"]


def test_names_are_shown_relative_to_where_the_user_is(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    root.mkdir()
    (root / "a.yaml").write_text("x")
    assert [entry.file for entry in Folder(root, tmp_path).match(ALL)] == ["repo/a.yaml"]
    (tmp_path / "other").mkdir()
    assert [entry.file for entry in Folder(root, tmp_path / "other").match(ALL)] == ["../repo/a.yaml"]


def test_hidden_files_and_folders_are_left_alone(tmp_path: Path) -> None:
    for name in (".git", ".hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.yaml").write_text("x")
    (tmp_path / ".b.yaml").write_text("x")
    (tmp_path / "c.yaml").write_text("x")
    assert list(texts(tmp_path)) == ["c.yaml"]


def test_an_empty_file_is_a_source(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").touch()
    assert texts(tmp_path) == {"a.yaml": ""}


@pytest.mark.parametrize("pattern", ["../*.yaml", "/etc/*.yaml", "a/../../*.yaml"])
def test_patterns_never_leave_the_root(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "outside.yaml").write_text("x")
    root = tmp_path / "repo"
    (root / "a").mkdir(parents=True)
    assert Folder(root).match((pattern,)) == []


def test_a_link_out_of_the_repository_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text("secret")
    root = tmp_path / "repo"
    root.mkdir()
    (root / "a.yaml").symlink_to("../outside.yaml")
    (root / "b.yaml").symlink_to("/etc/passwd")
    assert refused(root) == {"a.yaml": "IC1002", "b.yaml": "IC1002"}


def test_a_folder_behind_a_link_out_of_the_repository_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a.yaml").write_text("secret")
    root = tmp_path / "repo"
    root.mkdir()
    (root / "sub").symlink_to("../outside")
    found = Folder(root).match(("sub/*.yaml",))
    assert [entry.code for entry in found if isinstance(entry, Unreadable)] == ["IC1002"]


def test_a_link_inside_the_repository_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("x")
    (tmp_path / "b.yaml").symlink_to("a.yaml")
    assert texts(tmp_path) == {"a.yaml": "x", "b.yaml": "x"}


def test_a_repository_may_itself_be_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.yaml").write_text("x")
    (tmp_path / "link").symlink_to("real")
    assert texts(tmp_path / "link") == {"a.yaml": "x"}


def test_broken_and_circular_links_are_refused(tmp_path: Path) -> None:
    (tmp_path / "gone.yaml").symlink_to("nowhere.yaml")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    assert refused(tmp_path) == {"gone.yaml": "IC1001", "loop.yaml": "IC1001"}


def test_a_pipe_does_not_hang_the_run(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    assert refused(tmp_path) == {"a.yaml": "IC1003"}


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket is at most 108 bytes long
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("a.yaml")
        assert refused(tmp_path) == {"a.yaml": "IC1001"}


def test_a_device_is_refused(tmp_path: Path) -> None:
    try:
        os.mknod(tmp_path / "a.yaml", 0o600 | stat.S_IFCHR, os.makedev(1, 5))
        (tmp_path / "a.yaml").open("rb").close()
    except OSError as error:
        pytest.skip(f"devices cannot be made here: {error.strerror}")
    assert refused(tmp_path) == {"a.yaml": "IC1003"}


def test_a_folder_with_the_name_of_a_file_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").mkdir()
    assert Folder(tmp_path).match(ALL) == []


def test_a_folder_that_cannot_be_read_is_not_taken_for_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "intent" / "closed"
    closed.mkdir(parents=True)
    (closed.parent / "a.yaml").write_text("x")
    scandir = os.scandir

    def refuse(path: Path) -> Any:  # root may read everything, so the system cannot be made to refuse
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr("os.scandir", refuse)
    file, folder = Folder(tmp_path).match(("intent/**/*.yaml",))
    assert isinstance(file, Source)
    assert isinstance(folder, Unreadable)
    assert (folder.file, folder.code) == ("intent/closed", "IC1001")
    assert "Permission denied" in folder.why


def test_a_link_to_a_folder_is_not_overlooked(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "b.yaml").write_text("x")
    (tmp_path / "intent").mkdir()
    (tmp_path / "intent" / "site").symlink_to("../shared")
    (entry,) = Folder(tmp_path).match(("intent/**/*.yaml",))
    assert isinstance(entry, Unreadable)
    assert (entry.file, entry.code) == ("intent/site", "IC1001")
    assert list(texts(tmp_path, "intent/site/*.yaml")) == ["intent/site/b.yaml"]


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.yaml").open("wb") as stream:
        stream.truncate(MAX_FILE_BYTES + 1)
    (tmp_path / "b.yaml").write_bytes(b"x" * 10)
    (entry, other) = Folder(tmp_path).match(ALL)
    assert isinstance(entry, Unreadable)
    assert (entry.code, entry.why) == ("IC1004", "this file has 8388609 bytes; the limit is 8 MiB")
    assert isinstance(other, Source)


def test_a_file_of_the_greatest_size_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"#" * MAX_FILE_BYTES)
    assert len(texts(tmp_path)["a.yaml"]) == MAX_FILE_BYTES


def test_bytes_that_are_not_utf_8_are_located(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"a: b\nc: S\xfcd\n")
    (entry,) = Folder(tmp_path).match(ALL)
    assert isinstance(entry, Unreadable)
    assert (entry.code, entry.why) == ("IC1005", "byte 9 of this file is not UTF-8")
    assert (entry.line, entry.column) == (2, 5)


def test_utf_16_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes("a: b".encode("utf-16"))
    assert refused(tmp_path) == {"a.yaml": "IC1005"}


def test_text_is_handed_on_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes("\ufeffa: ü\r\n".encode())
    assert texts(tmp_path) == {"a.yaml": "\ufeffa: ü\r\n"}


def test_a_file_name_that_is_not_utf_8_can_be_shown(tmp_path: Path) -> None:
    try:
        (tmp_path / "s\udcfcd.yaml").write_text("x")
    except OSError as error:
        pytest.skip(f"the file system takes no such name: {error.strerror}")
    assert list(texts(tmp_path)) == ["s\\udcfcd.yaml"]


def test_a_missing_file_is_none_and_not_unreadable(tmp_path: Path) -> None:
    assert Folder(tmp_path).read("intentc.lock") is None


def test_a_link_that_leads_nowhere_is_not_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "intentc.lock").symlink_to("nowhere")
    entry = Folder(tmp_path).read("intentc.lock")
    assert isinstance(entry, Unreadable)
    assert (entry.file, entry.code) == ("intentc.lock", "IC1001")
    assert "symbolic link leads to nothing" in entry.why


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "intentc.yaml").mkdir()
    entry = Folder(tmp_path).read("intentc.yaml")
    assert isinstance(entry, Unreadable)
    assert (entry.file, entry.code) == ("intentc.yaml", "IC1003")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_searched_is_no_crash(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.yaml").write_text("x")
    (tmp_path / "sub").chmod(0o400)
    try:
        assert refused(tmp_path) == {"sub/a.yaml": "IC1001"}
    finally:
        (tmp_path / "sub").chmod(0o700)
