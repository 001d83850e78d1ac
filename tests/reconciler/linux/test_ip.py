"""What `ip` says, and which error it becomes: with a stand-in for the program."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.drivers.base import PermanentError, TransientError
from reconciler.drivers.linux.ip import Ip
from reconciler.drivers.linux.kernel import Kernel


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a program `ip` first on the path that prints a file to standard error and fails."""
    script = f'cat >/dev/null\ncat {tmp_path}/says >&2\nexit "$(cat {tmp_path}/code)"'
    stand_in(tmp_path, monkeypatch, script)
    (tmp_path / "code").write_text("1")
    return tmp_path / "says"


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str, name: str = "ip") -> None:
    """Put a program first on the path."""
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_each_failure_belongs_to_its_line(says: Path) -> None:
    says.write_text(
        'Cannot find device "x"\nCommand failed -:2\nRTNETLINK answers: File exists\nCommand failed -:3\n'
    )
    assert Ip().batch(["a", "b", "c"]) == {1: 'Cannot find device "x"', 2: "File exists"}


def test_a_warning_is_no_failure(says: Path) -> None:
    says.write_text(
        "Warning: a\nRTNETLINK answers: File exists\nCommand failed -:2\nWarning: it worked, but mind this\n"
    )
    assert Ip().batch(["a", "b", "c"]) == {1: "File exists"}


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


def test_what_the_kernel_had_no_memory_for_is_tried_again_with_what_came_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A route to a group that could not be made failed as well, with other words."""
    stand_in(
        tmp_path,
        monkeypatch,
        f"""
cat >>{tmp_path}/read
test -e {tmp_path}/again && exit
touch {tmp_path}/again
echo "RTNETLINK answers: File exists" >&2; echo "Command failed -:1" >&2
echo "RTNETLINK answers: Cannot allocate memory" >&2; echo "Command failed -:2" >&2
echo "Error: Nexthop id does not exist." >&2; echo "Command failed -:3" >&2
exit 1
""",
    )
    assert Ip().batch(["a", "b", "c"]) == {0: "File exists"}
    assert (tmp_path / "read").read_text() == "a\nb\ncb\nc"


def test_what_changed_while_it_was_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program says so, and calls it success."""
    stand_in(
        tmp_path,
        monkeypatch,
        f"""
cat >/dev/null
if test -e {tmp_path}/again; then echo '[{{"id":1}},{{"id":2}}]'; exit; fi
touch {tmp_path}/again
echo '[{{"id":1}}]'
echo "Dump was interrupted and may be inconsistent." >&2
""",
    )
    assert Ip().show("nexthop show") == [[{"id": 1}, {"id": 2}]]


@pytest.mark.parametrize("said", ['[{"id":1},', "[]\n[]", ""])
def test_what_is_cut_off_is_an_error_and_not_nothing(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "says").write_text(said)
    stand_in(tmp_path, monkeypatch, f"cat >/dev/null; cat {tmp_path}/says")
    with pytest.raises(PermanentError, match=r"ip wrote no JSON|ip answered"):
        Ip().show("nexthop show")


def test_settings_that_cannot_be_read_are_not_taken_for_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(
        tmp_path, monkeypatch, """echo 'exec of "sysctl" failed: No such file or directory' >&2; exit 1"""
    )
    with pytest.raises(PermanentError, match='exec of "sysctl" failed'):
        Ip("x").sysctls(["net.ipv4.ip_forward"])


def test_nothing_is_run_for_nothing(says: Path) -> None:
    says.write_text("must not be read")
    assert Ip().batch([]) == {}


def test_a_machine_without_iproute2_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PermanentError, match="install iproute2"):
        Ip().show("link show")


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("unshare: unshare failed: Operation not permitted", PermanentError),
        ("unshare: unshare failed: No space left on device", TransientError),
        ("RTNETLINK answers: Cannot allocate memory", TransientError),
    ],
)
def test_a_kernel_that_could_not_be_tried_is_not_said_to_lack_something(
    said: str, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, f'echo "{said}" >&2; exit 1', "unshare")
    kernel = Kernel()
    with pytest.raises(error, match="could not be tried"):
        kernel.lacks("encap")
    stand_in(tmp_path, monkeypatch, "exit 0", "unshare")
    assert kernel.lacks("encap") == ""


def test_a_machine_without_unshare_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PermanentError, match="unshare is not installed"):
        Kernel().lacks("encap")
