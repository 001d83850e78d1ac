"""What `ip` says, and which error it becomes: with a stand-in for the program."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.drivers.base import PermanentError
from reconciler.drivers.linux.ip import Ip


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a program `ip` first on the path that prints a file to standard error and fails."""
    program = tmp_path / "ip"
    program.write_text(f'#!/bin/sh\ncat >/dev/null\ncat {tmp_path}/says >&2\nexit "$(cat {tmp_path}/code)"\n')
    program.chmod(0o755)
    (tmp_path / "code").write_text("1")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "says"


def test_each_failure_belongs_to_its_line(says: Path) -> None:
    says.write_text(
        'Cannot find device "x"\nCommand failed -:2\nRTNETLINK answers: File exists\nCommand failed -:3\n'
    )
    assert Ip().batch(["a", "b", "c"]) == {1: 'Cannot find device "x"', 2: "File exists"}


def test_a_batch_that_gave_up_half_way_is_an_error(says: Path) -> None:
    """Words that it does not know end the whole batch, and no line is named."""
    says.write_text('Command failed -:1\nError: argument "encap.red" is wrong: "mode" value is invalid\n')
    (says.parent / "code").write_text("255")
    with pytest.raises(PermanentError, match=r'argument "encap.red" is wrong'):
        Ip().batch(["a", "b"])


def test_who_may_not_is_told_so(says: Path) -> None:
    says.write_text("RTNETLINK answers: Operation not permitted\nCommand failed -:1\n")
    with pytest.raises(PermanentError, match="only root"):
        Ip("x").batch(["a"])


def test_what_the_kernel_had_no_memory_for_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ip"
    program.write_text(
        f"""#!/bin/sh
lines=$(cat | tee -a {tmp_path}/read | wc -l)
if [ "$lines" -gt 0 ]; then
    echo "RTNETLINK answers: Cannot allocate memory" >&2; echo "Command failed -:2" >&2
    echo "RTNETLINK answers: File exists" >&2; echo "Command failed -:3" >&2
    exit 1
fi
"""
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert Ip().batch(["a", "b", "c"]) == {2: "File exists"}
    assert (tmp_path / "read").read_text() == "a\nb\ncb"


def test_nothing_is_run_for_nothing(says: Path) -> None:
    says.write_text("must not be read")
    assert Ip().batch([]) == {}


def test_a_machine_without_iproute2_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PermanentError, match="install iproute2"):
        Ip().show("link show")
