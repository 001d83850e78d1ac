"""The lease of targets on this machine: what its file system refuses is told as any target would."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from reconciler.drivers.base import Lease, PermanentError, TransientError
from reconciler.drivers.fence import Fence, classified


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, TransientError), (errno.EROFS, PermanentError)],
    ids=["full", "read-only"],
)
def test_what_the_file_system_refuses_is_classified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr("reconciler.drivers.fence.write", refuse)
    with pytest.raises(kind, match="no"):
        Fence(tmp_path).swap(None, Lease("ann", 1.0, 1))


def test_what_the_file_system_refuses_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PermanentError) as refused, classified():
        (tmp_path / "file" / "x").mkdir()
    assert str(refused.value) == f"{tmp_path}/file/x: Not a directory"
