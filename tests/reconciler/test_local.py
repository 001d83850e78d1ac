from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reconciler.local import applier_key, journals, state_folder
from reconciler.secrets import SecretError


def test_the_key_is_made_on_first_need_and_stays(tmp_path: Path) -> None:
    environment = {"XDG_STATE_HOME": str(tmp_path)}
    key = applier_key(environment)
    assert len(key) == 32
    assert applier_key(environment) == key
    file = tmp_path / "intentc" / "key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["key"]


def test_the_key_can_be_named(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "mine"
    key = applier_key({"INTENTC_KEY_FILE": str(file), "XDG_STATE_HOME": str(tmp_path)})
    assert file.read_text() == key.hex() + "\n"
    assert key != applier_key({"XDG_STATE_HOME": str(tmp_path)})


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    environment = {"INTENTC_KEY_FILE": str(tmp_path / "key")}
    applier_key(environment)
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(SecretError, match="chmod 600"):
        applier_key(environment)


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 64, b"f" * 1000])
def test_what_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(SecretError, match="key file"):
        applier_key({"INTENTC_KEY_FILE": str(file)})


def test_a_key_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SecretError, match="cannot use the key file"):
        applier_key({"INTENTC_KEY_FILE": str(tmp_path / "file" / "key")})


def test_two_that_need_a_key_at_once_get_the_same(tmp_path: Path) -> None:
    environment = {"INTENTC_KEY_FILE": str(tmp_path / "key")}
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: applier_key(environment), range(32)))
    assert len(keys) == 1


def test_a_relative_state_folder_is_not_believed(tmp_path: Path) -> None:
    assert state_folder({"XDG_STATE_HOME": "here"}) == Path.home() / ".local" / "state" / "intentc"
    assert state_folder({"XDG_STATE_HOME": str(tmp_path)}) == tmp_path / "intentc"


def test_each_repository_has_its_own_journals(tmp_path: Path) -> None:
    environment = {"XDG_STATE_HOME": str(tmp_path)}
    one, other = (journals(tmp_path / name, environment) for name in ("a", "b"))
    assert one != other
    assert one.is_relative_to(tmp_path / "intentc")
