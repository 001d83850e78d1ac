"""The cache on disk: whatever is wrong with it, it is as if there were none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from intent import documents, source
from intent.diagnostics import Report
from intent.source import Source
from intentc import cache
from intentc.cache import remembering

TEXT: Final = "---\n".join(f"name: n{number}\nvalue: {number}\n" for number in range(200))
ROOT: Final = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("INTENTC_CACHE")
    (tmp_path / "root").mkdir()
    return tmp_path


def read(home: Path, text: str = TEXT, root: str = "root", maker: ModuleType = documents) -> int:
    """Read a text, and return how many of its documents the cache did not know; 0 without a cache."""
    report = Report()
    with remembering(home / root, "intent", maker) as memory:
        reader = memory.parse if memory else documents.parse
        found = reader(Source("a.yaml", text), report)
    plain = documents.parse(Source("a.yaml", text), Report())
    assert [list(document.places()) for document in found] == [list(document.places()) for document in plain]
    assert not report.found
    return len(memory.news) if memory else 0


def shards(home: Path) -> list[Path]:
    return sorted((home / "cache").rglob("*.json"))


def test_what_was_read_is_known_to_the_next_run(home: Path) -> None:
    assert read(home) == 200
    assert read(home) == 0
    assert len(shards(home)) == 16
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in shards(home))
    assert {path.parent.stat().st_mode & 0o777 for path in shards(home)} == {0o700}


def test_a_change_writes_one_shard_anew(home: Path) -> None:
    read(home)
    before = {path: path.stat().st_ino for path in shards(home)}
    assert read(home, TEXT.replace("value: 7\n", "value: seven\n")) == 1
    assert sum(path.stat().st_ino != before[path] for path in shards(home)) == 1


def test_what_is_not_asked_for_is_forgotten(home: Path) -> None:
    read(home)
    size = sum(path.stat().st_size for path in shards(home))
    read(home, TEXT.replace("name", "noun"))
    read(home, TEXT.replace("name", "word"))
    assert sum(path.stat().st_size for path in shards(home)) == size
    assert read(home) == 200


def test_repositories_and_stages_do_not_meet(home: Path) -> None:
    read(home)
    assert read(home, root="other") == 200
    with remembering(home / "root", "targets", documents) as memory:
        assert memory
        assert not memory.known


def test_another_version_of_a_maker_knows_nothing(home: Path) -> None:
    read(home)
    assert read(home, maker=source) == 200


def test_off(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTENTC_CACHE", "off")
    assert read(home) == 0
    assert not (home / "cache").exists()


def test_a_path_of_the_environment_must_be_absolute(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "somewhere")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    read(home)
    assert not (home / "somewhere").exists()
    assert list((home / ".cache").rglob("*.json"))


def test_nothing_is_kept_of_a_run_that_broke(home: Path) -> None:
    with pytest.raises(KeyError), remembering(home / "root", "intent", documents) as memory:  # noqa: PT012 -- both
        assert memory
        memory.parse(Source("a.yaml", TEXT), Report())
        raise KeyError
    assert not shards(home)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def lied(path: Path) -> None:
    """Write another value, and leave the seal."""
    path.write_bytes(path.read_bytes().replace(b'"value":', b'"VALUE":'))


def replaced(path: Path) -> None:
    path.unlink()
    path.mkdir()


def linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def opened(path: Path) -> None:
    path.chmod(0o666)


def bloated(path: Path) -> None:
    with path.open("ab") as stream:
        stream.truncate(cache.LARGEST + 1000)


def nested(path: Path) -> None:
    path.write_bytes(b"[" * 1_000_000)


FAULTS: Final = (truncated, emptied, flipped, lied, replaced, linked, piped, opened, bloated, nested)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_shard_is_no_shard(home: Path, fault: Callable[[Path], None]) -> None:
    read(home)
    before = shards(home)
    for path in before:
        fault(path)
    assert read(home) == 200
    if fault is not replaced:
        assert read(home) == 0


def test_a_folder_that_others_write_is_not_used(home: Path) -> None:
    read(home)
    (folder,) = {path.parent for path in shards(home)}
    for place in (folder, folder.parent):
        place.chmod(0o770)
        assert read(home) == 200
        place.chmod(0o700)
    assert read(home) == 0


def test_a_link_in_place_of_the_folder_is_not_followed(home: Path) -> None:
    read(home)
    (folder,) = {path.parent for path in shards(home)}
    folder.rename(home / "moved")
    folder.symlink_to(home / "moved")
    assert read(home) == 200


def test_a_folder_of_somebody_else_is_not_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read(home)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert read(home) == 200


def test_no_place_for_a_cache(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "cache").write_text("a file is in the way")
    assert read(home) == 200
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    assert read(home) == 200


def test_a_full_disk(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read(home)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "_replace", full)
    assert read(home, TEXT.replace("name", "noun")) == 200
    assert read(home) == 0


def test_what_json_cannot_hold_is_not_kept(home: Path) -> None:
    with remembering(home / "root", "intent", documents) as memory:
        assert memory
        memory.recall(b"x", lambda: "\ud800")
    assert not shards(home)
    assert read(home) == 200


def test_two_processes_at_once(home: Path) -> None:
    code = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests" / "intentc")!r}]
from pathlib import Path
from test_cache import TEXT, read
for turn in range(30):
    read(Path({str(home)!r}), TEXT.replace("name", f"{{sys.argv[1]}}{{turn}}"))
"""
    running = [subprocess.Popen([sys.executable, "-c", code, name]) for name in ("one", "two")]
    assert [process.wait() for process in running] == [0, 0]
    read(home)
    assert read(home) == 0
